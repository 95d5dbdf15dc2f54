package doctor

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"

	"github.com/miekg/dns"
)

// lookup asks for names. What is not there is an error of which [absent] is true; others mean that it could not be found out.
type lookup interface {
	hosts(ctx context.Context, name string) ([]netip.Addr, error)
	services(ctx context.Context, name string) ([]*net.SRV, error)
	texts(ctx context.Context, name string) ([]string, error)
}

// lookupBy asks a name server (HOST:PORT, or an address alone); where none is named, it asks as all programs of this machine do.
func lookupBy(server string) lookup {
	if server == "" {
		return system{}
	}
	if _, _, err := net.SplitHostPort(server); err != nil {
		server = net.JoinHostPort(strings.Trim(server, "[]"), "53")
	}
	return nameServer(server)
}

// absent tells that a name has no such record, rather than that nobody could say.
func absent(err error) bool {
	x, ok := errors.AsType[*net.DNSError](err)
	return ok && x.IsNotFound
}

// system is what the machine does: the hosts file first, then the name servers that it was given.
type system struct{}

func (system) hosts(ctx context.Context, name string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
}

func (system) services(ctx context.Context, name string) ([]*net.SRV, error) {
	_, list, err := net.DefaultResolver.LookupSRV(ctx, "", "", dns.Fqdn(name))
	return list, err
}

func (system) texts(ctx context.Context, name string) ([]string, error) {
	return net.DefaultResolver.LookupTXT(ctx, dns.Fqdn(name))
}

// nameServer asks one server, and never the hosts file, which on many systems maps the machine's own name to itself.
type nameServer string

func (s nameServer) ask(ctx context.Context, name string, kind uint16) ([]dns.RR, error) {
	q := new(dns.Msg).SetQuestion(dns.Fqdn(name), kind)
	trouble := func(err error, text string) error {
		if err != nil {
			text = err.Error()
		}
		return &net.DNSError{Err: text, Name: name, Server: string(s)}
	}
	r, _, err := new(dns.Client).ExchangeContext(ctx, q, string(s))
	if err == nil && r.Truncated {
		r, _, err = (&dns.Client{Net: "tcp"}).ExchangeContext(ctx, q, string(s))
	}
	switch {
	case err != nil:
		return nil, trouble(err, "")
	case r.Rcode == dns.RcodeNameError:
		return nil, &net.DNSError{Err: "no such name", Name: name, Server: string(s), IsNotFound: true}
	case r.Rcode != dns.RcodeSuccess:
		return nil, trouble(nil, "the name server answers "+dns.RcodeToString[r.Rcode])
	}
	return r.Answer, nil
}

// of asks for one kind of record and takes from the answer what take knows.
func of[T any](ctx context.Context, s nameServer, name string, kinds []uint16, take func(dns.RR) (T, bool)) (out []T, err error) {
	for _, kind := range kinds {
		list, err := s.ask(ctx, name, kind)
		if err != nil {
			return nil, err
		}
		for _, rr := range list {
			if v, ok := take(rr); ok {
				out = append(out, v)
			}
		}
	}
	if len(out) == 0 {
		return nil, &net.DNSError{Err: "no such record", Name: name, Server: string(s), IsNotFound: true}
	}
	return out, nil
}

func (s nameServer) hosts(ctx context.Context, name string) ([]netip.Addr, error) {
	return of(ctx, s, name, []uint16{dns.TypeA, dns.TypeAAAA}, func(rr dns.RR) (a netip.Addr, ok bool) {
		switch x := rr.(type) {
		case *dns.A:
			a, ok = netip.AddrFromSlice(x.A.To4())
		case *dns.AAAA:
			a, ok = netip.AddrFromSlice(x.AAAA)
		}
		return a, ok
	})
}

func (s nameServer) services(ctx context.Context, name string) ([]*net.SRV, error) {
	return of(ctx, s, name, []uint16{dns.TypeSRV}, func(rr dns.RR) (*net.SRV, bool) {
		x, ok := rr.(*dns.SRV)
		if !ok {
			return nil, false
		}
		return &net.SRV{Target: x.Target, Port: x.Port, Priority: x.Priority, Weight: x.Weight}, true
	})
}

func (s nameServer) texts(ctx context.Context, name string) ([]string, error) {
	return of(ctx, s, name, []uint16{dns.TypeTXT}, func(rr dns.RR) (string, bool) {
		x, ok := rr.(*dns.TXT)
		if !ok {
			return "", false
		}
		return strings.Join(x.Txt, ""), true
	})
}
