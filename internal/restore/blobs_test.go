package restore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/blob/blobtest"
	"holdfast/internal/blob/disk"
	memblob "holdfast/internal/blob/memory"
	"holdfast/internal/core"
	"holdfast/internal/fault"
	"holdfast/internal/place"
	"holdfast/internal/relay"
	"holdfast/internal/seal"
	"holdfast/internal/store"
	"holdfast/internal/vault"
	"holdfast/internal/vfs"
	"holdfast/internal/vfs/crashfs"
)

func judgeFile(*holdfast.Collection, string, string, []byte) (holdfast.Kind, holdfast.Index, error) {
	return holdfast.KindFile, holdfast.Index{}, nil
}

var withFiles = map[holdfast.CollectionType]core.Judge{holdfast.TypeAddressbook: judge, holdfast.TypeHome: judgeFile, holdfast.TypeFolder: judgeFile}

// bearing gives a vault the octets of large files before their changes.
type bearing struct {
	*relay.Relay
	s *source
}

var _ core.BlobCopies = bearing{}

func (b bearing) PutBlob(ctx context.Context, account holdfast.ID, x holdfast.Blob, open blob.Opener) error {
	v, err := vault.Open(ctx, b.s.options())
	if err != nil {
		return err
	}
	return v.PutBlob(ctx, account, x, func() (blob.File, error) { return open(ctx) })
}

// newAlbum is a source whose files above 100 octets are blobs.
func newAlbum(t *testing.T) *source {
	s := newSource(t)
	s.files = t.TempDir()
	var err error
	s.blobs, err = disk.Open(vfs.OS, s.files)
	fine(t, err)
	s.core = core.New(core.Options{Engine: s.engine, Copies: bearing{s.relay, s}, Judges: withFiles, Clock: s.clock, Blobs: blob.NewKeeper(s.blobs), Limits: core.Limits{Inline: 100, File: 1 << 30}})
	return s
}

// film is octets of a seed, 3 KiB and a little more; two of them have each length.
func film(seed int) []byte { return blobtest.Octets(uint64(seed), 3<<10+seed/2) }

// file puts a file into the account's home of files, or into a folder of it, which is made.
func (s *source) file(a holdfast.ID, path string, octets []byte) holdfast.Hash {
	s.t.Helper()
	p := holdfast.Principal{Account: a}
	names := append([]string{"files"}, strings.Split(path, "/")...)
	for i := 2; i < len(names); i++ {
		at, err := s.core.Locate(s.t.Context(), p, a, names[:i])
		fine(s.t, err)
		if len(at.Rest) > 0 {
			_, _, err = s.core.MakeCollection(s.t.Context(), p, core.NewCollection{Owner: a, Parent: at.Collection.ID, Name: names[i-1], Type: holdfast.TypeFolder})
			fine(s.t, err)
		}
	}
	at, err := s.core.Locate(s.t.Context(), p, a, names)
	fine(s.t, err)
	_, etag, err := s.core.PutFile(s.t.Context(), p, core.FileRequest{Place: at.Place(), Octets: bytes.NewReader(octets), Size: int64(len(octets))})
	fine(s.t, err)
	return etag
}

// vaults opens places as a restore does.
func (s *source) vaults(places ...place.Place) (out []*vault.Vault) {
	for _, p := range places {
		v, err := vault.Open(s.t.Context(), vault.Options{Place: p, With: []*seal.Identity{s.recovery.Identity}})
		fine(s.t, err)
		out = append(out, v)
	}
	return out
}

// bring copies blobs into a store.
func (s *source) bring(e store.Engine, b blob.Store, o BlobOptions, places ...place.Place) (*BlobReport, error) {
	s.t.Helper()
	o.Engine, o.From, o.Clock = e, Of(s.vaults(places...)...), s.clock
	if b != nil {
		o.Blobs = blob.NewKeeper(b)
	}
	return CopyBlobs(s.t.Context(), o)
}

