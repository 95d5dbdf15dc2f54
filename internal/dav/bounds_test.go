package dav

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"holdfast/internal/core"
	"holdfast/internal/davxml"
)

// many is a PROPFIND of n properties that nothing has.
func many(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `<p%d xmlns="urn:%040d"/>`, i, i)
	}
	return `<propfind xmlns="DAV:"><prop>` + b.String() + `</prop></propfind>`
}

func TestAnswerIsBounded(t *testing.T) {
	g := newRig(t, func(_ *core.Options, o *Options) { o.MaxAnswer = 512 << 10 })
	for i := range 60 {
		g.want(201, "PUT", g.book()+fmt.Sprint(i), card(fmt.Sprint(i)))
	}
	r := g.want(507, "PROPFIND", g.book(), many(200), "Depth: 1")
	r.lacks(t, "multistatus")
	r.has(t, "number-of-matches-within-limits", "ask for less at once")
	g.want(207, "PROPFIND", g.book(), many(20), "Depth: 1")
	g.want(413, "PROPFIND", g.book(), many(201), "Depth: 0")
	g.handler.o.MaxAnswer = 1000
	g.want(507, "GET", g.book(), "").lacks(t, "<li>")
	if used := g.handler.spools.used.Load(); used != 0 {
		t.Errorf("%d octets are counted as waiting", used)
	}
}

func TestSpoolsTogetherAreBounded(t *testing.T) {
	g := newRig(t, func(_ *core.Options, o *Options) { o.SpoolTotal = 1 << 20 })
	g.want(201, "PUT", g.book()+"a.vcf", card("a"))
	if !g.handler.spools.take(1<<20 - 100) { // others
		t.Fatal("the budget is not there")
	}
	r := g.want(503, "PROPFIND", g.book(), "", "Depth: 1")
	if r.lacks(t, "multistatus"); r.Header.Get("Retry-After") != "60" {
		t.Errorf("Retry-After: %q", r.Header.Get("Retry-After"))
	}
	g.handler.spools.give(1<<20 - 100)
	g.want(207, "PROPFIND", g.book(), "", "Depth: 1")
	if used := g.handler.spools.used.Load(); used != 0 {
		t.Errorf("%d octets are counted as waiting", used)
	}
}

// slow is a writer that takes a minute for each piece.
type slow struct {
	*httptest.ResponseRecorder
	g         *rig
	deadlines []time.Time
}

func (s *slow) SetWriteDeadline(t time.Time) error {
	s.deadlines = append(s.deadlines, t)
	return nil
}

func (s *slow) Write(b []byte) (int, error) {
	s.g.clock.Advance(59 * time.Second)
	return s.ResponseRecorder.Write(b)
}

// One who reads a little now and then must not keep an answer for ever.
func TestSlowReaderIsCut(t *testing.T) {
	g := newRig(t, func(_ *core.Options, o *Options) { o.WriteRate = 1 << 20 })
	for i := range 100 {
		g.want(201, "PUT", g.book()+fmt.Sprint(i), card(fmt.Sprint(i)))
	}
	g.want(201, "PUT", g.files()+"large", strings.Repeat("x", 2<<20))
	g.handler.o.Clock = g.clock
	for _, c := range []struct{ method, at, body string }{{"PROPFIND", g.book(), many(200)}, {"GET", g.files() + "large", ""}} {
		r := httptest.NewRequest(c.method, "http://dav.example.org"+c.at, strings.NewReader(c.body))
		r.SetBasicAuth("alice", "secret")
		r.Header.Set("Depth", "1")
		w, began := &slow{ResponseRecorder: httptest.NewRecorder(), g: g}, g.clock.Now()
		g.handler.ServeHTTP(w, r)
		size := w.Body.Len()
		if w.Code >= 300 || size < 1<<20 || len(w.deadlines) < 2 || !w.Flushed {
			t.Fatalf("%s: status %d, %d octets, %d deadlines", c.method, w.Code, size, len(w.deadlines))
		}
		most := began.Add(time.Minute + time.Duration(size>>20)*time.Second)
		for i, d := range w.deadlines[:len(w.deadlines)-1] {
			if d.IsZero() || d.After(most) {
				t.Errorf("%s: the deadline %d is %v after the beginning", c.method, i, d.Sub(began))
			}
		}
		if !w.deadlines[len(w.deadlines)-1].IsZero() {
			t.Errorf("%s: the connection keeps a deadline", c.method)
		}
	}
}

// hang is a body that comes only so far.
type hang struct {
	io.Reader
	there chan bool // closed when what came was read
	end   chan bool
}

