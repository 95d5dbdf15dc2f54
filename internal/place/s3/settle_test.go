package s3_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"holdfast"
	"holdfast/internal/bucket"
	"holdfast/internal/place"
	"holdfast/internal/place/s3"
	"holdfast/internal/s3test"
)

const segment = "tail/000000000001/000000000007.frames"

// appended appends lines to the segment and returns all that it holds.
func appended(t *testing.T, p *s3.Place, n int) (all []byte) {
	t.Helper()
	for i := range n {
		b := bytes.Repeat(fmt.Appendf(nil, "line %d\n", i), 1+i*7%50)
		if err := p.Append(t.Context(), segment, int64(len(all)), b); err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	return all
}

func content(t *testing.T, p *s3.Place, at, n int64) []byte {
	t.Helper()
	r, err := p.Get(t.Context(), segment, at, n)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// keys counts what lies in a bucket below a prefix of the place.
func keys(t *testing.T, srv *s3test.Server, name, prefix string) (n int) {
	t.Helper()
	for st := range srv.API.ListObjectsIter(t.Context(), name, minio.ListObjectsOptions{Prefix: "vaults/one/" + prefix, Recursive: true}) {
		if st.Err != nil {
			t.Fatal(st.Err)
		}
		n++
	}
	return n
}

// compareAll reads parts of the segment.
func compareAll(t *testing.T, p *s3.Place, all []byte) {
	t.Helper()
	if got := content(t, p, 0, -1); !bytes.Equal(got, all) {
		t.Fatalf("%d octets, want %d", len(got), len(all))
	}
	for range 30 {
		at := rand.Int64N(int64(len(all)) + 5)
		n := rand.Int64N(int64(len(all)))
		from := min(at, int64(len(all)))
		if got := content(t, p, at, n); !bytes.Equal(got, all[from:min(at+n, int64(len(all)))]) {
			t.Fatalf("%d octets at %d: %d", n, at, len(got))
		}
	}
	i, err := p.Stat(t.Context(), segment)
	if err != nil || i.Size != int64(len(all)) {
		t.Fatalf("%+v, %v", i, err)
	}
	seen := 0
	if err := p.List(t.Context(), "", "", func(i place.Info) error {
		if seen++; i.Name != segment || i.Size != int64(len(all)) {
			t.Errorf("%+v is listed", i)
		}
		return nil
	}); err != nil || seen != 1 {
		t.Fatalf("%d listed, %v", seen, err)
	}
}

func TestSettle(t *testing.T) {
	srv := s3test.Start(t)
	t.Run("Whole", func(t *testing.T) { settleWhole(t, srv) })
	t.Run("Cut", func(t *testing.T) { settleCut(t, srv) })
	t.Run("Wrong", func(t *testing.T) { settleWrong(t, srv) })
	t.Run("Holes", func(t *testing.T) { holes(t, srv) })
	t.Run("Locked", func(t *testing.T) { locked(t, srv) })
	t.Run("LostAnswers", func(t *testing.T) { lostAnswers(t, srv) })
}

// settleWhole settles an object while it is read.
func settleWhole(t *testing.T, srv *s3test.Server) {
	name := srv.Bucket(t)
	p, other := open(t, srv, name), open(t, srv, name)
	if err := p.Fence(t.Context()); err != nil {
		t.Fatal(err)
	}
	all := appended(t, p, 120)
	compareAll(t, other, all)
	r, err := other.Get(t.Context(), segment, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	first := make([]byte, 100)
	if _, err := io.ReadFull(r, first); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := p.Settle(t.Context(), segment); err != nil {
			t.Fatal(err)
		}
	}
	rest, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(append(first, rest...), all) {
		t.Errorf("who read it meanwhile got %d of %d octets, %v", len(first)+len(rest), len(all), err)
	}
	if n := keys(t, srv, name, "tail/"); n != 2 {
		t.Errorf("%d objects are left, want the whole and the mark", n)
	}
	if n := keys(t, srv, name, ".fence/"); n != 1 {
		t.Errorf("%d objects of the fence are left", n)
	}
	for _, p := range []*s3.Place{p, other, open(t, srv, name)} {
		compareAll(t, p, all)
		if err := p.Append(t.Context(), segment, int64(len(all)), []byte("more\n")); !holdfast.IsKind(err, holdfast.Fenced) {
			t.Errorf("an append to what does not grow any more: %v", err)
		}
		if err := p.Append(t.Context(), segment, 0, []byte("more\n")); err == nil {
			t.Error("it begins anew")
		}
	}
	if err := p.Remove(t.Context(), segment); err != nil {
		t.Fatal(err)
	}
	if n := keys(t, srv, name, "tail/"); n != 0 {
		t.Errorf("%d objects are left of what was removed", n)
	}
}

// settleCut ends settling at each request: what is there can be read, and settling again ends it.
func settleCut(t *testing.T, srv *s3test.Server) {
	for n := 0; ; n++ {
		name := srv.Bucket(t)
		p := open(t, srv, name)
		all := appended(t, p, 6)
		srv.Front.Plan(func(i int, _ *http.Request) s3test.Act {
			if i >= n {
				return s3test.Act{Kind: s3test.Refuse, Status: http.StatusForbidden, Code: "AccessDenied"}
			}
			return s3test.Act{}
		})
		err := p.Settle(t.Context(), segment)
		total := srv.Front.Seen()
		srv.Front.Plan(nil)
		again := open(t, srv, name)
		compareAll(t, again, all)
		if err := again.Settle(t.Context(), segment); err != nil {
			t.Fatal(err)
		}
		compareAll(t, open(t, srv, name), all)
		if err == nil && total <= n {
			if n < 10 {
				t.Errorf("it takes %d requests", n)
			}
			return
		}
	}
}

// settleWrong has the store keep other octets than it was sent: the pieces stay, and what is wrong goes.
func settleWrong(t *testing.T, srv *s3test.Server) {
	name := srv.Bucket(t)
	p := open(t, srv, name)
	all := appended(t, p, 6)
	srv.Front.Plan(func(_ int, r *http.Request) s3test.Act {
		if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, place.Grows) {
			if _, err := srv.API.PutObject(t.Context(), name, strings.TrimPrefix(r.URL.Path, "/"+name+"/"), strings.NewReader("rubbish"), 7, minio.PutObjectOptions{}); err != nil {
				t.Error(err)
			}
			return s3test.Act{Kind: s3test.Refuse, Status: http.StatusOK}
		}
		return s3test.Act{}
	})
	err := p.Settle(t.Context(), segment)
	srv.Front.Plan(nil)
	if err == nil {
		t.Error("rubbish was taken for what was put")
	}
	t.Log(err)
	compareAll(t, open(t, srv, name), all)
}

// holes loses a piece: what stands behind it is still where it was.
func holes(t *testing.T, srv *s3test.Server) {
	name := srv.Bucket(t)
	p := open(t, srv, name)
	all := appended(t, p, 5)
	if err := srv.API.RemoveObject(t.Context(), name, "vaults/one/"+segment+"!000000000007", minio.RemoveObjectOptions{}); err != nil {
		t.Fatal(err)
	}
	want := bytes.Clone(all)
	clear(want[7 : 7+8*7])
	p = open(t, srv, name)
	compareAll(t, p, want)
	if err := p.Settle(t.Context(), segment); err != nil {
		t.Fatal(err)
	}
	if n := keys(t, srv, name, "tail/"); n != 5 {
		t.Errorf("%d objects are left: what has holes is not put whole", n)
	}
	compareAll(t, p, want)
	// Somebody else puts a piece so far behind that it would take all memory to read up to it.
	if _, err := srv.API.PutObject(t.Context(), name, "vaults/one/"+segment+"!900000000000", strings.NewReader("x"), 1, minio.PutObjectOptions{}); err != nil {
		t.Fatal(err)
	}
	compareAll(t, open(t, srv, name), want)
}

// locked keeps what must not go from who has the credential, until its time is over.
func locked(t *testing.T, srv *s3test.Server) {
	name := srv.Locking(t)
	b, err := bucket.Open(bucket.Options{URL: srv.URL + "/" + name + "/vaults/one", Key: bucket.Key{ID: s3test.AccessKey, Secret: s3test.SecretKey}})
	if err != nil {
		t.Fatal(err)
	}
	const lock = 12 * time.Second
	p := s3.New(s3.Options{Bucket: b, Lock: func(name string) time.Duration {
		if strings.HasPrefix(name, "keys/") {
			return 0
		}
		return lock
	}})
	all := appended(t, p, 5)
	for _, name := range []string{"keys/1", "pages/1.pack"} {
		if err := p.Put(t.Context(), name, strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Remove(t.Context(), "keys/1"); err != nil {
		t.Errorf("a key cannot be removed: %v", err)
	}
	if err := p.Settle(t.Context(), segment); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{segment, "pages/1.pack"} {
		if err := p.Remove(t.Context(), name); !holdfast.IsKind(err, holdfast.Forbidden) {
			t.Errorf("%s was not locked: %v", name, err)
		}
	}
	if got := content(t, p, 0, -1); !bytes.Equal(got, all) {
		t.Errorf("%d octets, want %d", len(got), len(all))
	}
	time.Sleep(8 * time.Second)
	if err := errors.Join(p.Hold(t.Context(), "pages/1.pack"), p.Hold(t.Context(), "keys/1")); !holdfast.IsKind(err, holdfast.NotFound) && err != nil {
		t.Fatal(err)
	}
	time.Sleep(lock - 4*time.Second) // the first lock is over for four seconds, and the second one is not for as long
	if err := p.Remove(t.Context(), "pages/1.pack"); !holdfast.IsKind(err, holdfast.Forbidden) {
		t.Errorf("it was not held: %v", err)
	}
	if err := p.Remove(t.Context(), segment); err != nil {
		t.Errorf("its time is over: %v", err)
	}
	if n := keys(t, srv, name, "tail/"); n != 0 {
		t.Errorf("%d objects are left", n)
	}
}

// lostAnswers appends over a line that breaks after each request had its effect: each append is there once.
func lostAnswers(t *testing.T, srv *s3test.Server) {
	p := open(t, srv, srv.Bucket(t))
	lost := 0
	srv.Front.Plan(func(_ int, r *http.Request) s3test.Act {
		if r.Method == http.MethodPut {
			if lost++; lost%2 == 1 {
				return s3test.Act{Kind: s3test.Lose}
			}
		}
		return s3test.Act{}
	})
	all := appended(t, p, 20)
	srv.Front.Plan(nil)
	if lost < 20 {
		t.Errorf("%d answers were lost", lost)
	}
	compareAll(t, p, all)
	// The very octets once more, at their offset, by somebody else: that is no append of his.
	if err := p.Append(t.Context(), segment, 0, all[:7]); !holdfast.IsKind(err, holdfast.Exists) {
		t.Errorf("the beginning once more: %v", err)
	}
}

// TestReadsAreOfNow reads an object again whose octets changed in the store: what a reader has kept helps who reads beside it, and nobody after it.
func TestReadsAreOfNow(t *testing.T) {
	srv := s3test.Start(t)
	name := srv.Bucket(t)
	p := open(t, srv, name)
	all := appended(t, p, 4)
	r, err := p.Get(t.Context(), segment, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(r, make([]byte, len(all))); err != nil {
		t.Fatal(err)
	}
	srv.Front.Plan(nil)
	if got := content(t, p, 7, 3); !bytes.Equal(got, all[7:10]) || srv.Front.Seen() != 0 {
		t.Errorf("%q, after %d requests", got, srv.Front.Seen())
	}
	if _, err := srv.API.PutObject(t.Context(), name, "vaults/one/"+segment+"!000000000000", strings.NewReader("rotted\n"), 7, minio.PutObjectOptions{}); err != nil {
		t.Fatal(err)
	}
	r.Close()
	if got := string(content(t, p, 0, 7)); got != "rotted\n" {
		t.Errorf("%q", got)
	}
}
