package notice

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast"
)

// postOffice is a real SMTP server.
type postOffice struct {
	addr  string
	lines *bufio.Reader
}

// letter is a mail that it took.
type letter struct {
	Sender string
	To     []string
	TLS    bool
	User   string
	How    string
	Mail   string
}

// openOffice starts the server. Where the machine lacks it the test is left out by name; continuous integration must have it.
func openOffice(t *testing.T, mode, cert, exclude string) *postOffice {
	t.Helper()
	if err := exec.Command("/usr/bin/python3", "-c", "import aiosmtpd").Run(); err != nil {
		const text = "the SMTP server of the tests is not installed: apt-get install python3-aiosmtpd"
		if os.Getenv("CI") == "true" {
			t.Fatal(text)
		}
		t.Skip(text)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "/usr/bin/python3", "-W", "ignore", "testdata/smtpd.py", mode, cert, exclude)
	said := &head{limit: 4 << 10}
	cmd.Stderr = said
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was ended
		if t.Failed() {
			t.Logf("the SMTP server said: %s", said.b.String())
		}
	})
	o := &postOffice{lines: bufio.NewReader(out)}
	var first struct{ Port int }
	o.read(t, &first)
	o.addr = fmt.Sprintf("localhost:%d", first.Port)
	return o
}

func (o *postOffice) read(t *testing.T, into any) {
	t.Helper()
	line, err := o.lines.ReadBytes('\n')
	if err != nil || json.Unmarshal(line, into) != nil {
		t.Fatalf("the SMTP server said %q, %v", line, err)
	}
}

// certificate makes one for localhost, and returns its file and who trusts it.
func certificate(t *testing.T) (file string, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	both := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...)
	file = filepath.Join(t.TempDir(), "cert.pem")
	if err := os.WriteFile(file, both, 0o600); err != nil {
		t.Fatal(err)
	}
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(both)
	return file, roots
}

// sample is a notice with text that needs encoding.
func sample() *Notice {
	at := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	return &Notice{ID: holdfast.NewID(nil), Thread: holdfast.NewID(nil), What: Worse, At: at, Server: "https://cloud.example.org", Condition: Condition{Key: "vault.attic", Severity: Critical, Since: at,
		Title: "The vault “Dachböden” cannot be reached", Text: ".\n..and a long line: " + strings.Repeat("naïve ", 300) + "\nFrom here on = nothing.", Grade: 2, Measure: 120}}
}

func TestMail(t *testing.T) {
	cert, roots := certificate(t)
	for _, x := range []struct{ mode, exclude, auth, how string }{
		{StartTLS, "", "auto", "PLAIN"}, {StartTLS, "PLAIN", "auto", "LOGIN"}, {Implicit, "", "plain", "PLAIN"}, {Implicit, "", "login", "LOGIN"}, {Plain, "", "auto", ""},
	} {
		t.Run(x.mode+" "+x.auth+" without "+x.exclude, func(t *testing.T) {
			file := cert
			m := Mail{TLS: x.mode, Roots: roots, Auth: x.auth, User: "holdfast", Password: "p4ss wörd", From: "Holdfast <hf@example.org>", To: []string{"Ada <ada@example.org>", "nobody@example.org", "bo@example.org"}}
			if x.mode == Plain {
				file, m.User, m.Password = "", "", ""
			}
			office := openOffice(t, x.mode, file, x.exclude)
			m.Server = office.addr
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			n := sample()
			said, err := m.Send(ctx, n)
			if err != nil || !strings.Contains(said, "took it for ada@example.org, bo@example.org; refused nobody@example.org: 550") {
				t.Fatalf("%q, %v", said, err)
			}
			var got letter
			office.read(t, &got)
			if got.Sender != "hf@example.org" || len(got.To) != 2 || got.TLS != (x.mode != Plain) || got.User != m.User || got.How != x.how {
				t.Errorf("%+v", got)
			}
			checkLetter(t, n, got.Mail)
			if m.User == "" {
				return
			}
			m.Password = "s3cret-of-mine"
			if _, err := m.Send(ctx, n); err == nil || strings.Contains(err.Error(), m.Password) || !strings.Contains(err.Error(), "535") {
				t.Errorf("a wrong password: %v", err)
			}
			m.Password, m.To = "p4ss wörd", []string{"nobody@example.org"}
			if _, err := m.Send(ctx, n); !isRefusal(err) {
				t.Errorf("nobody was taken: %v", err)
			}
		})
	}
}

func isRefusal(err error) bool { _, is := err.(*Refusal); return is }

// checkLetter reads a mail as its reader does.
func checkLetter(t *testing.T, n *Notice, text string) {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil || subject != "[Holdfast] "+n.Subject() {
		t.Errorf("subject %q, %v", subject, err)
	}
	if m.Header.Get("Message-Id") != "<"+n.ID.String()+"@example.org>" || m.Header.Get("In-Reply-To") != "<"+n.Thread.String()+"@example.org>" || m.Header.Get("Auto-Submitted") != "auto-generated" {
		t.Errorf("%v", m.Header)
	}
	body, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	if got := strings.TrimSpace(strings.ReplaceAll(string(body), "\r\n", "\n")); err != nil || got != strings.TrimSpace(n.Body()) {
		t.Errorf("body %q, %v; want %q", got, err, n.Body())
	}
	for line := range bytes.Lines([]byte(text)) {
		if len(line) > 998+2 {
			t.Errorf("a line of %d octets", len(line))
		}
	}
}

func TestMailInTheOpen(t *testing.T) {
	cert, roots := certificate(t)
	office := openOffice(t, Plain, "", "")
	m := Mail{Server: office.addr, TLS: StartTLS, Roots: roots, From: "hf@example.org", To: []string{"ada@example.org"}}
	if said, err := m.Send(t.Context(), sample()); err == nil {
		t.Errorf("a server without STARTTLS took a mail that was to be encrypted: %s", said)
	}
	other := openOffice(t, Implicit, cert, "")
	m = Mail{Server: other.addr, TLS: Implicit, From: "hf@example.org", To: []string{"ada@example.org"}} // trusted by nobody
	if said, err := m.Send(t.Context(), sample()); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("%s, %v", said, err)
	}
	if loopback(&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}) || loopback(&net.UnixAddr{}) || !loopback(&net.TCPAddr{IP: net.IPv6loopback}) {
		t.Error("what is this machine?")
	}
}

func TestAMailServerThatHangs(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err = (&Mail{Server: l.Addr().String(), TLS: Plain, From: "hf@example.org", To: []string{"ada@example.org"}}).Send(ctx, sample())
	if err == nil || time.Since(began) > 10*time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}
