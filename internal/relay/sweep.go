package relay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/store"
	"holdfast/internal/vault"
)

// What a vault holds of blobs that no change names is swept away: see docs/design/0054.

// Swept is what is known of one vault between two sweeps, and is kept between runs of the process. Where it is lost, what no change names stays for longer.
type Swept struct {
	Vault   holdfast.ID `json:"vault"`
	Unnamed []Unnamed   `json:"unnamed,omitempty"`
	// Doubts are objects whose removal was begun, and may still be to come: nobody relies on them, nor uses their names again.
	Doubts []Unnamed `json:"doubts,omitempty"`
	// Judged is when the whole vault was last read for it; of the counted time.
	Judged time.Duration `json:"judged_ns,omitempty"`
}

// Unnamed is an object that no change named.
type Unnamed struct {
	vault.UnnamedBlob
	Since time.Duration `json:"since_ns"`          // of the counted time
	Tried time.Duration `json:"tried_ns,omitzero"` // when the place last did not let go of it, or was told of it by a list
}

// Watches has what a vault's removals may still do known to who puts blobs there, before anybody does.
func (s *Swept) Watches(w *vault.Watch) {
	for _, d := range s.Doubts {
		w.Doubt(d.Name)
	}
	names := make([]string, 0, len(s.Unnamed))
	for _, u := range s.Unnamed {
		names = append(names, u.Name)
	}
	w.On(names)
}

// SweepOptions say how a vault is swept.
type SweepOptions struct {
	State   Swept
	Save    func(Swept) error                           // makes it durable
	Counted time.Duration                               // time in which the service ran, so that no jump of a clock adds to it
	Watch   *vault.Watch                                // of the vault, shared by all that has it open
	Open    func(context.Context) (*vault.Vault, error) // opens it to be read at leisure, however damaged
	Spool   func() (dir string, done func(), err error) // for what is sorted on the way
	Held    func() []string                             // why nothing goes now; nil: nobody knows of anything
	Told    func(objects []string, octets int64)        // of what went; nil: nobody
	Grace   time.Duration                               // from the first sweep that found an object unnamed to that which lets it go; default a day
	Judge   time.Duration                               // from one reading of the whole vault to the next, at least; default a day
	ByList  bool                                        // the place removes nothing by our word: it is told by signed lists
	Again   time.Duration                               // until an object is tried again that the place did not let go of; default a week
	Most    int                                         // objects that wait at once; default 10,000
}

// SweepReport is what a sweep found.
type SweepReport struct {
	Objects, Octets int64         // of blobs, in all
	Unnamed         int64         // that no change names, and that are there still
	UnnamedOctets   int64         // of those
	Gone            int64         // that went
	GoneOctets      int64         // of those
	Listed          int64         // that the place was told of by a list
	Kept            int64         // of Unnamed: that the place does not let go of, or not yet
	Left            time.Duration // until the first of the others may go
	Mended          int64         // blobs that the vault lacked, and that were put anew
	Held            []string      // why nothing goes now
}

// sweepAtOnce bounds how many objects go under one question to the store: who wants one of them waits meanwhile.
const sweepAtOnce = 200

// SweepVault looks for objects of a vault that no change names, and lets those go that were found so for long enough. Errors: NotFound, Fenced, Unavailable, those of the store and of the place; State is what was saved last all the same.
func (r *Relay) SweepVault(ctx context.Context, name string, o SweepOptions) (rep SweepReport, err error) {
	r.mu.Lock()
	w := r.workers[name]
	r.mu.Unlock()
	if w == nil {
		return rep, fail("Sweep", holdfast.NotFound, name, "there is no vault of this name", nil)
	}
	def(&o.Grace, 24*time.Hour)
	def(&o.Judge, 24*time.Hour)
	def(&o.Again, 7*24*time.Hour)
	s := w.look()
	if w.a.ledger() || !s.up || !s.whole {
		rep.Held = []string{"the vault is not whole, or takes nothing now"}
		return rep, nil
	}
	v, err := o.Open(ctx)
	if err != nil {
		return rep, err
	}
	defer v.Close()
	x := &sweep{r: r, w: w, v: v, o: o, rep: &rep, state: o.State}
	if x.state.Vault != v.Meta().Vault {
		x.state = Swept{Vault: v.Meta().Vault}
	}
	err = x.run(ctx)
	x.sum()
	return rep, err
}

// sweep is one sweep of one vault.
type sweep struct {
	r     *Relay
	w     *worker
	v     *vault.Vault // to be read
	o     SweepOptions
	rep   *SweepReport
	state Swept
}

