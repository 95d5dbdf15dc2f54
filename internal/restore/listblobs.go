package restore

import (
	"context"
	"slices"
	"strings"

	"holdfast"
	"holdfast/internal/store"
)

// lister lists the blobs that an engine's changes name. What is read in one snapshot is bounded.
type lister struct {
	e          store.Engine
	account    holdfast.ID
	collection string
}

// pageOfBlobs is how much of a listing is read in one snapshot.
const pageOfBlobs = 500

// accounts calls fn with the accounts. One of all that is erased meanwhile is passed over.
func (l lister) accounts(ctx context.Context, fn func(holdfast.ID) error) error {
	if !l.account.IsZero() {
		return fn(l.account)
	}
	for after, more := (holdfast.ID{}), true; more; {
		var list []holdfast.Account
		if err := look(ctx, l.e, func(s store.Snapshot) (err error) { list, err = s.Accounts(after, pageOfBlobs); return err }); err != nil {
			return err
		}
		for _, a := range list {
			if err := fn(a.ID); err != nil {
				if gone, e := l.gone(ctx, a.ID); e != nil || !gone {
					return err
				}
			}
			after = a.ID
		}
		more = len(list) == pageOfBlobs
	}
	return nil
}

func (l lister) gone(ctx context.Context, id holdfast.ID) (gone bool, err error) {
	err = look(ctx, l.e, func(s store.Snapshot) (err error) { gone, err = s.Erased(id); return err })
	return gone, err
}

// each calls fn with all that is named, each once in an account.
func (l lister) each(ctx context.Context, fn func(wish) error) error {
	return l.accounts(ctx, func(id holdfast.ID) error {
		if l.collection != "" {
			return l.within(ctx, id, fn)
		}
		return store.EachBlob(ctx, l.e, id, holdfast.Hash{}, func(b holdfast.Blob) error { return fn(wish{account: id, Blob: b}) })
	})
}

// within calls fn with what changes in one collection name, and below it.
func (l lister) within(ctx context.Context, id holdfast.ID, fn func(wish) error) error {
	t, err := treeOf(ctx, l.e, id)
	if err != nil {
		return err
	}
	if !t.has(l.collection) {
		return fail("CopyBlobs", holdfast.NotFound, l.collection, "the account has no such collection; a path is like files/Photos", nil)
	}
	seen := map[holdfast.Hash]bool{}
	return eachChange(ctx, l.e, id, func(_ store.Snapshot, x *holdfast.Change) error {
		if x.Blob == nil || seen[x.Blob.Hash] || !t.inside(x.Collection, l.collection) {
			return nil
		}
		seen[x.Blob.Hash] = true
		return fn(wish{account: id, Blob: *x.Blob})
	})
}

// live calls fn with what the files name that are there now; one that lies in two places comes twice.
func (l lister) live(ctx context.Context, fn func(wish) error) error {
	return l.accounts(ctx, func(id holdfast.ID) error {
		t, err := treeOf(ctx, l.e, id)
		if err != nil {
			return err
		}
		for _, c := range t.folders() {
			if l.collection != "" && !t.inside(c, l.collection) {
				continue
			}
			if err := l.files(ctx, id, c, fn); err != nil {
				return err
			}
		}
		return nil
	})
}

// files calls fn with what the files of one collection name.
func (l lister) files(ctx context.Context, id, collection holdfast.ID, fn func(wish) error) error {
	for at, more := "", true; more; {
		var list []wish
		n := 0
		err := look(ctx, l.e, func(s store.Snapshot) error {
			if err := s.List(collection, at, pageOfBlobs, 0, func(r *holdfast.Resource) error {
				n, at = n+1, strings.Clone(r.Name)
				if r.Kind == holdfast.KindFile && r.State == holdfast.Live && r.Size > 0 {
					list = append(list, wish{account: id, Blob: holdfast.Blob{Hash: r.ETag, Size: r.Size}})
				}
				return nil
			}); err != nil {
				return err
			}
			var err error
			list = slices.DeleteFunc(list, func(w wish) bool { // most are bodies
				is, e := s.NamesBlob(id, w.Hash)
				err = firstErr(err, e)
				return !is
			})
			return err
		})
		if holdfast.IsKind(err, holdfast.NotFound) { // it was deleted meanwhile
			return nil
		}
		if err != nil {
			return err
		}
		for _, w := range list {
			if err := fn(w); err != nil {
				return err
			}
		}
		more = n == pageOfBlobs
	}
	return nil
}

// look runs fn over a snapshot of an engine.
func look(ctx context.Context, e store.Engine, fn func(store.Snapshot) error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	snap, err := e.Snapshot(ctx)
	if err != nil {
		return err
	}
	defer snap.Close()
	return fn(snap)
}

// eachChange calls fn with an account's changes, without their octets, and a snapshot that is open for the moment.
func eachChange(ctx context.Context, e store.Engine, id holdfast.ID, fn func(store.Snapshot, *holdfast.Change) error) error {
	for seq, more := uint64(0), true; more; {
		var list []*holdfast.Change
		if err := look(ctx, e, func(s store.Snapshot) error {
			if err := s.Changes(id, seq, pageOfBlobs, 0, func(x *holdfast.Change) error {
				y := *x
				y.Name = strings.Clone(x.Name)
				list = append(list, &y)
				return nil
			}); err != nil {
				return err
			}
			for _, x := range list {
				if err := fn(s, x); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
		if more = len(list) == pageOfBlobs; more {
			seq = list[len(list)-1].Seq
		}
	}
	return nil
}

// tree is where an account's collections lie.
type tree struct {
	root  holdfast.ID
	email string
	all   map[holdfast.ID]*holdfast.Collection
}

func treeOf(ctx context.Context, e store.Engine, id holdfast.ID) (*tree, error) {
	t := &tree{root: id, email: id.String(), all: map[holdfast.ID]*holdfast.Collection{}}
	err := look(ctx, e, func(s store.Snapshot) error {
		a, err := s.Account(id)
		if err != nil {
			return err
		}
		t.email = a.Email
		list, err := s.Collections(id)
		for i := range list {
			t.all[list[i].ID] = &list[i]
		}
		return err
	})
	return t, err
}

// folders returns the collections that can have files and are there.
func (t *tree) folders() (out []holdfast.ID) {
	for id, c := range t.all {
		if !c.Gone && (c.Type == holdfast.TypeFolder || c.Type == holdfast.TypeHome) {
			out = append(out, id)
		}
	}
	slices.SortFunc(out, holdfast.ID.Compare)
	return out
}

func (t *tree) pathOf(id holdfast.ID) string {
	var names []string
	for c := t.all[id]; c != nil && c.ID != t.root && len(names) <= len(t.all); c = t.all[c.Parent] {
		names = append(names, c.Name)
	}
	slices.Reverse(names)
	return strings.Join(names, "/")
}

// inside tells whether a collection is the one that a path names, or lies in it.
func (t *tree) inside(id holdfast.ID, path string) bool {
	return strings.HasPrefix(t.pathOf(id)+"/", strings.Trim(path, "/")+"/")
}

func (t *tree) has(path string) bool {
	for id := range t.all {
		if t.pathOf(id) == strings.Trim(path, "/") {
			return true
		}
	}
	return false
}
