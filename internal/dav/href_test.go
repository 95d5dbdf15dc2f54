package dav

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"holdfast"
)

func TestParsePath(t *testing.T) {
	id := strings.Repeat("a", 26)
	for _, c := range []struct {
		in   string
		want Path
	}{
		{"/", Path{Slash: true, form: formBare}},
		{"/dav", Path{}},
		{"/dav/", Path{Slash: true}},
		{"/remote.php/dav/", Path{Slash: true, form: formCloud}},
		{"/dav/principals/", Path{Area: "principals", Slash: true}},
		{"/dav/principals/" + id + "/", Path{Area: "principals", User: id, Slash: true, spelt: id}},
		{"/remote.php/dav/principals/users/a%40example.org/", Path{Area: "principals", User: "a@example.org", Slash: true, form: formCloud, users: true, spelt: "a%40example.org"}},
		{"/remote.php/dav/principals/users/", Path{Area: "principals", Slash: true, form: formCloud, users: true}},
		{"/dav/addressbooks/" + id + "/default/a.vcf", Path{Area: "addressbooks", User: id, Names: []string{"default", "a.vcf"}, spelt: id}},
		{"/remote.php/dav/addressbooks/users/a@b.org/x/", Path{Area: "addressbooks", User: "a@b.org", Names: []string{"x"}, Slash: true, form: formCloud, users: true, spelt: "a@b.org"}},
		{"/remote.php/dav/calendars/a@b.org/x/", Path{Area: "calendars", User: "a@b.org", Names: []string{"x"}, Slash: true, form: formCloud, spelt: "a@b.org"}},
		{"/remote.php/webdav/Photos/a%20b.jpg", Path{Area: "files", Names: []string{"Photos", "a b.jpg"}, form: formWeb}},
		{"/remote.php/webdav/", Path{Area: "files", Slash: true, form: formWeb}},
		{"/dav/files/" + id + "/caf%C3%A9", Path{Area: "files", User: id, Names: []string{"café"}, spelt: id}},
		{"/dav/files/" + id + "/cafe%CC%81", Path{Area: "files", User: id, Names: []string{"cafe\u0301"}, spelt: id}}, // another name: octet for octet
		{"/dav/files/" + id + "/caf\xc3\xa9", Path{Area: "files", User: id, Names: []string{"café"}, spelt: id}},
		{"/dav/files/" + id + "/100%25", Path{Area: "files", User: id, Names: []string{"100%"}, spelt: id}},
		{"/dav/files/" + id + "/a%2541", Path{Area: "files", User: id, Names: []string{"a%41"}, spelt: id}}, // decoded once
	} {
		got, err := ParsePath(c.in)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("ParsePath(%q) = %+v, %v; want %+v", c.in, got, err, c.want)
		}
	}
}

func TestHrefKeepsTheRequestsForm(t *testing.T) {
	for in, want := range map[string]string{
		"/dav/principals/a%40b.org":                         "/dav/principals/a%40b.org",
		"/dav/addressbooks/a@b.org/x/":                      "/dav/addressbooks/a@b.org/x/",
		"/dav/addressbooks/A%40b.org/x/":                    "/dav/addressbooks/A%40b.org/x/",
		"/remote.php/dav/addressbooks/users/a@b.org/x/":     "/remote.php/dav/addressbooks/users/a@b.org/x/",
		"/remote.php/webdav/a%20b":                          "/remote.php/webdav/a%20b",
		"/dav/files/a@b.org/%61b%2d":                        "/dav/files/a@b.org/ab-", // names canonically
		"/dav/files/a@b.org/ü":                              "/dav/files/a@b.org/%C3%BC",
		"/dav/files/a@b.org/%c3%bc":                         "/dav/files/a@b.org/%C3%BC",
		"/dav/files/a@b.org/!$&'()*+,;=:@-._~":              "/dav/files/a@b.org/!$&'()*+,;=:@-._~",
		"/dav/files/a@b.org/%3F%23%25%5B%5D%22%3C%3E%7C%60": "/dav/files/a@b.org/%3F%23%25%5B%5D%22%3C%3E%7C%60",
	} {
		p, err := ParsePath(in)
		if err != nil || p.Href() != want {
			t.Errorf("ParsePath(%q).Href() = %q, %v; want %q", in, p.Href(), err, want)
		}
	}
}

