package uploads_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"holdfast"
	"holdfast/internal/blob/blobtest"
	"holdfast/internal/fault"
	"holdfast/internal/uploads"
	"holdfast/internal/vfs"
	"holdfast/internal/vfs/crashfs"
)

// state is what somebody may believe of one upload.
type state struct {
	there  bool
	chunks map[string]int // the seed of each
	done   bool
}

// told is what the store has said: for each upload the states that it may be in. More than one is where a call failed, or was cut.
type told map[string][]state

func (s state) with(chunk string, seed int) state {
	out := state{there: true, chunks: map[string]int{}}
	for c, n := range s.chunks {
		out.chunks[c] = n
	}
	if out.chunks[chunk] = seed; seed == 0 {
		delete(out.chunks, chunk)
	}
	return out
}

// octetsOf makes the octets of a chunk out of its seed.
func octetsOf(seed int) []byte { return blobtest.Octets(uint64(seed), 100+seed*3000) }

// story does what clients do, until something goes wrong.
func story(t *testing.T, fsys vfs.FS) (told, error) {
	x := told{"a": {{}}, "b": {{}}}
	s, err := uploads.Open(uploads.Options{FS: fsys, Dir: "/data/uploads"})
	if err != nil {
		return x, err
	}
	// to says that an upload goes into a state, by a call that may fail.
	to := func(name string, next func(state) state, call func() error) error {
		was := x[name][0]
		x[name] = []state{was, next(was)}
		err := call()
		if err == nil {
			x[name] = x[name][1:]
		}
		return err
	}
	begin := func(name string) func() error {
		return func() error {
			return to(name, func(state) state { return state{there: true} }, func() error { return s.Begin(owner, uploads.New{Name: name, Length: -1}) })
		}
	}
	put := func(name, chunk string, seed int) func() error {
		return func() error {
			return to(name, func(was state) state { return was.with(chunk, seed) }, func() error {
				_, _, err := s.Put(t.Context(), owner, uploads.Put{Upload: name, Chunk: chunk, Octets: bytes.NewReader(octetsOf(seed)), Size: -1, Room: plenty, Most: plenty})
				return err
			})
		}
	}
	remove := func(name, chunk string) func() error {
		return func() error {
			return to(name, func(was state) state { return was.with(chunk, 0) }, func() error { return s.RemoveChunk(owner, name, chunk) })
		}
	}
	end := func(name string) func() error {
		return func() error {
			return to(name, func(state) state { return state{} }, func() error { return s.Remove(owner, name) })
		}
	}
	done := func(name string) func() error {
		return func() error {
			return to(name, func(state) state { return state{done: true} }, func() error {
				m, err := s.Make(owner, name)
				if err != nil {
					return err
				}
				defer m.Close()
				if _, err := io.Copy(io.Discard, m); err != nil {
					return err
				}
				return m.Done(uploads.Outcome{Receipt: "seq=1"})
			})
		}
	}
	for _, do := range []func() error{
		begin("a"), put("a", "1", 1), put("a", "2", 2), begin("b"), put("b", "1", 3), put("a", "1", 4), remove("a", "2"), put("a", "2", 5),
		done("a"), begin("a"), put("a", "1", 6), end("b"), begin("b"), put("b", "2", 7), done("b"),
	} {
		if err := do(); err != nil {
			return x, err
		}
	}
	return x, nil
}

// is says what of an upload is not as in a state; "" if all is.
func is(s *uploads.Store, name string, want state) string {
	if _, err := s.Outcome(owner, name); (err == nil) != want.done {
		return fmt.Sprintf("it became a file: %v, want %v", err == nil, want.done)
	}
	u, err := s.Get(owner, name)
	if (err == nil) != want.there || len(u.Chunks) != len(want.chunks) {
		return fmt.Sprintf("it is there: %v, with %d chunks; want %v with %d", err == nil, len(u.Chunks), want.there, len(want.chunks))
	}
	if !want.there {
		return ""
	}
	var octets []byte
	for _, c := range u.Chunks {
		octets = append(octets, octetsOf(want.chunks[c.Name])...)
	}
	m, err := s.Make(owner, name)
	if err != nil {
		return err.Error()
	}
	defer m.Close()
	got, err := io.ReadAll(m)
	if err != nil || !bytes.Equal(got, octets) {
		return fmt.Sprintf("its octets are others: %v", err)
	}
	return ""
}

