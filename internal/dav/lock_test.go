package dav

import (
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/core"
	"holdfast/internal/locks"
	"holdfast/internal/vfs"
)

// lockBody asks for a lock of a scope.
func lockBody(scope string) string {
	return `<?xml version="1.0"?><D:lockinfo xmlns:D="DAV:"><D:lockscope><D:` + scope + `/></D:lockscope><D:locktype><D:write/></D:locktype><D:owner><X:who xmlns:X="urn:x">alice &amp; co</X:who></D:owner></D:lockinfo>`
}

// lock takes a lock, and returns its token in angle brackets.
func (g *rig) lock(status int, href, scope string, headers ...string) string {
	g.t.Helper()
	r := g.want(status, "LOCK", href, lockBody(scope), headers...)
	token := r.Header.Get("Lock-Token")
	if !strings.HasPrefix(token, "<"+locks.Scheme) || !strings.Contains(r.body, strings.Trim(token, "<>")) {
		g.t.Fatalf("the lock is %q\n%s", token, r.body)
	}
	return token
}

// box makes a folder with a file in it.
func (g *rig) box(names ...string) string {
	g.t.Helper()
	g.want(201, "MKCOL", g.home(holdfast.HomeFiles, names...), "")
	at := g.home(holdfast.HomeFiles, names...)
	g.want(201, "PUT", at+"a", "one")
	return at
}

// TestALockedFile is written only by who shows the lock's token.
func TestALockedFile(t *testing.T) {
	g := newRig(t, locking)
	at := g.box("box")
	f := at + "a"
	token := g.lock(200, f, "exclusive")
	mood := `<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><X:mood xmlns:X="urn:x">sunny</X:mood></D:prop></D:set></D:propertyupdate>`
	for _, x := range [][]string{{"PUT", f, "two"}, {"DELETE", f, ""}, {"PROPPATCH", f, mood}, {"MOVE", f, "", "Destination: " + at + "b"}, {"DELETE", at, ""},
		{"MOVE", at, "", "Destination: " + g.files() + "other/"}, {"COPY", g.files() + "free", "", "Destination: " + f}, {"COPY", g.files() + "free/", "", "Destination: " + at}, {"LOCK", f, lockBody("exclusive")}, {"LOCK", f, lockBody("shared")}, {"LOCK", at, lockBody("shared")}} {
		if strings.HasSuffix(x[1], "free") {
			g.want(201, "PUT", x[1], "free")
		} else if strings.HasSuffix(x[1], "free/") {
			g.want(204, "DELETE", strings.TrimSuffix(x[1], "/"), "")
			g.want(201, "MKCOL", x[1], "")
		}
		g.want(423, x[0], x[1], x[2], x[3:]...).has(t, f)
	}
	g.want(200, "GET", f, "").has(t, "one")
	g.want(201, "COPY", f, "", "Destination: "+at+"b") // reading needs no token
	g.want(201, "PUT", at+"c", "free")
	g.want(207, "PROPFIND", f, find("D:lockdiscovery", "D:supportedlock"), "Depth: 0").has(t, strings.Trim(token, "<>"), "alice &amp; co", "<D:exclusive/>", "<D:shared/>", "Second-3600", "<D:href>"+f+"</D:href>")

	g.want(204, "PUT", f, "two", "If: ("+token+")")
	g.want(207, "PROPPATCH", f, mood, "If: ("+token+")").has(t, "200 OK")
	g.want(423, "PUT", f, "three", "If: (<"+locks.Scheme+"AAAAAAAAAAAAAAAAAAAAAA>) (Not <DAV:no-lock>)")
	g.want(412, "PUT", f, "three", "If: (<"+locks.Scheme+"AAAAAAAAAAAAAAAAAAAAAA>)")
	g.want(412, "PUT", at+"c", "three", "If: ("+token+")") // that lock is not on c
	g.want(409, "UNLOCK", at+"c", "", "Lock-Token: "+token).has(t, "lock-token-matches-request-uri")
	g.want(400, "UNLOCK", f, "")
	g.want(204, "UNLOCK", f, "", "Lock-Token: "+token)
	g.want(409, "UNLOCK", f, "", "Lock-Token: "+token)
	g.want(204, "PUT", f, "three")
	g.want(412, "PUT", f, "four", "If: ("+token+")")
}

