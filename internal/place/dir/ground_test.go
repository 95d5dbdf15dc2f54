package dir_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/fault"
	"holdfast/internal/place"
	"holdfast/internal/place/dir"
	"holdfast/internal/vfs"
	"holdfast/internal/vfs/crashfs"
	"holdfast/internal/vfs/vfstest"
)

// kinds has a name of each kind of object that a vault puts.
var kinds = []string{
	"vault.json", "terms/000000000002", "heads/000000000007", "pages/000000000003.pack", "pages/000000000003.index", "tail/000000000001/000000000002.key", "tail/000000000001/000000000001.key.000000000002", "service/000000000002",
	"keys/abc/abcd.000000000001", "erased/abcd", "condemned/abcd/000000000001", "blobs/ab/abcd",
}

// ways are those in which the next process comes to build on what it finds; find returns whether an object is there.
var ways = map[string]func(t *testing.T, d *dir.Dir, find func() bool) bool{
	"the lease, then found": func(t *testing.T, d *dir.Dir, find func() bool) bool {
		lease(t, d)
		return find()
	},
	"found, then the lease": func(t *testing.T, d *dir.Dir, find func() bool) bool {
		defer lease(t, d)
		return find()
	},
	"found, then something else put": func(t *testing.T, d *dir.Dir, find func() bool) bool {
		defer func() { fine(t, d.Put(ctx, "other/1", strings.NewReader("x"))) }()
		return find()
	},
	"found, then something else appended": func(t *testing.T, d *dir.Dir, find func() bool) bool {
		defer func() { fine(t, d.Append(ctx, "other/1.frames", 0, []byte("x"))) }()
		return find()
	},
	"found, then something else removed": func(t *testing.T, d *dir.Dir, find func() bool) bool {
		defer func() { fine(t, d.Remove(ctx, "first/1")) }()
		return find()
	},
	"something else put, then found": func(t *testing.T, d *dir.Dir, find func() bool) bool {
		fine(t, d.Put(ctx, "other/1", strings.NewReader("x")))
		return find()
	},
}

func lease(t *testing.T, d *dir.Dir) {
	t.Helper()
	l, err := d.Lease()
	fine(t, err)
	fine(t, l.Close())
}

// finds are the calls by which an object is found.
var finds = map[string]func(d *dir.Dir, name string) (bool, error){
	"Stat": func(d *dir.Dir, name string) (bool, error) {
		_, err := d.Stat(ctx, name)
		return there(err)
	},
	"Get": func(d *dir.Dir, name string) (bool, error) {
		r, err := d.Get(ctx, name, 0, -1)
		if err == nil {
			r.Close()
		}
		return there(err)
	},
	"List": func(d *dir.Dir, name string) (is bool, err error) {
		err = d.List(ctx, strings.TrimRight(name, "0123456789"), "", func(i place.Info) error { is = is || i.Name == name; return nil })
		return is, err
	},
	"List of all": func(d *dir.Dir, name string) (is bool, err error) { // of keys each is read that is built on
		err = d.List(ctx, "", "", func(i place.Info) error { is = is || i.Name == name; return nil })
		if is && err == nil && strings.HasPrefix(name, "keys/") {
			_, err = place.ReadAll(ctx, d, name, 100)
		}
		return is, err
	},
	"Last": func(d *dir.Dir, name string) (bool, error) {
		i, _, err := d.Last(ctx, name[:strings.LastIndexByte(name, '/')+1])
		return i.Name == name, err
	},
}

func there(err error) (bool, error) {
	if holdfast.IsKind(err, holdfast.NotFound) {
		return false, nil
	}
	return err == nil, err
}

// killed has a first process do something on a disk where others were before, and kills it before its n-th call; done says that it came to its end.
func killed(t *testing.T, n int, before, do func(*dir.Dir) error) (disk *crashfs.Disk, done bool) {
	t.Helper()
	disk = attic(t, crashfs.Options{})
	d, err := dir.Open(disk.FS(), root, dir.Options{Create: true, Preallocate: ahead})
	fine(t, err)
	fine(t, d.Put(ctx, "first/1", strings.NewReader("x")))
	fine(t, before(d))
	fine(t, d.Close())
	disk.Settle()
	d, err = dir.Open(fault.WrapFS(disk.FS(), fault.Cut(n, fault.Before)), root, dir.Options{Preallocate: ahead})
	if err != nil {
		return disk, false
	}
	return disk, do(d) == nil
}

