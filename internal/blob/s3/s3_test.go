package s3_test

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/blob/blobtest"
	"holdfast/internal/blob/s3"
	"holdfast/internal/bucket"
	"holdfast/internal/s3test"
	"holdfast/internal/vfs"
)

// open returns the store in a bucket.
func open(t *testing.T, srv *s3test.Server, name, spool string) *s3.Store {
	t.Helper()
	return openAs(t, srv, name, spool, "one")
}

func openAs(t *testing.T, srv *s3test.Server, name, spool, owner string) *s3.Store {
	t.Helper()
	b, err := bucket.Open(bucket.Options{URL: srv.URL + "/" + name + "/files", Key: bucket.Key{ID: s3test.AccessKey, Secret: s3test.SecretKey}, Pause: 2 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	s, err := s3.Open(vfs.OS, b, spool, owner)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// nameOf is the key of a blob.
func nameOf(account holdfast.ID, h holdfast.Hash) string {
	return "files/" + account.String() + "/" + h.String()
}

func TestStore(t *testing.T) {
	srv := s3test.Start(t)
	blobtest.Run(t, func(t *testing.T) blobtest.Rig {
		name, spool := srv.Bucket(t), t.TempDir()
		return blobtest.Rig{Small: true, Store: open(t, srv, name, spool),
			Reopen: func(t *testing.T) blob.Store { return open(t, srv, name, spool) },
			Damage: func(t *testing.T, account holdfast.ID, h holdfast.Hash, fn func([]byte) []byte) {
				t.Helper()
				r, err := srv.API.GetObject(t.Context(), name, nameOf(account, h), minio.GetObjectOptions{})
				if err != nil {
					t.Fatal(err)
				}
				b, err := io.ReadAll(r)
				if err != nil {
					t.Fatal(err)
				}
				b = fn(b)
				if _, err := srv.API.PutObject(t.Context(), name, nameOf(account, h), bytes.NewReader(b), int64(len(b)), minio.PutObjectOptions{}); err != nil {
					t.Fatal(err)
				}
			},
			Left: func(t *testing.T) int {
				list, err := os.ReadDir(spool)
				if err != nil {
					t.Fatal(err)
				}
				return len(list)
			}}
	})
	t.Run("InParts", func(t *testing.T) { inParts(t, srv) })
	t.Run("Conditional", func(t *testing.T) { conditional(t, srv) })
	t.Run("Owner", func(t *testing.T) { owners(t, srv) })
	t.Run("Faults", func(t *testing.T) { faults(t, srv) })
}

// inParts puts what is larger than one request.
func inParts(t *testing.T, srv *s3test.Server) {
	s := open(t, srv, srv.Bucket(t), t.TempDir())
	octets := blobtest.Octets(1, 40<<20+3)
	b, err := blobtest.Put(t.Context(), s, holdfast.ID{1}, octets)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(t.Context(), holdfast.ID{1}, b.Hash); err != nil {
		t.Error(err)
	}
	f, err := s.Open(t.Context(), holdfast.ID{1}, b.Hash)
	if err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 3<<20)
	if _, err := f.ReadAt(p, 30<<20+7); err != nil || !bytes.Equal(p, octets[30<<20+7:33<<20+7]) {
		t.Errorf("a range: %v", err)
	}
}

// conditional wants a create to be one: what somebody else put meanwhile is not overwritten.
func conditional(t *testing.T, srv *s3test.Server) {
	name := srv.Bucket(t)
	octets := blobtest.Octets(1, 1000)
	s := open(t, srv, name, t.TempDir())
	puts := 0
	srv.Front.Plan(func(_ int, r *http.Request) s3test.Act {
		if r.Method != http.MethodPut {
			return s3test.Act{}
		}
		if puts++; r.Header.Get("If-None-Match") != "*" {
			t.Error("a create without condition")
		}
		if puts == 1 {
			var stored bytes.Buffer // as another server would put it
			b, err := blob.Take(t.Context(), &stored, bytes.NewReader(octets), 1<<20, func(err error) error { return err })
			if err == nil {
				_, err = srv.API.PutObject(t.Context(), name, nameOf(holdfast.ID{1}, b.Hash), &stored, int64(stored.Len()), minio.PutObjectOptions{})
			}
			if err != nil {
				t.Error(err)
			}
		}
		return s3test.Act{}
	})
	defer srv.Front.Plan(nil)
	if _, err := blobtest.Put(t.Context(), s, holdfast.ID{1}, octets); err != nil || puts != 1 {
		t.Errorf("%d puts, %v", puts, err)
	}
}

// faults lets each request go wrong for good, before and after its effect; what was told must hold, and nothing is damage that is only out of reach.
func faults(t *testing.T, srv *s3test.Server) {
	octets := blobtest.Octets(1, 1500)
	h := holdfast.HashOf(octets)
	struck := 0
	for n := 0; ; n++ {
		for _, kind := range []s3test.Kind{s3test.Drop, s3test.Lose} {
			name := srv.Bucket(t)
			s := open(t, srv, name, t.TempDir())
			srv.Front.Plan(func(i int, _ *http.Request) s3test.Act {
				if i >= n && i < n+12 { // more often than it is tried again, and looked for
					struck++
					return s3test.Act{Kind: kind}
				}
				return s3test.Act{}
			})
			told, gone := false, false
			_, err := blobtest.Put(t.Context(), s, holdfast.ID{1}, octets)
			told = err == nil
			if err == nil {
				if _, err = blobtest.Read(t.Context(), s, holdfast.ID{1}, h); err == nil {
					err = s.Remove(t.Context(), holdfast.ID{1}, h)
					gone = err == nil
					told = false
				}
			}
			calls := srv.Front.Seen()
			srv.Front.Plan(nil)
			if err != nil && !holdfast.IsKind(err, holdfast.Unavailable) {
				t.Errorf("request %d, %v: %v", n, kind, err)
			}
			got := open(t, srv, name, t.TempDir()).Verify(t.Context(), holdfast.ID{1}, h)
			if told && got != nil || gone && !holdfast.IsKind(got, holdfast.NotFound) || got != nil && !holdfast.IsKind(got, holdfast.NotFound) {
				t.Errorf("request %d, %v: told %v, gone %v, and it is %v", n, kind, told, gone, got)
			}
			if calls <= n {
				if struck < 10 {
					t.Errorf("%d requests went wrong", struck)
				}
				return
			}
		}
	}
}

// owners has two stores over one bucket: both add, and one removes.
func owners(t *testing.T, srv *s3test.Server) {
	name := srv.Bucket(t)
	one, other := openAs(t, srv, name, t.TempDir(), "one"), openAs(t, srv, name, t.TempDir(), "other")
	put := func(s *s3.Store, seed uint64) holdfast.Hash {
		t.Helper()
		b, err := blobtest.Put(t.Context(), s, holdfast.ID{1}, blobtest.Octets(seed, 1000))
		if err != nil {
			t.Fatal(err)
		}
		return b.Hash
	}
	a, b, c := put(one, 1), put(other, 2), put(one, 3)
	if err := one.Remove(t.Context(), holdfast.ID{1}, a); err != nil {
		t.Error(err)
	}
	if err := other.Remove(t.Context(), holdfast.ID{1}, b); !holdfast.IsKind(err, holdfast.Forbidden) {
		t.Errorf("another removes: %v", err)
	}
	if err := other.Own(t.Context(), true); err != nil {
		t.Error(err)
	}
	if err := one.Remove(t.Context(), holdfast.ID{1}, c); !holdfast.IsKind(err, holdfast.Forbidden) {
		t.Errorf("who was the owner removes: %v", err)
	}
	if err := other.Remove(t.Context(), holdfast.ID{1}, b); err != nil {
		t.Error(err)
	}
}
