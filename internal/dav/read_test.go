package dav

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/davxml"
)

func TestDiscovery(t *testing.T) {
	g := newRig(t)
	for _, at := range []string{"/.well-known/carddav", "/.well-known/caldav", "/.well-known/carddav/"} {
		for _, m := range []string{"GET", "PROPFIND", "OPTIONS", "POST", "REPORT"} {
			if r := g.want(301, m, at, "", "Authorization: "); r.Header.Get("Location") != "/dav/" {
				t.Errorf("%s %s leads to %q", m, at, r.Header.Get("Location"))
			}
		}
	}
	me := "<D:current-user-principal><D:href>" + PrincipalHref(g.alice.ID) + "</D:href></D:current-user-principal>"
	for _, at := range []string{"/", "/dav", "/dav/", "/remote.php/dav/", "/remote.php/dav/principals/", "/remote.php/webdav/", "/dav/addressbooks/", g.book(),
		"/remote.php/dav/addressbooks/users/alice@example.org/default/", "/dav/principals/alice%40example.org/"} {
		g.want(207, "PROPFIND", at, find("D:current-user-principal"), "Depth: 0").has(t, me)
		if r := g.want(401, "PROPFIND", at, find("D:current-user-principal"), "Depth: 0", "Authorization: "); r.Header.Get("WWW-Authenticate") != `Basic realm="Holdfast", charset="UTF-8"` {
			t.Errorf("a 401 asks by %q", r.Header.Get("WWW-Authenticate"))
		}
	}
	principal := g.want(207, "PROPFIND", "/dav/principals/alice@example.org/", find("CR:addressbook-home-set", "D:principal-URL", "D:displayname", "D:resourcetype", "CS:email-address-set", "D:owner"), "Depth: 0")
	principal.has(t, "<D:href>/dav/principals/alice@example.org/</D:href>",
		"<CR:addressbook-home-set><D:href>"+g.home("addressbooks")+"</D:href></CR:addressbook-home-set>",
		"<D:principal-URL><D:href>"+PrincipalHref(g.alice.ID)+"</D:href></D:principal-URL>", "<D:collection/><D:principal/>",
		"<CS:email-address>alice@example.org</CS:email-address>", "<D:displayname>alice@example.org</D:displayname>")
	principal.lacks(t, "404")
}

func TestOptions(t *testing.T) {
	g := newRig(t)
	for _, headers := range [][]string{nil, {"Authorization: "}} {
		r := g.want(200, "OPTIONS", g.book(), "", headers...)
		if r.Header.Get("DAV") != "1, 3, extended-mkcol, access-control, sync-collection, addressbook" {
			t.Errorf("DAV: %q", r.Header.Get("DAV"))
		}
		if r := g.want(200, "OPTIONS", "*", "", headers...); r.Header.Get("DAV") == "" || r.Header.Get("X-Request-Id") != "request-1" {
			t.Errorf("OPTIONS *: %v", r.Header)
		}
		if !strings.Contains(r.Header.Get("Allow"), "REPORT") || strings.Contains(r.Header.Get("Allow"), "LOCK") {
			t.Errorf("Allow: %q", r.Header.Get("Allow"))
		}
	}
	g.auth = &holdfast.Error{Op: "test", Kind: holdfast.Unauthorized}
	g.want(401, "OPTIONS", g.book(), "")
}

