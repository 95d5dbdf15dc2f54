package relay

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/vault"
)

// State is how a vault fares.
type State string

// The states of a vault.
const (
	Opening     State = "opening"     // it is being reached, and takes nothing yet
	Filling     State = "filling"     // it never was whole: it counts for nothing
	Whole       State = "whole"       // it has everything, or is a moment behind
	Behind      State = "behind"      // it is whole, but late
	Unreachable State = "unreachable" //
	Full        State = "full"        // its disk is
	Fenced      State = "fenced"      // another store has the right to write
	Damaged     State = "damaged"     //
)

// Bounds of what goes into one frame, and of what waits for a slow vault in memory.
const (
	maxFrameChanges = 2000
	maxFrameOctets  = 16 << 20
	maxPageOctets   = 64 << 20 // of what is caught up before the watermark moves, files included
	feedDepth       = 256
)

// worker ships to one vault.
type worker struct {
	r     *Relay
	a     Attached
	stop  context.CancelFunc
	ended chan struct{}

	lost    chan error // says that it lacks what it stored; nil: nobody looks now. The worker's own
	doubted bool       // it said that it stored what it did not store: until it was seen to, each append is read back before it counts. The worker's own

	shelf *shelf // where its blobs go

	hold sync.Mutex // held while the vault is open to be shipped to, or while somebody works on it alone
	jobs chan *job
	pack vault.Packed // what is appended; its memory is used again

	mu      sync.Mutex
	at      shipping
	cut     context.CancelFunc // ends the present turn; nil: there is none
	waiting int                // who wants the vault alone
}

// shipping is how far a vault is.
type shipping struct {
	state    State
	since    time.Time
	reason   string
	up       bool // it takes batches now
	known    bool // whether it was whole once is known
	whole    bool // it was whole once
	stalled  bool // it failed since it took something last
	pos      holdfast.Position
	proven   holdfast.Position // the newest that was read back
	read     time.Time         // when that was
	lied     time.Time         // when it was last found not to have what it had stored
	lastShip time.Time
	fault    error
}

// filling tells whether the vault never was whole, and is on its way to be.
func (s shipping) filling() bool {
	return s.known && !s.whole && !s.stalled
}

func newWorker(r *Relay, a Attached) *worker {
	w := &worker{r: r, a: a, ended: make(chan struct{}), jobs: make(chan *job), at: shipping{state: Opening, since: r.o.Clock.Now()}}
	w.shelf = newShelf(w)
	return w
}

func (w *worker) look() shipping {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at
}

// set changes what is known of the vault, and lets the policy be counted anew.
func (w *worker) set(fn func(*shipping)) {
	w.mu.Lock()
	old := w.at.state
	fn(&w.at)
	if w.at.state != old {
		w.at.since = w.r.o.Clock.Now()
	}
	w.mu.Unlock()
	w.r.recount()
}

// run opens the vault and ships, again and again, until ctx ends.
func (w *worker) run(ctx context.Context) {
	defer close(w.ended)
	pause := 100 * time.Millisecond
	for ctx.Err() == nil {
		shipped, cut := w.turn(ctx, pause)
		if pause = min(2*pause, w.r.o.Backoff); shipped || cut {
			pause = 100 * time.Millisecond
		}
	}
}

// turn opens the vault and ships until something fails, and then pauses. cut tells that it was ended for somebody who works on the vault alone.
func (w *worker) turn(ctx context.Context, pause time.Duration) (shipped, cut bool) {
	turn, end := context.WithCancel(ctx)
	defer end()
	w.mu.Lock()
	if w.cut = end; w.waiting > 0 {
		end()
	}
	w.mu.Unlock()
	w.hold.Lock()
	shipped, err := w.serve(turn)
	w.hold.Unlock()
	if ctx.Err() != nil {
		return shipped, false
	}
	if turn.Err() != nil {
		w.set(func(s *shipping) { s.up, s.state, s.reason, s.fault = false, Opening, "it is being repaired", nil })
		return shipped, true
	}
	w.failed(err)
	_ = clock.Sleep(turn, w.r.o.Clock, pause/2+time.Duration(rand.Int64N(int64(pause)))) // it may be cut short
	return shipped, turn.Err() != nil
}

