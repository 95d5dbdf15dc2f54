package doctor

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// world is what lies between a phone and the server: names, a certificate, a proxy. A test puts one thing out of order.
type world struct {
	zone  []string // records, in the form of zone files
	rcode int      // what the name server says to everything; 0: what it knows
	until time.Time
	name  string                          // in the certificate
	self  bool                            // it vouches for itself
	proxy func(http.Handler) http.Handler // what lies in front of the server; nil: nothing
}

const publicHost = "cloud.example.org"

// service is the server as far as it is asked here.
func service(secret string) http.Handler {
	echo := Echo(func(r *http.Request) (string, bool) { return "192.0.2.1", r.TLS != nil })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case Probes(r, secret):
			echo.ServeHTTP(w, r)
		case strings.HasPrefix(r.URL.Path, "/.well-known/"):
			w.Header().Set("Location", "/dav/")
			w.WriteHeader(http.StatusMovedPermanently)
		default:
			w.Header().Set("WWW-Authenticate", `Basic realm="Holdfast"`)
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
}

// build starts it and has the doctor look at it.
func (x world) build(t *testing.T) func(*Options, *patient) {
	const secret = "a secret of this start"
	h := service(secret)
	if x.proxy != nil {
		h = x.proxy(h)
	}
	if x.name == "" {
		x.name = publicHost
	}
	if x.until.IsZero() {
		x.until = noon.Add(90 * 24 * time.Hour)
	}
	pair, roots := certify(t, x.name, x.until, x.self)
	s := httptest.NewUnstartedServer(h)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	s.StartTLS()
	t.Cleanup(s.Close)
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	if x.zone == nil {
		x.zone = []string{publicHost + ". 60 IN A 127.0.0.1"}
	}
	for i := range x.zone {
		x.zone[i] = strings.ReplaceAll(x.zone[i], "PORT", port)
	}
	resolver := nameServerOf(t, x.zone, x.rcode)
	return func(o *Options, p *patient) {
		o.Config.PublicURL, o.Resolver, o.Roots = "https://"+publicHost+":"+port, resolver, roots
		p.status.Probe, p.accounts = secret, []string{"alice@example.org", "bob@elsewhere.example"}
	}
}

// nameServerOf answers by a zone, on this machine.
func nameServerOf(t *testing.T, zone []string, rcode int) string {
	t.Helper()
	var known []dns.RR
	for _, line := range zone {
		rr, err := dns.NewRR(line)
		if err != nil {
			t.Fatal(err)
		}
		known = append(known, rr)
	}
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &dns.Server{PacketConn: c, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		there := false
		for _, rr := range known {
			if rr.Header().Name == q.Question[0].Name {
				there = true
				if rr.Header().Rrtype == q.Question[0].Qtype {
					m.Answer = append(m.Answer, rr)
				}
			}
		}
		if m.Rcode = rcode; rcode == 0 && !there {
			m.Rcode = dns.RcodeNameError
		}
		_ = w.WriteMsg(m)
	})}
	ready := make(chan struct{})
	s.NotifyStartedFunc = func() { close(ready) }
	go func() { _ = s.ActivateAndServe() }()
	<-ready
	t.Cleanup(func() { _ = s.Shutdown() })
	return c.LocalAddr().String()
}

// certify makes an authority and a certificate of it.
func certify(t *testing.T, name string, until time.Time, self bool) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	sign := func(x, by *x509.Certificate, byKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if by == nil {
			by, byKey = x, key
		}
		der, err := x509.CreateCertificate(rand.Reader, x, by, key.Public(), byKey)
		if err != nil {
			t.Fatal(err)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return c, key
	}
	from := noon.Add(-1000 * time.Hour)
	root, rootKey := sign(&x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Root of a test"}, NotBefore: from, NotAfter: noon.Add(10000 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, nil, nil)
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{name}, NotBefore: from, NotAfter: until, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	by, byKey := root, rootKey
	if self {
		by, byKey = nil, nil
	}
	made, key := sign(leaf, by, byKey)
	roots := x509.NewCertPool()
	roots.AddCert(root)
	return tls.Certificate{Certificate: [][]byte{made.Raw}, PrivateKey: key}, roots
}

// refuses has a proxy answer some methods itself.
func refuses(methods ...string) func(http.Handler) http.Handler {
	return func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for _, m := range methods {
				if r.Method == m {
					w.WriteHeader(http.StatusMethodNotAllowed)
					return
				}
			}
			h.ServeHTTP(w, r)
		})
	}
}

