package library

import (
	"context"
	"errors"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/core"

	"zombiezen.com/go/sqlite"
)

// sweepEach is how many looks at all accounts pass between two: history is asked once for each place.
const sweepEach = 24

// sweptAtOnce is how many octets of the past are looked at together.
const sweptAtOnce = 200

// trace is a place where octets lay.
type trace struct {
	account, coll holdfast.ID
	hash          holdfast.Hash
	name          string
}

// sweep lets thumbnails go that nobody can see any more, now and then until ctx ends.
func (l *Library) sweep(ctx context.Context) {
	for clock.Sleep(ctx, l.o.Clock, sweepEach*l.o.Every) == nil {
		l.trouble(ctx, "thumbnails that nobody can see any more could not be let go of; it is tried again", l.sweepOnce(ctx))
	}
}

func (l *Library) sweepOnce(ctx context.Context) error {
	for after := (trace{}); ctx.Err() == nil; {
		list, err := l.traces(ctx, after)
		if err != nil || len(list) == 0 {
			return err
		}
		var over []trace
		for _, t := range list {
			after = t
			shown, err := l.canBeShown(ctx, t)
			if err != nil {
				return err
			}
			if !shown {
				over = append(over, t)
			}
		}
		if err := l.letGo(ctx, over); err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

func (l *Library) traces(ctx context.Context, after trace) (out []trace, err error) {
	return out, l.read(ctx, func(c *conn) error {
		return c.each("SELECT acct, hash, coll, name FROM past WHERE (acct, hash, coll, name) > (?, ?, ?, ?) ORDER BY acct, hash, coll, name LIMIT ?", func(s *sqlite.Stmt) error {
			out = append(out, trace{account: idAt(s, 0), hash: hashAt(s, 1), coll: idAt(s, 2), name: s.ColumnText(3)})
			return nil
		}, after.account, after.hash, after.coll, after.name, sweptAtOnce)
	})
}

// errFound ends a walk over versions.
var errFound = errors.New("found")

// canBeShown tells whether a version of the file can be shown that has these octets.
func (l *Library) canBeShown(ctx context.Context, t trace) (is bool, err error) {
	err = l.o.Core.Inspect(ctx, t.account, func(r *core.Reader) error {
		return r.History().Versions(t.coll, t.name, 0, func(ch *holdfast.Change) error {
			if ch.Op == holdfast.OpPut && ch.ETag == t.hash && !ch.Pruned {
				return errFound
			}
			return nil
		})
	})
	switch {
	case errors.Is(err, errFound):
		return true, nil
	case holdfast.IsKind(err, holdfast.NotFound):
		return false, nil
	}
	return false, err
}

// letGo forgets places where octets lay, and the octets that then are nowhere.
func (l *Library) letGo(ctx context.Context, over []trace) error {
	for _, t := range over {
		gone := false
		if err := l.write(ctx, func(c *conn) error {
			if err := c.exec("DELETE FROM past WHERE acct = ? AND hash = ? AND coll = ? AND name = ?", t.account, t.hash, t.coll, t.name); err != nil {
				return err
			}
			if err := c.exec(`DELETE FROM content WHERE acct = ?1 AND hash = ?2 AND NOT EXISTS (SELECT 1 FROM photo WHERE photo.acct = ?1 AND photo.hash = ?2)
				AND NOT EXISTS (SELECT 1 FROM past WHERE past.acct = ?1 AND past.hash = ?2)`, t.account, t.hash); err != nil {
				return err
			}
			gone = c.Changes() > 0
			return nil
		}); err != nil {
			return err
		}
		if gone {
			if err := l.dropThumbs(t.account, t.hash); err != nil {
				return err
			}
		}
	}
	return nil
}
