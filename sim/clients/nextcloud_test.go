package clients

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"

	"holdfast/internal/davclient/remote"
)

// TestAPhoneFromNextcloudChangesItsHostAlone: what a phone has of another server, user name, app password and paths, is good here after a takeover, and nothing of it before. What it reads is
// what it would have read there.
func TestAPhoneFromNextcloudChangesItsHostAlone(t *testing.T) {
	const password = "Tr7xK-qW3mZ-9bNcd-PyR4s-Hj2Ga"
	h := newHouse(t)
	there := remote.New()
	events, cards := there.Collections[0].Items, there.Collections[1].Items
	events["E1.ics"] = calendarObject("VEVENT", "e1", "")
	cards["c 1@x.vcf"] = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:c1\r\nFN:Ada\r\nN:Ada;;;;\r\nEND:VCARD\r\n"
	at := httptest.NewServer(there)
	defer at.Close()

	ask := func(want int, method, path, user, password string) string {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, h.url()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth(user, password)
		r.Header.Set("Depth", "1")
		a, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Body.Close()
		body, err := io.ReadAll(a.Body)
		if err != nil || a.StatusCode != want {
			t.Fatalf("%s %s as %s: %s, %v; want %d", method, path, user, a.Status, err, want)
		}
		return string(body)
	}
	calendar, book := "/remote.php/dav/calendars/alice/personal/", "/remote.php/dav/addressbooks/users/alice/contacts/"
	ask(401, "PROPFIND", calendar, remote.User, password)
	if x, code := h.takeOver(t.Context(), &other{url: at.URL, user: remote.User, password: remote.Password}); code != 0 || !x.Equal || x.Accepted != 2 {
		t.Fatalf("%+v, %d", x, code)
	}
	ask(401, "PROPFIND", calendar, remote.User, password)
	c := exec.CommandContext(t.Context(), h.Bin, "app-password", "add", alice, "--name", "Phone", "--password-stdin", "--data", h.Data)
	c.Stdin = strings.NewReader(password)
	if out, err := c.CombinedOutput(); err != nil || strings.Contains(string(out), password) {
		t.Fatalf("%v: %s", err, out)
	}
	for path, member := range map[string]string{calendar: "E1.ics", book: "c%201@x.vcf"} {
		if list := ask(207, "PROPFIND", path, remote.User, password); !strings.Contains(list, "<D:href>"+path+member+"</D:href>") {
			t.Errorf("%s%s is not listed as the phone knows it:\n%s", path, member, list)
		}
		want := events["E1.ics"] + cards["c 1@x.vcf"]
		if got := ask(200, "GET", path+member, remote.User, password); got == "" || !strings.Contains(want, got) {
			t.Errorf("%s%s: %q", path, member, got)
		}
	}
	ask(401, "PROPFIND", calendar, remote.User, strings.ToLower(password))
	ask(401, "PROPFIND", calendar, "bob", password)
	if strings.Contains(h.LogTail(), password) {
		t.Error("the app password stands in the log")
	}
}
