package vault

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/clock"
	"holdfast/internal/place"
	"holdfast/internal/place/dir"
	"holdfast/internal/place/memory"
	"holdfast/internal/vfs"
)

// film is a file that no memory holds: each of its octets follows from where it is.
type film struct{ size int64 }

func (f film) Size() int64  { return f.size }
func (f film) Close() error { return nil }

func (f film) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) && off+int64(n) < f.size {
		at := off + int64(n)
		p[n] = byte(at>>16) ^ byte(at)
		n++
	}
	if n < len(p) {
		err = io.EOF
	}
	return n, err
}

// blob hashes it.
func (f film) blob(t testing.TB) holdfast.Blob {
	t.Helper()
	h := sha256.New()
	must(t, must2(io.Copy(h, io.NewSectionReader(f, 0, f.size))), nil)
	return holdfast.Blob{Hash: holdfast.Hash(h.Sum(nil)), Size: f.size}
}

func (f film) open() (blob.File, error) { return f, nil }

// objects returns the names of the blobs' objects.
func objects(t testing.TB, p place.Place) (out []string) {
	t.Helper()
	fine(t, p.List(ctx, dirBlobs, "", func(i place.Info) error { out = append(out, i.Name); return nil }))
	return out
}

var ann, bob = holdfast.ID{0, 0, 7}, holdfast.ID{0, 1, 7}

// TestBlobs puts files of many sizes into both kinds of places, and reads them back whole and by the part.
func TestBlobs(t *testing.T) {
	for _, p := range []place.Place{nil, must2(dir.Open(vfs.OS, t.TempDir(), dir.Options{Create: true}))} {
		r := newRig(t, p)
		for _, size := range []int64{1, 65536, 65537, 3*blobWindow + 11} {
			f := film{size}
			b := f.blob(t)
			if ok, err := r.v.HasBlob(ctx, ann, b); ok || err != nil {
				t.Fatal("it is there before it was put:", err)
			}
			if err := r.v.VerifyBlob(ctx, ann, b); !holdfast.IsKind(err, holdfast.NotFound) {
				t.Fatal("what is not there verifies:", err)
			}
			fine(t, r.v.PutBlob(ctx, ann, b, f.open))
			fine(t, r.v.PutBlob(ctx, ann, b, func() (blob.File, error) { return nil, errors.New("it is read again") }))
			r.open()
			if ok, err := r.v.HasBlob(ctx, ann, b); !ok || err != nil {
				t.Fatal("it is not there:", err)
			}
			if ok, err := r.v.HasBlob(ctx, bob, b); ok || err != nil {
				t.Fatal("another account has it:", err)
			}
			fine(t, r.v.VerifyBlob(ctx, ann, b))
			open, err := r.v.OpenBlob(ctx, ann, b)
			fine(t, err)
			got, want := make([]byte, size-size/3), make([]byte, size-size/3)
			_, err = open.ReadAt(got, size/3) // with io.EOF, as it reads to the end
			_, _ = f.ReadAt(want, size/3)
			if err != nil && err != io.EOF || open.Size() != size || !bytes.Equal(got, want) {
				t.Fatalf("a part of %d octets is something else: %v", size, err)
			}
			if b.Hash[0]++; b.Size > 1 {
				b.Size--
			}
			if ok, err := r.v.HasBlob(ctx, ann, b); ok || err != nil {
				t.Fatal("another blob is there:", err)
			}
		}
		damage, err := r.v.Rehash(ctx, 0)
		if err != nil || len(damage) > 0 {
			t.Errorf("%+v %v", damage, err)
		}
		if damage, err = r.v.Survey(ctx); err != nil || len(damage) > 0 {
			t.Errorf("%+v %v", damage, err)
		}
	}
}

// TestBlobNamesTellNothing has the same file in two accounts: its objects have nothing in common with it nor with each other.
func TestBlobNamesTellNothing(t *testing.T) {
	r, f := newRig(t, nil), film{1000}
	b := f.blob(t)
	fine(t, r.v.PutBlob(ctx, ann, b, f.open))
	fine(t, r.v.PutBlob(ctx, bob, b, f.open))
	names := objects(t, r.place)
	if len(names) != 2 {
		t.Fatal(names)
	}
	for _, name := range names {
		if strings.Contains(name, b.Hash.String()[:8]) || strings.Contains(name, ann.String()[:8]) {
			t.Error("a name tells:", name)
		}
		if n := ParseName(name); n.Class != BlobObject || n.Version != 1 {
			t.Errorf("%s is read as %+v", name, n)
		}
	}
	for _, name := range []string{"blobs/aa", "blobs/zz/" + strings.Repeat("z", 64), "blobs/ab/" + strings.Repeat("a", 64), names[0] + ".1", names[0] + ".000000000001", names[0] + "x", names[0][:70]} {
		if n := ParseName(name); n.Class != Unknown {
			t.Errorf("%s is read as %+v", name, n)
		}
	}
}

