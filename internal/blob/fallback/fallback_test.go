package fallback_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/blob/blobtest"
	"holdfast/internal/blob/disk"
	"holdfast/internal/blob/fallback"
	"holdfast/internal/blob/memory"
	"holdfast/internal/vfs"
)

var ann = holdfast.ID{1, 1}

// vaults are what others have: a store, and what may happen on the way to it.
type vaults struct {
	blob.Store
	erased  atomic.Bool   // no change names anything any more
	away    atomic.Bool   // it cannot be reached
	hold    chan struct{} // not nil: reading a whole blob waits for it
	instead []byte        // not nil: what it has under every name
	cuts    atomic.Int64  // how often the line is to break after a read
	reads   atomic.Int64
	opens   atomic.Int64
}

func newVaults() *vaults { return &vaults{Store: memory.New(nil)} }

var errAway = blob.Err("Read", holdfast.Unavailable, "", "the cable is out", nil)

func (v *vaults) Blob(ctx context.Context, account holdfast.ID, h holdfast.Hash) (holdfast.Blob, bool, error) {
	i, err := v.Stat(ctx, account, h)
	return i.Blob, err == nil && !v.erased.Load(), nil
}

func (v *vaults) Read(ctx context.Context, account holdfast.ID, b holdfast.Blob, fn func(io.Reader, string) error) error {
	v.reads.Add(1)
	if v.hold != nil {
		select {
		case <-v.hold:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	f, err := v.Open(ctx, account, b)
	if err != nil {
		return err
	}
	return fn(io.NewSectionReader(f, 0, f.Size()), "attic")
}

func (v *vaults) Open(ctx context.Context, account holdfast.ID, b holdfast.Blob) (blob.File, error) {
	v.opens.Add(1)
	switch {
	case v.away.Load():
		return nil, errAway
	case v.instead != nil:
		return &plain{Reader: bytes.NewReader(v.instead), v: v}, nil
	}
	return v.Store.Open(ctx, account, b.Hash)
}

type plain struct {
	*bytes.Reader
	v *vaults
	n int
}

func (p *plain) ReadAt(b []byte, at int64) (int, error) {
	if p.n++; p.n > 1 && p.v.cuts.Add(-1) >= 0 {
		return 0, errAway
	}
	return p.Reader.ReadAt(b, at)
}

func (*plain) Close() error { return nil }

// rig is a store in a directory with vaults behind it.
type rig struct {
	t    testing.TB
	root string
	v    *vaults
	s    *fallback.Store
}

func newRig(t testing.TB, fsys vfs.FS, o fallback.Options) *rig {
	t.Helper()
	g := &rig{t: t, root: filepath.Join(t.TempDir(), "blobs"), v: newVaults()}
	own, err := disk.Open(fsys, g.root)
	fine(t, err)
	o.Store, o.Origin = own, g.v
	g.s = fallback.New(o)
	t.Cleanup(func() { fine(t, g.s.Close()) })
	return g
}

func fine(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (g *rig) file(h holdfast.Hash) string {
	return filepath.Join(g.root, ann.String(), h.String()[:2], h.String())
}

// put puts octets into the store, if own, and into the vaults.
func (g *rig) put(octets []byte, own bool) holdfast.Blob {
	g.t.Helper()
	b, err := blobtest.Put(g.t.Context(), g.v.Store, ann, octets)
	fine(g.t, err)
	if own {
		_, err = blobtest.Put(g.t.Context(), g.s, ann, octets)
		fine(g.t, err)
	}
	return b
}

// damage turns a bit of what is stored.
func (g *rig) damage(h holdfast.Hash, at int) {
	g.t.Helper()
	p, err := os.ReadFile(g.file(h))
	fine(g.t, err)
	p[at] ^= 1
	fine(g.t, os.WriteFile(g.file(h), p, 0o600))
}

func (g *rig) read(h holdfast.Hash) ([]byte, error) {
	return blobtest.Read(g.t.Context(), g.s, ann, h)
}

func (g *rig) whole(h holdfast.Hash) {
	g.t.Helper()
	if err := g.s.Verify(g.t.Context(), ann, h); err != nil {
		g.t.Errorf("it was not put back: %v", err)
	}
}

// TestStore runs the suite: with nobody behind it, it is its own store.
func TestStore(t *testing.T) {
	t.Run("memory", func(t *testing.T) {
		blobtest.Run(t, func(*testing.T) blobtest.Rig {
			return blobtest.Rig{Store: fallback.New(fallback.Options{Store: memory.New(nil), Origin: newVaults()})}
		})
	})
	t.Run("disk", func(t *testing.T) {
		blobtest.Run(t, func(t *testing.T) blobtest.Rig {
			root := filepath.Join(t.TempDir(), "blobs")
			open := func(t *testing.T) blob.Store {
				own, err := disk.Open(vfs.OS, root)
				fine(t, err)
				return fallback.New(fallback.Options{Store: own, Origin: newVaults()})
			}
			return blobtest.Rig{Store: open(t), Reopen: open, Damage: func(t *testing.T, account holdfast.ID, h holdfast.Hash, fn func([]byte) []byte) {
				name := filepath.Join(root, account.String(), h.String()[:2], h.String())
				b, err := os.ReadFile(name)
				fine(t, err)
				fine(t, os.WriteFile(name, fn(b), 0o600))
			}}
		})
	})
}

func TestWhatIsMissingOrDamagedIsReadFromAVaultAndPutBack(t *testing.T) {
	octets := blobtest.Octets(1, 3*blob.Piece+9)
	for what, do := range map[string]func(*rig, holdfast.Hash){
		"missing":         func(g *rig, h holdfast.Hash) { fine(t, os.Remove(g.file(h))) },
		"cut off":         func(g *rig, h holdfast.Hash) { fine(t, os.Truncate(g.file(h), 100)) },
		"its trailer":     func(g *rig, h holdfast.Hash) { g.damage(h, 3*blob.Piece+60) },
		"its first piece": func(g *rig, h holdfast.Hash) { g.damage(h, 0) },
		"its third piece": func(g *rig, h holdfast.Hash) { g.damage(h, 2*blob.Piece+1) },
		"another's in place": func(g *rig, h holdfast.Hash) {
			other, err := os.ReadFile(g.file(g.put(blobtest.Octets(2, 3*blob.Piece+9), true).Hash))
			fine(t, err)
			fine(t, os.WriteFile(g.file(h), other, 0o600))
		},
	} {
		g := newRig(t, vfs.OS, fallback.Options{})
		b := g.put(octets, true)
		do(g, b.Hash)
		if got, err := g.read(b.Hash); err != nil || !bytes.Equal(got, octets) {
			t.Errorf("%s: %d octets, %v", what, len(got), err)
		}
		g.whole(b.Hash)
		if s := g.s.Stats(); s != (fallback.Stats{Mended: 1, Octets: b.Size}) {
			t.Errorf("%s: %+v", what, s)
		}
	}
}

// TestOneThatIsOpenGoesOn damages a blob under who reads it.
func TestOneThatIsOpenGoesOn(t *testing.T) {
	g := newRig(t, vfs.OS, fallback.Options{})
	octets := blobtest.Octets(1, 3*blob.Piece)
	b := g.put(octets, true)
	f, err := g.s.Open(t.Context(), ann, b.Hash)
	fine(t, err)
	defer f.Close()
	got := make([]byte, len(octets))
	_, err = f.ReadAt(got[:blob.Piece], 0)
	fine(t, err)
	g.damage(b.Hash, 2*blob.Piece)
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			p := make([]byte, blob.Piece)
			if _, err := f.ReadAt(p, int64(2*blob.Piece-i)); err != nil || !bytes.Equal(p, octets[2*blob.Piece-i:][:blob.Piece]) {
				t.Errorf("from %d before the damage: %v", i, err)
			}
		})
	}
	all.Wait()
	g.whole(b.Hash)
	if n := g.v.reads.Load(); n != 1 {
		t.Errorf("it was read %d times for four who wait", n)
	}
}

