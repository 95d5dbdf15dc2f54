package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"holdfast/internal/clock"
	"holdfast/internal/config"
	"holdfast/internal/control"
	"holdfast/internal/notice"
	"holdfast/internal/place"
	"holdfast/internal/relay"
	"holdfast/internal/scrub"
	"holdfast/internal/seal"
	"holdfast/internal/vault"
	"holdfast/internal/vfs"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
)

// scrubSpoolName is where vaults are sorted on the way when the engine is mended out of them; in the clear.
const scrubSpoolName = "scrub-spool"

// engineScrub reads the living engine again and again. One round runs at a time.
type engineScrub struct {
	k     *keeper
	book  *scrub.Book
	files scrub.Files
	turn  chan struct{} // has one while a round runs
}

func newEngineScrub(k *keeper, f scrub.Files) *engineScrub {
	s := &engineScrub{k: k, files: f, book: scrub.OpenBook(vfs.OS, k.c.Data), turn: make(chan struct{}, 1)}
	k.rotten = s.left
	return s
}

// left tells how many things that are damaged in the engine are not mended, as far as is known.
func (s *engineScrub) left() int64 {
	return s.Seen().Left
}

// Seen implements [control.Scrubs].
func (s *engineScrub) Seen() scrub.Seen {
	state := s.book.State()
	return state.Seen()
}

// Scrub implements [control.Scrubs].
func (s *engineScrub) Scrub(ctx context.Context, fn func(scrub.Finding)) (done scrub.Round, err error) {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return done, context.Cause(ctx)
	}
	k := s.k
	late := func() bool {
		now := s.book.State().Now
		return now != nil && clock.System.Now().Sub(now.Began) > k.c.Scrub.Within/2
	}
	x := &scrub.Scrubber{Engine: k.engine, Book: s.book, Clock: clock.System, Pace: k.pacer(late).Took, Log: k.log, Found: fn, Files: s.files}
	if len(k.vaults().Vaults) > 0 {
		x.Source = scrub.FromVaults(k.openSound, filepath.Join(k.c.Data, scrubSpoolName))
	}
	r, err := x.Round(ctx)
	k.see()
	if err != nil {
		return done, err
	}
	k.log.Info("the engine was read", "accounts", r.Accounts, "changes", r.Changes, "bodies", r.Bodies, "files", r.Files, "octets", r.Octets, "found", r.Found, "mended", r.Mended)
	return *r, nil
}

// openSound opens, to read them with the server's key, the vaults with octets that can be had and are not being filled. The error names the others.
func (k *keeper) openSound(ctx context.Context) (list []*vault.Vault, err error) {
	filling := map[string]bool{}
	for _, v := range k.relay.Status().Vaults {
		filling[v.Name] = v.State == relay.Filling
	}
	return k.openBut(ctx, filling)
}

// openBut opens, to read them with the server's key, the vaults with octets but those that are named. The error names those that cannot be had.
func (k *keeper) openBut(ctx context.Context, not map[string]bool) (list []*vault.Vault, err error) {
	var errs []error
	for _, e := range k.vaults().Vaults {
		if not[e.Name] || e.Kind == kindLedger {
			continue
		}
		o := k.options()
		o.With, o.Ring = []*seal.Identity{o.Ring.Server}, nil
		v, err := openVault(ctx, e, o)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		list = append(list, v)
	}
	return list, errors.Join(errs...)
}

// keep scrubs the engine when that is due, and goes on with a round that was cut, until ctx ends. Right after a start, when phones come back, nothing is read.
func (s *engineScrub) keep(ctx context.Context) {
	every := s.k.c.Scrub.Every
	for pause := min(every, firstRead); clock.Sleep(ctx, clock.System, pause) == nil; pause = min(every, time.Hour) {
		state := s.book.State()
		if !scrubDue(state, every, clock.System.Now()) {
			continue
		}
		if _, err := s.Scrub(ctx, func(scrub.Finding) {}); err != nil && ctx.Err() == nil {
			s.k.log.Error("the engine could not be read; that is tried again", "err", err)
		}
	}
}

