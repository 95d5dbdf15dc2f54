package pages

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/sim/server"
)

const (
	email    = "alice@example.org"
	password = "correct horse battery staple"
)

// kept is where the pictures go.
const kept = "../../bin/screenshots"

// phone is a device of the account, with the words that it signs in with.
type phone struct{ ID, Password string }

// do sends a request as the device does.
func (p *phone) do(t *testing.T, method, address, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	must(t, err)
	r.SetBasicAuth(email, p.Password)
	r.Header.Set("Content-Type", "text/vcard")
	w, err := http.DefaultClient.Do(r)
	must(t, err)
	w.Body.Close()
	if w.StatusCode >= 300 {
		t.Fatalf("%s %s: %s", method, address, w.Status)
	}
}

// serve starts the real program with an account that has something: contacts, and a device.
func serve(t *testing.T) (*server.Server, *phone) {
	t.Helper()
	dir, phone := t.TempDir(), &phone{}
	bin, err := server.Build(t.Context(), dir)
	must(t, err)
	s, err := server.Start(t.Context(), server.Options{Bin: bin, Data: filepath.Join(dir, "data"), Env: map[string]string{"HOLDFAST_DRILL_FIRST": "1000h"}})
	must(t, err)
	t.Cleanup(func() { _ = s.Stop() })
	add := exec.Command(bin, "account", "add", email, "--password-stdin", "--data", s.Data)
	add.Stdin = strings.NewReader(password)
	if out, err := add.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out, err := exec.Command(bin, "app-password", "add", email, "--name", "Pixel 8", "--json", "--data", s.Data).Output()
	must(t, err)
	must(t, json.Unmarshal(out, &phone))
	cards := ""
	for i := range 12 {
		cards += fmt.Sprintf("BEGIN:VCARD\r\nVERSION:4.0\r\nUID:c%d\r\nFN:Contact %d\r\nEND:VCARD\r\n", i, i)
	}
	file := filepath.Join(dir, "cards.vcf")
	must(t, os.WriteFile(file, []byte(cards), 0o600))
	run(t, s, "import", email, file)
	return s, phone
}

