package dav

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/uploads"
)

// The table of testdata/authorisation.txt says what each of five people gets for every request at every kind of address: the status, as it must be. Its columns are the
// owner, a guest who reads, one who writes, one whose share was ended, and a stranger.
var columns = []string{"alice", "rita", "walt", "rex", "eve"}

// mine is the book that everybody has of their own, with a card o.vcf in it.
const mine = "/dav/addressbooks/{me}/default/"

// request of a table.
type tabled struct {
	method, body string
	headers      []string
}

// asked are the requests of the table, by the names that they have there.
var asked = map[string]tabled{
	"OPTIONS":    {"OPTIONS", "", nil},
	"GET":        {"GET", "", nil},
	"HEAD":       {"HEAD", "", nil},
	"PROPFIND":   {"PROPFIND", "", []string{"Depth: 0"}},
	"PROPFIND-1": {"PROPFIND", find("D:displayname", "D:owner", "D:acl", "CS:email-address-set", "D:current-user-privilege-set", "D:sync-token"), []string{"Depth: 1"}},
	"IF": {"PROPFIND", "", []string{"Depth: 0", `If: </dav/addressbooks/{alice}/default/a.vcf> (Not ["x"]) </dav/addressbooks/{alice}/default/> (<{token}>) ` +
		`</dav/addressbooks/{me}/{book}/a.vcf> (["5d2d3ceb7abe552344276d47d36a8175b7aeb250a9bf0bf00e850cd23ecf2e43"])`}},
	"SYNC":        {"REPORT", syncBody("", ""), nil},
	"SYNC-TOKEN":  {"REPORT", syncBody("{token}", ""), nil},
	"EXPAND":      {"REPORT", `<D:expand-property xmlns:D="DAV:"><D:property name="owner"><D:property name="displayname"/></D:property><D:property name="principal-URL"><D:property name="displayname"/></D:property></D:expand-property>`, nil},
	"MATCH":       {"REPORT", `<D:principal-match xmlns:D="DAV:"><D:principal-property><D:owner/></D:principal-property><D:prop><D:displayname/></D:prop></D:principal-match>`, nil},
	"SEARCH-WHO":  {"REPORT", `<D:principal-property-search xmlns:D="DAV:"><D:property-search><D:prop><D:displayname/></D:prop><D:match>example</D:match></D:property-search><D:prop><D:displayname/></D:prop></D:principal-property-search>`, nil},
	"ACL-WHO":     {"REPORT", `<D:acl-principal-prop-set xmlns:D="DAV:"><D:prop><D:displayname/></D:prop></D:acl-principal-prop-set>`, nil},
	"PUT":         {"PUT", card(""), nil}, // without a UID it fits every name
	"PUT-MATCH":   {"PUT", card(""), []string{"If-Match: *"}},
	"POST":        {"POST", card("new"), nil},
	"DELETE":      {"DELETE", "", nil},
	"PROPPATCH":   {"PROPPATCH", set("<X:a/>"), nil},
	"MKCOL":       {"MKCOL", "", nil},
	"MKCALENDAR":  {"MKCALENDAR", "", nil},
	"COPY>mine":   {"COPY", "", []string{"Destination: " + mine + "x.vcf"}},
	"COPY>bound":  {"COPY", "", []string{"Destination: " + bound + "x.vcf"}},
	"COPY>alices": {"COPY", "", []string{"Destination: /dav/addressbooks/{alice}/default/x.vcf"}},
	"COPY>home":   {"COPY", "", []string{"Destination: /dav/addressbooks/{me}/x/"}},
	"MOVE>mine":   {"MOVE", "", []string{"Destination: " + mine + "x.vcf"}},
	"MOVE>bound":  {"MOVE", "", []string{"Destination: " + bound + "x.vcf"}},
	"MOVE>alices": {"MOVE", "", []string{"Destination: /dav/addressbooks/{alice}/default/x.vcf"}},
	"MOVE>home":   {"MOVE", "", []string{"Destination: /dav/addressbooks/{me}/x/"}},
	"MOVE>over":   {"MOVE", "", []string{"Destination: " + bound}},
	"ACL":         {"ACL", `<D:acl xmlns:D="DAV:"/>`, nil},
	"LOCK":        {"LOCK", "", nil},
	"UNLOCK":      {"UNLOCK", "", nil},
	"SEARCH":      {"SEARCH", "", nil},
	"PATCH":       {"PATCH", "x", nil},
	"TRACE":       {"TRACE", "", nil},
}

