package core

import (
	"context"
	"slices"
	"sync"
	"time"

	"holdfast"
)

// GuardLimits say when deletions and overwritings by one device are a burst, which is kept, told and undone in one step. It is never refused: a phone that is told that it may not delete drops its copy
// all the same, and one that deletes because it is broken must not be taught to try again. Zero values mean the defaults.
type GuardLimits struct {
	Items  int           // at least so many in one collection …; default 20
	Share  int           // … that are at least so many percent of what was live in it; default 20
	All    int           // or so many in all; default 200
	Window time.Duration // within this time; default 60 min
	Told   time.Duration // how long a burst is shown as new; default 7 days
}

func (l GuardLimits) withDefaults() GuardLimits {
	def(&l.Items, 20)
	def(&l.Share, 20)
	def(&l.All, 200)
	def(&l.Window, time.Hour)
	def(&l.Told, 7*24*time.Hour)
	return l
}

// Burst is a burst that was noticed lately.
type Burst struct {
	Owner holdfast.ID `json:"owner"` // in whose account
	holdfast.BurstRecord
}

// maxWatched bounds the devices whose deletions are counted at one time, maxBursts the bursts that are shown as new.
const (
	maxWatched = 50_000
	maxBursts  = 1000
)

type watchKey struct{ account, device holdfast.ID }

// act is a deletion or overwriting; many at once where a collection went.
type act struct {
	at          time.Time
	seq         uint64
	collection  holdfast.ID
	deleted     int
	overwritten int
}

// watched is what one device did to one account lately.
type watched struct {
	mu    sync.Mutex
	known bool        // what it did before this process began was read
	acts  []act       // within the window; none once a burst was noticed
	burst holdfast.ID // that goes on
	last  time.Time   // of its acts
}

// guard counts deletions and overwritings by device.
type guard struct {
	limits GuardLimits
	save   func(context.Context, []Burst) error

	mu      sync.Mutex
	devices map[watchKey]*watched
	resets  map[seenKey]time.Time // when a device listed a collection anew that had used tokens before
	bursts  []Burst               // that were noticed lately, oldest first

	saving sync.Mutex
}

func (g *guard) init(l GuardLimits, bursts []Burst, save func(context.Context, []Burst) error) {
	g.limits, g.save, g.bursts = l.withDefaults(), save, slices.Clone(bursts)
	g.devices, g.resets = map[watchKey]*watched{}, map[seenKey]time.Time{}
}

// of returns what is counted of a device. Where too many are, those that have been quiet for the window are forgotten; they are read again when they come.
func (g *guard) of(k watchKey, now time.Time) *watched {
	g.mu.Lock()
	defer g.mu.Unlock()
	w := g.devices[k]
	if w != nil {
		return w
	}
	if len(g.devices) >= maxWatched {
		for old, x := range g.devices {
			if x.mu.TryLock() {
				if now.Sub(x.last) > g.limits.Window {
					delete(g.devices, old)
				}
				x.mu.Unlock()
			}
		}
	}
	if len(g.devices) >= maxWatched {
		clear(g.devices)
	}
	w = &watched{}
	g.devices[k] = w
	return w
}

// reset notes that a device listed a collection anew though it had a token of it: as one does that was reset, or set up again.
func (g *guard) reset(device, collection holdfast.ID, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.resets) >= maxWatched {
		for k, at := range g.resets {
			if now.Sub(at) > g.limits.Window {
				delete(g.resets, k)
			}
		}
	}
	if len(g.resets) < maxWatched {
		g.resets[seenKey{device, collection}] = now
	}
}

func (g *guard) wasReset(device, collection holdfast.ID, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	at, ok := g.resets[seenKey{device, collection}]
	return ok && now.Sub(at) <= g.limits.Window
}

// done counts what a principal's device has done to an account: it was acknowledged. What cannot be counted is logged; the answer stays success, and history has all of it.
func (s *Service) done(ctx context.Context, p holdfast.Principal, owner holdfast.ID, a act) {
	if p.Device.IsZero() || a.deleted+a.overwritten == 0 {
		return
	}
	ctx = context.WithoutCancel(ctx)
	a.at = s.Now()
	w := s.guard.of(watchKey{owner, p.Device}, a.at)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := s.count(ctx, w, p, owner, a); err != nil {
		s.log.Warn("deletions by a device could not be counted; they are counted with its next one", "account", owner, "device", p.Device, "err", err)
	}
}

// count adds an act, and notices a burst. The lock of w is held.
func (s *Service) count(ctx context.Context, w *watched, p holdfast.Principal, owner holdfast.ID, a act) error {
	g := &s.guard
	if !w.known {
		if err := s.recall(ctx, w, p, owner, a); err != nil {
			return err
		}
	}
	if a.at.Sub(w.last) > g.limits.Window {
		w.burst, w.acts = holdfast.ID{}, nil
	}
	w.last = a.at
	if !w.burst.IsZero() {
		return nil // it goes on
	}
	w.acts = append(slices.DeleteFunc(w.acts, func(x act) bool { return a.at.Sub(x.at) > g.limits.Window }), a)
	reset := a.deleted > 0 && g.wasReset(p.Device, a.collection, a.at)
	is, err := s.burst(ctx, w, a, reset)
	if err != nil || !is {
		return err
	}
	rec := holdfast.BurstRecord{ID: holdfast.NewID(s.randomSource()), Account: p.Account, Device: p.Device, First: w.acts[0].seq, Began: w.acts[0].at.Truncate(time.Second), Window: g.limits.Window,
		Reset: reset, At: a.at.Truncate(time.Second), Collection: a.collection}
	if reset { // what it did elsewhere before that is nothing new
		i := slices.IndexFunc(w.acts, func(x act) bool { return x.collection == a.collection })
		rec.First, rec.Began = w.acts[i].seq, w.acts[i].at.Truncate(time.Second)
	}
	for _, x := range w.acts {
		if x.seq >= rec.First {
			rec.Deleted, rec.Overwritten = rec.Deleted+x.deleted, rec.Overwritten+x.overwritten
		}
	}
	if err := s.commitOne(ctx, owner, s.entry(holdfast.Actor{}, holdfast.OpPut, holdfast.KindBurst, owner, holdfast.BurstName(rec.ID), rec.Encode(), nil)); err != nil {
		return err
	}
	w.burst, w.acts = rec.ID, nil
	s.log.Warn("a device deletes or overwrites much at once: it is kept, and can be undone in one step", "account", owner, "device", p.Device, "burst", rec.ID, "deleted", rec.Deleted, "overwritten", rec.Overwritten, "reset", reset)
	g.noticed(Burst{owner, rec}, a.at)
	s.keepBursts(ctx)
	return nil
}

