package vault

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/fault"
	"holdfast/internal/journal"
	"holdfast/internal/place"
	"holdfast/internal/place/memory"
)

// putFilms puts n small files of an account, and returns their hashes.
func (r *rig) putFilms(account holdfast.ID, n int) (out []holdfast.Hash) {
	r.t.Helper()
	for i := range n {
		f := film{int64(i + 1)}
		b := f.blob(r.t)
		fine(r.t, r.v.PutBlob(ctx, account, b, f.open))
		out = append(out, b.Hash)
	}
	return out
}

// naming yields hashes, as a store does.
func naming(list []holdfast.Hash) Named {
	return func(_ context.Context, fn func(holdfast.Hash) error) error {
		for _, h := range list {
			if err := fn(h); err != nil {
				return err
			}
		}
		return nil
	}
}

// under returns the names of the objects of a directory.
func under(t testing.TB, p place.Place, prefix string) (out []string) {
	t.Helper()
	fine(t, p.List(ctx, prefix, "", func(i place.Info) error { out = append(out, i.Name); return nil }))
	return out
}

// TestBlobsGoWithTheirAccount erases an account that has more blobs than one list names, one of them twice as the first object was damaged, and another account the same file.
func TestBlobsGoWithTheirAccount(t *testing.T) {
	r := newRig(t, nil)
	named := r.putFilms(ann, maxCondemned+20)
	others := r.putFilms(bob, 3)
	p := r.place.(*memory.Place)
	damaged := objects(t, p)[0]
	p.Overwrite(damaged, []byte("rubbish"))
	for i, h := range named { // whichever it is, it is put again
		f := film{int64(i + 1)}
		fine(t, r.v.PutBlob(ctx, ann, holdfast.Blob{Hash: h, Size: f.size}, f.open))
	}
	for i, h := range others {
		f := film{int64(i + 1)}
		fine(t, r.v.PutBlob(ctx, bob, holdfast.Blob{Hash: h, Size: f.size}, f.open))
	}
	before := len(objects(t, p))
	left, err := r.v.Erase(ctx, r.w, ann, naming(append(named, named[0], holdfast.Hash{1})))
	fine(t, err)
	if slices.ContainsFunc(left, func(x string) bool { return !strings.HasPrefix(x, dirTail) }) {
		t.Errorf("%q are left", left)
	}
	if n := len(objects(t, p)); n != 3 && n != 4 || before < len(named)+4 {
		t.Errorf("of %d objects %d are left", before, n)
	}
	for i, h := range others {
		fine(t, r.v.VerifyBlob(ctx, bob, holdfast.Blob{Hash: h, Size: int64(i + 1)}))
	}
	if names := under(t, p, dirCondemned); len(names) != 0 {
		t.Errorf("the lists %q stay", names)
	}
}

// TestAnErasureThatIsCut cuts an erasure at each call that changes the place. Then nothing of the account is there that nobody can name: its key, or lists of all that is left; and whoever goes on ends it, without the store's help once the key is gone.
func TestAnErasureThatIsCut(t *testing.T) {
	r := newRig(t, nil)
	named, others := r.putFilms(ann, 4), r.putFilms(bob, 2)
	base := r.place.(*memory.Place)
	run := func(p place.Place, named Named) error {
		opt := r.opt
		opt.Place = p
		v, err := Open(ctx, opt)
		if err != nil {
			return err
		}
		end, term, err := v.End(ctx)
		if err != nil {
			return err
		}
		w, err := v.Writer(ctx, term, end)
		if err != nil {
			return err
		}
		defer w.Close()
		_, err = v.Erase(ctx, w, ann, named)
		return err
	}
	plan := fault.Never()
	fine(t, run(fault.Wrap(base.Clone(), plan), naming(named)))
	if plan.Calls() < 8 {
		t.Fatalf("it has %d calls", plan.Calls())
	}
	for _, act := range []fault.Act{fault.Before, fault.After, fault.Half, fault.Full} {
		for n := 1; n <= plan.Calls(); n++ {
			where := fmt.Sprintf("cut %v call %d", act, n)
			p := base.Clone()
			if err := run(fault.Wrap(p, fault.Cut(n, act)), naming(named)); err == nil && act != fault.After {
				t.Fatalf("%s: it did not notice", where)
			}
			p = p.Clone() // nobody has its lease
			again := naming(named)
			if len(under(t, p, keysOf(ann))) == 0 { // then the store may have forgotten the account
				again = func(context.Context, func(holdfast.Hash) error) error {
					t.Errorf("%s: it asks for names that nobody can make any more", where)
					return nil
				}
			}
			if err := run(p, again); err != nil {
				t.Fatalf("%s, gone on with: %v", where, err)
			}
			if got := objects(t, p); len(got) != len(others) {
				t.Errorf("%s: %d objects are left", where, len(got))
			}
			if got := append(under(t, p, dirCondemned), under(t, p, keysOf(ann))...); len(got) != 0 {
				t.Errorf("%s: %q are left", where, got)
			}
		}
	}
}

