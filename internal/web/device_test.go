package web

import (
	"encoding/xml"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"rsc.io/qr"

	"holdfast"
	"holdfast/internal/core"
)

var update = flag.Bool("update", false, "write golden files anew")

func TestDeviceLink(t *testing.T) {
	h := newHouse(t, nil)
	h.account()
	owner := h.browser().signIn()
	id, link, app := owner.addDevice("Alice's \"phone\" <3")
	phone, thief := h.browser(), h.browser()
	phone.header.Set("User-Agent", "Mozilla/5.0 (Linux; Android 15; Pixel 8)")

	for _, ahead := range []http.Header{{"Sec-Purpose": {"prefetch"}}, {"Purpose": {"prefetch"}}} {
		b := h.browser()
		b.header = ahead
		if a := b.get(link); a.StatusCode != 204 {
			t.Errorf("a prefetch got %d", a.StatusCode)
		}
	}
	if a := thief.do(http.MethodHead, link, nil); a.StatusCode != 204 {
		t.Errorf("HEAD got %d", a.StatusCode)
	}

	a := phone.get(link)
	a.want(t, 200, app, alice, link+"/holdfast.mobileconfig", "Set up Alice&#39;s &#34;phone&#34; &lt;3")
	if a.Header.Get("Referrer-Policy") != "no-referrer" {
		t.Error("the link could leak by Referer")
	}
	if strings.Index(a.text, "h-android") > strings.Index(a.text, "h-apple") {
		t.Error("on an Android phone its way must stand first")
	}
	for _, path := range []string{link, link + "/holdfast.mobileconfig"} {
		thief.get(path).want(t, 410, "Another browser has opened this link before", "revoke this device now")
		if a := thief.get(path); strings.Contains(a.text, app) {
			t.Error("a second browser sees the app password")
		}
	}
	phone.get(link).want(t, 200, app)
	owner.get("/devices/"+id+"/added").want(t, 200, "The link was opened on a device", app)
	h.browser().get("/devices/"+id+"/added").want(t, 200, "Sign in")

	profile := phone.get(link + "/holdfast.mobileconfig")
	if profile.Header.Get("Content-Type") != profileType || profile.Header.Get("Cache-Control") != "no-store" || !strings.Contains(profile.text, app) {
		t.Errorf("profile: %v", profile.Header)
	}

	h.clock.Advance(10 * time.Minute)
	phone.get(link).want(t, 404, "works for ten minutes")
	owner.get("/devices/"+id+"/added").want(t, 404, "not shown again")
	if len(h.web.links.list) != 0 {
		t.Error("an expired app password stays in memory")
	}
}

// TestAppPasswordWorks: what the page shows signs a device in; after revoking it does not.
func TestAppPasswordWorks(t *testing.T) {
	h := newHouse(t, nil)
	account := h.account()
	b := h.browser().signIn()
	id, link, app := b.addDevice("Laptop")
	r, _ := http.NewRequest("PROPFIND", "http://example.org/dav/", nil)
	r.SetBasicAuth(alice, app)
	p, err := h.auth.Basic(r)
	if err != nil || p.Account != account || p.Device.String() != id {
		t.Fatalf("%v %v", p, err)
	}
	b.get("/devices").want(t, 200, "Laptop", "21 Nov 2026 04:00 UTC (just now)", "never synced")
	b.get("/devices/"+id+"/revoke").want(t, 200, "Revoke “Laptop”?", "cannot come back", "Nothing is deleted")
	a := b.post("/devices/" + id + "/revoke")
	a.want(t, 200, "The device is revoked", "There is none yet")
	if _, err := h.auth.Basic(r); !holdfast.IsKind(err, holdfast.Unauthorized) {
		t.Errorf("a revoked device signs in: %v", err)
	}
	h.browser().get(link).want(t, 404)
	b.post("/devices/"+id+"/revoke").want(t, 404, "may have been revoked already")
}

// TestOthersDevices: nobody sees or revokes another account's device.
func TestOthersDevices(t *testing.T) {
	h := newHouse(t, nil)
	h.account()
	hash, err := h.auth.HashPassword(t.Context(), "", password)
	must(t, err)
	_, _, err = h.core.CreateAccount(t.Context(), holdfast.Actor{}, "bob@example.org", hash)
	must(t, err)
	id, _, _ := h.browser().signIn().addDevice("Alice's phone")
	bob := h.browser()
	bob.post("/signin", "email", "bob@example.org", "password", password).want(t, 200)
	bob.get("/devices/"+id+"/added").want(t, 404)
	bob.get("/devices/"+id+"/revoke").want(t, 404)
	bob.post("/devices/"+id+"/revoke").want(t, 404)
	if a := bob.get("/devices"); strings.Contains(a.text, "Alice") {
		t.Error("Bob sees Alice's device")
	}
	h.browser().signIn().get("/devices").want(t, 200, "Alice&#39;s phone")
}

