package asof

import (
	"holdfast"
	"holdfast/internal/store"
)

// Head implements [store.History].
func (v *View) Head(id holdfast.ID) (store.Head, error) {
	a, err := v.there("Head", id)
	if err != nil || a.hides {
		return headOf(a), err
	}
	return v.base.Head(id)
}

// NamesBlob implements [store.History]: of the newest state, as what is not acknowledged yet needs its octets too.
func (v *View) NamesBlob(id holdfast.ID, h holdfast.Hash) (bool, error) {
	return v.base.NamesBlob(id, h)
}

// Blobs implements [store.History]: of the newest state.
func (v *View) Blobs(id holdfast.ID, from holdfast.Hash, limit int, fn func(holdfast.Blob) error) error {
	return v.base.Blobs(id, from, limit, fn)
}

func headOf(a *account) store.Head {
	if a == nil {
		return store.Head{}
	}
	return a.head
}

// Chain implements [store.History].
func (v *View) Chain(id holdfast.ID, seq uint64) (store.Head, error) {
	a, err := v.there("Chain", id)
	if err == nil && a.hides && seq > a.head.Seq {
		err = missing("Chain", id.String(), "seq")
	}
	if err != nil {
		return store.Head{}, err
	}
	return v.base.Chain(id, seq)
}

// Changes implements [store.History].
func (v *View) Changes(id holdfast.ID, after uint64, limit int, f store.Fields, fn func(*holdfast.Change) error) error {
	a, err := v.there("Changes", id)
	switch {
	case err != nil:
		return err
	case !a.hides:
		return v.base.Changes(id, after, limit, f, fn)
	case after >= a.head.Seq:
		return nil
	}
	return enough(v.base.Changes(id, after, limit, f, func(ch *holdfast.Change) error {
		if ch.Seq > a.head.Seq {
			return errEnough
		}
		return fn(ch)
	}))
}

// Versions implements [store.History].
func (v *View) Versions(id holdfast.ID, name string, f store.Fields, fn func(*holdfast.Change) error) error {
	a, c, err := v.of(id)
	if err != nil {
		return err
	}
	if c == nil || c.items[name] == nil {
		return v.base.Versions(id, name, f, fn)
	}
	if c.items[name].was == nil {
		return missing("Versions", name, "resource")
	}
	return v.base.Versions(id, name, f, func(ch *holdfast.Change) error {
		if ch.Seq > a.head.Seq {
			return nil
		}
		return fn(ch)
	})
}

// past returns what stands for a seq in the snapshot beneath; 0: now. Errors: NotFound.
func (a *account) past(op, ref string, seq uint64) (uint64, error) {
	switch {
	case !a.hides:
		return seq, nil
	case seq > a.head.Seq:
		return 0, missing(op, ref, "seq")
	case seq == 0:
		return a.head.Seq, nil
	}
	return seq, nil
}

// ResourceAt implements [store.History].
func (v *View) ResourceAt(id holdfast.ID, name string, seq uint64, f store.Fields) (holdfast.Resource, error) {
	a, _, err := v.of(id)
	if err == nil {
		seq, err = a.past("ResourceAt", name, seq)
	}
	if err != nil {
		return holdfast.Resource{}, err
	}
	return v.base.ResourceAt(id, name, seq, f)
}

// ListAt implements [store.History].
func (v *View) ListAt(id holdfast.ID, seq uint64, f store.Fields, fn func(*holdfast.Resource) error) error {
	a, _, err := v.of(id)
	if err == nil {
		seq, err = a.past("ListAt", id.String(), seq)
	}
	if err != nil {
		return err
	}
	return v.base.ListAt(id, seq, f, fn)
}

// Digest implements [store.History].
func (v *View) Digest(id holdfast.ID, seq uint64) (holdfast.Digest, error) {
	a, err := v.there("Digest", id)
	if err == nil {
		seq, err = a.past("Digest", id.String(), seq)
	}
	if err != nil {
		return holdfast.Digest{}, err
	}
	return v.base.Digest(id, seq)
}
