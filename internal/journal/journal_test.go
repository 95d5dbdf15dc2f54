package journal

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"holdfast"
)

var update = flag.Bool("update", false, "write the golden file anew")

var start = time.Date(2026, 11, 26, 8, 0, 0, 123456000, time.UTC)

func id(n byte) holdfast.ID { return holdfast.ID{15: n} }

// sealed returns the entry as a change of an engine.
func sealed(e holdfast.Entry, seq uint64, more uint32) holdfast.Change {
	g := holdfast.Group{Account: id(1), Entries: []holdfast.Entry{e}}
	g.Seal()
	c := holdfast.Change{Entry: g.Entries[0], Account: id(1), Epoch: 1, Seq: seq}
	c.More = more
	c.Hash = c.Entry.CanonicalHash(c.Collection)
	return c
}

func samples() []holdfast.Change {
	e := holdfast.Entry{ID: id(9), Op: holdfast.OpPut, Kind: holdfast.KindAddress, Collection: id(2), Name: "anna.vcf", ContentType: "text/vcard; charset=utf-8",
		Body: []byte("BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Anna \"Ä\" \\ <b>\u2028\r\nEND:VCARD\r\n"), Actor: holdfast.Actor{Account: id(1), Device: id(3)}, At: start}
	out := []holdfast.Change{sealed(e, 1, 1)}
	e.Body, e.Kind, e.Name = []byte{0, 1, 0xff, 0xfe, '\n'}, holdfast.KindFile, "a\u0301 photo.jpg"
	e.Properties = holdfast.Properties{{Space: "DAV:", Local: "displayname", XML: []byte("<d:displayname xmlns:d=\"DAV:\">\t&amp;</d:displayname>")}, {Space: "x", Local: "y", XML: []byte{0xff}}}
	out = append(out, sealed(e, 2, 0))
	e.Properties, e.ContentType, e.Body = nil, "odd/\xff", []byte{}
	c := sealed(e, 3, 0)
	c.Prev = 2
	out = append(out, c)
	out = append(out, sealed(holdfast.Entry{ID: id(8), Op: holdfast.OpDelete, Kind: 200, Collection: id(2), Name: "anna.vcf", Actor: holdfast.Actor{}, At: start.Add(time.Hour)}, 4, 0))
	out = append(out, sealed(holdfast.Entry{ID: id(7), Op: holdfast.OpPut, Kind: holdfast.KindFile, Collection: id(2), Name: "film.mp4", Blob: &holdfast.Blob{Hash: holdfast.Hash{1}, Size: 1 << 40},
		Actor: holdfast.Actor{Account: id(4)}, At: start.Truncate(time.Second)}, 5, 0))
	c = out[0]
	c.Seq, c.More, c.Prev = 6, 0, 1
	c.Hash = c.Entry.CanonicalHash(c.Collection)
	c.Prune()
	return append(out, c)
}

// same compares changes by what matters: their hashes, and what no hash covers.
func same(a, b *holdfast.Change) bool {
	return a.Hash == b.Hash && a.Account == b.Account && a.Epoch == b.Epoch && a.Seq == b.Seq && a.Prev == b.Prev && a.More == b.More && bytes.Equal(a.Body, b.Body) && a.At.Equal(b.At) &&
		a.ContentType == b.ContentType && a.Actor == b.Actor && a.ETag == b.ETag && a.Size == b.Size && bytes.Equal(a.PropsRaw, b.PropsRaw) && reflect.DeepEqual(a.Blob, b.Blob) && (a.Body == nil) == (b.Body == nil) && a.Pruned == b.Pruned
}