func run(t *testing.T, s *server.Server, args ...string) {
	t.Helper()
	out, err := exec.Command(s.Bin, append(args, "--data", s.Data)...).CombinedOutput()
	if err != nil {
		t.Fatalf("holdfast %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// signIn gives the browser the cookie of a session.
func signIn(t *testing.T, b *browser, base string) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	must(t, err)
	resp, err := (&http.Client{Jar: jar}).PostForm(base+"/signin", url.Values{"email": {email}, "password": {password}})
	must(t, err)
	resp.Body.Close()
	u, err := url.Parse(base)
	must(t, err)
	if len(jar.Cookies(u)) == 0 {
		t.Fatalf("nobody is signed in: %s", resp.Status)
	}
	for _, c := range jar.Cookies(u) {
		b.call("Network.setCookie", map[string]any{"name": c.Name, "value": c.Value, "url": base, "httpOnly": true}, nil)
	}
}

// TestPages looks at the pages as a phone and as a desk shows them, light and dark: axe-core finds nothing, nothing is wider than the screen, and a picture of each is kept.
func TestPages(t *testing.T) {
	axe, err := os.ReadFile("axe/node_modules/axe-core/axe.min.js")
	if err != nil {
		passOver(t, "axe-core is not installed (npm ci in sim/pages/axe): no page was judged")
	}
	b := open(t)
	s, phone := serve(t)
	base := "http://" + s.Addr
	must(t, os.MkdirAll(kept, 0o755))
	where, err := filepath.Abs(kept)
	must(t, err)
	t.Logf("pictures are kept in %s", where)
	shoot := func(name, path string) {
		t.Helper()
		for _, width := range []int{390, 1280} {
			for _, scheme := range []string{"light", "dark"} {
				b.look(base+path, width, scheme)
				keep(t, b, width, fmt.Sprintf("%s-%d-%s", name, width, scheme), string(axe))
			}
		}
	}
	shoot("signin", "/signin")
	signIn(t, b, base)
	shoot("safety-unproved", "/safety")
	run(t, s, "drill", "run")
	shoot("safety", "/safety")
	shoot("overview", "/")
	shoot("devices", "/devices")
	book := base + "/dav/addressbooks/" + email + "/default/"
	for i := range 26 {
		phone.do(t, "PUT", fmt.Sprint(book, "p", i, ".vcf"), fmt.Sprintf("BEGIN:VCARD\r\nVERSION:4.0\r\nUID:p%d\r\nFN:Person %d with a name of some length\r\nEND:VCARD\r\n", i, i))
	}
	phone.do(t, "PUT", book+"p0.vcf", "BEGIN:VCARD\r\nVERSION:4.0\r\nUID:p0\r\nFN:Another name\r\nEND:VCARD\r\n")
	for i := range 24 {
		phone.do(t, "DELETE", fmt.Sprint(book, "p", i, ".vcf"), "")
	}
	shoot("activity", "/activity")
	if got := b.eval("document.querySelector('button.primary').innerText"); got != `"Undo all of it: 25 changes"` {
		t.Errorf("the first button says %s", got)
	}
	press(t, b, "Undo all of it")
	shown(t, b, "undone", string(axe))
	press(t, b, "Undo that")
	if got := b.eval("document.querySelector('main').innerText.includes('gone again')"); got != "true" {
		t.Errorf("the undo of the undo says %s", b.eval("document.querySelector('main').innerText"))
	}
	shoot("activity-after", "/activity")
}

// TestPagesOfWhoWaits looks at what an owner reads while a phone waits, and while the whole account does.
func TestPagesOfWhoWaits(t *testing.T) {
	axe, err := os.ReadFile("axe/node_modules/axe-core/axe.min.js")
	if err != nil {
		passOver(t, "axe-core is not installed (npm ci in sim/pages/axe): no page was judged")
	}
	b := open(t)
	s, phone := serve(t)
	must(t, os.MkdirAll(kept, 0o755))
	var account struct{ ID string }
	out, err := exec.Command(s.Bin, "account", "show", email, "--json", "--data", s.Data).Output()
	must(t, err)
	must(t, json.Unmarshal(out, &account))
	for _, x := range []struct {
		name, since string
		status      int
	}{{"device-waits", "", 200}, {"account-waits", `"since": "2026-09-09T01:46:40Z", `, 503}} {
		must(t, s.Stop())
		doubts := fmt.Sprintf(`{"format": 2, "doubts": [{"account": %q, %s"device": %q, "collection": "aaaaaaaaaaaaaaaaaaaaaaaaaa", "seq": "120", "head": "90", "evidence": [{"device": %[3]q, "collection": "aaaaaaaaaaaaaaaaaaaaaaaaaa", "seq": "120", "head": "90", "since": "2026-09-09T01:46:40Z"}]}]}`,
			account.ID, x.since, phone.ID)
		must(t, os.WriteFile(filepath.Join(s.Data, "doubts.json"), []byte(doubts), 0o600))
		s, err = server.Start(t.Context(), s.Options)
		must(t, err)
		t.Cleanup(func() { _ = s.Stop() })
		base := "http://" + s.Addr
		signIn(t, b, base)
		for name, path := range map[string]string{"overview": "/", "safety": "/safety"} {
			for _, width := range []int{390, 1280} {
				for _, scheme := range []string{"light", "dark"} {
					b.look(base+path, width, scheme)
					keep(t, b, width, fmt.Sprintf("%s-%s-%d-%s", x.name, name, width, scheme), string(axe))
				}
			}
			if got := b.eval("document.querySelector('main').innerText.includes('Pixel 8') && document.querySelector('main').innerText.includes('overdue')"); got != "true" {
				t.Errorf("%s at %s says %s", x.name, path, b.eval("document.querySelector('main').innerText"))
			}
		}
	}
}

// press presses the first button that says something, and waits for the page that follows.
func press(t *testing.T, b *browser, label string) {
	t.Helper()
	b.eval(fmt.Sprintf("window.before = true, [...document.querySelectorAll('button')].find(x => x.innerText.startsWith(%q)).click()", label))
	for until := time.Now().Add(patience); b.eval("document.readyState === 'complete' && !window.before") != "true"; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("nothing follows %q", label)
		}
	}
}

// shown keeps pictures of the page that is shown, and has it judged.
func shown(t *testing.T, b *browser, name, axe string) {
	t.Helper()
	for _, width := range []int{390, 1280} {
		for _, scheme := range []string{"light", "dark"} {
			b.size(width, scheme)
			keep(t, b, width, fmt.Sprintf("%s-%d-%s", name, width, scheme), axe)
		}
	}
}

// keep keeps a picture of what is shown, and judges it.
func keep(t *testing.T, b *browser, width int, as, axe string) {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(kept, as+".png"), b.picture(), 0o644))
	if got := b.eval("document.documentElement.scrollWidth"); got != fmt.Sprint(width) {
		t.Errorf("%s is %s pixels wide", as, got)
	}
	judge(t, b, as, axe)
}

