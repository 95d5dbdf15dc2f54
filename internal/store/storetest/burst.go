package storetest

import (
	"context"
	"slices"
	"sync"

	"holdfast"
	"holdfast/internal/store"
)

// burst sends many groups at once, so that an engine that commits in batches does so. The answers must be those of some order: what was committed is
// applied to the model in the order of the outbox, and must be answered alike; what was refused must be refused like that at one place in this order.
func (w *walk) burst() {
	w.Helper()
	if w.h.Injected != nil {
		return // which of the answers was lost could not be told
	}
	groups := w.manyGroups()
	answers := make([]string, len(groups))
	var wg sync.WaitGroup
	for i, g := range groups {
		wg.Go(func() { answers[i] = outcome(w.h.Engine.Commit(context.Background(), g)) })
	}
	wg.Wait()
	order := w.order(groups)
	possible := make([][]string, len(groups)) // answers of those that added nothing, at each place
	for place := 0; ; place++ {
		for i, g := range groups {
			if !slices.Contains(order, i) {
				possible[i] = append(possible[i], outcome(w.model.Try(context.Background(), g)))
			}
		}
		if place == len(order) {
			break
		}
		i := order[place]
		if want := outcome(w.model.Commit(context.Background(), groups[i])); answers[i] != want {
			w.Fatalf("operation %d: number %d of a burst, commit of %s\nengine: %s\nmodel:  %s", w.op, place, describe(groups[i]), answers[i], want)
		}
		w.counts["commit in a burst"]++
	}
	for i, g := range groups {
		if !slices.Contains(order, i) && !slices.Contains(possible[i], answers[i]) {
			w.Fatalf("operation %d: in a burst, commit of %s\nengine: %s\nmodel:  one of %q", w.op, describe(g), answers[i], possible[i])
		}
	}
	if got, want := w.h.Engine.Info().Accounts, w.model.Info().Accounts; got != want {
		w.Fatalf("operation %d: after a burst, info tells of %d accounts, there are %d", w.op, got, want)
	}
}

// manyGroups makes the groups of a burst. Half of them are about one account, so that they meet.
func (w *walk) manyGroups() (groups []*holdfast.Group) {
	accounts := w.accounts
	defer func() { w.accounts = accounts }()
	favourite := []holdfast.ID{pick(w, accounts)}
	for range 2 + w.rng.IntN(20) {
		w.accounts = accounts
		if w.chance(50) {
			w.accounts = favourite
		}
		switch {
		case w.chance(4):
			_, g := w.m.Founding(w.login())
			groups = append(groups, g)
		case w.chance(10) && w.retry != nil:
			groups = append(groups, w.again(w.retry))
		default:
			groups = append(groups, w.group())
		}
	}
	return groups
}

// order finds out in which order the engine committed the groups, those that it did commit.
func (w *walk) order(groups []*holdfast.Group) (order []int) {
	w.Helper()
	first := map[holdfast.ID]int{}
	for i, g := range groups {
		first[g.Entries[0].ID] = i
	}
	if err := outbox(context.Background(), w.h.Engine, w.ordered, 0, func(p store.Position, c *holdfast.Change) error {
		if i, ok := first[c.ID]; ok {
			order = append(order, i)
		}
		w.ordered = p.Batch
		return nil
	}); err != nil {
		w.Fatalf("operation %d: outbox: %v", w.op, err)
	}
	return order
}