func (x *sweep) run(ctx context.Context) error {
	x.settle()
	look, err := x.v.UnnamedBlobs(ctx, vault.UnnamedLook{Named: x.r.namedBlobs, Most: x.o.Most})
	if err != nil {
		return err
	}
	x.rep.Objects, x.rep.Octets = look.Objects, look.Octets
	x.condemn(look.Unnamed)
	if err := x.o.Save(x.state); err != nil {
		return err
	}
	if x.o.Held != nil {
		x.rep.Held = x.o.Held()
	}
	if look.Lacking > 0 { // what changes name that are not there yet comes with them
		if err := x.shipped(ctx); err != nil {
			return err
		}
		if look.Lacking, err = x.v.StillLacking(ctx, &look); err != nil {
			return err
		}
	}
	if look.Lacking > 0 { // nobody else looks through a vault elsewhere by what changes name
		if err := x.mend(ctx); err != nil {
			return err
		}
		if look.Lacking, err = x.v.StillLacking(ctx, &look); err != nil {
			return err
		}
	}
	if look.Lacking > 0 {
		x.rep.Held = append(x.rep.Held, fmt.Sprintf("the vault lacks the octets of %d files that are named", look.Lacking))
	}
	now, err := x.v.Place().Now(ctx)
	if err != nil {
		return err
	}
	ripe, told, err := x.ripe(ctx, now)
	if err != nil || len(x.rep.Held) > 0 {
		return err
	}
	if err := x.removeAll(ctx, told); err != nil { // long judged
		return err
	}
	if len(ripe) == 0 || x.state.Judged > 0 && x.o.Counted-x.state.Judged < x.o.Judge {
		return nil
	}
	x.state.Judged = max(1, x.o.Counted)
	if err := x.o.Save(x.state); err != nil { // whatever comes of it: to read a vault costs
		return err
	}
	dir, done, err := x.o.Spool()
	if err != nil {
		return err
	}
	defer done()
	may, held, err := x.v.JudgeUnnamed(ctx, dir, ripe, x.r.namedBlobs)
	if err != nil {
		return err
	}
	if held != "" {
		x.rep.Held = append(x.rep.Held, held)
	}
	return x.removeAll(ctx, may)
}

