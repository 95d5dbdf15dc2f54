package core_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/blob"
	memblob "holdfast/internal/blob/memory"
	"holdfast/internal/core"
)

// crossing is a household in which bob may write in alice's folder F, and has a tree of his own.
func newCrossing(t *testing.T, o core.Options) *household {
	t.Helper()
	h := newHousehold(t, o)
	must(t, h.mkdir("alice", "F"), h.mkdir("alice", "F/t"), h.mkdir("alice", "F/t/u"), h.put("alice", "F/t/1", "one of some octets"), h.put("alice", "F/t/u/2", "two of some octets"),
		h.mkdir("bob", "T"), h.mkdir("bob", "T/v"), h.put("bob", "T/3", "three of some octets"), h.put("bob", "T/v/4", "four of some octets"), h.share("alice", "F", "bob", "write"))
	h.sees(t, "bob", "", "F/ F/t/ F/t/1=one of some octets F/t/u/ F/t/u/2=two of some octets T/ T/3=three of some octets T/v/ T/v/4=four of some octets")
	return h
}

// hidden lists what lies below the roots of all accounts and is neither a home nor deleted.
func (h *household) hidden(t *testing.T) (out []string) {
	t.Helper()
	snap, err := h.e.Engine.Snapshot(t.Context())
	must(t, err)
	defer snap.Close()
	for _, p := range h.people {
		all, err := snap.Collections(p.Account)
		must(t, err)
		for _, c := range all {
			if !c.Gone && c.Parent == p.Account && c.Type != holdfast.TypeHome {
				out = append(out, c.Name)
			}
		}
	}
	return out
}

// TestAFolderIsMovedAcross out of what is shared and into it, whole.
func TestAFolderIsMovedAcross(t *testing.T) {
	for what, o := range map[string]core.Options{"bodies": {}, "blobs": withBlobs(core.Options{})} {
		t.Run(what, func(t *testing.T) {
			h := newCrossing(t, o)
			must(t, h.move("bob", "F/t", "got"), h.move("bob", "T", "F/T"))
			h.sees(t, "bob", "", "F/ F/T/ F/T/3=three of some octets F/T/v/ F/T/v/4=four of some octets got/ got/1=one of some octets got/u/ got/u/2=two of some octets")
			h.sees(t, "alice", "", "F/ F/T/ F/T/3=three of some octets F/T/v/ F/T/v/4=four of some octets")
			if left := h.hidden(t); len(left) > 0 {
				t.Errorf("%v is left over", left)
			}
			_, err := h.s.UpdateAccount(t.Context(), holdfast.Actor{}, h.people["alice"].Account, func(r *holdfast.AccountRecord) error { r.State = holdfast.Erasing; return nil })
			must(t, err, h.s.Erase(t.Context(), h.people["alice"].Account))
			h.sees(t, "bob", "got", "1=one of some octets u/ u/2=two of some octets") // it is his, octets and all
		})
	}
}