func TestHrefsEchoTheRequest(t *testing.T) {
	g := newRig(t)
	g.want(201, "PUT", g.book()+"a.vcf", card("a"))
	g.want(201, "PUT", g.files()+"f", "x")
	for at, child := range map[string]string{
		g.book(): g.book() + "a.vcf",
		"/dav/addressbooks/alice@example.org/default/":                    "/dav/addressbooks/alice@example.org/default/a.vcf",
		"/dav/addressbooks/alice%40example.org/default":                   "/dav/addressbooks/alice%40example.org/default/a.vcf",
		"/dav/addressbooks/ALICE@example.org/default/":                    "/dav/addressbooks/ALICE@example.org/default/a.vcf",
		"/remote.php/dav/addressbooks/users/alice@example.org/default/":   "/remote.php/dav/addressbooks/users/alice@example.org/default/a.vcf",
		"/remote.php/dav/addressbooks/users/" + g.alice.ID.String() + "/": "/remote.php/dav/addressbooks/users/" + g.alice.ID.String() + "/default/",
		"/remote.php/dav/calendars/alice@example.org/":                    "/remote.php/dav/calendars/alice@example.org/tasks/",
		"/remote.php/dav/addressbooks/users/alice/default/":               "/remote.php/dav/addressbooks/users/alice/default/a.vcf",
		"/remote.php/dav/addressbooks/users/Alice/":                       "/remote.php/dav/addressbooks/users/Alice/default/",
		"/remote.php/dav/calendars/alice/":                                "/remote.php/dav/calendars/alice/tasks/",
		"/remote.php/dav/files/alice@example.org/":                        "/remote.php/dav/files/alice@example.org/f",
		"/remote.php/webdav/":                                             "/remote.php/webdav/f",
		"/dav/":                                                           "/dav/principals/",
		"/dav/principals/":                                                PrincipalHref(g.alice.ID),
		"/dav/addressbooks/":                                              g.home("addressbooks"),
		"/remote.php/dav/principals/":                                     "/remote.php/dav/principals/users/" + g.alice.ID.String() + "/",
		"/remote.php/dav/principals/users/":                               "/remote.php/dav/principals/users/" + g.alice.ID.String() + "/",
		"/remote.php/dav/calendars/":                                      "/remote.php/dav/calendars/" + g.alice.ID.String() + "/",
	} {
		r := g.want(207, "PROPFIND", at, find("D:resourcetype", "D:owner"), "Depth: 1")
		r.has(t, "<D:href>"+strings.TrimSuffix(at, "/")+"/</D:href>", "<D:href>"+child+"</D:href>")
		if strings.Contains(at, "default") {
			r.has(t, "<D:owner><D:href>"+PrincipalHref(g.alice.ID)+"</D:href></D:owner>")
		}
	}
	if _, err := g.core.UpdateAccount(t.Context(), holdfast.Actor{Account: g.alice.ID}, g.alice.ID, func(r *holdfast.AccountRecord) error { r.Email = "new@example.org"; return nil }); err != nil {
		t.Fatal(err)
	}
	for _, login := range []string{"alice@example.org", "new@example.org"} { // a former login is an alias for ever
		g.want(207, "PROPFIND", "/dav/addressbooks/"+login+"/default/", "", "Depth: 1").has(t, "<D:href>/dav/addressbooks/"+login+"/default/a.vcf</D:href>")
	}
}

func TestPropfindDepths(t *testing.T) {
	g := newRig(t)
	f := g.files()
	g.want(201, "MKCOL", f+"a/", "")
	g.want(201, "MKCOL", f+"a/b/", "")
	g.want(201, "PUT", f+"a/b/c", "x")
	g.want(207, "PROPFIND", f, "", "Depth: 0").lacks(t, f+"a/")
	r := g.want(207, "PROPFIND", f, "", "Depth: 1")
	r.has(t, f+"a/</D:href>")
	r.lacks(t, f+"a/b/")
	g.want(207, "PROPFIND", f+"a", "", "Depth: infinity").has(t, f+"a/</D:href>", f+"a/b/</D:href>", f+"a/b/c</D:href>")
	g.want(207, "PROPFIND", f+"a", "").has(t, f+"a/b/c</D:href>")
	for _, at := range []string{"/", "/dav/", "/dav/principals/", f} {
		g.want(403, "PROPFIND", at, "", "Depth: infinity").has(t, "<D:propfind-finite-depth>")
		g.want(403, "PROPFIND", at, "")
	}
	g.want(400, "PROPFIND", f, "", "Depth: 2")
	g.want(404, "PROPFIND", f+"none", "", "Depth: 0")
	g.want(404, "PROPFIND", f+"none/none", "", "Depth: 0")
	g.want(404, "PROPFIND", f+"a/b/c/", "", "Depth: 0")
	r = g.want(207, "PROPFIND", f, "", "Depth: 1", "Prefer: depth-noroot")
	r.has(t, f+"a/</D:href>")
	r.lacks(t, "<D:href>"+f+"</D:href>")
	if r.Header.Get("Preference-Applied") != "depth-noroot" {
		t.Errorf("Preference-Applied: %q", r.Header.Get("Preference-Applied"))
	}
}

