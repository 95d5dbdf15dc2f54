package s3

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"

	"holdfast"
	"holdfast/internal/bucket"
	"holdfast/internal/place"
)

// fenceDir is where the fences are: no object of the place has such a name.
const fenceDir = ".fence/"

func fenceKey(number uint64) string { return fmt.Sprintf("%s%012d", fenceDir, number) }

// openKey says that who made a fence appends to an object.
func openKey(number uint64, name string) string { return fenceKey(number) + pieceMark + name }

// fencing is what lies there of fences.
type fencing struct {
	highest uint64
	keys    []string            // of all, in order
	open    map[string][]string // by object: the keys that say that it is appended to
}

// numberOf returns the number of a fence's key, and the object that it names, if it does.
func numberOf(key string) (number uint64, name string, ok bool) {
	digits, name, _ := strings.Cut(strings.TrimPrefix(key, fenceDir), pieceMark)
	number, err := strconv.ParseUint(digits, 10, 62)
	return number, name, err == nil && len(digits) == 12
}

// fences lists what lies there, of numbers up to most.
func (p *Place) fences(ctx context.Context, most uint64) (f fencing, err error) {
	f.open = map[string][]string{}
	err = p.b.List(ctx, fenceDir, "", func(i bucket.Info) error {
		number, name, ok := numberOf(i.Name)
		if !ok || number > most {
			return nil
		}
		f.highest = max(f.highest, number)
		f.keys = append(f.keys, i.Name)
		if grows(name) && place.IsName(name) {
			f.open[name] = append(f.open[name], i.Name)
		}
		return nil
	})
	return f, err
}

// Fence implements [place.Fencer].
func (p *Place) Fence(ctx context.Context) error {
	number, err := p.nextFence(ctx)
	if err != nil {
		return err
	}
	before, err := p.fences(ctx, number-1) // now that ours is there: who begins an object that is not among them sees it
	if err != nil {
		return err
	}
	for name := range before.open {
		if err := p.shut(ctx, name); err != nil {
			return err
		}
	}
	p.mu.Lock()
	clear(p.tails)
	clear(p.known)
	p.mu.Unlock()
	p.fence.Store(number)
	p.tidy(ctx, before.keys)
	return nil
}

// nextFence makes the next number, and sees that the store really makes only one of two.
func (p *Place) nextFence(ctx context.Context) (uint64, error) {
	for range 20 {
		f, err := p.fences(ctx, 1<<62-1)
		if err != nil {
			return 0, err
		}
		number, own := f.highest+1, holdfast.NewID(nil).String()
		put := func(tag string) error {
			return p.b.Put(ctx, fenceKey(number), strings.NewReader(tag), int64(len(tag)), bucket.Put{New: true, Tag: tag})
		}
		if err = put(own); err == nil {
			if err := put(holdfast.NewID(nil).String()); !holdfast.IsKind(err, holdfast.Exists) {
				if err == nil {
					err = place.Err("Fence", holdfast.Invalid, p.String(), "the object store overwrites where it was told to create (If-None-Match: *), so that two writers could not be kept apart; take one that does not", nil)
				}
				return 0, err
			}
			return number, nil
		}
		if !holdfast.IsKind(err, holdfast.Exists) {
			return 0, err
		}
	}
	return 0, place.Err("Fence", holdfast.Unavailable, p.String(), "others begin to write into this place all the time", nil)
}

// shut makes that nobody appends to an object any more: it takes the offset at its end.
func (p *Place) shut(ctx context.Context, name string) error {
	for range 100 {
		p.unknow(name)
		l, err := p.look(ctx, name)
		if err != nil || l.ended() {
			return err
		}
		err = p.b.Put(ctx, pieceKey(name, l.size), bytes.NewReader(nil), 0, bucket.Put{New: true})
		if !holdfast.IsKind(err, holdfast.Exists) {
			return err
		}
	}
	return place.Err("Fence", holdfast.Unavailable, name, "it is appended to faster than it can be closed", nil)
}

// tidy removes fences that are of no use any more, as far as it may.
func (p *Place) tidy(ctx context.Context, keys []string) {
	for _, key := range keys {
		if err := p.b.Remove(ctx, key); err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
			p.o.Log.Debug("what kept another writer out is left", "place", p.String(), "object", key, "err", err)
			return
		}
	}
}
