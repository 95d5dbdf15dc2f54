package library

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/core"
)

// TestTheTimelineFollowsTheFiles: by the clock on the wall, newest first, whatever happens to the files.
func TestTheTimelineFollowsTheFiles(t *testing.T) {
	h := newHouse(t)
	h.want(Query{}, "")
	h.put(h.photos, "b.jpg", exif(t, "2009:10:03 14:05:06", 1))
	h.put(h.photos, "a.jpg", exif(t, "2009:10:03 14:05:07", 2))
	h.put(h.photos, "old.jpg", exif(t, "1999:12:31 23:59:59", 3))
	h.put(h.photos, "notes.txt", []byte("no photo"))
	h.put(h.files, "elsewhere.jpg", exif(t, "2010:01:01 00:00:00", 4))
	h.settled()
	h.want(Query{}, "a.jpg b.jpg old.jpg")
	months, err := h.lib.Months(t.Context(), h.alice, h.alice.Account)
	if err != nil || fmt.Sprint(months) != "{3 [{2009-10 2} {1999-12 1}] false}" {
		t.Errorf("months %v, %v", months, err)
	}

	sub := h.mkdir(h.photos, "sub")
	h.move(h.photos, "old.jpg", sub, "old 2.jpg")
	h.put(h.photos, "b.jpg", exif(t, "2011:01:01 00:00:00", 5))
	h.delete(h.photos, "a.jpg")
	h.settled()
	h.want(Query{}, "b.jpg old 2.jpg")
	if p := h.list(Query{}).Photos[1]; p.Path != "files/Photos/sub/old 2.jpg" || p.Taken.Wall != "1999-12-31T23:59:59" || p.Taken.Sure != "wall clock" {
		t.Errorf("%+v", p)
	}

	mark := func(c holdfast.ID, photos bool) {
		t.Helper()
		if _, err := h.core.MarkPhotos(t.Context(), h.alice, h.place(c, ""), photos); err != nil {
			t.Fatal(err)
		}
	}
	mark(sub, false)
	h.want(Query{}, "b.jpg")
	mark(h.files, true)
	h.settled()
	h.want(Query{}, "b.jpg elsewhere.jpg")
	mark(sub, true)
	h.settled()
	h.want(Query{}, "b.jpg elsewhere.jpg old 2.jpg")
	if _, err := h.core.Delete(t.Context(), h.alice, h.place(h.photos, ""), holdfast.Precondition{}, nil); err != nil {
		t.Fatal(err)
	}
	h.want(Query{}, "elsewhere.jpg")
	h.sameAnew()
}

// sameAnew compares the index with one that is made from nothing.
func (h *house) sameAnew() {
	h.t.Helper()
	h.settled()
	dump := func() (text string) {
		h.t.Helper()
		if err := h.lib.read(h.t.Context(), func(c *conn) (err error) { text, err = c.dump(); return err }); err != nil {
			h.t.Fatal(err)
		}
		return text
	}
	followed := dump()
	h.restart(func() {
		if err := os.RemoveAll(h.o.Dir); err != nil {
			h.t.Fatal(err)
		}
	})
	h.settled()
	if anew := dump(); anew != followed {
		h.t.Errorf("the index that followed is\n%s\none that is made anew is\n%s", followed, anew)
	}
}

// TestPages: each photo is on one page, whatever the size, also where many were taken at the same moment.
func TestPages(t *testing.T) {
	h := newSimpleHouse(t)
	var want []string
	for i := range 25 {
		name := fmt.Sprintf("%02d.jpg", i)
		h.put(h.photos, name, exif(t, fmt.Sprintf("2009:10:03 14:05:%02d", i/5), i+1))
		want = append([]string{name}, want...)
	}
	h.settled()
	for _, size := range []int{1, 3, 7, 25, 100} {
		var got []string
		for q := (Query{Limit: size}); ; {
			page := h.list(q)
			if len(page.Photos) > 0 {
				got = append(got, names(page))
			}
			if q.After = page.Next; q.After == "" {
				break
			}
			if len(page.Photos) != size {
				t.Errorf("a page of %d has %d", size, len(page.Photos))
			}
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("in pages of %d: %q", size, got)
		}
	}
	for _, q := range []Query{{Limit: -1}, {Limit: MaxPage + 1}, {After: "x"}, {After: "1"}, {After: "1.x"}, {Box: &Box{South: 91}}, {Box: &Box{South: 2, North: 1}}} {
		if _, err := h.lib.Photos(t.Context(), h.alice, h.alice.Account, q); !holdfast.IsKind(err, holdfast.Invalid) {
			t.Errorf("%+v: %v", q, err)
		}
	}
	if _, err := h.lib.Photos(t.Context(), h.alice, h.alice.Account, Query{Album: holdfast.ID{9}}); !holdfast.IsKind(err, holdfast.NotFound) {
		t.Errorf("an album that is none: %v", err)
	}
}