// harmless requests leave everything as it is, also where they are answered with success.
var harmless = []string{"OPTIONS", "GET", "HEAD", "RANGE", "PROPFIND-A", "SYNC-A", "PROPFIND", "PROPFIND-1", "IF", "SYNC", "SYNC-TOKEN", "EXPAND", "MATCH", "SEARCH-WHO", "ACL-WHO", "ACL", "UNLOCK", "SEARCH", "PATCH", "TRACE"}

// addresses of the table.
var addresses = []string{
	"/", "/dav/", "/dav/principals/", "/dav/principals/{me}/", "/dav/principals/{alice}/", "/dav/principals/{rita}/", "/dav/principals/{eve}/", "/dav/addressbooks/",
	"/dav/addressbooks/{me}/", mine, mine + "o.vcf", mine + "none.vcf",
	"/dav/addressbooks/{alice}/", "/dav/addressbooks/{alice}/default/", "/dav/addressbooks/{alice}/default/a.vcf", "/dav/addressbooks/{alice}/default/none.vcf",
	"/dav/addressbooks/{alice}/default/?add-member", "/dav/addressbooks/{alice}/{book}/", "/dav/files/{alice}/", "/dav/files/{alice}/x",
	bound, bound + "?add-member", member, bound + "none.vcf", bound + "none/", bound + "none/x.vcf",
	"/dav/calendars/{me}/", "/dav/calendars/{me}/new/", "/dav/calendars/{me}/{dates}/", "/dav/calendars/{me}/{dates}/?add-member", "/dav/calendars/{me}/{dates}/a.vcf",
	"/dav/calendars/{me}/{dates}/none.vcf", "/dav/calendars/{me}/{dates}/new/", "/dav/calendars/{alice}/", "/dav/calendars/{alice}/new/", "/dav/calendars/{alice}/default/", "/dav/calendars/{alice}/default/a.vcf",
	"/dav/addressbooks/{me}/{dates}/", "/dav/calendars/{me}/{book}/", "/dav/calendars/{me}/{book}/a.vcf", "/remote.php/dav/addressbooks/users/{me}/{book}/a.vcf",
	"/dav/uploads/{me}/", "/dav/uploads/{me}/u/", "/dav/uploads/{me}/none/", "/dav/uploads/{me}/u/1", "/dav/uploads/{me}/u/.file", "/dav/uploads/{alice}/", "/dav/uploads/{alice}/u/", "/dav/uploads/{alice}/none/",
	"/dav/uploads/{alice}/u/1", "/dav/uploads/{alice}/u/.file",
}

func newTabled(t *testing.T) *circle {
	c := newCircle(t, arrives(t))
	for who, p := range c.people {
		if err := c.handler.o.Uploads.Begin(p.Account, uploads.New{Name: "u", Length: -1}); err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.handler.o.Uploads.Put(t.Context(), p.Account, uploads.Put{Upload: "u", Chunk: "1", Octets: strings.NewReader("octets-of-" + who + "-alone"), Size: -1, Room: 1 << 30, Most: 1 << 30}); err != nil {
			t.Fatal(err)
		}
		at, err := c.core.Locate(t.Context(), p, p.Account, []string{holdfast.HomeAddressbooks, "default"})
		if err != nil {
			t.Fatal(err)
		}
		body := []byte(card("octets-of-" + who + "-alone"))
		if _, _, err := c.core.Put(t.Context(), p, core.PutRequest{Place: core.Place{Owner: p.Account, Collection: at.Collection.ID, Name: "o.vcf"}, Body: body}); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func TestAuthorisation(t *testing.T) {
	authorise(t, "testdata/authorisation.txt", addresses, asked, newTabled)
}

// authorise compares the answers to all requests at all addresses, by each of the five people, with a table.
func authorise(t *testing.T, file string, addresses []string, asked map[string]tabled, fresh func(*testing.T) *circle) {
	want := readTable(t, file, asked)
	if len(want) != len(addresses)*len(asked) {
		t.Errorf("the table has %d lines, there are %d requests at %d addresses", len(want), len(asked), len(addresses))
	}
	for _, address := range addresses {
		c := fresh(t)
		for name, a := range asked {
			for i, who := range columns {
				r := c.as(who, a.method, address, a.body, a.headers...)
				if w := want[name+" "+address]; w == nil || w[i] != strconv.Itoa(r.StatusCode) {
					t.Errorf("%s: %s %s: status %d, want %v\n%s", who, name, address, r.StatusCode, w, r.body)
				}
				c.leaks(t, who, name, address, a, r)
				if r.StatusCode < 400 && !slices.Contains(harmless, name) { // something changed
					c = fresh(t)
				}
			}
		}
	}
}

// readTable reads the statuses of a table, by "request address".
func readTable(t *testing.T, file string, asked map[string]tabled) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want, at := map[string][]string{}, ""
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		switch {
		case len(f) == 0 || f[0] == "#":
		case len(f) == 1:
			at = f[0]
		case len(f) > len(columns):
			for _, name := range f[len(columns):] {
				if asked[name].method == "" || want[name+" "+at] != nil {
					t.Fatalf("%s: %s at %s is no request, or stands there twice", file, name, at)
				}
				want[name+" "+at] = f[:len(columns)]
			}
		default:
			t.Fatalf("%s: %q is no line of the table", file, line)
		}
	}
	return want
}

