package sqlite

import (
	"context"

	"holdfast"
	"holdfast/internal/store"
)

// Erase implements [store.Engine]. First, in one transaction, the account disappears; then its rows go, some thousand at a time, and the writer is free between. Freed pages are overwritten with zeros (secure_delete). What stood in
// the write-ahead log stays there until the log is used again.
func (e *Engine) Erase(ctx context.Context, account holdfast.ID) error {
	acct, err := e.beginErase(account)
	if err != nil || acct == 0 {
		return err
	}
	for _, q := range []query{qEraseItems, qEraseChanges} {
		for more := true; more; {
			if ctx.Err() != nil {
				return gaveUp(ctx)
			}
			err := e.change("Erase", func() error {
				n := 0
				err := e.w.rows(q, func(Stmt) error { n++; return nil }, acct)
				more = n > 0
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return e.change("Erase", func() error {
		for _, q := range []query{qEraseCollections, qEraseEpochs, qEraseSeen} {
			if err := e.w.run(q, acct); err != nil {
				return err
			}
		}
		return e.w.run(qEraseEnd, account)
	})
}

// beginErase makes the account disappear, and returns its number while rows of it are left; 0 where none are.
func (e *Engine) beginErase(account holdfast.ID) (acct int64, err error) {
	err = e.change("Erase", func() error {
		if err := e.w.Exec("PRAGMA secure_delete=ON"); err != nil {
			return err
		}
		gone, err := e.w.one(qErasing, func(s Stmt) { acct = s.Int(0) }, account)
		if err != nil || gone {
			return err
		}
		found, err := e.w.one(qAccountByID, func(s Stmt) { acct = s.Int(0) }, account)
		if err == nil && !found {
			err = store.Err("Erase", holdfast.NotFound, account.String(), "there is no such account")
		}
		if err != nil {
			return err
		}
		var logins []string
		if err := e.w.rows(qAccountRecords, func(s Stmt) error {
			r, err := holdfast.DecodeAccount(s.AppendBlob(0, nil))
			if err == nil {
				logins = append(logins, r.Email)
			}
			return nil // a record that cannot be read names no login
		}, acct); err != nil {
			return err
		}
		for _, l := range logins {
			if err := e.w.run(qEraseLogin, holdfast.HashOf([]byte(l))); err != nil {
				return err
			}
			if err := e.w.run(qEraseLogins, l); err != nil {
				return err
			}
		}
		for _, q := range []query{qEraseBatches, qEraseAccount} {
			if err := e.w.run(q, acct); err != nil {
				return err
			}
		}
		return e.w.run(qErase, account, acct, e.o.Clock.Now().UnixMicro())
	})
	if err == nil {
		e.writer.Lock()
		e.heads.drop(account)
		n := int64(0)
		if _, err = e.w.one(qCountAccounts, func(s Stmt) { n = s.Int(0) }); err == nil {
			e.accounts.Store(n)
		}
		e.writer.Unlock()
	}
	return acct, err
}

// change runs a transaction of the engine's own, durably.
func (e *Engine) change(op string, fn func() error) error {
	e.writer.Lock()
	defer e.writer.Unlock()
	defer e.wakeCheckpointer()
	if err := e.writable(op); err != nil {
		return err
	}
	if err := e.w.run(qBeginWrite); err != nil {
		return e.classify(err, false)
	}
	if err := fn(); err != nil {
		e.rollBack()
		if store.IsJudgement(err) {
			return err
		}
		return e.classify(err, false)
	}
	if err := e.w.run(qCommit); err != nil {
		e.w.run(qRollback)
		return e.classify(err, true)
	}
	return nil
}

// Erased implements [store.Directory].
func (s *snapshot) Erased(id holdfast.ID) (bool, error) { return s.one(qIsErased, func(Stmt) {}, id) }
