package carddav_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/dav/davtest"
	"holdfast/internal/davxml"
)

func TestMultigetAnswersEachHrefAsGiven(t *testing.T) {
	s := newServer(t, davxml.Limits{})
	card := vcf("3.0", "UID:1", "N:;;;;", "FN:<Ada> & \"Co\"", "NOTE:Zoë")
	etag := s.put(s.book+"a%20b.vcf", card)
	id := s.Ada.ID.String()
	good := []string{
		s.book + "a%20b.vcf",
		"/dav/addressbooks/ada@example.org/default/a%20b.vcf",
		"/dav/addressbooks/ada%40example.org/default/%61%20b.vcf",
		"/remote.php/dav/addressbooks/users/ada@example.org/default/a%20b.vcf",
		"/remote.php/dav/addressbooks/users/" + id + "/default/a%20b.vcf",
		"https://cloud.example.org" + s.book + "a%20b.vcf",
		"http://cloud.example.org/dav/addressbooks/ada@example.org/default/a%20b.vcf",
		"https://as.the.proxy.calls.us.example.net:8443" + s.book + "a%20b.vcf", // the path alone counts
		"//cloud.example.org" + s.book + "a%20b.vcf",
		s.book + "a%20b.vcf", // twice
	}
	bob := "/dav/addressbooks/" + s.Bob.ID.String() + "/default/"
	s.put(bob+"secret.vcf", vcf("3.0", "UID:s", "FN:Secret"), "Test-As: bob")
	s.Do("MKCOL", "/dav/addressbooks/"+id+"/other/", "")
	s.put("/dav/addressbooks/"+id+"/other/o.vcf", vcf("3.0", "UID:o", "FN:Other"))
	bad := []string{
		s.book + "missing.vcf", s.book, strings.TrimSuffix(s.book, "/"), s.book + "a%20b.vcf/",
		bob + "secret.vcf", bob + "nothing.vcf", "/dav/addressbooks/nobody@example.org/default/a.vcf",
		"/dav/addressbooks/" + id + "/other/o.vcf", "/dav/addressbooks/" + id + "/default/../other/o.vcf", "/dav/addressbooks/" + id + "/default%2Fa%20b.vcf",
		"https://elsewhere.example.net" + s.book + "b.vcf", "https://elsewhere.example.net", "/" + s.book + "a%20b.vcf", "/etc/passwd", "a%20b.vcf", "mailto:a@b", "%zz", "/dav/principals/" + id + "/", "urn:uuid:1",
		s.book + "a%00b.vcf", s.book + "%ff.vcf",
	}
	all := append(slices.Clone(good), bad...)
	got := s.Report(s.book, multiget(plain, all...))
	if len(got) != len(all) {
		t.Fatalf("%d answers for %d hrefs", len(got), len(all))
	}
	for i, r := range got {
		if r.Href != all[i] {
			t.Errorf("answer %d is under %q, asked was %q", i, r.Href, all[i])
		}
		if i < len(good) {
			if r.Data() != string(card) || r.ETag() != etag || r.Status != "" {
				t.Errorf("%s: data %q, ETag %s, status %q", r.Href, r.Data(), r.ETag(), r.Status)
			}
		} else if r.Status != "HTTP/1.1 404 Not Found" || len(r.Stats) != 0 {
			t.Errorf("%s: status %q, %d propstats: whoever asks may learn nothing of it", r.Href, r.Status, len(r.Stats))
		}
	}
}

