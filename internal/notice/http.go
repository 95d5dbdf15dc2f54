package notice

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
)

// Schema is what the JSON of a notice is called.
const Schema = "holdfast.notice/1"

// encode writes a notice as one JSON object.
func (n *Notice) encode() ([]byte, error) {
	return json.Marshal(struct {
		Schema string `json:"schema"`
		*Notice
	}{Schema, n})
}

// Webhook posts each notice as one JSON object.
type Webhook struct {
	URL    string         // secret: many receivers are protected by it alone
	Token  string         // sent as a bearer token; empty: none
	Secret string         // the request is signed with it; empty: it is not
	Roots  *x509.CertPool // nil: the system's
}

// SignatureHeader holds "sha256=" and the HMAC-SHA256 of the body, in hex.
const SignatureHeader = "Holdfast-Signature"

// Name implements [Way].
func (w *Webhook) Name() string { return "webhook" }

// Send implements [Way].
func (w *Webhook) Send(ctx context.Context, n *Notice) (string, error) {
	body, err := n.encode()
	if err != nil {
		return "", err
	}
	h := http.Header{"Content-Type": {"application/json"}, "Idempotency-Key": {`"` + n.ID.String() + `"`}}
	if w.Token != "" {
		h.Set("Authorization", "Bearer "+w.Token)
	}
	if w.Secret != "" {
		mac := hmac.New(sha256.New, []byte(w.Secret))
		mac.Write(body)
		h.Set(SignatureHeader, "sha256="+hex.EncodeToString(mac.Sum(nil)))
	}
	return post(ctx, w.URL, h, body, w.Roots)
}

// Ntfy publishes each notice to a topic of ntfy.
type Ntfy struct {
	URL   string // of the topic; secret: whoever knows it can read along
	Token string
	Roots *x509.CertPool
}

// Name implements [Way].
func (w *Ntfy) Name() string { return "ntfy" }

// Send implements [Way].
func (w *Ntfy) Send(ctx context.Context, n *Notice) (string, error) {
	priority, tag := "default", "information_source"
	switch {
	case n.What == Over:
		tag = "white_check_mark"
	case n.Severity == Critical:
		priority, tag = "urgent", "rotating_light"
	case n.Severity == Warning:
		priority, tag = "high", "warning"
	}
	h := http.Header{"Content-Type": {"text/plain; charset=utf-8"}, "Title": {mime.BEncoding.Encode("utf-8", "Holdfast: "+n.Subject())}, "Priority": {priority}, "Tags": {tag + ",holdfast"}}
	if w.Token != "" {
		h.Set("Authorization", "Bearer "+w.Token)
	}
	return post(ctx, w.URL, h, []byte(n.Body()), w.Roots)
}

// post sends one request, and follows no redirect: what it carries is for this receiver alone. Errors name the host, never the rest of the URL.
func post(ctx context.Context, to string, h http.Header, body []byte, roots *x509.CertPool) (string, error) {
	u, err := url.Parse(to)
	if err != nil {
		return "", errors.New("the URL of the way cannot be read") // the error would show it
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return "", errors.New("the URL of the way cannot be used")
	}
	req.Header = h
	req.Header.Set("User-Agent", "Holdfast")
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10}
	defer transport.CloseIdleConnections()
	c := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := c.Do(req)
	if x, ok := errors.AsType[*url.Error](err); ok {
		err = x.Err // without the URL
	}
	if err != nil {
		return "", fmt.Errorf("%s could not be reached: %w", u.Host, err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // what it says is of no use
	said := fmt.Sprintf("%s answered %s", u.Host, strings.TrimSpace(resp.Status))
	switch resp.StatusCode {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity: // this very notice
		return "", &Refusal{said}
	}
	if resp.StatusCode/100 == 2 {
		return said, nil
	}
	return "", errors.New(said)
}
