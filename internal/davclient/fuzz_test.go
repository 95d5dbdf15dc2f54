package davclient

import (
	"net/url"
	"strings"
	"testing"
)

// FuzzMultistatus holds that no answer makes the reader panic, run on, or give more than it was given.
func FuzzMultistatus(f *testing.F) {
	for _, s := range []string{
		`<multistatus xmlns="DAV:"><response><href>/a/x.ics</href><propstat><prop><getetag>"1"</getetag></prop><status>HTTP/1.1 200 OK</status></propstat></response><sync-token>t</sync-token></multistatus>`,
		`<?xml version="1.0" encoding="iso-8859-1"?><D:multistatus xmlns:D="DAV:"><D:response><D:href>/%C3%BC</D:href><D:status>HTTP/1.1 404 Not Found</D:status></D:response></D:multistatus>`,
		`<multistatus xmlns="DAV:"><response><href>/a/</href><propstat><prop><resourcetype><collection/><C:calendar xmlns:C="urn:ietf:params:xml:ns:caldav"/></resourcetype></prop><status>HTTP/1.1 200</status></propstat></response>`,
		`<!DOCTYPE x><multistatus xmlns="DAV:"/>`, "", "\xef\xbb\xbf<a/>",
	} {
		f.Add([]byte(s))
	}
	base, _ := url.Parse("https://example.org/a/")
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		l := &listing{base: base, seen: map[string]bool{}}
		_, err := multistatus(&answer{url: base, status: 207, body: strings.NewReader(string(b))}, 4096, func(r *response) error {
			n++
			if u, err := base.Parse(r.href); err == nil {
				if c, _ := collectionOf(u, r); c != nil && c.URL.Host != u.Host {
					t.Errorf("%q", c.URL)
				}
			}
			return l.take(r)
		})
		if err == nil && !strings.Contains(string(b), "multistatus") {
			t.Error("something else was taken for a multistatus")
		}
		if len(l.members) > n || n > len(b) {
			t.Errorf("%d members of %d responses in %d octets", len(l.members), n, len(b))
		}
	})
}
