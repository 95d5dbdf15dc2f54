package clients

import (
	"bufio"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// freshRun is `holdfast serve` as a new user starts it: in an empty directory, with nothing said but that the ports be free ones.
type freshRun struct {
	t     *testing.T
	dir   string
	cmd   *exec.Cmd
	lines chan string
	url   string
}

// startFresh starts the program and waits for its ready line.
func startFresh(t *testing.T, dir, listen string) *freshRun {
	t.Helper()
	f := &freshRun{t: t, dir: dir, cmd: exec.Command(program(t), "serve"), lines: make(chan string, 100)}
	f.cmd.Dir = dir
	f.cmd.Env = tool{dir: dir, env: []string{"HOLDFAST_LISTEN=" + listen, "HOLDFAST_ADMIN_LISTEN=127.0.0.1:0"}}.environment()
	out, err := f.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := f.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.kill() })
	go func() {
		for s := bufio.NewScanner(out); s.Scan(); {
			f.lines <- s.Text()
		}
		close(f.lines)
	}()
	f.url = f.said("holdfast: ready ")
	return f
}

// said waits for a line of standard output, and returns what stands behind its beginning.
func (f *freshRun) said(begin string) string {
	f.t.Helper()
	for patience := time.After(time.Minute); ; {
		select {
		case l, ok := <-f.lines:
			if rest, yes := strings.CutPrefix(l, begin); yes {
				return rest
			} else if !ok {
				f.t.Fatalf("the server ended and never said %q", begin)
			}
		case <-patience:
			f.t.Fatalf("the server does not say %q", begin)
		}
	}
}

// kill ends the program as kill -9 does. Killing it twice is no error.
func (f *freshRun) kill() {
	f.cmd.Process.Kill()
	f.cmd.Wait()
}

// run runs another command of the program in the same directory.
func (f *freshRun) run(args ...string) string {
	f.t.Helper()
	out, err := tool{dir: f.dir}.run(f.t.Context(), f.cmd.Path, args...)
	if err != nil {
		f.t.Fatalf("holdfast %s: %v\n%s", args[0], err, out)
	}
	return out
}

// newDevice sets vdirsyncer up with what the page of a new device says to type by hand.
func (f *freshRun) newDevice(b *browser, name string) *syncer {
	f.t.Helper()
	p := b.fill(b.open(f.url+"/devices/new"), map[string]string{"name": name})
	if got := p.find(f.t, `<dt>User name</dt><dd><code>([^<]+)</code>`); got != alice {
		f.t.Fatalf("the page says that the user name is %q", got)
	}
	s := &syncer{t: f.t, dir: f.t.TempDir()}
	s.Password = p.find(f.t, `<dt>App password</dt><dd><code>([^<]+)</code>`)
	s.configure(p.find(f.t, `<dt>Full address</dt><dd><code>([^<]+)</code>`))
	s.discover()
	return s
}

// TestFirstRun goes from an empty directory to two programs that sync one address book, by what the program prints and its pages say alone; then the
// server is killed, and what it acknowledged is on the other device, octet by octet.
func TestFirstRun(t *testing.T) {
	need(t, "vdirsyncer", "khard", "curl")
	f := startFresh(t, t.TempDir(), "127.0.0.1:0")
	b := newBrowser(t, "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0")
	setup := f.said("holdfast: setup ")

	p := b.fill(b.open(setup), map[string]string{"email": alice, "password": "correct horse battery", "again": "correct horse battery"})
	if p.status != http.StatusOK || !strings.Contains(p.text, "AGE-SECRET-KEY-1") {
		t.Fatalf("after the set-up: %d at %s\n%s", p.status, p.url, p.text)
	}
	if again := newBrowser(t, "").do("GET", setup, nil); again.status != http.StatusNotFound {
		t.Errorf("the set-up link works a second time: %d", again.status)
	}
	one := f.newDevice(b, "Laptop, vdirsyncer")
	f.phone(b)

	m := model{}
	m.fill(one, 0, 50)
	one.sync()
	newKhard(one).do("new", "-a", "contacts", "-i", newKhard(one).file("First name: Zoë\nLast name: Přikladová\nEmail:\n    home: zoe@example.org\n"))
	one.sync()
	f.kill()
	f = startFresh(t, f.dir, strings.TrimPrefix(f.url, "http://"))
	two := f.newDevice(b, "Workstation, vdirsyncer") // the browser is still signed in
	two.sync()
	same(t, "the other device", hashes(two.held()), hashes(one.held()))
	if n := len(two.held()); n != 51 {
		t.Errorf("%d contacts, want 51", n)
	}
	if out := newKhard(two).do("email", "--parsable", "Přikladová"); !strings.Contains(out, "zoe@example.org\tZoë Přikladová\thome") {
		t.Errorf("khard on the other device says:\n%s", out)
	}
	f.run("export", alice, "--to", "export")
	same(t, "the export", hashes(readCards(t, filepath.Join(f.dir, "export", "addressbooks", "default"))), hashes(one.held()))
	f.revoke(b, one)
	two.sync()
}

