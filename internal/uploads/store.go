package uploads

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/vfs"
)

// MaxChunks is how many chunks one upload may have, MaxChunkName how many octets the name of one.
const (
	MaxChunks    = 10_000
	MaxChunkName = 100
)

// Options wires a [Store]. Dir must be given.
type Options struct {
	FS     vfs.FS // nil: the machine's
	Dir    string
	Clock  clock.Clock   // nil: the system's
	Log    *slog.Logger  // nil: nothing is logged
	Keep   time.Duration // how long after the last touch; default 7 days
	Each   int           // uploads of one account; default 1000
	Chunks int           // of one account, in all of its uploads; default 100,000
	Octets int64         // of one account, in all of its uploads; 0: as many as its allowance and the disk take
	// Room tells whether the disk has room for so many octets more; nil: it is found out by writing.
	Room func(octets int64) bool
}

// remembered is for how long it is known what became of an upload, and of how many of one account: its client may ask again, because no answer reached it.
const (
	remembered    = 24 * time.Hour
	maxRemembered = 1000
)

// looked is how often it is looked for what is too old.
const looked = time.Hour

// Store keeps uploads in a directory. One process at a time may. All methods may be called from many goroutines. Errors are *holdfast.Error; kinds: NotFound, Exists, Invalid, Quota, TooLarge, Full, Busy (a chunk of
// what is being made a file), Corrupt, Unavailable.
type Store struct {
	o    Options
	next atomic.Int64 // the name of the next chunk that is taken in

	mu       sync.Mutex // never held while a file is touched
	accounts map[holdfast.ID]*account
	waited   clock.Waited
	failed   error // a directory could not be synced
}

// account is what one account has.
type account struct {
	uploads map[string]*upload
	octets  int64 // of all chunks, and of what is being taken in
}

// Open reads what there is, and removes what was not whole. Errors: Full, Unavailable.
func Open(o Options) (*Store, error) {
	if o.FS == nil {
		o.FS = vfs.OS
	}
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Each <= 0 {
		o.Each = 1000
	}
	if o.Chunks <= 0 {
		o.Chunks = 10 * MaxChunks
	}
	if o.Keep <= 0 {
		o.Keep = 7 * 24 * time.Hour
	}
	s := &Store{o: o, accounts: map[holdfast.ID]*account{}}
	if err := s.read(); err != nil {
		return nil, s.fail("Open", o.Dir, err)
	}
	s.count()
	return s, nil
}

// Run lets go of what is too old, until ctx ends.
func (s *Store) Run(ctx context.Context) {
	t := s.o.Clock.NewTicker(looked)
	defer t.Stop()
	for {
		select {
		case <-t.C():
			s.age()
		case <-ctx.Done():
			s.age() // so that it is written down when each was touched
			return
		}
	}
}

// count brings the time that has passed up to now, and returns it.
func (s *Store) count() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waited.Count(s.o.Clock.Now())
}

// age lets go of what nobody touched for too long, by the time that passed: a clock that is put ahead ends nothing early. When something was touched is written down each time it is looked, so one that looks an hour
// older than it is after a crash has an hour more.
func (s *Store) age() {
	now := s.count()
	var old, touched []*upload
	s.mu.Lock()
	for _, a := range s.accounts {
		for _, u := range a.uploads {
			keep := s.o.Keep + looked
			if u.head.Done != nil {
				keep = min(keep, remembered)
			}
			switch {
			case now-u.touched >= keep && u.busy == 0:
				old = append(old, u)
			case u.touched != u.head.Touched && u.head.Done == nil:
				touched = append(touched, u)
			}
		}
	}
	some := len(s.accounts) > 0
	s.mu.Unlock()
	for _, u := range old {
		if err := s.remove(u); err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
			s.o.Log.Warn("an upload that nobody goes on with could not be removed; it is tried again", "account", u.account, "upload", u.head.Name, "err", err)
		}
	}
	for _, u := range touched {
		s.note(s.touch(u))
	}
	if some {
		s.note(s.saveWaited())
	}
}

func (s *Store) note(err error) {
	if err != nil {
		s.o.Log.Warn("it could not be written down how long uploads are there", "dir", s.o.Dir, "err", err)
	}
}

const waitedName = "waited.json"

func (s *Store) saveWaited() error {
	s.mu.Lock()
	b, err := json.Marshal(s.waited)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return vfs.WriteFileAtomic(s.o.FS, filepath.Join(s.o.Dir, waitedName), b, 0o600)
}

// Counts is what is kept of all accounts together.
type Counts struct {
	Uploads int
	Chunks  int
	Octets  int64
	Quiet   time.Duration // for how long nobody has touched the one that waits longest, by the time that passed
}

// Count returns how much is kept, what became files left out.
func (s *Store) Count() (n Counts) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.waited.Count(s.o.Clock.Now())
	for _, a := range s.accounts {
		n.Octets += a.octets
		for _, u := range a.uploads {
			if u.head.Done == nil {
				n.Uploads++
				n.Chunks += len(u.chunks)
				n.Quiet = max(n.Quiet, now-u.touched)
			}
		}
	}
	return n
}

// Octets returns how many octets of an account are kept.
func (s *Store) Octets(id holdfast.ID) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.accounts[id]; a != nil {
		return a.octets
	}
	return 0
}

// Forget removes all that is kept of an account: it is erased.
func (s *Store) Forget(id holdfast.ID) error {
	s.mu.Lock()
	var all []*upload
	if a := s.accounts[id]; a != nil {
		for _, u := range a.uploads {
			all = append(all, u)
		}
	}
	s.mu.Unlock()
	var err error
	for _, u := range all {
		if e := s.remove(u); !holdfast.IsKind(e, holdfast.NotFound) {
			err = errors.Join(err, e)
		}
	}
	if err == nil {
		err = s.sweepAccount(s.dir(id))
	}
	if err == nil {
		if err = s.o.FS.Remove(s.dir(id)); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
	}
	if err == nil {
		err = s.o.FS.SyncDir(s.o.Dir)
	}
	if err != nil {
		return s.fail("Forget", id.String(), err)
	}
	return nil
}

func (s *Store) dir(id holdfast.ID) string { return filepath.Join(s.o.Dir, id.String()) }

// fail makes an error of the store, and remembers that of a directory that could not be synced: nobody knows then which names are durable, and nothing is taken any more.
func (s *Store) fail(op, ref string, err error) error {
	var known *holdfast.Error
	var sync *vfs.SyncError
	if errors.As(err, &sync) && sync.Dir {
		s.mu.Lock()
		s.failed = err
		s.mu.Unlock()
	}
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return err
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
		return blame(op, holdfast.Full, ref, "the disk is full; what was sent before is kept", err)
	}
	return blame(op, holdfast.Unavailable, ref, "the disk of the uploads answered with an error", err)
}

func (s *Store) working(op string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil {
		return blame(op, holdfast.Unavailable, s.o.Dir, "the disk of the uploads failed to make a name durable; restart Holdfast once the disk is well", s.failed)
	}
	return nil
}

func blame(op string, kind holdfast.ErrorKind, ref, text string, err error) error {
	return &holdfast.Error{Op: "uploads." + op, Kind: kind, Ref: ref, Text: text, Err: err}
}

func noSuch(op, name string) error {
	return blame(op, holdfast.NotFound, name, "there is no such upload; it was ended, or nobody went on with it for too long. Begin it anew", nil)
}
