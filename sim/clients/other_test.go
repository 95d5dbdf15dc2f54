package clients

import (
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// other is somebody else's server, filled by the test, behind a proxy that records what it is asked.
type other struct {
	t        *testing.T
	direct   string // its own address
	url      string // that of the proxy
	user     string
	password string

	mu     sync.Mutex
	asked  []string                  // method and path
	before func(method, path string) // called before each request is passed on
}

const otherUser, otherPassword = "anna", "correct horse battery"

// startOther runs a program that listens on a port of the test's choice, until the test ends.
func startOther(t *testing.T, command func(port, dir string) (string, []string)) *other {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(addr)
	dir := t.TempDir()
	name, args := command(port, dir)
	said, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	c := exec.Command(name, args...)
	c.Dir, c.Env, c.Stdout, c.Stderr = dir, tool{dir: dir}.environment(), said, said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
		if b, _ := os.ReadFile(said.Name()); t.Failed() {
			t.Logf("the end of what %s said:\n%s", name, b[max(0, len(b)-2000):])
		}
	})
	for until := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if conn, err := net.Dial("tcp", addr); err == nil {
			conn.Close()
			break
		} else if time.Now().After(until) {
			t.Fatalf("%s does not listen: %v", name, err)
		}
	}
	o := &other{t: t, direct: "http://" + addr, user: otherUser, password: otherPassword}
	to, _ := url.Parse(o.direct)
	pass := httputil.NewSingleHostReverseProxy(to)
	pass.ErrorLog = log.New(io.Discard, "", 0) // a server that is killed breaks its connections off
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.mu.Lock()
		o.asked = append(o.asked, r.Method+" "+r.URL.Path)
		before := o.before
		o.mu.Unlock()
		if before != nil {
			before(r.Method, r.URL.Path)
		}
		pass.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	o.url = proxy.URL
	return o
}

// lightly returns a directory for what need not survive: in memory, if the machine has such a place. The other server syncs each file that it is filled with.
func lightly(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "holdfast-other-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func radicale(t *testing.T) *other {
	t.Helper()
	need(t, "radicale")
	o := startOther(t, func(port, dir string) (string, []string) {
		config := "[server]\nhosts = 127.0.0.1:" + port + "\n[auth]\ntype = htpasswd\nhtpasswd_filename = " + dir + "/users\nhtpasswd_encryption = plain\ndelay = 0\n" +
			"[storage]\nfilesystem_folder = " + lightly(t) + "\n"
		write(t, filepath.Join(dir, "config"), config)
		write(t, filepath.Join(dir, "users"), otherUser+":"+otherPassword+"\n")
		return "radicale", []string{"--config", filepath.Join(dir, "config")}
	})
	return o
}

func xandikos(t *testing.T) *other {
	t.Helper()
	need(t, "xandikos")
	return startOther(t, func(port, dir string) (string, []string) {
		return "xandikos", []string{"--listen-address", "127.0.0.1", "--port", port, "--directory", filepath.Join(lightly(t), "store"), "--defaults", "--current-user-principal", "/" + otherUser + "/"}
	})
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// ask sends a request to the server itself, past the proxy.
func (o *other) ask(method, path, body string, headers ...string) (int, string) {
	o.t.Helper()
	r, err := http.NewRequestWithContext(o.t.Context(), method, o.direct+(&url.URL{Path: path}).EscapedPath(), strings.NewReader(body))
	if err != nil {
		o.t.Fatal(err)
	}
	r.SetBasicAuth(o.user, o.password)
	for _, h := range headers {
		k, v, _ := strings.Cut(h, ": ")
		r.Header.Set(k, v)
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		o.t.Fatal(err)
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	if err != nil {
		o.t.Fatal(err)
	}
	return a.StatusCode, string(b)
}

// pour puts a whole collection at once, as Radicale takes it, and says what to look like. It returns the paths of the members.
func (o *other) pour(at, typ, text, props string) []string {
	o.t.Helper()
	if code, said := o.ask("PUT", at, text, "Content-Type: "+typ); code != 201 {
		o.t.Fatalf("PUT %s: %d %s", at, code, said)
	}
	code, said := o.ask("PROPPATCH", at, `<?xml version="1.0"?><D:propertyupdate xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:CR="urn:ietf:params:xml:ns:carddav" `+
		`xmlns:A="http://apple.com/ns/ical/"><D:set><D:prop>`+props+`</D:prop></D:set></D:propertyupdate>`, "Content-Type: text/xml")
	if code != 207 {
		o.t.Fatalf("PROPPATCH %s: %d %s", at, code, said)
	}
	return o.members(at)
}

var hrefs = regexp.MustCompile(`<(?:[A-Za-z0-9]+:)?href>([^<]+)</`)

// members lists the paths of a collection's members.
func (o *other) members(at string) (out []string) {
	o.t.Helper()
	code, said := o.ask("PROPFIND", at, `<propfind xmlns="DAV:"><prop><getetag/></prop></propfind>`, "Depth: 1")
	if code != 207 {
		o.t.Fatalf("PROPFIND %s: %d %s", at, code, said)
	}
	for _, m := range hrefs.FindAllStringSubmatch(said, -1) {
		u, err := url.Parse(m[1])
		if err != nil {
			o.t.Fatal(err)
		}
		if strings.TrimRight(u.Path, "/") != strings.TrimRight(at, "/") {
			out = append(out, u.Path)
		}
	}
	return out
}

// fill puts members, a few at once.
func (o *other) fill(members map[string]string) {
	o.t.Helper()
	paths := make(chan string)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for p := range paths {
				typ := "text/calendar; charset=utf-8"
				if strings.HasSuffix(p, ".vcf") {
					typ = "text/vcard; charset=utf-8"
				}
				if code, said := o.ask("PUT", p, members[p], "Content-Type: "+typ); code != 201 && code != 204 {
					o.t.Errorf("PUT %s: %d %s", p, code, said)
				}
			}
		})
	}
	for p := range members {
		paths <- p
	}
	close(paths)
	all.Wait()
}

// requests takes what the proxy recorded.
func (o *other) requests() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := o.asked
	o.asked = nil
	return out
}

func (o *other) onRequest(fn func(method, path string)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.before = fn
}

// readOnly fails the test where the other server was asked to change something.
func (o *other) readOnly(asked []string) {
	o.t.Helper()
	for _, x := range asked {
		if m, _, _ := strings.Cut(x, " "); !slices.Contains([]string{"PROPFIND", "REPORT", "GET", "OPTIONS"}, m) {
			o.t.Errorf("the other server was asked for %s", x)
		}
	}
}
