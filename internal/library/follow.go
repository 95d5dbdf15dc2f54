package library

import (
	"context"
	"os"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/core"

	"zombiezen.com/go/sqlite"
)

const (
	pageOf    = 500              // items that are read in one snapshot and written in one transaction
	walkedAt  = 500              // accounts that are looked at in one snapshot
	againIn   = 30 * time.Second // what failed is tried again
	gathered  = 100 * time.Millisecond
	mostAgain = 10_000 // accounts that wait for that; above, all are walked
)

// matters tells which changes can change what the index says.
func matters(c *holdfast.Change) bool {
	switch c.Kind {
	case holdfast.KindFile, holdfast.KindReference, holdfast.KindCollection, holdfast.KindEpoch, holdfast.KindAccount:
		return true
	}
	return false
}

// follow keeps the index equal to what the store shows. What came while nobody followed is found by walking all accounts: each is compared by the seq and chain to which it was followed.
func (l *Library) follow(ctx context.Context) {
	w := l.o.Core.Watch(matters)
	defer w.Close()
	again := map[holdfast.ID]bool{}
	walk := l.o.Clock.Now()
	for ctx.Err() == nil {
		now := l.o.Clock.Now()
		if l.lost.Swap(false) || len(again) > mostAgain || !now.Before(walk) || walk.Sub(now) > l.o.Every { // or the clock was put back
			clear(again)
			if l.walk(ctx, again) {
				walk = now.Add(l.o.Every)
			} else {
				walk = now.Add(min(againIn, l.o.Every))
			}
		}
		wait := min(walk.Sub(now), l.o.Every)
		if len(again) > 0 {
			wait = min(wait, againIn)
		}
		accounts, gap, err := l.next(ctx, w, max(wait, time.Millisecond))
		if err != nil { // nothing came in that time, or it cannot be known what is shown
			for id := range again {
				accounts = append(accounts, id)
			}
		}
		if gap {
			walk = now
		}
		began := l.o.Clock.Now()
		for _, id := range accounts {
			delete(again, id)
			if err := l.refresh(ctx, id); err != nil && ctx.Err() == nil {
				again[id] = true
				l.trouble(ctx, "the photos of an account could not be followed; it is tried again", err, "account", id)
			}
		}
		if took := l.o.Clock.Now().Sub(began); len(accounts) > 0 && took > 0 { // what comes meanwhile is done together
			_ = clock.Sleep(ctx, l.o.Clock, min(stepBack*took, gathered))
		}
	}
}

// next is the watch's Next, for a while.
func (l *Library) next(ctx context.Context, w *core.Watch, while time.Duration) ([]holdfast.ID, bool, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t := l.o.Clock.NewTimer(while)
	defer t.Stop()
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-t.C():
			cancel()
		case <-done:
		}
	}()
	return w.Next(ctx)
}

// walk follows all accounts that changed since they were followed last, and forgets those that are gone. ok is false where some are still to be done; those that failed are added to again.
func (l *Library) walk(ctx context.Context, again map[holdfast.ID]bool) (ok bool) {
	for after, more := (holdfast.ID{}), true; more && ctx.Err() == nil; {
		list, err := l.o.Core.Accounts(ctx, after, walkedAt)
		if err != nil {
			l.trouble(ctx, "the accounts could not be read; it is tried again", err)
			return false
		}
		last := holdfast.ID{}
		if more = len(list) == walkedAt; more {
			last = list[len(list)-1].ID
		}
		known, err := l.known(ctx, after, last)
		if err != nil {
			l.trouble(ctx, "the index of photos could not be read; it is tried again", err)
			return false
		}
		after = last
		for i := range list {
			a := &list[i]
			seq, was := known[a.ID]
			delete(known, a.ID)
			if was && seq == a.Seq || ctx.Err() != nil {
				continue
			}
			if err := l.refresh(ctx, a.ID); err != nil && ctx.Err() == nil {
				again[a.ID] = true
				l.trouble(ctx, "the photos of an account could not be followed; it is tried again", err, "account", a.ID)
			}
		}
		for id := range known {
			if ctx.Err() == nil {
				l.trouble(ctx, "what was derived of an account that is gone could not be removed; it is tried again", l.Forget(id), "account", id)
			}
		}
	}
	return ctx.Err() == nil
}

// known returns how far each account was followed, 0 where its folder for photos is not settled, whose id is above one, and not above another; zero: no bound.
func (l *Library) known(ctx context.Context, above, upTo holdfast.ID) (seqs map[holdfast.ID]uint64, err error) {
	seqs = map[holdfast.ID]uint64{}
	return seqs, l.read(ctx, func(c *conn) error {
		return c.each("SELECT id, CASE WHEN founded THEN seq ELSE 0 END FROM account WHERE id > ?1 AND (?3 OR id <= ?2)", func(s *sqlite.Stmt) error {
			seqs[idAt(s, 0)] = uint64(s.ColumnInt64(1))
			return nil
		}, above, upTo, upTo.IsZero())
	})
}

