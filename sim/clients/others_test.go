package clients

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSyncEvolution lets SyncEvolution find the account's collections, reads them, and adds, changes and deletes in them.
func TestSyncEvolution(t *testing.T) {
	thorough(t)
	need(t, "syncevolution", "dbus-run-session", "vdirsyncer")
	h, m, people := newHouse(t), plans{}, model{}
	one, cards := h.newPlanner("Laptop"), h.newSyncer("Laptop, contacts")
	m.fill(one, "default", "VEVENT", 0, 20)
	m.fill(one, "tasks", "VTODO", 0, 8)
	people.fill(cards, 1, 11)
	one.sync()
	cards.sync()

	d, p := h.device("SyncEvolution"), tool{dir: t.TempDir()}
	run := func(args ...string) string {
		t.Helper()
		out, err := p.run(t.Context(), "dbus-run-session", append([]string{"--", "syncevolution", "--daemon=no", "--keyring=no"}, args...)...)
		if err != nil {
			t.Fatalf("syncevolution %v: %v\n%s", args, err, tail(out))
		}
		return out
	}
	// Items are listed as "name: title", or as a name alone, behind lines that tell what is done.
	count := func(store string) (n int) {
		t.Helper()
		for line := range strings.Lines(run("--print-items", "target-config@holdfast", store)) {
			if strings.Contains(line, "%2eics") || strings.Contains(line, "%2evcf") {
				n++
			}
		}
		return n
	}
	run("--configure", "--template", "webdav", "syncURL="+h.url()+"/", "username="+alice, "password="+d.Password, "target-config@holdfast")
	for store, want := range map[string]int{"calendar": 20 + 2, "todo": 8, "addressbook": 10} { // each of the two instances that are elsewhere is an item of its own
		if n := count(store); n != want {
			t.Errorf("syncevolution lists %d of %s, want %d", n, store, want)
		}
	}
	const event = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Example//EN\r\nBEGIN:VEVENT\r\nUID:made\r\nDTSTAMP:20260101T000000Z\r\nSUMMARY:%s\r\nDTSTART:20260310T090000Z\r\nDURATION:PT1H\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
	if err := os.Mkdir(filepath.Join(p.dir, "in"), 0o700); err != nil {
		t.Fatal(err)
	}
	put(t, p.dir, "in/made.ics", fmt.Sprintf(event, "Made in SyncEvolution"))
	run("--import", "in", "target-config@holdfast", "calendar")
	one.sync()
	find := func(text string) (name string) {
		for n, b := range one.heldIn("default") {
			if bytes.Contains(b, []byte(text)) {
				name = n
			}
		}
		return name
	}
	if find("SUMMARY:Made in SyncEvolution") == "" {
		t.Fatalf("what SyncEvolution made is not on the device, which holds %d events", len(one.heldIn("default")))
	}
	put(t, p.dir, "in/made.ics", fmt.Sprintf(event, "Edited in SyncEvolution"))
	run("--update", "in/made.ics", "target-config@holdfast", "calendar", "made%2eics")
	one.sync()
	if find("SUMMARY:Edited in SyncEvolution") == "" || find("SUMMARY:Made in SyncEvolution") != "" {
		t.Errorf("what SyncEvolution edited is not on the device")
	}
	run("--delete-items", "target-config@holdfast", "calendar", "made%2eics")
	one.sync()
	cards.sync()
	if find("UID:made") != "" {
		t.Error("what SyncEvolution deleted is on the device")
	}
	m.everywhere(t, h, one)
	people.everywhere(t, h, cards)
}

// TestCalcurse syncs a calendar with the script that comes with calcurse: it takes all events, sends one of its own, and deletes one.
func TestCalcurse(t *testing.T) {
	thorough(t)
	need(t, "calcurse", "calcurse-caldav", "vdirsyncer")
	py := python(t, "apt-get install --no-install-recommends python3-httplib2", "httplib2")
	h, m := newHouse(t), plans{}
	one := h.newPlanner("Laptop")
	for _, n := range []int{0, 1, 6, 7, 12, 13} { // calcurse knows no overrides and few zones
		m.put(one, entry{"default", "VEVENT", n}, 0)
	}
	one.sync()
	d, p := h.device("calcurse"), tool{dir: t.TempDir(), env: []string{"TZ=UTC"}}
	config, data := filepath.Join(p.dir, ".config", "calcurse", "caldav"), filepath.Join(p.dir, ".local", "share", "calcurse")
	for _, dir := range []string{config, filepath.Join(data, "caldav")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	put(t, config, "config", fmt.Sprintf("[General]\nBinary = calcurse\nHostname = %s\nPath = %s\nAuthMethod = basic\nInsecureSSL = No\nHTTPS = No\nSyncFilter = cal\nDryRun = No\nVerbose = Yes\n[Auth]\nUsername = %s\nPassword = %s\n",
		h.Addr, h.calendar("default"), alice, d.Password))
	script := func(want string, args ...string) {
		t.Helper()
		out, err := p.run(t.Context(), py, append([]string{"/usr/bin/calcurse-caldav"}, args...)...)
		if err != nil || !strings.Contains(out, want) {
			t.Fatalf("calcurse-caldav: %v, want %q\n%s", err, want, tail(out))
		}
	}
	put(t, data, "apts", "")
	script("6 items imported", "--init=keep-remote")
	apts := string(read(t, filepath.Join(data, "apts")))
	if strings.Count(apts, "VEVENT") != 6 {
		t.Errorf("calcurse holds\n%s", apts)
	}
	put(t, data, "apts", apts+"03/20/2026 @ 10:00 -> 03/20/2026 @ 11:00 |Made in calcurse\n")
	script("1 items exported")
	script("0 items exported, 0 items removed from the server")
	one.sync()
	h.sees(one.device, "20260320T100000Z", "20260320T110000Z", "VEVENT", "Made in calcurse", true)
	if n := len(one.heldIn("default")); n != 7 {
		t.Errorf("the device holds %d events, want 7", n)
	}
	put(t, data, "apts", apts)
	script("1 items removed from the server")
	one.sync()
	m.everywhere(t, h, one)
}