// TestADamagedBlob turns a bit, cuts an object short and swaps two: nothing of that is handed out as the file, and it is mended under a name of its own.
func TestADamagedBlob(t *testing.T) {
	for _, how := range []string{"bit", "cut", "swapped", "gone"} {
		r, f, other := newRig(t, nil), film{200_000}, film{200_001}
		b, c := f.blob(t), other.blob(t)
		fine(t, r.v.PutBlob(ctx, ann, b, f.open))
		name := objects(t, r.place)[0]
		fine(t, r.v.PutBlob(ctx, ann, c, other.open))
		mem := r.place.(*memory.Place)
		octets := must2(place.ReadAll(ctx, mem, name, 1<<20))
		switch how {
		case "bit":
			octets[100_000] ^= 1
			mem.Overwrite(name, octets)
		case "cut":
			mem.Overwrite(name, octets[:len(octets)-1])
		case "swapped": // whoever holds the vault can give an object the octets of another one of the same length
			f2 := film2{film{200_000}}
			d := f2.blob(t)
			fine(t, r.v.PutBlob(ctx, ann, d, func() (blob.File, error) { return f2, nil }))
			_, key, err := r.v.blobsOf(ctx, ann, d)
			fine(t, err)
			mem.Overwrite(name, must2(place.ReadAll(ctx, mem, blobName(key, d.Hash, 1), 1<<20)))
		case "gone":
			fine(t, mem.Remove(ctx, name))
		}
		want := holdfast.Corrupt
		if how == "gone" {
			want = holdfast.NotFound
		}
		if err := r.v.VerifyBlob(ctx, ann, b); !holdfast.IsKind(err, want) {
			t.Fatalf("%s: %v", how, err)
		}
		if how == "cut" {
			fine(t, r.v.PutBlob(ctx, ann, b, f.open)) // it is seen by its length
		}
		fine(t, r.v.MendBlob(ctx, ann, b, f.open))
		fine(t, r.v.VerifyBlob(ctx, ann, b))
		if open, err := r.v.OpenBlob(ctx, ann, b); err != nil || open.Size() != b.Size {
			t.Fatal(how, err)
		}
		n := len(objects(t, r.place))
		fine(t, r.v.MendBlob(ctx, ann, b, f.open))
		if len(objects(t, r.place)) != n {
			t.Error(how, "what is whole was written once more")
		}
	}
}

// film2 is another film of the same length.
type film2 struct{ film }

func (f film2) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.film.ReadAt(p, off)
	for i := range p[:n] {
		p[i] ^= 0x55
	}
	return n, err
}

func (f film2) blob(t testing.TB) holdfast.Blob {
	t.Helper()
	h := sha256.New()
	must(t, must2(io.Copy(h, io.NewSectionReader(f, 0, f.size))), nil)
	return holdfast.Blob{Hash: holdfast.Hash(h.Sum(nil)), Size: f.size}
}

// TestNoBlobWhereNoneMayBe puts blobs into a ledger, for an erased account, out of a file that is another one, and into a place that breaks off: nothing of them stays.
func TestNoBlobWhereNoneMayBe(t *testing.T) {
	r, f := newRig(t, nil), film{100_000}
	b := f.blob(t)
	short := func() (blob.File, error) { return film{99_999}, nil }
	if err := r.v.PutBlob(ctx, ann, b, short); !holdfast.IsKind(err, holdfast.Corrupt) {
		t.Error("a file of another length:", err)
	}
	broken := errors.New("it broke off")
	if err := r.v.PutBlob(ctx, ann, b, func() (blob.File, error) { return breaking{f, broken}, nil }); !errors.Is(err, broken) {
		t.Error("a file that breaks off:", err)
	}
	gone, cancel := context.WithCancelCause(ctx)
	cancel(broken)
	if err := r.v.PutBlob(gone, ann, b, f.open); !errors.Is(err, broken) {
		t.Error("after the end:", err)
	}
	if names := objects(t, r.place); len(names) != 0 {
		t.Error(names)
	}
	fine(t, r.v.PutBlob(ctx, ann, b, f.open))
	must(t, must2(r.v.Erase(ctx, r.w, ann, nil)), nil)
	if err := r.v.PutBlob(ctx, ann, b, f.open); !holdfast.IsKind(err, holdfast.NotFound) {
		t.Error("an erased account:", err)
	}
	if err := r.v.VerifyBlob(ctx, ann, b); !holdfast.IsKind(err, holdfast.NotFound) {
		t.Error("what was erased can be read:", err)
	}
	r.v.meta.Kind = KindLedger
	if err := r.v.PutBlob(ctx, bob, b, f.open); !holdfast.IsKind(err, holdfast.Invalid) {
		t.Error("a ledger:", err)
	}
}

type breaking struct {
	film
	err error
}

func (b breaking) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > 1000 {
		return 0, b.err
	}
	return b.film.ReadAt(p, off)
}

