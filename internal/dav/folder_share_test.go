package dav

import (
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/core"
)

// newHearth is a circle in which alice's folder top/Family is shared too: rita reads it, walt writes in it. Rex had it, eve never.
func newHearth(t testing.TB, options ...rigOption) *circle {
	t.Helper()
	c := newCircle(t, append([]rigOption{locking, large, func(o *core.Options, _ *Options) { o.Limits.Inline = 64 }}, options...)...)
	const own = "/dav/files/{me}/"
	for who := range c.people {
		c.wantAs(204, who, "DELETE", own+"Photos/", "") // each has one from the start
	}
	for _, folder := range []string{"top/", "top/Family/", "top/Family/a/", "top/Family/a/b/", "diary/"} {
		c.wantAs(201, "alice", "MKCOL", own+folder, "")
	}
	c.wantAs(201, "alice", "PUT", own+"top/secret.txt", "octets-of-alice-alone")
	c.wantAs(201, "alice", "PUT", own+"diary/d.txt", "octets-of-alice-alone")
	c.wantAs(201, "alice", "PUT", own+"top/Family/f.txt", "octets-of-alice")
	c.wantAs(201, "alice", "PUT", own+"top/Family/a/b/large", strings.Repeat("octets-of-alice ", 100))
	c.wantAs(207, "alice", "PROPPATCH", own+"top/Family/", set(`<X:note>private</X:note>`))
	c.shareFolder(t, "alice", "top/Family", "rita", holdfast.RightRead)
	c.shareFolder(t, "alice", "top/Family", "walt", holdfast.RightWrite)
	c.shareFolder(t, "alice", "top/Family", "rex", holdfast.RightWrite)
	c.endFolder(t, "alice", "top/Family", "rex")
	return c
}

// folder finds a folder of somebody's.
func (c *circle) folder(t testing.TB, who, path string) holdfast.ID {
	t.Helper()
	at, err := c.core.Locate(t.Context(), c.people[who], c.people[who].Account, append([]string{holdfast.HomeFiles}, strings.Split(path, "/")...))
	if err != nil || len(at.Rest) > 0 {
		t.Fatal(path, at.Rest, err)
	}
	return at.Collection.ID
}

func (c *circle) shareFolder(t testing.TB, who, path, with string, rights holdfast.Right) {
	t.Helper()
	if err := c.core.Share(t.Context(), holdfast.Actor{}, c.people[who].Account, c.folder(t, who, path), c.people[with].Account, rights); err != nil {
		t.Fatal(err)
	}
}

func (c *circle) endFolder(t testing.TB, who, path, with string) {
	t.Helper()
	if err := c.core.Unshare(t.Context(), holdfast.Actor{}, c.people[who].Account, c.folder(t, who, path), c.people[with].Account); err != nil {
		t.Fatal(err)
	}
}

const (
	hung   = "/dav/files/{me}/Family/"
	filing = "/dav/files/{me}/"
)

