package remote

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/place"
)

// Put implements [place.Place]. A source that can seek is read twice; another one is held in memory, up to 64 MiB.
func (r *Remote) Put(ctx context.Context, name string, src io.Reader) error {
	if err := place.CheckName("Put", name, false); err != nil {
		return err
	}
	c := &call{op: "Put", method: http.MethodPut, path: Objects + name, ref: name, again: true}
	hash := sha256.New()
	if s, ok := src.(io.ReadSeeker); ok {
		n, err := io.Copy(hash, s)
		if err != nil {
			return err
		}
		c.source, c.size = s, n
	} else {
		b, err := io.ReadAll(io.LimitReader(src, maxSpool+1))
		if err != nil {
			return err
		}
		if len(b) > maxSpool {
			return place.Err("Put", holdfast.TooLarge, name, "it is too large to be held in memory, and its source cannot be read twice", nil)
		}
		hash.Write(b)
		c.source, c.size = bytes.NewReader(b), int64(len(b))
	}
	hash.Sum(c.sum[:0])
	return r.store(ctx, c, c.size)
}

// Append implements [place.Place].
func (r *Remote) Append(ctx context.Context, name string, at int64, p []byte) error {
	if err := place.CheckAppend(name, at, p); err != nil {
		return err
	}
	c := &call{op: "Append", method: http.MethodPost, path: fmt.Sprintf("%s%s?at=%d", Objects, name, at), ref: name, body: p, sum: holdfast.HashOf(p)}
	return r.store(ctx, c, at+int64(len(p)))
}

// store sends octets; only an answer that names them, and where the object ends then, says that they are there.
func (r *Remote) store(ctx context.Context, c *call, end int64) error {
	resp, err := r.do(ctx, c)
	if err != nil {
		return err
	}
	var s Stored
	if err := answer(resp, c, &s); err != nil {
		return err
	}
	if s.Name != c.ref || s.SHA256 != c.sum || s.End != end {
		return place.Err(c.op, holdfast.Unavailable, c.ref, "the server does not say that it keeps what was sent", nil)
	}
	return nil
}

// Get implements [place.Place].
func (r *Remote) Get(ctx context.Context, name string, at, n int64) (io.ReadCloser, error) {
	if !place.IsName(name) {
		return nil, place.NoSuch("Get", name)
	}
	if n == 0 {
		if _, err := r.Stat(ctx, name); err != nil {
			return nil, err
		}
		return io.NopCloser(bytes.NewReader(nil)), nil
	}
	c := &call{op: "Get", method: http.MethodGet, path: Objects + name, ref: name, at: at, n: n, again: true}
	resp, err := r.do(ctx, c)
	if err != nil {
		return nil, err
	}
	ranged := at > 0 || n > 0
	if ranged != (resp.StatusCode == http.StatusPartialContent) && resp.StatusCode != http.StatusNoContent {
		resp.Body.Close()
		return nil, place.Err("Get", holdfast.Unavailable, name, "the server did not answer with the part that was asked for", nil)
	}
	return resp.Body, nil
}

// Stat implements [place.Place].
func (r *Remote) Stat(ctx context.Context, name string) (place.Info, error) {
	i := place.Info{Name: name}
	if !place.IsName(name) {
		return i, place.NoSuch("Stat", name)
	}
	c := &call{op: "Stat", method: http.MethodHead, path: Objects + name, ref: name, again: true}
	resp, err := r.do(ctx, c)
	if err != nil {
		return i, err
	}
	resp.Body.Close()
	if i.Made, err = time.Parse(time.RFC3339Nano, resp.Header.Get(MadeHeader)); err != nil || resp.ContentLength < 0 {
		return i, place.Err("Stat", holdfast.Unavailable, name, "what answered is not a vault's server", nil)
	}
	i.Size = resp.ContentLength
	return i, nil
}

// List implements [place.Place].
func (r *Remote) List(ctx context.Context, prefix, after string, fn func(place.Info) error) error {
	return r.pages(ctx, prefix, after, false, func(o *Object) error { return fn(o.info()) })
}

