package doctor

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// The records by which programs find a server from a mail address alone (RFC 6764 section 3).
var services = []string{"_caldavs._tcp", "_carddavs._tcp"}

// maxDomains is how many domains are asked for.
const maxDomains = 8

// records looks at the SRV and TXT records of the accounts' domains. Only domains that the public name lies in are looked at: of another one nobody here can say what its records should be.
func (d *doctor) records(ctx context.Context) Check {
	u := d.base()
	if u == nil {
		return noName()
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil {
		return skipped("the public name is an address", "Nothing: an address has no such records.")
	}
	if !d.there {
		return d.noStore()
	}
	if err := d.connect(ctx); err != nil {
		return unknown("whose domains there are is not known", "See the store above.")
	}
	list, err := d.opened.Accounts(ctx)
	if err != nil {
		return unknown("the accounts cannot be asked for: "+err.Error(), "Run it again.")
	}
	var domains []string
	for _, a := range list {
		_, domain, _ := strings.Cut(a.Email, "@")
		if !slices.Contains(domains, domain) && strings.HasSuffix("."+u.Hostname(), "."+domain) && domain != "" && len(domains) < maxDomains {
			domains = append(domains, domain)
		}
	}
	if len(domains) == 0 {
		return skipped("no account's domain is one that "+u.Hostname()+" lies in", "Nothing: programs are told the server's name.")
	}
	out := Check{}
	for _, domain := range domains {
		if c := d.recordsOf(ctx, domain, u); graver(c, out) {
			out = c
		}
	}
	return out
}

func (d *doctor) recordsOf(ctx context.Context, domain string, u *url.URL) Check {
	out := Check{}
	for _, service := range services {
		c := d.record(ctx, service+"."+domain, domain, u)
		if out.Result == OK && c.Result == OK {
			out.Detail += "; " + c.Detail
		}
		if graver(c, out) {
			out = c
		}
	}
	return out
}

// record looks at one service of a domain.
func (d *doctor) record(ctx context.Context, name, domain string, u *url.URL) Check {
	host, port := u.Hostname(), portOf(u)
	mend := fmt.Sprintf("Make these records: %s. SRV 0 1 %d %s. and %s. TXT \"path=/dav/\"", name, port, host, name)
	ctx, cancel := d.within(ctx)
	defer cancel()
	list, err := d.lookup.services(ctx, name)
	switch {
	case absent(err) && domain == host:
		return ok("no SRV record for " + name + ", and none is needed: programs look at " + host + " itself")
	case absent(err):
		return warn("there is no SRV record for "+name, "Programs that are told only an address like you@"+domain+" do not find the server; told "+host+", they do.", mend)
	case err != nil:
		return unknown("the SRV record for "+name+" cannot be asked for: "+err.Error(), "Look at the machine's name servers, or name another one: --resolver ADDRESS")
	}
	for _, s := range list {
		if !strings.EqualFold(strings.TrimSuffix(s.Target, "."), host) || s.Port != port {
			return failed(fmt.Sprintf("%s leads to %s port %d, not to %s port %d", name, s.Target, s.Port, host, port),
				"Programs that are told only an address like you@"+domain+" go to the wrong place.", mend)
		}
	}
	texts, err := d.lookup.texts(ctx, name)
	if err != nil && !absent(err) {
		return unknown("the TXT record for "+name+" cannot be asked for: "+err.Error(), "Run it again.")
	}
	for _, t := range texts {
		if path, is := strings.CutPrefix(t, "path="); is && path != "/dav/" && path != "/dav" && path != "/" && !strings.HasPrefix(path, "/.well-known/") {
			return failed(name+" says path="+path, "Programs that follow it find nothing there.", mend)
		}
	}
	return ok(name + " leads here")
}
