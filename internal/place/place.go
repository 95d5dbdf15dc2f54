// Package place is the contract of the places where a vault's objects lie: a directory, another machine, an object store.
//
// An object has a name like a path ("heads/000000000001") (see [CheckName]), and octets that nobody here understands. It is written
// whole and once ([Place.Put]), or, where its name ends in ".frames", grows at its end ([Place.Append]); it is never overwritten. Whatever returned nil is durable: it survives a power cut.
//
// Who may write need not be allowed to remove: see [Place.Remove].
package place

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"holdfast"
)

// Place is where the objects of one vault lie. All methods may be called from many goroutines. Errors are *holdfast.Error; kinds: NotFound, Exists, PreconditionFailed
// (Append not at the end), Forbidden (no right, or too early, to remove), Fenced (the place has another writer), Full, Unavailable (it cannot be reached, or a write failed and what it left is not known),
// Invalid (the name; or the place found the octets inconsistent), Corrupt.
type Place interface {
	// Put makes an object whose name does not end in ".frames", whole or not at all. Where the name is taken by the same octets it succeeds, by others it is Exists. It reads r to its end; an error of r's is returned, and nothing is made.
	Put(ctx context.Context, name string, r io.Reader) error
	// Append adds octets to an object at offset at, which must be where it ends; at 0 makes the object, which must not be there. p must not be empty nor end in a zero octet. After any error
	// but PreconditionFailed, Exists, Invalid and Fenced what stands behind at is not known, and nobody appends to that object again. Once it has returned nil p is the caller's again.
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

// Leaser is a place that can keep a second writer of the same machine out.
type Leaser interface {
	// Lease takes the exclusive right to write. What is found under it is durable, as is what was found before, whoever left it. Error: Busy where another has it.
	Lease() (io.Closer, error)
}

// Fencer is a place that many machines may write to at the same time. After Fence returned nil nobody else's Append succeeds: what others appended before is there to be seen, and theirs are Fenced until they call it themselves. Who never called it is not fenced.
type Fencer interface {
	Fence(ctx context.Context) error
}

// Fence fences a place off, where it is one that can be.
func Fence(ctx context.Context, p Place) error {
	if f, is := p.(Fencer); is {
		return f.Fence(ctx)
	}
	return nil
}

// Settler is a place that keeps a growing object better once it is told that it does not grow any more. Nobody can append to it then.
type Settler interface {
	Settle(ctx context.Context, name string) error
}

// Settle tells a place that nobody appends to an object any more, where it wants to know.
func Settle(ctx context.Context, p Place, name string) error {
	if s, is := p.(Settler); is {
		return s.Settle(ctx, name)
	}
	return nil
}

// Holder is a place that may lock objects for a while when they are put: nobody can remove them, whatever right he has.
type Holder interface {
	// Hold locks an object again, as if it had been put now. Errors: NotFound.
	Hold(ctx context.Context, name string) error
}

// Laster is a place that finds the last of many objects without listing all.
type Laster interface {
	// Last returns the last object by name whose name begins with a prefix, which ends in a slash; ok is false where there is none.
	Last(ctx context.Context, prefix string) (i Info, ok bool, err error)
}

// Last returns the last object by name whose name begins with a prefix that ends in a slash; ok is false where there is none.
func Last(ctx context.Context, p Place, prefix string) (last Info, ok bool, err error) {
	if l, is := p.(Laster); is {
		return l.Last(ctx, prefix)
	}
	err = p.List(ctx, prefix, "", func(i Info) error { last, ok = i, true; return nil })
	return last, ok, err
}

// ManyReader is a place that hands over many small objects at once: where each would cost a journey of its own.
type ManyReader interface {
	// ReadMany calls fn with the objects whose names begin with prefix, above after, by ascending name, and with the octets of those that it has at hand; nil: read it by itself.
	ReadMany(ctx context.Context, prefix, after string, fn func(Info, []byte) error) error
}

// ReadEach calls fn with the octets of the objects whose names begin with prefix, above after, by ascending name. One that cannot be read, or has more than limit octets, is handed over as its error; fn decides.
// Objects are listed before the first of them is read.
func ReadEach(ctx context.Context, p Place, prefix, after string, limit int64, fn func(name string, b []byte, err error) error) error {
	one := func(name string) error {
		b, err := ReadAll(ctx, p, name, limit)
		return fn(name, b, err)
	}
	if m, is := p.(ManyReader); is {
		return m.ReadMany(ctx, prefix, after, func(i Info, b []byte) error {
			if b == nil || int64(len(b)) > limit {
				return one(i.Name)
			}
			return fn(i.Name, b, nil)
		})
	}
	var names []string
	if err := p.List(ctx, prefix, after, func(i Info) error { names = append(names, i.Name); return nil }); err != nil {
		return err
	}
	for _, name := range names {
		if err := one(name); err != nil {
			return err
		}
	}
	return nil
}

// Grows is how the names of objects end that are appended to.
const Grows = ".frames"

// maxName is the longest name in octets.
const maxName = 200

// CheckName tells why a name cannot be an object's; nil if it can. grows: one that is appended to. Errors: Invalid.
func CheckName(op, name string, grows bool) error {
	bad := func(text string) error { return Err(op, holdfast.Invalid, name, text, nil) }
	switch {
	case name == "" || len(name) > maxName:
		return bad(fmt.Sprintf("the name of an object has 1 to %d octets", maxName))
	case strings.HasSuffix(name, Grows) != grows:
		return bad("an object is appended to exactly if its name ends in " + Grows)
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part[0] == '.' {
			return bad("no part of an object's name is empty or begins with a dot")
		}
	}
	for i := range len(name) {
		if c := name[i]; !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c == '.' || c == '-' || c == '_' || c == '/') {
			return bad(fmt.Sprintf("the character %q cannot stand in an object's name", c))
		}
	}
	return nil
}

// IsName tells whether an object can have that name: nobody looks for others, wherever they would lead.
func IsName(name string) bool {
	return CheckName("", name, strings.HasSuffix(name, Grows)) == nil
}

// NoSuch is the error for an object that is not there.
func NoSuch(op, name string) error {
	return Err(op, holdfast.NotFound, name, "there is no such object", nil)
}

// Err builds an error of a place, so that every kind of place says the same thing for the same cause.
func Err(op string, kind holdfast.ErrorKind, name, text string, cause error) error {
	return &holdfast.Error{Op: "place." + op, Kind: kind, Ref: name, Text: text, Err: cause}
}

// ReadAll returns an object's octets, at most limit of them. Errors: those of Get, TooLarge.
func ReadAll(ctx context.Context, p Place, name string, limit int64) ([]byte, error) {
	r, err := p.Get(ctx, name, 0, limit+1)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err == nil && int64(len(b)) > limit {
		return nil, Err("Get", holdfast.TooLarge, name, fmt.Sprintf("it has more than %d octets", limit), nil)
	}
	return b, err
}

// CheckAppend judges what every place judges of an Append. Errors: Invalid.
func CheckAppend(name string, at int64, p []byte) error {
	if err := CheckName("Append", name, true); err != nil {
		return err
	}
	if at < 0 || len(p) == 0 || p[len(p)-1] == 0 {
		return Err("Append", holdfast.Invalid, name, "what is appended has octets, of which the last is not zero", nil)
	}
	return nil
}

// NotAtEnd is the error of an Append that is not at the end.
func NotAtEnd(name string, at, end int64) error {
	return Err("Append", holdfast.PreconditionFailed, name, fmt.Sprintf("it ends at %d, not at %d", end, at), nil)
}