func TestSeenInWords(t *testing.T) {
	c := holdfast.Collection{ID: holdfast.ID{1}, Epoch: 2, Seq: 40}
	c.Name = "default"
	saw := func(epoch, seq uint64, full bool) *core.Device {
		return &core.Device{Seen: []holdfast.Sighting{{Collection: holdfast.ID{9}, Seq: 99}, {Collection: c.ID, Epoch: epoch, Seq: seq, Full: full, At: start}}}
	}
	for _, x := range []struct {
		d                 *core.Device
		text, tail, level string
		own               time.Time
	}{
		{&core.Device{}, "never synced", "", "", time.Time{}},
		{saw(2, 40, false), "up to date,", "", "ok", time.Time{}},
		{saw(1, 40, false), "up to date,", "", "ok", time.Time{}},
		{saw(2, 40, true), "up to date,", ", when it was given the full list", "ok", time.Time{}},
		{saw(2, 39, false), "behind: last synced", "; newer changes wait for it", "", time.Time{}},
		{saw(2, 39, true), "behind: last synced", "; newer changes wait for it", "", time.Time{}},
		{saw(2, 41, false), "last synced", "; it has seen changes that this server does not have", "caution", time.Time{}},
		{saw(2, 39, false), "up to date,", "", "ok", start.Add(time.Minute)},
	} {
		if got := seen(&c, x.d, x.own); got.Text != x.text || got.Tail != x.tail || got.Level != x.level || got.Collection != "default" {
			t.Errorf("%+v: %+v", x.d.Seen, got)
		}
	}
	c.Properties = holdfast.Properties{}.With("DAV:", "displayname", []byte(`<x:displayname xmlns:x="DAV:">Friends &amp; co</x:displayname>`))
	if got := seen(&c, &core.Device{}, time.Time{}).Collection; got != "Friends & co" {
		t.Errorf("label %q", got)
	}
}

func TestDAVx5Link(t *testing.T) {
	for base, want := range map[string]string{
		"https://dav.example.org":      "davx5://a%20b%2Bc%40example.org:ab-cd@dav.example.org/dav/",
		"https://dav.example.org:8443": "davx5://a%20b%2Bc%40example.org:ab-cd@dav.example.org:8443/dav/",
		"http://[2001:db8::1]:8420":    "carddav://a%20b%2Bc%40example.org:ab-cd@[2001:db8::1]:8420/dav/",
	} {
		s, err := parseServer(base)
		must(t, err)
		got := s.davxLink("a b+c@example.org", "ab-cd")
		u, err := url.Parse(got)
		if got != want || err != nil || u.User.Username() != "a b+c@example.org" {
			t.Errorf("%s: %s %v", base, got, err)
		}
	}
}

// TestProfile compares with a golden file, and reads the profile back as a property list.
func TestProfile(t *testing.T) {
	id := holdfast.ID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
	s, err := parseServer("https://dav.example.org:8443")
	must(t, err)
	const login = "o'hara&<söns>@example.org" // no login may look so; a profile must stand it all the same
	got := s.profile(id, login, "abcd-efgh")
	golden := filepath.Join("testdata", "profile.mobileconfig")
	if *update {
		must(t, os.WriteFile(golden, got, 0o644))
	}
	want, err := os.ReadFile(golden)
	must(t, err)
	if string(got) != string(want) {
		t.Errorf("the profile differs from %s:\n%s", golden, got)
	}
	if again := s.profile(id, login, "abcd-efgh"); string(again) != string(got) {
		t.Error("two profiles differ")
	}
	root := readPlist(t, got).(map[string]any)
	payload := root["PayloadContent"].([]any)[0].(map[string]any)
	for key, want := range map[string]any{"PayloadType": "com.apple.carddav.account", "CardDAVHostName": "dav.example.org", "CardDAVPort": 8443, "CardDAVUseSSL": true,
		"CardDAVUsername": login, "CardDAVPassword": "abcd-efgh", "CardDAVPrincipalURL": "/dav/principals/" + id.String() + "/", "PayloadVersion": 1} {
		if payload[key] != want {
			t.Errorf("%s is %v, want %v", key, payload[key], want)
		}
	}
	calendars := root["PayloadContent"].([]any)[1].(map[string]any)
	for key, want := range map[string]any{"PayloadType": "com.apple.caldav.account", "CalDAVHostName": "dav.example.org", "CalDAVPort": 8443, "CalDAVUseSSL": true,
		"CalDAVUsername": login, "CalDAVPassword": "abcd-efgh", "CalDAVPrincipalURL": "/dav/principals/" + id.String() + "/", "PayloadVersion": 1} {
		if calendars[key] != want {
			t.Errorf("%s is %v, want %v", key, calendars[key], want)
		}
	}
	if calendars["PayloadUUID"] == payload["PayloadUUID"] || calendars["PayloadIdentifier"] == payload["PayloadIdentifier"] {
		t.Error("contacts and calendars share an identifier")
	}
	if root["PayloadType"] != "Configuration" || root["PayloadUUID"] == payload["PayloadUUID"] || root["PayloadIdentifier"] == payload["PayloadIdentifier"] {
		t.Errorf("root %v", root)
	}
	other, _ := parseServer("https://other.example.org")
	if x := readPlist(t, other.profile(id, login, "x")).(map[string]any); x["PayloadUUID"] == root["PayloadUUID"] {
		t.Error("two servers share a profile's UUID")
	}
	if x := readPlist(t, s.profile(id, login, "another")).(map[string]any); x["PayloadUUID"] != root["PayloadUUID"] || x["PayloadIdentifier"] != root["PayloadIdentifier"] {
		t.Error("a second install does not replace the first")
	}
	plain, _ := parseServer("http://localhost")
	p := readPlist(t, plain.profile(id, login, "x")).(map[string]any)["PayloadContent"].([]any)[0].(map[string]any)
	if p["CardDAVUseSSL"] != false || p["CardDAVPort"] != 80 {
		t.Errorf("plain HTTP: %v", p)
	}
}

