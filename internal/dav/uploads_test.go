package dav

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/core"
	"holdfast/internal/store"
	"holdfast/internal/uploads"
	"holdfast/internal/vfs/crashfs"
)

// arrives lets a rig's files arrive in chunks.
func arrives(t testing.TB) rigOption {
	disk := crashfs.New(crashfs.Options{}).FS()
	return func(c *core.Options, o *Options) {
		s, err := uploads.Open(uploads.Options{FS: disk, Dir: "/uploads", Clock: c.Clock})
		if err != nil {
			t.Fatal(err)
		}
		o.Uploads = s
	}
}

func (g *rig) upload(names ...string) string {
	return "/dav/uploads/" + g.alice.ID.String() + "/" + strings.Join(names, "/")
}

// begin begins an upload with chunks, numbered from 1.
func (g *rig) begin(name string, chunks ...string) (whole string) {
	g.t.Helper()
	g.want(201, "MKCOL", g.upload(name), "")
	for i, c := range chunks {
		g.want(201, "PUT", g.upload(name, fmt.Sprintf("%05d", i+1)), c)
		whole += c
	}
	return whole
}

const seconds2009 = "X-OC-MTime: 1234567890"

// TestAFileInChunks goes the way of Nextcloud's programs, with files that are bodies and files beside the engine.
func TestAFileInChunks(t *testing.T) {
	for what, opts := range map[string][]rigOption{"bodies": {locking}, "blobs": {locking, large}} {
		t.Run(what, func(t *testing.T) {
			g := newRig(t, append(opts, arrives(t))...)
			f := g.files() + "film"
			first, second, last := strings.Repeat("0123456789", 60_000), strings.Repeat("abcdefghij", 60_000), "end"
			total := "OC-Total-Length: " + strconv.Itoa(len(first)+len(second)+len(last))
			g.want(201, "MKCOL", g.upload("u1")+"/", "", "Destination: http://dav.example.org"+f, total)
			g.want(405, "MKCOL", g.upload("u1"), "", "Destination: "+f)
			for n, octets := range map[string]string{"10": last, "1": first, "2": "to be replaced"} {
				r := g.want(201, "PUT", g.upload("u1", n), octets, "Destination: "+f, total)
				if want := etagText(holdfast.HashOf([]byte(octets))); r.Header.Get("ETag") != want || r.Header.Get("OC-ETag") != want {
					t.Errorf("chunk %s: %v", n, r.Header)
				}
			}
			g.want(204, "PUT", g.upload("u1", "2"), second)
			g.want(404, "GET", f, "")
			g.want(207, "PROPFIND", g.files(), "", "Depth: 1").lacks(t, "film", "u1")
			g.want(405, "GET", g.upload("u1", "1"), "")
			sum := sha1.Sum([]byte(first + second + last))
			r := g.want(201, "MOVE", g.upload("u1", ".file"), "", "Destination: "+f, total, seconds2009, "OC-Checksum: SHA1:"+hex.EncodeToString(sum[:]))
			etag := etagText(holdfast.HashOf([]byte(first + second + last)))
			for name, want := range map[string]string{"ETag": etag, "OC-ETag": etag, "X-OC-MTime": "accepted", "OC-Checksum": "SHA256:" + strings.Trim(etag, `"`)} {
				if got := r.Header.Get(name); got != want {
					t.Errorf("%s is %q", name, got)
				}
			}
			if r.Header.Get("OC-FileId") == "" || !strings.Contains(r.Header.Get("Holdfast-Receipt"), "seq=") {
				t.Errorf("%v", r.Header)
			}
			if got := g.want(200, "GET", f, ""); got.body != first+second+last || got.Header.Get("ETag") != etag || got.Header.Get("Last-Modified") != "Fri, 13 Feb 2009 23:31:30 GMT" {
				t.Errorf("%d octets, %v", len(got.body), got.Header)
			}
			g.want(404, "PROPFIND", g.upload("u1"), "", "Depth: 1")
			g.want(404, "PUT", g.upload("u1", "3"), "x")
			id := r.Header.Get("OC-FileId")
			g.begin("u2", "new")
			if r := g.want(204, "MOVE", g.upload("u2", ".file"), "", "Destination: "+f); r.Header.Get("OC-FileId") != id || r.Header.Get("X-OC-MTime") != "" {
				t.Errorf("%v", r.Header)
			}
			g.want(200, "GET", f, "").has(t, "new")
		})
	}
}

