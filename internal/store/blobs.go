package store

import (
	"context"
	"errors"

	"holdfast"
)

// blobsOf is how many blobs are named in one snapshot.
const blobsOf = 1000

// EachBlob calls fn with all blobs that changes of an account name, each once, by ascending hash, from one on. No snapshot is held while fn runs, so it may take its time: what is named meanwhile may be left out. Errors: NotFound (the account is not known here), those of the engine and of fn.
func EachBlob(ctx context.Context, e Engine, account holdfast.ID, from holdfast.Hash, fn func(holdfast.Blob) error) error {
	for {
		page, err := blobsFrom(ctx, e, account, from, blobsOf)
		if err != nil {
			return err
		}
		for _, b := range page {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err := fn(b); err != nil {
				return err
			}
		}
		if len(page) < blobsOf {
			return nil
		}
		var more bool
		if from, more = following(page[len(page)-1].Hash); !more {
			return nil
		}
	}
}

// BlobOf returns the blob of a hash that changes of an account name; ok is false where none does. Errors: NotFound (the account is not known here), those of the engine.
func BlobOf(ctx context.Context, e Engine, account holdfast.ID, h holdfast.Hash) (b holdfast.Blob, ok bool, err error) {
	page, err := blobsFrom(ctx, e, account, h, 1)
	if err != nil || len(page) == 0 || page[0].Hash != h {
		return b, false, err
	}
	return page[0], true, nil
}

func blobsFrom(ctx context.Context, e Engine, account holdfast.ID, from holdfast.Hash, limit int) (page []holdfast.Blob, err error) {
	snap, err := e.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer snap.Close()
	err = snap.Blobs(account, from, limit, func(b holdfast.Blob) error { page = append(page, b); return nil })
	return page, err
}

// putsOf is how many changes are looked at in one snapshot.
const putsOf = 2000

// errEnough ends a listing.
var errEnough = errors.New("enough")

// EachPut calls fn with the changes of an account above a seq that put something, without octets and properties, in order, until it has enough. No snapshot is held for long. A blob's ETag is its hash. Errors: those of the engine.
func EachPut(ctx context.Context, e Engine, account holdfast.ID, after uint64, fn func(*holdfast.Change) bool) error {
	for more := true; more; {
		snap, err := e.Snapshot(ctx)
		if err != nil {
			return err
		}
		more = false
		err = snap.Changes(account, after, putsOf, 0, func(c *holdfast.Change) error {
			after, more = c.Seq, true
			if c.Op == holdfast.OpPut && !fn(c) {
				more = false
				return errEnough
			}
			return nil
		})
		snap.Close()
		if err != nil && !errors.Is(err, errEnough) {
			return err
		}
	}
	return nil
}

// following returns the hash behind one; ok is false behind the last of all.
func following(h holdfast.Hash) (next holdfast.Hash, ok bool) {
	for i := len(h) - 1; i >= 0; i-- {
		if h[i]++; h[i] != 0 {
			return h, true
		}
	}
	return h, false
}
