package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/internal/config"
	"holdfast/internal/notice"
	"holdfast/internal/store"
)

// settings returns a configuration on free ports and a fresh directory, with the environment given.
func testConfig(t *testing.T, environ ...string) *config.Config {
	t.Helper()
	c, err := config.Load(config.Source{Environ: append([]string{"HOLDFAST_DATA=" + filepath.Join(t.TempDir(), "data"),
		"HOLDFAST_LISTEN=127.0.0.1:0", "HOLDFAST_ADMIN_LISTEN=127.0.0.1:0"}, environ...)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// started runs a server in this process until the test ends. change may alter it between opening the store and opening the doors.
func started(t *testing.T, c *config.Config, change func(*server)) (*server, *lockedBuffer) {
	t.Helper()
	log := &lockedBuffer{}
	a := &app{stdout: io.Discard, stderr: log}
	s := &server{a: a, c: c, log: slog.New(slog.NewJSONHandler(log, nil)), failed: make(chan error, 8)}
	var err error
	ctx, cancel := context.WithCancel(context.Background())
	if err = s.open(ctx); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(s)
	}
	if err := s.start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		s.stop()
		s.store.close()
	})
	for until := time.Now().Add(patience); s.gate.why() != nil; time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("the store was not compared with its vaults: %v", s.gate.why())
		}
	}
	return s, log
}

// TestHostileConnections holds that whoever is slow or sends nonsense is turned away in time, and that others are served meanwhile.
func TestHostileConnections(t *testing.T) {
	c := testConfig(t, "HOLDFAST_TIMEOUTS_HEADERS=300ms", "HOLDFAST_TIMEOUTS_STALL=300ms", "HOLDFAST_LIMITS_HEADERS=8KiB")
	s, _ := started(t, c, nil)
	for name, tt := range map[string]struct{ send, want string }{
		"stalled head":   {"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ", ""},
		"nothing":        {"", ""},
		"long head":      {"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + strings.Repeat("x", 20<<10) + "\r\n\r\n", "431"},
		"no HTTP":        {"\x16\x03\x01\x00\x00 hello\r\n\r\n", "400"},
		"no host":        {"GET / HTTP/1.1\r\n\r\n", "400"},
		"two lengths":    {"POST /signin HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", "400"},
		"stalled form":   {"POST /signin HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nlogin=", "408"},
		"unknown method": {"BREW /dav/ HTTP/1.1\r\nHost: x\r\n\r\n", "501"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", s.public.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, tt.send); err != nil {
				t.Fatal(err)
			}
			conn.SetReadDeadline(time.Now().Add(patience))
			line, err := bufio.NewReader(conn).ReadString('\n')
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal("the connection stays open")
			}
			if status := strings.TrimPrefix(line, "HTTP/1.1 "); !strings.HasPrefix(status, tt.want) || tt.want == "" && line != "" {
				t.Errorf("answered %q, want %q", line, tt.want)
			}
			resp, err := http.Get(s.url + "/signin")
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Errorf("others are not served: %v", err)
			}
			resp.Body.Close()
		})
	}
}

// TestPanicsAreAnswered holds that a fault of ours is a 500 with the request's id, logged once, and that an answer that was begun is cut.
func TestPanicsAreAnswered(t *testing.T) {
	s, log := started(t, testConfig(t), nil)
	h := s.front(func(r *http.Request) (http.Handler, string) {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/late" {
				io.WriteString(w, "half")
				http.NewResponseController(w).Flush()
			}
			panic("a fault")
		}), "web"
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: h, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	go srv.Serve(l)
	defer srv.Close()
	base := "http://" + l.Addr().String()
	resp, err := http.Get(base + "/early")
	if err == nil {
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		id := resp.Header.Get(requestID)
		if resp.StatusCode != 500 || id == "" || !strings.Contains(string(b), id) || strings.Count(log.String(), id) == 0 {
			t.Errorf("%s %q", resp.Status, b)
		}
	} else {
		t.Error(err)
	}
	if resp, err = http.Get(base + "/late"); err == nil {
		_, err = io.ReadAll(resp.Body)
		resp.Body.Close()
	}
	if err == nil {
		t.Error("half an answer looked whole")
	}
	resp, err = http.Get("http://" + s.admin.Addr().String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if !strings.Contains(string(b), "\nholdfast_panics_total 2\n") {
		t.Error("two panics were not counted")
	}
	if n := strings.Count(log.String(), "made the server panic"); n != 2 {
		t.Errorf("logged %d times", n)
	}
}