// phone opens the link of a new device as a phone does, and signs in with what the profile and the DAVx5 link hold.
func (f *freshRun) phone(b *browser) {
	f.t.Helper()
	added := b.fill(b.open(f.url+"/devices/new"), map[string]string{"name": "Phone"})
	password := added.find(f.t, `<dt>App password</dt><dd><code>([^<]+)</code>`)
	phone := newBrowser(f.t, "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1")
	p := phone.open(added.find(f.t, `href="([^"]+/d/[^"]+)"`))
	profile := phone.open(phone.resolve(p, p.find(f.t, `href="([^"]+\.mobileconfig)"`)))
	if got := profile.header.Get("Content-Type"); got != "application/x-apple-aspen-config" {
		f.t.Errorf("the profile is a %q", got)
	}
	accounts := plist(f.t, profile.text)
	if len(accounts) != 2 {
		f.t.Fatalf("the profile sets %d accounts up, want contacts and calendars: %q", len(accounts), accounts)
	}
	for i, kind := range []string{"CardDAV", "CalDAV"} {
		c := accounts[i]
		at := "http://" + c[kind+"HostName"] + ":" + c[kind+"Port"]
		if c["PayloadType"] != "com.apple."+strings.ToLower(kind)+".account" || c[kind+"Username"] != alice || c[kind+"Password"] != password || f.url != at {
			f.t.Errorf("the profile says %q", c)
		}
		f.signsIn(c[kind+"Username"], c[kind+"Password"], at+c[kind+"PrincipalURL"])
	}

	link, err := url.Parse(p.find(f.t, `href="((?:davx5|carddavs?):[^"]+)"`))
	if err != nil {
		f.t.Fatal(err)
	}
	secret, _ := link.User.Password()
	if link.Scheme != "carddav" || link.User.Username() != alice || secret != password {
		f.t.Errorf("the DAVx5 link is %s", link)
	}
	f.signsIn(link.User.Username(), secret, "http://"+link.Host+link.Path)
	if other := newBrowser(f.t, "").do("GET", p.url.String(), nil); other.status != http.StatusGone || strings.Contains(other.text, password) {
		f.t.Errorf("a second browser opens the device's link: %d", other.status)
	}
}

// signsIn asks with curl for the homes of address books and calendars, as every client does at set-up.
func (f *freshRun) signsIn(user, password, address string) {
	f.t.Helper()
	const ask = `<propfind xmlns="DAV:"><prop><current-user-principal/><C:addressbook-home-set xmlns:C="urn:ietf:params:xml:ns:carddav"/>` +
		`<K:calendar-home-set xmlns:K="urn:ietf:params:xml:ns:caldav"/></prop></propfind>`
	out, err := tool{dir: f.t.TempDir()}.run(f.t.Context(), "curl", "-sS", "-L", "-w", "\n%{http_code}", "-X", "PROPFIND", "-H", "Depth: 0", "-H", "Content-Type: application/xml",
		"-u", user+":"+password, "--data", ask, address)
	if err != nil || !strings.HasSuffix(out, "\n207") || !strings.Contains(out, "/dav/principals/") {
		f.t.Errorf("%s as %s: %v\n%s", address, user, err, out)
	}
}

// revoke revokes the first device in the list, which must be this one.
func (f *freshRun) revoke(b *browser, s *syncer) {
	f.t.Helper()
	list := b.open(f.url + "/devices")
	for _, name := range []string{"Laptop, vdirsyncer", "Workstation, vdirsyncer", "Phone"} {
		if !strings.Contains(list.text, name) {
			f.t.Errorf("the device list lacks %q", name)
		}
	}
	ask := b.open(b.resolve(list, list.find(f.t, `(?s)Laptop, vdirsyncer</h2><a class="button" href="([^"]+/revoke)"`)))
	if done := b.fill(ask, nil); done.status != http.StatusOK || !strings.Contains(done.text, "The device is revoked") {
		f.t.Fatalf("revoking: %d\n%s", done.status, done.text)
	}
	before := hashes(s.held())
	s.failing("401")
	same(f.t, "the revoked device", hashes(s.held()), before)
}

// plist returns the keys and simple values of the accounts that a profile sets up: the dictionaries inside of the first array.
func plist(t *testing.T, text string) []map[string]string {
	t.Helper()
	var out []map[string]string
	key, inside := "", false
	for d := xml.NewDecoder(strings.NewReader(text)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		switch x := token.(type) {
		case xml.StartElement:
			switch x.Name.Local {
			case "array":
				inside = true
			case "dict":
				if inside {
					out = append(out, map[string]string{})
				}
			case "key", "string", "integer":
				var v string
				if err := d.DecodeElement(&v, &x); err != nil {
					t.Fatal(err)
				}
				if x.Name.Local == "key" {
					key = v
				} else if inside {
					out[len(out)-1][key] = v
				}
			}
		case xml.EndElement:
			if x.Name.Local == "array" {
				inside = false
			}
		}
	}
}

// TestImportedOctetsReachADevice is the other way in: contacts that a program exported, taken in by a command while no server runs.
func TestImportedOctetsReachADevice(t *testing.T) {
	thorough(t)
	need(t, "vdirsyncer")
	f := &freshRun{t: t, dir: t.TempDir(), cmd: exec.Command(program(t))}
	f.run("account", "add", alice, "--no-password")
	put(t, f.dir, "all.vcf", string(card(1, 0))+string(card(2, 0))+string(card(5, 0)))
	f.run("import", alice, "all.vcf")
	secret := strings.TrimSpace(f.run("app-password", "add", alice, "--name", "Laptop"))
	s := &syncer{t: t, dir: t.TempDir(), device: device{Password: secret[strings.LastIndex(secret, "\n")+1:]}}
	f = startFresh(t, f.dir, "127.0.0.1:0")
	s.configure(f.url + "/")
	s.discover()
	s.sync()
	same(t, "the device", hashes(s.held()), model{1: card(1, 0), 2: card(2, 0), 5: card(5, 0)}.hashes())
}