// burst judges what a device did within the window.
func (s *Service) burst(ctx context.Context, w *watched, a act, reset bool) (bool, error) {
	all, here, gone := 0, 0, 0
	for _, x := range w.acts {
		all += x.deleted + x.overwritten
		if x.collection == a.collection {
			here, gone = here+x.deleted+x.overwritten, gone+x.deleted
		}
	}
	if all >= s.guard.limits.All || reset {
		return true, nil
	}
	if here < s.guard.limits.Items {
		return false, nil
	}
	snap, err := s.engine.Snapshot(ctx)
	if err != nil {
		return false, err
	}
	defer snap.Close()
	c, err := snap.Collection(a.collection)
	if err != nil {
		return false, err
	}
	were := int(c.Items) + gone
	if c.Gone { // its members are still counted
		were = int(c.Items)
	}
	return here*100 >= s.guard.limits.Share*were, nil
}

// recallPage is how many changes are read at once to know what a device did before this process began; maxRecall is where that ends.
const (
	recallPage = 256
	maxRecall  = 64 * 1024
)

// recall reads out of the journal what a device did within the window before a, and which burst of it goes on. The lock of w is held.
func (s *Service) recall(ctx context.Context, w *watched, p holdfast.Principal, owner holdfast.ID, a act) error {
	snap, err := s.engine.Snapshot(ctx)
	if err != nil {
		return err
	}
	defer snap.Close()
	since := a.at.Add(-s.guard.limits.Window)
	var acts []act
	for to, n := a.seq-1, 0; to > 0 && n < maxRecall; n += recallPage {
		from := to - min(to, recallPage)
		var page []act
		old := false
		err := snap.Changes(owner, from, int(to-from), 0, func(c *holdfast.Change) error {
			old = old || c.At.Before(since)
			if x := actOf(c); c.Actor.Device == p.Device && x.deleted+x.overwritten > 0 && !c.At.Before(since) {
				page = append(page, x)
			}
			return nil
		})
		if err != nil {
			return err
		}
		acts = append(page, acts...)
		if to = from; old {
			break
		}
	}
	if w.acts = acts; len(acts) > 0 {
		w.last = acts[len(acts)-1].at
	}
	bursts, err := readBursts(snap, owner)
	if err != nil {
		return err
	}
	for _, rec := range bursts.list {
		if rec.Device == p.Device && !w.last.IsZero() && !rec.At.Before(since) {
			w.burst, w.acts = rec.ID, nil
		}
	}
	w.known = true
	return nil
}

// actOf judges a change by itself: a member that went, or that took the place of an earlier version.
func actOf(c *holdfast.Change) (a act) {
	a = act{at: c.At, seq: c.Seq, collection: c.Collection}
	switch {
	case c.Kind == holdfast.KindCollection && c.Op == holdfast.OpDelete:
		a.deleted = 1
	case c.Kind < holdfast.KindAddress:
	case c.Op == holdfast.OpDelete:
		a.deleted = 1
	case c.Prev != 0:
		a.overwritten = 1
	}
	return a
}

// noticed takes a new burst.
func (g *guard) noticed(b Burst, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.bursts = append(g.bursts, b)
	g.forget(now)
}

// forget drops what is not new any more. The lock is held.
func (g *guard) forget(now time.Time) {
	g.bursts = slices.DeleteFunc(g.bursts, func(b Burst) bool { return now.Sub(b.At) > g.limits.Told })
	g.bursts = g.bursts[max(0, len(g.bursts)-maxBursts):]
}

// keepBursts writes down which bursts are new.
func (s *Service) keepBursts(ctx context.Context) {
	g := &s.guard
	g.saving.Lock()
	defer g.saving.Unlock()
	if g.save == nil {
		return
	}
	if err := g.save(ctx, s.Bursts()); err != nil {
		s.log.Error("which bursts of deletions are new could not be written down; history has them all the same", "err", err)
	}
}

// Bursts returns the bursts of all accounts that were noticed lately and are not settled, oldest first.
func (s *Service) Bursts() []Burst {
	g := &s.guard
	g.mu.Lock()
	defer g.mu.Unlock()
	g.forget(s.Now())
	return slices.Clone(g.bursts)
}

// SettleBurst has a burst shown as new no more: it was undone, or its owner knows of it.
func (s *Service) SettleBurst(ctx context.Context, id holdfast.ID) {
	g := &s.guard
	g.mu.Lock()
	n := len(g.bursts)
	g.bursts = slices.DeleteFunc(g.bursts, func(b Burst) bool { return b.ID == id })
	changed := len(g.bursts) != n
	g.mu.Unlock()
	if changed {
		s.keepBursts(context.WithoutCancel(ctx))
	}
}
