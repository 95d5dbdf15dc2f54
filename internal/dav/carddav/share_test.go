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
	at, err := s.Core.Locate(t.Context(), s.Principal(), s.Ada.ID, []string{holdfast.HomeAddressbooks, "default"})
	if err == nil {
		err = s.Core.Share(t.Context(), holdfast.Actor{}, s.Ada.ID, at.Collection.ID, s.Bob.ID, holdfast.RightWrite)
	}
	if err != nil {
		t.Fatal(err)
	}
	const asBob = "Test-As: bob"
	book := "/dav/addressbooks/" + s.Bob.ID.String() + "/" + at.Collection.ID.String() + "/"
	const card = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:u1\r\nFN:One\r\nN:One;;;;\r\nEND:VCARD\r\n"
	if a := s.Do("PUT", book+"1.vcf", card, asBob); a.Code != http.StatusCreated {
		t.Fatalf("%+v", a)
	}
	if a := s.Do("GET", s.book+"1.vcf", ""); a.Code != http.StatusOK || a.Body != card {
		t.Errorf("the owner gets %+v", a)
	}
	const space = `xmlns="DAV:" xmlns:CR="urn:ietf:params:xml:ns:carddav"`
	multiget := `<CR:addressbook-multiget ` + space + `><prop><getetag/><CR:address-data/></prop><href>` + book + `1.vcf</href><href>` + s.book + `1.vcf</href></CR:addressbook-multiget>`
	a := s.Do("REPORT", book, multiget, asBob)
	if a.Code != http.StatusMultiStatus || strings.Count(a.Body, "FN:One") != 1 || !strings.Contains(a.Body, s.book+"1.vcf</D:href><D:status>HTTP/1.1 404") {
		t.Errorf("multiget: %+v", a)
	}
	query := `<CR:addressbook-query ` + space + `><prop><getetag/></prop><CR:filter><CR:prop-filter name="FN"><CR:text-match>one</CR:text-match></CR:prop-filter></CR:filter></CR:addressbook-query>`
	if a := s.Do("REPORT", book, query, asBob, "Depth: 1"); a.Code != http.StatusMultiStatus || !strings.Contains(a.Body, book+"1.vcf") {
		t.Errorf("query: %+v", a)
	}
	if a := s.Do("PUT", book+"2.vcf", card, asBob); a.Code != http.StatusForbidden || !strings.Contains(a.Body, "<CR:no-uid-conflict><D:href>"+book+"1.vcf</D:href>") {
		t.Errorf("a second card of one UID: %+v", a)
	}
	if a := s.Do("PROPFIND", "/dav/principals/"+s.Ada.ID.String()+"/", `<propfind `+space+`><prop><CR:addressbook-home-set/></prop></propfind>`, asBob, "Depth: 0"); a.Code != http.StatusMultiStatus || strings.Contains(a.Body, "/addressbooks/") {
		t.Errorf("the owner's principal: %+v", a)
	}
}
