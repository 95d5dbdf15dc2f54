package crashfs_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"

	"holdfast/internal/vfs"
	"holdfast/internal/vfs/crashfs"
)

const (
	before = "the old content"
	after  = "the new and somewhat longer content, "
)

var newContent = strings.Repeat(after, 100) // several sectors

// outcome runs step on a disk that holds /dir/f, cuts the power at operation n
// (0: right after the step), and returns what the step said, what /dir/f holds
// then (nil: it is gone), and whether the cut came too late for the step.
func outcome(t *testing.T, opt crashfs.Options, n int, seed uint64, step func(vfs.FS) error) (said error, got *string, done bool) {
	t.Helper()
	d := crashfs.New(opt)
	must(t, d.FS().Mkdir("/dir", 0o700))
	f, err := d.FS().OpenFile("/dir/f", vfs.O_RDWR|vfs.O_CREATE, 0o600)
	must(t, err)
	_, err = f.Write([]byte(before))
	must(t, err)
	d.Settle()
	d.CutAfter(n)
	said = step(d.FS())
	done = !d.Off()
	d.PowerCut(rand.New(rand.NewPCG(seed, uint64(n))))
	b, err := vfs.ReadFile(d.FS(), "/dir/f")
	switch {
	case err == nil:
		s := string(b)
		got = &s
	case !errors.Is(err, fs.ErrNotExist):
		t.Fatal(err)
	}
	return said, got, done
}

// violations counts the outcomes over all cut points and many seeds that break
// the promise of an atomic, durable replacement.
func violations(t *testing.T, opt crashfs.Options, step func(vfs.FS) error) (broken, kept, lost int) {
	t.Helper()
	for n := 0; ; n++ {
		var done bool
		for seed := range uint64(60) {
			var err error
			var got *string
			err, got, done = outcome(t, opt, n, seed, step)
			switch {
			case got == nil, *got != before && *got != newContent, err == nil && *got != newContent:
				broken++
			case *got == newContent:
				kept++
			default:
				lost++
			}
		}
		if n > 0 && done {
			return
		}
	}
}

func TestWriteFileAtomicSurvives(t *testing.T) {
	step := func(fsys vfs.FS) error { return vfs.WriteFileAtomic(fsys, "/dir/f", []byte(newContent), 0o600) }
	for _, opt := range []crashfs.Options{{}, {GarbageSectors: true}} {
		broken, kept, lost := violations(t, opt, step)
		if broken != 0 {
			t.Errorf("%+v: %d outcomes break the promise", opt, broken)
		}
		if kept == 0 || lost == 0 {
			t.Errorf("%+v: kept %d, lost %d: the simulation tries one side only", opt, kept, lost)
		}
	}
}

// TestMutants: each lazy way to replace a file, and each bad disk, must be seen
// to break the promise.
func TestMutants(t *testing.T) {
	write := func(fsys vfs.FS, name string, sync bool) error {
		f, err := fsys.OpenFile(name, vfs.O_RDWR|vfs.O_CREATE|vfs.O_TRUNC, 0o600)
		if err != nil {
			return err
		}
		if _, err := f.Write([]byte(newContent)); err != nil {
			return err
		}
		if sync {
			if err := f.Sync(); err != nil {
				return err
			}
		}
		return f.Close()
	}
	right := func(fsys vfs.FS) error { return vfs.WriteFileAtomic(fsys, "/dir/f", []byte(newContent), 0o600) }
	for _, m := range []struct {
		name string
		opt  crashfs.Options
		step func(vfs.FS) error
	}{
		{"in place", crashfs.Options{}, func(fsys vfs.FS) error { return write(fsys, "/dir/f", true) }},
		{"no sync of the file", crashfs.Options{}, func(fsys vfs.FS) error {
			return errors.Join(write(fsys, "/dir/t", false), fsys.Rename("/dir/t", "/dir/f"), fsys.SyncDir("/dir"))
		}},
		{"no sync of the directory", crashfs.Options{}, func(fsys vfs.FS) error {
			return errors.Join(write(fsys, "/dir/t", true), fsys.Rename("/dir/t", "/dir/f"))
		}},
		{"sync of the wrong directory", crashfs.Options{}, func(fsys vfs.FS) error {
			return errors.Join(write(fsys, "/dir/t", true), fsys.Rename("/dir/t", "/dir/f"), fsys.SyncDir("/"))
		}},
		{"LyingSync", crashfs.Options{LyingSync: true}, right},
		{"NoDirSync", crashfs.Options{NoDirSync: true}, right},
	} {
		if broken, _, _ := violations(t, m.opt, m.step); broken == 0 {
			t.Errorf("%s: not seen to lose anything", m.name)
		}
	}
}