// TestAClientsIdIsNotTaken holds that a request's id is ours: the log could not be trusted otherwise.
func TestAClientsIdIsNotTaken(t *testing.T) {
	s, _ := started(t, testConfig(t), nil)
	r, err := http.NewRequest("BREW", s.url+"/dav/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set(requestID, "mine")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	id := resp.Header.Values(requestID)
	if len(id) != 1 || len(id[0]) != 13 {
		t.Fatalf("%q", id)
	}
	if s := string(body); !strings.Contains(s, id[0]) || strings.Contains(s, "mine") {
		t.Errorf("the faces name another id than %s: %s", id[0], s)
	}
}

// broken is an engine that stopped.
type broken struct {
	store.Engine
	failed chan struct{}
}

func (b broken) Info() store.Info {
	i := b.Engine.Info()
	select {
	case <-b.failed:
		i.Failed = errors.New("fsync: input/output error")
	default:
	}
	return i
}

// TestEngineFailureEndsTheProcess holds that a server whose engine stopped says so, is not ready, and ends with status 1.
func TestEngineFailureEndsTheProcess(t *testing.T) {
	failed := make(chan struct{})
	told := filepath.Join(t.TempDir(), "told")
	c := testConfig(t, "HOLDFAST_NOTIFY_COMMAND=tee "+told)
	s, log := started(t, c, func(s *server) { s.store.engine = broken{s.store.engine, failed} })
	if ready, _ := s.health.look(); !ready {
		t.Error("it was not ready before")
	}
	close(failed)
	ready, checks := s.health.look()
	if ready || checks[0].OK || !strings.Contains(checks[0].Detail, "input/output error") {
		t.Errorf("%v %+v", ready, checks)
	}
	ended := make(chan error)
	go func() { ended <- s.wait(t.Context()) }()
	select {
	case err := <-ended:
		if exitCode(err) != exitNegative || !strings.Contains(sentence(err), "input/output error") {
			t.Errorf("%d: %v", exitCode(err), err)
		}
	case <-time.After(patience):
		t.Fatal("it goes on")
	}
	if !strings.Contains(log.String(), "stopping after a failure") {
		t.Error("the log does not say why")
	}
	if b, err := os.ReadFile(told); err != nil || !strings.Contains(string(b), `"key":"stopped"`) || !strings.Contains(string(b), "input/output error") {
		t.Errorf("nobody was told: %s, %v", b, err)
	}
}

// TestDoor holds the bounds of open connections.
func TestDoor(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := testConfig(t, "HOLDFAST_LIMITS_CONNECTIONS=2", "HOLDFAST_LIMITS_CONNECTIONS_PER_ADDRESS=1", "HOLDFAST_TRUSTED_PROXY=192.0.2.7")
	d := newDoor(l, c)
	accepted := make(chan net.Conn)
	go func() {
		defer close(accepted)
		for {
			c, err := d.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	dial := func() net.Conn {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	dial()
	one := <-accepted
	dial()
	<-accepted
	dial()
	select {
	case <-accepted:
		t.Error("a third one has come in")
	case <-time.After(50 * time.Millisecond): // it must not come; a wrong one would within this time, mostly
	}
	one.Close()
	one.Close() // gives its place back once
	<-accepted
	if d.open() != 2 {
		t.Errorf("%d are open", d.open())
	}
	stranger, proxy := netip.MustParseAddr("203.0.113.5"), netip.MustParseAddr("192.0.2.7")
	if !d.enter(stranger) || d.enter(stranger) {
		t.Error("one address has one place")
	}
	for range 5 {
		if !d.enter(proxy) || !d.enter(netip.MustParseAddr("::1")) {
			t.Error("a proxy speaks for many")
		}
	}
	d.leave(stranger)
	if !d.enter(stranger) {
		t.Error("a place was not given back")
	}
	d.Close()
	for range accepted {
	}
}

func TestURLsCanBeOpened(t *testing.T) {
	tcp := func(s string) net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(s)) }
	for _, tt := range []struct {
		asked, at string
		tls       *certificates
		acme      []string
		want      string
	}{
		{"127.0.0.1:8420", "127.0.0.1:8420", nil, nil, "http://127.0.0.1:8420"},
		{"127.0.0.1:0", "127.0.0.1:4711", nil, nil, "http://127.0.0.1:4711"},
		{"0.0.0.0:80", "0.0.0.0:80", nil, nil, "http://127.0.0.1"},
		{":8420", "[::]:8420", nil, nil, "http://127.0.0.1:8420"},
		{"[::]:8420", "[::]:8420", nil, nil, "http://[::1]:8420"},
		{"[::1]:80", "[::1]:80", nil, nil, "http://[::1]"},
		{"localhost:8420", "127.0.0.1:8420", nil, nil, "http://localhost:8420"},
		{":443", "[::]:443", &certificates{domains: []string{"cloud.example.org"}}, []string{"cloud.example.org"}, "https://cloud.example.org"},
		{"127.0.0.1:5001", "127.0.0.1:5001", &certificates{domains: []string{"cloud.example.org"}}, []string{"cloud.example.org"}, "https://cloud.example.org:5001"},
	} {
		c := &config.Config{Listen: tt.asked}
		c.ACME.Domains = tt.acme
		if got := openableURL(tcp(tt.at), c, tt.tls); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.asked, got, tt.want)
		}
	}
}

