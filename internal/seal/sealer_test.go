package seal

import (
	"bytes"
	"crypto/rand"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"filippo.io/age"
)

// TestSealer opens pieces of all sizes about a chunk's border with the age library, and some with Debian's age.
func TestSealer(t *testing.T) {
	for _, hybrid := range []bool{false, true} {
		id := must(NewIdentity(hybrid))(t)
		s := must(NewSealer(id.Recipient()))(t)
		seen := map[string]bool{}
		for _, n := range []int{0, 1, 100, chunkSize - 1, chunkSize, chunkSize + 1, 3 * chunkSize, 3*chunkSize + 17} {
			plain := make([]byte, n)
			_, _ = rand.Read(plain)
			piece := must(s.Append([]byte("before"), plain))(t)
			if len(piece) != len("before")+s.Size(n) {
				t.Fatalf("a piece of %d has %d octets, said %d", n, len(piece)-6, s.Size(n))
			}
			piece = piece[len("before"):]
			r, err := age.Decrypt(bytes.NewReader(piece), id.age)
			if err != nil {
				t.Fatal(n, err)
			}
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, plain) {
				t.Fatalf("%d octets came back as %d, %v", n, len(got), err)
			}
			nonce := string(piece[len(s.header) : len(s.header)+payloadNonce])
			if seen[nonce] {
				t.Fatal("two pieces have one key")
			}
			seen[nonce] = true
		}
		other := must(NewSealer(id.Recipient()))(t)
		if bytes.Equal(other.fileKey, s.fileKey) {
			t.Fatal("two sealers have one key")
		}
	}
}

func TestSealerWithDebiansAge(t *testing.T) {
	if _, err := exec.LookPath("age"); err != nil {
		t.Fatal("age is not installed: apt-get install age")
	}
	id := must(NewIdentity(false))(t)
	s := must(NewSealer(id.Recipient()))(t)
	dir := t.TempDir()
	key, file := filepath.Join(dir, "key.txt"), filepath.Join(dir, "piece.age")
	if err := os.WriteFile(key, []byte(id.Secret()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, plain := range []string{"", "the first", "the second", string(bytes.Repeat([]byte("long "), 40_000))} {
		if err := os.WriteFile(file, must(s.Append(nil, []byte(plain)))(t), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := exec.Command("age", "-d", "-i", key, file).Output(); err != nil || string(got) != plain {
			t.Fatalf("%d octets came back as %d, %v", len(plain), len(got), err)
		}
	}
}

func BenchmarkSealer(b *testing.B) {
	id, err := NewIdentity(false)
	if err != nil {
		b.Fatal(err)
	}
	s, err := NewSealer(id.Recipient())
	if err != nil {
		b.Fatal(err)
	}
	plain := make([]byte, 4000)
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		if buf, err = s.Append(buf[:0], plain); err != nil {
			b.Fatal(err)
		}
	}
}