// failed notes why the vault takes nothing now.
func (w *worker) failed(err error) {
	state := Unreachable
	switch holdfast.KindOf(err) {
	case holdfast.Fenced:
		state = Fenced
	case holdfast.Full:
		state = Full
	case holdfast.Corrupt:
		state = Damaged
	}
	was := w.look()
	if was.state != state || was.reason != text(err) {
		w.r.o.Log.Error("a vault takes no changes", "vault", w.a.Name, "state", state, "err", err)
	}
	w.set(func(s *shipping) { s.up, s.stalled, s.state, s.reason, s.fault = false, true, state, text(err), err })
}

// text says an error to people.
func text(err error) string {
	var e *holdfast.Error
	if errors.As(err, &e) && e.Text != "" {
		return e.Text
	}
	return err.Error()
}

// serve opens the vault and ships until something fails. shipped tells whether anything was.
func (w *worker) serve(ctx context.Context) (shipped bool, err error) {
	v, err := w.a.Open(ctx)
	if err != nil {
		return false, err
	}
	defer v.Close()
	feed, unfollow := w.r.o.Engine.Follow(feedDepth)
	defer unfollow()
	writer, err := w.r.connect(ctx, w.a.Name, v)
	if err != nil {
		return false, err
	}
	defer writer.Close()
	head, err := v.LastHead(ctx)
	if err != nil {
		return false, err
	}
	defer w.shelf.open(ctx, v)()
	whole := head.Number > 0 && !head.Filling && (head.Term == writer.Term().Number || writer.Term().Continues != vault.FromNothing)
	w.set(func(s *shipping) {
		s.proven, s.read = writer.Position(), w.r.o.Clock.Now()
		s.up, s.known, s.whole, s.pos, s.fault, s.reason, s.state = true, true, whole, writer.Position(), nil, "", Behind
		if !whole {
			s.state = Filling
		}
	})
	if w.r.o.Service != nil {
		if err := v.PutService(ctx, w.r.o.Service()); err != nil {
			return false, err
		}
	}
	return w.ship(ctx, v, writer, feed)
}

// ship appends what comes, and does what is due now and then. Upkeep goes on beside it: it may take long, and nobody who waits for an acknowledgement waits for it.
func (w *worker) ship(ctx context.Context, v *vault.Vault, writer *vault.Writer, feed <-chan *holdfast.Batch) (shipped bool, err error) {
	if err := w.catchUp(ctx, v, writer); err != nil {
		return false, err
	}
	beside, cancel := context.WithCancel(ctx)
	var upkeep sync.WaitGroup
	upkeep.Go(func() { w.upkeep(beside, v, writer) })
	w.lost = make(chan error, 1)
	defer func() { w.lost = nil }()
	upkeep.Go(func() { w.readBackNowAndThen(beside, writer, w.lost) })
	defer upkeep.Wait()
	defer cancel()
	heads := w.r.o.Clock.NewTicker(w.r.o.HeadEvery)
	defer heads.Stop()
	for {
		select {
		case b := <-feed:
			if err := w.take(ctx, v, writer, b, feed); err != nil {
				return shipped, err
			}
			shipped = true
		case <-heads.C():
			if err := writer.Head(ctx, vault.HeadInput{Vaults: w.r.others()}); err != nil {
				return shipped, err
			}
		case err := <-w.lost:
			w.distrust(err)
			return shipped, err
		case <-ctx.Done():
			return shipped, w.end(writer)
		}
	}
}

// end ships nothing more, but says how far it came.
func (w *worker) end(writer *vault.Writer) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := writer.Head(ctx, vault.HeadInput{Vaults: w.r.others()}); err != nil {
		w.r.o.Log.Warn("the last head of a vault could not be written; the next start does without", "vault", w.a.Name, "err", err)
	}
	return nil
}

// take appends a batch, with those that have gathered behind it.
func (w *worker) take(ctx context.Context, v *vault.Vault, writer *vault.Writer, b *holdfast.Batch, feed <-chan *holdfast.Batch) error {
	next := writer.Position().Batch + 1
	if b.Batch < next {
		return nil // it came by catching up
	}
	if b.Batch > next { // some were missed
		return w.catchUp(ctx, v, writer)
	}
	list, changes, octets := []*holdfast.Batch{b}, len(b.Changes), size(b)
	for changes < maxFrameChanges && octets < maxFrameOctets {
		select {
		case b := <-feed:
			if b.Batch != next+uint64(len(list)) {
				if err := w.append(ctx, writer, list); err != nil {
					return err
				}
				return w.catchUp(ctx, v, writer)
			}
			list, changes, octets = append(list, b), changes+len(b.Changes), octets+size(b)
			continue
		default:
		}
		break
	}
	return w.append(ctx, writer, list)
}

