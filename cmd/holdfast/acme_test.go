package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// pebbleModule is a real ACME server, made to test clients. It is built at this version for the test and is no part of the program.
const pebbleModule = "github.com/letsencrypt/pebble/v2/cmd/pebble@v2.10.1"

// acmeName is the domain of the test; the test's own name server says that it is this machine.
const acmeName = "cloud.holdfast-test.org"

// TestACME gets a certificate from a real authority by TLS-ALPN-01, answered on the server's own listener, and serves with it.
func TestACME(t *testing.T) {
	port, directory, root, issuers := startPebble(t)
	c := testConfig(t, "HOLDFAST_LISTEN=127.0.0.1:"+port, "HOLDFAST_ACME_DOMAIN="+acmeName, "HOLDFAST_ACME_DIRECTORY="+directory, "HOLDFAST_ACME_ROOT="+root)
	s, log := started(t, c, nil)
	if want := "https://" + acmeName + ":" + port; s.url != want {
		t.Errorf("url %s, want %s", s.url, want)
	}
	for until := time.Now().Add(2 * patience); ; time.Sleep(50 * time.Millisecond) {
		ok, detail := s.tls.look()
		if ok {
			t.Log(detail)
			break
		}
		if time.Now().After(until) {
			t.Fatalf("%s\n%s", detail, log)
		}
	}
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: issuers(), ServerName: acmeName}, ForceAttemptHTTP2: true}
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr}).Get("https://127.0.0.1:" + port + "/signin")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.ProtoMajor != 2 {
		t.Errorf("%s over %s", resp.Status, resp.Proto)
	}
	if _, err := os.Stat(filepath.Join(c.Data, "acme")); err != nil {
		t.Errorf("the certificate is not kept: %v", err)
	}
}

// startPebble runs the authority. It validates at the port that it returns.
func startPebble(t *testing.T) (port, directory, root string, issuers func() *x509.CertPool) {
	t.Helper()
	dir := t.TempDir()
	build := exec.Command("go", "install", pebbleModule)
	build.Dir, build.Env = dir, append(os.Environ(), "GOBIN="+dir, "GOFLAGS=", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("the test needs pebble, a real ACME server, and it could not be built (go install %s): %v\n%s", pebbleModule, err, out)
	}
	names := nameServer(t)
	ports := freePorts(t, 3)
	port = ports[0]
	api, management := "127.0.0.1:"+ports[1], "127.0.0.1:"+ports[2]
	root = filepath.Join(dir, "root.pem")
	trusted := writeCertificate(t, root, filepath.Join(dir, "key.pem"), 1)
	settings, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": api, "managementListenAddress": management, "certificate": root, "privateKey": filepath.Join(dir, "key.pem"),
		"httpPort": 1, "tlsPort": json.Number(port), "ocspResponderURL": "", "externalAccountBindingRequired": false,
		"profiles": map[string]any{"default": map[string]any{"description": "a test's", "validityPeriod": 7776000}}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "pebble.json"), settings, 0o600); err != nil {
		t.Fatal(err)
	}
	var log lockedBuffer
	pebble := exec.Command(filepath.Join(dir, "pebble"), "-strict", "-config", filepath.Join(dir, "pebble.json"), "-dnsserver", names)
	pebble.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1")
	pebble.Stdout, pebble.Stderr = &log, &log
	if err := pebble.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = pebble.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		_ = pebble.Process.Kill()
		<-ended
		if t.Failed() {
			t.Log(log.String())
		}
	})
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}, DisableKeepAlives: true}}
	get := func(url string) ([]byte, error) {
		resp, err := client.Get(url)
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		return io.ReadAll(resp.Body)
	}
	directory = "https://" + api + "/dir"
	for until := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if _, err := get(directory); err == nil {
			break
		} else if time.Now().After(until) {
			t.Fatalf("pebble does not answer: %v\n%s", err, log.String())
		}
		select {
		case <-ended:
			t.Fatalf("pebble ended:\n%s", log.String())
		default:
		}
	}
	return port, directory, root, func() *x509.CertPool {
		pem, err := get("https://" + management + "/roots/0")
		pool := x509.NewCertPool()
		if err != nil || !pool.AppendCertsFromPEM(pem) {
			t.Fatalf("pebble's root: %v", err)
		}
		return pool
	}
}

// freePorts returns ports of loopback that nobody has at this moment. All are held until the last is found, so that they differ.
func freePorts(t *testing.T, n int) []string {
	t.Helper()
	var out []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		_, port, _ := net.SplitHostPort(l.Addr().String())
		out = append(out, port)
	}
	return out
}

// nameServer answers, over TCP as pebble asks, that the test's domain is this machine, and that there is nothing else.
func nameServer(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &dns.Server{Listener: l, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg)
		m.SetReply(q)
		if x := q.Question[0]; x.Qtype == dns.TypeA && strings.EqualFold(strings.TrimSuffix(x.Name, "."), acmeName) {
			m.Answer = append(m.Answer, &dns.A{Hdr: dns.RR_Header{Name: x.Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 1}, A: net.IPv4(127, 0, 0, 1)})
		}
		_ = w.WriteMsg(m)
	})}
	go server.ActivateAndServe()
	t.Cleanup(func() { _ = server.Shutdown() })
	return l.Addr().String()
}
