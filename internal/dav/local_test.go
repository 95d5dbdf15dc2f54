package dav

import (
	"strings"
	"testing"

	"holdfast"
)

// TestALocalPartInAPath: wherever a request names a path, the part of the asker's own login before the "@" does for USER, and somebody else's never does.
func TestALocalPartInAPath(t *testing.T) {
	g := newRig(t)
	book := "/remote.php/dav/addressbooks/users/alice/default/"
	etag := g.want(201, "PUT", book+"a.vcf", card("a")).Header.Get("ETag")
	g.want(200, "GET", g.book()+"a.vcf", "")
	g.want(204, "PUT", book+"a.vcf", card("a")+"\r\n", "If: <"+book+"a.vcf> (["+etag+"])")
	g.want(201, "MOVE", book+"a.vcf", "", "Destination: http://dav.example.org"+book+"b.vcf")
	g.want(201, "PUT", "/remote.php/dav/files/alice/f", "x")
	g.want(201, "COPY", "/remote.php/dav/files/alice/f", "", "Destination: /remote.php/dav/files/Alice/copy")
	expand := `<D:expand-property xmlns:D="DAV:"><D:property name="owner"><D:property name="displayname"/></D:property></D:expand-property>`
	g.want(207, "REPORT", book, expand).has(t, "alice@example.org")
	principal := "/remote.php/dav/principals/users/alice/"
	g.want(207, "PROPFIND", principal, find("D:displayname"), "Depth: 0").has(t, "<D:href>"+principal+"</D:href>", "<D:displayname>alice@example.org</D:displayname>")

	for _, user := range []string{"bob", "nobody", "ali", "alice@", "@example.org", "alice%20x"} {
		at := strings.Replace(book, "/alice/", "/"+user+"/", 1)
		for _, method := range []string{"PROPFIND", "GET", "PUT", "DELETE", "MKCOL"} {
			g.want(403, method, at+"b.vcf", "")
		}
		g.want(403, "MOVE", book+"b.vcf", "", "Destination: "+at+"b.vcf")
		g.want(403, "PROPFIND", strings.Replace(principal, "/alice/", "/"+user+"/", 1), "", "Depth: 0")
		g.want(412, "PUT", book+"b.vcf", card("a"), "If: <"+at+"b.vcf> (["+etag+"])")
	}

	// Who is called bob now is no other's bob.
	if _, err := g.core.UpdateAccount(t.Context(), holdfast.Actor{}, g.alice.ID, func(r *holdfast.AccountRecord) error { r.Email = "bob@b.example.org"; return nil }); err != nil {
		t.Fatal(err)
	}
	g.want(200, "GET", "/dav/addressbooks/bob/default/b.vcf", "")
	g.want(200, "GET", book+"b.vcf", "")
	g.want(403, "GET", "/dav/addressbooks/bob@example.org/default/b.vcf", "")
}
