package vault

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/journal"
	"holdfast/internal/place"
	"holdfast/internal/place/dir"
	"holdfast/internal/place/memory"
	"holdfast/internal/vfs"
)

// frames reads what follows a batch, and compares it with what the maker made.
func (r *rig) frames(m *maker, after uint64) {
	r.t.Helper()
	at := after
	err := r.v.Frames(ctx, after, func(b *holdfast.Batch, stored time.Time) error {
		at++
		want := m.batches[at-1]
		if b.Position != want.Position || b.Prev != want.Prev || len(b.Changes) != len(want.Changes) || stored.IsZero() {
			r.t.Fatalf("batch %d came back as %+v", at, b.Position)
		}
		for i := range b.Changes {
			if got, w := &b.Changes[i], &want.Changes[i]; got.Hash != w.Hash || got.Seq != w.Seq || got.Prev != w.Prev || !bytes.Equal(got.Body, w.Body) || got.Chain != w.Chain || got.Before != w.Before {
				r.t.Fatalf("batch %d, change %d came back as %+v, was %+v", at, i, got, w)
			}
		}
		return nil
	})
	if err != nil || at != uint64(len(m.batches)) {
		r.t.Fatalf("after %d: %d of %d batches, %v", after, at, len(m.batches), err)
	}
}

func TestTail(t *testing.T) {
	r, m := newRig(t, nil), newMaker(1, 20)
	for round := range 6 {
		for range 30 {
			r.ship(m.batch(5))
		}
		r.ship(m.batch(3), m.batch(3), m.batch(3), m.batch(3), m.batch(3))
		end, term, err := r.v.End(ctx)
		if err != nil || end != m.pos || term.Number != 1 {
			t.Fatalf("round %d: the end is %+v in term %d, want %+v, %v", round, end, term.Number, m.pos, err)
		}
		for _, after := range []uint64{0, 1, 17, m.pos.Batch / 2, m.pos.Batch - 1, m.pos.Batch} {
			r.frames(m, after)
			want := holdfast.Hash{}
			if after > 0 {
				want = m.batches[after-1].Hash
			}
			if hash, ok, err := r.v.HashAt(ctx, after); err != nil || !ok || hash != want {
				t.Fatalf("the hash after %d: %v %v %v", after, hash, ok, err)
			}
		}
		if _, ok, err := r.v.HashAt(ctx, m.pos.Batch+1); ok || err != nil {
			t.Fatal("a batch that is not there has a hash", err)
		}
		changed := r.w.Changed()
		r.open()
		if r.w.Changed() != changed {
			t.Fatalf("after a start %d accounts changed since the last head, before %d", r.w.Changed(), changed)
		}
		if round%2 == 1 {
			fine(t, r.w.Head(ctx, HeadInput{Vaults: []Other{{Name: "local"}}}))
		}
	}
	heads := map[holdfast.ID]AccountHead{}
	var prev holdfast.Hash
	fine(t, r.v.Heads(ctx, 0, func(name string, h Head, sum holdfast.Hash, err error) error {
		if err != nil || h.Previous != prev {
			t.Fatalf("%s: %v", name, err)
		}
		prev = sum
		for _, a := range h.Accounts {
			heads[a.Account] = a
		}
		return nil
	}))
	for id, want := range m.heads {
		if heads[id] != want {
			t.Errorf("the heads say %+v of an account that is at %+v", heads[id], want)
		}
	}
}

func TestATornEndIsPassedOver(t *testing.T) {
	for cut := range 40 {
		r, m := newRig(t, nil), newMaker(2, 3)
		for range 4 {
			r.ship(m.batch(2))
		}
		name := SegmentName(1, 1)
		all := must2(place.ReadAll(ctx, r.place, name, 1<<20))
		frame := PackBatches([]*holdfast.Batch{m.batch(2)}, start)
		torn := must2(frame.frame(nil, r.w.seg.by))
		r.place.(*memory.Place).Overwrite(name, append(all, torn[:len(torn)*cut/40]...))
		r.open()
		last := m.batches[len(m.batches)-1]
		if end, _, err := r.v.End(ctx); err != nil || end.Batch != last.Batch-1 || end.Hash != last.Prev {
			t.Fatalf("cut %d: the end is %+v, %v", cut, end, err)
		}
		r.ship(last)
		r.frames(m, 0)
	}
}

