package dav

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/blob"
	memoryblobs "holdfast/internal/blob/memory"
	"holdfast/internal/clock"
	"holdfast/internal/core"
	"holdfast/internal/dav/onesnap"
	"holdfast/internal/davxml"
	"holdfast/internal/locks"
	"holdfast/internal/store"
	"holdfast/internal/store/memory"
)

// rig is a handler over the model of an engine, with one account and a second one that is none of its business.
type rig struct {
	t       testing.TB
	engine  *memory.Engine
	core    *core.Service
	handler *Handler
	clock   *clock.Fake
	alice   holdfast.Account
	bob     holdfast.Account
	device  holdfast.DeviceRecord
	auth    error // what signing in answers, if not nil
	user    string
}

// rigOption changes how a rig is wired.
type rigOption func(*core.Options, *Options)

// start is when the rigs' time begins.
var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newRig(t testing.TB, options ...rigOption) *rig {
	t.Helper()
	g := &rig{t: t, engine: memory.New(), clock: clock.NewFake(start)}
	co := core.Options{Engine: g.engine, Judges: testJudges(), Clock: g.clock}
	do := Options{Extensions: []Extension{cards()}, SpoolDir: t.TempDir(), Authenticate: g.authenticate,
		RequestID: func(*http.Request) string { return "request-1" }, Limits: davxml.Limits{Octets: 1 << 20}}
	for _, f := range options {
		f(&co, &do)
	}
	g.core = core.New(co)
	do.Core = g.core
	g.handler = New(do)
	t.Cleanup(func() { g.engine.Close() })
	ctx := context.Background()
	var err error
	if g.alice, _, err = g.core.CreateAccount(ctx, holdfast.Actor{}, "alice@example.org", ""); err != nil {
		t.Fatal(err)
	}
	if g.bob, _, err = g.core.CreateAccount(ctx, holdfast.Actor{}, "bob@example.org", ""); err != nil {
		t.Fatal(err)
	}
	if g.device, _, err = g.core.AddDevice(ctx, holdfast.Actor{Account: g.alice.ID}, g.alice.ID, "phone", holdfast.HashOf([]byte("secret"))); err != nil {
		t.Fatal(err)
	}
	return g
}

// locking gives a rig locks, kept in memory.
func locking(c *core.Options, o *Options) {
	o.Locks = locks.Open(locks.Options{Clock: c.Clock})
}

// large lets a rig's large files lie beside the engine.
func large(c *core.Options, _ *Options) { c.Blobs = blob.NewKeeper(memoryblobs.New(c.Clock)) }

// wrapped puts an engine around the rig's.
func wrapped(fn func(store.Engine) store.Engine) rigOption {
	return func(c *core.Options, _ *Options) { c.Engine = fn(c.Engine) }
}

func (g *rig) authenticate(r *http.Request) (holdfast.Principal, error) {
	if g.auth != nil {
		return holdfast.Principal{}, g.auth
	}
	if _, pass, ok := r.BasicAuth(); !ok || pass != "secret" {
		return holdfast.Principal{}, &holdfast.Error{Op: "test.Authenticate", Kind: holdfast.Unauthorized}
	}
	return holdfast.Principal{Account: g.alice.ID, Device: g.device.ID}, nil
}

// testJudges take files anywhere below the home of files, and cards that begin as cards do. A card's UID is the rest of its line UID.
func testJudges() map[holdfast.CollectionType]core.Judge {
	card := func(_ *holdfast.Collection, name, _ string, body []byte) (holdfast.Kind, holdfast.Index, error) {
		if !bytes.HasPrefix(body, []byte("BEGIN:VCARD")) {
			return 0, holdfast.Index{}, &holdfast.Error{Op: "test.Judge", Kind: holdfast.Invalid, Ref: name, Rule: "valid-address-data", Text: "this is not a vCard"}
		}
		_, rest, _ := strings.Cut(string(body), "UID:")
		uid, _, _ := strings.Cut(rest, "\r\n")
		return holdfast.KindAddress, holdfast.Index{UID: uid}, nil
	}
	return map[holdfast.CollectionType]core.Judge{holdfast.TypeFolder: JudgeFile, holdfast.TypeHome: JudgeFile, holdfast.TypeAddressbook: card}
}

