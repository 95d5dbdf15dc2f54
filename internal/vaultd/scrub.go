package vaultd

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/place"
	"holdfast/internal/vault"
)

// Scrubber reads everything that a vault's server keeps, and compares it with what it was when it came.
type Scrubber struct {
	Guard *Guard
	Every time.Duration // from one reading to the next; default 7 days
	Rate  int64         // octets a second; default 32 MiB

	mu      sync.Mutex
	last    time.Time
	damaged []string
}

// maxNamed bounds the damaged objects that are told by name.
const maxNamed = 100

// ScrubReport tells what a reading found.
type ScrubReport struct {
	Objects, Octets int64
	Damaged         []string // the first hundred of them, each with what is wrong
}

// State returns when everything was last read, and what was damaged then; a zero time where it never was.
func (s *Scrubber) State() (last time.Time, damaged []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last, append([]string{}, s.damaged...)
}

// remember takes up what the last reading before this process found. Where that was damage, what it was is not known any more, and everything is read at once.
func (s *Scrubber) remember() (wait time.Duration) {
	at, err := s.Guard.index.fact(factScrubbed)
	if err != nil || at == 0 {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = time.Unix(at, 0).UTC()
	if n, err := s.Guard.index.fact(factDamaged); err != nil || n > 0 {
		s.damaged = []string{fmt.Sprintf("%d objects, which are being looked for again", n)}
		return 0
	}
	since := s.Guard.o.Clock.Now().Sub(s.last)
	return min(max(0, s.Every-since), s.Every)
}

// Run reads everything, again and again, until ctx ends. When that was last done is remembered over restarts.
func (s *Scrubber) Run(ctx context.Context) {
	g := s.Guard
	if s.Every <= 0 {
		s.Every = 7 * 24 * time.Hour
	}
	for wait := s.remember(); clock.Sleep(ctx, g.o.Clock, wait) == nil; wait = s.Every {
		rep, err := s.Once(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			g.o.Log.Error("the vault could not be read; that is tried again", "err", err)
		default:
			g.o.Log.Info("the vault was read", "objects", rep.Objects, "octets", rep.Octets, "damaged", len(rep.Damaged))
		}
	}
}

// Once reads everything once.
func (s *Scrubber) Once(ctx context.Context) (ScrubReport, error) {
	x := &scrub{g: s.Guard, pace: pace{clock: s.Guard.o.Clock, rate: s.Rate, last: s.Guard.o.Clock.Now()}}
	if x.pace.rate <= 0 {
		x.pace.rate = 32 << 20
	}
	began := s.Guard.o.Clock.Now().UTC()
	if err := x.all(ctx); err != nil {
		return x.rep, err
	}
	s.mu.Lock()
	s.last, s.damaged = began, x.rep.Damaged
	s.mu.Unlock()
	if err := s.Guard.index.setFact(factScrubbed, began.Unix()); err != nil {
		return x.rep, err
	}
	return x.rep, s.Guard.index.setFact(factDamaged, int64(len(x.rep.Damaged)))
}

// scrub is one reading.
type scrub struct {
	g    *Guard
	pace pace
	rep  ScrubReport
}

func (x *scrub) found(name, format string, args ...any) {
	what := name + ": " + fmt.Sprintf(format, args...)
	x.g.o.Log.Error("an object is damaged; the store that it belongs to should repair its vault", "object", name, "what", what)
	if len(x.rep.Damaged) < maxNamed {
		x.rep.Damaged = append(x.rep.Damaged, what)
	}
}

func (x *scrub) all(ctx context.Context) error {
	remembered := "" // how far the index was compared with the listing
	err := x.g.Place.List(ctx, "", "", func(i place.Info) error {
		if err := x.missing(ctx, remembered, i.Name); err != nil {
			return err
		}
		remembered = i.Name
		x.rep.Objects++
		return x.object(ctx, i)
	})
	if err == nil {
		err = x.missing(ctx, remembered, "")
	}
	if err == nil {
		err = x.missingSegments(ctx)
	}
	return err
}

// missingSegments names segments that were appended to and are not there any more.
func (x *scrub) missingSegments(ctx context.Context) error {
	all, err := x.g.index.segments()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if _, err := x.g.Place.Stat(ctx, name); !holdfast.IsKind(err, holdfast.NotFound) {
			continue
		}
		if was, err := x.g.index.fact(factSegment + name); err == nil && was > 0 { // otherwise it was let go of meanwhile
			x.found(name, "it is missing")
		}
	}
	return err
}

