package remote

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/line"
	"holdfast/internal/place"
)

// Options say where a server is and how it is spoken to. Zero values mean the defaults.
type Options struct {
	URL         string // https://vault.example.net:8430
	Credential  string // secret: append, or read
	Prune       string // secret: with which is removed; empty: removing is Forbidden
	Fingerprint string // SHA-256 of the server's certificate in hex; empty: the system's roots judge it
	Log         *slog.Logger
	Stall       time.Duration // a connection on which nothing moves for so long is given up; default 30 s
}

// Remote is a place on another machine.
type Remote struct {
	o      Options
	base   string // without a slash at its end
	client *http.Client
}

var (
	_ place.Place      = (*Remote)(nil)
	_ place.Laster     = (*Remote)(nil)
	_ place.ManyReader = (*Remote)(nil)
)

// Bounds of what is held in memory: an answer's JSON, and an object that is put from a source that cannot be read twice.
const (
	maxAnswer = 4 << 20
	maxSpool  = 64 << 20
)

// Open returns the place behind a URL. It does not speak to the server yet. Errors: Invalid.
func Open(o Options) (*Remote, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Stall <= 0 {
		o.Stall = 30 * time.Second
	}
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.RawQuery != "" {
		return nil, place.Err("Open", holdfast.Invalid, "", "where a remote vault is, is said by a URL like https://vault.example.net:8430", nil)
	}
	if u.Scheme == "http" && !line.Loopback(u.Hostname()) {
		return nil, place.Err("Open", holdfast.Invalid, o.URL, "without TLS the credential could be read on the way; use https", nil)
	}
	trust, err := trustOf(o.Fingerprint)
	if err != nil {
		return nil, err
	}
	r := &Remote{o: o, base: strings.TrimSuffix(u.Scheme+"://"+u.Host+u.EscapedPath(), "/")}
	r.client = &http.Client{Transport: line.Transport(trust, o.Stall), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }} // a credential goes to nobody else
	return r, nil
}

// trustOf says whose certificate is taken: the one with the fingerprint alone, whatever name and dates stand in it.
func trustOf(fingerprint string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS13}
	if fingerprint == "" {
		return c, nil
	}
	want, err := hex.DecodeString(strings.ReplaceAll(fingerprint, ":", ""))
	if err != nil || len(want) != sha256.Size {
		return nil, place.Err("Open", holdfast.Invalid, "", "a certificate's fingerprint is its SHA-256 in hex, 64 digits", nil)
	}
	c.InsecureSkipVerify = true // what follows judges instead
	c.VerifyConnection = func(s tls.ConnectionState) error {
		if got := sha256.Sum256(s.PeerCertificates[0].Raw); !bytes.Equal(got[:], want) {
			return errors.New("the server has another certificate than the one with the fingerprint that was given")
		}
		return nil
	}
	return c, nil
}

// String implements [place.Place].
func (r *Remote) String() string { return "server " + r.base }

// Close implements [place.Place].
func (r *Remote) Close() error {
	r.client.CloseIdleConnections()
	return nil
}

// call is one request.
type call struct {
	op, method, path, ref string // path: below the base, escaped
	body                  []byte
	source                io.ReadSeeker // instead of body
	size                  int64         // of source
	sum                   holdfast.Hash // of either
	at, n                 int64         // of a Get
	prune                 bool
	again                 bool // it may be sent again
}

// tries is how often a request that may be sent again is.
const tries = 3

// do sends a request and returns an answer of 2xx, whose body is the caller's to close.
func (r *Remote) do(ctx context.Context, c *call) (*http.Response, error) {
	for n := 1; ; n++ {
		resp, err := r.once(ctx, c)
		if err == nil || !c.again || n == tries || ctx.Err() != nil || !holdfast.IsKind(err, holdfast.Unavailable) || spoken(err) {
			return resp, err
		}
		if err := clock.Sleep(ctx, clock.System, time.Duration(n)*50*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// spoken tells whether it was the server that said so: then asking again at once is no use.
func spoken(err error) bool {
	var e *holdfast.Error
	return errors.As(err, &e) && e.Err == nil
}

func (r *Remote) once(ctx context.Context, c *call) (*http.Response, error) {
	req, err := r.request(ctx, c)
	if err != nil {
		return nil, err
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, r.unreachable(ctx, c, err)
	}
	if resp.StatusCode/100 == 2 {
		resp.Body = &watched{ReadCloser: line.Body(resp.Body, r.o.Stall), r: r, c: c, ctx: ctx}
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, r.problem(c, resp)
}

func (r *Remote) request(ctx context.Context, c *call) (*http.Request, error) {
	var body io.Reader
	switch {
	case c.source != nil:
		if _, err := c.source.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
		body = io.NopCloser(io.LimitReader(c.source, c.size))
	case c.body != nil:
		body = bytes.NewReader(c.body)
	}
	req, err := http.NewRequestWithContext(ctx, c.method, r.base+c.path, body)
	if err != nil {
		return nil, place.Err(c.op, holdfast.Invalid, c.ref, "the request cannot be made", err)
	}
	if c.source != nil {
		req.ContentLength = c.size
		if c.size == 0 {
			req.Body = http.NoBody
		}
	}
	credential := r.o.Credential
	if c.prune {
		credential = r.o.Prune
	}
	req.Header.Set("Authorization", "Bearer "+credential)
	if body != nil {
		req.Header.Set("Content-Digest", Digest(c.sum))
		req.Header.Set("Content-Type", "application/octet-stream")
	}
	switch {
	case c.method != http.MethodGet || c.ref == "" || c.at == 0 && c.n < 0:
	case c.n < 0:
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", c.at))
	default:
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", c.at, c.at+c.n-1))
	}
	return req, nil
}

// unreachable says that there was no answer. What led to it names no secret: it stands in no URL.
func (r *Remote) unreachable(ctx context.Context, c *call, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return place.Err(c.op, holdfast.Unavailable, r.base, "the vault's server does not answer", err)
}

// problem reads what the server says is wrong. An answer that is not the server's, such as a proxy's, is Unavailable.
func (r *Remote) problem(c *call, resp *http.Response) error {
	var p Problem
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err := json.Unmarshal(b, &p); err == nil {
		if kind, ok := kindOf(p.Kind); ok {
			return place.Err(c.op, kind, p.Ref, p.Text, nil)
		}
	}
	if kind, ok := kindOf(resp.Header.Get(ProblemHeader)); ok { // HEAD has no body
		return place.Err(c.op, kind, c.ref, "", nil)
	}
	text := fmt.Sprintf("the vault's server answered %s", resp.Status)
	if resp.StatusCode < 500 {
		text += ", as no vault's server does: look at the address, which begins with https:// unless that server was told to speak plain HTTP"
	}
	return place.Err(c.op, holdfast.Unavailable, c.ref, text, nil)
}

// watched is an answer's body that ends as an error of a place.
type watched struct {
	io.ReadCloser
	r   *Remote
	c   *call
	ctx context.Context
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = w.r.unreachable(w.ctx, w.c, err)
	}
	return n, err
}

// answer reads an answer's JSON.
func answer(resp *http.Response, c *call, into any) error {
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err == nil && len(b) > maxAnswer {
		err = errors.New("it is too long")
	}
	if err == nil {
		err = json.Unmarshal(b, into)
	}
	if err != nil {
		return place.Err(c.op, holdfast.Unavailable, c.ref, "what answered is not a vault's server, or was cut off", err)
	}
	return nil
}
