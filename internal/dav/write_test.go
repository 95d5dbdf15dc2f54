package dav

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/core"
)

func TestPutGetDelete(t *testing.T) {
	g := newRig(t)
	at := g.book() + "a.vcf"
	octets := card("one") + "X-ODD: \t \r\n"
	etag := etagText(holdfast.HashOf([]byte(octets)))

	r := g.want(201, "PUT", at, octets, "If-None-Match: *", "Content-Type: text/vcard")
	if r.Header.Get("ETag") != etag || !strings.Contains(r.Header.Get("Holdfast-Receipt"), `policy="engine"`) {
		t.Errorf("headers of a PUT: %v", r.Header)
	}
	r = g.want(200, "GET", at, "")
	if r.body != octets || r.Header.Get("ETag") != etag || r.Header.Get("Content-Type") != "text/vcard; charset=utf-8" {
		t.Errorf("GET gives %q, %v", r.body, r.Header)
	}
	r = g.want(200, "HEAD", at, "")
	if r.body != "" || r.Header.Get("Content-Length") != fmt.Sprint(len(octets)) {
		t.Errorf("HEAD gives %q, %v", r.body, r.Header)
	}
	g.want(304, "GET", at, "", "If-None-Match: "+etag)
	g.want(304, "GET", at, "", "If-None-Match: W/"+etag)
	g.want(200, "GET", at, "", `If-None-Match: "other"`)
	g.want(304, "GET", at, "", "If-Modified-Since: "+start.Format(http.TimeFormat))
	if r = g.want(206, "GET", at, "", "Range: bytes=0-10"); r.body != octets[:11] {
		t.Errorf("a range gives %q", r.body)
	}

	g.want(204, "PUT", at, card("one"), "If-Match: "+etag)
	g.want(412, "PUT", at, card("one")+"x", "If-Match: "+etag)
	r = g.want(204, "DELETE", at, "")
	if r.Header.Get("Holdfast-Receipt") == "" {
		t.Error("a DELETE has no receipt")
	}
	g.want(404, "GET", at, "")
	g.want(404, "DELETE", at, "")
}

func TestPreconditionsOfPut(t *testing.T) {
	first, second := "first", "second"
	tag := func(s string) string { return etagText(holdfast.HashOf([]byte(s))) }
	for _, c := range []struct {
		exists  bool
		headers []string
		status  int
	}{
		{true, nil, 204},
		{false, nil, 201},
		{true, []string{"If-Match: " + tag(first)}, 204},
		{true, []string{`If-Match: "x", ` + tag(first)}, 204},
		{true, []string{`If-Match: "x"`, "If-Match: " + tag(first)}, 204},
		{true, []string{"If-Match: W/" + tag(first)}, 412},
		{true, []string{"If-Match: " + tag(second)}, 412},
		{true, []string{`If-Match: ""`}, 412},
		{true, []string{"If-Match: *"}, 204},
		{false, []string{"If-Match: " + tag(first)}, 404}, // a documented deviation: on 412 phones drop the edit
		{false, []string{"If-Match: *"}, 404},
		{false, []string{`If-Match: W/"x"`}, 404},
		{true, []string{"If-None-Match: *"}, 412},
		{false, []string{"If-None-Match: *"}, 201},
		{true, []string{"If-None-Match: " + tag(first)}, 412},
		{true, []string{"If-None-Match: W/" + tag(first)}, 412},
		{true, []string{"If-None-Match: " + tag(second)}, 204},
		{true, []string{"If-Match: no quotes"}, 400},
		{true, []string{"If-Match: *, " + tag(first)}, 400},
		{true, []string{"If-Match: *", "If-None-Match: *"}, 412},
		{true, []string{"If-Unmodified-Since: " + start.Add(-1e9*60).Format(http.TimeFormat)}, 412},
		{true, []string{"If-Unmodified-Since: " + start.Format(http.TimeFormat)}, 204},
		{true, []string{"If: ([" + tag(first) + "])"}, 204},
		{true, []string{"If: ([" + tag(second) + "])"}, 412},
		{true, []string{"If: ([" + tag(second) + "]) ([" + tag(first) + "])"}, 204},
		{true, []string{"If: (Not [" + tag(second) + "])"}, 204},
		{true, []string{"If: (<DAV:no-lock>)"}, 412},
		{true, []string{"If: (Not <DAV:no-lock>)"}, 204},
		{true, []string{"If: (<opaquelocktoken:x> [" + tag(first) + "])"}, 412},
		{true, []string{"If: (<opaquelocktoken:x>) (Not <DAV:no-lock> [" + tag(first) + "])"}, 204},
		{true, []string{"If: (nonsense)"}, 400},
		{true, []string{"Content-Range: bytes 0-5/6"}, 400},
		{true, []string{"Content-Encoding: gzip"}, 415},
	} {
		g := newRig(t)
		at := g.files() + "x"
		if c.exists {
			g.want(201, "PUT", at, first)
		}
		r := g.do("PUT", at, second, c.headers...)
		if r.StatusCode != c.status {
			t.Errorf("PUT, exists %v, %q: status %d, want %d\n%s", c.exists, c.headers, r.StatusCode, c.status, r.body)
		}
		if acked := r.StatusCode < 300; acked != (r.Header.Get("Holdfast-Receipt") != "") {
			t.Errorf("PUT, exists %v, %q: status %d with the receipt %q", c.exists, c.headers, r.StatusCode, r.Header.Get("Holdfast-Receipt"))
		}
		if now := g.do("GET", at, ""); r.StatusCode < 300 && now.body != second || r.StatusCode >= 300 && c.exists && now.body != first {
			t.Errorf("PUT, exists %v, %q: status %d, and the octets are %q", c.exists, c.headers, r.StatusCode, now.body)
		}
	}
}

