package core_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/store"
	"holdfast/internal/store/memory"
)

// TestARightInAFolderIsOneInAllBelow: what is there, what is made there later, what is moved in; and no more once it is moved out.
func TestARightInAFolderIsOneInAllBelow(t *testing.T) {
	eachHousehold(t, core.Options{}, func(t *testing.T, h *household) {
		must(t, h.mkdir("alice", "top"), h.mkdir("alice", "top/Family"), h.mkdir("alice", "top/Family/a"), h.mkdir("alice", "top/Family/a/b"), h.mkdir("alice", "diary"),
			h.put("alice", "top/Family/a/b/1", "one+"), h.put("alice", "top/secret", "hush"), h.put("alice", "diary/x", "mine"))
		must(t, h.share("alice", "top/Family", "bob", holdfast.RightWrite), h.share("alice", "top/Family", "carol", holdfast.RightRead))
		for _, guest := range []string{"bob", "carol"} {
			h.sees(t, guest, "", "Family/ Family/a/ Family/a/b/ Family/a/b/1=one+")
			h.sees(t, guest, "Family/a/b", "1=one+")
		}
		must(t, h.mkdir("alice", "top/Family/new"), h.put("alice", "top/Family/new/2", "two+"), h.mkdir("bob", "Family/a/his"), h.put("bob", "Family/a/his/3", "three"), h.move("alice", "diary", "top/Family/diary"))
		const all = "Family/ Family/a/ Family/a/b/ Family/a/b/1=one+ Family/a/his/ Family/a/his/3=three Family/diary/ Family/diary/x=mine Family/new/ Family/new/2=two+"
		h.sees(t, "carol", "", all)
		h.sees(t, "bob", "", all)
		h.sees(t, "alice", "", "top/ "+strings.ReplaceAll("top/"+strings.ReplaceAll(all, " ", " top/"), "top/ ", "")+" top/secret=hush")
		if got, err := h.get("alice", "top/Family/a/his/3"); err != nil || got != "three" {
			t.Error(got, err)
		}
		wantRule(t, h.put("carol", "Family/new/2", "hers"), "need-privileges")
		wantRule(t, h.mkdir("carol", "Family/a/hers"), "need-privileges")
		wantRule(t, h.remove("carol", "Family/a/b/1"), "need-privileges")
		wantRule(t, h.remove("carol", "Family/a/b"), "need-privileges")
		must(t, h.put("bob", "Family/diary/x", "changed"), h.remove("bob", "Family/new"), h.move("bob", "Family/a/b", "Family/c"))
		h.sees(t, "carol", "Family", "a/ a/his/ a/his/3=three c/ c/1=one+ diary/ diary/x=changed")
		diary, err := h.place("bob", "Family/diary/x")
		must(t, err, h.move("alice", "top/Family/diary", "diary"))
		h.sees(t, "bob", "Family", "a/ a/his/ a/his/3=three c/ c/1=one+")
		wantKind(t, h.put("bob", "Family/diary/x", "again"), holdfast.NotFound)
		_, _, err = h.s.PutFile(t.Context(), h.people["bob"], core.FileRequest{Place: diary, Octets: strings.NewReader("again"), Size: 5})
		wantKind(t, err, holdfast.Forbidden)
		if got, err := h.get("alice", "diary/x"); err != nil || got != "changed" {
			t.Error(got, err)
		}
		must(t, h.unshare("alice", "top/Family", "bob"))
		h.sees(t, "bob", "", "")
		h.sees(t, "carol", "Family", "a/ a/his/ a/his/3=three c/ c/1=one+")
	})
}

