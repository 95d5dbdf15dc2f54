package auth

import (
	"context"
	"crypto/sha256"
	"net/netip"
	"sync"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/core"
)

// Slowdown says how failed sign-ins are slowed. Zero values mean the defaults.
type Slowdown struct {
	Free    int           // failures that cost nothing; default 3
	First   time.Duration // the delay after them, doubled by each further one; default 250 ms
	Max     time.Duration // the longest delay; default 8 s
	Forgive time.Duration // one failure is forgotten after each such time; default 1 minute
	Home    time.Duration // how long an address is known after a success; default 7 days

	Waiting        int // requests that may wait at once, in all; default 256
	WaitingForEach int // … for one account, and from one address; default 8
	Remember       int // accounts and addresses that are remembered, each; default 20,000
}

func (l Slowdown) withDefaults() Slowdown {
	def(&l.Free, 3)
	def(&l.First, 250*time.Millisecond)
	def(&l.Max, 8*time.Second)
	def(&l.Forgive, time.Minute)
	def(&l.Home, 7*24*time.Hour)
	def(&l.Waiting, 256)
	def(&l.WaitingForEach, 8)
	def(&l.Remember, 20_000)
	return l
}

func def[T int | uint32 | uint8 | time.Duration](p *T, v T) {
	if *p <= 0 {
		*p = v
	}
}

// throttle slows failures by account and by address. It never locks: the delay is bounded, failures are forgotten with time, and an address from which the account
// signed in lately is not slowed by what strangers do to that account. All of it is bounded in memory: what was used longest ago is forgotten, real
// accounts and made-up names apart, so that a flood of names does not wash away what is known of an account.
type throttle struct {
	Slowdown
	clock clock.Clock

	mu       sync.Mutex
	accounts *lru[holdfast.ID, *counter]
	names    *lru[holdfast.ID, *counter] // of accounts that do not exist; they are treated alike, so that nothing tells
	addrs    *lru[netip.Addr, *counter]
	waiting  int

	known *homes
}

// counter is what is known of one account, name or address.
type counter struct {
	failures int
	since    time.Time // when the oldest of them began to fade
	waiting  int
}

// who is whom a failure is counted against.
type who struct {
	account holdfast.ID // of an account that exists; else made from the name
	exists  bool
	addr    netip.Addr // IPv6 by its /64, see group
}

// subject names whom an attempt concerns; person is nil where there is no such account.
func subject(person *core.Person, login string, addr netip.Addr) who {
	w := who{addr: network(addr)}
	if person != nil {
		w.account, w.exists = person.ID, true
		return w
	}
	if canonical, err := holdfast.ParseLogin(login); err == nil {
		login = canonical
	} else if local, ok := localPart(login); ok {
		login = local
	}
	h := sha256.Sum256([]byte(login))
	copy(w.account[:], h[:])
	return w
}

// network returns what stands for one customer: an IPv4 address, or an IPv6 network of 64 bits.
func network(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}

func newThrottle(l Slowdown, c clock.Clock) *throttle {
	return &throttle{Slowdown: l, clock: c,
		accounts: newLRU[holdfast.ID, *counter](l.Remember),
		names:    newLRU[holdfast.ID, *counter](l.Remember),
		addrs:    newLRU[netip.Addr, *counter](l.Remember),
		known:    newHomes(l, c)}
}

// charge counts a failure and returns how long its answer has to wait. An attempt that is not yet judged is charged too, and refunded if it was right: so
// attempts made at the same time do not pass as one.
func (t *throttle) charge(w who) time.Duration {
	atHome := w.exists && t.known.has(w.account, w.addr)
	t.mu.Lock()
	defer t.mu.Unlock()
	account, addr := t.counters(w)
	d := t.delay(addr.failures)
	if !atHome {
		d = max(d, t.delay(account.failures))
	}
	t.add(account)
	t.add(addr)
	return d
}

// refund takes back what charge counted.
func (t *throttle) refund(w who) {
	t.mu.Lock()
	defer t.mu.Unlock()
	account, addr := t.counters(w)
	account.failures = max(0, account.failures-1)
	addr.failures = max(0, addr.failures-1)
}

// wait lets d pass. Errors: Unavailable if too many wait already; the context's.
func (t *throttle) wait(ctx context.Context, w who, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	account, addr, ok := t.enter(w)
	if !ok {
		return &holdfast.Error{Op: "auth.wait", Kind: holdfast.Unavailable, Retry: max(t.Max, time.Second),
			Text: "there were many wrong sign-ins just now; wait a few seconds and try again"}
	}
	defer t.leave(account, addr)
	return clock.Sleep(ctx, t.clock, d)
}

func (t *throttle) enter(w who) (account, addr *counter, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	account, addr = t.counters(w)
	if t.waiting >= t.Waiting || account.waiting >= t.WaitingForEach || addr.waiting >= t.WaitingForEach {
		return nil, nil, false
	}
	t.waiting++
	account.waiting++
	addr.waiting++
	return account, addr, true
}

func (t *throttle) leave(account, addr *counter) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waiting--
	account.waiting--
	addr.waiting--
}

// counters returns the counters of w, faded to the present. Called with the lock held.
func (t *throttle) counters(w who) (account, addr *counter) {
	accounts := t.names
	if w.exists {
		accounts = t.accounts
	}
	now := t.clock.Now()
	return current(t, accounts, w.account, now), current(t, t.addrs, w.addr, now)
}

func current[K comparable](t *throttle, l *lru[K, *counter], k K, now time.Time) *counter {
	c, ok := l.get(k)
	if !ok {
		c = &counter{since: now}
		l.put(k, c)
	}
	passed := now.Sub(c.since)
	if passed < 0 || c.failures == 0 { // the clock was put back, or there is nothing to forgive
		c.since = now
		return c
	}
	n := int(passed / t.Forgive)
	c.failures = max(0, c.failures-n)
	c.since = c.since.Add(time.Duration(n) * t.Forgive)
	return c
}

// add counts one failure more, up to two above what brings the longest delay: an old storm fades in minutes.
func (t *throttle) add(c *counter) {
	if t.delay(c.failures-2) < t.Max {
		c.failures++
	}
}

// delay returns how long an attempt waits after n failures.
func (t *throttle) delay(n int) time.Duration {
	d := t.First
	if n < t.Free {
		return 0
	}
	for range n - t.Free {
		if d *= 2; d >= t.Max {
			return t.Max
		}
	}
	return min(d, t.Max)
}

// succeeded notes that an account signed in from an address: it is at home there for a while.
func (t *throttle) succeeded(account holdfast.ID, addr netip.Addr) {
	t.known.add(account, network(addr))
}

// homes remembers from where accounts signed in lately.
type homes struct {
	clock clock.Clock
	keep  time.Duration

	mu   sync.Mutex
	seen *lru[home, time.Time]
}

type home struct {
	account holdfast.ID
	addr    netip.Addr
}

func newHomes(l Slowdown, c clock.Clock) *homes {
	return &homes{clock: c, keep: l.Home, seen: newLRU[home, time.Time](2 * l.Remember)}
}

func (h *homes) add(account holdfast.ID, addr netip.Addr) {
	now := h.clock.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	k := home{account, addr}
	if at, ok := h.seen.get(k); ok && now.Sub(at) < time.Minute && !now.Before(at) {
		return
	}
	h.seen.put(k, now)
}

func (h *homes) has(account holdfast.ID, addr netip.Addr) bool {
	now := h.clock.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	at, ok := h.seen.get(home{account, addr})
	age := now.Sub(at)
	return ok && age < h.keep && age > -h.keep
}