func TestASharedFolderHangsInTheGuestsHome(t *testing.T) {
	c := newHearth(t, func(o *core.Options, _ *Options) { o.Limits.Quota = 100_000 })
	ask := find("D:displayname", "D:owner", "D:resourcetype", "D:current-user-privilege-set", "D:acl", "D:quota-used-bytes", "D:quota-available-bytes", "D:sync-token", "D:getetag", "X:note")
	home := c.wantAs(207, "rita", "PROPFIND", filing, ask, "Depth: 1")
	home.has(t, c.path("rita", "<D:href>"+hung+"</D:href>"), "<D:displayname>Family</D:displayname>", "<D:owner><D:href>"+PrincipalHref(c.alice.ID)+"</D:href></D:owner>")
	home.lacks(t, "private", "top", "diary")
	inside := c.wantAs(207, "rita", "PROPFIND", hung, ask, "Depth: 0")
	inside.has(t, "<D:read/>", "<D:write-properties/>", "<D:acl/>", "<D:quota-used-bytes/>", "<D:quota-available-bytes/>", ":note").lacks(t, "<D:all/>", "<D:write/>", "<D:write-content/>", "<D:bind/>", "<D:read-acl/>")
	c.wantAs(207, "rita", "PROPFIND", hung+"a/", ask, "Depth: 0").has(t, "<D:read/>", "<D:displayname>a</D:displayname>").lacks(t, "<D:write") // there the properties are the owner's
	c.wantAs(207, "rita", "PROPFIND", hung+"f.txt", ask, "Depth: 0").has(t, "<D:getetag>").lacks(t, "<D:write")
	for _, at := range []string{hung, hung + "a/b/"} {
		c.wantAs(207, "walt", "PROPFIND", at, ask, "Depth: 0").has(t, "<D:write/>", "<D:write-content/>", "<D:bind/>", "<D:unbind/>", "<D:quota-used-bytes>1615</D:quota-used-bytes>", "<D:quota-available-bytes>").
			lacks(t, "<D:all/>", "<D:read-acl/>")
	}
	deep := c.wantAs(207, "rita", "PROPFIND", hung, ask, "Depth: infinity")
	deep.has(t, c.path("rita", hung+"a/b/large"), c.path("rita", hung+"f.txt")).lacks(t, "secret", "diary", c.alice.ID.String()+"/top")
	c.wantAs(403, "rita", "PROPFIND", filing, ask, "Depth: infinity")
	for _, who := range []string{"rex", "eve"} {
		c.wantAs(207, who, "PROPFIND", filing, ask, "Depth: 1").lacks(t, "Family", "alice")
		c.wantAs(404, who, "PROPFIND", hung, ask, "Depth: 0")
		c.wantAs(409, who, "PUT", hung+"x", "x")
	}
	const alices = "/dav/files/{me}/top/Family/"
	for _, at := range []string{alices, alices + "a/b/", alices + "a/b/large"} {
		c.wantAs(207, "alice", "PROPFIND", at, ask, "Depth: 0").has(t,
			PrincipalHref(c.people["rita"].Account)+"</D:href></D:principal><D:grant><D:privilege><D:read/></D:privilege></D:grant>",
			PrincipalHref(c.people["walt"].Account)+"</D:href></D:principal><D:grant><D:privilege><D:read/></D:privilege><D:privilege><D:write/></D:privilege></D:grant>").lacks(t, c.people["rex"].Account.String())
	}
	c.wantAs(207, "alice", "PROPFIND", filing+"top/", ask, "Depth: 0").lacks(t, c.people["rita"].Account.String())
	c.wantAs(200, "rita", "GET", filing, "").has(t, "Family/")
	c.wantAs(200, "rita", "GET", hung+"a/b/", "").has(t, "large")
	c.wantAs(206, "rita", "GET", hung+"a/b/large", "", "Range: bytes=0-14").has(t, "octets-of-alice")
	c.wantAs(200, "walt", "GET", "/remote.php/webdav/Family/f.txt", "").has(t, "octets-of-alice")
	c.wantAs(207, "walt", "PROPFIND", "/remote.php/dav/files/walt/Family/", ask, "Depth: 1").has(t, "<D:href>/remote.php/dav/files/walt/Family/f.txt</D:href>")
}