// TestUUID5 checks the making against the example of RFC 9562, appendix A.4, whose namespace is that of DNS names.
func TestUUID5(t *testing.T) {
	old := space
	defer func() { space = old }()
	space = [16]byte{0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8}
	if got := uuid5("www.example.com"); got != "2ED6657D-E927-568B-95E1-2665A8AEA6A2" {
		t.Errorf("got %s", got)
	}
}

// readPlist reads a property list, strictly.
func readPlist(t *testing.T, b []byte) any {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(string(b)))
	for {
		token, err := d.Token()
		must(t, err)
		if e, ok := token.(xml.StartElement); ok && e.Name.Local != "plist" {
			return plistValue(t, d, e)
		}
	}
}

func plistValue(t *testing.T, d *xml.Decoder, e xml.StartElement) any {
	t.Helper()
	var list []any
	text, key, values := "", "", map[string]any{}
	for {
		token, err := d.Token()
		must(t, err)
		switch x := token.(type) {
		case xml.CharData:
			text += string(x)
		case xml.StartElement:
			v := plistValue(t, d, x)
			switch {
			case e.Name.Local == "array":
				list = append(list, v)
			case x.Name.Local == "key":
				key = v.(string)
			default:
				values[key] = v
			}
		case xml.EndElement:
			switch e.Name.Local {
			case "dict":
				return values
			case "array":
				return list
			case "true", "false":
				return e.Name.Local == "true"
			case "integer":
				var n int
				_, err := fmt.Sscan(text, &n)
				must(t, err)
				return n
			case "string", "key":
				return text
			}
			t.Fatalf("a property list has no %s", e.Name.Local)
		}
	}
}

func TestLinksAreBounded(t *testing.T) {
	l := newLinks(func() time.Time { return start }, nil, time.Minute)
	first := l.add(link{account: holdfast.ID{1}, device: holdfast.ID{1}})
	for i := range 50 {
		l.add(link{account: holdfast.ID{1}, device: holdfast.ID{2, byte(i)}})
	}
	if len(l.list) != maxLinksForAccount {
		t.Errorf("one account has %d links", len(l.list))
	}
	if _, found, _ := l.claim(first.token, ""); found {
		t.Error("the oldest link was not the one that went")
	}
	if _, ok := l.of(holdfast.ID{1}, holdfast.ID{2, 49}); !ok {
		t.Error("the newest link is gone")
	}
	for i := range 2 * maxLinks {
		l.add(link{account: holdfast.NewID(nil), device: holdfast.ID{3, byte(i), byte(i >> 8)}})
	}
	if len(l.list) > maxLinks {
		t.Errorf("%d links", len(l.list))
	}
}

func TestQRCode(t *testing.T) {
	code, err := qrCode("https://dav.example.org/d/abcdefghijklmnopqrstuvwxyz")
	must(t, err)
	want, err := qr.Encode("https://dav.example.org/d/abcdefghijklmnopqrstuvwxyz", qr.M)
	must(t, err)
	drawn := map[[2]int]bool{}
	for _, m := range regexp.MustCompile(`M(\d+) (\d+)h(\d+)v1h-(\d+)z`).FindAllStringSubmatch(string(code), -1) {
		x, _ := strconv.Atoi(m[1])
		y, _ := strconv.Atoi(m[2])
		n, _ := strconv.Atoi(m[3])
		for i := range n {
			drawn[[2]int{x + i, y}] = true
		}
		if m[3] != m[4] {
			t.Errorf("a run of %s goes back by %s", m[3], m[4])
		}
	}
	for y := range want.Size + 2*quiet {
		for x := range want.Size + 2*quiet {
			if drawn[[2]int{x, y}] != want.Black(x-quiet, y-quiet) {
				t.Errorf("the module %d,%d is wrong", x, y)
			}
		}
	}
	if !strings.Contains(string(code), fmt.Sprintf(`viewBox="0 0 %d %[1]d"`, want.Size+2*quiet)) {
		t.Errorf("%s", code)
	}
	if _, err := qrCode(strings.Repeat("x", 5000)); err == nil {
		t.Error("a text that does not fit must be an error")
	}
}

