package blob_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math"
	"testing"
	"testing/iotest"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/blob/blobtest"
)

func same(err error) error { return err }

// TestTheFormatStays holds what lies on disks: a file that was stored is read by every later version.
func TestTheFormatStays(t *testing.T) {
	octets := blobtest.Octets(1, 2*blob.Piece+5)
	var out bytes.Buffer
	b, err := blob.Take(t.Context(), &out, iotest.HalfReader(bytes.NewReader(octets)), math.MaxInt64, same)
	if err != nil || b != (holdfast.Blob{Hash: holdfast.HashOf(octets), Size: int64(len(octets))}) {
		t.Fatal(b, err)
	}
	stored := out.Bytes()
	if !bytes.Equal(stored[:len(octets)], octets) || int64(len(stored)) != blob.StoredSize(b.Size) {
		t.Fatalf("%d octets are stored as %d", len(octets), len(stored))
	}
	if sum := sha256.Sum256(stored[len(octets):]); hex.EncodeToString(sum[:]) != "1fd023828d7a3dda8ff91b61054ed6d0da17a78480e9be32dcab8e143416f879" {
		t.Errorf("what is behind the octets is %x", sum)
	}
}

// TestTakeTellsWhoseErrorItIs breaks either side, at each piece.
func TestTakeTellsWhoseErrorItIs(t *testing.T) {
	octets, theirs, ours := blobtest.Octets(1, 900<<10), errors.New("the reader's"), errors.New("the writer's")
	own := func(err error) error { return errors.Join(err, ours) }
	for at := 0; at <= len(octets); at += 100 << 10 {
		_, err := blob.Take(t.Context(), io.Discard, io.MultiReader(bytes.NewReader(octets[:at]), iotest.ErrReader(theirs)), math.MaxInt64, own)
		if !errors.Is(err, theirs) || errors.Is(err, ours) {
			t.Errorf("the reader's error after %d octets: %v", at, err)
		}
		_, err = blob.Take(t.Context(), &failing{left: at}, bytes.NewReader(octets), math.MaxInt64, own)
		if !errors.Is(err, ours) {
			t.Errorf("the writer's error after %d octets: %v", at, err)
		}
		_, err = blob.Take(t.Context(), io.Discard, bytes.NewReader(octets), int64(at), own)
		if wanted := at < len(octets); holdfast.IsKind(err, holdfast.TooLarge) != wanted || !wanted && err != nil {
			t.Errorf("a limit of %d: %v", at, err)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(theirs)
	if _, err := blob.Take(ctx, io.Discard, bytes.NewReader(octets), math.MaxInt64, own); !errors.Is(err, theirs) {
		t.Errorf("its context has ended: %v", err)
	}
}

// failing takes so many octets.
type failing struct{ left int }

func (f *failing) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}