// TestWhatIsThereOfAnUpload: a client that was cut off asks, and sends the rest.
func TestWhatIsThereOfAnUpload(t *testing.T) {
	g := newRig(t, arrives(t))
	g.begin("an upload", "first", "second")
	broken := g.send("PUT", g.upload("an%20upload", "00003"), &cut{100_000}, 200_000)
	if broken.StatusCode != 400 {
		t.Errorf("status %d", broken.StatusCode)
	}
	at := g.upload("an%20upload") + "/"
	ask := find("D:resourcetype", "D:getcontentlength", "D:quota-used-bytes")
	g.want(207, "PROPFIND", strings.TrimSuffix(at, "/"), ask, "Depth: 1").has(t, "<D:href>"+at+"</D:href>", "<D:href>"+at+"00001</D:href>", "<D:getcontentlength>5<", "<D:href>"+at+"00002</D:href>", "<D:getcontentlength>6<",
		"<D:resourcetype><D:collection/></D:resourcetype>", "<D:quota-used-bytes/></D:prop><D:status>HTTP/1.1 404").lacks(t, "00003")
	g.want(207, "PROPFIND", at, "", "Depth: 0").has(t, "<D:collection/>", "getlastmodified").lacks(t, "00001")
	g.want(207, "PROPFIND", at+"00002", "").has(t, "<D:getcontentlength>6<", "<D:resourcetype></D:resourcetype>", "getetag")
	g.want(207, "PROPFIND", at, `<D:propfind xmlns:D="DAV:"><D:propname/></D:propfind>`).has(t, "<D:getcontentlength/>")
	g.want(207, "PROPFIND", g.upload(), ask, "Depth: 1").has(t, at)
	cloud := "/remote.php/dav/uploads/alice@example.org/an%20upload/"
	g.want(207, "PROPFIND", cloud, ask, "Depth: 1").has(t, cloud+"00001")
	for _, gone := range []string{at + "00003", g.upload("other"), g.upload("other", "1")} {
		g.want(404, "PROPFIND", gone, ask)
		g.want(404, "DELETE", gone, "")
	}
	g.want(204, "DELETE", at+"00001", "")
	g.want(207, "PROPFIND", at, ask).lacks(t, "00001")
	g.want(204, "DELETE", at, "")
	g.want(404, "PROPFIND", at, ask)
	g.want(404, "MOVE", at+".file", "", "Destination: "+g.files()+"f")
}

