package core_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/store"
	"holdfast/internal/store/memory"
	"holdfast/internal/store/sqlite"
)

// meddling is an engine that lets somebody do something right before the first group of a reversal is committed: between what was looked at and what is done.
type meddling struct {
	store.Engine
	before func()
}

func (e *meddling) Commit(ctx context.Context, g *holdfast.Group) (holdfast.Receipt, error) {
	if fn := e.before; fn != nil && slices.ContainsFunc(g.Entries, func(x holdfast.Entry) bool { return x.Kind == holdfast.KindReversal }) {
		e.before = nil
		fn()
	}
	return e.Engine.Commit(ctx, g)
}

func onMeddling(t *testing.T, fn func(*testing.T, *family, *meddling)) {
	t.Run("memory", func(t *testing.T) {
		e := &meddling{Engine: memory.New()}
		fn(t, newFamilyOn(t, core.Limits{}, e), e)
	})
	t.Run("sqlite", func(t *testing.T) {
		in, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir(), Create: true, Ballast: -1})
		if err != nil {
			t.Fatal(err)
		}
		e := &meddling{Engine: in}
		fn(t, newFamilyOn(t, core.Limits{}, e), e)
	})
}

func (f *family) mustPutIn(t *testing.T, c holdfast.ID, name, body string) {
	t.Helper()
	if _, _, err := f.s.Put(t.Context(), f.p, core.PutRequest{Place: core.Place{Owner: f.p.Account, Collection: c, Name: name}, Body: []byte(body)}); err != nil {
		t.Fatal(err)
	}
}

// TestNothingThatCameMeanwhileIsHidden: what is put into a collection that is about to go, or below it, keeps it there, and is named.
func TestNothingThatCameMeanwhileIsHidden(t *testing.T) {
	for what, x := range map[string]struct {
		meddle func(t *testing.T, f *family, outer, inner holdfast.ID)
		path   string // that stays reachable
		left   string
	}{
		"a member":             {func(t *testing.T, f *family, outer, _ holdfast.ID) { f.mustPutIn(t, outer, "x", "x 1") }, "files/outer", "files/outer: what is in it was changed since by alice@example.org"},
		"a member below":       {func(t *testing.T, f *family, _, inner holdfast.ID) { f.mustPutIn(t, inner, "x", "x 1") }, "files/outer/inner", "files/outer/inner: what is in it was changed since by alice@example.org"},
		"a collection":         {func(t *testing.T, f *family, outer, _ holdfast.ID) { f.mustMake(t, outer, "more", holdfast.TypeFolder) }, "files/outer/more", "files/outer: somebody put a collection into it meanwhile"},
		"a collection below":   {func(t *testing.T, f *family, _, inner holdfast.ID) { f.mustMake(t, inner, "more", holdfast.TypeFolder) }, "files/outer/inner/more", "files/outer/inner: somebody put a collection into it meanwhile"},
		"a member where it is": {func(t *testing.T, f *family, _, _ holdfast.ID) { f.mustPut(t, "y.vcf", "y 1") }, "files", ""},
	} {
		t.Run(what, func(t *testing.T) {
			onMeddling(t, func(t *testing.T, f *family, e *meddling) {
				before := f.head(t)
				outer := f.mustMake(t, f.idOf(t, "files"), "outer", holdfast.TypeFolder)
				inner := f.mustMake(t, outer, "inner", holdfast.TypeFolder)
				e.before = func() { x.meddle(t, f, outer, inner) }
				r := f.rewind(t, core.RewindRequest{Seq: before})
				if got := lefts(r); !strings.Contains(got, x.left) || x.left == "" && got != "" {
					t.Errorf("left: %s", got)
				}
				f.idOf(t, x.path)
				if e.before != nil || !r.Record.Done && len(r.Steps) > 0 {
					t.Errorf("%+v", r)
				}
			})
		})
	}
}

// TestATreeThatChangesMeanwhileIsPlannedAnew: a collection that somebody renamed since stays, and another that takes a name is stepped around.
func TestATreeThatChangesMeanwhileIsPlannedAnew(t *testing.T) {
	onMeddling(t, func(t *testing.T, f *family, e *meddling) {
		files := f.idOf(t, "files")
		one := f.mustMake(t, files, "one", holdfast.TypeFolder)
		before := f.head(t)
		f.mustDelete(t, one, "")
		e.before = func() { f.mustMake(t, files, "one", holdfast.TypeFolder) }
		r := f.rewind(t, core.RewindRequest{Seq: before})
		if len(r.Left) > 0 || f.idOf(t, "files/one-2") != one || r.Steps[0].Instead != "one" {
			t.Errorf("%+v", r)
		}
	})
}
