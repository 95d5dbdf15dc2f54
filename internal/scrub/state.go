package scrub

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"holdfast"
	"holdfast/internal/vfs"
)

// FileName is where the state is kept, in the data directory. It may be removed: then the next round begins at the first account.
const FileName = "engine-scrub.json"

// MaxNamed bounds the findings of a round that are kept by name.
const MaxNamed = 1000

// Kinds of findings.
const (
	Octets = "octets" // a body does not have the hash that its change recorded
	Chain  = "chain"  // the change is not what was committed
	Unread = "unread" // it cannot be read
	File   = "file"   // a large file is not what was put, or is not there
	Lost   = "lost"   // it is a ghost: no damage, and mended if a vault has it after all
)

// Finding is one thing that is wrong in the engine.
type Finding struct {
	Account    holdfast.ID    `json:"account"`
	Collection holdfast.ID    `json:"collection"`
	Name       string         `json:"name,omitempty"`
	Seq        uint64         `json:"seq"`
	ETag       *holdfast.Hash `json:"etag,omitempty"` // that the octets should have
	Kind       string         `json:"kind"`
	What       string         `json:"what"`
	Found      time.Time      `json:"found"`
	Mended     bool           `json:"mended"`
	From       string         `json:"from,omitempty"` // what it was mended from
	Why        string         `json:"why,omitempty"`  // it was not, and what to do
}

// Round is one reading of everything.
type Round struct {
	Began    time.Time  `json:"began"`
	Ended    *time.Time `json:"ended"` // nil: it is under way
	Accounts int64      `json:"accounts"`
	Changes  int64      `json:"changes"`
	Bodies   int64      `json:"bodies"`
	Files    int64      `json:"files"`
	Octets   int64      `json:"octets"` // of bodies and files
	Found    int64      `json:"found"`
	Mended   int64      `json:"mended"`
	Ghosts   int64      `json:"ghosts,omitempty"` // items that are known to be lost, and that no vault has
	Findings []Finding  `json:"findings"`         // the first of them
}

// Left returns how many things that were found are not mended.
func (r *Round) Left() int64 { return r.Found - r.Mended }

// Cursor is how far a round is.
type Cursor struct {
	Account holdfast.ID    `json:"account"`
	Seq     uint64         `json:"seq"` // read up to here; all of it where Done is set
	Chain   holdfast.Hash  `json:"chain"`
	File    *holdfast.Hash `json:"file,omitempty"` // the journal was read to its end, and its large files up to this one
	Done    bool           `json:"done"`
}

// State is what is known of the engine's octets.
type State struct {
	Last   *Round `json:"last"` // that came to its end; nil: none did
	Now    *Round `json:"now"`  // nil: none is under way
	Cursor Cursor `json:"cursor"`
}

// ended returns when the last round ended; a zero time where none did.
func (s *State) ended() time.Time {
	if s.Last == nil || s.Last.Ended == nil {
		return time.Time{}
	}
	return *s.Last.Ended
}

// Seen sums a state up.
type Seen struct {
	Ended *time.Time `json:"ended"` // when everything was last read; nil: never
	Left  int64      `json:"left"`  // things that are damaged and not mended
}

// Seen sums the state up. What one round found the next finds again.
func (s *State) Seen() (out Seen) {
	if at := s.ended(); !at.IsZero() {
		out.Ended = &at
	}
	for _, r := range []*Round{s.Last, s.Now} {
		if r != nil {
			out.Left = max(out.Left, r.Left())
		}
	}
	return out
}

// Book keeps the state, in memory and on disk.
type Book struct {
	fs   vfs.FS
	name string

	mu sync.Mutex
	s  State
}

// OpenBook reads what was kept in a data directory; what cannot be read is not known.
func OpenBook(fs vfs.FS, dir string) *Book {
	b := &Book{fs: fs, name: filepath.Join(dir, FileName)}
	octets, err := vfs.ReadFile(fs, b.name)
	if err != nil || json.Unmarshal(octets, &b.s) != nil {
		b.s = State{}
	}
	return b
}

// State returns what is known. It belongs to the caller.
func (b *Book) State() State {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := b.s
	out.Last, out.Now = out.Last.clone(), out.Now.clone()
	return out
}

func (r *Round) clone() *Round {
	if r == nil {
		return nil
	}
	x := *r
	x.Findings = slices.Clone(r.Findings)
	return &x
}

// change alters the state in memory.
func (b *Book) change(fn func(*State)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	fn(&b.s)
}

// save makes the state durable.
func (b *Book) save() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	octets, err := json.Marshal(&b.s)
	if err != nil {
		return err
	}
	return vfs.WriteFileAtomic(b.fs, b.name, append(octets, '\n'), 0o600)
}