// has tells whether a store has octets.
func has(t *testing.T, b blob.Store, a holdfast.ID, octets []byte) bool {
	t.Helper()
	got, err := blobtest.Read(t.Context(), b, a, holdfast.HashOf(octets))
	if err != nil && !holdfast.IsKind(err, holdfast.NotFound) && !holdfast.IsKind(err, holdfast.Corrupt) {
		t.Fatal(err)
	}
	return err == nil && bytes.Equal(got, octets)
}

// TestFilesComeBack restores accounts with files: one under two names, one in two accounts, a former version, a deleted one, small ones; then all that changes name is there, and nothing else, and a second run reads nothing.
func TestFilesComeBack(t *testing.T) {
	s := newAlbum(t)
	ann, bob := s.account("ann@example.org"), s.account("bob@example.org")
	s.file(ann, "a.jpg", film(1))
	s.file(ann, "Photos/again.jpg", film(1))
	s.file(ann, "Photos/2009/b.jpg", film(2))
	s.file(ann, "Photos/2009/b.jpg", film(3)) // film 2 is a former version
	s.file(ann, "gone.jpg", film(4))
	s.file(ann, "small.txt", []byte("small"))
	s.file(bob, "a.jpg", film(1))
	s.put(bob, "1.vcf", "one")
	p := holdfast.Principal{Account: ann}
	at, err := s.core.Locate(t.Context(), p, ann, []string{"files", "gone.jpg"})
	fine(t, err)
	_, err = s.core.Delete(t.Context(), p, at.Place(), holdfast.Precondition{}, nil)
	fine(t, err)
	e, rep := s.restore(Options{}, s.place)
	if !rep.Whole() {
		t.Fatalf("%+v", rep.Losses)
	}
	to := memblob.New(s.clock)
	var first []holdfast.Hash
	got, err := s.bring(e, to, BlobOptions{Workers: 1, Progress: func(p BlobProgress) {
		if p.All != int64(len(film(1))*2+len(film(2))+len(film(3))+len(film(4))) || p.Octets > p.All {
			t.Errorf("it is at %+v", p)
		}
		if p.Blobs == 3 && first == nil {
			for _, id := range []holdfast.ID{ann, bob} {
				fine(t, to.List(t.Context(), id, nil, 0, func(i blob.Info) error { first = append(first, i.Hash); return nil }))
			}
		}
	}}, s.place)
	fine(t, err)
	if got.Blobs != 5 || got.Read != 5 || got.Lost != 0 || got.Came != got.Octets || got.Octets == 0 {
		t.Fatalf("%+v", got)
	}
	for _, h := range first {
		if h != holdfast.HashOf(film(1)) && h != holdfast.HashOf(film(3)) {
			t.Error("what nobody sees came before what is there now")
		}
	}
	for i := 1; i <= 4; i++ {
		if !has(t, to, ann, film(i)) || has(t, to, bob, film(i)) != (i == 1) {
			t.Errorf("the film %d is not where it should be", i)
		}
	}
	c2 := core.New(core.Options{Engine: e, Judges: withFiles, Clock: s.clock, Blobs: blob.NewKeeper(to)})
	if b, err := readFile(t, c2, ann, "Photos", "2009", "b.jpg"); err != nil || !bytes.Equal(b, film(3)) {
		t.Errorf("the file reads as %d octets, %v", len(b), err)
	}
	if again, err := s.bring(e, to, BlobOptions{}, s.place); err != nil || again.Read != 0 || again.Blobs != 5 {
		t.Errorf("run again it read %+v, %v", again, err)
	}
}

func readFile(t *testing.T, c *core.Service, a holdfast.ID, names ...string) (b []byte, err error) {
	t.Helper()
	p := holdfast.Principal{Account: a}
	at, err := c.Locate(t.Context(), p, a, append([]string{"files"}, names...))
	fine(t, err)
	err = c.Read(t.Context(), p, a, func(r *core.Reader) error {
		x, err := r.Resource(at.Collection.ID, at.Place().Name, core.WithBody)
		fine(t, err)
		o, err := r.Open(t.Context(), &x)
		if err != nil {
			return err
		}
		defer o.Close()
		b, err = io.ReadAll(o)
		return err
	})
	return b, err
}

