package relay

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/clock"
	"holdfast/internal/store"
	"holdfast/internal/vault"
)

// Attached is a vault of the store.
type Attached struct {
	Name, Kind, Location, Domain string
	Host                         string // of the object store that it lies in; vaults in one of them end together; empty: it lies elsewhere
	SameDisk                     bool   // it lies on the disk that the store lies on, or that is not known
	WhySame                      string // why that is thought
	// Open opens it anew, after each failure too.
	Open func(context.Context) (*vault.Vault, error)
}

// ledger tells whether it is a vault without octets: it is no copy, nobody waits for it, and nothing is read from it that was not looked for elsewhere first.
func (a *Attached) ledger() bool { return a.Kind == vault.KindLedger }

// Options wire a relay. Zero values mean the defaults.
type Options struct {
	Engine   store.Engine
	Store    holdfast.ID
	Policy   Policy
	Degraded bool // where a vault of the policy is down the engine alone is enough; otherwise changes are refused
	Vaults   []Attached
	Derive   store.Derive // for what is applied again
	// OpenBlob opens the store's own octets of a large file, as they go into vaults. Errors: NotFound, Corrupt (they are taken out of another vault, or named as missing), Unavailable. nil: the store has no such octets.
	OpenBlob func(context.Context, holdfast.ID, holdfast.Blob) (blob.File, error)
	Clock    clock.Clock
	Log      *slog.Logger

	Retry     time.Duration // after which a refused change is tried again; default 30 s
	Patience  time.Duration // how long an acknowledgement waits for a vault that is up; default 10 s
	MaxLag    uint64        // batches above acked from which on changes are refused; default 1024
	HeadEvery time.Duration // default 10 min
	Backoff   time.Duration // the longest pause before a vault is opened again; default 30 s
	Late      time.Duration // how far a vault may be behind before it is called late; what it stored is read back four times in that time; default 1 min

	// Upkeep is done now and then over each vault that is whole: sealing, compaction. nil: nothing.
	Upkeep func(context.Context, *vault.Vault, *vault.Writer) error
	// UpkeepEvery is how often; default 1 h.
	UpkeepEvery time.Duration
	// Service is what the store keeps of itself in each vault; nil: nothing.
	Service func() any
	// Conflict is told of an account whose history went on in the store and in a vault in different ways.
	Conflict func(context.Context, Conflict) error
	// Older is told once that a vault which could not be compared with the store at the start has changes that the store lacks: the store is older than it was, or went another way, and must show nothing until it was compared. nil: nobody.
	Older func(vault string)
}

// Conflict is an account on which the store and a vault differ.
type Conflict struct {
	Account holdfast.ID
	Vault   string
	Common  uint64 // the last seq that both have
	Ours    uint64 // the newest that the store has
	Theirs  uint64 // the newest that the vault has
}

// Relay ships a store's batches to its vaults, and knows what is acknowledged. All methods may be called from many goroutines.
type Relay struct {
	o     Options
	acked atomic.Uint64
	kept  atomic.Uint64 // the newest batch that is where the policy asks for it; what the engine alone acknowledged is not

	mu      sync.Mutex
	workers map[string]*worker
	order   []string
	waiting map[*waiter]struct{}
	held    []*held
	met     bool   // the policy can be met now
	now     Policy // what is asked for now: the policy, without vaults that never were whole and are being filled
	holds   bool   // that can be met
	alone   bool   // the engine alone is enough now
	running context.Context
	all     sync.WaitGroup
	seen    []moment // when the engine was seen to be how far

	compared map[string]bool // vaults that Reconcile has reached, whatever came of it
}

// waiter is somebody who waits until the policy holds for a batch. It is woken then, and whenever what the policy can do has changed; not for each batch of others.
type waiter struct {
	batch uint64
	woken chan struct{} // holds one
}

// New wires a relay. Nothing is read before Reconcile, nothing shipped before Run.
func New(o Options) (*Relay, error) {
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	def(&o.Retry, 30*time.Second)
	def(&o.Patience, 10*time.Second)
	def(&o.MaxLag, 1024)
	def(&o.HeadEvery, 10*time.Minute)
	def(&o.Backoff, 30*time.Second)
	def(&o.UpkeepEvery, time.Hour)
	def(&o.Late, time.Minute)
	r := &Relay{o: o, workers: map[string]*worker{}, waiting: map[*waiter]struct{}{}, compared: map[string]bool{}}
	for _, a := range o.Vaults {
		r.order = append(r.order, a.Name)
		r.workers[a.Name] = newWorker(r, a)
	}
	for _, name := range o.Policy.Names() {
		if w := r.workers[name]; w != nil && w.a.ledger() {
			return nil, fail("New", holdfast.Invalid, name, fmt.Sprintf("the policy %s names %q, which is a ledger: it has no octets, so no change can wait for it; name a vault, or change the policy (--ack)", o.Policy, name), nil)
		}
		if r.workers[name] == nil {
			return nil, fail("New", holdfast.Invalid, name, fmt.Sprintf("the policy %s names a vault %q that is not there; add it (holdfast vault add), or change the policy (--ack)", o.Policy, name), nil)
		}
	}
	r.recount()
	return r, nil
}

