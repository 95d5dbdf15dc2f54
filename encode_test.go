package holdfast

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"flag"
	"fmt"
	"math/big"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden file anew; only ever for a new version of an encoding")

func fixedID(b byte) (id ID) {
	for i := range id {
		id[i] = b + byte(i)
	}
	return id
}

// TestCanonicalEncodings holds the encodings of version 1 as they are: every chain, digest and restore depends on them.
func TestCanonicalEncodings(t *testing.T) {
	at := time.Date(2009, 10, 10, 12, 0, 0, 123456789, time.FixedZone("", 3600))
	g := &Group{Account: fixedID(1), Entries: []Entry{
		{ID: fixedID(2), Op: OpDelete, Kind: KindAddress, Collection: fixedID(3), Name: "a.vcf", Actor: Actor{fixedID(1), fixedID(4)}, At: at},
		{ID: fixedID(5), Op: OpPut, Kind: KindAddress, Collection: fixedID(3), Name: "b.vcf", ContentType: "text/vcard", Body: []byte("BEGIN:VCARD\r\n"),
			Properties: Properties{{"DAV:", "displayname", []byte("<x/>")}, {"urn:x", "y", []byte("<y/>")}}, Actor: Actor{Account: fixedID(1)}, At: at},
		{ID: fixedID(6), Op: OpPut, Kind: KindFile, Collection: fixedID(3), Name: "photo", Blob: &Blob{Hash: HashOf([]byte("photo")), Size: 5}, At: at},
	}}
	g.Seal()
	var b strings.Builder
	var chain Hash
	for i := range g.Entries {
		e := &g.Entries[i]
		chain = ChainHash(g.Account, 1, uint64(i+1), chain, e.Hash)
		fmt.Fprintf(&b, "entry %d  %s\n", i+1, e.Hash)
		fmt.Fprintf(&b, "chain %d  %s\n", i+1, chain)
	}
	fmt.Fprintf(&b, "props    %x\n", g.Entries[1].PropsRaw)
	item := ItemHash(fixedID(3), "b.vcf", 2, Live, g.Entries[1].At, g.Entries[1].ETag, g.Entries[1].PropsHash)
	fmt.Fprintf(&b, "item     %s\n", item)
	sums := []CollectionSum{{ID: fixedID(3), Parent: fixedID(1), Items: 2, Octets: 18, Sum: Sum{}.Add(item)}, {ID: fixedID(1), Gone: true}}
	fmt.Fprintf(&b, "state    %s\n", StateHash(fixedID(1), sums))

	const golden = "testdata/canonical-1.txt"
	if *update {
		os.MkdirAll("testdata", 0o755)
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("an encoding changed; journals that exist could not be verified any more. got:\n%s", b.String())
	}
}

// TestEveryFieldIsInTheEntryHash: what is not hashed could be changed without anybody seeing it.
func TestEveryFieldIsInTheEntryHash(t *testing.T) {
	base := Entry{ID: fixedID(2), Op: OpPut, Kind: KindAddress, Collection: fixedID(3), Name: "a", ContentType: "text/vcard", Body: []byte("x"), At: time.Unix(1, 0)}
	hash := func(change func(*Entry), more int) Hash {
		e := base
		change(&e)
		g := &Group{Entries: append([]Entry{e}, make([]Entry, more)...)}
		g.Seal()
		return g.Entries[0].Hash
	}
	seen := map[Hash]string{hash(func(*Entry) {}, 0): "base"}
	for name, h := range map[string]Hash{
		"id": hash(func(e *Entry) { e.ID[15]++ }, 0), "op": hash(func(e *Entry) { e.Op = OpDelete }, 0), "kind": hash(func(e *Entry) { e.Kind++ }, 0),
		"collection": hash(func(e *Entry) { e.Collection[0]++ }, 0), "name": hash(func(e *Entry) { e.Name = "b" }, 0),
		"type": hash(func(e *Entry) { e.ContentType = "" }, 0), "body": hash(func(e *Entry) { e.Body = []byte("y") }, 0),
		"blob":  hash(func(e *Entry) { e.Body, e.Blob = nil, &Blob{HashOf([]byte("x")), 1} }, 0),
		"props": hash(func(e *Entry) { e.Properties = Properties{{"a", "b", []byte("c")}} }, 0),
		"actor": hash(func(e *Entry) { e.Actor.Account[0]++ }, 0), "device": hash(func(e *Entry) { e.Actor.Device[0]++ }, 0),
		"at": hash(func(e *Entry) { e.At = e.At.Add(time.Microsecond) }, 0), "more": hash(func(*Entry) {}, 1),
	} {
		if other, ok := seen[h]; ok {
			t.Errorf("%s does not change the hash: equal to %s", name, other)
		}
		seen[h] = name
	}
}

func TestSumIsArithmeticModulo2To256(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	mod := new(big.Int).Lsh(big.NewInt(1), 256)
	var s Sum
	want := new(big.Int)
	for i := range 1000 {
		var h Hash
		for j := range h {
			h[j] = byte(r.Uint32())
		}
		if i%7 == 0 {
			h = Hash(bytes.Repeat([]byte{0xff}, 32))
		}
		n := new(big.Int).SetBytes(h[:])
		if r.IntN(2) == 0 {
			s, want = s.Add(h), want.Mod(want.Add(want, n), mod)
		} else {
			s, want = s.Sub(h), want.Mod(want.Sub(want, n), mod)
		}
		if new(big.Int).SetBytes(s[:]).Cmp(want) != 0 {
			t.Fatalf("step %d: %x, want %x", i, s, want)
		}
	}
}

