package davxml

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

// BenchmarkMultistatus writes one response with one DAV:getetag for each round.
func BenchmarkMultistatus(b *testing.B) {
	m := NewMultistatus(io.Discard)
	href := "/dav/addressbooks/018f6a3c/default/3f2a9c1e-5b7d-4c7e-9a43-000000001234.vcf"
	etag := `"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"`
	b.ReportAllocs()
	for b.Loop() {
		m.Response(href)
		m.Propstat(200)
		m.Element(DGetETag, etag)
	}
	if err := m.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkMultistatusCard writes one response with ETag and a card of 1 KiB for each round.
func BenchmarkMultistatusCard(b *testing.B) {
	m := NewMultistatus(io.Discard)
	card := []byte(strings.Repeat("TEL;TYPE=home:+44 1632 960123\r\n", 33))
	b.SetBytes(int64(len(card)))
	b.ReportAllocs()
	for b.Loop() {
		m.Response("/dav/addressbooks/018f6a3c/default/1234.vcf")
		m.Propstat(200)
		m.Element(DGetETag, `"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"`)
		m.Start(CRAddressData)
		m.TextBytes(card)
		m.End()
	}
	if err := m.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkParseMultiget reads a multiget of 100 hrefs, which is what a new phone sends.
func BenchmarkParseMultiget(b *testing.B) {
	var s strings.Builder
	s.WriteString(`<?xml version="1.0"?><R:addressbook-multiget xmlns="DAV:" xmlns:R="urn:ietf:params:xml:ns:carddav"><prop><getetag/><R:address-data/></prop>`)
	for i := range 100 {
		fmt.Fprintf(&s, "<href>/dav/addressbooks/018f6a3c/default/%08d.vcf</href>\n", i)
	}
	s.WriteString(`</R:addressbook-multiget>`)
	body := s.String()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(strings.NewReader(body), Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}
