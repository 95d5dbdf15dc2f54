package auth

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/store"
	"holdfast/internal/store/memory"
)

// nextcloud is what an app password of another server looks like.
const nextcloud = "Tr7xK-qW3mZ-9bNcd-PyR4s-Hj2Ga"

func TestTakeAppPassword(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{nextcloud, ""},
		{"u3Qz8LmXv0TfKp5WnRb1YcGs7HdJe2AoViMk9ZxPt6BqNwUr4CyFhDlSgEaIjOQmXbTv5K2z", ""},
		{"gayt-emzu-gu3d-oobz-m7rg-gzdf-my", ""}, // another Holdfast's
		{"9f86d081884c7d659a2feaa0c55ad015", ""},
		{"", "too short"},
		{"Tr7xK-qW3mZ-9bNcd-PyR4s-Hj2G", "too short"},
		{strings.Repeat("-", 40), "too short"},
		{"correct-horse-battery-9", "too short"},
		{"correcthorsebatterystaplesandmore", "look"},
		{"Correcthorsebatterystaplesandmore", "look"},
		{"CarolCarolCarolCarolCarol1", "look"},
		{"Tr7xKqW3mZ9bTr7xKqW3mZ9bTr", "look"}, // twice the same
		{"aB1aB2aB1aB2aB1aB2aB1aB2aB1", "look"},
		{"Tr7xKqW3mZ9bNcdPyR4sHj2Gabcde", "look"},
		{"Tr7xKqW3mZ9bNcdPyR4sHj2G98765", "look"},
		{"Tr7xKqW3mZ9bNcdPyR4sHj2GaZZZZZ", "look"},
		{"CorrectHorseBatteryStapleGo", "look"},
		{"Correct-Horse-Battery-Staple-7", "look"},
		{"correct7horse4battery2staple9go", "look"},
		{"C0rrectH0rseB4tteryStaple99", "look"},
		{"ThisIsMyVeryLongPassword123", "look"},
		{"MeinHundHeisstBello2024undIstLieb", "look"},
		{"PasswortFuerMeinHandy2024!!", "look"},
		{"MonMotDePasseSecret2024Paris", "look"},
		{"MiContrasenaSegura2024Madrid", "look"},
		{"Tr7xKqWerTZ-9bNcd-PyR4s-Hj2Ga", "look"},
		{"1qaz2wsx3edc4rfv5tgb6yhn7ujm", "look"},
		{"mju7nhy6bgt5vfr4cde3xsw2zaq1", "look"},
		{"Tr7xK:qW3mZ-9bNcd-PyR4s-Hj2Ga", "colon"},
		{"Tr7xK qW3mZ-9bNcd-PyR4s-Hj2Ga", "white space"},
		{nextcloud + "\n", "white space"},
		{nextcloud + "\x00", "white space"},
		{nextcloud + "ü", "a to z"},
		{nextcloud + "\xff", "a to z"},
		{strings.Repeat(nextcloud, 9), "at most"},
	} {
		h, err := TakeAppPassword(c.in)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%q: %v", c.in, err)
		case c.want == "":
			if typed, ok := HashAppPassword(c.in); !ok || typed != h {
				t.Errorf("%q is not found again", c.in)
			}
		case !holdfast.IsKind(err, holdfast.Invalid) || !strings.Contains(err.Error(), c.want):
			t.Errorf("%q: %v, want %q", c.in, err, c.want)
		case c.in != "" && strings.Contains(err.Error(), c.in):
			t.Errorf("%q is repeated: %v", c.in, err)
		}
	}
}

