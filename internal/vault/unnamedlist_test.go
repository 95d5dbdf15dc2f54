package vault

import (
	"bytes"
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
	if got := objects(t, r.place); len(got) != 3 || !strings.HasSuffix(got[0]+got[1]+got[2], ".000000000002") && !strings.Contains(strings.Join(got, " "), ".000000000002") {
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
