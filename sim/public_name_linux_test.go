package sim

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	stdlog "log"
	"math/big"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/sim/server"

	"github.com/miekg/dns"
)

// The machines, with addresses that nobody has (RFC 5737), and the name that phones are given.
const (
	publicName = "cloud.example.org"
	hostAddr   = "192.0.2.10" // of the machine that Holdfast and its proxy run on
	worldAddr  = "192.0.2.1"  // of the name server
	otherAddr  = "192.0.2.20" // of somebody else's web server
	emptyAddr  = "192.0.2.99" // of nobody
	holdfastAt = "127.0.0.1:8420"
)

// street is everything between a phone and Holdfast. Its parts are put out of order one at a time.
type street struct {
	host, world namespace
	s           *server.Server
	resolvConf  string
	rootFile    string

	mu    sync.Mutex
	zone  []string // as zone files write records
	cert  tls.Certificate
	proxy func(http.Handler) http.Handler // what the proxy does beyond passing on; nil: nothing

	good, expired tls.Certificate
	pemFile       string // the good certificate and its key
}

func (x *street) set(fn func()) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.zone = []string{publicName + ". 60 IN A " + hostAddr,
		"_caldavs._tcp.example.org. 60 IN SRV 0 1 443 cloud.example.org.", `_caldavs._tcp.example.org. 60 IN TXT "path=/dav/"`,
		"_carddavs._tcp.example.org. 60 IN SRV 0 1 443 cloud.example.org."}
	x.cert, x.proxy = x.good, nil
	fn()
}

// newStreet builds two machines and starts what runs on them.
func newStreet(t *testing.T) *street {
	t.Helper()
	x := &street{host: newNamespace(t, "host"), world: newNamespace(t, "world")}
	join(t, x.host, x.world, hostAddr+"/24", worldAddr+"/24")
	ip(t, "-n", x.world.name, "addr", "add", otherAddr+"/24", "dev", "cable")
	dir := t.TempDir()
	x.resolvConf, x.rootFile = filepath.Join(dir, "resolv.conf"), filepath.Join(dir, "root.pem")
	if err := os.WriteFile(x.resolvConf, []byte("nameserver "+worldAddr+"\noptions timeout:1 attempts:1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	x.certify(t)
	x.set(func() {})
	x.serveNames(t)
	x.serveOther(t)
	x.s = start(t, server.Options{Wrap: x.host.wrap(x.resolvConf), Flags: []string{"--listen", holdfastAt, "--public-url", "https://" + publicName, "--trusted-proxy", "127.0.0.1"}})
	if _, err := x.s.AddAccount(t.Context(), "alice@example.org"); err != nil {
		t.Fatal(err)
	}
	x.serveProxy(t)
	return x
}

// certify makes an authority that the doctor is told to trust, and certificates of it.
func (x *street) certify(t *testing.T) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Root of a test"}, NotBefore: now.Add(-1000 * time.Hour), NotAfter: now.Add(1000 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, root, root, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(x.rootFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644); err != nil {
		t.Fatal(err)
	}
	leaf := func(name string, until time.Time) tls.Certificate {
		c := &x509.Certificate{SerialNumber: big.NewInt(until.Unix()), DNSNames: []string{name}, NotBefore: now.Add(-900 * time.Hour), NotAfter: until,
			KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
		der, err := x509.CreateCertificate(rand.Reader, c, root, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	}
	x.good, x.expired = leaf(publicName, now.Add(900*time.Hour)), leaf(publicName, now.Add(-time.Hour))
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	x.pemFile = filepath.Join(filepath.Dir(x.rootFile), "pair.pem")
	pair := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: x.good.Certificate[0]}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})...)
	if err := os.WriteFile(x.pemFile, pair, 0o600); err != nil {
		t.Fatal(err)
	}
}

