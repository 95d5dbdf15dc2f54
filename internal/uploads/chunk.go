package uploads

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/vfs"
)

// Put is a chunk that comes.
type Put struct {
	Upload string
	Chunk  string
	Octets io.Reader // read to its end
	Size   int64     // how many octets are to come; below 0: that was not said
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
	if err := s.mayHave(m, max(0, p.Size)); err != nil {
		return c, false, err
	}
	defer m.giveBack()
	name := filepath.Join(u.dir, fmt.Sprintf("%s%d", taking, s.next.Add(1)))
	b, err := s.takeIn(ctx, name, m, p.Size)
	if p.Size >= 0 && (err == nil && b.Size != p.Size || holdfast.IsKind(err, holdfast.TooLarge) && m.held > p.Size) {
		err = blame("Put", holdfast.Invalid, p.Chunk, fmt.Sprintf("more or fewer octets came than the %d that were said; nothing was stored", p.Size), nil)
	}
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
	_, there := u.chunks[name]
	switch {
	case there:
		return nil
	case len(u.chunks) >= MaxChunks:
		return blame("Put", holdfast.TooLarge, name, fmt.Sprintf("an upload has at most %d chunks; send larger ones", MaxChunks), nil)
	case s.chunksOf(u.account) >= s.o.Chunks:
		return blame("Put", holdfast.Quota, name, fmt.Sprintf("uploads of this account that are not finished have %d chunks, which is the most; finish or delete some, or send larger chunks", s.o.Chunks), nil)
	}
	return nil
}

// chunksOf counts the chunks of an account: also an empty one takes a file and memory, which no allowance counts. The lock is held.
func (s *Store) chunksOf(id holdfast.ID) (n int) {
	if a := s.accounts[id]; a != nil {
		for _, u := range a.uploads {
			n += len(u.chunks)
		}
	}
	return n
}

// takeIn writes a chunk's file, synced, under a name that nobody looks for.
func (s *Store) takeIn(ctx context.Context, name string, r io.Reader, size int64) (b holdfast.Blob, err error) {
	own := func(err error) error { return s.fail("Put", name, err) }
	most := size + 1 // one more tells that there are too many
	if size < 0 {
		most = maxChunk
	}
	f, err := s.o.FS.OpenFile(name, vfs.O_RDWR|vfs.O_CREATE|vfs.O_EXCL, 0o600)
	if err != nil {
		return b, own(err)
	}
	if b, err = blob.Take(ctx, f, r, most, own); err == nil {
		err = own(f.SyncData())
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
	delete(u.lost, c.Name)
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
	if err := s.fits(m, n); err != nil {
		return err
	}
	s.accounts[m.u.account].octets += n
	m.u.octets += n
	m.held += n
	return nil
}

// mayHave says before the first octet comes whether so many are too much.
func (s *Store) mayHave(m *meter, n int64) error {
	if n > 0 && s.o.Room != nil && !s.o.Room(n) {
		return blame("Put", holdfast.Full, m.p.Chunk, "the disk is nearly full; what was sent before is kept", nil)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fits(m, n)
}

// fits says whether so many octets more are too much. The lock is held.
func (s *Store) fits(m *meter, n int64) error {
	a, old := s.accounts[m.u.account], m.u.chunks[m.p.Chunk].Size
	switch {
	case m.u.gone:
		return noSuch("Put", m.p.Upload)
	case m.u.octets-old+n > m.p.Most:
		return blame("Put", holdfast.TooLarge, m.p.Chunk, fmt.Sprintf("the file would have more than %d octets, which is the most that is taken", m.p.Most), nil)
	case a.octets-old+n > m.p.Room:
		return blame("Put", holdfast.Quota, m.p.Chunk, fmt.Sprintf("the account's allowance is used up, with %d octets of uploads that are not finished, which go after %s; finish or delete those, or delete something else", a.octets, s.o.Keep), nil)
	case s.o.Octets > 0 && a.octets-old+n > s.o.Octets:
		return blame("Put", holdfast.Quota, m.p.Chunk, fmt.Sprintf("uploads of this account that are not finished have %d octets, and may have %d; finish or delete some", a.octets, s.o.Octets), nil)
	}
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
	lost := u.lost[chunk]
	s.mu.Unlock()
	if !there && !lost {
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
	s.forget(u, chunk)
	delete(u.lost, chunk)
	return nil
}

// forget takes a chunk off the list. The lock is held.
func (s *Store) forget(u *upload, chunk string) {
	s.accounts[u.account].octets -= u.chunks[chunk].Size
	u.octets -= u.chunks[chunk].Size
	delete(u.chunks, chunk)
}
