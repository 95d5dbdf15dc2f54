package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"holdfast/internal/bucket"
	"holdfast/internal/place"
)

// errBehind ends a listing to go on behind the pieces of an object.
var errBehind = errors.New("behind the pieces")

// manyLeft is how many pieces of an object that is there whole are passed over one by one.
const manyLeft = 100

// List implements [place.Place].
func (p *Place) List(ctx context.Context, prefix, after string, fn func(place.Info) error) error {
	g := gathering{prefix: prefix, fn: fn}
	start := after
	if grows(after) {
		start = after + behindPieces
	}
	for {
		err := p.b.List(ctx, prefix, start, g.take)
		if err == errBehind {
			start = g.name + behindPieces
			continue
		}
		if err == nil {
			err = g.end()
		}
		return err
	}
}

// gathering makes objects of what a listing of a bucket has.
type gathering struct {
	prefix string
	fn     func(place.Info) error
	name   string // of a growing object; empty: none
	l      pieces
	passed int // pieces, since it was found whole
}

func (g *gathering) take(i bucket.Info) error {
	name, at, ok := cutKey(i.Name)
	if !ok || !strings.HasPrefix(name, g.prefix) {
		return nil
	}
	if name != g.name {
		if err := g.end(); err != nil {
			return err
		}
	}
	if !grows(name) {
		return g.fn(place.Info{Name: name, Size: i.Size, Made: i.Made})
	}
	g.name = name
	if g.l.whole {
		if g.passed++; g.passed == manyLeft {
			return errBehind
		}
	}
	g.l.add(at, i)
	return nil
}

// end hands on the growing object whose pieces were gathered.
func (g *gathering) end() error {
	name, l := g.name, g.l
	g.name, g.l, g.passed = "", pieces{}, 0
	if name == "" || !l.there() {
		return nil
	}
	return g.fn(l.info(name))
}

// Last implements [place.Laster]. Where names are numbers of one width it asks whether there is one above a number, and doubles and halves steps; other names it lists.
func (p *Place) Last(ctx context.Context, prefix string) (last place.Info, ok bool, err error) {
	after := ""
	if name, some, err := p.b.Any(ctx, prefix, ""); err != nil || !some {
		return last, false, err
	} else if n, width, is := counted(name, prefix); is {
		if after, err = p.gallop(ctx, prefix, n, width); err != nil {
			return last, false, err
		}
	}
	err = p.List(ctx, prefix, after, func(i place.Info) error { last, ok = i, true; return nil })
	return last, ok, err
}

// counted reads a name that is a number behind its prefix.
func counted(name, prefix string) (n uint64, width int, ok bool) {
	digits := strings.TrimPrefix(name, prefix)
	n, err := strconv.ParseUint(digits, 10, 62)
	return n, len(digits), err == nil
}

// gallop returns the name of a number below which, and not far, the last object stands.
func (p *Place) gallop(ctx context.Context, prefix string, low uint64, width int) (string, error) {
	const near = 500 // a page has more
	name := func(n uint64) string { return fmt.Sprintf("%s%0*d", prefix, width, n) }
	above := func(n uint64) (bool, error) {
		if len(name(n)) > len(prefix)+width {
			return false, nil
		}
		_, some, err := p.b.Any(ctx, prefix, name(n))
		return some, err
	}
	step := uint64(near)
	high := low + step
	for { // something is at low or above
		some, err := above(high)
		if err != nil {
			return "", err
		}
		if !some {
			break
		}
		low, step = high, 2*step
		high = low + step
	}
	for high-low > near {
		middle := low + (high-low)/2
		some, err := above(middle)
		if err != nil {
			return "", err
		}
		if some {
			low = middle
		} else {
			high = middle
		}
	}
	if low == 0 {
		return "", nil
	}
	return name(low - 1), nil
}

// maxSmall is the size up to which [Place.ReadMany] hands over octets.
const maxSmall = 64 << 10

// ReadMany implements [place.ManyReader]: some objects are read at once, so that each does not cost a journey of its own.
func (p *Place) ReadMany(ctx context.Context, prefix, after string, fn func(place.Info, []byte) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type one struct {
		i place.Info
		b chan []byte
	}
	queue := make(chan one, readAhead)
	listed := make(chan error, 1)
	go func() {
		defer close(queue)
		listed <- p.List(ctx, prefix, after, func(i place.Info) error {
			x := one{i, make(chan []byte, 1)}
			go func() { x.b <- p.small(ctx, i) }()
			select {
			case queue <- x:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		})
	}()
	for x := range queue {
		b := <-x.b
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if err := fn(x.i, b); err != nil {
			return err
		}
	}
	return <-listed
}

// small reads an object that is small; nil: it is read by itself, and what goes wrong is said then.
func (p *Place) small(ctx context.Context, i place.Info) []byte {
	if i.Size > maxSmall || grows(i.Name) {
		return nil
	}
	r, err := p.b.Get(ctx, i.Name, 0, -1)
	if err != nil {
		return nil
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, maxSmall+1))
	if err != nil || int64(len(b)) != i.Size {
		return nil
	}
	return b
}
