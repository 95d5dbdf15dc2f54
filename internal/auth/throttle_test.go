package auth

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast"
)

func from(addr string) ClientInfo { return ClientInfo{Addr: netip.MustParseAddr(addr)} }

// took returns how long fn took on the bubble's clock.
func took(fn func()) time.Duration {
	start := time.Now()
	fn()
	return time.Since(start)
}

func TestWrongPasswordsAreSlowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Options{})
		ms := time.Millisecond
		for i, want := range []time.Duration{0, 0, 0, 250 * ms, 500 * ms, 1000 * ms, 2000 * ms, 4000 * ms, 8000 * ms, 8000 * ms, 8000 * ms} {
			got := took(func() {
				_, err := h.SignIn(t.Context(), from("192.0.2.1"), alice, "wrong password")
				wantKind(t, err, holdfast.Unauthorized)
			})
			if got != want {
				t.Errorf("attempt %d waited %v, want %v", i+1, got, want)
			}
		}
		got := took(func() {
			if _, err := h.SignIn(t.Context(), from("192.0.2.1"), alice, password); err != nil {
				t.Errorf("the right password must be taken, late but at once not refused: %v", err)
			}
		})
		if got != 8*time.Second {
			t.Errorf("the right password waited %v: an attempt must not be judged before its time", got)
		}
		time.Sleep(15 * time.Minute)
		if d := took(func() { h.SignIn(t.Context(), from("192.0.2.1"), alice, "wrong password") }); d != 0 {
			t.Errorf("after a quarter of an hour an attempt waits %v", d)
		}
	})
}

// TestWhoIsSlowed is the table of who is slowed by whose failures.
func TestWhoIsSlowed(t *testing.T) {
	for _, c := range []struct {
		name           string
		home           string // the account signed in from there before
		fails, account string // who fails, and against which account
		tries, as      string // who tries then
		slow           bool
	}{
		{"the same address, the same account", "", "192.0.2.1", alice, "192.0.2.1", alice, true},
		{"another address, the same account: many guess together", "", "192.0.2.1", alice, "198.51.100.1", alice, true},
		{"the same address, another account: one guesses for many", "", "192.0.2.1", alice, "192.0.2.1", "bob@example.org", true},
		{"strangers fail, the owner is at home", "198.51.100.1", "192.0.2.1", alice, "198.51.100.1", alice, false},
		{"strangers fail, the owner is at home on IPv6, with another suffix", "2001:db8:1:1::7", "192.0.2.1", alice, "2001:db8:1:1:aaaa::1", alice, false},
		{"one IPv6 network is one client", "", "2001:db8:1:1::7", alice, "2001:db8:1:1:aaaa::1", "bob@example.org", true},
		{"another IPv6 network is another", "", "2001:db8:1:1::7", alice, "2001:db8:1:2::7", "bob@example.org", false},
		{"IPv4 in IPv6 is IPv4", "", "::ffff:192.0.2.1", alice, "192.0.2.1", "bob@example.org", true},
		{"a name without account is slowed alike", "", "192.0.2.1", "bob@example.org", "198.51.100.1", "Bob@Example.org", true},
		{"somebody else elsewhere", "", "192.0.2.1", alice, "198.51.100.1", "bob@example.org", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(t, Options{})
				if c.home != "" {
					_, err := h.SignIn(t.Context(), from(c.home), alice, password)
					must(t, err)
				}
				for range 10 {
					h.SignIn(t.Context(), from(c.fails), c.account, "wrong password")
				}
				d := took(func() { h.SignIn(t.Context(), from(c.tries), c.as, "wrong password") })
				if (d > 0) != c.slow {
					t.Errorf("waited %v", d)
				}
			})
		})
	}
}

// TestOldAppPassword: a phone with an old app password retries for ever from the family's address. Nobody else feels it.
func TestOldAppPassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Options{})
		old, _ := NewAppPassword(nil)
		for range 50 {
			_, err := h.basic(t.Context(), "192.0.2.1:1", alice, old.Text)
			wantKind(t, err, holdfast.Unauthorized)
		}
		if d := took(func() { h.basic(t.Context(), "192.0.2.1:1", alice, old.Text) }); d != 8*time.Second {
			t.Errorf("the old password's answer came after %v", d)
		}
		d := took(func() {
			_, err := h.basic(t.Context(), "192.0.2.1:1", alice, h.app)
			must(t, err)
			_, err = h.SignIn(t.Context(), from("192.0.2.1"), alice, password)
			must(t, err)
		})
		if d != 0 {
			t.Errorf("others behind the same address waited %v", d)
		}
	})
}

