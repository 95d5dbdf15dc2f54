package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"holdfast/sim/load"
)

// peer is another server, as Debian ships it, with its own defaults of durability.
type peer struct {
	name    string
	command func(dir, port string) []string
	version []string
	// book makes the nth account's address book and returns its path.
	book func(c *load.Conn, n int) (string, error)
	// calendar makes a calendar of p0 and returns its path.
	calendar func(c *load.Conn) (string, error)
}

// peers are those that are measured. Both accept every name and password like this.
var peers = []peer{
	{"Radicale", func(dir, port string) []string {
		return []string{"radicale", "--config", "", "--server-hosts", "127.0.0.1:" + port, "--server-max-connections", "100", "--auth-type", "none", "--storage-filesystem-folder", dir, "--logging-level", "error"}
	}, []string{"radicale", "--version"}, func(c *load.Conn, n int) (string, error) {
		user := fmt.Sprintf("p%d", n)
		return "/" + user + "/book/", mkbook(c, user, "/"+user+"/book/")
	}, func(c *load.Conn) (string, error) { return "/p0/cal/", mkcalendar(c, "p0", "/p0/cal/") }},
	{"Xandikos", func(dir, port string) []string {
		return []string{"xandikos", "-l", "127.0.0.1", "-p", port, "-d", dir, "--defaults", "--current-user-principal", "/p"}
	}, []string{"dpkg-query", "-W", "-f", "${Version}", "xandikos"}, func(c *load.Conn, n int) (string, error) {
		if n == 0 {
			return "/p/contacts/addressbook/", nil
		}
		path := fmt.Sprintf("/p/contacts/b%d/", n)
		return path, mkbook(c, "p", path)
	}, func(*load.Conn) (string, error) { return "/p/calendars/calendar/", nil }},
}

// mkbook makes an address book (RFC 5689).
func mkbook(c *load.Conn, user, path string) error {
	return mkcol(c, user, path, `<?xml version="1.0" encoding="utf-8"?><mkcol xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"><set><prop>`+
		`<resourcetype><collection/><C:addressbook/></resourcetype></prop></set></mkcol>`)
}

// mkcalendar makes a calendar likewise.
func mkcalendar(c *load.Conn, user, path string) error {
	return mkcol(c, user, path, `<?xml version="1.0" encoding="utf-8"?><mkcol xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><set><prop>`+
		`<resourcetype><collection/><C:calendar/></resourcetype></prop></set></mkcol>`)
}

func mkcol(c *load.Conn, user, path, body string) error {
	a, err := c.Do(fmt.Appendf(nil, "MKCOL %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: %s\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n%s",
		path, load.Basic(user, "x"), len(body), body))
	if err == nil && a.Status >= 300 {
		err = fmt.Errorf("MKCOL %s: %d %.200s", path, a.Status, a.Body)
	}
	return err
}

func (b *bench) allPeers(ctx context.Context) error {
	for _, p := range peers {
		if _, err := exec.LookPath(p.command("", "")[0]); err != nil {
			b.note("%s is not installed, so it is not measured (apt-get install %s)", p.name, strings.ToLower(p.name))
			continue
		}
		if err := b.peer(ctx, p); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

func (b *bench) peer(ctx context.Context, p peer) error {
	name := p.name
	if v, err := exec.CommandContext(ctx, p.version[0], p.version[1:]...).Output(); err == nil {
		name += " " + strings.TrimSpace(string(v))
	}
	b.note("%s", name)
	addr, stop, err := b.startPeer(ctx, p)
	if err != nil {
		return err
	}
	defer stop()
	accounts, err := peerAccounts(ctx, p, addr, 33)
	if err != nil {
		return err
	}
	for _, n := range []int{1, 8, 32} {
		r, err := putRun(ctx, addr, accounts[:n], b.each, false)
		if err != nil {
			return err
		}
		f := figure{Name: fmt.Sprintf("%s, PUT, %s", name, connections(n)), Value: r.PerSecond(), Unit: "/s"}.latency(&r.Latency)
		b.report.compare(&f, fmt.Sprintf("durable PUT, %s", connections(n)))
		b.report.add(f)
	}
	if err := b.peerPhone(ctx, name, addr, accounts[32]); err != nil {
		return err
	}
	return b.peerMonths(ctx, p, name, addr)
}

// peerMonths measures a month of a peer's calendar.
func (b *bench) peerMonths(ctx context.Context, p peer, name, addr string) error {
	c, err := load.Dial(ctx, addr, time.Now().Add(time.Minute))
	if err != nil {
		return err
	}
	path, err := p.calendar(c)
	c.Close()
	if err != nil {
		return err
	}
	user, _, _ := strings.Cut(path[1:], "/")
	a := load.Account{Email: user, Password: "x", Book: path}
	truth, err := fillEvents(ctx, addr, a, b.peerEvents)
	if err != nil {
		return err
	}
	return b.months(ctx, addr, a, truth, figure{Name: fmt.Sprintf("%s, a month out of %s events, calendar-query", name, thousands(b.peerEvents))}, 1, false)
}

// peerPhone measures a new phone and ten changes, in a smaller address book: some peers would take an hour for 10,000.
func (b *bench) peerPhone(ctx context.Context, name, addr string, a load.Account) error {
	if err := fill(ctx, addr, a, b.peerContacts); err != nil {
		return err
	}
	f, err := fetchAll(ctx, addr, a, b.peerContacts)
	if err != nil {
		return err
	}
	b.report.add(figure{Name: fmt.Sprintf("%s, %s contacts to a new phone", name, thousands(b.peerContacts)), Value: f.all.Seconds(), Unit: "s"})
	h, err := syncTen(ctx, addr, a, 11)
	if err != nil {
		return err
	}
	b.report.add(figure{Name: fmt.Sprintf("%s, ten changes among %s, sync-collection", name, thousands(b.peerContacts)), Value: float64(h.Quantile(0.5).Nanoseconds()) / 1e6, Unit: "ms"})
	return nil
}

// startPeer runs a peer on a free port until it answers.
func (b *bench) startPeer(ctx context.Context, p peer) (addr string, stop func(), err error) {
	ports, err := freePorts(1)
	if err != nil {
		return "", nil, err
	}
	_, port, _ := net.SplitHostPort(ports[0])
	dir := filepath.Join(b.dir, strings.ToLower(p.name))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", nil, err
	}
	line := p.command(dir, port)
	v := &servant{dir: dir}
	if err := v.serve(ctx, ports[0], line[0], line[1:]...); err != nil {
		return "", nil, err
	}
	return ports[0], func() { _ = v.stop() }, nil // what it did is measured by then
}

func peerAccounts(ctx context.Context, p peer, addr string, n int) ([]load.Account, error) {
	var list []load.Account
	for i := range n {
		c, err := load.Dial(ctx, addr, time.Now().Add(time.Minute))
		if err != nil {
			return nil, err
		}
		path, err := p.book(c, i)
		c.Close()
		if err != nil {
			return nil, err
		}
		user, _, _ := strings.Cut(path[1:], "/")
		list = append(list, load.Account{Email: user, Password: "x", Book: path})
	}
	return list, nil
}

// compare says how many times Holdfast's figure of the same run is better.
func (r *report) compare(f *figure, ours string) {
	i := slices.IndexFunc(r.Figures, func(x figure) bool { return x.Name == ours })
	if i < 0 || f.Value == 0 {
		return
	}
	f.Note = fmt.Sprintf("Holdfast: %.0f times", r.Figures[i].Value/f.Value)
}
