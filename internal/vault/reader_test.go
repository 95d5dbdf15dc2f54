package vault

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/place"
	"holdfast/internal/place/dir"
	"holdfast/internal/place/memory"
	"holdfast/internal/seal"
	"holdfast/internal/vfs"
)

// restored is what a reader gave of one account.
type restored struct {
	seqs   map[uint64]holdfast.Hash // chains
	losses []Loss
}

// readAll reads vaults with the recovery key alone.
func readAll(t testing.TB, recovery *seal.Recovery, o ReadOptions, places ...place.Place) (map[holdfast.ID]*restored, []Damage) {
	t.Helper()
	got, damage, _ := readSure(t, recovery, o, places...)
	return got, damage
}

// readSure is readAll that also returns why the losses may not be all.
func readSure(t testing.TB, recovery *seal.Recovery, o ReadOptions, places ...place.Place) (map[holdfast.ID]*restored, []Damage, []string) {
	t.Helper()
	var vaults []*Vault
	var damaged []Damage
	for _, p := range places {
		v, err := Open(ctx, Options{Place: p, With: []*seal.Identity{recovery.Identity}})
		if err != nil {
			damaged = append(damaged, Damage{Object: nameMeta, What: err.Error()})
			continue
		}
		vaults = append(vaults, v)
	}
	o.Spool, o.Trust = t.TempDir(), recovery
	r, err := NewReader(ctx, vaults, o)
	fine(t, err)
	defer r.Close()
	out := map[holdfast.ID]*restored{}
	fine(t, r.Accounts(ctx, func(h *History) error {
		x := &restored{seqs: map[uint64]holdfast.Hash{}}
		if out[h.Account] != nil {
			t.Fatal("an account comes twice")
		}
		out[h.Account] = x
		last := uint64(0)
		err := h.Changes(ctx, func(list []Loaded) error {
			for i := range list {
				c := &list[i]
				if c.Seq <= last || c.Account != h.Account || holdfast.HashOf(c.Body) != c.ETag && c.Op == holdfast.OpPut {
					t.Fatalf("change %d comes after %d", c.Seq, last)
				}
				last = c.Seq
				x.seqs[c.Seq] = c.Chain
			}
			if list[len(list)-1].More > 0 {
				t.Fatal("a group is cut")
			}
			return nil
		})
		x.losses = h.Losses()
		return err
	}))
	left, _ := os.ReadDir(o.Spool)
	r.Close()
	if left, _ = os.ReadDir(o.Spool); len(left) > 0 {
		t.Fatalf("%d files are left in the spool", len(left))
	}
	unsure := r.Unsure()
	if len(vaults) == 0 { // a restore is refused then
		unsure = append(unsure, "no vault can be opened")
	}
	return out, append(damaged, r.Damage()...), unsure
}

// truth is what the maker made, as of a moment.
func (m *maker) truth(upto int) map[holdfast.ID]map[uint64]holdfast.Hash {
	out := map[holdfast.ID]map[uint64]holdfast.Hash{}
	for _, b := range m.batches[:upto] {
		for i := range b.Changes {
			c := &b.Changes[i]
			if out[c.Account] == nil {
				out[c.Account] = map[uint64]holdfast.Hash{}
			}
			out[c.Account][c.Seq] = c.Chain
		}
	}
	return out
}

// same compares; what is missing must be in losses, and nothing else may be there. It returns how many changes are missing.
func same(t testing.TB, where string, got map[holdfast.ID]*restored, want map[holdfast.ID]map[uint64]holdfast.Hash) (missing int) {
	t.Helper()
	for id, seqs := range want {
		g := got[id]
		if g == nil {
			missing += len(seqs)
			continue
		}
		for seq, chain := range seqs {
			have, ok := g.seqs[seq]
			switch {
			case ok && have != chain:
				t.Fatalf("%s: account %v, change %d has another chain", where, id, seq)
			case !ok:
				missing++
				if !slices.ContainsFunc(g.losses, func(l Loss) bool { return l.From <= seq && seq <= l.To && l.Reason != "" }) {
					t.Logf("%s: account %v lacks change %d, and its losses do not say so: %+v", where, id, seq, g.losses)
					missing += 1 << 20
				}
			}
		}
	}
	for id, g := range got {
		for seq := range g.seqs {
			if _, ok := want[id][seq]; !ok {
				t.Fatalf("%s: account %v has a change %d that never was", where, id, seq)
			}
		}
	}
	return missing
}

