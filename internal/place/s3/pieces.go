package s3

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/bucket"
	"holdfast/internal/place"
)

// pieceMark stands between the name of a growing object and a piece's offset, and behindPieces sorts behind all of them.
const (
	pieceMark    = "!"
	behindPieces = pieceMark + "~"
)

func pieceKey(name string, at int64) string { return fmt.Sprintf("%s%s%012d", name, pieceMark, at) }

// cutKey returns which object a key is of, and a piece's offset; negative: it is the object itself. ok is false for what is no object's.
func cutKey(key string) (name string, at int64, ok bool) {
	name, digits, piece := strings.Cut(key, pieceMark)
	if !place.IsName(name) || piece && (!grows(name) || len(digits) != 12) {
		return "", 0, false
	}
	if !piece {
		return name, -1, true
	}
	n, err := strconv.ParseUint(digits, 10, 62)
	return name, int64(n), err == nil
}

// maxHole bounds how far behind the end of a piece the next one begins where some are missing: anybody who may write there could name any offset.
const maxHole = 64 << 20

// pieces are what a growing object is made of.
type pieces struct {
	list   []piece
	size   int64
	made   time.Time // of the newest
	whole  bool      // it lies there in one
	closed bool      // nobody appends to it
	end    int64     // of one that is closed: where that was
}

type piece struct{ at, size int64 }

// add takes what a listing has of the object, in order.
func (l *pieces) add(at int64, i bucket.Info) {
	switch {
	case l.whole:
		return
	case at < 0:
		l.whole, l.size, l.made = true, i.Size, i.Made
	case i.Size == 0:
		l.closed, l.end = true, at
	case at < l.size || at > l.size+maxHole: // in another piece, or rubbish
	default:
		l.list = append(l.list, piece{at, i.Size})
		l.size, l.made = at+i.Size, i.Made
	}
}

// there tells whether there is an object: one that was closed before anything was appended is none.
func (l *pieces) there() bool { return l.whole || len(l.list) > 0 }

// ended tells whether it does not change any more.
func (l *pieces) ended() bool { return l.whole || l.closed }

// complete tells whether a closed object's pieces are all there.
func (l *pieces) complete() bool {
	at := int64(0)
	for _, x := range l.list {
		if x.at != at {
			return false
		}
		at = x.at + x.size
	}
	return l.closed && at == l.end
}

func (l *pieces) info(name string) place.Info {
	return place.Info{Name: name, Size: l.size, Made: l.made}
}

// maxKnown bounds the objects whose pieces are remembered, and maxPieces those of one.
const (
	maxKnown  = 64
	maxPieces = 100_000
)

var errEnough = errors.New("enough")

// look lists the pieces of an object anew.
func (p *Place) look(ctx context.Context, name string) (*pieces, error) {
	p.mu.Lock()
	old := p.known[name]
	p.mu.Unlock()
	l, after := &pieces{}, ""
	if old != nil && !old.ended() && len(old.list) > 0 { // what follows is enough
		*l = *old
		l.list = l.list[:len(l.list):len(l.list)]
		after = pieceKey(name, l.list[len(l.list)-1].at)
	}
	err := p.b.List(ctx, name, after, func(i bucket.Info) error {
		of, at, ok := cutKey(i.Name)
		if of != name || !ok {
			return errEnough
		}
		if l.add(at, i); l.whole {
			return errEnough
		}
		return nil
	})
	if err != nil && err != errEnough {
		return nil, err
	}
	if after != "" && l.closed { // it may have been put whole meanwhile
		p.unknow(name)
		return p.look(ctx, name)
	}
	p.know(name, l)
	return l, nil
}

// upTo returns the pieces of an object as far as octets up to an end are among them; negative: all of them.
func (p *Place) upTo(ctx context.Context, name string, end int64) (*pieces, error) {
	p.mu.Lock()
	l := p.known[name]
	p.mu.Unlock()
	if l != nil && (l.ended() || end >= 0 && end <= l.size) {
		return l, nil
	}
	return p.look(ctx, name)
}

func (p *Place) know(name string, l *pieces) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.known) >= maxKnown {
		clear(p.known)
	}
	if l.there() && len(l.list) <= maxPieces {
		p.known[name] = l
	}
}

func (p *Place) unknow(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.known, name)
}

// forget forgets all about an object.
func (p *Place) forget(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.known, name)
	delete(p.tails, name)
}
