package vaultd_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/place"
	"holdfast/internal/seal"
	"holdfast/internal/vault"
	"holdfast/internal/vaultd"
)

// list signs a list of some objects, and puts it.
func (r *rig) list(signer *seal.Ring, change func(*vault.UnnamedList), names ...string) error {
	r.t.Helper()
	l := vault.UnnamedList{Vault: holdfast.ID{1}, Term: 1, Number: 1, Names: names}
	if change != nil {
		change(&l)
	}
	b, err := seal.SignLine(signer.Signer, l)
	fine(r.t, err)
	return put(r.guard, vault.UnnamedListName(l.Number), b)
}

// left puts some files of which nothing names any, and returns their objects.
func (r *rig) left(n int) []string {
	r.t.Helper()
	before := blobs(r.t, r.disk)
	for i := range n {
		f := film{int64(2000 + i)}
		fine(r.t, r.v.PutBlob(r.t.Context(), r.people[1].ID, f.blob(r.t), f.open))
	}
	return slices.DeleteFunc(blobs(r.t, r.disk), func(x string) bool { return slices.Contains(before, x) })
}

// mustStay tries to remove objects in each way, and fails where one of them goes.
func (r *rig) mustStay(why string, names ...string) {
	r.t.Helper()
	for _, name := range names {
		if err := r.guard.Remove(r.t.Context(), name); !holdfast.IsKind(err, holdfast.Forbidden) {
			r.t.Errorf("%s: Remove of %s: %v", why, name, err)
		}
	}
	fine(r.t, r.guard.Prune(r.t.Context(), true, func(name string, _ int64) {
		if slices.Contains(names, name) {
			r.t.Errorf("%s: %s would go", why, name)
		}
	}))
}

// cameAgain puts files of which nothing names any, lists them, lets the first go when that may be, and puts its object once more.
func (r *rig) cameAgain(n int) []string {
	r.t.Helper()
	left := r.left(n)
	r.days(1)
	fine(r.t, r.list(r.ring, nil, left...))
	r.days(31)
	was := octets(r.t, r.disk, left[0])
	fine(r.t, r.guard.Remove(r.t.Context(), left[0]))
	r.days(1)
	fine(r.t, put(r.guard, left[0], was))
	return left
}

// TestWhatNothingNames: the store says by a list which files no change names; they go 30 days later, by whoever may remove, and nothing else does. The list stays.
func TestWhatNothingNames(t *testing.T) {
	for _, way := range []string{"the store", "the server"} {
		r := newRig(t)
		f := film{1000}
		fine(t, r.v.PutBlob(t.Context(), r.people[0].ID, f.blob(t), f.open))
		named := blobs(t, r.disk)
		left := r.left(3)
		r.days(1)
		r.mustStay("no list names it", left...)
		fine(t, r.list(r.ring, nil, left...))
		r.days(29)
		r.restart()
		r.reopen()
		r.mustStay("it is too soon", left...)
		r.days(2)
		r.mustStay("no list names it, or it is one", append(named, vault.UnnamedListName(1))...)
		if way == "the store" {
			for _, name := range left {
				fine(t, r.guard.Remove(t.Context(), name))
			}
		} else {
			for _, dry := range []bool{true, false} {
				var went []string
				fine(t, r.guard.Prune(t.Context(), dry, func(name string, _ int64) { went = append(went, name) }))
				went = slices.DeleteFunc(went, func(name string) bool { return vault.ParseName(name).Class != vault.BlobObject })
				if !slices.Equal(went, left) {
					t.Errorf("dry %v: %q went", dry, went)
				}
			}
		}
		if got := blobs(t, r.disk); !slices.Equal(got, named) {
			t.Errorf("%s: %q are left", way, got)
		}
		fine(t, r.guard.Prune(t.Context(), false, func(string, int64) {})) // nothing is left to do
		more := r.left(4)[3:]                                              // three come under their next version, as the lists name the first
		r.days(1)
		fine(t, r.list(r.ring, func(l *vault.UnnamedList) { l.Number = 2 }, more...))
		r.days(31)
		fine(t, r.guard.Prune(t.Context(), false, func(string, int64) {}))
		if got := blobs(t, r.disk); slices.Contains(got, more[0]) || len(got) != len(named)+3 {
			t.Errorf("%s: %q are left in the end", way, got)
		}
	}
}

