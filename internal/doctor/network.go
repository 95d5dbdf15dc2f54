package doctor

import (
	"context"
	"crypto/tls"
	"net/url"
	"strings"
	"time"
)

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
	case left < d.c.Doctor.CertSoon:
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
