package bucket

import (
	"context"
	"slices"
	"sync"

	"github.com/minio/minio-go/v7"

	"holdfast"
	"holdfast/internal/line"
)

// Remove removes an object with all its versions. Errors: NotFound, Forbidden (the credential may not, or it is locked), those of all calls.
func (b *Bucket) Remove(ctx context.Context, name string) error {
	f, err := b.Facts(ctx)
	if err != nil {
		return err
	}
	if f.Versions == No {
		if _, err := b.Stat(ctx, name); err != nil {
			return err
		}
		return b.removeOne(ctx, version{name: name})
	}
	list, err := b.versions(ctx, name, false, func(n string) bool { return n == name })
	if err == nil && len(list) == 0 {
		err = fail("Remove", holdfast.NotFound, name, "there is no such object", nil)
	}
	if err != nil {
		return err
	}
	hidden := slices.ContainsFunc(list, func(v version) bool { return v.latest && v.marker })
	for _, v := range list { // the newest goes last: where one is kept the object is as it was
		if err := b.removeOne(ctx, v); err != nil {
			return err
		}
	}
	if hidden {
		return fail("Remove", holdfast.NotFound, name, "there is no such object", nil)
	}
	return nil
}

// RemoveMany removes the objects whose names begin with prefix and are wanted, with all their versions, in no order. Some may be gone when it fails. Errors: those of Remove but NotFound.
func (b *Bucket) RemoveMany(ctx context.Context, prefix string, want func(name string) bool) error {
	f, err := b.Facts(ctx)
	if err != nil {
		return err
	}
	var list []version
	if f.Versions == No {
		err = b.List(ctx, prefix, "", func(i Info) error {
			if want(i.Name) {
				list = append(list, version{name: i.Name})
			}
			return nil
		})
	} else {
		list, err = b.versions(ctx, prefix, true, want)
	}
	if err != nil {
		return err
	}
	return b.removeAll(ctx, list)
}

// removeAll removes many at once, the versions of one object one by one. The first error ends it.
func (b *Bucket) removeAll(ctx context.Context, list []version) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	todo := make(chan []version)
	var all sync.WaitGroup
	for range min(line.Connections, len(list)) {
		all.Go(func() {
			for of := range todo {
				for _, v := range of {
					if err := b.removeOne(ctx, v); err != nil {
						cancel(err)
						break
					}
				}
			}
		})
	}
	for len(list) > 0 && ctx.Err() == nil {
		n := 1
		for n < len(list) && list[n].name == list[0].name {
			n++
		}
		select {
		case todo <- list[:n]:
			list = list[n:]
		case <-ctx.Done():
		}
	}
	close(todo)
	all.Wait()
	return context.Cause(ctx)
}

// version is a version of an object, or what was put in its place by removing it.
type version struct {
	name, id string // id: empty where the bucket keeps none
	latest   bool
	marker   bool
}

// versions returns the versions of objects whose names begin with prefix and are wanted, of each the oldest first. Without many only the object of that very name is looked for.
func (b *Bucket) versions(ctx context.Context, prefix string, many bool, want func(string) bool) (list []version, err error) {
	err = b.again(ctx, "Versions", prefix, func() error {
		list = nil
		return b.each(ctx, b.prune, minio.ListObjectsOptions{Prefix: b.key(prefix), Recursive: true, WithVersions: true}, func(st minio.ObjectInfo, name string) (bool, error) {
			if want(name) {
				list = append(list, version{name, st.VersionID, st.IsLatest, st.IsDeleteMarker})
			}
			return many || name == prefix, nil
		})
	})
	slices.Reverse(list)
	return list, err
}

// removeOne removes a version; one that is gone is removed.
func (b *Bucket) removeOne(ctx context.Context, v version) error {
	err := b.again(ctx, "Remove", v.name, func() error {
		return b.prune.RemoveObject(ctx, b.name, b.key(v.name), minio.RemoveObjectOptions{VersionID: v.id})
	})
	if holdfast.IsKind(err, holdfast.NotFound) {
		return nil
	}
	return err
}
