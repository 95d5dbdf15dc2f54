package notice

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"slices"
	"strings"
	"time"
)

// The ways to keep a mail private on its way to the server.
const (
	StartTLS = "starttls" // RFC 3207: asked for in the open, and insisted on
	Implicit = "implicit" // RFC 8314: from the first octet
	Plain    = "none"     // to this machine alone
)

// Mail sends each notice as a mail, by SMTP (RFC 5321).
type Mail struct {
	Server         string // HOST:PORT
	TLS            string // StartTLS, Implicit, Plain
	Roots          *x509.CertPool
	Auth           string // plain, login, or auto: what the server offers
	User, Password string // empty: nobody signs in
	From           string
	To             []string
}

// Name implements [Way].
func (m *Mail) Name() string { return "mail" }

// Send implements [Way]. One recipient who is taken is enough: otherwise one mistyped address would keep the others from being told.
func (m *Mail) Send(ctx context.Context, n *Notice) (said string, err error) {
	from, to, err := m.addresses()
	if err != nil {
		return "", err
	}
	said, err = m.send(ctx, from.Address, to, message(n, from, to))
	if err != nil {
		text := m.without(err.Error())
		if x, ok := errors.AsType[*textproto.Error](err); ok && x.Code/100 == 5 {
			return "", &Refusal{fmt.Sprintf("%s refused: %s", m.Server, text)}
		}
		return "", fmt.Errorf("%s: %s", m.Server, text)
	}
	return m.Server + ": " + m.without(said), nil
}

// without takes the password out of what a server said: it is the other side's text, and nothing says what it repeats.
func (m *Mail) without(text string) string {
	if m.Password != "" {
		text = strings.ReplaceAll(text, m.Password, "********")
	}
	return clip(text, maxText)
}

func (m *Mail) addresses() (from *mail.Address, to []string, err error) {
	if from, err = mail.ParseAddress(m.From); err != nil {
		return nil, nil, fmt.Errorf("the sender %q is no mail address", m.From)
	}
	for _, s := range m.To {
		a, err := mail.ParseAddress(s)
		if err != nil {
			return nil, nil, fmt.Errorf("the recipient %q is no mail address", s)
		}
		to = append(to, a.Address)
	}
	return from, to, nil
}

// connect opens a session with the server, encrypted if it is to be.
func (m *Mail) connect(ctx context.Context) (*smtp.Client, error) {
	host, _, err := net.SplitHostPort(m.Server)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", m.Server)
	if err != nil {
		return nil, err
	}
	if at, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(at) // a connection that was just made takes one
	}
	context.AfterFunc(ctx, func() { _ = conn.Close() }) // whoever waits for the server waits no longer
	conf := &tls.Config{ServerName: host, RootCAs: m.Roots, MinVersion: tls.VersionTLS12}
	if m.TLS == Plain && !loopback(conn.RemoteAddr()) {
		_ = conn.Close()
		return nil, errors.New("it is not this machine, and without TLS the mail and the password could be read on the way: set notify.mail.tls")
	}
	if m.TLS == Implicit {
		conn = tls.Client(conn, conf)
	}
	c, err := smtp.NewClient(conn, host)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	if err := c.Hello(literal(conn.LocalAddr())); err != nil {
		_ = c.Close()
		return nil, err
	}
	if m.TLS == StartTLS {
		if err := c.StartTLS(conf); err != nil {
			_ = c.Close()
			return nil, fmt.Errorf("TLS could not be begun (notify.mail.tls says how: implicit on port 465, none for a server on this machine): %w", err)
		}
	}
	return c, nil
}

func loopback(a net.Addr) bool {
	t, ok := a.(*net.TCPAddr)
	return ok && t.IP.IsLoopback()
}

// literal names this side by its address (RFC 5321 section 4.1.3): not every machine has a name that others know.
func literal(a net.Addr) string {
	t, ok := a.(*net.TCPAddr)
	switch {
	case !ok:
		return "localhost"
	case t.IP.To4() != nil:
		return "[" + t.IP.String() + "]"
	}
	return "[IPv6:" + t.IP.String() + "]"
}