// serveNames answers by the zone.
func (x *street) serveNames(t *testing.T) {
	s := &dns.Server{PacketConn: x.world.listenPacket(t, worldAddr+":53"), Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		x.mu.Lock()
		zone := x.zone
		x.mu.Unlock()
		m := new(dns.Msg).SetReply(q)
		m.Rcode, m.RecursionAvailable = dns.RcodeNameError, true // as a resolver, not as an authority
		for _, line := range zone {
			rr, err := dns.NewRR(line)
			if err != nil || rr.Header().Name != strings.ToLower(q.Question[0].Name) {
				continue
			}
			m.Rcode = dns.RcodeSuccess
			if rr.Header().Rrtype == q.Question[0].Qtype {
				m.Answer = append(m.Answer, rr)
			}
		}
		_ = w.WriteMsg(m) // who asked asks again
	})}
	ready := make(chan struct{})
	s.NotifyStartedFunc = func() { close(ready) }
	go func() { _ = s.ActivateAndServe() }()
	<-ready
	t.Cleanup(func() { _ = s.Shutdown() })
}

// serveTLS serves on one of the machines until the test ends.
func serveTLS(t *testing.T, n namespace, addr string, cert func() *tls.Certificate, h http.Handler) {
	t.Helper()
	l := tls.NewListener(n.listen(t, addr), &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return cert(), nil }})
	s := &http.Server{Handler: h, ErrorLog: stdlog.New(io.Discard, "", 0)}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
}

// serveOther is somebody else's web server, whose certificate is for the name all the same.
func (x *street) serveOther(t *testing.T) {
	serveTLS(t, x.world, otherAddr+":443", func() *tls.Certificate { return &x.good }, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "It works!") // nobody is there to hear of it
	}))
}

// serveProxy is the proxy in front of Holdfast.
func (x *street) serveProxy(t *testing.T) {
	pass := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: holdfastAt})
	pass.Transport = &http.Transport{DialContext: x.host.dial}
	pass.ErrorLog = stdlog.New(io.Discard, "", 0)
	serveTLS(t, x.host, hostAddr+":443", func() *tls.Certificate {
		x.mu.Lock()
		defer x.mu.Unlock()
		c := x.cert
		return &c
	}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x.mu.Lock()
		h := http.Handler(pass)
		if x.proxy != nil {
			h = x.proxy(h)
		}
		x.mu.Unlock()
		r.Header.Set("X-Forwarded-Proto", "https")
		h.ServeHTTP(w, r)
	}))
}

// finding is a check as `doctor --json` prints it.
type finding struct{ Name, Result, Detail, Consequence, Fix string }

// doctor runs the program's doctor on the host, and returns its findings and its exit status.
func (x *street) doctor(t *testing.T, args ...string) (map[string]finding, int) {
	t.Helper()
	line := append(x.host.wrap(x.resolvConf), x.s.Bin, "doctor", "--data", x.s.Data, "--listen", holdfastAt, "--public-url", "https://"+publicName, "--trusted-proxy", "127.0.0.1", "--json")
	line = append(line, args...)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, line[0], line[1:]...)
	cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+x.rootFile, "SSL_CERT_DIR=/nonexistent")
	b, err := cmd.Output()
	code := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	var out struct{ Checks []finding }
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatalf("%v: %.500q", err, b)
	}
	found := map[string]finding{}
	for _, c := range out.Checks {
		found[c.Name] = c
	}
	return found, code
}

// expect is a finding that is wanted.
type expect struct{ check, result, says string }

// judge runs the doctor and compares.
func (x *street) judge(t *testing.T, exit int, want []expect, args ...string) {
	t.Helper()
	found, code := x.doctor(t, args...)
	for _, w := range want {
		if c := found[w.check]; c.Result != w.result || !strings.Contains(c.Detail, w.says) {
			t.Errorf("%s: %s %q, want %s with %q", w.check, c.Result, c.Detail, w.result, w.says)
		} else if c.Result != "ok" && (c.Consequence == "" || c.Fix == "") {
			t.Errorf("%s: half a finding: %+v", w.check, c)
		}
	}
	if code != exit && !(exit == 0 && code == 5 && found["clock"].Result == "unknown") { // a machine that does not tell how its clock is kept
		t.Errorf("exit status %d, want %d", code, exit)
		for _, c := range found {
			t.Logf("%s: %s %s", c.Name, c.Result, c.Detail)
		}
	}
}

