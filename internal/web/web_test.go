package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/auth"
	"holdfast/internal/clock"
	"holdfast/internal/core"
	"holdfast/internal/store/memory"
)

const (
	alice    = "alice@example.org"
	password = "correct horse battery"
)

var start = time.Date(2026, 11, 21, 4, 0, 0, 0, time.UTC)

// house is a server with its parts.
type house struct {
	t     *testing.T
	core  *core.Service
	auth  *auth.Service
	setup *auth.Setup
	web   *Server
	clock *clock.Fake
	http  *httptest.Server
	proxy *auth.Proxy
}

func anything(c *holdfast.Collection, name, contentType string, body []byte) (holdfast.Kind, holdfast.Index, error) {
	return holdfast.KindAddress, holdfast.Index{UID: name}, nil
}

// TestRecoveryKey holds that the set-up shows the recovery key once, where nothing stores it, and never again; and that a server that cannot make one goes on.
func TestRecoveryKey(t *testing.T) {
	for _, fails := range []bool{false, true} {
		h, made := newHouse(t, nil), 0
		h.web.Recovery = func(context.Context) (*RecoveryKey, error) {
			if made++; fails {
				return nil, errors.New("no")
			}
			if made > 1 {
				return nil, nil
			}
			return &RecoveryKey{Key: "AGE-SECRET-KEY-1TEST", CheckWord: "kabodefu", Store: "st0re", Made: start}, nil
		}
		h.web.KeyNag = func() string { return "Prove that you still have it." }
		h.web.Copies = func() []Copy {
			return []Copy{{Place: "Here", Domain: "this disk"}, {Place: "Vault local", Domain: "this disk"}}
		}
		token, _, err := h.setup.Token()
		must(t, err)
		b := h.browser()
		b.get("/setup/"+token).want(t, 200, "A second copy lies in a vault")
		a := b.post("/setup/"+token, "email", alice, "password", password, "again", password)
		if fails {
			a.want(t, 200, "Add your phone")
			continue
		}
		a.want(t, 200, "AGE-SECRET-KEY-1TEST", "kabodefu", "st0re", "this once", "/devices/new")
		b.get("/devices/new").want(t, 200, "Add your phone")
		home := b.get("/")
		home.want(t, 200, "Prove that you still have it.", "One failure domain", "2 copies that one accident can take")
		if strings.Contains(home.text, "AGE-SECRET") || made != 1 {
			t.Errorf("the key is shown or made again (%d)", made)
		}
		k := RecoveryKey{Key: "AGE-SECRET-KEY-1TEST"}
		if text := fmt.Sprintf("%v %+v %#v %s", k, &k, k, k); strings.Contains(text, "AGE-") {
			t.Errorf("a log would hold the key: %s", text)
		}
	}
}

func newHouse(t *testing.T, proxy *auth.Proxy) *house {
	t.Helper()
	return newHouseOn(t, proxy, core.Options{Engine: memory.New(), Clock: clock.NewFake(start)})
}

