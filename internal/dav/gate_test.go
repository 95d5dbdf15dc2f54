package dav

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/core"
)

// TestPlacesForUploads: an account alone has half of them, and one that has none finds one as long as there are more places than accounts.
func TestPlacesForUploads(t *testing.T) {
	g := gate{most: 100}
	fill := func(n byte) (took int) {
		for g.enter(holdfast.ID{n}) {
			took++
		}
		return took
	}
	if n := fill(0); n != 50 {
		t.Errorf("one alone has %d", n)
	}
	for n := byte(1); n < 20; n++ {
		if !g.enter(holdfast.ID{n}) {
			t.Fatalf("number %d finds none", n)
		}
	}
	for range 50 {
		g.leave(holdfast.ID{})
	}
	if n := fill(20); n != 41 { // 19 have one each
		t.Errorf("the next one has %d", n)
	}
	for n := byte(1); n < 20; n++ {
		g.leave(holdfast.ID{n})
	}
	for range 41 {
		g.leave(holdfast.ID{20})
	}
	if g.all != 0 || len(g.of) != 0 {
		t.Errorf("%d places are taken, by %d", g.all, len(g.of))
	}
}

// pipe is a body that comes when it is told to.
type pipe struct {
	*io.PipeReader
	w    *io.PipeWriter
	read chan struct{} // closed with the first read
	once bool
}

func newPipe() *pipe {
	r, w := io.Pipe()
	return &pipe{PipeReader: r, w: w, read: make(chan struct{})}
}

func (p *pipe) Read(b []byte) (int, error) {
	if !p.once {
		p.once = true
		close(p.read)
	}
	return p.PipeReader.Read(b)
}

