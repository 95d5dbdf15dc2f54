package auth

import (
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

// FuzzClient: whatever headers say, the base URL is a plain one, and an address that is not a forwarder's claim is the peer's.
func FuzzClient(f *testing.F) {
	f.Add("198.51.100.1, 10.0.0.2", "", "https", "cloud.example.org")
	f.Add("", `for="[2001:db8::7]:4711";proto=https;host=a, for=10.1.1.1`, "", "")
	f.Add(",,unknown,_x,[::1", `for=";;=,"`, "https,http", "a b")
	p := &Proxy{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	f.Fuzz(func(t *testing.T, xff, forwarded, proto, host string) {
		r := httptest.NewRequest("GET", "http://dav.example.org/", nil)
		r.RemoteAddr = "10.0.0.1:5"
		for name, v := range map[string]string{"X-Forwarded-For": xff, "Forwarded": forwarded, "X-Forwarded-Proto": proto, "X-Forwarded-Host": host} {
			if v != "" {
				r.Header.Set(name, v)
			}
		}
		c := p.Client(r)
		if !c.Addr.IsValid() || strings.ContainsAny(c.Base, " \"'<>\\?#@\r\n") || !strings.HasPrefix(c.Base, "http") {
			t.Errorf("%+v", c)
		}
	})
}

// FuzzPHC: what is read of a stored hash is written the same.
func FuzzPHC(f *testing.F) {
	f.Add("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	f.Add("$argon2id$v=19$m=0,t=0,p=0$$")
	f.Fuzz(func(t *testing.T, s string) {
		h, err := parsePHC(s)
		if err != nil {
			return
		}
		again, err := parsePHC(h.String())
		if err != nil || again.String() != h.String() {
			t.Errorf("%q is read as %q: %v", s, h, err)
		}
	})
}