// cards is a small extension, as CardDAV is a large one.
func cards() Extension {
	return Extension{
		Name: "cards", Type: holdfast.TypeAddressbook, Home: holdfast.HomeAddressbooks, ResourceType: davxml.CRAddressbook, PlainMkCol: true,
		Compliance: []string{"addressbook"}, MemberType: "text/vcard; charset=utf-8", MemberSuffix: ".vcf",
		Rules: map[string]davxml.Name{"no-uid-conflict": davxml.CRNoUIDConflict, "valid-address-data": davxml.CRValidAddressData,
			"max-resource-size": davxml.CRMaxResourceSize, "collection-location-ok": davxml.CRAddressbookCollectionLocationOk},
		Properties: []Property{
			{Name: davxml.CRAddressbookHomeSet, Where: AtPrincipal, Write: func(w *davxml.Writer, _ *Query, t *Target, _ *davxml.Element) {
				w.Href(davxml.CRAddressbookHomeSet, HomeHref(t.Account.ID, holdfast.HomeAddressbooks))
			}},
			{Name: davxml.CRAddressData, Where: AtMember, InReports: true, Needs: core.WithBody, Write: func(w *davxml.Writer, _ *Query, t *Target, _ *davxml.Element) {
				w.Start(davxml.CRAddressData)
				w.TextBytes(t.Resource.Body)
				w.End()
			}},
			{Name: davxml.CRSupportedAddressData, Where: AtCollection, Write: empty(davxml.CRSupportedAddressData)},
		},
	}
}

func card(uid string) string {
	return "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:" + uid + "\r\nFN:" + uid + "\r\nN:" + uid + ";;;;\r\nEND:VCARD\r\n"
}

// reply is an answer, read.
type reply struct {
	*http.Response
	body string
}

// do sends a request. Headers are given as "Name: value".
func (g *rig) do(method, target, body string, headers ...string) reply {
	g.t.Helper()
	return g.send(method, target, strings.NewReader(body), int64(len(body)), headers...)
}

// send sends a request whose body says to have length octets.
func (g *rig) send(method, target string, body io.Reader, length int64, headers ...string) reply {
	r := httptest.NewRequest(method, "http://dav.example.org/", body)
	r.ContentLength = length
	r.URL = parseURL(target)
	r.RequestURI = target
	r.SetBasicAuth(cmp.Or(g.user, "alice@example.org"), "secret")
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Authorization" && value == "" {
			r.Header.Del(name)
			continue
		}
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	onesnap.Handler(g.handler).ServeHTTP(w, r)
	b, _ := io.ReadAll(w.Result().Body)
	return reply{w.Result(), string(b)}
}

// want sends a request and checks its status.
func (g *rig) want(status int, method, target, body string, headers ...string) reply {
	g.t.Helper()
	r := g.do(method, target, body, headers...)
	if r.StatusCode != status {
		g.t.Fatalf("%s %s: status %d, want %d\n%s", method, target, r.StatusCode, status, r.body[:min(len(r.body), 2000)])
	}
	return r
}

func (g *rig) home(area string, names ...string) string {
	p := HomeHref(g.alice.ID, area)
	for _, n := range names {
		p += encodeSegment(n) + "/"
	}
	return p
}

func (g *rig) book() string  { return g.home(holdfast.HomeAddressbooks, "default") }
func (g *rig) files() string { return g.home(holdfast.HomeFiles) }

// has fails unless the body holds each of the texts.
func (r reply) has(t testing.TB, texts ...string) reply {
	t.Helper()
	for _, x := range texts {
		if !strings.Contains(r.body, x) {
			t.Errorf("%q is not in the answer:\n%s", x, r.body)
		}
	}
	return r
}

// lacks fails if the body holds one of the texts.
func (r reply) lacks(t testing.TB, texts ...string) reply {
	t.Helper()
	for _, x := range texts {
		if strings.Contains(r.body, x) {
			t.Errorf("%q is in the answer:\n%s", x, r.body)
		}
	}
	return r
}

func find(props ...string) string {
	return `<?xml version="1.0"?><D:propfind xmlns:D="DAV:" xmlns:CS="http://calendarserver.org/ns/" xmlns:CR="urn:ietf:params:xml:ns:carddav" xmlns:X="urn:x"><D:prop><` +
		strings.Join(props, "/><") + `/></D:prop></D:propfind>`
}

func syncBody(token string, more string) string {
	return fmt.Sprintf(`<D:sync-collection xmlns:D="DAV:"><D:sync-token>%s</D:sync-token><D:sync-level>1</D:sync-level>%s<D:prop><D:getetag/></D:prop></D:sync-collection>`, token, more)
}
