package dav

import (
	"strings"
	"testing"

	"holdfast"
)

const exclusive = `<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype><D:owner>%</D:owner></D:lockinfo>`

// locks asks for an exclusive lock and returns its token.
func (c *circle) locks(status int, who, at string, headers ...string) string {
	c.t.Helper()
	r := c.wantAs(status, who, "LOCK", at, strings.ReplaceAll(exclusive, "%", who), headers...)
	return strings.Trim(r.Header.Get("Lock-Token"), "<>")
}

// TestLocksOfWhatIsShared: one folder has its locks, by whichever path somebody comes, and each account its own tokens.
func TestLocksOfWhatIsShared(t *testing.T) {
	const alices = "/dav/files/{me}/top/Family/"
	ask := find("D:lockdiscovery")
	c := newHearth(t)

	// A guest's lock holds the owner up, and the other way round.
	token := c.locks(200, "walt", hung+"f.txt")
	r := c.wantAs(423, "alice", "PUT", alices+"f.txt", "hers")
	r.has(t, "<D:lock-token-submitted><D:href>"+c.path("alice", alices+"f.txt")+"</D:href>").lacks(t, c.people["walt"].Account.String(), token)
	c.wantAs(207, "alice", "PROPFIND", alices+"f.txt", ask, "Depth: 0").has(t, c.path("alice", "<D:lockroot><D:href>"+alices+"f.txt</D:href>"), token, ">walt</D:owner>")
	c.wantAs(207, "rita", "PROPFIND", hung, ask, "Depth: 1").has(t, c.path("rita", "<D:lockroot><D:href>"+hung+"f.txt</D:href>")).lacks(t, token)
	c.wantAs(204, "walt", "PUT", hung+"f.txt", "his", "If: (<"+token+">)")
	c.wantAs(423, "walt", "PUT", hung+"f.txt", "his again")

	// A token that others have read opens nothing for them, and they end no lock with it. The owner of the tree ends each.
	c.wantAs(423, "alice", "PUT", alices+"f.txt", "hers", "If: (<"+token+">)")
	c.shareFolder(t, "alice", "top/Family", "eve", holdfast.RightWrite)
	c.wantAs(403, "eve", "UNLOCK", hung+"f.txt", "", "Lock-Token: <"+token+">")
	c.wantAs(403, "eve", "LOCK", hung+"f.txt", "", "If: (<"+token+">)")
	c.wantAs(423, "eve", "PUT", hung+"f.txt", "hers", "If: (<"+token+">)")
	c.wantAs(423, "eve", "DELETE", hung+"f.txt", "", "If: (<"+token+">)")
	c.wantAs(423, "eve", "MOVE", hung+"f.txt", "", "Destination: "+filing+"f.txt", "If: (<"+token+">)")
	c.wantAs(204, "alice", "UNLOCK", alices+"f.txt", "", "Lock-Token: <"+token+">")
	c.wantAs(204, "eve", "PUT", hung+"f.txt", "hers")

	// A lock from above what is shared holds guests up, and tells them nothing of where it stands.
	token = c.locks(200, "alice", "/dav/files/{me}/top/", "Depth: infinity")
	for _, x := range [][]string{{"PUT", hung + "a/b/new", "x"}, {"DELETE", hung + "a/", ""}, {"MKCOL", hung + "c/", ""}, {"MOVE", hung + "a/", "", "Destination: " + filing + "a/"}, {"COPY", hung + "a/", "", "Destination: " + hung + "d/"},
		{"PROPPATCH", hung + "f.txt", set("<X:a/>")}, {"LOCK", hung + "a/", strings.ReplaceAll(exclusive, "%", "walt")}} {
		c.wantAs(423, "walt", x[0], x[1], x[2], x[3:]...).has(t, c.path("walt", "<D:href>"+hung+"</D:href>")).lacks(t, token, "top", c.alice.ID.String())
	}
	c.wantAs(207, "walt", "PROPFIND", hung+"a/", ask, "Depth: 0").has(t, c.path("walt", "<D:lockroot><D:href>"+hung+"</D:href>")).lacks(t, token, "top")
	c.wantAs(201, "walt", "COPY", hung+"a/", "", "Destination: "+filing+"a/") // reading is not held up
	c.wantAs(207, "walt", "PROPPATCH", hung, set("<X:a/>"))                   // that is his own
	c.wantAs(201, "walt", "MOVE", hung, "", "Destination: "+filing+"Ours/")
	c.wantAs(207, "walt", "PROPFIND", filing+"Ours/f.txt", ask, "Depth: 0").has(t, c.path("walt", "<D:lockroot><D:href>"+filing+"Ours/</D:href>"))
	c.wantAs(204, "walt", "DELETE", filing+"Ours/", "")
	c.wantAs(204, "alice", "UNLOCK", "/dav/files/{me}/top/", "", "Lock-Token: <"+token+">")
	c.shareFolder(t, "alice", "top/Family", "walt", holdfast.RightWrite)

	// A lock on the guest's own home is one on his home, and what hangs there is called as before.
	token = c.locks(200, "walt", filing, "Depth: infinity")
	c.wantAs(423, "walt", "MOVE", hung, "", "Destination: "+filing+"Ours/")
	c.wantAs(423, "walt", "DELETE", hung, "")
	c.wantAs(204, "alice", "PUT", alices+"f.txt", "hers")
	c.wantAs(204, "walt", "PUT", hung+"f.txt", "his")
	c.wantAs(204, "walt", "UNLOCK", filing, "", "Lock-Token: <"+token+">")

	// Two paths to one folder.
	c.shareFolder(t, "alice", "top/Family/a", "walt", holdfast.RightWrite)
	token = c.locks(200, "walt", hung+"a/b/large")
	c.wantAs(423, "walt", "PUT", filing+"a (alice@example.org)/b/large", "x").has(t, c.path("walt", "<D:href>"+filing+"a%20(alice@example.org)/b/large</D:href>"))
	c.wantAs(423, "walt", "DELETE", hung+"a/b/large", "")
	c.wantAs(204, "walt", "DELETE", filing+"a (alice@example.org)/b/large", "", "If: <"+hung+"a/b/large> (<"+token+">)")
	c.wantAs(207, "alice", "PROPFIND", alices, ask, "Depth: infinity").lacks(t, token) // it went with what it was on

	// Who may only read locks nothing, and who is no guest any more has a lock that the owner ends.
	c.wantAs(403, "rita", "LOCK", hung+"f.txt", strings.ReplaceAll(exclusive, "%", "rita")).has(t, "need-privileges")
	c.wantAs(403, "rita", "LOCK", hung+"none", strings.ReplaceAll(exclusive, "%", "rita"))
	token = c.locks(201, "walt", hung+"none", "Timeout: Second-100")
	c.endFolder(t, "alice", "top/Family", "walt")
	c.wantAs(409, "walt", "PUT", hung+"none", "x", "If: (<"+token+">)")
	c.wantAs(404, "walt", "UNLOCK", hung+"none", "", "Lock-Token: <"+token+">")
	c.wantAs(204, "alice", "UNLOCK", alices+"none", "", "Lock-Token: <"+token+">")
}
