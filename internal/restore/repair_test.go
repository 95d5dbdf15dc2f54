package restore

import (
	"fmt"
	"path/filepath"
	"testing"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/place"
	"holdfast/internal/seal"
	"holdfast/internal/store"
	"holdfast/internal/store/sqlite"
	"holdfast/internal/store/storetest"
	"holdfast/internal/vault"
)

// repair repairs an engine out of a place.
func (s *source) repair(e store.Engine, p place.Place, o RepairOptions) (*RepairReport, []Mended, error) {
	s.t.Helper()
	v, err := vault.Open(s.t.Context(), vault.Options{Place: p, With: []*seal.Identity{s.recovery.Identity}})
	fine(s.t, err)
	var found []Mended
	o.Core = core.New(core.Options{Engine: e, Judges: judges, Clock: s.clock})
	o.Engine, o.Vaults, o.Derive, o.Spool, o.Found = e, []*vault.Vault{v}, core.DeriveBy(judges), s.t.TempDir(), func(m Mended) { found = append(found, m) }
	rep, err := Repair(s.t.Context(), o)
	return rep, found, err
}

// texts returns what an account's first address book says.
func (s *source) texts(e store.Engine, a holdfast.ID) map[string]string {
	s.t.Helper()
	snap, err := e.Snapshot(s.t.Context())
	fine(s.t, err)
	defer snap.Close()
	all, err := snap.Collections(a)
	fine(s.t, err)
	out := map[string]string{}
	for _, c := range all {
		if c.Type == holdfast.TypeAddressbook && !c.Gone {
			fine(s.t, snap.List(c.ID, "", 0, store.WithBody, func(r *holdfast.Resource) error {
				if r.State == holdfast.Live {
					out[r.Name] = string(r.Body)
				}
				return nil
			}))
		}
	}
	return out
}

// records returns what says who an account is: its record, its key for tokens, and the paths of its collections.
func (s *source) records(e store.Engine, a holdfast.ID) string {
	s.t.Helper()
	snap, err := e.Snapshot(s.t.Context())
	fine(s.t, err)
	defer snap.Close()
	out := ""
	for _, name := range []string{holdfast.RecordAccount, holdfast.RecordTokenKey} {
		r, err := snap.Resource(a, name, store.WithBody)
		fine(s.t, err)
		out += string(r.Body) + " "
	}
	all, err := snap.Collections(a)
	fine(s.t, err)
	for _, c := range all {
		out += fmt.Sprintf("%s %s %s %v, ", c.ID, c.Name, c.Type, c.Gone)
	}
	return out
}

// TestRepairBringsBackWhatARestoreLost restores from a damaged vault, and repairs from a whole one that turns up later.
func TestRepairBringsBackWhatARestoreLost(t *testing.T) {
	s := newSource(t)
	a, b := s.account("ann@example.org"), s.account("bob@example.org")
	for i := range 400 {
		s.put([]holdfast.ID{a, b}[i%2], fmt.Sprint(i, ".vcf"), fmt.Sprint("text ", i))
	}
	whole := s.place.Clone()
	lossy := 0
	for n := uint64(1); n < 8; n++ {
		p := s.place.Clone()
		name := vault.SegmentName(1, n)
		if _, err := p.Stat(t.Context(), name); err != nil {
			break
		}
		p.Overwrite(name, nil)
		e, rep := s.restore(Options{}, p)
		lossy += len(rep.Losses)
		before := e.Position()
		if _, found, err := s.repair(e, whole, RepairOptions{DryRun: true}); err != nil || len(found) == 0 || e.Position() != before {
			t.Fatalf("segment %d: to look only: %v, found %d, from %+v to %+v", n, err, len(found), before, e.Position())
		}
		got, found, err := s.repair(e, whole, RepairOptions{})
		if err != nil || got.Mended == 0 {
			t.Fatalf("segment %d: %v, %+v", n, err, got)
		}
		if batches := e.Position().Batch - before.Batch; batches > 4 {
			t.Fatalf("segment %d: %d items were put in %d batches", n, got.Mended, batches)
		}
		for _, id := range []holdfast.ID{a, b} {
			if have, want := s.records(e, id), s.records(s.engine, id); have != want {
				t.Fatalf("segment %d: the account's records are %q after the repair, want %q", n, have, want)
			}
			have, want := s.texts(e, id), s.texts(s.engine, id)
			for name, text := range want {
				if have[name] != text {
					t.Fatalf("segment %d: %s is %q after the repair, want %q; %+v %+v", n, name, have[name], text, got, found)
				}
			}
		}
		storetest.Verify(t, e)
		before = e.Position()
		if again, found, err := s.repair(e, whole, RepairOptions{}); err != nil || again.Mended != 0 || e.Position() != before {
			t.Fatalf("segment %d: a second repair: %v, %+v, %+v", n, err, again, found)
		}
	}
	if lossy == 0 {
		t.Fatal("no restore lost anything")
	}
}

