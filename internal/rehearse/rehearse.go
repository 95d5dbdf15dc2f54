package rehearse

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/control"
	"holdfast/internal/fleet"
)

// Fault is what goes wrong.
type Fault string

// The faults.
const (
	Upgrade      Fault = ""              // a storage upgrade destroys the engine half-way
	PowerCut     Fault = "power-cut"     // the service is killed in the midst of work
	StaleRestore Fault = "stale-restore" // an older copy of the data directory is put over it
	HalfAVault   Fault = "half-a-vault"  // the engine is destroyed, and half of the files of one of two vaults
)

// Faults lists those that have names.
func Faults() []Fault { return []Fault{PowerCut, StaleRestore, HalfAVault} }

// Pace is how long people live with the service, in the machine's time.
type Pace struct {
	Before time.Duration // the disaster
	Outage time.Duration // at least
	After  time.Duration // the return
	Speed  float64       // how much faster than life
	Edits  float64       // edits and deletions a day, on each phone
	Items  int           // contacts, and as many events, that each person begins with
	Settle time.Duration // how long phones may sync in the end until nothing changes
}

// DefaultPace is that of the command.
func DefaultPace() Pace {
	return Pace{Before: 15 * time.Second, Outage: 4 * time.Second, After: 15 * time.Second, Speed: 7200, Edits: 80, Items: 12, Settle: time.Minute}
}

// Options say what is rehearsed.
type Options struct {
	Bin      string // the program
	Dir      string // an empty directory
	Accounts int
	Devices  int
	Seed     uint64
	NoVault  bool // the control
	Fault    Fault
	Pace     Pace
	Network  http.RoundTripper // nil: the machine's own; phones and the reckoning reach the service through it
	Volatile bool              // Dir may lie in memory
	Environ  []string          // of which children get what is no setting
	Clock    clock.Clock
	Tell     func(Moment)   // hears the timeline as it happens; may be nil
	Progress func(Progress) // hears now and then how far it is; may be nil
}

// Progress is how far a rehearsal is.
type Progress struct {
	Acknowledged int
	Syncs        int64
}

// account is one person's.
type account struct {
	login     string
	passwords []string // app passwords, of its devices
	names     []string // what its devices are called
}

// rehearsal is one that is under way.
type rehearsal struct {
	o        Options
	began    time.Time
	children children
	service  *service
	vault    string   // where the vault lies that is left
	second   string   // where another one lies; empty: there is none
	key      string   // the file of the recovery key
	drills   []string // vaults that are drilled in the end
	ready    <-chan string
	net      http.RoundTripper
	book     *Book
	fleet    *fleet.Fleet
	accounts []*account
	photos   []*gallery
	report   *Report
	before   []fleet.Phone // when the service was lost
	reset    map[int]int   // phones that were reset, with what went unsent
	down     time.Time     // since when nothing is served
	engine   atomic.Bool
	vaults   atomic.Int64

	hearing sync.Mutex
	mu      sync.Mutex
	samples []Sample
}

