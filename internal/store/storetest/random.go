package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/store"
	"holdfast/internal/store/memory"
)

// defaultOps is how many random operations are done for each seed, unless HOLDFAST_OPS says otherwise.
const defaultOps = 1500

// Random applies seeded random operations to an engine and to the model, and compares every answer: error kinds, receipts, listings, histories, digests at
// random seqs, snapshots of a while ago, the outbox; where the engine persists, it is opened again now and then. HOLDFAST_SEED gives one seed to run
// again, HOLDFAST_OPS the number of operations. Without it, three fixed seeds and a fresh one are run.
func Random(t *testing.T, open Open) {
	ops := int(number(t, "HOLDFAST_OPS", defaultOps))
	seeds := []uint64{1, 2, 3, rand.Uint64N(1 << 32)}
	if os.Getenv("HOLDFAST_SEED") != "" {
		seeds = []uint64{number(t, "HOLDFAST_SEED", 0)}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprintf("Seed%d", seed), func(t *testing.T) {
			t.Logf("run again with HOLDFAST_SEED=%d HOLDFAST_OPS=%d", seed, ops)
			w := newWalk(t, open(t), seed)
			for w.op = range ops {
				w.step()
			}
			w.finish()
		})
	}
}

// number reads a number from the environment.
func number(t *testing.T, name string, otherwise uint64) uint64 {
	s := os.Getenv(name)
	if s == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// walk is one seed's way through an engine and its model.
type walk struct {
	*testing.T
	h     *Harness
	model *memory.Engine
	m     *Maker
	rng   *rand.Rand
	op    int

	accounts []holdfast.ID
	cols     []holdfast.ID // all that were ever made, or tried
	devices  []holdfast.ID
	retry    *holdfast.Group // a put with a precondition, to be sent again
	old      []moment
	earlier  []earlier // newest last

	ordered uint64         // batches whose order is known
	vault   store.Position // how far the vault has read
	shipped []string       // what it was handed
	counts  map[string]int // what happened, for the log
}

// moment is a pair of snapshots taken between the same two commits.
type moment struct {
	op            int
	engine, model store.Snapshot
}

func newWalk(t *testing.T, h *Harness, seed uint64) *walk {
	w := &walk{T: t, h: h, model: memory.New(), m: NewMaker(seed), rng: rand.New(rand.NewPCG(seed, 1)), counts: map[string]int{}}
	t.Cleanup(func() {
		w.forget() // Close waits for them
		w.h.Engine.Close()
	})
	w.devices = []holdfast.ID{{}, w.m.ID(), w.m.ID()}
	for i := 0; i < 100 && len(w.accounts) == 0; i++ { // a fault may come between
		w.found()
	}
	return w
}

// chance is true n times out of a hundred.
func (w *walk) chance(n int) bool { return w.rng.IntN(100) < n }

func pick[T any](w *walk, from []T) T { return from[w.rng.IntN(len(from))] }

func (w *walk) step() {
	switch n := w.rng.IntN(1000); {
	case n < 510:
		w.commit(w.group())
	case n < 560:
		w.burst()
	case n < 620:
		if w.retry != nil {
			w.commit(w.again(w.retry))
		}
	case n < 630:
		w.found()
	case n < 890:
		w.ask()
	case n < 910:
		if len(w.old) < 3 {
			w.old = append(w.old, w.moment())
		}
	case n < 940:
		w.observe()
	case n < 980:
		w.ship(1 + w.rng.IntN(20))
	case n < 985:
		w.compare()
	case n < 990:
		w.reopen()
	}
	w.note()
	w.old = slices.DeleteFunc(w.old, func(m moment) bool {
		stale := w.op-m.op > 40 // long before MaxSnapshot
		if stale {
			m.close()
		}
		return stale
	})
}

// finish compares all that there is, once more after a reopen.
func (w *walk) finish() {
	w.reopen()
	w.compare()
	for last := w.h.Engine.Info().Position; w.vault != last; {
		w.ship(100)
	}
	var want []string
	if err := outbox(context.Background(), w.model, 0, 0, func(_ store.Position, c *holdfast.Change) error {
		want = append(want, textChange(c, all))
		return nil
	}); err != nil {
		w.Fatal(err)
	}
	if !slices.Equal(w.shipped, want) {
		w.Errorf("the vault was handed:\n%s", difference(w.shipped, want))
	}
	w.compareSightings()
	if w.h.Injected == nil && !w.Failed() {
		Verify(w.T, w.h.Engine)
	}
	w.Logf("%v", w.counts)
}

// injected tells whether err is to be borne.
func (w *walk) injected(err error) bool {
	if err == nil || w.h.Injected == nil || !w.h.Injected(err) {
		return false
	}
	w.counts["injected"]++
	return true
}

// insist calls fn until no injected fault comes between.
func (w *walk) insist(fn func() error) error {
	for range 1000 {
		if err := fn(); !w.injected(err) {
			return err
		}
	}
	w.Fatalf("operation %d: a thousand injected faults in a row", w.op)
	return nil
}

// moment opens a pair of snapshots.
func (w *walk) moment() moment {
	w.Helper()
	m := moment{op: w.op}
	if err := w.insist(func() (err error) { m.engine, err = w.h.Engine.Snapshot(context.Background()); return err }); err != nil {
		w.Fatalf("operation %d: snapshot: %v", w.op, err)
	}
	var err error
	if m.model, err = w.model.Snapshot(context.Background()); err != nil {
		w.Fatal(err)
	}
	return m
}

func (m moment) close() {
	m.engine.Close()
	m.model.Close()
}

// commit sends the group to both.
func (w *walk) commit(g *holdfast.Group) {
	w.Helper()
	got, err := w.h.Engine.Commit(context.Background(), g)
	if w.injected(err) {
		w.settle(g)
		return
	}
	want, werr := w.model.Commit(context.Background(), g)
	if have, need := outcome(got, err), outcome(want, werr); have != need {
		w.Fatalf("operation %d: commit of %s\nengine: %s (%v)\nmodel:  %s (%v)", w.op, describe(g), have, err, need, werr)
	}
	switch {
	case werr != nil:
		w.counts[holdfast.KindOf(werr).String()]++
	case want.Replay:
		w.counts["replay"]++
	default:
		w.counts["commit"]++
	}
}

// settle finds out whether a group whose answer was lost is in the engine; if so, the model takes it too. In between there is nothing.
func (w *walk) settle(g *holdfast.Group) {
	w.Helper()
	now := w.moment()
	defer now.close()
	var have, want store.Head
	err := w.insist(func() (err error) { have, err = now.engine.Head(g.Account); return err })
	if err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
		w.Fatalf("operation %d: head: %v", w.op, err)
	}
	if want, err = now.model.Head(g.Account); err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
		w.Fatal(err)
	}
	if have.Seq == want.Seq && have.Chain == want.Chain {
		return
	}
	r, err := w.model.Commit(context.Background(), g)
	if err != nil || r.Seq != have.Seq || r.Hash != have.Chain {
		w.Fatalf("operation %d: commit of %s met a fault; the engine is at %+v, the model at %+v: %+v, %v", w.op, describe(g), have, want, r, err)
	}
	w.counts["commit whose answer was lost"]++
}

