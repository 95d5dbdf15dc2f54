package refused

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"

	"holdfast"
	"holdfast/internal/vfs"
)

// List returns what is kept of an account, the oldest first, what waits to be written left out.
func (s *Store) List(account holdfast.ID) []Kept {
	now := s.count()
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Kept
	for _, k := range s.accounts[account] {
		if age := max(0, now-k.Since); age < s.o.Keep {
			x := *k
			x.Until = s.waited.Last.Add(s.o.Keep - age)
			out = append(out, x)
		}
	}
	return out
}

// Count returns how many bodies are kept, and their octets.
func (s *Store) Count() (n int, octets int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, list := range s.accounts {
		for _, k := range list {
			n++
			octets += k.Octets
		}
	}
	return n, octets
}

// Body reads a body, and verifies it. Errors: NotFound, Corrupt.
func (s *Store) Body(account holdfast.ID, name string) ([]byte, error) {
	found := s.find(account, func(k *Kept) bool { return k.Name == name })
	if len(found) == 0 {
		return nil, fail(holdfast.NotFound, name, "it is not kept any more", nil)
	}
	file, err := vfs.ReadFile(s.o.FS, filepath.Join(s.dir(account), name))
	if err != nil {
		return nil, fail(holdfast.Corrupt, name, "it cannot be read", err)
	}
	k, body, err := decode(file)
	if err != nil || k.Sum != found[0].Sum || holdfast.HashOf(body) != k.Sum {
		return nil, fail(holdfast.Corrupt, name, "its octets are not those that came", err)
	}
	return body, nil
}

// Remove takes bodies off the list: they were brought in.
func (s *Store) Remove(account holdfast.ID, names ...string) error {
	s.disk.Lock()
	defer s.disk.Unlock()
	return s.drop(s.find(account, func(k *Kept) bool { return slices.Contains(names, k.Name) }))
}

// Forget removes all that is kept of an account, read or not: it is erased.
func (s *Store) Forget(account holdfast.ID) error {
	s.Flush()
	s.disk.Lock()
	defer s.disk.Unlock()
	s.mu.Lock()
	delete(s.accounts, account)
	s.mu.Unlock()
	dir := s.dir(account)
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
	if err == nil {
		err = s.o.FS.SyncDir(s.o.Dir)
	}
	return err
}

// drop removes files. What cannot be removed stays on the list, and is tried again. The disk's lock is held.
func (s *Store) drop(list []*Kept) error {
	var all error
	for _, k := range list {
		err := s.o.FS.Remove(filepath.Join(s.dir(k.Account), k.Name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			s.o.Log.Warn("what was refused could not be removed", "account", k.Account, "file", k.Name, "err", err)
			all = errors.Join(all, err)
			continue
		}
		s.mu.Lock()
		s.accounts[k.Account] = slices.DeleteFunc(s.accounts[k.Account], func(x *Kept) bool { return x == k })
		if len(s.accounts[k.Account]) == 0 {
			delete(s.accounts, k.Account)
		}
		s.mu.Unlock()
	}
	return all
}

func fail(kind holdfast.ErrorKind, ref, text string, err error) error {
	return &holdfast.Error{Op: "refused", Kind: kind, Ref: ref, Text: text, Err: err}
}