func idAt(s *sqlite.Stmt, i int) (id holdfast.ID) {
	s.ColumnBytes(i, id[:])
	return id
}

func hashAt(s *sqlite.Stmt, i int) (h holdfast.Hash) {
	s.ColumnBytes(i, h[:])
	return h
}

// followed is how far the index is with one account.
type followed struct {
	seq     uint64
	chain   holdfast.Hash
	founded bool
	folders map[holdfast.ID]folderRow
}

type folderRow struct {
	seq   uint64
	album bool
	title string
}

// refresh brings the index up to what the store shows of an account.
func (l *Library) refresh(ctx context.Context, account holdfast.ID) error {
	f, err := l.followed(ctx, account)
	if err != nil {
		return err
	}
	founded := f.founded || l.found(ctx, account)
	p, err := l.plan(ctx, account, f)
	if holdfast.IsKind(err, holdfast.NotFound) {
		return l.Forget(account)
	}
	if err != nil {
		return err
	}
	if len(p.gone)+len(p.named) > 0 {
		if err := l.write(ctx, func(c *conn) error { return c.rearrange(account, p) }); err != nil {
			return err
		}
	}
	for _, d := range p.due {
		if err := l.bringUp(ctx, account, d); err != nil {
			return err
		}
	}
	if p.lacks() || f.seq == 0 || founded != f.founded || p.head.Seq-f.seq > noteEach { // otherwise the next start looks at the account once more, and finds nothing
		err = l.write(ctx, func(c *conn) error {
			return c.exec("INSERT INTO account VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET seq = ?2, chain = ?3, founded = ?4", account, int64(p.head.Seq), p.head.Chain, founded)
		})
	}
	l.moved.happen()
	return err
}

// noteEach is after how many changes that concern no photos it is written down how far an account was followed.
const noteEach = 500

// found gives an account its folder for photos, if it is older than these, and tells whether that is settled. One that cannot be written to now gets it later.
func (l *Library) found(ctx context.Context, account holdfast.ID) (settled bool) {
	made, err := l.o.Core.FoundPhotos(ctx, account)
	switch {
	case err == nil && made:
		l.o.Log.Info("an account got its folder for photos", "account", account)
	case err != nil && !holdfast.IsKind(err, holdfast.NotFound) && !holdfast.IsKind(err, holdfast.Forbidden):
		l.o.Log.Debug("an account could not be given its folder for photos; that is tried again", "account", account, "err", err)
	}
	return err == nil
}

func (l *Library) followed(ctx context.Context, account holdfast.ID) (f followed, err error) {
	f.folders = map[holdfast.ID]folderRow{}
	return f, l.read(ctx, func(c *conn) error {
		if err := c.each("SELECT seq, chain, founded FROM account WHERE id = ?", func(s *sqlite.Stmt) error {
			f.seq, f.chain, f.founded = uint64(s.ColumnInt64(0)), hashAt(s, 1), s.ColumnBool(2)
			return nil
		}, account); err != nil {
			return err
		}
		return c.each("SELECT id, seq, album, title FROM folder WHERE acct = ?", func(s *sqlite.Stmt) error {
			f.folders[idAt(s, 0)] = folderRow{uint64(s.ColumnInt64(1)), s.ColumnBool(2), s.ColumnText(3)}
			return nil
		}, account)
	})
}

// plan is what is to be done with one account.
type plan struct {
	head  core.Head
	gone  []holdfast.ID // folders and albums that are none any more
	due   []due
	named []due // albums whose title is another
}

// due is a folder or an album in which something changed.
type due struct {
	id    holdfast.ID
	after uint64
	album bool
	title string
}

func (l *Library) plan(ctx context.Context, account holdfast.ID, f followed) (p plan, err error) {
	err = l.o.Core.Inspect(ctx, account, func(r *core.Reader) error {
		head, err := r.Head()
		if err != nil {
			return err
		}
		anew := false
		if f.seq > 0 {
			at, err := r.ChainAt(f.seq)
			if err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
				return err
			}
			anew = err != nil || at.Chain != f.chain
		}
		all, err := r.EveryCollection()
		p = f.compare(account, all, anew)
		p.head = head
		return err
	})
	return p, err
}

// compare says what the index lacks of an account; all are its collections. Of an account whose history is another one than was followed it lacks everything.
func (f *followed) compare(account holdfast.ID, all []holdfast.Collection, anew bool) (p plan) {
	there := map[holdfast.ID]bool{}
	add := func(c *holdfast.Collection, d due) {
		there[c.ID] = true
		row, known := f.folders[c.ID]
		if known = known && !anew; known {
			d.after = row.seq
		}
		if !known || c.Seq > row.seq {
			p.due = append(p.due, d)
		}
		if !known || row.title != d.title {
			p.named = append(p.named, d)
		}
	}
	for _, c := range core.PhotoFolders(account, all) {
		add(&c, due{id: c.ID})
	}
	for _, c := range core.Albums(account, all) {
		add(&c, due{id: c.ID, album: true, title: titleOf(&c)})
	}
	for id := range f.folders {
		if !there[id] || anew {
			p.gone = append(p.gone, id)
		}
	}
	return p
}