// broken opens the store and says what of it is not as it was told; "" if all is.
func broken(t *testing.T, fsys vfs.FS, x told) string {
	s, err := uploads.Open(uploads.Options{FS: fsys, Dir: "/data/uploads"})
	if err != nil {
		return err.Error()
	}
	for name, may := range x {
		what := ""
		for _, want := range may {
			if what = is(s, name, want); what == "" {
				break
			}
		}
		if what != "" {
			return name + ": " + what
		}
	}
	if n := left(t, fsys); n > 0 {
		return fmt.Sprintf("%d files are left over", n)
	}
	for _, name := range []string{"c", "d"} {
		if err := s.Begin(owner, uploads.New{Name: name}); err != nil {
			return err.Error()
		}
	}
	return ""
}

// left counts what is being taken in.
func left(t *testing.T, fsys vfs.FS) (n int) {
	dir := "/data/uploads/" + owner.String()
	list, _ := fsys.ReadDir(dir)
	for _, e := range list {
		files, err := fsys.ReadDir(dir + "/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if f.Name()[0] == '.' {
				n++
			}
		}
	}
	return n
}

func newDisk(t *testing.T, opt crashfs.Options) *crashfs.Disk {
	t.Helper()
	d := crashfs.New(opt)
	if err := d.FS().Mkdir("/data", 0o700); err != nil {
		t.Fatal(err)
	}
	d.Settle()
	return d
}

// cuts cuts the power after each call and returns what was found.
func cuts(t *testing.T, opt crashfs.Options, seeds uint64) (found []string, runs int) {
	t.Helper()
	found, runs, err := crashfs.Cuts(func() *crashfs.Disk { return newDisk(t, opt) }, seeds,
		func(fsys vfs.FS) (told, error) { return story(t, fsys) }, func(fsys vfs.FS, x told) string { return broken(t, fsys, x) })
	if err != nil {
		t.Fatal(err)
	}
	return found, runs
}

func TestPowerCuts(t *testing.T) {
	seeds := uint64(8)
	if testing.Short() {
		seeds = 3
	}
	for _, opt := range []crashfs.Options{{}, {GarbageSectors: true}} {
		found, runs := cuts(t, opt, seeds)
		if runs < 60*int(seeds) {
			t.Errorf("%d cuts are few", runs)
		}
		for _, what := range found {
			t.Error(what)
		}
	}
	for what, opt := range map[string]crashfs.Options{"a disk that lies": {LyingSync: true}, "no sync of directories": {NoDirSync: true}} {
		if found, _ := cuts(t, opt, 3); len(found) == 0 {
			t.Errorf("%s: nothing is lost, so this test finds nothing", what)
		}
	}
}

// TestFaults makes each call fail in each way; what was told must hold after a restart, and after a power cut.
func TestFaults(t *testing.T) {
	never := fault.Never()
	if _, err := story(t, fault.WrapFS(newDisk(t, crashfs.Options{}).FS(), never)); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= never.Calls(); n++ {
		for _, act := range []fault.Act{fault.Before, fault.After, fault.Half, fault.Full} {
			for _, power := range []bool{true, false} {
				d, call := newDisk(t, crashfs.Options{}), ""
				plan := fault.At(n, act)
				plan.Seen = func(_ int, c string, a fault.Act) {
					if a != fault.None {
						call = c
					}
				}
				x, err := story(t, fault.WrapFS(d.FS(), plan))
				if err != nil && act == fault.Full && !holdfast.IsKind(err, holdfast.Full) || err != nil && holdfast.KindOf(err) == holdfast.Internal {
					t.Errorf("%s: %s: %v", act, call, err)
				}
				if !power {
					d.PowerCut(rand.New(rand.NewPCG(uint64(n), 1)))
				}
				if what := broken(t, d.FS(), x); what != "" {
					t.Errorf("%s: %s, power %v: %s", act, call, power, what)
				}
			}
		}
	}
}

// TestAFailedSync makes each sync fail as a disk does that drops what it could not write.
func TestAFailedSync(t *testing.T) {
	for n := 1; ; n++ {
		d := newDisk(t, crashfs.Options{})
		d.FailSync(n)
		x, err := story(t, d.FS())
		if err == nil {
			if n < 30 {
				t.Fatalf("there are %d syncs", n)
			}
			return
		}
		d.PowerCut(rand.New(rand.NewPCG(uint64(n), 2)))
		if what := broken(t, d.FS(), x); what != "" {
			t.Errorf("sync %d failed: %s", n, what)
		}
	}
}
