package dav

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/core"
	"holdfast/internal/dav/onesnap"
	"holdfast/internal/davxml"
	"holdfast/internal/store"
)

// circle is a rig with people: alice shares her book with rita, who reads, and with walt, who writes; rex had a share that was ended; eve is a stranger.
type circle struct {
	*rig
	people map[string]holdfast.Principal
	book   holdfast.Collection
	dates  holdfast.Collection // alice's calendar, shared as the book is
	token  string              // of alice's book, as rex's device got it
}

func newCircle(t testing.TB, options ...rigOption) *circle {
	t.Helper()
	c := &circle{people: map[string]holdfast.Principal{}}
	c.rig = newRig(t, append(options, func(co *core.Options, o *Options) {
		co.Judges[holdfast.TypeCalendar] = co.Judges[holdfast.TypeAddressbook]
		o.Authenticate, o.Extensions = c.signIn, append(o.Extensions, dates())
	})...)
	c.people["alice"] = holdfast.Principal{Account: c.alice.ID, Device: c.device.ID}
	for _, name := range []string{"rita", "walt", "rex", "eve"} {
		a, _, err := c.core.CreateAccount(t.Context(), holdfast.Actor{}, name+"@example.org", "")
		if err != nil {
			t.Fatal(err)
		}
		d, _, err := c.core.AddDevice(t.Context(), holdfast.Actor{}, a.ID, "phone", holdfast.HashOf([]byte(name)))
		if err != nil {
			t.Fatal(err)
		}
		c.people[name] = holdfast.Principal{Account: a.ID, Device: d.ID}
	}
	for home, to := range map[string]*holdfast.Collection{holdfast.HomeAddressbooks: &c.book, holdfast.HomeCalendars: &c.dates} {
		at, err := c.core.Locate(t.Context(), c.people["alice"], c.alice.ID, []string{home, "default"})
		if err != nil {
			t.Fatal(err)
		}
		*to = at.Collection
		place := core.Place{Owner: c.alice.ID, Collection: to.ID, Name: "a.vcf"}
		if _, _, err := c.core.Put(t.Context(), c.people["alice"], core.PutRequest{Place: place, Body: []byte(card("octets-of-alice"))}); err != nil {
			t.Fatal(err)
		}
	}
	c.share(t, "rita", holdfast.RightRead)
	c.share(t, "walt", holdfast.RightWrite)
	c.share(t, "rex", holdfast.RightWrite)
	if err := c.core.Read(t.Context(), c.people["rex"], c.people["rex"].Account, func(r *core.Reader) error {
		x, err := r.Collection(c.book.ID)
		c.token = r.Token(&x)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for _, x := range []holdfast.ID{c.book.ID, c.dates.ID} {
		if err := c.core.Unshare(t.Context(), holdfast.Actor{}, c.alice.ID, x, c.people["rex"].Account); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// dates is a small extension for calendars, as CalDAV is a large one. Calendars hold cards here too.
func dates() Extension {
	return Extension{Name: "dates", Type: holdfast.TypeCalendar, Home: holdfast.HomeCalendars, ResourceType: davxml.CCalendar, Method: "MKCALENDAR",
		MethodBody: davxml.Name{Space: davxml.NSCalDAV, Local: "mkcalendar"}, MethodAnswer: davxml.Name{Space: davxml.NSCalDAV, Local: "mkcalendar-response"}}
}

func (c *circle) signIn(r *http.Request) (holdfast.Principal, error) {
	name, _, _ := r.BasicAuth()
	if who := r.Header.Get("Test-Who"); who != "" {
		name = who
	}
	name, _, _ = strings.Cut(name, "@")
	return c.people[name], nil
}

func (c *circle) share(t testing.TB, with string, rights holdfast.Right) {
	t.Helper()
	for _, x := range []holdfast.ID{c.book.ID, c.dates.ID} {
		if err := c.core.Share(t.Context(), holdfast.Actor{}, c.alice.ID, x, c.people[with].Account, rights); err != nil {
			t.Fatal(err)
		}
	}
}

// path writes {me}, {alice} and their like as ids of accounts, {book} and {dates} as those of alice's book and calendar.
func (c *circle) path(who, s string) string {
	s = strings.ReplaceAll(s, "{me}", c.people[who].Account.String())
	s = strings.ReplaceAll(s, "{book}", c.book.ID.String())
	s = strings.ReplaceAll(s, "{dates}", c.dates.ID.String())
	s = strings.ReplaceAll(s, "{token}", c.token)
	for name, p := range c.people {
		s = strings.ReplaceAll(s, "{"+name+"}", p.Account.String())
	}
	return s
}

// as sends a request for somebody; path, body and headers are written by path.
func (c *circle) as(who, method, at, body string, headers ...string) reply {
	c.t.Helper()
	all := []string{"Test-Who: " + who}
	for _, h := range headers {
		all = append(all, c.path(who, h))
	}
	return c.do(method, c.path(who, at), c.path(who, body), all...)
}

// wantAs sends a request for somebody and checks its status.
func (c *circle) wantAs(status int, who, method, at, body string, headers ...string) reply {
	c.t.Helper()
	r := c.as(who, method, at, body, headers...)
	if r.StatusCode != status {
		c.t.Fatalf("%s: %s %s: status %d, want %d\n%s", who, method, at, r.StatusCode, status, r.body[:min(len(r.body), 2000)])
	}
	return r
}

const (
	bound  = "/dav/addressbooks/{me}/{book}/"
	member = bound + "a.vcf"
)

func set(prop string) string {
	return `<D:propertyupdate xmlns:D="DAV:" xmlns:X="urn:x" xmlns:A="http://apple.com/ns/ical/"><D:set><D:prop>` + prop + `</D:prop></D:set></D:propertyupdate>`
}

func TestASharedBookHangsInTheGuestsHome(t *testing.T) {
	c := newCircle(t)
	ask := find("D:displayname", "D:owner", "D:resourcetype", "D:current-user-privilege-set", "D:acl", "D:quota-used-bytes", "D:add-member", "D:sync-token", "X:note", "CR:supported-address-data")
	home := c.wantAs(207, "rita", "PROPFIND", "/dav/addressbooks/{me}/", ask, "Depth: 1")
	home.has(t, c.path("rita", "<D:href>"+bound+"</D:href>"), ">Contacts (alice@example.org)</D:displayname>", "<D:owner><D:href>"+PrincipalHref(c.alice.ID)+"</D:href></D:owner>",
		"<CR:supported-address-data/>")
	inside := c.wantAs(207, "rita", "PROPFIND", bound, ask, "Depth: 0")
	inside.has(t, "<D:read/>", "<D:write-properties/>", "<D:acl/>", "<D:quota-used-bytes/>", "<D:add-member/>", ":note", "<CR:addressbook/>")
	inside.lacks(t, "<D:all/>", "<D:write/>", "<D:write-content/>", "<D:bind/>", "<D:read-acl/>", "<D:write-acl/>")
	c.wantAs(207, "rita", "PROPFIND", bound, ask, "Depth: 0", "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Thunderbird/140.5.0").lacks(t, "<D:write-properties/>")
	c.wantAs(207, "rita", "PROPFIND", member, ask, "Depth: 0").lacks(t, "write")
	c.wantAs(207, "walt", "PROPFIND", bound, ask, "Depth: 0").has(t, "<D:write/>", "<D:write-content/>", "<D:bind/>", "<D:unbind/>", "?add-member")
	c.wantAs(207, "walt", "PROPFIND", member, ask, "Depth: 0").has(t, "<D:write-content/>")
	c.wantAs(207, "eve", "PROPFIND", "/dav/addressbooks/{me}/", ask, "Depth: 1").lacks(t, "alice")
	c.wantAs(207, "rex", "PROPFIND", "/dav/addressbooks/{me}/", ask, "Depth: 1").lacks(t, "alice")
	own := c.wantAs(207, "alice", "PROPFIND", "/dav/addressbooks/{me}/default/", ask, "Depth: 0")
	own.has(t, PrincipalHref(c.people["rita"].Account)+"</D:href></D:principal><D:grant><D:privilege><D:read/></D:privilege></D:grant>",
		PrincipalHref(c.people["walt"].Account)+"</D:href></D:principal><D:grant><D:privilege><D:read/></D:privilege><D:privilege><D:write/></D:privilege></D:grant>")
	own.lacks(t, c.people["rex"].Account.String())
	c.wantAs(200, "rita", "GET", "/dav/addressbooks/{me}/", "").has(t, "Contacts (alice@example.org)", c.book.ID.String()+"/")
	c.wantAs(207, "walt", "PROPFIND", "/remote.php/dav/addressbooks/users/{me}/", ask, "Depth: 1").has(t, c.path("walt", "<D:href>/remote.php/dav/addressbooks/users/{me}/{book}/</D:href>"))
	c.wantAs(207, "walt", "PROPFIND", "/dav/addressbooks/walt@example.org/", ask, "Depth: 1").has(t, c.path("walt", "<D:href>/dav/addressbooks/walt@example.org/{book}/</D:href>"))
}

func TestAGuestsPropertiesAreHisOwn(t *testing.T) {
	c := newCircle(t)
	const alices = "/dav/addressbooks/{alice}/default/"
	c.wantAs(207, "alice", "PROPPATCH", alices, set(`<D:displayname>Family</D:displayname><A:calendar-color>#111111</A:calendar-color><X:note>private</X:note>`))
	ask := `<D:propfind xmlns:D="DAV:" xmlns:X="urn:x" xmlns:A="http://apple.com/ns/ical/"><D:prop><D:displayname/><A:calendar-color/><X:note/></D:prop></D:propfind>`
	c.wantAs(207, "rita", "PROPFIND", bound, ask, "Depth: 0").has(t, ">Family<", ">#111111<").lacks(t, "private")
	before, _ := c.core.Account(t.Context(), c.alice.ID.String())
	c.wantAs(207, "rita", "PROPPATCH", bound, set(`<D:displayname>Hers</D:displayname><A:calendar-color>#222222</A:calendar-color><X:note>mine</X:note>`)).has(t, "200 OK")
	after, _ := c.core.Account(t.Context(), c.alice.ID.String())
	if before.Seq != after.Seq {
		t.Error("a guest's properties stand in the owner's journal")
	}
	c.wantAs(207, "rita", "PROPFIND", bound, ask, "Depth: 0").has(t, ">Hers<", ">#222222<", ">mine<")
	c.wantAs(207, "walt", "PROPFIND", bound, ask, "Depth: 0").has(t, ">Family<", ">#111111<").lacks(t, "mine")
	c.wantAs(207, "alice", "PROPFIND", alices, ask, "Depth: 0").has(t, ">Family<", ">#111111<", ">private<")
	c.wantAs(207, "rita", "PROPPATCH", bound, `<D:propertyupdate xmlns:D="DAV:"><D:remove><D:prop><D:displayname/></D:prop></D:remove></D:propertyupdate>`)
	c.wantAs(207, "rita", "PROPFIND", bound, ask, "Depth: 0").has(t, ">Family<", ">#222222<")
	c.wantAs(207, "rita", "PROPPATCH", bound, set(`<D:sync-token>x</D:sync-token>`)).has(t, "403 Forbidden")
	c.wantAs(207, "walt", "PROPPATCH", member, set(`<X:note>walts</X:note>`))
	c.wantAs(207, "alice", "PROPFIND", alices+"a.vcf", ask, "Depth: 0").has(t, ">walts<")
}

func TestPrivilegesThatAreNeededAreNamed(t *testing.T) {
	c := newCircle(t)
	need := func(href, privilege string) string {
		return c.path("rita", "<D:need-privileges><D:resource><D:href>"+href+"</D:href><D:privilege><D:"+privilege+"/></D:privilege></D:resource></D:need-privileges>")
	}
	const own = "/dav/addressbooks/{me}/default/"
	c.wantAs(201, "rita", "PUT", own+"o.vcf", card("own"))
	for _, x := range []struct {
		method, at, body, href, privilege string
		headers                           []string
	}{
		{"PUT", member, card("x"), member, "write-content", nil},
		{"PUT", bound + "new.vcf", card("x"), bound, "bind", nil},
		{"POST", bound + "?add-member", card("x"), bound, "bind", nil},
		{"DELETE", member, "", bound, "unbind", nil},
		{"PROPPATCH", member, set("<X:a/>"), member, "write-properties", nil},
		{"MKCOL", bound + "new/", "", bound, "bind", nil},
		{"MOVE", member, "", bound, "unbind", []string{"Destination: " + own + "x.vcf"}},
		{"COPY", own + "o.vcf", "", bound, "bind", []string{"Destination: " + bound + "x.vcf"}},
		{"MOVE", own + "o.vcf", "", bound, "bind", []string{"Destination: " + bound + "x.vcf"}},
		{"COPY", member, "", bound, "bind", []string{"Destination: " + bound + "x.vcf"}},
	} {
		r := c.as("rita", x.method, x.at, x.body, x.headers...)
		if r.StatusCode != 403 || !strings.Contains(r.body, need(x.href, x.privilege)) {
			t.Errorf("%s %s: status %d, want need-privileges %s at %s\n%s", x.method, x.at, r.StatusCode, x.privilege, x.href, r.body)
		}
		if x.method == "PUT" || x.method == "DELETE" {
			r.has(t, "this is shared with you to read, not to change; ask its owner. Nothing was changed")
		}
	}
	c.wantAs(201, "rita", "COPY", member, "", "Destination: "+own+"copy.vcf")
}

func TestAGuestSyncsAndWrites(t *testing.T) {
	c := newCircle(t)
	first := c.wantAs(207, "walt", "REPORT", bound, syncBody("", ""))
	first.has(t, c.path("walt", "<D:href>"+member+"</D:href>"))
	token := first.body[strings.Index(first.body, "<D:sync-token>")+14 : strings.Index(first.body, "</D:sync-token>")]
	put := c.wantAs(201, "walt", "PUT", bound+"w.vcf", card("w"))
	if !strings.HasPrefix(put.Header.Get("Holdfast-Receipt"), "epoch=1, seq=") {
		t.Errorf("no receipt: %v", put.Header)
	}
	c.wantAs(204, "alice", "DELETE", "/dav/addressbooks/{me}/default/a.vcf", "")
	post := c.wantAs(201, "walt", "POST", bound+"?add-member", card("p"))
	if loc := post.Header.Get("Location"); !strings.HasPrefix(loc, c.path("walt", bound)) {
		t.Errorf("Location: %s", loc)
	}
	for _, who := range []string{"walt", "rita"} {
		c.wantAs(207, who, "REPORT", bound, syncBody(token, "")).has(t, c.path(who, "<D:href>"+bound+"w.vcf</D:href>"), c.path(who, "<D:href>"+member+"</D:href><D:status>HTTP/1.1 404")).lacks(t, c.path(who, "<D:href>/dav/addressbooks/{alice}"))
	}
	c.wantAs(207, "alice", "REPORT", "/dav/addressbooks/{me}/default/", syncBody(token, "")).has(t, c.path("alice", "<D:href>/dav/addressbooks/{me}/default/w.vcf</D:href>"))
	// The If header and its tokens, in the guest's own spelling.
	c.wantAs(412, "walt", "PUT", bound+"w.vcf", card("w"), "If: <"+bound+"> (<"+token+">)")
	c.wantAs(204, "walt", "PUT", bound+"w.vcf", card("w")+"x", "If: <"+bound+"> (Not <"+token+">)")
	c.wantAs(403, "walt", "PUT", bound+"new.vcf", card("w")).has(t, "no-uid-conflict", c.path("walt", "<D:href>"+bound+"w.vcf</D:href>"))
	c.wantAs(412, "walt", "PUT", bound+"w.vcf", card("w"), "If-None-Match: *")
	// Within, out and in.
	const own = "/dav/addressbooks/{me}/default/"
	c.wantAs(201, "walt", "MOVE", bound+"w.vcf", "", "Destination: "+bound+"v.vcf")
	c.wantAs(201, "walt", "MOVE", bound+"v.vcf", "", "Destination: "+own+"v.vcf")
	c.wantAs(404, "walt", "GET", bound+"v.vcf", "")
	c.wantAs(201, "walt", "COPY", own+"v.vcf", "", "Destination: "+bound+"v.vcf")
	c.wantAs(412, "walt", "MOVE", own+"v.vcf", "", "Destination: "+bound+"v.vcf", "Overwrite: F")
	c.wantAs(204, "walt", "MOVE", own+"v.vcf", "", "Destination: "+bound+"v.vcf")
	c.wantAs(404, "walt", "GET", own+"v.vcf", "")
	c.wantAs(200, "rita", "GET", bound+"v.vcf", "")
	c.wantAs(403, "walt", "COPY", bound, "", "Destination: /dav/addressbooks/{me}/whole/")
	c.wantAs(403, "walt", "MOVE", bound, "", "Destination: /dav/addressbooks/{me}/whole/")
	c.wantAs(403, "walt", "COPY", own, "", "Destination: "+bound)
	c.wantAs(403, "walt", "MOVE", own, "", "Destination: "+bound+"inside/")
	// A guest who deletes it has it no more, and nobody else lacks it.
	c.wantAs(204, "walt", "DELETE", bound, "")
	c.wantAs(404, "walt", "PROPFIND", bound, "", "Depth: 0")
	c.wantAs(207, "rita", "PROPFIND", bound, "", "Depth: 0")
	c.wantAs(200, "alice", "GET", "/dav/addressbooks/{me}/default/v.vcf", "")
	c.share(t, "walt", holdfast.RightWrite)
	c.wantAs(200, "walt", "GET", bound+"v.vcf", "")
}

func TestWhoSharesIsSeenAndNobodyElse(t *testing.T) {
	c := newCircle(t)
	ask := `<D:displayname/><C:email-address-set xmlns:C="http://calendarserver.org/ns/"/><CR:addressbook-home-set xmlns:CR="urn:ietf:params:xml:ns:carddav"/><D:owner/><D:resource-id/>`
	search := `<D:principal-property-search xmlns:D="DAV:"><D:property-search><D:prop><D:displayname/></D:prop><D:match>%</D:match></D:property-search><D:prop>` + ask + `</D:prop></D:principal-property-search>`
	for who, sees := range map[string]string{"alice": "alice rita walt", "rita": "rita alice", "walt": "walt alice", "rex": "rex", "eve": "eve"} {
		for _, name := range []string{"alice", "rita", "walt", "rex", "eve", "nobody"} {
			body := strings.ReplaceAll(search, "%", name)
			r := c.wantAs(207, who, "REPORT", "/dav/principals/", body, "Depth: 0")
			if got, want := strings.Contains(r.body, name+"@example.org"), strings.Contains(sees, name); got != want {
				t.Errorf("%s searches %s: found %v\n%s", who, name, got, r.body)
			}
			if name == "nobody" {
				continue
			}
			status := 403
			if strings.Contains(sees, name) {
				status = 207
			}
			at := c.wantAs(status, who, "PROPFIND", "/dav/principals/{"+name+"}/", `<D:propfind xmlns:D="DAV:"><D:prop>`+ask+`</D:prop></D:propfind>`, "Depth: 0")
			if status == 207 && who != name {
				at.has(t, name+"@example.org", "<D:owner/>", "<CR:addressbook-home-set/>", "<D:resource-id/>")
				c.wantAs(207, who, "PROPFIND", "/dav/principals/{"+name+"}/", "", "Depth: 0").lacks(t, "addressbooks", "urn:uuid")
				c.wantAs(405, who, "PROPPATCH", "/dav/principals/{"+name+"}/", set("<X:a/>"))
			}
			c.wantAs(map[bool]int{true: 207, false: 403}[who == name], who, "PROPFIND", "/dav/principals/"+name+"@example.org/", "", "Depth: 0")
		}
	}
	expand := `<D:expand-property xmlns:D="DAV:"><D:property name="owner"><D:property name="displayname"/></D:property></D:expand-property>`
	c.wantAs(207, "rita", "REPORT", bound, expand).has(t, "<D:displayname>alice@example.org</D:displayname>")
	acl := `<D:acl-principal-prop-set xmlns:D="DAV:"><D:prop><D:displayname/></D:prop></D:acl-principal-prop-set>`
	c.wantAs(207, "alice", "REPORT", "/dav/addressbooks/{me}/default/", acl, "Depth: 0").has(t, "alice@example.org", "rita@example.org", "walt@example.org").lacks(t, "rex")
	c.wantAs(403, "walt", "REPORT", bound, acl, "Depth: 0").has(t, "<D:read-acl/>").lacks(t, "rita")
	match := `<D:principal-match xmlns:D="DAV:"><D:principal-property><D:owner/></D:principal-property></D:principal-match>`
	c.wantAs(207, "rita", "REPORT", "/dav/addressbooks/{me}/", match, "Depth: 0").has(t, "/default/").lacks(t, c.book.ID.String())
}

// An owner in doubt, or suspended, is no reason for a guest's phone to drop anything.
func TestAnOwnerInDoubtLeavesTheBindingListed(t *testing.T) {
	e := &faulty{}
	c := newCircle(t, wrapped(func(in store.Engine) store.Engine { e.Engine = in; return e }))
	token := c.token
	e.ahead = true
	c.wantAs(503, "rita", "REPORT", bound, syncBody(token, ""))
	e.ahead = false
	check := func(what string) {
		t.Helper()
		c.wantAs(207, "rita", "PROPFIND", "/dav/addressbooks/{me}/", find("D:displayname", "D:resourcetype", "D:sync-token"), "Depth: 1").
			has(t, c.path("rita", "<D:href>"+bound+"</D:href>"), "<CR:addressbook/></D:resourcetype>", "Contacts (alice@example.org)")
		for _, x := range [][3]string{{"PROPFIND", bound, ""}, {"PROPFIND", member, ""}, {"GET", member, ""}, {"GET", bound, ""}, {"REPORT", bound, syncBody("", "")}, {"PUT", member, card("x")},
			{"POST", bound + "?add-member", card("x")}, {"DELETE", member, ""}, {"DELETE", bound, ""}, {"PROPPATCH", bound, set("<X:a/>")}, {"COPY", member, ""}, {"MKCOL", bound + "x/", ""}} {
			for _, who := range []string{"rita", "walt"} {
				if r := c.as(who, x[0], x[1], x[2], "Depth: 0", "Destination: /dav/addressbooks/{me}/default/x.vcf"); r.StatusCode != 503 || r.Header.Get("Retry-After") == "" {
					t.Errorf("%s: %s: %s %s: status %d\n%s", what, who, x[0], x[1], r.StatusCode, r.body)
				}
			}
		}
		c.wantAs(207, "rita", "PROPFIND", "/dav/addressbooks/{me}/default/", "", "Depth: 0")
		c.wantAs(404, "eve", "PROPFIND", bound, "", "Depth: 0")
	}
	check("in doubt")
	c.wantAs(503, "alice", "PROPFIND", "/dav/addressbooks/{me}/default/", "", "Depth: 0")
	if err := c.core.Settle(t.Context(), c.alice.ID); err != nil {
		t.Fatal(err)
	}
	c.wantAs(207, "walt", "PROPFIND", bound, "", "Depth: 0")
	c.wantAs(503, "rita", "PROPFIND", bound, "", "Depth: 0") // her device brought the doubt
	c.wantAs(207, "rita", "PROPFIND", "/dav/addressbooks/{me}/", "", "Depth: 1").has(t, c.path("rita", "<D:href>"+bound+"</D:href>"))
	if err := c.core.Reconsider(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.wantAs(207, "rita", "PROPFIND", bound, "", "Depth: 0")
	state := func(s holdfast.AccountState) {
		if _, err := c.core.UpdateAccount(t.Context(), holdfast.Actor{}, c.alice.ID, func(r *holdfast.AccountRecord) error { r.State = s; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	state(holdfast.Suspended)
	check("suspended")
	state(holdfast.Active)
	c.wantAs(200, "rita", "GET", member, "")
}

// The token of an ended share, from a history that the store has: the collection is gone for this guest, and nobody is in doubt.
func TestTheTokenOfAnEndedShare(t *testing.T) {
	c := newCircle(t)
	c.wantAs(404, "rex", "REPORT", bound, syncBody(c.token, ""))
	c.wantAs(403, "rex", "REPORT", "/dav/addressbooks/{me}/default/", syncBody(c.token, "")).has(t, "valid-sync-token")
	if n := len(c.core.Doubts()); n != 0 {
		t.Errorf("%d accounts are in doubt", n)
	}
}

func TestNoGuestHoldsTwoSnapshots(t *testing.T) {
	e := &onesnap.Engine{Nested: func() { t.Error("a request that holds a snapshot asks for another one") }}
	c := newCircle(t, func(o *core.Options, _ *Options) {
		e.Engine, o.Engine = o.Engine, e
		o.Clock, o.Limits.DirectoryTTL = forgetful{o.Clock.(*clock.Fake)}, time.Nanosecond
	})
	const own = "/dav/addressbooks/{me}/default/"
	search := `<D:principal-property-search xmlns:D="DAV:"><D:property-search><D:prop><D:displayname/></D:prop><D:match>a</D:match></D:property-search><D:prop><D:displayname/></D:prop></D:principal-property-search>`
	expand := `<D:expand-property xmlns:D="DAV:"><D:property name="owner"><D:property name="displayname"/></D:property><D:property name="current-user-principal"><D:property name="email-address-set" namespace="http://calendarserver.org/ns/"/></D:property></D:expand-property>`
	for _, x := range []struct {
		status                int
		who, method, at, body string
		headers               []string
	}{
		{207, "walt", "PROPFIND", "/dav/addressbooks/{me}/", "", []string{"Depth: 1"}},
		{200, "walt", "GET", "/dav/addressbooks/{me}/", "", nil},
		{207, "walt", "PROPFIND", bound, "", []string{"Depth: 1", "If: <" + member + `> (Not ["x"]) <` + bound + "> (Not <{token}>)"}},
		{207, "walt", "REPORT", bound, syncBody("{token}", ""), nil},
		{207, "walt", "REPORT", bound, expand, nil},
		{207, "walt", "REPORT", "/dav/principals/", search, []string{"Depth: 0"}},
		{207, "alice", "REPORT", "/dav/principals/", search, []string{"Depth: 0"}},
		{207, "walt", "PROPFIND", "/dav/principals/{alice}/", "", []string{"Depth: 0"}},
		{207, "alice", "PROPFIND", "/dav/principals/{walt}/", "", []string{"Depth: 0"}},
		{403, "eve", "PROPFIND", "/dav/principals/{alice}/", "", []string{"Depth: 0"}},
		{201, "walt", "PUT", bound + "w.vcf", card("w"), []string{"If: <" + bound + "> (<{token}>)"}},
		{403, "rita", "PUT", bound + "r.vcf", card("r"), nil},
		{207, "walt", "PROPPATCH", bound, set("<X:a/>"), nil},
		{207, "walt", "PROPPATCH", bound + "w.vcf", set("<X:a/>"), nil},
		{204, "walt", "PUT", bound + "w.vcf", card("w") + "y", nil},
		{201, "walt", "COPY", bound + "w.vcf", "", []string{"Destination: " + own + "w.vcf"}},
		{204, "walt", "MOVE", own + "w.vcf", "", []string{"Destination: " + bound + "w.vcf"}},
		{404, "rex", "REPORT", bound, syncBody("{token}", ""), nil},
		{204, "walt", "DELETE", bound + "w.vcf", "", nil},
		{204, "walt", "DELETE", bound, "", nil},
	} {
		if r := c.as(x.who, x.method, x.at, x.body, x.headers...); r.StatusCode != x.status {
			t.Errorf("%s: %s %s: status %d, want %d\n%s", x.who, x.method, x.at, r.StatusCode, x.status, r.body)
		}
	}
	if e.Opened.Load() < 40 {
		t.Errorf("only %d snapshots were seen", e.Opened.Load())
	}
}

// A fault in what is shared is not told as an empty home, nor as a 404.
func TestFaultsOnTheWayToWhatIsShared(t *testing.T) {
	e := &faulty{}
	c := newCircle(t, wrapped(func(in store.Engine) store.Engine { e.Engine = in; return e }), func(o *core.Options, _ *Options) {
		o.Clock, o.Limits.DirectoryTTL = forgetful{o.Clock.(*clock.Fake)}, time.Nanosecond
	})
	for _, x := range [][3]string{{"PROPFIND", "/dav/addressbooks/{me}/", ""}, {"PROPFIND", bound, ""}, {"REPORT", bound, syncBody("", "")}, {"GET", member, ""}, {"PUT", member, card("octets-of-alice") + "x"},
		{"PROPFIND", "/dav/principals/{alice}/", ""}, {"PROPPATCH", bound, set("<X:a/>")}} {
		for n := 1; ; n++ {
			counted := false // the change was committed before the fault: what is counted of it behind that is no matter of the answer
			e.broken, e.commit = n, func(context.Context) { counted = e.broken > 0 }
			r := c.as("walt", x[0], x[1], x[2], "Depth: 1")
			if e.broken > 0 {
				e.broken = 0
				if r.StatusCode >= 300 {
					t.Errorf("%s %s: status %d\n%s", x[0], x[1], r.StatusCode, r.body)
				}
				break
			}
			if r.StatusCode != 503 && !(counted && r.StatusCode < 300) || n > 30 {
				t.Fatalf("%s %s, snapshot %d broken: status %d\n%s", x[0], x[1], n, r.StatusCode, r.body)
			}
		}
	}
}

// A right that ends while a request is under way, past all that looked before: the commit is refused, and the answer says what is missing.
func TestARightThatEndsDuringARequest(t *testing.T) {
	for _, x := range []struct {
		method, at, body string
		headers          []string
		cond             string
	}{
		{"PUT", bound + "new.vcf", card("x"), nil, "<D:write-content/>"}, // what is there cannot be seen any more
		{"PUT", member, card("octets-of-alice") + "x", []string{"If-Match: *"}, "<D:write-content/>"},
		{"POST", bound + "?add-member", card("x"), nil, "<D:bind/>"},
		{"DELETE", member, "", nil, "<D:unbind/>"},
		{"PROPPATCH", member, set("<X:a/>"), nil, "<D:write-properties/>"},
		{"COPY", "/dav/addressbooks/{me}/default/o.vcf", "", []string{"Destination: " + bound + "x.vcf"}, "<D:bind/>"},
		{"MOVE", "/dav/addressbooks/{me}/default/o.vcf", "", []string{"Destination: " + bound + "x.vcf"}, "<D:bind/>"},
		{"MOVE", member, "", []string{"Destination: " + bound + "x.vcf"}, "<D:bind/>"},
	} {
		e := &faulty{}
		c := newCircle(t, wrapped(func(in store.Engine) store.Engine { e.Engine = in; return e }))
		c.wantAs(201, "walt", "PUT", "/dav/addressbooks/{me}/default/o.vcf", card("own"))
		var before holdfast.Account
		e.commit = func(ctx context.Context) {
			if err := c.core.Unshare(context.Background(), holdfast.Actor{}, c.alice.ID, c.book.ID, c.people["walt"].Account); err != nil {
				t.Error(err)
			}
			before, _ = c.core.Account(context.Background(), c.alice.ID.String())
		}
		r := c.as("walt", x.method, x.at, x.body, x.headers...)
		after, err := c.core.Account(t.Context(), c.alice.ID.String())
		if r.StatusCode != 403 || !strings.Contains(r.body, "<D:need-privileges>") || !strings.Contains(r.body, x.cond) || err != nil || before.Seq == 0 || after.Seq != before.Seq {
			t.Errorf("%s %s: status %d, the owner's journal went from %d to %d: %v\n%s", x.method, x.at, r.StatusCode, before.Seq, after.Seq, err, r.body)
		}
		c.wantAs(200, "walt", "GET", "/dav/addressbooks/{me}/default/o.vcf", "")
	}
}
