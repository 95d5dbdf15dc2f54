package library

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"sync"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/core"
	"holdfast/internal/photo"
	"holdfast/internal/photo/decode"
	"holdfast/internal/vfs"

	"zombiezen.com/go/sqlite"
)

const (
	readAtOnce  = 64               // contents that are read and written down together
	mostTries   = 8                // of one photo for which the machine was too busy
	firstPause  = time.Minute      // before what failed is tried again; it doubles
	longPause   = 6 * time.Hour    // and is never longer
	lookAgain   = 10 * time.Second // whether something is due again
	stepBack    = 3                // while people are served, a worker rests so many times as long as it worked
	longestRest = 2 * time.Second
)

// job is one content in the queue.
type job struct {
	account holdfast.ID
	hash    holdfast.Hash
	size    int64
	tries   int
}

type jobKey struct {
	account holdfast.ID
	hash    holdfast.Hash
}

// jobs are those under way.
type jobs struct {
	mu    sync.Mutex
	busy  map[jobKey]bool
	had   []holdfast.ID // accounts of which one was decoded since the others had their turn
	alone time.Time     // until then nobody else is looked for
}

func (j *jobs) init() { j.busy = map[jobKey]bool{} }

func (j *jobs) end(x job) {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.busy, jobKey{x.account, x.hash})
}

// mostTurns is how many accounts have their turn before those with the newest photos have it again.
const mostTurns = 100

// nextInTurn returns the content that is to be decoded next: accounts take turns, so that nobody waits for the many or difficult photos of another one.
func (l *Library) nextInTurn(ctx context.Context) (list []job, err error) {
	l.jobs.mu.Lock()
	had := slices.Clone(l.jobs.had)
	if l.o.Clock.Now().Before(l.jobs.alone) {
		had = nil
	}
	l.jobs.mu.Unlock()
	if list, err = l.take(ctx, stateRead, 1, had...); err == nil && len(list) == 0 && len(had) > 0 {
		l.jobs.mu.Lock()
		if l.jobs.had = nil; len(had) == 1 { // looking costs more, the more photos it has
			l.jobs.alone = l.o.Clock.Now().Add(lookAgain)
		}
		l.jobs.mu.Unlock()
		list, err = l.take(ctx, stateRead, 1)
	}
	if len(list) > 0 {
		l.jobs.mu.Lock()
		defer l.jobs.mu.Unlock()
		if !slices.Contains(l.jobs.had, list[0].account) {
			l.jobs.had = append(l.jobs.had, list[0].account)
		}
		if len(l.jobs.had) > mostTurns {
			l.jobs.had = nil
		}
	}
	return list, err
}

// take returns the next contents of a state that nobody is at, the newest first, but those of some accounts.
func (l *Library) take(ctx context.Context, state, most int, but ...holdfast.ID) (out []job, err error) {
	l.jobs.mu.Lock()
	defer l.jobs.mu.Unlock()
	args, others := []any{state}, ""
	for _, id := range but {
		args, others = append(args, id), others+" AND acct <> ?"
	}
	args = append(args, most+len(l.jobs.busy))
	err = l.read(ctx, func(c *conn) error {
		return c.each("SELECT acct, hash, size, tries FROM content WHERE state = ?"+others+" ORDER BY rank DESC LIMIT ?", func(s *sqlite.Stmt) error {
			x := job{idAt(s, 0), hashAt(s, 1), s.ColumnInt64(2), s.ColumnInt(3)}
			if key := (jobKey{x.account, x.hash}); len(out) < most && !l.jobs.busy[key] {
				l.jobs.busy[key] = true
				out = append(out, x)
			}
			return nil
		}, args...)
	})
	if err != nil {
		for _, x := range out {
			delete(l.jobs.busy, jobKey{x.account, x.hash})
		}
		out = nil
	}
	return out, err
}