func def[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

func fail(op string, kind holdfast.ErrorKind, ref, text string, err error) error {
	return &holdfast.Error{Op: "relay." + op, Kind: kind, Ref: ref, Text: text, Err: err}
}

// Run ships until ctx ends. Reconcile was called before.
func (r *Relay) Run(ctx context.Context) {
	r.mu.Lock()
	r.running = ctx
	for _, name := range r.order {
		r.start(r.workers[name])
	}
	r.mu.Unlock()
	if h := r.holder(); h != nil {
		h.Hold(r.keep)
		defer r.recount() // who is still kept asleep is woken
		defer h.Hold(nil)
	}
	<-ctx.Done()
	r.all.Wait()
}

// start begins a worker. The lock is held.
func (r *Relay) start(w *worker) {
	ctx, stop := context.WithCancel(r.running)
	w.stop = stop
	r.all.Go(func() { w.run(ctx) })
}

// Attach adds a vault to a running relay. Errors: Exists.
func (r *Relay) Attach(a Attached) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.workers[a.Name] != nil {
		return fail("Attach", holdfast.Exists, a.Name, "there is a vault of this name", nil)
	}
	w := newWorker(r, a)
	r.workers[a.Name], r.order = w, append(r.order, a.Name)
	if r.running != nil {
		r.start(w)
	}
	return nil
}

// Detach takes a vault out of a running relay. Errors: NotFound; Forbidden (the policy needs it).
func (r *Relay) Detach(name string) error {
	r.mu.Lock()
	w := r.workers[name]
	if w == nil || r.o.Policy.Has(name) {
		r.mu.Unlock()
		if w == nil {
			return fail("Detach", holdfast.NotFound, name, "there is no vault of this name", nil)
		}
		return fail("Detach", holdfast.Forbidden, name, fmt.Sprintf("the policy %s needs this vault; change the policy first", r.o.Policy), nil)
	}
	delete(r.workers, name)
	for i, n := range r.order {
		if n == name {
			r.order = append(r.order[:i:i], r.order[i+1:]...)
			break
		}
	}
	r.mu.Unlock()
	if w.stop != nil {
		w.stop()
		<-w.ended
	}
	return nil
}

// recount finds out for what the policy holds, after a watermark or a state changed, and wakes who waited for that.
func (r *Relay) recount() { wakeAll(r.count()) }

// count is recount without waking those who sleep in the engine: it returns them.
func (r *Relay) count() []*held {
	r.mu.Lock()
	defer r.mu.Unlock()
	engine := r.o.Engine.Position().Batch
	marks, alive := map[string]mark{}, map[string]mark{}
	filling := map[string]bool{}
	for _, name := range r.o.Policy.Names() {
		s := r.workers[name].look()
		marks[name], alive[name] = mark{s.whole, s.pos.Batch}, mark{s.whole && s.up, s.pos.Batch}
		filling[name] = s.filling()
	}
	now := r.o.Policy
	_, met := now.acked(engine, alive)
	if !met { // a vault that is being filled counts for nothing yet, neither for nor against: the others are needed as before it came
		now = now.without(filling)
	}
	_, holds := now.acked(engine, alive)
	alone := !met && (len(now.terms) == 0 || r.o.Degraded && !holds)
	batch, ok := now.acked(engine, marks)
	if ok && len(now.terms) > 0 && batch > r.kept.Load() {
		r.kept.Store(batch)
	}
	if alone {
		batch, ok = engine, true
	}
	if ok && batch > r.acked.Load() {
		r.acked.Store(batch)
	}
	all := met != r.met || alone != r.alone || holds != r.holds
	r.met, r.now, r.holds, r.alone = met, now, holds, alone
	for w := range r.waiting {
		if all || w.batch <= r.acked.Load() {
			select {
			case w.woken <- struct{}{}:
			default: // it is awake
			}
		}
	}
	return r.free()
}