func (m *Mail) send(ctx context.Context, from string, to []string, message []byte) (string, error) {
	c, err := m.connect(ctx)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if m.User != "" {
		if err := m.signIn(c); err != nil {
			return "", err
		}
	}
	if err := c.Mail(from); err != nil {
		return "", err
	}
	var taken, refused []string
	var last error
	for _, a := range to {
		if err := c.Rcpt(a); err != nil {
			refused, last = append(refused, fmt.Sprintf("refused %s: %v", a, err)), err
		} else {
			taken = append(taken, a)
		}
	}
	if len(taken) == 0 {
		return "", last
	}
	w, err := c.Data()
	if err != nil {
		return "", err
	}
	if _, err := w.Write(message); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	_ = c.Quit() // it has the mail
	return strings.Join(append([]string{"took it for " + strings.Join(taken, ", ")}, refused...), "; "), nil
}

// signIn signs in, only ever over TLS or to this machine: connect saw to that.
func (m *Mail) signIn(c *smtp.Client) error {
	ok, offered := c.Extension("AUTH")
	if !ok {
		return errors.New("the server lets nobody sign in; take notify.mail.user away, or use its port for submission")
	}
	kind, offers := m.Auth, strings.Fields(strings.ToUpper(offered))
	if kind == "auto" {
		kind = "plain"
		if !slices.Contains(offers, "PLAIN") && slices.Contains(offers, "LOGIN") {
			kind = "login"
		}
	}
	if err := c.Auth(&account{kind: kind, user: m.User, password: m.Password}); err != nil {
		return fmt.Errorf("signing in failed: %v", err) // no refusal of this very mail
	}
	return nil
}

// account signs in by PLAIN (RFC 4616), or by LOGIN, which some servers know alone.
type account struct {
	kind, user, password string
	step                 int
}

// Start implements [smtp.Auth].
func (a *account) Start(*smtp.ServerInfo) (string, []byte, error) {
	if a.kind == "login" {
		return "LOGIN", nil, nil
	}
	return "PLAIN", []byte("\x00" + a.user + "\x00" + a.password), nil
}

// Next implements [smtp.Auth].
func (a *account) Next(_ []byte, more bool) ([]byte, error) {
	if !more {
		return nil, nil
	}
	a.step++
	switch {
	case a.kind == "login" && a.step == 1:
		return []byte(a.user), nil
	case a.kind == "login" && a.step == 2:
		return []byte(a.password), nil
	}
	return nil, errors.New("the server asks for more than a name and a password")
}

// message writes a notice as a mail (RFC 5322). Notices on one condition stand in one thread.
func message(n *Notice, from *mail.Address, to []string) []byte {
	var b bytes.Buffer
	_, domain, _ := strings.Cut(from.Address, "@")
	header := func(name, value string) { fmt.Fprintf(&b, "%s: %s\r\n", name, value) }
	header("From", from.String())
	header("To", "<"+strings.Join(to, ">, <")+">")
	header("Subject", mime.QEncoding.Encode("utf-8", clip("[Holdfast] "+n.Subject(), maxTitle)))
	header("Date", n.At.Format(time.RFC1123Z))
	header("Message-ID", fmt.Sprintf("<%s@%s>", n.ID, domain))
	if n.Thread != n.ID {
		header("In-Reply-To", fmt.Sprintf("<%s@%s>", n.Thread, domain))
		header("References", fmt.Sprintf("<%s@%s>", n.Thread, domain))
	}
	header("Auto-Submitted", "auto-generated") // RFC 3834: no absence notice comes back
	header("MIME-Version", "1.0")
	header("Content-Type", "text/plain; charset=utf-8")
	header("Content-Transfer-Encoding", "quoted-printable")
	b.WriteString("\r\n")
	q := quotedprintable.NewWriter(&b)
	_, _ = q.Write([]byte(strings.ReplaceAll(n.Body(), "\n", "\r\n"))) // a buffer takes everything
	_ = q.Close()
	return b.Bytes()
}