// readAll reads what new photos say of themselves, until ctx ends.
func (l *Library) readAll(ctx context.Context) {
	for ctx.Err() == nil {
		queued := l.queued.next()
		l.trouble(ctx, "what waits in the index of photos could not be brought back; it is tried again", l.recall(ctx))
		list, err := l.take(ctx, stateNew, readAtOnce)
		l.trouble(ctx, "the queue of photos could not be read; it is tried again", err)
		if len(list) == 0 {
			_ = l.await(ctx, queued, lookAgain)
			continue
		}
		err = l.readThese(ctx, list)
		for _, x := range list {
			l.jobs.end(x)
		}
		if err != nil {
			l.trouble(ctx, "what photos say of themselves could not be written down; it is tried again", err)
			_ = clock.Sleep(ctx, l.o.Clock, lookAgain)
		}
		l.queued.happen()
		l.moved.happen()
	}
}

// recall has those tried again whose pause is over.
func (l *Library) recall(ctx context.Context) error {
	now := l.o.Clock.Now()
	due := 0
	if err := l.read(ctx, func(c *conn) error {
		return c.each("SELECT count(*) FROM content WHERE state IN (?, ?) AND (next <= ? OR next > ?)", func(s *sqlite.Stmt) error { due = s.ColumnInt(0); return nil }, stateLater, stateBroken, now.Unix(), now.Add(2*longPause).Unix())
	}); err != nil || due == 0 {
		return err
	}
	return l.write(ctx, func(c *conn) error { // what is dated later than any pause was dated by a clock that was wrong
		return c.exec("UPDATE content SET state = CASE WHEN kind = '' THEN ? ELSE ? END WHERE state IN (?, ?) AND (next <= ? OR next > ?)", stateNew, stateRead, stateLater, stateBroken, now.Unix(), now.Add(2*longPause).Unix())
	})
}

// finding is what came of reading one content.
type finding struct {
	job
	info photo.Info
	err  error
}

