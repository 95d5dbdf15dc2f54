package core

import (
	"context"
	"strings"
	"time"

	"holdfast"
)

const (
	sweepAccounts = 100            // that are looked at in one go
	leftAfter     = 24 * time.Hour // no copy is under way for so long, on any node
)

// sweep deletes in some accounts the copies that never came to their place, because the server was killed under way: nobody sees them, and they use up the account's allowance. It
// returns the account after which to go on. A copy that is under way all the same, as a clock jumped, fails as a whole.
func (s *Service) sweep(ctx context.Context, after holdfast.ID) holdfast.ID {
	left, last, err := s.leftovers(ctx, after)
	for _, r := range left {
		if err != nil {
			break
		}
		drop := s.entry(holdfast.Actor{}, holdfast.OpDelete, holdfast.KindCollection, r.Collection, "", nil, nil)
		drop.If.Seq = r.Seq
		if err = s.commitOne(ctx, r.Account, drop); err == nil {
			s.log.Info("a copy that a server left behind when it was killed was deleted", "account", r.Account, "collection", r.Collection)
		}
	}
	if err != nil && ctx.Err() == nil {
		s.log.Warn("what copies left behind could not be deleted; it is tried again", "err", err)
	}
	return last
}

// leftovers finds the records of those.
func (s *Service) leftovers(ctx context.Context, after holdfast.ID) (left []holdfast.Resource, last holdfast.ID, err error) {
	s.begin()
	snap, err := s.engine.Snapshot(ctx)
	if err != nil {
		return nil, after, err
	}
	defer snap.Close()
	accounts, err := snap.Accounts(after, sweepAccounts)
	if err != nil {
		return nil, after, err
	}
	for _, a := range accounts {
		last = a.ID
		all, err := snap.Collections(a.ID)
		if err != nil {
			return left, last, err
		}
		for _, c := range all {
			if c.Gone || c.Parent != a.ID || c.Type == holdfast.TypeHome || !strings.HasPrefix(c.Name, copyPrefix) || s.copying.filling(c.ID) || s.clock.Now().Sub(c.Modified) <= leftAfter {
				continue
			}
			r, err := snap.Resource(c.ID, "", 0)
			if err != nil {
				return left, last, err
			}
			left = append(left, r)
		}
	}
	if len(accounts) < sweepAccounts {
		last = holdfast.ID{} // from the beginning again
	}
	return left, last, nil
}
