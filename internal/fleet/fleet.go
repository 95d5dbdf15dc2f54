package fleet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"holdfast"
	"holdfast/internal/clock"
)

// Options say what lives with which server. Zero values mean the defaults.
type Options struct {
	URL         string
	Credentials []Credential // one for each device; those of one login are the devices of one person
	Clients     []Count
	Seed        uint64
	Rates       Rates
	Speed       float64       // how much faster than life; default 3600: an hour in a second
	Life        time.Duration // of the people's time, that the plan is made for

	Parallel     int           // requests under way at once; default 64
	Timeout      time.Duration // of one request; default one minute
	Settling     time.Duration // how long devices may sync in the end until nothing changes; default two minutes
	FlatOut      bool          // nobody edits, and each device syncs again at once: how much the server stands
	IntoExisting bool          // accounts that hold something already are taken
	InsecureHTTP bool          // passwords may go over plain HTTP beyond this machine

	Clock     clock.Clock
	Transport http.RoundTripper // nil: the network
}

// DefaultSpeed lets an hour pass in a second.
const DefaultSpeed = 3600

// ErrNotEmpty is in the error about accounts that hold something already.
var ErrNotEmpty = errors.New("an account is not empty")

func refuse(kind holdfast.ErrorKind, format string, args ...any) error {
	return &holdfast.Error{Op: "fleet", Kind: kind, Text: fmt.Sprintf(format, args...)}
}

// Fleet is a run.
type Fleet struct {
	o       Options
	start   time.Time
	persons []*Person
	devices []*living
	stats   Stats
	report  findings
	made    [3]atomic.Int64 // acts that were done: creations, changes, deletions
	skipped atomic.Int64
	lived   time.Duration // of the machine's time, of the plan
	lasted  time.Duration
	during  int64 // syncs while they lived
	open    list  // what had not settled
	close   func()
}

// living is a device with its share of the plan.
type living struct {
	*Device
	person *Person
	acts   []act
}

// New checks the options, makes the plan and the devices. Nothing is sent yet.
func New(o Options) (*Fleet, error) {
	base, err := baseOf(&o)
	if err != nil {
		return nil, err
	}
	kinds := deal(o.Clients)
	if len(kinds) == 0 || len(o.Credentials) < len(kinds) {
		return nil, refuse(holdfast.Invalid, "%d devices need an app password each, and the accounts have %d", len(kinds), len(o.Credentials))
	}
	if n := o.Rates.expected(o.Life) * float64(len(kinds)); n > MaxActs {
		return nil, refuse(holdfast.Invalid, "about %.0f acts of people are more than %d, which are all kept in memory: let them live slower, shorter, or edit less", n, MaxActs)
	}
	f := &Fleet{o: o, start: o.Clock.Now()}
	w := Wire{Base: base, Transport: o.Transport, Slots: make(chan struct{}, o.Parallel), Clock: o.Clock, Stats: &f.stats, Timeout: o.Timeout}
	if w.Transport == nil {
		t := transport(o.Parallel)
		w.Transport, f.close = t, t.CloseIdleConnections
	}
	f.people(kinds, w)
	return f, nil
}

// Close lets go of connections.
func (f *Fleet) Close() {
	if f.close != nil {
		f.close()
	}
}

func transport(parallel int) *http.Transport {
	dial := &net.Dialer{Timeout: 20 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{DialContext: dial.DialContext, TLSHandshakeTimeout: 20 * time.Second, MaxIdleConns: parallel, MaxIdleConnsPerHost: parallel, IdleConnTimeout: time.Minute,
		DisableCompression: true, MaxResponseHeaderBytes: 256 << 10}
}

func baseOf(o *Options) (*url.URL, error) {
	if o.Speed <= 0 {
		o.Speed = DefaultSpeed
	}
	if o.Parallel <= 0 {
		o.Parallel = 64
	}
	if o.Timeout <= 0 {
		o.Timeout = time.Minute
	}
	if o.Settling <= 0 {
		o.Settling = 2 * time.Minute
	}
	if o.Clock == nil {
		o.Clock = clock.System
	}
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		return nil, refuse(holdfast.Invalid, "%q is not the URL of a server, as in http://127.0.0.1:8420", o.URL)
	}
	if u.Scheme == "http" && !Loopback(u) && !o.InsecureHTTP {
		return nil, refuse(holdfast.Forbidden, "%s would show the app passwords to the network on the way; use https://, or say --insecure-http if you mean it", o.URL)
	}
	if u.Path == "" {
		u.Path = "/"
	}
	return u, nil
}

