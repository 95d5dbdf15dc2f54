package fleet

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/clock"
)

// maxAnswer bounds one answer in memory, in octets.
const maxAnswer = 64 << 20

// Wire is the way of one device to its server.
type Wire struct {
	Base            *url.URL // the address that the person typed
	Login, Password string
	Transport       http.RoundTripper
	Slots           chan struct{} // bounds how many requests of all devices are under way at once; nil: nothing does
	Clock           clock.Clock
	Stats           *Stats // nil: nobody counts
	Timeout         time.Duration

	agent string
}

// answer is what came.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// statusError is an answer that a client takes for an error.
type statusError struct {
	what       string // the request
	status     int
	retryAfter time.Duration // 0: the answer says none
	body       []byte
}

func (e *statusError) Error() string { return fmt.Sprintf("%s answers %d", e.what, e.status) }

// condition tells whether the answer names a precondition.
func (e *statusError) condition(name string) bool { return bytes.Contains(e.body, []byte(name)) }

func (w *Wire) fail(what string, a *answer) *statusError {
	return &statusError{what, a.status, retryAfter(a.header.Get("Retry-After"), w.Clock), a.body[:min(len(a.body), 2000)]}
}

func retryAfter(s string, c clock.Clock) time.Duration {
	if n, err := strconv.Atoi(s); err == nil && n >= 0 {
		return time.Duration(min(n, 1<<20)) * time.Second
	}
	if at, err := http.ParseTime(s); err == nil {
		return max(at.Sub(c.Now()), 0)
	}
	return 0
}

// do sends one request and reads the answer to its end: one that is cut short is an error. headers are pairs of name and value.
func (w *Wire) do(ctx context.Context, method, href string, body string, headers ...string) (*answer, error) {
	u, err := w.Base.Parse(href)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, href, err)
	}
	for range 5 {
		a, err := w.once(ctx, method, u, body, headers)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", method, u.Path, err)
		}
		to := a.header.Get("Location")
		if a.status != 301 && a.status != 302 && a.status != 307 && a.status != 308 || to == "" {
			return a, nil
		}
		next, err := u.Parse(to)
		if err != nil || next.Host != u.Host || next.Scheme != u.Scheme { // the password goes nowhere else
			return a, nil
		}
		u = next
	}
	return nil, fmt.Errorf("%s %s: sent on too often", method, href)
}

func (w *Wire) once(ctx context.Context, method string, u *url.URL, body string, headers []string) (*answer, error) {
	if w.Slots != nil {
		select {
		case w.Slots <- struct{}{}:
			defer func() { <-w.Slots }()
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	if w.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = clock.WithTimeout(ctx, w.Clock, w.Timeout)
		defer cancel()
	}
	r := (&http.Request{Method: method, URL: u, Host: u.Host, Header: make(http.Header, 4), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}).WithContext(ctx)
	if body != "" {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header[headers[i]] = []string{headers[i+1]}
	}
	r.Header["User-Agent"] = []string{w.agent}
	r.SetBasicAuth(w.Login, w.Password)
	start := w.Clock.Now()
	res, err := w.Transport.RoundTrip(r)
	if err != nil {
		w.Stats.request(0, w.Clock.Now().Sub(start))
		return nil, err
	}
	defer res.Body.Close()
	a := &answer{status: res.StatusCode, header: res.Header}
	a.body, err = readAll(res)
	w.Stats.request(res.StatusCode, w.Clock.Now().Sub(start))
	return a, err
}

// readAll reads a body: what is said to be shorter than it is, or is cut off, is an error.
func readAll(res *http.Response) ([]byte, error) {
	var b bytes.Buffer
	if n := res.ContentLength; n > 0 && n <= maxAnswer {
		b.Grow(int(n) + bytes.MinRead)
	}
	n, err := b.ReadFrom(io.LimitReader(res.Body, maxAnswer+1))
	if err == nil && n > maxAnswer {
		err = fmt.Errorf("the answer has more than %d octets", maxAnswer)
	}
	return b.Bytes(), err
}
