package rehearse

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"holdfast/internal/clock"
)

// cupboard is a service that keeps what it is given, and says 503 to every third request.
type cupboard struct {
	mu   sync.Mutex
	n    int
	kept map[string][]byte
}

func (c *cupboard) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	answer := func(code int, body []byte) (*http.Response, error) {
		return &http.Response{StatusCode: code, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body)), Request: r}, nil
	}
	if c.n++; c.n%3 == 0 && r.Method != http.MethodGet {
		return answer(http.StatusServiceUnavailable, nil)
	}
	switch body, ok := c.kept[r.URL.Path]; {
	case r.Method == http.MethodPut:
		b, err := io.ReadAll(r.Body)
		c.kept[r.URL.Path] = b
		if err != nil {
			return nil, err
		}
	case !ok:
		return answer(http.StatusNotFound, nil)
	case r.Method == http.MethodDelete:
		delete(c.kept, r.URL.Path)
	default:
		return answer(http.StatusOK, body)
	}
	return answer(http.StatusCreated, nil)
}

// TestPhotosAreCompared lets a phone take photos until enough are there, compares them, and then has the service lose one, cut one and change an octet of one.
func TestPhotosAreCompared(t *testing.T) {
	c := &cupboard{kept: map[string][]byte{}}
	r := &rehearsal{o: Options{Seed: 7, Clock: clock.System, Pace: Pace{Before: 4 * time.Millisecond}}, net: c, service: &service{addr: "127.0.0.1:1"}, report: &Report{}, accounts: []*account{{login: "anna@example.org", passwords: []string{"secret"}}}}
	var err error
	if r.book, err = NewBook(filepath.Join(t.TempDir(), "book.jsonl"), map[string]string{}, c, clock.System); err != nil {
		t.Fatal(err)
	}
	r.galleries()
	while, stop := context.WithTimeout(t.Context(), time.Minute)
	go func() {
		for g := r.photos[0]; while.Err() == nil; time.Sleep(time.Millisecond) {
			g.mu.Lock()
			if g.taken >= 30 {
				stop()
			}
			g.mu.Unlock()
		}
	}()
	if err := r.photos[0].work(t.Context(), while); err != nil {
		t.Fatal(err)
	}
	compare := func() *Photos {
		t.Helper()
		if err := r.comparePhotos(t.Context()); err != nil {
			t.Fatal(err)
		}
		return r.report.Photos
	}
	if p := compare(); p.Compared < 10 || p.Different != 0 || !r.report.Good() {
		t.Fatalf("%+v", p)
	}
	n, large := 0, 0
	for path, b := range c.kept {
		if len(b) > 64<<10 {
			large++
		}
		switch n++; n {
		case 1:
			delete(c.kept, path)
		case 2:
			c.kept[path] = b[:len(b)-1]
		case 3:
			b[len(b)/2] ^= 1
		}
	}
	if p := compare(); p.Different < 2 || p.Different > 3 || r.report.Good() || large < n/2 { // one may not have been acknowledged
		t.Errorf("%+v, %d of %d are large", p, large, n)
	}
}