// TestWhatIsAskedForComesAlone restores one account, one collection, a moment and a seq: of the octets only those come that are named there.
func TestWhatIsAskedForComesAlone(t *testing.T) {
	s := newAlbum(t)
	ann, bob := s.account("ann@example.org"), s.account("bob@example.org")
	s.file(ann, "Photos/a.jpg", film(1))
	s.file(bob, "a.jpg", film(9))
	seq := s.head(s.engine, ann).Seq
	s.clock.Advance(time.Hour)
	moment := s.clock.Now()
	s.clock.Advance(time.Hour)
	s.file(ann, "Other/b.jpg", film(2))
	s.file(ann, "Photos/a.jpg", film(3))
	for _, x := range []struct {
		o    Options
		b    BlobOptions
		want string
	}{
		{Options{}, BlobOptions{}, "1 2 3 9"},
		{Options{Account: "ann@example.org"}, BlobOptions{}, "1 2 3"},
		{Options{Account: "ann@example.org", Seq: seq}, BlobOptions{}, "1"},
		{Options{At: moment}, BlobOptions{}, "1 9"},
		{Options{Account: "ann@example.org", Collection: "files/Photos"}, BlobOptions{Account: ann, Collection: "files/Photos"}, "1 3"},
	} {
		e, rep := s.restore(x.o, s.place)
		to := memblob.New(s.clock)
		got, err := s.bring(e, to, x.b, s.place)
		fine(t, err)
		var list []string
		for i := range 10 {
			if has(t, to, ann, film(i)) || has(t, to, bob, film(i)) {
				list = append(list, fmt.Sprint(i))
			}
		}
		if is := strings.Join(list, " "); is != x.want || !rep.Whole() || got.Blobs != int64(len(list)) {
			t.Errorf("%+v brings %s (%+v), want %s", x.o, is, got, x.want)
		}
	}
	e, _ := s.restore(Options{Account: "ann@example.org"}, s.place)
	if _, err := s.bring(e, memblob.New(s.clock), BlobOptions{Account: ann, Collection: "files/Nothing"}, s.place); !holdfast.IsKind(err, holdfast.NotFound) {
		t.Error("a collection that is not there:", err)
	}
}

// objectsOf returns the names of the blobs' objects in a place.
func objectsOf(t *testing.T, p place.Place) (out []string) {
	t.Helper()
	fine(t, p.List(t.Context(), "blobs/", "", func(i place.Info) error { out = append(out, i.Name); return nil }))
	return out
}

