package drill

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/blob/blobtest"
	"holdfast/internal/blob/disk"
	memblob "holdfast/internal/blob/memory"
	"holdfast/internal/core"
	"holdfast/internal/place"
	"holdfast/internal/vault"
	"holdfast/internal/vfs"
)

// album is a source whose files lie beside the engine.
type album struct {
	*source
	blobs blob.Store
	keep  *blob.Keeper
}

func newAlbum(t *testing.T, blobs blob.Store) *album {
	a := &album{newSource(t), blobs, blob.NewKeeper(blobs)}
	any := func(*holdfast.Collection, string, string, []byte) (holdfast.Kind, holdfast.Index, error) {
		return holdfast.KindFile, holdfast.Index{}, nil
	}
	a.core = core.New(core.Options{Engine: a.engine, Judges: map[holdfast.CollectionType]core.Judge{holdfast.TypeAddressbook: judge, holdfast.TypeHome: any}, Clock: a.clock, Blobs: a.keep, Limits: core.Limits{Inline: 10, File: 1 << 30}})
	for i := range 12 {
		a.film(i%2, i)
	}
	a.ship()
	return a
}

func film(n int) []byte { return blobtest.Octets(uint64(n), 1000+n/2) }

func blobOf(n int) holdfast.Blob {
	return holdfast.Blob{Hash: holdfast.HashOf(film(n)), Size: int64(len(film(n)))}
}

// film puts a large file, its octets into the vault first.
func (a *album) film(who, n int) {
	a.t.Helper()
	ctx := a.t.Context()
	p := holdfast.Principal{Account: a.ids[who]}
	at, err := a.core.Locate(ctx, p, a.ids[who], []string{"files", fmt.Sprint(n, ".mp4")})
	fine(a.t, err)
	_, etag, err := a.core.PutFile(ctx, p, core.FileRequest{Place: at.Place(), Octets: bytes.NewReader(film(n)), Size: -1})
	fine(a.t, err)
	fine(a.t, a.v.PutBlob(ctx, a.ids[who], blobOf(n), func() (blob.File, error) { return a.keep.Open(ctx, a.ids[who], etag) }))
}

func (a *album) run(o FileOptions, p place.Place) (*Result, []Proof) {
	a.t.Helper()
	opt := a.options(p)
	o.Store = a.keep
	opt.Files = o
	return Run(a.t.Context(), opt)
}

// object returns the name of the object that a vault has of a file.
func (a *album) object(who, n int) string {
	a.t.Helper()
	var names []string
	fine(a.t, a.place.List(a.t.Context(), "blobs/", "", func(i place.Info) error { names = append(names, i.Name); return nil }))
	for _, name := range names {
		p := a.place.Clone()
		fine(a.t, p.Remove(a.t.Context(), name))
		v, err := vault.Open(a.t.Context(), vault.Options{Place: p, Ring: a.ring, Clock: a.clock})
		fine(a.t, err)
		if ok, err := v.HasBlob(a.t.Context(), a.ids[who], blobOf(n)); err == nil && !ok {
			return name
		}
	}
	a.t.Fatal("the vault has no object of it")
	return ""
}

// TestADrillReadsFiles passes where vault and store have all files, and counts what it has read on both sides.
func TestADrillReadsFiles(t *testing.T) {
	a := newAlbum(t, memblob.New(nil))
	before, _ := Run(t.Context(), a.options(a.place))
	r, proofs := a.run(FileOptions{}, a.place)
	outcome(t, "all", r, Pass, "")
	octets := int64(0)
	for i := range 12 {
		octets += blobOf(i).Size
	}
	if b := r.Blobs; b.Files != 12 || b.Read != 12 || b.Rehashed != before.Blobs.Rehashed+24 || b.Octets != before.Blobs.Octets+2*octets || len(proofs) != 3 {
		t.Errorf("%+v, without files %+v", b, before.Blobs)
	}
}