func size(b *holdfast.Batch) (n int64) {
	for i := range b.Changes {
		n += int64(len(b.Changes[i].Body))
	}
	return n
}

// sizeOfBlobs returns how many octets the blobs have that a batch names.
func sizeOfBlobs(b *holdfast.Batch) (n int64) {
	for i := range b.Changes {
		if x := b.Changes[i].Blob; x != nil {
			n += x.Size
		}
	}
	return n
}

func (w *worker) append(ctx context.Context, writer *vault.Writer, list []*holdfast.Batch) error {
	if err := w.shelve(ctx, writer, list); err != nil { // before the watermark passes what names them
		return err
	}
	now := w.r.o.Clock.Now()
	writer.Pack(&w.pack, list, now)
	if err := writer.Append(ctx, &w.pack); err != nil {
		return err
	}
	if w.doubted {
		if err := w.readBack(ctx, writer); err != nil {
			w.distrust(err)
			return err
		}
		w.doubted = false
	}
	w.set(func(s *shipping) { s.pos, s.lastShip, s.stalled = writer.Position(), now, false })
	return nil
}

// catchUp ships what the store has above the vault, read from the store. A vault that never was whole is so afterwards: what it holds was read back, and its first head says so.
func (w *worker) catchUp(ctx context.Context, v *vault.Vault, writer *vault.Writer) error {
	for {
		at := writer.Position().Batch
		var list []*holdfast.Batch
		octets := int64(0)
		err := w.r.o.Engine.After(ctx, at, maxFrameChanges, func(b *holdfast.Batch) error {
			b, err := w.withoutRot(b)
			if list = append(list, b); err != nil {
				return err
			}
			if octets += size(b) + sizeOfBlobs(b); octets >= maxPageOctets {
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			return err
		}
		if len(list) == 0 {
			break
		}
		if err := w.append(ctx, writer, list); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	if !w.look().whole {
		if err := w.prove(ctx, v, writer); err != nil {
			return err
		}
	}
	w.set(func(s *shipping) { s.whole, s.state = true, Whole })
	return nil
}

// withoutRot returns a batch that was read back from the store without octets that are not those that were stored: a line of them would be damage in the vault, and take all else in its frame along. The change is named without them, so that
// everything else has its copy, and whoever restores is told. Errors: Corrupt (a record rotted, without which nobody knows whose the rest is).
func (w *worker) withoutRot(b *holdfast.Batch) (*holdfast.Batch, error) {
	sound := b
	for i := range b.Changes {
		c := &b.Changes[i]
		if !rotten(c) {
			continue
		}
		what := fmt.Sprintf("change %d of account %s", c.Seq, c.Account)
		if !c.Prunable() {
			return nil, fail("Fill", holdfast.Corrupt, w.a.Name, what+" rotted in the store, and is a record that the vault needs: `holdfast scrub` mends it where a vault has it whole, else restore", nil)
		}
		w.r.o.Log.Error("octets rotted in the store, and go into the vault by name alone; `holdfast scrub` mends them where a vault has them whole", "vault", w.a.Name, "what", what)
		if sound == b {
			clone := *b
			clone.Changes = slices.Clone(b.Changes)
			sound = &clone
		}
		sound.Changes[i].Prune()
	}
	return sound, nil
}

// prove reads back the newest batch of a vault that was filled, and writes its first head.
func (w *worker) prove(ctx context.Context, v *vault.Vault, writer *vault.Writer) error {
	if at := writer.Position().Batch; at > 0 {
		seen := false
		if err := v.Frames(ctx, at-1, func(b *holdfast.Batch, _ time.Time) error { seen = true; return nil }); err != nil || !seen {
			return fail("Fill", holdfast.Corrupt, w.a.Name, "what was written into the vault cannot be read back", err)
		}
	}
	return writer.Head(ctx, vault.HeadInput{Vaults: w.r.others(), Whole: true})
}