// TestAnUploadThatIsNotWhole becomes no file, and stays as it is.
func TestAnUploadThatIsNotWhole(t *testing.T) {
	g := newRig(t, arrives(t))
	f := g.files() + "f"
	g.begin("u", "first", "second")
	g.want(400, "MOVE", g.upload("u", ".file"), "")
	g.want(400, "MOVE", g.upload("u", ".file"), "", "Destination: "+f, "OC-Total-Length: 12").has(t, "11 octets")
	g.want(400, "MOVE", g.upload("u", ".file"), "", "Destination: "+f, "OC-Total-Length: 0x")
	g.want(400, "MOVE", g.upload("u", ".file"), "", "Destination: "+f, "OC-Checksum: SHA1:"+strings.Repeat("00", 20)).has(t, "checksum")
	g.want(400, "MOVE", g.upload("u", ".file"), "", "Destination: "+f, "OC-Checksum: SHA1:none")
	g.want(404, "GET", f, "")
	g.want(400, "PUT", g.upload("u", "00002"), "second", "OC-Checksum: MD5:"+strings.Repeat("00", 16))
	g.want(400, "PUT", g.upload("u", "00002"), "second", "Content-Range: bytes 0-5/10")
	g.want(400, "PUT", g.upload("u", strings.Repeat("0", 101)), "second")
	g.want(201, "MOVE", g.upload("u", ".file"), "", "Destination: "+f)

	g.want(201, "MKCOL", g.upload("said"), "", "OC-Total-Length: 6") // the length that was said at the beginning
	g.want(201, "PUT", g.upload("said", "1"), "first")
	g.want(400, "MOVE", g.upload("said", ".file"), "", "Destination: "+f)
	g.want(201, "MKCOL", g.upload("none"), "")
	g.want(400, "MOVE", g.upload("none", ".file"), "", "Destination: "+f).has(t, "no chunk")
	g.want(204, "DELETE", g.upload("none"), "")
	g.want(201, "MKCOL", g.upload("none"), "", "OC-Total-Length: 0")
	g.want(204, "MOVE", g.upload("none", ".file"), "", "Destination: "+f)

	name := func(a, b int) string { return g.upload("ranges", fmt.Sprintf("%015d-%015d", a, b)) } // rclone's
	g.want(201, "MKCOL", g.upload("ranges"), "")
	g.want(201, "PUT", name(0, 3), "0123")
	g.want(201, "PUT", name(8, 9), "89")
	g.want(400, "MOVE", g.upload("ranges", ".file"), "", "Destination: "+f).has(t, "000000000000008")
	g.want(201, "PUT", name(4, 7), "4567")
	g.want(204, "MOVE", g.upload("ranges", ".file"), "", "Destination: "+f)
	if got := g.want(200, "GET", f, "").body; got != "0123456789" {
		t.Errorf("it is %q", got)
	}

	for chunks, missing := range map[string]string{"1 2 4": "3", "0 1 3": "2", "2 3": "1", "00001 00003": "2", "1": "", "0 1 2": "", "3 4": "", "0 10485760": "", "1 2 b": "", "1 01 2": ""} {
		g.want(201, "MKCOL", g.upload("numbers"), "")
		for name := range strings.FieldsSeq(chunks) {
			g.want(201, "PUT", g.upload("numbers", name), "x")
		}
		if missing != "" {
			g.want(400, "MOVE", g.upload("numbers", ".file"), "", "Destination: "+f).has(t, "chunk number "+missing+" ")
		}
		total := fmt.Sprint("OC-Total-Length: ", len(strings.Fields(chunks))) // who says it knows what he numbers
		if missing == "" {
			total = seconds2009
		}
		g.want(204, "MOVE", g.upload("numbers", ".file"), "", "Destination: "+f, total)
	}
}

// TestTheEndOfAnUploadIsAPut: conditions and locks are those of the destination.
func TestTheEndOfAnUploadIsAPut(t *testing.T) {
	g := newRig(t, arrives(t), locking)
	f := g.files() + "f"
	n := 0
	move := func(status int, headers ...string) reply {
		t.Helper()
		n++
		g.begin(fmt.Sprint("u", n), fmt.Sprint("version ", n))
		return g.want(status, "MOVE", g.upload(fmt.Sprint("u", n), ".file"), "", append(headers, "Destination: "+f)...)
	}
	old := move(201, "If-None-Match: *").Header.Get("ETag")
	move(412, "If-None-Match: *")
	move(412, "Overwrite: F")
	move(412, `If-Match: "x"`)
	etag := move(204, "If-Match: "+old, "Overwrite: T").Header.Get("ETag")
	move(412, "If: <"+f+"> (["+old+"])") // as Nextcloud's desktop says it
	etag = move(204, "If: <"+f+"> (["+etag+"])").Header.Get("ETag")
	move(204, "If: (["+etag+"])")
	token := g.lock(200, f, "exclusive")
	move(423).has(t, f)
	move(204, "If: ("+token+")")
	move(204, "If: <"+f+"> ("+token+")")
	g.want(204, "UNLOCK", f, "", "Lock-Token: "+token)
	move(412, "If: ("+token+")")

	g.begin("last", "x")
	for where, status := range map[string]int{g.files() + "none/f": 409, g.files() + "f/": 405, g.files(): 405, g.book() + "f": 403, g.upload("u"): 403, g.home(holdfast.HomeCalendars, "default") + "f": 403,
		"http://elsewhere.example.org" + f: 502, "/dav/files/" + g.bob.ID.String() + "/f": 403, "/other": 404} {
		r := g.do("MOVE", g.upload("last", ".file"), "", "Destination: "+where)
		if r.StatusCode != status {
			t.Errorf("to %s: status %d, want %d\n%s", where, r.StatusCode, status, r.body)
		}
	}
	for _, m := range []string{"COPY", "MOVE"} {
		g.want(405, m, g.upload("last"), "", "Destination: "+g.files()+"g")
		g.want(403, m, f, "", "Destination: "+g.upload("last", "2"))
	}
	for _, m := range []string{"GET", "HEAD", "PROPPATCH", "REPORT", "LOCK", "UNLOCK", "POST", "ACL", "PATCH"} {
		for _, at := range []string{g.upload(), g.upload("last"), g.upload("last", "00001"), g.upload("last", ".file")} {
			g.want(405, m, at, "")
		}
	}
	if allow := g.want(200, "OPTIONS", g.upload("last"), "").Header.Get("Allow"); allow != "OPTIONS, PROPFIND, MKCOL, DELETE" {
		t.Errorf("Allow: %s", allow)
	}
	g.want(403, "PROPFIND", "/dav/uploads/"+g.bob.ID.String()+"/", "")
	g.want(404, "PROPFIND", "/dav/uploads/", "")
	g.want(404, "PROPFIND", g.upload("a", "b", "c"), "")
	g.want(401, "PROPFIND", g.upload(), "", "Authorization: ")
}

