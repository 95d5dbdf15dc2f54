package auth

import (
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast"
	"holdfast/internal/clock"
)

func (h house) cookie(t *testing.T, https bool) *http.Cookie {
	t.Helper()
	p, err := h.SignIn(t.Context(), ClientInfo{}, alice, password)
	must(t, err)
	c, err := h.Cookie(p, https)
	must(t, err)
	return c
}

func TestSession(t *testing.T) {
	f := clock.NewFake(time.Date(2026, 11, 21, 4, 0, 0, 0, time.UTC))
	h := newHouse(t, Options{Clock: f})
	c := h.cookie(t, true)
	if c.Name != "__Host-holdfast-session" || !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.MaxAge != 30*86400 {
		t.Errorf("cookie %+v", c)
	}
	x, err := h.Session(withCookie("https://example.org/", c))
	if err != nil || x.Person.ID != h.id || x.Principal() != (holdfast.Principal{Account: h.id}) {
		t.Errorf("%+v %v", x, err)
	}
	_, err = h.Session(withCookie("http://example.org/", c))
	wantKind(t, err, holdfast.Unauthorized)
	f.Set(f.Now().Add(30*24*time.Hour - time.Second))
	if _, err := h.Session(withCookie("https://example.org/", c)); err != nil {
		t.Error(err)
	}
	f.Set(f.Now().Add(time.Second))
	_, err = h.Session(withCookie("https://example.org/", c))
	wantKind(t, err, holdfast.Unauthorized)
}

// TestSessionTampered changes each character of a cookie.
func TestSessionTampered(t *testing.T) {
	h := newHouse(t, Options{})
	c := h.cookie(t, false)
	if c.Name != "holdfast-session" || c.Secure {
		t.Errorf("cookie %+v", c)
	}
	for i := range c.Value {
		b := []byte(c.Value)
		if b[i]++; b[i] == 'z'+1 {
			b[i] = 'A'
		}
		_, err := h.Session(withCookie("http://example.org/", &http.Cookie{Name: c.Name, Value: string(b)}))
		if !holdfast.IsKind(err, holdfast.Unauthorized) {
			t.Errorf("character %d: %v", i, err)
		}
	}
	_, err := h.Session(withCookie("http://example.org/", &http.Cookie{Name: c.Name}))
	wantKind(t, err, holdfast.Unauthorized)
}

func TestNewPasswordEndsSessions(t *testing.T) {
	h := newHouse(t, Options{})
	c := h.cookie(t, true)
	must(t, h.SetPassword(t.Context(), holdfast.Actor{Account: h.id}, h.id, "another long one"))
	_, err := h.Session(withCookie("https://example.org/", c))
	wantKind(t, err, holdfast.Unauthorized)
	_, err = h.SignIn(t.Context(), ClientInfo{}, alice, "another long one")
	must(t, err)
	wantKind(t, h.SetPassword(t.Context(), holdfast.Actor{}, h.id, "short"), holdfast.Invalid)
}

func TestSignOut(t *testing.T) {
	h := newHouse(t, Options{})
	c, other := h.cookie(t, true), h.cookie(t, true)
	if gone := h.SignOut(withCookie("https://example.org/", c)); gone.MaxAge >= 0 || gone.Name != c.Name {
		t.Errorf("got %+v", gone)
	}
	_, err := h.Session(withCookie("https://example.org/", c))
	wantKind(t, err, holdfast.Unauthorized)
	if _, err := h.Session(withCookie("https://example.org/", other)); err != nil {
		t.Errorf("another session ended too: %v", err)
	}
}

func TestWeakHashIsRenewed(t *testing.T) {
	h := newHouse(t, Options{})
	before, err := h.core.Account(t.Context(), alice)
	must(t, err)
	strong := New(Options{Core: h.core, Params: Params{KiB: 128, Passes: 2, Threads: 1}})
	p, err := strong.SignIn(t.Context(), ClientInfo{}, alice, password)
	must(t, err)
	if p.Password == before.Password {
		t.Error("the hash was not renewed")
	}
	again, err := strong.SignIn(t.Context(), ClientInfo{}, alice, password)
	must(t, err)
	if again.Password != p.Password {
		t.Error("a strong hash was renewed")
	}
}

func TestSetupTokenExpires(t *testing.T) {
	f := clock.NewFake(time.Date(2026, 11, 21, 4, 0, 0, 0, time.UTC))
	s := NewSetup(f, nil, 0)
	token, expires, err := s.Token()
	must(t, err)
	if again, _, _ := s.Token(); again != token || !expires.Equal(f.Now().Add(30*time.Minute)) {
		t.Errorf("the token changed before its time, or ends at %v", expires)
	}
	f.Advance(30*time.Minute - time.Second)
	if !s.Valid(token) {
		t.Error("the token ended early")
	}
	f.Advance(time.Second)
	if s.Valid(token) {
		t.Error("the token did not end")
	}
}

func TestSetup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSetup(nil, nil, 0)
		var mu sync.Mutex
		var list []string
		shown := func() []string {
			mu.Lock()
			defer mu.Unlock()
			return append([]string(nil), list...)
		}
		go s.Run(t.Context(), func(token string, _ time.Time) {
			mu.Lock()
			defer mu.Unlock()
			list = append(list, token)
		})
		time.Sleep(29 * time.Minute)
		synctest.Wait()
		first := shown()
		if len(first) != 1 || !s.Valid(first[0]) || s.Valid("") || s.Valid(first[0]+"a") {
			t.Fatalf("shown %v", first)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		both := shown()
		if len(both) != 2 || s.Valid(both[0]) || !s.Valid(both[1]) {
			t.Fatalf("after the first expired: %v", both)
		}
		wantKind(t, s.Use(both[0], func() error { t.Error("an expired token was used"); return nil }), holdfast.NotFound)
		broken := errors.New("broken")
		if err := s.Use(both[1], func() error { return broken }); !errors.Is(err, broken) || !s.Valid(both[1]) {
			t.Errorf("after a failure the token must stay good: %v", err)
		}
		made := 0
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() { s.Use(both[1], func() error { made++; time.Sleep(time.Second); return nil }) })
		}
		wg.Wait()
		if made != 1 {
			t.Errorf("%d accounts were made", made)
		}
		if token, _, err := s.Token(); token != "" || err != nil || s.Valid("") || s.Valid(both[1]) {
			t.Errorf("the right did not end: %q %v", token, err)
		}
	})
}
