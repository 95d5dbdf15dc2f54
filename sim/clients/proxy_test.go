package clients

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"testing"
)

// proxy stands between a client and the server and writes every request down: "207 PROPFIND /dav/".
type proxy struct {
	url string

	mu    sync.Mutex
	lines []string
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
	}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	p.url = s.URL
	return p
}

func (p *proxy) log() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.lines)
}

// escape makes a name a segment of a URL.
func escape(name string) string { return url.PathEscape(name) }
