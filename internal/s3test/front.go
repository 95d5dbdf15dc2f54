package s3test

import (
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// Act is what happens to a request.
type Act struct {
	Kind   Kind
	Octets int64 // for Half and HalfAnswer: after how many
	Status int   // for Refuse and Belie
	Code   string
}

// Kind is the kind of an [Act].
type Kind int

// The kinds.
const (
	Pass       Kind = iota
	Drop            // the connection breaks before the store heard anything
	Half            // the connection breaks after so many octets of the body
	Lose            // the store did it, and the connection breaks before it is said
	HalfAnswer      // the connection breaks after so many octets of the answer's body
	Refuse          // the store says a status, and has done nothing
	Belie           // the store did it, and a status is said that sounds as if it had not
)

// Front stands before an object store. It hands creates on one by one: versitygw judges the condition of a create first and takes the name later, so that two at the same moment would both succeed, which is not what stores promise.
type Front struct {
	URL string

	to     *url.URL
	client *http.Transport
	create sync.Mutex

	mu   sync.Mutex
	plan func(n int, r *http.Request) Act
	seen int
}

// NewFront starts a front before a server, which ends with the test.
func NewFront(t testing.TB, to string) *Front {
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	f := &Front{to: u, client: Plain()}
	srv := httptest.NewServer(f)
	t.Cleanup(func() { srv.CloseClientConnections(); srv.Close(); f.client.CloseIdleConnections() })
	f.URL = srv.URL
	return f
}

// Bad is a plan for requests of one bucket on a line that breaks at every point, before a store that is overloaded: about every second request goes wrong.
func Bad(bucket string) func(n int, r *http.Request) Act {
	return of(bucket, func() Act {
		switch rand.IntN(14) {
		case 0:
			return Act{Kind: Drop}
		case 1:
			return Act{Kind: Half, Octets: rand.Int64N(2000)}
		case 2:
			return Act{Kind: Lose}
		case 3:
			return Act{Kind: HalfAnswer, Octets: rand.Int64N(2000)}
		case 4:
			return Act{Kind: Refuse, Status: http.StatusServiceUnavailable, Code: "SlowDown"}
		case 5:
			return Act{Kind: Belie, Status: http.StatusInternalServerError, Code: "InternalError"}
		}
		return Act{}
	})
}

// Cut is a plan for requests of one bucket that none reaches.
func Cut(bucket string) func(n int, r *http.Request) Act {
	return of(bucket, func() Act { return Act{Kind: Drop} })
}

func of(bucket string, act func() Act) func(n int, r *http.Request) Act {
	return func(_ int, r *http.Request) Act {
		if strings.HasPrefix(r.URL.Path, "/"+bucket+"/") || r.URL.Path == "/"+bucket {
			return act()
		}
		return Act{}
	}
}

// Plan has requests go wrong from now on as plan says, which is told how many came before; nil: none do. plan is called by one goroutine at a time.
func (f *Front) Plan(plan func(n int, r *http.Request) Act) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.plan, f.seen = plan, 0
}

// Seen returns how many requests came since the last plan.
func (f *Front) Seen() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen
}

func (f *Front) next(r *http.Request) (a Act) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.plan != nil {
		a = f.plan(f.seen, r)
	}
	f.seen++
	return a
}

// ServeHTTP implements [http.Handler].
func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := f.next(r)
	switch a.Kind {
	case Drop:
		panic(http.ErrAbortHandler)
	case Refuse:
		_, _ = io.Copy(io.Discard, r.Body)
		refuse(w, a)
		return
	}
	if r.Header.Get("If-None-Match") != "" {
		f.create.Lock()
		defer f.create.Unlock()
	}
	out := r.Clone(r.Context())
	out.RequestURI, out.URL.Scheme, out.URL.Host = "", f.to.Scheme, f.to.Host // the host that was signed stays
	if a.Kind == Half {
		out.Body = io.NopCloser(io.MultiReader(io.LimitReader(r.Body, a.Octets), broken{}))
	}
	resp, err := f.client.RoundTrip(out)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer resp.Body.Close()
	switch a.Kind {
	case Half, Lose:
		_, _ = io.Copy(io.Discard, resp.Body)
		panic(http.ErrAbortHandler)
	case Belie:
		_, _ = io.Copy(io.Discard, resp.Body)
		refuse(w, a)
		return
	}
	for k, v := range resp.Header {
		w.Header()[k] = v
	}
	w.WriteHeader(resp.StatusCode)
	if a.Kind == HalfAnswer {
		_, _ = io.CopyN(w, resp.Body, a.Octets)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	if _, err := io.Copy(w, resp.Body); err != nil {
		panic(http.ErrAbortHandler)
	}
}

func refuse(w http.ResponseWriter, a Act) {
	if a.Status < 300 { // it says that it did what it has not done
		w.Header().Set("ETag", `"d41d8cd98f00b204e9800998ecf8427e"`)
		w.WriteHeader(a.Status)
		return
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(a.Status)
	_, _ = io.WriteString(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>`+a.Code+`</Code><Message>as a test says</Message></Error>`)
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
