package s3_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/place"
	"holdfast/internal/place/s3"
	"holdfast/internal/s3test"
)

// TestFence has several writers take over from each other all the time. Each goes on from what it reads when it has fenced the others off. What was acknowledged is there, and nobody else was told the same number.
func TestFence(t *testing.T) {
	srv := s3test.Start(t)
	name := srv.Bucket(t)
	var mu sync.Mutex
	acked := map[int]string{} // number: by whom
	ends := 0
	var all sync.WaitGroup
	for w := range 3 {
		all.Go(func() {
			p := open(t, srv, name)
			defer p.Close()
			for round := range 200 {
				mu.Lock()
				enough := round >= 12 && len(acked) > 0 // on a busy machine all may be fenced off before they have appended
				mu.Unlock()
				if enough {
					return
				}
				time.Sleep(time.Duration(rand.IntN(300)) * time.Millisecond)
				mu.Lock()
				before := len(acked)
				mu.Unlock()
				if err := p.Fence(t.Context()); err != nil {
					t.Error(err)
					return
				}
				lines, next := records(t, p)
				if len(lines) < before {
					t.Errorf("%d were acknowledged, and who fenced the others off sees %d", before, len(lines))
				}
				n, at := len(lines), int64(0)
				segment := fmt.Sprintf("tail/%012d.frames", next)
				for range 12 {
					line := fmt.Sprintf("%06d %d\n", n+1, w)
					err := p.Append(t.Context(), segment, at, []byte(line))
					if holdfast.IsKind(err, holdfast.Fenced) || holdfast.IsKind(err, holdfast.Exists) || holdfast.IsKind(err, holdfast.PreconditionFailed) {
						mu.Lock()
						ends++
						mu.Unlock()
						break
					}
					if err != nil {
						t.Error(err)
						return
					}
					n++
					at += int64(len(line))
					mu.Lock()
					if other, taken := acked[n]; taken {
						t.Errorf("%d was acknowledged to %d, and before it to %s", n, w, other)
					}
					acked[n] = line
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	p := open(t, srv, name)
	defer p.Close()
	lines, _ := records(t, p)
	there := map[string]bool{}
	for _, line := range lines {
		there[line] = true
	}
	for _, line := range acked {
		if !there[line] {
			t.Errorf("%q was acknowledged, and is not there", line)
		}
	}
	if len(acked) == 0 || ends == 0 {
		t.Errorf("%d were acknowledged, and writers were fenced off %d times", len(acked), ends)
	}
	t.Logf("%d acknowledged, %d times fenced off", len(acked), ends)
}

// records reads all that was appended, and the number of the next segment.
func records(t *testing.T, p *s3.Place) (lines []string, next int) {
	err := p.List(context.Background(), "tail/", "", func(i place.Info) error {
		b, err := place.ReadAll(context.Background(), p, i.Name, 1<<20)
		for line := range strings.Lines(string(b)) {
			lines = append(lines, line)
		}
		fmt.Sscanf(i.Name, "tail/%012d.frames", &next)
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return lines, next + 1
}

// TestFenceIsOfNoUse wants a store that overwrites where it was told to create to be found out.
func TestFenceIsOfNoUse(t *testing.T) {
	srv := s3test.Start(t)
	p := open(t, srv, srv.Bucket(t))
	creates := 0
	srv.Front.Plan(func(_ int, r *http.Request) s3test.Act {
		if r.Header.Get("If-None-Match") == "" {
			return s3test.Act{}
		}
		if creates++; creates == 2 {
			return s3test.Act{Kind: s3test.Refuse, Status: http.StatusOK}
		}
		return s3test.Act{}
	})
	if err := p.Fence(t.Context()); !holdfast.IsKind(err, holdfast.Invalid) {
		t.Errorf("a store that forgets conditions: %v", err)
	}
}

// TestLateAppend has an append arrive after its object was closed, and after a restart of its writer: it is refused, and the new end stays as it was read.
func TestLateAppend(t *testing.T) {
	srv := s3test.Start(t)
	name := srv.Bucket(t)
	old, next := open(t, srv, name), open(t, srv, name)
	want := func(what string, err error, kind holdfast.ErrorKind) {
		t.Helper()
		if holdfast.KindOf(err) != kind || (err == nil) != (kind == 0) {
			t.Errorf("%s: %v", what, err)
		}
	}
	const segment = "tail/000000000001.frames"
	want("fence", old.Fence(t.Context()), 0)
	want("append", old.Append(t.Context(), segment, 0, []byte("one\n")), 0)
	want("fence", next.Fence(t.Context()), 0)
	want("an append of who was fenced off", old.Append(t.Context(), segment, 4, []byte("two\n")), holdfast.Fenced)
	want("one more", old.Append(t.Context(), segment, 4, []byte("two\n")), holdfast.Unavailable)
	want("another object of his", old.Append(t.Context(), "tail/000000000002.frames", 0, []byte("two\n")), holdfast.Fenced)
	want("append", next.Append(t.Context(), "tail/000000000003.frames", 0, []byte("two\n")), 0)
	want("fence", old.Fence(t.Context()), 0)
	want("append", old.Append(t.Context(), "tail/000000000004.frames", 0, []byte("three\n")), 0)
	want("an append of who was fenced off", next.Append(t.Context(), "tail/000000000003.frames", 4, []byte("three\n")), holdfast.Fenced)
}