// TestListsAreTheStoresOwn puts a list of another account's blobs beside the record of an erased one, as somebody who holds the vault may: nothing that it names goes.
func TestListsAreTheStoresOwn(t *testing.T) {
	r := newRig(t, nil)
	r.putFilms(bob, 2)
	theirs := objects(t, r.place)
	mine := r.putFilms(ann, 1)
	name := CondemnedName(ann, 1)
	fine(t, r.place.Put(ctx, name, strings.NewReader(fmt.Sprintf("{\"account\":%q,\"number\":1,\"last\":true,\"blobs\":[%q]}\nAAAA\n", ann, theirs[0]))))
	must(t, must2(r.v.Erase(ctx, r.w, ann, naming(mine))), nil)
	if got := objects(t, r.place); !slices.Equal(got, theirs) {
		t.Errorf("%q are there, and %q should be", got, theirs)
	}
}

// TestWhatIsOnItsWayGoesToo erases an account while one of its files is on its way.
func TestWhatIsOnItsWayGoesToo(t *testing.T) {
	r, f := newRig(t, nil), film{1000}
	err := r.v.PutBlob(ctx, ann, f.blob(t), func() (blob.File, error) {
		must(t, must2(r.v.Erase(ctx, r.w, ann, naming(nil))), nil)
		return f, nil
	})
	if !holdfast.IsKind(err, holdfast.NotFound) {
		t.Error(err)
	}
	if got := objects(t, r.place); len(got) != 0 {
		t.Errorf("%q are left", got)
	}
}

// TestTheVaultNamesBlobs has a vault whose history names blobs, in its tail and in its pages.
func TestTheVaultNamesBlobs(t *testing.T) {
	r, m := newRig(t, nil), newMaker(71, 3)
	var want []holdfast.Hash
	for i := range 6 {
		if i == 4 {
			r.w.Roll()
			must2(r.v.Seal(ctx, r.w))
		}
		m.batch(3)
		b := m.fileBatch(m.accounts[1], holdfast.Blob{Hash: holdfast.Hash{byte(i), 1}, Size: 1 << 20})
		r.ship(m.batches[len(m.batches)-2], b)
		want = append(want, holdfast.Hash{byte(i), 1})
	}
	var got []holdfast.Hash
	for id := range 2 {
		got = nil
		fine(t, r.v.NamedBlobs(ctx, t.TempDir(), m.accounts[id], func(h holdfast.Hash) error {
			if !slices.Contains(got, h) {
				got = append(got, h)
			}
			return nil
		}))
		if id == 0 && len(got) != 0 {
			t.Errorf("another account has %v", got)
		}
	}
	slices.SortFunc(got, func(a, b holdfast.Hash) int { return int(a[0]) - int(b[0]) })
	if !slices.Equal(got, want) {
		t.Errorf("the vault names %v, want %v", got, want)
	}
}

// fileBatch makes a batch that puts one file whose octets are a blob.
func (m *maker) fileBatch(account holdfast.ID, blob holdfast.Blob) *holdfast.Batch {
	c := m.change(account, 0)
	c.Op, c.Kind, c.Name, c.ContentType, c.Body, c.Blob, c.Prev = holdfast.OpPut, holdfast.KindFile, fmt.Sprintf("%x.jpg", blob.Hash[:2]), "image/jpeg", nil, &blob, 0
	g := holdfast.Group{Account: account, Entries: []holdfast.Entry{c.Entry}}
	g.Seal()
	c.Entry = g.Entries[0]
	c.Hash = c.Entry.CanonicalHash(c.Collection)
	journal.Extend(&c, c.Before)
	m.heads[account] = AccountHead{account, c.Epoch, c.Seq, c.Chain}
	b := &holdfast.Batch{Prev: m.pos.Hash, Changes: []holdfast.Change{c}}
	b.Position = holdfast.Position{Batch: m.pos.Batch + 1, Hash: holdfast.BatchHash(m.pos.Hash, b.Ends())}
	m.pos = b.Position
	m.batches = append(m.batches, b)
	return b
}

// TestLackingBlobs asks which of many blobs a vault lacks: those that never came, that are gone or cut; a damaged one that was put again is there.
func TestLackingBlobs(t *testing.T) {
	r := newRig(t, nil)
	r.putFilms(ann, 50)
	p := r.place.(*memory.Place)
	var all []OwnedBlob
	for i := range 52 { // two more than came
		all = append(all, OwnedBlob{ann, film{int64(i + 1)}.blob(t)})
	}
	name := func(i int) string { return blobName(must2(r.v.FindAccountKey(ctx, ann)), all[i].Hash, 1) }
	fine(t, p.Remove(ctx, name(3)))
	p.Overwrite(name(4), []byte("cut"))
	p.Overwrite(name(5), []byte("cut"))
	fine(t, r.v.PutBlob(ctx, ann, all[5].Blob, film{6}.open))
	r.putFilms(bob, 2)
	others := []OwnedBlob{{bob, all[0].Blob}, {bob, all[1].Blob}, {bob, all[2].Blob}, {holdfast.ID{9}, all[0].Blob}}
	got, err := r.v.LackingBlobs(ctx, append(others, all...))
	fine(t, err)
	want := []OwnedBlob{all[3], all[4], all[50], all[51], others[2], others[3]}
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("it does not say that it lacks %v", w)
		}
	}
	if len(got) != len(want) {
		t.Errorf("it lacks %v, want %v", got, want)
	}
}
