package vcard

import (
	"bytes"
	"strings"
	"testing"
)

// Each case is one card's inner lines in both versions. "=" between them means
// that both directions hold; ">" and "<" only that one.
func TestConvert(t *testing.T) {
	for _, c := range []struct{ name, three, dir, four string }{
		{"photo", "PHOTO;ENCODING=b;TYPE=JPEG:/9j/AAAA", "=", "PHOTO:data:image/jpeg;base64,/9j/AAAA"},
		{"photo without type", "PHOTO;ENCODING=B:iVBORwAA", ">", "PHOTO:data:image/png;base64,iVBORwAA"},
		{"photo by link", "PHOTO;TYPE=GIF;VALUE=uri:http://example.org/a.gif", ">", "PHOTO;MEDIATYPE=image/gif:http://example.org/a.gif"},
		{"photo by link", "PHOTO;VALUE=uri;TYPE=GIF:http://example.org/a.gif", "<", "PHOTO;MEDIATYPE=image/gif:http://example.org/a.gif"},
		{"percent data", "PHOTO;ENCODING=b;TYPE=GIF:QSA=", "<", "PHOTO:data:image/gif,A%20"},
		{"key", "KEY;ENCODING=b;TYPE=X509:AAAA", "=", "KEY:data:application/pkix-cert;base64,AAAA"},
		{"sound", "SOUND;ENCODING=b;TYPE=BASIC:AAAA", "=", "SOUND:data:audio/basic;base64,AAAA"},
		{"preferred", "EMAIL;TYPE=HOME;TYPE=pref:a@example.org", "=", "EMAIL;TYPE=HOME;PREF=1:a@example.org"},
		{"preferred in a list", "TEL;type=CELL,pref,VOICE:1", ">", "TEL;type=CELL,VOICE;PREF=1:1"},
		{"second choice", "EMAIL;PREF=2:a@example.org", "=", "EMAIL;PREF=2:a@example.org"},
		{"telephone URI", "TEL;TYPE=work,voice:+1-555 ext. 102", "<", `TEL;VALUE=uri;TYPE="work,voice":tel:+1-555;ext=102`},
		{"telephone text", "TEL;TYPE=CELL:+1 555", "=", "TEL;TYPE=CELL:+1 555"},
		{"odd telephone URI", "TEL;VALUE=uri:tel:5;phone-context=a", "=", "TEL;VALUE=uri:tel:5;phone-context=a"},
		{"group", "X-ADDRESSBOOKSERVER-KIND:group", "=", "KIND:group"},
		{"member", "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:2", "=", "MEMBER:urn:uuid:2"},
		{"birthday", "BDAY:1980-03-22", "=", "BDAY:19800322"},
		{"birthday with a type", "BDAY;value=date:1980-03-22", ">", "BDAY:19800322"},
		{"birthday and time", "BDAY;VALUE=date-time:1953-10-15T23:10:00Z", "=", "BDAY:19531015T231000Z"},
		{"zone and fraction", "BDAY:1953-10-15T23:10:00.5-05:00", ">", "BDAY:19531015T231000-0500"},
		{"no year", "BDAY;X-APPLE-OMIT-YEAR=1604:1604-02-03", "=", "BDAY:--0203"},
		{"year alone", "BDAY;VALUE=text:1996", "=", "BDAY:1996"},
		{"no date", "BDAY:about 1800, in May", ">", `BDAY;VALUE=text:about 1800\, in May`},
		{"anniversary", "item1.X-ABDATE:2009-08-08\r\nitem1.X-ABLabel:_$!<Anniversary>!$_", "=", "ANNIVERSARY:20090808"},
		{"anniversary already basic", "a.X-ABDATE:20090808\r\na.X-ABLabel:_$!<Anniversary>!$_", ">", "ANNIVERSARY:20090808"},
		{"anniversary by name", "X-ANNIVERSARY:2009-08-08", ">", "ANNIVERSARY:20090808"},
		{"anniversary as text", "X-ANNIVERSARY;VALUE=text:in May", "=", "ANNIVERSARY;VALUE=text:in May"},
		{"other date", "item1.X-ABDATE:2009-08-08\r\nitem1.X-ABLabel:First Kiss", "=", "item1.X-ABDATE:2009-08-08\r\nitem1.X-ABLabel:First Kiss"},
		{"spouse", "item1.X-ABRELATEDNAMES:Bob\r\nitem1.X-ABLabel:_$!<Spouse>!$_", "=", "RELATED;VALUE=text;TYPE=spouse:Bob"},
		{"other relation", "RELATED;TYPE=muse:urn:uuid:1", "=", "RELATED;TYPE=muse:urn:uuid:1"},
		{"gender", "X-GENDER:M", "=", "GENDER:M"},
		{"gender in words", "X-GENDER:Female", ">", "GENDER:F"},
		{"place", "GEO:37.386013;-122.082932", "=", "GEO:geo:37.386013,-122.082932"},
		{"place with more", "GEO:geo:1,2;u=3", "=", "GEO:geo:1,2;u=3"},
		{"zone", "TZ:-05:00", "=", "TZ;VALUE=utc-offset:-0500"},
		{"zone by name", "TZ;VALUE=text:Europe/Vienna", "<", "TZ:Europe/Vienna"},
		{"revision", "REV:1995-10-31T22:27:10Z", "=", "REV:19951031T222710Z"},
		{"label", "ADR;TYPE=home:;;1 Road;;;;\r\nLABEL;TYPE=home:1 Road\\nExampleton\\, EX", "=", `ADR;TYPE=home;LABEL="1 Road^nExampleton, EX":;;1 Road;;;;`},
		{"label alone", "LABEL;TYPE=work:x", "=", "ADR;TYPE=work;LABEL=x:;;;;;;"},
		{"label before its address", "LABEL;TYPE=HOME,pref:x\r\nADR;TYPE=pref,home:;;y;;;;", ">", "ADR;TYPE=home;PREF=1;LABEL=x:;;y;;;;"},
		{"sort", "N:van A;B;;;\r\nSORT-STRING:A\\, B", "=", `N;SORT-AS="A, B":van A;B;;;`},
		{"needless escapes", `URL:http\://example.org/a\,b`, ">", "URL:http://example.org/a,b"},
		{"quotes with backslashes", `NOTE:say \"a\": b, c; d\N`, ">", `NOTE:say "a": b\, c\; d\n`},
		{"good escapes", `NOTE:a\, b\; c\\ d\n`, "=", `NOTE:a\, b\; c\\ d\n`},
		{"bare parameters", "TEL;HOME;VOICE:1", ">", "TEL;TYPE=HOME;TYPE=VOICE:1"},
		{"charset", "NOTE;CHARSET=UTF-8:a", ">", "NOTE:a"},
		{"quoted-printable", "NOTE;CHARSET=ISO-8859-1;ENCODING=QUOTED-PRINTABLE:M=FCller, a=0D=0Ab", ">", `NOTE:Müller\, a\nb`},
		{"unknown", `x.X-Odd;P="a;b":c,d;e\:f`, "=", `x.X-Odd;P="a;b":c,d;e\:f`},
		{"group kept", "item7.EMAIL:a@example.org\r\nitem7.X-ABLabel:Boat", "=", "item7.EMAIL:a@example.org\r\nitem7.X-ABLabel:Boat"},
	} {
		wrap := func(version, lines string) string {
			if strings.Contains(lines, "N:van A") || strings.Contains(lines, ":van A") {
				return body("VERSION:"+version, "UID:u", "FN:A", lines)
			}
			return body("VERSION:"+version, "UID:u", "FN:A", "N:A;;;;", lines)
		}
		try := func(in, version, want string) {
			before := in
			got, r := Convert([]byte(in), version)
			if r != nil || string(got) != want {
				t.Errorf("%s to %s:\n%s\nwant\n%s\n%v", c.name, version, got, want, r)
			}
			if in != before {
				t.Errorf("%s: input changed", c.name)
			}
		}
		three, four := wrap("3.0", c.three), wrap("4.0", c.four)
		if c.dir != "<" {
			try(three, "4.0", four)
		}
		if c.dir != ">" {
			try(four, "3.0", three)
		}
	}
}

