package dir

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"holdfast"
	"holdfast/internal/place"
	"holdfast/internal/vfs"
)

// maxTails bounds the growing objects that are kept open.
const maxTails = 16

// tail is a growing object that is open.
type tail struct {
	mu     sync.Mutex // held while it is written
	f      vfs.File
	end    atomic.Int64 // where the durable octets end
	extent int64        // the file's size: what lies behind end are zeros
	dead   error        // what happened; nobody appends any more
}

func (t *tail) close() { _ = t.f.Close() } // everything acknowledged was synced

// Append implements [place.Place].
func (d *Dir) Append(ctx context.Context, name string, at int64, p []byte) error {
	if err := place.CheckAppend(name, at, p); err != nil {
		return err
	}
	if err := d.build(); err != nil {
		return d.fail("Append", name, err)
	}
	t, err := d.tail(name, at == 0)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.dead != nil {
		return place.Err("Append", holdfast.Unavailable, name, "an earlier append failed; begin another object", t.dead)
	}
	if end := t.end.Load(); at != end {
		return place.NotAtEnd(name, at, end)
	}
	err = t.write(p, d.o.Preallocate)
	if err == nil && at == 0 { // the name is new
		if err = d.fs.SyncDir(filepath.Dir(d.path(name))); err == nil {
			d.synced(filepath.Dir(d.path(name)), d.path(name))
		}
	}
	if err != nil {
		t.dead = err
		_ = t.f.Truncate(at) // who finds these octets would take them for durable, and a later sync would not tell: where this fails too, nothing more can be done
		return d.fail("Append", name, err)
	}
	t.end.Store(at + int64(len(p)))
	return nil
}

// write makes the octets durable at the end.
func (t *tail) write(p []byte, ahead int64) error {
	at := t.end.Load()
	if need := at + int64(len(p)); need > t.extent {
		extent := need + ahead
		if err := zeros(t.f, need, extent); err != nil {
			return err
		}
		t.extent = extent
	}
	if _, err := t.f.WriteAt(p, at); err != nil {
		return err
	}
	return t.f.SyncData()
}

// zeros writes zeros from one offset to another.
func zeros(f vfs.File, from, to int64) error {
	var buf [64 << 10]byte
	for from < to {
		n, err := f.WriteAt(buf[:min(int64(len(buf)), to-from)], from)
		if err != nil {
			return err
		}
		from += int64(n)
	}
	return nil
}

// tail returns the open object; makes it if it is to be new.
func (d *Dir) tail(name string, fresh bool) (*tail, error) {
	d.mu.Lock()
	t := d.tails[name]
	d.mu.Unlock()
	if t != nil {
		if fresh {
			return nil, taken(name)
		}
		return t, nil
	}
	flag := vfs.O_RDWR
	file := d.path(name)
	if fresh {
		flag |= vfs.O_CREATE | vfs.O_EXCL
		if err := d.ready(file); err != nil {
			return nil, d.fail("Append", name, err)
		}
	}
	f, err := d.fs.OpenFile(file, flag, 0o600)
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil, taken(name)
	case errors.Is(err, fs.ErrNotExist) && !fresh:
		if _, e := d.fs.Stat(d.root); e == nil {
			return nil, place.NotAtEnd(name, -1, 0)
		}
		fallthrough
	case err != nil:
		return nil, d.fail("Append", name, err)
	}
	t = &tail{f: f}
	if !fresh {
		err = d.tellsOf(name)
	}
	var st fs.FileInfo
	if err == nil {
		st, err = f.Stat()
	}
	if err == nil {
		t.extent = st.Size()
		var end int64
		end, err = logicalEnd(f, st.Size())
		t.end.Store(end)
	}
	if err != nil {
		f.Close()
		return nil, d.fail("Append", name, err)
	}
	return d.keep(name, t), nil
}

func taken(name string) error {
	return place.Err("Append", holdfast.Exists, name, "there is an object of this name; nothing is overwritten", nil)
}

// keep remembers an open object, and forgets another where there are many.
func (d *Dir) keep(name string, t *tail) *tail {
	d.mu.Lock()
	defer d.mu.Unlock()
	if other := d.tails[name]; other != nil { // somebody was faster
		t.close()
		return other
	}
	for old, x := range d.tails {
		if len(d.tails) < maxTails {
			break
		}
		if x.mu.TryLock() {
			x.dead = errors.Join(x.dead, fs.ErrClosed)
			x.mu.Unlock()
			x.close()
			delete(d.tails, old)
		}
	}
	d.tails[name] = t
	return t
}

// entry is a directory's entry with the name that it sorts by.
type entry struct {
	fs.DirEntry
	name string
}

func sorted(list []fs.DirEntry) []entry {
	out := make([]entry, len(list))
	for i, e := range list {
		out[i] = entry{e, e.Name()}
		if e.IsDir() {
			out[i].name += "/"
		}
	}
	slices.SortFunc(out, func(a, b entry) int { return cmp.Compare(a.name, b.name) })
	return out
}