func TestPropfindModes(t *testing.T) {
	g := newRig(t)
	at := g.book() + "a.vcf"
	g.want(201, "PUT", at, card("a"))
	g.want(207, "PROPPATCH", at, `<D:propertyupdate xmlns:D="DAV:" xmlns:X="urn:x"><D:set><D:prop><X:note>n</X:note></D:prop></D:set></D:propertyupdate>`)
	etag := etagText(holdfast.HashOf([]byte(card("a"))))

	r := g.want(207, "PROPFIND", at, "", "Depth: 0")
	r.has(t, "<D:getetag>"+etag+"</D:getetag>", "<D:getcontentlength>"+fmt.Sprint(len(card("a")))+"</D:getcontentlength>", "<D:getcontenttype>text/vcard; charset=utf-8</D:getcontenttype>",
		"<D:resourcetype/>", "<D:getlastmodified>Sun, 01 Mar 2026 12:00:00 GMT</D:getlastmodified>", "<D:creationdate>2026-03-01T12:00:00Z</D:creationdate>", ">n</X:note>")
	r.lacks(t, "current-user-principal", "supported-report-set", "address-data", "404")

	r = g.want(207, "PROPFIND", at, `<D:propfind xmlns:D="DAV:"><D:allprop/><D:include><D:owner/><D:nothing/></D:include></D:propfind>`, "Depth: 0")
	r.has(t, "<D:owner>", "<D:getetag>")
	r = g.want(207, "PROPFIND", at, `<D:propfind xmlns:D="DAV:"><D:propname/></D:propfind>`, "Depth: 0")
	r.has(t, "<D:getetag/>", "<D:owner/>", "note", "<D:current-user-privilege-set/>")
	r.lacks(t, ">n<", "address-data", "lockdiscovery", "<D:href>/dav/principals")

	r = g.want(207, "PROPFIND", at, find("D:getetag", "X:note", "X:none", "D:lockdiscovery", "CR:address-data"), "Depth: 0")
	r.has(t, "<D:getetag>", ">n</X:note>", "none", "<D:lockdiscovery/>", "<CR:address-data/>", "404 Not Found")
	for _, h := range []string{"Prefer: return=minimal", "Brief: t"} {
		r = g.want(207, "PROPFIND", at, find("D:getetag", "X:none"), "Depth: 0", h)
		r.has(t, "<D:getetag>")
		r.lacks(t, "none", "404")
		if r.Header.Get("Preference-Applied") != "return=minimal" {
			t.Errorf("Preference-Applied: %q", r.Header.Get("Preference-Applied"))
		}
	}
	r = g.want(207, "PROPFIND", g.book(), find("D:sync-token", "CS:getctag", "D:supported-report-set", "D:quota-used-bytes", "D:quota-available-bytes", "D:current-user-privilege-set",
		"D:acl", "D:resource-id", "D:displayname", "D:supported-privilege-set", "D:acl-restrictions", "D:inherited-acl-set", "D:principal-collection-set", "D:getetag"), "Depth: 0")
	token := g.token(g.book())
	r.has(t, "<D:sync-token>"+token, "<CS:getctag>"+token, "<D:report><D:sync-collection/></D:report>", "<D:quota-used-bytes>", "<D:quota-available-bytes/>",
		"<D:privilege><D:write/></D:privilege>", "<D:ace>", "urn:uuid:", ">Contacts</D:displayname>", "<D:getetag/>")
	g.want(207, "PROPFIND", g.home("files"), find("D:supported-report-set", "D:sync-token"), "Depth: 0").has(t, "sync-collection", "<D:sync-token>")
	g.want(207, "PROPFIND", g.home("files"), find("CS:getctag"), "Depth: 0").has(t, "404") // it would change with the account
	g.want(207, "PROPFIND", g.home("addressbooks"), find("D:supported-report-set", "D:sync-token"), "Depth: 0").lacks(t, "sync-collection")
}

