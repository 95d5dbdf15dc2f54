package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// base is the address that phones are given; nil where none is known.
func (d *doctor) base() *url.URL {
	if u, err := url.Parse(d.c.PublicURL); err == nil && u.Hostname() != "" {
		return u
	}
	if len(d.c.ACME.Domains) == 0 {
		return nil
	}
	u := &url.URL{Scheme: "https", Host: d.c.ACME.Domains[0]}
	if _, port, err := net.SplitHostPort(d.c.Listen); err == nil && port != "443" && port != "0" {
		u.Host = net.JoinHostPort(u.Host, port)
	}
	return u
}

// portOf is the port of an address, said or not.
func portOf(u *url.URL) uint16 {
	if n, err := strconv.ParseUint(u.Port(), 10, 16); err == nil {
		return uint16(n)
	}
	if u.Scheme == "http" {
		return 80
	}
	return 443
}

// noName is what comes of a check that needs a public name.
func noName() Check {
	return skipped("there is no public name (--public-url, --acme)", "Name it if phones are to reach this server.")
}

// within bounds one look-up or request.
func (d *doctor) within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d.c.Doctor.Lookup)
}

func (d *doctor) name(ctx context.Context) Check {
	u := d.base()
	if u == nil {
		return noName()
	}
	host := u.Hostname()
	if a, err := netip.ParseAddr(host); err == nil {
		d.addrs = []netip.Addr{a}
		return ok(host + " is an address")
	}
	ctx, cancel := d.within(ctx)
	defer cancel()
	addrs, err := d.lookup.hosts(ctx, host)
	asked := ""
	if d.o.Resolver != "" {
		asked = " (asked " + d.o.Resolver + ")"
	}
	switch {
	case absent(err):
		return failed(err.Error(), "Phones do not find the server.", "Make a DNS record (A, AAAA) for "+host+" that points to this server.")
	case err != nil:
		return unknown("the name server does not say what "+host+" is: "+err.Error(), "Look at the machine's name servers, or name another one: --resolver ADDRESS")
	}
	texts, local := make([]string, len(addrs)), true
	for i, a := range addrs {
		d.addrs = append(d.addrs, a.Unmap())
		texts[i] = a.Unmap().String()
		local = local && a.Unmap().IsLoopback()
	}
	detail := host + " is " + strings.Join(texts, ", ") + asked
	if local {
		return warn(detail, "That is each machine's name for itself: from others the server is not found.",
			"Make a DNS record for "+host+" that points to this server. If it is only this machine's hosts file that says so, ask a name server: --resolver ADDRESS")
	}
	return ok(detail)
}

// maxAddrs is how many addresses of a name are tried.
const maxAddrs = 8

// running says why the way through the public name is not looked at; ok is true if it can be.
func (d *doctor) running(ctx context.Context) (c Check, ok bool) {
	switch {
	case d.base() == nil:
		return noName(), false
	case d.there && d.connect(ctx) != nil:
		return unknown("not looked at: whether a server runs is not known", "See the store above."), false
	case !d.status.Running:
		return skipped("no server runs", "Run it again while the server runs."), false
	case len(d.addrs) == 0:
		return unknown("not looked at: the name leads nowhere", "See the name above."), false
	}
	return c, true
}

// reach connects to each address of the public name.
func (d *doctor) reach(ctx context.Context) Check {
	if c, ok := d.running(ctx); !ok {
		return c
	}
	port := portOf(d.base())
	var dead, far []string
	refused := false
	for _, a := range d.addrs[:min(len(d.addrs), maxAddrs)] {
		at := netip.AddrPortFrom(a, port)
		err := d.connects(ctx, at)
		switch {
		case err == nil:
			d.at = append(d.at, at)
		case errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.EADDRNOTAVAIL): // this machine has no way there; others may have
			far = append(far, at.String())
		default:
			refused = refused || errors.Is(err, syscall.ECONNREFUSED)
			dead = append(dead, err.Error())
		}
	}
	switch {
	case len(d.at) == 0 && refused:
		return failed(strings.Join(dead, "; "), "Nobody reaches the server under its public name.", "Look at the proxy, at port forwarding and at the firewall. If the router does not lead its own network back to itself, only this machine cannot: try from a phone.")
	case len(d.at) == 0:
		return unknown(strings.Join(append(dead, far...), "; ")+": not reached from here", "Try from a phone that is not in this network; a router that does not lead its own network back to itself looks the same as a closed one.")
	case len(dead) > 0:
		return warn(strings.Join(dead, "; "), "A phone that is given that address first waits, or does not reach the server.", "Take the address out of the DNS, or have the server reached there.")
	}
	detail := fmt.Sprint("reached at ", strings.Trim(fmt.Sprint(d.at), "[]"))
	if len(far) > 0 {
		detail += "; this machine itself has no way to " + strings.Join(far, ", ")
	}
	return ok(detail)
}

