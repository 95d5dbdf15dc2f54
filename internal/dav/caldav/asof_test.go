package caldav_test

import (
	"fmt"
	"strings"
	"testing"

	"holdfast/internal/dav/davtest"
)

// TestStuckChangesAreNotShown: while changes are stuck on their way to a vault, every kind of request is answered as before them. When the vault is back they are shown, and tokens of the time between tell of
// them.
func TestStuckChangesAreNotShown(t *testing.T) {
	s := newServer(t)
	for i, uid := range []string{"moved", "deleted", "kept"} {
		s.put(s.events+uid+".ics", event(uid, fmt.Sprintf("DTSTART:2026030%dT120000Z", i+1), "DURATION:PT1H", "SUMMARY:before"))
	}
	syncing := func(token string) string {
		return `<sync-collection ` + space + `><sync-token>` + token + `</sync-token><sync-level>1</sync-level><prop><getetag/><C:calendar-data/></prop></sync-collection>`
	}
	tokenOf := func(body string) string {
		_, token, _ := strings.Cut(body, "sync-token>")
		token, _, _ = strings.Cut(token, "<")
		return token
	}
	first := tokenOf(s.Want(207, "REPORT", s.events, syncing("")).Body)
	march, april := during("VEVENT", "20260301T000000Z", "20260401T000000Z"), during("VEVENT", "20260401T000000Z", "20260501T000000Z")
	state := `<propfind ` + space + `><prop><CS:getctag/><sync-token/><displayname/><quota-used-bytes/></prop></propfind>`
	requests := []struct {
		what, method, at, body, depth string
	}{
		{"GET of what is moved", "GET", s.events + "moved.ics", "", "0"},
		{"GET of what is deleted", "GET", s.events + "deleted.ics", "", "0"},
		{"GET of what is new", "GET", s.events + "new.ics", "", "0"},
		{"HEAD", "HEAD", s.events + "moved.ics", "", "0"},
		{"PROPFIND of the calendar", "PROPFIND", s.events, state, "0"},
		{"PROPFIND of its members", "PROPFIND", s.events, `<propfind ` + space + `><prop><getetag/><getlastmodified/><getcontentlength/></prop></propfind>`, "1"},
		{"PROPFIND of the home", "PROPFIND", s.home, state, "1"},
		{"sync-collection from the start", "REPORT", s.events, syncing(""), "0"},
		{"sync-collection from a token", "REPORT", s.events, syncing(first), "0"},
		{"multiget", "REPORT", s.events, multiget(plain, s.events+"moved.ics", s.events+"deleted.ics", s.events+"new.ics"), "0"},
		{"a query of March", "REPORT", s.events, query(plain, march), "1"},
		{"a query of April", "REPORT", s.events, query(plain, april), "1"},
		{"a query of all", "REPORT", s.events, query(plain, within("VEVENT", "")), "1"},
	}
	answers := func() (out []string) {
		for _, r := range requests {
			a := s.Do(r.method, r.at, r.body, "Depth: "+r.depth)
			if a.Code == 404 {
				a.Body = "" // engines say it in their own words
			}
			out = append(out, fmt.Sprint(a.Code, " ", a.Header.Get("ETag"), " ", a.Header.Get("Last-Modified"), "\n", a.Body))
		}
		return out
	}
	before := answers()

	s.Clock.Advance(1e9)
	s.Vault.Down(true)
	april1 := event("moved", "DTSTART:20260401T120000Z", "DURATION:PT1H", "SUMMARY:after, and longer")
	stuck := func(method, at, body string, headers ...string) davtest.Answer {
		t.Helper()
		return s.Want(503, method, at, body, headers...)
	}
	stuck("PUT", s.events+"moved.ics", april1, "Content-Type: text/calendar")
	stuck("PUT", s.events+"new.ics", event("new", "DTSTART:20260310T120000Z", "DURATION:PT1H"), "Content-Type: text/calendar")
	stuck("MKCALENDAR", s.home+"more/", "")
	for i, now := range answers() {
		if now != before[i] {
			t.Errorf("%s, while changes are stuck:\n%s\nbefore them:\n%s", requests[i].what, now, before[i])
		}
	}
	between := tokenOf(s.Want(207, "REPORT", s.events, syncing(first)).Body)

	s.Vault.Down(false)
	s.put(s.events+"moved.ics", april1) // the retry
	s.Want(204, "DELETE", s.events+"deleted.ics", "")
	for i, now := range answers() {
		if now == before[i] {
			t.Errorf("%s, when the vault is back, is answered as before:\n%s", requests[i].what, now)
		}
	}
	for _, token := range []string{first, between} {
		if got := names(s.Parse(s.Want(207, "REPORT", s.events, syncing(token)).Body)); got != "!404 deleted moved new" {
			t.Errorf("a token of before tells of %q", got)
		}
	}
	if got := names(s.Report(s.events, query(plain, april), "Depth: 1")); got != "moved" {
		t.Errorf("in April there is %q", got)
	}
	if n := len(s.Core.Doubts()); n != 0 {
		t.Errorf("%d accounts are in doubt", n)
	}
}