// Phones compare the tags that a home lists with what they hold, and skip what has not changed.
func TestTagsOfAHome(t *testing.T) {
	g := newRig(t)
	for range 2 {
		token := g.token(g.book())
		g.want(207, "PROPFIND", g.home("addressbooks"), find("CS:getctag", "D:sync-token"), "Depth: 1").has(t, "<CS:getctag>"+token+"<", "<D:sync-token>"+token+"<")
		g.want(201, "PUT", g.files()+token[len(token)-5:], "x") // elsewhere: it wakes no address book
		if g.token(g.book()) != token {
			t.Error("a change elsewhere changes the tag")
		}
		g.want(201, "PUT", g.book()+token[len(token)-5:], card(token[len(token)-5:]))
		if g.token(g.book()) == token {
			t.Error("a change does not change the tag")
		}
	}
}

// figure asks for a property that is a number.
func (g *rig) figure(at, name string) int {
	g.t.Helper()
	_, rest, _ := strings.Cut(g.want(207, "PROPFIND", at, find("D:"+name), "Depth: 0").body, name+">")
	text, _, _ := strings.Cut(rest, "<")
	n, err := strconv.Atoi(text)
	if err != nil {
		g.t.Fatalf("%s is %q", name, text)
	}
	return n
}

// TestQuota: what is said to be available is, to the octet, for files that are bodies and files beside the engine; all that is live counts, and what arrives in chunks. Earlier versions do not.
func TestQuota(t *testing.T) {
	const allowance = 1_000_000
	for what, opts := range map[string][]rigOption{"bodies": nil, "blobs": {large}} {
		t.Run(what, func(t *testing.T) {
			g := newRig(t, append(opts, arrives(t), func(c *core.Options, _ *Options) { c.Limits.Quota = allowance })...)
			box := g.box("box")
			left := func() int {
				t.Helper()
				used, left := g.figure(g.files(), "quota-used-bytes"), g.figure(g.files(), "quota-available-bytes")
				if used+left != allowance {
					t.Errorf("%d are used and %d left", used, left)
				}
				return left
			}
			n := left()
			g.want(201, "PUT", box+"b", strings.Repeat("b", 300_000))
			g.want(204, "PUT", box+"b", strings.Repeat("c", 300_000)) // the version before counts no more
			g.begin("u", strings.Repeat("u", 100_000))
			g.want(201, "COPY", box+"b", "", "Destination: "+box+"d")
			if got := left(); got != n-700_000 {
				t.Errorf("%d are left, %d were", got, n)
			}
			g.want(507, "PUT", g.upload("u", "2"), strings.Repeat("u", left()+1))
			g.want(204, "DELETE", g.upload("u"), "")
			g.want(507, "PUT", box+"e", strings.Repeat("e", left()+1)).has(t, "<D:quota-not-exceeded>")
			g.want(201, "PUT", box+"e", strings.Repeat("e", left()))
			if left() != 0 {
				t.Errorf("%d are left", left())
			}
			g.want(204, "PUT", box+"e", strings.Repeat("E", 100)) // what grows nothing always passes
			if n := g.figure(box, "quota-available-bytes"); n != left() {
				t.Errorf("%d are left in a folder, %d in all", n, left())
			}
			g.want(204, "DELETE", strings.TrimSuffix(box, "/"), "")
			if got := left(); got < n {
				t.Errorf("%d are left, %d were", got, n)
			}
		})
	}
}

