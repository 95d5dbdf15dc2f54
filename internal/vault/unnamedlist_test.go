package vault

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/place"
	"holdfast/internal/seal"
)

// list puts what is unnamed on lists, as for a server.
func (r *rig) list(named Naming, list []UnnamedBlob) UnnamedGone {
	r.t.Helper()
	names := []string{}
	for _, u := range list {
		names = append(names, u.Name)
	}
	r.opt.Watch.On(names)
	gone, err := r.v.RemoveUnnamed(ctx, r.w, list, Removal{Named: named, ByList: true, Forget: func() {}})
	fine(r.t, err)
	return gone
}

// TestWhatIsListedCountsForNothing: for whoever has the vault open since before, with the same watch, for whoever opens it later, without one, and for all who ask what it lacks. A restore still reads it.
func TestWhatIsListedCountsForNothing(t *testing.T) {
	r := newRig(t, nil)
	r.watched()
	f, other := film{70_000}, film{500}
	b := f.blob(t)
	fine(t, r.v.PutBlob(ctx, ann, b, f.open))
	fine(t, r.v.PutBlob(ctx, ann, other.blob(t), other.open))
	beside := must2(Open(ctx, r.opt))
	if ok, err := beside.HasBlob(ctx, ann, b); !ok || err != nil {
		t.Fatal(ok, err)
	}
	named := namingOf(other.blob(t))
	rep, err := r.v.UnnamedBlobs(ctx, UnnamedLook{Named: named})
	fine(t, err)
	gone := r.list(named, rep.Unnamed)
	if len(gone.Listed) != 1 || len(gone.Gone) != 0 || len(objects(t, r.place)) != 2 {
		t.Fatalf("%+v", gone)
	}
	unwatched := r.opt
	unwatched.Watch = nil
	later := must2(Open(ctx, unwatched))
	for who, v := range map[string]*Vault{"itself": r.v, "open since before": beside, "opened later": later} {
		if ok, err := v.HasBlob(ctx, ann, b); ok || err != nil {
			t.Error(who, "says that it is there", err)
		}
		fine(t, v.VerifyBlob(ctx, ann, b))
	}
	for who, v := range map[string]*Vault{"itself": r.v, "opened later": later} {
		lacking, err := v.LackingBlobs(ctx, []OwnedBlob{{ann, b}, {ann, other.blob(t)}})
		if err != nil || len(lacking) != 1 || lacking[0].Hash != b.Hash {
			t.Errorf("%s lacks %v, %v", who, lacking, err)
		}
		for _, deep := range []bool{false, true} {
			if d, err := v.CheckBlob(ctx, ann, b, deep); d == nil || err != nil {
				t.Error(who, "finds nothing wrong", err)
			}
			if d, err := v.CheckBlob(ctx, ann, other.blob(t), deep); d != nil || err != nil {
				t.Error(who, d, err)
			}
		}
		rep, err := v.UnnamedBlobs(ctx, UnnamedLook{Named: namingOf(b, other.blob(t))})
		if err != nil || rep.Lacking != 1 || len(rep.Unnamed) != 0 {
			t.Errorf("%s: %+v, %v", who, rep, err)
		}
	}
	fine(t, later.MendBlob(ctx, ann, b, f.open))
	fine(t, r.v.PutBlob(ctx, ann, b, f.open)) // it is there now
	if got := objects(t, r.place); len(got) != 3 || !strings.Contains(strings.Join(got, " "), ".000000000002") {
		t.Error(got)
	}
	if rep, err := r.v.UnnamedBlobs(ctx, UnnamedLook{Named: namingOf(b, other.blob(t))}); err != nil || rep.Lacking != 0 || len(rep.Unnamed) != 1 || rep.Unnamed[0].By == "" {
		t.Errorf("%+v, %v", rep, err)
	}
}

// TestManyAreListed: as many lists as it takes, one behind the other; what is on one is on no other.
func TestManyAreListed(t *testing.T) {
	r := newRig(t, nil)
	r.watched()
	for size := range int64(maxUnnamedList + 20) {
		f := film{size}
		fine(t, r.v.PutBlob(ctx, ann, f.blob(t), f.open))
	}
	rep, err := r.v.UnnamedBlobs(ctx, UnnamedLook{Named: namingOf()})
	fine(t, err)
	if gone := r.list(namingOf(), rep.Unnamed[:5]); len(gone.Listed) != 5 {
		t.Fatalf("%+v", gone)
	}
	rest := r.list(namingOf(), rep.Unnamed[5:])
	if len(rest.Listed) != len(rep.Unnamed)-5 {
		t.Fatalf("%d were listed of %d", len(rest.Listed), len(rep.Unnamed)-5)
	}
	names := under(t, r.place, dirUnnamed)
	if len(names) != 3 {
		t.Fatal(names)
	}
	seen := map[string]bool{}
	for _, name := range names {
		b, err := place.ReadAll(ctx, r.place, name, maxSmall)
		fine(t, err)
		l, err := ParseUnnamedList(name, b, []seal.PublicKey{r.ring.Signer.Public()})
		if err != nil || l.Vault != r.v.meta.Vault || l.Term != r.term.Number {
			t.Fatal(l, err)
		}
		for _, x := range l.Names {
			if seen[x] {
				t.Error(x, "is on two lists")
			}
			seen[x] = true
		}
	}
	if len(seen) != len(rep.Unnamed) {
		t.Errorf("%d of %d are on lists", len(seen), len(rep.Unnamed))
	}
}