// TestRandomOnesAreTaken: of what machines make, few are refused.
func TestRandomOnesAreTaken(t *testing.T) {
	const n = 20_000
	rng := rand.New(rand.NewPCG(1, 2))
	small, capitals, digits := "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
	for _, c := range []struct {
		name, letters string
		length, may   int // how many may be refused
	}{
		{"five groups of five", "abcdefgijkmnopqrstwxyzABCDEFGHJKLMNPQRSTWXYZ23456789", 25, n / 250},
		{"72 letters and digits", small + capitals + digits, 72, n / 250},
		{"hexadecimal, 40", "0123456789abcdef", 40, n / 50},
		{"our own", appLetters, appLen, n / 20},
	} {
		refused := 0
		for range n {
			b := make([]byte, c.length)
			for i := range b {
				b[i] = c.letters[rng.IntN(len(c.letters))]
			}
			if checkTaken(string(b)) != nil {
				refused++
			}
		}
		t.Logf("%s: %d of %d refused", c.name, refused, n)
		if refused > c.may {
			t.Errorf("%s: %d of %d are refused, more than %d", c.name, refused, n, c.may)
		}
	}
}

// FuzzTakeAppPassword: what is taken over lets in as it is, and with another letter does not.
func FuzzTakeAppPassword(f *testing.F) {
	f.Add(nextcloud)
	f.Add("gayt-emzu-gu3d-oobz-m7rg-gzdf-my")
	f.Add("a:b")
	f.Fuzz(func(t *testing.T, s string) {
		h, err := TakeAppPassword(s)
		if err != nil {
			return
		}
		if typed, ok := HashAppPassword(s); !ok || typed != h {
			t.Errorf("%q is not found again", s)
		}
		if typed, ok := HashAppPassword(s + "x"); ok && typed == h {
			t.Errorf("%q and one letter more is the same", s)
		}
		if strings.ContainsAny(s, ": \n") || lettersIn(s) < minTaken {
			t.Errorf("%q is taken", s)
		}
	})
}

// another makes an account with a device, and returns its app password.
func (h house) another(t *testing.T, login string) (holdfast.Principal, string) {
	t.Helper()
	a, _, err := h.core.CreateAccount(t.Context(), holdfast.Actor{}, login, "")
	must(t, err)
	app, err := NewAppPassword(nil)
	must(t, err)
	d, _, err := h.core.AddDevice(t.Context(), holdfast.Actor{Account: a.ID}, a.ID, "Phone", app.Hash)
	must(t, err)
	return holdfast.Principal{Account: a.ID, Device: d.ID}, app.Text
}

// TestBasicByLocalPart: the part of a login before the "@" is a name, and the app password says whose.
func TestBasicByLocalPart(t *testing.T) {
	h := newHouse(t, Options{Slow: Slowdown{Free: 1000}})
	me := holdfast.Principal{Account: h.id, Device: h.device.ID}
	other, others := h.another(t, "alice@b.example.org")
	_, bobs := h.another(t, "bob@example.org")
	taken, err := TakeAppPassword(nextcloud)
	must(t, err)
	d, _, err := h.core.AddDevice(t.Context(), holdfast.Actor{Account: h.id}, h.id, "Old phone", taken)
	must(t, err)
	for _, c := range []struct {
		login, password string
		want            holdfast.Principal
	}{
		{"alice", h.app, me},
		{" Alice ", strings.ToUpper(h.app), me},
		{"alice", others, other},
		{"alice", nextcloud, holdfast.Principal{Account: h.id, Device: d.ID}},
		{alice, nextcloud, holdfast.Principal{Account: h.id, Device: d.ID}},
		{h.id.String(), nextcloud, holdfast.Principal{Account: h.id, Device: d.ID}},
	} {
		if got, err := h.basic(t.Context(), "192.0.2.1:1", c.login, c.password); err != nil || got != c.want {
			t.Errorf("%q %q: %v %v", c.login, c.password, got, err)
		}
	}
	for _, c := range [][2]string{{"alice", bobs}, {"bob", h.app}, {"bob", nextcloud}, {"alice@b.example.org", nextcloud}, {"alice", password}, {"alice", ""}, {"alice", strings.ToLower(nextcloud)},
		{"alice", strings.ReplaceAll(nextcloud, "-", "")}, {"alice", nextcloud + " "}, {"nobody", h.app}, {"", h.app}, {"@", h.app}, {"alice@", h.app}, {"@example.org", h.app}, {"alic", h.app},
		{"alice%", h.app}, {"al_ce", h.app}, {"alice\x00", h.app}, {"älice", h.app}, {"ALICÉ", h.app}, {"\xff", h.app}, {strings.Repeat("a", 1<<16), h.app}, {"alice", strings.Repeat(h.app, 1<<10)}} {
		if _, err := h.basic(t.Context(), "192.0.2.1:1", c[0], c[1]); !holdfast.IsKind(err, holdfast.Unauthorized) {
			t.Errorf("%.40q %.40q: %v", c[0], c[1], err)
		}
	}
	if _, err := h.SignIn(t.Context(), ClientInfo{}, "alice", password); !holdfast.IsKind(err, holdfast.Unauthorized) {
		t.Errorf("the pages take a name without an @: %v", err)
	}
}