// TestALockedCollection: Depth 0 keeps its members as they are, infinity what is in them too.
func TestALockedCollection(t *testing.T) {
	g := newRig(t, locking)
	at := g.box("box")
	g.box("box", "in")
	token := g.lock(200, at, "exclusive", "Depth: 0")
	for _, x := range [][]string{{"PUT", at + "new", "x"}, {"MKCOL", at + "new/", ""}, {"DELETE", at + "a", ""}, {"MOVE", at + "a", "", "Destination: " + g.files() + "b"},
		{"COPY", at + "a", "", "Destination: " + at + "b"}, {"POST", at + "?add-member", "x"}, {"LOCK", at + "new", lockBody("exclusive")}} {
		g.want(423, x[0], x[1], x[2], x[3:]...)
	}
	g.want(204, "PUT", at+"a", "two") // it has as many members as before
	g.want(201, "PUT", at+"in/new", "x")
	g.want(201, "PUT", at+"new", "x", "If: <"+at+"> ("+token+")")
	g.want(204, "DELETE", at+"new", "", "If: <"+at+"> ("+token+")")
	g.want(204, "UNLOCK", at, "", "Lock-Token: "+token)

	token = g.lock(200, at, "exclusive", "Depth: infinity", "Timeout: Second-60")
	for _, x := range [][]string{{"PUT", at + "a", "x"}, {"PUT", at + "in/a", "x"}, {"PUT", at + "in/new2", "x"}, {"LOCK", at + "in/a", lockBody("shared")}, {"DELETE", at + "in/", ""}} {
		g.want(423, x[0], x[1], x[2], x[3:]...).has(t, "<D:href>"+at+"</D:href>")
	}
	g.want(204, "PUT", at+"in/a", "x", "If: ("+token+")") // it is on this one too
	g.want(207, "PROPFIND", at+"in/a", find("D:lockdiscovery"), "Depth: 0").has(t, "infinity", "<D:lockroot><D:href>"+at+"</D:href></D:lockroot>")
	g.want(207, "PROPFIND", "/dav/files/", find("D:lockdiscovery"), "Depth: 1").lacks(t, "activelock")

	g.clock.Advance(50 * time.Second)
	g.want(200, "LOCK", at+"in/a", "", "If: ("+token+")", "Timeout: Second-100").has(t, "Second-100")
	g.clock.Advance(99 * time.Second)
	g.want(423, "PUT", at+"a", "x")
	g.clock.Advance(time.Second)
	g.want(204, "PUT", at+"a", "x")
	g.want(412, "LOCK", at+"in/a", "", "If: ("+token+")")
}

// TestALockOnNothing makes an empty file, so that the name is taken (RFC 4918 section 7.3).
func TestALockOnNothing(t *testing.T) {
	g := newRig(t, locking)
	f := g.files() + "new"
	token := g.lock(201, f, "exclusive", "If-None-Match: *")
	if r := g.want(200, "GET", f, ""); r.body != "" || r.Header.Get("ETag") == "" {
		t.Errorf("there is %q", r.body)
	}
	g.want(423, "PUT", f, "x")
	g.want(405, "MKCOL", f+"/", "")
	g.want(204, "PUT", f, "x", "If: ("+token+")")
	g.want(412, "LOCK", g.files()+"other", lockBody("exclusive"), "If-Match: *")
	g.want(409, "LOCK", g.files()+"no/where", lockBody("exclusive"))
	g.want(405, "LOCK", g.files()+"folder/", lockBody("exclusive"))
}

