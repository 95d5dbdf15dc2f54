package seal

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"filippo.io/age"

	"holdfast"
)

// TestStream seals octets of sizes around a chunk's, and opens them as age does, as we do, and by the part; read again it is the same.
func TestStream(t *testing.T) {
	for _, hybrid := range []bool{false, true} {
		id, err := NewIdentity(hybrid)
		if err != nil {
			t.Fatal(err)
		}
		for _, size := range []int64{0, 1, chunkSize - 1, chunkSize, chunkSize + 1, 2 * chunkSize, 5*chunkSize + 17} {
			plain := make([]byte, size)
			_, _ = rand.Read(plain)
			s, err := NewStream(bytes.NewReader(plain), size, id.Recipient())
			if err != nil {
				t.Fatal(err)
			}
			sealed, err := io.ReadAll(iotest.HalfReader(s))
			if want, err2 := SealedSize(size, id.Recipient()); err != nil || err2 != nil || int64(len(sealed)) != s.Size() || want != s.Size() {
				t.Fatalf("%d octets: sealed are %d, not %d: %v %v", size, len(sealed), s.Size(), err, err2)
			}
			_, _ = s.Seek(3, io.SeekStart)
			if again, err := io.ReadAll(s); err != nil || !bytes.Equal(again, sealed[3:]) {
				t.Fatalf("%d octets: read again it is another: %v", size, err)
			}
			r, err := age.Decrypt(bytes.NewReader(sealed), id.age)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, plain) {
				t.Fatalf("%d octets: age reads something else: %v", size, err)
			}
			if r, err = Decrypt(bytes.NewReader(sealed), id); err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, plain) {
				t.Fatalf("%d octets: opened it is something else: %v", size, err)
			}
			at, n, err := DecryptAt(bytes.NewReader(sealed), int64(len(sealed)), id)
			if err != nil || n != size {
				t.Fatalf("%d octets: it says %d: %v", size, n, err)
			}
			if got, err := io.ReadAll(io.NewSectionReader(at, size/3, size)); err != nil || !bytes.Equal(got, plain[size/3:]) {
				t.Fatalf("%d octets: a part is something else: %v", size, err)
			}
		}
	}
}

// failing ends in an error of its own.
type failing struct{ err error }

func (f failing) ReadAt([]byte, int64) (int, error) { return 0, f.err }

func TestStreamErrors(t *testing.T) {
	id, _ := NewIdentity(false)
	other, _ := NewIdentity(false)
	own := &holdfast.Error{Op: "test", Kind: holdfast.Unavailable}
	s, _ := NewStream(failing{own}, 100, id.Recipient())
	if _, err := io.ReadAll(s); !errors.Is(err, own) {
		t.Error("the source's error is not told:", err)
	}
	s, _ = NewStream(bytes.NewReader(make([]byte, 99)), 100, id.Recipient())
	if _, err := io.ReadAll(s); err == nil {
		t.Error("a source that is too short was sealed")
	}
	s, _ = NewStream(bytes.NewReader(make([]byte, 200_000)), 200_000, id.Recipient())
	sealed, _ := io.ReadAll(s)
	size := int64(len(sealed))
	if _, _, err := DecryptAt(failing{own}, size, id); !holdfast.IsKind(err, holdfast.Unavailable) {
		t.Error("a place that cannot be reached is told as", err)
	}
	if _, _, err := DecryptAt(bytes.NewReader(sealed), size, other); !holdfast.IsKind(err, holdfast.Unauthorized) {
		t.Error("another key:", err)
	}
	if _, _, err := DecryptAt(bytes.NewReader(sealed[:size-1]), size-1, id); !holdfast.IsKind(err, holdfast.Corrupt) {
		t.Error("cut short:", err)
	}
	sealed[size/2] ^= 1
	at, _, err := DecryptAt(bytes.NewReader(sealed), size, id)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(io.NewSectionReader(at, 0, 200_000)); !holdfast.IsKind(err, holdfast.Corrupt) {
		t.Error("a turned bit:", err)
	}
	if id.MAC("a", []byte("x")) == id.MAC("b", []byte("x")) || id.MAC("a", []byte("x")) == other.MAC("a", []byte("x")) {
		t.Error("two keys give one name")
	}
}
