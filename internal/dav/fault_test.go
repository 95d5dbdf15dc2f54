package dav

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/davxml"
	"holdfast/internal/store"
)

// faulty is an engine that can be broken.
type faulty struct {
	store.Engine
	snapshot error                 // what Snapshot answers
	child    error                 // what Child answers
	chain    error                 // what Chain answers
	broken   int                   // breaks the n-th snapshot from now; 0: none
	listing  int                   // after how many members a listing fails; 0: never
	ahead    bool                  // the store lacks what the devices have seen
	commit   func(context.Context) // runs once, before the next commit
}

func (e *faulty) Commit(ctx context.Context, g *holdfast.Group) (holdfast.Receipt, error) {
	if fn := e.commit; fn != nil {
		e.commit = nil
		fn(ctx)
	}
	return e.Engine.Commit(ctx, g)
}

func (e *faulty) Snapshot(ctx context.Context) (store.Snapshot, error) {
	if e.snapshot != nil {
		return nil, e.snapshot
	}
	if e.broken > 0 {
		if e.broken--; e.broken == 0 {
			return nil, &holdfast.Error{Op: "test.Snapshot", Kind: holdfast.Unavailable}
		}
	}
	s, err := e.Engine.Snapshot(ctx)
	return &faultySnapshot{s, e}, err
}

type faultySnapshot struct {
	store.Snapshot
	e *faulty
}

func (s *faultySnapshot) List(c holdfast.ID, after string, limit int, f store.Fields, fn func(*holdfast.Resource) error) error {
	n := 0
	return s.Snapshot.List(c, after, limit, f, func(r *holdfast.Resource) error {
		if n++; s.e.listing > 0 && n > s.e.listing {
			return &holdfast.Error{Op: "test.List", Kind: holdfast.Corrupt, Ref: r.Name, Err: errors.New("page 17 is torn")}
		}
		return fn(r)
	})
}

func (s *faultySnapshot) Child(parent holdfast.ID, name string) (holdfast.Collection, error) {
	if s.e.child != nil {
		return holdfast.Collection{}, s.e.child
	}
	return s.Snapshot.Child(parent, name)
}

func (s *faultySnapshot) Chain(a holdfast.ID, seq uint64) (store.Head, error) {
	if s.e.chain != nil {
		return store.Head{}, s.e.chain
	}
	h, err := s.Snapshot.Chain(a, seq)
	if s.e.ahead {
		h.Chain[0] ^= 1
	}
	return h, err
}

func newFaulty(t *testing.T, options ...rigOption) (*rig, *faulty) {
	e := &faulty{}
	g := newRig(t, append(options, wrapped(func(in store.Engine) store.Engine { e.Engine = in; return e }))...)
	return g, e
}

func TestInDoubtIs503Everywhere(t *testing.T) {
	g, e := newFaulty(t, arrives(t), func(c *core.Options, _ *Options) { c.Limits.DirectoryTTL = 1 }) // nothing is known by heart
	g.want(201, "PUT", g.book()+"a.vcf", card("a"))
	g.begin("u", "a")
	for _, kind := range []holdfast.ErrorKind{holdfast.InDoubt, holdfast.Unavailable, holdfast.Corrupt, holdfast.Fenced} {
		e.snapshot = &holdfast.Error{Op: "test.Snapshot", Kind: kind, Err: errors.New("a secret cause")}
		for _, at := range []string{"/", "/dav/", "/dav/principals/", PrincipalHref(g.alice.ID), g.home("addressbooks"), g.book(), g.book() + "a.vcf", g.book() + "none.vcf",
			"/remote.php/dav/", "/remote.php/webdav/x", "/dav/addressbooks/alice@example.org/default/", g.home("files", "none") + "x",
			g.upload(), g.upload("u"), g.upload("u", "00001"), g.upload("none", "1"), g.upload("u", ".file")} {
			g.clock.Advance(time.Second)
			for _, m := range []string{"PROPFIND", "REPORT", "GET", "PUT", "DELETE", "MKCOL", "PROPPATCH", "COPY"} {
				body := map[string]string{"REPORT": `<D:principal-match xmlns:D="DAV:"><D:self/></D:principal-match>`, "PUT": card("b")}[m]
				r := g.do(m, at, body, "Depth: 0", "Destination: "+g.files()+"x")
				above := strings.Count(strings.TrimPrefix(at, "/remote.php"), "/") <= 3 && at != "/remote.php/webdav/x" || strings.Contains(at, "/principals/")
				if r.StatusCode != 503 && (!above || m == "PROPFIND" || m == "REPORT") { // what cannot be written anywhere is told so
					t.Errorf("%v: %s %s: status %d\n%s", kind, m, at, r.StatusCode, r.body)
				}
				if s := r.StatusCode; s == 401 || s == 404 || s == 410 || s == 207 {
					t.Errorf("%v: %s %s: status %d", kind, m, at, s)
				}
				if r.StatusCode == 503 && r.Header.Get("Retry-After") != "300" {
					t.Errorf("%v: %s %s: Retry-After %q", kind, m, at, r.Header.Get("Retry-After"))
				}
				r.lacks(t, "secret cause")
			}
		}
	}
	e.snapshot = nil
	g.auth = &holdfast.Error{Op: "test", Kind: holdfast.Unavailable, Retry: 90 * time.Second}
	if r := g.want(503, "PROPFIND", "/dav/", ""); r.Header.Get("Retry-After") != "90" {
		t.Errorf("Retry-After: %q", r.Header.Get("Retry-After"))
	}
}

