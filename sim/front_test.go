package sim

import (
	"bytes"
	"fmt"
	"io"
	stdlog "log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/sim/server"
)

// front is the address that devices keep while what stands behind it changes. Where nothing does, connections are cut, as a dead server's are. It counts answers by phase of a test.
type front struct {
	*httptest.Server
	t *testing.T

	mu      sync.Mutex
	to      http.Handler // nil: nobody
	phase   string
	answers map[string]map[int]int // by phase and status; 0: none came
	came    map[string]bool        // who has had an answer in this phase, or none: by what they sign in with
}

func newFront(t *testing.T) *front {
	f := &front{t: t, answers: map[string]map[int]int{}}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

// now puts a server behind the address, and begins a phase; nil: nobody is there.
func (f *front) now(phase string, s *server.Server) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.phase, f.came, f.to = phase, map[string]bool{}, nil
	if s == nil {
		return
	}
	p := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: s.Addr})
	p.ErrorLog = stdlog.New(io.Discard, "", 0)
	p.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }
	f.to = p
}

// closed leaves nobody behind the address.
func (f *front) closed() { f.now("closed", nil) }

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	phase, to := f.phase, f.to
	f.mu.Unlock()
	a := &answered{ResponseWriter: w}
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.answers[phase] == nil {
			f.answers[phase] = map[int]int{}
		}
		f.answers[phase][a.status]++
		if phase == f.phase {
			f.came[r.Header.Get("Authorization")] = true
		}
	}()
	if err := wholeBody(r); to == nil || err != nil {
		panic(http.ErrAbortHandler)
	}
	to.ServeHTTP(a, r)
}

// wholeBody reads a request's body before it is passed on: an answer that comes first would end the reading of it, and a proxy then cuts the answer.
func wholeBody(r *http.Request) error {
	body, err := io.ReadAll(r.Body)
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return err
}

// answered remembers the status.
type answered struct {
	http.ResponseWriter
	status int
}

func (a *answered) WriteHeader(status int) {
	if a.status == 0 || a.status < 200 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answered) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// everybody waits until n devices have come in this phase, and at least a while.
func (f *front) everybody(n int, atLeast time.Duration) {
	f.t.Helper()
	began := time.Now()
	for {
		time.Sleep(20 * time.Millisecond)
		f.mu.Lock()
		phase, came := f.phase, len(f.came)
		f.mu.Unlock()
		if came >= n && time.Since(began) >= atLeast {
			return
		}
		if time.Since(began) > 5*time.Minute {
			f.t.Fatalf("%s: only %d of %d devices have come", phase, came, n)
		}
	}
}

// only fails where a phase saw other answers, or none at all.
func (f *front) only(phase string, allowed ...int) {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for status, k := range f.answers[phase] {
		if n += k; !slices.Contains(allowed, status) {
			f.t.Errorf("%s: %d requests were answered %d", phase, k, status)
		}
	}
	if n == 0 {
		f.t.Errorf("%s: nobody came, so nothing was shown", phase)
	}
}

// tell logs what was answered in each phase.
func (f *front) tell() {
	f.mu.Lock()
	defer f.mu.Unlock()
	var lines []string
	for _, phase := range slices.Sorted(maps.Keys(f.answers)) {
		lines = append(lines, fmt.Sprintf("%s: %v", phase, f.answers[phase]))
	}
	f.t.Log("answers, by status (0: none):\n" + strings.Join(lines, "\n"))
}
