package dav

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/davxml"
)

// hostile is a request that must be refused with a 4xx and a sentence, or answered as if it were harmless.
type hostile struct {
	name, method, at, body string
	headers                []string
	status                 int
}

func hostileRequests(g *rig) []hostile {
	prop := func(inner string) string {
		return `<D:propfind xmlns:D="DAV:"><D:prop>` + inner + `</D:prop></D:propfind>`
	}
	entities := `<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">` + strings.Repeat(`<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;">`, 10) + `]>` + prop("&b;")
	manyHrefs := `<D:sync-collection xmlns:D="DAV:"><D:sync-token>` + strings.Repeat("x", 900_000) + `</D:sync-token><D:sync-level>1</D:sync-level><D:prop/></D:sync-collection>`
	return []hostile{
		{"broken XML", "PROPFIND", g.book(), "<D:propfind", nil, 400},
		{"cut XML", "PROPFIND", g.book(), `<D:propfind xmlns:D="DAV:"><D:prop>`, nil, 400},
		{"no namespace", "PROPFIND", g.book(), `<propfind><prop/></propfind>`, nil, 400},
		{"undeclared prefix", "PROPFIND", g.book(), `<D:propfind><D:prop/></D:propfind>`, nil, 400},
		{"another root", "PROPFIND", g.book(), `<D:mkcol xmlns:D="DAV:"/>`, nil, 400},
		{"prop and allprop", "PROPFIND", g.book(), `<D:propfind xmlns:D="DAV:"><D:prop/><D:allprop/></D:propfind>`, nil, 400},
		{"entity bomb", "PROPFIND", g.book(), entities, nil, 403},
		{"external entity", "PROPFIND", g.book(), `<!DOCTYPE x SYSTEM "file:///etc/passwd">` + prop(""), nil, 403},
		{"depth bomb", "PROPFIND", g.book(), prop(strings.Repeat("<D:a>", 50_000)), nil, 413},
		{"many properties", "PROPFIND", g.book(), prop(strings.Repeat("<D:a/>", 5000)), nil, 413},
		{"large XML", "PROPFIND", g.book(), prop(strings.Repeat(" ", 2<<20)), nil, 413},
		{"NUL in XML", "PROPFIND", g.book(), prop("\x00"), nil, 400},
		{"invalid UTF-8 in XML", "PROPFIND", g.book(), prop("<D:a>\xff</D:a>"), nil, 400},
		{"odd encoding", "PROPFIND", g.book(), `<?xml version="1.0" encoding="EBCDIC-1"?>` + prop(""), nil, 415},
		{"compressed XML", "PROPFIND", g.book(), "\x1f\x8b", []string{"Content-Encoding: gzip"}, 415},
		{"long sync token", "REPORT", g.book(), manyHrefs, nil, 403},
		{"limit 0", "REPORT", g.book(), syncBody("", "<D:limit><D:nresults>0</D:nresults></D:limit>"), nil, 400},
		{"negative limit", "REPORT", g.book(), syncBody("", "<D:limit><D:nresults>-1</D:nresults></D:limit>"), nil, 400},
		{"huge limit", "REPORT", g.book(), syncBody("", "<D:limit><D:nresults>2147483647</D:nresults></D:limit>"), nil, 207},
		{"overflowing limit", "REPORT", g.book(), syncBody("", "<D:limit><D:nresults>99999999999999999999</D:nresults></D:limit>"), nil, 400},
		{"expansion bomb", "REPORT", g.book(), expandBomb(30), nil, 207},
		{"deep expansion", "REPORT", g.book(), expandBomb(300), nil, 413},
		{"odd depth", "PROPFIND", g.book(), "", []string{"Depth: 1, 1"}, 400},
		{"long If", "PUT", g.book() + "a.vcf", card("a"), []string{"If: (" + strings.Repeat("<a:b>", 300) + ")"}, 431},
		{"huge If", "PUT", g.book() + "a.vcf", card("a"), []string{"If: (" + strings.Repeat("<a:b>", 30_000) + ")"}, 431},
		{"huge If-Match", "PUT", g.book() + "a.vcf", card("a"), []string{"If-Match: " + strings.Repeat(`"x",`, 30_000)}, 431},
		{"many conditions", "PROPPATCH", g.book(), `<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><D:displayname/></D:prop></D:set></D:propertyupdate>`,
			[]string{"If: " + strings.Repeat("(<a:b>)", 200), "If-Match: " + strings.TrimSuffix(strings.Repeat(`"x",`, 200), ",")}, 400},
		{"If with a foreign path", "PUT", g.book() + "a.vcf", card("a"), []string{"If: <" + HomeHref(g.bob.ID, "files") + `x> (["x"])`}, 412},
		{"If with ..", "PUT", g.book() + "a.vcf", card("a"), []string{`If: </dav/../x> (["x"])`}, 412},
		{"Destination of another account", "MOVE", g.files() + "x", "", []string{"Destination: " + HomeHref(g.bob.ID, "files") + "x"}, 403},
		{"Destination with ..", "COPY", g.files() + "x", "", []string{"Destination: " + g.files() + "../" + g.bob.ID.String() + "/x"}, 400},
		{"Destination with %2e%2e", "COPY", g.files() + "x", "", []string{"Destination: " + g.files() + "%2e%2e/x"}, 400},
		{"Destination with a user", "COPY", g.files() + "x", "", []string{"Destination: http://a:b@dav.example.org" + g.files() + "y"}, 400},
		{"Destination without a host", "COPY", g.files() + "x", "", []string{"Destination: //elsewhere.example.org/x"}, 400},
		{"Destination of another scheme", "COPY", g.files() + "x", "", []string{"Destination: file:///etc/passwd"}, 400},
		{"a property without end", "PROPPATCH", g.book(), `<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><D:displayname>`, nil, 400},
		{"a huge property", "PROPPATCH", g.book(), `<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><D:displayname>` + strings.Repeat("x", 300<<10) + `</D:displayname></D:prop></D:set></D:propertyupdate>`, nil, 413},
		{"too many properties", "PROPPATCH", g.book(), manyProps(300), nil, 413},
		{"an admin's record", "GET", "/dav/account/" + g.alice.ID.String() + "/device", "", nil, 404},
		{"the root's records", "PROPFIND", "/dav/addressbooks/" + g.alice.ID.String() + "/../token-key", "", nil, 400},
		{"upper case id", "PROPFIND", strings.ToUpper(g.book()), "", nil, 404},
		{"id with a case", "PROPFIND", strings.Replace(g.book(), g.alice.ID.String(), strings.ToUpper(g.alice.ID.String()), 1), "", nil, 403},
		{"a login that is none", "PROPFIND", "/dav/addressbooks/a:b@c/default/", "", nil, 403},
		{"a long name", "PUT", g.files() + strings.Repeat("%C3%A9", 128), "x", nil, 400},
		{"name of 255 octets", "PUT", g.files() + strings.Repeat("x", 255), "x", nil, 201},
		{"MKCOL with dots", "MKCOL", g.files() + "../x", "", nil, 400},
		{"a name with a control character", "PUT", g.files() + "a%0ab", "x", nil, 400},
		{"a name with a direction mark", "PUT", g.files() + "a%E2%80%AEb", "x", nil, 201}, // a name, octet for octet
	}
}

