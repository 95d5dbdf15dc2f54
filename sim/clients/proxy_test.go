package clients

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"testing"
)

// proxy stands between a client and the server and writes every request down: "207 PROPFIND /dav/". It can disturb them.
type proxy struct {
	url string

	mu    sync.Mutex
	lines []string

	edits sync.Mutex // one edit goes through at a time
	left  int        // edits until then
	then  func()
}

// atEdit has the proxy call then while the nth PUT or DELETE from now is on its way; those after it wait until then has returned.
func (p *proxy) atEdit(n int, then func()) {
	p.edits.Lock()
	defer p.edits.Unlock()
	p.left, p.then = n, then
}

// disturb lets edits through one by one.
func (p *proxy) disturb(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPut && r.Method != http.MethodDelete {
			h.ServeHTTP(w, r)
			return
		}
		p.edits.Lock()
		defer p.edits.Unlock()
		if p.left--; p.left == 0 {
			done := make(chan struct{})
			go func() {
				defer close(done)
				p.then()
			}()
			defer func() { <-done }()
		}
		h.ServeHTTP(w, r)
	})
}

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{}
	h := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(u)
			r.Out.Host = r.In.Host
		},
		ModifyResponse: func(a *http.Response) error {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.lines = append(p.lines, fmt.Sprintf("%d %s %s", a.StatusCode, a.Request.Method, a.Request.URL.Path))
			return nil
		},
		// Where the server breaks off, so does the proxy.
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	s := httptest.NewServer(whole(p.disturb(h)))
	t.Cleanup(s.Close)
	p.url = s.URL
	return p
}

// whole reads a request's body before it is passed on. Otherwise the server's answer may come while the proxy still looks for the body's end, and net/http, which closes
// that body then, breaks off the answer.
func whole(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		h.ServeHTTP(w, r)
	})
}

func (p *proxy) log() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.lines)
}

// escape makes a name a segment of a URL.
func escape(name string) string { return url.PathEscape(name) }
