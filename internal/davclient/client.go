package davclient

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/clock"
)

// Options say which server, and who asks. Zero values of the bounds mean the defaults.
type Options struct {
	URL      string // where to begin: the server, a principal, a home or a single collection
	User     string // for HTTP Basic; empty: nobody
	Password string
	// InsecureHTTP lets the password travel without TLS. To this very machine it may in any case.
	InsecureHTTP bool
	// Hosts are others that the password may go to, by name, with the port where it is not 443: some providers keep the data elsewhere.
	Hosts []string

	MaxResource int64         // octets of one member; default 10 MiB
	Idle        time.Duration // how long the server may be silent; default 3 minutes: small machines take long for a long listing
	Total       time.Duration // how long one answer may take; default 15 minutes
	Retries     int           // how often a request is sent again; default 5, negative: never
	MaxWait     time.Duration // how long a server may ask us to wait; default 2 minutes

	Clock clock.Clock
	// Waiting is told before the client waits for a server that is busy.
	Waiting func(d time.Duration, why string)
	// Transport is the way to the server; nil: the network.
	Transport http.RoundTripper
}

// Host is the server of the URL, for logs; empty where it cannot be read.
func (o Options) Host() string {
	u, err := url.Parse(o.URL)
	if err != nil {
		return ""
	}
	return u.Host
}

// Client speaks to one server. Its methods may be called one at a time.
type Client struct {
	o     Options
	start *url.URL
	http  http.RoundTripper
	found bool // the server answered once: it is there
}

const (
	maxRedirects = 5
	maxAnswer    = 1 << 30 // octets of one answer, in all; only a part of it is ever in memory
)

// New checks the options. Errors: Invalid (a URL that cannot be meant), Forbidden (plain HTTP beyond this machine).
func New(o Options) (*Client, error) {
	u, err := url.Parse(strings.TrimSpace(o.URL))
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, fail(holdfast.Invalid, "", "the URL of a server begins with https://")
	case u.User != nil:
		return nil, fail(holdfast.Invalid, "", "the URL holds a user or a password; give them apart from it")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fail(holdfast.Invalid, "", "the URL of a server has no ? or #")
	}
	if u.Path == "" {
		u.Path = "/"
	}
	def(&o.MaxResource, 10<<20)
	def(&o.Idle, 3*time.Minute)
	def(&o.Total, 15*time.Minute)
	def(&o.Retries, 5)
	def(&o.MaxWait, 2*time.Minute)
	if o.Clock == nil {
		o.Clock = clock.System
	}
	c := &Client{o: o, start: u, http: o.Transport}
	if c.http == nil {
		dial := &net.Dialer{Timeout: 20 * time.Second, KeepAlive: 30 * time.Second}
		c.http = &http.Transport{Proxy: http.ProxyFromEnvironment, DialContext: dial.DialContext, TLSHandshakeTimeout: 20 * time.Second, MaxIdleConnsPerHost: 4,
			IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: 256 << 10, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}
	}
	return c, c.mayAsk(u)
}

