package core

import (
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"slices"

	"holdfast"
)

// What others share hangs in a guest's home of files and is in their journals. Whether it shows there is decided by the owner's records and by the guest's, so a sync token of such a home holds beside the point of
// the guest's own journal a mark of what hung there; where that is another one all that hangs there is told again, and every name that something may have had and nothing has now is told to be gone.

// filesHome is the account's home of files.
func (r *Reader) filesHome() holdfast.ID {
	return r.owner.paths[pathKey{r.owner.ID, holdfast.HomeFiles}]
}

// boundFolders returns the folders of others as they hang in the account's home of files, by name, and the mark of that.
func (r *Reader) boundFolders() (out []holdfast.Collection, mark boundMark, err error) {
	all, err := r.Bound()
	if err != nil {
		return nil, mark, err
	}
	h := sha256.New()
	for _, c := range all {
		if c.Parent != r.filesHome() {
			continue
		}
		x, err := r.bound(c.ID)
		if err != nil {
			return nil, mark, err
		}
		h.Write(c.ID[:])
		h.Write([]byte{byte(x.access), byte(len(c.Name))})
		h.Write([]byte(c.Name))
		h.Write(binary.BigEndian.AppendUint64(nil, x.seq))
		out = append(out, c)
	}
	if len(out) > 0 {
		copy(mark[:], h.Sum(nil))
	}
	return out, mark, nil
}

// boundGone returns the names in the home of files that a folder of another's may have had after a seq, and that nothing has now, in their order. left are the account's own folders that changed since.
func (r *Reader) boundGone(after, head uint64, now []holdfast.Collection, left []folderEvent) (out []string, err error) {
	all, err := r.bindingsAt(after, head)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, b := range all {
		name := b.Name
		taken, err := r.hadOwn(name, after, left)
		if err != nil {
			return nil, err
		}
		if taken {
			name = b.otherName()
		}
		own, err := r.hasOwn(name)
		if err != nil {
			return nil, err
		}
		if !own {
			names[name] = true
		}
	}
	for _, c := range now {
		delete(names, c.Name)
	}
	return slices.Sorted(maps.Keys(names)), nil
}

// hasOwn tells whether something of the account's own has a name in the home of files.
func (r *Reader) hasOwn(name string) (bool, error) {
	_, err := r.snap.Child(r.filesHome(), name)
	if holdfast.IsKind(err, holdfast.NotFound) {
		_, err = r.snap.Resource(r.filesHome(), name, 0)
	}
	if holdfast.IsKind(err, holdfast.NotFound) {
		return false, nil
	}
	return err == nil, err
}

// hadOwn tells whether something of the account's own had a name in the home of files after a seq.
func (r *Reader) hadOwn(name string, after uint64, left []folderEvent) (bool, error) {
	if slices.ContainsFunc(left, func(x folderEvent) bool { return x.gone == name }) {
		return true, nil
	}
	home := holdfast.Collection{ID: r.filesHome()}
	c, err := r.snap.Child(home.ID, name)
	if err == nil {
		was, err := r.nameIn(&home, c.ID, after)
		return was == name, err
	}
	if holdfast.IsKind(err, holdfast.NotFound) {
		_, err = r.snap.ResourceAt(home.ID, name, after, 0)
	}
	if holdfast.IsKind(err, holdfast.NotFound) {
		return false, nil
	}
	return err == nil, err
}

// bindingsAt returns the bindings in the home of files as they were after a seq.
func (r *Reader) bindingsAt(after, head uint64) (out []binding, err error) {
	for _, b := range r.owner.bindings {
		if b.Home == holdfast.HomeFiles && b.seq <= after {
			out = append(out, b)
		}
	}
	if head > after && head-after > maxFolderWalk {
		return nil, badToken("")
	}
	changed := map[string]bool{}
	err = r.snap.Changes(r.owner.ID, after, 0, 0, func(x *holdfast.Change) error {
		if x.Kind == holdfast.KindBinding {
			changed[x.Name] = true
		}
		return nil
	})
	for name := range changed {
		if err != nil {
			return nil, err
		}
		var x holdfast.Resource
		if x, err = r.snap.ResourceAt(r.owner.ID, name, after, WithBody); holdfast.IsKind(err, holdfast.NotFound) {
			err = nil
			continue
		}
		if err != nil {
			return nil, err
		}
		rec, err := holdfast.DecodeBinding(x.Body)
		if err != nil {
			return nil, &holdfast.Error{Op: "core.FolderChanges", Kind: holdfast.Corrupt, Ref: name, Err: err}
		}
		if rec.Home == holdfast.HomeFiles {
			out = append(out, binding{BindingRecord: rec})
		}
	}
	return out, err
}

// tellBound tells of what hangs in the home of files: where a token is shown that has another mark, before everything else, and in the first listing last. The next token has the mark that it returns.
func (w *folderWalk) tellBound(r *Reader, from syncToken, head uint64) (mark boundMark, err error) {
	now, mark, err := r.boundFolders()
	if err != nil {
		return mark, err
	}
	for i := range now {
		w.there[now[i].Name] = true // nothing of this name is gone, whatever it was before
	}
	if w.first || mark == from.bound {
		return mark, nil
	}
	gone, err := r.boundGone(from.seq, head, now, w.left)
	if err != nil {
		return mark, err
	}
	for _, name := range gone {
		w.folders[name] = true
	}
	return mark, w.hang(now)
}

// hang tells of what hangs there.
func (w *folderWalk) hang(now []holdfast.Collection) error {
	for i := range now {
		if err := w.sub(now[i].Name, &now[i]); err != nil {
			return err
		}
		w.told++
	}
	return nil
}

// hangFirst tells in a first listing of what hangs there, if there is room for it; otherwise with errPast that the next page has to.
func (w *folderWalk) hangFirst(r *Reader) error {
	now, _, err := r.boundFolders()
	if err != nil {
		return err
	}
	if w.limit > 0 && w.told > 0 && w.told+len(now) > w.limit {
		return errPast
	}
	return w.hang(now)
}
