package vault

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/fault"
	"holdfast/internal/place"
	"holdfast/internal/place/dir"
	"holdfast/internal/place/memory"
	"holdfast/internal/s3test"
	"holdfast/internal/vfs"
)

// namingOf names some blobs of ann's.
func namingOf(list ...holdfast.Blob) Naming {
	return func(ctx context.Context, fn func(holdfast.ID, holdfast.Blob) error) error {
		for _, b := range list {
			if err := fn(ann, b); err != nil {
				return err
			}
		}
		return nil
	}
}

// sweep looks, waits for nobody, and removes what may go.
func (r *rig) sweep(named Naming) (UnnamedReport, UnnamedGone, error) {
	rep, err := r.v.UnnamedBlobs(ctx, UnnamedLook{Named: named, AtOnce: 2}) // in as many parts as it takes
	if err != nil {
		return rep, UnnamedGone{}, err
	}
	names := []string{}
	for _, u := range rep.Unnamed {
		names = append(names, u.Name)
	}
	r.opt.Watch.On(names)
	may, held, err := r.v.JudgeUnnamed(ctx, r.t.TempDir(), rep.Unnamed, named)
	if err != nil || held != "" {
		return rep, UnnamedGone{}, errors.Join(err, errors.New(held))
	}
	gone, err := r.v.RemoveUnnamed(ctx, r.w, may, Removal{Named: named, Forget: func() {}})
	return rep, gone, err
}

func (r *rig) watched() {
	r.opt.Watch = &Watch{}
	r.open()
}

// TestASweep puts files that are named and files that are not into each kind of place, and sweeps them, in parts: the latter go, and whatever is put again is there.
func TestASweep(t *testing.T) {
	places := map[string]func(t *testing.T) place.Place{
		"memory": func(*testing.T) place.Place { return nil },
		"dir":    func(t *testing.T) place.Place { return must2(dir.Open(vfs.OS, t.TempDir(), dir.Options{Create: true})) },
		"s3": func(t *testing.T) place.Place {
			srv := s3test.Start(t)
			return inBucket(t, srv, srv.Bucket(t), 0)
		},
	}
	for kind, open := range places {
		t.Run(kind, func(t *testing.T) {
			r := newRig(t, open(t))
			r.watched()
			var named, left []holdfast.Blob
			for size := range int64(12) {
				f := film{size*1000 + 1}
				b := f.blob(t)
				fine(t, r.v.PutBlob(ctx, ann, b, f.open))
				if size%3 == 0 {
					left = append(left, b)
				} else {
					named = append(named, b)
				}
			}
			rep, gone, err := r.sweep(namingOf(named...))
			if err != nil || rep.Objects != 12 || len(rep.Unnamed) != 4 || rep.Lacking != 0 || len(gone.Gone) != 4 {
				t.Fatalf("%+v, %+v, %v", rep, gone, err)
			}
			for _, b := range named {
				fine(t, r.v.VerifyBlob(ctx, ann, b))
			}
			for _, b := range left {
				fine(t, r.v.PutBlob(ctx, ann, b, film{b.Size}.open))
				fine(t, r.v.VerifyBlob(ctx, ann, b))
			}
			if rep, _, err := r.sweep(namingOf(append(named, left...)...)); err != nil || len(rep.Unnamed) != 0 || rep.Lacking != 0 {
				t.Errorf("%+v, %v", rep, err)
			}
		})
	}
}

// TestADamagedVersionGoes: once what a repair wrote in its place was read whole, and not where that is damaged too.
func TestADamagedVersionGoes(t *testing.T) {
	for _, again := range []bool{false, true} {
		r := newRig(t, nil)
		m := r.place.(*memory.Place)
		r.watched()
		f := film{100_000}
		b := f.blob(t)
		fine(t, r.v.PutBlob(ctx, ann, b, f.open))
		spoilBlob(t, m, objects(t, m)[0])
		fine(t, r.v.MendBlob(ctx, ann, b, f.open))
		if again {
			spoilBlob(t, m, objects(t, m)[1])
		}
		rep, gone, err := r.sweep(namingOf(b))
		if err != nil || len(rep.Unnamed) != 1 || (len(gone.Gone) == 1) == again {
			t.Fatalf("%+v, %+v, %v", rep, gone, err)
		}
		if !again {
			fine(t, r.v.VerifyBlob(ctx, ann, b))
		}
	}
}

func spoilBlob(t *testing.T, p place.Place, name string) {
	t.Helper()
	b := must2(place.ReadAll(ctx, p, name, 1<<20))
	b[len(b)/2] ^= 1
	fine(t, p.Remove(ctx, name))
	fine(t, p.Put(ctx, name, bytes.NewReader(b)))
}