// TestALocalPartFollowsTheAccounts: what was cached of a name is not kept over a new account, a new login, a revocation or a suspension.
func TestALocalPartFollowsTheAccounts(t *testing.T) {
	h := newHouse(t, Options{Slow: Slowdown{Free: 1000}})
	try := func(login, password string) error {
		_, err := h.basic(t.Context(), "192.0.2.1:1", login, password)
		return err
	}
	wantKind(t, try("carol", h.app), holdfast.Unauthorized)
	p, app := h.another(t, "carol@example.org")
	must(t, try("carol", app))
	wantKind(t, try("carla", app), holdfast.Unauthorized)
	change := func(fn func(*holdfast.AccountRecord)) {
		_, err := h.core.UpdateAccount(t.Context(), holdfast.Actor{}, p.Account, func(r *holdfast.AccountRecord) error { fn(r); return nil })
		must(t, err)
	}
	change(func(r *holdfast.AccountRecord) { r.Email = "carla@example.org" })
	must(t, try("carla", app))
	must(t, try("carol", app)) // a former one
	change(func(r *holdfast.AccountRecord) { r.State = holdfast.Suspended })
	wantKind(t, try("carol", app), holdfast.Unavailable)
	wantKind(t, try("carol", h.app), holdfast.Unauthorized)
	change(func(r *holdfast.AccountRecord) { r.State = holdfast.Active })
	must(t, try("carol", app))
	_, err := h.core.RevokeDevice(t.Context(), holdfast.Actor{}, p.Account, p.Device)
	must(t, err)
	wantKind(t, try("carol", app), holdfast.Unauthorized)
}

// TestAnAmbiguousNameIsRefused: two accounts that have the same app password and come to share a local part later, and a local part that too many have.
func TestAnAmbiguousNameIsRefused(t *testing.T) {
	h := newHouse(t, Options{Slow: Slowdown{Free: 1000}})
	taken, err := TakeAppPassword(nextcloud)
	must(t, err)
	var ids []holdfast.ID
	for _, login := range []string{"carol@a.example.org", "dora@example.org"} {
		a, _, err := h.core.CreateAccount(t.Context(), holdfast.Actor{}, login, "")
		must(t, err)
		_, _, err = h.core.AddDevice(t.Context(), holdfast.Actor{}, a.ID, "Phone", taken)
		must(t, err)
		ids = append(ids, a.ID)
	}
	_, err = h.basic(t.Context(), "192.0.2.1:1", "carol", nextcloud)
	must(t, err)
	_, err = h.core.UpdateAccount(t.Context(), holdfast.Actor{}, ids[1], func(r *holdfast.AccountRecord) error { r.Email = "carol@b.example.org"; return nil })
	must(t, err)
	_, err = h.basic(t.Context(), "192.0.2.1:1", "carol", nextcloud)
	wantKind(t, err, holdfast.Unauthorized)
	if p, err := h.basic(t.Context(), "192.0.2.1:1", "carol@b.example.org", nextcloud); err != nil || p.Account != ids[1] {
		t.Errorf("by the whole login: %v, %v", p, err)
	}

	var last string
	for i := range 16 {
		_, last = h.another(t, fmt.Sprintf("info@%d.example.org", i))
	}
	_, err = h.basic(t.Context(), "192.0.2.1:1", "info", last)
	must(t, err)
	h.another(t, "info@more.example.org")
	_, err = h.basic(t.Context(), "192.0.2.1:1", "info", last)
	wantKind(t, err, holdfast.Unauthorized)
}

