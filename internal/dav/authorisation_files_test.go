package dav

import (
	"strings"
	"testing"
)

// askedFiles are the requests of the table of files.
var askedFiles = map[string]tabled{
	"OPTIONS":     {"OPTIONS", "", nil},
	"GET":         {"GET", "", nil},
	"HEAD":        {"HEAD", "", nil},
	"RANGE":       {"GET", "", []string{"Range: bytes=0-3"}},
	"PROPFIND":    {"PROPFIND", "", []string{"Depth: 0"}},
	"PROPFIND-1":  {"PROPFIND", find("D:displayname", "D:owner", "D:acl", "D:current-user-privilege-set", "D:quota-used-bytes", "D:quota-available-bytes", "D:lockdiscovery", "D:getetag", "X:note"), []string{"Depth: 1"}},
	"PROPFIND-A":  {"PROPFIND", "", []string{"Depth: infinity"}},
	"IF":          {"PROPFIND", "", []string{"Depth: 0", `If: </dav/files/{alice}/top/secret.txt> (Not ["x"]) </dav/files/{me}/Family/f.txt> (Not ["x"])`}},
	"SYNC":        {"REPORT", syncBody("", ""), nil},
	"SYNC-A":      {"REPORT", strings.Replace(syncBody("", ""), "<D:sync-level>1<", "<D:sync-level>infinite<", 1), nil},
	"EXPAND":      {"REPORT", `<D:expand-property xmlns:D="DAV:"><D:property name="owner"><D:property name="displayname"/></D:property><D:property name="lockdiscovery"><D:property name="displayname"/></D:property></D:expand-property>`, nil},
	"MATCH":       {"REPORT", `<D:principal-match xmlns:D="DAV:"><D:principal-property><D:owner/></D:principal-property><D:prop><D:displayname/></D:prop></D:principal-match>`, nil},
	"ACL-WHO":     {"REPORT", `<D:acl-principal-prop-set xmlns:D="DAV:"><D:prop><D:displayname/></D:prop></D:acl-principal-prop-set>`, nil},
	"PUT":         {"PUT", "new octets", nil},
	"PUT-MATCH":   {"PUT", "new octets", []string{"If-Match: *"}},
	"POST":        {"POST", "new octets", nil},
	"DELETE":      {"DELETE", "", nil},
	"PROPPATCH":   {"PROPPATCH", set("<X:a/>"), nil},
	"OWN":         {"PROPPATCH", set("<D:owner><D:href>/dav/principals/{me}/</D:href></D:owner>"), nil},
	"MKCOL":       {"MKCOL", "", nil},
	"LOCK":        {"LOCK", lockBody("exclusive"), []string{"Timeout: Second-60"}},
	"UNLOCK":      {"UNLOCK", "", []string{"Lock-Token: <urn:holdfast:l:AAAAAAAAAAAAAAAAAAAAAA>"}},
	"COPY>mine":   {"COPY", "", []string{"Destination: " + filing + "x"}},
	"COPY>hung":   {"COPY", "", []string{"Destination: " + hung + "a/x"}},
	"COPY>alices": {"COPY", "", []string{"Destination: /dav/files/{alice}/top/x"}},
	"COPY>book":   {"COPY", "", []string{"Destination: /dav/addressbooks/{me}/default/x"}},
	"COPY>over":   {"COPY", "", []string{"Destination: " + hung}},
	"MOVE>mine":   {"MOVE", "", []string{"Destination: " + filing + "x"}},
	"MOVE>hung":   {"MOVE", "", []string{"Destination: " + hung + "a/x"}},
	"MOVE>alices": {"MOVE", "", []string{"Destination: /dav/files/{alice}/top/x"}},
	"MOVE>upload": {"MOVE", "", []string{"Destination: /dav/uploads/{me}/up/00009"}},
	"MOVE>over":   {"MOVE", "", []string{"Destination: " + hung}},
	"ACL":         {"ACL", `<D:acl xmlns:D="DAV:"/>`, nil},
}

// addressesOfFiles are those of their table.
var addressesOfFiles = []string{
	filing, filing + "o.txt", filing + "none", hung, hung + "?add-member", hung + "f.txt", hung + "none", hung + "none/x", hung + "a/", hung + "a/b/large", hung + "a/b/", "/remote.php/webdav/Family/f.txt", "/remote.php/dav/files/{me}/Family/a/",
	"/dav/files/{alice}/", "/dav/files/{alice}/top/", "/dav/files/{alice}/top/secret.txt", "/dav/files/{alice}/top/Family/", "/dav/files/{alice}/top/Family/f.txt", "/dav/files/{alice}/Family/f.txt", "/dav/files/alice@example.org/top/Family/f.txt",
	"/dav/uploads/{me}/", "/dav/uploads/{me}/up/", "/dav/uploads/{me}/up/00001", "/dav/uploads/{me}/up/.file", "/dav/uploads/{alice}/", "/dav/uploads/{alice}/up/", "/dav/uploads/{alice}/up/00001", "/dav/uploads/{alice}/up/.file",
}

// newTabledFiles is a hearth where each has a file o.txt, and an upload.
func newTabledFiles(t *testing.T) *circle {
	c := newHearth(t, arrives(t))
	for who := range c.people {
		c.wantAs(201, who, "PUT", filing+"o.txt", "octets-of-"+who+"-alone")
		c.wantAs(201, who, "MKCOL", "/dav/uploads/{me}/up/", "")
		c.wantAs(201, who, "PUT", "/dav/uploads/{me}/up/00001", "octets-of-"+who+"-alone")
	}
	return c
}

// TestAuthorisationOfFiles is a table as that of address books and calendars.
func TestAuthorisationOfFiles(t *testing.T) {
	authorise(t, "testdata/authorisation_files.txt", addressesOfFiles, askedFiles, newTabledFiles)
}