func TestPropertiesRoundTrip(t *testing.T) {
	var ps Properties
	ps = ps.With("b", "y", []byte("<y/>")).With("a", "z", []byte("<z/>")).With("a", "x", []byte("<x/>")).With("b", "y", []byte("<y>2</y>")).With("a", "z", nil)
	got, err := DecodeProperties(ps.Encode())
	if err != nil || len(got) != 2 || string(got.Get("b", "y")) != "<y>2</y>" || got.Get("a", "z") != nil {
		t.Fatalf("%v %v", got, err)
	}
	raw := ps.Encode()
	for i := range raw {
		if _, err := DecodeProperties(raw[:i]); err == nil && i > 0 {
			t.Errorf("cut at %d is accepted", i)
		}
	}
	if (Properties{}).Encode() != nil {
		t.Error("an empty set has octets")
	}
}

func FuzzDecodeProperties(f *testing.F) {
	f.Add(Properties{{"a", "b", []byte("<c/>")}}.Encode())
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, b []byte) {
		ps, err := DecodeProperties(b)
		if err != nil {
			return
		}
		again, err := DecodeProperties(ps.Encode())
		if err != nil || len(again) != len(ps) {
			t.Fatalf("%v: %v", ps, err)
		}
	})
}

func TestIDText(t *testing.T) {
	var id ID
	binary.BigEndian.PutUint64(id[8:], 1<<63|7)
	got, err := ParseID(id.String())
	if err != nil || got != id || len(id.String()) != idTextLen {
		t.Fatal(got, err)
	}
	for _, s := range []string{"", id.String() + "a", strings.ToUpper(NewID(nil).String()), strings.Repeat("7", 26), strings.Repeat("a", 25) + "1"} {
		if _, err := ParseID(s); err == nil {
			t.Errorf("%q is accepted", s)
		}
	}
}

func TestParseLogin(t *testing.T) {
	for in, want := range map[string]string{"Alice@Example.org": "alice@example.org", " a+b.c-d_e@x.y ": "a+b.c-d_e@x.y", "jürgen@münchen.example": "jürgen@münchen.example", "a@localhost": "a@localhost"} {
		if got, err := ParseLogin(in); err != nil || got != want {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "alice", "@x", "a@", "a@b@c", "a/b@c", "a:b@c", "..@c", "a b@c", "a\x00@c", "a@.b", strings.Repeat("a", 251) + "@b.c", "a\xff@b", "a%2f@b"} {
		if got, err := ParseLogin(in); err == nil {
			t.Errorf("%q is accepted as %q", in, got)
		}
	}
}

func TestParseLocalPart(t *testing.T) {
	for in, want := range map[string]string{"carol": "carol", " Carol ": "carol", "a+b.c-d_e": "a+b.c-d_e", "JÜRGEN": "jürgen", strings.Repeat("a", MaxLogin-2): strings.Repeat("a", MaxLogin-2)} {
		if got, err := ParseLocalPart(in); err != nil || got != want {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for _, in := range []string{"", " ", "@", "carol@", "@a", "carol@example.org", ".", "..", "a b", "a/b", "a:b", "a%", "a\x00", "a\xff", strings.Repeat("a", MaxLogin-1)} {
		if got, err := ParseLocalPart(in); err == nil {
			t.Errorf("%q is accepted as %q", in, got)
		}
	}
}

func TestCheckName(t *testing.T) {
	for _, ok := range []string{"a.vcf", "ä.vcf", "a\u0308.vcf", "..a", "%2f", "a b", strings.Repeat("x", MaxName)} {
		if err := CheckName(ok); err != nil {
			t.Errorf("%q: %v", ok, err)
		}
	}
	for _, bad := range []string{"", ".", "..", "a/b", `a\b`, "a\x00", "a\n", "a\x7f", "a\xff", strings.Repeat("x", MaxName+1), "a\u0085"} {
		if CheckName(bad) == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func TestReceiptIsADictionary(t *testing.T) {
	r := Receipt{Epoch: 1, Seq: 412, Hash: sha256.Sum256(nil), Copies: []string{"engine", "local"}, Policy: "engine+local"}
	want := `epoch=1, seq=412, hash=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:, copies=("engine" "local"), policy="engine+local"`
	if got := r.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestPropertyText(t *testing.T) {
	for xml, want := range map[string]string{
		`<D:displayname xmlns:D="DAV:"> Family &amp; friends </D:displayname>`: "Family & friends",
		`<a><![CDATA[x]]><b>y</b></a>`:                                         "xy",
		`<a/>`:                                                                 "",
		`<a>cut`:                                                               "",
	} {
		if got := (Properties{{"DAV:", "displayname", []byte(xml)}}).Text("DAV:", "displayname"); got != want {
			t.Errorf("%s is %q, want %q", xml, got, want)
		}
	}
	if got := (Properties)(nil).Text("DAV:", "displayname"); got != "" {
		t.Errorf("a property that is absent is %q", got)
	}
}