// A phone deletes what a multiget says is not there. What went wrong on the way to a card says nothing of the card.
func TestMultigetFailsAsAWholeOnAFault(t *testing.T) {
	s := newServer(t, davxml.Limits{})
	s.put(s.book+"a.vcf", vcf("3.0", "UID:1", "FN:Ada"))
	body := multiget(plain, "/dav/files/"+s.Ada.ID.String()+"/x", s.book+"a.vcf", s.book+"none.vcf")
	for _, fault := range []error{&holdfast.Error{Kind: holdfast.Unavailable}, &holdfast.Error{Kind: holdfast.InDoubt}, &holdfast.Error{Kind: holdfast.Corrupt},
		context.DeadlineExceeded, context.Canceled, errors.New("a bug")} {
		s.Engine.Child = fault
		a := s.Do("REPORT", s.book, body)
		if a.Code != 503 && (fault.Error() != "a bug" || a.Code != 500) || strings.Contains(a.Body, "multistatus") || strings.Contains(a.Body, "404") {
			t.Errorf("%v: %d %s", fault, a.Code, a.Body)
		}
	}
	s.Engine.Child = nil
	if got := s.Report(s.book, body); len(got) != 3 || got[1].Data() == "" {
		t.Errorf("without a fault: %+v", got)
	}
}

// A card whose octets are not here is neither empty nor one that does not match.
func TestReportsFailWhereOctetsAreLost(t *testing.T) {
	s := newServer(t, davxml.Limits{})
	s.put(s.book+"a.vcf", vcf("3.0", "UID:1", "FN:Ada"))
	s.Engine.Lost = true
	match := `<CR:filter><CR:prop-filter name="FN"><CR:text-match>zoe</CR:text-match></CR:prop-filter></CR:filter>`
	for _, body := range []string{multiget(plain, s.book+"a.vcf"), query(plain, "<CR:filter/>"), query("<prop><getetag/></prop>", match),
		`<sync-collection ` + space + `><sync-token/><sync-level>1</sync-level>` + plain + `</sync-collection>`} {
		if a := s.Do("REPORT", s.book, body); a.Code != 503 || strings.Contains(a.Body, "multistatus") {
			t.Errorf("%s: %d %s", body, a.Code, a.Body)
		}
	}
	if got := s.Report(s.book, multiget("<prop><getetag/></prop>", s.book+"a.vcf")); got[0].ETag() == "" {
		t.Errorf("without octets: %+v", got)
	}
}

// TestWhatHasNoOctetsIsNoEmptyCard: an item came without octets, though nothing replaced it. Nobody is shown an empty card, and no phone takes it for deleted: the answer is 503, its ETag stays, and a PUT of the card makes it whole.
func TestWhatHasNoOctetsIsNoEmptyCard(t *testing.T) {
	s := newServer(t, davxml.Limits{})
	d, _, err := s.Core.AddDevice(t.Context(), s.Principal().Actor(), s.Ada.ID, "Phone", holdfast.HashOf([]byte("x")))
	if err != nil {
		t.Fatal(err)
	}
	s.Device = d.ID // it had the card before it was lost
	card := vcf("3.0", "UID:a", "FN:A", "N:;A;;;")
	tag := s.put(s.book+"a.vcf", card)
	if err := s.Engine.Hollow(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Want(503, "GET", s.book+"a.vcf", "")
	if got := s.Report(s.book, multiget(plain, s.book+"a.vcf")); len(got) != 1 || got[0].Status != "HTTP/1.1 503 Service Unavailable" {
		t.Errorf("multiget: %+v", got)
	}
	s.Want(503, "REPORT", s.book, query(plain, "<CR:filter/>"), "Depth: 1")
	if a := s.Want(207, "PROPFIND", s.book, `<propfind xmlns="DAV:"><prop><getetag/></prop></propfind>`, "Depth: 1"); !strings.Contains(a.Body, strings.Trim(tag, `"`)) {
		t.Errorf("the listing has another ETag, or none: %s", a.Body)
	}
	if got := s.put(s.book+"a.vcf", vcf("3.0", "UID:a", "FN:Again", "N:;A;;;")); got == tag {
		t.Error("the PUT changed nothing")
	}
	s.Want(200, "GET", s.book+"a.vcf", "")
}

func TestMultigetAtACardAndWithoutHrefs(t *testing.T) {
	s := newServer(t, davxml.Limits{})
	s.put(s.book+"a.vcf", vcf("3.0", "UID:1", "FN:Ada"))
	s.put(s.book+"b.vcf", vcf("3.0", "UID:2", "FN:Bea"))
	got := s.Report(s.book+"a.vcf", multiget(plain, s.book+"a.vcf", s.book+"b.vcf"))
	if len(got) != 2 || got[0].Data() == "" || got[0].Href != s.book+"a.vcf" || got[1].Status != "HTTP/1.1 404 Not Found" {
		t.Errorf("at a card: %+v", got)
	}
	if got := s.Report(s.book, multiget(plain)); len(got) != 0 {
		t.Errorf("no hrefs: %+v", got)
	}
	got = s.Report(s.book+"b.vcf", query(plain, `<CR:filter><CR:prop-filter name="FN"><CR:text-match>bea</CR:text-match></CR:prop-filter></CR:filter>`))
	if len(got) != 1 || got[0].Href != s.book+"b.vcf" || got[0].Data() == "" {
		t.Errorf("a query at a card: %+v", got)
	}
	if got = s.Report(s.book+"a.vcf", query(plain, `<CR:filter><CR:prop-filter name="FN"><CR:text-match>bea</CR:text-match></CR:prop-filter></CR:filter>`)); len(got) != 0 {
		t.Errorf("a query at a card that does not match: %+v", got)
	}
}

func TestMultigetLimits(t *testing.T) {
	s := newServer(t, davxml.Limits{Hrefs: 3})
	if a := s.Do("REPORT", s.book, multiget(plain, "/a", "/b", "/c", "/d")); a.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("four hrefs where three are allowed: %d", a.Code)
	}
	for _, body := range []string{"", "<a/>", "<CR:addressbook-multiget", multiget("<prop><CR:address-data><CR:prop/></CR:address-data></prop>", "/a")} {
		if a := s.Do("REPORT", s.book, body); a.Code != http.StatusBadRequest && a.Code != http.StatusForbidden {
			t.Errorf("%.40q: %d %s", body, a.Code, a.Body)
		}
	}
}