// TestAGuestWorksInAFolder: everything that a program for files does, in and below what is shared, and across its border in both directions.
func TestAGuestWorksInAFolder(t *testing.T) {
	c := newHearth(t)
	large := strings.Repeat("walts octets ", 50)
	c.wantAs(201, "walt", "PUT", hung+"a/new", large, "X-OC-MTime: 1234567890").has(t)
	c.wantAs(201, "walt", "MKCOL", hung+"mine/", "")
	c.wantAs(201, "walt", "PUT", hung+"mine/x", "x")
	c.wantAs(207, "walt", "PROPPATCH", hung+"mine/", set("<X:note>walts</X:note>"))
	c.wantAs(207, "rita", "PROPFIND", hung+"mine/", find("X:note"), "Depth: 0").has(t, "walts")
	c.wantAs(207, "walt", "PROPPATCH", hung, set("<X:note>for himself</X:note>"))
	c.wantAs(207, "rita", "PROPFIND", hung, find("X:note"), "Depth: 0").lacks(t, "himself", "private")
	c.wantAs(207, "alice", "PROPFIND", filing+"top/Family/", find("X:note"), "Depth: 0").has(t, "private")
	c.wantAs(201, "walt", "MOVE", hung+"mine/", "", "Destination: "+hung+"a/his/")
	c.wantAs(201, "walt", "COPY", hung+"a/", "", "Destination: "+hung+"copy/")
	c.wantAs(200, "rita", "GET", hung+"copy/his/x", "").has(t, "x")

	// Out, and in: files of any size, and whole folders.
	c.wantAs(201, "walt", "COPY", hung+"a/b/large", "", "Destination: "+filing+"large")
	c.wantAs(200, "walt", "GET", filing+"large", "").has(t, "octets-of-alice")
	c.wantAs(201, "walt", "MOVE", hung+"copy/", "", "Destination: "+filing+"got/")
	c.wantAs(404, "rita", "PROPFIND", hung+"copy/", "", "Depth: 0")
	r := c.wantAs(200, "walt", "GET", filing+"got/new", "").has(t, large)
	if r.Header.Get("Last-Modified") != "Fri, 13 Feb 2009 23:31:30 GMT" {
		t.Error(r.Header)
	}
	c.wantAs(201, "walt", "MOVE", filing+"got/", "", "Destination: "+hung+"back/")
	c.wantAs(404, "walt", "PROPFIND", filing+"got/", "", "Depth: 0")
	c.wantAs(200, "rita", "GET", hung+"back/new", "").has(t, large)
	c.wantAs(200, "alice", "GET", filing+"top/Family/back/his/x", "")
	c.wantAs(201, "walt", "COPY", hung, "", "Destination: "+filing+"all/")
	c.wantAs(207, "walt", "PROPFIND", filing+"all/", find("X:note"), "Depth: 0").lacks(t, "private", "himself")
	c.wantAs(200, "walt", "GET", filing+"all/a/b/large", "")
	c.wantAs(201, "walt", "COPY", filing+"large", "", "Destination: "+hung+"large")
	c.wantAs(412, "walt", "MOVE", filing+"large", "", "Destination: "+hung+"large", "Overwrite: F")
	c.wantAs(204, "walt", "MOVE", filing+"large", "", "Destination: "+hung+"large")
	c.wantAs(204, "walt", "COPY", filing+"all/a/", "", "Destination: "+hung+"a/") // in its place
	c.wantAs(201, "rita", "COPY", hung+"a/", "", "Destination: "+filing+"hers/")
	c.wantAs(403, "rita", "MOVE", hung+"a/", "", "Destination: "+filing+"stolen/").has(t, "need-privileges")
	c.wantAs(403, "rita", "COPY", filing+"hers/", "", "Destination: "+hung+"hers/").has(t, "need-privileges")

	// Its name in his home.
	c.wantAs(201, "walt", "MOVE", hung, "", "Destination: "+filing+"Ours/")
	c.wantAs(404, "walt", "PROPFIND", hung, "", "Depth: 0")
	c.wantAs(200, "walt", "GET", filing+"Ours/f.txt", "")
	c.wantAs(200, "rita", "GET", hung+"f.txt", "")
	c.wantAs(403, "walt", "MOVE", filing+"Ours/", "", "Destination: "+filing+"all/Ours/")
	c.wantAs(201, "walt", "MOVE", filing+"Ours/", "", "Destination: "+filing+"Family/")
	c.wantAs(412, "walt", "MOVE", hung, "", "Destination: "+filing+"all/", "Overwrite: F")
	c.wantAs(403, "walt", "MOVE", filing+"all/", "", "Destination: "+hung)
	c.wantAs(403, "walt", "COPY", filing+"all/", "", "Destination: "+hung)
	c.wantAs(405, "walt", "PUT", filing+"Family", "x")
	c.wantAs(405, "walt", "MKCOL", hung, "")

	// Deleting: in it everybody's, of it his own.
	c.wantAs(204, "walt", "DELETE", hung+"back/", "")
	c.wantAs(404, "alice", "PROPFIND", filing+"top/Family/back/", "", "Depth: 0")
	c.wantAs(204, "walt", "DELETE", hung, "")
	c.wantAs(404, "walt", "PROPFIND", hung, "", "Depth: 0")
	c.wantAs(207, "rita", "PROPFIND", hung, "", "Depth: 0")
	c.wantAs(207, "alice", "PROPFIND", filing+"top/Family/", "", "Depth: 0")
}