// missing names what is remembered between two names that follow each other in the listing; to is empty for the end.
func (x *scrub) missing(ctx context.Context, from, to string) error {
	for {
		names, err := x.g.index.after(from, 100)
		if err != nil || len(names) == 0 {
			return err
		}
		for _, name := range names {
			if to != "" && name >= to {
				return nil
			}
			from = name
			if _, err := x.g.Place.Stat(ctx, name); holdfast.IsKind(err, holdfast.NotFound) {
				if _, still, err := x.g.index.get(name); err == nil && still { // otherwise it was let go of meanwhile
					x.found(name, "it is missing")
				}
			} else if err != nil {
				return err
			}
		}
	}
}

// object reads one object. One that is not remembered is from now on, as it is.
func (x *scrub) object(ctx context.Context, i place.Info) error {
	if vault.ParseName(i.Name).Class == vault.Segment {
		return x.segment(ctx, i)
	}
	want, ok, err := x.g.index.get(i.Name)
	if err != nil {
		return err
	}
	r, err := x.g.Place.Get(ctx, i.Name, 0, -1)
	if holdfast.IsKind(err, holdfast.NotFound) {
		return nil // let go of meanwhile
	}
	if err != nil {
		return err
	}
	defer r.Close()
	src := &summed{r: x.pace.reader(ctx, r), hash: sha256.New(), left: 1 << 62, name: i.Name}
	_, err = io.Copy(io.Discard, src)
	x.rep.Octets += src.size
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		x.found(i.Name, "the disk cannot read it")
	case !ok:
		x.g.mu.Lock()
		defer x.g.mu.Unlock()
		return x.g.index.put(i.Name, known{src.sum(), src.size, x.g.counted})
	case src.sum() != want.sum || src.size != want.size:
		x.found(i.Name, "it does not have the hash that it came with")
	}
	return nil
}

// segment judges a segment by what its frames say of themselves. What a cut left at its end was never acknowledged, and is no damage; what lies between the last whole frame and more of them cannot be told from it here.
func (x *scrub) segment(ctx context.Context, i place.Info) error {
	var last uint64
	v := x.g.v
	_, err := v.ReadFrames(ctx, i.Name, true, func(h vault.FrameHeader, sound bool) error {
		switch {
		case h.First == 0:
			x.found(i.Name, "%d octets between frames are none", h.Octets)
			return x.pace.took(ctx, h.Octets)
		case !sound:
			x.found(i.Name, "the frame of the batches %d to %d does not have its hash", h.First, h.Last)
		}
		last = h.Last
		x.rep.Octets += h.Octets
		return x.pace.took(ctx, h.Octets)
	})
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case holdfast.IsKind(err, holdfast.NotFound):
		return nil
	case err != nil:
		x.found(i.Name, "the disk cannot read it")
		return nil
	}
	return x.covered(i.Name, last)
}

// covered finds a segment that is shorter than it was: how far it came is remembered with each append.
func (x *scrub) covered(name string, last uint64) error {
	was, err := x.g.index.fact(factSegment + name)
	if err == nil && uint64(was) > last {
		x.found(name, "it ended with the batch %d, and ends with %d now", was, last)
	}
	return err
}

// pace keeps a reading at a rate. What was not read in a slow stretch is not made up for: no second has more than the rate and one read.
type pace struct {
	clock clock.Clock
	rate  int64
	last  time.Time // up to when the debt is paid
	debt  float64   // octets that were read ahead of the rate
}

const (
	least   = 10 * time.Millisecond // the shortest rest: a timer is not much more exact
	maxRest = 2 * time.Second       // one piece of a rest, as a clock may jump
)

// took rests until n octets more are due.
func (p *pace) took(ctx context.Context, n int64) error {
	p.pay()
	p.debt += float64(n)
	for rest := p.owed(); rest >= least; rest = p.owed() {
		step := min(rest, maxRest)
		if err := clock.Sleep(ctx, p.clock, step); err != nil {
			return err
		}
		p.debt = max(0, p.debt-step.Seconds()*float64(p.rate)) // not what the clock says: it may have been set back
		p.last = p.clock.Now()
	}
	return ctx.Err()
}

// pay takes off the debt what was due since.
func (p *pace) pay() {
	now := p.clock.Now()
	p.debt = max(0, p.debt-max(0, now.Sub(p.last).Seconds())*float64(p.rate))
	p.last = now
}

func (p *pace) owed() time.Duration {
	return time.Duration(p.debt / float64(p.rate) * float64(time.Second))
}

type paced struct {
	r   io.Reader
	p   *pace
	ctx context.Context
}

func (p *pace) reader(ctx context.Context, r io.Reader) io.Reader { return &paced{r, p, ctx} }

func (r *paced) Read(b []byte) (int, error) {
	n, err := r.r.Read(b)
	if err == nil {
		err = r.p.took(r.ctx, int64(n))
	}
	return n, err
}
