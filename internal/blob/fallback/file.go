package fallback

import (
	"context"
	"errors"
	"io"
	"sync"

	"holdfast"
	"holdfast/internal/blob"
)

// file is an open blob that is read from somewhere else once what it is read from fails.
type file struct {
	ctx  context.Context
	s    *Store
	at   key
	size int64

	mu  sync.Mutex
	all []blob.File // the last one is read from; the others failed, and may be in use still
}

// maxTries bounds from how many files one blob is read: what fails again and again is not to be had.
const maxTries = 4

// Size returns how many octets the blob has.
func (f *file) Size() int64 { return f.size }

// Close lets go.
func (f *file) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var errs []error
	for _, x := range f.all {
		errs = append(errs, x.Close())
	}
	f.all = nil
	return errors.Join(errs...)
}

// ReadAt implements [io.ReaderAt].
func (f *file) ReadAt(p []byte, at int64) (n int, err error) {
	for {
		cur := f.now()
		if cur == nil {
			return n, blob.Err("Open", holdfast.Invalid, f.at.hash.String(), "the file is closed", nil)
		}
		got, err := cur.ReadAt(p[n:], at+int64(n))
		if n += got; err == nil || errors.Is(err, io.EOF) || final(cur, err) || !f.another(cur, err) {
			return n, err
		}
	}
}

// final tells whether asking once more is in vain. What a vault gave and was another file's is out of the house already: that must be told.
func final(from blob.File, err error) bool {
	_, elsewhere := from.(*borrowed)
	return holdfast.IsKind(err, holdfast.Invalid) || elsewhere && holdfast.IsKind(err, holdfast.Corrupt)
}

func (f *file) now() blob.File {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.all) == 0 {
		return nil
	}
	return f.all[len(f.all)-1]
}

// another opens the blob once more after one failed, and tells whether there is one to read from. Others who read wait for it.
func (f *file) another(failed blob.File, cause error) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := len(f.all); n == 0 || f.all[n-1] != failed {
		return n > 0
	}
	if len(f.all) >= maxTries {
		return false
	}
	x, err := f.s.instead(f.ctx, f.at, cause)
	if err == nil && x.Size() != f.size {
		x.Close()
		return false
	}
	if err != nil {
		return false
	}
	if was, ok := failed.(*borrowed); ok {
		if next, ok := x.(*borrowed); ok {
			next.GoOn(was.Checked)
		}
	}
	f.all = append(f.all, x)
	return true
}

// borrowed is a blob at an origin.
type borrowed struct {
	*blob.Checked
	leave func()
	once  sync.Once
}

// Close lets go.
func (j *borrowed) Close() error {
	err := j.Checked.Close()
	j.once.Do(j.leave)
	return err
}
