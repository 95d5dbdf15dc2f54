package restore

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/blob"
	memblob "holdfast/internal/blob/memory"
	"holdfast/internal/core"
	"holdfast/internal/place"
	memplace "holdfast/internal/place/memory"
	"holdfast/internal/store"
	"holdfast/internal/vault"
)

// repairFilesOf repairs an engine and its blobs out of a place.
func (s *source) repairFilesOf(e store.Engine, b blob.Store, p place.Place, o RepairOptions) (*RepairReport, map[string]Mended, *core.Service) {
	s.t.Helper()
	k := blob.NewKeeper(b)
	o.Core = core.New(core.Options{Engine: e, Judges: withFiles, Clock: s.clock, Blobs: k, Limits: core.Limits{Inline: 100, File: 1 << 30}})
	found := map[string]Mended{}
	o.Engine, o.Vaults, o.Derive, o.Spool, o.Blobs = e, s.vaults(p), core.DeriveBy(judges), s.t.TempDir(), k
	o.Found = func(m Mended) {
		if _, twice := found[m.Name]; twice {
			s.t.Errorf("%s is told twice", m.Name)
		}
		found[m.Name] = m
	}
	rep, err := Repair(s.t.Context(), o)
	fine(s.t, err)
	return rep, found, o.Core
}

// TestRepairBringsFilesThatAreMissing restores an older copy of a vault and repairs it out of the vault as it went on: files that it never had come with their octets; those whose octets are nowhere become ghosts, and come once some vault has them.
func TestRepairBringsFilesThatAreMissing(t *testing.T) {
	s := newAlbum(t)
	ann := s.account("ann@example.org")
	s.file(ann, "Photos/0.jpg", film(0))
	older := s.place.Clone()
	s.file(ann, "Photos/1.jpg", film(1))
	s.file(ann, "Photos/2009/2.jpg", film(2))
	s.file(ann, "small.txt", []byte("small"))
	whole := s.place.Clone()
	lacks := whole.Clone()
	for _, name := range objectsOf(t, lacks) {
		try := whole.Clone()
		fine(t, try.Remove(t.Context(), name))
		if ok, err := s.vaults(try)[0].HasBlob(t.Context(), ann, holdfast.Blob{Hash: holdfast.HashOf(film(2)), Size: int64(len(film(2)))}); err == nil && !ok {
			fine(t, lacks.Remove(t.Context(), name))
		}
	}
	e, _ := s.restore(Options{}, older)
	to := memblob.New(s.clock)
	_, err := s.bring(e, to, BlobOptions{}, older)
	fine(t, err)
	rep, found, _ := s.repairFilesOf(e, to, lacks, RepairOptions{DryRun: true})
	if rep.Mended != 0 || found["1.jpg"].What != "missing" || found["1.jpg"].Why != "" || found["2.jpg"].Why == "" || has(t, to, ann, film(1)) {
		t.Fatalf("tried without writing: %+v, %+v", rep, found)
	}
	rep, found, c := s.repairFilesOf(e, to, lacks, RepairOptions{})
	if rep.Left != 0 || !found["1.jpg"].Done || !found["2.jpg"].Ghost || !found["small.txt"].Done {
		t.Fatalf("%+v, %+v", rep, found)
	}
	if b, err := readFile(t, c, ann, "Photos", "1.jpg"); err != nil || !bytes.Equal(b, film(1)) {
		t.Errorf("it reads as %d octets, %v", len(b), err)
	}
	rep, found, c = s.repairFilesOf(e, to, whole, RepairOptions{})
	if rep.Left != 0 || len(found) != 1 || !found["2.jpg"].Done || found["2.jpg"].Ghost {
		t.Fatalf("out of the whole one: %+v, %+v", rep, found)
	}
	if b, err := readFile(t, c, ann, "Photos", "2009", "2.jpg"); err != nil || !bytes.Equal(b, film(2)) {
		t.Errorf("it reads as %d octets, %v", len(b), err)
	}
	if rep, found, _ = s.repairFilesOf(e, to, whole, RepairOptions{}); len(found) != 0 {
		t.Errorf("once more: %+v, %+v", rep, found)
	}
}

