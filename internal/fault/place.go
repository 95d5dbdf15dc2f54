package fault

import (
	"context"
	"errors"
	"io"
	"time"

	"holdfast"
	"holdfast/internal/place"
)

// Place is a place whose calls go wrong as its plan says. Counted are Put, Append, Remove, Fence and Settle, and with Plan.Reads Get, Stat, List and Now.
type Place struct {
	place.Place
	plan *Plan
}

var (
	_ place.Place  = (*Place)(nil)
	_ place.Leaser = (*Place)(nil)
)

// Wrap returns the place with the faults of plan.
func Wrap(p place.Place, plan *Plan) *Place { return &Place{p, plan} }

func failed(op, name string, act Act) error {
	if act == Full {
		return place.Err(op, holdfast.Full, name, "a test says that there is no space left", ErrFault)
	}
	return place.Err(op, holdfast.Unavailable, name, "a test says that the place cannot be reached", ErrFault)
}

// change makes one call that changes something; half does a part of it.
func (p *Place) change(ctx context.Context, op, name string, do, half func() error) error {
	act := p.plan.next(ctx, op+" "+name, false)
	switch act {
	case None:
		return do()
	case Lie:
		return nil
	case After:
		if err := do(); err != nil {
			return err
		}
	case Half:
		if err := half(); err != nil {
			return err
		}
	}
	return failed(op, name, act)
}

func nothing() error { return nil }

// Put implements [place.Place]. It is whole or absent, even where it goes wrong.
func (p *Place) Put(ctx context.Context, name string, r io.Reader) error {
	return p.change(ctx, "Put", name, func() error { return p.Place.Put(ctx, name, r) }, nothing)
}

// Append implements [place.Place]. Half of it ends in an octet that is not zero, as a place shows no others at an end.
func (p *Place) Append(ctx context.Context, name string, at int64, b []byte) error {
	return p.change(ctx, "Append", name, func() error { return p.Place.Append(ctx, name, at, b) }, func() error {
		n := len(b) / 2
		for n > 0 && b[n-1] == 0 {
			n--
		}
		if n == 0 {
			return nil
		}
		return p.Place.Append(ctx, name, at, b[:n])
	})
}

// Remove implements [place.Place].
func (p *Place) Remove(ctx context.Context, name string) error {
	return p.change(ctx, "Remove", name, func() error { return p.Place.Remove(ctx, name) }, nothing)
}

// Get implements [place.Place]. Half of it gives the first half of the octets, then an error; a lie turns one bit of the first octet.
func (p *Place) Get(ctx context.Context, name string, at, n int64) (io.ReadCloser, error) {
	act := p.plan.next(ctx, "Get "+name, true)
	if act != None && act != Half && act != Lie {
		return nil, failed("Get", name, act)
	}
	r, err := p.Place.Get(ctx, name, at, n)
	switch {
	case err != nil || act == None:
		return r, err
	case act == Lie:
		return &reader{Closer: r, r: r, lie: true}, nil
	}
	i, err := p.Place.Stat(ctx, name)
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	size := max(i.Size-at, 0)
	if n >= 0 {
		size = min(size, n)
	}
	return &reader{Closer: r, r: io.LimitReader(r, size/2), err: failed("Get", name, act)}, nil
}

// reader gives what r has, then err in the place of its end.
type reader struct {
	io.Closer
	r   io.Reader
	lie bool
	err error
}

func (r *reader) Read(b []byte) (int, error) {
	n, err := r.r.Read(b)
	if n > 0 && r.lie {
		b[0] ^= 1
		r.lie = false
	}
	if err == io.EOF && r.err != nil {
		err = r.err
	}
	return n, err
}

// Stat implements [place.Place]. A lie says that the object is not there.
func (p *Place) Stat(ctx context.Context, name string) (place.Info, error) {
	switch act := p.plan.next(ctx, "Stat "+name, true); act {
	case None:
		return p.Place.Stat(ctx, name)
	case Lie:
		return place.Info{}, place.Err("Stat", holdfast.NotFound, name, "there is no such object", ErrFault)
	default:
		return place.Info{}, failed("Stat", name, act)
	}
}

// List implements [place.Place]. Half of it calls fn with every second object, then fails; a lie does so and says nothing.
func (p *Place) List(ctx context.Context, prefix, after string, fn func(place.Info) error) error {
	act := p.plan.next(ctx, "List "+prefix, true)
	switch act {
	case None:
		return p.Place.List(ctx, prefix, after, fn)
	case Half, Lie:
		skip := false
		err := p.Place.List(ctx, prefix, after, func(i place.Info) error {
			if skip = !skip; skip {
				return nil
			}
			return fn(i)
		})
		if err != nil || act == Lie {
			return err
		}
	}
	return failed("List", prefix, act)
}

// Now implements [place.Place]. A lie is a year late.
func (p *Place) Now(ctx context.Context) (time.Time, error) {
	switch act := p.plan.next(ctx, "Now", true); act {
	case None:
		return p.Place.Now(ctx)
	case Lie:
		at, err := p.Place.Now(ctx)
		return at.AddDate(-1, 0, 0), err
	default:
		return time.Time{}, failed("Now", "", act)
	}
}

// Lease implements [place.Leaser]: the wrapped place's; where that has none, one that keeps nobody out.
func (p *Place) Lease() (io.Closer, error) {
	if l, ok := p.Place.(place.Leaser); ok {
		return l.Lease()
	}
	return io.NopCloser(nil), nil
}

// Fence implements [place.Fencer], where the wrapped place does.
func (p *Place) Fence(ctx context.Context) error {
	return p.change(ctx, "Fence", "", func() error { return place.Fence(ctx, p.Place) }, nothing)
}

// Settle implements [place.Settler], where the wrapped place does.
func (p *Place) Settle(ctx context.Context, name string) error {
	return p.change(ctx, "Settle", name, func() error { return place.Settle(ctx, p.Place, name) }, nothing)
}