func (h *hang) Read(p []byte) (int, error) {
	n, err := h.Reader.Read(p)
	if err == io.EOF {
		close(h.there)
		<-h.end
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}

// Bodies that do not end must not hold all memory.
func TestBodiesTogetherAreBounded(t *testing.T) {
	g := newRig(t, func(c *core.Options, o *Options) { o.BodyBudget = 4 << 20; o.Limits = davxml.Limits{Octets: 4 << 20} })
	g.want(201, "PUT", g.files()+"large", strings.Repeat("x", 2<<20))
	g.want(207, "PROPFIND", g.book(), `<propfind xmlns="DAV:"><allprop/><!--`+strings.Repeat("x", 500<<10)+`--></propfind>`, "Depth: 0")
	if used := g.handler.bodies.used.Load(); used != 0 {
		t.Fatalf("%d octets are counted as held", used)
	}
	var stalled []*hang
	done := make(chan bool)
	for i := range 3 {
		h := &hang{strings.NewReader(strings.Repeat("x", 1<<20-10)), make(chan bool), make(chan bool)}
		stalled = append(stalled, h)
		go func() {
			defer func() { done <- true }()
			g.send("PUT", g.files()+fmt.Sprint(i), h, -1)
		}()
		select {
		case <-h.there:
		case <-done:
			t.Fatalf("the body %d was refused", i)
		}
	}
	large := strings.Repeat("x", 2<<20)
	for _, c := range []struct{ method, at, body string }{{"PUT", g.files() + "more", large}, {"POST", g.files() + "?add-member", large},
		{"PROPFIND", g.book(), `<propfind xmlns="DAV:"><allprop/><!--` + large + `--></propfind>`}} {
		r := g.want(503, c.method, c.at, c.body)
		if r.Header.Get("Retry-After") != "60" || !strings.Contains(r.body, "try again") {
			t.Errorf("%s: Retry-After %q\n%s", c.method, r.Header.Get("Retry-After"), r.body)
		}
	}
	g.want(201, "PUT", g.book()+"small.vcf", card("small")) // what is small is always taken
	g.want(207, "PROPFIND", g.book(), "", "Depth: 1")
	for _, h := range stalled {
		close(h.end)
		<-done
	}
	if used := g.handler.bodies.used.Load(); used != 0 {
		t.Errorf("%d octets are counted as held", used)
	}
	g.want(201, "PUT", g.files()+"more", large)
}

func TestBodiesComeWhole(t *testing.T) {
	g := newRig(t, func(c *core.Options, o *Options) { c.Limits.Resource = 1 << 20 })
	for _, n := range []int{0, 1, trusted - 1, trusted, trusted + 1, 2 * trusted, 2*trusted + 1, 1<<20 - 1, 1 << 20} {
		octets := strings.Repeat("0123456789abcdef", n/16+1)[:n]
		for _, length := range []int64{int64(n), -1} {
			at := g.files() + fmt.Sprint(n, length > 0)
			if r := g.send("PUT", parseURL(at).EscapedPath(), strings.NewReader(octets), length); r.StatusCode >= 300 {
				t.Fatalf("%d octets: %d %s", n, r.StatusCode, r.body)
			}
			if r := g.want(200, "GET", parseURL(at).EscapedPath(), ""); r.body != octets {
				t.Errorf("%d octets came out as %d", n, len(r.body))
			}
		}
	}
	for _, length := range []int64{1<<20 + 1, -1} {
		if r := g.send("PUT", g.files()+"x", strings.NewReader(strings.Repeat("x", 1<<20+1)), length); r.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("one octet too many: %d", r.StatusCode)
		}
	}
	for _, length := range []int64{100, 100_000} {
		if r := g.send("PUT", g.files()+"x", strings.NewReader("too short"), length); r.StatusCode != 400 {
			t.Errorf("a body that is cut short: %d", r.StatusCode)
		}
	}
}

func TestDestinationHostOfAProxy(t *testing.T) {
	host := func(r *http.Request) string { return r.Header.Get("X-Forwarded-Host") }
	g := newRig(t, func(_ *core.Options, o *Options) { o.Host, o.Hosts = host, []string{"public.example.org"} })
	g.want(201, "PUT", g.files()+"x", "x")
	to := func(h string) string { return "Destination: https://" + h + g.files() + "y" }
	g.want(502, "COPY", g.files()+"x", "", to("cloud.example.org"))
	g.want(502, "COPY", g.files()+"x", "", to("elsewhere.example.org"), "X-Forwarded-Host: cloud.example.org")
	g.want(201, "COPY", g.files()+"x", "", to("cloud.example.org:443"), "X-Forwarded-Host: cloud.example.org")
	g.want(204, "COPY", g.files()+"x", "", to("public.example.org"), "X-Forwarded-Host: cloud.example.org")
	g.want(412, "PUT", g.files()+"x", "2", "If: <https://cloud.example.org"+g.files()+`x> (["x"])`, "X-Forwarded-Host: cloud.example.org")
}