// TestAFilmOverASlowLine is not waited for: it is read from the vault until it is back.
func TestAFilmOverASlowLine(t *testing.T) {
	g := newRig(t, vfs.OS, fallback.Options{Patience: time.Millisecond})
	g.v.hold = make(chan struct{})
	octets := blobtest.Octets(1, 2*blob.Piece)
	b := g.put(octets, false)
	f, err := g.s.Open(t.Context(), ann, b.Hash)
	fine(t, err)
	p := make([]byte, 1000)
	if _, err := f.ReadAt(p, blob.Piece); err != nil || !bytes.Equal(p, octets[blob.Piece:][:1000]) {
		t.Error(err)
	}
	fine(t, f.Close())
	if g.s.Stats().Mends != 1 {
		t.Error("nobody puts it back")
	}
	close(g.v.hold)
	fine(t, g.s.Mend(t.Context(), ann, b))
	g.whole(b.Hash)
}

// TestOnlyTheFirstWaits: who reads a film by the part is not kept waiting for each part.
func TestOnlyTheFirstWaits(t *testing.T) {
	g := newRig(t, vfs.OS, fallback.Options{Patience: 200 * time.Millisecond})
	g.v.hold = make(chan struct{})
	defer close(g.v.hold)
	b := g.put(blobtest.Octets(1, 100_000), false)
	for i := range 5 {
		began := time.Now()
		f, err := g.s.Open(t.Context(), ann, b.Hash)
		fine(t, err)
		fine(t, f.Close())
		if took := time.Since(began); (took >= 200*time.Millisecond) != (i == 0) {
			t.Errorf("the part %d took %v", i, took)
		}
	}
}

