package core

import (
	"cmp"
	"errors"
	"maps"
	"math"
	"slices"

	"holdfast"
)

// maxFolderWalk is how many changes of an account are looked through for those of its folders. Who has not asked for longer lists anew.
const maxFolderWalk = 200_000

// walks tells whether a collection holds collections, so that its sync tokens are of the account's whole journal: a folder's own record is no change of the folder that it is in.
func walks(c *holdfast.Collection) bool { return holds(c.Type) }

// FolderChanges is Changes for what holds collections too: sub is called with those that came or changed their own record, and (now nil) those that went, by name. The limit is of members and
// folders together. Those that went come last, and none of a name that is told to be there.
func (r *Reader) FolderChanges(c *holdfast.Collection, token string, limit int, f Fields, fn func(*holdfast.Resource) error, sub func(name string, now *holdfast.Collection) error) (next string, more bool, err error) {
	var from syncToken
	if token != "" {
		if from, err = r.checkToken(c, token); err != nil {
			return "", false, err
		}
	}
	if err := r.mine(c.ID); err != nil {
		return "", false, err
	}
	owner, err := r.person(c.Account)
	if err != nil {
		return "", false, err
	}
	head, err := r.snap.Head(c.Account)
	if err != nil {
		return "", false, err
	}
	w := &folderWalk{limit: limit, last: from.seq, first: token == "", member: fn, sub: sub, there: map[string]bool{}, files: map[string]bool{}, folders: map[string]bool{}}
	if w.left, err = r.folderEvents(c, from.seq, head.Seq); err != nil {
		return "", false, err
	}
	home, bound := c.ID == r.filesHome(), boundMark{}
	if home {
		if bound, err = w.tellBound(r, from, head.Seq); err != nil {
			return "", false, err
		}
	}
	tell := r.shown(w.take)
	_, err = r.snap.ChangesSince(c.ID, from.seq, 0, f, func(x *holdfast.Resource) error {
		if err := w.upTo(x.Seq); err != nil || w.first && x.State == holdfast.Tombstone {
			return err
		}
		if err := w.count(x.Seq, 1); err != nil {
			return err
		}
		return tell(x)
	})
	if err == nil {
		err = w.upTo(math.MaxUint64)
	}
	if err == nil && home && w.first {
		err = w.hangFirst(r)
	}
	if more = errors.Is(err, errPast); err != nil && !more {
		return "", false, err
	}
	if err := w.end(); err != nil {
		return "", false, err
	}
	if more {
		if head, err = r.snap.Chain(c.Account, w.last); err != nil {
			return "", false, err
		}
		if head.Seq = w.last; w.first { // what hangs there was not told yet
			bound = boundMark{}
		}
	}
	r.saw(c, from, token == "" && !more)
	return owner.tokenAt(c.ID, head, bound), more, nil
}

// folderEvent is that a folder left the name that it had, or (now is set) how it is.
type folderEvent struct {
	seq  uint64
	gone string
	now  *holdfast.Collection
}

// folderWalk tells of members and folders in the order of their changes, up to a limit. A page may end between any two of them: what a name was left at is told at that change, and not at the last
// one of who left it, or the page after would begin where it is forgotten.
type folderWalk struct {
	limit, told    int
	last           uint64 // of what was told
	first          bool   // everything is told: nothing went
	left           []folderEvent
	member         func(*holdfast.Resource) error
	sub            func(string, *holdfast.Collection) error
	there          map[string]bool // names that were told to be there
	files, folders map[string]bool // names that were left
}

// count tells with errPast that no more can be told, n of which belong to one change. Those are never parted: a limit of 1 is exceeded by a folder's old name.
func (w *folderWalk) count(seq uint64, n int) error {
	if w.limit > 0 && w.told > 0 && seq != w.last && w.told+n > w.limit {
		return errPast
	}
	w.told++
	w.last = seq
	return nil
}

// take tells of a member.
func (w *folderWalk) take(x *holdfast.Resource) error {
	if x.State == holdfast.Tombstone {
		w.files[x.Name] = true
		return nil
	}
	w.there[x.Name] = true
	return w.member(x)
}