func (l *Library) readThese(ctx context.Context, list []job) error {
	found := make([]finding, len(list))
	for i, x := range list {
		began := l.o.Clock.Now()
		info, err := l.inspect(ctx, x, func(*core.Octets, photo.Info) error { return nil })
		if ctx.Err() != nil {
			return nil
		}
		found[i] = finding{x, info, err}
		if l.rest(ctx, began) != nil {
			return nil
		}
	}
	return l.write(ctx, func(c *conn) error {
		for i := range found {
			if err := l.note(c, &found[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// errNowhere says that octets lie nowhere any more.
var errNowhere = errors.New("these octets are in no folder of photos any more")

// inspect opens octets, reads what they say of themselves, and calls then with them.
func (l *Library) inspect(ctx context.Context, x job, then func(*core.Octets, photo.Info) error) (info photo.Info, err error) {
	o, name, err := l.open(ctx, x)
	if err != nil {
		return info, err
	}
	defer o.Close()
	if info, err = readSafely(ctx, o, x.size, name); err != nil {
		return info, err
	}
	return info, then(o, info)
}

// readSafely is photo.Read. That has no way to fail but the reader's; if it has one all the same, the photo is to blame, and not the service.
func readSafely(ctx context.Context, o *core.Octets, size int64, name string) (info photo.Info, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &decode.Undecodable{Why: fmt.Sprintf("reading it failed: %v", p)}
		}
	}()
	return photo.Read(ctx, o, size, name)
}

// open opens octets at one of the places where they lie.
func (l *Library) open(ctx context.Context, x job) (o *core.Octets, name string, err error) {
	type at struct {
		coll holdfast.ID
		name string
	}
	var places []at
	if err := l.read(ctx, func(c *conn) error {
		return c.each("SELECT coll, name FROM photo WHERE acct = ? AND hash = ? ORDER BY claims DESC LIMIT 8", func(s *sqlite.Stmt) error {
			places = append(places, at{idAt(s, 0), s.ColumnText(1)})
			return nil
		}, x.account, x.hash)
	}); err != nil {
		return nil, "", err
	}
	failed := errNowhere
	var open func(context.Context) (*core.Octets, error) // after the snapshot was closed: they may have to come from a vault
	err = l.o.Core.Inspect(ctx, x.account, func(r *core.Reader) error {
		for _, p := range places {
			f, err := r.Resource(p.coll, p.name, 0)
			if err == nil && f.ETag == x.hash {
				if open, err = r.Opener(&f); err == nil {
					name = p.name
					return nil
				}
				failed = err
			} else if err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
				failed = err
			}
		}
		return failed
	})
	if err != nil {
		return nil, "", err
	}
	o, err = open(ctx) // in all of these places it is the same
	return o, name, err
}

// note writes down what reading one content came to.
func (l *Library) note(c *conn, f *finding) error {
	switch i := &f.info; {
	case errors.Is(f.err, errNowhere):
		return c.park(f.job, l.o.Clock.Now())
	case f.err != nil:
		return l.put(c, f.job, f.err)
	case i.Kind == photo.Unknown && i.Claims == photo.Unknown:
		return c.settle(f.job, stateOther, "")
	case i.Kind == photo.Unknown:
		return c.settle(f.job, stateNever, "its content is no photo and no film that is known, whatever its name says")
	case i.Kind.Film() && !l.o.Films:
		return c.describe(f, stateNoFilms)
	}
	return c.describe(f, stateRead)
}

// describe writes down what a content says of itself.
func (c *conn) describe(f *finding, state int) error {
	i := &f.info
	var wall, zone, lat, lon, alt any
	if i.Taken.Sure != photo.NotKnown {
		wall = wallOf(i.Taken.At)
		if _, sec := i.Taken.At.Zone(); !i.Taken.Local {
			zone = sec
		}
	}
	if p := i.Place; p != nil {
		if lat, lon = p.Lat, p.Lon; p.HasAlt {
			alt = p.Alt
		}
	}
	if err := c.exec(`UPDATE content SET state = ?, tries = 0, why = '', kind = ?, width = ?, height = ?, wall = ?, zone = ?, sure = ?, source = ?, lat = ?, lon = ?, alt = ?, place = ?, place_folded = ?, make = ?, model = ?, lens = ?, camera = ?,
		lasts = ?, pair = ?, problems = ? WHERE acct = ? AND hash = ?`,
		state, string(i.Kind), i.Width, i.Height, wall, zone, int(i.Taken.Sure), i.Taken.From, lat, lon, alt, i.PlaceName, fold(i.PlaceName), i.Camera.Make, i.Camera.Model, i.Camera.Lens, fold(i.Camera.Make+" "+i.Camera.Model+" "+i.Camera.Lens),
		i.Duration.Milliseconds(), i.Pair, strings.Join(i.Problems, "\n"), f.account, f.hash); err != nil {
		return err
	}
	return c.tell(f.account, f.hash)
}

// settle writes down what became of a content for good.
func (c *conn) settle(x job, state int, why string) error {
	return c.exec("UPDATE content SET state = ?, why = ? WHERE acct = ? AND hash = ?", state, why, x.account, x.hash)
}

// park puts aside a content that could be found nowhere: until it lies somewhere again, or, where the index only has not heard yet of what became of its places, for a while.
func (c *conn) park(x job, now time.Time) error {
	return c.exec("UPDATE content SET state = CASE WHEN EXISTS (SELECT 1 FROM photo WHERE photo.acct = ?1 AND photo.hash = ?2) THEN ?3 ELSE ?4 END, next = ?5 WHERE acct = ?1 AND hash = ?2",
		x.account, x.hash, stateLater, stateParked, now.Add(firstPause).Unix())
}

// put writes down why a content could not be read or decoded, and whether it is tried again.
func (l *Library) put(c *conn, x job, err error) error {
	var bad *decode.Undecodable
	state, tries := stateLater, x.tries+1
	switch {
	case errors.As(err, &bad):
		return c.settle(x, stateNever, bad.Why)
	case errors.Is(err, decode.ErrNoFilms):
		return c.settle(x, stateNoFilms, "")
	case errors.Is(err, decode.ErrStarved) && tries >= mostTries:
		return c.settle(x, stateNever, fmt.Sprintf("the machine was too busy for it, %d times", tries))
	case holdfast.IsKind(err, holdfast.Corrupt), holdfast.IsKind(err, holdfast.Unavailable):
		state = stateBroken
	}
	pause := min(firstPause<<min(x.tries, 16), longPause)
	return c.exec("UPDATE content SET state = ?, tries = ?, next = ?, why = ? WHERE acct = ? AND hash = ?", state, tries, l.o.Clock.Now().Add(pause).Unix(), sentence(err), x.account, x.hash)
}

// sentence is what an error says to people.
func sentence(err error) string {
	var e *holdfast.Error
	if errors.As(err, &e) && e.Text != "" {
		return e.Text
	}
	return err.Error()
}

// work has thumbnails made, one photo after the other, until ctx ends.
func (l *Library) work(ctx context.Context) {
	for ctx.Err() == nil {
		if !l.room() {
			_ = clock.Sleep(ctx, l.o.Clock, firstPause)
			continue
		}
		queued := l.queued.next()
		list, err := l.nextInTurn(ctx)
		l.trouble(ctx, "the queue of photos could not be read; it is tried again", err)
		if len(list) == 0 {
			_ = l.await(ctx, queued, lookAgain)
			l.idle()
			continue
		}
		began := l.o.Clock.Now()
		err = l.decode(ctx, list[0])
		l.worked.Store(l.o.Clock.Now().Unix())
		l.jobs.end(list[0])
		if err != nil && ctx.Err() == nil {
			l.trouble(ctx, "thumbnails could not be written; it is tried again", err)
			_ = clock.Sleep(ctx, l.o.Clock, lookAgain)
			continue
		}
		l.moved.happen()
		_ = l.rest(ctx, began)
	}
}

// idle has decoders let go of their memory, once no worker has had work for a while.
func (l *Library) idle() {
	if r, ok := l.o.Decoder.(Resting); ok && l.o.Clock.Now().Unix()-l.worked.Load() >= int64(lookAgain.Seconds()) {
		r.Rest()
	}
}

// room tells whether the disk has room for thumbnails. What people store goes first: a full disk takes none of that.
func (l *Library) room() bool {
	if l.o.Reserve <= 0 {
		return true
	}
	space, err := vfs.FreeSpace(l.o.Dir)
	short := err == nil && space.Free < l.o.Reserve // where the system does not tell, writing does
	if l.short.Swap(short) != short && short {
		l.o.Log.Warn("the disk is nearly full: no thumbnails are made until it has more room", "free", space.Free, "reserve", l.o.Reserve)
	}
	return !short
}

// decode makes the thumbnails of one content. The error is of what kept them from being written.
func (l *Library) decode(ctx context.Context, x job) error {
	var t *decode.Thumbs
	_, err := l.inspect(ctx, x, func(o *core.Octets, info photo.Info) (err error) {
		t, err = l.o.Decoder.Thumbs(ctx, o, x.size, info)
		return err
	})
	if ctx.Err() != nil || errors.Is(err, decode.ErrClosed) {
		return nil
	}
	if err == nil {
		if err := l.keepThumbs(x.account, x.hash, t); err != nil {
			return err
		}
	}
	return l.write(ctx, func(c *conn) error {
		switch {
		case errors.Is(err, errNowhere):
			return c.park(x, l.o.Clock.Now())
		case err != nil:
			return l.put(c, x, err)
		}
		return c.exec("UPDATE content SET state = ?, tries = 0, why = '', thumbhash = ?, large_w = ?, large_h = ?, square_sum = ?, large_sum = ? WHERE acct = ? AND hash = ?",
			stateDone, t.Hash, t.LargeWidth, t.LargeHeight, int64(crc32.Checksum(t.Square, castagnoli)), int64(crc32.Checksum(t.Large, castagnoli)), x.account, x.hash)
	})
}

// rest steps back for people: while they are served, three quarters of the time are theirs.
func (l *Library) rest(ctx context.Context, began time.Time) error {
	if l.o.Busy == nil || !l.o.Busy() {
		return nil
	}
	worked := max(0, l.o.Clock.Now().Sub(began))
	return clock.Sleep(ctx, l.o.Clock, min(stepBack*worked, longestRest))
}