// swallow has the proxy answer some methods itself.
func swallow(methods ...string) func(http.Handler) http.Handler {
	return func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for _, m := range methods {
				if m == r.Method {
					http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
					return
				}
			}
			h.ServeHTTP(w, r)
		})
	}
}

// strip has the proxy drop a header.
func strip(name string) func(http.Handler) http.Handler {
	return func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { r.Header.Del(name); h.ServeHTTP(w, r) })
	}
}

// TestDoctorThroughThePublicName has the built program look at itself through its public name, on a machine of its own with a name server, a proxy and a certificate, each of them in turn as it should not be.
func TestDoctorThroughThePublicName(t *testing.T) {
	x := newStreet(t)
	for _, tt := range []struct {
		what  string
		wrong func()
		exit  int
		args  []string
		want  []expect
	}{
		{"as it should be", func() {}, 0, nil, []expect{{"name", "ok", publicName + " is " + hostAddr}, {"service records", "ok", "leads here"}, {"reach", "ok", hostAddr + ":443"},
			{"public TLS", "ok", "Root of a test"}, {"way through", "ok", "this server answers under https://" + publicName}, {"discovery", "ok", "asks to sign in"}}},
		{"the name server that is named", func() {}, 0, []string{"--resolver", worldAddr}, []expect{{"name", "ok", "(asked " + worldAddr + ")"}, {"way through", "ok", "arrive"}}},
		{"a name of somebody else's machine", func() { x.zone[0] = publicName + ". 60 IN A " + otherAddr }, 1, nil, []expect{{"name", "ok", otherAddr}, {"public TLS", "ok", "good until"},
			{"way through", "fail", "this server does not answer: PROPFIND of /dav/ gives 200"}, {"discovery", "fail", "/.well-known/caldav answers 200"}}},
		{"a name of nobody's machine", func() { x.zone[0] = publicName + ". 60 IN A " + emptyAddr }, 5, nil, []expect{{"name", "ok", emptyAddr}, {"reach", "unknown", "not reached from here"}, {"way through", "unknown", "not reached"}}},
		{"an old address beside the right one", func() { x.zone = append(x.zone, publicName+". 60 IN A "+emptyAddr) }, 0, nil, []expect{{"reach", "warn", emptyAddr}, {"way through", "ok", "arrive"}}},
		{"no such name", func() { x.zone = x.zone[1:] }, 1, nil, []expect{{"name", "fail", "no such host"}, {"reach", "unknown", "leads nowhere"}}},
		{"no name server", func() {}, 5, []string{"--resolver", worldAddr + ":54"}, []expect{{"name", "unknown", "does not say"}, {"service records", "unknown", "cannot be asked"}}},
		{"records of another host", func() { x.zone[1] = "_caldavs._tcp.example.org. 60 IN SRV 0 1 443 old.example.org." }, 1, nil, []expect{{"service records", "fail", "leads to old.example.org. port 443"}}},
		{"an expired certificate", func() { x.cert = x.expired }, 1, nil, []expect{{"public TLS", "fail", "it has expired"}, {"way through", "ok", "arrive"}}},
		{"a proxy that swallows PROPFIND", func() { x.proxy = swallow("PROPFIND") }, 1, nil, []expect{{"way through", "fail", "does not pass PROPFIND (405"}, {"discovery", "fail", "PROPFIND /.well-known/carddav answers 405"}}},
		{"a proxy that swallows REPORT and MKCALENDAR", func() { x.proxy = swallow("REPORT", "MKCALENDAR") }, 1, nil, []expect{{"way through", "fail", "REPORT (405 Method Not Allowed), MKCALENDAR"}, {"discovery", "ok", "lead to"}}},
		{"a proxy that drops Authorization", func() { x.proxy = strip("Authorization") }, 1, nil, []expect{{"way through", "fail", "Authorization arrives as nothing"}}},
		{"a proxy that drops Depth", func() { x.proxy = strip("Depth") }, 1, nil, []expect{{"way through", "fail", "Depth arrives as nothing"}}},
	} {
		t.Run(tt.what, func(t *testing.T) {
			x.set(tt.wrong)
			x.judge(t, tt.exit, tt.want, tt.args...)
		})
	}
}