// newHouseOn is a house over what is there already.
func newHouseOn(t *testing.T, proxy *auth.Proxy, o core.Options) *house {
	t.Helper()
	h := &house{t: t, clock: o.Clock.(*clock.Fake), proxy: proxy}
	o.Judges = map[holdfast.CollectionType]core.Judge{holdfast.TypeAddressbook: anything}
	h.core = core.New(o)
	h.auth = auth.New(auth.Options{Core: h.core, Clock: h.clock, Proxy: proxy, Params: auth.Params{KiB: 64, Passes: 1, Threads: 1}})
	h.setup = auth.NewSetup(h.clock, nil, 0)
	var err error
	h.web, err = New(Options{Core: h.core, Auth: h.auth, Setup: h.setup, Proxy: proxy, Clock: h.clock,
		RequestID: func(*http.Request) string { return "req-7" }, Place: "/srv/holdfast-data on this server"})
	must(t, err)
	mux := http.NewServeMux()
	h.web.Routes(mux)
	h.http = httptest.NewServer(mux)
	t.Cleanup(h.http.Close)
	return h
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// account makes the account.
func (h *house) account() holdfast.ID {
	h.t.Helper()
	hash, err := h.auth.HashPassword(h.t.Context(), alice, password)
	must(h.t, err)
	a, _, err := h.core.CreateAccount(h.t.Context(), holdfast.Actor{}, alice, hash)
	must(h.t, err)
	return a.ID
}

// browser is somebody's browser.
type browser struct {
	h      *house
	client *http.Client
	header http.Header
}

func (h *house) browser() *browser {
	jar, _ := cookiejar.New(nil)
	return &browser{h: h, client: &http.Client{Jar: jar}, header: http.Header{}}
}

// answer is a page that was got.
type answer struct {
	*http.Response
	text string
	path string // after redirects
}

func (b *browser) do(method, path string, form url.Values) answer {
	b.h.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(b.h.t.Context(), method, b.h.http.URL+path, body)
	must(b.h.t, err)
	r.Header = b.header.Clone()
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	w, err := b.client.Do(r)
	must(b.h.t, err)
	defer w.Body.Close()
	text, err := io.ReadAll(w.Body)
	must(b.h.t, err)
	a := answer{w, string(text), w.Request.URL.Path}
	if method != http.MethodHead && strings.HasPrefix(w.Header.Get("Content-Type"), "text/html") {
		checkPage(b.h.t, a)
	}
	return a
}

func (b *browser) get(path string) answer { return b.do(http.MethodGet, path, nil) }

func (b *browser) post(path string, pairs ...string) answer {
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return b.do(http.MethodPost, path, form)
}

func (b *browser) signIn() *browser {
	b.h.t.Helper()
	if a := b.post("/signin", "email", alice, "password", password); a.path != "/" || a.StatusCode != 200 {
		b.h.t.Fatalf("sign-in: %d at %s", a.StatusCode, a.path)
	}
	return b
}

// addDevice adds a device by the pages; it returns its id and the path of its link.
func (b *browser) addDevice(name string) (id, link, app string) {
	b.h.t.Helper()
	a := b.post("/devices/new", "name", name)
	m := regexp.MustCompile(`^/devices/([a-z2-7]{26})/added$`).FindStringSubmatch(a.path)
	l := regexp.MustCompile(`href="http[^"]*(/d/[a-z2-7]{26})"`).FindStringSubmatch(a.text)
	p := regexp.MustCompile(`<code>((?:[a-z2-7]{4}-){6}[a-z2-7]{2})</code>`).FindStringSubmatch(a.text)
	if m == nil || l == nil || p == nil {
		b.h.t.Fatalf("adding a device: %d at %s:\n%s", a.StatusCode, a.path, a.text)
	}
	return m[1], l[1], p[1]
}

func (a answer) want(t *testing.T, status int, words ...string) {
	t.Helper()
	if a.StatusCode != status {
		t.Errorf("%s: status %d, want %d", a.path, a.StatusCode, status)
	}
	for _, w := range words {
		if !strings.Contains(a.text, w) {
			t.Errorf("%s does not say %q:\n%s", a.path, w, a.text)
		}
	}
}

// TestFirstMinute goes the way of a new user: link, account, phone.
func TestFirstMinute(t *testing.T) {
	h := newHouse(t, nil)
	token, _, err := h.setup.Token()
	must(t, err)
	b := h.browser()
	b.get("/").want(t, 200, "There is no account on this server yet")
	b.get("/setup/"+token).want(t, 200, "/srv/holdfast-data on this server", "That is one copy.", "no vault")
	b.get("/setup/"+token+"x").want(t, 404, "holdfast: setup", "holdfast account add EMAIL")
	b.post("/setup/"+token, "email", "Alice", "password", password, "again", password).want(t, 422, "is not a name like you@example.org", `value="Alice"`)
	b.post("/setup/"+token, "email", alice, "password", "short", "again", "short").want(t, 422, "at least 10 characters")
	b.post("/setup/"+token, "email", alice, "password", password, "again", password+"x").want(t, 422, "not the same")
	a := b.post("/setup/"+token, "email", alice, "password", password, "again", password)
	if a.path != "/devices/new" {
		t.Errorf("after set-up the page is %s", a.path)
	}
	a.want(t, 200, "Add your phone", "works only on this computer", "One copy.", "No vault yet", "21 Nov 2026 04:00 UTC")
	_, link, _ := b.addDevice("Pixel 8")
	h.browser().get(link).want(t, 200, "Set up Pixel 8", alice)
	b.get("/setup/"+token).want(t, 404, "This server is set up")
	if token, _, _ := h.setup.Token(); token != "" {
		t.Error("the right to set up did not end")
	}
}

func TestSetupExpires(t *testing.T) {
	h := newHouse(t, nil)
	token, _, err := h.setup.Token()
	must(t, err)
	h.clock.Advance(30 * time.Minute)
	h.browser().get("/setup/"+token).want(t, 404, "works for 30 minutes")
	h.browser().post("/setup/"+token, "email", alice, "password", password, "again", password).want(t, 404)
	if n := h.core.Stats().Accounts; n != 0 {
		t.Errorf("%d accounts", n)
	}
}

// TestSetupAfterCommand: an account that a command made ends the right too, even for a link that is still good.
func TestSetupAfterCommand(t *testing.T) {
	h := newHouse(t, nil)
	token, _, err := h.setup.Token()
	must(t, err)
	h.account()
	h.browser().get("/setup/"+token).want(t, 404, "This server is set up")
	h.browser().post("/setup/"+token, "email", "eve@example.org", "password", password, "again", password).want(t, 404, "This server is set up")
	if n := h.core.Stats().Accounts; n != 1 {
		t.Errorf("%d accounts", n)
	}
}

func TestSignInAndOut(t *testing.T) {
	h := newHouse(t, nil)
	h.account()
	b := h.browser()
	a := b.get("/devices")
	a.want(t, 200, "Sign in", `value="/devices"`)
	if a.path != "/signin" {
		t.Errorf("a stranger sees %s", a.path)
	}
	b.post("/signin", "email", alice, "password", "wrong password").want(t, 422, "do not fit", `value="alice@example.org"`)
	b.post("/signin", "email", "bob@example.org", "password", "wrong password").want(t, 422, "do not fit")
	if a := b.post("/signin", "email", alice, "password", password, "next", "/devices"); a.path != "/devices" {
		t.Errorf("after sign-in the page is %s", a.path)
	}
	for next, want := range map[string]string{"https://evil.example/": "/", "//evil.example": "/", `/\evil.example`: "/", "/devices//x": "/", "/devices/new": "/devices/new"} {
		if got := safeNext(next); got != want {
			t.Errorf("%s leads to %s", next, got)
		}
	}
	b.post("/signout").want(t, 200, "You are signed out")
	if a := b.get("/"); a.path != "/signin" {
		t.Errorf("after sign-out the page is %s", a.path)
	}
}

func TestPasswordChange(t *testing.T) {
	h := newHouse(t, nil)
	h.account()
	b, other := h.browser().signIn(), h.browser().signIn()
	b.post("/password", "old", "wrong password", "password", "a new long one", "again", "a new long one").want(t, 422, "present password is not right")
	b.post("/password", "old", password, "password", "a new long one", "again", "another").want(t, 422, "not the same")
	b.post("/password", "old", password, "password", "short", "again", "short").want(t, 422, "at least 10")
	b.post("/password", "old", password, "password", "a new long one", "again", "a new long one").want(t, 200, "password is changed")
	if a := b.get("/devices"); a.path != "/devices" {
		t.Errorf("who changed the password was signed out: %s", a.path)
	}
	if a := other.get("/devices"); a.path != "/signin" {
		t.Errorf("the other browser is still signed in: %s", a.path)
	}
}

func TestSuspendedAccountIsToldInWords(t *testing.T) {
	h := newHouse(t, nil)
	id := h.account()
	b := h.browser().signIn()
	_, err := h.core.UpdateAccount(t.Context(), holdfast.Actor{}, id, func(r *holdfast.AccountRecord) error { r.State = holdfast.Suspended; return nil })
	must(t, err)
	a := b.get("/devices")
	a.want(t, 503, "This account is suspended; nothing was deleted", "req-7")
	if a.Header.Get("Retry-After") != "300" {
		t.Errorf("Retry-After %q", a.Header.Get("Retry-After"))
	}
	h.browser().post("/signin", "email", alice, "password", password).want(t, 503, "suspended")
}

func TestOtherSitesFormsAreRefused(t *testing.T) {
	h := newHouse(t, nil)
	h.account()
	for _, header := range []http.Header{{"Sec-Fetch-Site": {"cross-site"}}, {"Origin": {"https://evil.example"}}, {"Origin": {"null"}}, {"Sec-Fetch-Site": {"same-site"}}} {
		b := h.browser().signIn()
		b.header = header
		b.post("/devices/new", "name", "Evil").want(t, 403, "another site", "req-7")
		b.header = http.Header{}
		if a := b.get("/devices"); strings.Contains(a.text, "Evil") {
			t.Errorf("%v: the form was taken", header)
		}
	}
	b := h.browser().signIn()
	b.header = http.Header{"Origin": {h.http.URL}}
	b.post("/devices/new", "name", "Good").want(t, 200, "Set up Good")
}

func TestLargeFormIsRefused(t *testing.T) {
	h := newHouse(t, nil)
	h.account()
	b := h.browser()
	b.post("/signin", "email", alice, "password", strings.Repeat("x", 1<<20)).want(t, 422)
	b.signIn().post("/devices/new", "name", strings.Repeat("x", 101)).want(t, 422, "1 to 100 octets")
}

func TestNothingHere(t *testing.T) {
	h := newHouse(t, nil)
	b := h.browser()
	b.get("/nowhere").want(t, 404, "There is nothing here", "req-7")
	b.get("/assets/other.css").want(t, 404)
	b.do("PROPFIND", "/nowhere", nil).want(t, 405, "/.well-known/carddav")
	b.do("PUT", "/devices", url.Values{"a": {"b"}}).want(t, 405)
	if a := b.get(h.web.css); a.StatusCode != 200 || !strings.Contains(a.Header.Get("Cache-Control"), "immutable") || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/css") {
		t.Errorf("style sheet: %d %v", a.StatusCode, a.Header)
	}
}