// describe tells a group in full.
func describe(g *holdfast.Group) string {
	return fmt.Sprintf("%s by %s, allowance %d, if %+v", about(g), short(g.Account), g.MaxOctets, g.If)
}

// ask puts one random question to both, about now or a while ago.
func (w *walk) ask() {
	w.Helper()
	q := w.question()
	m := w.moment()
	defer m.close()
	w.compareAnswers(q, m)
	if len(w.old) > 0 && w.chance(50) {
		w.compareAnswers(q, pick(w, w.old))
	}
	w.askEarlier(q, m)
}

func (w *walk) compareAnswers(q question, m moment) {
	w.Helper()
	var got, want []string
	err := w.insist(func() (err error) { got, err = q.ask(m.engine); return err })
	want, werr := q.ask(m.model)
	if textError(err) != textError(werr) {
		w.Fatalf("operation %d: %s, of operation %d\nengine: %v\nmodel:  %v", w.op, q.text, m.op, err, werr)
	}
	if err == nil && !slices.Equal(got, want) {
		w.Fatalf("operation %d: %s, of operation %d\n%s", w.op, q.text, m.op, difference(got, want))
	}
	w.counts["question"]++
}

// compare compares all that both show.
func (w *walk) compare() {
	w.Helper()
	m := w.moment()
	defer m.close()
	w.compareAnswers(question{"everything", everything}, m)
	w.askEarlier(question{"everything", everything}, m)
	w.counts["everything"]++
}

