package sim

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/sim/load"
	"holdfast/sim/server"
)

// memoryBound is more than the server may ever occupy in these tests. A request may be 10 MiB large, and a few are judged at once.
const memoryBound = 400 << 20

// impatient are settings under which slow clients are cut soon.
var impatient = map[string]string{"HOLDFAST_TIMEOUTS_HEADERS": "2s", "HOLDFAST_TIMEOUTS_STALL": "2s", "HOLDFAST_TIMEOUTS_BODY": "6s", "HOLDFAST_TIMEOUTS_IDLE": "20s"}

// neighbour is a well-behaved phone that works while others misbehave.
type neighbour struct {
	w    *load.Writer
	stop chan struct{}
	done chan error
	n    atomic.Int64
}

func newNeighbour(t *testing.T, s *server.Server, a load.Account) *neighbour {
	w := load.NewWriter(dial(t, s), a, 1, 1)
	w.Strict, w.Guarded = true, true
	n := &neighbour{w: w, stop: make(chan struct{}), done: make(chan error, 1)}
	go func() { n.done <- n.work() }()
	return n
}

func (n *neighbour) work() error {
	for {
		select {
		case <-n.stop:
			return n.w.VerifyListing()
		default:
		}
		status, err := n.w.Step()
		if err != nil {
			return err
		}
		if status >= 300 {
			return fmt.Errorf("a good PUT was answered with %d", status)
		}
		items := n.w.Items()
		if err := n.w.Verify(items[len(items)-1]); err != nil {
			return err
		}
		n.n.Add(1)
		time.Sleep(5 * time.Millisecond)
	}
}

// check ends the neighbour's work: nothing of it failed, and it was not starved.
func (n *neighbour) check(t *testing.T, s *server.Server) {
	t.Helper()
	close(n.stop)
	if err := <-n.done; err != nil {
		t.Errorf("the well-behaved client beside: %v", err)
	}
	m, err := s.Memory()
	if err != nil {
		t.Fatal("the server is gone: ", err)
	}
	t.Logf("the well-behaved client wrote and read %d contacts meanwhile; the server's memory was at most %d MiB", n.n.Load(), m.Peak>>20)
	if n.n.Load() == 0 {
		t.Error("the well-behaved client was kept out")
	}
	if m.Peak > memoryBound {
		t.Errorf("the server's memory rose to %d MiB", m.Peak>>20)
	}
	if !s.Alive() {
		t.Error("the server ended")
	}
}

// head is the beginning of a request, up to its own headers.
func head(method, path string, a load.Account) string {
	return method + " " + path + " HTTP/1.1\r\nHost: localhost\r\nAuthorization: " + load.Basic(a.Email, a.Password) + "\r\n"
}

