package seal

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast"
)

var made = time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// prose is n octets that compress somewhat.
func prose(seed uint64, n int) []byte {
	r := mrand.New(mrand.NewPCG(seed, 1))
	b := make([]byte, 0, n+32)
	for len(b) < n {
		b = fmt.Appendf(b, "line %d of %x\n", len(b), r.Uint32())
	}
	return b[:n]
}

func TestSealAndOpen(t *testing.T) {
	for _, hybrid := range []bool{false, true} {
		a, b, stranger := must(NewIdentity(hybrid))(t), must(NewIdentity(hybrid))(t), must(NewIdentity(hybrid))(t)
		for _, n := range []int{0, 1, 600, 64 << 10, 64<<10 + 1, 3 << 20} {
			plain := prose(uint64(n), n)
			for _, pack := range []func([]byte) []byte{Pack, PackTight} {
				sealed := must(Encrypt(pack(plain), a.Recipient(), b.Recipient()))(t)
				for _, id := range []*Identity{a, b, must(ParseIdentity(a.Secret()))(t)} {
					if got, err := OpenAll(sealed, int64(n), stranger, id); err != nil || !bytes.Equal(got, plain) {
						t.Fatalf("hybrid %v, %d octets: %d came back, %v", hybrid, n, len(got), err)
					}
				}
				if _, err := OpenAll(sealed, 1<<30, stranger); !holdfast.IsKind(err, holdfast.Unauthorized) {
					t.Fatalf("a stranger: %v", err)
				}
			}
		}
	}
}

func TestEveryDamageIsNoticed(t *testing.T) {
	id := must(NewIdentity(false))(t)
	plain := prose(7, 900)
	sealed := must(Seal(plain, id.Recipient()))(t)
	for i := range sealed {
		for _, bit := range []byte{1, 128} {
			bad := bytes.Clone(sealed)
			bad[i] ^= bit
			_, err := OpenAll(bad, 1<<20, id)
			if !holdfast.IsKind(err, holdfast.Corrupt) && !holdfast.IsKind(err, holdfast.Unauthorized) {
				t.Fatalf("octet %d changed by %d: %v", i, bit, err)
			}
		}
		if _, err := OpenAll(sealed[:i], 1<<20, id); !holdfast.IsKind(err, holdfast.Corrupt) {
			t.Fatalf("cut at %d: %v", i, err)
		}
	}
	if _, err := OpenAll(append(bytes.Clone(sealed), 'x'), 1<<20, id); !holdfast.IsKind(err, holdfast.Corrupt) {
		t.Fatalf("an octet behind the end: %v", err)
	}
}

func TestWhatComesBeforeDamageIsRead(t *testing.T) {
	id := must(NewIdentity(false))(t)
	plain := make([]byte, 2<<20)
	rand.Read(plain) // does not compress, so that chunks are many
	sealed := must(Seal(plain, id.Recipient()))(t)
	sealed[len(sealed)/2] ^= 1
	r := must(Open(bytes.NewReader(sealed), 1<<30, id))(t)
	defer r.Close()
	got, err := io.ReadAll(r)
	if !holdfast.IsKind(err, holdfast.Corrupt) || len(got) < len(plain)/4 || !bytes.HasPrefix(plain, got) {
		t.Fatalf("%d of %d octets, %v", len(got), len(plain), err)
	}
}

func TestLimit(t *testing.T) {
	id := must(NewIdentity(false))(t)
	bomb := must(Seal(make([]byte, 64<<20), id.Recipient()))(t)
	if got, err := OpenAll(bomb, 1<<20, id); !holdfast.IsKind(err, holdfast.TooLarge) || len(got) > 1<<20 {
		t.Fatalf("%d octets, %v", len(got), err)
	}
	want := errors.New("the disk is gone")
	if _, err := Open(io.MultiReader(bytes.NewReader(bomb[:40]), errReader{want}), 1, id); !errors.Is(err, want) {
		t.Fatalf("an error of the source: %v", err)
	}
}

type errReader struct{ err error }

func (e errReader) Read([]byte) (int, error) { return 0, e.err }

func TestWrap(t *testing.T) {
	account, server := must(NewIdentity(false))(t), must(NewIdentity(false))(t)
	for _, of := range []string{"", "account abc 1"} {
		w := must(Wrap(account, of, server.Recipient()))(t)
		if got, is, err := Unwrap(w, server); err != nil || got.Secret() != account.Secret() || is != of {
			t.Fatalf("%q came back as %q, %v", of, is, err)
		}
	}
	w := must(Wrap(account, "account abc 1", server.Recipient()))(t)
	if _, _, err := Unwrap(w, account); !holdfast.IsKind(err, holdfast.Unauthorized) {
		t.Fatal(err)
	}
	w[len(w)-1] ^= 1
	if _, _, err := Unwrap(w, server); !holdfast.IsKind(err, holdfast.Corrupt) {
		t.Fatal(err)
	}
}