// TestListsThatAreRefused: by a stranger, of another vault, of a term that may not write any more, one that leaves numbers out, and one that names something else than files.
func TestListsThatAreRefused(t *testing.T) {
	r := newRig(t)
	left := r.left(1)
	stranger, err := seal.NewRing(false)
	fine(t, err)
	for why, x := range map[string]struct {
		signer *seal.Ring
		change func(*vault.UnnamedList)
		kind   holdfast.ErrorKind
	}{
		"by a stranger":         {stranger, nil, holdfast.Invalid},
		"of another vault":      {r.ring, func(l *vault.UnnamedList) { l.Vault = holdfast.ID{2} }, holdfast.Invalid},
		"of a later term":       {r.ring, func(l *vault.UnnamedList) { l.Term = 2 }, holdfast.Fenced},
		"with a number too far": {r.ring, func(l *vault.UnnamedList) { l.Number = 2 }, holdfast.Invalid},
		"of a pack":             {r.ring, func(l *vault.UnnamedList) { l.Names = []string{"pages/000000000001.pack"} }, holdfast.Invalid},
		"out of order":          {r.ring, func(l *vault.UnnamedList) { l.Names = []string{left[0] + ".000000000002", left[0]} }, holdfast.Invalid},
	} {
		if err := r.list(x.signer, x.change, left...); !holdfast.IsKind(err, x.kind) {
			t.Errorf("%s: %v", why, err)
		}
	}
	end, _, err := r.v.End(t.Context())
	fine(t, err)
	_, err = r.v.Adopt(t.Context(), holdfast.ID{0xbb}, end, vault.FromEnd)
	fine(t, err)
	if err := r.list(r.ring, nil, left...); !holdfast.IsKind(err, holdfast.Fenced) {
		t.Errorf("of an earlier term: %v", err)
	}
}

// TestAListNamesWhatWasThere: an object that comes under a name after the list is another one, and goes by a list of its own.
func TestAListNamesWhatWasThere(t *testing.T) {
	r := newRig(t)
	left := r.cameAgain(2)
	r.mustStay("it came later", left[0])
	r.days(40)
	r.mustStay("it came later", left[0])
	fine(t, r.list(r.ring, func(l *vault.UnnamedList) { l.Number = 2 }, left[0]))
	r.days(29)
	r.mustStay("the second list is too young", left[0])
	r.days(2)
	fine(t, r.guard.Remove(t.Context(), left[0]))
}

// loseIndex removes the server's index; restart makes another one.
func (r *rig) loseIndex() {
	r.t.Helper()
	fine(r.t, r.index.Close())
	r.index = nil
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(r.root + "/index.sqlite" + suffix); err != nil && !os.IsNotExist(err) {
			r.t.Fatal(err)
		}
	}
}

// TestALostIndexCountsAnew: what lists name goes 30 days after the server has read everything again, and what came after them stays.
func TestALostIndexCountsAnew(t *testing.T) {
	r := newRig(t)
	left := r.cameAgain(2)
	r.loseIndex()
	r.restart()
	r.reopen()
	r.mustStay("nobody knows since when it is there", left...)
	s := &vaultd.Scrubber{Guard: r.guard, Rate: 1 << 30}
	_, err := s.Once(t.Context())
	fine(t, err)
	r.mustStay("it counts anew", left...)
	r.days(31)
	r.mustStay("it came later", left[0])
	fine(t, r.guard.Prune(t.Context(), false, func(string, int64) {}))
	if got := blobs(t, r.disk); slices.Contains(got, left[1]) {
		t.Errorf("%q are left", got)
	}
}

// guarded opens the guard anew with other options.
func (r *rig) guarded(o vaultd.Options) {
	r.t.Helper()
	o.Clock = r.clock
	g, err := vaultd.NewGuard(r.t.Context(), r.disk, r.index, o)
	fine(r.t, err)
	r.guard = g
}