func TestReadWhatWasShippedAndSealed(t *testing.T) {
	for seed := range uint64(6) {
		r, m := newRig(t, nil), newMaker(seed, 30)
		rnd := rand.New(rand.NewPCG(seed, 9))
		for i := range 120 {
			r.ship(m.batch(6))
			r.clock.Advance(time.Minute)
			switch rnd.IntN(25) {
			case 0:
				r.open()
			case 1:
				fine(t, r.w.Head(ctx, HeadInput{}))
			case 2:
				r.w.Roll()
				rep, err := r.v.Seal(ctx, r.w)
				fine(t, err)
				if i > 60 && rep.Segments == 0 {
					t.Log("nothing to seal")
				}
			}
		}
		got, damage := readAll(t, r.recovery, ReadOptions{}, r.place)
		if n := same(t, fmt.Sprint("seed ", seed), got, m.truth(len(m.batches))); n != 0 || len(damage) != 0 {
			t.Fatalf("seed %d: %d missing, %+v", seed, n, damage)
		}
		one := m.accounts[3]
		got, _ = readAll(t, r.recovery, ReadOptions{Account: one}, r.place)
		if len(got) != 1 || len(got[one].seqs) != len(m.truth(len(m.batches))[one]) {
			t.Fatalf("one account alone: %d", len(got))
		}
		for _, n := range []int{1, 17, 60, 119} {
			got, _ := readAll(t, r.recovery, ReadOptions{At: start.Add(time.Duration(n) * time.Minute)}, r.place)
			if n := same(t, "at", got, m.truth(n+1)); n != 0 {
				t.Fatalf("as of an earlier moment %d are missing", n)
			}
		}
	}
}

func TestSealIsDoneOnce(t *testing.T) {
	r, m := newRig(t, nil), newMaker(1, 5)
	for range 100 {
		r.ship(m.batch(4))
	}
	total := uint64(0)
	for range 100 {
		rep, err := r.v.Seal(ctx, r.w)
		fine(t, err)
		if rep.Segments == 0 {
			break
		}
		total += rep.Changes
	}
	if total == 0 || r.w.Open() == 0 {
		t.Fatal("the open segment was sealed, or none")
	}
	r.w.Roll()
	for {
		rep := must2(r.v.Seal(ctx, r.w))
		if rep.Segments == 0 {
			break
		}
		total += rep.Changes
	}
	want := uint64(0)
	for _, b := range m.batches {
		want += uint64(len(b.Changes))
	}
	if total != want {
		t.Fatalf("%d changes were sealed, %d made", total, want)
	}
}

// damagedVault is a small vault of every kind of object.
func damagedVault(t testing.TB) (*rig, *maker, *memory.Place) {
	r, m := newRig(t, nil), newMaker(11, 3)
	for i := range 30 {
		r.ship(m.batch(3))
		if i == 8 || i == 16 {
			r.w.Roll()
			must2(r.v.Seal(ctx, r.w))
		}
		if i == 12 {
			r.open()
		}
	}
	fine(t, r.w.Head(ctx, HeadInput{}))
	fine(t, r.v.PutService(ctx, "x"))
	return r, m, r.place.(*memory.Place)
}

func names(t testing.TB, p place.Place) (out []string) {
	fine(t, p.List(ctx, "", "", func(i place.Info) error { out = append(out, i.Name); return nil }))
	return out
}

