package vaultd_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/place"
	"holdfast/internal/seal"
	"holdfast/internal/vault"
	"holdfast/internal/vaultd"
)

// film is a file that no memory holds.
type film struct{ size int64 }

func (f film) Size() int64              { return f.size }
func (f film) Close() error             { return nil }
func (f film) open() (blob.File, error) { return f, nil }
func (f film) whole() *io.SectionReader { return io.NewSectionReader(f, 0, f.size) }
func (f film) blob(t *testing.T) holdfast.Blob {
	t.Helper()
	h := sha256.New()
	_, err := io.Copy(h, f.whole())
	fine(t, err)
	return holdfast.Blob{Hash: holdfast.Hash(h.Sum(nil)), Size: f.size}
}

func (f film) ReadAt(p []byte, off int64) (n int, err error) {
	for ; n < len(p) && off+int64(n) < f.size; n++ {
		p[n] = byte((off+int64(n))>>16) ^ byte(off+int64(n))
	}
	if n < len(p) {
		err = io.EOF
	}
	return n, err
}

// blobs returns the names of the blobs' objects.
func blobs(t *testing.T, p place.Place) (out []string) {
	t.Helper()
	fine(t, p.List(t.Context(), "blobs/", "", func(i place.Info) error { out = append(out, i.Name); return nil }))
	return out
}

// TestBlobsAreTakenOnce puts a file through the guard: it may come, once, encrypted, under the name of a blob; then nobody replaces or removes it, and the scrub knows its hash.
func TestBlobsAreTakenOnce(t *testing.T) {
	r, f := newRig(t), film{300_000}
	b := f.blob(t)
	fine(t, r.v.PutBlob(t.Context(), r.people[0].ID, b, f.open))
	name := blobs(t, r.disk)[0]
	was := octets(t, r.disk, name)
	fine(t, put(r.guard, name, was))
	if err := put(r.guard, name, append(bytes.Clone(was), 'x')); !holdfast.IsKind(err, holdfast.Exists) {
		t.Error("it was replaced:", err)
	}
	if err := r.guard.Remove(t.Context(), name); !holdfast.IsKind(err, holdfast.Forbidden) {
		t.Error("it was removed:", err)
	}
	for _, version := range []string{".999999999999", ".000000000101"} { // behind the last of all the store would find none for a damaged one
		if err := put(r.guard, name+version, was); !holdfast.IsKind(err, holdfast.Invalid) {
			t.Errorf("the version %s was taken: %v", version, err)
		}
	}
	fine(t, put(r.guard, name+".000000000002", was))
	fine(t, put(r.guard, name+".000000000003", was))
	free := "blobs/ab/ab" + strings.Repeat("0", 62)
	for _, x := range []struct {
		name string
		b    []byte
	}{{free, []byte("plain text that is long enough to be one")}, {free, []byte("age")}, {free, nil}, {"blobs/ab/film.mp4", was}, {free + ".frames", was}} {
		if err := put(r.guard, x.name, x.b); !holdfast.IsKind(err, holdfast.Invalid) {
			t.Errorf("%s was taken: %v", x.name, err)
		}
	}
	s := &vaultd.Scrubber{Guard: r.guard, Rate: 1 << 30}
	rep, err := s.Once(t.Context())
	if err != nil || len(rep.Damaged) > 0 {
		t.Fatal(rep, err)
	}
	if !bytes.Equal(octets(t, r.disk, name), was) {
		t.Fatal("it is another")
	}
	fine(t, r.disk.Remove(t.Context(), name))
	was[len(was)/2] ^= 1
	fine(t, r.disk.Put(t.Context(), name, bytes.NewReader(was)))
	if rep, err = s.Once(t.Context()); err != nil || len(rep.Damaged) != 1 || !strings.Contains(rep.Damaged[0], name) {
		t.Errorf("the scrub found %v, %v", rep.Damaged, err)
	}
	fine(t, r.v.MendBlob(t.Context(), r.people[0].ID, b, f.open))
	fine(t, r.v.VerifyBlob(t.Context(), r.people[0].ID, b))
	fine(t, r.disk.Remove(t.Context(), name))
	if rep, err = s.Once(t.Context()); err != nil || len(rep.Damaged) != 1 {
		t.Errorf("the scrub found %v, %v", rep.Damaged, err)
	}
}