// TestAnEndThatIsSaidTwice meets itself: the answer to the first was lost.
func TestAnEndThatIsSaidTwice(t *testing.T) {
	g := newRig(t, arrives(t))
	f := g.files() + "f"
	g.want(201, "PUT", f, "old")
	g.begin("u", "new")
	first := g.want(204, "MOVE", g.upload("u", ".file"), "", "Destination: "+f, seconds2009)
	again := func() {
		t.Helper()
		r := g.want(204, "MOVE", g.upload("u", ".file"), "", "Destination: "+f, seconds2009)
		for _, h := range []string{"ETag", "OC-ETag", "OC-FileId", "X-OC-MTime", "Holdfast-Receipt"} {
			if r.Header.Get(h) != first.Header.Get(h) {
				t.Errorf("%s is %q, and was %q", h, r.Header.Get(h), first.Header.Get(h))
			}
		}
	}
	again()
	g.want(204, "PUT", f, "newer")
	again()
	g.want(200, "GET", f, "").has(t, "newer")
	g.want(404, "MOVE", g.upload("u", ".file"), "", "Destination: "+g.files()+"other")
	g.begin("u", "another file") // of the same name
	g.want(201, "MOVE", g.upload("u", ".file"), "", "Destination: "+g.files()+"other")
	g.want(200, "GET", g.files()+"other", "").has(t, "another file")
}

// TestWhatIsTooMuchIsSaidEarly: an upload that cannot become a file is refused when it begins, or at its next chunk, and what is not a file yet counts.
func TestWhatIsTooMuchIsSaidEarly(t *testing.T) {
	g := newRig(t, arrives(t), func(c *core.Options, _ *Options) { c.Limits.Quota, c.Limits.Resource = 100_000, 50_000 })
	f := g.files() + "f"
	g.want(201, "PUT", f, strings.Repeat("x", 40_000))
	g.want(413, "MKCOL", g.upload("u"), "", "OC-Total-Length: 50001")
	g.want(413, "MKCOL", g.upload("u"), "", "OC-Total-Length: 50001", "Destination: "+g.files()+"g")
	g.want(201, "PUT", g.files()+"h", strings.Repeat("x", 50_000))
	g.want(507, "MKCOL", g.upload("u"), "", "OC-Total-Length: 20000")
	g.want(507, "MKCOL", g.upload("u"), "", "OC-Total-Length: 20000", "Destination: "+g.files()+"g")
	g.want(201, "MKCOL", g.upload("u"), "", "OC-Total-Length: 45000", "Destination: "+f) // in the place of 40,000
	refused := func(status int, octets int64, headers ...string) {
		t.Helper()
		body := &counting{}
		if r := g.send("PUT", g.upload("u", "1"), body, octets, headers...); r.StatusCode != status || body.n > 0 {
			t.Errorf("status %d, want %d; %d octets were read\n%s", r.StatusCode, status, body.n, r.body)
		}
	}
	refused(413, 50_001)
	refused(507, 20_000)
	refused(507, 20_000, "Destination: "+g.files()+"g")
	refused(507, 100, "OC-Total-Length: 20000", "Destination: "+g.files()+"g")
	g.want(507, "PUT", g.upload("u", "1"), strings.Repeat("x", 20_000)).has(t, "quota-not-exceeded")
	g.want(201, "PUT", g.upload("u", "1"), strings.Repeat("x", 45_000), "Destination: "+f)
	g.want(201, "MKCOL", g.upload("v"), "")
	g.want(507, "PUT", g.upload("v", "1"), strings.Repeat("x", 5_000)) // 90,000 are files, and 45,000 arrive
	g.want(204, "MOVE", g.upload("u", ".file"), "", "Destination: "+f)
	g.want(201, "PUT", g.upload("v", "1"), strings.Repeat("x", 4_000))
}