func expandBomb(depth int) string {
	const p = `<D:property name="principal-URL"><D:property name="owner"/>`
	return `<D:expand-property xmlns:D="DAV:"><D:property name="current-user-principal">` + strings.Repeat(p, depth) + strings.Repeat(`</D:property>`, depth) + `</D:property></D:expand-property>`
}

func manyProps(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "<X:p%d/>", i)
	}
	return `<D:propertyupdate xmlns:D="DAV:" xmlns:X="urn:x"><D:set><D:prop>` + b.String() + `</D:prop></D:set></D:propertyupdate>`
}

func TestHostileRequests(t *testing.T) {
	g := newRig(t)
	g.want(201, "PUT", g.files()+"x", "x")
	requests := hostileRequests(g)
	for in, status := range badPaths {
		if _, err := url.ParseRequestURI(in); err == nil { // others net/http refuses itself
			requests = append(requests, hostile{"path " + short(in), "PROPFIND", in, "", nil, status})
		}
	}
	for _, c := range requests {
		headers := c.headers
		if c.method == "PROPFIND" && !strings.Contains(c.name, "depth") {
			headers = append(headers, "Depth: 0")
		}
		r := g.do(c.method, c.at, c.body, headers...)
		if r.StatusCode != c.status {
			t.Errorf("%s: status %d, want %d\n%s", c.name, r.StatusCode, c.status, r.body)
		}
		if r.StatusCode < 400 {
			continue
		}
		root, err := davxml.ParseBytes([]byte(r.body), davxml.DefaultLimits())
		if err != nil || root.Name != davxml.DError || len(root.Child(davxml.Name{Space: NSHoldfast, Local: "message"}).TrimText()) < 15 {
			t.Errorf("%s: no sentence: %v\n%s", c.name, err, r.body)
		}
	}
	before, err := g.core.Account(context.Background(), g.bob.ID.String())
	if err != nil || before.Seq != g.bob.Seq {
		t.Errorf("somebody else's account changed: %+v, %v", before, err)
	}
}

