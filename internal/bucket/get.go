package bucket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"holdfast"
)

// Info describes an object.
type Info struct {
	Name string
	Size int64
	Made time.Time // by the store's own time
	ETag string
	Tag  string // of [Put]; a listing does not say it
}

// Stat describes an object. Errors: NotFound, those of all calls.
func (b *Bucket) Stat(ctx context.Context, name string) (i Info, err error) {
	err = b.again(ctx, "Stat", name, func() error {
		st, err := b.api.StatObject(ctx, b.name, b.key(name), minio.StatObjectOptions{})
		i = Info{Name: name, Size: st.Size, Made: st.LastModified.UTC(), ETag: st.ETag, Tag: tagOf(st)}
		return err
	})
	return i, err
}

// Get reads n octets of an object from an offset, fewer where it ends; n < 0: to its end. A read that breaks goes on where it broke. Errors: NotFound, those of all calls.
func (b *Bucket) Get(ctx context.Context, name string, at, n int64) (io.ReadCloser, error) {
	if n == 0 {
		_, err := b.Stat(ctx, name)
		return empty(), err
	}
	r := &reading{b: b, ctx: ctx, name: name, at: at, left: n}
	if err := b.again(ctx, "Get", name, r.open); err != nil {
		return nil, err
	}
	return r, nil
}

var errShort = errors.New("the object ended before its end")

func empty() io.ReadCloser { return io.NopCloser(bytes.NewReader(nil)) }

// reading is a part of an object that is being read.
type reading struct {
	b    *Bucket
	ctx  context.Context
	name string
	at   int64 // of the next octet
	left int64 // negative: not known, before the first answer
	etag string
	body io.ReadCloser
	torn int // how often it broke since an octet came
}

// open asks for what is left to be read.
func (r *reading) open() error {
	var o minio.GetObjectOptions
	switch {
	case r.left < 0 && r.at > 0:
		_ = o.SetRange(r.at, 0)
	case r.left > 0:
		_ = o.SetRange(r.at, r.at+r.left-1)
	}
	if r.etag != "" {
		_ = o.SetMatchETag(r.etag)
	}
	body, i, h, err := r.b.api.GetObject(r.ctx, r.b.name, r.b.key(r.name), o)
	if err != nil {
		if a, ok := answerOf(err); ok && a.StatusCode == http.StatusRequestedRangeNotSatisfiable && r.etag == "" {
			r.body, r.left = empty(), 0 // it ends before
			return nil
		}
		return err
	}
	if ranged := r.at > 0 || r.left > 0; ranged && !strings.HasPrefix(h.Get("Content-Range"), fmt.Sprintf("bytes %d-", r.at)) {
		body.Close()
		return fail("Get", holdfast.Unavailable, r.name, "the object store did not answer with the part that was asked for", nil)
	}
	if i.Size < 0 {
		body.Close()
		return fail("Get", holdfast.Unavailable, r.name, "the object store does not say how much it sends", nil)
	}
	if r.left < 0 || i.Size < r.left {
		if r.etag != "" {
			body.Close()
			return fail("Get", holdfast.Unavailable, r.name, "the object changed while it was read", nil)
		}
		r.left = i.Size
	}
	r.body, r.etag = body, i.ETag
	return nil
}

// Read implements [io.Reader].
func (r *reading) Read(p []byte) (int, error) {
	for r.left > 0 && len(p) > 0 {
		n, err := r.body.Read(p[:min(int64(len(p)), r.left)])
		r.at, r.left = r.at+int64(n), r.left-int64(n)
		if n > 0 {
			r.torn = 0
			return n, nil // an error comes again
		}
		if err == nil {
			continue
		}
		if err == io.EOF {
			err = errShort
		}
		if r.torn++; r.torn == tries || r.ctx.Err() != nil {
			return 0, r.b.fail(r.ctx, "Get", r.name, err)
		}
		r.b.o.Log.Debug("a read of an object goes on where it broke", "bucket", r.b.name, "object", r.name, "at", r.at, "err", cause(err))
		if err := r.b.pause(r.ctx, r.torn-1); err != nil {
			return 0, err
		}
		r.body.Close()
		if err := r.b.again(r.ctx, "Get", r.name, r.open); err != nil {
			r.body = empty()
			return 0, err
		}
	}
	if r.left > 0 {
		return 0, nil
	}
	return 0, io.EOF
}

// Close implements [io.Closer].
func (r *reading) Close() error { return r.body.Close() }