// before has a proxy change each request.
func before(change func(*http.Request)) func(http.Handler) http.Handler {
	return func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { change(r); h.ServeHTTP(w, r) })
	}
}

// after has a proxy change the headers of each answer.
func after(change func(http.Header)) func(http.Handler) http.Handler {
	return func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, r)
			change(rec.Header())
			for k, v := range rec.Header() {
				w.Header()[k] = v
			}
			w.WriteHeader(rec.Code)
			_, _ = w.Write(rec.Body.Bytes())
		})
	}
}

// instead has something else answer everything.
func instead(code int) func(http.Handler) http.Handler {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(code) })
	}
}

const (
	address  = publicHost + ". 60 IN A 127.0.0.1"
	calendar = "_caldavs._tcp.example.org. 60 IN SRV 0 1 PORT cloud.example.org."
	contacts = "_carddavs._tcp.example.org. 60 IN SRV 0 1 PORT cloud.example.org."
)

func TestThroughThePublicName(t *testing.T) {
	for _, tt := range []struct {
		what, check string
		result      Result
		says        string
		world       world
	}{
		{"well", "name", Warn, "is 127.0.0.1 (asked 127.0.0.1:", world{}}, // a test has no other address
		{"well", "reach", OK, "reached at 127.0.0.1:", world{}},
		{"well", "public TLS", OK, "Root of a test", world{}},
		{"well", "way through", OK, "11 methods, 6 headers and bodies arrive", world{}},
		{"well", "discovery", OK, "asks to sign in", world{}},
		{"no such name", "name", Fail, "no such name", world{zone: []string{"other.example.org. 60 IN A 127.0.0.1"}}},
		{"no such name", "reach", Unknown, "leads nowhere", world{zone: []string{"other.example.org. 60 IN A 127.0.0.1"}}},
		{"a name server in trouble", "name", Unknown, "SERVFAIL", world{rcode: dns.RcodeServerFailure}},
		{"a name of somewhere else", "name", OK, "203.0.113.9", world{zone: []string{publicHost + ". 60 IN A 203.0.113.9"}}},
		{"nobody there", "reach", Fail, "refused", world{zone: []string{publicHost + ". 60 IN A 127.0.0.77"}}},
		{"one of two addresses", "reach", Warn, "127.0.0.77", world{zone: []string{address, publicHost + ". 60 IN A 127.0.0.77"}}},

		{"no records", "service records", Warn, "no SRV record for _cal", world{}},
		{"one record", "service records", Warn, "no SRV record for _card", world{zone: []string{address, calendar}}},
		{"both records", "service records", OK, "_caldavs._tcp.example.org leads here; _carddavs", world{zone: []string{address, calendar, contacts}}},
		{"a record of another host", "service records", Fail, "leads to mail.example.org.", world{zone: []string{address, contacts, "_caldavs._tcp.example.org. 60 IN SRV 0 1 PORT mail.example.org."}}},
		{"a record of another port", "service records", Fail, "port 1,", world{zone: []string{address, contacts, "_caldavs._tcp.example.org. 60 IN SRV 0 1 1 cloud.example.org."}}},
		{"a path", "service records", OK, "leads here", world{zone: []string{address, calendar, contacts, `_caldavs._tcp.example.org. 60 IN TXT "path=/dav/"`}}},
		{"a wrong path", "service records", Fail, "says path=/caldav", world{zone: []string{address, calendar, contacts, `_caldavs._tcp.example.org. 60 IN TXT "path=/caldav"`}}},

		{"expired", "public TLS", Fail, "it has expired", world{until: noon.Add(-time.Hour)}},
		{"expired, and what lies behind", "way through", OK, "arrive", world{until: noon.Add(-time.Hour)}},
		{"ends soon", "public TLS", Warn, "good until", world{until: noon.Add(50 * time.Hour)}},
		{"another name", "public TLS", Fail, "mail.example.org", world{name: "mail.example.org"}},
		{"an authority that nobody knows", "public TLS", Fail, "no further certificate", world{self: true}},

		{"no PROPFIND", "way through", Fail, "does not pass PROPFIND (405", world{proxy: refuses("PROPFIND")}},
		{"no PROPFIND", "discovery", Fail, "PROPFIND /.well-known/caldav answers 405", world{proxy: refuses("PROPFIND")}},
		{"no REPORT, no MKCALENDAR", "way through", Fail, "REPORT (405 Method Not Allowed), MKCALENDAR (405", world{proxy: refuses("REPORT", "MKCALENDAR")}},
		{"no Depth", "way through", Fail, "Depth arrives as nothing", world{proxy: before(func(r *http.Request) { r.Header.Del("Depth") })}},
		{"no Authorization", "way through", Fail, "Authorization arrives as nothing", world{proxy: before(func(r *http.Request) { r.Header.Del("Authorization") })}},
		{"another Depth", "way through", Fail, "Depth arrives as 0", world{proxy: before(func(r *http.Request) { r.Header.Set("Depth", "0") })}},
		{"another path", "way through", Fail, "/dav/ arrives as /x/dav/", world{proxy: before(func(r *http.Request) { r.URL.Path = "/x" + r.URL.Path })}},
		{"no body", "way through", Fail, "octets 0 arrive", world{proxy: before(func(r *http.Request) { r.Body = http.NoBody })}},
		{"no TLS behind the proxy", "way through", Warn, "without TLS", world{proxy: before(func(r *http.Request) { r.TLS = nil })}},
		{"a weak ETag", "way through", Fail, `to W/"holdfast"`, world{proxy: after(func(h http.Header) {
			if e := h.Get("ETag"); e != "" {
				h.Set("ETag", "W/"+e)
			}
		})}},
		{"another server", "way through", Fail, "this server does not answer: PROPFIND of /dav/ gives 404", world{proxy: instead(404)}},
		{"down to http", "discovery", Fail, "leads from https to http://cloud.example.org", world{proxy: after(func(h http.Header) {
			if h.Get("Location") != "" {
				h.Set("Location", "http://cloud.example.org/dav/")
			}
		})}},
		{"a page to sign in", "discovery", Fail, "without a password answers 200", world{proxy: func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/dav/" {
					h.ServeHTTP(w, r)
				}
			})
		}}},
		{"nobody asks for a password", "discovery", Fail, "no WWW-Authenticate", world{proxy: after(func(h http.Header) { h.Del("WWW-Authenticate") })}},
		{"not ready", "discovery", Unknown, "503", world{proxy: instead(503)}},
	} {
		t.Run(tt.what+" "+tt.check, func(t *testing.T) {
			c := look(t, tt.world.build(t))[tt.check]
			if c.Result != tt.result || !strings.Contains(c.Detail, tt.says) {
				t.Errorf("%s %q, want %s with %q", c.Result, c.Detail, tt.result, tt.says)
			}
		})
	}
}

// TestProbesNeedTheSecret: who does not know it is served as everybody.
func TestProbesNeedTheSecret(t *testing.T) {
	for given, want := range map[string]bool{"right": true, "wrong": false, "": false} {
		r := httptest.NewRequest("GET", "/dav/", nil)
		r.Header.Set(probeHeader, given)
		if got := Probes(r, "right"); got != want {
			t.Errorf("%q: %v", given, got)
		}
		if Probes(r, "") {
			t.Errorf("%q opens a server without a secret", given)
		}
	}
}