func TestUnicodeNamesStayApart(t *testing.T) {
	g := newRig(t)
	composed, decomposed := g.files()+"caf%C3%A9", g.files()+"cafe%CC%81"
	g.want(201, "PUT", composed, "1")
	g.want(201, "PUT", decomposed, "2")
	if a, b := g.want(200, "GET", composed, ""), g.want(200, "GET", decomposed, ""); a.body != "1" || b.body != "2" {
		t.Errorf("%q, %q", a.body, b.body)
	}
	g.want(207, "PROPFIND", g.files(), find("D:getetag"), "Depth: 1").has(t, "<D:href>"+composed+"</D:href>", "<D:href>"+decomposed+"</D:href>")
}

func TestOctetsStayAsTheyAre(t *testing.T) {
	g := newRig(t)
	for i, octets := range []string{"", "\x00\xff\r\n\r", "lone\rCR", strings.Repeat("x", 1<<20), "\xef\xbb\xbfBOM"} {
		at := g.files() + fmt.Sprint(i)
		g.want(201, "PUT", at, octets)
		r := g.want(200, "GET", at, "")
		if r.body != octets || r.Header.Get("ETag") != etagText(holdfast.HashOf([]byte(octets))) {
			t.Errorf("%d: octets changed", i)
		}
	}
}

// Every mutation that is acknowledged carries its receipt, and each of them another.
func TestReceipts(t *testing.T) {
	g := newRig(t)
	f := g.files()
	seen := map[string]bool{}
	for _, c := range []struct {
		method, at, body string
		headers          []string
	}{
		{"MKCOL", f + "a/", "", nil},
		{"PUT", f + "a/x", "1", nil},
		{"PUT", f + "a/x", "2", nil},
		{"PROPPATCH", f + "a/x", manyProps(1), nil},
		{"PROPPATCH", f + "a/", manyProps(1), nil},
		{"COPY", f + "a/x", "", []string{"Destination: " + f + "y"}},
		{"MOVE", f + "y", "", []string{"Destination: " + f + "z"}},
		{"COPY", f + "a/", "", []string{"Destination: " + f + "b/"}},
		{"POST", f + "a/?add-member", "3", nil},
		{"DELETE", f + "z", "", nil},
		{"DELETE", f + "a/", "", nil},
	} {
		r := g.do(c.method, c.at, c.body, c.headers...)
		receipt := r.Header.Get("Holdfast-Receipt")
		if r.StatusCode >= 300 || !strings.HasPrefix(receipt, "epoch=1, seq=") || !strings.Contains(receipt, `copies=("engine")`) || seen[receipt] {
			t.Errorf("%s %s: status %d, receipt %q\n%s", c.method, c.at, r.StatusCode, receipt, r.body)
		}
		seen[receipt] = true
	}
}

// A server that is not asked for conditions still gives times that conditions can be made of.
func TestUnmodifiedSinceOnDelete(t *testing.T) {
	g := newRig(t)
	g.want(201, "PUT", g.files()+"x", "1")
	g.clock.Advance(time.Hour)
	g.want(204, "PUT", g.files()+"x", "2")
	g.want(412, "DELETE", g.files()+"x", "", "If-Unmodified-Since: "+start.Format(http.TimeFormat))
	g.want(204, "DELETE", g.files()+"x", "", "If-Unmodified-Since: "+g.clock.Now().Format(http.TimeFormat))
	g.want(404, "DELETE", g.files()+"x", "", "If-Unmodified-Since: "+start.Format(http.TimeFormat))
}