func TestNotify(t *testing.T) {
	for _, name := range []string{filepath.Join(t.TempDir(), "notify"), "@holdfast-test-" + fmt.Sprint(os.Getpid())} {
		l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: strings.Replace(name, "@", "\x00", 1), Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		t.Setenv("NOTIFY_SOCKET", name)
		notify(slog.New(slog.DiscardHandler), "READY=1")
		b := make([]byte, 100)
		n, err := l.Read(b)
		if err != nil || string(b[:n]) != "READY=1" {
			t.Errorf("%q, %v", b[:n], err)
		}
	}
	if err := sendTo("relative", "READY=1"); err == nil {
		t.Error("a relative name was taken")
	}
}

// TestTLS holds that a certificate in files is used, that HTTP/2 is spoken, and that a renewed certificate is taken without a restart.
func TestTLS(t *testing.T) {
	cert, key := filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	pool := writeCertificate(t, cert, key, 1)
	s, _ := started(t, testConfig(t, "HOLDFAST_TLS_CERT="+cert, "HOLDFAST_TLS_KEY="+key), nil)
	if !strings.HasPrefix(s.url, "https://127.0.0.1:") {
		t.Errorf("url %s", s.url)
	}
	get := func(pool *x509.CertPool) (*http.Response, error) {
		tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}
		defer tr.CloseIdleConnections()
		resp, err := (&http.Client{Transport: tr}).Get(s.url + "/signin")
		if err == nil {
			resp.Body.Close()
		}
		return resp, err
	}
	resp, err := get(pool)
	if err != nil || resp.ProtoMajor != 2 {
		t.Fatalf("%v, %v", resp, err)
	}
	if ok, detail := s.tls.look(); !ok || !strings.Contains(detail, "good until") {
		t.Errorf("%v %s", ok, detail)
	}
	renewed := writeCertificate(t, cert, key, 2)
	s.tls.files.mu.Lock()
	s.tls.files.checked = time.Time{} // as if the next look were due
	s.tls.files.mu.Unlock()
	if _, err := get(renewed); err != nil {
		t.Errorf("the new certificate is not used: %v", err)
	}
	if err := os.WriteFile(key, []byte("half a renewal"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.tls.files.mu.Lock()
	s.tls.files.checked = time.Time{}
	s.tls.files.mu.Unlock()
	if _, err := get(renewed); err != nil {
		t.Errorf("the old certificate did not stay: %v", err)
	}
	old := &tls.Config{RootCAs: renewed, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	if c, err := tls.Dial("tcp", s.public.Addr().String(), old); err == nil {
		c.Close()
		t.Error("TLS 1.1 was spoken")
	}
}

// TestHealthSinceTheStart holds that the state is noted when it begins, not when somebody first asks.
func TestHealthSinceTheStart(t *testing.T) {
	s, log := started(t, testConfig(t, "HOLDFAST_ADMIN_LISTEN=0.0.0.0:0"), nil)
	s.health.mu.Lock()
	known := len(s.health.checks)
	s.health.mu.Unlock()
	if known == 0 {
		t.Error("nothing is known of the state at the start")
	}
	s.store.board.Look([]notice.Condition{{Key: "copies.domain", Severity: notice.Info, Title: "One accident would take all copies"}, {Key: "key", Severity: notice.Warning, Title: "Check it"}})
	_, checks := s.health.look()
	told := 0
	for _, c := range checks {
		if c.OK && strings.Contains(c.Detail, "One accident") {
			t.Errorf("it is called well: %+v", c)
		}
		if c.Name == "key" && c.Warning && !c.OK {
			told++
		}
	}
	if told != 1 {
		t.Errorf("a warning is not among the checks: %+v", checks)
	}
	if !strings.Contains(log.String(), "asks nobody to sign in") {
		t.Error("an admin listener beyond this machine is not warned of")
	}
}
