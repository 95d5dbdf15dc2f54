// Package place is the contract of the places where a vault's objects lie: a directory, another machine, an object store.
//
// An object has a name like a path ("heads/000000000001") of the characters a-z 0-9 . - _ and /, at most 200 octets, and octets that nobody here understands. It is written
// whole and once ([Place.Put]), or grows at its end ([Place.Append]); it is never overwritten. Whatever returned nil is durable: it survives a power cut.
//
// Who may write need not be allowed to remove: see [Place.Remove].
package place

import (
	"context"
	"io"
	"time"
)

// Place is where the objects of one vault lie. All methods may be called from many goroutines. Errors are *holdfast.Error; kinds: NotFound, Exists, PreconditionFailed
// (Append not at the end), Forbidden (no right, or too early, to remove), Fenced (the place has another writer), Full, Unavailable (it cannot be reached, or a write failed and what it left is not known),
// Invalid (the name; or the place found the octets inconsistent), Corrupt.
type Place interface {
	// Put makes an object, whole or not at all. Where the name is taken by the same octets it succeeds, by others it is Exists. It reads r to its end; an error of r's is returned, and nothing is made.
	Put(ctx context.Context, name string, r io.Reader) error
	// Append adds octets to an object at offset at, which must be where it ends; at 0 makes the object, which must not be there. p must not be empty nor end in a zero octet. After any error
	// but PreconditionFailed, Exists, Invalid and Fenced what stands behind at is not known, and nobody appends to that object again.
	Append(ctx context.Context, name string, at int64, p []byte) error
	// Get reads n octets of an object from an offset, fewer where it ends; n < 0: to its end. Where the offset is beyond its end there is nothing to read, which is no error.
	Get(ctx context.Context, name string, at, n int64) (io.ReadCloser, error)
	// Stat describes an object.
	Stat(ctx context.Context, name string) (Info, error)
	// List calls fn with the objects whose names begin with prefix, above after, by ascending name (octet order).
	List(ctx context.Context, prefix, after string, fn func(Info) error) error
	// Remove removes an object, durably; one that is not there is NotFound.
	Remove(ctx context.Context, name string) error
	// Now returns the place's own time, which need not be ours.
	Now(ctx context.Context) (time.Time, error)
	// String names the place for people: its kind and where it is, without secrets.
	String() string
	// Close lets go.
	Close() error
}

// Info describes an object.
type Info struct {
	Name string
	Size int64
	Made time.Time // by the place's own time
}