func TestCreateExclusiveSurvives(t *testing.T) {
	for n := range 12 {
		for seed := range uint64(60) {
			d := crashfs.New(crashfs.Options{})
			d.CutAfter(n)
			err := vfs.CreateExclusive(d.FS(), "/key", []byte(newContent), 0o400)
			d.PowerCut(rand.New(rand.NewPCG(seed, 0)))
			got, rerr := vfs.ReadFile(d.FS(), "/key")
			if rerr == nil && string(got) != newContent || rerr != nil && err == nil {
				t.Fatalf("cut at %d, seed %d: created: %v; then %d octets, %v", n, seed, err, len(got), rerr)
			}
			if _, err := vfs.RemoveTemps(d.FS(), "/"); err != nil {
				t.Fatal(err)
			}
			if list, _ := d.FS().ReadDir("/"); len(list) > 1 {
				t.Fatal("left over", list)
			}
		}
	}
}

// TestNewDirectoryNeedsItsParent: a synced file in a directory whose own name
// was never synced can go with it.
func TestNewDirectoryNeedsItsParent(t *testing.T) {
	gone := func(mkdir func(vfs.FS) error) (n int) {
		for seed := range uint64(100) {
			d := crashfs.New(crashfs.Options{})
			must(t, mkdir(d.FS()))
			must(t, vfs.WriteFileAtomic(d.FS(), "/a/b/f", []byte("x"), 0o600))
			d.PowerCut(rand.New(rand.NewPCG(seed, 0)))
			if _, err := d.FS().Stat("/a/b/f"); err != nil {
				n++
			}
		}
		return n
	}
	if n := gone(func(f vfs.FS) error { return errors.Join(f.Mkdir("/a", 0o700), f.Mkdir("/a/b", 0o700)) }); n == 0 {
		t.Error("plain Mkdir was never seen to lose the directory")
	}
	if n := gone(func(f vfs.FS) error { return vfs.MkdirDurable(f, "/a/b", 0o700) }); n != 0 {
		t.Errorf("MkdirDurable lost the directory %d times", n)
	}
}

// TestOneNameAtATime: whatever survives of a chain of renames, also between
// directories, the file has exactly one of its names.
func TestOneNameAtATime(t *testing.T) {
	chain := []string{"/f", "/a/f", "/a/g", "/b/g", "/f", "/b/h"}
	seen := map[string]int{}
	for seed := range uint64(500) {
		rng := rand.New(rand.NewPCG(seed, 1))
		d := crashfs.New(crashfs.Options{})
		fsys := d.FS()
		must(t, errors.Join(fsys.Mkdir("/a", 0o700), fsys.Mkdir("/b", 0o700)))
		must(t, vfs.WriteFileAtomic(fsys, chain[0], []byte("x"), 0o600))
		d.Settle()
		for i := 1; i < len(chain); i++ {
			must(t, fsys.Rename(chain[i-1], chain[i]))
			if rng.IntN(4) == 0 {
				must(t, fsys.SyncDir([]string{"/", "/a", "/b"}[rng.IntN(3)]))
			}
		}
		d.PowerCut(rng)
		var names []string
		for _, n := range slices.Compact(slices.Sorted(slices.Values(chain))) {
			if b, err := vfs.ReadFile(fsys, n); err == nil && string(b) == "x" {
				names = append(names, n)
			}
		}
		if len(names) != 1 {
			t.Fatalf("seed %d: the file is at %v", seed, names)
		}
		seen[names[0]]++
	}
	if len(seen) != 5 {
		t.Errorf("not every name was seen to survive: %v", seen)
	}
}

func TestFailedSyncIsNotMadeGoodByTheNext(t *testing.T) {
	lost := 0
	for seed := range uint64(50) {
		d := crashfs.New(crashfs.Options{})
		f, err := d.FS().OpenFile("/f", vfs.O_RDWR|vfs.O_CREATE, 0o600)
		must(t, err)
		must(t, d.FS().SyncDir("/"))
		_, err = f.Write([]byte(before))
		must(t, err)
		d.FailSync(1)
		if err := f.Sync(); !vfs.IsSyncError(err) || !errors.Is(err, syscall.EIO) {
			t.Fatalf("got %v", err)
		}
		must(t, f.Sync()) // says yes, and means nothing
		if b, _ := vfs.ReadFile(d.FS(), "/f"); string(b) != before {
			t.Fatal("the page cache still holds it")
		}
		d.PowerCut(rand.New(rand.NewPCG(seed, 0)))
		if b, _ := vfs.ReadFile(d.FS(), "/f"); string(b) != before {
			lost++
		}
	}
	if lost == 0 {
		t.Error("never lost")
	}
}

