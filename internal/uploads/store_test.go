package uploads_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/blob/blobtest"
	"holdfast/internal/clock"
	"holdfast/internal/uploads"
)

var (
	owner = holdfast.ID{1}
	start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

const plenty = 1 << 50

type rig struct {
	*uploads.Store
	t     *testing.T
	clock *clock.Fake
	o     uploads.Options
}

func open(t *testing.T, o uploads.Options) *rig {
	t.Helper()
	r := &rig{t: t, clock: clock.NewFake(start), o: o}
	r.o.Clock = r.clock
	if r.o.Dir == "" {
		r.o.Dir = filepath.Join(t.TempDir(), "uploads")
	}
	r.reopen()
	return r
}

func (r *rig) reopen() {
	r.t.Helper()
	s, err := uploads.Open(r.o)
	if err != nil {
		r.t.Fatal(err)
	}
	r.Store = s
}

func (r *rig) begin(name string) {
	r.t.Helper()
	if err := r.Begin(owner, uploads.New{Name: name, Length: -1}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) put(name, chunk, octets string) error {
	_, _, err := r.Put(r.t.Context(), owner, uploads.Put{Upload: name, Chunk: chunk, Octets: strings.NewReader(octets), Size: -1, Room: plenty, Most: plenty})
	return err
}

func want(t *testing.T, err error, kind holdfast.ErrorKind) {
	t.Helper()
	if !holdfast.IsKind(err, kind) {
		t.Errorf("%v, want %v", err, kind)
	}
}

// whole reads the file that an upload would become.
func (r *rig) whole(name string) string {
	r.t.Helper()
	m, err := r.Make(owner, name)
	if err != nil {
		r.t.Fatal(err)
	}
	defer m.Close()
	b, err := io.ReadAll(m)
	if err != nil || int64(len(b)) != m.Octets {
		r.t.Fatalf("%d octets of %d: %v", len(b), m.Octets, err)
	}
	return string(b)
}

// names of the chunks of an upload.
func (r *rig) names(name string) (out []string) {
	r.t.Helper()
	u, err := r.Get(owner, name)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, c := range u.Chunks {
		out = append(out, c.Name)
	}
	return out
}

func TestAnUploadOverARestart(t *testing.T) {
	r := open(t, uploads.Options{})
	r.begin("film")
	want(t, r.Begin(owner, uploads.New{Name: "film"}), holdfast.Exists)
	for chunk, octets := range map[string]string{"10": "last", "2": "second ", "1": "first "} {
		if err := r.put("film", chunk, octets); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if got := r.names("film"); !slices.Equal(got, []string{"1", "2", "10"}) {
			t.Errorf("the chunks are %q", got)
		}
		if got := r.whole("film"); got != "first second last" {
			t.Errorf("it is %q", got)
		}
		if got := r.Octets(owner); got != 17 {
			t.Errorf("%d octets are counted", got)
		}
		r.reopen()
	}
	if err := r.put("film", "2", "2nd "); err != nil {
		t.Fatal(err)
	}
	if err := r.RemoveChunk(owner, "film", "1"); err != nil {
		t.Fatal(err)
	}
	want(t, r.RemoveChunk(owner, "film", "1"), holdfast.NotFound)
	if got := r.whole("film"); got != "2nd last" || r.Octets(owner) != 8 {
		t.Errorf("it is %q, %d octets are counted", got, r.Octets(owner))
	}
	if err := r.Remove(owner, "film"); err != nil {
		t.Fatal(err)
	}
	r.reopen()
	want(t, r.Remove(owner, "film"), holdfast.NotFound)
	if n := r.Count(); n != (uploads.Counts{}) {
		t.Errorf("%+v is left", n)
	}
}

// TestNames are those of clients: numbers, offsets, ranges, whatever sorts.
func TestNames(t *testing.T) {
	r := open(t, uploads.Options{})
	r.begin("a")
	in := []string{"000000000000000-000000000000009", "000000000000010-000000000000019", "000000000000100-000000000000109"}
	for _, n := range []int{2, 0, 1} {
		if err := r.put("a", in[n], fmt.Sprint(n)); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.whole("a"); got != "012" {
		t.Errorf("it is %q", got)
	}
	for _, name := range []string{"", ".", "..", ".file", "a/b", strings.Repeat("1", uploads.MaxChunkName+1), "\xff"} {
		want(t, r.put("a", name, "x"), holdfast.Invalid)
	}
	if err := r.put("a", strings.Repeat("ü", uploads.MaxChunkName/2), "x"); err != nil {
		t.Error(err)
	}
	order := []string{"", "0", "00", "1", "01", "1a", "2", "10", "a", "a1", "a1b", "a02", "a10", "b"}
	shuffled := slices.Clone(order)
	slices.Reverse(shuffled)
	slices.SortFunc(shuffled, uploads.Natural)
	slices.SortStableFunc(order[3:5], uploads.Natural)
	if !slices.Equal(order, shuffled) {
		t.Errorf("%q, want %q", shuffled, order)
	}
}

// TestWhatWasMadeAFileIsRemembered: who asks again is told what became of it, also after a restart, until the name is used anew.
func TestWhatWasMadeAFileIsRemembered(t *testing.T) {
	r := open(t, uploads.Options{})
	r.begin("a")
	if err := r.put("a", "1", "octets"); err != nil {
		t.Fatal(err)
	}
	m, err := r.Make(owner, "a")
	if err != nil {
		t.Fatal(err)
	}
	want(t, r.put("a", "2", "x"), holdfast.Busy)
	want(t, r.Remove(owner, "a"), holdfast.Busy)
	if _, err := r.Make(owner, "a"); !holdfast.IsKind(err, holdfast.Busy) {
		t.Error(err)
	}
	done := uploads.Outcome{Destination: "/x", ETag: holdfast.HashOf([]byte("octets")), Created: true, Receipt: "seq=1", Timed: true}
	if err := m.Done(done); err != nil {
		t.Fatal(err)
	}
	m.Close()
	for range 2 {
		if got, err := r.Outcome(owner, "a"); got != done || err != nil {
			t.Errorf("%+v, %v", got, err)
		}
		want(t, r.put("a", "2", "x"), holdfast.NotFound)
		if n := r.Count(); n != (uploads.Counts{}) {
			t.Errorf("%+v is counted", n)
		}
		r.reopen()
	}
	r.begin("a")
	r.reopen()
	if _, err := r.Outcome(owner, "a"); !holdfast.IsKind(err, holdfast.NotFound) {
		t.Error(err)
	}
	if got := r.whole("a"); got != "" {
		t.Errorf("the new one has %q", got)
	}
}

// TestBounds: of octets, of uploads, of the disk, each with what was there before kept.
func TestBounds(t *testing.T) {
	room := true
	r := open(t, uploads.Options{Each: 2, Octets: 100, Room: func(int64) bool { return room }})
	r.begin("a")
	r.begin("b")
	want(t, r.Begin(owner, uploads.New{Name: "c"}), holdfast.Quota)
	if err := r.put("a", "1", strings.Repeat("x", 60)); err != nil {
		t.Fatal(err)
	}
	want(t, r.put("b", "1", strings.Repeat("x", 41)), holdfast.Quota)
	if err := r.put("b", "1", strings.Repeat("x", 40)); err != nil {
		t.Error(err)
	}
	if err := r.put("b", "1", strings.Repeat("y", 40)); err != nil { // in its own place
		t.Error(err)
	}
	limited := func(kind holdfast.ErrorKind, p uploads.Put) {
		t.Helper()
		p.Upload, p.Chunk, p.Size, p.Octets = "b", "1", -1, strings.NewReader(strings.Repeat("z", 30))
		_, _, err := r.Put(t.Context(), owner, p)
		want(t, err, kind)
	}
	limited(holdfast.Quota, uploads.Put{Room: 89, Most: plenty})
	limited(holdfast.TooLarge, uploads.Put{Room: plenty, Most: 29})
	if r.Octets(owner) != 100 || r.whole("b") != strings.Repeat("y", 40) {
		t.Errorf("%d octets are counted", r.Octets(owner))
	}
	r.o.Octets, room = 0, false
	r.reopen()
	_, _, err := r.Put(t.Context(), owner, uploads.Put{Upload: "b", Chunk: "1", Octets: bytes.NewReader(make([]byte, 17<<20)), Size: -1, Room: plenty, Most: plenty})
	want(t, err, holdfast.Full)
	if r.Octets(owner) != 100 || r.whole("b") != strings.Repeat("y", 40) {
		t.Errorf("%d octets are counted", r.Octets(owner))
	}
	if left, _ := filepath.Glob(filepath.Join(r.o.Dir, "*", "*", ".new-*")); len(left) > 0 {
		t.Errorf("%q stay", left)
	}
}

// TestAChunkThatBreaksOff leaves what was there.
func TestAChunkThatBreaksOff(t *testing.T) {
	r := open(t, uploads.Options{})
	r.begin("a")
	broken := errors.New("the line broke")
	for _, was := range []string{"", "whole"} {
		if was != "" {
			if err := r.put("a", "1", was); err != nil {
				t.Fatal(err)
			}
		}
		_, _, err := r.Put(t.Context(), owner, uploads.Put{Upload: "a", Chunk: "1", Octets: io.MultiReader(strings.NewReader("part"), failing{broken}), Size: -1, Room: plenty, Most: plenty})
		if !errors.Is(err, broken) {
			t.Error(err)
		}
		if got := r.whole("a"); got != was || r.Octets(owner) != int64(len(was)) {
			t.Errorf("it is %q, %d octets are counted", got, r.Octets(owner))
		}
	}
}

// TestAChunkOfAnotherLength than was said is none, however many octets come.
func TestAChunkOfAnotherLength(t *testing.T) {
	r := open(t, uploads.Options{})
	r.begin("a")
	for _, octets := range []io.Reader{strings.NewReader("1234"), strings.NewReader("123456"), endless{}} {
		_, _, err := r.Put(t.Context(), owner, uploads.Put{Upload: "a", Chunk: "1", Octets: octets, Size: 5, Room: plenty, Most: plenty})
		want(t, err, holdfast.Invalid)
	}
	if got := r.whole("a"); got != "" || r.Octets(owner) != 0 {
		t.Errorf("it is %q, %d octets are counted", got, r.Octets(owner))
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// TestItIsKept for as long as it was said after the last touch, in time that the service ran, and no clock that jumps ends it.
func TestItIsKept(t *testing.T) {
	r := open(t, uploads.Options{Keep: 48 * time.Hour})
	r.begin("a")
	r.begin("done")
	if m, err := r.Make(owner, "done"); err != nil || m.Done(uploads.Outcome{}) != nil {
		t.Fatal(err)
	} else {
		m.Close()
	}
	there := func(want bool) {
		t.Helper()
		if _, err := r.Get(owner, "a"); (err == nil) != want {
			t.Errorf("it is there: %v", err)
		}
	}
	hours := func(n int) {
		for range n {
			r.clock.Advance(time.Hour)
			r.Age()
		}
	}
	hours(40)
	if _, err := r.Outcome(owner, "done"); err == nil {
		t.Error("what became of the other one is still known")
	}
	if err := r.put("a", "1", "x"); err != nil {
		t.Fatal(err)
	}
	hours(20)
	there(true)
	r.clock.Advance(1000 * time.Hour) // nobody was there, or a clock was put ahead: a day at most
	r.reopen()
	r.Age()
	there(true)
	r.clock.Advance(-5000 * time.Hour)
	r.Age()
	there(true)
	if err := r.put("a", "2", "x"); err != nil {
		t.Fatal(err)
	}
	hours(47)
	there(true)
	hours(3)
	there(false)
	r.reopen()
	there(false)
	if left, _ := os.ReadDir(filepath.Join(r.o.Dir, owner.String())); len(left) > 0 {
		t.Errorf("%d directories are left", len(left))
	}
}

// TestChunksOfAnAccountAreBounded over all of its uploads: an empty one takes a file and memory too, and counts in no allowance.
func TestChunksOfAnAccountAreBounded(t *testing.T) {
	r := open(t, uploads.Options{Chunks: 3})
	r.begin("a")
	r.begin("b")
	for _, x := range [][2]string{{"a", "1"}, {"a", "2"}, {"b", "1"}} {
		if err := r.put(x[0], x[1], ""); err != nil {
			t.Fatal(err)
		}
	}
	want(t, r.put("b", "2", ""), holdfast.Quota)
	r.reopen()
	want(t, r.put("b", "2", ""), holdfast.Quota)
	if err := r.put("b", "1", "in its own place"); err != nil {
		t.Error(err)
	}
	if err := r.Remove(owner, "a"); err != nil {
		t.Fatal(err)
	}
	if err := r.put("b", "2", ""); err != nil {
		t.Error(err)
	}
}

// TestADamagedChunk is never a part of a file, and is sent again.
func TestADamagedChunk(t *testing.T) {
	octets := string(blobtest.Octets(1, 3<<20))
	for _, restarted := range []bool{false, true} {
		for where, hurt := range map[string]func(b []byte) []byte{
			"octets":  func(b []byte) []byte { b[2<<20]++; return b },
			"trailer": func(b []byte) []byte { b[len(b)-70]++; return b },
			"end":     func(b []byte) []byte { return b[:len(b)-1] },
		} {
			r := open(t, uploads.Options{})
			r.begin("a")
			for _, c := range []string{"1", "2"} {
				if err := r.put("a", c, octets); err != nil {
					t.Fatal(err)
				}
			}
			files, _ := filepath.Glob(filepath.Join(r.o.Dir, "*", "*", "c-32"))
			b, err := os.ReadFile(files[0])
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(files[0], hurt(b), 0o600); err != nil {
				t.Fatal(err)
			}
			if restarted {
				r.reopen()
			}
			if len(r.names("a")) == 2 {
				m, err := r.Make(owner, "a")
				if err != nil {
					t.Fatal(err)
				}
				_, err = io.Copy(io.Discard, m)
				want(t, err, holdfast.Corrupt)
				m.Close()
			}
			if got := r.names("a"); !slices.Equal(got, []string{"1"}) || r.Octets(owner) != 3<<20 {
				t.Errorf("%s: the chunks are %q, %d octets", where, got, r.Octets(owner))
			}
			for range 2 { // the first chunk alone is no file, over any number of restarts
				m, err := r.Make(owner, "a")
				if err == nil { // damage amid the octets shows when they are read, once in each life of the process
					_, err = io.Copy(io.Discard, m)
					want(t, err, holdfast.Corrupt)
					m.Close()
					_, err = r.Make(owner, "a")
				}
				want(t, err, holdfast.Invalid)
				r.reopen()
			}
			if err := r.put("a", "2", octets); err != nil || r.whole("a") != octets+octets {
				t.Errorf("%s: it is not whole: %v", where, err)
			}
			if r.reopen(); r.whole("a") != octets+octets {
				t.Errorf("%s: it is not whole after a restart", where)
			}
		}
	}
}

// TestCountSaysForHowLongNobodyWentOn with the one that waits longest.
func TestCountSaysForHowLongNobodyWentOn(t *testing.T) {
	r := open(t, uploads.Options{})
	quiet := func(want time.Duration) {
		t.Helper()
		if n := r.Count(); n.Quiet != want {
			t.Errorf("for %v, want %v", n.Quiet, want)
		}
	}
	quiet(0)
	r.begin("a")
	r.clock.Advance(2 * time.Hour)
	r.begin("b")
	r.clock.Advance(time.Hour)
	quiet(3 * time.Hour)
	if err := r.put("a", "1", "x"); err != nil {
		t.Fatal(err)
	}
	quiet(time.Hour)
}

func TestForget(t *testing.T) {
	r := open(t, uploads.Options{})
	if err := r.Forget(owner); err != nil {
		t.Fatal(err)
	}
	r.begin("a")
	r.begin("b")
	if err := r.put("a", "1", "x"); err != nil {
		t.Fatal(err)
	}
	if err := r.Store.Begin(holdfast.ID{2}, uploads.New{Name: "a"}); err != nil {
		t.Fatal(err)
	}
	if err := r.Forget(owner); err != nil {
		t.Fatal(err)
	}
	if list, err := os.ReadDir(r.o.Dir); err != nil || len(list) != 1 || r.Octets(owner) != 0 || r.Count().Uploads != 1 {
		t.Errorf("%v is left, %v", list, err)
	}
}
