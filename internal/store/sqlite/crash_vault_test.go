package sqlite

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"holdfast"
	"holdfast/internal/store"
	"holdfast/internal/store/memory"
	"holdfast/internal/store/storetest"
	"holdfast/internal/vfs/crashfs"
)

// What vaults ask of the engine, under power cuts: batches that are applied again, a store that is filled in bulk, an account that is erased.

// source is a store's stream, and the accounts in it.
type source struct {
	batches  []*holdfast.Batch
	accounts []storetest.Account
	engine   *memory.Engine
}

func newSource(t *testing.T, seed uint64, changes int) *source {
	t.Helper()
	s := &source{engine: memory.New()}
	m, rng := storetest.NewMaker(seed), rand.New(rand.NewPCG(seed, 11))
	for i := range 4 {
		s.accounts = append(s.accounts, storetest.NewAccount(t, m, s.engine, fmt.Sprintf("p%d@example.org", i)))
	}
	for i := range changes {
		a := s.accounts[rng.IntN(len(s.accounts))]
		name := fmt.Sprint(rng.IntN(20), ".vcf")
		g := m.Group(a.ID, m.Put(a.Book, name, name, bytes.Repeat(fmt.Appendf(nil, "card %d\r\n", i), 1+rng.IntN(120))))
		if rng.IntN(5) == 0 {
			g = m.Group(a.ID, m.Delete(a.Book, name), m.Put(a.Book, name, name, fmt.Appendf(nil, "again %d", i)))
		}
		if _, err := s.engine.Commit(t.Context(), g); err != nil && !store.IsJudgement(err) {
			t.Fatal(err)
		}
	}
	if err := s.engine.After(t.Context(), 0, 0, func(b *holdfast.Batch) error { s.batches = append(s.batches, b); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(s.batches) < changes/2 {
		t.Fatalf("%d batches", len(s.batches))
	}
	return s
}

// at returns the position after a batch.
func (s *source) at(batch uint64) holdfast.Position {
	if batch == 0 {
		return holdfast.Position{}
	}
	return s.batches[batch-1].Position
}

// same compares an engine with what the source was after a batch of its own, account by account, and has the engine check itself.
func (s *source) same(t *testing.T, where string, e *Engine, upto uint64) {
	t.Helper()
	ctx := context.Background()
	if err := e.Check(ctx, true, nil, func(f store.Finding) { t.Fatalf("%s: damaged: %+v", where, f) }); err != nil {
		t.Fatalf("%s: %v", where, err)
	}
	ends := map[holdfast.ID]*holdfast.Change{}
	for _, b := range s.batches[:upto] {
		for i := range b.Changes {
			ends[b.Changes[i].Account] = &b.Changes[i]
		}
	}
	ours, err := e.Snapshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	theirs, err := s.engine.Snapshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	for id, end := range ends {
		h, err := ours.Head(id)
		if err != nil || h.Seq != end.Seq || h.Chain != end.Chain {
			t.Fatalf("%s: account %v is at %d, want %d: %v", where, id, h.Seq, end.Seq, err)
		}
		got, err := ours.Digest(id, end.Seq)
		want, err2 := theirs.Digest(id, end.Seq)
		if err != nil || err2 != nil || got != want {
			t.Fatalf("%s: the digest of account %v differs: %v, %v", where, id, err, err2)
		}
	}
}

// openAt opens the store, in bulk where it is to be filled.
func openAt(w *world, bulk bool) (*Engine, error) {
	return Open(context.Background(), Options{Path: w.sql.URI("/holdfast.db"), Driver: w.driver, Create: true, Readers: 1, CacheKiB: 256, Ballast: -1, WALPages: 8, Bulk: bulk,
		fs: w.disk.FS(), log: "/holdfast.db-wal", inline: true})
}

// rounds returns how many disks a test goes through: n, fewer in a hurry, more with -cuts.
func rounds(n int) uint64 {
	if testing.Short() {
		n = max(2, n/4)
	}
	return uint64(n * max(1, *cuts/2000))
}

// TestPowerCutsOfApply brings a store up from a vault, batch by batch, and pulls the plug again and again: each batch whose Apply returned nil is there, the stream is a prefix of the source's, and goes on from where it ends.
func TestPowerCutsOfApply(t *testing.T) {
	cuts := 0
	for seed := range rounds(4) {
		src := newSource(t, seed, 120)
		w := newWorld(t, seed, crashfs.Options{GarbageSectors: seed%4 == 3}, ncruces{})
		for acked := uint64(0); ; {
			w.disk.CutAfter(1 + w.rng.IntN(200))
			e, err := w.open()
			if err != nil && !w.disk.Off() {
				t.Fatalf("seed %d, cut %d: %v", seed, cuts, err)
			}
			if err == nil {
				acked = applyFrom(t, w, src, e)
				e.Close()
			}
			if !w.disk.Off() {
				break
			}
			w.disk.PowerCut(w.rng)
			cuts++
			w.cutRecovery()
			w.disk.CutAfter(0)
			e, err = w.open()
			if err != nil {
				t.Fatalf("seed %d, cut %d: %v", seed, cuts, err)
			}
			where := fmt.Sprintf("seed %d, cut %d, %d batches were applied", seed, cuts, acked)
			pos := e.Position()
			if pos.Batch < acked || pos != src.at(pos.Batch) {
				t.Fatalf("%s: the store is at %+v", where, pos)
			}
			src.same(t, where, e, pos.Batch)
			e.Close()
		}
	}
	t.Logf("%d power cuts", cuts)
	if cuts == 0 {
		t.Error("the power never went")
	}
}

// applyFrom applies what the store lacks, and returns how far that was acknowledged.
func applyFrom(t *testing.T, w *world, src *source, e *Engine) uint64 {
	t.Helper()
	acked := e.Position().Batch
	for _, b := range src.batches[acked:] {
		if err := e.Apply(context.Background(), b); err != nil {
			if !w.disk.Off() {
				t.Fatalf("batch %d: %v", b.Batch, err)
			}
			return acked
		}
		acked = b.Batch
		if w.rng.IntN(10) == 0 {
			e.checkpointStep()
		}
	}
	return acked
}

// TestPowerCutsOfAnErasure pulls the plug while an account is erased: afterwards it is untouched or gone, for ever gone once Erase returned nil; the others are as they were.
func TestPowerCutsOfAnErasure(t *testing.T) {
	untouched, gone, cuts := 0, 0, 0
	for seed := range rounds(12) {
		src := newSource(t, 1, 60)
		w := newWorld(t, seed, crashfs.Options{GarbageSectors: seed%4 == 3}, ncruces{})
		e, err := w.open()
		if err != nil {
			t.Fatal(err)
		}
		applyFrom(t, w, src, e)
		e.Close()
		victim := src.accounts[2]
		for erased := false; ; {
			w.disk.CutAfter(1 + w.rng.IntN(70))
			e, err := w.open()
			if err == nil {
				erased = e.Erase(context.Background(), victim.ID) == nil || erased
				e.Close()
			} else if !w.disk.Off() {
				t.Fatalf("seed %d: %v", seed, err)
			}
			ended := !w.disk.Off()
			w.disk.PowerCut(w.rng)
			cuts++
			w.cutRecovery()
			w.disk.CutAfter(0)
			if e, err = w.open(); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			there := src.survivors(t, fmt.Sprintf("seed %d, cut %d", seed, cuts), e, victim)
			e.Close()
			if there && erased {
				t.Fatalf("seed %d: the account was called erased, and is there", seed)
			}
			if there {
				untouched++
			} else {
				gone++
			}
			if ended {
				break
			}
		}
	}
	t.Logf("%d power cuts: after %d the account was untouched, after %d gone", cuts, untouched, gone)
	if untouched == 0 || gone == 0 {
		t.Error("the power never went in the middle")
	}
}

// survivors checks all accounts; there tells whether the victim is untouched.
func (s *source) survivors(t *testing.T, where string, e *Engine, victim storetest.Account) (there bool) {
	t.Helper()
	if err := e.Check(context.Background(), true, nil, func(f store.Finding) { t.Fatalf("%s: damaged: %+v", where, f) }); err != nil {
		t.Fatalf("%s: %v", where, err)
	}
	ours, err := e.Snapshot(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	theirs, err := s.engine.Snapshot(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	gone, err := ours.Erased(victim.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range s.accounts {
		h, err := ours.Head(a.ID)
		if gone && a.ID == victim.ID {
			if !holdfast.IsKind(err, holdfast.NotFound) {
				t.Fatalf("%s: the account is called erased, and its head is %+v, %v", where, h, err)
			}
			continue
		}
		want, err2 := theirs.Head(a.ID)
		if err != nil || err2 != nil || h.Chain != want.Chain {
			t.Fatalf("%s: account %v is at %d, %v", where, a.ID, h.Seq, err)
		}
		got, err := ours.Digest(a.ID, h.Seq)
		digest, err2 := theirs.Digest(a.ID, h.Seq)
		if err != nil || err2 != nil || got != digest {
			t.Fatalf("%s: the digest of account %v differs: %v, %v", where, a.ID, err, err2)
		}
	}
	return !gone
}

// TestPowerCutsOfBulkFilling fills a store as a restore does, and pulls the plug: what is there then is a prefix of what was done, and the restore that is run again passes over it; once EndBulk has returned nil, all is durable, with its
// indexes.
func TestPowerCutsOfBulkFilling(t *testing.T) {
	cuts, lost, whole := 0, 0, 0
	for seed := range rounds(8) {
		src := newSource(t, seed, 150)
		w := newWorld(t, seed, crashfs.Options{GarbageSectors: seed%4 == 3}, ncruces{})
		for ended := false; !ended; {
			w.disk.CutAfter(20 + w.rng.IntN(300))
			var did uint64
			e, err := openAt(w, true)
			if err == nil {
				if did, ended = fill(t, w, src, e); ended {
					w.disk.CutAfter(1) // closing is not what makes it durable
				}
				e.Close()
			} else if !w.disk.Off() {
				t.Fatalf("seed %d: %v", seed, err)
			}
			w.disk.PowerCut(w.rng)
			cuts++
			w.disk.CutAfter(0)
			if e, err = openAt(w, !ended); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			where := fmt.Sprintf("seed %d, cut %d, ended %v", seed, cuts, ended)
			pos := e.Position()
			if ended {
				src.same(t, where, e, uint64(len(src.batches)))
				src.indexes(t, where, e)
				whole++
			} else if pos.Batch < did {
				lost++ // as it may be: the run goes on
			}
			e.Close()
		}
	}
	t.Logf("%d power cuts, after %d of them something had to be done again; %d stores were filled", cuts, lost, whole)
	if lost == 0 || cuts <= whole {
		t.Error("nothing was lost on the way, so nothing was shown")
	}
}

// fill applies everything, several batches in one, as a restore does; what is there is passed over.
func fill(t *testing.T, w *world, src *source, e *Engine) (did uint64, ended bool) {
	t.Helper()
	ctx := context.Background()
	for i := 0; i < len(src.batches); {
		var b holdfast.Batch
		for range 1 + w.rng.IntN(12) {
			if i < len(src.batches) {
				b.Changes = append(b.Changes, src.batches[i].Changes...)
				i++
			}
		}
		if err := e.Apply(ctx, &b); err != nil {
			if !w.disk.Off() {
				t.Fatalf("a batch of a restore: %v", err)
			}
			return did, false
		}
		did = e.Position().Batch
		if w.rng.IntN(6) == 0 {
			e.checkpointStep()
		}
	}
	err := e.EndBulk(ctx)
	if err != nil && !w.disk.Off() {
		t.Fatalf("the end of a restore: %v", err)
	}
	return did, err == nil
}

// indexes looks whether what was left out in bulk is there.
func (s *source) indexes(t *testing.T, where string, e *Engine) {
	t.Helper()
	for name := range bulkIndexes {
		n, err := e.w.text("SELECT count(*) FROM sqlite_schema WHERE type='index' AND name='" + name + "'")
		if err != nil || n != "1" {
			t.Fatalf("%s: the index %s is missing: %v", where, name, err)
		}
	}
}

// TestPowerCutControlsOfBulk opens the store in bulk and never ends it: what it holds then is not durable, and the simulation has to see that.
func TestPowerCutControlsOfBulk(t *testing.T) {
	src := newSource(t, 1, 60)
	for seed := range uint64(50) {
		w := newWorld(t, seed, crashfs.Options{}, ncruces{})
		e, err := openAt(w, true)
		if err != nil {
			t.Fatal(err)
		}
		acked := applyFrom(t, w, src, e)
		w.disk.CutAfter(1)
		e.Close()
		w.disk.PowerCut(w.rng)
		w.disk.CutAfter(0)
		if e, err = openAt(w, true); err != nil {
			t.Fatal(err)
		}
		pos := e.Position()
		e.Close()
		if pos.Batch < acked {
			return
		}
	}
	t.Error("nothing was lost: the simulation would not notice what EndBulk is for")
}
