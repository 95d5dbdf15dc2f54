package core_test

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/store"
	"holdfast/internal/store/memory"
	"holdfast/internal/store/sqlite"
)

func (f *family) head(t *testing.T) uint64 {
	t.Helper()
	a, err := f.s.Account(t.Context(), f.p.Account.String())
	if err != nil {
		t.Fatal(err)
	}
	var seq uint64
	if err := f.s.Inspect(t.Context(), a.ID, func(r *core.Reader) error {
		h, err := r.History().Head(a.ID)
		seq = h.Seq
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return seq
}

func (f *family) pastOf(t *testing.T) *core.Past {
	t.Helper()
	p, err := f.s.PastOf(t.Context(), f.p.Account)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (f *family) undo(t *testing.T, q core.UndoRequest) core.Reversed {
	t.Helper()
	r, err := f.pastOf(t).Undo(t.Context(), q, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (f *family) rewind(t *testing.T, q core.RewindRequest) core.Reversed {
	t.Helper()
	r, err := f.pastOf(t).Rewind(t.Context(), q, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (f *family) mustMake(t *testing.T, parent holdfast.ID, name string, typ holdfast.CollectionType) holdfast.ID {
	t.Helper()
	id, _, err := f.s.MakeCollection(t.Context(), f.p, core.NewCollection{Owner: f.p.Account, Parent: parent, Name: name, Type: typ})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (f *family) mustDelete(t *testing.T, c holdfast.ID, name string) {
	t.Helper()
	if _, err := f.s.Delete(t.Context(), f.p, core.Place{Owner: f.p.Account, Collection: c, Name: name}, holdfast.Precondition{}, nil); err != nil {
		t.Fatal(err)
	}
}

// body returns an item's octets; empty where it is not there.
func (f *family) body(t *testing.T, c holdfast.ID, name string) string {
	t.Helper()
	body := ""
	err := f.s.Inspect(t.Context(), f.p.Account, func(r *core.Reader) error {
		x, err := r.Resource(c, name, core.WithBody)
		body = string(x.Body)
		return err
	})
	if err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
		t.Fatal(err)
	}
	return body
}

func (f *family) idOf(t *testing.T, path string) holdfast.ID {
	t.Helper()
	at, err := f.s.Locate(t.Context(), f.p, f.p.Account, strings.Split(path, "/"))
	if err != nil || len(at.Rest) > 0 {
		t.Fatal(path, at.Rest, err)
	}
	return at.Collection.ID
}

func lefts(r core.Reversed) string {
	var out []string
	for _, l := range r.Left {
		text := l.Path + ": " + l.Why
		if l.Since {
			text += " by " + l.By + " " + l.Device
		}
		out = append(out, text)
	}
	return strings.Join(out, "; ")
}

// TestUndoTakesAMoveBackAsOne undoes one half of a MOVE, which is both.
func TestUndoTakesAMoveBackAsOne(t *testing.T) {
	onBoth(t, func(t *testing.T, f *family) {
		second := f.mustMake(t, f.idOf(t, "addressbooks"), "work", holdfast.TypeAddressbook)
		f.mustPut(t, "a.vcf", "a 1")
		to := core.Place{Owner: f.p.Account, Collection: second, Name: "b.vcf"}
		r, err := f.s.Move(t.Context(), f.p, core.Transfer{From: f.place("a.vcf"), To: to})
		if err != nil {
			t.Fatal(err)
		}
		u := f.undo(t, core.UndoRequest{Change: r.Seq - 1})
		if f.body(t, f.book, "a.vcf") != "a 1" || f.body(t, second, "b.vcf") != "" || len(u.Left) > 0 || u.Record.Added != 1 || u.Record.Removed != 1 {
			t.Errorf("%+v", u)
		}
		if head := f.head(t); head != r.Seq+3 {
			t.Errorf("both ends and the record are one group of three; the head went from %d to %d", r.Seq, head)
		}
	})
}

// TestUndoNeverOverwritesWhatCameSince: also where the item had been changed several times, and where only a part was.
func TestUndoNeverOverwritesWhatCameSince(t *testing.T) {
	onBoth(t, func(t *testing.T, f *family) {
		f.share(t, holdfast.RightWrite)
		if _, err := f.s.PutMany(t.Context(), f.p, core.PutManyRequest{Owner: f.p.Account, Collection: f.book,
			Items: []core.Item{{Name: "a.vcf", Body: []byte("a 1")}, {Name: "b.vcf", Body: []byte("b 1")}}}); err != nil {
			t.Fatal(err)
		}
		made := f.head(t)
		if _, _, err := f.s.Put(t.Context(), f.bob, core.PutRequest{Place: f.place("a.vcf"), Body: []byte("a 2")}); err != nil {
			t.Fatal(err)
		}
		u := f.undo(t, core.UndoRequest{Change: made})
		if lefts(u) != "addressbooks/default/a.vcf: it was changed since by bob@example.org phone" || f.body(t, f.book, "a.vcf") != "a 2" || f.body(t, f.book, "b.vcf") != "" {
			t.Error(lefts(u))
		}
		if u = f.undo(t, core.UndoRequest{Reversal: u.Record.ID}); len(u.Left) > 0 || f.body(t, f.book, "b.vcf") != "b 1" {
			t.Error(lefts(u))
		}
	})
}

// TestUndoOfAMadeCollection: it goes only if nothing else came into it.
func TestUndoOfAMadeCollection(t *testing.T) {
	onBoth(t, func(t *testing.T, f *family) {
		files := f.idOf(t, "files")
		outer := f.mustMake(t, files, "outer", holdfast.TypeFolder)
		made := f.head(t)
		inner := f.mustMake(t, outer, "inner", holdfast.TypeFolder)
		within := f.head(t)
		if u := f.undo(t, core.UndoRequest{Change: made}); lefts(u) != "files/outer: it holds files/outer/inner, which stays" || len(u.Steps) > 0 || !u.Record.ID.IsZero() {
			t.Error(lefts(u))
		}
		if _, _, err := f.s.Put(t.Context(), f.p, core.PutRequest{Place: core.Place{Owner: f.p.Account, Collection: inner, Name: "x"}, Body: []byte("x 1")}); err != nil {
			t.Fatal(err)
		}
		if u := f.undo(t, core.UndoRequest{Change: within}); !strings.Contains(lefts(u), "files/outer/inner: what is in it was changed since by alice@example.org") {
			t.Error(lefts(u))
		}
		f.mustDelete(t, inner, "")
		if u := f.undo(t, core.UndoRequest{Change: made}); len(u.Left) > 0 || u.Record.Collections != 1 {
			t.Error(lefts(u))
		}
	})
}

// TestADeletedCollectionComesBackWhole has its looks, its members, its id, its sync tokens and the guests whose share stands; and a free name where its own is taken.
func TestADeletedCollectionComesBackWhole(t *testing.T) {
	onBoth(t, func(t *testing.T, f *family) {
		f.share(t, holdfast.RightWrite)
		for _, with := range []holdfast.ID{f.bob.Account, f.eve.Account} {
			if err := f.s.Share(t.Context(), holdfast.Actor{}, f.p.Account, f.book, with, holdfast.RightRead); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := f.s.SetProperties(t.Context(), f.p, f.place(""), nil, func(ps holdfast.Properties) (holdfast.Properties, error) {
			return ps.With("http://apple.com/ns/ical/", "calendar-color", []byte(`<c xmlns="http://apple.com/ns/ical/">#ff0000</c>`)), nil
		}); err != nil {
			t.Fatal(err)
		}
		f.mustPut(t, "a.vcf", "a 1")
		_, token, _, err := f.sync(t, f.book, "", 0)
		if err != nil {
			t.Fatal(err)
		}
		before := f.head(t)
		f.mustPut(t, "a.vcf", "a 2")
		f.mustPut(t, "b.vcf", "b 1")
		f.mustDelete(t, f.book, "")
		if err := f.s.Unshare(t.Context(), holdfast.Actor{}, f.p.Account, f.book, f.eve.Account); err != nil {
			t.Fatal(err)
		}
		home := f.idOf(t, "addressbooks")
		other := f.mustMake(t, home, "default", holdfast.TypeAddressbook)
		r := f.rewind(t, core.RewindRequest{Seq: before, Collection: "addressbooks/default", DryRun: true})
		if len(r.Steps) != 4 { // the old one comes, the new one goes, a.vcf, b.vcf
			t.Errorf("%+v", r)
		}
		u := f.undo(t, core.UndoRequest{Change: f.head(t) - 2}) // the deletion: of the new one's making nothing is undone
		if len(u.Left) > 0 || u.Steps[0].Path != "addressbooks/default-2" || u.Steps[0].Instead != "default" || f.idOf(t, "addressbooks/default-2") != f.book {
			t.Fatalf("%+v", u)
		}
		if f.idOf(t, "addressbooks/default") != other {
			t.Error("the one that has the name lost it")
		}
		if got := f.where(t, f.bob, f.book.String()); got != "alice 1 BOOK 0" {
			t.Errorf("a guest whose share stands: %s", got)
		}
		if got := f.where(t, f.eve, f.book.String()); got == "alice 1 BOOK 0" {
			t.Errorf("a guest whose share was ended: %s", got)
		}
		f.rewind(t, core.RewindRequest{Seq: before})
		if f.idOf(t, "addressbooks/default") != f.book || f.body(t, f.book, "a.vcf") != "a 1" {
			t.Error("the rewind did not bring it back")
		}
		learned, _, _, err := f.sync(t, f.book, token, 0)
		if err != nil || strings.Join(learned, " ") != "+a.vcf -b.vcf" && strings.Join(learned, " ") != "-b.vcf +a.vcf" {
			t.Errorf("a device with an old token learns %v, %v", learned, err)
		}
		var color string
		if err := f.s.Read(t.Context(), f.p, f.p.Account, func(r *core.Reader) error {
			c, err := r.Collection(f.book)
			color = c.Properties.Text("http://apple.com/ns/ical/", "calendar-color")
			return err
		}); err != nil || color != "#ff0000" {
			t.Error(color, err)
		}
	})
}

// TestAUIDThatAnotherItemHas: the very octets under another name are nothing to do; other ones are left.
func TestAUIDThatAnotherItemHas(t *testing.T) {
	onBoth(t, func(t *testing.T, f *family) {
		f.mustPut(t, "a.vcf", "a 1")
		f.mustPut(t, "b.vcf", "b 1")
		for _, name := range []string{"a.vcf", "b.vcf"} {
			f.mustDelete(t, f.book, name)
		}
		gone := f.head(t)
		f.mustPut(t, "a2.vcf", "a 1")
		f.mustPut(t, "b2.vcf", "b 2")
		if u := f.undo(t, core.UndoRequest{Change: gone - 1}); len(u.Steps)+len(u.Left) > 0 || u.Same != 1 {
			t.Errorf("%+v", u)
		}
		if u := f.undo(t, core.UndoRequest{Change: gone}); lefts(u) != "addressbooks/default/b.vcf: another item has its UID now: b2.vcf" {
			t.Errorf("%+v", u)
		}
	})
}

// TestUIDsThatChangedPlaces: two items that have each other's UID go back in one commit.
func TestUIDsThatChangedPlaces(t *testing.T) {
	onBoth(t, func(t *testing.T, f *family) {
		f.mustPut(t, "a.vcf", "a 1")
		f.mustPut(t, "b.vcf", "b 1")
		before := f.head(t)
		f.mustDelete(t, f.book, "a.vcf")
		f.mustDelete(t, f.book, "b.vcf")
		f.mustPut(t, "b.vcf", "a 2")
		f.mustPut(t, "a.vcf", "b 2")
		r := f.rewind(t, core.RewindRequest{Seq: before})
		if len(r.Left) > 0 || f.body(t, f.book, "a.vcf") != "a 1" || f.body(t, f.book, "b.vcf") != "b 1" || r.Record.Changed != 2 {
			t.Errorf("%+v", r)
		}
		if u := f.undo(t, core.UndoRequest{Reversal: r.Record.ID}); len(u.Left) > 0 || f.body(t, f.book, "a.vcf") != "b 2" || f.body(t, f.book, "b.vcf") != "a 2" {
			t.Errorf("%+v", u)
		}
	})
}

// TestRecordsAreNeverTakenBack: devices, shares and passwords stay as they are.
func TestRecordsAreNeverTakenBack(t *testing.T) {
	onBoth(t, func(t *testing.T, f *family) {
		before := f.head(t)
		f.share(t, holdfast.RightRead)
		shared := f.head(t)
		f.mustPut(t, "a.vcf", "a 1")
		_, err := f.pastOf(t).Undo(t.Context(), core.UndoRequest{Change: shared}, nil)
		wantKind(t, err, holdfast.Invalid)
		_, err = f.pastOf(t).Undo(t.Context(), core.UndoRequest{Change: 3}, nil)
		wantKind(t, err, holdfast.Invalid)
		if r := f.rewind(t, core.RewindRequest{Seq: before}); len(r.Steps) != 1 {
			t.Errorf("%+v", r)
		}
		if got := f.where(t, f.bob, f.book.String()); got != "alice 1 BOOK 0" {
			t.Errorf("the share after a rewind to before it: %s", got)
		}
	})
}

// TestRewindByTime goes to what was after the last change made by a moment.
func TestRewindByTime(t *testing.T) {
	onBoth(t, func(t *testing.T, f *family) {
		f.mustPut(t, "a.vcf", "a 1")
		at := f.clock.Now()
		f.clock.Advance(time.Hour)
		f.mustPut(t, "a.vcf", "a 2")
		if r := f.rewind(t, core.RewindRequest{To: at.Add(time.Hour)}); len(r.Steps) > 0 || !r.AsOf.Equal(f.clock.Now()) {
			t.Errorf("%+v", r)
		}
		if r := f.rewind(t, core.RewindRequest{To: at.Add(time.Minute)}); !r.AsOf.Equal(at) || f.body(t, f.book, "a.vcf") != "a 1" {
			t.Errorf("%+v", r)
		}
		for _, to := range []time.Time{f.clock.Now().Add(time.Second), at.Add(-time.Hour)} {
			_, err := f.pastOf(t).Rewind(t.Context(), core.RewindRequest{To: to}, nil)
			wantKind(t, err, holdfast.Invalid)
		}
	})
}

// TestRewindDuringEdits: while devices write, a rewind overwrites nothing that it has not seen.
func TestRewindDuringEdits(t *testing.T) {
	for name, open := range map[string]func() (store.Engine, error){"memory": func() (store.Engine, error) { return memory.New(), nil },
		"sqlite": func() (store.Engine, error) {
			return sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir(), Create: true, Ballast: -1})
		}} {
		t.Run(name, func(t *testing.T) {
			e, err := open()
			if err != nil {
				t.Fatal(err)
			}
			f := newFamilyOn(t, core.Limits{}, e)
			rewindDuringEdits(t, f)
		})
	}
}

func rewindDuringEdits(t *testing.T, f *family) {
	const n = 3000
	var items []core.Item
	for i := range n {
		items = append(items, core.Item{Name: fmt.Sprintf("%d.vcf", i), Body: fmt.Appendf(nil, "u%d old", i)})
	}
	putAll := func() {
		for from := 0; from < n; from += 1000 {
			if _, err := f.s.PutMany(t.Context(), f.p, core.PutManyRequest{Owner: f.p.Account, Collection: f.book, Items: items[from : from+1000], Replace: true}); err != nil {
				t.Fatal(err)
			}
		}
	}
	putAll()
	before := f.head(t)
	for i := range items {
		items[i].Body = fmt.Appendf(nil, "u%d bad", i)
	}
	putAll()
	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	edited := map[string]string{} // what was acknowledged last
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(edited)
	}
	var wg sync.WaitGroup
	edit := func(d int) {
		rnd := rand.New(rand.NewPCG(1, uint64(d)))
		for ctx.Err() == nil {
			i := rnd.IntN(n/3)*3 + d // each device has items of its own
			name, body := fmt.Sprintf("%d.vcf", i), fmt.Sprintf("u%d by device %d", i, d)
			p := f.p
			p.Device = holdfast.ID{byte(d + 1)}
			_, _, err := f.s.Put(context.WithoutCancel(ctx), p, core.PutRequest{Place: f.place(name), Body: []byte(body)})
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			edited[name] = body
			mu.Unlock()
		}
	}
	began := false
	r, err := f.pastOf(t).Rewind(t.Context(), core.RewindRequest{Seq: before}, func(core.Progress) {
		if !began {
			for d := range 3 {
				wg.Go(func() { edit(d) })
			}
		}
		began = true
		for had := count(); count() < min(had+30, n/3); { // some of each part, before and behind where the rewind is
			runtime.Gosched()
		}
	})
	cancel()
	wg.Wait()
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		name := fmt.Sprintf("%d.vcf", i)
		want := cmp.Or(edited[name], fmt.Sprintf("u%d old", i))
		if body := f.body(t, f.book, name); body != want {
			t.Fatalf("%s is %q, should be %q", name, body, want)
		}
	}
	for _, l := range r.Left {
		if l.Since = l.Since && edited[l.Name] != ""; !l.Since || l.By != "alice@example.org" {
			t.Errorf("%+v", l)
		}
	}
	t.Logf("%d edited meanwhile, %d of them left", len(edited), len(r.Left))
	if len(r.Left) == 0 {
		t.Error("nothing was edited before the rewind came to it: this shows nothing")
	}
}

// TestARewindThatWasCutShort goes on when it is asked for again, and can be undone as far as it came.
func TestARewindThatWasCutShort(t *testing.T) {
	for _, again := range []bool{true, false} {
		onBoth(t, func(t *testing.T, f *family) {
			var items []core.Item
			for i := range 1000 {
				items = append(items, core.Item{Name: fmt.Sprintf("%d.vcf", i), Body: fmt.Appendf(nil, "u%d 1", i)})
			}
			put := func() {
				for range 3 {
					if _, err := f.s.PutMany(t.Context(), f.p, core.PutManyRequest{Owner: f.p.Account, Collection: f.book, Items: items}); err != nil {
						t.Fatal(err)
					}
					for i := range items {
						items[i].Name, items[i].Body = "x"+items[i].Name, append([]byte("x"), items[i].Body...)
					}
				}
			}
			before := f.head(t)
			put()
			full := f.head(t)
			ctx, cancel := context.WithCancel(t.Context())
			r, err := f.pastOf(t).Rewind(ctx, core.RewindRequest{Seq: before}, func(p core.Progress) {
				if p.Done > p.Total/2 {
					cancel()
				}
			})
			if err == nil || len(r.Steps) == 0 || len(r.Steps) == 3000 || r.Record.Done {
				t.Fatal(len(r.Steps), err)
			}
			lines, _, err := f.pastOf(t).History(t.Context(), core.HistoryQuery{Limit: 1})
			if err != nil || lines[0].Reversal == nil || lines[0].Reversal.Done || lines[0].Reversal.Removed != len(r.Steps) {
				t.Fatalf("%+v %v", lines[0].Reversal, err)
			}
			want, count := before, 0
			if again {
				r = f.rewind(t, core.RewindRequest{Seq: before})
			} else {
				r, want, count = f.undo(t, core.UndoRequest{Reversal: r.Record.ID}), full, 3000
			}
			if !r.Record.Done || len(r.Left) > 0 {
				t.Errorf("%+v", r.Record)
			}
			n := 0
			if err := f.s.Inspect(t.Context(), f.p.Account, func(x *core.Reader) error {
				c, err := x.Collection(f.book)
				n = int(c.Items)
				return err
			}); err != nil || n != count {
				t.Errorf("there are %d items, as after change %d there were %d; %v", n, want, count, err)
			}
		})
	}
}

// TestOneReversalAtATime: two of one account would meet each other's changes.
func TestOneReversalAtATime(t *testing.T) {
	f := newFamily(t, core.Limits{})
	before := f.head(t)
	f.mustPut(t, "a.vcf", "a 1")
	past := f.pastOf(t)
	_, err := past.Rewind(t.Context(), core.RewindRequest{Seq: before}, func(core.Progress) {
		_, err := past.Rewind(t.Context(), core.RewindRequest{Seq: before}, nil)
		wantKind(t, err, holdfast.Unavailable)
		if _, err = past.Rewind(t.Context(), core.RewindRequest{Seq: before, DryRun: true}, nil); err != nil {
			t.Error("a preview waits for nobody:", err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestWhatWasHiddenIsHiddenAgain moves a folder out of one that had been deleted and was brought back, and rewinds to when it was deleted: what lies in the moved folder is as old as it, nobody saw it then, and it goes with it.
func TestWhatWasHiddenIsHiddenAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, f *family) {
		top := f.idOf(t, "files")
		outer := f.mustMake(t, top, "outer", holdfast.TypeFolder)
		inner := f.mustMake(t, outer, "inner", holdfast.TypeFolder)
		f.mustMake(t, inner, "inmost", holdfast.TypeFolder)
		before := f.head(t)
		f.mustDelete(t, outer, "")
		deleted := f.head(t)
		f.rewind(t, core.RewindRequest{Seq: before})
		to := core.Place{Owner: f.p.Account, Collection: top, Name: "moved"}
		if _, err := f.s.Move(t.Context(), f.p, core.Transfer{From: core.Place{Owner: f.p.Account, Collection: inner}, To: to}); err != nil {
			t.Fatal(err)
		}
		if r := f.rewind(t, core.RewindRequest{Seq: deleted}); len(r.Left) > 0 {
			t.Error(lefts(r))
		}
		if at, err := f.s.Locate(t.Context(), f.p, f.p.Account, []string{"files", "moved"}); err == nil && len(at.Rest) == 0 {
			t.Error("the moved folder is there")
		}
	})
}

// TestWhatWasMadeSinceStays moves a folder out of another one; somebody makes a folder in it, and deletes the one that it lay in. Undoing the move would put it where nobody sees it: it goes, if nothing new lay in it, so it stays.
func TestWhatWasMadeSinceStays(t *testing.T) {
	onBoth(t, func(t *testing.T, f *family) {
		top := f.idOf(t, "files")
		outer := f.mustMake(t, top, "outer", holdfast.TypeFolder)
		inner := f.mustMake(t, outer, "inner", holdfast.TypeFolder)
		f.clock.Advance(100 * time.Hour)
		to := core.Place{Owner: f.p.Account, Collection: top, Name: "moved"}
		if _, err := f.s.Move(t.Context(), f.p, core.Transfer{From: core.Place{Owner: f.p.Account, Collection: inner}, To: to}); err != nil {
			t.Fatal(err)
		}
		move := f.head(t)
		f.clock.Advance(100 * time.Hour)
		f.mustMake(t, inner, "new", holdfast.TypeFolder)
		f.clock.Advance(100 * time.Hour)
		f.mustDelete(t, outer, "")
		f.clock.Advance(100 * time.Hour)
		f.undo(t, core.UndoRequest{Change: move})
		if at, err := f.s.Locate(t.Context(), f.p, f.p.Account, []string{"files", "moved", "new"}); err != nil || len(at.Rest) > 0 {
			t.Errorf("what was made since is hidden: %q, %v", at.Rest, err)
		}
	})
}