func TestGolden(t *testing.T) {
	const name = "testdata/lines-0.jsonl"
	b := holdfast.Batch{Position: holdfast.Position{Batch: 7, Hash: holdfast.Hash{2}}, Prev: holdfast.Hash{1}, Changes: samples()}
	got := AppendBatch(nil, &b, start.Add(time.Second))
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%v, got\n%s", err, got)
	}
	r := NewReader(bytes.NewReader(want))
	line, changes, err := r.Next()
	if err != nil || line.Position != b.Position || line.Prev != b.Prev || !line.Stored.Equal(start.Add(time.Second)) || len(changes) != len(b.Changes) {
		t.Fatalf("%+v, %d changes, %v", line, len(changes), err)
	}
	for i := range changes {
		if !same(&changes[i], &b.Changes[i]) {
			t.Errorf("change %d came back as\n%+v, was\n%+v", i, changes[i], b.Changes[i])
		}
	}
	if _, _, err := r.Next(); err != io.EOF {
		t.Fatal(err)
	}
	for line := range bytes.Lines(want) {
		if !json.Valid(line) {
			t.Errorf("no JSON: %s", line)
		}
	}
}

func TestWhatIsNotALine(t *testing.T) {
	c := samples()[0]
	line := string(AppendLine(nil, &c, Stored{7, start}))
	for what, bad := range map[string]string{
		"nothing": "", "no JSON": "x", "cut": line[:len(line)-3], "two": line + line, "an array": "[" + line + "]",
		"another text": strings.Replace(line, "Anna", "Anne", 1), "another hash": strings.Replace(line, `"sha256":"`, `"sha256":"0`, 1), "another size": strings.Replace(line, `"size":`, `"size":1`, 1),
		"no octets": strings.Replace(line, `"text":`, `"txt":`, 1), "a huge number": strings.Replace(line, `"seq":1`, `"seq":9007199254740992`, 1), "an unknown op": strings.Replace(line, `"put"`, `"drop"`, 1),
		"an unknown kind": strings.Replace(line, `"address"`, `"adress"`, 1), "no account": strings.Replace(line, `"account"`, `"acount"`, 1), "a group that ended": strings.Replace(line, `"group_end":2`, `"group_end":0`, 1),
		"deep": strings.Replace(line, `"epoch"`, `"x":`+strings.Repeat("[", 100)+strings.Repeat("]", 100)+`,"epoch"`, 1), "octets of a deletion": strings.Replace(line, `"put"`, `"delete"`, 1),
	} {
		if _, _, err := ParseLine([]byte(bad)); !holdfast.IsKind(err, holdfast.Corrupt) {
			t.Errorf("%s: %v", what, err)
		}
	}
	later := strings.Replace(line, `"epoch"`, `"new":{"a":[1,-2.5e3,"x",null,true,false,{}],"b":""},"epoch"`, 1)
	if got, _, err := ParseLine([]byte(later)); err != nil || !same(&got, &c) {
		t.Errorf("a line of a later version: %v", err)
	}
}