// TestOwnUploads holds that what a device itself sent does not wait for it, and what others sent does.
func TestOwnUploads(t *testing.T) {
	h := newHouse(t, nil)
	account := h.account()
	b := h.browser().signIn()
	phone, _, _ := b.addDevice("Phone")
	laptop, _, _ := b.addDevice("Laptop")
	b.post("/devices/new", "name", " phone ").want(t, 409, "a device of this name already")
	device := func(id string) holdfast.Principal {
		d, err := holdfast.ParseID(id)
		must(t, err)
		return holdfast.Principal{Account: account, Device: d}
	}
	at, err := h.core.Locate(t.Context(), device(phone), account, []string{"addressbooks", "default"})
	must(t, err)
	listed := func(id string) {
		must(t, h.core.Read(t.Context(), device(id), account, func(rd *core.Reader) error {
			c, err := rd.Collection(at.Collection.ID)
			rd.SawListing(&c)
			return err
		}))
	}
	put := func(id, name string) {
		_, _, err := h.core.Put(t.Context(), device(id), core.PutRequest{Place: core.Place{Owner: account, Collection: at.Collection.ID, Name: name}, Body: []byte(name)})
		must(t, err)
	}
	listed(phone)
	put(phone, "a.vcf")
	h.clock.Advance(time.Minute)
	put(phone, "b.vcf")
	b.get("/devices/"+phone+"/revoke").want(t, 200)
	a := b.get("/devices")
	a.want(t, 200, "up to date,", "never synced")
	if strings.Contains(a.text, "behind") {
		t.Error("the phone waits for its own change")
	}
	put(laptop, "c.vcf")
	b.get("/devices").want(t, 200, "behind: last synced")
}

// TestCalendarsOfADevice: the calendars that a device syncs are told one by one; where it syncs none, one line says so. The overview counts what they hold.
func TestCalendarsOfADevice(t *testing.T) {
	h := newHouse(t, nil)
	account := h.account()
	b := h.browser().signIn()
	phone, _, _ := b.addDevice("Phone")
	b.get("/devices").want(t, 200, "<dt>Contacts</dt>", "<dt>Calendars</dt><dd>never synced")
	id, err := holdfast.ParseID(phone)
	must(t, err)
	p := holdfast.Principal{Account: account, Device: id}
	at, err := h.core.Locate(t.Context(), p, account, []string{"calendars", "tasks"})
	must(t, err)
	must(t, h.core.Read(t.Context(), p, account, func(rd *core.Reader) error {
		c, err := rd.Collection(at.Collection.ID)
		rd.SawListing(&c)
		return err
	}))
	a := b.get("/devices")
	a.want(t, 200, "<dt>Tasks</dt>", "up to date,")
	if strings.Contains(a.text, "<dt>Calendars</dt>") || strings.Contains(a.text, "<dt>Notes</dt>") {
		t.Errorf("too much is told: %s", a.text)
	}
	b.get("/").want(t, 200, "Calendars, tasks, notes", "0 events", "0 to-dos", "0 notes")
}

// TestWordsFitTheAddress: on the machine itself nobody is told of a QR code that does not come, or of a network that nothing crosses.
func TestWordsFitTheAddress(t *testing.T) {
	h := newHouse(t, nil)
	h.account()
	b := h.browser().signIn()
	if a := b.get("/devices/new"); !strings.Contains(a.text, "The next page shows the app password") || strings.Contains(a.text, "QR code") {
		t.Errorf("/devices/new on this machine:\n%s", a.text)
	}
	const warning = "Whoever is on the same network"
	_, link, _ := b.addDevice("Laptop")
	if a := b.get(link); strings.Contains(a.text, warning) {
		t.Errorf("%s on this machine warns of the network:\n%s", link, a.text)
	}
	_, link, _ = b.addDevice("Phone")
	w := httptest.NewRecorder()
	h.http.Config.Handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://cloud.example.org"+link, nil))
	if w.Code != 200 || !strings.Contains(w.Body.String(), warning) {
		t.Errorf("%s from elsewhere: %d\n%s", link, w.Code, w.Body)
	}
}
