package scrub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/blob/blobtest"
	"holdfast/internal/blob/disk"
	"holdfast/internal/blob/fallback"
	memblobs "holdfast/internal/blob/memory"
	"holdfast/internal/clock"
	"holdfast/internal/store"
	"holdfast/internal/store/memory"
	"holdfast/internal/store/storetest"
	"holdfast/internal/vfs"
)

// shelves are large files in a directory, and what vaults have of them.
type shelves struct {
	t      *testing.T
	engine *memory.Engine
	m      *storetest.Maker
	root   string
	own    *disk.Store
	vaults *memblobs.Store
	whole  *fallback.Store
	away   atomic.Bool // the vaults are
	broken atomic.Bool // the disk is
	coming atomic.Bool // what is missing is on its way
	read   atomic.Int64
	blobs  []holdfast.Blob
	who    []storetest.Account
}

func newShelves(t *testing.T) *shelves {
	s := &shelves{t: t, engine: memory.New(), m: storetest.NewMaker(3), root: filepath.Join(t.TempDir(), "blobs"), vaults: memblobs.New(nil)}
	var err error
	s.own, err = disk.Open(vfs.OS, s.root)
	fine(t, err)
	s.whole = fallback.New(fallback.Options{Store: s.own, Origin: s})
	t.Cleanup(func() { fine(t, s.whole.Close()) })
	for i := range 2 {
		s.who = append(s.who, storetest.NewAccount(t, s.m, s.engine, fmt.Sprintf("p%d@example.org", i)))
	}
	for i := range 12 {
		octets, a := blobtest.Octets(uint64(i), 1+i*200_000), s.who[i%2]
		for _, to := range []blob.Store{s.own, s.vaults} {
			b, err := blobtest.Put(t.Context(), to, a.ID, octets)
			fine(t, err)
			if to == s.own {
				s.blobs = append(s.blobs, b)
			}
		}
		e := s.m.Put(a.Book, fmt.Sprintf("%d.jpg", i/2), "", nil)
		e.Blob = &s.blobs[i]
		_, err := s.engine.Commit(t.Context(), storetest.Sealed(a.ID, e))
		fine(t, err)
	}
	_, err = s.engine.Commit(t.Context(), storetest.Sealed(s.who[0].ID, s.m.Delete(s.who[0].Book, "1.jpg"))) // it is still there to be brought back
	fine(t, err)
	return s
}

func (s *shelves) Blob(ctx context.Context, account holdfast.ID, h holdfast.Hash) (holdfast.Blob, bool, error) {
	return store.BlobOf(ctx, s.engine, account, h)
}

func (s *shelves) Read(ctx context.Context, account holdfast.ID, b holdfast.Blob, fn func(io.Reader, string) error) error {
	if s.away.Load() {
		return blob.Err("Read", holdfast.Unavailable, "", "the cable is out", nil)
	}
	f, err := s.vaults.Open(ctx, account, b.Hash)
	if err != nil {
		return err
	}
	return fn(io.NewSectionReader(f, 0, f.Size()), "attic")
}

// errNoDisk is what a disk says that is not there.
var errNoDisk = blob.Err("Open", holdfast.Unavailable, "", "is its disk mounted?", nil)

func (s *shelves) Open(ctx context.Context, account holdfast.ID, b holdfast.Blob) (blob.File, error) {
	if s.broken.Load() {
		return nil, errNoDisk
	}
	s.read.Add(1)
	f, err := s.own.Open(ctx, account, b.Hash)
	if s.coming.Load() && holdfast.IsKind(err, holdfast.NotFound) {
		return nil, nil
	}
	return f, err
}

func (s *shelves) Mend(ctx context.Context, account holdfast.ID, b holdfast.Blob) error {
	if s.broken.Load() {
		return errNoDisk
	}
	return s.whole.Mend(ctx, account, b)
}

func (s *shelves) scrubber(dir string) *Scrubber {
	return &Scrubber{Engine: s.engine, Book: OpenBook(vfs.OS, dir), Clock: clock.NewFake(morning), Pace: func(ctx context.Context, _ int64) error { return context.Cause(ctx) }, Log: slog.New(slog.DiscardHandler), Files: s}
}