// scrubDue tells whether the engine is to be read now. A time that is to come is a clock's that was wrong.
func scrubDue(s scrub.State, every time.Duration, now time.Time) bool {
	if s.Now != nil || s.Last == nil || s.Last.Ended == nil {
		return true
	}
	since := now.Sub(s.Last.Began)
	return since >= every || since < 0
}

// pacer keeps a reading at the rate that is configured. It yields to people, unless late says that it has no more time for that; nil: it always has.
func (k *keeper) pacer(late func() bool) *scrub.Pacer {
	p := &scrub.Pacer{Clock: clock.System, Rate: k.c.Scrub.Rate, Share: min(1, float64(k.c.Scrub.Share)/100)}
	if k.busy != nil {
		p.Busy = func() bool { return k.busy() && (late == nil || !late()) }
	}
	return p
}

// pacedPlace is a place that is read at a pace.
type pacedPlace struct {
	place.Place
	p *scrub.Pacer
}

func (x pacedPlace) Get(ctx context.Context, name string, at, n int64) (io.ReadCloser, error) {
	r, err := x.Place.Get(ctx, name, at, n)
	if err != nil {
		return nil, err
	}
	return x.p.Reader(ctx, r), nil
}

// Last implements [place.Laster].
func (x pacedPlace) Last(ctx context.Context, prefix string) (place.Info, bool, error) {
	return place.Last(ctx, x.Place, prefix)
}

// ReadMany implements [place.ManyReader]. Of a place that is none, each object is read by itself.
func (x pacedPlace) ReadMany(ctx context.Context, prefix, after string, fn func(place.Info, []byte) error) error {
	if m, is := x.Place.(place.ManyReader); is {
		return m.ReadMany(ctx, prefix, after, func(i place.Info, b []byte) error {
			if err := x.p.Took(ctx, int64(len(b))); err != nil {
				return err
			}
			return fn(i, b)
		})
	}
	var all []place.Info
	if err := x.Place.List(ctx, prefix, after, func(i place.Info) error { all = append(all, i); return nil }); err != nil {
		return err
	}
	for _, i := range all {
		if err := fn(i, nil); err != nil {
			return err
		}
	}
	return nil
}

// engineConditions tells of what is damaged in the engine, and of a reading that is overdue.
func engineConditions(s scrub.State, c *config.Config, now time.Time) (found []notice.Condition) {
	r := s.Last
	if s.Now != nil && s.Now.Left() > 0 {
		r = s.Now
	}
	if r != nil && r.Left() > 0 {
		o := notice.Condition{Key: "damage.engine", Severity: notice.Critical, Title: "The living store holds something damaged", Measure: float64(r.Left()), Since: r.Began, Sure: true,
			Text: fmt.Sprintf("When it was last read, %s came out that could not be mended. See what, and what to do: holdfast scrub", count(r.Left(), "finding"))}
		found = append(found, o)
	} else if r != nil && r.Mended > 0 && r.Ended != nil && recent(now, *r.Ended, c.Vault.Late) {
		found = append(found, notice.Condition{Key: "damage.engine", Severity: notice.Warning, Title: "The living store held something damaged, and it is mended", Measure: float64(r.Mended), Since: r.Began,
			Text: fmt.Sprintf("When it was last read, the octets of %s had rotted; they were put back out of a vault. A disk on which something rotted is to be looked at: %s", count(r.Mended, "change"), c.Data)})
	}
	since := time.Time{}
	if s.Last != nil {
		since = s.Last.Began
	} else if s.Now != nil {
		since = s.Now.Began
	}
	if age := now.Sub(since); !since.IsZero() && age > c.Scrub.Within {
		found = append(found, notice.Condition{Key: "scrub.engine", Severity: notice.Warning, Title: "The living store was not read through for too long", Measure: age.Seconds(), Since: since.Add(c.Scrub.Within),
			Text: fmt.Sprintf("That was last done %s, and must be done within %s: damage there would go unnoticed. Do it now: holdfast scrub; a higher scrub.rate makes it faster", ago(s.Last != nil, since), clock.Words(c.Scrub.Within))})
	}
	return found
}

