package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // the truth must not depend on the machine's own

	"holdfast/sim/load"
	"holdfast/sim/server"
)

// eventCount is how many events a calendar has that a phone reads.
const eventCount = 5000

// events measures calendars: durable PUTs, a new phone, and a month.
func (b *bench) events(ctx context.Context) error {
	if err := b.eventPuts(ctx); err != nil {
		return err
	}
	s, err := b.start(ctx, "events")
	if err != nil {
		return err
	}
	defer func() { s.Stop() }() // whichever runs then
	accounts, err := s.AddAccounts(ctx, "e", 1)
	if err != nil {
		return err
	}
	a := server.Calendar(accounts[0])
	truth, err := fillEvents(ctx, s.Addr, a, eventCount)
	if err != nil {
		return err
	}
	if err := b.newCalendar(ctx, s, a); err != nil {
		return err
	}
	if err := s.Stop(); err != nil {
		return err
	}
	if s, err = b.start(ctx, "events"); err != nil {
		return err
	}
	before, err := s.CPU()
	if err != nil {
		return err
	}
	name, rounds := "a month out of "+thousands(eventCount)+" events, calendar-query", 3
	if b.quick {
		rounds = 1
	}
	if err := b.months(ctx, s.Addr, a, truth, figure{Name: name, Goal: 5, AtMost: true}, rounds, true); err != nil {
		return err
	}
	after, err := s.CPU()
	if err != nil {
		return err
	}
	b.report.add(figure{Name: "processor time a month", Value: micro(after-before) / 1000 / float64(rounds*monthsAsked), Unit: "ms"})
	return s.Stop()
}

// eventPuts measures durable PUTs of events from 32 connections, an account each: half creations, half updates, every second of which moves the event.
func (b *bench) eventPuts(ctx context.Context) error {
	const n = 32
	addr, _, stop, err := startBare(ctx, "-serve-bare")
	if err != nil {
		return err
	}
	bare, err := eventRun(ctx, addr, sameBook(n), b.each, false)
	stop()
	if err != nil {
		return err
	}
	s, err := b.start(ctx, "put-events")
	if err != nil {
		return err
	}
	defer s.Stop()
	accounts, err := s.AddAccounts(ctx, "p", n)
	if err != nil {
		return err
	}
	for i := range accounts {
		accounts[i] = server.Calendar(accounts[i])
	}
	before, err := s.CPU()
	if err != nil {
		return err
	}
	r, err := eventRun(ctx, s.Addr, accounts, b.each, true)
	if err != nil {
		return err
	}
	after, err := s.CPU()
	if err != nil {
		return err
	}
	f := figure{Name: "durable PUT of events, " + connections(n), Value: r.PerSecond(), Unit: "/s", Goal: 7000,
		Note: fmt.Sprintf("%d octets each; about %.0f µs of processor time", load.EventSize, micro(after-before)/float64(r.Done)*r.Elapsed.Seconds()/(r.Elapsed+warmUp).Seconds())}.latency(&r.Latency)
	f.beside(r.PerSecond()/bare.PerSecond(), "of the bare handler")
	b.report.add(f)
	return s.Stop()
}

// eventRun is putRun for events.
func eventRun(ctx context.Context, addr string, accounts []load.Account, d time.Duration, strict bool) (load.Result, error) {
	return kindRun(ctx, addr, accounts, load.Events(), d, strict)
}

// fillEvents puts n events into a calendar, over eight connections, and returns what is there, by name.
func fillEvents(ctx context.Context, addr string, a load.Account, n int) (map[string]load.Event, error) {
	list, err := writers(ctx, addr, slices.Repeat([]load.Account{a}, 8), false)
	if err != nil {
		return nil, err
	}
	defer hangUp(list)
	steps := make([]func() (int, error), len(list))
	for i, w := range list {
		w.Kind = load.Events()
		steps[i] = w.Create
	}
	if err := good(load.Drive(ctx, steps, load.Bounds{Count: int64(n)})); err != nil {
		return nil, err
	}
	truth := make(map[string]load.Event, n)
	for _, w := range list {
		for _, it := range w.Items() {
			truth[it.UID+w.Kind.Ext] = load.EventOf(it.UID, it.Version)
		}
	}
	return truth, nil
}

