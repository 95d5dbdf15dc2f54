package clients

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"holdfast"
)

// cadaver runs a session: commands, one to a line. Its name and app password come from .netrc.
func (h *house) cadaver(d device, dir, path, commands string) string {
	h.t.Helper()
	return h.cadaverAs(alice, d, dir, path, commands)
}

func (h *house) cadaverAs(email string, d device, dir, path, commands string) string {
	h.t.Helper()
	if err := os.WriteFile(filepath.Join(dir, ".netrc"), fmt.Appendf(nil, "machine 127.0.0.1\nlogin %s\npassword %s\n", email, d.Password), 0o600); err != nil {
		h.t.Fatal(err)
	}
	out, err := tool{dir: dir, stdin: commands + "quit\n", env: []string{"COLUMNS=500"}}.run(h.t.Context(), "cadaver", h.url()+path)
	if err != nil {
		h.t.Fatalf("cadaver: %v\n%s", err, tail(out))
	}
	return out
}

var masks = []struct {
	find *regexp.Regexp
	by   string
}{
	{regexp.MustCompile(`(?m)^dav:[^>]*>`), ">"}, // the prompt
	{regexp.MustCompile(`http://127\.0\.0\.1:\d+`), "http://HOST"},
	// the prompt
	{regexp.MustCompile(`/dav/(\w+)/[a-z2-7]{26}/`), "/dav/$1/ID/"},                                    // the account
	{regexp.MustCompile(`\[\.* `), ""},                                                                 // progress
	{regexp.MustCompile(`(?m)  +(\d+)  [A-Z][a-z]{2} [ \d]\d +[\d:]+$`), " ($1 octets)"},               // a line of ls
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`), "TIME"},                                    // creationdate
	{regexp.MustCompile(`[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT`), "TIME"},         // getlastmodified
	{regexp.MustCompile(`(?m)[ \t]+$`), ""},                                                            // blanks at the end
	{regexp.MustCompile("(?m)^Coll:  +"), "Coll: "}, {regexp.MustCompile(`(?m)^ {8}(\S)`), "File: $1"}, // ls
}

// script runs a session that says what it wants: lines that begin with "> " are typed, those below are what cadaver answers.
func (h *house) script(d device, dir, path, text string) {
	h.t.Helper()
	var commands strings.Builder
	for line := range strings.Lines(text) {
		if c, ok := strings.CutPrefix(line, "> "); ok {
			commands.WriteString(c)
		}
	}
	out := strings.ReplaceAll(h.cadaver(d, dir, path, commands.String()), "\r\n", "\n")
	for _, m := range masks {
		out = m.find.ReplaceAllString(out, m.by)
	}
	out, _, _ = strings.Cut(out, "> quit")
	want := strings.Split(strings.TrimSpace(text), "\n")
	got := strings.Split(strings.TrimSpace(out), "\n")
	for i := range max(len(want), len(got)) {
		w, g := at(want, i), at(got, i)
		if w != g {
			h.t.Fatalf("line %d: cadaver says\n  %s\nwant\n  %s\nin\n%s", i+1, g, w, strings.Join(got, "\n"))
		}
	}
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "(the end)"
}

// TestCadaverContacts uses address books as folders of files.
func TestCadaverContacts(t *testing.T) {
	need(t, "cadaver")
	h := newHouse(t)
	dir := t.TempDir()
	put(t, dir, "one.vcf", "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:one\r\nFN:One\r\nN:One;;;;\r\nEND:VCARD\r\n")
	two := []byte("BEGIN:VCARD\r\nVERSION:3.0\r\nUID:two\r\nFN:Two\r\nN:Two;;;;\r\nEND:VCARD\r\n")
	put(t, dir, "two.vcf", string(two))
	put(t, dir, "hello.txt", "hello\n")
	h.script(h.device("cadaver"), dir, "/dav/addressbooks/"+h.id+"/", `
> ls
Listing collection `+"`/dav/addressbooks/ID/'"+`: succeeded.
Coll: default (0 octets)
> mkcol friends
Creating `+"`friends'"+`: succeeded.
> mkcol friends
Creating `+"`friends'"+`: failed:
405 Method Not Allowed
> cd friends
> ls
Listing collection `+"`/dav/addressbooks/ID/friends/'"+`: collection is empty.
> put one.vcf
Uploading one.vcf to `+"`/dav/addressbooks/ID/friends/one.vcf'"+`: succeeded.
> put one.vcf
Uploading one.vcf to `+"`/dav/addressbooks/ID/friends/one.vcf'"+`: succeeded.
> mput one.vcf two.vcf
Uploading one.vcf to `+"`/dav/addressbooks/ID/friends/one.vcf'"+`: succeeded.
Uploading two.vcf to `+"`/dav/addressbooks/ID/friends/two.vcf'"+`: succeeded.
> put hello.txt
Uploading hello.txt to `+"`/dav/addressbooks/ID/friends/hello.txt'"+`: failed:
403 Forbidden
> ls
Listing collection `+"`/dav/addressbooks/ID/friends/'"+`: succeeded.
File: one.vcf (65 octets)
File: two.vcf (65 octets)
> get one.vcf back.vcf
Downloading `+"`/dav/addressbooks/ID/friends/one.vcf' to back.vcf"+`: succeeded.
> get nobody.vcf
Downloading `+"`/dav/addressbooks/ID/friends/nobody.vcf' to nobody.vcf"+`: failed:
404 Not Found
> copy one.vcf three.vcf
Copying `+"`/dav/addressbooks/ID/friends/one.vcf' to `/dav/addressbooks/ID/friends/three.vcf'"+`:  failed:
403 Forbidden
> copy one.vcf ../default/one.vcf
Copying `+"`/dav/addressbooks/ID/friends/one.vcf' to `/dav/addressbooks/ID/default/one.vcf'"+`:  succeeded.
> copy one.vcf ../nowhere/one.vcf
Copying `+"`/dav/addressbooks/ID/friends/one.vcf' to `/dav/addressbooks/ID/nowhere/one.vcf'"+`:  failed:
409 Conflict
> move two.vcf moved.vcf
Moving `+"`/dav/addressbooks/ID/friends/two.vcf' to `/dav/addressbooks/ID/friends/moved.vcf'"+`:  succeeded.
> propget moved.vcf
Fetching properties for `+"`moved.vcf'"+`:
DAV: creationdate = TIME
DAV: displayname = moved.vcf
DAV: getcontentlength = 65
DAV: getcontenttype = text/vcard; charset=utf-8
DAV: getetag = "`+holdfast.HashOf(two).String()+`"
DAV: getlastmodified = TIME
DAV: resourcetype =
> set namespace http://example.org/ns/
> propset moved.vcf colour green
Setting property on `+"`moved.vcf'"+`: succeeded.
> propget moved.vcf colour
Fetching properties for `+"`moved.vcf'"+`:
Value of colour is: green
> move moved.vcf two.vcf
Moving `+"`/dav/addressbooks/ID/friends/moved.vcf' to `/dav/addressbooks/ID/friends/two.vcf'"+`:  succeeded.
> propget two.vcf colour
Fetching properties for `+"`two.vcf'"+`:
Value of colour is: green
> propdel two.vcf colour
Deleting property on `+"`two.vcf'"+`: succeeded.
> propget two.vcf colour
Fetching properties for `+"`two.vcf'"+`:
Could not fetch property: 404 Not Found
> propset . addressbook-color '#ff8800ff'
Setting property on `+"`.'"+`: succeeded.
> propget . addressbook-color
Fetching properties for `+"`.'"+`:
Value of addressbook-color is: #ff8800ff
> set namespace DAV:
> propset . displayname 'Old friends'
Setting property on `+"`.'"+`: succeeded.
> propset . getetag mine
Setting property on `+"`.'"+`: failed:
http://HOST/dav/addressbooks/ID/friends/: 403 Forbidden

> propset . sync-token mine
Setting property on `+"`.'"+`: failed:
http://HOST/dav/addressbooks/ID/friends/: 403 Forbidden

> cd ..
> copy friends colleagues
Copying `+"`/dav/addressbooks/ID/friends' to `/dav/addressbooks/ID/colleagues'"+`:  succeeded.
> set namespace http://example.org/ns/
> propget colleagues addressbook-color
Fetching properties for `+"`colleagues'"+`:
Value of addressbook-color is: #ff8800ff
> delete colleagues/one.vcf
Deleting `+"`colleagues/one.vcf'"+`: succeeded.
> delete colleagues
Deleting `+"`colleagues'"+`: is a collection resource.
The `+"`rm'"+` command cannot be used to delete a collection.
Use `+"`rmcol colleagues'"+` to delete this collection and ALL its contents.
> move colleagues family
Moving `+"`/dav/addressbooks/ID/colleagues' to `/dav/addressbooks/ID/family'"+`:  succeeded.
> ls family
Listing collection `+"`/dav/addressbooks/ID/family/'"+`: succeeded.
File: two.vcf (65 octets)
> rmcol family
Deleting collection `+"`family'"+`: succeeded.
> ls
Listing collection `+"`/dav/addressbooks/ID/'"+`: succeeded.
Coll: default (0 octets)
Coll: friends (0 octets)
> lock friends/one.vcf
Locking `+"`friends/one.vcf'"+`: failed:
405 Method Not Allowed
`)
	same(t, "what was got", hashes(map[string][]byte{"": read(t, dir+"/back.vcf")}), hashes(map[string][]byte{"": read(t, dir+"/one.vcf")}))
	same(t, "what was copied to the default address book", hashTexts(h.exported("default")), hashes(map[string][]byte{"": read(t, dir+"/one.vcf")}))
}

// TestCadaverFiles uses the home of files.
func TestCadaverFiles(t *testing.T) {
	need(t, "cadaver")
	h := newHouse(t)
	dir := t.TempDir()
	put(t, dir, "hello.txt", "hello\n")
	h.script(h.device("cadaver"), dir, "/dav/files/"+h.id+"/", `
> ls
Listing collection `+"`/dav/files/ID/'"+`: succeeded.
Coll: Photos (0 octets)
> mkcol docs 'with blanks' Žluť
Creating `+"`docs'"+`: succeeded.
Creating `+"`with blanks'"+`: succeeded.
Creating `+"`Žluť'"+`: succeeded.
> mkcol docs/deep
Creating `+"`docs/deep'"+`: succeeded.
> mkcol nowhere/deep
Creating `+"`nowhere/deep'"+`: failed:
409 Conflict
> put hello.txt
Uploading hello.txt to `+"`/dav/files/ID/hello.txt'"+`: succeeded.
> put hello.txt docs/hello.txt
Uploading hello.txt to `+"`/dav/files/ID/docs/hello.txt'"+`: succeeded.
> copy docs papers
Copying `+"`/dav/files/ID/docs' to `/dav/files/ID/papers'"+`:  succeeded.
> ls papers
Listing collection `+"`/dav/files/ID/papers/'"+`: succeeded.
Coll: deep (0 octets)
File: hello.txt (6 octets)
> move papers/deep shallow
Moving `+"`/dav/files/ID/papers/deep' to `/dav/files/ID/shallow'"+`:  succeeded.
> rmcol docs
Deleting collection `+"`docs'"+`: succeeded.
> propset shallow colour blue
Setting property on `+"`shallow'"+`: succeeded.
> propget shallow colour
Fetching properties for `+"`shallow'"+`:
Value of colour is: blue
> propset shallow colour 'not <well formed'
Setting property on `+"`shallow'"+`: failed:
400 Bad Request
> propget shallow colour
Fetching properties for `+"`shallow'"+`:
Value of colour is: blue
> ls
Listing collection `+"`/dav/files/ID/'"+`: succeeded.
Coll: Žluť (0 octets)
Coll: Photos (0 octets)
Coll: papers (0 octets)
Coll: shallow (0 octets)
Coll: with blanks (0 octets)
File: hello.txt (6 octets)
> pwd
Current collection is `+"`"+`http://HOST/dav/files/ID/'.
`)
}

// TestCadaverElsewhere wants an account's data to be out of reach of another's.
func TestCadaverElsewhere(t *testing.T) {
	need(t, "cadaver")
	h := newHouse(t)
	bob, err := h.AddAccount(t.Context(), "bob@example.org")
	if err != nil {
		t.Fatal(err)
	}
	out := h.cadaver(h.device("cadaver"), t.TempDir(), bob.Book, "ls\nmkcol x\n")
	if !strings.Contains(out, "Could not access") || !strings.Contains(out, "403 Forbidden") && !strings.Contains(out, "404 Not Found") {
		t.Errorf("Alice opens Bob's address book:\n%s", out)
	}
	out = h.cadaver(device{Password: "wrong"}, t.TempDir(), h.book(), "ls\n")
	if strings.Contains(out, "succeeded") || strings.Contains(out, "is empty") {
		t.Errorf("a wrong password opens the address book:\n%s", out)
	}
}

// TestCadaverNames wants the names of all properties, of an address book and of a contact.
func TestCadaverNames(t *testing.T) {
	need(t, "cadaver")
	h := newHouse(t)
	dir := t.TempDir()
	put(t, dir, "one.vcf", string(card(1, 0)))
	out := h.cadaver(h.device("cadaver"), dir, h.book(), "put one.vcf\npropnames .\npropnames one.vcf\n")
	_, out, _ = strings.Cut(out, "propnames .")
	book, contact, _ := strings.Cut(out, "propnames one.vcf")
	for _, name := range []string{"DAV: resourcetype", "DAV: displayname", "DAV: sync-token", "DAV: supported-report-set", "DAV: current-user-privilege-set", "DAV: owner", "DAV: acl",
		"http://calendarserver.org/ns/ getctag", "urn:ietf:params:xml:ns:carddav supported-address-data", "urn:ietf:params:xml:ns:carddav max-resource-size"} {
		if !strings.Contains(book, name+"\n") {
			t.Errorf("the address book does not name %s:\n%s", name, book)
		}
	}
	for _, name := range []string{"DAV: getetag", "DAV: getcontenttype", "DAV: getcontentlength", "DAV: getlastmodified", "DAV: resourcetype"} {
		if !strings.Contains(contact, name+"\n") {
			t.Errorf("the contact does not name %s:\n%s", name, contact)
		}
	}
	if strings.Contains(contact, "address-data") {
		t.Errorf("address-data is a property of reports alone (RFC 6352 section 10.4):\n%s", contact)
	}
}

func put(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