// TestFilesThatNoVaultHas removes, cuts, changes and swaps the objects of blobs. What is whole comes; what is not is a loss that says which file and why, its account is not complete, and its change stays.
// A second vault that has the other half makes it whole.
func TestFilesThatNoVaultHas(t *testing.T) {
	s := newAlbum(t)
	ann, bob := s.account("ann@example.org"), s.account("bob@example.org")
	s.file(bob, "bobs.jpg", film(9))
	for i := range 5 {
		s.file(ann, fmt.Sprintf("Photos/%d.jpg", i), film(i))
	}
	s.file(ann, "Photos/0.jpg", film(7)) // film 0 is a former version
	whole := s.place.Clone()
	names := map[int]string{}
	for i := range 5 { // which object is whose only the vault knows: take one away, and see what is lost
		for _, name := range objectsOf(t, whole) {
			p := whole.Clone()
			fine(t, p.Remove(t.Context(), name))
			v := s.vaults(p)[0]
			if ok, err := v.HasBlob(t.Context(), ann, holdfast.Blob{Hash: holdfast.HashOf(film(i)), Size: int64(len(film(i)))}); err == nil && !ok {
				names[i] = name
			}
		}
	}
	p := whole.Clone()
	get := func(i int) []byte {
		b, err := place.ReadAll(t.Context(), whole, names[i], 1<<20)
		fine(t, err)
		return b
	}
	fine(t, p.Remove(t.Context(), names[0]))
	p.Overwrite(names[1], get(1)[:100])
	b := get(2)
	b[len(b)/2] ^= 1
	p.Overwrite(names[2], b)
	p.Overwrite(names[3], get(2)) // another of the same account and length: the same key opens it
	e, rep := s.restore(Options{}, p)
	to := memblob.New(s.clock)
	got, err := s.bring(e, to, BlobOptions{}, p)
	fine(t, err)
	rep.Add(got)
	if got.Lost != 4 || got.Read != 3 || len(rep.Losses) != 4 || rep.Whole() {
		t.Fatalf("%+v, %+v", got, rep.Losses)
	}
	for _, a := range rep.Accounts {
		if a.Complete != (a.ID == bob) {
			t.Errorf("%+v", a)
		}
	}
	for _, l := range rep.Losses {
		var i int
		_, err := fmt.Sscanf(l.Name, "%d.jpg", &i)
		fine(t, err)
		if l.Account != "ann@example.org" || l.Collection != "files/Photos" || l.Kind != "file" || l.ETag != holdfast.HashOf(film(i)).String() || l.SeqFrom == 0 || l.SeqTo != l.SeqFrom || l.Time.IsZero() {
			t.Errorf("%+v", l)
		}
		if why := map[int]string{0: "has none", 1: "damaged", 2: "damaged", 3: "damaged"}[i]; !strings.Contains(l.Reason, why) || !strings.Contains(l.Reason, "local") || strings.Contains(l.Reason, "an earlier version") != (i == 0) {
			t.Errorf("%s is lost because %s", l.Name, l.Reason)
		}
	}
	// It is listed, a read is no "there is no such file", and whoever has it puts it back.
	keep := blob.NewKeeper(to)
	c2 := core.New(core.Options{Engine: e, Judges: withFiles, Clock: s.clock, Blobs: keep, Limits: core.Limits{Inline: 100, File: 1 << 30}})
	if _, err := readFile(t, c2, ann, "Photos", "2.jpg"); !holdfast.IsKind(err, holdfast.Corrupt) {
		t.Errorf("it reads as %v", err)
	}
	before := s.head(e, ann).Seq
	s2 := &source{t: t, core: c2}
	s2.file(ann, "Photos/2.jpg", film(2))
	if b, err := readFile(t, c2, ann, "Photos", "2.jpg"); err != nil || !bytes.Equal(b, film(2)) || s.head(e, ann).Seq < before {
		t.Errorf("it was put again, and reads as %d octets, %v", len(b), err)
	}
	// A second vault that lacks what the first has.
	half := whole.Clone()
	for _, name := range []string{names[4]} {
		fine(t, half.Remove(t.Context(), name))
	}
	for _, places := range [][]place.Place{{p, half}, {half, p}} {
		to := memblob.New(s.clock)
		got, err := s.bring(e, to, BlobOptions{}, places...)
		if err != nil || got.Lost != 0 || got.Read != 7 {
			t.Errorf("out of two halves: %+v, %v", got, err)
		}
	}
	// Reading alone finds the same, and writes nothing.
	if got, err := s.bring(e, nil, BlobOptions{}, p); err != nil || got.Lost != 4 || len(got.Losses) != 5 { // one was put again, and is named twice
		t.Errorf("reading alone: %+v, %v", got, err)
	}
}