// Run rehearses. Whatever it started is gone when it returns.
func Run(ctx context.Context, o Options) (*Report, error) {
	if o.Clock == nil {
		o.Clock = clock.System
	}
	r := &rehearsal{o: o, began: o.Clock.Now(), net: o.Network, reset: map[int]int{}, drills: []string{"local"}}
	r.report = &Report{Work: o.Pace.Before.String(), What: "sidekick", Vault: !o.NoVault, Fault: string(o.Fault), Seed: o.Seed, Accounts: o.Accounts, Devices: o.Devices, Started: r.began.UTC(),
		People: []Account{}, Phones: []Phone{}, Losses: []Loss{}, Notes: r.notes(), Unclear: []string{}}
	if r.net == nil {
		t := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
		defer t.CloseIdleConnections()
		r.net = t
	}
	err := r.run(ctx)
	if end := r.children.end(); err == nil {
		err = end
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	r.report.Seconds = o.Clock.Now().Sub(r.began).Seconds()
	return r.report, err
}

func (r *rehearsal) run(ctx context.Context) error {
	watching, stop := context.WithCancel(ctx)
	var watch sync.WaitGroup
	defer watch.Wait()
	defer stop()
	if err := r.open(ctx); err != nil {
		return err
	}
	defer r.fleet.Close()
	watch.Go(func() { r.watch(watching) })
	if err := r.fill(ctx); err != nil {
		return err
	}
	if err := r.disaster()(ctx); err != nil {
		return err
	}
	if err := r.fleet.Settle(ctx); err != nil {
		return err
	}
	return r.reckon(ctx)
}

// disaster is what happens between the first day and the reckoning.
func (r *rehearsal) disaster() func(context.Context) error {
	switch {
	case r.o.NoVault:
		return r.control
	case r.o.Fault == PowerCut:
		return r.powerCut
	case r.o.Fault == StaleRestore:
		return r.staleRestore
	}
	return r.upgrade
}

// tell writes the timeline, grave what was destroyed, and back that the service is there again.
func (r *rehearsal) tell(format string, args ...any)  { r.line(Moment{}, format, args...) }
func (r *rehearsal) grave(format string, args ...any) { r.line(Moment{Grave: true}, format, args...) }
func (r *rehearsal) back(format string, args ...any)  { r.line(Moment{Back: true}, format, args...) }

func (r *rehearsal) line(m Moment, format string, args ...any) {
	now := r.o.Clock.Now()
	m.Time, m.Seconds, m.Text = now.UTC(), now.Sub(r.began).Seconds(), fmt.Sprintf(format, args...)
	r.report.Timeline = append(r.report.Timeline, m)
	r.hear(func() {
		if r.o.Tell != nil {
			r.o.Tell(m)
		}
	})
}

// hear calls who listens, one at a time.
func (r *rehearsal) hear(fn func()) {
	r.hearing.Lock()
	defer r.hearing.Unlock()
	fn()
}

func (r *rehearsal) unclear(format string, args ...any) {
	r.report.Unclear = append(r.report.Unclear, fmt.Sprintf(format, args...))
}

// open starts the service for the first time, makes the accounts, and hands out phones.
func (r *rehearsal) open(ctx context.Context) error {
	if err := os.MkdirAll(r.o.Dir, 0o700); err != nil {
		return failed(holdfast.Forbidden, r.o.Dir, "the directory cannot be made: %v", err)
	}
	r.service = r.children.service(r.o.Bin, r.o.Dir, childEnv(r.o.Environ), r.o.Clock)
	if r.o.Fault == HalfAVault { // so that there are files to lose
		r.service.env = append(r.service.env, "HOLDFAST_VAULT_SEGMENT=64KiB", "HOLDFAST_VAULT_HEAD=1s", "HOLDFAST_VAULT_SEAL=2s")
	}
	r.key, r.vault = filepath.Join(r.o.Dir, "recovery.txt"), filepath.Join(r.o.Dir, "holdfast-vault")
	if r.o.Volatile {
		r.service.flags = []string{"--volatile"}
	}
	if r.o.NoVault {
		r.service.flags = append(r.service.flags, "--first-vault", "none")
	} else if err := r.service.must(ctx, nil, r.with("key", "init", "--data", r.service.data, "--out", r.key)...); err != nil {
		return err
	}
	if err := r.service.start(ctx); err != nil {
		return err
	}
	r.engine.Store(true)
	if !r.o.NoVault {
		r.vaults.Store(1)
	}
	if r.o.Fault == HalfAVault {
		if err := r.secondVault(ctx); err != nil {
			return err
		}
	}
	if err := r.people(ctx); err != nil {
		return err
	}
	r.galleries()
	return r.phones()
}

// with adds the flag that every command of this rehearsal needs.
func (r *rehearsal) with(args ...string) []string {
	if r.o.Volatile {
		args = append(args, "--volatile")
	}
	return args
}

// people makes the accounts. A second time they have other ids.
func (r *rehearsal) people(ctx context.Context) error {
	c, err := control.Dial(ctx, r.service.data)
	if err != nil {
		return err
	}
	defer c.Close()
	if len(r.accounts) == 0 {
		r.households()
	}
	for _, a := range r.accounts {
		if _, err := c.CreateAccount(ctx, control.NewAccount{Email: a.login}); err != nil {
			return err
		}
		for i := range a.names {
			if err := r.device(ctx, c, a, i); err != nil {
				return err
			}
		}
	}
	return nil
}

// households deals the devices to the people.
func (r *rehearsal) households() {
	for i := range r.o.Devices {
		n := i * r.o.Accounts / r.o.Devices
		if n == len(r.accounts) {
			r.accounts = append(r.accounts, &account{login: loginOf(n)})
		}
		a := r.accounts[n]
		a.names = append(a.names, fmt.Sprintf("phone %d", len(a.names)+1))
	}
}

// device lets one device in. In the control it brings a password that it can bring to the next service too.
func (r *rehearsal) device(ctx context.Context, c *control.Client, a *account, i int) error {
	if !r.o.NoVault {
		d, err := c.AddDevice(ctx, a.login, a.names[i])
		a.passwords = append(a.passwords, d.Password)
		return err
	}
	if i < len(a.passwords) {
		_, err := c.TakeDevice(ctx, a.login, a.names[i], a.passwords[i])
		return err
	}
	var err error
	for range 20 { // of random ones some look like words, and are refused
		p := rand.Text() + strings.ToLower(rand.Text())
		if _, err = c.TakeDevice(ctx, a.login, a.names[i], p); err == nil {
			a.passwords = append(a.passwords, p)
			return nil
		}
	}
	return err
}

var people = [...]string{"anna", "ben", "carla", "david", "emma", "finn", "greta", "hugo", "ida", "jonas", "klara", "leo", "mia", "noah", "olga", "paul", "rosa", "simon", "tilda", "viktor"}

func loginOf(i int) string {
	name := people[i%len(people)]
	if i >= len(people) {
		name = fmt.Sprintf("%s%d", name, i/len(people)+1)
	}
	return name + "@example.org"
}

// LongestWork bounds the time before the disaster, and that after it.
const LongestWork = 10 * time.Minute

// planned is how long the plan of people's lives is made for, in the machine's time: longer than what happens between.
func (p Pace) planned() time.Duration { return 2*p.Before + 2*p.After + p.Outage + 4*time.Minute }

// settleAlone is how long phones of the control may sync in the end.
const settleAlone = 5 * time.Second

// phones makes the fleet, with the book between it and the network.
func (r *rehearsal) phones() error {
	o := fleet.Options{URL: r.service.url(), Seed: r.o.Seed, Rates: fleet.DefaultRates(), Speed: r.o.Pace.Speed, Settling: r.o.Pace.Settle, Timeout: 20 * time.Second, Clock: r.o.Clock}
	o.Rates.EditsPerDay, o.Rates.Items, o.Rates.ResetEvery = r.o.Pace.Edits, r.o.Pace.Items, 0
	o.Life = time.Duration(float64(r.o.Pace.planned()) * o.Speed)
	kinds, names := fleet.Kinds(), map[string]string{}
	counts := make([]fleet.Count, len(kinds))
	for i := range r.o.Devices {
		counts[i%len(kinds)].Kind = kinds[i%len(kinds)]
		counts[i%len(kinds)].N++
	}
	o.Clients = counts[:min(len(counts), r.o.Devices)]
	for _, a := range r.accounts {
		for _, p := range a.passwords {
			o.Credentials = append(o.Credentials, fleet.Credential{Login: a.login, Password: p})
		}
	}
	var err error
	if r.book, err = NewBook(filepath.Join(r.o.Dir, "book.jsonl"), names, r.net, r.o.Clock); err != nil {
		return err
	}
	o.Transport = r.book
	if r.o.NoVault {
		o.Settling = min(o.Settling, settleAlone) // some of them never come to rest
	}
	if r.fleet, err = fleet.New(o); err != nil {
		return err
	}
	for i, p := range r.fleet.Phones() {
		names[o.Credentials[i].Password] = p.Name
	}
	return nil
}

func (r *rehearsal) fill(ctx context.Context) error {
	if err := r.fleet.SetUp(ctx); err != nil {
		return err
	}
	r.tell("%d people with %d phones are at work, at %s", r.o.Accounts, r.o.Devices, r.service.url())
	return nil
}

// live lets phones live until the returned function is called.
func (r *rehearsal) live(ctx context.Context) (halt func() error) {
	while, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	var all sync.WaitGroup
	errs := make([]error, len(r.photos)+1)
	all.Go(func() { errs[0] = r.fleet.LiveWhile(ctx, while) })
	for i, g := range r.photos {
		all.Go(func() { errs[i+1] = g.work(ctx, while) })
	}
	go func() { all.Wait(); done <- errors.Join(errs...) }()
	return func() error {
		stop()
		err := <-done
		done <- err // it may be called twice
		return err
	}
}

// wait lets time pass.
func (r *rehearsal) wait(ctx context.Context, d time.Duration) error {
	return clock.Sleep(ctx, r.o.Clock, d)
}

// inOrder runs steps until one fails.
func inOrder(ctx context.Context, steps ...func(context.Context) error) error {
	for _, s := range steps {
		if err := s(ctx); err != nil {
			return err
		}
	}
	return nil
}

const sampleEvery = 250 * time.Millisecond

// watch looks at everything a few times a second.
func (r *rehearsal) watch(ctx context.Context) {
	for {
		s := Sample{Seconds: r.o.Clock.Now().Sub(r.began).Seconds(), Acknowledged: r.book.Count(), Syncs: r.fleet.Progress().Syncs, Engine: r.engine.Load(), Vaults: int(r.vaults.Load())}
		for _, p := range r.fleet.Phones() {
			s.Holds = append(s.Holds, p.Holds)
		}
		r.mu.Lock()
		r.samples = append(r.samples, s)
		r.mu.Unlock()
		r.hear(func() {
			if r.o.Progress != nil {
				r.o.Progress(Progress{s.Acknowledged, s.Syncs})
			}
		})
		if clock.Sleep(ctx, r.o.Clock, sampleEvery) != nil {
			return
		}
	}
}