// TestQuotaOfWhatIsShared: it counts for the owner, whoever writes, and bounds what is carried across.
func TestQuotaOfWhatIsShared(t *testing.T) {
	c := newHearth(t, func(o *core.Options, _ *Options) { o.Limits.Quota = 10_000 })
	c.wantAs(201, "walt", "PUT", filing+"own", strings.Repeat("x", 5000))
	c.wantAs(507, "walt", "PUT", hung+"a/too-much", strings.Repeat("x", 9000))
	c.wantAs(201, "walt", "COPY", filing+"own", "", "Destination: "+hung+"one")
	c.wantAs(507, "walt", "COPY", filing+"own", "", "Destination: "+hung+"two")
	c.wantAs(507, "walt", "MOVE", filing+"own", "", "Destination: "+hung+"two")
	c.wantAs(201, "walt", "MKCOL", filing+"tree/", "")
	c.wantAs(201, "walt", "MOVE", filing+"own", "", "Destination: "+filing+"tree/own")
	c.wantAs(507, "walt", "MOVE", filing+"tree/", "", "Destination: "+hung+"tree/")
	c.wantAs(404, "alice", "PROPFIND", filing+"top/Family/tree/", "", "Depth: 0")
	c.wantAs(200, "walt", "GET", filing+"tree/own", "")
	c.wantAs(204, "walt", "MOVE", filing+"tree/own", "", "Destination: "+hung+"one") // in the place of as much
	c.wantAs(507, "walt", "COPY", hung+"one", "", "Destination: "+hung+"three")
	c.wantAs(201, "walt", "COPY", hung+"one", "", "Destination: "+filing+"out")
}

// homeSync asks what became of somebody's home since a token; it answers with "+name" and "-name" in the order of the answer, and the next token.
func (c *circle) homeSync(t testing.TB, who, token, more string) (told []string, next string) {
	t.Helper()
	r := c.wantAs(207, who, "REPORT", filing, syncBody(token, more))
	for _, x := range strings.Split(r.body, "<D:response>")[1:] {
		href, rest, _ := strings.Cut(strings.TrimPrefix(x, "<D:href>"), "</D:href>")
		switch {
		case strings.HasPrefix(rest, "<D:status>HTTP/1.1 507"):
			told = append(told, "more")
		case strings.HasPrefix(rest, "<D:status>HTTP/1.1 404"):
			told = append(told, "-"+strings.TrimPrefix(href, c.path(who, filing)))
		default:
			told = append(told, "+"+strings.TrimPrefix(href, c.path(who, filing)))
		}
	}
	return told, r.body[strings.Index(r.body, "<D:sync-token>")+14 : strings.Index(r.body, "</D:sync-token>")]
}

