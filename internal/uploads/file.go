package uploads

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/clock"
	"holdfast/internal/vfs"
)

const (
	format   = 1
	headName = "upload.json"
	taking   = ".new-"
	chunked  = "c-"
	// maxHead is how many octets a head has at most.
	maxHead = 64 << 10
)

// head is what lies in the file of an upload.
type head struct {
	Format      int           `json:"format"`
	Name        string        `json:"name"`
	Destination string        `json:"destination,omitempty"`
	Length      int64         `json:"length"`
	Made        time.Time     `json:"made"`
	Touched     time.Duration `json:"touched_ns"` // how much time the service had run by then
	Done        *Outcome      `json:"done,omitempty"`
}

func fileOf(chunk string) string { return chunked + hex.EncodeToString([]byte(chunk)) }

// chunkOf reads the name of a chunk out of that of its file.
func chunkOf(file string) (string, bool) {
	digits, ok := strings.CutPrefix(file, chunked)
	name, err := hex.DecodeString(digits)
	return string(name), ok && err == nil && CheckChunk(string(name)) == nil && fileOf(string(name)) == file
}

// found makes the directory of an upload with its head, durably.
func (s *Store) found(u *upload) error {
	if err := vfs.MkdirDurable(s.o.FS, u.dir, 0o700); err != nil {
		return err
	}
	err := s.write(u.dir, &u.head)
	if err != nil { // nobody was told of it
		_ = s.removeAll(u.dir)
	}
	return err
}

// write makes a head durable.
func (s *Store) write(dir string, h *head) error {
	b, err := json.Marshal(h)
	if err == nil && len(b) >= maxHead {
		err = blame("Begin", holdfast.Invalid, h.Name, "what is said of this upload is too long", nil)
	}
	if err != nil {
		return err
	}
	return vfs.WriteFileAtomic(s.o.FS, filepath.Join(dir, headName), append(b, '\n'), 0o600)
}

// touch writes down when an upload was touched.
func (s *Store) touch(u *upload) error {
	u.disk.Lock()
	defer u.disk.Unlock()
	s.mu.Lock()
	h, gone := u.head, u.gone || u.making
	h.Touched = u.touched
	s.mu.Unlock()
	if gone || h.Done != nil {
		return nil
	}
	if err := s.write(u.dir, &h); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u.head.Touched = h.Touched
	return nil
}

// surplus lets go of what became of uploads of an account, the oldest first, where that is too much to remember.
func (s *Store) surplus(id holdfast.ID) {
	s.mu.Lock()
	var done []*upload
	if a := s.accounts[id]; a != nil {
		for _, u := range a.uploads {
			if u.head.Done != nil && u.busy == 0 {
				done = append(done, u)
			}
		}
	}
	s.mu.Unlock()
	if len(done) <= maxRemembered {
		return
	}
	slices.SortFunc(done, func(a, b *upload) int { return cmp.Compare(a.touched, b.touched) })
	for _, u := range done[:len(done)-maxRemembered] {
		if err := s.remove(u); err != nil {
			s.o.Log.Warn("what became of an upload could not be forgotten", "account", id, "err", err)
		}
	}
}

