package uploads

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/vfs"
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
	octets  int64 // of them, and of what is being taken in
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
	u := &upload{account: id, chunks: map[string]Chunk{}, dir: filepath.Join(s.dir(id), holdfast.NewID(nil).String())}
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

// Put is a chunk that comes.
type Put struct {
	Upload string
	Chunk  string
	Octets io.Reader // read to its end
	Room   int64     // how many octets all chunks of the account may have
	Most   int64     // … and those of this upload
}

// Put takes in a chunk, in the place of one of the same name: durably, after nil. An error of the reader's is returned as it is, and nothing stays. made tells that there was none of this name.
func (s *Store) Put(ctx context.Context, id holdfast.ID, p Put) (c Chunk, made bool, err error) {
	if err := s.working("Put"); err != nil {
		return c, false, err
	}
	if err := CheckChunk(p.Chunk); err != nil {
		return c, false, err
	}
	u, err := s.get("Put", id, p.Upload)
	if err != nil {
		return c, false, err
	}
	defer s.letGo(u)
	if err := s.mayPut(u, p.Chunk); err != nil {
		return c, false, err
	}
	m := &meter{s: s, u: u, p: &p}
	defer m.giveBack()
	name := filepath.Join(u.dir, fmt.Sprintf("%s%d", taking, s.next.Add(1)))
	b, err := s.takeIn(ctx, name, m)
	if err == nil {
		c = Chunk{p.Chunk, b, s.o.Clock.Now().UTC()}
		made, err = s.keep(u, name, c, m)
	}
	if err != nil {
		_ = s.o.FS.Remove(name) // what cannot be removed now is at the next start
	}
	return c, made, err
}

// CheckChunk judges the name of a chunk. Errors: Invalid.
func CheckChunk(name string) error {
	switch {
	case holdfast.CheckName(name) != nil || name[0] == '.':
		return blame("Put", holdfast.Invalid, name, "this cannot be the name of a chunk; chunks are numbered", nil)
	case len(name) > MaxChunkName:
		return blame("Put", holdfast.Invalid, name, fmt.Sprintf("the name of a chunk has at most %d octets", MaxChunkName), nil)
	}
	return nil
}

// mayPut says whether an upload may have one more chunk.
func (s *Store) mayPut(u *upload, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, there := u.chunks[name]; !there && len(u.chunks) >= MaxChunks {
		return blame("Put", holdfast.TooLarge, name, fmt.Sprintf("an upload has at most %d chunks; send larger ones", MaxChunks), nil)
	}
	return nil
}

// takeIn writes a chunk's file, synced, under a name that nobody looks for.
func (s *Store) takeIn(ctx context.Context, name string, r io.Reader) (b holdfast.Blob, err error) {
	own := func(err error) error { return s.fail("Put", name, err) }
	f, err := s.o.FS.OpenFile(name, vfs.O_RDWR|vfs.O_CREATE|vfs.O_EXCL, 0o600)
	if err != nil {
		return b, own(err)
	}
	sum := blob.NewSummer()
	if err = blob.Copy(ctx, io.MultiWriter(sum, f), r, maxChunk, own); err == nil {
		var behind []byte
		b, behind = sum.End()
		if _, err = f.Write(behind); err == nil {
			err = f.SyncData()
		}
		err = own(err)
	}
	if cerr := f.Close(); err == nil {
		err = own(cerr)
	}
	return b, err
}

// maxChunk is more octets than any chunk has.
const maxChunk = 1 << 62

// keep gives a chunk that was taken in its name, durably.
func (s *Store) keep(u *upload, from string, c Chunk, m *meter) (made bool, err error) {
	u.disk.Lock()
	defer u.disk.Unlock()
	if err := s.stillOpen("Put", u); err != nil {
		return false, err
	}
	if err := s.mayPut(u, c.Name); err != nil { // others came meanwhile
		return false, err
	}
	if err := s.o.FS.Rename(from, u.file(c.Name)); err != nil {
		return false, s.fail("Put", c.Name, err)
	}
	if err := s.o.FS.SyncDir(u.dir); err != nil {
		return false, s.fail("Put", c.Name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old, was := u.chunks[c.Name]
	u.chunks[c.Name] = c
	m.kept(old.Size)
	return !was, nil
}

// stillOpen tells whether an upload that is held was ended meanwhile.
func (s *Store) stillOpen(op string, u *upload) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case u.gone || u.head.Done != nil:
		return noSuch(op, u.head.Name)
	case u.making:
		return blame(op, holdfast.Busy, u.head.Name, "this upload is being made a file; ask again in a moment", nil)
	}
	return nil
}

