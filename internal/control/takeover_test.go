package control

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/davclient/remote"
	"holdfast/internal/store/memory"
	"holdfast/internal/vcard"
)

// TestTakeOver holds that a takeover streams its events over the socket, ends with the command, and that nothing says the password.
func TestTakeOver(t *testing.T) {
	e := memory.New()
	t.Cleanup(func() { e.Close() })
	var log bytes.Buffer
	s := core.New(core.Options{Engine: e, Judges: map[holdfast.CollectionType]core.Judge{holdfast.TypeAddressbook: judge}})
	dir := t.TempDir()
	stopping := make(chan struct{})
	listen(t, dir, NewHandler(Options{Core: s, Stopping: stopping, Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})), TakeoverDir: t.TempDir()}))
	c, err := Dial(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, _, err := s.CreateAccount(t.Context(), holdfast.Actor{}, "alice@example.org", ""); err != nil {
		t.Fatal(err)
	}
	far := remote.New()
	for _, uid := range []string{"a", "b", "c"} {
		far.Collections[1].Items[uid+".vcf"] = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:" + uid + "\r\nFN:x\r\nEND:VCARD\r\n"
		if _, refusal := vcard.Judge([]byte(far.Collections[1].Items[uid+".vcf"]), vcard.Limits{}); refusal != nil {
			t.Fatal(refusal)
		}
	}
	at := httptest.NewServer(far)
	defer at.Close()
	q := TakeoverRequest{Account: "alice@example.org", URL: at.URL, User: remote.User, Password: remote.Password}
	var all []TakeoverEvent
	if err := c.TakeOver(t.Context(), q, func(e TakeoverEvent) { all = append(all, e) }); err != nil {
		t.Fatal(err)
	}
	if last := all[len(all)-1].Done; last == nil || last.Accepted != 3 || !last.Equal {
		t.Errorf("%+v", last)
	}
	q.Password = "wrong"
	if err := c.TakeOver(t.Context(), q, func(TakeoverEvent) {}); !holdfast.IsKind(err, holdfast.Unauthorized) {
		t.Errorf("got %v", err)
	}
	q.Account = "nobody@example.org"
	if err := c.TakeOver(t.Context(), q, func(TakeoverEvent) {}); !holdfast.IsKind(err, holdfast.NotFound) {
		t.Errorf("got %v", err)
	}
	q.Account, q.Password = "alice@example.org", remote.Password
	ctx, stop := context.WithCancel(t.Context())
	if err := c.TakeOver(ctx, q, func(TakeoverEvent) { stop() }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	// A server that stops does not wait for another that is slow.
	far.Change(func() {
		far.Before = func(w http.ResponseWriter, r *http.Request) bool { w.WriteHeader(503); return true }
	})
	begun := false
	for { // the one before ends after its caller left it
		err = c.TakeOver(t.Context(), q, func(e TakeoverEvent) {
			if e.Waiting != nil && !begun {
				begun = true
				close(stopping)
			}
		})
		if begun || t.Context().Err() != nil || err == nil || !strings.Contains(err.Error(), "are running") {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if !holdfast.IsKind(err, holdfast.Unavailable) || !strings.Contains(err.Error(), "stopping") || !begun {
		t.Errorf("got %v", err)
	}
	if s := log.String(); strings.Contains(s, remote.Password) || !strings.Contains(s, "was taken over") {
		t.Errorf("the log says:\n%s", s)
	}
}
