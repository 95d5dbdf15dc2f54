package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/control"
	memplace "holdfast/internal/place/memory"
	"holdfast/internal/place/remote"
	"holdfast/internal/seal"
	"holdfast/internal/store"
	"holdfast/internal/store/memory"
	"holdfast/internal/store/storetest"
	"holdfast/internal/vault"
)

// pair is a store and a vault that another one wrote into; both begin alike.
type pair struct {
	t       *testing.T
	own     *memory.Engine // the store that is compared
	shipped *memory.Engine // what the vault has
	m       *storetest.Maker
	place   *memplace.Place
	ring    *seal.Ring
}

func newPair(t *testing.T) *pair {
	p := &pair{t: t, own: memory.New(), shipped: memory.New(), m: storetest.NewMaker(3), place: memplace.New(clock.System)}
	var err error
	p.ring, err = seal.NewRing(false)
	must(t, err)
	return p
}

// put writes a contact into an engine, and returns its seq.
func (p *pair) put(e store.Engine, a storetest.Account, name, text string) uint64 {
	p.t.Helper()
	r, err := e.Commit(p.t.Context(), storetest.Sealed(a.ID, p.m.Put(a.Book, name, name, storetest.Card(name, name, text))))
	must(p.t, err)
	return r.Seq
}

// follow brings the compared store up to the shipped one.
func (p *pair) follow() {
	p.t.Helper()
	must(p.t, p.shipped.After(p.t.Context(), p.own.Position().Batch, 0, func(b *holdfast.Batch) error { return p.own.Apply(p.t.Context(), b) }))
}

// ship writes the vault.
func (p *pair) ship(segment int64) *vault.Vault {
	p.t.Helper()
	id, now := holdfast.NewID(nil), time.Now()
	v, err := vault.Create(p.t.Context(), vault.Options{Place: p.place, Ring: p.ring, SegmentOctets: segment}, vault.Meta{Vault: holdfast.NewID(nil), Store: id, Name: "local", Created: now})
	must(p.t, err)
	term, err := v.Adopt(p.t.Context(), id, holdfast.Position{}, vault.FromNothing)
	must(p.t, err)
	w, err := v.Writer(p.t.Context(), term, holdfast.Position{})
	must(p.t, err)
	must(p.t, p.shipped.After(p.t.Context(), 0, 0, func(b *holdfast.Batch) error {
		return w.Append(p.t.Context(), vault.PackBatches([]*holdfast.Batch{b}, now))
	}))
	must(p.t, w.Close())
	return v
}

// compare returns what is found, by account.
func (p *pair) compare(v *vault.Vault) map[string][]control.VaultFinding {
	p.t.Helper()
	r, err := vault.NewReader(p.t.Context(), []*vault.Vault{v}, vault.ReadOptions{Spool: p.t.TempDir()})
	must(p.t, err)
	defer r.Close()
	found := map[string][]control.VaultFinding{}
	x := &verifier{k: &keeper{engine: p.own}, rep: &control.VaultReport{}, end: p.shipped.Position().Batch,
		fn: func(f control.VaultFinding) { found[f.Account] = append(found[f.Account], f) }, told: v.Erased}
	must(p.t, r.Accounts(p.t.Context(), func(h *vault.History) error { return x.account(p.t.Context(), h) }))
	must(p.t, x.rest(p.t.Context()))
	return found
}