// TestWhatIsFoundIsDurable for whoever finds it and builds on it, instead of doing it again: a process is killed before each of its calls that put, or remove, an object of each kind; the next one finds it there or not, by each call and in each of the ways, and after a power cut it is as
// it was found. Who only reads is the control: for him it is not always.
func TestWhatIsFoundIsDurable(t *testing.T) {
	put := func(name string) func(*dir.Dir) error {
		return func(d *dir.Dir) error { return d.Put(ctx, name, strings.NewReader("octets")) }
	}
	remove := func(name string) func(*dir.Dir) error {
		return func(d *dir.Dir) error { return d.Remove(ctx, name) }
	}
	nothing := func(*dir.Dir) error { return nil }
	seeds := uint64(8)
	if testing.Short() {
		seeds = 2
	}
	cuts := 0
	lost := func(name, find, way string, before, do func(*dir.Dir) error) (lost string) {
		for n, done := 1, false; !done; n++ {
			for seed := range seeds {
				var disk *crashfs.Disk
				disk, done = killed(t, n, before, do)
				d, err := dir.Open(disk.FS(), root, dir.Options{Preallocate: ahead})
				fine(t, err)
				look := func() bool {
					is, err := finds[find](d, name)
					fine(t, err)
					return is
				}
				was := false
				if how := ways[way]; how == nil {
					was = look()
				} else {
					was = how(t, d, look)
				}
				disk.PowerCut(rand.New(rand.NewPCG(seed, uint64(n))))
				cuts++
				d, err = dir.Open(disk.FS(), root, dir.Options{})
				fine(t, err)
				is, err := finds["Stat"](d, name)
				fine(t, err)
				if is != was {
					return fmt.Sprintf("killed before call %d, seed %d: it was found %v, and after the power cut %v", n, seed, was, is)
				}
			}
		}
		return ""
	}
	for _, name := range kinds {
		for find := range finds {
			if find == "Last" && !strings.Contains(name, "/") {
				continue
			}
			for way := range ways {
				if what := lost(name, find, way, nothing, put(name)); what != "" {
					t.Errorf("%s, put, %s, %s: %s", name, way, find, what)
				}
				if strings.HasPrefix(name, "keys/") && find == "List of all" {
					continue // that one is gone is asked of it alone
				}
				if what := lost(name, find, way, put(name), remove(name)); what != "" {
					t.Errorf("%s, removed, %s, %s: %s", name, way, find, what)
				}
			}
			if testing.Short() { // too few power cuts for each of them to lose
				continue
			}
			if lost(name, find, "", nothing, put(name)) == "" || lost(name, find, "", put(name), remove(name)) == "" {
				t.Errorf("%s, %s: nothing was lost for who only reads, so that a loss would not be seen", name, find)
			}
		}
	}
	t.Logf("%d power cuts", cuts)
}

// TestEachLeaseBeginsAnew: what was synced before another process had the lease says nothing of what that one left.
func TestEachLeaseBeginsAnew(t *testing.T) {
	lost := func(again bool) bool {
		for n, done := 1, false; !done; n++ {
			for seed := range uint64(20) {
				disk, _ := killed(t, 1, func(d *dir.Dir) error { return d.Put(ctx, "heads/1", strings.NewReader("x")) }, func(*dir.Dir) error { return nil })
				d, err := dir.Open(disk.FS(), root, dir.Options{})
				fine(t, err)
				lease(t, d)
				_, err = d.Stat(ctx, "heads/1")
				fine(t, err)
				other, err := dir.Open(fault.WrapFS(disk.FS(), fault.Cut(n, fault.Before)), root, dir.Options{})
				fine(t, err)
				done = other.Put(ctx, "heads/2", strings.NewReader("x")) == nil
				if again {
					lease(t, d)
				}
				found, err := finds["Stat"](d, "heads/2")
				fine(t, err)
				disk.PowerCut(rand.New(rand.NewPCG(seed, uint64(n))))
				d, err = dir.Open(disk.FS(), root, dir.Options{})
				fine(t, err)
				if is, err := finds["Stat"](d, "heads/2"); err != nil || is != found {
					return true
				}
			}
		}
		return false
	}
	if lost(true) {
		t.Error("a name that another process left was found under a second lease, and was not durable")
	}
	if !lost(false) {
		t.Error("nothing was lost without the lease, so that a loss would not be seen")
	}
}