// TestALocalPartIsSlowedAsANameOfItsOwn: with accounts behind it or none, alike, and a right app password passes at once.
func TestALocalPartIsSlowedAsANameOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, Options{})
		wrong, err := NewAppPassword(nil)
		must(t, err)
		for i, name := range []string{"alice", "nobody", " ALICE", "Nobody"} {
			for n := range 5 {
				_, err := h.basic(t.Context(), fmt.Sprintf("192.0.%d.%d:1", i, n), name, wrong.Text)
				wantKind(t, err, holdfast.Unauthorized)
			}
		}
		waits := map[string]string{}
		for i, name := range []string{"alice", "nobody", alice} {
			waits[name] = took(func() { h.basic(t.Context(), fmt.Sprintf("198.51.100.%d:1", i), name, wrong.Text) }).String()
		}
		if waits["alice"] != waits["nobody"] || waits["alice"] == "0s" || waits[alice] != "0s" {
			t.Errorf("they wait %v", waits)
		}
		if d := took(func() {
			_, err := h.basic(t.Context(), "192.0.0.1:1", "alice", h.app)
			must(t, err)
		}); d != 0 {
			t.Errorf("a right app password waited %v", d)
		}
	})
}

// TestTheAnswersOfNamesAreAlike: word for word.
func TestTheAnswersOfNamesAreAlike(t *testing.T) {
	h := newHouse(t, Options{Slow: Slowdown{Free: 1000}})
	_, bobs := h.another(t, "bob@example.org")
	for i := range 20 {
		h.another(t, fmt.Sprintf("info@%d.example.org", i))
	}
	_, want := h.basic(t.Context(), "192.0.2.1:1", "nobody@example.org", bobs)
	for _, name := range []string{"alice", "info", "nobody", "", "@", alice} {
		if _, err := h.basic(t.Context(), "192.0.2.1:1", name, bobs); err == nil || err.Error() != want.Error() {
			t.Errorf("%q is answered %v, a name that nobody has %v", name, err, want)
		}
	}
}

// losing is a store that lacks the records of accounts.
type losing struct {
	store.Engine
	lost atomic.Bool
}

func (e *losing) Snapshot(ctx context.Context) (store.Snapshot, error) {
	s, err := e.Engine.Snapshot(ctx)
	if err == nil && e.lost.Load() {
		s = without{s}
	}
	return s, err
}

type without struct{ store.Snapshot }

func (without) Account(id holdfast.ID) (holdfast.Account, error) {
	return holdfast.Account{}, store.Err("Account", holdfast.NotFound, id.String(), "there is no such account")
}

// TestALostAccountIsNoDeletion: a phone that is right must not be told that what it asks for is not there.
func TestALostAccountIsNoDeletion(t *testing.T) {
	e := &losing{Engine: memory.New()}
	c := core.New(core.Options{Engine: e})
	h := house{Service: New(Options{Core: c, Params: cheap}), core: c}
	_, app := h.another(t, "carol@example.org")
	e.lost.Store(true)
	_, err := h.basic(t.Context(), "192.0.2.1:1", "carol", app)
	wantKind(t, err, holdfast.Corrupt)
}
