package disk_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"holdfast"
	"holdfast/internal/blob/blobtest"
	"holdfast/internal/blob/disk"
	"holdfast/internal/fault"
	"holdfast/internal/vfs/crashfs"
)

// state is what is known of a blob from what the store said.
type state int

const (
	gone state = iota
	there
	unsure
)

// life is a store whose disk fails, whose process is killed and whose power goes, and what it has said.
type life struct {
	t     *testing.T
	rng   *rand.Rand
	disk  *crashfs.Disk
	plan  *fault.Plan
	store *disk.Store
	known [10]state
}

func (l *life) octets(i int) []byte { return blobtest.Octets(uint64(i), i*i*700) }

// open begins a process. What fails at the start is tried again.
func (l *life) open() {
	for {
		s, err := disk.Open(fault.WrapFS(l.disk.FS(), l.plan), "/data/blobs")
		if err == nil {
			l.store = s
			return
		}
	}
}

func (l *life) put(i int) error {
	_, err := blobtest.Put(l.t.Context(), l.store, owner, l.octets(i))
	switch {
	case err == nil:
		l.known[i] = there
	case l.known[i] == gone:
		l.known[i] = unsure
	}
	return err
}

func (l *life) remove(i int) error {
	err := l.store.Remove(l.t.Context(), owner, holdfast.HashOf(l.octets(i)))
	switch {
	case err == nil:
		l.known[i] = gone
	case holdfast.IsKind(err, holdfast.NotFound) && l.known[i] == there:
		return fmt.Errorf("what was put is not there to be removed")
	case holdfast.IsKind(err, holdfast.NotFound): // it may come back, where its removal is not durable
	default:
		l.known[i] = unsure
	}
	return nil
}

// look reads a blob. Where the disk answers it must say what was said.
func (l *life) look(i int) error {
	got, err := blobtest.Read(l.t.Context(), l.store, owner, holdfast.HashOf(l.octets(i)))
	switch {
	case err == nil && !bytes.Equal(got, l.octets(i)):
		return fmt.Errorf("other octets were read")
	case err == nil && l.known[i] == gone:
		return fmt.Errorf("it was removed, and is there")
	case holdfast.IsKind(err, holdfast.NotFound) && l.known[i] == there:
		return fmt.Errorf("it was put, and is not there")
	case holdfast.IsKind(err, holdfast.Corrupt):
		return err
	}
	return nil
}

func (l *life) step() error {
	i := l.rng.IntN(len(l.known))
	switch what := l.rng.IntN(100); {
	case what < 45:
		if err := l.put(i); err != nil && holdfast.KindOf(err) == holdfast.Internal {
			return err
		}
	case what < 60:
		return l.remove(i)
	case what < 92:
		return l.look(i)
	case what < 96:
		l.open()
	default:
		l.disk.PowerCut(rand.New(rand.NewPCG(l.rng.Uint64(), 1)))
		l.open()
	}
	if l.store.Failed() != nil && l.rng.IntN(3) == 0 {
		l.open()
	}
	return nil
}

// TestRandomFaults does anything in any order on a disk of which about every twentieth call fails, before, half-way or after its effect, or finds no room.
func TestRandomFaults(t *testing.T) {
	seeds, struck := uint64(60), 0
	if testing.Short() {
		seeds = 6
	}
	for seed := range seeds {
		l := &life{t: t, rng: rand.New(rand.NewPCG(seed, 5)), disk: newDisk(t, crashfs.Options{}), plan: fault.Seeded(seed, 50, fault.Before, fault.After, fault.Half, fault.Full)}
		l.plan.Reads = true
		l.open()
		for n := range 300 {
			if err := l.step(); err != nil {
				t.Fatalf("seed %d, step %d: %v", seed, n, err)
			}
		}
		struck += l.plan.Struck()
		l.plan.Heal()
		l.open()
		for i := range l.known {
			if err := l.look(i); err != nil {
				t.Fatalf("seed %d, in the end, blob %d: %v", seed, i, err)
			}
		}
		if left, err := l.disk.FS().ReadDir("/data/blobs/.new"); err != nil || len(left) > 0 {
			t.Fatalf("seed %d: %d files are left, %v", seed, len(left), err)
		}
	}
	if struck < 50*int(seeds) {
		t.Errorf("only %d calls failed", struck)
	}
}