// TestStalledRequests opens hundreds of connections that never get to the point. Each is answered with a 4xx or closed.
func TestStalledRequests(t *testing.T) {
	s := start(t, server.Options{Env: impatient})
	accounts := people(t, s, 2)
	good := newNeighbour(t, s, accounts[0])
	bad := accounts[1]
	put := head("PUT", bad.Book+"x.vcf", bad) + "Content-Type: text/vcard\r\n"
	var kinds []stalled
	large := head("PUT", bad.Book+"x.vcf", bad) + "Content-Length: 10000000\r\n\r\nBEGIN:VCARD\r\n"
	for range 200 {
		kinds = append(kinds,
			stalled{"10 MB that stop", large, ""},
			stalled{"a body of nobody that stops", "PUT /dav/x HTTP/1.1\r\nHost: x\r\nContent-Length: 600\r\n\r\nBEGIN", ""},
			stalled{"a page's form that stops", "POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 600\r\n\r\na=", ""},
			stalled{"nothing", "", ""},
			stalled{"half a request line", "PUT /dav/addr", ""},
			stalled{"an octet of the head now and then", "GET / HTTP/1.1\r\nX: ", "x"},
			stalled{"a body that does not begin", put + "Content-Length: 600\r\n\r\n", ""},
			stalled{"a body that stops", put + "Content-Length: 600\r\n\r\nBEGIN:VCARD\r\n", ""},
			stalled{"an octet of the body now and then", put + "Content-Length: 600000\r\n\r\nBEGIN:VCARD\r\n", "X"},
			stalled{"a chunk that stops", put + "Transfer-Encoding: chunked\r\n\r\n20\r\nBEGIN", ""},
			stalled{"XML that stops", head("PROPFIND", bad.Book, bad) + "Content-Length: 600\r\n\r\n<?xml", ""},
		)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	ends := map[string]map[string]int{}
	for _, k := range kinds {
		wg.Go(func() {
			end := k.wait(t.Context(), s.Addr)
			mu.Lock()
			defer mu.Unlock()
			if ends[k.name] == nil {
				ends[k.name] = map[string]int{}
			}
			ends[k.name][end]++
		})
	}
	wg.Wait()
	for name, e := range ends {
		t.Logf("%s: %v", name, e)
		for end := range e {
			if end != "closed" && (len(end) != 3 || end[0] != '4') {
				t.Errorf("%s: it ended by %s", name, end)
			}
		}
	}
	good.check(t, s)
}

// stalled is a request that begins and then sends one text each half second, or nothing.
type stalled struct{ name, begin, drip string }

// wait tells how it ended: by a status, "closed", or "never" after a minute.
func (k stalled) wait(ctx context.Context, addr string) string {
	c, err := load.Dial(ctx, addr, time.Now().Add(time.Minute))
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	if _, err := c.Write([]byte(k.begin)); err != nil {
		return "closed"
	}
	over := make(chan struct{})
	defer close(over)
	if k.drip != "" {
		go func() {
			tick := time.NewTicker(500 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-over:
					return
				case <-tick.C:
					if _, err := c.Write([]byte(k.drip)); err != nil {
						return
					}
				}
			}
		}()
	}
	a, err := c.Read()
	var timeout net.Error
	switch {
	case err == nil:
		return fmt.Sprint(a.Status)
	case errors.As(err, &timeout) && timeout.Timeout():
		return "never"
	}
	return "closed"
}

// TestTooManyConnections takes every place and more. Who is inside is served; the others wait, and are served once idle ones were let go.
func TestTooManyConnections(t *testing.T) {
	env := map[string]string{"HOLDFAST_LIMITS_CONNECTIONS": "64"}
	for k, v := range impatient {
		env[k] = v
	}
	s := start(t, server.Options{Env: env})
	accounts := people(t, s, 2)
	good := newNeighbour(t, s, accounts[0])
	for good.n.Load() == 0 {
		time.Sleep(time.Millisecond)
		if !s.Alive() {
			t.Fatal("the server ended")
		}
	}
	for range 300 {
		dial(t, s)
	}
	late := load.NewWriter(dial(t, s), accounts[1], 1, 2)
	late.Strict, late.Guarded = true, true
	if status, err := late.Step(); err != nil || status >= 300 {
		t.Errorf("who came last got %d, %v", status, err)
	}
	good.check(t, s)
}

// raw sends a request as it stands, over a connection of its own, and returns the answer; status 0: the connection was closed without one.
func raw(t *testing.T, s *server.Server, request string) (status int, body string) {
	t.Helper()
	c, err := load.Dial(t.Context(), s.Addr, time.Now().Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	go c.Write([]byte(request)) // may be refused before it is read
	a, err := c.Read()
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		t.Fatalf("no answer within a minute: %.80q", request)
	}
	return a.Status, string(a.Body)
}

