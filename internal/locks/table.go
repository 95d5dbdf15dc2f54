package locks

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/vfs"
)

// Options wires a Table.
type Options struct {
	FS     vfs.FS
	Dir    string // made with the first lock; "": locks are kept in memory alone
	Clock  clock.Clock
	Random io.Reader    // nil: the system's
	Log    *slog.Logger // nil: nothing is logged
}

// Table is the locks of all accounts.
type Table struct {
	o     Options
	clock clock.Clock

	mu       sync.Mutex
	accounts map[holdfast.ID]*Account
}

// Open opens the locks of a directory, and removes what ended while nobody looked. What goes wrong with that is told in the log: no store stays closed for its locks.
func Open(o Options) *Table {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = clock.System
	}
	t := &Table{o: o, clock: o.Clock, accounts: map[holdfast.ID]*Account{}}
	if o.Dir == "" {
		return t
	}
	if err := t.sweep(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		o.Log.Warn("locks that ended could not be removed", "dir", o.Dir, "err", err)
	}
	return t
}

// sweep removes what a crash left half-written, and the files of accounts whose locks have all ended.
func (t *Table) sweep() error {
	list, err := t.o.FS.ReadDir(t.o.Dir)
	if err != nil {
		return err
	}
	if _, err := vfs.RemoveTemps(t.o.FS, t.o.Dir); err != nil {
		return err
	}
	for _, e := range list {
		name, ok := strings.CutSuffix(e.Name(), suffix)
		id, err := holdfast.ParseID(name)
		if !ok || err != nil {
			continue
		}
		if a := t.Of(id); !a.Any() {
			if err := t.write(id, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// Of returns the locks of an account. Those that cannot be read are gone: that is told in the log, and stops nobody from writing.
func (t *Table) Of(id holdfast.ID) *Account {
	t.mu.Lock()
	defer t.mu.Unlock()
	a := t.accounts[id]
	if a == nil {
		a = &Account{t: t, id: id, writes: map[uint64][]Touch{}, changed: make(chan struct{})}
		all, err := t.read(id)
		if err != nil {
			t.o.Log.Error("the locks of an account cannot be read, and are given up; what was locked can be written by all of its devices", "account", id, "err", err)
		}
		a.shown.Store(&all)
		t.accounts[id] = a
	}
	return a
}

// Forget removes what is known of an account that is erased.
func (t *Table) Forget(id holdfast.ID) error {
	a := t.Of(id)
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.save(nil)
}

// Scheme begins the tokens of locks.
const Scheme = "urn:holdfast:l:"

// token makes the token of a lock (RFC 4918 section 6.5). It is short, because a condition with it and two of our ETags must fit into the 199 octets that a program keeps for it.
func (t *Table) token() string {
	b := holdfast.NewID(t.o.Random)
	return Scheme + base64.RawURLEncoding.EncodeToString(b[:])
}

// file is what lies in an account's file.
type file struct {
	Format int    `json:"format"`
	Locks  []Lock `json:"locks"`
}

const (
	format = 1
	suffix = ".json"
)

func (t *Table) name(id holdfast.ID) string { return filepath.Join(t.o.Dir, id.String()+suffix) }

func (t *Table) read(id holdfast.ID) ([]Lock, error) {
	if t.o.Dir == "" {
		return nil, nil
	}
	b, err := vfs.ReadFile(t.o.FS, t.name(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var f file
	if err == nil {
		err = json.Unmarshal(b, &f)
	}
	if err == nil && f.Format != format {
		err = fmt.Errorf("it has format %d; this version knows %d", f.Format, format)
	}
	for i := range f.Locks {
		if f.Locks[i].By.IsZero() {
			f.Locks[i].By = id
		}
	}
	return f.Locks, err
}

// write makes the locks of an account durable.
func (t *Table) write(id holdfast.ID, all []Lock) error {
	if t.o.Dir == "" {
		return nil
	}
	b, err := json.Marshal(file{format, all})
	switch {
	case err != nil:
		return err
	case len(b) > maxOctets:
		return fail(holdfast.Full, "", "the locks of this account take as much room as they may; give some back, or wait until they end")
	case len(all) > 0:
		err = t.put(id, append(b, '\n'))
	default:
		if err = t.o.FS.Remove(t.name(id)); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			err = t.o.FS.SyncDir(t.o.Dir)
		}
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC):
		return &holdfast.Error{Op: "locks", Kind: holdfast.Full, Text: "there is no room to write the lock down", Err: err}
	}
	return &holdfast.Error{Op: "locks", Kind: holdfast.Unavailable, Text: "the lock cannot be written down; it is not given", Err: err}
}

// put writes an account's file, and makes the directory where it is the first one.
func (t *Table) put(id holdfast.ID, b []byte) error {
	err := vfs.WriteFileAtomic(t.o.FS, t.name(id), b, 0o600)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err = t.o.FS.Mkdir(t.o.Dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err = t.o.FS.SyncDir(filepath.Dir(t.o.Dir)); err != nil {
		return err
	}
	return vfs.WriteFileAtomic(t.o.FS, t.name(id), b, 0o600)
}