// badPaths are refused, each with a sentence.
var badPaths = map[string]int{
	"":                                               400,
	"dav/":                                           400,
	"//dav/":                                         400,
	"/dav//":                                         400,
	"/dav//principals/":                              400,
	"/dav/files/a@b.org//x":                          400,
	"/dav/../etc":                                    400,
	"/dav/files/a@b.org/..":                          400,
	"/dav/files/a@b.org/../bob@b.org/":               400,
	"/dav/files/a@b.org/%2e%2e/":                     400,
	"/dav/files/a@b.org/.":                           400,
	"/dav/files/a@b.org/%2e/x":                       400,
	"/dav/files/a@b.org/a%2fb":                       400,
	"/dav/files/a@b.org/a%2Fb":                       400,
	"/dav/files/a@b.org/a%5cb":                       400,
	"/dav/files/a@b.org/a%00b":                       400,
	"/dav/files/a@b.org/a%0d%0aSet-Cookie:x":         400,
	"/dav/files/a@b.org/a%7f":                        400,
	"/dav/files/a@b.org/%c2%85":                      400,
	"/dav/files/a@b.org/%ff":                         400,
	"/dav/files/a@b.org/%c0%ae%c0%ae/":               400, // an overlong form of ..
	"/dav/files/a@b.org/%ed%a0%80":                   400, // half a surrogate pair
	"/dav/files/a@b.org/%":                           400,
	"/dav/files/a@b.org/%4":                          400,
	"/dav/files/a@b.org/%zz":                         400,
	"/dav/files/a@b.org/" + strings.Repeat("x", 256): 400,
	"/dav/files/a@b.org" + strings.Repeat("/x", maxSegments): 400,
	"/dav/" + strings.Repeat("x", maxPath):                   414,
	"/dav/nothing/":                                          404,
	"/nothing":                                               404,
	"/remote.php":                                            404,
	"/remote.php/other/":                                     404,
	"/dav/principals/a@b.org/more":                           404,
}

func TestBadPaths(t *testing.T) {
	for in, status := range badPaths {
		_, err := ParsePath(in)
		got := 0
		switch e := err.(type) {
		case *Refusal:
			got = e.Status
		case *holdfast.Error:
			got = statusOf(e)
		}
		if got != status || len(err.Error()) < 10 {
			t.Errorf("ParsePath(%q): status %d, want %d: %v", short(in), got, status, err)
		}
	}
}

func TestChildAndParent(t *testing.T) {
	p, _ := ParsePath("/dav/files/a@b.org/")
	x, y := p.Child("x", true), p.Child("y", false)
	if x.Href() != "/dav/files/a@b.org/x/" || y.Href() != "/dav/files/a@b.org/y" || p.Href() != "/dav/files/a@b.org/" {
		t.Error(x.Href(), y.Href(), p.Href())
	}
	up, name := y.Parent()
	if !reflect.DeepEqual(up, p) || name != "y" {
		t.Error(up, name)
	}
}

// FuzzHref holds that whatever parses is a clean path, and that writing and parsing it gives it again.
func FuzzHref(f *testing.F) {
	for p := range badPaths {
		f.Add(p)
	}
	for _, p := range []string{"/", "/dav/principals/a%40b.org/", "/remote.php/dav/addressbooks/users/a@b.org/x/caf%C3%A9.vcf", "/remote.php/webdav/a%20b/%F0%9F%98%80"} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, in string) {
		p, err := ParsePath(in)
		if err != nil {
			return
		}
		for _, n := range append(slices.Clone(p.Names), p.User) {
			if n != "" && holdfast.CheckName(n) != nil {
				t.Fatalf("ParsePath(%q) has the name %q", in, n)
			}
		}
		href := p.Href()
		again, err := ParsePath(href)
		if err != nil || !reflect.DeepEqual(p, again) || again.Href() != href {
			t.Fatalf("ParsePath(%q) = %+v writes %q, which is read as %+v, %v", in, p, href, again, err)
		}
		if strings.ContainsAny(href, "<>\" \\\r\n\x00") {
			t.Fatalf("ParsePath(%q) writes %q", in, href)
		}
	})
}
