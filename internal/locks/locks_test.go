package locks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/vfs"
	"holdfast/internal/vfs/crashfs"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func open(_ *testing.T, fsys vfs.FS, dir string, clk clock.Clock) *Table {
	return Open(Options{FS: fsys, Dir: dir, Clock: clk})
}

// keys are those of the account's own clients.
func (a *Account) keys(tokens ...string) Keys { return Keys{a.id, tokens} }

func path(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, "/")
}

func mustLock(t *testing.T, a *Account, l Lock) Lock {
	t.Helper()
	got, err := a.Lock(t.Context(), l, nil, a.keys())
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func held(err error) bool {
	var h *Held
	return errors.As(err, &h)
}

// TestLocksOutliveARestart: what was answered is there after a restart, what ended is not, and leaves no file.
func TestLocksOutliveARestart(t *testing.T) {
	clk := clock.NewFake(start)
	dir := filepath.Join(t.TempDir(), "locks")
	id := holdfast.NewID(nil)
	a := open(t, vfs.OS, dir, clk).Of(id)
	l := mustLock(t, a, Lock{Root: path("a/b"), Owner: "<D:owner xmlns:D=\"DAV:\">me</D:owner>", Timeout: time.Minute})
	short := mustLock(t, a, Lock{Root: path("c"), Timeout: time.Second})
	clk.Advance(2 * time.Second)

	a = open(t, vfs.OS, dir, clk).Of(id)
	if on := a.On(path("a/b")); len(on) != 1 || on[0].Token != l.Token || on[0].Owner != l.Owner || !on[0].Until.Equal(l.Until) {
		t.Errorf("after a restart the locks are %v", on)
	}
	if a.Holds(path("c"), short.Token) {
		t.Error("a lock whose time was over came back")
	}
	if err := a.Unlock(path("a/b"), a.id, l.Token); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("%v, %v are left where no lock is", left, err)
	}
	mustLock(t, a, Lock{Root: path("c"), Timeout: time.Second})
	clk.Advance(time.Minute)
	open(t, vfs.OS, dir, clk)
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("%v, %v are left of locks that ended", left, err)
	}
}

// TestALockIsDurableBeforeItIsAnswered cuts the power after each call.
func TestALockIsDurableBeforeItIsAnswered(t *testing.T) {
	id := holdfast.NewID(nil)
	for n := 1; ; n++ {
		disk := crashfs.New(crashfs.Options{})
		clk := clock.NewFake(start)
		if err := disk.FS().Mkdir("/data", 0o700); err != nil {
			t.Fatal(err)
		}
		disk.Settle()
		disk.CutAfter(n)
		var got, gone Lock
		run := func() error {
			a := open(t, disk.FS(), "/data/locks", clk).Of(id)
			l, err := a.Lock(t.Context(), Lock{Root: path("a")}, nil, a.keys())
			if err != nil {
				return err
			}
			got = l
			m, err := a.Lock(t.Context(), Lock{Root: path("b")}, nil, a.keys())
			if err != nil {
				return err
			}
			if err = a.Unlock(path("b"), a.id, m.Token); err == nil {
				gone = m
			}
			return err
		}
		err := run()
		done := err == nil && !disk.Off()
		disk.PowerCut(rand.New(rand.NewPCG(uint64(n), 0)))
		a := open(t, disk.FS(), "/data/locks", clk).Of(id)
		if got.Token != "" && !a.Holds(path("a"), got.Token) {
			t.Errorf("cut after call %d: a lock that was answered is gone", n)
		}
		if gone.Token != "" && a.Holds(path("b"), gone.Token) {
			t.Errorf("cut after call %d: a lock that was given back is there", n)
		}
		if done {
			return
		}
	}
}

// TestALockThatCannotBeWrittenDownIsNotGiven, and what was there before stays.
func TestALockThatCannotBeWrittenDownIsNotGiven(t *testing.T) {
	disk := crashfs.New(crashfs.Options{})
	if err := disk.FS().Mkdir("/data", 0o700); err != nil {
		t.Fatal(err)
	}
	id := holdfast.NewID(nil)
	a := open(t, disk.FS(), "/data/locks", clock.NewFake(start)).Of(id)
	l := mustLock(t, a, Lock{Root: path("a")})
	disk.SetCapacity(1)
	_, err := a.Lock(t.Context(), Lock{Root: path("b"), Owner: strings.Repeat("x", 4000)}, nil, a.keys())
	if !holdfast.IsKind(err, holdfast.Full) || len(a.On(path("b"))) != 0 {
		t.Errorf("on a full disk: %v, and there are %v", err, a.On(path("b")))
	}
	if !a.Holds(path("a"), l.Token) {
		t.Error("the lock of before is gone")
	}
}

// TestNothingIsMadeBeforeALock: whoever only looks at a store leaves no trace, and a full disk keeps none closed.
func TestNothingIsMadeBeforeALock(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "locks")
	tab := open(t, vfs.OS, dir, clock.NewFake(start))
	if err := tab.Forget(holdfast.NewID(nil)); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there is a directory: %v", err)
	}
}