func TestSuspendedAccountIs503(t *testing.T) {
	g := newRig(t, arrives(t))
	_, err := g.core.UpdateAccount(t.Context(), holdfast.Actor{}, g.alice.ID, func(r *holdfast.AccountRecord) error { r.State = holdfast.Suspended; return nil })
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{"/dav/", PrincipalHref(g.alice.ID), g.book(), g.book() + "x.vcf", g.upload(), g.upload("u")} {
		g.want(503, "PROPFIND", at, "", "Depth: 0")
	}
}

func TestTokenOfALostHistoryIs503(t *testing.T) {
	g, e := newFaulty(t, arrives(t))
	g.begin("u", "a")
	token := g.token(g.book())
	e.ahead = true
	r := g.want(503, "REPORT", g.book(), syncBody(token, ""))
	r.lacks(t, "multistatus", "valid-sync-token")
	if r.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	e.ahead = false
	g.want(503, "REPORT", g.book(), syncBody(token, "")) // the account stays in doubt until an operator settles it
	for _, m := range []string{"PROPFIND", "MKCOL", "DELETE"} {
		g.want(503, m, g.upload("u"), "")
	}
	g.want(503, "MOVE", g.upload("u", ".file"), "", "Destination: "+g.files()+"f")
	if err := g.core.Settle(t.Context(), g.alice.ID); err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{"/dav/", PrincipalHref(g.alice.ID), g.home("addressbooks"), g.book(), g.book() + "x.vcf"} {
		g.want(503, "PROPFIND", at, "", "Depth: 0") // and its device until what it has seen is there, or given up
	}
	if err := g.core.Reconsider(t.Context()); err != nil {
		t.Fatal(err)
	}
	g.want(207, "REPORT", g.book(), syncBody(token, ""))
}

// Where the collection itself is lost, its token still tells that it was there.
func TestTokenOfALostCollectionIs503(t *testing.T) {
	lost := func(g *rig) []string {
		return []string{g.home("addressbooks", "gone"), strings.TrimSuffix(g.home("addressbooks", "gone"), "/"),
			g.home("addressbooks", "none", "deep"), g.home("addressbooks"), g.home("files", "now-a-folder")}
	}
	for i := range 5 {
		g, e := newFaulty(t)
		g.want(201, "MKCOL", g.home("addressbooks", "gone"), "")
		g.want(201, "MKCOL", g.home("files", "now-a-folder"), "")
		token := g.token(g.home("addressbooks", "gone"))
		g.want(204, "DELETE", g.home("addressbooks", "gone"), "")
		at := lost(g)[i]
		r := g.do("REPORT", at, syncBody(token, ""))
		if r.StatusCode != 404 && r.StatusCode != 403 {
			t.Errorf("%s: status %d where the history is whole", at, r.StatusCode)
		}
		if r = g.do("REPORT", at, syncBody("urn:holdfast:sync:x", "")); r.StatusCode != 404 && r.StatusCode != 403 {
			t.Errorf("%s: status %d for a token of nobody's", at, r.StatusCode)
		}
		e.chain = &holdfast.Error{Op: "test.Chain", Kind: holdfast.Unavailable}
		g.want(503, "REPORT", at, syncBody(token, ""))
		e.chain, e.ahead = nil, true
		g.want(503, "REPORT", at, syncBody(token, "")).lacks(t, "multistatus")
	}
}

// An If header with a token that cannot be judged is neither true nor false.
func TestStateTokenThatCannotBeJudged(t *testing.T) {
	for _, method := range []string{"PUT", "PROPFIND", "GET"} {
		for _, not := range []string{"", "Not "} {
			g, e := newFaulty(t)
			g.want(201, "PUT", g.book()+"a.vcf", card("a"))
			tag := "If: <" + g.book() + "> (" + not + "<" + g.token(g.book()) + ">)"
			body := map[string]string{"PUT": card("a")}[method]
			e.chain = &holdfast.Error{Op: "test.Chain", Kind: holdfast.Unavailable}
			g.want(503, method, g.book()+"a.vcf", body, tag)
			e.chain, e.ahead = nil, true
			g.want(503, method, g.book()+"a.vcf", body, tag)
		}
	}
}

