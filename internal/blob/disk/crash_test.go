package disk_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/blob/blobtest"
	"holdfast/internal/blob/disk"
	"holdfast/internal/fault"
	"holdfast/internal/vfs"
	"holdfast/internal/vfs/crashfs"
)

var owner = holdfast.ID{1}

// told is what the store has said of each blob.
type told struct {
	octets [][]byte
	there  map[int]bool // it was put
	gone   map[int]bool // it was removed, or was never put
}

// story puts, puts again and removes, until something goes wrong.
func story(t *testing.T, fsys vfs.FS) (told, error) {
	x := told{there: map[int]bool{}, gone: map[int]bool{}}
	for i, size := range []int{5000, 0, blob.Piece + 10, 5000} {
		x.octets = append(x.octets, blobtest.Octets(uint64(i), size))
		x.gone[i] = true
	}
	s, err := disk.Open(fsys, "/data/blobs")
	if err != nil {
		return x, err
	}
	put := func(i int) error {
		x.gone[i] = false
		_, err := blobtest.Put(t.Context(), s, owner, x.octets[i])
		x.there[i] = x.there[i] || err == nil
		return err
	}
	remove := func(i int) error {
		x.there[i] = false
		err := s.Remove(t.Context(), owner, holdfast.HashOf(x.octets[i]))
		x.gone[i] = err == nil
		return err
	}
	for _, do := range []func() error{
		func() error { return put(0) }, func() error { return put(1) }, func() error { return put(0) }, func() error { return put(2) }, func() error { return remove(0) },
		func() error { return put(3) }, func() error { return remove(1) }, func() error { return put(0) }, func() error { return remove(3) },
	} {
		if err := do(); err != nil {
			return x, err
		}
	}
	return x, nil
}

// broken opens the store and says what of it is not as it was told; "" if all is.
func broken(t *testing.T, fsys vfs.FS, x told) string {
	s, err := disk.Open(fsys, "/data/blobs")
	if err != nil {
		return err.Error()
	}
	for i, octets := range x.octets {
		err := s.Verify(t.Context(), owner, holdfast.HashOf(octets))
		switch {
		case x.there[i] && err != nil:
			return fmt.Sprintf("blob %d was put, and now: %v", i, err)
		case x.gone[i] && !holdfast.IsKind(err, holdfast.NotFound):
			return fmt.Sprintf("blob %d was removed, and now: %v", i, err)
		case err != nil && !holdfast.IsKind(err, holdfast.NotFound):
			return fmt.Sprintf("blob %d is there in part: %v", i, err)
		}
	}
	if left, err := fsys.ReadDir("/data/blobs/.new"); err != nil || len(left) != 0 {
		return fmt.Sprintf("%d files are left over, %v", len(left), err)
	}
	for i, octets := range x.octets {
		if b, err := blobtest.Put(t.Context(), s, owner, octets); err != nil || s.Verify(t.Context(), owner, b.Hash) != nil {
			return fmt.Sprintf("blob %d cannot be put: %v", i, err)
		}
	}
	return ""
}

func newDisk(t *testing.T, opt crashfs.Options) *crashfs.Disk {
	t.Helper()
	d := crashfs.New(opt)
	if err := d.FS().Mkdir("/data", 0o700); err != nil {
		t.Fatal(err)
	}
	d.Settle()
	return d
}

// cuts cuts the power after each call and returns what was found.
func cuts(t *testing.T, opt crashfs.Options, seeds uint64) (found []string, runs int) {
	t.Helper()
	found, runs, err := crashfs.Cuts(func() *crashfs.Disk { return newDisk(t, opt) }, seeds,
		func(fsys vfs.FS) (told, error) { return story(t, fsys) }, func(fsys vfs.FS, x told) string { return broken(t, fsys, x) })
	if err != nil {
		t.Fatal(err)
	}
	return found, runs
}

func TestPowerCuts(t *testing.T) {
	seeds := uint64(8)
	if testing.Short() {
		seeds = 3
	}
	for _, opt := range []crashfs.Options{{}, {GarbageSectors: true}} {
		found, runs := cuts(t, opt, seeds)
		if runs < 30*int(seeds) {
			t.Errorf("%d cuts are few", runs)
		}
		for _, what := range found {
			t.Error(what)
		}
	}
	for what, opt := range map[string]crashfs.Options{"a disk that lies": {LyingSync: true}, "no sync of directories": {NoDirSync: true}} {
		if found, _ := cuts(t, opt, 3); len(found) == 0 {
			t.Errorf("%s: nothing is lost, so this test finds nothing", what)
		}
	}
}