// TestWaitingIsBounded: beyond the bound an attempt is answered at once with 503; a right app password passes all the same.
func TestWaitingIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Options{Slow: Slowdown{Waiting: 5, WaitingForEach: 3, Forgive: 24 * time.Hour}})
		for i := range 12 { // every address below has failed often
			for range 12 {
				h.basic(t.Context(), fmt.Sprintf("192.0.2.%d:1", i), alice, "no")
			}
		}
		var wg sync.WaitGroup
		var mu sync.Mutex
		kinds := map[holdfast.ErrorKind]int{}
		count := func(k holdfast.ErrorKind) int {
			mu.Lock()
			defer mu.Unlock()
			return kinds[k]
		}
		attempt := func(addr, login string) {
			wg.Go(func() {
				_, err := h.basic(t.Context(), addr, login, "no")
				mu.Lock()
				defer mu.Unlock()
				kinds[holdfast.KindOf(err)]++
			})
		}
		for range 10 {
			attempt("192.0.2.1:1", alice)
		}
		synctest.Wait()
		if n := count(holdfast.Unavailable); n != 7 {
			t.Errorf("3 of one account may wait, 7 must be sent away, not %d", n)
		}
		for i := range 10 {
			attempt(fmt.Sprintf("192.0.2.%d:1", i+2), fmt.Sprintf("nobody%d@example.org", i))
		}
		synctest.Wait()
		if n := count(holdfast.Unavailable); n != 7+8 {
			t.Errorf("5 in all may wait, 15 must be sent away, not %d", n)
		}
		if d := took(func() { _, err := h.basic(t.Context(), "192.0.2.1:1", alice, h.app); must(t, err) }); d != 0 {
			t.Errorf("a right app password waited %v", d)
		}
		wg.Wait()
		if n := count(holdfast.Unauthorized); n != 5 {
			t.Errorf("5 waited and must be answered, not %d", n)
		}
		if h.devices.waiting != 0 {
			t.Errorf("%d still wait", h.devices.waiting)
		}
	})
}

// TestWaitingForOneAccount: many addresses that attack one account take only as many places as one account has.
func TestWaitingForOneAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Options{Slow: Slowdown{WaitingForEach: 3}})
		for range 12 {
			h.basic(t.Context(), "192.0.2.1:1", alice, "no")
		}
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() { h.basic(t.Context(), fmt.Sprintf("198.51.100.%d:1", i), alice, "no") })
		}
		synctest.Wait()
		h.devices.mu.Lock()
		n := h.devices.waiting
		h.devices.mu.Unlock()
		if n != 3 {
			t.Errorf("%d wait, want 3", n)
		}
		wg.Wait()
	})
}

// TestRightAttemptsCostNothing: who signs in often and rightly is not slowed.
func TestRightAttemptsCostNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Options{})
		d := took(func() {
			for range 20 {
				_, err := h.SignIn(t.Context(), from("192.0.2.1"), alice, password)
				must(t, err)
			}
		})
		if d != 0 {
			t.Errorf("20 right sign-ins waited %v", d)
		}
	})
}

// TestAttemptsAtOnce: a hundred guesses sent together are slowed as if they came one by one.
func TestAttemptsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Options{})
		var wg sync.WaitGroup
		var mu sync.Mutex
		at := map[time.Duration]int{}
		start := time.Now()
		for range 100 {
			wg.Go(func() {
				_, err := h.SignIn(t.Context(), from("192.0.2.1"), alice, "wrong password")
				mu.Lock()
				defer mu.Unlock()
				if holdfast.IsKind(err, holdfast.Unauthorized) {
					at[time.Since(start)]++
				}
			})
		}
		wg.Wait()
		if at[0] != 3 {
			t.Errorf("%d guesses were judged at once, want 3: %v", at[0], at)
		}
		if n := at[0] + at[250*time.Millisecond] + at[500*time.Millisecond]; n > 5 {
			t.Errorf("%d guesses in the first half second: %v", n, at)
		}
	})
}

func TestWaitEndsWithItsRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Options{})
		for range 12 {
			h.SignIn(t.Context(), from("192.0.2.1"), alice, "wrong password")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := h.SignIn(ctx, from("192.0.2.1"), alice, "wrong password")
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if h.pages.waiting != 0 {
			t.Errorf("%d still wait", h.pages.waiting)
		}
	})
}

// TestMemoryIsBounded: a flood of made-up names and addresses does not grow what is kept, and does not wash away what is known of a real account.
func TestMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Options{Slow: Slowdown{Remember: 100}})
		for range 12 {
			h.SignIn(t.Context(), from("192.0.2.1"), alice, "wrong password")
		}
		for i := range 1000 {
			h.SignIn(t.Context(), from(fmt.Sprintf("10.0.%d.%d", i/250, i%250)), fmt.Sprintf("nobody%d@example.org", i), "wrong password")
		}
		if n := h.pages.names.len() + h.pages.addrs.len() + h.pages.accounts.len(); n > 300 {
			t.Errorf("%d entries are kept", n)
		}
		if d := took(func() { h.SignIn(t.Context(), from("198.51.100.1"), alice, "wrong password") }); d != 8*time.Second {
			t.Errorf("the account's failures were forgotten: waited %v", d)
		}
	})
}