// TestFoundOctetsAreDurable does it with a growing object: what is found of an append that a kill has cut off, or whose sync failed, is there after a power cut.
func TestFoundOctetsAreDurable(t *testing.T) {
	const name = "tail/000000000001/000000000001.frames"
	read := func(d *dir.Dir) []byte {
		b, err := place.ReadAll(ctx, d, name, 1<<20)
		if !holdfast.IsKind(err, holdfast.NotFound) {
			fine(t, err)
		}
		return b
	}
	for what, have := range map[string]int{"a new one": 0, "one that goes on": 700, "one that is extended": 1400} {
		before := func(d *dir.Dir) error {
			if have == 0 {
				return nil
			}
			return d.Append(ctx, name, 0, octets("<first>", have))
		}
		grow := func(d *dir.Dir) error { return d.Append(ctx, name, int64(have), octets("<next>", 900)) }
		lost := func(way string) string {
			for n, done := 1, false; !done; n++ {
				for seed := range uint64(20) {
					var disk *crashfs.Disk
					disk, done = killed(t, n, before, grow)
					d, err := dir.Open(disk.FS(), root, dir.Options{Preallocate: ahead})
					fine(t, err)
					var found []byte
					look := func() bool { found = read(d); return true }
					if how := ways[way]; how != nil {
						how(t, d, look)
					} else {
						look()
					}
					disk.PowerCut(rand.New(rand.NewPCG(seed, uint64(n))))
					d, err = dir.Open(disk.FS(), root, dir.Options{})
					fine(t, err)
					if b := read(d); !bytes.Equal(b, found) {
						return fmt.Sprintf("killed before call %d, seed %d: %d octets were found, and after the power cut %d, or others", n, seed, len(found), len(b))
					}
				}
			}
			return ""
		}
		for way := range ways {
			if l := lost(way); l != "" {
				t.Errorf("%s, %s: %s", what, way, l)
			}
		}
		if lost("") == "" {
			t.Errorf("%s: nothing was lost for who only reads, so that a loss would not be seen", what)
		}
		for fail := 1; fail <= 2; fail++ {
			for seed := range uint64(20) {
				disk, _ := killed(t, 1, before, grow)
				d, err := dir.Open(disk.FS(), root, dir.Options{Preallocate: ahead})
				fine(t, err)
				disk.FailSync(fail)
				if have == 0 {
					disk.FailSync(fail + 2) // behind those of its new directories
				}
				err = grow(d)
				next, oerr := dir.Open(disk.FS(), root, dir.Options{Preallocate: ahead})
				fine(t, oerr)
				lease(t, next)
				found := read(next)
				if err != nil && len(found) > have {
					t.Fatalf("%s: %d octets of an append that failed are found", what, len(found)-have)
				}
				disk.PowerCut(rand.New(rand.NewPCG(seed, 3)))
				last, oerr := dir.Open(disk.FS(), root, dir.Options{})
				fine(t, oerr)
				if b := read(last); !bytes.HasPrefix(b, found) {
					t.Fatalf("%s, sync %d fails, seed %d: %d octets were found by the next process, and after the power cut they are not there", what, fail, seed, len(found))
				}
			}
		}
	}
}

