package vault

import (
	"context"
	"io"
	"sync"

	"holdfast/internal/place"
)

// blobWindow is how much of an object is read at once.
const blobWindow = 512 << 10

// window reads an object by the part, and keeps the newest one: what reads one chunk mostly reads the next.
type window struct {
	ctx  context.Context
	p    place.Place
	name string
	size int64

	mu  sync.Mutex
	at  int64
	buf []byte
}

// ReadAt implements [io.ReaderAt].
func (w *window) ReadAt(p []byte, off int64) (n int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for n < len(p) {
		at := off + int64(n)
		if at >= w.size {
			return n, io.EOF
		}
		if at < w.at || at >= w.at+int64(len(w.buf)) {
			if err := w.fetch(at); err != nil {
				return n, err
			}
		}
		n += copy(p[n:], w.buf[at-w.at:])
	}
	return n, nil
}

func (w *window) fetch(at int64) error {
	if w.buf == nil {
		w.buf = make([]byte, 0, min(blobWindow, w.size))
	}
	want := min(int64(cap(w.buf)), w.size-at)
	w.at, w.buf = at, w.buf[:0]
	r, err := w.p.Get(w.ctx, w.name, at, want)
	if err != nil {
		return err
	}
	defer r.Close()
	n, err := io.ReadFull(r, w.buf[:want])
	w.buf = w.buf[:n]
	if err == io.EOF || err == io.ErrUnexpectedEOF { // it is shorter than it was listed: what reads it finds it cut short
		err = io.ErrUnexpectedEOF
	}
	return err
}
