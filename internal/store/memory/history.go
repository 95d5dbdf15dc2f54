package memory

import (
	"bytes"
	"maps"
	"slices"

	"holdfast"
	"holdfast/internal/store"
)

// Head implements [store.History].
func (s *snapshot) Head(account holdfast.ID) (store.Head, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, err := s.account("Head", account)
	if err != nil {
		return store.Head{}, err
	}
	return v.head().point(), nil
}

// NamesBlob implements [store.History].
func (s *snapshot) NamesBlob(account holdfast.ID, h holdfast.Hash) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, err := s.account("NamesBlob", account)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(s.accounts[account].changes[:v.at], func(c *version) bool { return c.Blob != nil && c.Blob.Hash == h }), nil
}

// Blobs implements [store.History].
func (s *snapshot) Blobs(account holdfast.ID, from holdfast.Hash, limit int, fn func(holdfast.Blob) error) error {
	s.mu.Lock()
	v, err := s.account("Blobs", account)
	sizes := map[holdfast.Hash]int64{}
	if err == nil {
		for _, c := range s.accounts[account].changes[:v.at] {
			if c.Blob != nil && bytes.Compare(c.Blob.Hash[:], from[:]) >= 0 {
				sizes[c.Blob.Hash] = c.Blob.Size
			}
		}
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	for _, h := range cut(slices.SortedFunc(maps.Keys(sizes), func(a, b holdfast.Hash) int { return bytes.Compare(a[:], b[:]) }), limit) {
		if err := fn(holdfast.Blob{Hash: h, Size: sizes[h]}); err != nil {
			return err
		}
	}
	return nil
}

// Chain implements [store.History]. No change has seq 0: NotFound, as for one above the head.
func (s *snapshot) Chain(account holdfast.ID, seq uint64) (store.Head, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, err := s.account("Chain", account)
	if err != nil {
		return store.Head{}, err
	}
	if seq == 0 || seq > v.at {
		return store.Head{}, missing("Chain", account.String())
	}
	return v.changes[seq-1].point(), nil
}

func (v *version) point() store.Head {
	return store.Head{Epoch: v.Epoch, Seq: v.Seq, Chain: v.Chain, Batch: v.batch}
}

// Changes implements [store.History].
func (s *snapshot) Changes(account holdfast.ID, after uint64, limit int, f store.Fields, fn func(*holdfast.Change) error) error {
	s.mu.Lock()
	v, err := s.account("Changes", account)
	var all []*version
	if err == nil && after < v.at {
		all = cut(v.changes[after:v.at], limit)
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return tell(all, f, fn)
}

// Versions implements [store.History]. An item that never was is NotFound.
func (s *snapshot) Versions(id holdfast.ID, name string, f store.Fields, fn func(*holdfast.Change) error) error {
	all, err := s.gather("Versions", id, 0, func(v view, c *collection) []*version {
		return c.items[name][:search(c.items[name], v.at)]
	})
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return missing("Versions", name)
	}
	all = slices.Clone(all)
	slices.Reverse(all)
	return tell(all, f, fn)
}

func tell(all []*version, f store.Fields, fn func(*holdfast.Change) error) error {
	for _, v := range all {
		if err := fn(v.change(f)); err != nil {
			return err
		}
	}
	return nil
}

// Digest implements [store.History].
func (s *snapshot) Digest(account holdfast.ID, seq uint64) (holdfast.Digest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, err := s.account("Digest", account)
	if err != nil {
		return holdfast.Digest{}, err
	}
	if seq > v.at {
		return holdfast.Digest{}, missing("Digest", account.String())
	}
	if seq > 0 {
		v.at = seq
	}
	return v.digest(), nil
}