// TestASharedFolderIsAChangeOfTheGuestsHome: whatever lets it come, go or change is told once, and nothing of the guest's own is told to be gone for it.
func TestASharedFolderIsAChangeOfTheGuestsHome(t *testing.T) {
	c := newHearth(t)
	token, kin := "", c.folder(t, "alice", "top/Family").String()
	then := func(what, want string) {
		t.Helper()
		told, next := c.homeSync(t, "eve", token, "")
		if got := strings.ReplaceAll(strings.Join(told, " "), kin, "KIN"); got != want {
			t.Errorf("%s: told %q, want %q", what, got, want)
		}
		again, same := c.homeSync(t, "eve", next, "")
		if len(again) > 0 || same != next {
			t.Errorf("%s: told again %v, and the token moved: %v", what, again, same != next)
		}
		if r := c.wantAs(207, "eve", "PROPFIND", filing, find("D:sync-token"), "Depth: 0"); !strings.Contains(r.body, next) {
			t.Errorf("%s: the home has another token than its report", what)
		}
		token = next
	}
	const alices = "/dav/files/{me}/top/Family/"
	then("at first", "")
	c.wantAs(201, "eve", "PUT", filing+"own", "x")
	then("own", "+own")
	c.shareFolder(t, "alice", "top/Family", "eve", holdfast.RightRead)
	then("shared", "+Family/")
	c.wantAs(204, "alice", "PUT", alices+"f.txt", "changed")
	then("inside", "")
	c.wantAs(207, "eve", "PROPPATCH", hung, set("<X:a/>"))
	then("labelled", "+Family/")
	c.shareFolder(t, "alice", "top/Family", "eve", holdfast.RightWrite)
	then("another right", "+Family/")
	c.wantAs(201, "alice", "MOVE", alices, "", "Destination: "+filing+"Kin/")
	then("renamed by its owner", "")
	c.wantAs(201, "eve", "MOVE", hung, "", "Destination: "+filing+"Ours/")
	then("renamed by the guest", "+Ours/ -Family/")
	c.wantAs(204, "alice", "DELETE", filing+"Kin/", "")
	then("deleted by its owner", "-Ours/")
	a, err := c.core.Account(t.Context(), c.alice.ID.String())
	if err != nil {
		t.Fatal(err)
	}
	past, err := c.core.Past(t.Context(), c.people["alice"], c.alice.ID)
	if err == nil {
		_, err = past.Undo(t.Context(), core.UndoRequest{Change: a.Seq}, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	then("brought back by its owner", "+Ours/")
	c.wantAs(405, "eve", "MKCOL", filing+"Ours/", "")
	c.endFolder(t, "alice", "Kin", "eve")
	then("ended", "-Ours/")
	const named = "Kin%20(alice@example.org)/"
	c.wantAs(201, "eve", "MKCOL", filing+"Kin/", "")
	c.shareFolder(t, "alice", "Kin", "eve", holdfast.RightRead)
	then("shared beside an own one", "+"+named+" +Kin/")
	c.endFolder(t, "alice", "Kin", "eve")
	c.wantAs(201, "eve", "MKCOL", filing+named, "")
	then("an own one in its place", "+"+named+" -Kin%20(alice@example.org)%20(KIN)/") // which it may have been called
	c.wantAs(204, "eve", "DELETE", filing+named, "")
	c.wantAs(204, "eve", "DELETE", filing+"Kin/", "")
	c.shareFolder(t, "alice", "Kin", "eve", holdfast.RightRead)
	then("in the place of an own one", "+Kin/ -"+named)
	c.wantAs(204, "eve", "DELETE", filing+"Kin/", "")
	then("taken out of the home", "-Kin/")
	c.shareFolder(t, "alice", "Kin", "eve", holdfast.RightRead)
	then("shared again", "+Kin/")

	// In pages: each thing once, and everything.
	c.wantAs(201, "eve", "PUT", filing+"more", "x")
	var all []string
	page, told := "", []string{"more"}
	for n := 0; len(told) > 0 && told[len(told)-1] == "more" || n == 0; n++ {
		told, page = c.homeSync(t, "eve", page, "<D:limit><D:nresults>1</D:nresults></D:limit>")
		all = append(all, told...)
		if n > 20 {
			t.Fatal(all)
		}
	}
	if got := strings.Join(all, " "); got != "+own more +Kin/ more +more" {
		t.Errorf("in pages: %s", got)
	}
	if rest, _ := c.homeSync(t, "eve", page, ""); len(rest) > 0 {
		t.Errorf("after the last page: %v", rest)
	}

	if _, err := c.core.UpdateAccount(t.Context(), holdfast.Actor{}, c.alice.ID, func(r *holdfast.AccountRecord) error { r.State = holdfast.Erasing; return nil }); err != nil {
		t.Fatal(err)
	}
	then("the owner waits for his erasure", "+more") // and nothing else: whoever cannot be served takes nothing from anybody's phone
	if err := c.core.Erase(t.Context(), c.alice.ID); err != nil {
		t.Fatal(err)
	}
	then("the owner is erased", "-Kin/")
}
