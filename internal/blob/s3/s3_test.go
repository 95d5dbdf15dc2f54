package s3_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/blob/blobtest"
	"holdfast/internal/blob/s3"
	"holdfast/internal/vfs"
)

const (
	accessKey = "holdfast"
	secretKey = "only for tests"
)

// program finds the object store that scripts/need-tools.sh builds.
func program(t *testing.T) string {
	t.Helper()
	if p, err := exec.LookPath("versitygw"); err == nil {
		return p
	}
	home, _ := os.UserHomeDir()
	for _, dir := range []string{os.Getenv("GOBIN"), filepath.Join(os.Getenv("GOPATH"), "bin"), filepath.Join(home, "go", "bin")} {
		if p, err := exec.LookPath(filepath.Join(dir, "versitygw")); err == nil && filepath.IsAbs(p) {
			return p
		}
	}
	what := "versitygw is not there, so the object store is not tested: scripts/need-tools.sh builds it"
	if os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	t.Skip(what)
	return ""
}

// server is an object store of this test's own.
type server struct {
	addr string
	data string
	api  *minio.Client
}

func start(t *testing.T) *server {
	t.Helper()
	p := program(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{addr: l.Addr().String(), data: t.TempDir()}
	l.Close()
	// What it knows of its objects lies beside them, as not every file system has attributes.
	cmd := exec.Command(p, "--port", s.addr, "--access", accessKey, "--secret", secretKey, "--quiet", "posix", "--sidecar", t.TempDir(), s.data)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Log(said.String())
		}
	})
	if s.api, err = minio.New(s.addr, &minio.Options{Creds: credentials.NewStaticV4(accessKey, secretKey, ""), Region: "us-east-1"}); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if _, err = s.api.ListBuckets(t.Context()); err == nil {
			return s
		}
		if time.Now().After(deadline) {
			t.Fatalf("the object store does not answer: %v\n%s", err, said.String())
		}
	}
}

func (s *server) options(t *testing.T, bucket string) s3.Options {
	t.Helper()
	return s3.Options{Endpoint: s.addr, Plain: true, Region: "us-east-1", Bucket: bucket, Prefix: "files/", AccessKey: accessKey, SecretKey: secretKey, Spool: t.TempDir()}
}

// bucket makes an empty one.
func (s *server) bucket(t *testing.T) string {
	t.Helper()
	name := fmt.Sprintf("b%d", time.Now().UnixNano())
	if err := s.api.MakeBucket(t.Context(), name, minio.MakeBucketOptions{}); err != nil {
		t.Fatal(err)
	}
	return name
}