// judge has axe-core judge the page that is shown.
func judge(t *testing.T, b *browser, as, axe string) {
	t.Helper()
	b.eval(axe + "\n;0")
	var found []struct {
		ID, Help string
		Nodes    []struct{ HTML, FailureSummary string }
	}
	must(t, json.Unmarshal([]byte(b.eval("axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.map(v => ({ID: v.id, Help: v.help, Nodes: v.nodes.map(n => ({HTML: n.html, FailureSummary: n.failureSummary}))})))")), &found))
	for _, v := range found {
		for _, n := range v.Nodes {
			t.Errorf("%s: %s (%s): %.200s: %s", as, v.Help, v.ID, n.HTML, n.FailureSummary)
		}
	}
}

// TestAxeFindsWhatIsWrong is the control: a page with a picture that has no words, and a text that nobody can read.
func TestAxeFindsWhatIsWrong(t *testing.T) {
	axe, err := os.ReadFile("axe/node_modules/axe-core/axe.min.js")
	if err != nil {
		passOver(t, "axe-core is not installed (npm ci in sim/pages/axe): it was not seen to find anything")
	}
	b := open(t)
	b.look("data:text/html,<html><body><img src='x'><p style='color:%23eee;background:white'>pale</p></body></html>", 390, "light")
	b.eval(string(axe) + "\n;0")
	got := b.eval("axe.run(document).then(r => r.violations.map(v => v.id).join(' '))")
	for _, want := range []string{"image-alt", "color-contrast", "html-has-lang"} {
		if !strings.Contains(got, want) {
			t.Errorf("axe-core does not find %s: %s", want, got)
		}
	}
}

// paper is how wide A4 is at 96 pixels an inch, without margins.
const paper = 794

// TestSafetyOnPaper prints the page that people keep: nothing is cut off, nothing is asked for, addresses can be read, and it is dark on white whatever the screen was.
func TestSafetyOnPaper(t *testing.T) {
	axe, err := os.ReadFile("axe/node_modules/axe-core/axe.min.js")
	if err != nil {
		passOver(t, "axe-core is not installed (npm ci in sim/pages/axe): no page was judged")
	}
	b := open(t)
	s, _ := serve(t)
	base := "http://" + s.Addr
	signIn(t, b, base)
	run(t, s, "drill", "run")
	must(t, os.MkdirAll(kept, 0o755))
	for _, scheme := range []string{"light", "dark"} {
		b.look(base+"/safety", paper, scheme)
		b.call("Emulation.setEmulatedMedia", map[string]any{"media": "print", "features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
		must(t, os.WriteFile(filepath.Join(kept, "safety-print-"+scheme+".png"), b.picture(), 0o644))
		for what, x := range map[string]struct{ eval, want string }{
			"its width":                   {"document.documentElement.scrollWidth", fmt.Sprint(paper)},
			"what is cut off":             {`[...document.querySelectorAll('body *')].filter(e => { const r = e.getBoundingClientRect(), s = getComputedStyle(e); return s.display !== 'none' && r.width > 1 && (r.right > innerWidth + 1 || s.overflow !== 'visible' && e.scrollWidth > e.clientWidth + 1) }).map(e => e.outerHTML.slice(0, 80))`, "[]"},
			"what can be filled":          {`[...document.querySelectorAll('nav, form, button, input')].filter(e => e.getClientRects().length > 0).length`, "0"},
			"addresses that are not said": {`[...document.querySelectorAll('main a[href]')].filter(e => !getComputedStyle(e, '::after').content.includes(e.getAttribute('href'))).length`, "0"},
			"the paper":                   {`getComputedStyle(document.body).backgroundColor`, `"rgb(255, 255, 255)"`},
			"the ink":                     {`getComputedStyle(document.querySelector('main p')).color`, `"rgb(51, 51, 51)"`},
			"as of when":                  {`document.querySelector('main').innerText.includes('out of date from the next minute on') && document.querySelector('main time') !== null`, "true"},
		} {
			if got := b.eval(x.eval); got != x.want {
				t.Errorf("%s: %s is %s, want %s", scheme, what, got, x.want)
			}
		}
		judge(t, b, "safety-print-"+scheme, string(axe))
		var out struct{ Data []byte }
		b.call("Page.printToPDF", map[string]any{"paperWidth": 8.27, "paperHeight": 11.69, "printBackground": false}, &out)
		if pages := strings.Count(string(out.Data), "/Type /Page\n"); !strings.HasPrefix(string(out.Data), "%PDF-") || pages < 1 || pages > 6 {
			t.Errorf("%s: it is printed on %d pages", scheme, pages)
		}
		must(t, os.WriteFile(filepath.Join(kept, "safety-"+scheme+".pdf"), out.Data, 0o644))
	}
}
