package drill

import (
	"container/heap"
	"context"
	"math"
	"math/rand/v2"
	"time"

	"holdfast"
	"holdfast/internal/store"
)

// Choosing says how accounts are chosen.
type Choosing struct {
	Whole    int64         // changes of a store that is restored as a whole
	Within   time.Duration // in which every account is to be proven
	Interval time.Duration // between two drills
	Now      time.Time
	Random   *rand.Rand
	// ProvenAt returns when an account was last proven; zero: never.
	ProvenAt func(holdfast.ID) (time.Time, error)
	// Tried returns when an account was last tried, whatever came of it, and whether it was found wanting then; nil: that is not known.
	Tried func(holdfast.ID) (time.Time, bool, error)
}

// leastDrawn is how many accounts are drawn by lot, at least: with so many, and none of them bad, at most 3 % of all are, with a confidence of 95 %.
const leastDrawn = 100

// Choose chooses the accounts of a drill: all, where the store is small. Otherwise those that have waited longest for a proof, as many as must be tried each time so that none waits longer than Within, and half as many again, drawn by lot from all.
//
// An account that was found wanting is tried each time: a drill that passes without it would be taken for the end of what was wrong. And one that was tried just now, and not proven, lets the others have their turn first.
func Choose(ctx context.Context, e store.Engine, c Choosing) (Chosen, error) {
	total, accounts, err := sizeOf(ctx, e)
	if err != nil {
		return Chosen{}, err
	}
	out := Chosen{Sample: Sample{Of: accounts, Whole: total <= c.Whole}}
	if out.Sample.Whole {
		return out, nil
	}
	turns := max(1, float64(c.Within)/float64(c.Interval)*0.8) // some drills do not pass, or are late
	n := int(math.Ceil(float64(accounts) / turns))
	p := &picker{oldest: n, drawn: max(leastDrawn, n/2), c: c}
	if err := each(ctx, e, p.take); err != nil {
		return Chosen{}, err
	}
	out.Only = map[holdfast.ID]bool{}
	for _, w := range p.waiting {
		out.Only[w.id] = true
	}
	for _, id := range append(p.lots, p.suspects...) {
		out.Only[id] = true
	}
	out.Sample.Random = len(p.lots)
	return out, nil
}

// sizeOf counts changes and accounts.
func sizeOf(ctx context.Context, e store.Engine) (total int64, accounts int, err error) {
	err = eachHead(ctx, e, func(_ holdfast.ID, h store.Head) error { total, accounts = total+int64(h.Seq), accounts+1; return nil })
	return total, accounts, err
}

func each(ctx context.Context, e store.Engine, fn func(holdfast.ID) error) error {
	return eachHead(ctx, e, func(id holdfast.ID, _ store.Head) error { return fn(id) })
}

// eachHead calls fn with each account, some from each snapshot.
func eachHead(ctx context.Context, e store.Engine, fn func(holdfast.ID, store.Head) error) error {
	after := holdfast.ID{}
	for {
		snap, err := e.Snapshot(ctx)
		if err != nil {
			return err
		}
		list, err := snap.Accounts(after, accountsAtOnce)
		for i := 0; i < len(list) && err == nil; i++ {
			after = list[i].ID
			var h store.Head
			if h, err = snap.Head(after); err == nil {
				err = fn(after, h)
			}
		}
		snap.Close()
		if err != nil || len(list) == 0 {
			return err
		}
	}
}

// picker keeps the accounts that have waited longest, and some that are drawn by lot, of all that come by.
type picker struct {
	oldest, drawn int
	c             Choosing
	waiting       waiting
	lots          []holdfast.ID
	suspects      []holdfast.ID
	seen          int
}

// againAfter is how many intervals an account lets others go first that was tried and not proven.
const againAfter = 2

func (p *picker) take(id holdfast.ID) error {
	at, err := p.c.ProvenAt(id)
	if err != nil {
		return err
	}
	if at.After(p.c.Now) { // a clock was wrong: what it proved is not known
		at = time.Time{}
	}
	if p.c.Tried != nil {
		tried, suspect, err := p.c.Tried(id)
		if err != nil {
			return err
		}
		if suspect {
			p.suspects = append(p.suspects, id)
		}
		if since := p.c.Now.Sub(tried); since >= 0 && since < againAfter*p.c.Interval && tried.After(at) {
			at = p.c.Now
		}
	}
	heap.Push(&p.waiting, wait{id, at})
	if len(p.waiting) > p.oldest {
		heap.Pop(&p.waiting)
	}
	p.seen++
	if len(p.lots) < p.drawn {
		p.lots = append(p.lots, id)
	} else if i := p.c.Random.IntN(p.seen); i < p.drawn { // each is kept with the same chance
		p.lots[i] = id
	}
	return nil
}

// wait is an account that waits for a proof.
type wait struct {
	id holdfast.ID
	at time.Time // of the last one
}

// waiting is a heap whose first has waited least.
type waiting []wait

func (h waiting) Len() int           { return len(h) }
func (h waiting) Less(i, j int) bool { return h[i].at.After(h[j].at) }
func (h waiting) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *waiting) Push(x any)        { *h = append(*h, x.(wait)) }
func (h *waiting) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}