func open(t *testing.T, o s3.Options) *s3.Store {
	t.Helper()
	s, err := s3.Open(t.Context(), vfs.OS, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func nameOf(account holdfast.ID, h holdfast.Hash) string {
	return "files/" + account.String() + "/" + h.String()
}

func TestStore(t *testing.T) {
	srv := start(t)
	blobtest.Run(t, func(t *testing.T) blobtest.Rig {
		o := srv.options(t, srv.bucket(t))
		return blobtest.Rig{Small: true, Store: open(t, o),
			Reopen: func(t *testing.T) blob.Store { return open(t, o) },
			Damage: func(t *testing.T, account holdfast.ID, h holdfast.Hash, fn func([]byte) []byte) {
				t.Helper()
				r, err := srv.api.GetObject(t.Context(), o.Bucket, nameOf(account, h), minio.GetObjectOptions{})
				if err != nil {
					t.Fatal(err)
				}
				b, err := io.ReadAll(r)
				if err != nil {
					t.Fatal(err)
				}
				b = fn(b)
				if _, err := srv.api.PutObject(t.Context(), o.Bucket, nameOf(account, h), bytes.NewReader(b), int64(len(b)), minio.PutObjectOptions{}); err != nil {
					t.Fatal(err)
				}
			},
			Left: func(t *testing.T) int {
				list, err := os.ReadDir(o.Spool)
				if err != nil {
					t.Fatal(err)
				}
				return len(list)
			}}
	})
	t.Run("InParts", func(t *testing.T) { inParts(t, srv) })
	t.Run("Conditional", func(t *testing.T) { conditional(t, srv) })
	t.Run("Faults", func(t *testing.T) { faults(t, srv) })
	t.Run("Refused", func(t *testing.T) { refused(t, srv) })
}

// inParts puts what is larger than one request.
func inParts(t *testing.T, srv *server) {
	s := open(t, srv.options(t, srv.bucket(t)))
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

// wire stands between a store and its server.
type wire struct {
	do func(*http.Request) (*http.Response, error)
}

func (w wire) RoundTrip(r *http.Request) (*http.Response, error) { return w.do(r) }

// conditional wants a create to be one: what somebody else put meanwhile is not overwritten.
func conditional(t *testing.T, srv *server) {
	o := srv.options(t, srv.bucket(t))
	other := open(t, o)
	octets := blobtest.Octets(1, 1000)
	var puts, first atomic.Int32
	o.Spool = t.TempDir()
	o.Transport = wire{func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodPut {
			puts.Add(1)
			if r.Header.Get("If-None-Match") != "*" {
				t.Error("a create without condition")
			}
			if first.CompareAndSwap(0, 1) {
				if _, err := blobtest.Put(t.Context(), other, holdfast.ID{1}, octets); err != nil {
					t.Error(err)
				}
			}
		}
		return http.DefaultTransport.RoundTrip(r)
	}}
	s := open(t, o)
	if _, err := blobtest.Put(t.Context(), s, holdfast.ID{1}, octets); err != nil || puts.Load() != 1 {
		t.Errorf("%d puts, %v", puts.Load(), err)
	}
}

// faults lets each request go wrong, before and after its effect; what was told must hold, and nothing is damage that is only out of reach.
func faults(t *testing.T, srv *server) {
	octets := blobtest.Octets(1, 1500)
	struck := 0
	for n := 1; ; n++ {
		for _, after := range []bool{false, true} {
			o := srv.options(t, srv.bucket(t))
			sound := open(t, o)
			calls := 0
			o.Spool = t.TempDir()
			o.Transport = wire{func(r *http.Request) (*http.Response, error) {
				calls++
				if calls >= n && calls < n+8 { // more often than it is tried again
					if after {
						if res, err := http.DefaultTransport.RoundTrip(r); err == nil {
							io.Copy(io.Discard, res.Body)
							res.Body.Close()
						}
					}
					struck++
					return nil, errors.New("the line broke")
				}
				return http.DefaultTransport.RoundTrip(r)
			}}
			s, err := s3.Open(t.Context(), vfs.OS, o)
			told, gone := false, false
			if err == nil {
				_, err = blobtest.Put(t.Context(), s, holdfast.ID{1}, octets)
				told = err == nil
			}
			h := holdfast.HashOf(octets)
			if err == nil {
				if _, err = blobtest.Read(t.Context(), s, holdfast.ID{1}, h); err == nil {
					err = s.Remove(t.Context(), holdfast.ID{1}, h)
					gone = err == nil
					told = false
				}
			}
			if err != nil && !holdfast.IsKind(err, holdfast.Unavailable) {
				t.Errorf("request %d, after %v: %v", n, after, err)
			}
			got := sound.Verify(t.Context(), holdfast.ID{1}, h)
			if told && got != nil || gone && !holdfast.IsKind(got, holdfast.NotFound) || got != nil && !holdfast.IsKind(got, holdfast.NotFound) {
				t.Errorf("request %d, after %v: told %v, gone %v, and it is %v", n, after, told, gone, got)
			}
			if calls < n {
				if struck < 10 {
					t.Errorf("%d requests went wrong", struck)
				}
				return
			}
		}
	}
}

// refused is what cannot be opened.
func refused(t *testing.T, srv *server) {
	good := srv.options(t, srv.bucket(t))
	for what, edit := range map[string]func(*s3.Options){
		"another key":    func(o *s3.Options) { o.SecretKey = "wrong" },
		"no such bucket": func(o *s3.Options) { o.Bucket = "not-there" },
		"nobody there":   func(o *s3.Options) { o.Endpoint = "127.0.0.1:1" },
		"a prefix":       func(o *s3.Options) { o.Prefix = "files" },
	} {
		o := good
		edit(&o)
		_, err := s3.Open(t.Context(), vfs.OS, o)
		if !holdfast.IsKind(err, holdfast.Unavailable) && !holdfast.IsKind(err, holdfast.Invalid) || strings.Contains(fmt.Sprint(err), secretKey) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
