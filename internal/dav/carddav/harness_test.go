package carddav_test

import (
	"fmt"
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/core"
	"holdfast/internal/dav"
	"holdfast/internal/dav/carddav"
	"holdfast/internal/dav/davtest"
	"holdfast/internal/davxml"
)

// server has an address book.
type server struct {
	*davtest.Server
	book string // of Ada, canonical
}

func newServer(t testing.TB, limits davxml.Limits) *server {
	return newServerWith(t, limits, carddav.Judge(carddav.Options{MaxResource: 100_000}))
}

func newServerWith(t testing.TB, limits davxml.Limits, judge core.Judge) *server {
	t.Helper()
	s := &server{Server: davtest.NewServer(t, davtest.Options{Limits: limits, MaxResource: 100_000,
		Judges: map[holdfast.CollectionType]core.Judge{holdfast.TypeAddressbook: judge},
		Extensions: func(c *clock.Fake) []dav.Extension {
			return []dav.Extension{carddav.Extension(carddav.Options{MaxResource: 100_000})}
		}})}
	s.book = "/dav/addressbooks/" + s.Ada.ID.String() + "/default/"
	return s
}

// put stores a card and returns its ETag.
func (s *server) put(target string, card []byte, headers ...string) string {
	s.T.Helper()
	return s.Put("text/vcard", target, string(card), headers...)
}

// vcf makes a card of the lines, with CRLF.
func vcf(version string, lines ...string) []byte {
	all := append([]string{"BEGIN:VCARD", "VERSION:" + version}, lines...)
	return []byte(strings.Join(append(all, "END:VCARD"), "\r\n") + "\r\n")
}

const (
	space = `xmlns="DAV:" xmlns:CR="urn:ietf:params:xml:ns:carddav"`
	plain = `<prop><getetag/><CR:address-data/></prop>`
)

func multiget(prop string, hrefs ...string) string {
	return fmt.Sprintf(`<CR:addressbook-multiget %s>%s%s</CR:addressbook-multiget>`, space, prop, davtest.Hrefs(hrefs...))
}

func query(prop, rest string) string {
	return fmt.Sprintf(`<CR:addressbook-query %s>%s%s</CR:addressbook-query>`, space, prop, rest)
}