// TestAListOfAnotherSigner: a store that is a stranger to the first one took the right to write, and listed; the first one takes it back. The server obeys that list, so the store does not rely on what it names.
func TestAListOfAnotherSigner(t *testing.T) {
	r := newRig(t)
	f := film{2000}
	left := r.left(1)
	other, err := seal.NewRing(false)
	fine(t, err)
	r.guarded(vaultd.Options{NewSigner: true})
	b, err := seal.SignLine(other.Signer, vault.Term{Number: 2, Nonce: holdfast.ID{9}, Store: holdfast.ID{8}, Base: vault.Position(r.engine.Position()), Continues: vault.FromEnd, Signer: other.Signer.Public(), At: r.clock.Now()})
	fine(t, err)
	fine(t, put(r.guard, vault.TermName(2), b))
	r.clock.Advance(day)
	fine(t, r.list(other, func(l *vault.UnnamedList) { l.Term = 2 }, left...))
	r.guarded(vaultd.Options{NewSigner: true})
	fine(t, r.w.Close())
	r.opt.Place = r.guard
	r.v, err = vault.Open(t.Context(), r.opt)
	fine(t, err)
	term, err := r.v.Adopt(t.Context(), storeID, r.engine.Position(), vault.FromEnd)
	fine(t, err)
	r.w, err = r.v.Writer(t.Context(), term, r.engine.Position())
	fine(t, err)
	fine(t, r.v.PutBlob(t.Context(), r.people[1].ID, f.blob(t), f.open))
	r.days(33)
	fine(t, r.guard.Prune(t.Context(), false, func(string, int64) {}))
	fine(t, r.v.VerifyBlob(t.Context(), r.people[1].ID, f.blob(t)))
}

// TestAVersionFarUp: somebody with the append credential put one; both went as nothing named them. The file can be put again.
func TestAVersionFarUp(t *testing.T) {
	r := newRig(t)
	f := film{2000}
	left := r.left(1)
	far := left[0] + ".000000000100"
	fine(t, put(r.guard, far, octets(t, r.disk, left[0])))
	r.days(1)
	fine(t, r.list(r.ring, nil, left[0], far))
	r.days(31)
	fine(t, r.guard.Prune(t.Context(), false, func(string, int64) {}))
	r.restart()
	r.reopen()
	fine(t, r.v.PutBlob(t.Context(), r.people[1].ID, f.blob(t), f.open))
	if err := put(r.guard, left[0]+".000000000109", octets(t, r.disk, left[0]+".000000000101")); !holdfast.IsKind(err, holdfast.Invalid) {
		t.Errorf("a version was left out: %v", err)
	}
}

// TestTimeGoesOnWhileItIsReadAgain: the index is lost, and heads come while everything is read. What came after a list is no older by that.
func TestTimeGoesOnWhileItIsReadAgain(t *testing.T) {
	r := newRig(t)
	left := r.cameAgain(1)
	r.loseIndex()
	s := &slow{Place: r.disk}
	r.disk = s
	r.restart()
	r.reopen()
	s.at = func() { s.at = nil; r.days(1) }
	_, err := (&vaultd.Scrubber{Guard: r.guard, Rate: 1 << 30}).Once(t.Context())
	fine(t, err)
	r.days(31)
	r.mustStay("it came later", left[0])
}

// slow is a place in which time goes on before lists are listed.
type slow struct {
	place.Place
	at func()
}

func (s *slow) List(ctx context.Context, prefix, after string, fn func(place.Info) error) error {
	return s.Place.List(ctx, prefix, after, func(i place.Info) error {
		if prefix == "" && strings.HasPrefix(i.Name, "unnamed/") && s.at != nil {
			s.at()
		}
		return fn(i)
	})
}

// TestAFullVaultIsTold: what makes room is taken where there is none.
func TestAFullVaultIsTold(t *testing.T) {
	r := newRig(t)
	left := r.left(1)
	r.guarded(vaultd.Options{MaxOctets: 1})
	fine(t, r.list(r.ring, nil, left...))
}