// TestNoCommitBehindAMove: the right is judged in the commit also where it comes from above. What was moved out at the last moment takes nothing of the guest's.
func TestNoCommitBehindAMove(t *testing.T) {
	for what, try := range map[string]func(h *household) error{
		"put":      func(h *household) error { return h.put("bob", "F/a/b/1", "bobs") },
		"new":      func(h *household) error { return h.put("bob", "F/a/b/2", "bobs") },
		"delete":   func(h *household) error { return h.remove("bob", "F/a/b/1") },
		"folder":   func(h *household) error { return h.mkdir("bob", "F/a/b/c") },
		"whole":    func(h *household) error { return h.remove("bob", "F/a/b") },
		"move":     func(h *household) error { return h.move("bob", "F/a/b/1", "F/2") },
		"move in":  func(h *household) error { return h.move("bob", "F/0", "F/a/b/0") },
		"copy in":  func(h *household) error { return h.copy("bob", "F/0", "F/a/b/0") },
		"bring in": func(h *household) error { return h.copy("bob", "own", "F/a/b/own") },
		"tree in":  func(h *household) error { return h.copy("bob", "tree", "F/a/b/tree") },
		"rename":   func(h *household) error { return h.move("bob", "F/a/b", "F/a/c") },
		"carry off": func(h *household) error {
			if err := h.move("bob", "F/a/b", "got"); err != nil {
				return err
			}
			return nil
		},
	} {
		eachHousehold(t, core.Options{}, func(t *testing.T, h *household) {
			must(t, h.mkdir("alice", "F"), h.mkdir("alice", "F/a"), h.mkdir("alice", "F/a/b"), h.mkdir("alice", "out"), h.put("alice", "F/a/b/1", "alices"), h.put("alice", "F/0", "zero"),
				h.put("bob", "own", "bobs"), h.mkdir("bob", "tree"), h.put("bob", "tree/x", "bobs"))
			must(t, h.share("alice", "F", "bob", holdfast.RightWrite))
			h.sees(t, "bob", "F/a", "b/ b/1=alices")
			moved, alice := false, h.people["alice"].Account
			h.e.before = func(g *holdfast.Group) error {
				if g.Account != alice || moved {
					return nil
				}
				moved = true
				return h.move("alice", "F/a", "out/a")
			}
			err := try(h)
			if h.e.before = nil; !moved {
				t.Fatal("nothing was committed")
			}
			if !holdfast.IsKind(err, holdfast.Forbidden) && !holdfast.IsKind(err, holdfast.NotFound) && !holdfast.IsKind(err, holdfast.PreconditionFailed) {
				t.Errorf("%s: %v", what, err)
			}
			h.sees(t, "alice", "", "F/ F/0=zero out/ out/a/ out/a/b/ out/a/b/1=alices")
		})
	}
}