// TestWhenTheDiskTakesNothing: what cannot be put back is read from the vault all the same.
func TestWhenTheDiskTakesNothing(t *testing.T) {
	g := newRig(t, full{vfs.OS}, fallback.Options{})
	octets := blobtest.Octets(1, blob.Piece+5)
	b := g.put(octets, false)
	for range 40 { // none of which stays open
		if got, err := g.read(b.Hash); err != nil || !bytes.Equal(got, octets) {
			t.Fatal(len(got), err)
		}
	}
	if err := g.s.Mend(t.Context(), ann, b); !holdfast.IsKind(err, holdfast.Full) {
		t.Error(err)
	}
	g.v.instead = blobtest.Octets(2, len(octets))
	got, err := g.read(b.Hash)
	if !holdfast.IsKind(err, holdfast.Corrupt) || len(got) == len(octets) {
		t.Errorf("another file of the same length: %d octets, %v", len(got), err)
	}
	g.v.cuts.Store(2)
	if got, err := g.read(b.Hash); !holdfast.IsKind(err, holdfast.Corrupt) || len(got) == len(octets) {
		t.Errorf("another file over a line that breaks: %d octets, %v", len(got), err)
	}
	g.v.instead = octets
	g.v.cuts.Store(2)
	if got, err := g.read(b.Hash); err != nil || !bytes.Equal(got, octets) {
		t.Errorf("over a line that breaks: %d octets, %v", len(got), err)
	}
	g.v.instead = octets[1:]
	if _, err := g.s.Open(t.Context(), ann, b.Hash); !holdfast.IsKind(err, holdfast.NotFound) {
		t.Error("a shorter one:", err)
	}
}

// full is a disk on which no file can be made.
type full struct{ vfs.FS }

func (f full) OpenFile(name string, flag int, mode os.FileMode) (vfs.File, error) {
	if flag&vfs.O_CREATE != 0 {
		return nil, &os.PathError{Op: "open", Path: name, Err: syscall.ENOSPC}
	}
	return f.FS.OpenFile(name, flag, mode)
}

func TestWhatIsSaidWhereNobodyHasIt(t *testing.T) {
	g := newRig(t, vfs.OS, fallback.Options{})
	b := g.put(blobtest.Octets(1, 1000), false)
	want := func(what string, kind holdfast.ErrorKind) {
		t.Helper()
		if _, err := g.read(b.Hash); !holdfast.IsKind(err, kind) {
			t.Errorf("%s: %v, want %v", what, err, kind)
		}
	}
	g.v.away.Store(true)
	want("a vault that is away", holdfast.Unavailable)
	g.v.away.Store(false)
	g.v.erased.Store(true)
	want("what no change names", holdfast.NotFound)
	if n := g.v.reads.Load(); n != 1 {
		t.Error("vaults are asked for what nobody names")
	}
	g.v.erased.Store(false)
	b.Hash = holdfast.HashOf([]byte("something else"))
	if err := g.s.Mend(t.Context(), ann, b); !holdfast.IsKind(err, holdfast.NotFound) {
		t.Error(err)
	}
}