// observe tells both of one sighting; no two have the same time.
func (w *walk) observe() {
	at := w.m.Now().Truncate(time.Second)
	if w.chance(30) {
		at = at.Add(-time.Duration(w.op) * time.Millisecond).Truncate(time.Second).Add(-24 * time.Hour * time.Duration(w.op+1))
	}
	s := holdfast.Sighting{Account: pick(w, w.accounts), Device: pick(w, w.devices[1:]), Epoch: 1, Seq: w.rng.Uint64N(50), Full: w.chance(50), At: at}
	cs, err := w.known().Collections(s.Account)
	if err != nil {
		w.Fatal(err)
	}
	s.Collection = pick(w, cs).ID
	for _, e := range []store.Engine{w.h.Engine, w.model} {
		if err := w.insist(func() error { return e.Observe(context.Background(), []holdfast.Sighting{s}) }); err != nil {
			w.Fatalf("operation %d: observe: %v", w.op, err)
		}
	}
}

// compareSightings waits a little for the engine to have them.
func (w *walk) compareSightings() {
	w.Helper()
	var got, want []string
	for range 200 {
		m := w.moment()
		for _, id := range w.accounts {
			q := question{"sightings", func(s store.Snapshot) (lines []string, err error) {
				seen, err := s.Sightings(id)
				for _, x := range seen {
					lines = append(lines, textSighting(x))
				}
				return lines, err
			}}
			var a []string
			if err := w.insist(func() (err error) { a, err = q.ask(m.engine); return err }); err != nil {
				w.Fatalf("sightings: %v", err)
			}
			b, _ := q.ask(m.model)
			got, want = append(got, a...), append(want, b...)
		}
		m.close()
		if slices.Equal(got, want) {
			return
		}
		time.Sleep(10 * time.Millisecond)
		got, want = nil, nil
	}
	w.Errorf("sightings differ: %d of the model's", len(want))
}

// ship lets a vault read a page of the engine's outbox.
func (w *walk) ship(limit int) {
	w.Helper()
	from := len(w.shipped)
	var at store.Position
	if err := w.insist(func() (err error) {
		w.shipped = w.shipped[:from]
		at, err = readPage(context.Background(), w.h.Engine, limit, w.vault, &w.shipped)
		return err
	}); err != nil {
		w.Fatalf("operation %d: outbox: %v", w.op, err)
	}
	if at.Batch > 0 && w.chance(80) { // a vault may lose what it was handed: the page comes again
		w.vault = at
	} else {
		w.shipped = w.shipped[:from]
	}
}

// reopen closes and opens the engine, if it persists.
func (w *walk) reopen() {
	w.Helper()
	w.forget()
	if w.h.Reopen != nil {
		w.h.Engine = w.h.Reopen(w.T)
		w.counts["reopen"]++
	}
}

// forget closes the snapshots of a while ago.
func (w *walk) forget() {
	for _, m := range w.old {
		m.close()
	}
	w.old = nil
}