// TestForget: of an erased account nothing is left.
func TestForget(t *testing.T) {
	dir := t.TempDir()
	id := holdfast.NewID(nil)
	tab := open(t, vfs.OS, dir, clock.NewFake(start))
	mustLock(t, tab.Of(id), Lock{Root: path("a"), Owner: "somebody"})
	if err := tab.Forget(id); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 || tab.Of(id).Any() {
		t.Errorf("%v is left, %v", left, err)
	}
}

// TestAFileThatCannotBeReadLocksNobodyOut.
func TestAFileThatCannotBeReadLocksNobodyOut(t *testing.T) {
	dir := t.TempDir()
	id := holdfast.NewID(nil)
	for _, text := range []string{"", "{", `{"format":2,"locks":[]}`} {
		if err := os.WriteFile(filepath.Join(dir, id.String()+suffix), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		a := open(t, vfs.OS, dir, clock.NewFake(start)).Of(id)
		if a.Any() {
			t.Errorf("%q holds locks", text)
		}
		mustLock(t, a, Lock{Root: path("a")})
	}
}

// TestBounds: an account has at most so many locks, of so many octets; those of another account are its own.
func TestBounds(t *testing.T) {
	tab := open(t, vfs.OS, "", clock.NewFake(start))
	a := tab.Of(holdfast.NewID(nil))
	for i := range MaxLocks {
		mustLock(t, a, Lock{Root: path(fmt.Sprint(i))})
	}
	if _, err := a.Lock(t.Context(), Lock{Root: path("more")}, nil, a.keys()); !holdfast.IsKind(err, holdfast.Full) {
		t.Errorf("one more: %v", err)
	}
	mustLock(t, tab.Of(holdfast.NewID(nil)), Lock{Root: path("0")})

	b := open(t, crashfs.New(crashfs.Options{}).FS(), "/locks", clock.NewFake(start)).Of(holdfast.NewID(nil))
	var err error
	for i := 0; err == nil && i < MaxLocks; i++ {
		_, err = b.Lock(t.Context(), Lock{Root: path(fmt.Sprint(i)), Owner: strings.Repeat("x", MaxOwner)}, nil, b.keys())
	}
	if !holdfast.IsKind(err, holdfast.Full) {
		t.Errorf("of many octets: %v", err)
	}
}

// TestNoLockAmidAWrite: a lock waits for the writes that are under way on what it is on, and for no others.
func TestNoLockAmidAWrite(t *testing.T) {
	a := open(t, vfs.OS, "", clock.NewFake(start)).Of(holdfast.NewID(nil))
	end, err := a.Begin([]Touch{{Path: path("a/b")}, {Path: path("a")}}, a.keys())
	if err != nil {
		t.Fatal(err)
	}
	mustLock(t, a, Lock{Root: path("a/c")})
	gave := make(chan error)
	go func() {
		_, err := a.Lock(context.Background(), Lock{Root: path("a/b")}, nil, a.keys())
		gave <- err
	}()
	select {
	case err := <-gave:
		t.Fatalf("a lock was given in the middle of a write: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	end()
	if err := <-gave; err != nil {
		t.Fatal(err)
	}
	if _, err := a.Begin([]Touch{{Path: path("a/b")}}, a.keys()); !held(err) {
		t.Errorf("a write below the lock: %v", err)
	}
	short, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.Begin([]Touch{{Path: path("d"), Deep: true}}, a.keys()); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Lock(short, Lock{Root: path("d/e")}, nil, a.keys()); !holdfast.IsKind(err, holdfast.Unavailable) {
		t.Errorf("a lock below a tree that is written: %v", err)
	}
}

// TestAgainstTheModel does random things with locks, and asks a model that goes by the words of the RFC: it looks at each resource of the tree by itself.
func TestAgainstTheModel(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 7))
		clk := clock.NewFake(start)
		dir, disk := "/locks", crashfs.New(crashfs.Options{}).FS()
		id := holdfast.NewID(nil)
		a := open(t, disk, dir, clk).Of(id)
		tree := []string{"", "a", "b", "a/a", "a/b", "b/a", "a/a/a", "a/a/b"}
		resources := slices.Clone(tree) // each of them may get a member at any time
		for _, r := range tree {
			resources = append(resources, strings.TrimPrefix(r+"/new", "/"))
		}
		var all []Lock // of the model
		pick := func() string { return tree[rng.IntN(len(tree))] }
		on := func(l *Lock, p string) bool { // whether p is locked by l
			r := strings.Join(l.Root, "/")
			return p == r || l.Deep && (r == "" || strings.HasPrefix(p, r+"/"))
		}
		below := func(p, top string) bool { return p == top || top == "" || strings.HasPrefix(p, top+"/") }
		for step := range 300 {
			all = slices.DeleteFunc(all, func(l Lock) bool { return !l.Until.After(clk.Now()) })
			what := fmt.Sprintf("seed %d, step %d", seed, step)
			p := pick()
			switch rng.IntN(7) {
			case 0, 1: // lock
				want := Lock{Root: path(p), Deep: rng.IntN(2) == 0, Shared: rng.IntN(2) == 0, Timeout: time.Duration(1+rng.IntN(60)) * time.Second}
				may := true
				for _, r := range resources {
					for i := range all {
						if on(&want, r) && on(&all[i], r) && !(want.Shared && all[i].Shared) {
							may = false
						}
					}
				}
				got, err := a.Lock(t.Context(), want, nil, a.keys())
				if may != (err == nil) || err != nil && !held(err) {
					t.Fatalf("%s: a lock on %q: %v, want %v", what, p, err, may)
				}
				if may {
					all = append(all, got)
				}
			case 2: // unlock
				token := ""
				if len(all) > 0 {
					token = all[rng.IntN(len(all))].Token
				}
				i := slices.IndexFunc(all, func(l Lock) bool { return l.Token == token && on(&l, p) })
				if err := a.Unlock(path(p), a.id, token); (i >= 0) != (err == nil) {
					t.Fatalf("%s: unlock %q: %v, want %v", what, p, err, i >= 0)
				}
				if i >= 0 {
					all = slices.Delete(all, i, i+1)
				}
			case 3: // write
				deep := rng.IntN(2) == 0
				var tokens []string
				for _, l := range all {
					if rng.IntN(2) == 0 {
						tokens = append(tokens, l.Token)
					}
				}
				may := true
				for _, r := range resources {
					if r != p && !(deep && below(r, p)) {
						continue
					}
					locked, shown := false, false
					for i := range all {
						if !on(&all[i], r) {
							continue
						}
						has := slices.Contains(tokens, all[i].Token)
						locked, shown = true, shown || has
						if !all[i].Shared && !has {
							may = false
						}
					}
					if locked && !shown {
						may = false
					}
				}
				end, err := a.Begin([]Touch{{path(p), deep}}, a.keys(tokens...))
				if may && err != nil || !may && !held(err) {
					t.Fatalf("%s: write %q (deep %v): %v, want %v", what, p, deep, err, may)
				}
				if err == nil {
					end()
				}
			case 4: // gone
				if err := a.Drop(path(p)); err != nil {
					t.Fatal(err)
				}
				all = slices.DeleteFunc(all, func(l Lock) bool { return below(strings.Join(l.Root, "/"), p) })
			case 5:
				clk.Advance(time.Duration(rng.IntN(10)) * time.Second)
			case 6:
				a = open(t, disk, dir, clk).Of(id)
			}
		}
	}
}