// read lists what the directory holds, and removes what is nothing.
func (s *Store) read() error {
	b, err := vfs.ReadFile(s.o.FS, filepath.Join(s.o.Dir, waitedName))
	if err == nil {
		err = json.Unmarshal(b, &s.waited)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // then it is counted anew, and all is kept longer
		s.o.Log.Warn("it cannot be read how long uploads are there", "dir", s.o.Dir, "err", err)
		s.waited = clock.Waited{}
	}
	list, err := s.o.FS.ReadDir(s.o.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := vfs.RemoveTemps(s.o.FS, s.o.Dir); err != nil {
		return err
	}
	for _, e := range list {
		if id, err := holdfast.ParseID(e.Name()); err == nil && e.IsDir() {
			if err := s.readAccount(id); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Store) readAccount(id holdfast.ID) error {
	list, err := s.o.FS.ReadDir(s.dir(id))
	if err != nil {
		return err
	}
	a := &account{uploads: map[string]*upload{}}
	for _, e := range list {
		if _, err := holdfast.ParseID(e.Name()); err != nil || !e.IsDir() {
			continue
		}
		u, err := s.readUpload(id, filepath.Join(s.dir(id), e.Name()))
		if err != nil {
			return err
		}
		if u == nil {
			continue
		}
		if err := s.older(a, u); err != nil {
			return err
		}
		s.waited.Total = max(s.waited.Total, u.touched) // the file that says it may be older
	}
	for _, u := range a.uploads {
		for _, c := range u.chunks {
			a.octets += c.Size
			u.octets += c.Size
		}
	}
	if len(a.uploads) > 0 {
		s.accounts[id] = a
	}
	return nil
}

// older lists an upload. Of two with one name the process was killed when the second was begun: the first had become a file, and goes.
func (s *Store) older(a *account, u *upload) error {
	was := a.uploads[u.head.Name]
	a.uploads[u.head.Name] = u
	if was == nil {
		return nil
	}
	if u.head.Done != nil && was.head.Done == nil {
		a.uploads[u.head.Name], was = was, u
	}
	return s.removeAll(was.dir)
}

// readUpload reads the directory of an upload; nil where it is none, and was removed.
func (s *Store) readUpload(id holdfast.ID, dir string) (*upload, error) {
	u := &upload{account: id, dir: dir, chunks: map[string]Chunk{}, lost: map[string]bool{}}
	b, err := vfs.ReadFile(s.o.FS, filepath.Join(dir, headName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, s.removeAll(dir)
	}
	if err == nil {
		err = json.Unmarshal(b, &u.head)
	}
	if err == nil && u.head.Format != format {
		err = fmt.Errorf("it has format %d; this version knows %d", u.head.Format, format)
	}
	if err != nil { // it stays, for who may be able to read it
		s.o.Log.Warn("an upload cannot be read, and is passed over", "account", id, "dir", dir, "err", err)
		return nil, nil
	}
	u.touched = u.head.Touched
	list, err := s.o.FS.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range list {
		if err := s.readChunk(u, e.Name()); err != nil {
			return nil, err
		}
	}
	return u, nil
}

// readChunk lists one file of an upload's directory. What is no chunk is removed. A damaged one is none: its client sees that it is not there, and sends it again.
func (s *Store) readChunk(u *upload, file string) error {
	if file == headName {
		return nil
	}
	name := filepath.Join(u.dir, file)
	chunk, ok := chunkOf(file)
	if !ok || u.head.Done != nil {
		return s.o.FS.Remove(name)
	}
	f, err := s.o.FS.OpenFile(name, vfs.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	b, err := blob.NameStored(f, st.Size())
	if holdfast.IsKind(err, holdfast.Corrupt) {
		s.o.Log.Warn("a part of an upload is damaged, and must come again", "account", u.account, "upload", u.head.Name, "chunk", chunk, "err", err)
		u.lost[chunk] = true
		return nil
	}
	if err != nil {
		return err
	}
	u.chunks[chunk] = Chunk{chunk, b, st.ModTime().UTC()}
	return nil
}

// sweepAccount removes what is left in the directory of an account.
func (s *Store) sweepAccount(dir string) error {
	list, err := s.o.FS.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range list {
		if e.IsDir() {
			err = errors.Join(err, s.removeAll(filepath.Join(dir, e.Name())))
		} else {
			err = errors.Join(err, s.o.FS.Remove(filepath.Join(dir, e.Name())))
		}
	}
	return err
}

// removeAll removes a directory and its files.
func (s *Store) removeAll(dir string) error {
	list, err := s.o.FS.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range list {
		err = errors.Join(err, s.o.FS.Remove(filepath.Join(dir, e.Name())))
	}
	if err == nil {
		err = s.o.FS.Remove(dir)
	}
	return err
}

// natural orders names as people count: a run of digits by its number, the rest by its octets. It is the order in which Nextcloud makes a file of chunks.
func natural(a, b string) int {
	for i, j := 0, 0; ; {
		if i == len(a) || j == len(b) {
			return cmp.Or(cmp.Compare(len(a)-i, len(b)-j), strings.Compare(a, b))
		}
		if !digit(a[i]) || !digit(b[j]) {
			if a[i] != b[j] {
				return cmp.Compare(a[i], b[j])
			}
			i, j = i+1, j+1
			continue
		}
		m, n := run(a[i:]), run(b[j:])
		x, y := strings.TrimLeft(a[i:i+m], "0"), strings.TrimLeft(b[j:j+n], "0")
		if c := cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(x, y)); c != 0 {
			return c
		}
		i, j = i+m, j+n
	}
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// run is how many digits a text begins with.
func run(s string) (n int) {
	for n < len(s) && digit(s[n]) {
		n++
	}
	return n
}
