package bucket

import (
	"context"
	"errors"
	"strings"

	"github.com/minio/minio-go/v7"

	"holdfast"
)

// List calls fn with the objects whose names begin with prefix, above after, by ascending name (octet order).
func (b *Bucket) List(ctx context.Context, prefix, after string, fn func(Info) error) error {
	return b.listSome(ctx, prefix, after, 0, fn)
}

// Any tells whether there is an object whose name begins with prefix, above after, and the name of the first.
func (b *Bucket) Any(ctx context.Context, prefix, after string) (name string, ok bool, err error) {
	enough := errors.New("enough")
	err = b.listSome(ctx, prefix, after, 1, func(i Info) error { name, ok = i.Name, true; return enough })
	if ok {
		err = nil
	}
	return name, ok, err
}

// Dirs calls fn with what names that begin with prefix have up to the next slash, that included, in no order, and perhaps twice.
func (b *Bucket) Dirs(ctx context.Context, prefix string, fn func(name string) error) error {
	own := false
	var stop error
	err := b.again(ctx, "List", prefix, func() error {
		return b.each(ctx, b.api, minio.ListObjectsOptions{Prefix: b.key(prefix), FetchOwner: &own}, func(st minio.ObjectInfo, name string) (bool, error) {
			if strings.HasSuffix(name, "/") {
				stop = fn(name)
			}
			return stop == nil, nil
		})
	})
	if stop != nil {
		return stop
	}
	return err
}

// listSome is List in pages of so many objects; 0: as many as the store hands over. Where it breaks it goes on behind the last object.
func (b *Bucket) listSome(ctx context.Context, prefix, after string, most int, fn func(Info) error) error {
	own := false
	for {
		var stop error
		before := after
		err := b.again(ctx, "List", prefix, func() error {
			o := minio.ListObjectsOptions{Prefix: b.key(prefix), Recursive: true, FetchOwner: &own, MaxKeys: most}
			if after != "" {
				o.StartAfter = b.key(after)
			}
			return b.each(ctx, b.api, o, func(st minio.ObjectInfo, name string) (bool, error) {
				if name <= after {
					return false, fail("List", holdfast.Unavailable, name, "the object store's listing is out of order", nil)
				}
				after = name
				stop = fn(Info{Name: name, Size: st.Size, Made: st.LastModified.UTC(), ETag: st.ETag})
				return stop == nil, nil
			})
		})
		if stop != nil {
			return stop
		}
		if err == nil || after == before || !holdfast.IsKind(err, holdfast.Unavailable) {
			return err
		}
	}
}

// each calls fn with what a listing has, as long as that says true.
func (b *Bucket) each(ctx context.Context, api *minio.Core, o minio.ListObjectsOptions, fn func(st minio.ObjectInfo, name string) (bool, error)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for st := range api.ListObjectsIter(ctx, b.name, o) {
		if st.Err != nil {
			return st.Err
		}
		if !strings.HasPrefix(st.Key, o.Prefix) {
			return fail("List", holdfast.Unavailable, st.Key, "the object store's listing has what was not asked for", nil)
		}
		if more, err := fn(st, strings.TrimPrefix(st.Key, b.prefix)); err != nil || !more {
			return err
		}
	}
	return ctx.Err()
}
