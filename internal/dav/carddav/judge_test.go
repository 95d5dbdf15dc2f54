package carddav

import (
	"errors"
	"strings"
	"testing"

	"holdfast"
)

func ruleOf(err error) string {
	var e *holdfast.Error
	if errors.As(err, &e) {
		return e.Rule
	}
	return ""
}

func TestJudge(t *testing.T) {
	judge := Judge(Options{MaxResource: 1 << 20})
	good := string(cardOf("3.0", "UID:urn:uuid:1", "N:;;;;", "FN:Ada"))
	for _, c := range []struct{ name, media, body, rule string }{
		{"plain", "text/vcard", good, ""},
		{"charset", "text/vcard; charset=utf-8", good, ""},
		{"evolution", `text/vcard; charset="utf-8"`, good, ""},
		{"DAVx5", "text/vcard;version=4.0", string(cardOf("4.0", "UID:1", "FN:Ada")), ""},
		{"no type", "", good, ""},
		{"old type", "text/x-vcard", good, ""},
		{"older type", "text/directory; profile=vCard", good, ""},
		{"capitals", "TEXT/VCARD", good, ""},
		{"no idea", "application/octet-stream", good, ""},
		{"calendar type", "text/calendar", good, ruleSupportedData},
		{"JSON", "application/vcard+json", `["vcard",[]]`, ruleSupportedData},
		{"picture", "image/png", "\x89PNG", ruleSupportedData},
		{"calendar", "text/vcard", "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", ruleSupportedData},
		{"2.1", "text/vcard", string(cardOf("2.1", "UID:1", "FN:Ada")), ruleSupportedData},
		{"no UID", "text/vcard", string(cardOf("3.0", "FN:Ada")), ruleValidData},
		{"two", "text/vcard", good + good, ruleValidData},
		{"cut off", "text/vcard", good[:len(good)-12], ruleValidData},
		{"empty", "text/vcard", "", ruleValidData},
		{"NUL", "text/vcard", strings.Replace(good, "Ada", "A\x00a", 1), ruleValidData},
		{"no UTF-8", "text/vcard", strings.Replace(good, "Ada", "A\xff", 1), ruleValidData},
	} {
		t.Run(c.name, func(t *testing.T) {
			kind, ix, err := judge(&holdfast.Collection{}, "a.vcf", c.media, []byte(c.body))
			if rule := ruleOf(err); rule != c.rule {
				t.Fatalf("rule %q (%v), want %q", rule, err, c.rule)
			}
			var e *holdfast.Error
			switch {
			case c.rule == "" && (err != nil || kind != holdfast.KindAddress || ix.UID == ""):
				t.Errorf("kind %d, UID %q, %v", kind, ix.UID, err)
			case c.rule != "" && (!errors.As(err, &e) || e.Kind != holdfast.Invalid || e.Text == "" || strings.Contains(e.Text, "\n")):
				t.Errorf("not one sentence of kind Invalid: %#v", err)
			}
		})
	}
}

// BenchmarkJudge is the cost of a PUT in this package; the budget of a PUT is 60 microseconds in all.
func BenchmarkJudge(b *testing.B) {
	judge := Judge(Options{})
	body := cardOf("3.0", "PRODID:-//Example Inc.//iOS 17.4//EN", "N:Lovelace;Ada;;;", "FN:Ada Lovelace", "ORG:Analytical Engines;Research",
		"item1.EMAIL;type=INTERNET;type=pref:ada@example.org", "TEL;type=CELL;type=VOICE;type=pref:+44 20 7946 0000",
		"item2.ADR;type=HOME;type=pref:;;12 Example Street;London;;NW1;United Kingdom", "item2.X-ABADR:gb", "NOTE:first line\\nsecond line",
		"BDAY:1815-12-10", "REV:2026-01-01T00:00:00Z", "UID:5F1B7E0A-1F5D-4C0E-9C5B-0E4B5D0D2B11")
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, _, err := judge(nil, "a.vcf", "text/vcard; charset=utf-8", body); err != nil {
			b.Fatal(err)
		}
	}
}