// TestWhatComesBetweenAMoveAcross leaves two, and never none; and nothing half-way in sight.
func TestWhatComesBetweenAMoveAcross(t *testing.T) {
	crash := errors.New("crash")
	const source, whole = "t/ t/1=one of some octets t/u/ t/u/2=two of some octets", "1=one of some octets u/ u/2=two of some octets"
	last := func(g *holdfast.Group) bool { // the deletion of the source
		return g.Entries[0].Op == holdfast.OpDelete && g.Entries[0].Kind == holdfast.KindCollection
	}
	for what, x := range map[string]struct {
		when      func(h *household, g *holdfast.Group) bool
		do        func(h *household) error
		kind      holdfast.ErrorKind
		from, got string // what bob sees afterwards; got "": nothing came
	}{
		"a file changes":       {onLast(last), func(h *household) error { return h.put("alice", "F/t/u/2", "new") }, holdfast.PreconditionFailed, "t/ t/1=one of some octets t/u/ t/u/2=new", whole},
		"a file comes":         {onLast(last), func(h *household) error { return h.put("alice", "F/t/9", "new") }, holdfast.PreconditionFailed, source[:2] + " t/1=one of some octets t/9=new t/u/ t/u/2=two of some octets", whole},
		"a file goes":          {onLast(last), func(h *household) error { return h.remove("alice", "F/t/1") }, holdfast.PreconditionFailed, "t/ t/u/ t/u/2=two of some octets", whole},
		"it is renamed":        {onLast(last), func(h *household) error { return h.move("alice", "F/t", "F/z") }, holdfast.PreconditionFailed, "z/ z/1=one of some octets z/u/ z/u/2=two of some octets", whole},
		"the server is killed": {onLast(last), func(*household) error { return crash }, holdfast.Internal, source, whole},
		"the share ends": {func(h *household, g *holdfast.Group) bool {
			return g.Account == h.people["bob"].Account && g.Entries[0].Name == "1"
		}, func(h *household) error { return h.unshare("alice", "F", "bob") },
			holdfast.Forbidden, "", ""},
		"a folder comes": {func(h *household, g *holdfast.Group) bool {
			return g.Account == h.people["bob"].Account && g.Entries[0].Name == "2"
		}, func(h *household) error { return h.mkdir("alice", "F/t/new") },
			holdfast.PreconditionFailed, "t/ t/1=one of some octets t/new/ t/u/ t/u/2=two of some octets", whole},
	} {
		t.Run(what, func(t *testing.T) {
			h := newCrossing(t, withBlobs(core.Options{}))
			done := false
			h.e.before = func(g *holdfast.Group) error {
				if done || !x.when(h, g) {
					return nil
				}
				done = true
				return x.do(h)
			}
			err := h.move("bob", "F/t", "got")
			if h.e.before = nil; !done {
				t.Fatal("it did not come to that")
			}
			if x.kind == holdfast.Internal && !errors.Is(err, crash) || x.kind != holdfast.Internal && !holdfast.IsKind(err, x.kind) {
				t.Errorf("it is answered %v", err)
			}
			if x.got != "" {
				h.sees(t, "bob", "got", x.got)
				h.sees(t, "bob", "F", x.from)
			} else {
				h.sees(t, "bob", "", "T/ T/3=three of some octets T/v/ T/v/4=four of some octets")
				h.sees(t, "alice", "F", source)
			}
			if left := h.hidden(t); len(left) > 0 {
				t.Errorf("%v is left over", left)
			}
		})
	}
}

func onLast(last func(*holdfast.Group) bool) func(*household, *holdfast.Group) bool {
	return func(h *household, g *holdfast.Group) bool { return g.Account == h.people["alice"].Account && last(g) }
}

// TestADamagedFileIsNotMovedAcross: what is not what was stored is handed to nobody, and its source stays.
func TestADamagedFileIsNotMovedAcross(t *testing.T) {
	store := memblob.New(nil)
	o := core.Options{Blobs: blob.NewKeeper(store)}
	o.Limits.Inline, o.Limits.File = 3, 1<<20
	h := newCrossing(t, o)
	must(t, store.Remove(t.Context(), h.people["alice"].Account, holdfast.HashOf([]byte("two of some octets"))))
	for _, move := range []bool{true, false} {
		wantKind(t, h.carry("bob", "F/t", "got", move, false), holdfast.Corrupt)
		wantKind(t, h.carry("bob", "F/t/u/2", "got", move, false), holdfast.Corrupt)
	}
	if at, err := h.at("bob", "got"); err != nil || len(at.Rest) != 1 {
		t.Errorf("something came: %v, %v", at, err)
	}
	if _, err := h.get("alice", "F/t/1"); err != nil {
		t.Error(err)
	}
	if left := h.hidden(t); len(left) > 0 {
		t.Errorf("%v is left over", left)
	}
}

// TestNoOctetsAreReadForWhatHasNoRoom: the allowance is judged before, and in the commit.
func TestNoOctetsAreReadForWhatHasNoRoom(t *testing.T) {
	o := withBlobs(core.Options{})
	o.Limits.Quota = 10_000
	h := newCrossing(t, o)
	must(t, h.put("alice", "F/large", strings.Repeat("x", 6000)), h.put("bob", "own", strings.Repeat("y", 6000)))
	wantKind(t, h.copy("bob", "F/large", "got"), holdfast.Quota)
	wantKind(t, h.move("bob", "own", "F/own"), holdfast.Quota)
	must(t, h.remove("bob", "own"), h.copy("bob", "F/large", "got"))
	must(t, h.carry("bob", "F/large", "got", true, true)) // in the place of as much
	h.sees(t, "alice", "", "F/ F/t/ F/t/1=one of some octets F/t/u/ F/t/u/2=two of some octets")
}

