package main

import (
	"net"
	"net/netip"
	"strings"
	"sync"

	"holdfast/internal/config"
)

// door bounds how many connections are open, in all and from one address, so that whoever opens many keeps nobody else out. One that is over its address's
// share is closed at once; when all places are taken, the next ones wait in the system's queue.
type door struct {
	net.Listener
	places  chan struct{}
	each    int
	trusted []netip.Prefix
	closed  chan struct{}
	once    sync.Once

	mu   sync.Mutex
	from map[netip.Addr]int
}

func newDoor(l net.Listener, c *config.Config) *door {
	return &door{Listener: l, places: make(chan struct{}, c.Limits.Connections), each: c.Limits.ConnectionsPerAddress,
		trusted: c.TrustedProxies, closed: make(chan struct{}), from: map[netip.Addr]int{}}
}

// Accept waits for a place, then for a connection that may have it.
func (d *door) Accept() (net.Conn, error) {
	select {
	case d.places <- struct{}{}:
	case <-d.closed:
		return nil, net.ErrClosed
	}
	for {
		c, err := d.Listener.Accept()
		if err != nil {
			<-d.places
			return nil, err
		}
		addr := peerOf(c)
		if d.enter(addr) {
			return &guest{Conn: c, door: d, addr: addr}, nil
		}
		_ = c.Close()
	}
}

// Close stops listening and wakes who waits for a place.
func (d *door) Close() error {
	d.once.Do(func() { close(d.closed) })
	return d.Listener.Close()
}

// open returns how many connections are open.
func (d *door) open() int { return len(d.places) }

func peerOf(c net.Conn) netip.Addr {
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		return a.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// free tells whether an address has no share of its own: this machine, and proxies, that speak for many.
func (d *door) free(a netip.Addr) bool {
	if !a.IsValid() || a.IsLoopback() {
		return true
	}
	for _, p := range d.trusted {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

func (d *door) enter(a netip.Addr) bool {
	if d.free(a) {
		return true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.from[a] >= d.each {
		return false
	}
	d.from[a]++
	return true
}

func (d *door) leave(a netip.Addr) {
	<-d.places
	if d.free(a) {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.from[a]--; d.from[a] <= 0 {
		delete(d.from, a)
	}
}

// guest is a connection that gives its place back.
type guest struct {
	net.Conn
	door *door
	addr netip.Addr
	once sync.Once
}

func (g *guest) Close() error {
	err := g.Conn.Close()
	g.once.Do(func() { g.door.leave(g.addr) })
	return err
}

// openableURL returns an address of the server that can be opened in a browser: never 0.0.0.0.
func openableURL(at net.Addr, c *config.Config, t *certificates) string {
	scheme, usual := "http", "80"
	if t != nil {
		scheme, usual = "https", "443"
	}
	host, port, err := net.SplitHostPort(at.String())
	if err != nil {
		return scheme + "://" + c.Listen
	}
	asked, _, _ := net.SplitHostPort(c.Listen)
	if ip := net.ParseIP(asked); ip == nil && asked != "" {
		host = asked // a name
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
		if !strings.Contains(at.String(), ".") && asked != "" { // [::]
			host = "::1"
		}
	}
	if name := t.name(); name != "" && (len(c.ACME.Domains) > 0 || c.BeyondLoopback()) {
		host = name
	}
	if port == usual {
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		return scheme + "://" + host
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}