func TestRecoveryFile(t *testing.T) {
	for _, hybrid := range []bool{false, true} {
		r := must(NewRecovery(holdfast.NewID(rand.Reader), made, hybrid))(t)
		got := must(ParseRecovery(r.File()))(t)
		if got.Secret() != r.Secret() || got.Store != r.Store || !got.Made.Equal(made) {
			t.Fatalf("came back as %+v", got)
		}
		typed := must(ParseRecovery([]byte("\n " + strings.ToLower(r.Secret()) + "\r\n")))(t)
		if typed.CheckWord() != r.CheckWord() || len(r.CheckWord()) != 8 {
			t.Fatalf("check words %q and %q", typed.CheckWord(), r.CheckWord())
		}
		other := must(NewRecovery(r.Store, made, hybrid))(t)
		mistyped := r.Secret()[:20] + "QQ" + r.Secret()[22:]
		if mistyped == r.Secret() {
			mistyped = r.Secret()[:20] + "PP" + r.Secret()[22:]
		}
		for name, file := range map[string]string{
			"mistyped": strings.Replace(string(r.File()), r.Secret(), mistyped, 1), "nothing": "# only words\n", "two": r.Secret() + "\n" + other.Secret(),
			"another word": strings.Replace(string(r.File()), r.CheckWord(), other.CheckWord(), 1), "long": strings.Repeat("#\n", maxFile),
		} {
			_, err := ParseRecovery([]byte(file))
			if !holdfast.IsKind(err, holdfast.Invalid) || strings.Contains(err.Error(), r.Secret()[30:]) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if s := fmt.Sprintf("%v %+v %#v %s", r, r, r, r.Identity); strings.Contains(s, r.Secret()[20:]) {
			t.Errorf("printing shows the secret: %s", s)
		}
	}
}

func TestCertificate(t *testing.T) {
	r, other := must(NewRecovery(holdfast.ID{1}, made, false))(t), must(NewRecovery(holdfast.ID{1}, made, false))(t)
	ring := must(NewRing(false))(t)
	if err := ring.Add(r); err != nil {
		t.Fatal(err)
	}
	stranger := must(NewSigner(rand.Reader))(t)
	c := ring.Certificates()
	if !r.Trusts(ring.Signer.Public(), c) || other.Trusts(ring.Signer.Public(), c) || r.Trusts(stranger.Public(), c) {
		t.Fatal("a certificate speaks for its recovery key and its signer alone")
	}
	if err := ring.Add(r); !holdfast.IsKind(err, holdfast.Exists) {
		t.Fatal(err)
	}
	if err := ring.Add(must(NewRecovery(holdfast.ID{1}, made, true))(t)); !holdfast.IsKind(err, holdfast.Invalid) {
		t.Fatal(err)
	}
}

func TestRing(t *testing.T) {
	ring := must(NewRing(false))(t)
	if err := ring.Add(must(NewRecovery(holdfast.ID{1}, made, false))(t)); err != nil {
		t.Fatal(err)
	}
	first := ring.Recovery()[0].Recipient.Fingerprint()
	if err := ring.Checked(first, made.Add(time.Hour)); err != nil || !ring.Recovery()[0].Checked.Equal(made.Add(time.Hour)) {
		t.Errorf("the check is not noted: %v", err)
	}
	if err := ring.Checked("0123456789abcdef", made); !holdfast.IsKind(err, holdfast.NotFound) {
		t.Errorf("a check of an unknown key: %v", err)
	}
	before := ring.Recovery()
	next := must(NewRecovery(holdfast.ID{1}, made, false))(t)
	if err := ring.Add(next); err != nil {
		t.Fatal(err)
	}
	if err := ring.AddHeld(next.Hold(ring.Signer.Public())); !holdfast.IsKind(err, holdfast.Exists) {
		t.Errorf("the same key twice: %v", err)
	}
	if err := ring.Drop(next.Recipient().Fingerprint()); err != nil || len(ring.Recovery()) != 1 || len(before) != 1 || ring.Recovery()[0].Recipient.Fingerprint() != first {
		t.Errorf("drop: %v", err)
	}
	if err := ring.Drop(next.Recipient().Fingerprint()); !holdfast.IsKind(err, holdfast.NotFound) {
		t.Errorf("drop of an unknown key: %v", err)
	}
	got := must(ParseRing(ring.Encode()))(t)
	if !bytes.Equal(got.Encode(), ring.Encode()) || len(got.Recipients()) != 2 {
		t.Fatalf("came back as %s", got.Encode())
	}
	for _, bad := range []string{"", "{}", `{"format":9}`, `{"format":1,"server":"x"}`} {
		if _, err := ParseRing([]byte(bad)); !holdfast.IsKind(err, holdfast.Invalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestSignedLine(t *testing.T) {
	s := must(NewSigner(rand.Reader))(t)
	s = must(ParseSigner(s.Secret()))(t)
	b := must(SignLine(s, map[string]int{"head": 7}))(t)
	var v map[string]int
	if err := OpenLine(b, s.Public(), &v); err != nil || v["head"] != 7 {
		t.Fatal(v, err)
	}
	for i := range b {
		bad := bytes.Clone(b)
		bad[i] ^= 1
		if err := OpenLine(bad, s.Public(), &v); !holdfast.IsKind(err, holdfast.Corrupt) {
			t.Fatalf("octet %d: %v", i, err)
		}
	}
	if err := OpenLine(b, must(NewSigner(rand.Reader))(t).Public(), &v); err == nil {
		t.Fatal("another key's signature passed")
	}
}

// TestOrdinaryTools reads what was sealed with the command lines that a stranger has.
func TestOrdinaryTools(t *testing.T) {
	for _, tool := range []string{"age", "zstd"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("%s is absent; scripts/need-tools.sh installs it", tool)
		}
	}
	r := must(NewRecovery(holdfast.ID{1}, made, false))(t)
	dir := t.TempDir()
	plain := prose(3, 200_000)
	write := func(name string, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	account := must(NewIdentity(false))(t)
	write("recovery.txt", r.File())
	write("key", must(Wrap(account, "account abc 1", r.Recipient()))(t))
	write("sealed", must(Encrypt(PackTight(plain), account.Recipient()))(t))
	cmd := exec.Command("sh", "-ec", "age -d -i recovery.txt key > account.txt; age -d -i account.txt sealed | zstd -dq")
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	if got, err := cmd.Output(); err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("%d octets, %v", len(got), err)
	}
}

func FuzzParse(f *testing.F) {
	id, err := NewIdentity(false)
	if err != nil {
		f.Fatal(err)
	}
	sealed, err := Seal([]byte("hello"), id.Recipient())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Add((&Recovery{Identity: id, Made: made}).File())
	f.Add([]byte("{}\nAAAA\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		OpenAll(b, 1<<16, id)
		Unwrap(b, id)
		if r, err := ParseRecovery(b); err == nil {
			if _, err := ParseRecovery(r.File()); err != nil {
				t.Fatal(err)
			}
		}
		ParseRing(b)
		var v any
		OpenLine(b, nil, &v)
	})
}

func BenchmarkSealBatch(b *testing.B) {
	id, err := NewIdentity(false)
	if err != nil {
		b.Fatal(err)
	}
	plain := prose(1, 16<<10)
	b.SetBytes(int64(len(plain)))
	for b.Loop() {
		if _, err := Seal(plain, id.Recipient()); err != nil {
			b.Fatal(err)
		}
	}
}

// TestOpenedAtOnce: what is open has a decoder of its own, and whoever closes it twice gives back one.
func TestOpenedAtOnce(t *testing.T) {
	id := must(NewIdentity(false))(t)
	var plain, sealed [3][]byte
	for i := range plain {
		plain[i] = bytes.Repeat([]byte{byte('a' + i)}, 300_000)
		sealed[i] = must(Seal(plain[i], id.Recipient()))(t)
	}
	first := must(Open(bytes.NewReader(sealed[0]), 1<<20, id))(t)
	first.Close()
	first.Close()
	if n, err := first.Read(make([]byte, 10)); n > 0 || err == nil || err == io.EOF {
		t.Fatalf("%d octets of what is closed, %v", n, err)
	}
	a, b := must(Open(bytes.NewReader(sealed[1]), 1<<20, id))(t), must(Open(bytes.NewReader(sealed[2]), 1<<20, id))(t)
	half := make([]byte, 150_000)
	if _, err := io.ReadFull(a, half); err != nil {
		t.Fatal(err)
	}
	if got := must(io.ReadAll(b))(t); !bytes.Equal(got, plain[2]) {
		t.Error("the second came back otherwise")
	}
	if got := append(half, must(io.ReadAll(a))(t)...); !bytes.Equal(got, plain[1]) {
		t.Error("the first came back otherwise")
	}
}