func TestMultigetConverts(t *testing.T) {
	s := newServer(t, davxml.Limits{})
	three := vcf("3.0", "UID:1", "N:Lovelace;Ada;;;", "FN:Ada Lovelace", "TEL;TYPE=cell:+44 1")
	four := vcf("4.0", "UID:2", "N:Hopper;Grace;;;", "FN:Grace Hopper", "TEL;TYPE=cell:+1 2")
	etags := []string{s.put(s.book+"3.vcf", three), s.put(s.book+"4.vcf", four)}
	ask := func(attr string, headers ...string) []davtest.Response {
		t.Helper()
		got := s.Report(s.book, multiget(`<prop><getetag/><CR:address-data `+attr+`/></prop>`, s.book+"3.vcf", s.book+"4.vcf"), headers...)
		for i, r := range got {
			if r.ETag() != etags[i] {
				t.Errorf("%s %s: the ETag is %s, that of the stored octets is %s", attr, r.Href, r.ETag(), etags[i])
			}
			want := ""
			if strings.Contains(r.Data(), "VERSION:4.0") {
				want = "4.0"
			}
			if v := r.Stats[0].Prop.Contact.Version; v != want {
				t.Errorf("%s %s: announced as version %q", attr, r.Href, v)
			}
		}
		return got
	}
	for _, c := range []struct {
		attr, agent  string
		want3, want4 string // version that each comes in
	}{
		{``, "", "3.0", "4.0"},
		{`content-type="text/vcard"`, "", "3.0", "4.0"},
		{`version="3.0"`, "", "3.0", "3.0"},
		{`content-type="text/vcard" version="4.0"`, "", "4.0", "4.0"},
		{``, "iOS/17.4 (21E219) dataaccessd/1.0", "3.0", "3.0"},
	} {
		got := ask(c.attr, "User-Agent: "+c.agent)
		for i, want := range []string{c.want3, c.want4} {
			if !strings.HasPrefix(got[i].Data(), "BEGIN:VCARD\r\nVERSION:"+want+"\r\n") {
				t.Errorf("%q by %q: %s is %q, want version %s", c.attr, c.agent, got[i].Href, got[i].Data(), want)
			}
		}
		if c.want3 == "3.0" && got[0].Data() != string(three) || c.want4 == "4.0" && got[1].Data() != string(four) {
			t.Errorf("%q by %q: the stored octets changed", c.attr, c.agent)
		}
	}
	for _, attr := range []string{`version="2.1"`, `content-type="application/vcard+json" version="4.0"`} {
		a := s.Do("REPORT", s.book, multiget(`<prop><CR:address-data `+attr+`/></prop>`, s.book+"3.vcf"))
		if a.Code != http.StatusForbidden || !strings.Contains(a.Body, "CR:supported-address-data") {
			t.Errorf("%s: %d %s", attr, a.Code, a.Body)
		}
	}
}