// with returns a whole request.
func with(method, path string, a load.Account, headers, body string) string {
	return head(method, path, a) + headers + fmt.Sprintf("Connection: close\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// attempt is something that must not work. want are the statuses that are right, with spaces between; 0: the connection is closed.
type attempt struct{ name, request, want, says string }

func (x attempt) try(t *testing.T, s *server.Server) {
	t.Helper()
	status, body := raw(t, s, x.request)
	if !strings.Contains(" "+x.want+" ", fmt.Sprintf(" %d ", status)) || !strings.Contains(body, x.says) {
		t.Errorf("%s: %d, want %s with %q: %.400s", x.name, status, x.want, x.says, body)
	}
	if strings.Contains(body, "goroutine ") || strings.Contains(body, ".go:") || strings.Contains(strings.ToLower(body), "sqlite") {
		t.Errorf("%s: the answer tells what is inside: %.300s", x.name, body)
	}
}

const crlf = "\r\n"

// TestHugeAndMalformed sends what is too large, too deep or not HTTP.
func TestHugeAndMalformed(t *testing.T) {
	s := start(t, server.Options{Env: impatient})
	accounts := people(t, s, 2)
	good := newNeighbour(t, s, accounts[0])
	a := accounts[1]
	tenMB := strings.Repeat("x", 10_000_000)
	long := "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:long\r\nFN:Long\r\nNOTE:" + tenMB + tenMB + "\r\nEND:VCARD\r\n"
	xml := "Content-Type: text/xml" + crlf
	bomb := `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><propfind xmlns="DAV:"><prop>&b;</prop></propfind>`
	external := `<?xml version="1.0"?><!DOCTYPE x SYSTEM "file:///etc/passwd"><propfind xmlns="DAV:"><allprop/></propfind>`
	deep := `<propfind xmlns="DAV:">` + strings.Repeat("<a>", 100_000)
	for _, x := range []attempt{
		{"a request line of 10 MB", "GET /" + tenMB + " HTTP/1.1\r\nHost: x\r\n\r\n", "431 414 400 0", ""},
		{"a header of 10 MB", head("GET", a.Book, a) + "X-Long: " + tenMB + "\r\n\r\n", "431 0", ""},
		{"100,000 headers", head("GET", a.Book, a) + strings.Repeat("A: b\r\n", 100_000) + crlf, "431 0", ""},
		{"a password of 50 kB", "GET " + a.Book + " HTTP/1.1\r\nHost: x\r\nAuthorization: " + load.Basic(a.Email, tenMB[:35_000]) + "\r\n\r\n", "401", ""},
		{"a contact of 20 MB", with("PUT", a.Book+"long.vcf", a, "", long), "413 403", "max-resource-size"},
		{"a contact that says 20 MB", head("PUT", a.Book+"l.vcf", a) + "Content-Length: 20000000\r\n\r\n", "413 403", "max-resource-size"},
		{"20 MB in chunks", head("PUT", a.Book+"l.vcf", a) + "Transfer-Encoding: chunked\r\n\r\n1312d00\r\n" + long, "413 403", "max-resource-size"},
		{"XML of 10 MB", with("PROPFIND", a.Book, a, xml, `<propfind xmlns="DAV:"><!--`+tenMB+`--><allprop/></propfind>`), "413", ""},
		{"an attribute of 10 MB", with("PROPFIND", a.Book, a, xml, `<propfind xmlns="DAV:" a="`+tenMB+`"><allprop/></propfind>`), "400 413", ""},
		{"entities that grow", with("PROPFIND", a.Book, a, xml, bomb), "400 403", ""},
		{"an entity from outside", with("PROPFIND", a.Book, a, xml, external), "400 403", ""},
		{"100,000 elements deep", with("PROPFIND", a.Book, a, xml, deep), "400 413", ""},
		{"XML that ends early", with("PROPFIND", a.Book, a, xml, `<propfind xmlns="DAV:"><allprop/>`), "400", ""},
		{"XML with a NUL", with("PROPFIND", a.Book, a, xml, "<propfind xmlns=\"DAV:\">\x00<allprop/></propfind>"), "400", ""},
		{"XML that is not UTF-8", with("PROPFIND", a.Book, a, xml, "<propfind xmlns=\"DAV:\"><prop><a\xff/></prop></propfind>"), "400", ""},
		{"10,000 properties", with("PROPFIND", a.Book, a, xml, `<propfind xmlns="DAV:"><prop>`+strings.Repeat(`<x/>`, 10_000)+`</prop></propfind>`), "207 400 403 413", ""},
		{"a REPORT without a body", with("REPORT", a.Book, a, xml, ""), "400", ""},
		{"a REPORT that does not exist", with("REPORT", a.Book, a, xml, `<x xmlns="DAV:"/>`), "403 400 422", ""},
		{"a sync token of somebody else's making", with("REPORT", a.Book, a, xml, `<sync-collection xmlns="DAV:"><sync-token>`+tenMB[:5000]+`</sync-token><sync-level>1</sync-level><prop/></sync-collection>`), "403", "valid-sync-token"},
		{"a method of nobody", with("FROB", a.Book, a, "", ""), "501 405", ""},
		{"two lengths", head("PUT", a.Book+"x.vcf", a) + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", "400", ""},
		{"a negative length", head("PUT", a.Book+"x.vcf", a) + "Content-Length: -1\r\n\r\n", "400", ""},
		{"a chunk without end", head("PUT", a.Book+"x.vcf", a) + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", "400 408", ""},
		{"an encoding that hides", head("PUT", a.Book+"x.vcf", a) + "Transfer-Encoding: chunked, identity\r\n\r\n", "400 501", ""},
		{"no host", "GET " + a.Book + " HTTP/1.1\r\n\r\n", "400", ""},
		{"a NUL in a header", head("GET", a.Book, a) + "X: \x00\r\n\r\n", "400", ""},
		{"not HTTP", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + tenMB[:100] + "\r\n\r\n", "400 0", ""},
		{"If-Match that is no list", with("PUT", a.Book+"x.vcf", a, "If-Match: abc\r\n", contact("x")), "400 412 404", ""},
		{"a huge If", with("PUT", a.Book+"x.vcf", a, "If: "+strings.Repeat("(<a>)", 10_000)+crlf, contact("x")), "400 412 431", ""},
		{"Depth 17", with("PROPFIND", a.Book, a, "Depth: 17\r\n", ""), "400", ""},
	} {
		t.Run(x.name, func(t *testing.T) { x.try(t, s) })
	}
	if status, _ := raw(t, s, with("GET", a.Book+"x.vcf", a, "", "")); status != 404 {
		t.Errorf("one of them was stored: GET answers %d", status)
	}
	good.check(t, s)
}

func contact(uid string) string {
	return "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:" + uid + "\r\nFN:Bob Example\r\nN:Example;Bob;;;\r\nEND:VCARD\r\n"
}

// TestBadContacts sends octets that are no contact, or one that cannot be here.
func TestBadContacts(t *testing.T) {
	s := start(t, server.Options{})
	accounts := people(t, s, 2)
	good := newNeighbour(t, s, accounts[0])
	a := accounts[1]
	if status, body := raw(t, s, with("PUT", a.Book+"first.vcf", a, "", contact("first"))); status != 201 {
		t.Fatal(status, body)
	}
	const data = "valid-address-data"
	in := func(line string) string { return strings.Replace(contact("bad"), "FN:", line+crlf+"FN:", 1) }
	for _, x := range []struct{ name, body, says string }{
		{"nothing", "", data},
		{"not a vCard", "hello", data},
		{"a calendar", "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nEND:VCALENDAR\r\n", ""},
		{"a NUL", in("NOTE:a\x00b"), data},
		{"a lone CR", in("NOTE:a\rb"), data},
		{"invalid UTF-8", in("NOTE:\xff\xfe"), data},
		{"half a character at the end", contact("bad") + "\xc3", data},
		{"quotes that do not end", in(`NOTE;X="a:b`), data},
		{"no end", strings.TrimSuffix(contact("bad"), "END:VCARD\r\n"), data},
		{"no version", strings.Replace(contact("bad"), "VERSION:3.0\r\n", "", 1), ""},
		{"vCard 2.1", strings.Replace(contact("bad"), "3.0", "2.1", 1), "supported-address-data"},
		{"no UID", strings.Replace(contact("bad"), "UID:bad\r\n", "", 1), data},
		{"two vCards", contact("bad") + contact("worse"), data},
		{"another's UID", contact("first"), "no-uid-conflict"},
		{"a vCard in a vCard, 10,000 deep", strings.Repeat("BEGIN:VCARD\r\n", 10_000), data},
		{"a line break in a name", "BEGIN:VCARD\r\nVERSION:3.0\r\nUID\r\n:bad\r\nFN:x\r\nEND:VCARD\r\n", data},
	} {
		t.Run(x.name, func(t *testing.T) {
			attempt{x.name, with("PUT", a.Book+"bad.vcf", a, "Content-Type: text/vcard\r\n", x.body), "403 415", x.says}.try(t, s)
		})
	}
	if status, _ := raw(t, s, with("GET", a.Book+"bad.vcf", a, "", "")); status != 404 {
		t.Errorf("one of them was stored: GET answers %d", status)
	}
	good.check(t, s)
}

// TestBadPaths asks for what is elsewhere, under every name that could lead there.
func TestBadPaths(t *testing.T) {
	s := start(t, server.Options{})
	accounts := people(t, s, 3)
	good := newNeighbour(t, s, accounts[0])
	a := accounts[1]
	victim := load.NewWriter(dial(t, s), accounts[2], 1, 1)
	if r := load.Run(t.Context(), []*load.Writer{victim}, load.Bounds{Count: 10}); r.Done != 10 {
		t.Fatal(r)
	}
	his, mine := accounts[2].Book, a.Book
	hisID := strings.Split(his, "/")[3]
	myID := strings.Split(mine, "/")[3]
	xml := `<propfind xmlns="DAV:"><allprop/></propfind>`
	for _, p := range []struct{ name, path string }{
		{"another's address book", his},
		{"another's contact", his + victim.Items()[0].UID + ".vcf"},
		{"another's home", "/dav/addressbooks/" + hisID + "/"},
		{"another by login", "/dav/addressbooks/" + accounts[2].Email + "/default/"},
		{"another by ..", mine + "../../" + hisID + "/default/"},
		{"another by %2e%2e", mine + "%2e%2e/%2e%2e/" + hisID + "/default/"},
		{"another by %2f", "/dav/addressbooks/" + myID + "/..%2f" + hisID + "%2fdefault/"},
		{"another by a double %25", "/dav/addressbooks/" + myID + "/%252e%252e/" + hisID + "/default/"},
		{"another by a backslash", "/dav/addressbooks/" + myID + `/..\` + hisID + `\default/`},
		{"another by //", "/dav//addressbooks//" + hisID + "/default/"},
		{"another in capitals", "/dav/addressbooks/" + strings.ToUpper(hisID) + "/default/"},
		{"another through the other entrance", "/remote.php/dav/addressbooks/users/" + accounts[2].Email + "/default/"},
		{"a file of the system", "/dav/addressbooks/../../../../etc/passwd"},
		{"a file of the system by %2f", "/dav/..%2f..%2f..%2fetc%2fpasswd"},
		{"an NUL", mine + "a%00.vcf"},
		{"a lone CR", mine + "a%0d.vcf"},
		{"octets that are no UTF-8", mine + "%ff%fe.vcf"},
		{"an overlong slash", mine + "%c0%af"},
		{"a surrogate", mine + "%ed%a0%80.vcf"},
		{"a name of 300 octets", mine + strings.Repeat("x", 300)},
		{"a dot", mine + "%2e"},
		{"two dots", mine + "%2e%2e"},
		{"a % that ends", mine + "a%4"},
		{"10,000 steps", "/dav/addressbooks/" + myID + strings.Repeat("/a", 10_000)},
	} {
		t.Run(p.name, func(t *testing.T) {
			for _, x := range []attempt{
				{"GET", with("GET", p.path, a, "", ""), "400 403 404 405 409 414", ""},
				{"PROPFIND", with("PROPFIND", p.path, a, "Depth: 1\r\n", xml), "400 403 404 405 414", ""},
				{"PUT", with("PUT", p.path, a, "Content-Type: text/vcard\r\n", contact("x")), "400 403 404 405 409 414", ""},
				{"DELETE", with("DELETE", p.path, a, "", ""), "400 403 404 405 414", ""},
				{"MKCOL", with("MKCOL", p.path, a, "", ""), "400 403 404 405 409 414", ""},
				{"COPY", with("COPY", p.path, a, "Destination: "+mine+"stolen.vcf\r\n", ""), "400 403 404 405 409 414", ""},
				{"MOVE from there", with("MOVE", p.path, a, "Destination: "+mine+"stolen.vcf\r\n", ""), "400 403 404 405 409 414", ""},
			} {
				x.try(t, s)
			}
		})
	}
	if err := victim.VerifyListing(); err != nil {
		t.Error(err)
	}
	for _, it := range victim.Items() {
		if err := victim.Verify(it); err != nil {
			t.Error(err)
		}
	}
	good.check(t, s)
}