// TestAHistoryThatTheStoreLacks: the vault's changes name what the store does not, as one does that was put back from an older copy. It stays; and where the vault's history cannot be read nothing goes at all.
func TestAHistoryThatTheStoreLacks(t *testing.T) {
	r, m := newRig(t, nil), newMaker(1, 1)
	r.watched()
	kept, left := film{5000}, film{6000}
	for _, f := range []film{kept, left} {
		fine(t, r.v.PutBlob(ctx, m.accounts[0], f.blob(t), f.open))
	}
	r.ship(m.batch(1), m.fileBatch(m.accounts[0], kept.blob(t)))
	nobody := func(context.Context, func(holdfast.ID, holdfast.Blob) error) error { return nil }
	rep, gone, err := r.sweep(nobody)
	if err != nil || len(rep.Unnamed) != 2 || len(gone.Gone) != 1 {
		t.Fatalf("%+v, %+v, %v", rep, gone, err)
	}
	fine(t, r.v.VerifyBlob(ctx, m.accounts[0], kept.blob(t)))
	fine(t, r.v.PutBlob(ctx, m.accounts[0], left.blob(t), left.open))
	fine(t, r.place.Remove(ctx, AccountKeyName(m.accounts[0], 1))) // it cannot be opened any more
	r.open()
	if _, gone, err = r.sweep(nobody); err == nil || len(gone.Gone) > 0 {
		t.Fatalf("it goes though nobody can read what the vault names: %+v", gone)
	}
}

// TestWithoutTheRightKey: every object of an account looks unnamed where its names are made with another key; then each file is lacking too.
func TestWithoutTheRightKey(t *testing.T) {
	r := newRig(t, nil)
	r.watched()
	f := film{5000}
	b := f.blob(t)
	fine(t, r.v.PutBlob(ctx, ann, b, f.open))
	fine(t, r.place.Remove(ctx, AccountKeyName(ann, 1)))
	r.open()
	rep, gone, err := r.sweep(namingOf(b))
	if rep.Lacking != 1 || err == nil || len(gone.Gone) > 0 {
		t.Fatalf("%+v, %+v, %v", rep, gone, err)
	}
	must2(r.v.AccountKey(ctx, ann)) // as a repair does that knows none
	if rep, _, err = r.sweep(namingOf(b)); err != nil || rep.Lacking != 1 || len(rep.Unnamed) != 1 {
		t.Fatalf("%+v, %v", rep, err)
	}
}

// TestASweepThatIsCut is killed at each call, in a directory and in memory: what is named is there, and another one goes on.
func TestASweepThatIsCut(t *testing.T) {
	for kind, open := range map[string]func() place.Place{"memory": func() place.Place { return nil }, "dir": func() place.Place { return must2(dir.Open(vfs.OS, t.TempDir(), dir.Options{Create: true})) }} {
		for n, all := 0, 1; n <= all; n++ {
			for _, act := range []fault.Act{fault.Before, fault.After} {
				r := newRig(t, open())
				r.watched()
				var named, left []holdfast.Blob
				for size := range int64(6) {
					f := film{size + 1}
					b := f.blob(t)
					fine(t, r.v.PutBlob(ctx, ann, b, f.open))
					if size%2 == 0 {
						named = append(named, b)
					} else {
						left = append(left, b)
					}
				}
				fine(t, r.w.Close())
				plan, inner := fault.Never(), r.place
				if n > 0 {
					plan = fault.Cut(n, act)
				}
				r.w, r.place, r.opt.Place = nil, fault.Wrap(inner, plan), fault.Wrap(inner, plan)
				v, err := Open(ctx, r.opt)
				if err == nil {
					r.v = v
					end, term, eerr := v.End(ctx)
					if eerr == nil {
						if r.w, err = v.Writer(ctx, term, end); err == nil {
							_, _, err = r.sweep(namingOf(named...))
							r.w.Close()
						}
					}
				}
				if n == 0 {
					fine(t, err)
					all = plan.Calls()
				}
				r.w, r.opt.Place, r.place = nil, inner, inner
				r.opt.Watch = &Watch{} // of another process
				r.open()
				for _, b := range named {
					fine(t, r.v.VerifyBlob(ctx, ann, b))
				}
				if _, _, err := r.sweep(namingOf(named...)); err != nil {
					t.Fatal(kind, n, act, err)
				}
				if got := len(objects(t, inner)); got != len(named) {
					t.Fatalf("%s, cut at %d (%v): %d objects, and %d are named", kind, n, act, got, len(named))
				}
				for _, b := range left {
					fine(t, r.v.PutBlob(ctx, ann, b, func() (blob.File, error) { return film{b.Size}, nil }))
				}
			}
		}
	}
}

// TestWhatABucketKeeps: a credential that may not remove, and an object that is locked. Both stay, and a later sweep finds them.
func TestWhatABucketKeeps(t *testing.T) {
	srv := s3test.Start(t)
	for kind, p := range map[string]place.Place{"forbidden": inBucket(t, srv, srv.Bucket(t), 0), "locked": inBucket(t, srv, srv.Locking(t), time.Hour)} {
		r := newRig(t, p)
		r.watched()
		f := film{5000}
		fine(t, r.v.PutBlob(ctx, ann, f.blob(t), f.open))
		if kind == "forbidden" {
			srv.Front.Plan(func(_ int, r *http.Request) s3test.Act {
				if r.Method == http.MethodDelete || r.Method == http.MethodPost && r.URL.Query().Has("delete") {
					return s3test.Act{Kind: s3test.Refuse, Status: http.StatusForbidden, Code: "AccessDenied"}
				}
				return s3test.Act{}
			})
		}
		for range 2 {
			if _, gone, err := r.sweep(namingOf()); err != nil || len(gone.Kept) != 1 || len(gone.Gone) != 0 {
				t.Fatalf("%s: %+v, %v", kind, gone, err)
			}
		}
		fine(t, r.v.VerifyBlob(ctx, ann, f.blob(t)))
		srv.Front.Plan(nil)
	}
}