// TestReadingAloneVerifiesFiles reads everything and writes nothing, as a restore that is only tried: what of the octets is whole and what is not is what a restore would find.
func TestReadingAloneVerifiesFiles(t *testing.T) {
	s := newAlbum(t)
	ann, bob := s.account("ann@example.org"), s.account("bob@example.org")
	s.file(bob, "b.jpg", film(9))
	s.file(ann, "Photos/a.jpg", film(1))
	s.file(ann, "Other/a.jpg", film(2))
	seq := s.head(s.engine, ann).Seq
	s.file(ann, "Photos/a.jpg", film(3))
	try := func(o Options, p place.Place) *Report {
		t.Helper()
		o.Vaults = s.vaults(p)
		o.Recovery, o.Spool, o.Derive, o.Clock, o.Nonce, o.Files = s.recovery, t.TempDir(), core.DeriveBy(judges), s.clock, holdfast.ID{1}, Of(o.Vaults...)
		var last Progress
		o.Progress = func(p Progress) { last = p }
		rep, err := Run(t.Context(), o)
		fine(t, err)
		if rep.Blobs == nil || last.Octets != rep.Blobs.Octets {
			t.Fatalf("it ended at %+v: %+v", last, rep.Blobs)
		}
		return rep
	}
	for want, o := range map[int64]Options{4: {}, 3: {Account: "ann@example.org"}, 2: {Account: "ann@example.org", Seq: seq}, 1: {Account: "ann@example.org", Collection: "files/Other"}} {
		if rep := try(o, s.place); rep.Blobs.Blobs != want || rep.Blobs.Read != want || rep.Blobs.Came == 0 || rep.Blobs.Came != rep.Blobs.Octets || !rep.Whole() {
			t.Errorf("%+v reads %+v", o, rep.Blobs)
		}
	}
	for _, name := range objectsOf(t, s.place) {
		p := s.place.Clone()
		fine(t, p.Remove(t.Context(), name))
		e, _ := s.restore(Options{}, p)
		want, err := s.bring(e, memblob.New(s.clock), BlobOptions{}, p)
		fine(t, err)
		rep := try(Options{}, p)
		if len(rep.Losses) != 1 || rep.Losses[0] != want.Losses[0] || rep.Blobs.Lost != 1 || rep.Blobs.Read != 3 {
			t.Errorf("%+v, and a restore says %+v", rep.Losses, want.Losses)
		}
		for _, a := range rep.Accounts {
			if a.Complete == (a.Email == rep.Losses[0].Account) {
				t.Errorf("%+v", a)
			}
		}
	}
}

// TestAVaultThatIsAwayIsNoLoss has a vault fail while its blobs are read: nothing is called lost, and who runs it again has all of it.
func TestAVaultThatIsAwayIsNoLoss(t *testing.T) {
	s := newAlbum(t)
	ann := s.account("ann@example.org")
	for i := range 12 {
		s.file(ann, fmt.Sprintf("%d.jpg", i), film(i))
	}
	e, _ := s.restore(Options{}, s.place)
	for seed := range uint64(20) {
		to := memblob.New(s.clock)
		plan := fault.Seeded(seed, 60, fault.Before, fault.Half)
		plan.Reads = true
		for try := 0; ; try++ {
			v, err := vault.Open(t.Context(), vault.Options{Place: fault.Wrap(s.place, plan), With: []*seal.Identity{s.recovery.Identity}})
			if err != nil {
				continue
			}
			got, err := CopyBlobs(t.Context(), BlobOptions{Engine: e, Blobs: blob.NewKeeper(to), From: Of(v), Clock: s.clock})
			if err == nil && got.Lost == 0 {
				break
			}
			if err == nil || try > 200 {
				t.Fatalf("seed %d: %+v, %v", seed, got, err)
			}
		}
		for i := range 12 {
			if !has(t, to, ann, film(i)) {
				t.Errorf("seed %d: the film %d is not there", seed, i)
			}
		}
	}
}