// TestWhateverIsDamagedIsNoticedAndNothingIsInvented removes, cuts and changes every object of a small vault.
func TestWhateverIsDamagedIsNoticedAndNothingIsInvented(t *testing.T) {
	r, m, whole := damagedVault(t)
	want := m.truth(len(m.batches))
	check := func(where string, p place.Place, quiet bool) {
		got, damage := readAll(t, r.recovery, ReadOptions{}, p)
		missing := same(t, where, got, want)
		lost := 0
		for _, g := range got {
			lost += len(g.losses)
		}
		if missing > 1<<20-1 && len(damage) == 0 {
			t.Errorf("%s: changes are missing, and nobody says so", where)
		}
		if missing > 0 && lost == 0 && len(damage) == 0 {
			t.Errorf("%s: %d are missing, and nobody says so", where, missing)
		}
		if !quiet && missing == 0 && lost == 0 && len(damage) == 0 {
			t.Logf("%s: harmless, and not noticed by a reader", where)
		}
		// With a second, whole vault nothing is lost.
		got, _ = readAll(t, r.recovery, ReadOptions{}, p, whole)
		if n := same(t, where+" with a second vault", got, want); n != 0 {
			t.Errorf("%s: %d are missing though a second vault has them", where, n)
		}
	}
	rnd := rand.New(rand.NewPCG(1, 1))
	for _, name := range names(t, whole) {
		if name == nameReadMe {
			continue
		}
		b := must2(place.ReadAll(ctx, whole, name, 1<<20))
		p := whole.Clone()
		p.Overwrite(name, nil)
		check(name+" removed", p, true)
		p = whole.Clone()
		p.Overwrite(name, b[:len(b)*2/3])
		check(name+" cut", p, true)
		for range 3 {
			i := rnd.IntN(len(b))
			p, bad := whole.Clone(), slices.Clone(b)
			bad[i] ^= 1 << rnd.IntN(8)
			p.Overwrite(name, bad)
			check(fmt.Sprintf("%s octet %d changed", name, i), p, true)
		}
	}
}

func TestAStrangerReadsThePages(t *testing.T) {
	for _, tool := range []string{"age", "zstd", "jq"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("%s is absent; scripts/need-tools.sh installs it", tool)
		}
	}
	root := t.TempDir()
	r, m := newRig(t, must2(dir.Open(vfs.OS, root, dir.Options{}))), newMaker(6, 3)
	for range 20 {
		r.ship(m.batch(2))
	}
	r.w.Roll()
	must2(r.v.Seal(ctx, r.w))
	fine(t, os.WriteFile(filepath.Join(root, "recovery.txt"), r.recovery.File(), 0o600))
	c := m.batches[12].Changes[0]
	word := strings.TrimSpace(strings.SplitN(string(c.Body), "\r\n", 4)[2])
	cmd := exec.Command("sh", "-eu", "-c", "account="+c.Account.String()+"\nword='"+word+"'\n"+script(t, "pages")+script(t, "find"))
	cmd.Dir, cmd.Stderr = root, os.Stderr
	out, err := cmd.Output()
	if err != nil || string(out) != string(c.Body)+"\n" {
		t.Fatalf("%v, got %q, want %q", err, out, c.Body)
	}
	lines := must2(os.ReadFile(filepath.Join(root, "lines.jsonl")))
	if n, want := strings.Count(string(lines), "\n"), len(m.truth(20)[c.Account]); n != want {
		t.Fatalf("%d of %d lines", n, want)
	}
	for other := range m.heads {
		if other != c.Account && strings.Contains(string(lines), other.String()) {
			t.Fatal("another account's lines were read with this account's key")
		}
	}
}

func TestAForkIsReadAsItWentOn(t *testing.T) {
	r, m := newRig(t, nil), newMaker(4, 3)
	for range 20 {
		r.ship(m.batch(3))
	}
	// At batch 12 the store went another way.
	m2 := newMaker(4, 3)
	for range 12 {
		m2.batch(3)
	}
	m2.r = rand.New(rand.NewPCG(77, 7))
	fine(t, r.w.Close())
	must2(r.v.Adopt(ctx, holdfast.ID{0xff}, m2.pos, FromFork))
	r.w = nil
	r.open()
	for range 15 {
		r.ship(m2.batch(3))
	}
	r.w.Roll()
	must2(r.v.Seal(ctx, r.w))
	must2(r.v.Seal(ctx, r.w))
	got, damage := readAll(t, r.recovery, ReadOptions{}, r.place)
	if n := same(t, "fork", got, m2.truth(len(m2.batches))); n != 0 || len(damage) > 0 {
		t.Fatal(n, damage)
	}
}