func TestRetryMeetsItsOwnWrite(t *testing.T) {
	g := newRig(t)
	at := g.book() + "a.vcf"
	one := g.want(201, "PUT", at, card("a"), "If-None-Match: *")
	two := g.want(204, "PUT", at, card("a"), "If-None-Match: *") // the answer to the first was lost
	if one.Header.Get("Holdfast-Receipt") != two.Header.Get("Holdfast-Receipt") {
		t.Errorf("the retry added something: %s, %s", one.Header.Get("Holdfast-Receipt"), two.Header.Get("Holdfast-Receipt"))
	}
}

func TestTaggedIf(t *testing.T) {
	g := newRig(t)
	x, y := g.files()+"x", g.files()+"y"
	tag := g.want(201, "PUT", x, "x").Header.Get("ETag")
	g.want(201, "PUT", y, "y")
	g.want(412, "PUT", y, "z", "If: (["+tag+"])")
	g.want(204, "PUT", y, "z", "If: <"+x+"> (["+tag+"])")
	g.want(204, "PUT", y, "zz", "If: <http://dav.example.org"+x+"> (["+tag+"])")
	g.want(412, "PUT", y, "z", "If: <http://elsewhere.example.org"+x+"> (["+tag+"])")
	g.want(412, "PUT", y, "z", "If: <"+x+"2> (["+tag+"])")
	g.want(204, "PUT", y, "zzz", "If: <"+x+"2> (Not ["+tag+"])")
	g.want(412, "DELETE", y, "", "If: <"+x+"> (Not ["+tag+"])")
	g.want(412, "PROPFIND", y, "", "Depth: 0", "If: <"+x+"> (Not ["+tag+"])")
	g.want(207, "PROPFIND", y, "", "Depth: 0", "If: <"+x+"> (["+tag+"])")
	g.want(412, "GET", y, "", "If: <"+x+"> (Not ["+tag+"])")
	g.want(412, "COPY", y, "", "Destination: "+g.files()+"z", "If: <"+x+"> (Not ["+tag+"])")
	g.want(412, "COPY", y, "", "Destination: "+g.files()+"z", "If-Match: "+tag)
	g.want(201, "COPY", x, "", "Destination: "+g.files()+"z", `If-Match: "q", `+tag)
	g.want(412, "MOVE", x, "", "Destination: "+g.files()+"w", "If-None-Match: "+tag)
	g.want(412, "MOVE", x, "", "Destination: "+g.files()+"w", "If-None-Match: *")
}

