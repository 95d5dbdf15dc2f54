package core

import (
	"context"
	"slices"
	"sync"
	"time"

	"holdfast"
	"holdfast/internal/store"
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

	saving    sync.Mutex
	following following
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
	done, err := doneBefore(snap, p.Actor(), owner, a.seq, since)
	if err != nil {
		return err
	}
	acts, err := actsOf(snap, owner, done)
	if err != nil {
		return err
	}
	w.acts = slices.DeleteFunc(acts, func(x act) bool { return x.deleted+x.overwritten == 0 || x.at.Before(since) })
	if n := len(w.acts); n > 0 {
		w.last = w.acts[n-1].at
	}
	bursts, err := readBursts(snap, owner)
	if err != nil {
		return err
	}
	if rec := bursts.newestOf(p.Actor()); rec != nil {
		b, err := findBurst(ctx, owner, *rec, func(_ context.Context, fn func(store.Snapshot) error) error { return fn(snap) })
		if err != nil {
			return err
		}
		undone, err := undoneTo(snap, owner, rec.ID)
		switch {
		case err != nil:
			return err
		case undone > 0:
			w.acts = slices.DeleteFunc(w.acts, func(x act) bool { return x.seq <= undone })
		case !b.ended && a.at.Sub(b.last) <= s.guard.limits.Window:
			w.burst, w.acts, w.last = rec.ID, nil, b.last
		}
	}
	w.known = true
	return nil
}

// undoneTo returns up to which change a burst was undone; 0: it was not.
func undoneTo(snap store.Snapshot, owner, burst holdfast.ID) (seq uint64, err error) {
	rs, err := readReversals(snap, owner)
	for _, r := range rs.list {
		if r.Burst == burst && r.Done {
			seq = max(seq, r.Seq)
		}
	}
	return seq, err
}

// undone has what a device does from now on counted anew: a burst that was undone tells nobody that it goes on. What the device did while the undo ran is read back with its next act.
func (g *guard) undone(owner holdfast.ID, rec holdfast.BurstRecord) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.devices, watchKey{owner, rec.Device})
}

// doneBefore returns what an actor did in whole groups below a seq, in its order, at least back to a moment. Where more was done to the account than maxRecall since, it begins later.
func doneBefore(snap store.Snapshot, by holdfast.Actor, owner holdfast.ID, seq uint64, since time.Time) (out []*holdfast.Change, err error) {
	for to, n, old := seq-1, 0, false; to > 0 && n < maxRecall && !old; n += recallPage {
		from := to - min(to, recallPage)
		var page []*holdfast.Change
		err := snap.Changes(owner, from, int(to-from), 0, func(c *holdfast.Change) error {
			old = old || c.At.Before(since)
			if x := *c; c.Actor == by {
				page = append(page, &x)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		out, to = append(page, out...), from
	}
	return out, nil
}

// actsOf judges what one device did, group by group; each change has its act, which is of nothing where nothing went. A member went that was deleted, or that other octets took the place of. What was moved lives elsewhere, what was made anew took
// nobody's place, and new properties leave the octets as they were. A collection that was deleted is as many deletions as it has members, also where another was moved or copied to its place. It is the one rule for what is counted and for what is found again.
func actsOf(snap store.Snapshot, owner holdfast.ID, list []*holdfast.Change) ([]act, error) {
	out := make([]act, len(list))
	for from := 0; from < len(list); {
		to := from + 1
		for list[to-1].More > 0 && to < len(list) {
			to++
		}
		moved := slices.ContainsFunc(list[from:to], func(c *holdfast.Change) bool { return c.Op == holdfast.OpPut }) &&
			slices.ContainsFunc(list[from:to], func(c *holdfast.Change) bool { return c.Op == holdfast.OpDelete })
		for i := from; i < to; i++ {
			out[i] = act{at: list[i].At, seq: list[i].Seq, collection: list[i].Collection}
			if gone := list[i].Kind == holdfast.KindCollection && list[i].Op == holdfast.OpDelete; moved && !gone {
				continue
			}
			if err := out[i].judge(snap, owner, list[i]); err != nil {
				return nil, err
			}
		}
		from = to
	}
	return out, nil
}

// judge says what went with a change.
func (a *act) judge(snap store.Snapshot, owner holdfast.ID, c *holdfast.Change) error {
	switch {
	case c.Kind == holdfast.KindCollection && c.Op == holdfast.OpDelete:
		n, err := itemsBelow(snap, owner, c.Collection)
		if a.deleted = max(1, n); err != nil {
			return err
		}
	case c.Kind < holdfast.KindAddress:
	case c.Op == holdfast.OpDelete:
		a.deleted = 1
	case c.Prev != 0:
		was, err := changeAt(snap, owner, c.Prev, 0)
		if err != nil {
			return err
		}
		if was.Op == holdfast.OpPut && (was.ETag != c.ETag || was.PropsHash == c.PropsHash) {
			a.overwritten = 1
		}
	}
	return nil
}

// itemsBelow counts the members of a collection, one that is gone too, and of what is live below it: they are out of sight with it.
func itemsBelow(snap store.Snapshot, owner, id holdfast.ID) (n int, err error) {
	tree, err := readTreeOfAll(snap, owner)
	if err != nil {
		return 0, err
	}
	n = int(tree.all[id].Items)
	for at, depth := []holdfast.ID{id}, 0; len(at) > 0 && depth < maxDepth; depth++ {
		var next []holdfast.ID
		for _, parent := range at {
			for _, k := range tree.children[parent] {
				if !tree.all[k].Gone {
					n, next = n+int(tree.all[k].Items), append(next, k)
				}
			}
		}
		at = next
	}
	return n, nil
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