// TestNamesOfWhatIsShared: a folder is called in its guest's home as its owner calls it, and otherwise where the guest has something of that name. Nothing is out of sight, whoever comes first.
func TestNamesOfWhatIsShared(t *testing.T) {
	h := newHousehold(t, core.Options{})
	must(t, h.mkdir("alice", "x"), h.mkdir("alice", "x/Photos"), h.mkdir("alice", "Photos"), h.mkdir("alice", "Mail"), h.put("alice", "x/Photos/1", "x"), h.put("alice", "Photos/1", "y"), h.put("alice", "Mail/1", "z"),
		h.mkdir("bob", "Photos"), h.put("bob", "Photos/1", "own"), h.put("bob", "Mail", "file"))
	must(t, h.share("alice", "Photos", "bob", "read"), h.share("alice", "x/Photos", "bob", "read"), h.share("alice", "Mail", "bob", "write"))
	const shared = "Mail (alice@example.org)/ Mail (alice@example.org)/1=z Mail=file Photos (alice@example.org) 2/ Photos (alice@example.org) 2/1=x Photos (alice@example.org)/ Photos (alice@example.org)/1=y Photos/ Photos/1=own"
	h.sees(t, "bob", "", shared)

	// The owner may rename and move it, the guest calls it otherwise, and nobody else sees that.
	must(t, h.move("alice", "Photos", "x/Pictures"), h.share("alice", "x/Pictures", "bob", "read"), h.move("bob", "Photos (alice@example.org)", "Hers"))
	h.sees(t, "bob", "Hers", "1=y")
	h.sees(t, "alice", "x/Pictures", "1=y")
	h.sees(t, "carol", "", "")
	wantKind(t, h.move("bob", "Hers", "Mail"), holdfast.PreconditionFailed)
	wantKind(t, h.carry("bob", "Hers", "Photos", true, true), holdfast.Forbidden)
	wantKind(t, h.move("bob", "Hers", "Photos/in"), holdfast.Forbidden)
	wantKind(t, h.move("bob", "Hers", "Mail (alice@example.org)/in"), holdfast.Forbidden)

	// The name is kept, also where nothing shows.
	wantKind(t, h.mkdir("bob", "Hers"), holdfast.Exists)
	wantKind(t, h.put("bob", "Hers", "x"), holdfast.Exists)
	home, err := h.at("bob", "")
	must(t, err)
	mine := core.Place{Owner: home.Owner, Collection: home.Collection.ID, Name: "Hers"}
	_, _, err = h.s.PutFile(t.Context(), h.people["bob"], core.FileRequest{Place: mine, Octets: strings.NewReader("x"), Size: 1})
	wantKind(t, err, holdfast.Exists)
	wantKind(t, h.carry("bob", "Mail", "Hers", true, true), holdfast.Exists)
	wantKind(t, h.carry("bob", "Photos", "Hers", false, true), holdfast.Exists)
	if _, err := h.s.PutMany(t.Context(), h.people["bob"], core.PutManyRequest{Owner: home.Owner, Collection: home.Collection.ID, Items: []core.Item{{Name: "Hers", Body: []byte("x")}}}); err != nil {
		t.Error(err)
	}
	h.sees(t, "bob", "", "Hers/ Hers/1=y Mail (alice@example.org)/ Mail (alice@example.org)/1=z Mail=file Photos (alice@example.org) 2/ Photos (alice@example.org) 2/1=x Photos/ Photos/1=own")
}

// TestOwnThingsThatComeBackStandBeforeBindings: a folder that an undo brings back has its name again or one near it, and a file waits; what is shared stays in sight.
func TestOwnThingsThatComeBackStandBeforeBindings(t *testing.T) {
	h := newHousehold(t, core.Options{})
	must(t, h.mkdir("bob", "F"), h.put("bob", "F/1", "own"), h.put("bob", "G", "file"), h.mkdir("alice", "F"), h.put("alice", "F/1", "alices"), h.mkdir("alice", "G"), h.put("alice", "G/1", "alices"))
	h.clock.Advance(time.Hour)
	before := h.s.Now()
	h.clock.Advance(time.Hour)
	must(t, h.remove("bob", "F"), h.remove("bob", "G"), h.share("alice", "F", "bob", "read"), h.share("alice", "G", "bob", "read"))
	h.sees(t, "bob", "", "F/ F/1=alices G/ G/1=alices")
	done, err := h.past(t, "bob").Rewind(t.Context(), core.RewindRequest{To: before}, nil)
	must(t, err)
	h.sees(t, "bob", "", "F-2/ F-2/1=own F/ F/1=alices G/ G/1=alices")
	if fmt.Sprint(done.Left) == "[]" {
		t.Error("nothing is told of the file that did not come back")
	}
	must(t, h.unshare("alice", "G", "bob"))
	if _, err = h.past(t, "bob").Rewind(t.Context(), core.RewindRequest{To: before}, nil); err != nil {
		t.Fatal(err)
	}
	h.sees(t, "bob", "", "F-2/ F-2/1=own F/ F/1=alices G=file")

	// By a way that asks nobody, as a restore has one: both are in sight, and both can be had.
	f, err := h.at("bob", "F")
	must(t, err)
	home, err := h.at("bob", "")
	must(t, err)
	rec := holdfast.CollectionRecord{Parent: home.Collection.ID, Name: "F", Type: holdfast.TypeFolder}
	g := &holdfast.Group{Account: home.Owner, Entries: []holdfast.Entry{{ID: holdfast.NewID(nil), Op: holdfast.OpPut, Kind: holdfast.KindCollection, Collection: holdfast.NewID(nil), Body: rec.Encode(), At: h.s.Now()}}}
	g.Seal()
	_, err = h.e.Engine.Commit(t.Context(), g)
	must(t, err)
	h.clock.Advance(time.Hour) // what is cached grows old
	other := "F (" + f.Collection.ID.String() + ")"
	h.sees(t, "bob", "", other+"/ "+other+"/1=alices F-2/ F-2/1=own F/ G=file")
	must(t, h.put("bob", "F/2", "own"), h.remove("bob", "F"))
	h.sees(t, "bob", "", "F-2/ F-2/1=own F/ F/1=alices G=file")
}

