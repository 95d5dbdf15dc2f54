package dav

import (
	"bytes"
	"encoding/base64"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/core"
)

// modifiedOf asks for a file's time as listings tell it.
func (g *rig) modifiedOf(href string) string {
	g.t.Helper()
	_, rest, _ := strings.Cut(g.want(207, "PROPFIND", href, find("D:getlastmodified"), "Depth: 0").body, "getlastmodified>")
	at, _, _ := strings.Cut(rest, "<")
	return at
}

// TestTheTimeThatAClientSays: a file has the time that its client said, in listings and answers, until a version comes without one.
func TestTheTimeThatAClientSays(t *testing.T) {
	const then = "Fri, 13 Feb 2009 23:31:30 GMT"
	g := newRig(t)
	for _, where := range []string{g.files(), g.home(holdfast.HomeFiles, "box")} {
		if where != g.files() {
			g.want(201, "MKCOL", where, "")
		}
		f := where + "a.jpg"
		r := g.want(201, "PUT", f, "one", "X-OC-MTime: 1234567890")
		if r.Header.Get("X-OC-MTime") != "accepted" {
			t.Error("the time was not accepted")
		}
		if at := g.modifiedOf(f); at != then {
			t.Errorf("it was changed at %s", at)
		}
		g.want(207, "PROPFIND", where, "", "Depth: 1").has(t, then)
		if at := g.want(200, "GET", f, "").Header.Get("Last-Modified"); at != then {
			t.Errorf("Last-Modified is %s", at)
		}
		g.want(201, "COPY", f, "", "Destination: "+where+"b.jpg")
		if at := g.modifiedOf(where + "b.jpg"); at != then {
			t.Errorf("the copy was changed at %s", at)
		}
		g.want(207, "PROPPATCH", f, `<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><D:lastmodified>1234567890.25</D:lastmodified></D:prop></D:set></D:propertyupdate>`).has(t, "200 OK")
		g.want(207, "PROPPATCH", f, `<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><D:lastmodified>yesterday</D:lastmodified></D:prop></D:set></D:propertyupdate>`).has(t, "403 Forbidden")
		g.want(207, "PROPFIND", f, find("D:lastmodified"), "Depth: 0").has(t, "1234567890.25")
		for _, bad := range []string{"", "soon", "0x10", "1e9", "99999999999999", "999999999999"} {
			if r := g.want(204, "PUT", f, "two"+bad, "X-OC-MTime: "+bad); r.Header.Get("X-OC-MTime") != "" {
				t.Errorf("%q was accepted as a time", bad)
			}
			if at := g.modifiedOf(f); at != start.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT") {
				t.Errorf("after %q it was changed at %s", bad, at)
			}
		}
	}
}

// TestAChosenTimeValidatesNothing: octets that were replaced under the time of the old ones are never told to be those.
func TestAChosenTimeValidatesNothing(t *testing.T) {
	const then = "Fri, 13 Feb 2009 23:31:30 GMT"
	g := newRig(t)
	f := g.files() + "a"
	old := g.want(201, "PUT", f, "0123456789", "X-OC-MTime: 1234567890").Header.Get("ETag")
	etag := g.want(204, "PUT", f, "abcdefghij", "X-OC-MTime: 1234567890").Header.Get("ETag")
	g.want(200, "GET", f, "", "If-Modified-Since: "+then).has(t, "abcdefghij")
	g.want(200, "GET", f, "", "Range: bytes=5-", "If-Range: "+then).has(t, "abcdefghij")
	g.want(200, "GET", f, "", "Range: bytes=5-", "If-Range: "+old).has(t, "abcdefghij")
	if r := g.want(206, "GET", f, "", "Range: bytes=5-", "If-Range: "+etag); r.body != "fghij" {
		t.Errorf("the part is %q", r.body)
	}
	g.want(304, "GET", f, "", "If-None-Match: "+etag)
	g.want(412, "GET", f, "", "If-Match: "+old)
}