func TestSyncTokenAsStateToken(t *testing.T) {
	g := newRig(t)
	token := g.token(g.book())
	g.want(412, "PUT", g.book()+"a.vcf", card("a"), "If: <"+g.book()+"> (<"+token+"x>)")
	g.want(201, "PUT", g.book()+"a.vcf", card("a"), "If: <"+g.book()+"> (<"+token+">)")
	g.want(412, "PUT", g.book()+"b.vcf", card("b"), "If: <"+g.book()+"> (<"+token+">)") // it has changed
	g.want(412, "REPORT", g.book(), syncBody("", ""), "If: (<"+token+">)")
	g.want(207, "REPORT", g.book(), syncBody("", ""), "If: (<"+g.token(g.book())+">)")
}

func TestWritesThatAreRefused(t *testing.T) {
	g := newRig(t)
	g.want(201, "PUT", g.book()+"a.vcf", card("same"))
	r := g.want(403, "PUT", g.book()+"b.vcf", card("same")) // never 409: phones would drop the edit
	r.has(t, "<CR:no-uid-conflict><D:href>"+g.book()+"a.vcf</D:href></CR:no-uid-conflict>", "message", "request-1")
	g.want(403, "PUT", g.book()+"b.vcf", "no card").has(t, "<CR:valid-address-data>", "this is not a vCard")
	g.want(404, "PUT", g.home("addressbooks", "gone")+"b.vcf", card("b")) // see missingParent
	g.want(409, "PUT", g.home("files", "gone")+"b", "b")
	g.want(409, "MKCOL", g.home("files", "gone", "x"), "")
	g.want(405, "PUT", g.book(), "b")
	g.want(405, "PUT", g.book()+"b.vcf/", card("b"))
	g.want(405, "PUT", "/dav/", "b")
	g.want(403, "PUT", g.home("addressbooks")+"b.vcf", card("b"))
	g.want(403, "DELETE", g.home("addressbooks"), "")
	g.want(403, "DELETE", "/dav/", "")
	g.want(400, "DELETE", g.book(), "", "Depth: 0")
	g.want(405, "POST", g.book(), card("c"))
	g.want(405, "LOCK", g.book()+"a.vcf", "")
	g.want(405, "UNLOCK", g.book()+"a.vcf", "")
	g.want(403, "ACL", g.book(), "")
	g.want(405, "PATCH", g.book()+"a.vcf", "")
	g.want(501, "BREW", g.book(), "")
	if r := g.want(405, "LOCK", g.book(), ""); !strings.Contains(r.Header.Get("Allow"), "PROPFIND") {
		t.Errorf("Allow: %q", r.Header.Get("Allow"))
	}
	bob := HomeHref(g.bob.ID, "addressbooks") + "default/"
	nobody := HomeHref(holdfast.NewID(nil), "addressbooks") + "default/"
	for _, m := range []string{"PUT", "GET", "DELETE", "PROPFIND", "REPORT", "MKCOL", "PROPPATCH", "COPY", "OPTIONS"} {
		a, b := g.want(403, m, bob+"x.vcf", card("x")), g.want(403, m, nobody+"x.vcf", card("x"))
		if a.body != b.body {
			t.Errorf("%s tells an account from none: %s, %s", m, a.body, b.body)
		}
	}
}

func TestBodyLimit(t *testing.T) {
	g := newRig(t, func(c *core.Options, _ *Options) { c.Limits.Resource = 100 })
	g.want(201, "PUT", g.files()+"x", strings.Repeat("x", 100))
	g.want(413, "PUT", g.files()+"x", strings.Repeat("x", 101)).has(t, "max-resource-size", "100 octets")
	g.want(413, "PUT", g.book()+"x.vcf", card(strings.Repeat("x", 101))).has(t, "<CR:max-resource-size>")
}