func TestPartialData(t *testing.T) {
	s := newServer(t, davxml.Limits{})
	s.put(s.book+"a.vcf", vcf("3.0", "UID:1", "N:Lovelace;Ada;;;", "FN:Ada Lovelace", "item1.TEL;TYPE=cell:+44 1", "EMAIL:ada@example.org", "NOTE:x"))
	for _, c := range []struct{ props, want string }{
		{`<CR:allprop/>`, "N:Lovelace;Ada;;;|FN:Ada Lovelace|item1.TEL;TYPE=cell:+44 1|EMAIL:ada@example.org|NOTE:x|"},
		{`<CR:prop name="email"/>`, "FN:Ada Lovelace|EMAIL:ada@example.org|"},
		{`<CR:prop name="TEL" novalue="yes"/><CR:prop name="N" novalue="no"/>`, "N:Lovelace;Ada;;;|FN:Ada Lovelace|item1.TEL;TYPE=cell:|"},
		{`<CR:prop name="X-NONE"/>`, "FN:Ada Lovelace|"},
	} {
		for _, body := range []string{multiget(`<prop><CR:address-data>`+c.props+`</CR:address-data></prop>`, s.book+"a.vcf"),
			query(`<prop><CR:address-data>`+c.props+`</CR:address-data></prop>`, "")} {
			want := "BEGIN:VCARD|VERSION:3.0|UID:1|" + c.want + "END:VCARD|"
			if got := strings.ReplaceAll(s.Report(s.book, body)[0].Data(), "\r\n", "|"); got != want {
				t.Errorf("%s gives %s, want %s", c.props, got, want)
			}
		}
	}
}

// TestAddressDataOutsideReports: PROPFIND must not answer it (RFC 6352 section 10.4), not even where it is named.
func TestAddressDataOutsideReports(t *testing.T) {
	s := newServer(t, davxml.Limits{})
	s.put(s.book+"a.vcf", vcf("3.0", "UID:1", "FN:Ada"))
	for _, body := range []string{"", `<propfind ` + space + `><propname/></propfind>`, `<propfind ` + space + `><prop><CR:address-data/></prop></propfind>`} {
		a := s.Do("PROPFIND", s.book+"a.vcf", body, "Depth: 0")
		if a.Code != http.StatusMultiStatus || strings.Contains(a.Body, "BEGIN:VCARD") || strings.Contains(body, "propname") && strings.Contains(a.Body, "address-data") {
			t.Errorf("%s: %d %s", body, a.Code, a.Body)
		}
	}
}