func TestProppatch(t *testing.T) {
	g := newRig(t)
	at := g.book() + "a.vcf"
	g.want(201, "PUT", at, card("a"))
	patch := func(inner string) string {
		return `<D:propertyupdate xmlns:D="DAV:" xmlns:X="urn:x">` + inner + `</D:propertyupdate>`
	}
	set := func(inner string) string { return `<D:set><D:prop>` + inner + `</D:prop></D:set>` }
	r := g.want(207, "PROPPATCH", at, patch(set(`<X:a>1</X:a>`)+set(`<X:a xml:lang="de">2<b/></X:a>`)+`<D:remove><D:prop><X:none/></D:prop></D:remove>`))
	r.has(t, "200 OK")
	if r.Header.Get("Holdfast-Receipt") == "" {
		t.Error("a PROPPATCH has no receipt")
	}
	g.want(207, "PROPFIND", at, find("X:a"), "Depth: 0").has(t, `xml:lang="de">2<b/></X:a>`)

	r = g.want(207, "PROPPATCH", at, patch(set(`<X:b>1</X:b><D:getetag>x</D:getetag><D:supportedlock/>`)))
	r.has(t, "403 Forbidden", "cannot-modify-protected-property", "424 Failed Dependency")
	r.lacks(t, "200 OK")
	if r.Header.Get("Holdfast-Receipt") != "" {
		t.Error("a PROPPATCH that failed has a receipt")
	}
	g.want(207, "PROPFIND", at, find("X:b"), "Depth: 0").has(t, "404 Not Found")

	r = g.want(200, "PROPPATCH", g.book(), patch(set(`<D:displayname>Family &amp; friends</D:displayname>`)), "Prefer: return=minimal")
	if r.body != "" || r.Header.Get("Preference-Applied") != "return=minimal" || r.Header.Get("Holdfast-Receipt") == "" {
		t.Errorf("a minimal PROPPATCH gives %q, %v", r.body, r.Header)
	}
	g.want(207, "PROPFIND", g.book(), find("D:displayname"), "Depth: 0").has(t, ">Family &amp; friends</D:displayname>")
	g.want(204, "PUT", at, card("a")+"x") // a new version keeps them
	g.want(207, "PROPFIND", at, find("X:a"), "Depth: 0").has(t, `>2<b/></X:a>`)
	g.want(207, "PROPPATCH", at, patch(`<D:remove><D:prop><X:a/></D:prop></D:remove>`))
	g.want(207, "PROPFIND", at, find("X:a"), "Depth: 0").has(t, "404 Not Found")
	g.want(412, "PROPPATCH", at, patch(set(`<X:a/>`)), `If-Match: "x"`)
	g.want(404, "PROPPATCH", g.book()+"none", patch(set(`<X:a/>`)))
	g.want(400, "PROPPATCH", at, "")
	g.want(400, "PROPPATCH", at, patch(""))
	g.want(405, "PROPPATCH", "/dav/", patch(set(`<X:a/>`)))
}