func TestAddMember(t *testing.T) {
	g := newRig(t)
	g.want(207, "PROPFIND", g.book(), find("D:add-member"), "Depth: 0").has(t, "<D:href>"+g.book()+"?add-member</D:href>")
	r := g.want(201, "POST", g.book()+"?add-member", card("a"))
	at := r.Header.Get("Location")
	if !strings.HasPrefix(at, g.book()) || !strings.HasSuffix(at, ".vcf") || r.Header.Get("Holdfast-Receipt") == "" {
		t.Fatalf("Location %q, receipt %q", at, r.Header.Get("Holdfast-Receipt"))
	}
	if got := g.want(200, "GET", at, ""); got.body != card("a") || got.Header.Get("ETag") != r.Header.Get("ETag") {
		t.Errorf("GET gives %q", got.body)
	}
	g.want(403, "POST", g.book()+"?add-member", card("a")).has(t, "no-uid-conflict", at)
}

func TestMkcol(t *testing.T) {
	g := newRig(t)
	books := g.home("addressbooks")
	extended := func(types string) string {
		return `<D:mkcol xmlns:D="DAV:" xmlns:CR="urn:ietf:params:xml:ns:carddav"><D:set><D:prop><D:resourcetype>` + types + `</D:resourcetype><D:displayname>My <b xmlns="">Book</b></D:displayname></D:prop></D:set></D:mkcol>`
	}
	if r := g.want(201, "MKCOL", books+"work/", extended("<D:collection/><CR:addressbook/>"), "Content-Type: application/xml"); r.Header.Get("Holdfast-Receipt") == "" {
		t.Error("a MKCOL has no receipt")
	}
	g.want(207, "PROPFIND", books+"work", find("D:resourcetype", "D:displayname"), "Depth: 0").has(t, "<D:collection/><CR:addressbook/>", `My <b xmlns="">Book</b>`, "<D:href>"+books+"work/</D:href>")
	g.want(405, "MKCOL", books+"work", "")
	g.want(201, "MKCOL", books+"plain", "")
	g.want(207, "PROPFIND", books+"plain/", find("D:resourcetype"), "Depth: 0").has(t, "<CR:addressbook/>")
	g.want(201, "PUT", books+"work/a.vcf", card("a"))
	g.want(403, "MKCOL", books+"work/inner/", "").has(t, "addressbook-collection-location-ok")
	g.want(403, "MKCOL", books+"x/", extended("<D:collection/><D:principal/>"), "Content-Type: text/xml").has(t, "valid-resourcetype")
	g.want(403, "MKCOL", g.files()+"x/", extended("<D:collection/><CR:addressbook/>")).has(t, "addressbook-collection-location-ok")
	g.want(403, "MKCOL", g.home("calendars")+"x/", "")
	g.want(415, "MKCOL", g.files()+"x/", "something", "Content-Type: text/plain")
	g.want(400, "MKCOL", g.files()+"x/", "something", "Content-Type: text/xml")
	g.want(415, "MKCOL", g.files()+"x/", "<x/>", "Content-Type: text/xml")
	g.want(201, "PUT", g.files()+"file", "x")
	g.want(405, "MKCOL", g.files()+"file", "")
	g.want(405, "MKCOL", g.files()+"file/", "")
	g.want(409, "MKCOL", g.files()+"file/x/", "")
	g.want(405, "MKCOL", "/dav/", "")
	r := g.want(403, "MKCOL", g.files()+"y/", `<D:mkcol xmlns:D="DAV:"><D:set><D:prop><D:getetag>x</D:getetag><D:displayname>y</D:displayname></D:prop></D:set></D:mkcol>`, "Content-Type: application/xml")
	r.has(t, "mkcol-response", "<D:getetag/>", "403 Forbidden", "cannot-modify-protected-property", "424 Failed Dependency")
	g.want(404, "PROPFIND", g.files()+"y/", "", "Depth: 0")
}