// watch counts what is alive while octets pass.
type watch struct {
	n    int
	peak uint64
}

func (w *watch) Write(p []byte) (int, error) {
	if w.n += len(p); w.n >= 8<<20 {
		w.n = 0
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		w.peak = max(w.peak, m.HeapAlloc)
	}
	return len(p), nil
}

// TestALargeBlobTakesNoMemory puts 64 MiB, for which next to nothing is allocated, and reads them, while next to nothing is alive.
func TestALargeBlobTakesNoMemory(t *testing.T) {
	r, f := newRig(t, must2(dir.Open(vfs.OS, t.TempDir(), dir.Options{Create: true}))), film{64 << 20}
	b := f.blob(t)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	fine(t, r.v.PutBlob(ctx, ann, b, f.open))
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 4<<20 {
		t.Errorf("%d octets were allocated to put %d", n, b.Size)
	}
	w := &watch{}
	fine(t, r.v.ReadBlob(ctx, ann, b, func(r io.Reader) error {
		_, err := io.Copy(w, r)
		return err
	}))
	open, err := r.v.OpenBlob(ctx, ann, b)
	fine(t, err)
	must(t, must2(io.Copy(w, io.NewSectionReader(open, 0, b.Size))), nil)
	if w.peak == 0 || w.peak > before.HeapAlloc+4<<20 {
		t.Errorf("%d octets are alive while %d are read; %d were before", w.peak, b.Size, before.HeapAlloc)
	}
}

// TestAStrangerReadsAFile finds and opens a file with the tools that HOLDFAST.txt names.
func TestAStrangerReadsAFile(t *testing.T) {
	for _, tool := range []string{"age", "jq", "sha256sum"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("%s is absent; scripts/need-tools.sh installs it", tool)
		}
	}
	root := t.TempDir()
	r := newRig(t, must2(dir.Open(vfs.OS, root, dir.Options{})))
	for i, f := range []film{{100_000}, {100}, {70_000}} {
		fine(t, r.v.PutBlob(ctx, []holdfast.ID{ann, bob, ann}[i], f.blob(t), f.open))
	}
	fine(t, os.WriteFile(filepath.Join(root, "recovery.txt"), r.recovery.File(), 0o600))
	cmd := exec.Command("sh", "-eu", "-c", "account="+ann.String()+"\n"+script(t, "files"))
	cmd.Dir, cmd.Stderr = root, os.Stderr
	fine(t, cmd.Run())
	for _, f := range []film{{100_000}, {70_000}} {
		b := f.blob(t)
		got, err := os.ReadFile(filepath.Join(root, "files", b.Hash.String()))
		if err != nil || int64(len(got)) != b.Size || holdfast.HashOf(got) != b.Hash {
			t.Errorf("%v: %d octets, %v", b, len(got), err)
		}
	}
	if list := must2(os.ReadDir(filepath.Join(root, "files"))); len(list) != 2 {
		t.Errorf("%v", list)
	}
}

// shaky is a place whose connections break after so many octets; the next one, after other ones.
type shaky struct {
	place.Place
	after []int64 // how many octets each connection lasts; 0: nothing comes
	gets  int
}

func (s *shaky) Get(ctx context.Context, name string, at, n int64) (io.ReadCloser, error) {
	r, err := s.Place.Get(ctx, name, at, n)
	if err != nil || !strings.HasPrefix(name, dirBlobs) {
		return r, err
	}
	last := s.after[min(s.gets, len(s.after)-1)]
	s.gets++
	return &breaks{r, last}, nil
}

// breaks is a connection that lasts for so many octets.
type breaks struct {
	io.ReadCloser
	left int64
}

func (b *breaks) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, place.Err("Get", holdfast.Unavailable, "", "the connection broke", nil)
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// TestABrokenConnectionIsGoneOnWith reads a file over connections that break: it goes on where they broke, as long as something comes.
func TestABrokenConnectionIsGoneOnWith(t *testing.T) {
	r, f := newRig(t, nil), film{700_000}
	b := f.blob(t)
	fine(t, r.v.PutBlob(ctx, ann, b, f.open))
	for _, x := range []struct {
		after []int64
		kind  holdfast.ErrorKind
	}{{[]int64{1 << 20}, 0}, {[]int64{100_000}, 0}, {[]int64{1, 0, 0, 65_535, 0, 1, 0, 300_000, 1 << 20}, 0}, {[]int64{0}, holdfast.Unavailable}, {[]int64{200_000, 0}, holdfast.Unavailable}} {
		opt := r.opt
		p := &shaky{Place: r.place, after: x.after}
		opt.Place, opt.Clock = p, clock.System
		v, err := Open(ctx, opt)
		fine(t, err)
		if err := v.VerifyBlob(ctx, ann, b); (x.kind == 0) != (err == nil) || err != nil && !holdfast.IsKind(err, x.kind) {
			t.Errorf("%v, after %d connections: %v", x.after, p.gets, err)
		}
	}
}