func (d *doctor) connects(ctx context.Context, at netip.AddrPort) error {
	ctx, cancel := d.within(ctx)
	defer cancel()
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", at.String())
	if err != nil {
		return err
	}
	return c.Close()
}

// noWay is what comes of a check that needs the server to be reached through its public name.
func noWay() Check {
	return unknown("not looked at: the server is not reached under its public name from here", "See above.")
}

// publicTLS looks at the certificate that each address of the public name shows, as a phone judges it.
func (d *doctor) publicTLS(ctx context.Context) Check {
	if c, ok := d.running(ctx); !ok {
		return c
	}
	u := d.base()
	if u.Scheme == "http" {
		if a, err := netip.ParseAddr(u.Hostname()); err == nil && a.IsLoopback() || u.Hostname() == "localhost" {
			return skipped("the public name is this machine's own", "Nothing, as long as nobody else is to reach it.")
		}
		return warn(u.String()+" is not encrypted", "Whoever is on the way can read every password and every entry.", "Have a proxy speak TLS, or give --tls-cert and --tls-key, or --acme DOMAIN.")
	}
	if len(d.at) == 0 {
		return noWay()
	}
	var out Check
	for _, at := range d.at {
		if c := d.certificateAt(ctx, at, u.Hostname()); graver(c, out) {
			out = c
		}
	}
	return out
}

// graver tells whether a finding is worse than another one; every one is worse than none.
func graver(a, b Check) bool {
	rank := map[Result]int{"": -1, OK: 0, Skipped: 1, Warn: 2, Unknown: 3, Fail: 4}
	return rank[a.Result] > rank[b.Result]
}

func (d *doctor) certificateAt(ctx context.Context, at netip.AddrPort, host string) Check {
	const refuse = "Phones refuse to connect."
	ctx, cancel := d.within(ctx)
	defer cancel()
	// Judged below, so that it can be said what is wrong with it.
	c, err := (&tls.Dialer{Config: &tls.Config{ServerName: host, InsecureSkipVerify: true}}).DialContext(ctx, "tcp", at.String())
	if err != nil {
		return failed(at.String()+" does not speak TLS as it should: "+err.Error(), refuse, "Look at the proxy, or at the log of the server.")
	}
	defer c.Close()
	chain := c.(*tls.Conn).ConnectionState().PeerCertificates
	leaf, inter := chain[0], x509.NewCertPool()
	for _, x := range chain[1:] {
		inter.AddCert(x)
	}
	now := d.o.Clock.Now()
	_, err = leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: d.o.Roots, Intermediates: inter, CurrentTime: now})
	detail := fmt.Sprintf("%s shows a certificate of %s, good until %s", at, issuer(leaf), stamp(leaf.NotAfter))
	wrong, isName := errors.AsType[x509.HostnameError](err)
	_, isRoot := errors.AsType[x509.UnknownAuthorityError](err)
	switch {
	case now.After(leaf.NotAfter):
		return failed(detail+": it has expired", refuse, "Renew it, and have the proxy or the server take the new one; find out why that did not happen by itself.")
	case now.Before(leaf.NotBefore):
		return failed(detail+": it is not good before "+stamp(leaf.NotBefore), refuse, "Compare the clock with another one.")
	case isName:
		return failed(detail+": "+wrong.Error(), refuse, "Get a certificate for "+host+", or mend the name in --public-url.")
	case isRoot && len(chain) == 1:
		return failed(detail+": nobody whom this machine trusts vouches for it, and no further certificate came with it", refuse,
			"Give the whole chain (fullchain.pem, not cert.pem). If it is of an authority of your own, its root must be on every phone.")
	case err != nil:
		return failed(detail+": "+err.Error(), refuse, "Get a certificate of an authority that phones know (--acme DOMAIN).")
	case leaf.NotAfter.Sub(now) < d.c.Doctor.CertSoon:
		return warn(detail, "In "+leaf.NotAfter.Sub(now).Round(time.Hour).String()+" phones refuse to connect.", "Renew it; find out why that did not happen by itself.")
	}
	return ok(detail)
}

func issuer(c *x509.Certificate) string {
	if len(c.Issuer.Organization) > 0 {
		return c.Issuer.Organization[0]
	}
	if c.Issuer.CommonName != "" {
		return c.Issuer.CommonName
	}
	return "an authority without a name"
}