func TestSyncCollection(t *testing.T) {
	g := newRig(t)
	b := g.book()
	r := g.want(207, "REPORT", b, syncBody("", ""))
	r.lacks(t, "<D:response>")
	first := between(t, r.body, "<D:sync-token>", "</D:sync-token>")
	for _, n := range []string{"a", "b", "c"} {
		g.want(201, "PUT", b+n+".vcf", card(n))
	}
	r = g.want(207, "REPORT", b, syncBody(first, ""))
	r.has(t, b+"a.vcf", b+"b.vcf", b+"c.vcf", etagText(holdfast.HashOf([]byte(card("a")))))
	second := between(t, r.body, "<D:sync-token>", "</D:sync-token>")
	g.want(204, "DELETE", b+"a.vcf", "")
	r = g.want(207, "REPORT", b, syncBody(second, ""))
	r.has(t, "<D:response><D:href>"+b+"a.vcf</D:href><D:status>HTTP/1.1 404 Not Found</D:status></D:response>")
	r.lacks(t, "b.vcf")

	token, seen := first, ""
	for pages := 1; ; pages++ { // RFC 6578 section 3.6
		r = g.want(207, "REPORT", b, syncBody(token, `<D:limit><D:nresults>1</D:nresults></D:limit>`))
		token = between(t, r.body, "<D:sync-token>", "</D:sync-token>")
		seen += r.body
		if !strings.Contains(r.body, "507 Insufficient Storage") {
			if pages != 3 {
				t.Errorf("%d pages", pages)
			}
			break
		}
		r.has(t, "<D:response><D:href>"+b+"</D:href><D:status>HTTP/1.1 507 Insufficient Storage</D:status><D:error><D:number-of-matches-within-limits/></D:error></D:response>")
	}
	for _, n := range []string{"a", "b", "c"} {
		if strings.Count(seen, b+n+".vcf") != 1 {
			t.Errorf("%s is told %d times", n, strings.Count(seen, b+n+".vcf"))
		}
	}
	g.want(207, "REPORT", b, syncBody(token, "")).lacks(t, "<D:response>")

	g.want(403, "REPORT", b, syncBody("urn:holdfast:sync:made-up", "")).has(t, "<D:valid-sync-token>")
	g.want(403, "REPORT", b, syncBody("http://example.org/other", "")).has(t, "<D:valid-sync-token>")
	g.want(201, "MKCOL", g.home("addressbooks", "other"), "")
	g.want(403, "REPORT", g.home("addressbooks", "other"), syncBody(token, "")).has(t, "<D:valid-sync-token>")
	g.want(403, "REPORT", g.home("addressbooks"), syncBody("", "")).has(t, "<D:supported-report>")
	g.want(201, "MKCOL", g.files()+"folder", "")
	for _, folder := range []string{g.files(), g.files() + "folder/"} {
		g.want(207, "REPORT", folder, syncBody("", "")).has(t, "<D:sync-token>")
		g.want(403, "REPORT", folder, strings.Replace(syncBody("", ""), ">1<", ">infinite<", 1)).has(t, "<D:sync-traversal-supported>")
		g.want(403, "REPORT", folder, syncBody(token, "")).has(t, "<D:valid-sync-token>")
	}
	g.want(400, "REPORT", b, `<D:sync-collection xmlns:D="DAV:"><D:sync-token/><D:prop/></D:sync-collection>`)
	g.want(207, "REPORT", b, `<D:sync-collection xmlns:D="DAV:"><D:sync-token/><D:prop/></D:sync-collection>`, "Depth: 1") // as drafts of the RFC did
	g.want(403, "REPORT", b, `<D:version-tree xmlns:D="DAV:"/>`).has(t, "<D:supported-report>")
	g.want(400, "REPORT", b, "")
}

func between(t *testing.T, s, from, to string) string {
	t.Helper()
	_, rest, ok := strings.Cut(s, from)
	in, _, ok2 := strings.Cut(rest, to)
	if !ok || !ok2 {
		t.Fatalf("no %s in %s", from, s)
	}
	return in
}

