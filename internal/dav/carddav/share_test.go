package carddav_test

import (
	"net/http"
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/davxml"
)

func TestASharedBook(t *testing.T) {
	s := newServer(t, davxml.Limits{})
	at, err := s.core.Locate(t.Context(), s.principal(), s.ada.ID, []string{holdfast.HomeAddressbooks, "default"})
	if err == nil {
		err = s.core.Share(t.Context(), holdfast.Actor{}, s.ada.ID, at.Collection.ID, s.bob.ID, holdfast.RightWrite)
	}
	if err != nil {
		t.Fatal(err)
	}
	const asBob = "Test-As: bob"
	book := "/dav/addressbooks/" + s.bob.ID.String() + "/" + at.Collection.ID.String() + "/"
	const card = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:u1\r\nFN:One\r\nN:One;;;;\r\nEND:VCARD\r\n"
	if a := s.do("PUT", book+"1.vcf", card, asBob); a.code != http.StatusCreated {
		t.Fatalf("%+v", a)
	}
	if a := s.do("GET", s.book+"1.vcf", ""); a.code != http.StatusOK || a.body != card {
		t.Errorf("the owner gets %+v", a)
	}
	const space = `xmlns="DAV:" xmlns:CR="urn:ietf:params:xml:ns:carddav"`
	multiget := `<CR:addressbook-multiget ` + space + `><prop><getetag/><CR:address-data/></prop><href>` + book + `1.vcf</href><href>` + s.book + `1.vcf</href></CR:addressbook-multiget>`
	a := s.do("REPORT", book, multiget, asBob)
	if a.code != http.StatusMultiStatus || strings.Count(a.body, "FN:One") != 1 || !strings.Contains(a.body, s.book+"1.vcf</D:href><D:status>HTTP/1.1 404") {
		t.Errorf("multiget: %+v", a)
	}
	query := `<CR:addressbook-query ` + space + `><prop><getetag/></prop><CR:filter><CR:prop-filter name="FN"><CR:text-match>one</CR:text-match></CR:prop-filter></CR:filter></CR:addressbook-query>`
	if a := s.do("REPORT", book, query, asBob, "Depth: 1"); a.code != http.StatusMultiStatus || !strings.Contains(a.body, book+"1.vcf") {
		t.Errorf("query: %+v", a)
	}
	if a := s.do("PUT", book+"2.vcf", card, asBob); a.code != http.StatusForbidden || !strings.Contains(a.body, "<CR:no-uid-conflict><D:href>"+book+"1.vcf</D:href>") {
		t.Errorf("a second card of one UID: %+v", a)
	}
	if a := s.do("PROPFIND", "/dav/principals/"+s.ada.ID.String()+"/", `<propfind `+space+`><prop><CR:addressbook-home-set/></prop></propfind>`, asBob, "Depth: 0"); a.code != http.StatusMultiStatus || strings.Contains(a.body, "/addressbooks/") {
		t.Errorf("the owner's principal: %+v", a)
	}
}