// A listing that fails midway must not come out as a shorter one.
func TestListingThatFailsMidway(t *testing.T) {
	g, e := newFaulty(t)
	for i := range 20 {
		g.want(201, "PUT", g.book()+fmt.Sprint(i), card(fmt.Sprint(i)))
	}
	e.listing = 10
	for _, c := range []struct{ method, body string }{{"PROPFIND", find("D:getetag")}, {"GET", ""}} {
		g.want(503, c.method, g.book(), c.body, "Depth: 1").lacks(t, "multistatus", "<li>", "page 17")
	}
	if d, err := g.core.Devices(t.Context(), g.alice.ID); err != nil || len(d[0].Seen) != 0 {
		t.Errorf("a listing that was not given counts as seen: %+v, %v", d, err)
	}
}

func TestSlowListingIsGivenUp(t *testing.T) {
	g := newRig(t)
	for i := range 200 {
		g.want(201, "PUT", g.book()+fmt.Sprint(i), card(fmt.Sprint(i)))
	}
	slow := Property{Name: davxml.CSMeCard, Where: AtMember, Write: func(w *davxml.Writer, q *Query, _ *Target, _ *davxml.Element) { g.clock.Advance(time.Second) }}
	g.handler.o.Clock = g.clock
	g.handler.tableFor(kindOfPlace{where: AtMember, ct: holdfast.TypeAddressbook}).props[slow.Name] = &slow
	g.want(503, "PROPFIND", g.book(), find("CS:me-card"), "Depth: 1").lacks(t, "multistatus")
}

func TestLargeAnswerGoesThroughAFile(t *testing.T) {
	dir := t.TempDir()
	g := newRig(t, func(_ *core.Options, o *Options) { o.SpoolDir = dir })
	note := strings.Repeat("x", 3000)
	for i := range 600 {
		g.want(201, "PUT", g.book()+fmt.Sprintf("%03d-%s.vcf", i, note[:200]), card(fmt.Sprint(i)))
	}
	many := find("D:getetag", "D:acl", "D:supported-privilege-set", "D:current-user-privilege-set")
	r := g.want(207, "PROPFIND", g.book(), many, "Depth: 1")
	if len(r.body) < spoolMemory*3/2 || fmt.Sprint(len(r.body)) != r.Header.Get("Content-Length") {
		t.Fatalf("%d octets, Content-Length %s", len(r.body), r.Header.Get("Content-Length"))
	}
	root, err := davxml.ParseBytes([]byte(r.body), davxml.Limits{Octets: 64 << 20, Elements: 1 << 20})
	if err != nil || len(root.Children) != 601 {
		t.Fatalf("%d responses, %v", len(root.Children), err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("files are left behind: %v, %v", left, err)
	}
	g.handler.o.SpoolDir = dir + "/none"
	r = g.want(503, "PROPFIND", g.book(), many, "Depth: 1")
	if r.lacks(t, "multistatus", "none"); r.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After where there is no room")
	}
}

// A client that is cut off must not take what it got for all.
func TestAnswerThatCannotBeSentBreaksTheConnection(t *testing.T) {
	g := newRig(t)
	defer func() {
		if p := recover(); p != http.ErrAbortHandler {
			t.Errorf("the handler ended with %v", p)
		}
	}()
	r := httptest.NewRequest("PROPFIND", "http://dav.example.org"+g.book(), nil)
	r.SetBasicAuth("alice", "secret")
	r.Header.Set("Depth", "1")
	g.handler.ServeHTTP(brokenWriter{httptest.NewRecorder()}, r)
}

type brokenWriter struct{ http.ResponseWriter }

func (brokenWriter) Write(b []byte) (int, error) { return len(b) / 2, io.ErrClosedPipe }