// ReadMany implements [place.ManyReader].
func (r *Remote) ReadMany(ctx context.Context, prefix, after string, fn func(place.Info, []byte) error) error {
	return r.pages(ctx, prefix, after, true, func(o *Object) error {
		if int64(len(o.Octets)) != o.Size {
			o.Octets = nil
		}
		return fn(o.info(), o.Octets)
	})
}

// Last implements [place.Laster].
func (r *Remote) Last(ctx context.Context, prefix string) (i place.Info, ok bool, err error) {
	p, err := r.page(ctx, url.Values{"prefix": {prefix}, "last": {"true"}})
	if err != nil || len(p.Objects) == 0 {
		return i, false, err
	}
	return p.Objects[0].info(), true, nil
}

func (o *Object) info() place.Info { return place.Info{Name: o.Name, Size: o.Size, Made: o.Made} }

func (r *Remote) pages(ctx context.Context, prefix, after string, contents bool, fn func(*Object) error) error {
	for more := true; more; {
		q := url.Values{"prefix": {prefix}, "after": {after}}
		if contents {
			q.Set("contents", "true")
		}
		p, err := r.page(ctx, q)
		if err != nil {
			return err
		}
		if more = p.More; more && len(p.Objects) == 0 {
			return place.Err("List", holdfast.Unavailable, "", "the server's listing does not go on", nil)
		}
		for i := range p.Objects {
			o := &p.Objects[i]
			if o.Name <= after || !strings.HasPrefix(o.Name, prefix) {
				return place.Err("List", holdfast.Unavailable, o.Name, "the server's listing is out of order", nil)
			}
			after = o.Name
			if err := fn(o); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *Remote) page(ctx context.Context, q url.Values) (p Page, err error) {
	c := &call{op: "List", method: http.MethodGet, path: List + "?" + q.Encode(), again: true}
	resp, err := r.do(ctx, c)
	if err != nil {
		return p, err
	}
	if err := answer(resp, c, &p); err != nil {
		return p, err
	}
	if p.Schema != PageSchema {
		return Page{}, place.Err("List", holdfast.Unavailable, r.base, "what answered is not a vault's server", nil)
	}
	return p, nil
}

// Remove implements [place.Place]. Without a prune credential it is Forbidden. It is not sent again by itself: what went then would be NotFound.
func (r *Remote) Remove(ctx context.Context, name string) error {
	if r.o.Prune == "" {
		return place.Err("Remove", holdfast.Forbidden, name, "this store has no credential to remove with", nil)
	}
	if !place.IsName(name) {
		return place.NoSuch("Remove", name)
	}
	c := &call{op: "Remove", method: http.MethodDelete, path: Objects + name, ref: name, prune: true}
	resp, err := r.do(ctx, c)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// Now implements [place.Place].
func (r *Remote) Now(ctx context.Context) (time.Time, error) {
	s, err := r.Server(ctx)
	return s.Now, err
}

// Server asks the server how it fares.
func (r *Remote) Server(ctx context.Context) (s Server, err error) {
	c := &call{op: "Now", method: http.MethodGet, path: Root, again: true}
	resp, err := r.do(ctx, c)
	if err != nil {
		return s, err
	}
	if err := answer(resp, c, &s); err != nil {
		return s, err
	}
	if s.Schema != ServerSchema || s.Now.IsZero() {
		return s, place.Err("Now", holdfast.Unavailable, r.base, "what answered is not a vault's server", nil)
	}
	return s, nil
}

// Prune has the server let go of what its own rules say is needed no more; dry only asks what that would be. It needs the prune credential.
func (r *Remote) Prune(ctx context.Context, dry bool) (p Pruned, err error) {
	path := Prune
	if dry {
		path += "?dry-run=true"
	}
	c := &call{op: "Prune", method: http.MethodPost, path: path, prune: true}
	resp, err := r.do(ctx, c)
	if err != nil {
		return p, err
	}
	if err := answer(resp, c, &p); err != nil {
		return p, err
	}
	if p.Schema != PrunedSchema {
		return Pruned{}, place.Err("Prune", holdfast.Unavailable, r.base, "what answered is not a vault's server", nil)
	}
	p.Schema = ""
	return p, nil
}
