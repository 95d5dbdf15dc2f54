package dir

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/place"
	"holdfast/internal/vfs"
)

// Options says how a directory is used. Zero values mean the defaults.
type Options struct {
	Clock       clock.Clock
	Log         *slog.Logger
	Create      bool  // make the directory where it is not; otherwise it is Unavailable then
	Preallocate int64 // octets by which a growing object is extended ahead; default 1 MiB
}

// Dir is a place in a directory.
type Dir struct {
	fs   vfs.FS
	root string
	o    Options

	mu    sync.Mutex
	tails map[string]*tail
	known map[string]bool // directories that are there, durably

	ground ground
}

var _ place.Place = (*Dir)(nil)

// leaseName is the file that the lease of the directory stands for.
const leaseName = ".lease"

// Open opens the directory root as a place. Errors: Unavailable (it is not there, or cannot be used).
func Open(fsys vfs.FS, root string, o Options) (*Dir, error) {
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Preallocate <= 0 {
		o.Preallocate = 1 << 20
	}
	d := &Dir{fs: fsys, root: root, o: o, tails: map[string]*tail{}, known: map[string]bool{root: true}, ground: ground{seen: map[string]bool{}}}
	if o.Create {
		if err := vfs.MkdirDurable(fsys, root, 0o700); err != nil {
			return nil, d.fail("Open", "", err)
		}
	}
	st, err := fsys.Stat(root)
	if err == nil && !st.IsDir() {
		err = &fs.PathError{Op: "open", Path: root, Err: syscall.ENOTDIR}
	}
	if err != nil {
		return nil, place.Err("Open", holdfast.Unavailable, root, "the directory cannot be used; is its disk mounted?", err)
	}
	return d, nil
}

// Lease implements [place.Leaser]. It also takes away what interrupted writers left, their temporary files. Whatever is found from then on, or was found before through this Dir, is durable.
func (d *Dir) Lease() (io.Closer, error) {
	l, err := vfs.AcquireLease(d.fs, filepath.Join(d.root, leaseName))
	if errors.Is(err, vfs.ErrLocked) {
		return nil, place.Err("Lease", holdfast.Busy, d.root, "another process writes into this vault; stop it first", err)
	}
	if err != nil {
		return nil, d.fail("Lease", "", err)
	}
	err = d.sweep(d.root)
	if err == nil {
		err = d.anew()
	}
	if err != nil {
		l.Release()
		return nil, d.fail("Lease", "", err)
	}
	return leaseCloser{l}, nil
}

type leaseCloser struct{ l *vfs.Lease }

func (c leaseCloser) Close() error { return c.l.Release() }