func TestConvertWholeCards(t *testing.T) {
	in := []byte(body("VERSION:4.0", "UID:u", "FN:Alice\\, A"))
	got, r := Convert(in, "3.0")
	if want := body("VERSION:3.0", "UID:u", "FN:Alice\\, A", "N:Alice\\, A;;;;"); r != nil || string(got) != want {
		t.Errorf("N is missing: %q, %v", got, r)
	}
	if got, _ := Convert(in, "4.0"); !bytes.Equal(got, in) {
		t.Errorf("the same version changed octets: %q", got)
	}
	for _, v := range []string{"", "2.1", "5.0"} {
		if _, r := Convert(in, v); r == nil || r.Precondition != SupportedAddressData {
			t.Errorf("version %q: %v", v, r)
		}
	}
	if _, r := Convert([]byte(body("VERSION:2.1", "FN:a")), "4.0"); r == nil {
		t.Error("2.1 was converted")
	}
}

func FuzzConvert(f *testing.F) {
	for _, s := range nastySeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, v := range []string{"3.0", "4.0"} {
			Convert(in, v) // must not panic, whatever comes
		}
		ix, r := Judge(in, Limits{})
		if r != nil {
			return
		}
		other := map[string]string{"3.0": "4.0", "4.0": "3.0"}
		data := in
		for range 3 {
			next, r := Convert(data, other[ix.Version])
			if r != nil {
				t.Fatalf("accepted but not converted: %v", r)
			}
			now, r := Judge(next, Limits{})
			if r != nil || now.UID != ix.UID || now.Version != other[ix.Version] {
				t.Fatalf("%+v became %+v, %v\n%s", ix, now, r, next)
			}
			data, ix = next, now
		}
	})
}
