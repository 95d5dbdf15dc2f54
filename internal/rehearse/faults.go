package rehearse

import (
	"context"
	"errors"
	"time"
)

// cuts is how often a service is killed.
const cuts = 3

// powerCut kills the service in the midst of work, again and again, and starts it again.
func (r *rehearsal) powerCut(ctx context.Context) error {
	halt := r.live(ctx)
	steps := []func(context.Context) error{r.beforehand}
	for range cuts {
		steps = append(steps, r.cut, func(ctx context.Context) error { return r.wait(ctx, r.o.Pace.After/(2*cuts)) })
	}
	steps = append(steps, func(ctx context.Context) error { return r.wait(ctx, r.o.Pace.After/2) })
	return errors.Join(inOrder(ctx, steps...), halt())
}

func (r *rehearsal) cut(ctx context.Context) error {
	if err := r.lost(); err != nil {
		return err
	}
	r.grave("killed in the midst of work, as kill -9 does; %d changes are acknowledged", r.book.Count())
	if err := r.wait(ctx, min(time.Second, r.o.Pace.Outage/cuts)); err != nil {
		return err
	}
	return r.serveAgain(ctx, "holdfast serve: back")
}