func TestCopyAndMove(t *testing.T) {
	g := newRig(t)
	f := g.files()
	g.want(201, "MKCOL", f+"a/", "")
	g.want(201, "MKCOL", f+"a/b/", "")
	g.want(201, "PUT", f+"a/x", "x")
	g.want(201, "PUT", f+"a/b/y", "y")
	if r := g.want(201, "COPY", f+"a/", "", "Destination: http://dav.example.org"+f+"c/"); r.Header.Get("Holdfast-Receipt") == "" {
		t.Error("a COPY has no receipt")
	}
	if r := g.want(200, "GET", f+"c/b/y", ""); r.body != "y" {
		t.Errorf("the copy holds %q", r.body)
	}
	g.want(201, "COPY", f+"a/", "", "Destination: "+f+"shallow", "Depth: 0")
	g.want(404, "GET", f+"shallow/x", "")
	g.want(412, "COPY", f+"a/x", "", "Destination: "+f+"c/x", "Overwrite: F")
	g.want(204, "COPY", f+"a/x", "", "Destination: "+f+"c/x", "Overwrite: T")
	g.want(400, "COPY", f+"a/x", "", "Destination: "+f+"c/x", "Overwrite: maybe")
	g.want(400, "COPY", f+"a/x", "")
	g.want(400, "COPY", f+"a/x", "", "Destination: "+f+"c/../x")
	g.want(400, "COPY", f+"a/x", "", "Destination: "+f+"c/a%2fb")
	g.want(400, "COPY", f+"a/", "", "Destination: "+f+"d/", "Depth: 1")
	g.want(400, "MOVE", f+"a/", "", "Destination: "+f+"d/", "Depth: 0")
	g.want(502, "COPY", f+"a/x", "", "Destination: http://elsewhere.example.org"+f+"x")
	g.want(201, "COPY", f+"a/x", "", "Destination: https://DAV.example.org:443"+f+"x") // behind a proxy that ends TLS
	g.want(409, "COPY", f+"a/x", "", "Destination: "+f+"none/x")
	g.want(404, "COPY", f+"none", "", "Destination: "+f+"z")
	g.want(403, "COPY", f+"a/", "", "Destination: "+f+"a/b/c/")
	g.want(403, "MOVE", f+"a/", "", "Destination: "+f+"a/b/c/")
	g.want(403, "MOVE", f+"a/b/", "", "Destination: "+f+"a/")
	g.want(403, "MOVE", f+"a/", "", "Destination: "+f+"a")
	g.want(403, "MOVE", f, "", "Destination: "+f+"z/")
	g.want(403, "COPY", f+"a/x", "", "Destination: "+g.home("addressbooks"))
	g.want(403, "COPY", f+"a/x", "", "Destination: "+HomeHref(g.bob.ID, "files")+"x")
	g.want(403, "MOVE", f+"a/x", "", "Destination: "+g.book()+"x.vcf").has(t, "<CR:valid-address-data>")
	g.want(201, "MOVE", f+"a/", "", "Destination: "+f+"moved")
	g.want(404, "GET", f+"a/x", "")
	if r := g.want(200, "GET", f+"moved/b/y", ""); r.body != "y" {
		t.Errorf("moved is %q", r.body)
	}
	g.want(204, "MOVE", f+"moved/x", "", "Destination: "+f+"c")
	if r := g.want(200, "GET", f+"c", ""); r.body != "x" {
		t.Errorf("a file over a folder is %q", r.body)
	}
	g.want(201, "PUT", g.book()+"a.vcf", card("a"))
	g.want(403, "COPY", g.book()+"a.vcf", "", "Destination: "+g.book()+"b.vcf").has(t, "no-uid-conflict", g.book()+"a.vcf")
	g.want(201, "MOVE", g.book()+"a.vcf", "", "Destination: "+g.book()+"b.vcf")
}

func TestDeletedCollection(t *testing.T) {
	g := newRig(t)
	g.want(201, "PUT", g.book()+"a.vcf", card("a"))
	g.want(204, "DELETE", g.book(), "")
	g.want(404, "PROPFIND", g.book(), "", "Depth: 1")
	g.want(404, "REPORT", g.book(), syncBody("", ""))
	g.want(404, "GET", g.book()+"a.vcf", "")
	g.want(404, "PUT", g.book()+"a.vcf", card("a"))
	g.want(207, "PROPFIND", g.home("addressbooks"), "", "Depth: 1").lacks(t, "/default/")
}

// token asks a collection for its sync token.
func (g *rig) token(at string) string {
	g.t.Helper()
	r := g.want(207, "PROPFIND", at, find("D:sync-token"), "Depth: 0")
	_, rest, _ := strings.Cut(r.body, "<D:sync-token>")
	token, _, ok := strings.Cut(rest, "</D:sync-token>")
	if !ok {
		g.t.Fatalf("no sync token in %s", r.body)
	}
	return token
}