// TestLocksOfGuests: each account's tokens are its own, who owns the tree ends every lock, and a guest does not use up the locks of his host.
func TestLocksOfGuests(t *testing.T) {
	dir := t.TempDir()
	clk := clock.NewFake(start)
	host, guest, other := holdfast.NewID(nil), holdfast.NewID(nil), holdfast.NewID(nil)
	a := open(t, vfs.OS, dir, clk).Of(host)
	l, err := a.Lock(t.Context(), Lock{Root: path("a"), Deep: true, Timeout: time.Minute}, nil, Keys{Who: guest})
	if err != nil {
		t.Fatal(err)
	}
	a = open(t, vfs.OS, dir, clk).Of(host) // also after a restart
	write := []Touch{{Path: path("a/b")}}
	for _, who := range []holdfast.ID{host, other} {
		if err := a.Check(write, Keys{who, []string{l.Token}}); !held(err) {
			t.Errorf("the token of another: %v", err)
		}
		if _, err := a.Refresh(path("a"), who, l.Token, time.Hour); !holdfast.IsKind(err, holdfast.Forbidden) {
			t.Errorf("another's lock is refreshed: %v", err)
		}
	}
	if err := a.Check(write, Keys{guest, []string{l.Token}}); err != nil {
		t.Error(err)
	}
	if err := a.Unlock(path("a"), other, l.Token); !holdfast.IsKind(err, holdfast.Forbidden) {
		t.Errorf("another's lock is ended: %v", err)
	}
	if err := a.Unlock(path("a"), host, l.Token); err != nil || a.Any() {
		t.Errorf("the owner of the tree: %v, and %v", err, a.Any())
	}
	for i := range maxOfGuest {
		if _, err := a.Lock(t.Context(), Lock{Root: path(fmt.Sprint(i)), Timeout: time.Hour}, nil, Keys{Who: guest}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.Lock(t.Context(), Lock{Root: path("more")}, nil, Keys{Who: guest}); !holdfast.IsKind(err, holdfast.Full) {
		t.Errorf("one more of a guest's: %v", err)
	}
	mustLock(t, a, Lock{Root: path("more")})
}
