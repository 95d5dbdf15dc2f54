package dir

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"holdfast/internal/place"
	"holdfast/internal/vfs"
)

// maxSeen bounds what is remembered of what was told of.
const maxSeen = 100_000

// ground is what others left here and was told of. Whoever wrote it may have been killed before it was durable: a name before the fsync of its directory, a removal likewise, the newest octets of a growing object before their fdatasync.
// Who finds it takes it for done and does not do it again, so nothing may be built on it before it is synced. Who only reads syncs nothing: he may have no right to, and a disk that sleeps is not woken.
type ground struct {
	mu       sync.Mutex
	building bool            // something was changed through this Dir, or it has the lease: what is told of from now on is durable before
	seen     map[string]bool // directories and growing objects that were told of; true: durable since then
	failed   error           // a sync failed: a second one would prove nothing
}

// told is called with what is about to be told of: a directory's names, or a growing object's octets, after they were looked at.
func (d *Dir) told(path string) error {
	g := &d.ground
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.seen[path] {
		return nil
	}
	if !g.building && len(g.seen) < maxSeen {
		g.seen[path] = false
		return nil
	}
	return d.firm(path)
}

// firm makes durable what a path holds. The lock is held.
func (d *Dir) firm(path string) error {
	g := &d.ground
	if g.failed != nil {
		return g.failed
	}
	var err error
	if strings.HasSuffix(path, place.Grows) {
		err = syncFile(d.fs, path)
	} else {
		err = d.fs.SyncDir(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		delete(g.seen, path)
		return nil
	}
	if g.failed = err; err != nil {
		return err
	}
	d.note(path)
	return nil
}

func syncFile(fsys vfs.FS, name string) error {
	f, err := fsys.OpenFile(name, vfs.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.SyncData()
}

// note remembers that a path is durable. The lock is held.
func (d *Dir) note(path string) {
	g := &d.ground
	if _, is := g.seen[path]; !is && g.building && len(g.seen) >= maxSeen {
		clear(g.seen) // all of it is durable, and is synced once more
	}
	g.seen[path] = true
}

// synced notes what was just synced, so that it need not be once more.
func (d *Dir) synced(paths ...string) {
	d.ground.mu.Lock()
	defer d.ground.mu.Unlock()
	for _, p := range paths {
		d.note(p)
	}
}

// build comes before each change: what was told of until now is made durable.
func (d *Dir) build() error {
	g := &d.ground
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.building || g.failed != nil {
		return g.failed
	}
	g.building = true
	return d.firmAll()
}

// syncsAtOnce is how many are under way at once: a file system makes durable together what comes together.
const syncsAtOnce = 16

// firmAll makes durable what was told of until now. The lock is held.
func (d *Dir) firmAll() error {
	g := &d.ground
	var dirs []string
	for path, durable := range g.seen {
		switch {
		case durable:
		case strings.HasSuffix(path, place.Grows):
			if err := d.firm(path); err != nil {
				return err
			}
		default:
			dirs = append(dirs, path)
		}
	}
	slices.Sort(dirs)
	for part := range slices.Chunk(dirs, syncsAtOnce) {
		errs := make([]error, len(part))
		var all sync.WaitGroup
		for i, path := range part {
			all.Go(func() { errs[i] = d.fs.SyncDir(path) })
		}
		all.Wait()
		for i, path := range part {
			switch err := errs[i]; {
			case errors.Is(err, fs.ErrNotExist):
				delete(g.seen, path)
			case err != nil:
				g.failed = err
				return err
			default:
				d.note(path)
			}
		}
	}
	return nil
}

// Directories below these are many, one for some accounts or files each: those of keys are all asked for soon after a start, and others hardly ever.
const (
	allAsked = "keys"
	maxAsked = 1000
)

// expect notes what will be told of soon after a start, so that it is made durable at once: one after the other each would keep who waits for the vault waiting. Where there is much of it, each is when it is told of.
func (d *Dir) expect() error {
	dirs := []string{d.root}
	for at := 0; at < len(dirs); at++ {
		list, err := d.fs.ReadDir(dirs[at])
		if err != nil {
			return err
		}
		if len(list) > maxAsked {
			continue
		}
		for _, e := range list {
			if path := filepath.Join(dirs[at], e.Name()); e.IsDir() && (at == 0 || dirs[at] == d.path(allAsked)) {
				dirs = append(dirs, path)
			}
		}
	}
	d.ground.mu.Lock()
	defer d.ground.mu.Unlock()
	for _, path := range dirs {
		if !d.ground.seen[path] {
			d.ground.seen[path] = false
		}
	}
	return nil
}

// anew is build after others may have written here: it counts for nothing what was synced before.
func (d *Dir) anew() error {
	g := &d.ground
	g.mu.Lock()
	g.building = false
	for path := range g.seen {
		g.seen[path] = false
	}
	g.mu.Unlock()
	if err := d.expect(); err != nil {
		return err
	}
	return d.build()
}

// tellsOf is told of an object: its name, and its octets if it grows.
func (d *Dir) tellsOf(name string) error {
	file := d.path(name)
	err := d.told(filepath.Dir(file))
	if err == nil && strings.HasSuffix(name, place.Grows) {
		err = d.told(file)
	}
	return err
}
