package vcard

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"holdfast/internal/content"
)

// corpus returns the directory of contacts exported by real programs.
func corpus(t *testing.T) string {
	t.Helper()
	dir := filepath.Join("..", "..", "..", "shared", "corpus", "contacts")
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the contacts corpus not found at %s: %v", dir, err)
		}
		t.Skipf("the contacts corpus not found at %s: %v", dir, err)
	}
	return dir
}

// The mends of the corpus, named short for the table.
const (
	addUID  = "added a UID"
	from2   = "converted vCard 2.1 to 3.0"
	crlf    = "ended lines with CR LF"
	fnEmail = "built FN from EMAIL"
)

// What both judges say of each file: as the body of one PUT, and as a file to
// import, card by card.
var corpusTable = []struct {
	file     string
	put      Precondition // empty: accepted
	why      string       // a part of the sentence
	accepted int          // cards that import takes as they are
	mended   [][]string   // the mends of each other card, in order
	refused  int
}{
	{"John_Doe_ANDROID.vcf", SupportedAddressData, "2.1", 0, [][]string{
		{from2, fnEmail, addUID}, {from2, fnEmail, addUID}, {from2, addUID}, {from2, addUID}, {from2, addUID}, {from2, addUID}}, 0},
	{"John_Doe_EVOLUTION.vcf", "", "", 1, nil, 0},
	{"John_Doe_GMAIL.vcf", ValidAddressData, "no UID", 0, [][]string{{addUID}}, 0},
	{"John_Doe_IPHONE.vcf", ValidAddressData, "carriage return", 0, [][]string{{crlf, addUID}}, 0},
	{"John_Doe_LOTUS_NOTES.vcf", "", "", 1, nil, 0},
	{"John_Doe_MS_OUTLOOK.vcf", SupportedAddressData, "2.1", 0, [][]string{{from2, addUID}}, 0},
	{"gmail-list.vcf", ValidAddressData, "more than one", 0, [][]string{{addUID}, {addUID}, {addUID}}, 0},
	{"gmail-single.vcf", ValidAddressData, "no UID", 0, [][]string{{addUID}}, 0},
	{"outlook-2003.vcf", SupportedAddressData, "2.1", 0, [][]string{{from2, addUID}}, 0},
	{"rfc2426-example.vcf", ValidAddressData, "more than one", 0, [][]string{{crlf, addUID}, {crlf, addUID}}, 0},
	{"rfc6350-example.vcf", ValidAddressData, "no UID", 0, [][]string{{crlf, addUID}}, 0},
}

func TestCorpusKnowsEveryFile(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(corpus(t), "*.vcf"))
	if err != nil || len(files) != len(corpusTable) {
		t.Fatalf("%d files, %d in the table, %v", len(files), len(corpusTable), err)
	}
}

func TestCorpusPut(t *testing.T) {
	accepted, refused := 0, map[Precondition]int{}
	for _, c := range corpusTable {
		data := readCorpus(t, c.file)
		_, r := Judge(data, Limits{})
		switch {
		case r == nil && c.put == "":
			accepted++
		case r == nil || r.Precondition != c.put || !strings.Contains(r.Why, c.why):
			t.Errorf("%s: %v, want %q with %q", c.file, r, c.put, c.why)
		default:
			refused[r.Precondition]++
		}
	}
	if accepted != 2 || refused[ValidAddressData] != 6 || refused[SupportedAddressData] != 3 {
		t.Errorf("%d accepted, refused %v", accepted, refused)
	}
}

