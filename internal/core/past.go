package core

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"holdfast"
	"holdfast/internal/store"
)

// Past is what was of one account, and the way back to it, in the hands of who may have it: its owner, or the operator.
type Past struct {
	s     *Service
	owner holdfast.ID
	by    holdfast.Actor
}

// Past lets a principal at the past of its own account. What guests wrote there belongs to it. Errors: Forbidden, NotFound, Unavailable, InDoubt.
func (s *Service) Past(ctx context.Context, p holdfast.Principal, owner holdfast.ID) (*Past, error) {
	if _, err := s.active(ctx, p, owner); err != nil {
		return nil, err
	}
	return &Past{s, owner, p.Actor()}, nil
}

// PastOf is Past for the operator, who may look at and bring back every account, a suspended one too. It never serves a face that others reach. Errors: NotFound.
func (s *Service) PastOf(ctx context.Context, owner holdfast.ID) (*Past, error) {
	if _, err := s.person(ctx, owner.String()); err != nil {
		return nil, err
	}
	return &Past{s, owner, holdfast.Actor{}}, nil
}

// treeOfAll is where all collections of an account hang, or hung last: the deleted ones too.
type treeOfAll struct {
	root     holdfast.ID
	all      map[holdfast.ID]holdfast.Collection
	children map[holdfast.ID][]holdfast.ID // live ones first
}

func readTreeOfAll(snap store.Snapshot, root holdfast.ID) (treeOfAll, error) {
	list, err := snap.Collections(root)
	t := treeOfAll{root: root, all: make(map[holdfast.ID]holdfast.Collection, len(list))}
	for _, c := range list {
		t.all[c.ID] = c
	}
	t.link()
	return t, err
}

// link finds anew what hangs where.
func (t *treeOfAll) link() {
	t.children = map[holdfast.ID][]holdfast.ID{}
	for _, live := range []bool{true, false} {
		for _, id := range slices.SortedFunc(maps.Keys(t.all), holdfast.ID.Compare) {
			if c := t.all[id]; id != t.root && c.Gone != live {
				t.children[c.Parent] = append(t.children[c.Parent], id)
			}
		}
	}
}

// path returns where a collection hangs or hung last, "calendars/work"; empty for the root.
func (t treeOfAll) path(id holdfast.ID) string {
	var names []string
	for c, ok := t.all[id]; ok && c.ID != t.root && len(names) < maxDepth; c, ok = t.all[c.Parent] {
		names = append(names, c.Name)
	}
	slices.Reverse(names)
	return strings.Join(names, "/")
}

// maxDepth ends a walk up a tree that was damaged into a ring.
const maxDepth = 1000

// pathOf returns the path of an item; empty for the root's records, which have none.
func (t treeOfAll) pathOf(collection holdfast.ID, name string) string {
	if collection == t.root {
		return ""
	}
	return strings.TrimSuffix(t.path(collection)+"/"+name, "/")
}

// within tells whether a collection is one of some, or lies or lay below one.
func (t treeOfAll) within(id holdfast.ID, tops map[holdfast.ID]bool) bool {
	for n := 0; !id.IsZero() && n < maxDepth; n++ {
		if tops[id] {
			return true
		}
		id = t.all[id].Parent
	}
	return false
}

// there tells whether a collection is there: it is live, and so is what it hangs in.
func (t treeOfAll) there(id holdfast.ID) bool {
	for n := 0; n < maxDepth; n++ {
		c, ok := t.all[id]
		if !ok || c.Gone {
			return false
		}
		if id == t.root {
			return true
		}
		id = c.Parent
	}
	return false
}

// spot is what a path names: collections, or members called name of them. A path may have been that of several, one after the other.
type spot struct {
	collections []holdfast.ID
	name        string // "": the collections themselves, with what is below them
}

// locate finds what a path names or named. Errors: NotFound, which says what there is.
func (t treeOfAll) locate(snap store.Snapshot, path string) (spot, error) {
	at := []holdfast.ID{t.root}
	names := strings.Split(strings.Trim(path, "/"), "/")
	for i, n := range names {
		var next []holdfast.ID
		for _, id := range at {
			for _, k := range t.children[id] {
				if t.all[k].Name == n {
					next = append(next, k)
				}
			}
		}
		if len(next) > 0 {
			at = next
			continue
		}
		if i == len(names)-1 && i > 0 {
			return t.member(snap, at, n, path)
		}
		return spot{}, t.nothing(at, path)
	}
	return spot{collections: at}, nil
}

// member finds which of some collections ever had a member.
func (t treeOfAll) member(snap store.Snapshot, in []holdfast.ID, name, path string) (spot, error) {
	x := spot{name: name}
	for _, id := range in {
		err := snap.Versions(id, name, 0, func(*holdfast.Change) error { return errPast })
		if holdfast.IsKind(err, holdfast.NotFound) {
			continue
		}
		if err != errPast {
			return x, err
		}
		x.collections = append(x.collections, id)
	}
	if len(x.collections) == 0 {
		return x, t.nothing(in, path)
	}
	return x, nil
}

// nothing says that a path never named anything, and what there is where it ends.
func (t treeOfAll) nothing(at []holdfast.ID, path string) error {
	var have []string
	for _, id := range at {
		for _, k := range t.children[id] {
			name := t.all[k].Name
			if t.all[k].Gone {
				name += " (deleted)"
			}
			if !slices.Contains(have, name) && !strings.HasPrefix(name, copyPrefix) {
				have = append(have, name)
			}
		}
	}
	slices.Sort(have)
	where, what := cmp.Or(t.path(at[0]), "the account"), "no collections"
	if len(have) > 0 {
		const some = 20
		what = strings.Join(have[:min(some, len(have))], ", ")
		if len(have) > some {
			what += fmt.Sprintf(" and %d more", len(have)-some)
		}
	}
	return fail("History", holdfast.NotFound, path, fmt.Sprintf("nothing is or was called %s; %s holds %s", path, where, what))
}
