package uploads

import (
	"errors"
	"io"
	"io/fs"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/vfs"
)

// Making is an upload that is being made a file: its octets, read once from the first chunk to the last. While it is open nothing of the upload changes.
type Making struct {
	Upload
	s    *Store
	u    *upload
	left []Chunk
	open *blob.Verified
	at   int64 // in the open chunk
	bad  string
}

// Make begins to make a file of an upload. The caller closes what it gets. Errors: NotFound, Busy (chunks are coming, or it is being made one already), Invalid (a chunk that came was damaged since).
func (s *Store) Make(id holdfast.ID, name string) (*Making, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.lookup(id, name)
	switch {
	case u == nil:
		return nil, noSuch("Make", name)
	case u.busy > 0:
		return nil, blame("Make", holdfast.Busy, name, "something of this upload is still coming, or it is being made a file; ask again in a moment", nil)
	}
	for chunk := range u.lost {
		return nil, blame("Make", holdfast.Invalid, chunk, "a part of what was sent was damaged on the disk since it came; send the chunk "+chunk+" again, or delete it", nil)
	}
	u.busy, u.making = u.busy+1, true
	x := u.describe()
	return &Making{Upload: x, s: s, u: u, left: x.Chunks}, nil
}

// Read implements io.Reader. Octets that are not those that came are never handed out. Errors: Corrupt (the chunk is let go of, so that it can be sent again), Unavailable.
func (m *Making) Read(p []byte) (int, error) {
	for {
		if m.open == nil {
			if len(m.left) == 0 {
				return 0, io.EOF
			}
			if err := m.next(); err != nil {
				return 0, m.broken(err)
			}
		}
		if m.at == m.open.Size() {
			m.open.Close()
			m.open, m.left = nil, m.left[1:]
			continue
		}
		n, err := m.open.ReadAt(p[:min(int64(len(p)), m.open.Size()-m.at)], m.at)
		m.at += int64(n)
		if n > 0 || len(p) == 0 {
			return n, nil // an error comes again
		}
		return 0, m.broken(err)
	}
}

// next opens the next chunk.
func (m *Making) next() error {
	c := m.left[0]
	f, err := m.s.o.FS.OpenFile(m.u.file(c.Name), vfs.O_RDONLY, 0)
	if err != nil {
		return err
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return err
	}
	m.open, err = blob.NewVerified(f, st.Size(), c.Hash)
	m.at = 0
	return err
}

func (m *Making) broken(err error) error {
	c := m.left[0].Name
	if holdfast.IsKind(err, holdfast.Corrupt) || errors.Is(err, fs.ErrNotExist) {
		m.bad = c
		return blame("Make", holdfast.Corrupt, c, "a part of what was sent was damaged on the disk since it came; send it again", err)
	}
	return m.s.fail("Make", c, err)
}

// Done says, durably, what became of the upload, and lets its chunks go.
func (m *Making) Done(o Outcome) error {
	m.u.disk.Lock()
	defer m.u.disk.Unlock()
	h := m.u.head
	h.Done, h.Touched = &o, m.s.count()
	if err := m.s.write(m.u.dir, &h); err != nil {
		return m.s.fail("Make", h.Name, err)
	}
	m.s.mu.Lock()
	m.u.head, m.u.touched = h, h.Touched
	for _, c := range m.u.chunks {
		m.s.accounts[m.u.account].octets -= c.Size
	}
	m.u.octets = 0
	chunks := m.u.chunks
	m.u.chunks = nil
	m.s.mu.Unlock()
	var all error
	for name := range chunks {
		all = errors.Join(all, m.s.o.FS.Remove(m.u.file(name)))
	}
	if all != nil {
		m.s.o.Log.Warn("parts of an upload that is a file now could not be removed; they go with the next start", "account", m.u.account, "upload", h.Name, "err", all)
	}
	return nil
}

// Close ends it. Without Done before it the upload is as it was, but for a chunk that was found damaged.
func (m *Making) Close() {
	if m.open != nil {
		m.open.Close()
		m.open = nil
	}
	m.s.mu.Lock()
	if m.bad != "" {
		m.s.forget(m.u, m.bad)
		m.u.lost[m.bad] = true
	}
	m.u.making = false
	m.s.mu.Unlock()
	m.s.letGo(m.u)
	m.s.surplus(m.u.account)
}