// TestADrillFindsWhatIsWrongWithFiles takes an octet, the end, the object or the whole file of one out of the vault, and likewise of the living store.
func TestADrillFindsWhatIsWrongWithFiles(t *testing.T) {
	root := t.TempDir()
	blobs, err := disk.Open(vfs.OS, root)
	fine(t, err)
	a := newAlbum(t, blobs)
	name, other := a.object(1, 3), a.object(1, 1)
	get := func(name string) []byte {
		b, err := place.ReadAll(t.Context(), a.place, name, 1<<20)
		fine(t, err)
		return b
	}
	for what, b := range map[string][]byte{"missing": nil, "cut": get(name)[:50], "changed": append(get(name)[:len(get(name))-1], get(name)[len(get(name))-1]^1), "another file": get(other), "empty": {}} {
		p := a.place.Clone()
		if b == nil {
			fine(t, p.Remove(t.Context(), name))
		} else {
			p.Overwrite(name, b)
		}
		r, proofs := a.run(FileOptions{}, p)
		outcome(t, what, r, Fail, "large file")
		if len(proofs) != 0 || len(r.Digests.Different) != 1 || r.Digests.Different[0] != a.ids[1].String() || r.Digests.Equal != 2 {
			t.Errorf("%s: %+v", what, r.Digests)
		}
	}
	fine(t, blobs.Remove(t.Context(), a.ids[0], blobOf(4).Hash))
	r, _ := a.run(FileOptions{}, a.place)
	outcome(t, "missing in the store", r, Fail, "in the living store")
	r, _ = a.run(FileOptions{Returning: func() bool { return true }}, a.place)
	outcome(t, "coming back", r, Pass, "")
	if r.Blobs.Returning != 1 {
		t.Errorf("coming back: %+v", r.Blobs)
	}
	p := a.place.Clone()
	fine(t, p.Remove(t.Context(), a.object(0, 4)))
	r, _ = a.run(FileOptions{}, p)
	outcome(t, "nowhere", r, Pass, "")
	if r.Blobs.Ghosts != 1 || r.Blobs.Read != 11 {
		t.Errorf("nowhere: %+v", r.Blobs)
	}
	a.film(0, 4)
	r, _ = a.run(FileOptions{}, a.place)
	outcome(t, "put again", r, Pass, "")
}

// TestFilesAreReadInTurns has more octets than one drill reads: each drill finds a file that is missing, and each file is read once in so many drills, which are no more than there are turns.
func TestFilesAreReadInTurns(t *testing.T) {
	a := newAlbum(t, memblob.New(nil))
	for _, x := range []struct{ octets, turns, parts int }{{3000, 100, 5}, {3000, 2, 2}, {1 << 20, 9, 1}, {1, 12, 12}, {1, 0, 1}} {
		read := int64(0)
		for turn := range x.parts {
			r, _ := a.run(FileOptions{Octets: int64(x.octets), Turns: x.turns, Turn: int64(1000 + turn)}, a.place)
			outcome(t, fmt.Sprintf("%+v, turn %d", x, turn), r, Pass, "")
			if r.Blobs.Files != 12 || r.Blobs.Read == 12 && x.parts > 1 {
				t.Errorf("%+v: %+v", x, r.Blobs)
			}
			read += r.Blobs.Read
		}
		if read != 12 {
			t.Errorf("%+v: %d of 12 were read", x, read)
		}
	}
	p := a.place.Clone()
	fine(t, p.Remove(t.Context(), a.object(0, 2)))
	for turn := range int64(12) {
		r, _ := a.run(FileOptions{Octets: 1, Turns: 12, Turn: turn}, p)
		outcome(t, fmt.Sprint("missing, turn ", turn), r, Fail, "lacks the octets of large files, of 1;")
	}
}

// TestADrillOfFilesEnds is interrupted while it reads a file.
func TestADrillOfFilesEnds(t *testing.T) {
	a := newAlbum(t, memblob.New(nil))
	ctx, cancel := context.WithCancel(t.Context())
	opt := a.options(a.place)
	opt.Files = FileOptions{Store: a.keep}
	opt.Read = func(int64) { cancel() }
	began := time.Now()
	r, proofs := Run(ctx, opt)
	outcome(t, "interrupted", r, Inconclusive, "interrupted")
	if len(proofs) != 0 || time.Since(began) > 10*time.Second {
		t.Errorf("%d proofs", len(proofs))
	}
}