type counting struct{ n int }

func (c *counting) Read(p []byte) (int, error) { c.n += len(p); return len(p), nil }

// TestAnEndThatIsSaidWhileTheFirstWorks waits for it, and the first goes on when its client is gone.
func TestAnEndThatIsSaidWhileTheFirstWorks(t *testing.T) {
	slow := &slowCopies{}
	g := newRig(t, arrives(t), large, slowly(slow))
	whole := g.begin("u", strings.Repeat("0123456789", 10_000))
	f := g.files() + "f"
	var all sync.WaitGroup
	answers := make([]reply, 4)
	move := func(i int) {
		answers[i] = g.do("MOVE", g.upload("u", ".file"), "", "Destination: "+f)
	}
	all.Go(func() { move(0) })
	<-slow.begun
	for i := 1; i < len(answers); i++ {
		all.Go(func() { move(i) })
	}
	if r := g.do("MOVE", g.upload("u", ".file"), "", "Destination: "+g.files()+"other"); r.StatusCode != 503 || r.Header.Get("Retry-After") == "" {
		t.Errorf("to another place: status %d", r.StatusCode)
	}
	g.want(503, "PUT", g.upload("u", "2"), "x")
	g.want(503, "DELETE", g.upload("u"), "")
	time.Sleep(10 * time.Millisecond) // the others wait by now; if not, they are told all the same
	close(slow.told)
	all.Wait()
	for i, r := range answers {
		if r.StatusCode != http.StatusCreated || r.Header.Get("ETag") != answers[0].Header.Get("ETag") {
			t.Errorf("%d: status %d\n%s", i, r.StatusCode, r.body)
		}
	}
	if got := g.want(200, "GET", f, "").body; got != whole {
		t.Errorf("%d octets", len(got))
	}
	if n := slow.n.Load(); n != 1 {
		t.Errorf("it was stored %d times", n)
	}
}

// TestTheEndOfAnUploadOutlivesItsClient: what was begun is ended, and who asks again is told.
func TestTheEndOfAnUploadOutlivesItsClient(t *testing.T) {
	slow := &slowCopies{}
	g := newRig(t, arrives(t), large, slowly(slow))
	g.begin("u", strings.Repeat("0123456789", 10_000))
	ctx, leave := context.WithCancel(t.Context())
	r := httptest.NewRequestWithContext(ctx, "MOVE", "http://dav.example.org"+g.upload("u", ".file"), nil)
	r.SetBasicAuth("alice@example.org", "secret")
	r.Header.Set("Destination", g.files()+"f")
	w, ended := httptest.NewRecorder(), make(chan struct{})
	go func() { defer close(ended); g.handler.ServeHTTP(w, r) }()
	<-slow.begun
	leave()
	close(slow.told)
	if <-ended; w.Code != 201 {
		t.Errorf("status %d", w.Code)
	}
	g.want(201, "MOVE", g.upload("u", ".file"), "", "Destination: "+g.files()+"f")
	g.want(200, "GET", g.files()+"f", "")
}