// TestWhatWasPruned: what was let go of is octets, and nothing that a hash is made of; what cannot be let go of is not taken for it.
func TestWhatWasPruned(t *testing.T) {
	whole := samples()[0]
	gone := whole
	gone.Prune()
	line := string(AppendLine(nil, &gone, Stored{7, start}))
	got, _, err := ParseLine([]byte(line))
	if err != nil || !same(&got, &gone) || got.Hash != whole.Hash || !got.Pruned || got.Body != nil || strings.Contains(line, "text\":\"BEGIN") {
		t.Fatalf("%v, %+v\n%s", err, got, line)
	}
	deletion := samples()[3]
	for what, bad := range map[string]string{
		"beside octets": strings.Replace(line, `"pruned":true`, `"pruned":true,"text":"x"`, 1), "beside a blob": strings.Replace(line, `"pruned":true`, `"pruned":true,"blob":true`, 1),
		"not true": strings.Replace(line, `"pruned":true`, `"pruned":false`, 1), "of nothing": regexp.MustCompile(`"size":\d+`).ReplaceAllString(line, `"size":0`),
		"without a hash": strings.Replace(line, `"sha256"`, `"sha"`, 1), "of a collection": strings.Replace(line, `"name":"anna.vcf"`, `"name":""`, 1),
		"of a record": strings.Replace(line, `"collection":"`+id(2).String(), `"collection":"`+id(1).String(), 1),
		"a deletion":  strings.Replace(string(AppendLine(nil, &deletion, Stored{7, start})), `"at"`, `"pruned":true,"at"`, 1),
	} {
		if !strings.Contains(bad, `"pruned"`) || bad == line {
			t.Fatalf("%s: the test is wrong: %s", what, bad)
		}
		if _, _, err := ParseLine([]byte(bad)); !holdfast.IsKind(err, holdfast.Corrupt) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestBatchesThatAreCut(t *testing.T) {
	b := holdfast.Batch{Position: holdfast.Position{Batch: 7, Hash: holdfast.Hash{2}}, Changes: samples()}
	all := AppendBatch(nil, &b, start)
	for i := range all {
		r := NewReader(bytes.NewReader(all[:i]))
		if _, _, err := r.Next(); err == nil || err == io.EOF && i > 0 {
			t.Fatalf("cut at %d: %v", i, err)
		}
	}
}

// octets returns text or noise.
func octets(r *rand.Rand) []byte {
	b := make([]byte, r.IntN(40))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	if r.IntN(2) == 0 {
		return []byte(strings.ToValidUTF8(string(b), "\u00e9\x00\n"))
	}
	return b
}

func TestRandomLines(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	for range 3000 {
		e := holdfast.Entry{ID: holdfast.NewID(nil), Op: holdfast.OpPut, Kind: holdfast.Kind(1 + r.IntN(255)), Collection: holdfast.NewID(nil), Name: strings.ToValidUTF8(string(octets(r)), "?"), ContentType: string(octets(r)),
			Body: octets(r), Actor: holdfast.Actor{Account: id(byte(r.IntN(2))), Device: id(byte(r.IntN(2)))}, At: time.UnixMicro(r.Int64N(1 << 52)).UTC()}
		for i := range r.IntN(3) {
			e.Properties = append(e.Properties, holdfast.Property{Space: fmt.Sprint(i), Local: strings.ToValidUTF8(string(octets(r)), "?"), XML: octets(r)})
		}
		c := sealed(e, 1+r.Uint64N(1<<50), uint32(r.IntN(3)))
		c.Prev = r.Uint64N(3)
		if c.Prunable() && r.IntN(3) == 0 {
			c.Prune()
		}
		line := AppendLine(nil, &c, Stored{r.Uint64N(1 << 50), start})
		if got, _, err := ParseLine(line); err != nil || !same(&got, &c) || !json.Valid(line) {
			t.Fatalf("seed %d: %v\n%s", seed, err, line)
		}
	}
}

func FuzzLine(f *testing.F) {
	for _, c := range samples() {
		f.Add(AppendLine(nil, &c, Stored{7, start}))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, at, err := ParseLine(b)
		if err == nil {
			again := AppendLine(nil, &c, at)
			if c2, at2, err := ParseLine(again); err != nil || !same(&c, &c2) || at2.Batch != at.Batch || !at2.At.Equal(at.At.Truncate(time.Microsecond)) {
				t.Fatalf("%v\n%s", err, again)
			}
		} else if !holdfast.IsKind(err, holdfast.Corrupt) {
			t.Fatal(err)
		}
		r := NewReader(bytes.NewReader(b))
		for err == nil {
			_, _, err = r.Next()
		}
	})
}

func benchChange() holdfast.Change {
	return sealed(holdfast.Entry{ID: id(9), Op: holdfast.OpPut, Kind: holdfast.KindAddress, Collection: id(2), Name: "0123456789.vcf", ContentType: "text/vcard; charset=utf-8",
		Body: []byte(strings.Repeat("TEL;TYPE=CELL:+49 170 1234567\r\n", 20)), Actor: holdfast.Actor{Account: id(1), Device: id(3)}, At: start}, 1, 0)
}

func BenchmarkAppendLine(b *testing.B) {
	c := benchChange()
	var buf []byte
	for b.Loop() {
		buf = AppendLine(buf[:0], &c, Stored{7, start})
	}
}

func BenchmarkParseLine(b *testing.B) {
	c := benchChange()
	line := AppendLine(nil, &c, Stored{7, start})
	for b.Loop() {
		if _, _, err := ParseLine(line); err != nil {
			b.Fatal(err)
		}
	}
}
