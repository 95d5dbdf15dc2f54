package dav

import (
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/core"
	"holdfast/internal/dav/onesnap"
)

// forgetful is a clock that lets everything grow old at once, so that nothing is answered from a cache.
type forgetful struct{ *clock.Fake }

func (c forgetful) Now() time.Time {
	c.Fake.Advance(time.Microsecond)
	return c.Fake.Now()
}

func newSingle(t *testing.T) (*rig, *onesnap.Engine) {
	e := &onesnap.Engine{Nested: func() { t.Error("a request that holds a snapshot asks for another one") }}
	g := newRig(t, func(c *core.Options, _ *Options) {
		e.Engine, c.Engine = c.Engine, e
		c.Clock, c.Limits.DirectoryTTL = forgetful{c.Clock.(*clock.Fake)}, time.Nanosecond
	})
	return g, e
}

// Requests that hold a snapshot must not wait for another one: a few of them would wait for each other for ever.
func TestNoRequestHoldsTwoSnapshots(t *testing.T) {
	g, e := newSingle(t)
	book, files := g.book(), g.files()
	login := "/dav/addressbooks/alice@example.org/default/"
	g.want(201, "PUT", book+"a.vcf", card("a"))
	g.want(201, "PUT", files+"x", "x")
	token := g.token(book)
	for _, c := range []hostile{
		{name: "If with an ETag elsewhere", method: "PROPFIND", at: book, headers: []string{"If: <" + login + `a.vcf> (["x"]) <` + login + `> (Not ["y"])`}, status: 207},
		{name: "If with a token", method: "PROPFIND", at: book, headers: []string{"If: <" + login + "> (<" + token + ">)"}, status: 207},
		{name: "If of a stranger", method: "PROPFIND", at: book, headers: []string{`If: </dav/files/nobody@example.org/x> (Not ["x"])`}, status: 207},
		{name: "If with a token for a PUT", method: "PUT", at: book + "b.vcf", body: card("b"), headers: []string{"If: <" + login + "> (<" + token + ">)"}, status: 201},
		{name: "own home", method: "PROPFIND", at: "/dav/addressbooks/", headers: []string{"Depth: 1"}, status: 207},
		{name: "own principal", method: "PROPFIND", at: "/remote.php/dav/principals/", headers: []string{"Depth: 1"}, status: 207},
		{name: "expansion", method: "REPORT", at: PrincipalHref(g.alice.ID), body: expandHome, status: 207},
		{name: "deep expansion", method: "REPORT", at: book, body: expandBomb(10), status: 207},
		{name: "a tree", method: "PROPFIND", at: g.home(holdfast.HomeAddressbooks), headers: []string{"Depth: infinity"}, status: 403},
	} {
		if r := g.do(c.method, c.at, c.body, c.headers...); r.StatusCode != c.status {
			t.Errorf("%s: status %d, want %d\n%s", c.name, r.StatusCode, c.status, r.body)
		}
	}
	for _, c := range hostileRequests(g) {
		g.do(c.method, c.at, c.body, c.headers...)
	}
	if e.Opened.Load() < 50 {
		t.Errorf("only %d snapshots were seen", e.Opened.Load())
	}
}

const expandHome = `<D:expand-property xmlns:D="DAV:"><D:property name="addressbook-home-set" namespace="urn:ietf:params:xml:ns:carddav"><D:property name="displayname"/></D:property></D:expand-property>`

// What a href names may be there: a fault on the way to it must not be told as a 404.
func TestFaultOnTheWayToAHref(t *testing.T) {
	g, e := newFaulty(t)
	g.want(201, "PUT", g.book()+"a.vcf", card("a"))
	tag := "If: <" + g.book() + `a.vcf> (Not ["x"])`
	for _, kind := range []holdfast.ErrorKind{holdfast.Unavailable, holdfast.InDoubt, holdfast.Corrupt, holdfast.Internal} {
		e.child = &holdfast.Error{Op: "test.Child", Kind: kind}
		want := 503
		if kind == holdfast.Internal {
			want = 500
		}
		g.want(want, "REPORT", PrincipalHref(g.alice.ID), expandHome).lacks(t, "multistatus", "404")
		g.want(want, "PROPFIND", g.book(), "", "Depth: 0", tag).lacks(t, "multistatus")
		g.want(want, "GET", g.book()+"a.vcf", "", tag)
	}
	e.child = nil
	g.want(207, "REPORT", PrincipalHref(g.alice.ID), expandHome).has(t, "<D:displayname>addressbooks</D:displayname>")
	g.want(200, "GET", g.book()+"a.vcf", "", tag)
}

func TestFaultOnTheWayToATag(t *testing.T) {
	for _, method := range []string{"PUT", "DELETE", "PROPPATCH", "MKCOL"} {
		g, e := newFaulty(t, func(c *core.Options, _ *Options) {
			c.Clock, c.Limits.DirectoryTTL = forgetful{c.Clock.(*clock.Fake)}, time.Nanosecond
		})
		g.want(201, "PUT", g.files()+"x", "1")
		at := g.files() + "x"
		if method == "MKCOL" {
			at = g.files() + "new/"
		}
		body := map[string]string{"PUT": "2", "PROPPATCH": manyProps(1)}[method]
		for n := 1; n < 20; n++ { // break the n-th snapshot: the path's, the tag's, and those inside the core
			e.broken = n
			r := g.do(method, at, body, "If: <"+g.files()+`x> (["x"])`)
			if e.broken > 0 {
				if r.StatusCode != 412 {
					t.Errorf("%s: status %d\n%s", method, r.StatusCode, r.body)
				}
				break
			}
			if r.StatusCode != 503 {
				t.Errorf("%s, snapshot %d broken: status %d\n%s", method, n, r.StatusCode, r.body)
			}
			if n == 19 {
				t.Errorf("%s: too many snapshots", method)
			}
		}
	}
}

func TestReferences(t *testing.T) {
	ours := func(host string) bool { return host == "dav.example.org" }
	for _, c := range []struct {
		ref          string
		body, header bool
	}{
		{"/dav/files/a@b.org/x", true, true},
		{"http://dav.example.org/dav/files/a@b.org/x", true, true},
		{"HTTPS://dav.example.org/dav/files/a@b.org/x?y", true, true},
		{"https://proxy.example.org:8443/dav/files/a@b.org/x", true, false},
		{"//proxy.example.org/dav/files/a@b.org/x", true, false},
		{"dav://dav.example.org/dav/files/a@b.org/x", true, false},
		{"mailto:a@b.org", false, false},
		{"dav/files/a@b.org/x", false, false},
		{"//dav/files/a@b.org/x", false, false},
		{"http://%zz/dav/files/a@b.org/x", false, false},
		{"https://dav.example.org", false, false},
		{"", false, false},
	} {
		for is, want := range map[bool]bool{true: c.body, false: c.header} {
			host := ours
			if is {
				host = nil
			}
			p, err := parseRef(c.ref, host)
			if got := err == nil && p.Href() == "/dav/files/a@b.org/x"; got != want || err != nil && !nowhere(err) {
				t.Errorf("%q (body %v): %q, %v", c.ref, is, strings.Join(p.Names, "/"), err)
			}
		}
	}
}