// nginxAddr is a second address of the host, where a real proxy listens.
const nginxAddr = "192.0.2.11"

// nginx runs the real proxy on the host, with more lines in its server block.
func (x *street) nginx(t *testing.T, more string) {
	t.Helper()
	dir := t.TempDir()
	conf := `daemon off; master_process off; pid DIR/pid; error_log DIR/error.log;
events {}
http {
  access_log off;
  client_body_temp_path DIR/body; proxy_temp_path DIR/proxy; fastcgi_temp_path DIR/fastcgi; uwsgi_temp_path DIR/uwsgi; scgi_temp_path DIR/scgi;
  server {
    listen ` + nginxAddr + `:443 ssl;
    ssl_certificate ` + x.pemFile + `; ssl_certificate_key ` + x.pemFile + `;
    proxy_set_header Host $host;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Proto $scheme;
    ` + more + `
    location / { proxy_pass http://` + holdfastAt + `; }
  }
}
`
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(conf, "DIR", dir)), 0o600); err != nil {
		t.Fatal(err)
	}
	line := append(x.host.wrap(x.resolvConf), "nginx", "-c", file)
	cmd := exec.Command(line[0], line[1:]...)
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	})
	for until := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := x.host.dial(t.Context(), "tcp", nginxAddr+":443")
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(until) {
			text, _ := os.ReadFile(filepath.Join(dir, "error.log"))
			t.Fatalf("nginx does not listen: %v\n%s\n%s", err, said.Bytes(), text)
		}
	}
}

// TestDoctorBehindNginx does the same with a real proxy: as the README says that it should be, and with lines that are found in the world.
func TestDoctorBehindNginx(t *testing.T) {
	if _, err := exec.LookPath("nginx"); err != nil {
		passOver(t, "nginx is not there (Debian: nginx-light), so that the doctor is not tried behind a real proxy")
	}
	x := newStreet(t)
	ip(t, "-n", x.host.name, "addr", "add", nginxAddr+"/24", "dev", "cable")
	x.set(func() { x.zone[0] = publicName + ". 60 IN A " + nginxAddr })
	for _, tt := range []struct {
		what, more string
		exit       int
		want       []expect
	}{
		{"as it should be", "", 0, []expect{{"public TLS", "ok", nginxAddr}, {"way through", "ok", "arrive as they were sent"}, {"discovery", "ok", "asks to sign in"}}},
		{"a list of methods", "if ($request_method !~ ^(GET|HEAD|POST|PUT|DELETE|OPTIONS)$) { return 405; }", 1, []expect{{"way through", "fail", "PROPFIND (405"}, {"discovery", "fail", "PROPFIND /.well-known/caldav answers 405"}}},
		{"compression of everything", "gzip on; gzip_types *; gzip_min_length 1; gzip_proxied any;", 1, []expect{{"way through", "fail", "changes ETag"}}},
		{"discovery by hand, to http", "location = /.well-known/carddav { return 301 http://$host/dav/; }", 1, []expect{{"way through", "ok", "arrive"}, {"discovery", "fail", "leads from https to http://cloud.example.org/dav/"}}},
		{"a password of its own", `proxy_set_header Authorization "";`, 1, []expect{{"way through", "fail", "Authorization arrives as nothing"}}},
		{"a server that is not there", "location /dav/ { proxy_pass http://127.0.0.1:1; }", 1, []expect{{"way through", "fail", "502"}}},
	} {
		t.Run(tt.what, func(t *testing.T) {
			x.nginx(t, tt.more)
			x.judge(t, tt.exit, tt.want)
		})
	}
}