// lacks tells whether there is anything to be done.
func (p *plan) lacks() bool { return len(p.due)+len(p.gone)+len(p.named) > 0 }

func titleOf(c *holdfast.Collection) string {
	if title := c.Properties.Text("DAV:", "displayname"); title != "" {
		return title
	}
	return c.Name
}

// rearrange drops what is in no folder of photos any more, and adds those that came.
func (c *conn) rearrange(account holdfast.ID, p plan) error {
	for _, id := range p.gone {
		if err := c.dropFolder(account, id); err != nil {
			return err
		}
	}
	for _, d := range p.named {
		if err := c.exec("INSERT INTO folder VALUES (?1, ?2, 0, ?3, ?4) ON CONFLICT DO UPDATE SET title = ?4", d.id, account, d.album, d.title); err != nil {
			return err
		}
	}
	return nil
}

func (c *conn) dropFolder(account, id holdfast.ID) error {
	if err := c.exec("INSERT OR IGNORE INTO past SELECT acct, hash, coll, name FROM photo WHERE coll = ?", id); err != nil {
		return err
	}
	var pairs []string
	if err := c.each("SELECT DISTINCT pair FROM photo WHERE coll = ? AND pair <> ''", func(s *sqlite.Stmt) error { pairs = append(pairs, s.ColumnText(0)); return nil }, id); err != nil {
		return err
	}
	for _, sql := range []string{"DELETE FROM photo WHERE coll = ?", "DELETE FROM member WHERE album = ?", "DELETE FROM folder WHERE id = ?"} {
		if err := c.exec(sql, id); err != nil {
			return err
		}
	}
	for _, pair := range pairs {
		if err := c.pairUp(account, pair); err != nil {
			return err
		}
	}
	return nil
}

// bringUp takes in what changed in a folder or an album, in pages.
func (l *Library) bringUp(ctx context.Context, account holdfast.ID, d due) error {
	for more := true; more; {
		var page []holdfast.Resource
		err := l.o.Core.Inspect(ctx, account, func(r *core.Reader) error {
			page = page[:0]
			c, err := r.Collection(d.id)
			if err != nil {
				return err
			}
			fields := core.WithProps
			if d.album {
				fields = core.WithBody
			}
			last := d.after
			if more, err = r.Since(d.id, d.after, pageOf, fields, func(x *holdfast.Resource) error {
				y := *x
				if d.album {
					y.Body = append([]byte(nil), x.Body...)
				}
				page, last = append(page, y), x.Seq
				return nil
			}); err != nil {
				return err
			}
			if d.after = last; !more {
				d.after = max(last, c.Seq)
			}
			return nil
		})
		if holdfast.IsKind(err, holdfast.NotFound) { // it went meanwhile: that is a change of its own
			return nil
		}
		if err != nil {
			return err
		}
		if err := l.write(ctx, func(c *conn) error { return c.take(account, &d, page) }); err != nil {
			return err
		}
		l.queued.happen()
		l.moved.happen()
	}
	return nil
}

// take writes down a page of a folder's or an album's members, and how far it is.
func (c *conn) take(account holdfast.ID, d *due, page []holdfast.Resource) error {
	for i := range page {
		err := error(nil)
		if d.album {
			err = c.takeMember(account, d.id, &page[i])
		} else {
			err = c.takeFile(account, &page[i])
		}
		if err != nil {
			return err
		}
	}
	return c.exec("UPDATE folder SET seq = ? WHERE id = ?", int64(d.after), d.id)
}

func (c *conn) takeMember(account, album holdfast.ID, x *holdfast.Resource) error {
	ref, err := holdfast.DecodeReference(x.Body)
	if x.State != holdfast.Live || err != nil {
		return c.exec("DELETE FROM member WHERE album = ? AND name = ?", album, x.Name)
	}
	return c.exec("INSERT OR REPLACE INTO member VALUES (?, ?, ?, ?, ?, ?)", album, x.Name, account, ref.Hash, ref.Collection, ref.Name)
}

// Forget removes all that was derived of an account.
func (l *Library) Forget(account holdfast.ID) error {
	err := l.write(context.Background(), func(c *conn) error {
		for _, sql := range []string{"DELETE FROM photo WHERE acct = ?", "DELETE FROM month WHERE acct = ?", "DELETE FROM member WHERE acct = ?", "DELETE FROM folder WHERE acct = ?", "DELETE FROM content WHERE acct = ?", "DELETE FROM past WHERE acct = ?", "DELETE FROM account WHERE id = ?"} {
			if err := c.exec(sql, account); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return os.RemoveAll(l.thumbDir(account))
}