func TestQueryLimit(t *testing.T) {
	s := newServer(t, davxml.Limits{})
	for i := range 5 {
		s.put(fmt.Sprintf("%s%d.vcf", s.book, i), vcf("3.0", fmt.Sprintf("UID:%d", i), "FN:Ada", fmt.Sprintf("NOTE:%d", i%2)))
	}
	odd := `<CR:filter><CR:prop-filter name="NOTE"><CR:text-match>1</CR:text-match></CR:prop-filter></CR:filter>`
	for _, c := range []struct {
		rest  string
		found int
		cut   bool
	}{
		{"", 5, false},
		{`<CR:limit><CR:nresults>5</CR:nresults></CR:limit>`, 5, false},
		{`<CR:limit><CR:nresults>4</CR:nresults></CR:limit>`, 4, true},
		{odd + `<CR:limit><CR:nresults>2</CR:nresults></CR:limit>`, 2, false},
		{odd + `<CR:limit><CR:nresults>1</CR:nresults></CR:limit>`, 1, true},
	} {
		got := s.Report(s.book, query(plain, c.rest), "Depth: 1")
		last := got[len(got)-1]
		if cut := last.Status == "HTTP/1.1 507 Insufficient Storage"; cut != c.cut {
			t.Fatalf("%s: cut %v: %+v", c.rest, cut, last)
		}
		if c.cut {
			if last.Href != s.book || !strings.Contains(last.Error.Inner, "number-of-matches-within-limits") {
				t.Errorf("%s: the cut is told as %+v", c.rest, last)
			}
			got = got[:len(got)-1]
		}
		if len(got) != c.found {
			t.Errorf("%s: %d found, want %d", c.rest, len(got), c.found)
		}
	}
	if a := s.Do("REPORT", s.book, query(plain, `<CR:limit><CR:nresults>0</CR:nresults></CR:limit>`)); a.Code != http.StatusBadRequest {
		t.Errorf("a limit of nothing: %d", a.Code)
	}
}

func TestQueryDepth(t *testing.T) {
	s := newServer(t, davxml.Limits{})
	s.put(s.book+"a.vcf", vcf("3.0", "UID:1", "FN:Ada"))
	for _, h := range []string{"Depth: 0", "Depth: 1", "Depth: infinity", "Nothing: 1"} {
		if got := s.Report(s.book, query(plain, ""), h); len(got) != 1 || got[0].Href != s.book+"a.vcf" {
			t.Errorf("%s: %+v", h, got)
		}
	}
}

// TestWhatXMLCannotCarry: octets that a report could not give back as they came are refused when they come.
func TestWhatXMLCannotCarry(t *testing.T) {
	s := newServer(t, davxml.Limits{})
	var all []rune
	for r := rune(0); r < 0xa0; r++ {
		all = append(all, r)
	}
	all = append(all, 0x2028, 0xfdd0, 0xfffd, 0xfffe, 0xffff, 0x1fffe, 0x1f600, 0x10ffff, 0xfeff)
	for _, r := range all {
		card := vcf("3.0", "UID:1", "FN:Ada", "NOTE:x"+string(r)+"y")
		a := s.Do("PUT", s.book+"x.vcf", string(card), "Content-Type: text/vcard")
		if a.Code == http.StatusForbidden {
			continue
		}
		if got := s.Report(s.book, multiget(plain, s.book+"x.vcf"))[0].Data(); got != string(card) {
			t.Errorf("U+%04X was taken (%d), and came back as %q", r, a.Code, got)
		}
	}
}

// TestDataInSyncCollection: Thunderbird asks the ground's report for address data.
func TestDataInSyncCollection(t *testing.T) {
	s := newServer(t, davxml.Limits{})
	cards := [][]byte{vcf("3.0", "UID:1", "N:;;;;", "FN:Ada"), vcf("4.0", "UID:2", "FN:Bea"), vcf("3.0", "UID:3", "N:;;;;", "FN:Cleo")}
	for i, c := range cards {
		s.put(fmt.Sprintf("%s%d.vcf", s.book, i), c)
	}
	ask := func(attr string) string {
		return `<sync-collection ` + space + `><sync-token/><sync-level>1</sync-level><prop><getetag/><CR:address-data` + attr + `/></prop></sync-collection>`
	}
	for attr, version := range map[string]string{``: "", ` version="3.0"`: "3.0", ` version="4.0"`: "4.0"} {
		got := s.Report(s.book, ask(attr))
		if len(got) != len(cards) {
			t.Fatalf("%s: %d of %d came", attr, len(got), len(cards))
		}
		for i, r := range got {
			stored := string(cards[i])
			if version == "" && r.Data() != stored || version != "" && !strings.Contains(r.Data(), "VERSION:"+version+"\r\n") ||
				strings.Contains(stored, "VERSION:"+version) && r.Data() != stored {
				t.Errorf("%s: %s is %q", attr, r.Href, r.Data())
			}
		}
	}
	if a := s.Do("REPORT", s.book, ask(` version="2.1"`)); a.Code != http.StatusForbidden || !strings.Contains(a.Body, "CR:supported-address-data") {
		t.Errorf("a version that is not known: %d %s", a.Code, a.Body)
	}
}

