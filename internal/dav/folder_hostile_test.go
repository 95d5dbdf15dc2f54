package dav

import (
	"strings"
	"testing"

	"holdfast"
)

// TestNoWayOutOfASharedFolder: whatever a guest spells, he reaches what is shared and nothing above or beside it; and nothing that he is answered tells of that.
func TestNoWayOutOfASharedFolder(t *testing.T) {
	c := newHearth(t, arrives(t))
	const alices = "/dav/files/{me}/top/Family/"
	held := c.locks(200, "alice", "/dav/files/{me}/top/", "Depth: infinity")
	c.wantAs(204, "alice", "UNLOCK", "/dav/files/{me}/top/", "", "Lock-Token: <"+held+">")
	held = c.locks(200, "alice", alices+"a/b/large")
	token := func(who, at string) string {
		r := c.wantAs(207, who, "REPORT", at, syncBody("", ""))
		return r.body[strings.Index(r.body, "<D:sync-token>")+14 : strings.Index(r.body, "</D:sync-token>")]
	}
	home, beside, inside := token("alice", filing), token("alice", filing+"diary/"), token("alice", alices+"a/")
	before := c.journal(t)
	type try struct {
		method, at, body string
		status           int
		headers          []string
	}
	var all []try
	for _, way := range []string{"../secret.txt", "%2e%2e/secret.txt", "..%2fsecret.txt", "%2e%2e%2fsecret.txt", "a/../../secret.txt", "a/b/../../../../diary/d.txt", "./../secret.txt", "..;/secret.txt", "%252e%252e/secret.txt", "..%5csecret.txt",
		"a//../secret.txt", "/secret.txt", "\u2025/secret.txt", "%c0%ae%c0%ae/secret.txt", "f.txt/../../secret.txt", "a%00/../../secret.txt", "../../../{alice}/top/secret.txt"} {
		status := 400
		switch way {
		case "..;/secret.txt", "%252e%252e/secret.txt", "\u2025/secret.txt": // names, of which there is none
			status = 404
		}
		for _, method := range []string{"GET", "PROPFIND", "DELETE"} {
			all = append(all, try{method, hung + way, "", status, nil})
		}
		all = append(all, try{"COPY", hung + way, "", status, []string{"Destination: " + filing + "got"}})
		if status == 404 {
			status = 409
		}
		all = append(all, try{"PUT", hung + way, "x", status, nil}, try{"COPY", hung + "f.txt", "", status, []string{"Destination: " + hung + way}}, try{"MOVE", hung + "f.txt", "", status, []string{"Destination: " + hung + way}},
			try{"MOVE", "/dav/uploads/{me}/up/.file", "", status, []string{"Destination: " + hung + way}})
	}
	all = append(all,
		try{"COPY", hung + "f.txt", "", 403, []string{"Destination: /dav/files/{alice}/top/x"}},
		try{"COPY", hung + "f.txt", "", 403, []string{"Destination: /dav/files/alice@example.org/top/x"}},
		try{"COPY", hung + "f.txt", "", 502, []string{"Destination: http://elsewhere.example.org" + hung + "x"}},
		try{"COPY", hung + "f.txt", "", 400, []string{"Destination: http://dav.example.org@elsewhere.example.org" + hung + "x"}},
		try{"COPY", hung + "f.txt", "", 400, []string{"Destination: //elsewhere.example.org" + hung + "x"}},
		try{"MOVE", "/dav/uploads/{me}/up/.file", "", 502, []string{"Destination: http://elsewhere.example.org" + hung + "x"}},
		try{"MOVE", "/dav/uploads/{me}/up/.file", "", 403, []string{"Destination: /dav/files/{alice}/top/Family/x"}},
		try{"MOVE", "/dav/uploads/{alice}/up/.file", "", 403, []string{"Destination: " + hung + "x"}},
		// Conditions on what is another's never hold, and their negation tells nothing either.
		try{"PUT", hung + "f.txt", "x", 412, []string{`If: </dav/files/{alice}/top/secret.txt> (["` + holdfast.HashOf([]byte("octets-of-alice-alone")).String() + `"])`}},
		try{"PUT", hung + "f.txt", "x", 412, []string{`If: </dav/files/{me}/top/secret.txt> (["` + holdfast.HashOf([]byte("octets-of-alice-alone")).String() + `"])`}},
		try{"PUT", hung + "f.txt", "x", 412, []string{"If: </dav/files/{alice}/top/Family/a/b/large> (<" + held + ">)"}},
		// Another's lock and its token.
		try{"PUT", hung + "a/b/large", "x", 423, []string{"If: (<" + held + ">)"}},
		try{"UNLOCK", hung + "a/b/large", "", 403, []string{"Lock-Token: <" + held + ">"}},
		try{"LOCK", hung + "a/b/large", "", 403, []string{"If: (<" + held + ">)"}},
		// What nobody sets.
		try{"PROPPATCH", hung + "a/", set("<D:getetag>x</D:getetag>"), 207, nil}, try{"PROPPATCH", hung + "f.txt", set("<D:owner><D:href>/dav/principals/{me}/</D:href></D:owner>"), 207, nil},
		try{"PROPPATCH", hung + "f.txt", set("<D:quota-used-bytes>0</D:quota-used-bytes>"), 207, nil}, try{"PROPPATCH", hung, set("<D:acl/>"), 207, nil}, try{"PROPPATCH", hung + "a/", set("<D:resourcetype/>"), 207, nil},
		try{"ACL", hung, `<D:acl xmlns:D="DAV:"/>`, 403, nil},
		// Tokens of what is beside, and of one folder for another one.
		try{"REPORT", hung, syncBody(home, ""), 403, nil}, try{"REPORT", hung, syncBody(beside, ""), 403, nil}, try{"REPORT", hung, syncBody(inside, ""), 403, nil}, try{"REPORT", filing, syncBody(home, ""), 403, nil},
		try{"REPORT", hung + "a/", syncBody(inside, ""), 207, nil}, // that is what he would be given himself
		// What is looked at deeply.
		try{"PROPFIND", hung, find("D:lockdiscovery", "D:acl", "D:owner", "X:note", "D:quota-used-bytes", "D:resource-id"), 207, []string{"Depth: infinity"}},
		try{"REPORT", hung + "a/b/large", askedFiles["EXPAND"].body, 207, nil}, try{"REPORT", hung, askedFiles["ACL-WHO"].body, 403, nil},
	)
	c.wantAs(201, "walt", "MKCOL", "/dav/uploads/{me}/up/", "")
	c.wantAs(201, "walt", "PUT", "/dav/uploads/{me}/up/00001", "x")
	for _, x := range all {
		r := c.as("walt", x.method, x.at, x.body, x.headers...)
		if r.StatusCode != x.status && !(x.status == 400 && r.StatusCode == 404) {
			t.Errorf("%s %s %v: status %d, want %d\n%s", x.method, x.at, x.headers, r.StatusCode, x.status, r.body)
		}
		if x.method == "PROPPATCH" && !strings.Contains(r.body, "403 Forbidden") {
			t.Errorf("%s %s: %s", x.method, x.body, r.body)
		}
		if strings.Contains(r.body, "octets-of-alice-alone") || strings.Contains(r.body, "diary") || strings.Contains(r.body, "private") || strings.Contains(r.body, held) && !strings.Contains(strings.Join(x.headers, ""), held) {
			t.Errorf("%s %s %v tells\n%s", x.method, x.at, x.headers, r.body)
		}
	}
	if after := c.journal(t); after != before {
		t.Errorf("something was changed: alice's journal went from %d to %d", before, after)
	}
}