func def[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

// Close lets go of connections.
func (c *Client) Close() {
	if t, ok := c.http.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

func fail(kind holdfast.ErrorKind, ref, text string) error {
	return &holdfast.Error{Op: "davclient", Kind: kind, Ref: ref, Text: text}
}

// untrusted is the rule that keeps the password from a place.
const untrusted = "untrusted-host"

func keep(text string) error {
	return &holdfast.Error{Op: "davclient", Kind: holdfast.Forbidden, Rule: untrusted, Text: text}
}

// mayAsk tells whether the password may go to a URL: to the server that was named, to others that were, over TLS or within this machine.
func (c *Client) mayAsk(u *url.URL) error {
	host := hostPort(u)
	if host != hostPort(c.start) && !(u.Scheme == "https" && u.Hostname() == c.start.Hostname() && c.start.Scheme == "http" && u.Port() == "") && !c.trusted(u) {
		return keep(fmt.Sprintf("the server sends us to %s, which is another host, and the password does not go there unasked; if that is yours too, add --trust-host %s",
			u.Scheme+"://"+u.Host, u.Host))
	}
	if u.Scheme != "https" && u.Scheme != "http" {
		return keep(fmt.Sprintf("the server sends us to %q, which is no URL of HTTP", u.Scheme+":"))
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) && !c.o.InsecureHTTP {
		return keep("http://" + u.Host + " would show the password and all data to the network on the way; use https://, or say --insecure-http if you mean it")
	}
	return nil
}

func (c *Client) trusted(u *url.URL) bool {
	return slices.ContainsFunc(c.o.Hosts, func(h string) bool { return strings.EqualFold(h, u.Host) || strings.EqualFold(h, hostPort(u)) })
}

// hostPort is the host of a URL with its port, in lower case.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	return strings.ToLower(u.Hostname()) + ":" + port
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// request is one question to the server.
type request struct {
	method, depth string
	url           *url.URL
	body          string
}

// answer is what came: its body must be closed.
type answer struct {
	url    *url.URL // where it came from in the end
	status int
	header http.Header
	body   io.Reader
	end    func()
}

func (a *answer) close() {
	_, _ = io.CopyN(io.Discard, a.body, 64<<10) // what is short is read to its end, so that the connection serves again
	a.end()
}

// do sends a request, follows redirects and waits for a server that is busy. The answer has any status but those that it waited for in vain, and 401.
func (c *Client) do(ctx context.Context, q request) (*answer, error) {
	for try := 0; ; try++ {
		a, err := c.follow(ctx, q)
		if ctx.Err() != nil {
			if err == nil {
				a.end()
			}
			return nil, context.Cause(ctx)
		}
		wait, why := c.pause(a, err, try)
		switch {
		case why == "" && err != nil:
			return nil, err
		case why == "" && a.status == http.StatusUnauthorized:
			defer a.close()
			return nil, unauthorized(a)
		case why == "":
			return a, nil
		case c.o.Retries < 0 || try >= c.o.Retries:
			if err == nil {
				a.close()
			}
			return nil, &holdfast.Error{Op: "davclient", Kind: holdfast.Unavailable, Ref: q.url.Path, Text: why, Err: err}
		}
		if err == nil {
			a.close()
		}
		if c.o.Waiting != nil {
			c.o.Waiting(wait, why)
		}
		if err := clock.Sleep(ctx, c.o.Clock, wait); err != nil {
			return nil, err
		}
	}
}

// pause says how long to wait before a request is sent again; why is empty where it is not.
func (c *Client) pause(a *answer, err error, try int) (wait time.Duration, why string) {
	wait = min(time.Second<<min(try, 10), c.o.MaxWait)
	if err != nil {
		if holdfast.KindOf(err) != holdfast.Unavailable || !c.found {
			return 0, ""
		}
		return wait, "the server cannot be reached"
	}
	switch a.status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
	case http.StatusBadGateway, http.StatusGatewayTimeout:
	default:
		return 0, ""
	}
	if s := a.header.Get("Retry-After"); s != "" {
		if n, err := strconv.Atoi(s); err == nil && n >= 0 {
			wait = time.Duration(min(n, 86400)) * time.Second
		} else if at, err := http.ParseTime(s); err == nil {
			wait = at.Sub(c.o.Clock.Now())
		}
	}
	return max(min(wait, c.o.MaxWait), 0), fmt.Sprintf("the server answers %d", a.status)
}

func unauthorized(a *answer) error {
	ways := strings.ToLower(strings.Join(a.header.Values("WWW-Authenticate"), ","))
	if ways != "" && !strings.Contains(ways, "basic") {
		way, _, _ := strings.Cut(a.header.Get("WWW-Authenticate"), " ")
		return fail(holdfast.Unauthorized, "", fmt.Sprintf("the server asks for the sign-in %.40q; only Basic is spoken here. Many providers give app passwords for it", way))
	}
	return fail(holdfast.Unauthorized, "", "the server does not take this user and password; with two-factor sign-in it wants an app password")
}

// follow sends a request and follows redirects.
func (c *Client) follow(ctx context.Context, q request) (*answer, error) {
	u := q.url
	for range maxRedirects {
		if err := c.mayAsk(u); err != nil {
			return nil, err
		}
		a, err := c.send(ctx, q, u)
		if err != nil {
			return nil, err
		}
		switch a.status {
		case http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		default:
			return a, nil
		}
		to, err := u.Parse(a.header.Get("Location"))
		a.close()
		if err != nil || a.header.Get("Location") == "" {
			return nil, fail(holdfast.Invalid, u.Path, "the server redirects to nowhere")
		}
		to.User, to.Fragment, to.RawQuery = nil, "", ""
		u = sameHost(u, to)
	}
	return nil, fail(holdfast.Invalid, q.url.Path, "the server redirects again and again; is the URL right?")
}

// sameHost mends what a server behind a proxy says of itself: http:// where it is asked over TLS.
func sameHost(base, u *url.URL) *url.URL {
	if base.Scheme == "https" && u.Scheme == "http" && strings.EqualFold(u.Hostname(), base.Hostname()) {
		u.Scheme, u.Host = base.Scheme, base.Host
	}
	return u
}

var errSilent = errors.New("the server fell silent")

var errSlow = errors.New("the server took too long for one answer")

// send sends one request and returns what came, whatever it is.
func (c *Client) send(ctx context.Context, q request, u *url.URL) (*answer, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	idle := c.o.Clock.AfterFunc(c.o.Idle, func() { cancel(errSilent) })
	total := c.o.Clock.AfterFunc(c.o.Total, func() { cancel(errSlow) })
	end := func() { idle.Stop(); total.Stop(); cancel(context.Canceled) }
	r, err := http.NewRequestWithContext(ctx, q.method, u.String(), bytes.NewReader([]byte(q.body)))
	if err != nil {
		end()
		return nil, fail(holdfast.Invalid, u.Path, "this is no URL that can be asked for")
	}
	r.Header.Set("User-Agent", "Holdfast")
	if q.body != "" {
		r.Header.Set("Content-Type", "application/xml; charset=utf-8")
	}
	if q.depth != "" {
		r.Header.Set("Depth", q.depth)
	}
	if c.o.User != "" || c.o.Password != "" {
		r.SetBasicAuth(c.o.User, c.o.Password)
	}
	resp, err := c.http.RoundTrip(r)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		end()
		return nil, &holdfast.Error{Op: "davclient", Kind: kindOf(err), Ref: u.Host, Text: unreached(err), Err: err}
	}
	c.found = true
	body := &patient{r: resp.Body, ctx: ctx, touch: func() { idle.Reset(c.o.Idle) }, left: maxAnswer}
	return &answer{url: u, status: resp.StatusCode, header: resp.Header, body: body, end: func() { end(); resp.Body.Close() }}, nil
}

