package sim

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/sim/server"
)

// nothingTaken fails if something of an upload stays that is neither a file nor a chunk.
func nothingTaken(t *testing.T, data string) {
	t.Helper()
	var left []string
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) { // connections that were cut are noticed a moment later
		left = taken(t, data)
		if len(left) == 0 {
			return
		}
		if time.Now().After(end) {
			t.Errorf("%d files stay of uploads that broke off: %.500q", len(left), left)
			return
		}
	}
}

func taken(t *testing.T, data string) (left []string) {
	t.Helper()
	for _, dir := range []string{filepath.Join(data, "blobs", ".new"), filepath.Join(data, "uploads")} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				if errors.Is(err, os.ErrNotExist) {
					return nil
				}
				return err
			}
			if !d.IsDir() && (strings.HasSuffix(dir, ".new") || strings.HasPrefix(d.Name(), ".")) {
				left = append(left, path)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return left
}

// pacer is a body that comes slowly.
type pacer struct {
	left  int
	pause time.Duration
}

func (p *pacer) Read(b []byte) (int, error) {
	if p.left == 0 {
		return 0, io.EOF
	}
	time.Sleep(p.pause)
	n := min(len(b), p.left, 16<<10)
	clear(b[:n])
	p.left -= n
	return n, nil
}

// TestManyUploadsAtOnce: 200 of them are each served, or told 503 and when to come again; the slow ones of one account hold up nobody else, and the server's memory is bounded.
func TestManyUploadsAtOnce(t *testing.T) {
	const many = 200
	s := start(t, server.Options{Env: map[string]string{"HOLDFAST_LIMITS_UPLOADS": "150"}})
	list := people(t, s, 3)
	greedy, other, third := newFiler(s, list[0]), newFiler(s, list[1]), newFiler(s, list[2])
	greedy.want(t, 201, "PUT", greedy.file("warm"), []byte("warm"))
	before, err := s.Memory()
	if err != nil {
		t.Fatal(err)
	}
	var served, told atomic.Int64
	var all sync.WaitGroup
	slow := &pacer{left: 600 << 10, pause: 50 * time.Millisecond}
	for i := range many {
		all.Go(func() {
			body := *slow
			began := time.Now()
			a, err := greedy.do("PUT", greedy.file(fmt.Sprint("slow", i)), &body, int64(slow.left), "Expect: 100-continue")
			switch {
			case err == nil && a.status == http.StatusCreated:
				served.Add(1)
			case err == nil && a.status == http.StatusServiceUnavailable && a.header.Get("Retry-After") != "" && body.left == slow.left:
				if told.Add(1); time.Since(began) > 10*time.Second {
					t.Errorf("upload %d is told after %v", i, time.Since(began))
				}
			default:
				t.Errorf("upload %d: status %d, %v, %d octets were sent\n%.300s", i, a.status, err, slow.left-body.left, a.body)
			}
		})
	}
	time.Sleep(500 * time.Millisecond) // the places of the first are taken by now
	octets := bytes.Repeat([]byte("0123456789"), 50_000)
	for i, f := range []*filer{other, third} {
		began := time.Now()
		f.want(t, 201, "PUT", f.file("fast"), octets)
		f.want(t, 201, "MKCOL", f.upload("u"), nil)
		f.want(t, 201, "PUT", f.upload("u", "1"), octets)
		f.want(t, 201, "MOVE", f.upload("u", ".file"), nil, "Destination: "+f.file("fast 2"))
		t.Logf("account %d: two files in %v beside them", i, time.Since(began).Round(time.Millisecond))
	}
	all.Wait()
	after, err := s.Memory()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d served, %d told to come again; resident: %d MiB before, %d at most", served.Load(), told.Load(), before.Resident>>20, after.Peak>>20)
	if served.Load()+told.Load() != many || served.Load() < 50 || told.Load() == 0 {
		t.Errorf("%d served and %d told, of %d", served.Load(), told.Load(), many)
	}
	if grown := after.Peak - before.Resident; grown > 250<<20 {
		t.Errorf("the server took %d MiB more", grown>>20)
	}
	nothingTaken(t, s.Data)
}
