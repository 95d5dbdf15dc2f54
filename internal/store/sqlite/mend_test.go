package sqlite

import (
	"bytes"
	"encoding/binary"
	"os"
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/store"
	"holdfast/internal/vfs/crashfs"
)

// TestPowerCutsOfMending pulls the plug while octets are put back: afterwards they are mended or as damaged as before, for ever mended once Mend returned nil; all else is as it was, and the mending can be run again.
func TestPowerCutsOfMending(t *testing.T) {
	mended, damaged, cuts := 0, 0, 0
	for seed := range rounds(20) {
		w := newWorld(t, seed, crashfs.Options{GarbageSectors: seed%4 == 3}, ncruces{})
		e, err := w.open()
		if err != nil {
			t.Fatal(err)
		}
		w.createPerson(e)
		p := w.people[0]
		size := 100 + w.rng.IntN(20000)
		r, err := put(w, e, p, "x.vcf", size)
		if err != nil {
			t.Fatal(err)
		}
		body := p.body(t, e, r.Seq)
		rot(t, e, p.id, r.Seq)
		e.Close()
		for promised, again := false, 0; again < 3; {
			w.disk.CutAfter(1 + w.rng.IntN(16))
			if e, err = w.open(); err == nil {
				promised = e.Mend(t.Context(), p.id, r.Seq, body) == nil || promised
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
			found := 0
			if err := e.Check(t.Context(), true, nil, func(f store.Finding) {
				if found++; f.Seq != r.Seq || !strings.Contains(f.What, "octets") {
					t.Fatalf("seed %d: %+v", seed, f)
				}
			}); err != nil {
				t.Fatal(err)
			}
			e.Close()
			switch {
			case found > 0 && promised:
				t.Fatalf("seed %d: called mended, and damaged after a power cut", seed)
			case found > 0:
				damaged++
			default:
				mended++
			}
		}
	}
	t.Logf("%d power cuts: after %d it was mended, after %d damaged still", cuts, mended, damaged)
	if mended == 0 || damaged == 0 {
		t.Error("the power never went in the middle")
	}
}

// body returns the octets of a change.
func (p *person) body(t *testing.T, e *Engine, seq uint64) (body []byte) {
	t.Helper()
	snap, err := e.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close()
	if err := snap.Changes(p.id, seq-1, 1, store.WithBody, func(c *holdfast.Change) error { body = bytes.Clone(c.Body); return nil }); err != nil {
		t.Fatal(err)
	}
	return body
}

// TestNothingIsMendedInADamagedStructure: the first octets of a page of a long body say which page comes next. Where they rotted, writing would follow them into pages of others.
func TestNothingIsMendedInADamagedStructure(t *testing.T) {
	dir := t.TempDir()
	e, err := Open(t.Context(), Options{Dir: dir, Create: true, Ballast: -1})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, 1, crashfs.Options{}, ncruces{})
	w.createPerson(e)
	p := w.people[0]
	bodies := [2][]byte{make([]byte, 40000), make([]byte, 40000)}
	g := &holdfast.Group{Account: p.id}
	for i, name := range []string{"x.vcf", "y.vcf"} {
		for k := range bodies[i] {
			bodies[i][k] = byte(w.rng.Uint32())
		}
		g.Entries = append(g.Entries, w.entry(holdfast.OpPut, holdfast.KindAddress, p.book, name, bodies[i]))
	}
	g.Seal()
	r, err := e.Commit(t.Context(), g)
	if err != nil {
		t.Fatal(err)
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
	if err := e.Mend(t.Context(), p.id, r.Seq-1, bodies[0]); !holdfast.IsKind(err, holdfast.Corrupt) {
		t.Errorf("a page leads elsewhere, and mending says: %v", err)
	}
	if e.Info().Failed != nil {
		t.Errorf("the engine stopped: %v", e.Info().Failed)
	}
	if now, err := os.ReadFile(e.o.Path); err != nil || !bytes.Equal(now, before) {
		t.Errorf("the file was written to: %v", err)
	}
}

// mislead makes a page in the middle of a body lead into another body.
func mislead(t *testing.T, path string, body, other []byte) {
	t.Helper()
	const size = 4096
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	holding := func(body []byte) int {
		at := bytes.Index(file, body[len(body)/2:len(body)/2+16])
		if at < 0 {
			t.Fatal("no page holds the body")
		}
		return at / size
	}
	binary.BigEndian.PutUint32(file[holding(body)*size:], uint32(holding(other)+1))
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
}