// kindOf tells what a failure to reach the server is: a certificate does not become good by waiting.
func kindOf(err error) holdfast.ErrorKind {
	if _, bad := errors.AsType[*tls.CertificateVerificationError](err); bad {
		return holdfast.Forbidden
	}
	if _, bad := errors.AsType[tls.RecordHeaderError](err); bad {
		return holdfast.Forbidden
	}
	return holdfast.Unavailable
}

// unreached says in words why the server was not reached, and what to look at.
func unreached(err error) string {
	if _, bad := errors.AsType[*tls.CertificateVerificationError](err); bad {
		return "the certificate of the server is not trusted here"
	}
	if _, bad := errors.AsType[tls.RecordHeaderError](err); bad {
		return "the server does not speak TLS at this address; is its port right?"
	}
	if dns, bad := errors.AsType[*net.DNSError](err); bad && dns.IsNotFound {
		return "no server of this name is known; is the URL right?"
	}
	return "the server cannot be reached"
}

// patient reads a body that may come slowly, but not for ever and not without end.
type patient struct {
	r     io.Reader
	ctx   context.Context
	touch func()
	left  int64
}

func (p *patient) Read(b []byte) (int, error) {
	if p.left <= 0 {
		return 0, fail(holdfast.TooLarge, "", "the server's answer has no end")
	}
	n, err := p.r.Read(b[:min(int64(len(b)), p.left)])
	p.left -= int64(n)
	if n > 0 {
		p.touch()
	}
	if err != nil && err != io.EOF {
		if cause := context.Cause(p.ctx); cause != nil {
			err = cause
		}
		err = &holdfast.Error{Op: "davclient", Kind: holdfast.Unavailable, Text: "the server's answer broke off", Err: err}
	}
	return n, err
}
