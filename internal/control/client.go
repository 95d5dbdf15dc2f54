package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"time"

	"holdfast"
	"holdfast/internal/clock"
)

// Client calls the operations of a handler, wherever it is.
type Client struct {
	http *http.Client
	// Remote tells that a server answers, rather than this process.
	Remote bool
	close  func()
	wait   time.Duration
	hung   string
}

// Within bounds how long the handler may take to begin any answer: it does so at once, however long the work lasts. After that a call fails with Unavailable
// and this text.
func (c *Client) Within(wait time.Duration, text string) { c.wait, c.hung = wait, text }

// OnClose has fn called by Close: it lets go of what the client stands on.
func (c *Client) OnClose(fn func()) { c.close = fn }

// Close lets go of connections, and of what OnClose was told.
func (c *Client) Close() {
	c.http.CloseIdleConnections()
	if c.close != nil {
		c.close()
	}
}

// Status tells how the store fares.
func (c *Client) Status(ctx context.Context) (s Status, err error) {
	err = c.call(ctx, "GET", "/v1/status", nil, &s)
	s.Running, s.Ready = c.Remote, s.Ready && c.Remote
	return s, err
}

// Accounts lists all accounts.
func (c *Client) Accounts(ctx context.Context) (list []Account, err error) {
	err = c.call(ctx, "GET", "/v1/accounts", nil, &list)
	return list, err
}

// CreateAccount makes an account.
func (c *Client) CreateAccount(ctx context.Context, n NewAccount) (a Account, err error) {
	err = c.call(ctx, "POST", "/v1/accounts", n, &a)
	return a, err
}

// Account returns an account with what it holds.
func (c *Client) Account(ctx context.Context, ref string) (a AccountDetail, err error) {
	err = c.call(ctx, "GET", of(ref, ""), nil, &a)
	return a, err
}

// SetState suspends or resumes an account.
func (c *Client) SetState(ctx context.Context, ref string, s holdfast.AccountState) (a Account, err error) {
	err = c.call(ctx, "POST", of(ref, "/state"), map[string]any{"state": s}, &a)
	return a, err
}

// SetPassword gives an account a new password for the pages, and ends its sessions there. Its devices keep their app passwords.
func (c *Client) SetPassword(ctx context.Context, ref, password string) (a Account, err error) {
	err = c.call(ctx, "POST", of(ref, "/password"), map[string]any{"password": password}, &a)
	return a, err
}

// Rename gives an account a new login; the old one stays its alias.
func (c *Client) Rename(ctx context.Context, ref, email string) (a Account, err error) {
	err = c.call(ctx, "POST", of(ref, "/login"), map[string]any{"email": email}, &a)
	return a, err
}

// Devices lists an account's devices.
func (c *Client) Devices(ctx context.Context, ref string) (list []Device, err error) {
	err = c.call(ctx, "GET", of(ref, "/devices"), nil, &list)
	return list, err
}

// AddDevice makes a device and its app password.
func (c *Client) AddDevice(ctx context.Context, ref, name string) (d NewDevice, err error) {
	err = c.call(ctx, "POST", of(ref, "/devices"), map[string]any{"name": name}, &d)
	return d, err
}

// TakeDevice makes a device that keeps the app password which it has from another server.
func (c *Client) TakeDevice(ctx context.Context, ref, name, password string) (d NewDevice, err error) {
	err = c.call(ctx, "POST", of(ref, "/devices"), map[string]any{"name": name, "password": password}, &d)
	return d, err
}

// RevokeDevice ends a device's right to sign in.
func (c *Client) RevokeDevice(ctx context.Context, ref, id string) error {
	return c.call(ctx, "DELETE", of(ref, "/devices/"+url.PathEscape(id)), nil, &struct{}{})
}

// Share lets another account into a collection, or changes what it may do there.
func (c *Client) Share(ctx context.Context, owner string, n NewShare) (s Share, err error) {
	err = c.call(ctx, "POST", of(owner, "/shares"), n, &s)
	return s, err
}

// Unshare ends a share. path may be the collection's id too.
func (c *Client) Unshare(ctx context.Context, owner, path, with string) (s Share, err error) {
	v := url.Values{"path": {path}, "with": {with}}
	err = c.call(ctx, "DELETE", of(owner, "/shares?"+v.Encode()), nil, &s)
	return s, err
}

// Shares lists what is shared by and with one account; by and with all where account is empty.
func (c *Client) Shares(ctx context.Context, account string) (list []Share, err error) {
	err = c.call(ctx, "GET", "/v1/shares?"+url.Values{"account": {account}}.Encode(), nil, &list)
	return list, err
}

// Import sends one file and calls fn with each event. The last one is Done; without it there is an error.
func (c *Client) Import(ctx context.Context, q ImportRequest, body io.Reader, fn func(ImportEvent)) error {
	v := url.Values{"into": {q.Into}, "file": {q.File}, "replace": {fmt.Sprint(q.Replace)}, "dry_run": {fmt.Sprint(q.DryRun)}}
	in, err := c.send(ctx, "POST", of(q.Account, "/import?"+v.Encode()), body)
	if err != nil {
		return err
	}
	defer in.Close()
	done := false
	err = eachLine(in, func(e *ImportEvent) error {
		if e.Error != nil {
			return e.Error.Err()
		}
		done = done || e.Done != nil
		fn(*e)
		return nil
	})
	return errors.Join(context.Cause(ctx), unfinished(err, done))
}