// TestWhatIsErasedMeanwhileStaysSo erases the account while its file is on its way back.
func TestWhatIsErasedMeanwhileStaysSo(t *testing.T) {
	g := newRig(t, vfs.OS, fallback.Options{Patience: time.Millisecond})
	g.v.hold = make(chan struct{})
	b := g.put(blobtest.Octets(1, 1000), false)
	f, err := g.s.Open(t.Context(), ann, b.Hash)
	fine(t, err)
	fine(t, f.Close())
	g.v.erased.Store(true)
	close(g.v.hold)
	if err := g.s.Mend(t.Context(), ann, b); !holdfast.IsKind(err, holdfast.NotFound) {
		t.Error(err)
	}
	if _, err := g.s.Stat(t.Context(), ann, b.Hash); !holdfast.IsKind(err, holdfast.NotFound) {
		t.Error("it is back:", err)
	}
}

func TestBounds(t *testing.T) {
	g := newRig(t, vfs.OS, fallback.Options{Patience: time.Millisecond, Mends: 1, Waiting: 1, Direct: 3})
	g.v.hold = make(chan struct{})
	defer close(g.v.hold)
	var open []blob.File
	for i := range 4 {
		b := g.put(blobtest.Octets(uint64(i), 1000), false)
		f, err := g.s.Open(t.Context(), ann, b.Hash)
		if (err == nil) != (i < 3) || err != nil && !holdfast.IsKind(err, holdfast.Unavailable) {
			t.Fatalf("file %d: %v", i, err)
		}
		if err == nil {
			open = append(open, f)
		}
		if n := g.s.Stats().Mends; n > 2 {
			t.Errorf("%d are being put back", n)
		}
	}
	fine(t, open[0].Close())
	f, err := g.s.Open(t.Context(), ann, g.put(blobtest.Octets(9, 1000), false).Hash)
	fine(t, err)
	fine(t, errors.Join(f.Close(), open[1].Close(), open[2].Close()))
}

func TestCloseEndsWhatIsUnderWay(t *testing.T) {
	g := newRig(t, vfs.OS, fallback.Options{Patience: time.Hour})
	g.v.hold = make(chan struct{})
	b := g.put(blobtest.Octets(1, 1000), false)
	said := make(chan error)
	go func() { said <- g.s.Mend(t.Context(), ann, b) }()
	for g.s.Stats().Mends == 0 {
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := g.s.Mend(ctx, ann, b); !errors.Is(err, context.Canceled) {
		t.Error("who does not wait any longer:", err)
	}
	fine(t, g.s.Close())
	if err := <-said; err == nil {
		t.Error("it says that it was put back")
	}
	if err := g.s.Mend(t.Context(), ann, b); !holdfast.IsKind(err, holdfast.Unavailable) {
		t.Error(err)
	}
}

// TestAtRandom reads, puts and removes while what is stored rots: what is read is what was put.
func TestAtRandom(t *testing.T) {
	g := newRig(t, vfs.OS, fallback.Options{})
	octets := map[holdfast.Hash][]byte{}
	var all []holdfast.Hash
	for i := range 12 {
		p := blobtest.Octets(uint64(i), 1+i*i*20_011)
		b := g.put(p, i%3 > 0)
		octets[b.Hash], all = p, append(all, b.Hash)
	}
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(w), 2))
			for range 60 {
				h := all[rnd.IntN(len(all))]
				p := octets[h]
				switch rnd.IntN(5) {
				case 0:
					_ = os.Truncate(g.file(h), rnd.Int64N(int64(len(p))+1))
				case 1:
					if err := g.s.Remove(t.Context(), ann, h); err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
						t.Error(err)
					}
				case 2:
					if _, err := blobtest.Put(t.Context(), g.s, ann, p); err != nil {
						t.Error(err)
					}
				default:
					f, err := g.s.Open(t.Context(), ann, h)
					if err != nil {
						t.Error(err)
						continue
					}
					at := rnd.IntN(len(p))
					got := make([]byte, min(len(p)-at, 1+rnd.IntN(2*blob.Piece)))
					if _, err := f.ReadAt(got, int64(at)); err != nil && err != io.EOF || !bytes.Equal(got, p[at:][:len(got)]) {
						t.Errorf("%d octets from %d of %d: %v", len(got), at, len(p), err)
					}
					if err := f.Close(); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	for _, h := range all {
		if got, err := g.read(h); err != nil || !slices.Equal(got, octets[h]) {
			t.Errorf("%d octets, %v", len(got), err)
		}
		g.whole(h)
	}
}