func TestASecondWriterIsFenced(t *testing.T) {
	r, m := newRig(t, nil), newMaker(3, 3)
	r.ship(m.batch(2))
	if _, err := r.v.Writer(ctx, r.term, m.pos); !holdfast.IsKind(err, holdfast.Busy) {
		t.Fatalf("a second writer of this machine: %v", err)
	}
	if _, err := r.v.Adopt(ctx, holdfast.ID{2}, m.pos, FromEnd); !holdfast.IsKind(err, holdfast.Busy) {
		t.Fatalf("adopting while a writer runs: %v", err)
	}
	fine(t, r.w.Close())
	other := must2(r.v.Adopt(ctx, holdfast.ID{2}, m.pos, FromEnd))
	if _, err := r.v.Writer(ctx, r.term, m.pos); !holdfast.IsKind(err, holdfast.Fenced) {
		t.Fatalf("the old term: %v", err)
	}
	if _, err := r.v.Writer(ctx, other, holdfast.Position{Batch: 9}); !holdfast.IsKind(err, holdfast.PreconditionFailed) {
		t.Fatalf("another position: %v", err)
	}
	w := must2(r.v.Writer(ctx, other, m.pos))
	fine(t, w.Append(ctx, PackBatches([]*holdfast.Batch{m.batch(2)}, start)))
	r.frames(m, 0)
	// A place without a lease lets two writers in: the older one stops when it looks.
	fine(t, w.Close())
	w = must2(r.v.Writer(ctx, other, m.pos))
	w.lease.Close()
	third := must2(r.v.Adopt(ctx, holdfast.ID{3}, m.pos, FromEnd))
	r.clock.Advance(fenceEvery)
	if err := w.Append(ctx, PackBatches([]*holdfast.Batch{m.batch(2)}, start)); !holdfast.IsKind(err, holdfast.Fenced) {
		t.Fatalf("a writer whose term is over: %v (term %d is there)", err, third.Number)
	}
}

func TestAForkGivesUpWhatCameAfterIt(t *testing.T) {
	r, m := newRig(t, nil), newMaker(4, 4)
	for range 10 {
		r.ship(m.batch(2))
	}
	base := m.batches[5].Position
	fine(t, r.w.Close())
	must2(r.v.Adopt(ctx, holdfast.ID{0xff}, base, FromFork))
	m2 := newMaker(5, 4)
	m2.pos, m2.batches = base, slices.Clone(m.batches[:6])
	r.w = nil
	r.open()
	for range 5 {
		r.ship(m2.batch(2))
	}
	r.frames(m2, 0)
	if hash, ok, err := r.v.HashAt(ctx, 7); err != nil || !ok || hash != m2.batches[6].Hash {
		t.Fatal(hash, ok, err)
	}
}

func TestAccountKeys(t *testing.T) {
	r := newRig(t, nil)
	a := holdfast.ID{5}
	if _, err := r.v.FindAccountKey(ctx, a); !holdfast.IsKind(err, holdfast.NotFound) {
		t.Fatal(err)
	}
	key := must2(r.v.AccountKey(ctx, a))
	r.v.forget(a)
	if again := must2(r.v.AccountKey(ctx, a)); again.Secret() != key.Secret() {
		t.Fatal("a second key was made")
	}
	reader := must2(Open(ctx, Options{Place: r.place, With: r.opt.With}))
	if _, err := reader.FindAccountKey(ctx, a); !holdfast.IsKind(err, holdfast.Unauthorized) {
		t.Fatalf("without a key: %v", err)
	}
	reader.o.With = append(reader.o.With, r.recovery.Identity)
	if got := must2(reader.FindAccountKey(ctx, a)); got.Secret() != key.Secret() {
		t.Fatal("the recovery key opens another key")
	}
	if _, err := reader.AccountKey(ctx, holdfast.ID{6}); !holdfast.IsKind(err, holdfast.Forbidden) {
		t.Fatalf("a reader makes a key: %v", err)
	}
}

func TestService(t *testing.T) {
	r := newRig(t, nil)
	var got map[string]string
	if err := r.v.Service(ctx, &got); !holdfast.IsKind(err, holdfast.NotFound) {
		t.Fatal(err)
	}
	for _, policy := range []string{"engine", "engine", "engine+local"} {
		fine(t, r.v.PutService(ctx, map[string]string{"policy": policy}))
	}
	if fine(t, r.v.Service(ctx, &got)); got["policy"] != "engine+local" {
		t.Fatal(got)
	}
	n := 0
	fine(t, r.place.List(ctx, dirService, "", func(place.Info) error { n++; return nil }))
	if n != 2 {
		t.Fatalf("%d objects for two states", n)
	}
}

func TestCreate(t *testing.T) {
	r := newRig(t, nil)
	if _, err := Create(ctx, r.opt, Meta{Vault: holdfast.ID{1}, Store: holdfast.ID{0xff}, Name: "local", Created: start}); !holdfast.IsKind(err, holdfast.Exists) {
		t.Fatalf("over a vault: %v", err)
	}
	empty := memory.New(r.clock)
	if _, err := Open(ctx, Options{Place: empty}); !holdfast.IsKind(err, holdfast.NotFound) {
		t.Fatalf("an empty place: %v", err)
	}
	empty.Overwrite(nameMeta, []byte(`{"format":99,"vault":"aaaaaaaaaaaaaaaaaaaaaaaabe","store":"aaaaaaaaaaaaaaaaaaaaaaaabe"}`))
	if _, err := Open(ctx, Options{Place: empty}); !holdfast.IsKind(err, holdfast.Invalid) {
		t.Fatalf("a later format: %v", err)
	}
}

// script returns the commands between two marks of HOLDFAST.txt.
func script(t *testing.T, name string) string {
	_, rest, ok := strings.Cut(readMe, "#begin "+name+"\n")
	text, _, ok2 := strings.Cut(rest, "#end "+name+"\n")
	if !ok || !ok2 {
		t.Fatalf("HOLDFAST.txt has no commands %q", name)
	}
	return text
}

