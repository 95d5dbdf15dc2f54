package doctor

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

func (d *doctor) clock(context.Context) Check {
	now := d.o.Clock.Now()
	if !d.o.Built.IsZero() && now.Before(d.o.Built.Add(-24*time.Hour)) {
		return failed(fmt.Sprintf("the clock says %s, and this program was built on %s", now.UTC().Format(time.RFC3339), d.o.Built.UTC().Format(time.DateOnly)),
			"Times in the history are wrong, and certificates are refused.", "Set the clock, and let it be kept by NTP (timedatectl set-ntp true).")
	}
	switch synced, known := synchronised(); {
	case !known:
		return unknown("the clock says "+now.UTC().Format(time.RFC3339)+"; whether it is kept by NTP cannot be read here", "Look with timedatectl.")
	case !synced:
		return warn("the clock says "+now.UTC().Format(time.RFC3339)+", and is not synchronised", "It drifts: times in the history will be wrong, and certificates refused in the end.",
			"Let it be kept by NTP (timedatectl set-ntp true).")
	}
	return ok("the clock says " + now.UTC().Format(time.RFC3339) + " and is synchronised")
}

func (d *doctor) listening(context.Context) Check {
	out := d.publicListener()
	if !d.c.AdminBeyondLoopback() {
		return out
	}
	admin := warn("the admin listener is open on "+d.c.AdminListen, "It asks nobody to sign in: others can read how the service fares.",
		"Listen on 127.0.0.1 with --admin-listen, or keep others out with a firewall.")
	if out.Result == OK {
		return admin
	}
	return Check{"", out.Result, out.Detail + "; " + admin.Detail, out.Consequence + " " + admin.Consequence, out.Fix + " " + admin.Fix}
}

func (d *doctor) publicListener() Check {
	c := d.c
	switch {
	case c.BeyondLoopback() && !c.HasTLS() && !c.HTTPWithoutTLS:
		return failed(c.Listen+" without TLS", "The service refuses to start: passwords could be read on the way.", "Give --tls-cert and --tls-key, or --acme DOMAIN, or listen on 127.0.0.1 behind a proxy.")
	case c.BeyondLoopback() && !c.HasTLS():
		return warn(c.Listen+" without TLS", "Whoever is on the way can read every password, unless something in between encrypts.", "Give --tls-cert and --tls-key, or --acme DOMAIN.")
	case !c.BeyondLoopback() && c.PublicURL == "":
		return warn(c.Listen+" is reached from this machine alone", "No phone can sync.", "Put it behind a proxy and say --public-url, or listen on an address of this machine with TLS.")
	case !c.BeyondLoopback() && len(c.TrustedProxies) == 0:
		return warn("it is reached through a proxy, and none is trusted", "All sign-ins seem to come from one address, so one person's mistakes slow down all.", "Name the proxy with --trusted-proxy.")
	}
	return ok("it listens on " + c.Listen)
}

// soon is when an ending certificate is worth a warning.
const soon = 14 * 24 * time.Hour

func (d *doctor) certificate(context.Context) Check {
	c := d.c
	if len(c.ACME.Domains) > 0 {
		return skipped("ACME gets it for "+strings.Join(c.ACME.Domains, ", "), "Ask the running service whether it has one: holdfast status.")
	}
	if c.TLS.Cert == "" {
		return ok("none: the service itself speaks plain HTTP")
	}
	pair, err := tls.LoadX509KeyPair(c.TLS.Cert, c.TLS.Key)
	if err != nil {
		return failed(err.Error(), "The service does not start.", "Give a certificate chain and the key that belongs to it.")
	}
	left := pair.Leaf.NotAfter.Sub(d.o.Clock.Now())
	detail := "good until " + pair.Leaf.NotAfter.UTC().Format(time.RFC3339) + " for " + strings.Join(pair.Leaf.DNSNames, ", ")
	host := hostOf(c.PublicURL)
	switch {
	case left <= 0:
		return failed(detail, "Phones refuse to connect.", "Renew it; the running service takes the new file by itself.")
	case host != "" && pair.Leaf.VerifyHostname(host) != nil:
		return failed(detail+"; not for "+host, "Phones refuse to connect.", "Get a certificate for "+host+".")
	case left < soon:
		return warn(detail, "After that phones refuse to connect.", "Renew it; the running service takes the new file by itself.")
	}
	return ok(detail)
}

func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// host is the name that phones use; empty where none is set.
func (d *doctor) host() string {
	if h := hostOf(d.c.PublicURL); h != "" {
		return h
	}
	if len(d.c.ACME.Domains) > 0 {
		return d.c.ACME.Domains[0]
	}
	return ""
}

func (d *doctor) name(ctx context.Context) Check {
	host := d.host()
	if host == "" {
		return skipped("there is no public name (--public-url, --acme)", "Name it if phones are to reach this server.")
	}
	if net.ParseIP(host) != nil {
		return ok(host + " is an address")
	}
	ctx, cancel := context.WithTimeout(ctx, d.c.Doctor.Lookup)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return failed(err.Error(), "Phones do not find the server.", "Make a DNS record (A, AAAA) for "+host+" that points to this server.")
	}
	detail := host + " is " + strings.Join(addrs, ", ")
	for _, a := range addrs {
		if ip := net.ParseIP(a); ip != nil && !ip.IsLoopback() {
			return ok(detail)
		}
	}
	return warn(detail, "That is each machine's name for itself: from others the server is not found.", "Make a DNS record for "+host+" that points to this server.")
}

// discovery asks as a phone asks (RFC 6764).
func (d *doctor) discovery(ctx context.Context) Check {
	base := d.c.PublicURL
	if base == "" {
		return skipped("there is no --public-url", "Name it if this server is behind a proxy.")
	}
	if d.err != nil {
		return unknown("not looked at: whether a server runs is not known", "See the store above.")
	}
	if !d.status.Running {
		return skipped("no server runs", "Run it again while the server runs.")
	}
	ctx, cancel := context.WithTimeout(ctx, d.c.Doctor.Lookup)
	defer cancel()
	at := base + "/.well-known/carddav"
	req, err := http.NewRequestWithContext(ctx, "PROPFIND", at, nil)
	if err != nil {
		return unknown(err.Error(), "Look at --public-url.")
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return failed(err.Error(), "From here the server is not reached under its public name.", "Look at DNS, the proxy, the firewall and the certificate. If only this machine cannot reach it, try from a phone.")
	}
	resp.Body.Close()
	where, _ := resp.Location()
	if resp.StatusCode/100 == 3 && where != nil && where.Path == "/dav/" {
		return ok(at + " leads to " + where.String())
	}
	return failed(fmt.Sprintf("%s answers %s", at, resp.Status), "Phones that know only the host name do not find their address books.", "Let the proxy pass /.well-known/ with every method, PROPFIND too.")
}