// sweep removes temporary files. Directories with many of them (one for a few accounts each) are left to who writes there next: looking at all would grow with the accounts.
func (d *Dir) sweep(dir string) error {
	if _, err := vfs.RemoveTemps(d.fs, dir); err != nil {
		return err
	}
	list, err := d.fs.ReadDir(dir)
	if err != nil || len(list) > 1000 {
		return err
	}
	for _, e := range list {
		if e.IsDir() && e.Name() != "keys" && e.Name() != "erased" {
			if err := d.sweep(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *Dir) path(name string) string { return filepath.Join(d.root, filepath.FromSlash(name)) }

// fail turns an error of the file system into one of a place.
func (d *Dir) fail(op, name string, err error) error {
	var known *holdfast.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return err
	case errors.Is(err, fs.ErrNotExist):
		if _, e := d.fs.Stat(d.root); e != nil {
			return place.Err(op, holdfast.Unavailable, d.root, "the directory is not there; is its disk mounted?", err)
		}
		return place.NoSuch(op, name)
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
		return place.Err(op, holdfast.Full, d.root, "the vault's disk is full; make room there", err)
	}
	return place.Err(op, holdfast.Unavailable, name, "the vault's disk answered with an error", err)
}

// ready makes the directory of an object. The root is never made here: where it is missing, its disk is.
func (d *Dir) ready(file string) error {
	dir := filepath.Dir(file)
	d.mu.Lock()
	known := d.known[dir]
	d.mu.Unlock()
	if known {
		return nil
	}
	if _, err := d.fs.Stat(d.root); err != nil {
		return err
	}
	if err := vfs.MkdirDurable(d.fs, dir, 0o700); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.known) > 10_000 {
		clear(d.known)
	}
	d.known[dir] = true
	return nil
}

// Put implements [place.Place].
func (d *Dir) Put(ctx context.Context, name string, r io.Reader) error {
	if err := place.CheckName("Put", name, false); err != nil {
		return err
	}
	src := &source{r: r}
	file := d.path(name)
	err := d.build()
	if err == nil {
		err = d.ready(file)
	}
	if err == nil {
		err = vfs.CreateFrom(d.fs, file, src, 0o600)
	}
	if err == nil {
		d.synced(filepath.Dir(file))
	}
	switch {
	case src.err != nil:
		return src.err
	case errors.Is(err, fs.ErrExist):
		return place.Err("Put", holdfast.Exists, name, "there is another object of this name; nothing is overwritten", nil)
	case errors.Is(err, fs.ErrNotExist): // the directory went away
		d.mu.Lock()
		clear(d.known)
		d.mu.Unlock()
		return place.Err("Put", holdfast.Unavailable, name, "the vault's directory went away; try again", err)
	}
	return d.fail("Put", name, err)
}

// source remembers an error of what is read.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// Get implements [place.Place].
func (d *Dir) Get(ctx context.Context, name string, at, n int64) (io.ReadCloser, error) {
	if !place.IsName(name) {
		return nil, place.NoSuch("Get", name)
	}
	f, err := d.fs.OpenFile(d.path(name), vfs.O_RDONLY, 0)
	if e := d.tellsOf(name); e != nil {
		if err == nil {
			f.Close()
		}
		return nil, d.fail("Get", name, e)
	}
	if err != nil {
		return nil, d.fail("Get", name, err)
	}
	left, err := d.left(name, f, at, n)
	if err != nil {
		f.Close()
		return nil, d.fail("Get", name, err)
	}
	return &reader{SectionReader: io.NewSectionReader(f, at, left), d: d, f: f, name: name}, nil
}

// left returns how many of n octets (all, where n is negative) an object has from an offset on. Where a growing one ends need not be looked for if the last of them is not zero: frames are read one by one, and behind the last
// one there may be much that was extended ahead.
func (d *Dir) left(name string, f vfs.File, at, n int64) (int64, error) {
	if n > 0 && strings.HasSuffix(name, place.Grows) && d.openEnd(name) == 0 {
		var last [1]byte
		if _, err := f.ReadAt(last[:], at+n-1); err == nil && last[0] != 0 {
			return n, nil
		}
	}
	size, err := d.size(name, f)
	left := max(0, size-at)
	if n >= 0 {
		left = min(left, n)
	}
	return left, err
}

type reader struct {
	*io.SectionReader
	d    *Dir
	f    vfs.File
	name string
}

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.SectionReader.Read(p)
	if err != nil && err != io.EOF {
		err = place.Err("Get", holdfast.Corrupt, r.name, "the vault's disk cannot read it", err)
	}
	return n, err
}

func (r *reader) Close() error { return r.f.Close() }

// size is where an object ends.
func (d *Dir) size(name string, f vfs.File) (int64, error) {
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if st.IsDir() {
		return 0, fs.ErrNotExist
	}
	if !strings.HasSuffix(name, place.Grows) {
		return st.Size(), nil
	}
	if end := d.openEnd(name); end > 0 {
		return end, nil
	}
	return logicalEnd(f, st.Size())
}

// openEnd is where the durable octets of a growing object end that is open; 0: it is not, or has none.
func (d *Dir) openEnd(name string) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if t := d.tails[name]; t != nil {
		return t.end.Load()
	}
	return 0
}

// logicalEnd finds the end of a growing object: behind its last octet that is not zero. Only what was extended ahead is zeros, so that little is read; it is compared in pieces, as there is a MiB of it behind many a segment.
func logicalEnd(f io.ReaderAt, size int64) (int64, error) {
	var buf [64 << 10]byte
	var zero [4 << 10]byte
	for size > 0 {
		n := min(size, int64(len(buf)))
		if _, err := f.ReadAt(buf[:n], size-n); err != nil && err != io.EOF {
			return 0, err
		}
		b := buf[:n]
		for len(b) >= len(zero) && bytes.Equal(b[len(b)-len(zero):], zero[:]) {
			b = b[:len(b)-len(zero)]
		}
		if b = bytes.TrimRight(b, "\x00"); len(b) > 0 {
			return size - n + int64(len(b)), nil
		}
		size -= n
	}
	return 0, nil
}

// Stat implements [place.Place].
func (d *Dir) Stat(ctx context.Context, name string) (place.Info, error) {
	if !place.IsName(name) {
		return place.Info{}, place.NoSuch("Stat", name)
	}
	i, err := d.look(name)
	if e := d.tellsOf(name); e != nil {
		return place.Info{}, d.fail("Stat", name, e)
	}
	return i, err
}

// look is Stat without making sure of anything.
func (d *Dir) look(name string) (place.Info, error) {
	st, err := d.fs.Stat(d.path(name))
	if err == nil && st.IsDir() {
		err = fs.ErrNotExist
	}
	if err != nil {
		return place.Info{}, d.fail("Stat", name, err)
	}
	return d.info(name, st)
}

