// Package collect lets go of blobs that no change names: what an upload left that never became a change.
//
// A blob is let go of where all of this holds: no pin holds it; no change of its account names it, asked while nobody can put it; it was found so at least a day ago, by time in which this service ran; and
// it is a day old by its store's own time. Blobs of an account that the store does not know are never let go of: it may be the store that lacks something.
package collect

import (
	"context"
	"log/slog"
	"time"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/clock"
)

// Names tells whether any change of an account names a blob. Errors: NotFound (the account is not known here), and those of the engine.
type Names func(ctx context.Context, account holdfast.ID, h holdfast.Hash) (bool, error)

// State is what is kept between runs of the process. Where it is lost, what no change names stays for longer.
type State struct {
	Counted   clock.Waited `json:"counted"`
	Condemned []Condemned  `json:"condemned,omitempty"`
}

// Condemned is a blob that no change named.
type Condemned struct {
	Account holdfast.ID   `json:"account"`
	Hash    holdfast.Hash `json:"sha256"`
	Since   time.Duration `json:"since_ns"` // of State.Counted
}

// Options wires a Collector.
type Options struct {
	Keeper *blob.Keeper
	Names  Names
	Clock  clock.Clock
	Log    *slog.Logger
	State  State                              // what Save was given last
	Save   func(context.Context, State) error // nil: it is not kept
	Grace  time.Duration                      // default a day
}

const (
	look  = time.Hour // the most that counts from one look at the clock to the next: no jump of a clock makes a day of it
	every = 6         // looks from one pass to the next
	most  = 10_000    // condemned at once; others wait for their turn
	page  = 1000
)

// Collector lets go of what no change names. It is used by one goroutine.
type Collector struct {
	o     Options
	state State
	since map[key]time.Duration
}

type key struct {
	account holdfast.ID
	hash    holdfast.Hash
}

// New returns a collector.
func New(o Options) *Collector {
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Grace == 0 {
		o.Grace = 24 * time.Hour
	}
	c := &Collector{o: o, state: o.State, since: map[key]time.Duration{}}
	for _, x := range o.State.Condemned {
		c.since[key{x.Account, x.Hash}] = min(x.Since, o.State.Counted.Total)
	}
	return c
}

// Result is what a pass found.
type Result struct {
	Blobs     int           // looked at
	Named     int           // by a change
	Waiting   int           // named by none, and not let go of yet
	LetGo     int           // removed
	Octets    int64         // of those
	Strangers []holdfast.ID // accounts that have blobs and that the store does not know
}

// Run counts time each hour, and makes a pass every six, until ctx ends.
func (c *Collector) Run(ctx context.Context) {
	for n := 1; ; n++ {
		if clock.Sleep(ctx, c.o.Clock, look) != nil {
			return
		}
		if n%every != 0 {
			c.Look(ctx)
			continue
		}
		r, err := c.Pass(ctx)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			c.o.Log.Warn("it cannot be looked for octets that no file has; they stay", "err", err)
		case r.LetGo > 0 || len(r.Strangers) > 0:
			c.o.Log.Info("octets of uploads that never became files were let go of", "blobs", r.LetGo, "octets", r.Octets, "waiting", r.Waiting, "accounts_unknown", len(r.Strangers))
		}
	}
}

// Look counts the time that has passed, an hour at most.
func (c *Collector) Look(ctx context.Context) {
	before := c.state.Counted.Total
	c.state.Counted.Count(c.o.Clock.Now())
	c.state.Counted.Total = min(c.state.Counted.Total, before+look)
	c.save(ctx)
}

func (c *Collector) save(ctx context.Context) {
	if c.o.Save == nil {
		return
	}
	s := State{Counted: c.state.Counted}
	for k, since := range c.since {
		s.Condemned = append(s.Condemned, Condemned{k.account, k.hash, since})
	}
	if err := c.o.Save(ctx, s); err != nil && ctx.Err() == nil {
		c.o.Log.Warn("how long octets have waited could not be written down; after a restart they wait for longer", "err", err)
	}
}

// Pass looks at every blob once. Errors: those of the store and of Names; nothing that was found before is lost by them.
func (c *Collector) Pass(ctx context.Context) (Result, error) {
	var r Result
	c.Look(ctx)
	accounts, err := c.o.Keeper.Accounts(ctx)
	if err != nil {
		return r, err
	}
	left := map[key]bool{} // condemned, and not seen yet
	for k := range c.since {
		left[k] = true
	}
	for _, id := range accounts {
		err := c.account(ctx, id, &r, left)
		if holdfast.IsKind(err, holdfast.NotFound) {
			r.Strangers = append(r.Strangers, id)
			continue
		}
		if err != nil {
			return r, err
		}
	}
	for k := range left {
		delete(c.since, k)
	}
	c.save(ctx)
	return r, nil
}

func (c *Collector) account(ctx context.Context, id holdfast.ID, r *Result, left map[key]bool) error {
	var after *holdfast.Hash
	for {
		var list []blob.Info
		if err := c.o.Keeper.List(ctx, id, after, page, func(i blob.Info) error { list = append(list, i); return nil }); err != nil {
			return err
		}
		for _, i := range list {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err := c.one(ctx, i, r); err != nil {
				return err
			}
			delete(left, key{id, i.Hash})
			r.Blobs++
		}
		if len(list) < page {
			return nil
		}
		after = &list[page-1].Hash
	}
}

// one judges one blob.
func (c *Collector) one(ctx context.Context, i blob.Info, r *Result) error {
	k := key{i.Account, i.Hash}
	named, err := c.o.Names(ctx, i.Account, i.Hash)
	if err != nil {
		return err
	}
	if named {
		r.Named++
		delete(c.since, k)
		return nil
	}
	r.Waiting++
	since, condemned := c.since[k]
	if !condemned {
		if len(c.since) < most {
			c.since[k] = c.state.Counted.Total
		}
		return nil
	}
	if c.state.Counted.Total-since < c.o.Grace || !c.old(i.Made) {
		return nil
	}
	gone, err := c.o.Keeper.LetGo(ctx, i.Account, i.Hash, func() (bool, error) { return c.free(ctx, i) })
	if err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
		return err
	}
	if gone {
		delete(c.since, k)
		r.LetGo, r.Waiting, r.Octets = r.LetGo+1, r.Waiting-1, r.Octets+i.Size
	}
	return nil
}

// old tells whether a moment of the store's is a grace ago. One that is still to come says nothing: some clock was put back, and the counted time decides alone.
func (c *Collector) old(made time.Time) bool {
	age := c.o.Clock.Now().Sub(made)
	return age >= c.o.Grace || age < 0
}

// free asks once more, while nobody can put the blob: it may have been put anew, and named, since it was listed.
func (c *Collector) free(ctx context.Context, i blob.Info) (bool, error) {
	now, err := c.o.Keeper.Stat(ctx, i.Account, i.Hash)
	if err != nil || !now.Made.Equal(i.Made) {
		return false, err
	}
	named, err := c.o.Names(ctx, i.Account, i.Hash)
	return !named, err
}
