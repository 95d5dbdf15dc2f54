package fleet

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"holdfast/internal/clock"
)

// Live lets people and devices live until all of the plan's time has passed, or ctx ends.
func (f *Fleet) Live(ctx context.Context) error {
	err := f.LiveWhile(ctx, ctx)
	for _, l := range f.devices {
		f.skipped.Add(int64(editsIn(l.acts)))
	}
	return err
}

// LiveWhile is Live until while ends: syncs that are under way come to their end, and nothing is under way when it returns. It may be called again; people go on where they were.
func (f *Fleet) LiveWhile(ctx, while context.Context) error {
	now := f.o.Clock.Now()
	begin := now.Add(-f.lived)
	end := begin.Add(time.Duration(float64(f.o.Life) / f.o.Speed))
	err := f.eachDevice(ctx, now, func(l *living) { f.live(ctx, while, l, begin, end) })
	f.lived = f.o.Clock.Now().Sub(begin)
	return err
}

// eachDevice gives each device a goroutine, and measures what they do all together.
func (f *Fleet) eachDevice(ctx context.Context, begin time.Time, fn func(*living)) error {
	syncs := f.stats.Syncs.Load()
	var wg sync.WaitGroup
	for _, l := range f.devices {
		wg.Go(func() { fn(l) })
	}
	wg.Wait()
	f.lasted += f.o.Clock.Now().Sub(begin)
	f.during += f.stats.Syncs.Load() - syncs
	return context.Cause(ctx)
}

// SyncFlatOut has every device sync again as soon as it has synced, for a while: how many syncs the server stands with nothing new to send.
func (f *Fleet) SyncFlatOut(ctx context.Context, d time.Duration) error {
	begin := f.o.Clock.Now()
	end := begin.Add(d)
	return f.eachDevice(ctx, begin, func(l *living) {
		for ctx.Err() == nil && f.o.Clock.Now().Before(end) {
			if _, err := l.Sync(ctx); err != nil { // counted
				_ = clock.Sleep(ctx, f.o.Clock, time.Second)
			}
		}
	})
}

// day is one device's way through the people's time.
type day struct {
	f         *Fleet
	l         *living
	begin     time.Time
	rand      *rand.Rand // for when it looks by itself
	next      time.Time  // when it does
	discovers time.Time
	online    time.Time // when a spell without network is over
	push      bool      // an edit waits that is to be sent at once
}

func (f *Fleet) live(ctx, while context.Context, l *living, begin, end time.Time) {
	h := fnv.New64a()
	h.Write([]byte(l.Name))
	d := &day{f: f, l: l, begin: begin, rand: rand.New(rand.NewPCG(f.o.Seed, h.Sum64()))}
	now := begin.Add(f.lived)
	d.next = now.Add(d.real(time.Duration(d.rand.Float64() * float64(l.habits.every))))
	d.discovers = now.Add(d.real(time.Duration(d.rand.Float64() * float64(24*time.Hour))))
	for ctx.Err() == nil {
		wake := d.wake()
		if wake.After(end) {
			return
		}
		if err := clock.Sleep(while, f.o.Clock, wake.Sub(f.o.Clock.Now())); err != nil {
			return
		}
		d.step(ctx)
	}
}

func editsIn(acts []act) (n int) {
	for _, a := range acts {
		if a.op <= remove {
			n++
		}
	}
	return n
}

// real turns the people's time into the machine's.
func (d *day) real(t time.Duration) time.Duration {
	return time.Duration(float64(t) / d.f.o.Speed)
}

// wake is when something is next to be done.
func (d *day) wake() time.Time {
	look := d.next
	if d.push {
		look = d.f.o.Clock.Now()
	}
	if look.Before(d.online) {
		look = d.online
	}
	if len(d.l.acts) > 0 {
		if at := d.begin.Add(d.real(d.l.acts[0].at)); at.Before(look) {
			return at
		}
	}
	return look
}

