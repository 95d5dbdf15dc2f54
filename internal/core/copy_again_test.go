package core_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/core"
)

// grove is a folder "a" with so many files that they are copied in several parts, in folders.
func grove(t *testing.T, o core.Options) *folders {
	t.Helper()
	f := newFoldersWith(t, o)
	deep := f.mkdir(t, f.sub, "deep")
	for id, n := range map[holdfast.ID]int{f.a: 1100, f.sub: 20, deep: 600} {
		var items []core.Item
		for i := range n {
			items = append(items, core.Item{Name: fmt.Sprintf("%06d", i), Body: fmt.Appendf(nil, "%s-%d x", id, i)})
		}
		for part := range slices.Chunk(items, 200) {
			if _, err := f.s.PutMany(t.Context(), f.p, core.PutManyRequest{Owner: f.p.Account, Collection: id, Items: part}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return f
}

// all lists what is below a path of files: names and hashes.
func (f *folders) all(t *testing.T, path ...string) (out []string) {
	t.Helper()
	err := f.s.Read(t.Context(), f.p, f.p.Account, func(r *core.Reader) error {
		at, err := r.Locate(append([]string{"files"}, path...))
		if err != nil || len(at.Rest) > 0 {
			return err
		}
		tree, err := r.Visible()
		if err != nil {
			return err
		}
		var walk func(id holdfast.ID, name string) error
		walk = func(id holdfast.ID, name string) error {
			out = append(out, name+"/")
			for _, c := range tree {
				if c.Parent == id && c.ID != id {
					if err := walk(c.ID, name+"/"+c.Name); err != nil {
						return err
					}
				}
			}
			return r.List(id, "", 0, 0, func(x *holdfast.Resource) error {
				out = append(out, name+"/"+x.Name+" "+x.ETag.String())
				return nil
			})
		}
		return walk(at.Collection.ID, "")
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return out
}

// watch counts the members that commits copy.
func (f *folders) watch(fail func(*holdfast.Group) error) *int {
	members := new(int)
	f.e.before = func(g *holdfast.Group) error {
		if fail != nil {
			if err := fail(g); err != nil {
				return err
			}
		}
		for _, e := range g.Entries {
			if e.Name != "" && e.Op == holdfast.OpPut {
				*members++
			}
		}
		return nil
	}
	return members
}

func (f *folders) copyTo(t *testing.T, name string) (holdfast.Receipt, error) {
	t.Helper()
	return f.s.Copy(t.Context(), f.p, core.Transfer{From: f.at(f.a, ""), To: f.at(f.home, name), Overwrite: true})
}

// TestACopyThatWasCutGoesOn: cut after each of its commits, and asked for again, it ends without copying anything twice.
func TestACopyThatWasCutGoesOn(t *testing.T) {
	f := grove(t, core.Options{})
	total := f.watch(nil)
	if _, err := f.copyTo(t, "whole"); err != nil {
		t.Fatal(err)
	}
	want, n := f.all(t, "a"), *total
	for cut := 1; ; cut++ {
		name, commits := fmt.Sprint("b", cut), 0
		first := f.watch(func(*holdfast.Group) error {
			if commits++; commits > cut {
				return &holdfast.Error{Op: "test", Kind: holdfast.Unavailable}
			}
			return nil
		})
		_, err := f.copyTo(t, name)
		if err == nil {
			if cut < 8 {
				t.Errorf("%d commits are few", cut)
			}
			return
		}
		f.e.before = nil
		if got := f.all(t, name); got != nil {
			t.Errorf("cut %d: %d items are in sight", cut, len(got))
		}
		second := f.watch(nil)
		if _, err := f.copyTo(t, name); err != nil {
			t.Fatal(err)
		}
		if got := f.all(t, name); !slices.Equal(got, want) {
			t.Fatalf("cut %d: %d items, want %d", cut, len(got), len(want))
		}
		if *first+*second != n {
			t.Errorf("cut %d: %d and %d members were copied, of %d", cut, *first, *second, n)
		}
		if _, hidden := f.usage(t); len(hidden) > 0 {
			t.Errorf("cut %d: %v is left", cut, hidden)
		}
		if _, err := f.s.Delete(t.Context(), f.p, f.at(f.find(t, name), ""), holdfast.Precondition{}, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// find returns the collection at a name in the home of files.
func (f *folders) find(t *testing.T, name string) holdfast.ID {
	t.Helper()
	at, err := f.s.Locate(t.Context(), f.p, f.p.Account, []string{"files", name})
	if err != nil || len(at.Rest) > 0 {
		t.Fatalf("%s: %+v, %v", name, at, err)
	}
	return at.Collection.ID
}

// TestACopyOfAnotherState never goes on with what was copied of an earlier one.
func TestACopyOfAnotherState(t *testing.T) {
	clk := clock.NewFake(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	f := grove(t, core.Options{Clock: clk})
	for what, change := range map[string]func() error{
		"a file that changed": func() error {
			_, _, err := f.s.Put(t.Context(), f.p, core.PutRequest{Place: f.at(f.a, "000003"), Body: fmt.Appendf(nil, "%s-3 changed", f.a)})
			return err
		},
		"a file that went": func() error {
			_, err := f.s.Delete(t.Context(), f.p, f.at(f.sub, "000003"), holdfast.Precondition{}, nil)
			return err
		},
		"a folder that came": func() error { f.mkdir(t, f.a, "new"); return nil },
	} {
		commits := 0
		f.watch(func(*holdfast.Group) error {
			if commits++; commits > 4 {
				return &holdfast.Error{Op: "test", Kind: holdfast.Unavailable}
			}
			return nil
		})
		if _, err := f.copyTo(t, what); err == nil {
			t.Fatal("it was copied")
		}
		f.e.before = nil
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if _, err := f.copyTo(t, what); err != nil {
			t.Fatal(err)
		}
		if got, want := f.all(t, what), f.all(t, "a"); !slices.Equal(got, want) {
			t.Errorf("%s: %d items, want %d", what, len(got), len(want))
		}
	}
}

// TestACopyMeetsItself: asked for again, it is not made again, unless one of both has changed.
func TestACopyMeetsItself(t *testing.T) {
	f := grove(t, core.Options{})
	if _, err := f.copyTo(t, "b"); err != nil {
		t.Fatal(err)
	}
	commits := 0
	again := func(what string, works bool) {
		t.Helper()
		commits = 0
		f.e.before = func(*holdfast.Group) error { commits++; return nil }
		r, err := f.copyTo(t, "b")
		f.e.before = nil
		if err != nil || r.Replay == works || (commits > 0) != works || r.Seq == 0 || len(r.Copies) == 0 {
			t.Errorf("%s: %d commits, %+v, %v", what, commits, r, err)
		}
		if got, want := f.all(t, "b"), f.all(t, "a"); !slices.Equal(got, want) {
			t.Errorf("%s: %d items, want %d", what, len(got), len(want))
		}
	}
	again("the same", false)
	again("the same, a third time", false)
	if _, err := f.s.Copy(t.Context(), f.p, core.Transfer{From: f.at(f.a, ""), To: f.at(f.home, "b")}); !holdfast.IsKind(err, holdfast.PreconditionFailed) {
		t.Errorf("Overwrite: F: %v", err)
	}
	for what, name := range map[string]string{"a changed source": "a", "a changed copy": "b"} {
		c := f.find(t, name)
		if _, _, err := f.s.Put(t.Context(), f.p, core.PutRequest{Place: f.at(c, "000100"), Body: fmt.Appendf(nil, "%s-100 %s", f.a, what)}); err != nil {
			t.Fatal(err)
		}
		again(what, true)
		again(what+", again", false)
	}
	at, err := f.s.Locate(t.Context(), f.p, f.p.Account, []string{"files", "b", "sub"})
	if err != nil {
		t.Fatal(err)
	}
	mood := func(p holdfast.Properties) (holdfast.Properties, error) {
		return p.With("urn:x", "mood", []byte(`<x:mood xmlns:x="urn:x"/>`)), nil
	}
	if _, err := f.s.SetProperties(t.Context(), f.p, f.at(at.Collection.ID, "000001"), nil, mood); err != nil {
		t.Fatal(err)
	}
	again("a property of a file", true)
	if _, err := f.s.Delete(t.Context(), f.p, f.at(f.find(t, "b"), ""), holdfast.Precondition{}, nil); err != nil {
		t.Fatal(err)
	}
	again("a deleted copy", true)
}

// TestTheSameCopyAtOnce is made once.
func TestTheSameCopyAtOnce(t *testing.T) {
	f := grove(t, core.Options{})
	var mu sync.Mutex
	members := 0
	begun := make(chan struct{})
	var once sync.Once
	f.e.before = func(g *holdfast.Group) error {
		once.Do(func() { close(begun) })
		mu.Lock()
		defer mu.Unlock()
		for _, e := range g.Entries {
			if e.Name != "" {
				members++
			}
		}
		return nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	ask := func(ctx context.Context) error {
		_, err := f.s.Copy(ctx, f.p, core.Transfer{From: f.at(f.a, ""), To: f.at(f.home, "b")})
		return err
	}
	all.Go(func() {
		if err := ask(ctx); err != nil {
			t.Error(err)
		}
	})
	<-begun
	cancel() // who asked first is gone
	for range 6 {
		all.Go(func() {
			if err := ask(t.Context()); err != nil && !holdfast.IsKind(err, holdfast.PreconditionFailed) { // who came when it was there
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got, want := f.all(t, "b"), f.all(t, "a"); !slices.Equal(got, want) || members != 1722 {
		t.Errorf("%d items, want %d; %d members were copied", len(got), len(want), members)
	}
}