// newCalendar measures the first sync of a new phone.
func (b *bench) newCalendar(ctx context.Context, s *server.Server, a load.Account) error {
	var runs []fetched
	for range 5 {
		f, err := fetchKind(ctx, s.Addr, a, load.Events(), eventCount)
		if err != nil {
			return err
		}
		runs = append(runs, f)
	}
	slices.SortFunc(runs, func(x, y fetched) int { return int(x.all - y.all) })
	mid := runs[len(runs)/2]
	b.report.add(figure{Name: thousands(eventCount) + " events to a new phone, one connection", Value: mid.all.Seconds(), Unit: "s", Goal: 0.3, AtMost: true,
		Note: fmt.Sprintf("listing %.0f ms, the rest in multigets of %d, %.1f MiB; best of 5: %.3f s", float64(mid.list.Microseconds())/1000, perGet, float64(mid.octets)/(1<<20), runs[0].all.Seconds())})
	return nil
}

// monthsAsked is how many months one round of months asks for: those of ten years in three zones.
const monthsAsked = 3 * 120

// months asks for the months of ten years, one after the other, as they begin in UTC, in Berlin and in Auckland, and compares each answer with what the generator
// knows of every single event. An answer that is not exact is an error, or, where it need not be, counted. f is completed with the median; the first answer of the
// server stands beside it.
func (b *bench) months(ctx context.Context, addr string, a load.Account, truth map[string]load.Event, f figure, rounds int, must bool) error {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		return err
	}
	auckland, err := time.LoadLocation("Pacific/Auckland")
	if err != nil {
		return err
	}
	c, err := load.Dial(ctx, addr, time.Now().Add(time.Hour))
	if err != nil {
		return err
	}
	defer c.Close()
	p := &load.Phone{Conn: c, Account: a}
	var all, whole, shifted load.Histogram
	var first time.Duration
	items, wrong := 0, 0
	begin, end := load.Decade()
	for range rounds {
		for at := begin; at.Before(end); at = at.AddDate(0, 1, 0) {
			for _, zone := range []*time.Location{time.UTC, berlin, auckland} {
				from := time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, zone)
				to := from.AddDate(0, 1, 0)
				start := time.Now()
				list, n, _, err := p.Query(from, to)
				took := time.Since(start)
				if err != nil {
					return err
				}
				if err := exact(list, n, truth, from, to, berlin); err != nil && must {
					return err
				} else if err != nil {
					wrong++
				}
				if first == 0 {
					first = took
				}
				items += n
				all.Add(took)
				if zone == time.UTC {
					whole.Add(took)
				} else {
					shifted.Add(took)
				}
			}
		}
	}
	ms := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }
	f.Value, f.Unit = ms(all.Quantile(0.5)), "ms"
	right := "each exact"
	if wrong > 0 {
		right = fmt.Sprintf("%d of them not exact", wrong)
	}
	f.Note = fmt.Sprintf("median of %d, %s, %.0f events in the mean; months of UTC %.2f ms, of other zones %.2f ms; the first after a start %.1f ms", all.Count(), right,
		float64(items)/float64(all.Count()), ms(whole.Quantile(0.5)), ms(shifted.Quantile(0.5)), ms(first))
	b.report.add(f.latency(&all))
	return nil
}

// exact compares a month's answer with the truth: nothing is missing, nothing too much, and each comes with its octets.
func exact(list []load.Member, items int, truth map[string]load.Event, from, to time.Time, berlin *time.Location) error {
	have := map[string]bool{}
	for _, m := range list {
		have[m.Href[strings.LastIndexByte(m.Href, '/')+1:]] = true
	}
	var missing, extra []string
	want := 0
	for name, e := range truth {
		touches := e.Touches(from, to, berlin)
		if touches {
			want++
		}
		switch {
		case touches && !have[name]:
			missing = append(missing, name)
		case !touches && have[name]:
			extra = append(extra, name)
		}
	}
	if len(missing)+len(extra) > 0 || len(list) != want || items != want {
		return fmt.Errorf("from %s to %s: %d events came, %d with octets, of %d; missing: %d %v; too much: %d %v", from, to, len(list), items, want,
			len(missing), missing[:min(3, len(missing))], len(extra), extra[:min(3, len(extra))])
	}
	return nil
}
