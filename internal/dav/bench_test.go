package dav

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// null is a ResponseWriter that keeps nothing.
type null struct {
	h      http.Header
	status int
}

func (n *null) Header() http.Header         { return n.h }
func (n *null) WriteHeader(status int)      { n.status = status }
func (n *null) Write(b []byte) (int, error) { return len(b), nil }

func (g *rig) request(method, target, body string) *http.Request {
	r := httptest.NewRequest(method, "http://dav.example.org"+target, io.NopCloser(strings.NewReader(body)))
	r.ContentLength = int64(len(body))
	r.SetBasicAuth("alice@example.org", "secret")
	return r
}

func (g *rig) fill(n int) {
	for i := range n {
		g.want(201, "PUT", g.book()+fmt.Sprintf("%05d.vcf", i), card(fmt.Sprint(i)))
	}
}

func bench(b *testing.B, status int, fn func() *http.Request, g *rig) {
	b.ReportAllocs()
	for b.Loop() {
		r := fn()
		w := &null{h: http.Header{}}
		g.handler.ServeHTTP(w, r)
		if w.status != status {
			b.Fatal(w.status)
		}
	}
}

func BenchmarkPutOver(b *testing.B) {
	g := newRig(b)
	g.fill(1)
	i := 0
	bench(b, 204, func() *http.Request {
		i++
		return g.request("PUT", g.book()+"00000.vcf", card("0")+fmt.Sprint(i))
	}, g)
}

func BenchmarkGet(b *testing.B) {
	g := newRig(b)
	g.fill(1)
	bench(b, 200, func() *http.Request { return g.request("GET", g.book()+"00000.vcf", "") }, g)
}

func BenchmarkListing10000(b *testing.B) {
	g := newRig(b)
	g.fill(10_000)
	body := find("D:getetag", "D:resourcetype", "D:getcontenttype")
	bench(b, 207, func() *http.Request {
		r := g.request("PROPFIND", g.book(), body)
		r.Header.Set("Depth", "1")
		return r
	}, g)
}

func BenchmarkSyncOfNothing(b *testing.B) {
	g := newRig(b)
	g.fill(1000)
	body := syncBody(g.token(g.book()), "")
	bench(b, 207, func() *http.Request { return g.request("REPORT", g.book(), body) }, g)
}