// TestCompareNamesWhereHistoriesPart has accounts that are equal, that went different ways, of which the store lacks the end, and of which the vault has nothing.
func TestCompareNamesWhereHistoriesPart(t *testing.T) {
	p := newPair(t)
	var people []storetest.Account
	for i := range 3 {
		people = append(people, storetest.NewAccount(t, p.m, p.shipped, fmt.Sprintf("p%d@example.org", i)))
	}
	equal, parted, shorter := people[0], people[1], people[2]
	for i := range 12 {
		p.put(p.shipped, people[i%3], fmt.Sprint(i, ".vcf"), "before")
	}
	p.follow()
	fork := p.put(p.shipped, parted, "of the vault.vcf", "its own")
	last := uint64(0)
	for i := range 8 {
		p.put(p.shipped, parted, fmt.Sprint("more ", i, ".vcf"), "its own")
		last = p.put(p.shipped, shorter, fmt.Sprint("more ", i, ".vcf"), "its own")
	}
	if got := p.put(p.own, parted, "of the store.vcf", "its own"); got != fork {
		t.Fatalf("the histories part at %d and %d", got, fork)
	}
	for i := range 9 {
		p.put(p.own, parted, fmt.Sprint("other ", i, ".vcf"), "its own")
	}
	var alone []storetest.Account
	for i := range 3 {
		alone = append(alone, storetest.NewAccount(t, p.m, p.own, fmt.Sprintf("alone%d@example.org", i)))
	}
	found := p.compare(p.ship(1 << 20))
	if got := found[equal.ID.String()]; len(got) > 0 {
		t.Errorf("equal accounts: %+v", got)
	}
	if got := found[parted.ID.String()]; len(got) != 1 || got[0].Seq != fork || got[0].Name != "of the vault.vcf" || got[0].Collection != parted.Book.String() || !strings.Contains(got[0].What, "from this change on") {
		t.Errorf("they part at %d: %+v", fork, got)
	}
	if got := found[shorter.ID.String()]; len(got) != 1 || got[0].Seq != last || got[0].Name != "more 7.vcf" || !strings.Contains(got[0].What, "the store has not") {
		t.Errorf("the vault ends at %d: %+v", last, got)
	}
	for _, a := range alone {
		if got := found[a.ID.String()]; len(got) != 1 || got[0].Seq != 1 || !strings.Contains(got[0].What, "nothing of it") {
			t.Errorf("the vault has nothing of %s: %+v", a.ID, got)
		}
	}
	if len(found) != 2+len(alone) {
		t.Errorf("found %+v", found)
	}
}

// TestVerifyKnowsWhoIsErased: between the destruction of an account's keys and the day on which all vaults have done that, a vault lacks an account that the store still has. Only where both say so it is no finding.
func TestVerifyKnowsWhoIsErased(t *testing.T) {
	for _, state := range []holdfast.AccountState{holdfast.Erasing, holdfast.Active} {
		t.Run(string(state), func(t *testing.T) {
			p := newPair(t)
			stays := storetest.NewAccount(t, p.m, p.shipped, "stays@example.org")
			goes := storetest.NewAccount(t, p.m, p.shipped, "goes@example.org")
			p.put(p.shipped, stays, "1.vcf", "text")
			p.put(p.shipped, goes, "1.vcf", "text")
			e := p.m.Record(goes.ID, "goes@example.org")
			e.Body = holdfast.AccountRecord{Email: "goes@example.org", State: state, Created: p.m.Now()}.Encode()
			_, err := p.shipped.Commit(t.Context(), storetest.Sealed(goes.ID, e))
			must(t, err)
			p.follow()
			v := p.ship(1 << 20)
			terms, err := v.Terms(t.Context())
			must(t, err)
			w, err := v.Writer(t.Context(), terms[len(terms)-1], p.shipped.Position())
			must(t, err)
			defer w.Close()
			if _, err := v.Erase(t.Context(), w, goes.ID, nil); err != nil {
				t.Fatal(err)
			}
			found := p.compare(v)
			if got := found[goes.ID.String()]; (len(got) > 0) == (state == holdfast.Erasing) {
				t.Errorf("found %+v", got)
			}
			delete(found, goes.ID.String())
			if len(found) > 0 {
				t.Errorf("of others: %+v", found)
			}
		})
	}
}