// TestWhatEndsAFolderShare: beside its removal, the owner's deletion of the folder, and the end of either account.
func TestWhatEndsAFolderShare(t *testing.T) {
	h := newHousehold(t, core.Options{})
	ctx := t.Context()
	state := func(who string, s holdfast.AccountState) {
		t.Helper()
		_, err := h.s.UpdateAccount(ctx, holdfast.Actor{}, h.people[who].Account, func(r *holdfast.AccountRecord) error { r.State = s; return nil })
		must(t, err)
	}
	must(t, h.mkdir("alice", "F"), h.mkdir("alice", "F/a"), h.put("alice", "F/a/1", "x"), h.share("alice", "F", "bob", "write"), h.share("alice", "F", "carol", "write"))

	// A guest who deletes it has it no more; nobody else lacks anything.
	must(t, h.remove("bob", "F"))
	h.sees(t, "bob", "", "")
	h.sees(t, "carol", "", "F/ F/a/ F/a/1=x")
	h.sees(t, "alice", "", "F/ F/a/ F/a/1=x")
	must(t, h.share("alice", "F", "bob", "write"))
	h.sees(t, "bob", "", "F/ F/a/ F/a/1=x")

	// An owner who cannot be served: it stays in the home, and nobody gets in.
	state("alice", holdfast.Suspended)
	if at, err := h.at("bob", "F/a/1"); !holdfast.IsKind(err, holdfast.Unavailable) {
		t.Errorf("inside: %v, %v", at, err)
	}
	wantKind(t, h.put("bob", "F/a/1", "y"), holdfast.Unavailable)
	must(t, h.s.Read(ctx, h.people["bob"], h.people["bob"].Account, func(r *core.Reader) error {
		cs, err := r.Bound()
		if len(cs) != 1 {
			t.Errorf("the home has %v", cs)
		}
		return err
	}))
	state("alice", holdfast.Active)
	state("bob", holdfast.Suspended)
	wantKind(t, h.put("bob", "F/a/1", "y"), holdfast.Unavailable)
	state("bob", holdfast.Active)

	// The owner deletes it: it shows nothing, and is back with it.
	r, err := h.s.Account(ctx, h.people["alice"].Account.String())
	must(t, err, h.remove("alice", "F"))
	h.sees(t, "bob", "", "")
	wantKind(t, h.put("bob", "F/a/1", "y"), holdfast.NotFound)
	if _, err := h.past(t, "alice").Undo(ctx, core.UndoRequest{Change: r.Seq + 1}, nil); err != nil {
		t.Fatal(err)
	}
	h.sees(t, "bob", "", "F/ F/a/ F/a/1=x")

	state("alice", holdfast.Erasing)
	must(t, h.s.Erase(ctx, h.people["alice"].Account))
	h.sees(t, "bob", "", "")
	wantKind(t, h.put("bob", "F/a/1", "y"), holdfast.NotFound)
	must(t, h.mkdir("bob", "F2"), h.put("bob", "F2/1", "own"))
}

