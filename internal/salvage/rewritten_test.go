package salvage

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"holdfast/internal/vcard"
)

// TestRewritten shows that a real contact is known again after another program has written it: in another order, without its UID, in the other version.
func TestRewritten(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "corpus", "contacts")
	files, _ := filepath.Glob(filepath.Join(dir, "*.vcf"))
	if len(files) == 0 {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the corpus is not at %s", dir)
		}
		t.Skipf("what real programs export is not tried: corpus not found at %s", dir)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		h := newHouse(t)
		if n, _ := h.salvage(t, Request{}, filepath.Base(name), string(b)); n.Restored == 0 {
			t.Fatalf("%s: %+v", name, n)
		}
		for path, body := range h.live(t) {
			for how, text := range rewritten(t, body) {
				if _, items := h.salvage(t, Request{DryRun: true}, "f.vcf", text); len(items) != 1 || items[0].Result != Already || items[0].Path != path {
					t.Errorf("%s %s: %+v\n%s\n%s", name, how, items, body, text)
				}
			}
		}
	}
}

func rewritten(t *testing.T, body string) map[string]string {
	t.Helper()
	c, err := vcard.Parse([]byte(body), vcard.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	head, tail := "BEGIN:VCARD\r\n", "END:VCARD\r\n"
	var lines, bare []string
	for i := range c.Lines {
		l := &c.Lines[i]
		switch {
		case l.Is("BEGIN"), l.Is("END"), l.Blank():
		case l.Is("VERSION"):
			head += l.Raw
		default:
			lines = append(lines, l.Raw)
			if !l.Is("UID") && !l.Is("PRODID") && !l.Is("REV") {
				bare = append(bare, l.Raw)
			}
		}
	}
	slices.Reverse(lines)
	out := map[string]string{"reversed": head + strings.Join(lines, "") + tail, "without its UID": head + strings.Join(bare, "") + tail}
	for _, v := range []string{"3.0", "4.0"} {
		other, refusal := vcard.Convert([]byte(body), v)
		if refusal != nil {
			t.Fatal(refusal)
		}
		out["as version "+v] = string(other)
	}
	return out
}

// TestRewrittenByOthers shows that what programs merely write in another way is nothing new: versions, bookkeeping of their own, types that say nothing, names of their own for the same property. What says more is kept beside it.
func TestRewrittenByOthers(t *testing.T) {
	const stored = "BEGIN:VCARD\r\nVERSION:3.0\r\nPRODID:-//A//phone//EN\r\nUID:jane\r\nREV:2026-01-01T00:00:00Z\r\nFN:Jane Doe\r\nN:Doe;Jane;;;\r\nORG:Acme;Sales\r\n" +
		"TEL;TYPE=CELL:+49 30 123456\r\nEMAIL;TYPE=WORK:jane@example.org\r\nADR;TYPE=HOME:;;1 Main Street;Town;;12345;Germany\r\nBDAY:1980-03-22\r\n" +
		"item1.X-ABDATE:2011-01-13\r\nitem1.X-ABLabel:_$!<Anniversary>!$_\r\nitem2.X-ABRELATEDNAMES:John Doe\r\nitem2.X-ABLabel:_$!<Spouse>!$_\r\n" +
		"X-AIM:jane5\r\nNOTE:likes tea\\, black\\nno sugar\r\nKEY;ENCODING=b;TYPE=PGP:aGVsbG8gd29ybGQ=\r\nPHOTO;ENCODING=b;TYPE=JPEG:/9j/4AAQSkZJRgABAQ==\r\nEND:VCARD\r\n"
	for how, text := range map[string]string{
		"Evolution, 3.0": "BEGIN:VCARD\r\nVERSION:3.0\r\nX-EVOLUTION-FILE-AS:Doe\\, Jane\r\nX-EVOLUTION-BOOK-URI:local:system\r\nX-COUCHDB-APPLICATION-ANNOTATIONS:{}\r\nX-EVOLUTION-ANNIVERSARY:2011-01-13\r\nX-EVOLUTION-SPOUSE:John Doe\r\n" +
			"X-MOZILLA-HTML:FALSE\r\nCLASS:PUBLIC\r\nUID:jane\r\nN:Doe;Jane;;;\r\nFN:Jane Doe\r\nORG:Acme;Sales;\r\nTEL;TYPE=CELL,VOICE;X-EVOLUTION-E164=030123456,+49:+49 30 123456\r\nEMAIL;TYPE=WORK;X-EVOLUTION-UI-SLOT=1:jane@example.org\r\n" +
			"ADR;TYPE=HOME,intl,postal,parcel:;;1 Main Street;Town;;12345;Germany\r\nLABEL;TYPE=HOME:1 Main Street\\nTown\\n12345\\nGermany\r\nBDAY:1980-03-22\r\nX-AIM;TYPE=HOME;X-EVOLUTION-UI-SLOT=1:jane5\r\n" +
			"NOTE:likes tea\\, black\\nno sugar\r\nKEY;TYPE=PGP;ENCODING=b:aGVsbG8g\r\n d29ybGQ=\r\nPHOTO;TYPE=\"X-EVOLUTION-UNKNOWN\";ENCODING=b:/9j/4AAQ\r\nREV:2026-11-01T00:00:00Z\r\nEND:VCARD\r\n",
		"Evolution, 4.0": "BEGIN:VCARD\r\nVERSION:4.0\r\nX-EVOLUTION-FILE-AS:Doe\\, Jane\r\nUID:jane\r\nN:Doe;Jane;;;\r\nFN:Jane Doe\r\nORG:Acme;Sales\r\nTEL;VALUE=uri;TYPE=\"cell,voice\":tel:+49-30-123456\r\nEMAIL;TYPE=work;PREF=1:jane@example.org\r\n" +
			"ADR;TYPE=home;LABEL=\"1 Main Street^nTown^n12345 Germany\":;;1 Main Street;Town;;12345;Germany\r\nBDAY:19800322\r\nANNIVERSARY:20110113\r\nRELATED;TYPE=spouse;VALUE=text:John Doe\r\nIMPP;TYPE=home:aim:jane5\r\n" +
			"NOTE:likes tea\\, black\\nno sugar\r\nKEY:data:application/pgp-keys;base64,aGVsbG8gd29ybGQ=\r\nPHOTO:data:image/jpeg;base64,/9j/4AAQ\r\nEND:VCARD\r\n",
		"Outlook, 2.1": "BEGIN:VCARD\r\nVERSION:2.1\r\nN;LANGUAGE=de;CHARSET=Windows-1252:Doe;Jane\r\nFN;CHARSET=Windows-1252:Jane Doe\r\nORG:Acme;Sales\r\nTEL;CELL;VOICE:+49 (30) 123456\r\nEMAIL;PREF;INTERNET:Jane@example.org\r\nADR;HOME;PREF:;;1 Main Street;Town;;12345;Germany\r\n" +
			"LABEL;HOME;PREF;ENCODING=QUOTED-PRINTABLE:1 Main Street=0D=0A=\r\n12345 Town=0D=0A=\r\nGermany\r\nX-MS-OL-DEFAULT-POSTAL-ADDRESS:1\r\nBDAY:19800322\r\nX-MS-ANNIVERSARY:20110113\r\nX-MS-SPOUSE;N:John Doe\r\nX-MS-IMADDRESS:jane5\r\n" +
			"X-MS-OL-DESIGN;CHARSET=utf-8:<card xmlns=\"x\"></card>\r\nNOTE;ENCODING=QUOTED-PRINTABLE:likes tea, black=0D=0A=\r\nno sugar\r\nUID:jane\r\nREV:20261101T000000Z\r\nEND:VCARD\r\n",
		"Outlook, 3.0, without its UID": "BEGIN:VCARD\nVERSION:3.0\nPROFILE:VCARD\nMAILER:Microsoft Outlook\nFN:Doe, Jane\nN:Doe;Jane\nEMAIL;type=internet,pref:jane@example.org\ntel;type=cell,voice:+4930123456\nEND:VCARD\n",
	} {
		h := newHouse(t)
		h.put(t, h.book, "jane.vcf", stored)
		if _, items := h.salvage(t, Request{DryRun: true}, "f.vcf", text); len(items) != 1 || items[0].Result != Already || items[0].Path != "addressbooks/default/jane.vcf" {
			t.Errorf("%s: %+v", how, items)
		}
		for was, now := range map[string]string{"black": "green", "123456": "123457", "20110113": "20110114", "2011-01-13": "2011-01-14", "John Doe": "Jim Doe", "jane5": "jane6", "aGVsbG8g": "aGVsbG9n", "Town": "City"} {
			if !strings.Contains(text, was) {
				continue
			}
			if _, items := h.salvage(t, Request{DryRun: true}, "f.vcf", strings.ReplaceAll(text, was, now)); len(items) != 1 || items[0].Result == Already || items[0].Result == Refused {
				t.Errorf("%s, with %s for %s: %+v", how, now, was, items)
			}
		}
	}
}
