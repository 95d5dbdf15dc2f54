// Package s3test starts a real object store for tests, versitygw, and stands between it and who uses it: so that lines break and answers get lost.
package s3test

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"holdfast/internal/clock"
)

// The credential of the servers that are started.
const (
	AccessKey = "holdfast"
	SecretKey = "only-for-tests"
)

// Server is an object store of a test's own.
type Server struct {
	URL      string // of the front that creates pass one by one, see [Front]
	Front    *Front
	API      *minio.Client // straight to the server, as its owner
	Data     string        // where it keeps what it is given
	Versions bool          // it keeps them, and locks objects, where a bucket is to
	said     *bytes.Buffer
}

// program finds the object store that scripts/need-tools.sh builds.
func program(t testing.TB) string {
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

// Start starts a server, which ends with the test. What it knows of its objects are attributes of their files; where the file system has none that lies beside them, and then versions do not work as they should ([Server.Versioned]).
func Start(t testing.TB) *Server {
	t.Helper()
	p := program(t)
	s := &Server{Data: t.TempDir()}
	if s.run(t, p, "--versioning-dir", t.TempDir()) {
		s.Versions = true
	} else if !s.run(t, p, "--sidecar", t.TempDir()) {
		t.Fatalf("the object store does not start:\n%s", s.said.String())
	}
	return s
}

// run starts the server and waits until it answers; false: it ended.
func (s *Server) run(t testing.TB, program string, how ...string) bool {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	cmd := exec.Command(program, append(append([]string{"--port", addr, "--quiet", "posix"}, how...), s.Data)...)
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+AccessKey, "ROOT_SECRET_KEY="+SecretKey)
	s.said = &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = s.said, s.said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-ended
		if t.Failed() {
			t.Log(s.said.String())
		}
	})
	if s.API, err = minio.New(addr, &minio.Options{Creds: credentials.NewStaticV4(AccessKey, SecretKey, ""), Region: "us-east-1"}); err != nil {
		t.Fatal(err)
	}
	ctx, end := clock.WithTimeout(t.Context(), clock.System, 20*time.Second)
	defer end()
	for {
		if _, err = s.API.ListBuckets(ctx); err == nil {
			break
		}
		select {
		case <-ended:
			return false
		default:
		}
		if clock.Sleep(ctx, clock.System, 50*time.Millisecond) != nil {
			t.Fatalf("the object store does not answer: %v\n%s", err, s.said.String())
		}
	}
	s.Front = NewFront(t, "http://"+addr)
	s.URL = s.Front.URL
	return true
}

var buckets atomic.Int64

// Bucket makes an empty bucket and returns its name.
func (s *Server) Bucket(t testing.TB) string { return s.make(t, minio.MakeBucketOptions{}) }

// Versioned makes an empty bucket that keeps versions.
func (s *Server) Versioned(t testing.TB) string {
	t.Helper()
	if !s.Versions {
		t.Skip("the file system of the tests' directory has no attributes, so that versitygw keeps no versions: choose another with TMPDIR")
	}
	name := s.Bucket(t)
	if err := s.API.EnableVersioning(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	return name
}

// Locking makes an empty bucket that keeps versions, and in which objects can be locked.
func (s *Server) Locking(t testing.TB) string {
	t.Helper()
	if !s.Versions {
		t.Skip("the file system of the tests' directory has no attributes, so that versitygw locks nothing: choose another with TMPDIR")
	}
	return s.make(t, minio.MakeBucketOptions{ObjectLocking: true})
}

func (s *Server) make(t testing.TB, o minio.MakeBucketOptions) string {
	t.Helper()
	name := fmt.Sprintf("b%d-%d", os.Getpid(), buckets.Add(1))
	if err := s.API.MakeBucket(t.Context(), name, o); err != nil {
		t.Fatal(err)
	}
	return name
}

// Plain is a transport of a client's own, for tests that wrap one.
func Plain() *http.Transport { return http.DefaultTransport.(*http.Transport).Clone() }