// TestSharedLocks: several hold one, the token of any is enough, and nobody gets one for himself.
func TestSharedLocks(t *testing.T) {
	g := newRig(t, locking)
	f := g.box("box") + "a"
	one, two := g.lock(200, f, "shared"), g.lock(200, f, "shared")
	g.want(423, "LOCK", f, lockBody("exclusive")).has(t, "no-conflicting-lock")
	g.want(423, "PUT", f, "x").has(t, "lock-token-submitted")
	g.want(204, "PUT", f, "x", "If: ("+two+")")
	g.want(204, "UNLOCK", f, "", "Lock-Token: "+one)
	g.want(423, "PUT", f, "y")
	g.want(204, "UNLOCK", f, "", "Lock-Token: "+two)
	g.want(204, "PUT", f, "y")
}

// TestLocksStayWhereTheyAre: what is moved away or deleted takes no lock along.
func TestLocksStayWhereTheyAre(t *testing.T) {
	g := newRig(t, locking)
	at := g.box("box")
	token := g.lock(200, at+"a", "exclusive")
	g.want(201, "MOVE", at, "", "Destination: "+g.files()+"moved", "If: <"+at+"a> ("+token+")")
	g.want(204, "PUT", g.files()+"moved/a", "x")
	g.want(201, "MKCOL", at, "")
	g.want(201, "PUT", at+"a", "x")
	token = g.lock(200, at+"a", "exclusive")
	g.want(204, "DELETE", at+"a", "", "If: ("+token+")")
	g.want(201, "PUT", at+"a", "x")
}

// TestLocksOfOthers: the locks of one account are nothing to another, whatever it shows.
func TestLocksOfOthers(t *testing.T) {
	g := newRig(t, locking)
	token := g.lock(201, g.files()+"a", "exclusive")
	bobs := HomeHref(g.bob.ID, holdfast.HomeFiles)
	for _, x := range [][]string{{"LOCK", bobs + "a", lockBody("exclusive")}, {"LOCK", bobs + "a", "", "If: (" + token + ")"}, {"UNLOCK", bobs + "a", "", "Lock-Token: " + token}} {
		g.want(403, x[0], x[1], x[2], x[3:]...)
	}
	g.auth = &holdfast.Error{Kind: holdfast.Unauthorized}
	g.want(401, "LOCK", g.files()+"a", lockBody("exclusive"))
}

// TestAliasesHaveOneLock: whatever form the path has, it is one file; hrefs are told in the form of the request.
func TestAliasesHaveOneLock(t *testing.T) {
	g := newRig(t, locking)
	token := g.lock(201, "/remote.php/webdav/a", "exclusive")
	for _, f := range []string{g.files() + "a", "/remote.php/dav/files/alice/a", "/dav/files/alice@example.org/a", "/remote.php/webdav/a"} {
		g.want(423, "PUT", f, "x").has(t, "<D:href>"+f+"</D:href>")
		g.want(204, "PUT", f, "x", "If: <"+g.files()+"a> ("+token+")")
		g.want(207, "PROPFIND", f, find("D:lockdiscovery"), "Depth: 0").has(t, "<D:lockroot><D:href>"+f+"</D:href></D:lockroot>")
	}
}

// TestALockAmidAnUpload: a lock that is given while a file comes in stands before it, and what was there stays.
func TestALockAmidAnUpload(t *testing.T) {
	g := newRig(t, locking)
	f := g.box("box") + "a"
	r, w := io.Pipe()
	status := make(chan int)
	go func() { status <- g.send("PUT", f, r, -1).StatusCode }()
	if _, err := w.Write([]byte("half")); err != nil {
		t.Fatal(err)
	}
	token := g.lock(200, f, "exclusive")
	w.Close()
	if s := <-status; s != 423 {
		t.Errorf("status %d", s)
	}
	g.want(200, "GET", f, "").has(t, "one")
	g.want(204, "PUT", f, "two", "If: ("+token+")")
}

