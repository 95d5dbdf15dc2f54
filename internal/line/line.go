// Package line speaks HTTP over lines that may die: a connection on which nothing moves is given up, however much it has carried before.
package line

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"time"

	"holdfast/internal/clock"
)

// Connections bounds those to one server.
const Connections = 8

// Transport returns a transport whose connections, handshakes, requests and answers are given up when nothing moves for as long as stall says. Bodies of answers are bounded by [Body].
func Transport(trust *tls.Config, stall time.Duration) *http.Transport {
	return &http.Transport{TLSClientConfig: trust, MaxConnsPerHost: Connections, MaxIdleConnsPerHost: Connections, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: stall, DisableCompression: true,
		ResponseHeaderTimeout: stall, ExpectContinueTimeout: time.Second, DialContext: dialer(stall)}
}

// dialer connects, and gives up connections whose writes nobody takes.
func dialer(stall time.Duration) func(context.Context, string, string) (net.Conn, error) {
	d := &net.Dialer{Timeout: stall}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := d.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &moving{Conn: c, stall: stall}, nil
	}
}

// moving is a connection whose writes end when nobody takes them. Its reads are bounded by who waits for an answer: an idle connection reads too.
type moving struct {
	net.Conn
	stall time.Duration
}

func (c *moving) Write(p []byte) (int, error) {
	_ = c.SetWriteDeadline(clock.System.Now().Add(c.stall))
	return c.Conn.Write(p)
}

// Body returns the body of an answer, which is closed, and so ends in an error, when a read of it takes longer than stall.
func Body(b io.ReadCloser, stall time.Duration) io.ReadCloser { return &watched{b, stall} }

type watched struct {
	io.ReadCloser
	stall time.Duration
}

func (w *watched) Read(p []byte) (int, error) {
	stop := clock.System.AfterFunc(w.stall, func() { _ = w.ReadCloser.Close() })
	defer stop.Stop()
	return w.ReadCloser.Read(p)
}

// Loopback tells whether a host is this machine: only there plain HTTP carries a credential.
func Loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