// TestTooManyUploadsAreToldEarly: with the places taken by slow ones the next is refused before its octets are read, and another account's is served.
func TestTooManyUploadsAreToldEarly(t *testing.T) {
	g := newRig(t, arrives(t), large, func(_ *core.Options, o *Options) { o.MaxUploads = 4 })
	other := holdfast.Principal{Account: g.bob.ID}
	signIn := g.handler.o.Authenticate
	g.handler.o.Authenticate = func(r *http.Request) (holdfast.Principal, error) {
		if r.Header.Get("Bob") != "" {
			return other, nil
		}
		return signIn(r)
	}
	g.begin("u")
	const size = 100_000
	var slow []*pipe
	ended := make(chan reply, 2)
	for _, at := range []string{g.files() + "slow", g.upload("u", "1")} {
		p := newPipe()
		slow = append(slow, p)
		go func() { ended <- g.send("PUT", at, p, size) }()
		<-p.read
	}
	for _, at := range []string{g.files() + "next", g.upload("u", "2")} {
		body := &counting{}
		r := g.send("PUT", at, body, size, "Expect: 100-continue")
		if r.StatusCode != 503 || r.Header.Get("Retry-After") == "" || body.n > 0 {
			t.Errorf("status %d, %v, %d octets were read", r.StatusCode, r.Header, body.n)
		}
	}
	g.want(201, "PUT", g.files()+"small", strings.Repeat("x", 1000))
	r := httptest.NewRequest("PUT", "http://dav.example.org"+HomeHref(g.bob.ID, holdfast.HomeFiles)+"f", strings.NewReader(strings.Repeat("x", size)))
	r.Header.Set("Bob", "yes")
	w := httptest.NewRecorder()
	if g.handler.ServeHTTP(w, r); w.Code != 201 {
		t.Errorf("another account: status %d", w.Code)
	}
	for _, p := range slow {
		go func() { p.w.Write(make([]byte, size)); p.w.Close() }()
	}
	for range slow {
		select {
		case r := <-ended:
			if r.StatusCode != 201 {
				t.Errorf("a slow one: status %d", r.StatusCode)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("a slow one does not end")
		}
	}
	g.want(201, "PUT", g.files()+"next", strings.Repeat("x", size))
}

// TestADiskWithoutRoom is told before the octets come.
func TestADiskWithoutRoom(t *testing.T) {
	g := newRig(t, func(_ *core.Options, o *Options) { o.Room = func(n int64) bool { return n < 100_000 } })
	body := &counting{}
	if r := g.send("PUT", g.files()+"f", body, 1<<20, "Expect: 100-continue"); r.StatusCode != 507 || body.n > 0 {
		t.Errorf("status %d, %d octets were read", r.StatusCode, body.n)
	}
	g.want(201, "PUT", g.files()+"f", strings.Repeat("x", 90_000))
}

// TestADiskThatFillsMeanwhile ends what nobody said the length of, and what found room at its beginning, before the disk is full to its last octet: contacts and events still need some.
func TestADiskThatFillsMeanwhile(t *testing.T) {
	asked := 0
	g := newRig(t, large, func(_ *core.Options, o *Options) { o.Room = func(int64) bool { asked++; return asked < 3 } })
	for _, length := range []int64{-1, 1 << 30} {
		asked = 0
		body := &counting{}
		r := g.send("PUT", g.files()+"f", io.LimitReader(body, 100<<20), length)
		if r.StatusCode != 507 || body.n > 49<<20 {
			t.Errorf("of the length %d: status %d, %d octets were read", length, r.StatusCode, body.n)
		}
		g.want(404, "GET", g.files()+"f", "")
	}
	asked = 0
	g.want(201, "PUT", g.files()+"f", strings.Repeat("x", 90_000))
}

// TestSmallChunksNeedPlacesToo, as each holds the buffers of a large one while it comes.
func TestSmallChunksNeedPlacesToo(t *testing.T) {
	g := newRig(t, arrives(t), large, func(_ *core.Options, o *Options) { o.MaxUploads = 2 })
	g.begin("u")
	slow, ended := newPipe(), make(chan reply, 1)
	go func() { ended <- g.send("PUT", g.upload("u", "1"), slow, 10) }()
	<-slow.read
	body := &counting{}
	if r := g.send("PUT", g.upload("u", "2"), io.LimitReader(body, 10), 10, "Expect: 100-continue"); r.StatusCode != 503 || body.n > 0 {
		t.Errorf("status %d, %d octets were read", r.StatusCode, body.n)
	}
	slow.w.Write(make([]byte, 10))
	slow.w.Close()
	if r := <-ended; r.StatusCode != 201 {
		t.Errorf("the slow one: status %d", r.StatusCode)
	}
	g.want(201, "PUT", g.upload("u", "2"), "octets")
}

// idler is a client that takes nothing of the answer's body until it is let.
type idler struct {
	*httptest.ResponseRecorder
	once  sync.Once
	begun chan struct{}
	let   chan struct{}
}

func (u *idler) Write(p []byte) (int, error) {
	u.once.Do(func() { close(u.begun) })
	<-u.let
	return u.ResponseRecorder.Write(p)
}

// TestTooManyReadersAreToldEarly: with the places taken by clients that do not go on reading the next one of that account is told so, with a status on which nobody lets go of a file; small files and other accounts are served.
func TestTooManyReadersAreToldEarly(t *testing.T) {
	g := newRig(t, large, func(_ *core.Options, o *Options) { o.MaxDownloads = 4 })
	const size = 100_000
	g.want(201, "PUT", g.files()+"f", strings.Repeat("x", size))
	g.want(201, "PUT", g.files()+"small", "x")
	let, ended := make(chan struct{}), make(chan int, 2)
	for range 2 {
		r := httptest.NewRequest("GET", "http://dav.example.org"+g.files()+"f", nil)
		r.SetBasicAuth("alice@example.org", "secret")
		w := &idler{ResponseRecorder: httptest.NewRecorder(), begun: make(chan struct{}), let: let}
		go func() { g.handler.ServeHTTP(w, r); ended <- w.Body.Len() }()
		<-w.begun
	}
	if r := g.do("GET", g.files()+"f", ""); r.StatusCode != 503 || r.Header.Get("Retry-After") == "" {
		t.Errorf("status %d, %v", r.StatusCode, r.Header)
	}
	g.want(200, "HEAD", g.files()+"f", "")
	g.want(200, "GET", g.files()+"small", "")
	close(let)
	for range 2 {
		if n := <-ended; n != size {
			t.Errorf("%d octets came", n)
		}
	}
	g.want(200, "GET", g.files()+"f", "")
}