// TestNoOctetsAreMovedForWhatIsRefused: into another account nothing comes, of a file or of a folder, that the disk or the account has no room for as a whole, or that would stand over what is there.
func TestNoOctetsAreMovedForWhatIsRefused(t *testing.T) {
	store := memblob.New(nil)
	room := int64(1 << 20)
	asked := int64(0)
	o := core.Options{Blobs: blob.NewKeeper(store), Room: func(n int64) bool { asked = n; return n <= room }}
	o.Limits.Inline, o.Limits.File, o.Limits.Quota = 3, 1<<20, 10_000
	h := newCrossing(t, o)
	must(t, h.put("bob", "there", "some octets that stand there"))
	count := func() (n int) {
		must(t, store.List(t.Context(), h.people["bob"].Account, nil, 0, func(blob.Info) error { n++; return nil }))
		return n
	}
	before := count()
	none := func(what string, err error, kind holdfast.ErrorKind) {
		t.Helper()
		wantKind(t, err, kind)
		if n := count(); n != before {
			t.Errorf("%s: %d blobs came", what, n-before)
		}
		if left := h.hidden(t); len(left) > 0 {
			t.Errorf("%s: %v is left over", what, left)
		}
	}
	for _, move := range []bool{false, true} {
		none("over what is there", h.carry("bob", "F/t/1", "there", move, false), holdfast.PreconditionFailed)
		room = 25 // each of the files alone would fit
		none("a folder, no room on the disk", h.carry("bob", "F/t", "got", move, false), holdfast.Full)
		if asked != 36 {
			t.Errorf("room for %d octets was asked for", asked)
		}
		room = 17
		none("a file, no room on the disk", h.carry("bob", "F/t/1", "got", move, false), holdfast.Full)
		room = 1 << 20
	}
	left, err := h.s.Room(t.Context(), h.people["bob"].Account)
	must(t, err, h.put("bob", "much", strings.Repeat("y", int(left)-30))) // each of the files alone would fit
	before = count()
	for _, move := range []bool{false, true} {
		none("a folder, no allowance", h.carry("bob", "F/t", "got", move, false), holdfast.Quota)
	}
	must(t, h.remove("bob", "much"), h.carry("bob", "F/t", "got", true, false))
}

// TestGuestsAreNamedAndUndone: what a guest does stands in the owner's history as his, a burst of it is noticed and undone in one step.
func TestGuestsAreNamedAndUndone(t *testing.T) {
	h := newHousehold(t, core.Options{})
	must(t, h.mkdir("alice", "F"), h.mkdir("alice", "F/a"), h.share("alice", "F", "bob", "write"))
	for i := range 30 {
		must(t, h.put("alice", "F/a/"+strings.Repeat("f", i+1), "x"))
	}
	want := h.tree(t, "alice", "")
	for i := range 29 {
		must(t, h.remove("bob", "F/a/"+strings.Repeat("f", i+1)))
	}
	bursts := h.s.Bursts()
	if len(bursts) != 1 || bursts[0].Owner != h.people["alice"].Account || bursts[0].Account != h.people["bob"].Account || bursts[0].Device != h.people["bob"].Device {
		t.Fatalf("bursts: %+v", bursts)
	}
	if _, err := h.past(t, "alice").Undo(t.Context(), core.UndoRequest{Burst: bursts[0].ID}, nil); err != nil {
		t.Fatal(err)
	}
	h.sees(t, "alice", "", want)
	must(t, h.s.Inspect(t.Context(), h.people["alice"].Account, func(r *core.Reader) error {
		deleted := 0
		err := r.History().Changes(h.people["alice"].Account, 0, 0, 0, func(c *holdfast.Change) error {
			if c.Op == holdfast.OpDelete && strings.HasPrefix(c.Name, "f") {
				if deleted++; c.Actor != h.people["bob"].Actor() {
					t.Errorf("%s was deleted by %v", c.Name, c.Actor)
				}
			}
			return nil
		})
		if deleted != 29 {
			t.Errorf("%d deletions", deleted)
		}
		return err
	}))

	// A whole folder counts as what is in it, also where it is carried off.
	h.s.SettleBurst(context.Background(), bursts[0].ID)
	h.clock.Advance(2 * 3600e9)
	must(t, h.move("bob", "F/a", "mine"))
	if bursts = h.s.Bursts(); len(bursts) != 1 || bursts[0].Deleted != 30 {
		t.Fatalf("bursts: %+v", bursts)
	}
	if _, err := h.past(t, "alice").Undo(t.Context(), core.UndoRequest{Burst: bursts[0].ID}, nil); err != nil {
		t.Fatal(err)
	}
	h.sees(t, "alice", "", want)
}