// TestRepairMendsOctetsOfFiles has octets of a living store rot or vanish: a repair brings them, changes nothing else, and names what no vault has.
func TestRepairMendsOctetsOfFiles(t *testing.T) {
	s := newAlbum(t)
	ann, bob := s.account("ann@example.org"), s.account("bob@example.org")
	for i := range 5 {
		s.file(ann, fmt.Sprintf("Photos/%d.jpg", i), film(i))
	}
	s.file(ann, "Photos/3.jpg", film(7)) // film 3 is an earlier version
	s.file(bob, "9.jpg", film(9))
	before := s.head(s.engine, ann)
	gone := func(b blob.Store, a holdfast.ID, list ...int) {
		for _, i := range list {
			fine(t, b.Remove(t.Context(), a, holdfast.HashOf(film(i))))
		}
	}
	gone(s.blobs, ann, 0, 3)
	gone(s.blobs, bob, 9)
	s.rot(ann, film(1))
	lacks := s.place.Clone()
	for _, name := range objectsOf(t, lacks) {
		try := s.place.Clone()
		fine(t, try.Remove(t.Context(), name))
		if ok, _ := s.vaults(try)[0].HasBlob(t.Context(), ann, holdfast.Blob{Hash: holdfast.HashOf(film(0)), Size: int64(len(film(0)))}); !ok {
			fine(t, lacks.Remove(t.Context(), name))
		}
	}
	want := func(what string, found map[string]Mended, names map[string]string) {
		t.Helper()
		if len(found) != len(names) {
			t.Errorf("%s: %+v", what, found)
		}
		for name, is := range names {
			if f := found[name]; f.What != is || f.Kind != "file" || f.Account == "" || f.ETag.IsZero() {
				t.Errorf("%s: of %s it says %+v", what, name, f)
			}
		}
	}
	rep, found, _ := s.repairFilesOf(s.engine, s.blobs, lacks, RepairOptions{DryRun: true})
	want("tried without writing", found, map[string]string{"0.jpg": "missing", "1.jpg": "damaged", "3.jpg": "missing", "9.jpg": "missing"})
	if rep.Missing != 3 || rep.Damaged != 1 || rep.Mended != 0 || rep.Left != 1 || has(t, s.blobs, ann, film(1)) {
		t.Errorf("tried without writing: %+v", rep)
	}
	rep, found, _ = s.repairFilesOf(s.engine, s.blobs, lacks, RepairOptions{Account: ann, Collection: "files/Photos"})
	want("one folder", found, map[string]string{"0.jpg": "missing", "1.jpg": "damaged", "3.jpg": "missing"})
	if rep.Mended != 2 || rep.Left != 1 || found["0.jpg"].Why == "" || !has(t, s.blobs, ann, film(1)) || !has(t, s.blobs, ann, film(3)) || has(t, s.blobs, bob, film(9)) {
		t.Errorf("one folder: %+v", rep)
	}
	rep, found, _ = s.repairFilesOf(s.engine, s.blobs, s.place, RepairOptions{})
	want("all", found, map[string]string{"0.jpg": "missing", "9.jpg": "missing"})
	if rep.Mended != 2 || rep.Left != 0 || !has(t, s.blobs, ann, film(0)) || !has(t, s.blobs, bob, film(9)) {
		t.Errorf("all: %+v", rep)
	}
	if now := s.head(s.engine, ann); now != before {
		t.Errorf("the account went from %+v to %+v", before, now)
	}
}

// rot changes an octet of what is stored.
func (s *source) rot(a holdfast.ID, octets []byte) {
	s.t.Helper()
	s.spoil(a, octets, func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
}

// TestALedgerNamesFiles restores out of a vault that ends early and a ledger that does not: files that the ledger alone knows are losses by name, their changes are there and the history is what it was; a vault that has their octets makes them whole, and no change is needed.
func TestALedgerNamesFiles(t *testing.T) {
	s := newAlbum(t)
	ann := s.account("ann@example.org")
	s.file(ann, "Photos/0.jpg", film(0))
	early := s.place.Clone()
	s.file(ann, "Photos/1.jpg", film(1))
	s.file(ann, "small.txt", []byte("small"))
	ledger := memplace.New(s.clock)
	o := s.options()
	o.Place = ledger
	v, err := vault.Create(t.Context(), o, vault.Meta{Vault: holdfast.ID{7}, Store: storeID, Name: "names", Kind: vault.KindLedger, Created: s.clock.Now()})
	fine(t, err)
	term, err := v.Adopt(t.Context(), storeID, holdfast.Position{}, vault.FromNothing)
	fine(t, err)
	w, err := v.Writer(t.Context(), term, holdfast.Position{})
	fine(t, err)
	fine(t, s.engine.After(t.Context(), 0, 0, func(b *holdfast.Batch) error {
		packed := &vault.Packed{}
		w.Pack(packed, []*holdfast.Batch{b}, s.clock.Now())
		return w.Append(t.Context(), packed)
	}))
	fine(t, w.Close())
	e, rep := s.restore(Options{}, early, ledger)
	to := memblob.New(s.clock)
	files, err := s.bring(e, to, BlobOptions{}, early, ledger)
	fine(t, err)
	rep.Add(files)
	lost := map[string]Loss{}
	for _, l := range rep.Losses {
		lost[l.Name] = l
	}
	if l := lost["1.jpg"]; len(lost) != 2 || !l.Octets || l.ETag != holdfast.HashOf(film(1)).String() || !strings.Contains(l.Reason, "the vault names is a ledger") || !lost["small.txt"].Ghost || rep.Accounts[0].Complete {
		t.Fatalf("%+v", rep.Losses)
	}
	seq := s.head(s.engine, ann).Seq
	if got, want := s.digest(e, ann, seq), s.digest(s.engine, ann, seq); got != want {
		t.Errorf("the digest is %+v, want %+v", got, want)
	}
	before := s.head(e, ann)
	_, found, c := s.repairFilesOf(e, to, s.place, RepairOptions{})
	if !found["1.jpg"].Done || !found["small.txt"].Done {
		t.Errorf("%+v", found)
	}
	if b, err := readFile(t, c, ann, "Photos", "1.jpg"); err != nil || !bytes.Equal(b, film(1)) || s.head(e, ann).Seq != before.Seq+1 { // the small one alone is a change
		t.Errorf("it reads as %d octets, %v; from %d to %d", len(b), err, before.Seq, s.head(e, ann).Seq)
	}
}