// TestBehindProxy: scheme, host and cookie follow what the client sees.
func TestBehindProxy(t *testing.T) {
	trusted, err := auth.ParseProxies([]string{"127.0.0.1", "::1"})
	must(t, err)
	h := newHouse(t, &auth.Proxy{Trusted: trusted})
	h.account()
	b := h.browser()
	b.header = http.Header{"X-Forwarded-For": {"192.0.2.7"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"cloud.example.org"}}
	b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	a := b.post("/signin", "email", alice, "password", password)
	c := a.Cookies()
	if len(c) != 1 || c[0].Name != "__Host-holdfast-session" || !c[0].Secure || a.Header.Get("Location") != "/" {
		t.Fatalf("cookies %v, to %s", c, a.Header.Get("Location"))
	}
	b.header.Set("Cookie", c[0].Name+"="+c[0].Value)
	a = b.post("/devices/new", "name", "Phone")
	b.get(a.Header.Get("Location")).want(t, 200, `href="https://cloud.example.org/d/`, "https://cloud.example.org/dav/")
}

func TestOverviewCounts(t *testing.T) {
	h := newHouse(t, nil)
	id := h.account()
	p := holdfast.Principal{Account: id}
	l, err := h.core.Locate(t.Context(), p, id, []string{"addressbooks", "default"})
	must(t, err)
	b := h.browser().signIn()
	b.get("/").want(t, 200, "0 contacts", "Add your phone", "holdfast import "+alice+" contacts.vcf", "holdfast import "+alice+" calendar.ics", "holdfast export "+alice, "there is no second copy", "Last verified", "never", "one copy in one place")
	id1, _, _ := b.addDevice("Phone")
	b.get("/").want(t, 200, "1 device</a>. It has not been seen yet.")
	b.post("/devices/" + id1 + "/revoke")
	h.clock.Advance(time.Hour)
	for i := range 3 {
		_, _, err := h.core.Put(t.Context(), p, core.PutRequest{Place: core.Place{Owner: id, Collection: l.Collection.ID, Name: fmt.Sprintf("%d.vcf", i)}, Body: []byte("x")})
		must(t, err)
	}
	h.clock.Advance(5 * time.Minute)
	b.get("/").want(t, 200, "3 contacts", "21 Nov 2026 05:00 UTC (5 minutes ago)")

	// An address book that is empty beside another one needs no introduction.
	l, err = h.core.Locate(t.Context(), p, id, []string{"addressbooks"})
	must(t, err)
	_, _, err = h.core.MakeCollection(t.Context(), p, core.NewCollection{Owner: id, Parent: l.Collection.ID, Name: "work", Type: holdfast.TypeAddressbook})
	must(t, err)
	if a := b.get("/"); !strings.Contains(a.text, "0 contacts") || strings.Contains(a.text, "Here stand the people you know") {
		t.Errorf("an empty address book beside another one:\n%s", a.text)
	}
}

func TestLogPath(t *testing.T) {
	for path, want := range map[string]string{"/setup/abc": "/setup/…", "/d/abc": "/d/…", "/d/abc/holdfast.mobileconfig": "/d/…/holdfast.mobileconfig", "/devices": "/devices", "/dav/x": "/dav/x"} {
		if got := LogPath(path); got != want {
			t.Errorf("%s: %s", path, got)
		}
	}
}