func (u *upload) file(chunk string) string { return filepath.Join(u.dir, fileOf(chunk)) }

// meter counts octets as they come, and ends what becomes too much.
type meter struct {
	s    *Store
	u    *upload
	p    *Put
	held int64 // counted in the account, and of no chunk yet
}

// Read implements io.Reader.
func (m *meter) Read(b []byte) (int, error) {
	n, err := m.p.Octets.Read(b)
	if n > 0 {
		if full := m.s.charge(m, int64(n)); full != nil {
			return 0, full
		}
	}
	return n, err
}

// charge counts octets more.
func (s *Store) charge(m *meter, n int64) error {
	if s.o.Room != nil && m.held/roomEvery != (m.held+n)/roomEvery && !s.o.Room(roomEvery) {
		return blame("Put", holdfast.Full, m.p.Chunk, "the disk is nearly full; what was sent before is kept", nil)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a, old := s.accounts[m.u.account], m.u.chunks[m.p.Chunk].Size
	switch {
	case m.u.gone:
		return noSuch("Put", m.p.Upload)
	case m.u.octets-old+n > m.p.Most:
		return blame("Put", holdfast.TooLarge, m.p.Chunk, fmt.Sprintf("the file would have more than %d octets, which is the most that is taken", m.p.Most), nil)
	case a.octets-old+n > m.p.Room:
		return blame("Put", holdfast.Quota, m.p.Chunk, "the account's allowance is used up; delete something or ask for more", nil)
	case s.o.Octets > 0 && a.octets-old+n > s.o.Octets:
		return blame("Put", holdfast.Quota, m.p.Chunk, fmt.Sprintf("uploads of this account that are not finished have %d octets, and may have %d; finish or delete some", a.octets, s.o.Octets), nil)
	}
	a.octets += n
	m.u.octets += n
	m.held += n
	return nil
}

// roomEvery is how many octets come between two looks at the disk's room.
const roomEvery = 16 << 20

// kept says that what was counted is a chunk's now, and old octets are gone. The lock is held.
func (m *meter) kept(old int64) {
	m.s.accounts[m.u.account].octets -= old
	m.u.octets -= old
	m.held = 0
}

// giveBack counts what is of no chunk no more.
func (m *meter) giveBack() {
	m.s.mu.Lock()
	defer m.s.mu.Unlock()
	m.u.octets -= m.held
	if a := m.s.accounts[m.u.account]; a != nil {
		a.octets -= m.held
		if m.held = 0; len(a.uploads) == 0 && a.octets == 0 {
			delete(m.s.accounts, m.u.account)
		}
	}
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

// RemoveChunk removes a chunk, durably. Errors: NotFound, Busy.
func (s *Store) RemoveChunk(id holdfast.ID, name, chunk string) error {
	u, err := s.get("RemoveChunk", id, name)
	if err != nil {
		return err
	}
	defer s.letGo(u)
	u.disk.Lock()
	defer u.disk.Unlock()
	if err := s.stillOpen("RemoveChunk", u); err != nil {
		return err
	}
	return s.drop(u, chunk)
}

// drop removes a chunk, durably. The upload's disk is locked.
func (s *Store) drop(u *upload, chunk string) error {
	s.mu.Lock()
	_, there := u.chunks[chunk]
	s.mu.Unlock()
	if !there {
		return blame("RemoveChunk", holdfast.NotFound, chunk, "there is no such chunk", nil)
	}
	err := s.o.FS.Remove(u.file(chunk))
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = s.o.FS.SyncDir(u.dir)
	}
	if err != nil {
		return s.fail("RemoveChunk", chunk, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accounts[u.account].octets -= u.chunks[chunk].Size
	u.octets -= u.chunks[chunk].Size
	delete(u.chunks, chunk)
	return nil
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