// TestPartsOfAFile: ranges are those of RFC 9110; HEAD has none and reads nothing.
func TestPartsOfAFile(t *testing.T) {
	g := newRig(t)
	f := g.files() + "a"
	whole := strings.Repeat("0123456789", 20_000)
	g.want(201, "PUT", f, whole)
	for header, want := range map[string]string{"bytes=0-0": "0", "bytes=-3": "789", "bytes=199995-": "56789", "bytes=70001-70003": "123"} {
		if r := g.want(206, "GET", f, "", "Range: "+header); r.body != want {
			t.Errorf("%s: %q", header, r.body)
		}
	}
	g.want(416, "GET", f, "", "Range: bytes=200000-")
	g.want(206, "GET", f, "", "Range: bytes=0-1,5-6").has(t, "bytes 0-1/200000", "bytes 5-6/200000")
	for _, h := range []string{"bytes=0-1", "bytes=0-1,5-6"} {
		if r := g.want(200, "HEAD", f, "", "Range: "+h); r.Header.Get("Content-Length") != strconv.Itoa(len(whole)) || r.body != "" {
			t.Errorf("HEAD with %s: %v %q", h, r.Header, r.body)
		}
	}
}

// cut is a body that breaks off.
type cut struct{ left int }

func (c *cut) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n := min(len(p), c.left)
	c.left -= n
	return n, nil
}

// TestAnUploadThatBreaksOff leaves what was there, and nothing where nothing was.
func TestAnUploadThatBreaksOff(t *testing.T) {
	g := newRig(t)
	f := g.files() + "a"
	broken := func(status int, body io.Reader, length int64, headers ...string) {
		t.Helper()
		if r := g.send("PUT", f, body, length, headers...); r.StatusCode != status {
			t.Errorf("status %d, want %d\n%s", r.StatusCode, status, r.body)
		}
	}
	broken(400, &cut{100_000}, 200_000)
	g.want(404, "GET", f, "")
	g.want(201, "PUT", f, "whole")
	broken(400, &cut{100_000}, 200_000)
	broken(400, &cut{100_000}, -1)
	broken(400, bytes.NewReader(make([]byte, 5)), -1, "X-Expected-Entity-Length: 6")
	broken(400, bytes.NewReader(make([]byte, 7)), -1, "X-Expected-Entity-Length: 6")
	broken(400, strings.NewReader("part"), 4, "Content-Range: bytes 0-3/10")
	broken(415, strings.NewReader("part"), 4, "Content-Encoding: gzip")
	g.want(200, "GET", f, "").has(t, "whole")
	broken(204, bytes.NewReader(make([]byte, 6)), -1, "X-Expected-Entity-Length: 6")
}

// TestBodiesOfFilesAreHeldToTheBudget: what the core holds of uploads counts as other bodies do.
func TestBodiesOfFilesAreHeldToTheBudget(t *testing.T) {
	g := newRig(t, func(_ *core.Options, o *Options) { o.BodyBudget = 100_000 })
	g.want(503, "PUT", g.files()+"a", strings.Repeat("x", 300_000))
	g.want(201, "PUT", g.files()+"a", strings.Repeat("x", 150_000))
	g.want(201, "PUT", g.files()+"b", strings.Repeat("x", 150_000)) // the first let go of what it held
}

// TestALongUploadHasTime: the time for a body grows with what has come of it.
func TestALongUploadHasTime(t *testing.T) {
	g := newRig(t, func(_ *core.Options, o *Options) { o.BodyTotal, o.WriteRate = time.Minute, 1000 })
	q := &request{h: g.handler}
	b := &body{q: q, last: start, rate: 1000}
	b.grow(2500)
	if want := start.Add(2500 * time.Millisecond); !b.last.Equal(want) {
		t.Errorf("it ends at %v, want %v", b.last, want)
	}
}

