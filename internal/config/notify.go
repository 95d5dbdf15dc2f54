package config

import (
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"slices"
	"time"
)

// Notify says who is told of what is wrong, by which ways, and how often it is looked for.
type Notify struct {
	Every    time.Duration // between two looks
	Quiet    time.Duration // a condition is over after it was absent for so long
	Again    time.Duration // between two notices that one condition grows
	Timeout  time.Duration // for one delivery
	Retry    time.Duration // after a delivery failed, doubled by each further one
	RetryMax time.Duration
	Keep     time.Duration // how long a notice is tried to be delivered

	SpaceEvery time.Duration // between two measurements of the free space
	SpaceSpan  time.Duration // over which it is measured how fast it goes
	SpaceAhead time.Duration // a disk that is full within so long is told of

	Server  string // what notices call this server; empty: its URL
	Root    string // file (PEM) of root certificates for all ways
	Mail    Mail
	Webhook Webhook
	Ntfy    Ntfy
	Command []string // the program and its arguments
}

// Mail is how mails are sent.
type Mail struct {
	Server         string // HOST:PORT; empty: none are
	TLS            string // starttls, implicit, none
	Auth           string // auto, plain, login
	User, Password string
	From           string
	To             []string
}

// Webhook is where notices are posted to as JSON.
type Webhook struct{ URL, Token, Secret string }

// Ntfy is a topic of ntfy.
type Ntfy struct{ URL, Token string }

// keys is the part of the table about notices.
func (n *Notify) keys() []Key {
	return []Key{
		{Name: "notify.mail.server", Default: "", Value: &n.Mail.Server, Help: "HOST:PORT of the mail server that notices are sent through; empty: none are mailed"},
		{Name: "notify.mail.tls", Default: "starttls", Value: &n.Mail.TLS, Help: "how the mail server is spoken to: starttls, implicit (port 465), or none, to this machine alone"},
		{Name: "notify.mail.auth", Default: "auto", Value: &n.Mail.Auth, Help: "how to sign in there: plain, login, or auto for what the server offers"},
		{Name: "notify.mail.user", Default: "", Value: &n.Mail.User, Help: "name to sign in with; empty: nobody signs in"},
		{Name: "notify.mail.password", Default: "", Value: &n.Mail.Password, Secret: true, Help: "password to sign in with"},
		{Name: "notify.mail.from", Default: "", Value: &n.Mail.From, Help: "address that mails come from"},
		{Name: "notify.mail.to", Default: "", Value: &n.Mail.To, Help: "addresses that mails go to"},
		{Name: "notify.webhook.url", Default: "", Value: &n.Webhook.URL, Secret: true, Help: "URL to which each notice is posted as JSON; empty: none is"},
		{Name: "notify.webhook.token", Default: "", Value: &n.Webhook.Token, Secret: true, Help: "bearer token that goes with it"},
		{Name: "notify.webhook.secret", Default: "", Value: &n.Webhook.Secret, Secret: true, Help: "key of the HMAC-SHA256 that signs it (header Holdfast-Signature)"},
		{Name: "notify.ntfy.url", Default: "", Value: &n.Ntfy.URL, Secret: true, Help: "URL of a topic of ntfy, like https://ntfy.sh/TOPIC; empty: none"},
		{Name: "notify.ntfy.token", Default: "", Value: &n.Ntfy.Token, Secret: true, Help: "token for that topic"},
		{Name: "notify.command", Default: "", Value: &n.Command, Help: "program and arguments that are run for each notice, which stands on its standard input and in HOLDFAST_NOTICE_*; no shell reads them"},
		{Name: "notify.root", Default: "", Value: &n.Root, Help: "file (PEM) with the root certificates that the receivers are verified by; empty: the system's"},
		{Name: "notify.server", Default: "", Value: &n.Server, Help: "what notices call this server; empty: its URL"},
		{Name: "notify.every", Default: "10s", Value: &n.Every, Help: "between two looks for what is wrong; an eighth of vault.late where that is less"},
		{Name: "notify.quiet", Default: "5m", Value: &n.Quiet, Help: "what was wrong is over after it was absent for so long; vault.late where that is more"},
		{Name: "notify.again", Default: "15m", Value: &n.Again, Help: "at least so long between two notices that the same thing grew worse"},
		{Name: "notify.timeout", Default: "30s", Value: &n.Timeout, Help: "for one delivery by one way"},
		{Name: "notify.retry", Default: "5s", Value: &n.Retry, Help: "after a delivery failed, doubled by each further failure"},
		{Name: "notify.retry_max", Default: "10m", Value: &n.RetryMax, Help: "the longest pause between two tries"},
		{Name: "notify.keep", Default: "72h", Value: &n.Keep, Help: "how long a notice is tried to be delivered"},
		{Name: "notify.space_every", Default: "1h", Value: &n.SpaceEvery, Help: "between two measurements of the free space that are remembered"},
		{Name: "notify.space_span", Default: "24h", Value: &n.SpaceSpan, Help: "the shortest time over which it is measured how fast the free space goes"},
		{Name: "notify.space_ahead", Default: "336h", Value: &n.SpaceAhead, Help: "a disk that will be full within so long is told of"},
	}
}

// check tells which setting contradicts itself or another.
func (n *Notify) check() error {
	return errors.Join(n.Mail.check(), checkReceiver("notify.webhook", n.Webhook.URL, n.Webhook.Token), checkReceiver("notify.ntfy", n.Ntfy.URL, n.Ntfy.Token))
}

func (m *Mail) check() error {
	switch {
	case !slices.Contains([]string{"starttls", "implicit", "none"}, m.TLS):
		return fmt.Errorf("notify.mail.tls: %q is none of starttls, implicit, none", m.TLS)
	case !slices.Contains([]string{"auto", "plain", "login"}, m.Auth):
		return fmt.Errorf("notify.mail.auth: %q is none of auto, plain, login", m.Auth)
	case m.Server == "":
		return nil
	case (m.User == "") != (m.Password == ""):
		return errors.New("notify.mail: to sign in takes both notify.mail.user and notify.mail.password")
	case len(m.To) == 0:
		return errors.New("notify.mail.to: say to whom mails go")
	}
	if err := checkAddress(m.Server); err != nil {
		return fmt.Errorf("notify.mail.server: %w", err)
	}
	if m.TLS == "none" && beyondLoopback(m.Server) {
		return fmt.Errorf("notify.mail.tls: none is for a mail server on this machine alone, and %s is not: take starttls or implicit", m.Server)
	}
	for _, a := range append([]string{m.From}, m.To...) {
		if x, err := mail.ParseAddress(a); err != nil || x.Address != a {
			return fmt.Errorf("notify.mail: %q is not a mail address like ada@example.org", a)
		}
	}
	return nil
}

// checkReceiver checks a URL without ever saying it: it is a secret.
func checkReceiver(name, text, token string) error {
	if text == "" {
		if token != "" {
			return fmt.Errorf("%s.token: there is no %s.url that it is for", name, name)
		}
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" {
		return fmt.Errorf("%s.url: it is not a URL like https://example.org/path", name)
	}
	if ip := net.ParseIP(u.Hostname()); token != "" && u.Scheme == "http" && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("%s.url: without TLS the token could be read on the way: take https", name)
	}
	return nil
}