// TestALockThatEndsAmidAnUpload protects nothing any more: who wrote meanwhile is not overwritten.
func TestALockThatEndsAmidAnUpload(t *testing.T) {
	g := newRig(t, locking)
	f := g.box("box") + "a"
	token := g.lock(200, f, "exclusive", "Timeout: Second-60")
	r, w := io.Pipe()
	status := make(chan int)
	go func() { status <- g.send("PUT", f, r, -1, "If: ("+token+")").StatusCode }()
	if _, err := w.Write([]byte("half")); err != nil {
		t.Fatal(err)
	}
	g.clock.Advance(time.Minute)
	g.want(204, "PUT", f, "another's")
	w.Close()
	if s := <-status; s != 412 {
		t.Errorf("status %d", s)
	}
	g.want(200, "GET", f, "").has(t, "another's")
}

// TestLocksOverARestart: what a client was told holds in the next process too.
func TestLocksOverARestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "locks")
	open := func(c clock.Clock) *locks.Table {
		return locks.Open(locks.Options{FS: vfs.OS, Dir: dir, Clock: c})
	}
	g := newRig(t, func(c *core.Options, o *Options) { o.Locks = open(c.Clock) })
	f := g.box("box") + "a"
	token := g.lock(200, f, "exclusive")
	o := g.handler.o
	o.Extensions = []Extension{cards()}
	o.Locks = open(g.clock)
	g.handler = New(o)
	g.want(423, "PUT", f, "x")
	g.want(204, "PUT", f, "x", "If: ("+token+")")
}

// TestWhatIsNoLock: requests that cannot be understood, and places that have no locks.
func TestWhatIsNoLock(t *testing.T) {
	g := newRig(t, locking)
	f := g.box("box") + "a"
	g.want(400, "LOCK", f, "")
	g.want(400, "LOCK", f, lockBody("exclusive"), "Depth: 1")
	g.want(400, "LOCK", f, lockBody("both"))
	g.want(400, "LOCK", f, `<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/><D:shared/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockinfo>`)
	g.want(400, "LOCK", f, `<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope></D:lockinfo>`)
	g.want(400, "LOCK", f, `<D:propfind xmlns:D="DAV:"/>`)
	g.want(413, "LOCK", f, strings.Replace(lockBody("shared"), "alice", strings.Repeat("x", 5000), 1))
	g.want(405, "LOCK", g.book(), lockBody("exclusive"))
	g.want(405, "UNLOCK", g.book(), "")
	g.want(405, "LOCK", "/dav/", lockBody("exclusive"))
	g.want(405, "LOCK", "/dav/files/", lockBody("exclusive"))
	for path, class2 := range map[string]bool{g.files(): true, f: true, "/remote.php/webdav/": true, g.book(): false, "/dav/": false} {
		r := g.want(200, "OPTIONS", path, "")
		if strings.Contains(r.Header.Get("DAV"), "1, 2, 3") != class2 || strings.Contains(r.Header.Get("Allow"), "UNLOCK") != class2 {
			t.Errorf("%s: DAV %q, Allow %q", path, r.Header.Get("DAV"), r.Header.Get("Allow"))
		}
	}
	for header, want := range map[string]string{"": "3600", "Infinite": "3600", "Infinite, Second-4100000000": "3600", "Second-90": "90", "Second-90, Infinite": "90", "Second-0": "3600", "Second--1": "3600", "soon": "3600", "Second-99999999999999999999": "3600"} {
		r := g.want(200, "LOCK", f, lockBody("shared"), "Timeout: "+header).has(t, "Second-"+want+"<")
		g.want(204, "UNLOCK", f, "", "Lock-Token: "+r.Header.Get("Lock-Token"))
	}
	r := g.want(200, "LOCK", g.files(), lockBody("exclusive")) // the whole home
	g.want(423, "PUT", f, "x")
	g.want(204, "UNLOCK", f, "", "Lock-Token: "+r.Header.Get("Lock-Token"))
	g.want(207, "PROPPATCH", f, `<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><D:lockdiscovery/></D:prop></D:set></D:propertyupdate>`).has(t, "403 Forbidden")
}
