package carddav_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"holdfast/internal/core"
	"holdfast/internal/davxml"
)

// fill puts n contacts as a phone writes them into ada's book.
func (s *server) fill(n int) {
	s.T.Helper()
	who := s.Principal()
	loc, err := s.Core.Locate(s.T.Context(), who, s.Ada.ID, []string{"addressbooks", "default"})
	if err != nil {
		s.T.Fatal(err)
	}
	for i := range n {
		uid := fmt.Sprintf("5F1B7E0A-1F5D-4C0E-9C5B-%012d", i)
		body := vcf("3.0", "PRODID:-//Example Inc.//iOS 17.4//EN", fmt.Sprintf("N:Beispiel %d;Ada;;;", i), fmt.Sprintf("FN:Ada Beispiel %d", i), "ORG:Analytical Engines;Research",
			fmt.Sprintf("item1.EMAIL;type=INTERNET;type=pref:ada%d@example.org", i), "TEL;type=CELL;type=VOICE;type=pref:+44 20 7946 0000",
			"item2.ADR;type=HOME;type=pref:;;12 Example Street;London;;NW1;United Kingdom", "item2.X-ABADR:gb", "BDAY:1815-12-10", "REV:2026-01-01T00:00:00Z", "UID:"+uid)
		q := core.PutRequest{Place: core.Place{Owner: s.Ada.ID, Collection: loc.Collection.ID, Name: uid + ".vcf"}, ContentType: "text/vcard", Body: body}
		if _, _, err := s.Core.Put(s.T.Context(), who, q); err != nil {
			s.T.Fatal(err)
		}
	}
}

// client speaks to the server over loopback.
type client struct {
	b   testing.TB
	url string
	c   http.Client
}

func (s *server) listen() *client {
	srv := httptest.NewServer(s.Handler)
	s.T.Cleanup(srv.Close)
	return &client{b: s.T, url: srv.URL}
}

// send returns the length of a 207, and its body in buf.
func (c *client) send(method, target, body, depth string, buf *bytes.Buffer) int {
	req, err := http.NewRequest(method, c.url+target, strings.NewReader(body))
	if err != nil {
		c.b.Fatal(err)
	}
	req.Header.Set("Depth", depth)
	res, err := c.c.Do(req)
	if err != nil {
		c.b.Fatal(err)
	}
	defer res.Body.Close()
	buf.Reset()
	n, err := io.Copy(buf, res.Body)
	if err != nil || res.StatusCode != http.StatusMultiStatus {
		c.b.Fatalf("%s %s: %d %v", method, target, res.StatusCode, err)
	}
	return int(n)
}

var hrefs = regexp.MustCompile(`<D:href>([^<]*\.vcf)</D:href>`)

// newPhone lists the book and fetches everything by multigets of 100; it returns how many cards came.
func (c *client) newPhone(book string, data string) int {
	var buf bytes.Buffer
	c.send("PROPFIND", book, `<propfind xmlns="DAV:"><prop><getetag/></prop></propfind>`, "1", &buf)
	var all []string
	for _, m := range hrefs.FindAllSubmatch(buf.Bytes(), -1) {
		all = append(all, string(m[1]))
	}
	cards := 0
	for i := 0; i < len(all); i += 100 {
		c.send("REPORT", book, multiget("<prop><getetag/>"+data+"</prop>", all[i:min(i+100, len(all))]...), "0", &buf)
		cards += bytes.Count(buf.Bytes(), []byte("BEGIN:VCARD"))
	}
	return cards
}

// BenchmarkNewPhone is 10,000 contacts to a new phone, client included; the budget on two cores is 0.4 s.
func BenchmarkNewPhone(b *testing.B) {
	s := newServer(b, davxml.Limits{})
	const n = 10_000
	s.fill(n)
	c := s.listen()
	for name, data := range map[string]string{"stored": `<CR:address-data/>`, "as4": `<CR:address-data version="4.0"/>`} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if got := c.newPhone(s.book, data); got != n {
					b.Fatalf("%d of %d contacts came", got, n)
				}
			}
		})
	}
}

// BenchmarkQuery searches 10,000 contacts for one.
func BenchmarkQuery(b *testing.B) {
	s := newServer(b, davxml.Limits{})
	s.fill(10_000)
	c := s.listen()
	for name, filter := range map[string]string{
		"one":     `<CR:filter><CR:prop-filter name="EMAIL"><CR:text-match>ada7777@</CR:text-match></CR:prop-filter></CR:filter>`,
		"unicode": `<CR:filter><CR:prop-filter name="FN"><CR:text-match>zoë</CR:text-match></CR:prop-filter></CR:filter>`,
		"listing": ``,
	} {
		b.Run(name, func(b *testing.B) {
			var buf bytes.Buffer
			b.ReportAllocs()
			for b.Loop() {
				c.send("REPORT", s.book, query("<prop><getetag/></prop>", filter), "1", &buf)
			}
		})
	}
}

// BenchmarkMultiget is one multiget of 100.
func BenchmarkMultiget(b *testing.B) {
	s := newServer(b, davxml.Limits{})
	s.fill(1000)
	c := s.listen()
	var ask []string
	for i := range 100 {
		ask = append(ask, fmt.Sprintf("%s5F1B7E0A-1F5D-4C0E-9C5B-%012d.vcf", s.book, i*7))
	}
	body := multiget(plain, ask...)
	var buf bytes.Buffer
	b.ReportAllocs()
	for b.Loop() {
		b.SetBytes(int64(c.send("REPORT", s.book, body, "0", &buf)))
	}
}