func TestCorpusImport(t *testing.T) {
	cards, uids := 0, map[string]string{}
	for _, c := range corpusTable {
		accepted, refused := 0, 0
		var mended [][]string
		data := readCorpus(t, c.file)
		for i, octets := range splitAll(t, data) {
			if !bytes.Contains(data, octets) {
				t.Errorf("%s, card %d: octets are not the file's", c.file, i+1)
			}
			out, mends, r := Mend(octets)
			switch {
			case r != nil:
				refused++
				continue
			case len(mends) == 0:
				accepted++
				if !bytes.Equal(out, octets) {
					t.Errorf("%s, card %d: changed without a mend", c.file, i+1)
				}
			default:
				mended = append(mended, mends)
			}
			cards++
			ix, r := Judge(out, Limits{})
			if r != nil {
				t.Errorf("%s, card %d: imported, but %v", c.file, i+1, r)
			}
			if was := uids[ix.UID]; was != "" {
				t.Errorf("%s, card %d: has the UID of %s", c.file, i+1, was)
			}
			uids[ix.UID] = c.file
			for _, v := range []string{"3.0", "4.0"} {
				conv, r := Convert(out, v)
				if r != nil {
					t.Errorf("%s, card %d to %s: %v", c.file, i+1, v, r)
				}
				if now, r := Judge(conv, Limits{}); r != nil || now.UID != ix.UID || now.FN != ix.FN {
					t.Errorf("%s, card %d to %s: %+v, %v", c.file, i+1, v, now, r)
				}
			}
		}
		if accepted != c.accepted || refused != c.refused || !slices.EqualFunc(mended, c.mended, slices.Equal) {
			t.Errorf("%s: %d accepted, %d refused, mended %q", c.file, accepted, refused, mended)
		}
	}
	if cards != 19 {
		t.Errorf("%d cards", cards)
	}
}

// What a person would look for in the contacts that were mended.
func TestCorpusContents(t *testing.T) {
	for _, c := range []struct {
		file string
		card int
		want []string // "PROPERTY=value" with the value unescaped
	}{
		{"John_Doe_ANDROID.vcf", 0, []string{"FN=john.doe@company.com", "EMAIL=john.doe@company.com", "CATEGORIES=My Contacts"}},
		{"John_Doe_ANDROID.vcf", 3, []string{"FN=Ñ Ñ Ñ Ñ Ñ Ñ Ñ Ñ Ñ Ñ Ñ", "TEL=234567", "TEL=45678901", "NOTE=Ñ Ñ Ñ Ñ Ñ Ñ Ñ ÑÑ Ñ Ñ Ñ Ñ Ñ Ñ ÑÑ Ñ Ñ Ñ Ñ "}},
		{"John_Doe_ANDROID.vcf", 4, []string{"N=Ñ Ñ ;Ñ Ñ Ñ ;;;", "EMAIL=bob@company.com", "ORG=ÑÑÑÑÑÑÑÑÑÑÑÑ", "URL=http://www.company.com"}},
		{"John_Doe_GMAIL.vcf", 0, []string{"FN=Mr. John Richter, James Doe Sr.", "TEL=905-555-1234", "URL=http://www.ibm.com", "X-ABRELATEDNAMES=Jenny"}},
		{"John_Doe_IPHONE.vcf", 0, []string{"N=Doe;John;Richter,James;Mr.;Sr.", "TEL=905-999-1234", "ADR=;;Street4\nBuilding 6\nFloor 8;New York;;12345;USA", "X-ABADR=Silicon Alley"}},
		{"John_Doe_MS_OUTLOOK.vcf", 0, []string{"N=Doe;John;Richter,James;Mr.;Sr.", "LABEL=Cresent moon drive\nAlbaney, New York  12345", "TEL=(905) 666-1234", "BDAY=19800322"}},
		{"outlook-2003.vcf", 0, []string{"ORG=Company, The;TheDepartment", "NOTE=This is the note field!!\nSecond line\n\nThird line is empty\n", "TEL=BusinessFaxPhone",
			"LABEL=TheOffice\n123 Main St\nAustin, TX 12345\nUnited States of America"}},
		{"rfc2426-example.vcf", 1, []string{"FN=Tim Howes", "EMAIL=howes@netscape.com", "ADR=;;501 E. Middlefield Rd.;Mountain View;CA; 94043;U.S.A."}},
		{"rfc6350-example.vcf", 0, []string{"TEL=tel:+1-418-262-6501", "KEY=http://www.viagenie.ca/simon.perreault/simon.asc"}},
	} {
		out, _, r := Mend(splitAll(t, readCorpus(t, c.file))[c.card])
		if r != nil {
			t.Fatal(r)
		}
		have := map[string]bool{}
		card := parse(t, string(out))
		for i := range card.Lines {
			have[card.Lines[i].Name+"="+content.Unescape(card.Lines[i].Value)] = true
		}
		for _, w := range c.want {
			if !have[w] {
				t.Errorf("%s, card %d: no %q in\n%s", c.file, c.card+1, w, out)
			}
		}
	}
}