// TestStrangersSeeNothing of another's photos.
func TestStrangersSeeNothing(t *testing.T) {
	h := newSimpleHouse(t, withPool)
	hash := h.put(h.photos, "a.jpg", exif(t, "2009:10:03 14:05:06", 1))
	h.settled()
	id := h.list(Query{}).Photos[0].ID
	ctx, owner := t.Context(), h.alice.Account
	for what, ask := range map[string]func() error{
		"photos":     func() error { _, err := h.lib.Photos(ctx, h.bob, owner, Query{}); return err },
		"months":     func() error { _, err := h.lib.Months(ctx, h.bob, owner); return err },
		"detail":     func() error { _, err := h.lib.Detail(ctx, h.bob, owner, id); return err },
		"albums":     func() error { _, err := h.lib.Albums(ctx, h.bob, owner); return err },
		"safety":     func() error { _, err := h.lib.Safety(ctx, h.bob, owner, Query{}); return err },
		"thumb":      func() error { _, err := h.lib.Thumb(ctx, h.bob, owner, hash, Square); return err },
		"duplicates": func() error { _, _, err := h.lib.Duplicates(ctx, h.bob, owner, holdfast.Hash{}, 10); return err },
	} {
		if err := ask(); !holdfast.IsKind(err, holdfast.Forbidden) {
			t.Errorf("%s of another: %v", what, err)
		}
	}
	if _, err := h.lib.Thumb(ctx, h.bob, h.bob.Account, hash, Square); !holdfast.IsKind(err, holdfast.NotFound) {
		t.Errorf("whether somebody has a photo can be asked: %v", err)
	}
	if b, err := h.lib.Thumb(ctx, h.alice, owner, hash, Square); err != nil || len(b) == 0 {
		t.Errorf("her own: %v", err)
	}
}