// TestAFailedPutIsNotThere: a name whose directory could not be synced is taken back, and other octets can be put.
func TestAFailedPutIsNotThere(t *testing.T) {
	const name = "blobs/ab/abcd"
	for seed := range uint64(50) {
		disk := attic(t, crashfs.Options{})
		d, err := dir.Open(disk.FS(), root, dir.Options{Create: true})
		fine(t, err)
		fine(t, d.Put(ctx, "blobs/ab/first", strings.NewReader("x")))
		disk.FailSync(2) // the first one is the file's
		if err := d.Put(ctx, name, strings.NewReader("x")); err == nil {
			t.Fatal("a sync that failed was told to have been done")
		}
		if _, err := d.Stat(ctx, name); !holdfast.IsKind(err, holdfast.NotFound) {
			t.Fatal("its name is there:", err)
		}
		fine(t, d.Put(ctx, name, strings.NewReader("others")))
		disk.PowerCut(rand.New(rand.NewPCG(seed, 1)))
		d, err = dir.Open(disk.FS(), root, dir.Options{})
		fine(t, err)
		if b, err := place.ReadAll(ctx, d, name, 100); string(b) != "others" {
			t.Fatalf("seed %d: after a sync that failed and another put: %q, %v", seed, b, err)
		}
	}
}

// TestNothingIsBuiltOnAFailedSync: where what was found cannot be made durable, nothing is told of and nothing changed any more; a second sync would succeed and prove nothing.
func TestNothingIsBuiltOnAFailedSync(t *testing.T) {
	disk, _ := killed(t, 1, func(d *dir.Dir) error { return d.Put(ctx, "heads/1", strings.NewReader("x")) }, func(*dir.Dir) error { return nil })
	d, err := dir.Open(disk.FS(), root, dir.Options{})
	fine(t, err)
	_, err = d.Stat(ctx, "heads/1")
	fine(t, err)
	disk.FailSync(1)
	for range 2 {
		if err := d.Put(ctx, "heads/2", strings.NewReader("x")); !vfs.IsSyncError(err) || !holdfast.IsKind(err, holdfast.Unavailable) {
			t.Fatalf("a put upon what could not be synced: %v", err)
		}
		if _, err := d.Lease(); !vfs.IsSyncError(err) {
			t.Fatalf("the lease upon what could not be synced: %v", err)
		}
		if err := d.Remove(ctx, "heads/1"); !vfs.IsSyncError(err) {
			t.Fatalf("a removal upon what could not be synced: %v", err)
		}
	}
}

// TestWhoOnlyReadsSyncsNothing, and who builds syncs each directory once.
func TestWhoOnlyReadsSyncsNothing(t *testing.T) {
	top := t.TempDir()
	w, err := dir.Open(vfs.OS, filepath.Join(top, "vault"), dir.Options{Create: true})
	fine(t, err)
	fine(t, w.Put(ctx, "heads/1", strings.NewReader("x")))
	fine(t, w.Put(ctx, "keys/abc/abcd.1", strings.NewReader("x")))
	fine(t, w.Append(ctx, "tail/1/1.frames", 0, []byte("x")))
	fine(t, w.Close())
	rec := &vfstest.Recorder{FS: vfs.OS, Root: top}
	d, err := dir.Open(rec, filepath.Join(top, "vault"), dir.Options{})
	fine(t, err)
	defer d.Close()
	read := func() {
		for _, name := range []string{"heads/1", "heads/2", "keys/abc/abcd.1", "tail/1/1.frames"} {
			_, _ = place.ReadAll(context.Background(), d, name, 100)
		}
		fine(t, d.List(ctx, "", "", func(place.Info) error { return nil }))
	}
	read()
	if text := rec.Text(); strings.Contains(text, "sync") {
		t.Errorf("who only reads has synced:\n%s", text)
	}
	lease(t, d)
	text := rec.Text()
	for _, x := range []string{"fsync directory vault/heads", "fsync directory vault/keys/abc", "fsync directory vault/tail/1", "fdatasync vault/tail/1/1.frames"} {
		if strings.Count(text, x+"\n") != 1 {
			t.Errorf("not once: %s, in\n%s", x, text)
		}
	}
	read()
	if text := rec.Text(); strings.Contains(text, "sync") {
		t.Errorf("what was synced is synced again:\n%s", text)
	}
}
