package memory_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/blob/blobtest"
	"holdfast/internal/blob/memory"
)

func TestStore(t *testing.T) {
	blobtest.Run(t, func(*testing.T) blobtest.Rig { return blobtest.Rig{Store: memory.New(nil)} })
}

// TestForget forgets an erased account: also what an upload holds goes, and nothing of others.
func TestForget(t *testing.T) {
	s := memory.New(nil)
	k := blob.NewKeeper(s)
	for _, x := range []struct {
		account byte
		octets  string
	}{{1, "a"}, {1, "b"}, {2, "a"}} {
		pin, err := k.Put(t.Context(), holdfast.ID{x.account}, strings.NewReader(x.octets), 10)
		if err != nil {
			t.Fatal(err)
		}
		if x.octets == "a" {
			pin.Release()
		}
	}
	for range 2 {
		if err := k.Forget(t.Context(), holdfast.ID{1}); err != nil {
			t.Fatal(err)
		}
	}
	for account, want := range map[byte]int{1: 0, 2: 1} {
		n := 0
		if err := k.List(t.Context(), holdfast.ID{account}, nil, 0, func(blob.Info) error { n++; return nil }); err != nil || n != want {
			t.Errorf("of the account %d there are %d, %v", account, n, err)
		}
	}
}

// slow is a store whose blobs become durable when it is told.
type slow struct {
	blob.Store
	durable chan error
}

func (s slow) Stage(ctx context.Context, account holdfast.ID, r io.Reader, limit int64) (blob.Staged, error) {
	x, err := s.Store.Stage(ctx, account, r, limit)
	return slowly{x, s.durable}, err
}

type slowly struct {
	blob.Staged
	durable chan error
}

func (x slowly) Keep(ctx context.Context) error {
	if err := <-x.durable; err != nil {
		return err
	}
	return x.Staged.Keep(ctx)
}

// TestACopyIsMadeMeanwhile copies what the store has not made durable, and lets each of both fail.
func TestACopyIsMadeMeanwhile(t *testing.T) {
	broken := errors.New("broken")
	for _, x := range []struct{ wanted, kept, copied, want error }{{}, {kept: broken, want: broken}, {copied: broken, want: broken}, {kept: broken, copied: io.ErrShortWrite, want: broken}, {wanted: broken, want: broken}} {
		s := slow{memory.New(nil), make(chan error, 1)}
		k := blob.NewKeeper(s)
		var late blob.Opener
		pin, err := k.PutAndCopy(t.Context(), holdfast.ID{1}, strings.NewReader("a photo"), 10, blob.Intake{Wanted: func(holdfast.Blob) error { return x.wanted }, Copy: func(ctx context.Context, b holdfast.Blob, open blob.Opener) error {
			late = open
			f, err := open(ctx)
			if err != nil {
				return err
			}
			defer f.Close()
			if _, err := k.Stat(ctx, holdfast.ID{1}, b.Hash); !holdfast.IsKind(err, holdfast.NotFound) {
				t.Errorf("it is there before it was kept: %v", err)
			}
			got := make([]byte, b.Size)
			if _, err := f.ReadAt(got, 0); err != nil && err != io.EOF || string(got) != "a photo" {
				t.Errorf("%q, %v", got, err)
			}
			s.durable <- x.kept
			if x.kept != nil {
				<-ctx.Done() // a copy of what is not kept would be for nothing
			}
			return x.copied
		}})
		if !errors.Is(err, x.want) || (pin == nil) != (err != nil) {
			t.Fatalf("%+v: %v, %v", x, pin, err)
		}
		h := holdfast.HashOf([]byte("a photo"))
		free := func() (bool, error) { return true, nil }
		if pin != nil {
			if f, err := late(t.Context()); err != nil || f.Size() != 7 {
				t.Errorf("behind its end: %v", err)
			}
			if gone, err := k.LetGo(t.Context(), holdfast.ID{1}, h, free); gone || err != nil {
				t.Errorf("what is pinned went: %v", err)
			}
			pin.Release()
		}
		if gone, err := k.LetGo(t.Context(), holdfast.ID{1}, h, free); x.wanted == nil && x.kept == nil && (!gone || err != nil) {
			t.Errorf("%+v: what nobody holds stays: %v", x, err)
		}
	}
}