func TestGenerations(t *testing.T) {
	d := crashfs.New(crashfs.Options{})
	l, err := vfs.AcquireLease(d.FS(), "/lease")
	must(t, err)
	if _, err := vfs.AcquireLease(d.FS(), "/lease"); !errors.Is(err, vfs.ErrLocked) {
		t.Errorf("got %v", err)
	}
	old, err := d.FS().OpenFile("/f", vfs.O_RDWR|vfs.O_CREATE, 0o600)
	must(t, err)
	d.CutAfter(2)
	_, err = old.Write([]byte("one"))
	must(t, err)
	if _, err := old.Write([]byte("last")); !errors.Is(err, crashfs.ErrPowerOff) || !errors.Is(err, syscall.EIO) || !d.Off() {
		t.Errorf("the last write: %v", err)
	}
	dead := func(when string) {
		t.Helper()
		_, w := old.Write([]byte("x"))
		_, r := old.ReadAt(make([]byte, 1), 0)
		for _, err := range []error{w, r, old.Sync(), old.Truncate(0)} {
			if !errors.Is(err, crashfs.ErrPowerOff) {
				t.Errorf("%s: got %v", when, err)
			}
		}
	}
	dead("power off")
	if _, err := d.FS().Stat("/"); !errors.Is(err, crashfs.ErrPowerOff) {
		t.Errorf("stat: %v", err)
	}
	d.PowerCut(rand.New(rand.NewPCG(1, 1)))
	if d.Generation() != 2 || d.Off() {
		t.Error("the power is not on again")
	}
	dead("next generation")
	l2, err := vfs.AcquireLease(d.FS(), "/lease")
	must(t, err)
	must(t, l.Release()) // the dead one gives nothing back
	if _, err := vfs.AcquireLease(d.FS(), "/lease"); !errors.Is(err, vfs.ErrLocked) {
		t.Errorf("got %v", err)
	}
	must(t, l2.Release())
}

func TestCapacity(t *testing.T) {
	d := crashfs.New(crashfs.Options{})
	must(t, vfs.Preallocate(d.FS(), "/ballast", 6000))
	d.SetCapacity(10_000)
	err := vfs.WriteFileAtomic(d.FS(), "/f", make([]byte, 5000), 0o600)
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v", err)
	}
	must(t, d.FS().Remove("/ballast"))
	must(t, vfs.WriteFileAtomic(d.FS(), "/f", make([]byte, 5000), 0o600))
}

// TestReplay: the same operations and the same seed give the same disk.
func TestReplay(t *testing.T) {
	run := func() (*crashfs.Disk, string) {
		var trace bytes.Buffer
		d := crashfs.New(crashfs.Options{Trace: &trace, GarbageSectors: true})
		rng := rand.New(rand.NewPCG(7, 7))
		for range 200 {
			d.CutAfter(1 + rng.IntN(40))
			for !d.Off() {
				name := fmt.Sprintf("/f%d", rng.IntN(4))
				if f, err := d.FS().OpenFile(name, vfs.O_RDWR|vfs.O_CREATE, 0o600); err == nil {
					_, _ = f.WriteAt(bytes.Repeat([]byte{byte(rng.Uint32())}, 1+rng.IntN(3000)), rng.Int64N(9000))
					if rng.IntN(3) == 0 {
						_ = f.Truncate(rng.Int64N(9000))
					}
					if rng.IntN(3) == 0 {
						_ = f.Sync()
					}
				}
				if rng.IntN(5) == 0 {
					_ = d.FS().Rename(name, fmt.Sprintf("/f%d", rng.IntN(4)))
				}
			}
			d.PowerCut(rng)
		}
		return d, trace.String()
	}
	one, traceOne := run()
	two, traceTwo := run()
	if traceOne != traceTwo {
		t.Fatal("two runs did not do the same")
	}
	same(t, one, two)
	same(t, one, one.Clone())
}

func same(t *testing.T, a, b *crashfs.Disk) {
	t.Helper()
	la, err := a.FS().ReadDir("/")
	must(t, err)
	lb, err := b.FS().ReadDir("/")
	must(t, err)
	if len(la) == 0 || len(la) != len(lb) {
		t.Fatalf("%v and %v", la, lb)
	}
	for i := range la {
		x, _ := vfs.ReadFile(a.FS(), "/"+la[i].Name())
		y, _ := vfs.ReadFile(b.FS(), "/"+lb[i].Name())
		if la[i].Name() != lb[i].Name() || !bytes.Equal(x, y) {
			t.Errorf("%s (%d octets) and %s (%d octets)", la[i].Name(), len(x), lb[i].Name(), len(y))
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestTruncationIsOneStep: an unsynced truncation never leaves holes in what it
// would have cut off.
func TestTruncationIsOneStep(t *testing.T) {
	full := bytes.Repeat([]byte{7}, 9000)
	seen := map[int]int{}
	for seed := range uint64(300) {
		d := crashfs.New(crashfs.Options{})
		must(t, vfs.WriteFileAtomic(d.FS(), "/f", full, 0o600))
		f, err := d.FS().OpenFile("/f", vfs.O_RDWR, 0)
		must(t, err)
		must(t, f.Truncate(100))
		d.PowerCut(rand.New(rand.NewPCG(seed, 0)))
		got, err := vfs.ReadFile(d.FS(), "/f")
		must(t, err)
		if !bytes.Equal(got, full[:len(got)]) {
			t.Fatalf("seed %d: holes in what was left", seed)
		}
		seen[len(got)]++
	}
	if len(seen) != 2 || seen[100] == 0 || seen[9000] == 0 {
		t.Errorf("sizes seen: %v", seen)
	}
}
