package auth

import (
	"crypto/tls"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestClient(t *testing.T) {
	trusted, err := ParseProxies([]string{"10.0.0.0/8", "127.0.0.1", "2001:db8:ffff::/48"})
	must(t, err)
	type h map[string][]string
	for _, c := range []struct {
		name, remote string
		tls          bool
		headers      h
		addr, base   string
	}{
		{"direct", "192.0.2.1:5", false, h{}, "192.0.2.1", "http://dav.example.org:8420"},
		{"direct with TLS", "[2001:db8::1]:5", true, h{}, "2001:db8::1", "https://dav.example.org:8420"},
		{"IPv4 in IPv6", "[::ffff:192.0.2.1]:5", false, h{}, "192.0.2.1", "http://dav.example.org:8420"},
		{"a stranger lies", "192.0.2.1:5", false, h{"X-Forwarded-For": {"198.51.100.1"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"evil.example"}}, "192.0.2.1", "http://dav.example.org:8420"},
		{"one proxy", "10.0.0.1:5", false, h{"X-Forwarded-For": {"198.51.100.1"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"cloud.example.org"}}, "198.51.100.1", "https://cloud.example.org"},
		{"two proxies", "10.0.0.1:5", false, h{"X-Forwarded-For": {"198.51.100.1, 10.0.0.2"}}, "198.51.100.1", "http://dav.example.org:8420"},
		{"in two headers", "10.0.0.1:5", false, h{"X-Forwarded-For": {"198.51.100.1", "10.0.0.2"}}, "198.51.100.1", "http://dav.example.org:8420"},
		{"the client lies to the proxy", "10.0.0.1:5", false, h{"X-Forwarded-For": {"203.0.113.9, 198.51.100.1"}}, "198.51.100.1", "http://dav.example.org:8420"},
		{"the client lies in Forwarded, the proxy writes X-Forwarded-For", "10.0.0.1:5", false, h{"Forwarded": {"for=203.0.113.9;proto=https;host=evil.example"}, "X-Forwarded-For": {"198.51.100.1"}, "X-Forwarded-Proto": {"http"}, "X-Forwarded-Host": {"a.example"}}, "198.51.100.1", "http://a.example"},
		{"Forwarded alone", "10.0.0.1:5", false, h{"Forwarded": {`for=203.0.113.9, for="[2001:db8::7]:4711";proto=https;host="cloud.example.org"`}}, "2001:db8::7", "https://cloud.example.org"},
		{"Forwarded through two", "[2001:db8:ffff::1]:5", false, h{"Forwarded": {`For=198.51.100.1:80`, `for=10.1.1.1`}}, "198.51.100.1", "http://dav.example.org:8420"},
		{"not known", "10.0.0.1:5", false, h{"X-Forwarded-For": {"198.51.100.1, unknown"}}, "10.0.0.1", "http://dav.example.org:8420"},
		{"with ports", "10.0.0.1:5", false, h{"X-Forwarded-For": {"198.51.100.1:443"}}, "198.51.100.1", "http://dav.example.org:8420"},
		{"all are trusted", "127.0.0.1:5", false, h{"X-Forwarded-For": {"10.0.0.9"}}, "10.0.0.9", "http://dav.example.org:8420"},
		{"a host that is markup", "10.0.0.1:5", false, h{"X-Forwarded-Host": {`"><b>`}}, "10.0.0.1", "http://dav.example.org:8420"},
		{"a Unix socket", "@", false, h{"X-Forwarded-For": {"198.51.100.1"}}, "invalid IP", "http://dav.example.org:8420"},
		{"a very long list", "10.0.0.1:5", false, h{"X-Forwarded-For": {"198.51.100.1" + strings.Repeat(",10.0.0.1", 100)}}, "10.0.0.1", "http://dav.example.org:8420"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "http://dav.example.org:8420/", nil)
			r.RemoteAddr = c.remote
			for k, v := range c.headers {
				r.Header[k] = v
			}
			if c.tls {
				r.TLS = &tls.ConnectionState{}
			}
			got := (&Proxy{Trusted: trusted}).Client(r)
			if got.Addr.String() != c.addr || got.Base != c.base {
				t.Errorf("got %v %s, want %s %s", got.Addr, got.Base, c.addr, c.base)
			}
		})
	}
}

func TestPublicURL(t *testing.T) {
	u, err := ParsePublicURL("https://dav.example.org:8443/")
	must(t, err)
	r := httptest.NewRequest("GET", "http://127.0.0.1:8420/", nil)
	c := (&Proxy{Public: u}).Client(r)
	if c.Base != "https://dav.example.org:8443" || !c.HTTPS || c.Host != "dav.example.org:8443" || c.Local() {
		t.Errorf("got %+v", c)
	}
	for _, s := range []string{"", "dav.example.org", "ftp://dav.example.org", "https://", "https://a b/", "https://u:p@dav.example.org", "https://dav.example.org/?x", "https://dav.example.org/cloud"} {
		if _, err := ParsePublicURL(s); err == nil {
			t.Errorf("%q was taken", s)
		}
	}
}

func TestLocal(t *testing.T) {
	for host, want := range map[string]bool{"127.0.0.1:8420": true, "localhost": true, "localhost:1": true, "[::1]:8420": true, "[::1]": true, "0.0.0.0:1": true,
		"dav.example.org": false, "192.168.1.5:8420": false, "[2001:db8::1]:8": false} {
		if got := (ClientInfo{Host: host}).Local(); got != want {
			t.Errorf("%s: %v", host, got)
		}
	}
}

func TestUntrustedProxyIsToldOnce(t *testing.T) {
	var b strings.Builder
	p := &Proxy{Log: slog.New(slog.NewTextHandler(&b, nil))}
	for range 3 {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("X-Forwarded-For", "198.51.100.1")
		p.Client(r)
	}
	if strings.Count(b.String(), "--trusted-proxy") != 1 {
		t.Errorf("log: %s", b.String())
	}
}

func TestParseProxies(t *testing.T) {
	if _, err := ParseProxies([]string{"10.0.0.0/8", "my-proxy"}); err == nil || !strings.Contains(err.Error(), "my-proxy") {
		t.Errorf("got %v", err)
	}
}