func TestCompactedAndLetGo(t *testing.T) {
	r, m := newRig(t, nil), newMaker(21, 12)
	r.opt.KeepTail, r.opt.Keep = 48*time.Hour, 24*time.Hour
	r.open()
	p := r.place.(*memory.Place)
	for i := range 90 {
		r.ship(m.batch(4))
		r.clock.Advance(time.Hour)
		if i%5 == 4 {
			r.w.Roll()
			must2(r.v.Seal(ctx, r.w))
			must2(r.v.Compact(ctx, r.w))
			rep, err := r.v.Let(ctx)
			fine(t, err)
			if i < 40 && rep.Objects > 0 {
				t.Fatalf("after %d hours %d objects are gone", i, rep.Objects)
			}
		}
		if i == 50 {
			r.open()
		}
	}
	packs := must2(r.v.Packs(ctx))
	if len(packs) > 12 || packs[0].Tier == 0 {
		t.Fatalf("%d packs, the first of tier %d", len(packs), packs[0].Tier)
	}
	for _, name := range names(t, p) {
		if strings.HasSuffix(name, SegmentName(1, 1)) {
			t.Error("the first segment is still there")
		}
	}
	got, damage := readAll(t, r.recovery, ReadOptions{}, r.place)
	if n := same(t, "compacted", got, m.truth(len(m.batches))); n != 0 || len(damage) > 0 {
		t.Fatal(n, damage)
	}
}

// TestAClockThatJumpsLetsNothingGo: a clock that is put ahead by years makes nothing old.
func TestAClockThatJumpsLetsNothingGo(t *testing.T) {
	r, m := newRig(t, nil), newMaker(22, 3)
	for range 10 {
		r.ship(m.batch(2))
	}
	r.w.Roll()
	must2(r.v.Seal(ctx, r.w))
	before := len(names(t, r.place))
	for _, jump := range []time.Duration{10 * 365 * 24 * time.Hour, -20 * 365 * 24 * time.Hour, 10 * 365 * 24 * time.Hour} {
		r.clock.Set(r.clock.Now().Add(jump))
		r.ship(m.batch(2))
		fine(t, r.w.Head(ctx, HeadInput{}))
		if rep := must2(r.v.Let(ctx)); rep.Objects != 0 {
			t.Fatalf("after a jump by %v %d objects are gone", jump, rep.Objects)
		}
	}
	if after := len(names(t, r.place)); after < before {
		t.Fatal("objects are gone")
	}
}

// TestARecoveryKeyThatWasMadeLater: the first set-up makes the vault before the recovery key, whose certificate then stands in no term.
func TestARecoveryKeyThatWasMadeLater(t *testing.T) {
	r, m := newRig(t, nil), newMaker(51, 3)
	later := must2(seal.NewRecovery(holdfast.ID{0xff}, start, false))
	r.ship(m.batch(3), m.batch(3))
	fine(t, r.ring.Add(later))
	must2(r.v.Rewrap(ctx, func(int64, int64) {}))
	fine(t, r.v.PutService(ctx, map[string]any{"certificates": r.ring.Certificates()}))
	got, damage := readAll(t, later, ReadOptions{}, r.place)
	if n := same(t, "later", got, m.truth(len(m.batches))); n != 0 || len(damage) != 0 {
		t.Fatal(n, damage)
	}
	fine(t, r.v.PutService(ctx, map[string]any{"certificates": []seal.Certificate{{Recovery: later.Recipient().Fingerprint(), MAC: []byte("made up")}}}))
	if _, damage := readAll(t, later, ReadOptions{}, r.place); len(damage) == 0 {
		t.Fatal("a made-up certificate is trusted")
	}
}