// TestLargeFiles lie beside the engine. They are read in part, copied and moved as small ones, checked as they come, and cost no budget of bodies.
func TestLargeFiles(t *testing.T) {
	g := newRig(t, large, locking, func(_ *core.Options, o *Options) { o.BodyBudget = 200_000 })
	f, to := g.files()+"film", g.files()+"copy"
	whole := strings.Repeat("0123456789", 1<<18)
	etag := holdfast.HashOf([]byte(whole))
	if r := g.want(201, "PUT", f, whole, "Repr-Digest: sha-256=:"+base64.StdEncoding.EncodeToString(etag[:])+":", "X-OC-MTime: 1234567890"); r.Header.Get("ETag") != etagText(etag) {
		t.Errorf("the ETag is %s", r.Header.Get("ETag"))
	}
	g.want(201, "COPY", f, "", "Destination: "+to)
	g.want(201, "MOVE", to, "", "Destination: "+to+"2")
	for _, at := range []string{f, to + "2"} {
		if r := g.want(200, "GET", at, ""); r.body != whole || r.Header.Get("Last-Modified") != "Fri, 13 Feb 2009 23:31:30 GMT" {
			t.Errorf("%s: %d octets, of %s", at, len(r.body), r.Header.Get("Last-Modified"))
		}
		if r := g.want(206, "GET", at, "", "Range: bytes=1500003-1500005"); r.body != "345" {
			t.Errorf("the part is %q", r.body)
		}
		g.want(207, "PROPFIND", at, find("D:getcontentlength"), "Depth: 0").has(t, ">2621440<")
	}
	g.want(400, "PUT", f, whole+"x", "OC-Checksum: MD5:5d41402abc4b2a76b9719d911017c592")
	if r := g.send("PUT", f, &cut{1 << 20}, 2<<20); r.StatusCode != 400 {
		t.Errorf("one that broke off: %d", r.StatusCode)
	}
	token := g.lock(200, f, "exclusive")
	g.want(423, "PUT", f, whole+"x")
	g.want(204, "PUT", f, whole+"x", "If: ("+token+")")
	g.want(204, "DELETE", f, "", "If: ("+token+")")
	if r := g.want(200, "GET", to+"2", ""); r.body != whole {
		t.Error("the copy went with the original")
	}
}

// TestOctetsThatWereDamagedOnTheirWay are not stored: the client said what they should be.
func TestOctetsThatWereDamagedOnTheirWay(t *testing.T) {
	g := newRig(t)
	f := g.files() + "a"
	const md5, sha1 = "5d41402abc4b2a76b9719d911017c592", "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d" // of "hello"
	const sha256 = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="
	for _, h := range []string{"OC-Checksum: MD5:" + md5, "OC-Checksum: SHA1:" + sha1, "OC-Checksum: sha1:" + strings.ToUpper(sha1) + " ADLER32:062c0215", "Content-Digest: sha-256=:" + sha256 + ":", "Repr-Digest: unixsum=:AAA=:, sha-256=:" + sha256 + ":",
		"Digest: unixsum=30637,SHA-256=" + sha256, "Digest: SHA=qvTGHdzF6KLavt4PO0gs2a6pQ00=", "Digest: md5=XUFAKrxLKna5cZ2REBfFkg==", "Content-MD5: XUFAKrxLKna5cZ2REBfFkg=="} {
		g.want(400, "PUT", f, "hellO", h).has(t, "checksum")
		g.want(404, "GET", f, "")
		g.want(201, "PUT", f, "hello", h)
		g.want(204, "DELETE", f, "")
	}
	for _, h := range []string{"OC-Checksum: MD5:xyz", "OC-Checksum: SHA1:" + md5, "Content-Digest: sha-256=:AAAA:", "Content-Digest: sha-256=" + sha256[1:], "Digest: sha-256=AAAA", "Content-MD5: " + md5} {
		g.want(400, "PUT", f, "hello", h)
	}
	g.want(201, "PUT", f, "hello", "OC-Checksum: CRC32:00")
}

// TestTheAllowanceOfFiles is told, and is not exceeded, however little was said of a file's size.
func TestTheAllowanceOfFiles(t *testing.T) {
	g := newRig(t, func(c *core.Options, _ *Options) { c.Limits.Quota = 100_000 })
	g.want(201, "MKCOL", g.files()+"box", "")
	g.want(201, "PUT", g.files()+"box/a", strings.Repeat("x", 60_000))
	r := g.want(207, "PROPFIND", g.files()+"box/", find("D:quota-available-bytes", "D:quota-used-bytes"), "Depth: 0")
	_, rest, _ := strings.Cut(r.body, "quota-available-bytes>")
	text, _, _ := strings.Cut(rest, "<")
	left, err := strconv.Atoi(text)
	if err != nil || left > 40_000 || left < 30_000 {
		t.Fatalf("%q is left", text)
	}
	g.want(507, "PUT", g.files()+"b", strings.Repeat("x", left+1)).has(t, "quota-not-exceeded")
	if r := g.send("PUT", g.files()+"b", strings.NewReader(strings.Repeat("x", left+1)), -1); r.StatusCode != 507 {
		t.Errorf("in chunks: %d", r.StatusCode)
	}
	g.want(507, "COPY", g.files()+"box", "", "Destination: "+g.files()+"copy")
	g.want(404, "PROPFIND", g.files()+"copy/", "", "Depth: 0")
	g.want(201, "PUT", g.files()+"b", strings.Repeat("x", left))
}