// await adds somebody who waits for a batch; leave takes him away. What he waits for is to be looked at after await, so that nothing is missed.
func (r *Relay) await(batch uint64) *waiter {
	w := &waiter{batch, make(chan struct{}, 1)}
	r.mu.Lock()
	r.waiting[w] = struct{}{}
	r.mu.Unlock()
	return w
}

func (r *Relay) leave(w *waiter) {
	r.mu.Lock()
	delete(r.waiting, w)
	r.mu.Unlock()
}

// state tells whether the engine alone is enough now, and else what is asked for and whether that can be met.
func (r *Relay) state() (alone, holds bool, now Policy) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.alone, r.holds, r.now
}

// Ready implements the core's Copies: why a change would be refused now; nil for none.
func (r *Relay) Ready() error {
	alone, holds, _ := r.state()
	if alone {
		return nil
	}
	if !holds {
		return r.refuse("a copy of the data that every change must reach cannot be written now; nothing was stored, try again later")
	}
	if engine, acked := r.o.Engine.Position().Batch, r.acked.Load(); engine > acked+r.o.MaxLag {
		return r.refuse("a copy of the data that every change must reach is too slow now; nothing was stored, try again later")
	}
	return nil
}

// Met tells whether the vaults that the policy names can take changes now: whether every promise is kept as the policy says.
func (r *Relay) Met() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.met
}

func (r *Relay) refuse(text string) error {
	return &holdfast.Error{Op: "relay.Ready", Kind: holdfast.Unavailable, Text: text, Retry: r.o.Retry}
}

// Wait implements the core's Copies: it returns once the policy holds for a batch, and who has it. Errors: Unavailable (the policy cannot be met now; the change is in the store, is not shown, and
// is acknowledged when it is sent again).
func (r *Relay) Wait(ctx context.Context, batch uint64) (copies []string, policy string, err error) {
	if len(r.o.Policy.terms) == 0 {
		return r.copies(batch), r.o.Policy.String(), nil
	}
	if alone, holds, now := r.state(); holds && !alone && r.acked.Load() >= batch { // the common case, where callers are kept asleep until then
		return r.copies(batch), r.metBy(now, batch), nil
	}
	late := r.o.Clock.NewTimer(r.o.Patience)
	defer late.Stop()
	w := r.await(batch)
	defer r.leave(w)
	for {
		alone, holds, now := r.state()
		switch {
		case holds && r.acked.Load() >= batch:
			return r.copies(batch), r.metBy(now, batch), nil
		case alone:
			return r.copies(batch), "engine", nil
		case !holds:
			return nil, "", r.refuse("a copy of the data that every change must reach could not be written; the change is not acknowledged, try again later")
		}
		select {
		case <-w.woken:
		case <-late.C():
			if r.o.Degraded {
				return r.copies(batch), "engine", nil
			}
			return nil, "", r.refuse("a copy of the data that every change must reach did not answer in time; the change is not acknowledged, try again later")
		case <-ctx.Done():
			return nil, "", &holdfast.Error{Op: "relay.Wait", Kind: holdfast.Unavailable, Text: "the request was given up before the change was acknowledged; try again", Err: context.Cause(ctx)}
		}
	}
}

// metBy says which policy was met for a batch that is acknowledged: the engine's alone where it was enough at that time, until the vaults have caught up.
func (r *Relay) metBy(now Policy, batch uint64) string {
	if r.kept.Load() < batch {
		return "engine"
	}
	return now.String()
}

// copies names who has a batch, octets and all.
func (r *Relay) copies(batch uint64) []string {
	out := []string{"engine"}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range r.order {
		if s := r.workers[name].look(); s.whole && s.pos.Batch >= batch && !r.workers[name].a.ledger() {
			out = append(out, name)
		}
	}
	return out
}

// Acked implements the core's Copies: the newest batch for which the policy holds.
func (r *Relay) Acked() uint64 {
	if len(r.o.Policy.terms) == 0 {
		return r.o.Engine.Position().Batch
	}
	if alone, _, _ := r.state(); alone {
		return r.o.Engine.Position().Batch
	}
	return r.acked.Load()
}

// AwaitAcked implements the core's Copies: it returns once the policy holds for a batch, or with ctx's cause.
func (r *Relay) AwaitAcked(ctx context.Context, batch uint64) error {
	w := r.await(batch)
	defer r.leave(w)
	for {
		if r.Acked() >= batch {
			return nil
		}
		select {
		case <-w.woken:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
