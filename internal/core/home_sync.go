package core

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
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

// boundGone returns the names in the home of files that a folder of another's may have had at a seq or since, and that nothing has now, in their order. A page that is not the last one has the mark of its own
// moment and the seq of an earlier one, so each name counts that there was between.
func (r *Reader) boundGone(after, head uint64, now []holdfast.Collection) (out []string, err error) {
	all, own, err := r.sinceThen(after, head)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, b := range all {
		names[b.Name] = true
		taken, err := r.hadOwn(b.Name, after)
		if err != nil {
			return nil, err
		}
		if taken || own[b.Name] { // then it is called otherwise
			names[b.otherName()] = true
		}
	}
	for _, c := range now {
		delete(names, c.Name)
	}
	for name := range names {
		has, err := r.hasOwn(name)
		if err != nil {
			return nil, err
		}
		if !has {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out, nil
}

// hasOwn tells whether something of the account's own has a name in the home of files.
func (r *Reader) hasOwn(name string) (bool, error) {
	_, err := r.snap.Child(r.filesHome(), name)
	if holdfast.IsKind(err, holdfast.NotFound) {
		_, err = r.snap.Resource(r.filesHome(), name, 0)
	}
	return found(err)
}

// hadOwn tells whether a file of the account's own, or a folder that is there still, had a name in the home of files at a seq, or has it now.
func (r *Reader) hadOwn(name string, seq uint64) (bool, error) {
	if has, err := r.hasOwn(name); err != nil || has {
		return has, err
	}
	_, err := r.snap.ResourceAt(r.filesHome(), name, seq, 0)
	return found(err)
}

func found(err error) (bool, error) {
	if holdfast.IsKind(err, holdfast.NotFound) {
		return false, nil
	}
	return err == nil, err
}

// sinceThen returns the bindings in the home of files as they were at a seq and at any time since, and the names there that something of the account's own came to or left since.
func (r *Reader) sinceThen(after, head uint64) (out []binding, own map[string]bool, err error) {
	for _, b := range r.owner.bindings {
		if b.Home == holdfast.HomeFiles {
			out = append(out, b)
		}
	}
	if head > after && head-after > maxFolderWalk {
		return nil, nil, badToken("")
	}
	own = map[string]bool{}
	records, folders := map[string]bool{}, map[holdfast.ID]bool{}
	err = r.snap.Changes(r.owner.ID, after, 0, 0, func(x *holdfast.Change) error {
		switch {
		case x.Kind == holdfast.KindBinding:
			records[x.Name] = true
		case x.Kind == holdfast.KindCollection && x.Name == "":
			folders[x.Collection] = true
		case x.Collection == r.filesHome():
			own[x.Name] = true
		}
		return nil
	})
	for name := range records {
		if err == nil {
			err = r.versions(r.owner.ID, name, after, func(body []byte) error {
				rec, err := holdfast.DecodeBinding(body)
				if rec.Home == holdfast.HomeFiles {
					out = append(out, binding{BindingRecord: rec})
				}
				return err
			})
		}
	}
	for id := range folders {
		if err == nil {
			err = r.versions(id, "", after, func(body []byte) error {
				rec, err := holdfast.DecodeCollection(body)
				if rec.Parent == r.filesHome() {
					own[rec.Name] = true
				}
				return err
			})
		}
	}
	return out, own, err
}

// versions calls fn with what an item was at a seq and at any time since.
func (r *Reader) versions(c holdfast.ID, name string, after uint64, fn func(body []byte) error) error {
	err := r.snap.Versions(c, name, WithBody, func(x *holdfast.Change) error {
		if x.Op == holdfast.OpPut {
			if err := fn(x.Body); err != nil {
				return &holdfast.Error{Op: "core.FolderChanges", Kind: holdfast.Corrupt, Ref: name, Err: err}
			}
		}
		if x.Seq <= after {
			return errPast
		}
		return nil
	})
	if errors.Is(err, errPast) || holdfast.IsKind(err, holdfast.NotFound) {
		return nil
	}
	return err
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
	if from.bound != (boundMark{}) {
		gone, err := r.boundGone(from.seq, head, now)
		if err != nil {
			return mark, err
		}
		for _, name := range gone {
			w.folders[name] = true
		}
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