// Loopback tells whether a URL is of this very machine.
func Loopback(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// people deals the kinds to the credentials, in their order, and makes a person of each login.
func (f *Fleet) people(kinds []Kind, w Wire) {
	type share struct {
		kinds []Kind
		with  []Credential
	}
	shares, order := map[string]*share{}, []string{}
	for i, k := range kinds {
		c := f.o.Credentials[i]
		if shares[c.Login] == nil {
			shares[c.Login], order = &share{}, append(order, c.Login)
		}
		s := shares[c.Login]
		s.kinds, s.with = append(s.kinds, k), append(s.with, c)
	}
	for number, login := range order {
		s := shares[login]
		p := newPerson(login, number, plan(f.o.Seed, number, s.kinds, f.o.Rates, f.o.Life), &f.report, f.o.Clock.Now)
		for i, k := range s.kinds {
			w.Login, w.Password = login, s.with[i].Password
			d := NewDevice(fmt.Sprintf("%s/%s/%d", login, k, i), k, w, p)
			d.Speed = f.o.Speed
			p.numbers[d] = i
			p.devices = append(p.devices, d)
			l := &living{Device: d, person: p}
			for _, a := range p.plan.acts {
				if a.device == i {
					l.acts = append(l.acts, a)
				}
			}
			f.devices = append(f.devices, l)
		}
		p.plan.acts = nil
		f.persons = append(f.persons, p)
	}
}

// eachPerson works on all persons, some at once, and says what went wrong first.
func (f *Fleet) eachPerson(ctx context.Context, fn func(context.Context, *Person) error) error {
	return f.eachOf(ctx, f.persons, fn)
}

// eachOf calls fn with some of the persons, as many at once as the fleet may. The first error that comes is returned.
func (f *Fleet) eachOf(ctx context.Context, list []*Person, fn func(context.Context, *Person) error) error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var bad []error
	next := atomic.Int64{}
	for range min(f.o.Parallel, len(list)) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(list) || ctx.Err() != nil {
					return
				}
				if err := fn(ctx, list[i]); err != nil {
					mu.Lock()
					bad = append(bad, err)
					mu.Unlock()
					return
				}
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if len(bad) > 0 {
		return bad[0]
	}
	return nil
}

// reader is a device of no person that lists all that an account has.
func (p *Person) reader() *Device {
	w := *p.devices[0].wire
	w.Stats = nil
	return NewDevice(p.Login+"/reader", Evolution, w, deaf{})
}

// deaf hears nothing.
type deaf struct{}

func (deaf) Sending(*Device, *Item)             {}
func (deaf) Answered(*Device, *Item, Receipt)   {}
func (deaf) Dropped(*Device, *Item, string)     {}
func (deaf) Overwritten(*Device, *Item, string) {}

// SetUp sets the accounts up on all devices: what is there is looked at first, then the first devices make what people begin with, then all sync.
func (f *Fleet) SetUp(ctx context.Context) error {
	f.start = f.o.Clock.Now()
	if err := f.eachPerson(ctx, f.lookAround); err != nil {
		return err
	}
	return f.eachPerson(ctx, func(ctx context.Context, p *Person) error {
		for _, l := range f.devices {
			if l.person != p {
				continue
			}
			if err := f.setUpDevice(ctx, l); err != nil {
				return unreached(l.Name, err)
			}
		}
		return nil
	})
}

// unreached says why a device could not be set up.
func unreached(who string, err error) error {
	var e *statusError
	if errors.As(err, &e) && e.status == http.StatusUnauthorized {
		return &holdfast.Error{Op: "fleet", Kind: holdfast.Unauthorized, Ref: who, Text: "the server does not take the app password of " + who, Err: err}
	}
	return &holdfast.Error{Op: "fleet", Kind: holdfast.Unavailable, Ref: who, Text: who + " cannot be set up", Err: err}
}

func (f *Fleet) setUpDevice(ctx context.Context, l *living) error {
	if _, err := l.Sync(ctx); err != nil {
		return err
	}
	for len(l.acts) > 0 && l.acts[0].at == 0 && l.acts[0].op == create {
		f.do(l, l.acts[0])
		l.acts = l.acts[1:]
	}
	_, err := l.Sync(ctx)
	return err
}

func (f *Fleet) lookAround(ctx context.Context, p *Person) error {
	r := p.reader()
	if _, err := r.Sync(ctx); err != nil {
		return unreached(p.Login, err)
	}
	for _, c := range r.cols {
		for href := range c.Items {
			p.before[href] = true
		}
	}
	if len(p.before) > 0 && !f.o.IntoExisting {
		return &holdfast.Error{Op: "fleet", Kind: holdfast.Forbidden, Ref: p.Login, Err: ErrNotEmpty,
			Text: fmt.Sprintf("%s holds %d items; simulated people write test data: give them accounts of their own, or say --into-existing", p.Login, len(p.before))}
	}
	return nil
}