// TestSharesWithinShares: the strongest right counts, a weaker one inside is refused, each hangs by itself, and each ends by itself. Nobody shares on.
func TestSharesWithinShares(t *testing.T) {
	h := newHousehold(t, core.Options{})
	must(t, h.mkdir("alice", "O"), h.mkdir("alice", "O/I"), h.put("alice", "O/1", "x"), h.put("alice", "O/I/2", "y"))
	must(t, h.share("alice", "O", "bob", "read"), h.share("alice", "O/I", "bob", "write"))
	h.sees(t, "bob", "", "I/ I/2=y O/ O/1=x O/I/ O/I/2=y")
	wantRule(t, h.put("bob", "O/1", "b"), "need-privileges")
	must(t, h.put("bob", "O/I/2", "b"), h.put("bob", "I/3", "c"))
	h.sees(t, "bob", "", "I/ I/2=b I/3=c O/ O/1=x O/I/ O/I/2=b O/I/3=c")
	wantRule(t, h.remove("bob", "O/I"), "need-privileges") // that is a change of O
	must(t, h.remove("bob", "I"))                          // that is one of his home
	h.sees(t, "bob", "", "O/ O/1=x O/I/ O/I/2=b O/I/3=c")
	must(t, h.put("bob", "O/I/2", "d"))
	must(t, h.unshare("alice", "O/I", "bob"))
	wantRule(t, h.put("bob", "O/I/2", "b"), "need-privileges")
	must(t, h.share("alice", "O", "bob", "write"))
	wantKind(t, h.share("alice", "O/I", "bob", "read"), holdfast.Invalid)
	must(t, h.share("alice", "O/I", "bob", "write"), h.unshare("alice", "O", "bob"))
	h.sees(t, "bob", "", "I/ I/2=d I/3=c")
	wantKind(t, h.share("bob", "I", "carol", "read"), holdfast.Invalid)
	must(t, h.mkdir("bob", "I/deep"))
	wantKind(t, h.share("bob", "I/deep", "carol", "read"), holdfast.Invalid)

	// Into itself, by another way.
	must(t, h.share("alice", "O", "bob", "write"), h.mkdir("alice", "O/mid"), h.move("alice", "O/I", "O/mid/I"))
	wantKind(t, h.move("bob", "O/mid", "I/mid"), holdfast.Forbidden)
	wantKind(t, h.copy("bob", "O/mid", "I/mid"), holdfast.Forbidden)
	wantKind(t, h.carry("bob", "I", "O/mid/I", false, true), holdfast.Forbidden)
}

// TestWhatWasMovedOutIsOutAtOnce, acknowledged or not; and what was moved in is in once that is acknowledged.
func TestWhatWasMovedOutIsOutAtOnce(t *testing.T) {
	for what, e := range map[string]store.Engine{"memory": memory.New(), "sqlite": newSQLite(t)} {
		t.Run(what, func(t *testing.T) {
			g := newGate(e)
			h := newHousehold(t, core.Options{Engine: e, Copies: g, Limits: core.Limits{Show: 20 * time.Millisecond}})
			must(t, h.mkdir("alice", "F"), h.mkdir("alice", "F/a"), h.mkdir("alice", "F/a/b"), h.put("alice", "F/a/b/1", "x"), h.mkdir("alice", "in"), h.put("alice", "in/2", "y"), h.share("alice", "F", "bob", "write"))
			h.sees(t, "bob", "", "F/ F/a/ F/a/b/ F/a/b/1=x")
			g.set(false)
			wantKind(t, h.move("alice", "F/a", "a"), holdfast.Unavailable)
			h.sees(t, "alice", "", "F/ F/a/ F/a/b/ F/a/b/1=x in/ in/2=y")
			for _, path := range []string{"F/a/b/1", "F/a/b/2"} {
				if got, err := h.get("bob", path); err == nil {
					t.Errorf("what was moved out is read: %s", got)
				}
				if err := h.put("bob", path, "bobs"); err == nil {
					t.Error("what was moved out is written")
				}
			}
			g.set(true)
			h.sees(t, "bob", "", "F/")
			h.sees(t, "alice", "", "F/ a/ a/b/ a/b/1=x in/ in/2=y")
			g.set(false)
			wantKind(t, h.move("alice", "in", "F/in"), holdfast.Unavailable)
			h.sees(t, "bob", "", "F/")
			g.set(true)
			h.sees(t, "bob", "", "F/ F/in/ F/in/2=y")
		})
	}
}