func (s *shelves) round() *Round {
	s.t.Helper()
	r, err := s.scrubber(s.t.TempDir()).Round(s.t.Context())
	fine(s.t, err)
	return r
}

func (s *shelves) at(i int) string {
	h := s.blobs[i].Hash.String()
	return filepath.Join(s.root, s.who[i%2].ID.String(), h[:2], h)
}

// rot turns a bit of a file.
func (s *shelves) rot(i int) {
	s.t.Helper()
	b, err := os.ReadFile(s.at(i))
	fine(s.t, err)
	b[s.blobs[i].Size/2] ^= 4
	fine(s.t, os.WriteFile(s.at(i), b, 0o600))
}

func TestLargeFilesThatRottedAreMended(t *testing.T) {
	s := newShelves(t)
	octets := int64(0)
	for _, b := range s.blobs {
		octets += b.Size
	}
	if r := s.round(); r.Found != 0 || r.Files != 12 || r.Octets < octets {
		t.Fatalf("%+v", r)
	}
	s.rot(2) // of what was deleted
	s.rot(5)
	fine(t, os.Remove(s.at(8)))
	fine(t, os.Truncate(s.at(11), 1000))
	r := s.round()
	if r.Found != 4 || r.Mended != 4 || r.Left() != 0 {
		t.Fatalf("%+v", r)
	}
	for _, f := range r.Findings {
		if f.Kind != File || f.Name == "" || f.Seq == 0 || f.ETag == nil || !f.Mended || f.From == "" {
			t.Errorf("%+v", f)
		}
	}
	if r := s.round(); r.Found != 0 {
		t.Errorf("mended: %+v", r)
	}
}

func TestWhatIsSaidOfAFileThatNoVaultGives(t *testing.T) {
	s := newShelves(t)
	s.rot(5)
	fine(t, s.vaults.Remove(t.Context(), s.who[1].ID, s.blobs[5].Hash))
	r := s.round()
	if r.Left() != 1 || !strings.Contains(r.Findings[0].Why, "can put it again") {
		t.Errorf("%+v", r)
	}
	s.away.Store(true)
	if r = s.round(); r.Left() != 1 || !strings.Contains(r.Findings[0].Why, "the cable is out") {
		t.Errorf("%+v", r)
	}
	s.broken.Store(true)
	x := s.scrubber(t.TempDir())
	x.Clock = clock.System
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if _, err := x.Round(ctx); !errors.Is(err, errNoDisk) || x.Book.State().Now.Found != 0 {
		t.Errorf("a disk that is away damages files: %v, %+v", err, x.Book.State().Now)
	}
	s.broken.Store(false)
	fine(t, os.Remove(s.at(8)))
	s.coming.Store(true)
	if r = s.round(); r.Left() != 1 {
		t.Errorf("what is being copied back is missed: %+v", r)
	}
	fine(t, s.engine.Erase(t.Context(), s.who[1].ID))
	if r = s.round(); r.Found != 0 {
		t.Errorf("of an erased account: %+v", r)
	}
}

// TestAScrubOfLargeFilesGoesOnWhereItWasCut reads none twice.
func TestAScrubOfLargeFilesGoesOnWhereItWasCut(t *testing.T) {
	s, dir := newShelves(t), t.TempDir()
	s.rot(4)
	for n := 0; ; n++ {
		x := s.scrubber(dir)
		ctx, cancel := context.WithCancel(t.Context())
		began := s.read.Load()
		x.Pace = func(ctx context.Context, _ int64) error {
			if s.read.Load() >= began+3 {
				cancel()
			}
			return context.Cause(ctx)
		}
		r, err := x.Round(ctx)
		cancel()
		if err == nil {
			if r.Files != 12 || r.Found != 1 || r.Mended != 1 || n < 3 {
				t.Errorf("after %d cuts: %+v", n, r)
			}
			break
		}
		if n > 50 {
			t.Fatal("it comes to no end")
		}
	}
}