// removeAll removes objects, some at once.
func (x *sweep) removeAll(ctx context.Context, list []vault.UnnamedBlob) error {
	for part := range slices.Chunk(list, sweepAtOnce) {
		if err := x.remove(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

// lookedAtOnce is for how many blobs it is asked at once which of them a vault lacks.
const lookedAtOnce = 50_000

// mend puts anew what the store names and the vault lacks: what somebody removed there, or what a list names that should not. What nobody has is left to who verifies the vault.
func (x *sweep) mend(ctx context.Context) error {
	var part []vault.OwnedBlob
	look := func() error {
		lacking, err := x.v.LackingBlobs(ctx, part)
		part = part[:0]
		for _, b := range lacking {
			if err == nil {
				err = x.mendOne(ctx, b)
			}
		}
		return err
	}
	err := x.r.namedBlobs(ctx, func(id holdfast.ID, b holdfast.Blob) error {
		if part = append(part, vault.OwnedBlob{Account: id, Blob: b}); len(part) < lookedAtOnce {
			return nil
		}
		return look()
	})
	if err == nil {
		err = look()
	}
	return err
}

func (x *sweep) mendOne(ctx context.Context, b vault.OwnedBlob) error {
	gone, err := x.r.erased(ctx, x.v, b.Account)
	if err != nil || gone {
		return err
	}
	err = x.r.mendBlob(ctx, x.w.a.Name, blobKey{b.Account, b.Blob})
	var l *lacks
	if errors.As(err, &l) || holdfast.IsKind(err, holdfast.NotFound) {
		return nil
	}
	if err == nil {
		x.rep.Mended++
	}
	return err
}

// shipPatience is how long a sweep waits for a vault to take what the store has.
const shipPatience = 30 * time.Second

// shipped waits until the vault has what the store has now, for a bounded time.
func (x *sweep) shipped(ctx context.Context) error {
	upto, o := x.r.o.Engine.Position().Batch, &x.r.o
	for began := o.Clock.Now(); x.w.look().pos.Batch < upto; {
		if since := o.Clock.Now().Sub(began); since < 0 || since > shipPatience {
			return nil
		}
		if err := clock.Sleep(ctx, o.Clock, 20*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// settle ends doubts that are old enough: no request is on its way for so long.
func (x *sweep) settle() {
	x.state.Doubts = slices.DeleteFunc(slices.Clone(x.state.Doubts), func(d Unnamed) bool {
		old := x.o.Counted-d.Since >= x.o.Grace
		if old {
			x.o.Watch.Settle(d.Name)
		}
		return old
	})
}

// condemn notes what was found unnamed: since when, if it is what was found before and nobody has asked for it meanwhile.
func (x *sweep) condemn(found []vault.UnnamedBlob) {
	was := map[string]Unnamed{}
	for _, u := range x.state.Unnamed {
		was[u.Name] = u
	}
	names := make([]string, 0, len(found))
	for _, u := range found {
		names = append(names, u.Name)
	}
	touched := x.o.Watch.On(names)
	next := make([]Unnamed, 0, len(found))
	for _, u := range found {
		old, known := was[u.Name]
		if known && !touched[u.Name] && old.Size == u.Size && old.Made.Equal(u.Made) && old.By == u.By {
			old.Since = min(old.Since, x.o.Counted)
			next = append(next, old)
			continue
		}
		next = append(next, Unnamed{UnnamedBlob: u, Since: x.o.Counted})
	}
	x.state.Unnamed = next
}

// ripe returns what has waited for long enough, by time that the service ran and by the place's own. A place's time that is still to come says nothing: some clock was put back. told are those that lists name, which a place goes by whatever we find later.
func (x *sweep) ripe(ctx context.Context, now time.Time) (out, told []vault.UnnamedBlob, err error) {
	for _, u := range x.state.Unnamed {
		age := now.Sub(u.Made)
		if x.waits(u) > 0 || age < x.o.Grace && age >= 0 {
			continue
		}
		is, err := x.v.IsListed(ctx, u.Name)
		if err != nil {
			return nil, nil, err
		}
		if is {
			told = append(told, u.UnnamedBlob)
		} else {
			out = append(out, u.UnnamedBlob)
		}
	}
	return out, told, nil
}

// waits tells for how long an object waits yet.
func (x *sweep) waits(u Unnamed) time.Duration {
	left := u.Since + x.o.Grace - x.o.Counted
	if u.Tried > 0 {
		left = max(left, u.Tried+x.o.Again-x.o.Counted)
	}
	return left
}

// remove lets some objects go, through the vault that the worker has open. What is begun is written down before it is.
func (x *sweep) remove(ctx context.Context, list []vault.UnnamedBlob) error {
	for _, u := range list {
		x.state.Doubts = append(x.state.Doubts, Unnamed{UnnamedBlob: u, Since: x.o.Counted})
	}
	if err := x.o.Save(x.state); err != nil {
		return err
	}
	var did vault.UnnamedGone
	err := x.w.beside(ctx, func(ctx context.Context, v *vault.Vault, writer *vault.Writer) (err error) {
		did, err = v.RemoveUnnamed(ctx, writer, list, vault.Removal{Named: x.r.namedBlobs, ByList: x.o.ByList, Forget: x.w.shelf.unlearn})
		return err
	})
	gone, denied, unknown := setOf(did.Gone), setOf(append(did.Kept, did.Listed...)), setOf(did.Unknown)
	x.state.Doubts = slices.DeleteFunc(x.state.Doubts, func(d Unnamed) bool {
		begun := gone[d.Name] || unknown[d.Name]
		if !begun && slices.ContainsFunc(list, func(u vault.UnnamedBlob) bool { return u.Name == d.Name }) {
			x.o.Watch.Settle(d.Name)
			return true
		}
		return false
	})
	x.state.Unnamed = slices.DeleteFunc(x.state.Unnamed, func(u Unnamed) bool { return gone[u.Name] })
	for i := range x.state.Unnamed {
		if u := &x.state.Unnamed[i]; denied[u.Name] {
			u.Tried = max(1, x.o.Counted)
		}
	}
	x.rep.Listed += int64(len(did.Listed))
	x.rep.Gone, x.rep.GoneOctets = x.rep.Gone+int64(len(did.Gone)), x.rep.GoneOctets+did.Octets
	if x.o.Told != nil && len(did.Gone) > 0 {
		x.o.Told(did.Gone, did.Octets)
	}
	return firstErr(err, x.o.Save(x.state))
}

func setOf(names []string) map[string]bool {
	out := make(map[string]bool, len(names))
	for _, n := range names {
		out[n] = true
	}
	return out
}

// sum sums up what is left.
func (x *sweep) sum() {
	first := true
	for _, u := range x.state.Unnamed {
		x.rep.Unnamed, x.rep.UnnamedOctets = x.rep.Unnamed+1, x.rep.UnnamedOctets+u.Size
		if u.Tried > 0 {
			x.rep.Kept++
		} else if left := max(0, x.waits(u)); first || left < x.rep.Left {
			x.rep.Left, first = left, false
		}
	}
}

// namedBlobs calls fn with each blob that any change of the store names. It implements [vault.Naming].
func (r *Relay) namedBlobs(ctx context.Context, fn func(holdfast.ID, holdfast.Blob) error) error {
	for from := (holdfast.ID{}); ; {
		id, err := r.accountFrom(ctx, from)
		if err != nil || id.IsZero() {
			return err
		}
		err = store.EachBlob(ctx, r.o.Engine, id, holdfast.Hash{}, func(b holdfast.Blob) error { return fn(id, b) })
		if err != nil && !holdfast.IsKind(err, holdfast.NotFound) { // it was erased meanwhile
			return err
		}
		next, ok := following(id)
		if !ok {
			return nil
		}
		from = next
	}
}

// unlearn forgets what the vault is known to have, and what is found out by puts that have begun already: it is asked again.
func (s *shelf) unlearn() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.age++
	clear(s.had)
	s.order, s.oldest = nil, 0
}

// CountService adds the time that has passed to what a service has run, step at most: no jump of a clock makes a day of it, nor does a night in which it was off.
func CountService(w *clock.Waited, now time.Time, step time.Duration) time.Duration {
	before := w.Total
	w.Count(now)
	w.Total = min(w.Total, before+step)
	return w.Total
}
