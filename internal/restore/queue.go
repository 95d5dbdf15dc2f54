package restore

import (
	"cmp"
	"context"
	"slices"
)

// Contacts come first: people need them, and the calendar, before they need a decade of photos. Within an account the order is that of its journal, which is one chain; so it is the accounts that take turns: those with much in them wait until the
// others are back.

// largeAccount is from how many octets in the vaults on an account is one that waits.
const largeAccount = 64 << 20

// maxWaiting bounds the accounts that wait; beyond it they take their turn as they come.
const maxWaiting = 10_000

// queue hands out accounts, the large ones last, the smallest of them first.
type queue struct {
	work    chan<- *loading
	large   int64
	waiting []*loading
}

func (q *queue) give(ctx context.Context, a *loading) error {
	if a.newest.Size() >= q.large && len(q.waiting) < maxWaiting {
		q.waiting = append(q.waiting, a)
		return nil
	}
	return q.send(ctx, a)
}

// rest hands out those that waited.
func (q *queue) rest(ctx context.Context) error {
	slices.SortStableFunc(q.waiting, func(a, b *loading) int { return cmp.Compare(a.newest.Size(), b.newest.Size()) })
	for _, a := range q.waiting {
		if err := q.send(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

func (q *queue) send(ctx context.Context, a *loading) error {
	select {
	case q.work <- a:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