// TestAnUploadThatFindsNoRoom is refused and loses nothing of what came before.
func TestAnUploadThatFindsNoRoom(t *testing.T) {
	full := false
	g := newRig(t, func(c *core.Options, o *Options) {
		s, err := uploads.Open(uploads.Options{Dir: t.TempDir(), Clock: c.Clock, Room: func(int64) bool { return !full }})
		if err != nil {
			t.Fatal(err)
		}
		o.Uploads = s
	})
	g.begin("u", "first")
	full = true
	g.want(507, "PUT", g.upload("u", "00002"), "second").has(t, "nearly full")
	g.want(207, "PROPFIND", g.upload("u"), "").has(t, "00001").lacks(t, "00002")
	full = false
	g.want(201, "PUT", g.upload("u", "00002"), "second")
	g.want(201, "MOVE", g.upload("u", ".file"), "", "Destination: "+g.files()+"f")
}

// slowCopies take a blob only when they are told to.
type slowCopies struct {
	core.Copies
	engine store.Engine
	begun  chan struct{}
	told   chan struct{}
	n      atomic.Int64 // blobs
}

func (s *slowCopies) Ready() error { return nil }

func (s *slowCopies) Wait(context.Context, uint64) ([]string, string, error) {
	return []string{"engine"}, "engine", nil
}

func (s *slowCopies) Acked() uint64 { return s.engine.Position().Batch }

func (s *slowCopies) AwaitAcked(context.Context, uint64) error { return nil }

var _ core.BlobCopies = (*slowCopies)(nil)

func (s *slowCopies) PutBlob(ctx context.Context, _ holdfast.ID, _ holdfast.Blob, _ blob.Opener) error {
	if s.n.Add(1) == 1 {
		close(s.begun)
	}
	select {
	case <-s.told:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// slowly gives a rig copies that take a blob only when they are told to.
func slowly(s *slowCopies) rigOption {
	s.begun, s.told = make(chan struct{}), make(chan struct{})
	return func(c *core.Options, _ *Options) { c.Copies, s.engine = s, c.Engine }
}

// TestAGuestSendsChunks into a folder that is shared with him to write; whoever may only read it, or may not any more, is told so when he begins.
func TestAGuestSendsChunks(t *testing.T) {
	c := newHearth(t, arrives(t))
	const at, to = "/dav/uploads/{me}/u/", "Destination: " + hung + "film"
	for who, status := range map[string]int{"rita": 403, "rex": 201, "walt": 201} { // rex has a folder of that name to make yet, for all that is known
		if r := c.wantAs(status, who, "MKCOL", at, "", to); status == 403 {
			r.has(t, "need-privileges", c.path(who, "<D:href>"+hung+"</D:href>"))
		}
	}
	c.wantAs(201, "rita", "MKCOL", at, "")
	for _, who := range []string{"rita", "rex", "walt"} {
		c.wantAs(201, who, "PUT", at+"1", strings.Repeat("octets of a film ", 10))
	}
	c.wantAs(403, "rita", "MOVE", at+".file", "", to).has(t, "need-privileges")
	c.wantAs(403, "rita", "PUT", at+"2", "x", to).has(t, "need-privileges")
	c.wantAs(409, "rex", "MOVE", at+".file", "", to)
	token := c.locks(200, "alice", filing+"top/Family/f.txt")
	c.wantAs(423, "walt", "MOVE", at+".file", "", "Destination: "+hung+"f.txt")
	c.wantAs(204, "alice", "UNLOCK", filing+"top/Family/f.txt", "", "Lock-Token: <"+token+">")
	c.wantAs(201, "walt", "MOVE", at+".file", "", to)
	c.wantAs(201, "walt", "MOVE", at+".file", "", to) // asked again
	if got := c.wantAs(200, "alice", "GET", filing+"top/Family/film", "").body; got != strings.Repeat("octets of a film ", 10) {
		t.Errorf("the owner has %d octets", len(got))
	}
	c.wantAs(201, "walt", "MKCOL", at, "", to)
	c.wantAs(201, "walt", "PUT", at+"1", "too late")
	c.endFolder(t, "alice", "top/Family", "walt")
	c.wantAs(409, "walt", "MOVE", at+".file", "", to)
}
