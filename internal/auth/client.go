package auth

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
)

// Proxy knows which peers may say on whose behalf they ask. Its zero value trusts nobody.
//
// A trusted proxy must set X-Forwarded-For (or, where it sends none, Forwarded) itself, and set or delete X-Forwarded-Proto and X-Forwarded-Host: what it passes on
// from its clients is believed.
type Proxy struct {
	Trusted []netip.Prefix // peers whose headers are believed: --trusted-proxy
	Public  *url.URL       // the server's address as people type it: --public-url; wins over every header. nil: taken from the request
	Log     *slog.Logger   // is told once of headers from a peer that is not trusted; nil: nobody

	told sync.Once
}

// ClientInfo is where a request comes from, and how its sender reached us.
type ClientInfo struct {
	Addr  netip.Addr // of the client itself; invalid where it is not known, behind a Unix socket for example
	HTTPS bool       // the client's connection is encrypted
	Host  string     // host and port as the client typed it
	Base  string     // "https://dav.example.org": scheme and host, without a slash at the end
}

// ParseProxies reads the values of --trusted-proxy: networks in CIDR notation, or single addresses.
func ParseProxies(values []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, v := range values {
		p, err := netip.ParsePrefix(v)
		if err != nil {
			var a netip.Addr
			if a, err = netip.ParseAddr(v); err == nil {
				p = netip.PrefixFrom(a, a.BitLen())
			}
		}
		if err != nil {
			return nil, fmt.Errorf("trusted proxy %q is neither a network like 10.0.0.0/8 nor an address", v)
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

// ParsePublicURL reads the value of --public-url: http or https, a host, and no path: DAV needs the root of its host.
func ParsePublicURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || !plainHost(u.Host) || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, fmt.Errorf("public URL %q is not an address like https://dav.example.org", s)
	}
	return u, nil
}

// Client tells where a request comes from.
func (p *Proxy) Client(r *http.Request) ClientInfo {
	peer := peerAddr(r)
	trusted := p.trusts(peer)
	c := ClientInfo{Addr: p.addr(r), HTTPS: r.TLS != nil, Host: r.Host}
	if trusted {
		if proto := p.said(r, "X-Forwarded-Proto", "proto"); proto != "" {
			c.HTTPS = strings.EqualFold(proto, "https")
		}
		if host := p.said(r, "X-Forwarded-Host", "host"); plainHost(host) {
			c.Host = host
		}
	}
	if p.Public != nil {
		c.HTTPS, c.Host = p.Public.Scheme == "https", p.Public.Host
		c.Base = p.Public.Scheme + "://" + p.Public.Host
		return c
	}
	if !plainHost(c.Host) {
		c.Host = "localhost" // HTTP/1.0 without Host, or a Host made to be shown in a page
	}
	c.Base = "http://" + c.Host
	if c.HTTPS {
		c.Base = "https://" + c.Host
	}
	return c
}

// addr returns the client's address: the peer's or, if the peer is trusted, the right-most one in the list of forwarders that is not trusted itself.
// What stands further left was written by the client and proves nothing.
func (p *Proxy) addr(r *http.Request) netip.Addr {
	peer := peerAddr(r)
	forwarded := len(r.Header["X-Forwarded-For"]) > 0 || len(r.Header["Forwarded"]) > 0
	if !forwarded {
		return peer
	}
	if !p.trusts(peer) {
		p.tell(peer)
		return peer
	}
	best := peer
	for hop := range backwards(r) {
		a, ok := parseHop(hop)
		if !ok {
			return best // "unknown" or worse: what is left of it cannot be believed
		}
		best = a
		if !p.trusts(a) {
			return a
		}
	}
	return best
}

func (p *Proxy) trusts(a netip.Addr) bool {
	for _, t := range p.Trusted {
		if t.Contains(a) {
			return true
		}
	}
	return false
}

func (p *Proxy) tell(peer netip.Addr) {
	if p.Log == nil {
		return
	}
	p.told.Do(func() {
		p.Log.Warn("a request says that it was forwarded, but its sender is not a trusted proxy; if it is yours, start the server with --trusted-proxy and its address, "+
			"otherwise everybody behind it counts as one client", "peer", peer)
	})
}

// said returns what the nearest proxy says: the last value of its own header or, where that is missing, of a parameter of Forwarded (RFC 7239).
func (p *Proxy) said(r *http.Request, header, param string) string {
	if vs := r.Header[header]; len(vs) > 0 {
		v := vs[len(vs)-1]
		return strings.TrimSpace(v[strings.LastIndexByte(v, ',')+1:])
	}
	for e := range reversed(r.Header["Forwarded"]) {
		return forwardedParam(e, param)
	}
	return ""
}

// backwards yields the forwarders' claims, the nearest first. X-Forwarded-For goes first: proxies that write it often pass a client's Forwarded on.
func backwards(r *http.Request) func(func(string) bool) {
	if vs := r.Header["X-Forwarded-For"]; len(vs) > 0 {
		return reversed(vs)
	}
	return func(yield func(string) bool) {
		for e := range reversed(r.Header["Forwarded"]) {
			if !yield(forwardedParam(e, "for")) {
				return
			}
		}
	}
}

// maxHops bounds how many claims are looked at.
const maxHops = 64

// reversed yields the elements of a header that is a list, the last first.
func reversed(values []string) func(func(string) bool) {
	return func(yield func(string) bool) {
		n := 0
		for i := len(values) - 1; i >= 0; i-- {
			rest := values[i]
			for more := true; more; {
				cut := strings.LastIndexByte(rest, ',')
				e := strings.TrimSpace(rest[cut+1:])
				if n++; n > maxHops || !yield(e) {
					return
				}
				more = cut >= 0
				rest = rest[:max(cut, 0)]
			}
		}
	}
}

// forwardedParam returns a parameter of one element of Forwarded, without quotes.
func forwardedParam(element, name string) string {
	for pair := range strings.SplitSeq(element, ";") {
		k, v, _ := strings.Cut(strings.TrimSpace(pair), "=")
		if strings.EqualFold(k, name) {
			return strings.Trim(v, `"`)
		}
	}
	return ""
}

// parseHop reads an address, with or without a port: 192.0.2.1, 192.0.2.1:1234, 2001:db8::1, [2001:db8::1], [2001:db8::1]:1234.
func parseHop(s string) (netip.Addr, bool) {
	if a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")); err == nil {
		return a.Unmap(), true
	}
	ap, err := netip.ParseAddrPort(s)
	return ap.Addr().Unmap(), err == nil
}

func peerAddr(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap()
}

// plainHost tells whether s is a host name or address, with or without a port, and nothing else.
func plainHost(s string) bool {
	if s == "" || len(s) > 260 {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune(".-_:[]", rune(c)) {
			return false
		}
	}
	return true
}

// Local tells whether the host that the client typed names the client's own machine: a phone cannot reach it there.
func (c ClientInfo) Local() bool {
	host := c.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && (a.IsLoopback() || a.IsUnspecified()) || host == "localhost" || strings.HasSuffix(host, ".localhost")
}
