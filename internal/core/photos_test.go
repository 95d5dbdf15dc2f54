package core_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/core"
	"holdfast/internal/store"
	"holdfast/internal/store/memory"
)

// photoFolders are the paths of an account's folders for photos.
func photoFolders(t *testing.T, s *core.Service, account holdfast.ID) (paths []string) {
	t.Helper()
	if err := s.Inspect(t.Context(), account, func(r *core.Reader) error {
		all, err := r.EveryCollection()
		for _, c := range core.PhotoFolders(account, all) {
			paths = append(paths, r.PathOf(c.ID))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	slices.Sort(paths)
	return paths
}

func wantPaths(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("folders for photos: %q, not %q", got, want)
	}
}

func (f *folders) mark(t *testing.T, c holdfast.ID, photos bool) {
	t.Helper()
	if _, err := f.s.MarkPhotos(t.Context(), f.p, f.at(c, ""), photos); err != nil {
		t.Fatal(err)
	}
}

// TestMarksOfFolders: what a folder says of its files holds for what is below it, until one there says otherwise.
func TestMarksOfFolders(t *testing.T) {
	f := newFolders(t, core.Limits{})
	list := func() []string { return photoFolders(t, f.s, f.p.Account) }
	wantPaths(t, list(), "files/Photos")
	f.mark(t, f.a, true)
	wantPaths(t, list(), "files/Photos", "files/a", "files/a/sub")
	f.mark(t, f.sub, false)
	wantPaths(t, list(), "files/Photos", "files/a")
	deep := f.mkdir(t, f.mkdir(t, f.sub, "deep"), "deeper")
	f.mark(t, deep, true)
	wantPaths(t, list(), "files/Photos", "files/a", "files/a/sub/deep/deeper")
	if _, err := f.s.Move(t.Context(), f.p, core.Transfer{From: f.at(f.sub, ""), To: f.at(f.home, "elsewhere")}); err != nil {
		t.Fatal(err)
	}
	wantPaths(t, list(), "files/Photos", "files/a", "files/elsewhere/deep/deeper")
	if _, err := f.s.Delete(t.Context(), f.p, f.at(f.a, ""), holdfast.Precondition{}, nil); err != nil {
		t.Fatal(err)
	}
	wantPaths(t, list(), "files/Photos", "files/elsewhere/deep/deeper")
	f.mark(t, f.home, true)
	wantPaths(t, list(), "files", "files/Photos", "files/elsewhere/deep/deeper")
	book, err := f.s.Locate(t.Context(), f.p, f.p.Account, []string{"addressbooks", "default"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.s.MarkPhotos(t.Context(), f.p, f.at(book.Collection.ID, ""), true)
	wantKind(t, err, holdfast.Invalid)
}

// TestAnOldAccountGetsItsFolder once, and not if its owner wants none.
func TestAnOldAccountGetsItsFolder(t *testing.T) {
	f := newFolders(t, core.Limits{})
	found := func(want bool) {
		t.Helper()
		if made, err := f.s.FoundPhotos(t.Context(), f.p.Account); err != nil || made != want {
			t.Errorf("made %v, %v", made, err)
		}
	}
	photos := f.idOf(t, "Photos")
	unmark := func(props holdfast.Properties) (holdfast.Properties, error) {
		return props.With(holdfast.SpaceHoldfast, holdfast.PropPhotos, nil), nil
	}
	found(false)
	if _, err := f.s.SetProperties(t.Context(), f.p, f.at(photos, ""), nil, unmark); err != nil { // as one that somebody made before there were any
		t.Fatal(err)
	}
	wantPaths(t, photoFolders(t, f.s, f.p.Account))
	found(true)
	wantPaths(t, photoFolders(t, f.s, f.p.Account), "files/Photos")
	f.mark(t, photos, false)
	found(false)
	f.mark(t, photos, true)
	if _, err := f.s.Delete(t.Context(), f.p, f.at(photos, ""), holdfast.Precondition{}, nil); err != nil {
		t.Fatal(err)
	}
	found(false)
	wantPaths(t, photoFolders(t, f.s, f.p.Account))
}

// idOf finds a folder right below the home of files.
func (f *folders) idOf(t *testing.T, name string) holdfast.ID {
	t.Helper()
	at, err := f.s.Locate(t.Context(), f.p, f.p.Account, []string{"files", name})
	if err != nil || len(at.Rest) > 0 {
		t.Fatalf("%s: %v, %q is not there", name, err, at.Rest)
	}
	return at.Collection.ID
}

// album is what is in one, by hash, as a listing has it.
func album(t *testing.T, s *core.Service, p holdfast.Principal, id holdfast.ID) (names []string) {
	t.Helper()
	if err := s.Read(t.Context(), p, p.Account, func(r *core.Reader) error {
		return r.List(id, "", 0, core.WithBody, func(x *holdfast.Resource) error {
			ref, err := holdfast.DecodeReference(x.Body)
			names = append(names, ref.Name)
			return err
		})
	}); err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}

func refs(c holdfast.ID, names ...string) (out []holdfast.Reference) {
	for _, n := range names {
		out = append(out, holdfast.Reference{Hash: holdfast.HashOf([]byte(n)), Collection: c, Name: n})
	}
	return out
}

// TestAlbums are made, filled, emptied, deleted, and come back by an undo and a rewind as everything does.
func TestAlbums(t *testing.T) {
	onBoth(t, func(t *testing.T, f *family) {
		ctx, owner := t.Context(), f.p.Account
		folder := f.idOf(t, "files/Photos")
		id, _, err := f.s.MakeAlbum(ctx, f.p, owner, "Summer / 2009")
		if err != nil {
			t.Fatal(err)
		}
		again, _, err := f.s.MakeAlbum(ctx, f.p, owner, "Summer / 2009")
		if err != nil || again == id {
			t.Fatalf("a second album of the same title: %v, %v", again, err)
		}
		if got := f.pathOf(t, id) + " and " + f.pathOf(t, again); got != "albums/Summer - 2009 and albums/Summer - 2009 (2)" {
			t.Errorf("they are at %s", got)
		}
		if n, _, err := f.s.AddToAlbum(ctx, f.p, owner, id, refs(folder, "a", "b", "b")); err != nil || n != 2 {
			t.Errorf("%d were added, %v", n, err)
		}
		if n, r, err := f.s.AddToAlbum(ctx, f.p, owner, id, refs(folder, "a", "c")); err != nil || n != 1 || r.Seq == 0 {
			t.Errorf("%d were added, %+v, %v", n, r, err)
		}
		if n, r, err := f.s.AddToAlbum(ctx, f.p, owner, id, refs(folder, "a")); err != nil || n != 0 || r.Seq != 0 {
			t.Errorf("%d were added, %+v, %v", n, r, err)
		}
		filled, at := f.head(t), f.clock.Now()
		f.clock.Advance(time.Minute)
		if n, _, err := f.s.RemoveFromAlbum(ctx, f.p, owner, id, []holdfast.Hash{holdfast.HashOf([]byte("b")), holdfast.HashOf([]byte("z"))}); err != nil || n != 1 {
			t.Errorf("%d were removed, %v", n, err)
		}
		if got := album(t, f.s, f.p, id); strings.Join(got, "") != "ac" {
			t.Errorf("in it are %q", got)
		}
		f.undo(t, core.UndoRequest{Change: filled + 1})
		if got := album(t, f.s, f.p, id); strings.Join(got, "") != "abc" {
			t.Errorf("after an undo there are %q in it", got)
		}
		if _, err := f.s.DeleteAlbum(ctx, f.p, owner, id); err != nil {
			t.Fatal(err)
		}
		f.clock.Advance(time.Minute)
		f.rewind(t, core.RewindRequest{To: at})
		if got := album(t, f.s, f.p, id); strings.Join(got, "") != "abc" {
			t.Errorf("after a rewind there are %q in it", got)
		}
		if _, err := f.s.RenameAlbum(ctx, f.p, owner, id, "Winter"); err != nil {
			t.Error(err)
		}
	})
}

func (f *family) pathOf(t *testing.T, id holdfast.ID) (path string) {
	t.Helper()
	if err := f.s.Read(t.Context(), f.p, f.p.Account, func(r *core.Reader) error { path = r.PathOf(id); return nil }); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestAlbumsRefuse what is none of theirs.
func TestAlbumsRefuse(t *testing.T) {
	f := newFamily(t, core.Limits{})
	ctx, owner := t.Context(), f.p.Account
	id, _, err := f.s.MakeAlbum(ctx, f.p, owner, "x")
	if err != nil {
		t.Fatal(err)
	}
	folder := f.idOf(t, "files/Photos")
	refused := func(what string, kind holdfast.ErrorKind, err error) {
		t.Helper()
		if !holdfast.IsKind(err, kind) {
			t.Errorf("%s: %v, not %v", what, err, kind)
		}
	}
	for _, title := range []string{"", " ", "a\nb", strings.Repeat("x", 201), "\xff"} {
		_, _, err = f.s.MakeAlbum(ctx, f.p, owner, title)
		refused(fmt.Sprintf("title %q", title), holdfast.Invalid, err)
	}
	_, _, err = f.s.MakeAlbum(ctx, f.bob, owner, "bob's")
	refused("another's", holdfast.Forbidden, err)
	_, _, err = f.s.AddToAlbum(ctx, f.bob, owner, id, refs(folder, "a"))
	refused("a stranger adds", holdfast.Forbidden, err)
	_, _, err = f.s.AddToAlbum(ctx, f.p, owner, folder, refs(folder, "a"))
	refused("a folder is no album", holdfast.NotFound, err)
	_, _, err = f.s.AddToAlbum(ctx, f.p, owner, id, []holdfast.Reference{{Name: "a"}})
	refused("no hash", holdfast.Invalid, err)
	_, _, err = f.s.AddToAlbum(ctx, f.p, owner, id, make([]holdfast.Reference, holdfast.MaxGroup+1))
	refused("too many", holdfast.TooLarge, err)
	_, _, err = f.s.MakeCollection(ctx, f.p, core.NewCollection{Owner: owner, Parent: folder, Name: "album", Type: holdfast.TypeAlbum})
	refused("an album among files", holdfast.Forbidden, err)
	_, _, err = f.s.Put(ctx, f.p, core.PutRequest{Place: core.Place{Owner: owner, Collection: id, Name: "x.jpg"}, Body: []byte("octets")})
	refused("octets in an album", holdfast.Invalid, err)
}

// TestFavorites are a property of the file, as clients of Nextcloud set it.
func TestFavorites(t *testing.T) {
	h := newCabinet(t, core.Options{})
	h.mustFile(t, "a.jpg", "octets")
	is := func() bool {
		t.Helper()
		_, x, err := h.open(t, "a.jpg")
		if err != nil {
			t.Fatal(err)
		}
		return core.IsFavorite(x.Properties)
	}
	if is() {
		t.Error("it is one before anybody said so")
	}
	for _, want := range []bool{true, false, true} {
		if _, err := h.s.SetFavorite(t.Context(), h.p, h.at("a.jpg"), want); err != nil || is() != want {
			t.Errorf("favourite %v: %v", want, err)
		}
	}
	h.mustFile(t, "a.jpg", "other octets")
	if !is() {
		t.Error("a new version is none any more")
	}
}

// TestAWatchTellsOfWhatIsShown, and of nothing before.
func TestAWatchTellsOfWhatIsShown(t *testing.T) {
	onStuck(t, func(t *testing.T, f *stuck) {
		w := f.s.Watch(func(c *holdfast.Change) bool { return c.Kind == holdfast.KindCollection })
		defer w.Close()
		mkdir := func(p holdfast.Principal, name string) {
			t.Helper()
			home, err := f.s.Locate(t.Context(), p, p.Account, []string{"addressbooks"})
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := f.s.MakeCollection(t.Context(), p, core.NewCollection{Owner: p.Account, Parent: home.Collection.ID, Name: name, Type: holdfast.TypeAddressbook}); err != nil && !holdfast.IsKind(err, holdfast.Unavailable) {
				t.Fatal(err)
			}
		}
		next := func(wait time.Duration) ([]holdfast.ID, bool, error) {
			ctx, cancel := clock.WithTimeout(t.Context(), clock.System, wait)
			defer cancel()
			return w.Next(ctx)
		}
		mkdir(f.p, "one")
		if got, gap, err := next(time.Minute); err != nil || gap || !slices.Equal(got, []holdfast.ID{f.p.Account}) {
			t.Fatalf("%v, gap %v, %v", got, gap, err)
		}
		f.g.set(false)
		mkdir(f.bob, "two")
		if got, gap, err := next(20 * time.Millisecond); err == nil {
			t.Fatalf("what is not acknowledged is told: %v, gap %v", got, gap)
		}
		mkdir(f.p, "three")
		f.g.set(true)
		for told := map[holdfast.ID]bool{}; len(told) < 2; { // what was asked for in vain is not forgotten
			got, gap, err := next(time.Minute)
			if err != nil || gap {
				t.Fatalf("%v, gap %v, %v", got, gap, err)
			}
			for _, id := range got {
				told[id] = true
			}
		}
	})
}

// lossy is an engine whose followers miss a batch.
type lossy struct {
	store.Engine
	miss uint64
}

func (e *lossy) Follow(depth int) (<-chan *holdfast.Batch, func()) {
	all, stop := e.Engine.Follow(depth)
	some, ended := make(chan *holdfast.Batch), make(chan struct{})
	go func() {
		for {
			select {
			case b := <-all:
				if b.Batch != e.miss {
					some <- b
				}
			case <-ended:
				return
			}
		}
	}()
	return some, func() { close(ended); stop() }
}

// TestAWatchKnowsItsGaps: what it was not told of can be any account.
func TestAWatchKnowsItsGaps(t *testing.T) {
	e := &lossy{Engine: memory.New()}
	defer e.Close()
	h := newCabinet(t, core.Options{Engine: e})
	e.miss = e.Position().Batch + 2
	w := h.s.Watch(func(*holdfast.Change) bool { return true })
	defer w.Close()
	for i, want := range []bool{false, true, false} {
		h.mustFile(t, fmt.Sprint(i), "octets")
		if i == 1 { // it is missed
			h.mustFile(t, "more", "octets")
		}
		if got, gap, err := w.Next(t.Context()); err != nil || gap != want || len(got) == 0 && !gap {
			t.Errorf("%d: %v, gap %v, %v", i, got, gap, err)
		}
	}
	w.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := w.Next(ctx); err == nil {
		t.Error("an ended watch tells of something")
	}
}
