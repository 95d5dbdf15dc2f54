// Package blobtest is the one suite for all kinds of blob stores: a test a clause, then random operations that a store and the model must answer alike.
package blobtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/blob/memory"
)

// Rig is a store under test.
type Rig struct {
	Store blob.Store
	// Reopen closes the store and opens it again; nil: it cannot be.
	Reopen func(t *testing.T) blob.Store
	// Damage changes what is stored of a blob, as rot or an operator does; nil: it cannot be.
	Damage func(t *testing.T, account holdfast.ID, h holdfast.Hash, fn func([]byte) []byte)
	// Left returns how many things are there that are no blobs, as interrupted uploads leave them; nil: nobody knows.
	Left func(t *testing.T) int
	// Small keeps sizes and numbers low, for a store that is slow.
	Small bool
}

// Run runs the suite. open returns an empty store.
func Run(t *testing.T, open func(*testing.T) Rig) {
	for _, x := range []struct {
		name string
		test func(*testing.T, Rig)
	}{
		{"WhatWasPutIsRead", sizes}, {"AnyRange", ranges}, {"TooLarge", tooLarge}, {"AReaderThatFails", readerFails}, {"Dropped", dropped}, {"Staged", staged}, {"Twice", twice}, {"AccountsAreApart", apart},
		{"NotThere", notThere}, {"ListedInPages", pages}, {"Removed", removed}, {"WhoWaitsNoLonger", cancelled}, {"Damage", damage}, {"Concurrently", concurrently}, {"AsTheModel", random},
	} {
		t.Run(x.name, func(t *testing.T) {
			r := open(t)
			x.test(t, r)
			if r.Left != nil {
				if n := r.Left(t); n != 0 {
					t.Errorf("%d files are left over", n)
				}
			}
			if err := r.Store.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

const noLimit = 1 << 40

// Octets returns octets that no other seed gives.
func Octets(seed uint64, size int) []byte {
	c := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16), 1})
	b := make([]byte, size)
	c.Read(b)
	return b
}

func put(t *testing.T, s blob.Store, account holdfast.ID, octets []byte) holdfast.Blob {
	t.Helper()
	b, err := Put(t.Context(), s, account, octets)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Put stages and keeps octets.
func Put(ctx context.Context, s blob.Store, account holdfast.ID, octets []byte) (holdfast.Blob, error) {
	x, err := s.Stage(ctx, account, bytes.NewReader(octets), noLimit)
	if err != nil {
		return holdfast.Blob{}, err
	}
	defer x.Drop()
	return x.Blob(), x.Keep(ctx)
}

// Read returns all octets of a blob.
func Read(ctx context.Context, s blob.Store, account holdfast.ID, h holdfast.Hash) ([]byte, error) {
	f, err := s.Open(ctx, account, h)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
}

func want(t *testing.T, what string, err error, kind holdfast.ErrorKind) {
	t.Helper()
	if !holdfast.IsKind(err, kind) {
		t.Errorf("%s: %v, want %v", what, err, kind)
	}
}

func account(n byte) holdfast.ID { return holdfast.ID{n, 1} }

func sizes(t *testing.T, r Rig) {
	for i, size := range []int{0, 1, 100, blob.Piece - 1, blob.Piece, blob.Piece + 1, 2 * blob.Piece, 3*blob.Piece + 5} {
		octets := Octets(uint64(i), size)
		b := put(t, r.Store, account(1), octets)
		if b.Hash != holdfast.HashOf(octets) || b.Size != int64(size) {
			t.Fatalf("%d octets are %v", size, b)
		}
		got, err := Read(t.Context(), r.Store, account(1), b.Hash)
		if err != nil || !bytes.Equal(got, octets) {
			t.Fatalf("%d octets came back as %d: %v", size, len(got), err)
		}
		if err := r.Store.Verify(t.Context(), account(1), b.Hash); err != nil {
			t.Error(err)
		}
		in, err := r.Store.Stat(t.Context(), account(1), b.Hash)
		if err != nil || in.Blob != b || in.Account != account(1) {
			t.Errorf("it is described as %+v: %v", in, err)
		}
	}
}

func ranges(t *testing.T, r Rig) {
	octets := Octets(1, 2*blob.Piece+77)
	b := put(t, r.Store, account(1), octets)
	f, err := r.Store.Open(t.Context(), account(1), b.Hash)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size := int64(len(octets))
	for _, x := range [][2]int64{{0, 0}, {0, 1}, {0, blob.Piece}, {1, blob.Piece}, {blob.Piece - 1, 2}, {blob.Piece, blob.Piece + 77}, {size - 1, 1}, {size - 1, 2}, {size, 1}, {size + 9, 3}, {5, size}, {0, size}} {
		p := make([]byte, x[1])
		n, err := f.ReadAt(p, x[0])
		wanted := octets[min(x[0], size):min(x[0]+x[1], size)]
		if !bytes.Equal(p[:n], wanted) || (n < len(p)) != errors.Is(err, io.EOF) {
			t.Errorf("%d octets from %d on: %d, %v", x[1], x[0], n, err)
		}
	}
	if _, err := f.ReadAt(make([]byte, 1), -1); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("before the first octet: %v", err)
	}
	var wg sync.WaitGroup
	for i := range int64(8) {
		wg.Go(func() {
			p := make([]byte, 100_000)
			if _, err := f.ReadAt(p, i*200_000); err != nil || !bytes.Equal(p, octets[i*200_000:][:100_000]) {
				t.Errorf("with others at once: %v", err)
			}
		})
	}
	wg.Wait()
}

func tooLarge(t *testing.T, r Rig) {
	x, err := r.Store.Stage(t.Context(), account(1), bytes.NewReader(Octets(1, 1000)), 1000)
	if err != nil {
		t.Fatal(err)
	}
	x.Drop()
	_, err = r.Store.Stage(t.Context(), account(1), bytes.NewReader(Octets(1, 1001)), 1000)
	want(t, "one octet too many", err, holdfast.TooLarge)
	endless := &endless{}
	_, err = r.Store.Stage(t.Context(), account(1), endless, 1<<20)
	want(t, "without end", err, holdfast.TooLarge)
	if endless.n > 3<<20 {
		t.Errorf("%d octets were read of what has no end", endless.n)
	}
}

type endless struct{ n int }

func (e *endless) Read(p []byte) (int, error) { e.n += len(p); return len(p), nil }

func readerFails(t *testing.T, r Rig) {
	broke := errors.New("the line broke")
	for _, n := range []int{0, 1, blob.Piece + 5} {
		_, err := r.Store.Stage(t.Context(), account(1), io.MultiReader(bytes.NewReader(Octets(1, n)), iotest.ErrReader(broke)), noLimit)
		if !errors.Is(err, broke) {
			t.Errorf("after %d octets: %v", n, err)
		}
	}
	if all := listed(t, r.Store, account(1)); len(all) != 0 {
		t.Errorf("%d blobs are there", len(all))
	}
}

func dropped(t *testing.T, r Rig) {
	x, err := r.Store.Stage(t.Context(), account(1), strings.NewReader("never mind"), noLimit)
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.Store.Stat(t.Context(), account(1), x.Blob().Hash)
	want(t, "before it is kept", err, holdfast.NotFound)
	x.Drop()
	x.Drop()
	_, err = r.Store.Stat(t.Context(), account(1), x.Blob().Hash)
	want(t, "dropped", err, holdfast.NotFound)
}

func twice(t *testing.T, r Rig) {
	octets := Octets(1, 100_000)
	b := put(t, r.Store, account(1), octets)
	before, err := r.Store.Stat(t.Context(), account(1), b.Hash)
	if err != nil {
		t.Fatal(err)
	}
	if again := put(t, r.Store, account(1), octets); again != b {
		t.Errorf("%v, then %v", b, again)
	}
	all := listed(t, r.Store, account(1))
	if len(all) != 1 || all[0] != before {
		t.Errorf("%v, then %v", before, all)
	}
}

func apart(t *testing.T, r Rig) {
	b := put(t, r.Store, account(1), []byte("the same"))
	_, err := r.Store.Open(t.Context(), account(2), b.Hash)
	want(t, "another's", err, holdfast.NotFound)
	put(t, r.Store, account(2), []byte("the same"))
	if err := r.Store.Remove(t.Context(), account(1), b.Hash); err != nil {
		t.Fatal(err)
	}
	if got, err := Read(t.Context(), r.Store, account(2), b.Hash); string(got) != "the same" {
		t.Errorf("%q, %v", got, err)
	}
	_, err = r.Store.Open(t.Context(), account(1), b.Hash)
	want(t, "removed", err, holdfast.NotFound)
}

func notThere(t *testing.T, r Rig) {
	h, s, ctx := holdfast.HashOf([]byte("nothing")), r.Store, t.Context()
	for range 2 { // of an account that has none, and that has another
		_, err := s.Open(ctx, account(1), h)
		want(t, "Open", err, holdfast.NotFound)
		_, err = s.Stat(ctx, account(1), h)
		want(t, "Stat", err, holdfast.NotFound)
		want(t, "Verify", s.Verify(ctx, account(1), h), holdfast.NotFound)
		want(t, "Remove", s.Remove(ctx, account(1), h), holdfast.NotFound)
		put(t, s, account(1), []byte("something"))
	}
	if all := listed(t, s, account(2)); len(all) != 0 {
		t.Errorf("an account without blobs has %d", len(all))
	}
}

// listed lists all blobs of an account.
func listed(t *testing.T, s blob.Store, account holdfast.ID) (out []blob.Info) {
	t.Helper()
	if err := s.List(t.Context(), account, nil, 0, func(i blob.Info) error { out = append(out, i); return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

func pages(t *testing.T, r Rig) {
	n := 40
	var hashes []holdfast.Hash
	for i := range n {
		hashes = append(hashes, put(t, r.Store, account(3), fmt.Append(nil, i)).Hash)
		put(t, r.Store, account(byte(1+i%2)), fmt.Append(nil, "another's ", i))
	}
	slices.SortFunc(hashes, func(a, b holdfast.Hash) int { return bytes.Compare(a[:], b[:]) })
	for _, limit := range []int{0, 1, 7, n, n + 1} {
		var got []holdfast.Hash
		var after *holdfast.Hash
		for {
			page := 0
			if err := r.Store.List(t.Context(), account(3), after, limit, func(i blob.Info) error {
				got, page = append(got, i.Hash), page+1
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if limit == 0 || page < limit {
				break
			}
			after = &got[len(got)-1]
		}
		if !slices.Equal(got, hashes) {
			t.Errorf("by %d: %d of %d, or in another order", limit, len(got), n)
		}
	}
	mine := errors.New("enough")
	if err := r.Store.List(t.Context(), account(3), nil, 0, func(blob.Info) error { return mine }); err != mine {
		t.Errorf("who has enough is told %v", err)
	}
	if got, err := r.Store.Accounts(t.Context()); err != nil || !slices.Equal(got, []holdfast.ID{account(1), account(2), account(3)}) {
		t.Errorf("accounts: %v, %v", got, err)
	}
}

func removed(t *testing.T, r Rig) {
	octets := Octets(1, 2*blob.Piece)
	b := put(t, r.Store, account(1), octets)
	f, err := r.Store.Open(t.Context(), account(1), b.Hash)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := r.Store.Remove(t.Context(), account(1), b.Hash); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(octets))
	if _, err := f.ReadAt(got, 0); err != nil && !holdfast.IsKind(err, holdfast.NotFound) || err == nil && !bytes.Equal(got, octets) {
		t.Errorf("who has it open: %v", err)
	}
	want(t, "again", r.Store.Remove(t.Context(), account(1), b.Hash), holdfast.NotFound)
	put(t, r.Store, account(1), octets)
	if got, err := Read(t.Context(), r.Store, account(1), b.Hash); err != nil || !bytes.Equal(got, octets) {
		t.Errorf("put anew: %v", err)
	}
}

func cancelled(t *testing.T, r Rig) {
	ctx, cancel := context.WithCancel(t.Context())
	_, err := r.Store.Stage(ctx, account(1), io.MultiReader(strings.NewReader("a"), readerFunc(func(p []byte) (int, error) { cancel(); return copy(p, "b"), nil })), noLimit)
	if err == nil {
		t.Error("a put went on though nobody waits for it")
	}
	if all := listed(t, r.Store, account(1)); len(all) != 0 {
		t.Errorf("%d blobs are there", len(all))
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func damage(t *testing.T, r Rig) {
	if r.Damage == nil {
		t.Skip("what this store holds cannot be damaged from outside")
	}
	octets, other := Octets(1, 2*blob.Piece+9), Octets(2, 2*blob.Piece+9)
	var others []byte
	b := put(t, r.Store, account(1), octets)
	r.Damage(t, account(1), put(t, r.Store, account(1), other).Hash, func(p []byte) []byte { others = slices.Clone(p); return p })
	for what, fn := range map[string]func([]byte) []byte{
		"an octet":           func(p []byte) []byte { p[blob.Piece+3] ^= 1; return p },
		"the last octet":     func(p []byte) []byte { p[len(octets)-1] ^= 1; return p },
		"a sum":              func(p []byte) []byte { p[len(octets)+40] ^= 1; return p },
		"the trailer":        func(p []byte) []byte { p[len(p)-40] ^= 1; return p },
		"the last":           func(p []byte) []byte { p[len(p)-1] ^= 1; return p },
		"cut off":            func(p []byte) []byte { return p[:len(p)-1] },
		"cut off by a piece": func(p []byte) []byte { return p[blob.Piece:] },
		"grown":              func(p []byte) []byte { return append(p, 0) },
		"empty":              func([]byte) []byte { return nil },
		"another's":          func([]byte) []byte { return slices.Clone(others) },
	} {
		r.Damage(t, account(1), b.Hash, fn)
		got, err := Read(t.Context(), r.Store, account(1), b.Hash)
		if !bytes.HasPrefix(octets, got) {
			t.Errorf("%s: octets were handed out that were not put", what)
		}
		want(t, what, err, holdfast.Corrupt)
		want(t, what+", verified", r.Store.Verify(t.Context(), account(1), b.Hash), holdfast.Corrupt)
		put(t, r.Store, account(1), octets)
		if err := r.Store.Verify(t.Context(), account(1), b.Hash); err != nil {
			t.Errorf("%s: put again it is %v", what, err)
		}
	}
	r.Damage(t, account(1), b.Hash, func(p []byte) []byte { p[blob.Piece+3] ^= 1; return p })
	f, err := r.Store.Open(t.Context(), account(1), b.Hash)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p := make([]byte, 1000)
	if _, err := f.ReadAt(p, 2*blob.Piece-1000); !holdfast.IsKind(err, holdfast.Corrupt) {
		t.Errorf("a range beside the damage, in its piece: %v", err)
	}
	if _, err := f.ReadAt(p, blob.Piece-1000); err != nil || !bytes.Equal(p, octets[blob.Piece-1000:blob.Piece]) {
		t.Errorf("a range before the damage: %v", err)
	}
}

func concurrently(t *testing.T, r Rig) {
	n := 200
	if r.Small {
		n = 30
	}
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range n / 4 {
				octets := Octets(uint64(w*1000+i), i*997+1)
				b, err := Put(t.Context(), r.Store, account(byte(1+i%3)), octets)
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := Read(t.Context(), r.Store, account(byte(1+i%3)), b.Hash); err != nil || !bytes.Equal(got, octets) {
					t.Errorf("%d octets came back as %d: %v", len(octets), len(got), err)
				}
				if i%4 == 0 {
					if err := r.Store.Remove(t.Context(), account(byte(1+i%3)), b.Hash); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
}

// random does the same to a store and to the model.
func random(t *testing.T, r Rig) {
	steps := 300
	if r.Small {
		steps = 120
	}
	for seed := range uint64(2) {
		rng := rand.New(rand.NewPCG(seed, 7))
		model := memory.New(nil)
		for _, id := range []holdfast.ID{account(1), account(2)} {
			for _, i := range listed(t, r.Store, id) {
				if err := r.Store.Remove(t.Context(), id, i.Hash); err != nil {
					t.Fatal(err)
				}
			}
		}
		for range steps {
			if r.Reopen != nil && rng.IntN(60) == 0 {
				r.Store = r.Reopen(t)
			}
			step(t, rng, r.Store, model)
		}
	}
}

// step does one thing to both, and compares what both say.
func step(t *testing.T, rng *rand.Rand, s, model blob.Store) {
	t.Helper()
	ctx, id, n := t.Context(), account(byte(1+rng.IntN(2))), rng.Uint64N(12)
	octets := Octets(n, int(n*n*n*1200))
	h := holdfast.HashOf(octets)
	say := func(s blob.Store, what int) string {
		switch what {
		case 0, 1:
			b, err := Put(ctx, s, id, octets)
			return fmt.Sprint("put ", b, holdfast.KindOf(err))
		case 2:
			got, err := Read(ctx, s, id, h)
			return fmt.Sprint("read ", len(got), holdfast.HashOf(got), holdfast.KindOf(err))
		case 3:
			return fmt.Sprint("remove ", holdfast.KindOf(s.Remove(ctx, id, h)))
		case 4:
			i, err := s.Stat(ctx, id, h)
			i.Made = time.Time{}
			return fmt.Sprint("stat ", i, holdfast.KindOf(err))
		case 5:
			return fmt.Sprint("verify ", holdfast.KindOf(s.Verify(ctx, id, h)))
		}
		out := fmt.Sprint("list ", limitOf(n))
		err := s.List(ctx, id, &h, limitOf(n), func(i blob.Info) error { out += fmt.Sprint(" ", i.Hash, i.Size); return nil })
		return out + fmt.Sprint(holdfast.KindOf(err))
	}
	what := rng.IntN(7)
	if got, wanted := say(s, what), say(model, what); got != wanted {
		t.Fatalf("the store says %s\nthe model says %s", got, wanted)
	}
}

func limitOf(n uint64) int { return int(n % 4) }