func (d *Dir) info(name string, st fs.FileInfo) (place.Info, error) {
	i := place.Info{Name: name, Size: st.Size(), Made: st.ModTime().UTC()}
	if !strings.HasSuffix(name, place.Grows) {
		return i, nil
	}
	f, err := d.fs.OpenFile(d.path(name), vfs.O_RDONLY, 0)
	if err != nil {
		return i, d.fail("Stat", name, err)
	}
	defer f.Close()
	i.Size, err = d.size(name, f)
	return i, d.fail("Stat", name, err)
}

// List implements [place.Place].
func (d *Dir) List(ctx context.Context, prefix, after string, fn func(place.Info) error) error {
	if _, err := d.fs.Stat(d.root); err != nil {
		return d.fail("List", "", err)
	}
	return d.list(ctx, below(prefix), prefix, after, fn)
}

// below is the directory in which all names lie that begin with a prefix. What can be no name's beginning leads nowhere, so the search for it begins at the top.
func below(prefix string) string {
	dir := prefix[:strings.LastIndexByte(prefix, '/')+1]
	if !place.IsName(dir + "x") {
		return ""
	}
	return dir
}

// Last implements [place.Laster]: it reads the names of one directory.
func (d *Dir) Last(ctx context.Context, prefix string) (i place.Info, ok bool, err error) {
	entries, err := d.fs.ReadDir(d.path(prefix))
	if errors.Is(err, fs.ErrNotExist) {
		_, err = d.fs.Stat(d.root)
		return i, false, d.fail("List", prefix, err)
	}
	if err != nil {
		return i, false, d.fail("List", prefix, err)
	}
	last := ""
	for _, e := range entries {
		if e.IsDir() { // there may be others below it
			err := d.List(ctx, prefix, "", func(x place.Info) error { i, ok = x, true; return nil })
			return i, ok, err
		}
		if e.Name()[0] != '.' {
			last = max(last, e.Name())
		}
	}
	if last == "" {
		return i, false, d.fail("List", prefix, d.told(filepath.Clean(d.path(prefix))))
	}
	i, err = d.Stat(ctx, prefix+last)
	return i, err == nil, err
}

// many is where there may be tens of thousands of directories. Who goes through all of them reads each object that he builds on.
const many = "keys/"

// list walks one directory, whose name ends in a slash or is empty. A directory "a" sorts by the names in it ("a/…"), hence the order by name with its slash.
func (d *Dir) list(ctx context.Context, dir, prefix, after string, fn func(place.Info) error) error {
	entries, err := d.fs.ReadDir(d.path(dir))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil // removed meanwhile, or never there
	}
	if err == nil && (len(dir) <= len(prefix) || !strings.HasPrefix(dir, many)) {
		err = d.told(filepath.Clean(d.path(dir)))
	}
	if err != nil {
		return d.fail("List", dir, err)
	}
	for _, e := range sorted(entries) {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		name := dir + e.name
		switch {
		case e.name[0] == '.':
		case e.IsDir():
			if !strings.HasPrefix(name, prefix) && !strings.HasPrefix(prefix, name) || after != "" && !strings.HasPrefix(after, name) && name < after {
				continue
			}
			if err := d.list(ctx, name, prefix, after, fn); err != nil {
				return err
			}
		case strings.HasPrefix(name, prefix) && name > after:
			i, err := d.look(name)
			if holdfast.IsKind(err, holdfast.NotFound) {
				continue
			}
			if err != nil {
				return err
			}
			if err := fn(i); err != nil {
				return err
			}
		}
	}
	return nil
}

// Remove implements [place.Place].
func (d *Dir) Remove(ctx context.Context, name string) error {
	if !place.IsName(name) {
		return place.NoSuch("Remove", name)
	}
	d.mu.Lock()
	if t := d.tails[name]; t != nil {
		delete(d.tails, name)
		t.close()
	}
	d.mu.Unlock()
	file := d.path(name)
	if st, err := d.fs.Stat(file); err == nil && st.IsDir() {
		return place.Err("Remove", holdfast.NotFound, name, "there is no such object", nil)
	}
	if err := d.build(); err != nil {
		return d.fail("Remove", name, err)
	}
	err := d.fs.Remove(file)
	if errors.Is(err, fs.ErrNotExist) { // who removed it may have been killed before that was durable
		if e := d.told(filepath.Dir(file)); e != nil {
			err = e
		}
	}
	if err != nil {
		return d.fail("Remove", name, err)
	}
	return d.fail("Remove", name, d.fs.SyncDir(filepath.Dir(file)))
}

// Now implements [place.Place].
func (d *Dir) Now(context.Context) (time.Time, error) { return d.o.Clock.Now().UTC(), nil }

// String implements [place.Place].
func (d *Dir) String() string { return "directory " + d.root }

// Close implements [place.Place].
func (d *Dir) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, t := range d.tails {
		t.close()
		delete(d.tails, name)
	}
	return nil
}