// TestABlobMayBeTooMuch has a server give the vault less than the file needs: nothing of it stays, and small things still come.
func TestABlobMayBeTooMuch(t *testing.T) {
	r, f := newRig(t), film{300_000}
	g, err := vaultd.NewGuard(t.Context(), r.disk, r.index, vaultd.Options{Clock: r.clock, MaxOctets: 200_000})
	fine(t, err)
	o := r.opt
	o.Place = g
	v, err := vault.Open(t.Context(), o)
	fine(t, err)
	if err := v.PutBlob(t.Context(), r.people[0].ID, f.blob(t), f.open); !holdfast.IsKind(err, holdfast.Full) {
		t.Fatal("more was taken than is given:", err)
	}
	if names := blobs(t, r.disk); len(names) != 0 {
		t.Fatal(names)
	}
	small := film{100_000}
	fine(t, v.PutBlob(t.Context(), r.people[0].ID, small.blob(t), small.open))
}

// TestALargeBlobGoesToAServer sends 80 MiB, which is more than a client would hold in memory, and reads a part: neither side allocates more than a small part of it.
func TestALargeBlobGoesToAServer(t *testing.T) {
	r, f := newRig(t), film{80 << 20}
	b := f.blob(t)
	o := r.opt
	o.Place = serve(t, r.guard, nil).place(t, "")
	v, err := vault.Open(t.Context(), o)
	fine(t, err)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fine(t, v.PutBlob(t.Context(), r.people[0].ID, b, f.open))
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 8<<20 {
		t.Errorf("%d octets were allocated to send %d", n, b.Size)
	}
	file, err := v.OpenBlob(t.Context(), r.people[0].ID, b)
	fine(t, err)
	got, want := make([]byte, 1<<20), make([]byte, 1<<20)
	_, err = file.ReadAt(got, 50<<20)
	fine(t, err)
	_, _ = f.ReadAt(want, 50<<20)
	if !bytes.Equal(got, want) {
		t.Error("a part is something else")
	}
	fine(t, v.VerifyBlob(t.Context(), r.people[0].ID, b))
}

// TestBlobsOfAnErasedAccount erases an account behind the guard: its blobs go by the list that the store has signed, as late as its key, whoever lets them go; others' stay, also where a stranger lists them.
func TestBlobsOfAnErasedAccount(t *testing.T) {
	for _, way := range []string{"the store", "the server"} {
		r := newRig(t)
		r.write(5)
		var mine []holdfast.Hash
		for i := range 3 {
			b := film{int64(1000 + i)}.blob(t)
			fine(t, r.v.PutBlob(t.Context(), r.people[0].ID, b, film{b.Size}.open))
			mine = append(mine, b.Hash)
		}
		before := blobs(t, r.disk)
		fine(t, r.v.PutBlob(t.Context(), r.people[1].ID, film{1000}.blob(t), film{1000}.open))
		other := slices.DeleteFunc(blobs(t, r.disk), func(x string) bool { return slices.Contains(before, x) })
		named := func(_ context.Context, fn func(holdfast.Hash) error) error {
			for _, h := range mine {
				fine(t, fn(h))
			}
			return nil
		}
		stranger, err := seal.NewRing(false)
		fine(t, err)
		id := r.people[0].ID
		theirs, err := seal.SignLine(stranger.Signer, vault.Condemned{Account: id, Number: 1, Last: true, Blobs: other})
		fine(t, err)
		if err := put(r.guard, vault.CondemnedName(id, 1), theirs); !holdfast.IsKind(err, holdfast.Invalid) {
			t.Errorf("a list before the erasure: %v", err)
		}
		erase := func() []string {
			left, err := r.v.Erase(t.Context(), r.w, id, named)
			fine(t, err)
			return slices.DeleteFunc(left, func(x string) bool { return strings.HasPrefix(x, "tail/") })
		}
		if left := erase(); len(left) != 2 {
			t.Fatalf("its key and a list are left, and it says %q", left)
		}
		if err := put(r.guard, vault.CondemnedName(id, 2), theirs); !holdfast.IsKind(err, holdfast.Invalid) {
			t.Errorf("a stranger's list: %v", err)
		}
		if err := r.guard.Remove(t.Context(), before[0]); !holdfast.IsKind(err, holdfast.Forbidden) {
			t.Errorf("a blob went at once: %v", err)
		}
		r.days(8)
		if err := r.guard.Remove(t.Context(), other[0]); !holdfast.IsKind(err, holdfast.Forbidden) {
			t.Errorf("another's blob went: %v", err)
		}
		if way == "the store" {
			if left := erase(); len(left) != 0 {
				t.Errorf("after a week %q are left", left)
			}
		} else {
			var gone []string
			fine(t, r.guard.Prune(t.Context(), false, func(name string, _ int64) { gone = append(gone, name) }))
			if len(gone) < 5 || gone[len(gone)-1] != vault.CondemnedName(id, 1) {
				t.Errorf("after a week %q went", gone)
			}
		}
		if got := blobs(t, r.disk); !slices.Equal(got, other) {
			t.Errorf("%s: %q are left, not %q", way, got, other)
		}
		if left := erase(); len(left) != 0 {
			t.Errorf("in the end %q are left", left)
		}
	}
}
