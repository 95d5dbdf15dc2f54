package vaultd_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/place/memory"
	"holdfast/internal/place/remote"
	"holdfast/internal/vaultd"
)

// TestAThiefKeepsNobodyOut has somebody with a stolen credential begin requests and go on with none of them: reads whose answers he does not take, bodies that he does not send. The store's own go on.
func TestAThiefKeepsNobodyOut(t *testing.T) {
	m := memory.New(clock.System)
	fine(t, m.Put(t.Context(), "pages/1", strings.NewReader(strings.Repeat("x", 32<<20))))
	s := serve(t, m, func(h *vaultd.Handler) { h.Stall = time.Minute })
	begin := func(text string) {
		c, err := net.Dial("tcp", s.Listener.Addr().String())
		fine(t, err)
		t.Cleanup(func() { c.Close() })
		_, err = io.WriteString(c, text)
		fine(t, err)
	}
	for i := range 80 {
		begin("GET /vault/v1/objects/pages/1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + s.credential[vaultd.Read] + "\r\n\r\n")
		begin(fmt.Sprintf("POST /vault/v1/objects/tail/%d.frames?at=0 HTTP/1.1\r\nHost: x\r\nContent-Length: 60000000\r\n\r\nx", i))
	}
	for i := range 8 { // larger than usual: there are fewer places for those
		begin(fmt.Sprintf("POST /vault/v1/objects/tail/%d.frames?at=0 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Digest: %s\r\nContent-Length: 60000000\r\n\r\nx", i, s.credential[vaultd.Add], remote.Digest(holdfast.Hash{})))
	}
	time.Sleep(200 * time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for _, method := range []string{http.MethodHead, http.MethodPut} {
		req, err := http.NewRequestWithContext(ctx, method, s.URL+remote.Objects+"heads/1", strings.NewReader("head"))
		fine(t, err)
		req.Header.Set("Authorization", "Bearer "+s.credential[vaultd.Add])
		req.Header.Set("Content-Digest", remote.Digest(holdfast.HashOf([]byte("head"))))
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Errorf("%s: %v", method, err)
			continue
		}
		resp.Body.Close()
	}
}