// TestADiskThatFailsIsNoLoss has the disk fail that blobs come to, the process be killed and the power be cut, at any call; whoever goes on ends with all of it, and reads nothing twice that was durable.
func TestADiskThatFailsIsNoLoss(t *testing.T) {
	s := newAlbum(t)
	ann := s.account("ann@example.org")
	for i := range 5 {
		s.file(ann, fmt.Sprintf("%d.jpg", i), film(i))
	}
	e, _ := s.restore(Options{}, s.place)
	for _, act := range []fault.Act{fault.Before, fault.After, fault.Half, fault.Full} {
		for n := 1; ; n++ {
			d := crashfs.New(crashfs.Options{})
			fine(t, vfs.MkdirDurable(d.FS(), "/data", 0o700))
			run := func(f vfs.FS) (*BlobReport, error) {
				b, err := disk.Open(f, "/data/blobs")
				if err != nil {
					return nil, err
				}
				defer b.Close()
				return s.bring(e, b, BlobOptions{Workers: 1}, s.place)
			}
			plan := fault.Cut(n, act)
			got, err := run(fault.WrapFS(d.FS(), plan))
			if err == nil && got.Lost > 0 {
				t.Fatalf("%v at call %d: %+v", act, n, got)
			}
			if plan.Calls() < n {
				if err != nil {
					t.Fatal(err)
				}
				break
			}
			d.PowerCut(rand.New(rand.NewPCG(uint64(n), 7)))
			again, err := run(d.FS())
			if err != nil || again.Lost != 0 {
				t.Fatalf("%v at call %d, gone on with: %+v, %v", act, n, again, err)
			}
			if got != nil && got.Read+again.Read > 5+1 {
				t.Errorf("%v at call %d: %d blobs were read, and %d again", act, n, got.Read, again.Read)
			}
			b, err := disk.Open(d.FS(), "/data/blobs")
			fine(t, err)
			for i := range 5 {
				if !has(t, b, ann, film(i)) {
					t.Errorf("%v at call %d: the film %d is not there", act, n, i)
				}
			}
		}
	}
}

// TestWhoWaitsNoLongerEndsACopy ends it in its middle.
func TestWhoWaitsNoLongerEndsACopy(t *testing.T) {
	s := newAlbum(t)
	ann := s.account("ann@example.org")
	for i := range 8 {
		s.file(ann, fmt.Sprintf("%d.jpg", i), film(i))
	}
	e, _ := s.restore(Options{}, s.place)
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	to := memblob.New(s.clock)
	n := 0
	_, err := CopyBlobs(ctx, BlobOptions{Engine: e, Blobs: blob.NewKeeper(to), From: Of(s.vaults(s.place)...), Clock: s.clock, Workers: 1, Pace: func(context.Context, int64) error {
		if n++; n == 3 {
			cancel(enough)
		}
		return nil
	}})
	if !errors.Is(err, enough) || n > 4 {
		t.Fatalf("it ended with %v after %d", err, n)
	}
	if got, err := s.bring(e, to, BlobOptions{}, s.place); err != nil || got.Read != int64(8-n) {
		t.Fatalf("gone on with: %+v, %v", got, err)
	}
}

// TestDamagedOctetsAreMended has files that rotted, were cut or are missing in a living store: a deep copy finds and mends them, another finds what is missing alone.
func TestDamagedOctetsAreMended(t *testing.T) {
	s := newAlbum(t)
	ann := s.account("ann@example.org")
	for i := range 4 {
		s.file(ann, fmt.Sprintf("%d.jpg", i), film(i))
	}
	damage := func(i int, fn func([]byte) []byte) { s.spoil(ann, film(i), fn) }
	damage(0, func(b []byte) []byte { b[5] ^= 1; return b })
	damage(1, func(b []byte) []byte { return b[:10] })
	fine(t, s.blobs.Remove(t.Context(), ann, holdfast.HashOf(film(2))))
	got, err := s.bring(s.engine, s.blobs, BlobOptions{}, s.place)
	if err != nil || got.Read < 1 || got.Read > 2 || has(t, s.blobs, ann, film(0)) || !has(t, s.blobs, ann, film(2)) {
		t.Fatalf("%+v, %v", got, err)
	}
	got, err = s.bring(s.engine, s.blobs, BlobOptions{Deep: true}, s.place)
	if err != nil || got.Damaged == 0 || got.Lost != 0 {
		t.Fatalf("%+v, %v", got, err)
	}
	for i := range 4 {
		if !has(t, s.blobs, ann, film(i)) {
			t.Errorf("the film %d is not there", i)
		}
	}
}

// spoil changes what is stored of octets.
func (s *source) spoil(a holdfast.ID, octets []byte, fn func([]byte) []byte) {
	s.t.Helper()
	h := holdfast.HashOf(octets).String()
	name := filepath.Join(s.files, a.String(), h[:2], h)
	b, err := os.ReadFile(name)
	fine(s.t, err)
	fine(s.t, os.WriteFile(name, fn(b), 0o600))
}