// TestAStrangerReadsTheTail follows HOLDFAST.txt with the tools that it names.
func TestAStrangerReadsTheTail(t *testing.T) {
	for _, tool := range []string{"age", "zstd", "jq"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("%s is absent; scripts/need-tools.sh installs it", tool)
		}
	}
	root := t.TempDir()
	r, m := newRig(t, must2(dir.Open(vfs.OS, root, dir.Options{}))), newMaker(6, 3)
	for i := range 20 {
		b := m.batch(2)
		if c := &b.Changes[0]; i < 5 && c.Prunable() { // a vault that is filled by a store which has let go of octets
			c.Prune()
		}
		r.ship(b)
	}
	fine(t, os.WriteFile(filepath.Join(root, "recovery.txt"), r.recovery.File(), 0o600))
	last := m.batches[12].Changes[0]
	if last.Op != holdfast.OpPut {
		t.Fatal("choose another seed")
	}
	word := strings.TrimSpace(strings.SplitN(string(last.Body), "\r\n", 4)[2])
	text := "word='" + word + "'\n"
	for _, n := range must2(r.v.segments(ctx, 1)) {
		text += "segment=" + strings.TrimSuffix(SegmentName(1, n), ".frames") + "\n" + script(t, "tail")
	}
	cmd := exec.Command("sh", "-eu", "-c", text+script(t, "find"))
	cmd.Dir, cmd.Stderr = root, os.Stderr
	out, err := cmd.Output()
	if err != nil || string(out) != string(last.Body)+"\n" {
		t.Fatalf("%v, got %q, want %q", err, out, last.Body)
	}
	lines := must2(os.ReadFile(filepath.Join(root, "lines.jsonl")))
	n, pruned := 0, 0
	lr := journal.NewReader(bytes.NewReader(lines))
	for {
		_, changes, err := lr.Next()
		if err != nil {
			break
		}
		n += len(changes)
		for i := range changes {
			if changes[i].Pruned {
				pruned++
			}
		}
	}
	if pruned == 0 {
		t.Error("no line without octets came back")
	}
	want := 0
	for _, b := range m.batches {
		want += len(b.Changes)
	}
	if n != want {
		t.Fatalf("%d of %d changes came back", n, want)
	}
}

func FuzzFrameHeader(f *testing.F) {
	f.Add(FrameHeader{1, 2, holdfast.Hash{1}, holdfast.Hash{2}, 3, holdfast.Hash{3}}.append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, n, ok := ParseFrameHeader(b); ok && !bytes.Equal(h.append(nil), b[:n]) {
			t.Fatalf("%q is read as %+v", b, h)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	r, m := newRig(b, must2(dir.Open(vfs.OS, b.TempDir(), dir.Options{}))), newMaker(1, 100)
	for b.Loop() {
		fine(b, r.w.Append(ctx, PackBatches([]*holdfast.Batch{m.batch(16)}, start)))
	}
}

func TestErase(t *testing.T) {
	r, m := newRig(t, nil), newMaker(31, 4)
	r.opt.KeepTail = time.Nanosecond
	r.open()
	for range 40 {
		r.ship(m.batch(3))
	}
	r.w.Roll()
	for must2(r.v.Seal(ctx, r.w)).Segments > 0 {
	}
	r.ship(m.batch(3), m.batch(3))
	gone := m.accounts[1]
	left := must2(r.v.Erase(ctx, r.w, gone, nil))
	if len(left) == 0 {
		t.Fatal("the tail still holds its lines, and nobody says so")
	}
	if _, err := r.v.AccountKey(ctx, gone); !holdfast.IsKind(err, holdfast.NotFound) {
		t.Fatalf("it has a key: %v", err)
	}
	m.accounts = slices.Delete(m.accounts, 1, 2)
	for range 3 {
		r.ship(m.batch(3))
		r.clock.Advance(time.Hour)
		r.w.Roll()
		fine(t, r.v.Upkeep(ctx, r.w))
		fine(t, r.w.Head(ctx, HeadInput{Whole: true}))
	}
	fine(t, r.v.Upkeep(ctx, r.w))
	if left := must2(r.v.Erase(ctx, r.w, gone, nil)); len(left) != 0 {
		t.Fatalf("%q are left", left)
	}
	got, damage := readAll(t, r.recovery, ReadOptions{}, r.place)
	want := m.truth(len(m.batches))
	delete(want, gone)
	if n := same(t, "erased", got, want); n != 0 || got[gone] != nil || len(damage) > 0 {
		t.Fatal(n, damage)
	}
	// Nobody erases an account by putting a file there.
	p := r.place.(*memory.Place)
	p.Overwrite(ErasedName(m.accounts[0]), []byte(`{"account":"`+m.accounts[0].String()+`"}`+"\nAAAA\n"))
	if erased := must2(r.v.Erased(ctx)); len(erased) != 1 || !erased[gone] {
		t.Fatalf("%v", erased)
	}
}
