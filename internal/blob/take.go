package blob

import (
	"context"
	"io"
	"sync"

	"holdfast"
)

// takeSize is how many octets are read, hashed and written at once.
const takeSize = 256 << 10

// buffers of takeSize. An upload takes two.
var buffers = sync.Pool{New: func() any { return new([takeSize]byte) }}

// Take writes what r yields, at most limit octets, into w as a blob is stored. own tells errors of w's from those of r's, which are returned as they are. Errors: TooLarge, ctx's cause.
//
// Octets are hashed on a processor of their own while they are written and while the next come: a blob comes as fast as the slower of both goes.
func Take(ctx context.Context, w io.Writer, r io.Reader, limit int64, own func(error) error) (holdfast.Blob, error) {
	sum := newSummer()
	pieces, hashed := make(chan []byte), make(chan struct{}) // not buffered: once a piece was sent, the one before was hashed
	go func() {
		defer close(hashed)
		for p := range pieces {
			sum.Write(p)
		}
	}()
	err := each(ctx, r, limit, 2, func(p []byte) error {
		pieces <- p
		if _, err := w.Write(p); err != nil {
			return own(err)
		}
		return nil
	}, func() { close(pieces); <-hashed })
	if err != nil {
		return holdfast.Blob{}, err
	}
	b, behind := sum.end()
	if _, err := w.Write(behind); err != nil {
		return holdfast.Blob{}, own(err)
	}
	return b, nil
}

// Copy moves what r yields, at most limit octets, into w. Errors: those of both, TooLarge, ctx's cause.
func Copy(ctx context.Context, w io.Writer, r io.Reader, limit int64) error {
	return each(ctx, r, limit, 1, func(p []byte) error { _, err := w.Write(p); return err }, func() {})
}

// each hands over what r yields, at most limit octets. What fn was given stays as it is during as many calls more as there are buffers besides its own; end is called before they are others'.
func each(ctx context.Context, r io.Reader, limit int64, held int, fn func([]byte) error, end func()) error {
	bufs := make([]*[takeSize]byte, held)
	for i := range bufs {
		bufs[i] = buffers.Get().(*[takeSize]byte)
	}
	defer func() {
		end()
		for _, b := range bufs {
			buffers.Put(b)
		}
	}()
	for i, left := 0, limit; ; i++ {
		p, err := fill(ctx, bufs[i%held][:], r)
		if left -= int64(len(p)); left < 0 {
			return TooLarge(limit)
		}
		if len(p) > 0 {
			if err := fn(p); err != nil {
				return err
			}
		}
		switch err {
		case nil:
		case io.EOF:
			return nil
		default:
			return err
		}
	}
}

// fill reads until a buffer is full: a line gives octets in small pieces, and a disk takes large ones.
func fill(ctx context.Context, buf []byte, r io.Reader) ([]byte, error) {
	n := 0
	for n < len(buf) {
		if ctx.Err() != nil {
			return buf[:n], context.Cause(ctx)
		}
		m, err := r.Read(buf[n:])
		if n += m; err != nil {
			return buf[:n], err
		}
	}
	return buf[:n], nil
}
