package sqlite

import (
	"bytes"
	"os"
	"testing"

	"holdfast"
	"holdfast/internal/store"
	"holdfast/internal/vfs/crashfs"
)

// TestPowerCutsOfPruning pulls the plug while octets are let go of: afterwards those of the call are there or gone, all of them alike, for ever gone once Prune returned nil; all else is as it was.
func TestPowerCutsOfPruning(t *testing.T) {
	gone, there, cuts := 0, 0, 0
	for seed := range rounds(20) {
		w := newWorld(t, seed, crashfs.Options{GarbageSectors: seed%4 == 3}, ncruces{})
		e, err := w.open()
		if err != nil {
			t.Fatal(err)
		}
		w.createPerson(e)
		p := w.people[0]
		var seqs []uint64
		for range 4 {
			r, err := put(w, e, p, "x.vcf", 100+w.rng.IntN(20000))
			if err != nil {
				t.Fatal(err)
			}
			seqs = append(seqs, r.Seq)
		}
		last := seqs[3]
		seqs = seqs[:3]
		body := p.body(t, e, last)
		e.Close()
		for promised, again := false, 0; again < 3; {
			w.disk.CutAfter(1 + w.rng.IntN(16))
			if e, err = w.open(); err == nil {
				if _, _, err := e.Prune(t.Context(), p.id, seqs); err == nil {
					promised = true
				}
				if w.rng.IntN(3) == 0 {
					e.checkpoint()
				}
				e.Close()
			} else if !w.disk.Off() {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if promised {
				again++
			}
			w.disk.PowerCut(w.rng)
			cuts++
			w.cutRecovery()
			w.disk.CutAfter(0)
			if e, err = w.open(); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			n := p.pruned(t, e)
			if err := e.Check(t.Context(), true, nil, func(f store.Finding) { t.Errorf("seed %d: %+v", seed, f) }); err != nil {
				t.Fatal(err)
			}
			if now := p.body(t, e, last); !bytes.Equal(now, body) {
				t.Errorf("seed %d: what is there now has other octets", seed)
			}
			e.Close()
			switch {
			case n != 0 && n != len(seqs):
				t.Fatalf("seed %d: %d of %d are gone", seed, n, len(seqs))
			case n == 0 && promised:
				t.Fatalf("seed %d: called let go of, and there after a power cut", seed)
			case n == 0:
				there++
			default:
				gone++
			}
		}
	}
	t.Logf("%d power cuts: after %d the octets were gone, after %d there still", cuts, gone, there)
	if gone == 0 || there == 0 {
		t.Error("the power never went in the middle")
	}
}

// pruned counts the changes of a person whose octets were let go of.
func (p *person) pruned(t *testing.T, e *Engine) (n int) {
	t.Helper()
	snap, err := e.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close()
	if err := snap.Changes(p.id, 0, 0, 0, func(c *holdfast.Change) error {
		if c.Pruned {
			n++
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestNothingIsPrunedInADamagedStructure: freeing the pages of a long body follows what each says of the next. Where that rotted, pages of another body would be freed.
func TestNothingIsPrunedInADamagedStructure(t *testing.T) {
	dir := t.TempDir()
	e, err := Open(t.Context(), Options{Dir: dir, Create: true, Ballast: -1})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, 1, crashfs.Options{}, ncruces{})
	w.createPerson(e)
	p := w.people[0]
	var seqs []uint64
	var bodies [][]byte
	for _, name := range []string{"x.vcf", "y.vcf", "x.vcf"} {
		body := make([]byte, 40000)
		for i := range body {
			body[i] = byte(w.rng.Uint32())
		}
		g := &holdfast.Group{Account: p.id, Entries: []holdfast.Entry{w.entry(holdfast.OpPut, holdfast.KindAddress, p.book, name, body)}}
		g.Seal()
		r, err := e.Commit(t.Context(), g)
		if err != nil {
			t.Fatal(err)
		}
		seqs, bodies = append(seqs, r.Seq), append(bodies, body)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	mislead(t, e.o.Path, bodies[0], bodies[1])
	if e, err = Open(t.Context(), Options{Dir: dir, Ballast: -1}); err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	before, err := os.ReadFile(e.o.Path)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := e.Prune(t.Context(), p.id, seqs[:1]); !holdfast.IsKind(err, holdfast.Corrupt) {
		t.Errorf("a page leads elsewhere, and pruning says: %v", err)
	}
	if now, err := os.ReadFile(e.o.Path); err != nil || !bytes.Equal(now, before) {
		t.Errorf("the file was written to: %v", err)
	}
}

// TestAnOlderProgramRefusesWhatWasPruned: one that knows the schema before takes a body that is not there for an empty one, so it must not open the database.
func TestAnOlderProgramRefusesWhatWasPruned(t *testing.T) {
	const before = 3 // the newest that such a program knows; it refuses whatever is above (TestOpenRefusesWhatIsNotItsOwn)
	dir := t.TempDir()
	e, err := Open(t.Context(), Options{Dir: dir, Create: true, Ballast: -1})
	if err != nil {
		t.Fatal(err)
	}
	e.Close()
	if have, _, err := Schema(dir); err != nil || have <= before {
		t.Errorf("schema %d, %v", have, err)
	}
}
