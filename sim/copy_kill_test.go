package sim

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/sim/server"
)

// TestKillUnderCopy kills the server at random moments of a COPY of a tree of many files. After each start the copy is in sight whole or not at all; asked for again it is there, equal to its source, and nothing else is.
func TestKillUnderCopy(t *testing.T) {
	kills := *fileKillsFlag
	if testing.Short() {
		kills = min(kills, 2)
	}
	r := rand.New(rand.NewPCG(seed(t), 0))
	o := server.Options{Bin: program(t), Data: t.TempDir() + "/data"}
	s := start(t, o)
	f := newFiler(s, people(t, s, 1)[0])
	const files = 2400
	plant(t, f, files)
	began := time.Now()
	f.want(t, 201, "COPY", f.file("tree"), nil, "Destination: "+f.file("whole"))
	takes := time.Since(began)
	want, cut := f.below(t, "tree"), 0
	if len(want) != files+2 {
		t.Fatalf("%d files and folders are there", len(want))
	}
	for n := range kills {
		to := fmt.Sprint("copy", n)
		ended := make(chan error, 1)
		go func() {
			a, err := f.do("COPY", f.file("tree"), nil, 0, "Destination: "+f.file(to))
			if err == nil && a.status != http.StatusCreated && a.status != http.StatusServiceUnavailable {
				err = fmt.Errorf("status %d: %.300s", a.status, a.body)
			}
			ended <- err
		}()
		time.Sleep(time.Duration(r.Int64N(int64(takes))))
		if err := s.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err != nil && strings.HasPrefix(err.Error(), "status") {
			t.Error(err)
		}
		s = start(t, o)
		f.base = "http://" + s.Addr
		if got := f.below(t, to); len(got) == 0 {
			cut++
		} else if !slices.Equal(got, want) {
			t.Errorf("kill %d: %d files and folders are in sight, want %d or none", n, len(got), len(want))
		}
		began := time.Now()
		if a, err := f.do("COPY", f.file("tree"), nil, 0, "Destination: "+f.file(to)); err != nil || a.status != http.StatusCreated && a.status != http.StatusNoContent {
			t.Fatalf("kill %d, asked again: status %d, %v\n%.300s", n, a.status, err, a.body)
		}
		t.Logf("kill %d: the same again took %v", n, time.Since(began).Round(time.Millisecond))
		if got := f.below(t, to); !slices.Equal(got, want) {
			t.Errorf("kill %d: %d files and folders, want %d", n, len(got), len(want))
		}
	}
	t.Logf("%d kills, %d amid the copy; whole it takes %v", kills, cut, takes.Round(time.Millisecond))
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
}

// plant makes a tree of two folders with so many files.
func plant(t *testing.T, f *filer, files int) {
	t.Helper()
	f.want(t, 201, "MKCOL", f.file("tree"), nil)
	f.want(t, 201, "MKCOL", f.file("tree", "more"), nil)
	var all sync.WaitGroup
	const hands = 32
	for h := range hands {
		all.Go(func() {
			for i := h; i < files; i += hands {
				at := f.file("tree", fmt.Sprintf("%05d", i))
				if i%2 == 0 {
					at = f.file("tree", "more", fmt.Sprintf("%05d", i))
				}
				if a, err := f.do("PUT", at, strings.NewReader(at), int64(len(at))); err != nil || a.status != http.StatusCreated {
					t.Errorf("%s: status %d, %v", at, a.status, err)
					return
				}
			}
		})
	}
	all.Wait()
}

// below lists what is in a folder and below it: paths from there, and ETags. One that is not there has nothing.
func (f *filer) below(t *testing.T, name string) (out []string) {
	t.Helper()
	a, err := f.do("PROPFIND", f.file(name)+"/", nil, 0, "Depth: infinity")
	if err != nil {
		t.Fatal(err)
	}
	if a.status == http.StatusNotFound {
		return nil
	}
	for _, r := range strings.Split(string(a.body), "<D:href>")[1:] {
		href, rest, _ := strings.Cut(r, "</D:href>")
		_, etag, _ := strings.Cut(rest, "<D:getetag>")
		etag, _, _ = strings.Cut(etag, "</D:getetag>")
		out = append(out, strings.TrimPrefix(href, f.file(name))+" "+etag)
	}
	slices.Sort(out)
	return out
}