// step does what is due: first what its person does, then a sync.
func (d *day) step(ctx context.Context) {
	now := d.f.o.Clock.Now()
	for len(d.l.acts) > 0 && !d.begin.Add(d.real(d.l.acts[0].at)).After(now) {
		d.act(d.l.acts[0], now)
		d.l.acts = d.l.acts[1:]
	}
	if now.Before(d.online) || now.Before(d.next) && !d.push {
		return
	}
	d.push = false
	if d.l.habits.discovers && !now.Before(d.discovers) {
		d.discovers = now.Add(d.real(24 * time.Hour))
		_, _ = d.l.Discover(ctx) // it comes again tomorrow; what it does to the store is heard
	}
	_, _ = d.l.Sync(ctx) // counted; the next one comes by itself
	d.next = d.f.o.Clock.Now().Add(d.real(time.Duration((0.75 + d.rand.Float64()/2) * float64(d.l.habits.every))))
}

func (d *day) act(a act, now time.Time) {
	switch a.op {
	case offline:
		d.online = now.Add(d.real(a.lasts))
	case reset:
		d.l.Reset()
	case restart:
		d.l.Restart()
	default:
		if d.f.do(d.l, a) && d.l.habits.push {
			d.push = true
		}
	}
}

// do lets a person edit. What the device does not have cannot be edited there.
func (f *Fleet) do(l *living, a act) bool {
	if !l.person.act(l.Device, a, uidOf(f.o.Seed, f.start, l.person.number), f.start) {
		f.skipped.Add(1)
		return false
	}
	f.made[a.op].Add(1)
	return true
}

// Settle lets every device sync until nothing changes any more. What has not settled in time is named in the result. Everybody who is not at rest has his turn again before it is judged who is: those who cannot come to rest keep nobody from it.
func (f *Fleet) Settle(ctx context.Context) error {
	until := f.o.Clock.Now().Add(f.o.Settling)
	for _, p := range f.persons {
		for _, d := range p.devices {
			d.Restart()
		}
	}
	for left := f.persons; ; {
		because, err := f.turns(ctx, left)
		if err != nil || len(because) == 0 {
			return err
		}
		left = slices.DeleteFunc(slices.Clone(left), func(p *Person) bool { return because[p] == "" })
		if f.o.Clock.Now().Before(until) {
			if err := clock.Sleep(ctx, f.o.Clock, 200*time.Millisecond); err != nil {
				return err
			}
			continue
		}
		f.report.mu.Lock()
		defer f.report.mu.Unlock()
		for _, p := range left {
			f.open.add(p.finding(nil, "", because[p], nil))
		}
		return nil
	}
}

// turns lets each of some persons' devices sync once, and tells why those are not at rest who are not.
func (f *Fleet) turns(ctx context.Context, list []*Person) (because map[*Person]string, err error) {
	var mu sync.Mutex
	because = map[*Person]string{}
	err = f.eachOf(ctx, list, func(ctx context.Context, p *Person) error {
		moved, err := p.round(ctx)
		if !moved && err == nil {
			return nil
		}
		why := "devices still change each other"
		if err != nil {
			why = err.Error()
		}
		mu.Lock()
		defer mu.Unlock()
		because[p] = why
		return nil
	})
	return because, err
}

// round syncs each device of a person once.
func (p *Person) round(ctx context.Context) (moved bool, err error) {
	var bad []error
	for _, d := range p.devices {
		if wait := d.Waits().Sub(d.wire.Clock.Now()); wait > 0 {
			if err := clock.Sleep(ctx, d.wire.Clock, min(wait, time.Second)); err != nil {
				return moved, err
			}
			if wait > time.Second {
				bad = append(bad, errors.New(d.Name+" waits as the server asked"))
				continue
			}
		}
		changed, err := d.Sync(ctx)
		moved = moved || changed
		if err != nil {
			bad = append(bad, fmt.Errorf("%s: %w", d.Name, err))
		}
	}
	return moved, errors.Join(bad...)
}