// TestFavoritesAndSearch: by date, name, camera, place.
func TestFavoritesAndSearch(t *testing.T) {
	h := newSimpleHouse(t)
	for _, name := range []string{"DSCN0010.jpg", "IMG_5195.HEIC", "canon_hdr_YES.jpg", "landscape_1.jpg"} {
		h.put(h.photos, name, corpusFile(t, name))
	}
	h.put(h.photos, "Žluťoučký KŮŇ.jpg", exif(t, "2009:10:03 14:05:06", 1))
	if _, err := h.core.SetFavorite(t.Context(), h.alice, h.place(h.photos, "DSCN0010.jpg"), true); err != nil {
		t.Fatal(err)
	}
	h.settled()
	day := func(s string) time.Time {
		at, err := time.Parse(time.DateOnly, s)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	h.want(Query{Favorite: true}, "DSCN0010.jpg")
	h.want(Query{Name: "zlutoucky kun"}, "Žluťoučký KŮŇ.jpg")
	h.want(Query{Name: "dscn"}, "DSCN0010.jpg")
	h.want(Query{Name: "%"}, "")
	h.want(Query{Camera: "iphone apple"}, "IMG_5195.HEIC")
	h.want(Query{Camera: "coolpix"}, "DSCN0010.jpg")
	h.want(Query{From: day("2008-10-22"), To: day("2008-10-23")}, "DSCN0010.jpg")
	h.want(Query{From: day("2008-10-23"), To: day("2010-01-01")}, "Žluťoučký KŮŇ.jpg")
	p := h.list(Query{Favorite: true}).Photos[0]
	if p.Place == nil || p.Camera == nil || !p.Favorite {
		t.Fatalf("%+v", p)
	}
	lat, lon := *p.Place.Lat, *p.Place.Lon
	h.want(Query{Box: &Box{lat - 1, lon - 1, lat + 1, lon + 1}}, "DSCN0010.jpg")
	h.want(Query{Box: &Box{lat + 1, lon - 1, lat + 2, lon + 1}}, "")
	h.want(Query{Box: &Box{lat - 1, lon + 1, lat + 1, lon - 1}, Camera: "nikon"}, "") // around the earth, and not here
	if _, err := h.core.SetFavorite(t.Context(), h.alice, h.place(h.photos, "DSCN0010.jpg"), false); err != nil {
		t.Fatal(err)
	}
	h.want(Query{Favorite: true}, "")
	h.sameAnew()
}

// TestAlbumsFollowTheirPhotos: a moved, edited, deleted photo, and one that comes back.
func TestAlbumsFollowTheirPhotos(t *testing.T) {
	h := newHouse(t)
	ctx, owner := t.Context(), h.alice.Account
	album, _, err := h.core.MakeAlbum(ctx, h.alice, owner, "Summer")
	if err != nil {
		t.Fatal(err)
	}
	one, two := exif(t, "2009:10:03 14:05:06", 1), exif(t, "2009:10:03 14:05:07", 2)
	refs := []holdfast.Reference{{Hash: h.put(h.photos, "1.jpg", one), Collection: h.photos, Name: "1.jpg"}, {Hash: h.put(h.photos, "2.jpg", two), Collection: h.photos, Name: "2.jpg"}}
	h.put(h.photos, "3.jpg", exif(t, "2009:10:03 14:05:08", 3))
	if _, _, err := h.core.AddToAlbum(ctx, h.alice, owner, album, refs); err != nil {
		t.Fatal(err)
	}
	h.settled()
	want := func(list string, gone int) {
		t.Helper()
		h.want(Query{Album: album}, list)
		albums, err := h.lib.Albums(ctx, h.alice, owner)
		if err != nil || len(albums) != 1 {
			t.Fatalf("%+v, %v", albums, err)
		}
		a, n := albums[0], 0
		if list != "" {
			n = strings.Count(list, " ") + 1
		}
		if a.Title != "Summer" || a.Photos != n || a.Gone != gone || (a.Cover == nil) != (n == 0) || n > 0 && a.Cover.Name != strings.Fields(list)[0] {
			t.Errorf("%+v", a)
		}
	}
	want("2.jpg 1.jpg", 0)
	sub := h.mkdir(h.photos, "sub")
	h.move(h.photos, "1.jpg", sub, "moved.jpg")
	want("2.jpg moved.jpg", 0)
	h.put(h.photos, "2.jpg", exif(t, "2009:10:03 14:05:09", 4)) // edited
	h.settled()
	want("2.jpg moved.jpg", 0)
	h.delete(sub, "moved.jpg")
	want("2.jpg", 1)
	h.put(sub, "back.jpg", one)
	h.settled()
	want("2.jpg back.jpg", 0)
	h.put(h.photos, "1.jpg", one) // and once more where it was
	want("2.jpg 1.jpg", 0)
	d, err := h.lib.Detail(ctx, h.alice, owner, h.list(Query{Album: album}).Photos[1].ID)
	if err != nil || len(d.Albums) != 1 || d.Albums[0].Title != "Summer" || strings.Join(d.Also, " ") != "files/Photos/sub/back.jpg" {
		t.Errorf("%+v, %v", d, err)
	}
	if _, err := h.core.RenameAlbum(ctx, h.alice, owner, album, "Autumn"); err != nil {
		t.Fatal(err)
	}
	if albums, err := h.lib.Albums(ctx, h.alice, owner); err != nil || albums[0].Title != "Autumn" {
		t.Errorf("%+v, %v", albums, err)
	}
	h.sameAnew()
	if _, err := h.core.DeleteAlbum(ctx, h.alice, owner, album); err != nil {
		t.Fatal(err)
	}
	if albums, err := h.lib.Albums(ctx, h.alice, owner); err != nil || len(albums) != 0 {
		t.Errorf("%+v, %v", albums, err)
	}
}

// TestDuplicates are told by content.
func TestDuplicates(t *testing.T) {
	h := newSimpleHouse(t)
	for i := range 4 {
		for j := range i {
			h.put(h.photos, fmt.Sprintf("%d-%d.jpg", i, j), exif(t, "2009:10:03 14:05:06", i+1))
		}
	}
	h.put(h.photos, "1.txt", []byte("the same"))
	h.put(h.photos, "2.txt", []byte("the same"))
	h.settled()
	all, next, err := h.lib.Duplicates(t.Context(), h.alice, h.alice.Account, holdfast.Hash{}, 10)
	if err != nil || !next.IsZero() || len(all) != 2 || len(all[0].Photos)+len(all[1].Photos) != 5 {
		t.Fatalf("%+v, %v, %v", all, next, err)
	}
	first, next, err := h.lib.Duplicates(t.Context(), h.alice, h.alice.Account, holdfast.Hash{}, 1)
	if err != nil || len(first) != 1 || next != all[0].Hash {
		t.Fatalf("%+v, %v, %v", first, next, err)
	}
	second, next, err := h.lib.Duplicates(t.Context(), h.alice, h.alice.Account, next, 1)
	if err != nil || len(second) != 1 || !next.IsZero() || second[0].Hash != all[1].Hash {
		t.Errorf("%+v, %v, %v", second, next, err)
	}
}

// TestTheIndexIsMadeAnew where it is damaged, another store's, or of another version; nothing is lost with it.
func TestTheIndexIsMadeAnew(t *testing.T) {
	h := newSimpleHouse(t, withPool)
	hash := h.put(h.photos, "a.jpg", exif(t, "2009:10:03 14:05:06", 1))
	h.settled()
	file := filepath.Join(h.o.Dir, indexName)
	for what, harm := range map[string]func(){
		"cut":     func() { os.Truncate(file, 5000) },
		"garbage": func() { os.WriteFile(file, []byte(strings.Repeat("garbage ", 2000)), 0o600) },
		"gone":    func() { os.RemoveAll(h.o.Dir) },
		"another store's": func() {
			h.o.Store = holdfast.ID{7}
		},
		"another version": func() {
			h.open()
			if err := h.lib.write(t.Context(), func(c *conn) error { return c.exec("UPDATE meta SET format = format - 1") }); err != nil {
				t.Fatal(err)
			}
			h.lib.Close()
		},
	} {
		h.restart(harm)
		h.settled()
		h.want(Query{}, "a.jpg")
		if b, err := h.lib.Thumb(t.Context(), h.alice, h.alice.Account, hash, Large); err != nil || len(b) == 0 {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestDamageWhileItRuns: the file is harmed beneath it.
func TestDamageWhileItRuns(t *testing.T) {
	h := newSimpleHouse(t)
	for i := range 300 {
		h.put(h.photos, fmt.Sprintf("%03d.jpg", i), exif(t, "", i+1))
	}
	h.settled()
	h.restart(func() { // its first page, which says what it is, stays
		f, err := os.OpenFile(filepath.Join(h.o.Dir, indexName), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		fi, _ := f.Stat()
		if _, err := f.WriteAt([]byte(strings.Repeat("\xa5", int(fi.Size())-8192)), 8192); err != nil {
			t.Fatal(err)
		}
	})
	for end := time.Now().Add(time.Minute); ; {
		page, err := h.lib.Photos(t.Context(), h.alice, h.alice.Account, Query{Limit: MaxPage})
		if err == nil && len(page.Photos) == 300 && !page.Behind {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d photos, %v", len(page.Photos), err)
		}
	}
}

// TestAnErasedAccount leaves nothing that was derived of it.
func TestAnErasedAccount(t *testing.T) {
	h := newSimpleHouse(t, withPool)
	h.put(h.photos, "a.jpg", exif(t, "2009:10:03 14:05:06", 1))
	h.settled()
	dir := h.lib.thumbDir(h.alice.Account)
	if _, err := os.Stat(dir); err != nil {
		t.Fatal(err)
	}
	h.restart(func() { // nobody tells the library of it
		if err := h.engine.Erase(t.Context(), h.alice.Account); err != nil {
			t.Fatal(err)
		}
	})
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		left := int64(0)
		err := h.lib.read(t.Context(), func(c *conn) (err error) {
			left, err = c.count("SELECT (SELECT count(*) FROM photo) + (SELECT count(*) FROM content) + (SELECT count(*) FROM month) + (SELECT count(*) FROM account WHERE id = ?)", h.alice.Account)
			return err
		})
		_, gone := os.Stat(dir)
		if err == nil && left == 0 && os.IsNotExist(gone) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d rows are left, the thumbnails are: %v, %v", left, gone, err)
		}
	}
}

// TestThumbnailsGoWithTheLastVersion: while a version can be shown its thumbnail is there.
func TestThumbnailsGoWithTheLastVersion(t *testing.T) {
	h := newHouse(t, withPool, func(co *core.Options, _ *Options) { co.Limits.Inline = 1 << 20 }) // which retention can let go of
	hash := h.put(h.photos, "a.jpg", exif(t, "2009:10:03 14:05:06", 1))
	h.settled()
	h.delete(h.photos, "a.jpg")
	h.put(h.photos, "a.jpg", exif(t, "2009:10:03 14:05:06", 2))
	h.settled()
	sweep := func() error {
		t.Helper()
		if err := h.lib.sweepOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, err := h.lib.Thumb(t.Context(), h.alice, h.alice.Account, hash, Square)
		return err
	}
	if err := sweep(); err != nil {
		t.Fatalf("the thumbnail of a version that can be shown is gone: %v", err)
	}
	var seq uint64
	if err := h.core.Inspect(t.Context(), h.alice.Account, func(r *core.Reader) error {
		return r.History().Versions(h.photos, "a.jpg", 0, func(c *holdfast.Change) error {
			if c.ETag == hash && c.Op == holdfast.OpPut {
				seq = c.Seq
			}
			return nil
		})
	}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.engine.Prune(t.Context(), h.alice.Account, []uint64{seq}); err != nil {
		t.Fatal(err)
	}
	if err := sweep(); !holdfast.IsKind(err, holdfast.NotFound) {
		t.Errorf("the thumbnail of what nobody can see any more: %v", err)
	}
	if _, err := os.Stat(h.lib.thumbPath(h.alice.Account, hash, Square)); !os.IsNotExist(err) {
		t.Errorf("its file: %v", err)
	}
	h.want(Query{}, "a.jpg")
}

// TestASuspendedAccountGetsItsFolderLater: nothing is made in it before.
func TestASuspendedAccountGetsItsFolderLater(t *testing.T) {
	h := newSimpleHouse(t, func(_ *core.Options, o *Options) { o.Every = 50 * time.Millisecond })
	set := func(state holdfast.AccountState) {
		t.Helper()
		if _, err := h.core.UpdateAccount(t.Context(), holdfast.Actor{}, h.alice.Account, func(r *holdfast.AccountRecord) error { r.State = state; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	h.put(h.photos, "a.jpg", exif(t, "2009:10:03 14:05:06", 1))
	h.settled()
	h.restart(func() {
		if err := os.RemoveAll(h.o.Dir); err != nil {
			t.Fatal(err)
		}
		if _, err := h.core.SetProperties(t.Context(), h.alice, h.place(h.photos, ""), nil, func(holdfast.Properties) (holdfast.Properties, error) { return nil, nil }); err != nil {
			t.Fatal(err)
		}
		set(holdfast.Suspended)
	})
	before := h.head().Seq
	time.Sleep(200 * time.Millisecond)
	if after := h.head().Seq; after != before {
		t.Errorf("the account was at %d, and is at %d", before, after)
	}
	set(holdfast.Active)
	for end := time.Now().Add(time.Minute); names(h.list(Query{})) != "a.jpg"; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("its folder is not one of photos")
		}
	}
}