// recent tells whether something ended less than so long ago. What was mended is told of for that long: it began and ended between two looks.
func recent(now, at time.Time, within time.Duration) bool {
	since := now.Sub(at)
	return since > -time.Minute && since < within
}

// scrubMetrics tells when the engine was last read, and what is damaged in it.
type scrubMetrics struct {
	s          *engineScrub
	last, left *prometheus.Desc
}

func newScrubMetrics(s *engineScrub) *scrubMetrics {
	return &scrubMetrics{s: s, last: prometheus.NewDesc("holdfast_engine_last_scrub_seconds", "When everything that the engine holds was last read, as Unix time; 0: never.", nil, nil),
		left: prometheus.NewDesc("holdfast_engine_damaged", "Things that are damaged in the engine and could not be mended.", nil, nil)}
}

// Describe implements prometheus.Collector.
func (m *scrubMetrics) Describe(ch chan<- *prometheus.Desc) {
	ch <- m.last
	ch <- m.left
}

// Collect implements prometheus.Collector.
func (m *scrubMetrics) Collect(ch chan<- prometheus.Metric) {
	at := time.Time{}
	if last := m.s.book.State().Last; last != nil && last.Ended != nil {
		at = *last.Ended
	}
	ch <- prometheus.MustNewConstMetric(m.last, prometheus.GaugeValue, unix(at))
	ch <- prometheus.MustNewConstMetric(m.left, prometheus.GaugeValue, float64(m.s.left()))
}

func (a *app) scrubCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "scrub",
		Short: "Read everything that the living store holds, and mend what rotted",
		Long: `Hash every body in the living store again, and follow each account's chain from its first change. What rotted is put back out of a
vault that has octets of exactly the recorded hash; nothing else of the store is changed by that, and devices notice nothing. Large files
lie beside the database, and are hashed and put back likewise. The service
does this by itself each week, slowly, and goes on after a restart where it was; this command goes on with what is left of a round.

The exit status is 0 if nothing was wrong or all of it was mended, and 1 if something is left.`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd, toLook, func(ctx context.Context, cl *control.Client) error {
				r, err := cl.Scrub(ctx, func(scrub.Finding) {})
				if errors.Is(err, context.Canceled) {
					return interrupted(false, "scrubbed")
				}
				if err != nil {
					return err
				}
				if a.json {
					err = a.printJSON("scrub", r)
				} else {
					a.showScrub(&r)
				}
				if err == nil && r.Left() > 0 {
					err = &exitError{code: exitNegative}
				}
				return err
			})
		},
	}
}

func (a *app) showScrub(r *scrub.Round) {
	shown := lines{a: a}
	for _, f := range r.Findings {
		at := control.VaultFinding{Account: f.Account.String(), Name: f.Name, Seq: f.Seq, What: f.What}
		if !f.Collection.IsZero() {
			at.Collection = f.Collection.String()
		}
		if f.Mended {
			at.What += "; mended from " + f.From
		} else {
			at.What += "; NOT mended: " + f.Why
		}
		shown.print(describeFinding(at))
	}
	shown.end("more")
	if r.Ghosts > 0 {
		a.printf("%s known to be lost, and in no vault: no damage of this store\n", count(r.Ghosts, "item"))
	}
	a.printf("%s with %s, %s of %d bodies and %s hashed; %s, %d mended, %d left\n", count(r.Accounts, "account"), count(r.Changes, "change"), octets(r.Octets), r.Bodies, count(r.Files, "large file"), count(r.Found, "finding"), r.Mended, r.Left())
}
