package refused

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strconv"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/vfs"
)

// waitedName is the file that says how much time was counted.
const waitedName = "waited.json"

// maxHead bounds the first line of a file: four texts of a header, each octet written as six at most.
const maxHead = 6*4*maxText + 2048

func (s *Store) dir(account holdfast.ID) string { return filepath.Join(s.o.Dir, account.String()) }

// fileName is ordered by time; the hash tells what it holds.
func fileName(at int64, sum holdfast.Hash) string {
	return fmt.Sprintf("%016x-%s", at, sum.String()[:16])
}

// timeOf reads the time out of a name.
func timeOf(name string) (int64, bool) {
	if len(name) != 33 || name[16] != '-' {
		return 0, false
	}
	at, err := strconv.ParseInt(name[:16], 16, 64)
	return at, err == nil
}

func encode(k *Kept) ([]byte, error) {
	head, err := json.Marshal(k)
	return append(append(head, '\n'), k.Body...), err
}

func decode(file []byte) (k Kept, body []byte, err error) {
	head, body, ok := bytes.Cut(file, []byte("\n"))
	if !ok {
		return k, nil, errors.New("it has no head")
	}
	return k, body, json.Unmarshal(head, &k)
}

// read lists what the directory holds. What cannot be read is left there and named in the log.
func (s *Store) read() error {
	if err := s.readWaited(); err != nil {
		return err
	}
	list, err := s.o.FS.ReadDir(s.o.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
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
	dir := s.dir(id)
	if _, err := vfs.RemoveTemps(s.o.FS, dir); err != nil {
		return err
	}
	list, err := s.o.FS.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range list {
		k, err := s.readHead(filepath.Join(dir, e.Name()))
		at, ok := timeOf(e.Name())
		if err == nil && (!ok || k.Account != id) {
			err = errors.New("it is not of this place")
		}
		if err != nil {
			s.o.Log.Warn("what was refused cannot be read", "account", id, "file", e.Name(), "err", err)
			continue
		}
		k.Name, s.last = e.Name(), max(s.last, at)
		s.waited.Total = max(s.waited.Total, k.Since) // the file that says it may be older
		s.accounts[id] = append(s.accounts[id], k)
	}
	return nil
}

// readHead reads the head of a file, and looks whether its octets are all there.
func (s *Store) readHead(name string) (*Kept, error) {
	f, err := s.o.FS.OpenFile(name, vfs.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	head, err := bufio.NewReader(io.LimitReader(f, maxHead)).ReadBytes('\n')
	if err != nil {
		return nil, err
	}
	k := &Kept{size: max(least, st.Size())}
	if err := json.Unmarshal(head, k); err != nil {
		return nil, err
	}
	if int64(len(head))+k.Octets != st.Size() {
		return nil, fmt.Errorf("it has %d octets, and should have %d", st.Size(), int64(len(head))+k.Octets)
	}
	return k, nil
}

func (s *Store) readWaited() error {
	b, err := vfs.ReadFile(s.o.FS, filepath.Join(s.o.Dir, waitedName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(b, &s.waited)
	}
	if err != nil { // then it is counted anew, and all is kept longer
		s.o.Log.Warn("it cannot be read how long refused changes were kept", "dir", s.o.Dir, "err", err)
		s.waited = clock.Waited{}
	}
	return nil
}

// saveWaited writes down how much time was counted. The disk's lock is held.
func (s *Store) saveWaited() error {
	s.mu.Lock()
	w := s.waited
	s.mu.Unlock()
	w.Total = max(w.Total, time.Duration(0))
	b, err := json.Marshal(w)
	if err != nil {
		return err
	}
	return vfs.WriteFileAtomic(s.o.FS, filepath.Join(s.o.Dir, waitedName), b, 0o600)
}
