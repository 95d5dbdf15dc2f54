package library

import (
	"context"
	"time"

	"holdfast"
	"holdfast/internal/core"
)

// asked is what a question about an account is answered from.
type asked struct {
	paths  map[holdfast.ID]string // of its collections
	behind bool                   // the index lacks something of what is shown
}

// ask answers a question of a principal who may read the account, from the index as soon as that has everything that the store shows, or after a while as it is. Errors: Forbidden, NotFound, InDoubt, Unavailable, and what fn returns.
func (l *Library) ask(ctx context.Context, p holdfast.Principal, owner holdfast.ID, fn func(*conn, *asked) error) error {
	var a asked
	for until := l.o.Clock.Now().Add(l.o.Patience); ; {
		moved := l.moved.next()
		var all []holdfast.Collection
		if err := l.o.Core.Read(ctx, p, owner, func(r *core.Reader) (err error) {
			all, err = r.EveryCollection()
			return err
		}); err != nil {
			return err
		}
		f, err := l.followed(ctx, owner)
		if err != nil {
			return err
		}
		plan := f.compare(owner, all, false)
		a = asked{paths(owner, all), plan.lacks()}
		left := until.Sub(l.o.Clock.Now())
		if !a.behind || left <= 0 || !l.running.Load() {
			break
		}
		if err := l.await(ctx, moved, min(left, 50*time.Millisecond)); err != nil {
			return err
		}
	}
	return l.read(ctx, func(c *conn) error { return fn(c, &a) })
}

// maxDepth bounds how deep folders lie.
const maxDepth = 100

// paths are those of an account's collections, gone ones left out.
func paths(owner holdfast.ID, all []holdfast.Collection) map[holdfast.ID]string {
	byID := make(map[holdfast.ID]*holdfast.Collection, len(all))
	for i := range all {
		byID[all[i].ID] = &all[i]
	}
	out := make(map[holdfast.ID]string, len(all))
	for i := range all {
		path := all[i].Name
		for c, depth := byID[all[i].Parent], 0; c != nil && c.ID != owner && depth < maxDepth; c, depth = byID[c.Parent], depth+1 {
			path = c.Name + "/" + path
		}
		if !all[i].Gone {
			out[all[i].ID] = path
		}
	}
	return out
}
