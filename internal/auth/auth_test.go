package auth

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/store/memory"
)

// cheap makes hashes that cost nothing.
var cheap = Params{KiB: 64, Passes: 1, Threads: 1}

const (
	alice    = "alice@example.org"
	password = "correct horse battery"
)

// house is a service with one account and one device.
type house struct {
	*Service
	core   *core.Service
	id     holdfast.ID
	device holdfast.DeviceRecord
	app    string
}

func newHouse(t testing.TB, o Options) house {
	t.Helper()
	o.Core = core.New(core.Options{Engine: memory.New(), Clock: o.Clock})
	if o.Params == (Params{}) {
		o.Params = cheap
	}
	h := house{Service: New(o), core: o.Core}
	hash, err := h.HashPassword(t.Context(), alice, password)
	must(t, err)
	a, _, err := h.core.CreateAccount(t.Context(), holdfast.Actor{}, alice, hash)
	must(t, err)
	h.id = a.ID
	app, err := NewAppPassword(nil)
	must(t, err)
	h.app = app.Text
	h.device, _, err = h.core.AddDevice(t.Context(), holdfast.Actor{Account: a.ID}, a.ID, "Phone", app.Hash)
	must(t, err)
	return h
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (h house) basic(ctx context.Context, from, login, password string) (holdfast.Principal, error) {
	r := httptest.NewRequestWithContext(ctx, "PROPFIND", "/dav/", nil)
	r.RemoteAddr = from
	r.SetBasicAuth(login, password)
	return h.Basic(r)
}

func wantKind(t *testing.T, err error, kind holdfast.ErrorKind) {
	t.Helper()
	if err == nil || holdfast.KindOf(err) != kind {
		t.Errorf("got %v, want %v", err, kind)
	}
}

func TestBasic(t *testing.T) {
	h := newHouse(t, Options{Slow: Slowdown{Free: 100}})
	want := holdfast.Principal{Account: h.id, Device: h.device.ID}
	for _, login := range []string{alice, "Alice@Example.ORG", " alice@example.org", h.id.String()} {
		for _, p := range []string{h.app, strings.ReplaceAll(h.app, "-", ""), strings.ReplaceAll(h.app, "-", " "), strings.ToUpper(h.app)} {
			if got, err := h.basic(t.Context(), "192.0.2.1:1", login, p); err != nil || got != want {
				t.Errorf("%q %q: %v %v", login, p, got, err)
			}
		}
	}
	for _, c := range [][2]string{{alice, password}, {alice, ""}, {alice, h.app + "a"}, {alice, h.app[1:]}, {"bob@example.org", h.app}, {"", ""}, {"no name", h.app}} {
		_, err := h.basic(t.Context(), "192.0.2.1:1", c[0], c[1])
		wantKind(t, err, holdfast.Unauthorized)
	}
	_, err := h.Basic(httptest.NewRequest("GET", "/", nil))
	wantKind(t, err, holdfast.Unauthorized)
}

func TestBasicFormerLogin(t *testing.T) {
	h := newHouse(t, Options{})
	_, err := h.core.UpdateAccount(t.Context(), holdfast.Actor{}, h.id, func(r *holdfast.AccountRecord) error {
		r.Email = "alice.new@example.org"
		return nil
	})
	must(t, err)
	for _, login := range []string{alice, "alice.new@example.org"} {
		if _, err := h.basic(t.Context(), "192.0.2.1:1", login, h.app); err != nil {
			t.Errorf("%s: %v", login, err)
		}
		if _, err := h.SignIn(t.Context(), ClientInfo{}, login, password); err != nil {
			t.Errorf("%s: %v", login, err)
		}
	}
}

func TestBasicRecordsTheDevice(t *testing.T) {
	h := newHouse(t, Options{})
	_, err := h.basic(t.Context(), "192.0.2.1:1", alice, h.app)
	must(t, err)
	ds, err := h.core.Devices(t.Context(), h.id)
	must(t, err)
	if len(ds) != 1 || ds[0].LastSeen.IsZero() {
		t.Errorf("the device was not seen: %+v", ds)
	}
}

func TestBasicRevoked(t *testing.T) {
	h := newHouse(t, Options{})
	_, err := h.core.RevokeDevice(t.Context(), holdfast.Actor{Account: h.id}, h.id, h.device.ID)
	must(t, err)
	_, err = h.basic(t.Context(), "192.0.2.1:1", alice, h.app)
	wantKind(t, err, holdfast.Unauthorized)
}

// TestSuspended: who knows the password is told, in words and with 503, so that no phone takes it as an order to forget.
func TestSuspended(t *testing.T) {
	h := newHouse(t, Options{})
	p, err := h.SignIn(t.Context(), ClientInfo{}, alice, password)
	must(t, err)
	c, err := h.Cookie(p, true)
	must(t, err)
	_, err = h.core.UpdateAccount(t.Context(), holdfast.Actor{}, h.id, func(r *holdfast.AccountRecord) error {
		r.State = holdfast.Suspended
		return nil
	})
	must(t, err)
	_, err = h.basic(t.Context(), "192.0.2.1:1", alice, h.app)
	wantKind(t, err, holdfast.Unavailable)
	_, err = h.SignIn(t.Context(), ClientInfo{}, alice, password)
	wantKind(t, err, holdfast.Unavailable)
	_, err = h.SignIn(t.Context(), ClientInfo{}, alice, "wrong password")
	wantKind(t, err, holdfast.Unauthorized)
	_, err = h.Session(withCookie("https://example.org/", c))
	wantKind(t, err, holdfast.Unavailable)
}

func TestAppPassword(t *testing.T) {
	a, err := NewAppPassword(strings.NewReader("0123456789abcdef"))
	must(t, err)
	if a.Text != "gayt-emzu-gu3d-oobz-mfrg-gzdf-my" {
		t.Errorf("got %s", a.Text)
	}
	if h, ok := HashAppPassword(a.Text); !ok || h != a.Hash || h != holdfast.HashOf([]byte("gaytemzugu3doobzmfrggzdfmy")) {
		t.Errorf("hash %v %v", h, ok)
	}
	if _, err := NewAppPassword(strings.NewReader("short")); err == nil {
		t.Error("a random source that ends must be an error")
	}
}

func withCookie(url string, c *http.Cookie) *http.Request {
	r := httptest.NewRequest("GET", url, nil)
	r.AddCookie(c)
	return r
}

func BenchmarkBasic(b *testing.B) {
	h := newHouse(b, Options{})
	r := httptest.NewRequest("PUT", "/dav/", nil)
	r.RemoteAddr = "192.0.2.1:1234"
	r.SetBasicAuth(alice, h.app)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := h.Basic(r); err != nil {
				b.Fatal(err)
			}
		}
	})
}