// journal is how many changes alice's account has.
func (c *circle) journal(t testing.TB) uint64 {
	t.Helper()
	snap, err := c.engine.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close()
	h, err := snap.Head(c.alice.ID)
	if err != nil {
		t.Fatal(err)
	}
	return h.Seq
}

// TestAnUploadIntoWhatIsShared is judged as a PUT there: by the right, when it begins and when it ends, and by the room of whose folder it is.
func TestAnUploadIntoWhatIsShared(t *testing.T) {
	c := newHearth(t, arrives(t))
	const up, dest = "/dav/uploads/{me}/up/", "Destination: " + hung + "a/film"
	chunk := strings.Repeat("walts octets ", 100)
	c.wantAs(403, "rita", "MKCOL", up, "", dest).has(t, "need-privileges", c.path("rita", hung+"a/"))
	c.wantAs(201, "rita", "MKCOL", up, "")
	c.wantAs(403, "rita", "PUT", up+"00001", chunk, dest).has(t, "need-privileges")
	c.wantAs(201, "rita", "PUT", up+"00001", chunk)
	c.wantAs(403, "rita", "MOVE", up+".file", "", dest).has(t, "need-privileges", c.path("rita", hung+"a/"))
	c.wantAs(201, "rita", "MOVE", up+".file", "", "Destination: "+filing+"film") // it is still there

	c.wantAs(201, "walt", "MKCOL", up, "", dest)
	c.wantAs(201, "walt", "PUT", up+"00001", chunk, dest)
	held := c.locks(201, "alice", "/dav/files/{me}/top/Family/a/film")
	c.wantAs(423, "walt", "MOVE", up+".file", "", dest)
	c.wantAs(204, "alice", "UNLOCK", "/dav/files/{me}/top/Family/a/film", "", "Lock-Token: <"+held+">")
	c.shareFolder(t, "alice", "top/Family", "walt", holdfast.RightRead)
	c.wantAs(403, "walt", "MOVE", up+".file", "", dest)
	c.endFolder(t, "alice", "top/Family", "walt")
	c.wantAs(409, "walt", "MOVE", up+".file", "", dest)
	c.shareFolder(t, "alice", "top/Family", "walt", holdfast.RightWrite)
	c.wantAs(204, "walt", "MOVE", up+".file", "", dest)
	c.wantAs(200, "rita", "GET", hung+"a/film", "").has(t, chunk)
	c.wantAs(200, "alice", "GET", filing+"top/Family/a/film", "").has(t, chunk)
	c.endFolder(t, "alice", "top/Family", "walt")
	c.wantAs(409, "walt", "MOVE", up+".file", "", dest) // what became of it is nobody's to ask any more
}
