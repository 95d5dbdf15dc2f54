package bucket_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/bucket"
	"holdfast/internal/s3test"
)

var own = bucket.Key{ID: s3test.AccessKey, Secret: s3test.SecretKey}

func open(t *testing.T, srv *s3test.Server, name string) *bucket.Bucket {
	t.Helper()
	b, err := bucket.Open(bucket.Options{URL: srv.URL + "/" + name + "/some/prefix", Key: own, Pause: 2 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func octets(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	r.Read(b)
	return b
}

func read(t *testing.T, b *bucket.Bucket, name string) []byte {
	t.Helper()
	r, err := b.Get(t.Context(), name, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func want(t *testing.T, what string, err error, kind holdfast.ErrorKind) {
	t.Helper()
	if !holdfast.IsKind(err, kind) {
		t.Fatalf("%s: %v, want %v", what, err, kind)
	}
}

func fine(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func put(b *bucket.Bucket, name string, p []byte, o bucket.Put) error {
	return b.Put(context.Background(), name, bytes.NewReader(p), int64(len(p)), o)
}

func TestBucket(t *testing.T) {
	srv := s3test.Start(t)
	for name, test := range map[string]func(*testing.T, *s3test.Server){"Put": puts, "Parts": parts, "List": lists, "Versions": versions, "Locks": locks, "Refused": refused, "Faults": faults, "Reads": reads, "Race": race} {
		t.Run(name, func(t *testing.T) {
			defer srv.Front.Plan(nil)
			test(t, srv)
		})
	}
}

// TestACertificateThatNobodyKnows: who has a store of his own is told what makes its certificate known, at once.
func TestACertificateThatNobodyKnows(t *testing.T) {
	srv := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(srv.Close)
	b, err := bucket.Open(bucket.Options{URL: srv.URL + "/name", Key: own, Pause: time.Millisecond})
	fine(t, "open", err)
	t.Cleanup(func() { b.Close() })
	_, err = b.Stat(t.Context(), "x")
	want(t, "it", err, holdfast.Unavailable)
	if text := err.Error(); !strings.Contains(text, "--ca FILE") || !strings.Contains(text, srv.Listener.Addr().String()) {
		t.Error(text)
	}
}

func puts(t *testing.T, srv *s3test.Server) {
	b := open(t, srv, srv.Bucket(t))
	for _, n := range []int{0, 1, 100_000} {
		p, name := octets(n), fmt.Sprint("of/", n)
		for range 2 {
			fine(t, "put", put(b, name, p, bucket.Put{New: true}))
		}
		want(t, "others", put(b, name, append(p, 'x'), bucket.Put{New: true}), holdfast.Exists)
		want(t, "another's of the same octets", put(b, name, p, bucket.Put{New: true, Tag: "mine"}), holdfast.Exists)
		if !bytes.Equal(read(t, b, name), p) {
			t.Errorf("%d octets come back otherwise", n)
		}
	}
	why := errors.New("the source broke")
	if err := b.Put(t.Context(), "half", io.MultiReader(strings.NewReader("half"), broken{why}), -1, bucket.Put{}); !errors.Is(err, why) {
		t.Errorf("a source that breaks: %v", err)
	}
	_, err := b.Stat(t.Context(), "half")
	want(t, "half of an object", err, holdfast.NotFound)
	now, err := b.Now(t.Context())
	if err != nil || time.Since(now).Abs() > 5*time.Second {
		t.Errorf("it is %v, %v", now, err)
	}
	f, err := b.Facts(t.Context())
	if err != nil || f != (bucket.Facts{Versions: bucket.No, Locks: bucket.No}) {
		t.Errorf("%+v, %v", f, err)
	}
}

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

// parts puts what takes several requests: also that is a create, whole or not at all.
func parts(t *testing.T, srv *s3test.Server) {
	b := open(t, srv, srv.Bucket(t))
	p := octets(2*bucket.Part + 7)
	fine(t, "put", put(b, "film", p, bucket.Put{New: true}))
	if !bytes.Equal(read(t, b, "film"), p) {
		t.Error("it comes back otherwise")
	}
	fine(t, "again", put(b, "film", p, bucket.Put{New: true}))
	p[bucket.Part]++
	want(t, "others", put(b, "film", p, bucket.Put{New: true}), holdfast.Exists)
	why := errors.New("the source broke")
	if err := b.Put(t.Context(), "half", io.MultiReader(bytes.NewReader(p), broken{why}), -1, bucket.Put{}); !errors.Is(err, why) {
		t.Errorf("a source that breaks: %v", err)
	}
	srv.Front.Plan(func(_ int, r *http.Request) s3test.Act { // the answer to the last request of the first gets lost
		if r.Method == http.MethodPost && r.URL.Query().Has("uploadId") {
			return s3test.Act{Kind: s3test.Lose}
		}
		return s3test.Act{}
	})
	fine(t, "put, and the answer lost each time", b.Put(t.Context(), "lost", bytes.NewReader(p), -1, bucket.Put{New: true}))
	srv.Front.Plan(nil)
	if !bytes.Equal(read(t, b, "lost"), p) {
		t.Error("it comes back otherwise")
	}
	for u := range srv.API.ListIncompleteUploads(t.Context(), bucketOf(b), "", true) {
		t.Errorf("an upload is left: %+v", u)
	}
}

func bucketOf(b *bucket.Bucket) string { return strings.Fields(b.String())[1] }

func lists(t *testing.T, srv *s3test.Server) {
	b := open(t, srv, srv.Bucket(t))
	var all []string
	for i := range 1203 { // more than a page
		all = append(all, fmt.Sprintf("d%d/%04d", i%3, i))
	}
	slices.Sort(all)
	var puts sync.WaitGroup
	for _, name := range all {
		puts.Go(func() {
			if err := put(b, name, []byte(name), bucket.Put{}); err != nil {
				t.Error(err)
			}
		})
	}
	puts.Wait()
	broke := 0
	srv.Front.Plan(func(n int, r *http.Request) s3test.Act { // every second page breaks
		if n%2 == 0 {
			broke++
			return s3test.Act{Kind: s3test.HalfAnswer, Octets: 300}
		}
		return s3test.Act{}
	})
	var got []string
	fine(t, "list", b.List(t.Context(), "", "", func(i bucket.Info) error { got = append(got, i.Name); return nil }))
	if !slices.Equal(got, all) || broke == 0 {
		t.Errorf("%d of %d, %d broke", len(got), len(all), broke)
	}
	srv.Front.Plan(nil)
	name, ok, err := b.Any(t.Context(), "d1/", "d1/0001")
	if name != "d1/0004" || !ok || err != nil {
		t.Errorf("the next is %q, %v, %v", name, ok, err)
	}
	if name, ok, err := b.Any(t.Context(), "d1/", "d1/9999"); ok || err != nil {
		t.Errorf("behind the last is %q, %v", name, err)
	}
	dirs := map[string]bool{}
	fine(t, "dirs", b.Dirs(t.Context(), "", func(name string) error { dirs[name] = true; return nil }))
	if len(dirs) != 3 || !dirs["d2/"] {
		t.Errorf("%v", dirs)
	}
	fine(t, "remove", b.RemoveMany(t.Context(), "d1/", every))
	if _, ok, err := b.Any(t.Context(), "d1/", ""); ok || err != nil {
		t.Errorf("something is left, %v", err)
	}
}

// versions removes from a bucket that keeps what is removed: nothing may be left of it.
func versions(t *testing.T, srv *s3test.Server) {
	name := srv.Versioned(t)
	b := open(t, srv, name)
	if f, err := b.Facts(t.Context()); err != nil || f != (bucket.Facts{Versions: bucket.Yes, Locks: bucket.No}) {
		t.Errorf("%+v, %v", f, err)
	}
	for _, n := range []string{"keys/1", "keys/12", "keys/1.x"} {
		fine(t, "put", put(b, n, []byte("first"), bucket.Put{}))
		fine(t, "put", put(b, n, []byte("second"), bucket.Put{}))
	}
	fine(t, "remove", b.Remove(t.Context(), "keys/1"))
	want(t, "remove again", b.Remove(t.Context(), "keys/1"), holdfast.NotFound)
	if got := traces(t, srv, name, "keys/1"); got != 4 {
		t.Errorf("%d versions are left of the others, want 4", got)
	}
	fine(t, "put a mark over it", srv.API.RemoveObject(t.Context(), name, "some/prefix/keys/12", removeOptions))
	want(t, "what is hidden", b.Remove(t.Context(), "keys/12"), holdfast.NotFound)
	fine(t, "remove", b.RemoveMany(t.Context(), "keys/", every))
	if got := traces(t, srv, name, ""); got != 0 {
		t.Errorf("%d versions are left", got)
	}
}

// locks locks objects: nobody removes them.
func locks(t *testing.T, srv *s3test.Server) {
	b := open(t, srv, srv.Locking(t))
	if f, err := b.Facts(t.Context()); err != nil || f != (bucket.Facts{Versions: bucket.Yes, Locks: bucket.Yes}) {
		t.Errorf("%+v, %v", f, err)
	}
	fine(t, "put", put(b, "free", []byte("x"), bucket.Put{New: true}))
	fine(t, "put", put(b, "locked", []byte("x"), bucket.Put{New: true, Lock: 3 * time.Second}))
	fine(t, "put", b.Put(t.Context(), "film", bytes.NewReader(octets(bucket.Part+1)), -1, bucket.Put{New: true, Lock: time.Hour}))
	want(t, "remove", b.Remove(t.Context(), "locked"), holdfast.Forbidden)
	want(t, "remove", b.Remove(t.Context(), "film"), holdfast.Forbidden)
	fine(t, "remove what is not locked", b.Remove(t.Context(), "free"))
	fine(t, "hold for longer", b.Hold(t.Context(), "locked", 8*time.Second))
	fine(t, "hold for shorter", b.Hold(t.Context(), "locked", time.Second))
	time.Sleep(4 * time.Second)
	want(t, "remove what is held", b.Remove(t.Context(), "locked"), holdfast.Forbidden)
	if got := string(read(t, b, "locked")); got != "x" {
		t.Errorf("%q", got)
	}
	time.Sleep(5 * time.Second)
	fine(t, "remove", b.Remove(t.Context(), "locked"))
	want(t, "hold what is not there", b.Hold(t.Context(), "locked", time.Second), holdfast.NotFound)
}

func refused(t *testing.T, srv *s3test.Server) {
	name := srv.Bucket(t)
	for what, x := range map[string]struct {
		o    bucket.Options
		kind holdfast.ErrorKind
	}{
		"no credential":          {bucket.Options{URL: srv.URL + "/" + name}, holdfast.Invalid},
		"no bucket":              {bucket.Options{URL: srv.URL, Key: own}, holdfast.Invalid},
		"a bucket with a dot":    {bucket.Options{URL: srv.URL + "/../x", Key: own}, holdfast.Invalid},
		"a password in the URL":  {bucket.Options{URL: "https://a:b@host/b", Key: own}, holdfast.Invalid},
		"plain HTTP far away":    {bucket.Options{URL: "http://s3.example.net/b", Key: own}, holdfast.Invalid},
		"an authority's nothing": {bucket.Options{URL: srv.URL + "/" + name, Key: own, CA: "x"}, holdfast.Invalid},
		"a bucket that is not":   {bucket.Options{URL: srv.URL + "/not-there", Key: own}, holdfast.Unavailable},
		"another secret":         {bucket.Options{URL: srv.URL + "/" + name, Key: bucket.Key{ID: own.ID, Secret: "wrong secret"}}, holdfast.Unauthorized},
		"another key":            {bucket.Options{URL: srv.URL + "/" + name, Key: bucket.Key{ID: "who", Secret: "wrong secret"}}, holdfast.Unauthorized},
		"nobody":                 {bucket.Options{URL: "http://127.0.0.1:1/b", Key: own}, holdfast.Unavailable},
	} {
		b, err := bucket.Open(x.o)
		if err == nil {
			err = b.Check(t.Context())
			if holdfast.IsKind(err, holdfast.Forbidden) && x.kind == holdfast.Unauthorized { // a HEAD has no body to say more
				_, err = b.Facts(t.Context())
			}
		}
		if !holdfast.IsKind(err, x.kind) {
			t.Errorf("%s: %v, want %v", what, err, x.kind)
		}
		if s := fmt.Sprint(err); strings.Contains(s, own.Secret) || strings.Contains(s, "wrong secret") {
			t.Errorf("%s: the error tells a secret: %s", what, s)
		}
	}
}

// faults has each request of a create go wrong, in each way, once and for as long as it is tried: what is told is true, and the end is never that of another's object.
func faults(t *testing.T, srv *s3test.Server) {
	p := octets(5000)
	struck := 0
	for _, a := range []s3test.Act{{Kind: s3test.Drop}, {Kind: s3test.Half, Octets: 1000}, {Kind: s3test.Lose}, {Kind: s3test.Refuse, Status: 500, Code: "InternalError"}, {Kind: s3test.Refuse, Status: 503, Code: "SlowDown"},
		{Kind: s3test.Belie, Status: 500, Code: "InternalError"}, {Kind: s3test.Belie, Status: 503, Code: "SlowDown"}, {Kind: s3test.Belie, Status: 502, Code: "BadGateway"}} {
		for _, times := range []int{1, 100} {
			for _, tag := range []string{"", "mine"} {
				b := open(t, srv, srv.Bucket(t))
				srv.Front.Plan(func(n int, r *http.Request) s3test.Act {
					if r.Method == http.MethodPut && n < times {
						struck++
						return a
					}
					return s3test.Act{}
				})
				err := put(b, "object", p, bucket.Put{New: true, Tag: tag})
				srv.Front.Plan(nil)
				_, there := b.Stat(t.Context(), "object")
				did := a.Kind == s3test.Lose || a.Kind == s3test.Belie
				what := fmt.Sprintf("%+v, %d times, tag %q", a, times, tag)
				switch {
				case times == 1 && err != nil:
					t.Errorf("%s: %v", what, err)
				case times > 1 && did && err != nil:
					t.Errorf("%s: it is there, and was found to be: %v", what, err)
				case times > 1 && !did && !holdfast.IsKind(err, holdfast.Unavailable):
					t.Errorf("%s: %v", what, err)
				case (err == nil) != (there == nil):
					t.Errorf("%s: told %v, and there %v", what, err, there)
				}
				if err == nil && !bytes.Equal(read(t, b, "object"), p) {
					t.Errorf("%s: it comes back otherwise", what)
				}
				if e := put(b, "object", []byte("other"), bucket.Put{New: true, Tag: "other"}); holdfast.IsKind(e, holdfast.Exists) != (err == nil) {
					t.Errorf("%s: another's is told %v", what, e)
				}
			}
		}
	}
	if struck < 16 {
		t.Errorf("%d requests went wrong", struck)
	}
}

// reads has answers break: a read goes on where it broke, and one that cannot ends as an error and never as the end.
func reads(t *testing.T, srv *s3test.Server) {
	b := open(t, srv, srv.Bucket(t))
	p := octets(300_000)
	fine(t, "put", put(b, "object", p, bucket.Put{}))
	srv.Front.Plan(func(n int, _ *http.Request) s3test.Act { return s3test.Act{Kind: s3test.HalfAnswer, Octets: 40_000} })
	if got := read(t, b, "object"); !bytes.Equal(got, p) {
		t.Errorf("%d of %d octets", len(got), len(p))
	}
	srv.Front.Plan(func(n int, _ *http.Request) s3test.Act {
		if n == 0 {
			return s3test.Act{Kind: s3test.HalfAnswer, Octets: 40_000}
		}
		return s3test.Act{Kind: s3test.Drop}
	})
	r, err := b.Get(t.Context(), "object", 100, 200_000)
	fine(t, "get", err)
	got, err := io.ReadAll(r)
	r.Close()
	if !holdfast.IsKind(err, holdfast.Unavailable) || !bytes.Equal(got, p[100:100+len(got)]) {
		t.Errorf("%d octets, %v", len(got), err)
	}
	srv.Front.Plan(nil)
	for _, x := range []struct{ at, n int64 }{{0, -1}, {1, -1}, {299_999, -1}, {300_000, -1}, {1 << 40, 4}, {5, 0}, {299_990, 100}, {0, 1}} {
		r, err := b.Get(t.Context(), "object", x.at, x.n)
		fine(t, "get", err)
		got, err := io.ReadAll(r)
		r.Close()
		from := min(x.at, int64(len(p)))
		to := int64(len(p))
		if x.n >= 0 {
			to = min(from+x.n, to)
		}
		if err != nil || !bytes.Equal(got, p[from:to]) {
			t.Errorf("%d octets from %d: %d, %v", x.n, x.at, len(got), err)
		}
	}
}

// race has many make the same object: one does.
func race(t *testing.T, srv *s3test.Server) {
	b := open(t, srv, srv.Bucket(t))
	for i := range 20 {
		var all sync.WaitGroup
		var mu sync.Mutex
		won := 0
		for n := range 8 {
			all.Go(func() {
				switch err := put(b, fmt.Sprint("term", i), fmt.Append(nil, n), bucket.Put{New: true}); {
				case err == nil:
					mu.Lock()
					won++
					mu.Unlock()
				case !holdfast.IsKind(err, holdfast.Exists):
					t.Error(err)
				}
			})
		}
		all.Wait()
		if won != 1 {
			t.Errorf("%d made it", won)
		}
	}
}