// TestRepairLeavesAloneWhatPeopleDid has items deleted, changed and made after the vault's copy, a collection deleted, an UID taken.
func TestRepairLeavesAloneWhatPeopleDid(t *testing.T) {
	s := newSource(t)
	a := s.account("ann@example.org")
	for i := range 5 {
		s.put(a, fmt.Sprint(i, ".vcf"), fmt.Sprint("text ", i))
	}
	old := s.place.Clone()
	s.put(a, "1.vcf", "changed")
	s.put(a, "new.vcf", "made later")
	p := holdfast.Principal{Account: a}
	at, err := s.core.Locate(t.Context(), p, a, []string{"addressbooks", "default", "2.vcf"})
	fine(t, err)
	_, err = s.core.Delete(t.Context(), p, at.Place(), holdfast.Precondition{}, nil)
	fine(t, err)
	before := s.engine.Position()
	rep, found, err := s.repair(s.engine, old, RepairOptions{Account: a})
	if err != nil || len(found) != 0 || rep.Items == 0 || s.engine.Position() != before {
		t.Fatalf("%v, %+v, %+v", err, rep, found)
	}
	if _, _, err := s.repair(s.engine, old, RepairOptions{Account: a, Collection: "addressbooks/nowhere"}); !holdfast.IsKind(err, holdfast.NotFound) {
		t.Fatal(err)
	}
}

// TestRepairBringsInAWholeAccount lacks an account altogether.
func TestRepairBringsInAWholeAccount(t *testing.T) {
	s := newSource(t)
	a, b := s.account("ann@example.org"), s.account("bob@example.org")
	s.put(a, "1.vcf", "one")
	s.put(b, "2.vcf", "two")
	e, _ := s.restore(Options{Account: "ann@example.org"}, s.place)
	rep, found, err := s.repair(e, s.place, RepairOptions{})
	if err != nil || rep.Mended != 1 || found[0].Account != "bob@example.org" {
		t.Fatalf("%v, %+v, %+v", err, rep, found)
	}
	if got, want := s.digest(e, b, 0), s.digest(s.engine, b, 0); got != want {
		t.Fatalf("bob is %+v, want %+v", got, want)
	}
}

// TestRepairMendsDamagedOctets damages bodies in SQLite's own file.
func TestRepairMendsDamagedOctets(t *testing.T) {
	s, ids := filled(t, 60)
	dir := t.TempDir()
	e, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir, Create: true, Ballast: -1})
	fine(t, err)
	_, err = s.into(e, Options{}, s.place)
	fine(t, err)
	fine(t, e.Close())
	c, err := sqlite.Zombiezen{}.Open(filepath.Join(dir, sqlite.FileName))
	fine(t, err)
	fine(t, c.Exec("UPDATE changes SET body=x'62726f6b656e' WHERE kind=16 AND seq=(SELECT max(seq) FROM changes o WHERE o.acct=changes.acct AND o.kind=16)"))
	fine(t, c.Close())
	e, err = sqlite.Open(t.Context(), sqlite.Options{Dir: dir, Ballast: -1})
	fine(t, err)
	defer e.Close()
	rep, found, err := s.repair(e, s.place, RepairOptions{})
	if err != nil || rep.Damaged == 0 || rep.Mended != rep.Damaged || rep.Missing != 0 {
		t.Fatalf("%v, %+v, %+v", err, rep, found)
	}
	for _, id := range ids {
		have, want := s.texts(e, id), s.texts(s.engine, id)
		if len(have) != len(want) {
			t.Fatalf("%d items, want %d", len(have), len(want))
		}
		for name, text := range want {
			if have[name] != text {
				t.Fatalf("%s is %q after the repair, want %q", name, have[name], text)
			}
		}
	}
	// Of a version that no vault has, nothing is made up.
	if rep, _, err := s.repair(e, s.place, RepairOptions{}); err != nil || rep.Damaged != 0 {
		t.Fatalf("a second repair: %v, %+v", err, rep)
	}
}