// Photos and keys hold the same base64 text in the file, mended, and in the
// other version and back. (Android's photo was shortened by whoever published
// it, so that it cannot be decoded to its end: it has to stay what it is.)
func TestCorpusBinaries(t *testing.T) {
	for _, c := range []struct{ file, head, prop, magic string }{
		{"John_Doe_ANDROID.vcf", "PHOTO;", "PHOTO", "\xff\xd8"},
		{"John_Doe_IPHONE.vcf", "PHOTO;", "PHOTO", "\xff\xd8"},
		{"John_Doe_LOTUS_NOTES.vcf", "PHOTO;", "PHOTO", "\xff\xd8"},
		{"John_Doe_MS_OUTLOOK.vcf", "PHOTO;", "PHOTO", "\xff\xd8"},
		{"outlook-2003.vcf", "KEY;", "KEY", "\x30\x82"},
	} {
		data := readCorpus(t, c.file)
		want := plainBase64(data, c.head)
		if b, err := base64.StdEncoding.DecodeString(want[:4]); err != nil || !strings.HasPrefix(string(b), c.magic) {
			t.Fatalf("%s: the test reads %.8q", c.file, want)
		}
		for _, octets := range splitAll(t, data) {
			if !bytes.Contains(octets, []byte("\n"+c.head)) {
				continue
			}
			three, _, r := Mend(octets)
			if r != nil {
				t.Fatal(r)
			}
			four, r := Convert(three, "4.0")
			if r != nil {
				t.Fatal(r)
			}
			back, r := Convert(four, "3.0")
			if r != nil {
				t.Fatal(r)
			}
			for i, version := range [][]byte{three, four, back} {
				if got := binary(t, version, c.prop); got != want {
					t.Errorf("%s, form %d: %d octets, want %d", c.file, i, len(got), len(want))
				}
			}
		}
	}
}

// plainBase64 reads base64 behind a line's colon with none of our code.
func plainBase64(data []byte, head string) string {
	_, rest, _ := strings.Cut(string(data), "\n"+head)
	_, rest, _ = strings.Cut(rest, ":")
	if i := strings.IndexAny(rest, ":"); i >= 0 {
		rest = rest[:i] // the next property, whose name is cut off next
		if j := strings.LastIndex(rest, "\n"); j >= 0 {
			rest = rest[:j]
		}
	}
	return strings.Join(strings.Fields(rest), "")
}

func binary(t *testing.T, card []byte, prop string) string {
	c := parse(t, string(card))
	for i := range c.Lines {
		if l := &c.Lines[i]; l.Is(prop) {
			_, v, ok := strings.Cut(l.Value, ";base64,")
			if !ok {
				v = l.Value
			}
			return v
		}
	}
	return ""
}

func readCorpus(t *testing.T, file string) []byte {
	data, err := os.ReadFile(filepath.Join(corpus(t), file))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func splitAll(t *testing.T, data []byte) (cards [][]byte) {
	for p, err := range Split(bytes.NewReader(data), 0) {
		if err != nil || p.Kind != CardPiece {
			t.Fatal(fmt.Sprint(p.Kind, p.Line, err))
		}
		cards = append(cards, p.Octets)
	}
	return cards
}
