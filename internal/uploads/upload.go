package uploads

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"holdfast"
)

// Upload describes one upload.
type Upload struct {
	Name        string
	Destination string // as it was said when it was begun; "": it was not
	Length      int64  // of the whole file, likewise; below 0: it was not said
	Made        time.Time
	Octets      int64   // of its chunks
	Chunks      []Chunk // in the order in which they become the file
}

// Chunk describes one chunk.
type Chunk struct {
	Name string
	holdfast.Blob
	At time.Time // when it came, by the clock of then
}

// Outcome is what became of an upload: the answer that its client was to get.
type Outcome struct {
	Destination string        `json:"destination"`
	ETag        holdfast.Hash `json:"etag"`
	Created     bool          `json:"created"` // there was no such file before
	Receipt     string        `json:"receipt"`
	Timed       bool          `json:"timed"` // the time that the client said was accepted
}

// upload is one as the store has it.
type upload struct {
	account holdfast.ID
	dir     string

	disk sync.Mutex // held while names in its directory change

	// The rest is guarded by the store's lock.
	head    head
	chunks  map[string]Chunk
	lost    map[string]bool // chunks that came and were damaged on the disk since: their files stay, so that this is known after a restart too. No file is made before each has come again
	octets  int64           // of them, and of what is being taken in
	touched time.Duration
	busy    int  // chunks that are being taken in, and the making of a file
	making  bool // it is being made a file
	gone    bool
}

// New is what Begin begins. Length is below zero where nobody said it.
type New struct {
	Name        string
	Destination string
	Length      int64
}

// Begin begins an upload, durably. Errors: Exists; Quota (the account has as many as it may).
func (s *Store) Begin(id holdfast.ID, n New) error {
	if err := s.working("Begin"); err != nil {
		return err
	}
	u := &upload{account: id, chunks: map[string]Chunk{}, lost: map[string]bool{}, dir: filepath.Join(s.dir(id), holdfast.NewID(nil).String())}
	now := s.count()
	u.head = head{Format: format, Name: n.Name, Destination: n.Destination, Length: n.Length, Made: s.o.Clock.Now().UTC(), Touched: now}
	u.touched = now
	was, err := s.enter(u)
	if err != nil {
		return err
	}
	if err = s.found(u); err != nil {
		s.leave(u)
		return s.fail("Begin", n.Name, err)
	}
	s.mu.Lock()
	u.busy--
	s.mu.Unlock()
	if was != nil { // one that has become a file
		_ = s.unlink(was) // without its head, which the new one replaces, it is nothing
	}
	return nil
}

// enter takes a name for an upload; was is one of the same name that has become a file.
func (s *Store) enter(u *upload) (was *upload, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts[u.account]
	if a == nil {
		a = &account{uploads: map[string]*upload{}}
		s.accounts[u.account] = a
	}
	if was = a.uploads[u.head.Name]; was != nil && (was.head.Done == nil || was.busy > 0) {
		return nil, blame("Begin", holdfast.Exists, u.head.Name, "there is an upload of this name already", nil)
	}
	open := 0
	for _, x := range a.uploads {
		if x.head.Done == nil {
			open++
		}
	}
	if open >= s.o.Each {
		return nil, blame("Begin", holdfast.Quota, u.head.Name, fmt.Sprintf("%d uploads of this account are not finished; finish or delete some", open), nil)
	}
	if was != nil {
		was.gone = true
	}
	u.busy = 1
	a.uploads[u.head.Name] = u
	return was, nil
}

// leave takes an upload off the list.
func (s *Store) leave(u *upload) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u.gone = true
	a := s.accounts[u.account]
	if a == nil || a.uploads[u.head.Name] != u {
		return
	}
	delete(a.uploads, u.head.Name)
	for _, c := range u.chunks {
		a.octets -= c.Size
		u.octets -= c.Size
	}
	u.chunks = nil
	if len(a.uploads) == 0 && a.octets == 0 {
		delete(s.accounts, u.account)
	}
}

// get returns an upload that is under way, and holds it. The caller lets go of it.
func (s *Store) get(op string, id holdfast.ID, name string) (*upload, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.lookup(id, name)
	if u == nil {
		return nil, noSuch(op, name)
	}
	if u.making {
		return nil, blame(op, holdfast.Busy, name, "this upload is being made a file; ask again in a moment", nil)
	}
	u.busy++
	u.touched = s.waited.Count(s.o.Clock.Now())
	return u, nil
}

// lookup returns an upload that is under way; nil: there is none. The lock is held.
func (s *Store) lookup(id holdfast.ID, name string) *upload {
	if a := s.accounts[id]; a != nil {
		if u := a.uploads[name]; u != nil && !u.gone && u.head.Done == nil {
			return u
		}
	}
	return nil
}

func (s *Store) letGo(u *upload) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u.busy--
	u.touched = s.waited.Count(s.o.Clock.Now())
}

// Get describes an upload that is under way. Errors: NotFound.
func (s *Store) Get(id holdfast.ID, name string) (Upload, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.lookup(id, name)
	if u == nil {
		return Upload{}, noSuch("Get", name)
	}
	return u.describe(), nil
}

// List describes the uploads of an account that are under way, by name, without their chunks.
func (s *Store) List(id holdfast.ID) (out []Upload) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.accounts[id]; a != nil {
		for _, u := range a.uploads {
			if u.head.Done == nil && !u.gone {
				x := u.describe()
				x.Chunks = nil
				out = append(out, x)
			}
		}
	}
	slices.SortFunc(out, func(a, b Upload) int { return natural(a.Name, b.Name) })
	return out
}

// describe makes a description. The lock is held.
func (u *upload) describe() Upload {
	x := Upload{Name: u.head.Name, Destination: u.head.Destination, Length: u.head.Length, Made: u.head.Made}
	for _, c := range u.chunks {
		x.Chunks = append(x.Chunks, c)
		x.Octets += c.Size
	}
	slices.SortFunc(x.Chunks, func(a, b Chunk) int { return natural(a.Name, b.Name) })
	return x
}

// Outcome returns what became of an upload, for a day. Errors: NotFound.
func (s *Store) Outcome(id holdfast.ID, name string) (Outcome, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.accounts[id]; a != nil {
		if u := a.uploads[name]; u != nil && u.head.Done != nil {
			return *u.head.Done, nil
		}
	}
	return Outcome{}, noSuch("Outcome", name)
}

// Remove ends an upload that is under way and removes what came of it. Errors: NotFound, Busy.
func (s *Store) Remove(id holdfast.ID, name string) error {
	u, err := s.get("Remove", id, name)
	if err != nil {
		return err
	}
	defer s.letGo(u)
	return s.remove(u)
}

// remove removes an upload, durably: without its head it is nothing.
func (s *Store) remove(u *upload) error {
	u.disk.Lock()
	defer u.disk.Unlock()
	s.mu.Lock()
	gone, making := u.gone, u.making
	s.mu.Unlock()
	switch {
	case gone:
		return noSuch("Remove", u.head.Name)
	case making:
		return blame("Remove", holdfast.Busy, u.head.Name, "this upload is being made a file; ask again in a moment", nil)
	}
	err := s.o.FS.Remove(filepath.Join(u.dir, headName))
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = s.o.FS.SyncDir(u.dir)
	}
	if err != nil {
		return s.fail("Remove", u.head.Name, err)
	}
	s.leave(u)
	_ = s.unlink(u) // what stays is removed at the next start
	return nil
}

// unlink removes the files of an upload, and its directory.
func (s *Store) unlink(u *upload) error { return s.removeAll(u.dir) }
