package s3

import (
	"bytes"
	"context"
	"io"
	"sync"

	"holdfast"
	"holdfast/internal/place"
)

// What is asked for ahead while a growing object is read: pieces at once, and octets of one that is held in memory.
const (
	readAhead = 8
	maxAhead  = 512 << 10
	maxKept   = 4 << 20
)

// kept are the octets of small pieces that a reader has had last, as long as it is open. A segment is walked through, and each frame of it is read on the way: that would ask for every piece twice. They are never kept for longer: who reads again wants to know what lies there now.
type kept struct {
	mu     sync.Mutex
	octets map[int64][]byte // by a piece's offset
	order  []int64          // oldest first
	size   int
}

func (k *kept) get(at int64) []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.octets[at]
}

func (k *kept) put(at int64, b []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, has := k.octets[at]; has {
		return
	}
	if k.octets == nil {
		k.octets = map[int64][]byte{}
	}
	k.octets[at] = b
	k.order = append(k.order, at)
	for k.size += len(b); k.size > maxKept; k.order = k.order[1:] {
		k.size -= len(k.octets[k.order[0]])
		delete(k.octets, k.order[0])
	}
}

// had returns the octets of a piece that somebody has had who still reads the object; nil: nobody.
func (p *Place) had(name string, at int64) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.reading[name] {
		if b := c.kept.get(at); b != nil {
			return b
		}
	}
	return nil
}

// read reads a growing object.
func (p *Place) read(ctx context.Context, name string, at, n int64) (io.ReadCloser, error) {
	end := int64(-1)
	if n >= 0 {
		end = at + n
	}
	l, err := p.upTo(ctx, name, end)
	if err == nil && !l.there() {
		err = place.NoSuch("Get", name)
	}
	if err != nil {
		return nil, err
	}
	if end < 0 || end > l.size {
		end = l.size
	}
	if at >= end {
		return empty(), nil
	}
	if l.whole {
		return p.b.Get(ctx, name, at, end-at)
	}
	return p.chain(ctx, name, l, at, end), nil
}

// chain reads a part of an object's pieces.
func (p *Place) chain(ctx context.Context, name string, l *pieces, at, end int64) *chain {
	ctx, cancel := context.WithCancel(ctx)
	c := &chain{p: p, ctx: ctx, cancel: cancel, name: name, at: at, end: end, left: l.between(at, end)}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reading[name] == nil {
		p.reading[name] = map[*chain]bool{}
	}
	p.reading[name][c] = true
	return c
}

// span is a part of a piece, or octets that are missing and read as zeros.
type span struct {
	at    int64 // of the piece
	whole int64 // its size
	from  int64 // in it
	size  int64
	hole  bool
}

// between returns what the octets between two offsets are made of.
func (l *pieces) between(at, end int64) (out []span) {
	for _, x := range l.list {
		if x.at > at && at < end {
			n := min(x.at, end) - at
			out = append(out, span{size: n, hole: true})
			at += n
		}
		if at >= end {
			break
		}
		if at < x.at+x.size {
			n := min(x.at+x.size, end) - at
			out = append(out, span{at: x.at, whole: x.size, from: at - x.at, size: n})
			at += n
		}
	}
	return out
}

// chain reads pieces one after the other, and asks for the next small ones ahead: each would cost a journey.
type chain struct {
	p       *Place
	ctx     context.Context
	cancel  context.CancelFunc
	name    string
	at, end int64
	left    []span
	ahead   []chan fetched
	now     io.ReadCloser // nil: none is open
	moved   bool          // it was put whole while it was read
	kept    kept
}

type fetched struct {
	octets []byte
	err    error
}

// Read implements [io.Reader].
func (c *chain) Read(b []byte) (int, error) {
	for c.at < c.end && len(b) > 0 {
		if c.now == nil {
			if err := c.next(); err != nil {
				return 0, err
			}
		}
		n, err := c.now.Read(b)
		c.at += int64(n)
		if err == io.EOF {
			c.now.Close()
			c.now, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
	if c.at < c.end {
		return 0, nil
	}
	return 0, io.EOF
}

// next opens the next piece. Where that is gone the object may have been put whole meanwhile.
func (c *chain) next() error {
	if len(c.left) == 0 {
		return place.Err("Get", holdfast.Unavailable, c.name, "a piece of it was shorter than listed", nil)
	}
	err := c.open()
	if !holdfast.IsKind(err, holdfast.NotFound) || c.moved {
		return err
	}
	c.moved = true
	c.p.unknow(c.name)
	l, e := c.p.look(c.ctx, c.name)
	if e != nil {
		return e
	}
	if !l.whole {
		return err
	}
	c.left, c.ahead = nil, nil
	c.now, err = c.p.b.Get(c.ctx, c.name, c.at, c.end-c.at)
	return err
}

func (c *chain) open() error {
	c.fetch()
	x := c.left[0]
	if len(c.ahead) == 0 {
		r, err := c.p.b.Get(c.ctx, pieceKey(c.name, x.at), x.from, x.size)
		if err == nil {
			c.now, c.left = r, c.left[1:]
		}
		return err
	}
	f := <-c.ahead[0]
	if f.err != nil {
		return f.err
	}
	c.now, c.left, c.ahead = io.NopCloser(bytes.NewReader(f.octets)), c.left[1:], c.ahead[1:]
	return nil
}

// fetch asks for small pieces ahead. A large one is read when it is its turn.
func (c *chain) fetch() {
	for len(c.ahead) < min(readAhead, len(c.left)) {
		x := c.left[len(c.ahead)]
		if !x.hole && x.whole > maxAhead {
			return
		}
		if x.hole {
			x.size = min(x.size, maxAhead)
			if rest := c.left[len(c.ahead)].size - x.size; rest > 0 { // in more steps
				i := len(c.ahead)
				c.left = append(append(append([]span{}, c.left[:i]...), x, span{size: rest, hole: true}), c.left[i+1:]...)
			}
		}
		ch := make(chan fetched, 1)
		c.ahead = append(c.ahead, ch)
		go func() { ch <- c.get(x) }()
	}
}

func (c *chain) get(x span) fetched {
	if x.hole {
		return fetched{octets: make([]byte, x.size)}
	}
	b := c.p.had(c.name, x.at)
	if b == nil {
		r, err := c.p.b.Get(c.ctx, pieceKey(c.name, x.at), 0, -1)
		if err != nil {
			return fetched{err: err}
		}
		defer r.Close()
		if b, err = io.ReadAll(io.LimitReader(r, x.whole+1)); err != nil {
			return fetched{err: err}
		}
		if int64(len(b)) != x.whole {
			return fetched{err: place.Err("Get", holdfast.Unavailable, c.name, "a piece of it has another length than listed", nil)}
		}
		c.kept.put(x.at, b)
	}
	return fetched{octets: b[x.from : x.from+x.size]}
}

// Close implements [io.Closer].
func (c *chain) Close() error {
	c.cancel()
	c.p.mu.Lock()
	if delete(c.p.reading[c.name], c); len(c.p.reading[c.name]) == 0 {
		delete(c.p.reading, c.name)
	}
	c.p.mu.Unlock()
	if c.now != nil {
		return c.now.Close()
	}
	return nil
}
