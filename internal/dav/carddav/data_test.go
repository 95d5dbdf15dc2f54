package carddav

import (
	"net/http"
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/davxml"
)

// cardOf makes a card of the lines, with CRLF.
func cardOf(version string, lines ...string) []byte {
	all := append([]string{"BEGIN:VCARD", "VERSION:" + version}, lines...)
	return []byte(strings.Join(append(all, "END:VCARD"), "\r\n") + "\r\n")
}

func TestVersionOf(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		{string(cardOf("3.0", "FN:a")), version3},
		{string(cardOf("4.0", "FN:a")), version4},
		{"begin:vcard\nversion: 4.0\nEND:VCARD\n", version4},
		{"BEGIN:VCARD\r\nFN:VERSION:4.0\r\nVERSION:3.0\r\nEND:VCARD\r\n", version3},
		{"BEGIN:VCARD\r\nPHOTO;ENCODING=b:" + strings.Repeat("AAAA", 5000) + "\r\nVERSION:4.0\r\nEND:VCARD\r\n", version4},
		{"", version3},
		{"VERSION:", version3},
		{"VERSION:4.0", version4},
	} {
		if got := versionOf([]byte(c.body)); got != c.want {
			t.Errorf("versionOf(%.60q) = %s, want %s", c.body, got, c.want)
		}
	}
}

func TestWantedVersion(t *testing.T) {
	for _, c := range []struct{ accept, stored, want string }{
		{"", version3, ""},
		{"*/*", version3, ""},
		{"text/vcard", version4, ""},
		{"text/vcard; version=4.0", version3, version4},
		{"text/vcard;version=3.0", version4, version3},
		{"text/vcard;version=3.0", version3, version3},
		{`text/vcard; version="4.0"; charset=utf-8`, version3, version4},
		{"text/vcard;version=4.0;q=0.5, text/vcard;version=3.0", version4, version3},
		{"text/vcard;version=4.0;q=0.5, text/vcard;version=3.0;q=0.4", version3, version4},
		{"text/vcard;version=4.0, */*;q=0.1", version3, version4},
		{"text/vcard;version=4.0, */*", version3, version3}, // as good as the stored one
		{"application/json", version3, ""},
		{"text/vcard;version=2.1", version3, ""},
		{"text/vcard;version=4.0;q=2", version3, version3}, // a weight that is none
		{"text/vcard;version=4.0;q=NaN", version3, version3},
		{",;,;q,,=", version3, ""},
	} {
		got := wantedVersion([]string{c.accept}, c.stored)
		if got == c.stored {
			got = c.stored
		}
		if got != c.want {
			t.Errorf("wantedVersion(%q, stored %s) = %q, want %q", c.accept, c.stored, got, c.want)
		}
	}
}

func TestRepresent(t *testing.T) {
	o := Options{}.withDefaults()
	r := &holdfast.Resource{Body: cardOf("3.0", "UID:1", "N:Lovelace;Ada;;;", "FN:Ada Lovelace")}
	kept := string(r.Body)
	if _, _, ok := o.represent(http.Header{}, r); ok {
		t.Error("without Accept the stored octets were not given")
	}
	media, body, ok := o.represent(http.Header{"Accept": {"text/vcard; version=4.0"}}, r)
	if !ok || media != "text/vcard; version=4.0; charset=utf-8" || versionOf(body) != version4 || !strings.Contains(string(body), "FN:Ada Lovelace\r\n") {
		t.Errorf("as 4.0: %v, %q, %q", ok, media, body)
	}
	if string(r.Body) != kept {
		t.Error("the stored octets were changed")
	}
	r.Body = body
	for agent, convert := range map[string]bool{
		"iOS/17.4 (21E219) dataaccessd/1.0":                           true,
		"macOS/26.5.1 (25F80) AddressBookCore/2732.600.11":            true,
		"Mac OS X/10.11.2 (15C31f) AddressBook/1679.3":                true,
		"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Thunderbird/128.0": false,
		"": false,
	} {
		media, body, ok := o.represent(http.Header{"User-Agent": {agent}}, r)
		if ok != convert || ok && (versionOf(body) != version3 || !strings.Contains(media, "version=3.0")) {
			t.Errorf("%q, which names no version, got %v %q", agent, ok, media)
		}
	}
}

func TestFormOf(t *testing.T) {
	o := Options{}.withDefaults()
	for _, c := range []struct {
		data davxml.AddressData
		rule string
	}{
		{davxml.AddressData{}, ""},
		{davxml.AddressData{ContentType: "text/vcard", Version: "4.0"}, ""},
		{davxml.AddressData{ContentType: "Text/VCard; charset=utf-8", Version: "3.0"}, ""},
		{davxml.AddressData{ContentType: "application/vcard+json", Version: "4.0"}, ruleSupportedData},
		{davxml.AddressData{Version: "2.1"}, ruleSupportedData},
		{davxml.AddressData{Version: "4"}, ruleSupportedData},
	} {
		f, err := o.formOf(&c.data, http.Header{})
		if rule := ruleOf(err); rule != c.rule {
			t.Errorf("%+v: rule %q, want %q", c.data, rule, c.rule)
		}
		if err == nil && f.version != c.data.Version {
			t.Errorf("%+v: version %q", c.data, f.version)
		}
	}
}

func TestRender(t *testing.T) {
	body := cardOf("3.0", "UID:1", "N:Lovelace;Ada;;;", "FN:Ada Lovelace", "TEL;TYPE=cell:+44 1", "NOTE:folded he", " re")
	same, err := (&form{}).render(body)
	if err != nil || &same[0] != &body[0] {
		t.Errorf("the stored form is not the stored octets: %v", err)
	}
	same, err = (&form{version: version3}).render(body)
	if err != nil || &same[0] != &body[0] {
		t.Errorf("the version that is stored is not the stored octets: %v", err)
	}
	data := davxml.AddressData{Version: "4.0", Props: []davxml.AddressProp{{Name: "tel", NoValue: true}, {Name: "NOTE"}}}
	f, err := Options{}.withDefaults().formOf(&data, http.Header{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := f.render(body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"VERSION:4.0\r\n", "UID:1\r\n", "TEL;TYPE=cell:\r\n", "NOTE:folded he\r\n re\r\n"} {
		if !strings.Contains(string(got), want) {
			t.Errorf("%q is not in %q", want, got)
		}
	}
	if strings.Contains(string(got), "\r\nN:") || strings.Contains(string(got), "+44") {
		t.Errorf("what was not asked for is in %q", got)
	}
}