// TestFaults makes each call fail in each way; what was told must hold, at once and after a power cut, and the store must go on once it is opened again.
func TestFaults(t *testing.T) {
	never := fault.Never()
	if _, err := story(t, fault.WrapFS(newDisk(t, crashfs.Options{}).FS(), never)); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= never.Calls(); n++ {
		for _, act := range []fault.Act{fault.Before, fault.After, fault.Half, fault.Full} {
			d, call := newDisk(t, crashfs.Options{}), ""
			plan := fault.At(n, act)
			plan.Seen = func(_ int, c string, a fault.Act) {
				if a != fault.None {
					call = c
				}
			}
			x, err := story(t, fault.WrapFS(d.FS(), plan))
			if err != nil && act == fault.Full && !holdfast.IsKind(err, holdfast.Full) || err != nil && holdfast.KindOf(err) == holdfast.Internal {
				t.Errorf("%s: %s: %v", act, call, err)
			}
			if left, _ := d.FS().ReadDir("/data/blobs/.new"); len(left) > 0 && !strings.HasPrefix(call, "remove ") && !strings.HasPrefix(call, "create ") {
				t.Errorf("%s: %s: %d files stay until the next start", act, call, len(left))
			}
			if what := broken(t, d.FS(), x); what != "" {
				t.Errorf("%s: %s: %s", act, call, what)
			}
			d2 := newDisk(t, crashfs.Options{})
			x, _ = story(t, fault.WrapFS(d2.FS(), fault.At(n, act)))
			d2.PowerCut(rand.New(rand.NewPCG(uint64(n), 1)))
			if what := broken(t, d2.FS(), x); what != "" {
				t.Errorf("%s: %s, then the power: %s", act, call, what)
			}
		}
	}
}

// TestAFailedSync makes each sync fail as a disk does that drops what it could not write.
func TestAFailedSync(t *testing.T) {
	for n := 1; ; n++ {
		d := newDisk(t, crashfs.Options{})
		d.FailSync(n)
		x, err := story(t, d.FS())
		if err == nil {
			if n < 10 {
				t.Fatalf("there are %d syncs", n)
			}
			return
		}
		d.PowerCut(rand.New(rand.NewPCG(uint64(n), 2)))
		if what := broken(t, d.FS(), x); what != "" {
			t.Errorf("sync %d failed: %s", n, what)
		}
	}
}

func TestNothingIsTakenAfterTheSyncOfADirectoryFailed(t *testing.T) {
	d := newDisk(t, crashfs.Options{})
	s, err := disk.Open(d.FS(), "/data/blobs")
	if err != nil {
		t.Fatal(err)
	}
	b, err := blobtest.Put(t.Context(), s, owner, []byte("before"))
	if err != nil {
		t.Fatal(err)
	}
	d.FailSync(3) // the file, the directory that its own is in, and its own after the rename
	_, err = blobtest.Put(t.Context(), s, owner, blobtest.Octets(9, 9))
	if !holdfast.IsKind(err, holdfast.Unavailable) || s.Failed() == nil {
		t.Fatalf("%v; failed: %v", err, s.Failed())
	}
	if _, err := blobtest.Put(t.Context(), s, owner, []byte("after")); !holdfast.IsKind(err, holdfast.Unavailable) {
		t.Errorf("it took more: %v", err)
	}
	if got, err := blobtest.Read(t.Context(), s, owner, b.Hash); string(got) != "before" {
		t.Errorf("it gives %q, %v", got, err)
	}
}

// TestWhatAKilledProcessLeftIsMadeDurable kills the process at each call; the next one puts the same octets, of which some have their names already, and then the power goes.
func TestWhatAKilledProcessLeftIsMadeDurable(t *testing.T) {
	never := fault.Never()
	if _, err := story(t, fault.WrapFS(newDisk(t, crashfs.Options{}).FS(), never)); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= never.Calls(); n++ {
		for seed := range uint64(4) {
			d := newDisk(t, crashfs.Options{})
			x, _ := story(t, fault.WrapFS(d.FS(), fault.Cut(n, fault.After)))
			s, err := disk.Open(d.FS(), "/data/blobs")
			if err != nil {
				t.Fatal(err)
			}
			for i, octets := range x.octets {
				if _, err := blobtest.Put(t.Context(), s, owner, octets); err != nil {
					t.Fatal(err)
				}
				x.there[i], x.gone[i] = true, false
			}
			d.PowerCut(rand.New(rand.NewPCG(seed, uint64(n))))
			if what := broken(t, d.FS(), x); what != "" {
				t.Errorf("killed after call %d, seed %d: %s", n, seed, what)
			}
		}
	}
}