// leaks fails if an answer tells more than who asks may know: octets, names and ids of others. What the request itself said may come back.
func (c *circle) leaks(t *testing.T, who, name, address string, a tabled, r reply) {
	t.Helper()
	sent := c.path(who, address+" "+a.body+" "+strings.Join(a.headers, " "))
	knows := map[string]string{"alice": "alice rita walt", "rita": "rita alice", "walt": "walt alice", "rex": "rex", "eve": "eve"}[who]
	secrets := []string{c.device.ID.String(), "bob@example.org", c.rig.bob.ID.String()}
	for other, p := range c.people {
		if other != who {
			secrets = append(secrets, "octets-of-"+other+"-alone", p.Device.String())
		}
		if !strings.Contains(knows, other) || r.StatusCode >= 400 {
			secrets = append(secrets, other+"@example.org", p.Account.String())
		}
	}
	if !strings.Contains(knows, "alice") {
		secrets = append(secrets, "octets-of-alice", "Contacts (alice", c.book.ID.String(), c.dates.ID.String(), "a.vcf")
	}
	if who != "alice" {
		secrets = append(secrets, "secret.txt", "diary", "top/")
	}
	header := fmt.Sprint(r.Header)
	for _, s := range secrets {
		if (strings.Contains(r.body, s) || strings.Contains(header, s)) && !strings.Contains(sent, s) {
			t.Errorf("%s: %s %s: status %d tells %q\n%s", who, name, address, r.StatusCode, s, r.body)
		}
	}
}

// Every other's address is answered alike, octet for octet, whether the account, the book or the card exists or not.
func TestStrangersAreAnsweredAlike(t *testing.T) {
	none := holdfast.NewID(nil).String()
	for _, who := range []string{"rex", "eve"} {
		for name, a := range asked {
			if a.headers != nil && strings.HasPrefix(a.headers[0], "Destination") {
				continue
			}
			for _, pair := range [][2]string{
				{"/dav/principals/{alice}/", "/dav/principals/" + none + "/"},
				{"/dav/addressbooks/{alice}/default/", "/dav/addressbooks/" + none + "/default/"},
				{"/dav/addressbooks/{alice}/default/a.vcf", "/dav/addressbooks/" + none + "/default/a.vcf"},
				{"/dav/addressbooks/alice@example.org/default/a.vcf", "/dav/addressbooks/nobody@example.org/default/a.vcf"},
				{"/remote.php/dav/addressbooks/users/alice/default/a.vcf", "/remote.php/dav/addressbooks/users/nobody/default/a.vcf"},
				{bound, "/dav/addressbooks/{me}/" + none + "/"},
				{member, "/dav/addressbooks/{me}/" + none + "/a.vcf"},
				{"/dav/uploads/{alice}/", "/dav/uploads/" + none + "/"},
				{"/dav/uploads/{alice}/u/1", "/dav/uploads/" + none + "/u/1"},
				{"/dav/calendars/{alice}/default/a.vcf", "/dav/calendars/" + none + "/default/a.vcf"},
				{"/dav/calendars/{me}/{dates}/a.vcf", "/dav/calendars/{me}/" + none + "/a.vcf"},
			} {
				c := newTabled(t)
				there, nowhere := c.as(who, a.method, pair[0], a.body, a.headers...), c.as(who, a.method, pair[1], a.body, a.headers...)
				if name == "SYNC-TOKEN" || name == "IF" {
					continue // these hold what was handed out once
				}
				said := strings.NewReplacer(c.book.ID.String(), "ID", c.dates.ID.String(), "ID", none, "ID", "users/alice/", "users/nobody/") // what the request named may come back
				if there.StatusCode != nowhere.StatusCode || said.Replace(there.body) != said.Replace(nowhere.body) || there.StatusCode < 400 && name != "OPTIONS" {
					if there.StatusCode < 400 && strings.Contains(pair[0], "{me}") { // it was made, under a name of one's own
						continue
					}
					t.Errorf("%s: %s: %s is answered %d, %s %d\n%s\n%s", who, name, pair[0], there.StatusCode, pair[1], nowhere.StatusCode, there.body, nowhere.body)
				}
			}
		}
	}
}