// TestVerifyNamesARange takes a segment away: all the changes that were in it are named, not the first alone.
func TestVerifyNamesARange(t *testing.T) {
	p := newPair(t)
	a := storetest.NewAccount(t, p.m, p.shipped, "p@example.org")
	for i := range 60 {
		p.put(p.shipped, a, fmt.Sprint(i, ".vcf"), strings.Repeat("text ", 40))
	}
	p.follow()
	v := p.ship(4 << 10)
	must(t, p.place.Remove(t.Context(), vault.SegmentName(1, 2)))
	got := p.compare(v)[a.ID.String()]
	if len(got) != 1 || got[0].Seq == 0 || got[0].SeqTo <= got[0].Seq {
		t.Fatalf("found %+v", got)
	}
	if text := describeFinding(got[0]); !strings.Contains(text, fmt.Sprintf("changes %d to %d: missing", got[0].Seq, got[0].SeqTo)) {
		t.Errorf("said as %q", text)
	}
}

// TestARemoteVaultsObjectsAreKnownBeforeItsFirstReading asks a server that has not read its vault yet, and one that has, before and after the store read it.
func TestARemoteVaultsObjectsAreKnownBeforeItsFirstReading(t *testing.T) {
	k := &keeper{scrubs: readScrubs(t.TempDir()), log: slog.New(slog.DiscardHandler)}
	k.noteServer("friend", remote.Server{Objects: 7, Octets: 700, Damaged: []string{}})
	if got, ok := k.scrubs.of("friend"); !ok || got.Objects != 7 || got.Octets != 700 || !got.At.IsZero() {
		t.Fatalf("%+v, %v", got, ok)
	}
	read := time.Now().UTC().Truncate(time.Second).Add(-3 * time.Hour)
	must(t, k.scrubs.put("friend", reading{At: read, Objects: 8, Damaged: []string{"heads/000000000001"}, Findings: 1}))
	earlier := read.Add(-time.Hour)
	k.noteServer("friend", remote.Server{Objects: 9, Octets: 900, Scrubbed: &earlier})
	if got, _ := k.scrubs.of("friend"); got.Objects != 9 || !got.At.Equal(read) || len(got.Damaged) != 1 {
		t.Fatalf("an earlier reading of the server's: %+v", got)
	}
	later := read.Add(time.Hour)
	k.noteServer("friend", remote.Server{Objects: 9, Octets: 900, Scrubbed: &later})
	if got, _ := k.scrubs.of("friend"); !got.At.Equal(later) || len(got.Damaged) != 0 {
		t.Fatalf("a later one: %+v", got)
	}
	must(t, k.scrubs.put("friend", reading{At: time.Now().Add(100 * 24 * time.Hour)})) // by a clock that was ahead
	k.noteServer("friend", remote.Server{Objects: 9, Octets: 900, Scrubbed: &later, Damaged: []string{"packs/1"}})
	if got, _ := k.scrubs.of("friend"); !got.At.Equal(later) || len(got.Damaged) != 1 {
		t.Fatalf("what the server found is hidden behind a time that is to come: %+v", got)
	}
}

// TestLinesAreBounded: what is found in thousands does not fill a terminal.
func TestLinesAreBounded(t *testing.T) {
	var out bytes.Buffer
	l := lines{a: &app{stdout: &out, stderr: &out}}
	for i := range maxLines + 7 {
		l.print(fmt.Sprint("line ", i))
	}
	l.end("more")
	if s := out.String(); strings.Count(s, "\n") != maxLines+1 || !strings.Contains(s, "... and 7 more; --json names all of them") {
		t.Errorf("%q", s)
	}
}

// TestProgressCountsNoOctetsOfChanges: a number of changes is no number of octets.
func TestProgressCountsNoOctetsOfChanges(t *testing.T) {
	var out bytes.Buffer
	a := &app{stdout: &out, stderr: &out}
	bar := a.progress("changes", noOctets)
	bar.where, bar.next = " out of 2 vaults", bar.began
	bar.at(5000, 5000)
	bar = a.progress("items", 0)
	bar.next = bar.began
	bar.at(3, 2048)
	if s := out.String(); !strings.Contains(s, "5000 changes so far out of 2 vaults, ") || strings.Contains(strings.SplitN(s, "\n", 2)[0], "iB") || !strings.Contains(s, "3 items so far, 2.0 KiB, ") {
		t.Errorf("%q", s)
	}
}