func TestFaultsAreLoggedOnce(t *testing.T) {
	var log strings.Builder
	g, e := newFaulty(t, func(_ *core.Options, o *Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	g.want(404, "GET", g.book()+"none", "")
	if log.Len() > 0 {
		t.Errorf("a 404 is logged: %s", log.String())
	}
	e.listing = 1
	g.want(201, "PUT", g.book()+"a", card("a"))
	g.want(201, "PUT", g.book()+"b", card("b"))
	r := g.want(503, "PROPFIND", g.book(), "", "Depth: 1")
	if strings.Count(log.String(), "page 17 is torn") != 1 || !strings.Contains(log.String(), "request-1") || r.Header.Get("X-Request-Id") != "request-1" {
		t.Errorf("log: %s", log.String())
	}
}

// What If-Unmodified-Since saw must still be there inside the commit.
func TestUnmodifiedSinceIsJudgedInsideTheCommit(t *testing.T) {
	g, e := newFaulty(t)
	g.want(201, "PUT", g.files()+"x", "1")
	e.commit = func(context.Context) { g.want(204, "PUT", g.files()+"x", "2") }
	g.want(412, "PUT", g.files()+"x", "3", "If-Unmodified-Since: "+start.Format(http.TimeFormat))
	e.commit = func(context.Context) { g.want(204, "PUT", g.files()+"x", "4") }
	g.want(412, "DELETE", g.files()+"x", "", "If-Unmodified-Since: "+start.Format(http.TimeFormat))
}

// served is a rig behind a real server.
func served(t *testing.T, options ...rigOption) (*rig, *httptest.Server) {
	g := newRig(t, options...)
	s := httptest.NewServer(g.handler)
	t.Cleanup(s.Close)
	return g, s
}

// raw sends octets and returns the status line that comes back.
func raw(t *testing.T, s *httptest.Server, request string) string {
	t.Helper()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

func TestBodyThatStops(t *testing.T) {
	g, s := served(t, func(_ *core.Options, o *Options) { o.BodyIdle = 50 * time.Millisecond })
	head := " HTTP/1.1\r\nHost: dav.example.org\r\nAuthorization: Basic YTpzZWNyZXQ=\r\nContent-Length: 1000\r\n\r\nBEGIN:VCARD"
	if got := raw(t, s, "PUT "+g.book()+"a.vcf"+head); got != "HTTP/1.1 408 Request Timeout" {
		t.Errorf("PUT: %s", got)
	}
	if got := raw(t, s, "PROPFIND "+g.book()+head); got != "HTTP/1.1 408 Request Timeout" {
		t.Errorf("PROPFIND: %s", got)
	}
	if got := raw(t, s, "PUT /elsewhere"+head); got != "HTTP/1.1 404 Not Found" { // nobody reads this body
		t.Errorf("PUT elsewhere: %s", got)
	}
	g.want(404, "GET", g.book()+"a.vcf", "")
}

func TestBodyThatTrickles(t *testing.T) {
	g, s := served(t, func(_ *core.Options, o *Options) { o.BodyTotal = 100 * time.Millisecond })
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "PUT %s HTTP/1.1\r\nHost: dav.example.org\r\nAuthorization: Basic YTpzZWNyZXQ=\r\nContent-Length: 1000000\r\n\r\n", g.files()+"x")
	stop := make(chan bool)
	defer close(stop)
	go func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				io.WriteString(c, "x") // fails once the server has enough, and then there is an answer
			}
		}
	}()
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil || !strings.Contains(line, "408") {
		t.Errorf("%q, %v", line, err)
	}
}

func TestConnectionOutlivesTheBodysDeadline(t *testing.T) {
	e := &faulty{}
	short := func(_ *core.Options, o *Options) { o.BodyIdle, o.WriteIdle = 50*time.Millisecond, 50*time.Millisecond }
	g, s := served(t, short, wrapped(func(in store.Engine) store.Engine { e.Engine = in; return e }))
	for range 3 {
		e.commit = func(ctx context.Context) { // a commit that takes longer than the deadline of a body
			<-time.After(100 * time.Millisecond)
			if ctx.Err() != nil {
				t.Error("the deadline of the body ended the request")
			}
		}
		r, _ := http.NewRequest("PUT", s.URL+g.book()+"a.vcf", strings.NewReader(card("a")))
		r.SetBasicAuth("a", "secret")
		a, err := s.Client().Do(r)
		if err != nil || a.StatusCode >= 300 {
			t.Fatal(a, err)
		}
		a.Body.Close()
	}
}

func TestUnknownLength(t *testing.T) {
	g, s := served(t, func(c *core.Options, _ *Options) { c.Limits.Resource = 1000 })
	for _, c := range []struct{ octets, status int }{{1000, 201}, {1001, 413}} {
		r, _ := http.NewRequest("PUT", s.URL+g.files()+fmt.Sprint(c.octets), io.MultiReader(strings.NewReader(strings.Repeat("x", c.octets))))
		r.SetBasicAuth("a", "secret")
		a, err := s.Client().Do(r)
		if err != nil || a.StatusCode != c.status {
			t.Fatal(c.octets, a, err)
		}
		a.Body.Close()
	}
}