func TestExpandProperty(t *testing.T) {
	g := newRig(t)
	r := g.want(207, "REPORT", g.book(), `<D:expand-property xmlns:D="DAV:"><D:property name="displayname"/><D:property name="none"/>
		<D:property name="current-user-principal"><D:property name="displayname"/><D:property name="nothing"/>
		<D:property name="addressbook-home-set" namespace="urn:ietf:params:xml:ns:carddav"><D:property name="resourcetype"/></D:property></D:property></D:expand-property>`)
	r.has(t, ">Contacts</D:displayname>", "<D:none/>",
		"<D:current-user-principal><D:response><D:href>"+PrincipalHref(g.alice.ID)+"</D:href><D:propstat><D:prop><D:displayname>alice@example.org</D:displayname>",
		"<CR:addressbook-home-set><D:response><D:href>"+g.home("addressbooks")+"</D:href><D:propstat><D:prop><D:resourcetype><D:collection/></D:resourcetype>", "<D:nothing/>")
	g.want(207, "REPORT", PrincipalHref(g.alice.ID), `<D:expand-property xmlns:D="DAV:"><D:property name="alternate-URI-set"><D:property name="displayname"/></D:property></D:expand-property>`).has(t, "404 Not Found")
	// Values that somebody stored, and values without a href, are values too.
	g.want(207, "REPORT", g.book(), `<D:expand-property xmlns:D="DAV:"><D:property name="displayname"><D:property name="owner"/></D:property></D:expand-property>`).has(t, ">Contacts</D:displayname>")
}

// An expansion multiplies with each level; it ends somewhere.
func TestExpansionIsBounded(t *testing.T) {
	many := davxml.Name{Space: "urn:x", Local: "many"}
	g := newRig(t, func(_ *core.Options, o *Options) {
		o.Extensions = append(o.Extensions, Extension{Name: "many", Properties: []Property{{Name: many, Where: AtPrincipal, Write: func(w *davxml.Writer, _ *Query, t *Target, _ *davxml.Element) {
			w.Start(many)
			for range 20 {
				w.Element(davxml.DHref, t.Href)
			}
			w.End()
		}}}})
	})
	level := `<D:property name="many" namespace="urn:x">`
	ask := func(n int) string {
		return `<D:expand-property xmlns:D="DAV:">` + strings.Repeat(level, n) + `<D:property name="displayname"/>` + strings.Repeat(`</D:property>`, n) + `</D:expand-property>`
	}
	g.want(207, "REPORT", PrincipalHref(g.alice.ID), ask(2))
	g.want(507, "REPORT", PrincipalHref(g.alice.ID), ask(9)).lacks(t, "multistatus")
}

// What an extension adds stays with its type of collection.
func TestExtensionsStayApart(t *testing.T) {
	g := newRig(t)
	g.want(207, "PROPFIND", g.book(), find("CR:supported-address-data"), "Depth: 0").has(t, "200 OK")
	g.want(207, "PROPFIND", g.home("calendars", "default"), find("CR:supported-address-data"), "Depth: 0").lacks(t, "200 OK")
	g.want(207, "PROPFIND", g.home("calendars", "default"), find("D:resourcetype"), "Depth: 0").lacks(t, "CR:addressbook/>")
}

