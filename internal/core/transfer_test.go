package core_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/core"
)

// folders is a shelf with folders in files: "a" with "a/sub", a member in each.
type folders struct {
	shelf
	e      *counting
	home   holdfast.ID
	a, sub holdfast.ID
}

func newFolders(t *testing.T, limits core.Limits) *folders {
	t.Helper()
	return newFoldersWith(t, core.Options{Limits: limits})
}

func newFoldersWith(t *testing.T, o core.Options) *folders {
	t.Helper()
	h, e := newCounting(t, o)
	f := &folders{shelf: h, e: e}
	at, err := h.s.Locate(t.Context(), h.p, h.p.Account, []string{"files"})
	if err != nil {
		t.Fatal(err)
	}
	f.home = at.Collection.ID
	f.a = f.mkdir(t, f.home, "a")
	f.sub = f.mkdir(t, f.a, "sub")
	for _, c := range []holdfast.ID{f.a, f.sub} {
		if _, _, err := h.s.Put(t.Context(), h.p, core.PutRequest{Place: core.Place{Owner: h.p.Account, Collection: c, Name: "x"}, Body: []byte("u 12345678")}); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func (f *folders) tryMkdir(t *testing.T, parent holdfast.ID, name string) (holdfast.ID, error) {
	id, _, err := f.s.MakeCollection(t.Context(), f.p, core.NewCollection{Owner: f.p.Account, Parent: parent, Name: name, Type: holdfast.TypeFolder})
	return id, err
}

func (f *folders) mkdir(t *testing.T, parent holdfast.ID, name string) holdfast.ID {
	t.Helper()
	id, err := f.tryMkdir(t, parent, name)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (f *folders) at(c holdfast.ID, name string) core.Place {
	return core.Place{Owner: f.p.Account, Collection: c, Name: name}
}

// usageOf returns how many octets the reader's account takes.
func usageOf(r *core.Reader) (int64, error) {
	at, err := r.Locate([]string{holdfast.HomeFiles})
	if err != nil {
		return 0, err
	}
	u, err := r.Usage(&at.Collection)
	return u.Used, err
}

// usage returns the live octets, and the live collections as the store has them, hidden ones too.
func (f *folders) usage(t *testing.T) (octets int64, hidden []string) {
	t.Helper()
	if err := f.s.Read(t.Context(), f.p, f.p.Account, func(r *core.Reader) (err error) {
		octets, err = usageOf(r)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	snap, err := f.e.Engine.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close()
	cs, err := snap.Collections(f.p.Account)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cs {
		if !c.Gone && strings.HasPrefix(c.Name, ".") {
			hidden = append(hidden, c.Name)
		}
	}
	return octets, hidden
}

// TestACopyIsHeldInParts: a folder of large files is never in memory as a whole.
func TestACopyIsHeldInParts(t *testing.T) {
	f := newFolders(t, core.Limits{})
	for i := range 12 {
		if _, _, err := f.s.Put(t.Context(), f.p, core.PutRequest{Place: f.at(f.a, fmt.Sprint("large", i)), Body: fmt.Appendf(nil, "u%d %s", i, strings.Repeat("x", 3<<20))}); err != nil {
			t.Fatal(err)
		}
	}
	members, most := 0, 0
	f.e.before = func(g *holdfast.Group) error {
		sum := 0
		for _, e := range g.Entries {
			if sum += len(e.Body); e.Name != "" {
				members++
			}
		}
		most = max(most, sum)
		return nil
	}
	if _, err := f.s.Copy(t.Context(), f.p, core.Transfer{From: f.at(f.a, ""), To: f.at(f.home, "b")}); err != nil {
		t.Fatal(err)
	}
	if members != 14 || most > 12<<20 {
		t.Errorf("%d members were copied, %d octets at once", members, most)
	}
}

// TestWhatAKilledCopyLeftIsDeleted, a day later, and nothing else.
func TestWhatAKilledCopyLeftIsDeleted(t *testing.T) {
	clk := clock.NewFake(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	f := newFoldersWith(t, core.Options{Clock: clk, Limits: core.Limits{SeenInterval: time.Minute}})
	before, _ := f.usage(t)
	commits := 0
	f.e.before = func(*holdfast.Group) error {
		if commits++; commits > 3 { // the power is cut
			return errors.New("gone")
		}
		return nil
	}
	if _, err := f.s.Copy(t.Context(), f.p, core.Transfer{From: f.at(f.a, ""), To: f.at(f.home, "b")}); err == nil {
		t.Fatal("it was copied")
	}
	f.e.before = nil
	used, left := f.usage(t)
	if used == before || len(left) != 1 {
		t.Fatalf("%d octets are used, %d before; %v is left", used, before, left)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { f.s.Run(ctx); close(done) }()
	tick := func(d time.Duration) {
		clk.BlockUntil(1)
		clk.Advance(d)
	}
	tick(time.Minute)
	clk.BlockUntil(1)
	if _, left := f.usage(t); len(left) != 1 {
		t.Errorf("a copy that may be under way was deleted: %v", left)
	}
	tick(25 * time.Hour)
	for range 1000 {
		if used, left = f.usage(t); len(left) == 0 && used == before { // they are looked at one after the other
			break
		}
		time.Sleep(time.Millisecond)
	}
	if used != before || len(left) > 0 {
		t.Errorf("%d octets are used, %d before; %v is left", used, before, left)
	}
	cancel()
	<-done
}

// TestACopyThatFailsLeavesNothing: neither in sight, nor in what the account holds.
func TestACopyThatFailsLeavesNothing(t *testing.T) {
	never := core.Conditions{{{Const: true, Value: false}}}
	for name, c := range map[string]struct {
		conditions core.Conditions
		occupied   bool
		fail       func(*folders, *holdfast.Group) error
		work       bool // it may begin to copy
	}{
		"a condition":  {conditions: never},
		"Overwrite: F": {occupied: true},
		"the last commit": {work: true, fail: func(f *folders, g *holdfast.Group) error {
			if e := g.Entries[0]; e.Op == holdfast.OpPut && e.Kind == holdfast.KindCollection && e.If.Seq != 0 {
				return &holdfast.Error{Op: "test", Kind: holdfast.Quota}
			}
			return nil
		}},
		"a member": {work: true, fail: func(f *folders, g *holdfast.Group) error {
			if g.Entries[0].Name != "" {
				return errors.New("no")
			}
			return nil
		}},
	} {
		f := newFolders(t, core.Limits{})
		if c.occupied {
			f.mkdir(t, f.home, "b")
		}
		before, _ := f.usage(t)
		commits := 0
		f.e.before = func(g *holdfast.Group) error {
			commits++
			if c.fail != nil {
				return c.fail(f, g)
			}
			return nil
		}
		_, err := f.s.Copy(t.Context(), f.p, core.Transfer{From: f.at(f.a, ""), To: f.at(f.home, "b"), Conditions: c.conditions})
		if err == nil {
			t.Errorf("%s: no error", name)
		}
		if !c.work {
			wantKind(t, err, holdfast.PreconditionFailed)
			if commits > 1 {
				t.Errorf("%s: %d commits were tried before it was judged", name, commits)
			}
		}
		if after, hidden := f.usage(t); after != before || len(hidden) > 0 {
			t.Errorf("%s: %d octets, before %d; left behind: %v", name, after, before, hidden)
		}
	}
}

// TestACopyThatHeldIsNotUndone: an error of the last commit may come from one that held.
func TestACopyThatHeldIsNotUndone(t *testing.T) {
	f := newFolders(t, core.Limits{})
	f.e.before = func(g *holdfast.Group) error {
		if e := g.Entries[0]; e.Op == holdfast.OpPut && e.Kind == holdfast.KindCollection && e.If.Seq != 0 {
			if _, err := f.e.Engine.Commit(t.Context(), g); err != nil {
				t.Error(err)
			}
			return &holdfast.Error{Op: "test", Kind: holdfast.Unavailable}
		}
		return nil
	}
	_, err := f.s.Copy(t.Context(), f.p, core.Transfer{From: f.at(f.a, ""), To: f.at(f.home, "b")})
	wantKind(t, err, holdfast.Unavailable)
	at, err := f.s.Locate(t.Context(), f.p, f.p.Account, []string{"files", "b", "sub", "x"})
	if err != nil || len(at.Rest) != 1 {
		t.Errorf("%+v, %v", at, err)
	}
}

// TestWhatIsBelowADeletedFolderCountsNoMore: neither for the number of collections nor for the octets.
func TestWhatIsBelowADeletedFolderCountsNoMore(t *testing.T) {
	f := newFolders(t, core.Limits{Collections: 12}) // 10 from the start, a and a/sub
	if _, err := f.tryMkdir(t, f.home, "b"); !holdfast.IsKind(err, holdfast.TooLarge) {
		t.Fatalf("the limit does not hold: %v", err)
	}
	before, _ := f.usage(t) // the account's records, and 20 of files
	if _, err := f.s.Move(t.Context(), f.p, core.Transfer{From: f.at(f.a, ""), To: f.at(f.home, "moved")}); err != nil {
		t.Errorf("a MOVE makes no collection: %v", err)
	}
	if _, err := f.s.Delete(t.Context(), f.p, f.at(f.a, ""), holdfast.Precondition{}, nil); err != nil {
		t.Fatal(err)
	}
	if after, _ := f.usage(t); after != before-20 || after <= 0 {
		t.Errorf("%d octets, %d before", after, before)
	}
	b := f.mkdir(t, f.home, "b")
	if _, _, err := f.s.Put(t.Context(), f.p, core.PutRequest{Place: f.at(f.sub, "y"), Body: []byte("u y")}); !holdfast.IsKind(err, holdfast.NotFound) {
		t.Errorf("a put below a deleted folder: %v", err)
	}
	f.mkdir(t, b, "sub")
	_, err := f.s.Copy(t.Context(), f.p, core.Transfer{From: f.at(b, ""), To: f.at(f.home, "c")})
	wantKind(t, err, holdfast.TooLarge)
}

// TestOverwriteFIsJudgedInTheCommit: what came to the destination after it was looked at is not replaced.
func TestOverwriteFIsJudgedInTheCommit(t *testing.T) {
	for name, do := range map[string]func(*folders, core.Transfer) (holdfast.Receipt, error){
		"copy": func(f *folders, x core.Transfer) (holdfast.Receipt, error) { return f.s.Copy(t.Context(), f.p, x) },
		"move": func(f *folders, x core.Transfer) (holdfast.Receipt, error) { return f.s.Move(t.Context(), f.p, x) },
	} {
		for _, overwrite := range []bool{false, true} {
			for what, from := range map[string]func(*folders) core.Place{
				"file":   func(f *folders) core.Place { return f.at(f.a, "x") },
				"folder": func(f *folders) core.Place { return f.at(f.a, "") },
			} {
				f := newFolders(t, core.Limits{})
				into := f.mkdir(t, f.home, "into")
				came := false
				f.e.before = func(g *holdfast.Group) error {
					last := g.Entries[len(g.Entries)-1]
					if name == "copy" && what == "folder" && last.If.Seq == 0 || came { // not the last commit
						return nil
					}
					came = true
					if _, _, err := f.s.Put(t.Context(), f.p, core.PutRequest{Place: f.at(into, "to"), Body: []byte("u0 another")}); err != nil {
						t.Error(err)
					}
					return nil
				}
				r, err := do(f, core.Transfer{From: from(f), To: f.at(into, "to"), Overwrite: overwrite})
				if overwrite && (err != nil || r.Created) {
					t.Errorf("%s of a %s over what came: %+v, %v", name, what, r, err)
				}
				if !overwrite && !holdfast.IsKind(err, holdfast.PreconditionFailed) {
					t.Errorf("%s of a %s with Overwrite: F over what came: %v", name, what, err)
				}
				if !came {
					t.Errorf("%s of a %s: nothing came between", name, what)
				}
			}
		}
	}
}
