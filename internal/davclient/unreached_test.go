package davclient

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"holdfast"
)

// TestUnreached: a server that is not reached is one that may be reached later, never one that has nothing, and the words say what to look at.
func TestUnreached(t *testing.T) {
	for _, x := range []struct {
		err  error
		kind holdfast.ErrorKind
		say  string
	}{
		{&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "dav.example.org", IsNotFound: true}}, holdfast.Unavailable, "is the URL right?"},
		{errors.New("connection refused"), holdfast.Unavailable, "cannot be reached"},
		{fmt.Errorf("x: %w", tls.RecordHeaderError{}), holdfast.Forbidden, "does not speak TLS"},
		{&tls.CertificateVerificationError{}, holdfast.Forbidden, "certificate"},
	} {
		if kind, say := kindOf(x.err), unreached(x.err); kind != x.kind || !strings.Contains(say, x.say) {
			t.Errorf("%v: %v, %q; want %v, %q", x.err, kind, say, x.kind, x.say)
		}
	}
}

// TestNothingThere: a server of another sort is told as such, with its answer.
func TestNothingThere(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	c, err := New(Options{URL: s.URL, User: "u", Password: "p"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = c.Discover(t.Context())
	if !holdfast.IsKind(err, holdfast.NotFound) || !strings.Contains(err.Error(), "give the one that phones are set up with") || !strings.Contains(err.Error(), "404") {
		t.Errorf("%v", err)
	}
}