func TestPrincipalReports(t *testing.T) {
	g := newRig(t)
	me := "<D:href>" + PrincipalHref(g.alice.ID) + "</D:href>"
	g.want(207, "REPORT", "/dav/principals/", `<D:principal-match xmlns:D="DAV:"><D:self/><D:prop><D:displayname/></D:prop></D:principal-match>`).has(t, me, "alice@example.org")
	g.want(207, "REPORT", g.book(), `<D:principal-match xmlns:D="DAV:"><D:self/></D:principal-match>`).lacks(t, "<D:response>")
	g.want(207, "REPORT", g.home("addressbooks"), `<D:principal-match xmlns:D="DAV:"><D:principal-property><D:owner/></D:principal-property><D:prop><D:displayname/></D:prop></D:principal-match>`).has(t, g.book(), "Contacts")
	g.want(201, "PUT", g.book()+"a.vcf", card("a"))
	g.want(207, "REPORT", g.book(), `<D:principal-match xmlns:D="DAV:"><D:principal-property><D:owner/></D:principal-property><D:prop><D:getetag/></D:prop></D:principal-match>`).has(t, g.book()+"a.vcf")

	search := func(prop, text, extra string) string {
		return `<D:principal-property-search xmlns:D="DAV:" xmlns:CS="http://calendarserver.org/ns/"><D:property-search><D:prop><` + prop + `/></D:prop><D:match>` + text + `</D:match></D:property-search><D:prop><D:displayname/></D:prop>` + extra + `</D:principal-property-search>`
	}
	g.want(207, "REPORT", "/dav/principals/", search("D:displayname", "ALICE", "")).has(t, me)
	g.want(207, "REPORT", "/dav/principals/", search("CS:email-address-set", "example.org", "")).has(t, me)
	g.want(207, "REPORT", "/dav/principals/", search("D:displayname", "bob", "")).lacks(t, "<D:response>") // nobody finds others out
	g.want(207, "REPORT", "/dav/principals/", search("D:nothing", "alice", "")).lacks(t, "<D:response>")
	g.want(207, "REPORT", g.book(), search("D:displayname", "alice", "")).lacks(t, "<D:response>")
	g.want(207, "REPORT", g.book(), search("D:displayname", "alice", "<D:apply-to-principal-collection-set/>")).has(t, me)
	g.want(400, "REPORT", "/dav/principals/", search("D:displayname", "alice", ""), "Depth: 1")

	g.want(200, "REPORT", "/dav/principals/", `<D:principal-search-property-set xmlns:D="DAV:"/>`).has(t, "<D:principal-search-property><D:prop><D:displayname/></D:prop>")
	g.want(207, "REPORT", g.book(), `<D:acl-principal-prop-set xmlns:D="DAV:"><D:prop><D:displayname/></D:prop></D:acl-principal-prop-set>`).has(t, me, "alice@example.org")
}

func TestIndexIsEscaped(t *testing.T) {
	g := newRig(t)
	g.want(201, "PUT", g.files()+"%3Cscript%3E", "x", "Content-Type: text/html")
	r := g.want(200, "GET", g.files(), "")
	r.has(t, "&lt;script&gt;", "%3Cscript%3E")
	r.lacks(t, "<script>")
	if r.Header.Get("Content-Security-Policy") == "" || g.do("GET", g.files()+"%3Cscript%3E", "").Header.Get("Content-Security-Policy") == "" {
		t.Error("a browser would run what somebody stored")
	}
	g.want(200, "GET", "/dav/", "").has(t, "/dav/addressbooks/")
	if r := g.want(200, "HEAD", g.book(), ""); r.body != "" {
		t.Errorf("HEAD gives %q", r.body)
	}
}

func TestSightings(t *testing.T) {
	g := newRig(t)
	seen := func() core.Device {
		d, err := g.core.Devices(t.Context(), g.alice.ID)
		if err != nil || len(d) != 1 {
			t.Fatal(d, err)
		}
		return d[0]
	}
	g.want(207, "PROPFIND", "/dav/", "", "Depth: 0")
	if d := seen(); !d.LastSeen.Equal(start) || len(d.Seen) != 0 {
		t.Errorf("seen: %+v", d)
	}
	g.want(207, "PROPFIND", g.book(), find("D:displayname"), "Depth: 1")
	if d := seen(); len(d.Seen) != 0 {
		t.Errorf("a listing without ETags counts: %+v", d)
	}
	g.want(207, "PROPFIND", g.home("addressbooks"), find("D:getetag"), "Depth: 1")
	if d := seen(); len(d.Seen) != 0 {
		t.Errorf("the listing of a home counts: %+v", d)
	}
	g.want(207, "PROPFIND", g.book(), find("D:getetag"), "Depth: 1")
	if d := seen(); len(d.Seen) != 1 || !d.Seen[0].Full {
		t.Errorf("a full listing does not count: %+v", d)
	}
}