// TakeOver takes another server over and calls fn with each event. The last one is Done; without it there is an error.
func (c *Client) TakeOver(ctx context.Context, q TakeoverRequest, fn func(TakeoverEvent)) error {
	b, err := json.Marshal(q)
	if err != nil {
		return err
	}
	in, err := c.send(ctx, "POST", of(q.Account, "/takeover"), bytes.NewReader(b))
	if err != nil {
		return err
	}
	defer in.Close()
	done := false
	err = eachLine(in, func(e *TakeoverEvent) error {
		if e.Error != nil {
			return e.Error.Err()
		}
		done = done || e.Done != nil
		fn(*e)
		return nil
	})
	return errors.Join(context.Cause(ctx), unfinished(err, done))
}

// unfinished says what it means that an import's answer broke off.
func unfinished(err error, done bool) error {
	var e *holdfast.Error
	if err == nil && done || errors.As(err, &e) {
		return err
	}
	if err == nil {
		err = errAborted
	}
	return &holdfast.Error{Op: "control", Kind: holdfast.Unavailable, Text: "the server went away before it was done; what was stored stays, run it again to go on", Err: err}
}

// Export returns an account as a tar stream; see package transfer.
func (c *Client) Export(ctx context.Context, ref string) (io.ReadCloser, error) {
	return c.send(ctx, "GET", of(ref, "/export"), nil)
}

// Check verifies the store and calls fn with each finding.
func (c *Client) Check(ctx context.Context, octets bool, fn func(Finding)) error {
	in, err := c.send(ctx, "GET", fmt.Sprintf("/v1/check?octets=%t", octets), nil)
	if err != nil {
		return err
	}
	defer in.Close()
	done := false
	err = eachLine(in, func(l *checkLine) error {
		switch {
		case l.Error != nil:
			return l.Error.Err()
		case l.Finding != nil:
			fn(*l.Finding)
		}
		done = done || l.Done
		return nil
	})
	if err == nil && !done {
		err = errAborted
	}
	return err
}

func of(ref, rest string) string { return "/v1/accounts/" + url.PathEscape(ref) + rest }

// call sends a small request and decodes its answer into out.
func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	r, err := c.send(ctx, method, path, body)
	if errors.Is(err, context.Canceled) && method != http.MethodGet {
		return &holdfast.Error{Op: "control", Kind: holdfast.Unavailable, Text: "interrupted; it may have been done all the same, so look before you run it again"}
	}
	if err != nil {
		return err
	}
	defer r.Close()
	if err := json.NewDecoder(r).Decode(out); err != nil {
		return fmt.Errorf("control %s: the answer cannot be read: %w", path, err)
	}
	return nil
}

// send returns the body of a good answer, and the error that a bad one says.
func (c *Client) send(ctx context.Context, method, path string, body io.Reader) (io.ReadCloser, error) {
	return c.sendTyped(ctx, method, path, "", body)
}

// sendTyped is send with a media type.
func (c *Client) sendTyped(ctx context.Context, method, path, contentType string, body io.Reader) (io.ReadCloser, error) {
	traced, began := c.watch(ctx)
	req, err := http.NewRequestWithContext(traced, method, "http://holdfast"+path, body)
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := c.http.Do(req)
	began()
	if err != nil {
		if cause := context.Cause(traced); cause != nil {
			return nil, cause
		}
		return nil, &holdfast.Error{Op: "control", Kind: holdfast.Unavailable, Text: "the server that runs does not answer its control socket", Err: err}
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	var p Problem
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxJSON)).Decode(&p); err != nil || p.Kind == "" {
		return nil, &holdfast.Error{Op: "control", Kind: holdfast.Internal, Ref: path, Text: "the server answered " + resp.Status}
	}
	return nil, p.Err()
}

// watch returns a context that ends if no octet of an answer comes in time. began is called when nothing is waited for any more.
func (c *Client) watch(ctx context.Context) (traced context.Context, began func()) {
	if c.wait <= 0 {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	t := clock.System.AfterFunc(c.wait, func() {
		cancel(&holdfast.Error{Op: "control", Kind: holdfast.Unavailable, Text: c.hung})
	})
	began = func() { t.Stop() }
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotFirstResponseByte: began}), began
}

// maxLine bounds one line of a streamed answer.
const maxLine = 1 << 20

// eachLine decodes one JSON object a line.
func eachLine[T any](r io.Reader, fn func(*T) error) error {
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, maxLine)
	for sc.Scan() {
		var v T
		if err := json.Unmarshal(sc.Bytes(), &v); err != nil {
			return fmt.Errorf("control: the answer cannot be read: %w", err)
		}
		if err := fn(&v); err != nil {
			return err
		}
	}
	return sc.Err()
}

// stream posts a small request and calls fn with each line of its answer. It is a function, as methods have no type parameters of their own.
func stream[T any](ctx context.Context, c *Client, path string, in any, fn func(*T) error) error {
	b, err := json.Marshal(in)
	if err != nil {
		return err
	}
	r, err := c.send(ctx, "POST", path, bytes.NewReader(b))
	if err != nil {
		return err
	}
	defer r.Close()
	return eachLine(r, fn)
}