// upTo tells of the folders that changed before a seq.
func (w *folderWalk) upTo(seq uint64) error {
	for ; len(w.left) > 0 && w.left[0].seq < seq; w.left = w.left[1:] {
		x, n := w.left[0], 1
		if len(w.left) > 1 && w.left[1].seq == x.seq {
			n = 2
		}
		if err := w.count(x.seq, n); err != nil {
			return err
		}
		if x.now == nil {
			w.folders[x.gone] = true
			continue
		}
		w.there[x.now.Name] = true
		if err := w.sub(x.now.Name, x.now); err != nil {
			return err
		}
	}
	return nil
}

// end tells what went.
func (w *folderWalk) end() error {
	for _, name := range slices.Sorted(maps.Keys(w.files)) {
		if w.there[name] {
			continue
		}
		if err := w.member(&holdfast.Resource{Name: name, State: holdfast.Tombstone}); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w.folders)) {
		if w.there[name] {
			continue
		}
		if err := w.sub(name, nil); err != nil {
			return err
		}
	}
	return nil
}

// folderEvents finds what became of the folders of c since a seq, in the order of that; 0: those that are there.
func (r *Reader) folderEvents(c *holdfast.Collection, after, head uint64) (out []folderEvent, err error) {
	all, err := r.snap.Collections(c.Account)
	if err != nil {
		return nil, err
	}
	here := map[holdfast.ID]*holdfast.Collection{}
	for i := range all {
		if x := &all[i]; !x.Gone && x.Parent == c.ID {
			here[x.ID] = x
		}
	}
	changed, err := r.ownChanges(c, after, head, here)
	if err != nil {
		return nil, err
	}
	for id, seqs := range changed {
		now := here[id]
		if now != nil {
			out = append(out, folderEvent{seq: seqs.last, now: now})
		}
		if after == 0 {
			continue
		}
		name, err := r.nameIn(c, id, after)
		if err != nil {
			return nil, err
		}
		if name != "" && (now == nil || now.Name != name) {
			out = append(out, folderEvent{seq: seqs.first, gone: name})
		}
	}
	slices.SortFunc(out, func(a, b folderEvent) int { return cmp.Compare(a.seq, b.seq) })
	return out, nil
}

// firstLast is the first and the last change of a record since a seq.
type firstLast struct{ first, last uint64 }

// ownChanges returns when the own record of each collection changed since a seq; 0: of those that are here, when last.
func (r *Reader) ownChanges(c *holdfast.Collection, after, head uint64, here map[holdfast.ID]*holdfast.Collection) (map[holdfast.ID]firstLast, error) {
	out := map[holdfast.ID]firstLast{}
	if after == 0 {
		for id := range here {
			x, err := r.snap.Resource(id, "", 0)
			if err != nil {
				return nil, err
			}
			out[id] = firstLast{x.Seq, x.Seq}
		}
		return out, nil
	}
	if head > after && head-after > maxFolderWalk {
		return nil, badToken(c.Name)
	}
	err := r.snap.Changes(c.Account, after, 0, 0, func(x *holdfast.Change) error {
		if x.Kind != holdfast.KindCollection || x.Name != "" || x.Collection == c.ID {
			return nil
		}
		s := out[x.Collection]
		out[x.Collection] = firstLast{cmp.Or(s.first, x.Seq), x.Seq}
		return nil
	})
	return out, err
}

// nameIn returns the name that a collection had in c at a seq; "" where it was not in there.
func (r *Reader) nameIn(c *holdfast.Collection, id holdfast.ID, seq uint64) (string, error) {
	x, err := r.snap.ResourceAt(id, "", seq, WithBody)
	if holdfast.IsKind(err, holdfast.NotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	rec, err := holdfast.DecodeCollection(x.Body)
	if err != nil {
		return "", &holdfast.Error{Op: "core.FolderChanges", Kind: holdfast.Corrupt, Ref: id.String(), Err: err}
	}
	if rec.Parent != c.ID {
		return "", nil
	}
	return rec.Name, nil
}