// TestAListThatCannotBeRead: what it names stays, and counts; a list by a stranger names nothing either.
func TestAListThatCannotBeRead(t *testing.T) {
	r := newRig(t, nil)
	r.watched()
	f := film{5000}
	fine(t, r.v.PutBlob(ctx, ann, f.blob(t), f.open))
	stranger := must2(seal.NewRing(false))
	b := must2(seal.SignLine(stranger.Signer, UnnamedList{Vault: r.v.meta.Vault, Term: 1, Number: 1, Names: objects(t, r.place)}))
	fine(t, r.place.Put(ctx, UnnamedListName(1), bytes.NewReader(b)))
	fine(t, r.place.Put(ctx, UnnamedListName(2), strings.NewReader("rotten")))
	r.open()
	if ok, err := r.v.HasBlob(ctx, ann, f.blob(t)); !ok || err != nil {
		t.Error(ok, err)
	}
	if _, err := ParseUnnamedList(UnnamedListName(1), b, []seal.PublicKey{r.ring.Signer.Public()}); !holdfast.IsKind(err, holdfast.Corrupt) {
		t.Error(err)
	}
}

// deaf is a place that cannot read lists for a while.
type deaf struct {
	place.Place
	times int
	err   error
}

func (d *deaf) Get(ctx context.Context, name string, at, n int64) (io.ReadCloser, error) {
	if strings.HasPrefix(name, dirUnnamed) && d.times > 0 {
		d.times--
		return nil, d.err
	}
	return d.Place.Get(ctx, name, at, n)
}

// TestAListThatWasNotReadAtOnce: the line was cut, or the disk could not read it for a moment. What it names does not count, sooner or later; the place goes by it.
func TestAListThatWasNotReadAtOnce(t *testing.T) {
	name := UnnamedListName(1)
	for what, x := range map[string]struct {
		times int
		err   error
		fails bool // the first one who asks is told
	}{
		"the line was cut":           {1, place.Err("Get", holdfast.Unavailable, name, "nobody answers", io.ErrUnexpectedEOF), false},
		"the line stays cut":         {3, place.Err("Get", holdfast.Unavailable, name, "nobody answers", io.ErrUnexpectedEOF), true},
		"the disk could not read it": {1, place.Err("Get", holdfast.Corrupt, name, "the disk cannot read it", nil), false},
		"nor again":                  {3, place.Err("Get", holdfast.Corrupt, name, "the disk cannot read it", nil), false},
	} {
		r := newRig(t, nil)
		r.watched()
		f := film{5000}
		fine(t, r.v.PutBlob(ctx, ann, f.blob(t), f.open))
		rep, err := r.v.UnnamedBlobs(ctx, UnnamedLook{Named: namingOf()})
		fine(t, err)
		r.list(namingOf(), rep.Unnamed)
		o := r.opt
		o.Watch, o.Place = &Watch{}, &deaf{r.opt.Place, x.times, x.err} // of another process
		v := must2(Open(ctx, o))
		has, err := v.HasBlob(ctx, ann, f.blob(t))
		if (err != nil) != x.fails || has && x.times < 3 {
			t.Errorf("%s: %v, %v", what, has, err)
		}
		r.clock.Advance(2 * listsAgain)
		if has, err := v.HasBlob(ctx, ann, f.blob(t)); has || err != nil {
			t.Errorf("%s, later: %v, %v", what, has, err)
		}
	}
}

// TestDoubtsOfTwoVersions: that one of them is settled says nothing of the later one.
func TestDoubtsOfTwoVersions(t *testing.T) {
	r := newRig(t, nil)
	r.watched()
	f := film{5000}
	fine(t, r.v.PutBlob(ctx, ann, f.blob(t), f.open))
	first := objects(t, r.place)[0]
	r.opt.Watch.Doubt(first)
	fine(t, r.v.PutBlob(ctx, ann, f.blob(t), f.open))
	r.opt.Watch.Doubt(first + ".000000000002")
	r.opt.Watch.Settle(first)
	if has, err := r.v.HasBlob(ctx, ann, f.blob(t)); has {
		t.Errorf("what is in doubt counts: %v", err)
	}
}
