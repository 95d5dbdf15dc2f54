// Package blob is the contract of what keeps large octets: photos, films, documents. A blob is named by what it is, the SHA-256 of its octets, within one account; it is
// made whole or not at all, and never changed.
//
// A [Store] keeps them: in a directory, in an object store, in memory. A [Keeper] stands before it and holds what an upload has put until a change names it, so that the [Collector], who lets go
// of what no change names, can never meet one half-way.
package blob

import (
	"context"
	"fmt"
	"io"
	"time"

	"holdfast"
)

// Store keeps blobs. All methods may be called from many goroutines. Errors are *holdfast.Error; kinds: NotFound, TooLarge, Corrupt (what is stored is not what was put), Full, Unavailable (the
// store cannot be reached, or does not take anything any more until it is opened again).
//
// No two calls of Keep and Remove are made at once for one blob: see [Keeper].
type Store interface {
	// Stage takes in what r yields, at most limit octets, where nobody sees it yet. It reads r to its end; an error of r's is returned as it is, and nothing stays.
	Stage(ctx context.Context, account holdfast.ID, r io.Reader, limit int64) (Staged, error)
	// Open opens a blob for reading. What it hands out was verified by the piece, so that a range of a large one costs little; octets that are not what was put are never handed out.
	// It stays readable if it is removed, or says NotFound. ctx is that of all reads.
	Open(ctx context.Context, account holdfast.ID, h holdfast.Hash) (File, error)
	// Stat describes a blob without reading it.
	Stat(ctx context.Context, account holdfast.ID, h holdfast.Hash) (Info, error)
	// List calls fn with up to limit blobs of an account (0: all) by ascending hash, above after; nil: from the first. It looks at names, not at octets.
	List(ctx context.Context, account holdfast.ID, after *holdfast.Hash, limit int, fn func(Info) error) error
	// Accounts returns the accounts of which there may be blobs, by ascending id.
	Accounts(ctx context.Context) ([]holdfast.ID, error)
	// Verify reads all of a blob. Errors: Corrupt, NotFound.
	Verify(ctx context.Context, account holdfast.ID, h holdfast.Hash) error
	// Remove removes a blob, durably; one that is not there is NotFound.
	Remove(ctx context.Context, account holdfast.ID, h holdfast.Hash) error
	// String names the store for people: its kind and where it is, without secrets.
	String() string
	// Close lets go.
	Close() error
}

// Staged is a blob that was taken in and that nobody sees.
type Staged interface {
	// Blob returns its hash and size.
	Blob() holdfast.Blob
	// Open opens it as the store's Open does, from now on: also while Keep is at work, and behind it what was kept. Whoever copies it elsewhere need not wait until it is durable here. After Drop it may be NotFound.
	Open(ctx context.Context) (File, error)
	// Keep makes it one of the account's, durably: after nil it survives a power cut. Where it was there before, what is there is verified whole, and stays if it is; otherwise this one takes its place.
	Keep(ctx context.Context) error
	// Drop lets go of what was staged. After Keep it does nothing.
	Drop()
}

// File is an open blob. Its reads may be called from many goroutines. Errors: Corrupt, Unavailable, NotFound.
type File interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// Info describes a blob.
type Info struct {
	Account holdfast.ID
	holdfast.Blob
	Made time.Time // by the store's own time
}

// Err builds an error of a store, so that every kind of store says the same thing for the same cause.
func Err(op string, kind holdfast.ErrorKind, ref, text string, cause error) error {
	return &holdfast.Error{Op: "blob." + op, Kind: kind, Ref: ref, Text: text, Err: cause}
}

// NoSuch is the error for a blob that is not there.
func NoSuch(op string, h holdfast.Hash) error {
	return Err(op, holdfast.NotFound, h.String(), "there is no such blob", nil)
}

// TooLarge is the error for more octets than are taken.
func TooLarge(limit int64) error {
	return Err("Put", holdfast.TooLarge, "", fmt.Sprintf("it has more than %d octets, which is the most that is taken", limit), nil)
}

// Damaged is the error for a blob that is not what was put.
func Damaged(op string, h holdfast.Hash, what string) error {
	return Err(op, holdfast.Corrupt, h.String(), what+". Put the same file again, or restore it from a vault", nil)
}