// TestUnconvertible: a stored card that cannot be made in the version that is asked for is told by name, and costs the others nothing. The judge keeps such
// cards out; this is for those that an older judge let in.
func TestUnconvertible(t *testing.T) {
	lax := func(*holdfast.Collection, string, string, []byte) (holdfast.Kind, holdfast.Index, error) {
		return holdfast.KindAddress, holdfast.Index{UID: holdfast.NewID(nil).String()}, nil
	}
	s := newServerWith(t, davxml.Limits{}, lax)
	const broken = "BEGIN:VCARD\r\nVERSION:3.0\r\nthis line has no name\r\nEND:VCARD\r\n"
	s.put(s.book+"bad.vcf", []byte(broken))
	s.put(s.book+"good.vcf", vcf("3.0", "UID:1", "N:;;;;", "FN:Ada"))
	const four = `<prop><getetag/><CR:address-data version="4.0"/></prop>`
	for _, body := range []string{multiget(four, s.book+"bad.vcf", s.book+"good.vcf"), query(four, "")} {
		got := s.Report(s.book, body)
		if len(got) != 2 || got[0].Status != "HTTP/1.1 415 Unsupported Media Type" || !strings.Contains(got[0].Error.Inner, "supported-address-data-conversion") || len(got[0].Stats) != 0 {
			t.Errorf("the broken card: %+v", got[0])
		}
		if !strings.Contains(got[1].Data(), "VERSION:4.0") {
			t.Errorf("the other card: %+v", got[1])
		}
	}
	if got := s.Report(s.book, multiget(plain, s.book+"bad.vcf")); got[0].Data() != broken {
		t.Errorf("as it is stored: %q", got[0].Data())
	}
	if got := s.Report(s.book, query(plain, `<CR:filter><CR:prop-filter name="X"><CR:is-not-defined/></CR:prop-filter></CR:filter>`)); len(got) != 1 || got[0].Href != s.book+"good.vcf" {
		t.Errorf("a filter over a card that cannot be read: %+v", got)
	}
	if a := s.Do("GET", s.book+"bad.vcf", "", "Accept: text/vcard;version=4.0"); a.Body != broken {
		t.Errorf("GET: %d %q", a.Code, a.Body)
	}
}

// TestQueryIsSeen: a query that lists everything is evidence of what the device has seen; one that chooses is not.
func TestQueryIsSeen(t *testing.T) {
	s := newServer(t, davxml.Limits{})
	d, _, err := s.Core.AddDevice(t.Context(), s.Principal().Actor(), s.Ada.ID, "Phone", holdfast.HashOf([]byte("x")))
	if err != nil {
		t.Fatal(err)
	}
	s.Device = d.ID
	seen := func() (full int) {
		devices, err := s.Core.Devices(t.Context(), s.Ada.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range devices[0].Seen {
			if x.Full {
				full++
			}
		}
		return full
	}
	s.put(s.book+"a.vcf", vcf("3.0", "UID:1", "FN:Ada"))
	s.put(s.book+"b.vcf", vcf("3.0", "UID:2", "FN:Bea"))
	s.Report(s.book, query(plain, `<CR:filter><CR:prop-filter name="FN"/></CR:filter>`))
	s.Report(s.book, query(plain, `<CR:limit><CR:nresults>1</CR:nresults></CR:limit>`))
	if n := seen(); n != 0 {
		t.Errorf("%d full listings were noted, none was given", n)
	}
	s.Report(s.book, query(plain, ``))
	if n := seen(); n != 1 {
		t.Errorf("%d full listings were noted, one was given", n)
	}
}
