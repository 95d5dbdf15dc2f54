package notice

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// receiver is a real HTTP receiver that keeps the last request.
type receiver struct {
	*httptest.Server
	code int
	head http.Header
	path string
	body []byte
}

func openReceiver(t *testing.T, tls bool) *receiver {
	r := &receiver{code: http.StatusNoContent}
	h := http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		r.head, r.path = q.Header, q.Method+" "+q.URL.Path
		r.body, _ = io.ReadAll(q.Body)
		if r.code/100 == 3 {
			w.Header().Set("Location", "http://127.0.0.1:1/elsewhere")
		}
		w.WriteHeader(r.code)
	})
	if tls {
		r.Server = httptest.NewTLSServer(h)
	} else {
		r.Server = httptest.NewServer(h)
	}
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) roots() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(r.Certificate())
	return p
}

func TestWebhook(t *testing.T) {
	r := openReceiver(t, true)
	w := &Webhook{URL: r.URL + "/hooks/s3cret-path", Token: "s3cret-token", Secret: "s3cret-key", Roots: r.roots()}
	n := sample()
	if said, err := w.Send(t.Context(), n); err != nil || !strings.HasSuffix(said, "204 No Content") {
		t.Fatalf("%q, %v", said, err)
	}
	mac := hmac.New(sha256.New, []byte("s3cret-key"))
	mac.Write(r.body)
	if r.path != "POST /hooks/s3cret-path" || r.head.Get("Authorization") != "Bearer s3cret-token" || r.head.Get("Holdfast-Signature") != "sha256="+hex.EncodeToString(mac.Sum(nil)) ||
		r.head.Get("Idempotency-Key") != `"`+n.ID.String()+`"` || r.head.Get("Content-Type") != "application/json" {
		t.Errorf("%s %v", r.path, r.head)
	}
	var got map[string]any
	if err := json.Unmarshal(r.body, &got); err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]any{"schema": "holdfast.notice/1", "id": n.ID.String(), "thread": n.Thread.String(), "what": "worse", "key": "vault.attic", "severity": "critical", "title": n.Title, "text": n.Text,
		"since": "2026-11-26T12:00:00Z", "at": "2026-11-26T12:00:00Z", "server": n.Server, "grade": 2.0, "measure": 120.0} {
		if got[k] != v {
			t.Errorf("%s: %v, want %v", k, got[k], v)
		}
		delete(got, k)
	}
	if len(got) > 0 {
		t.Errorf("more than is documented: %v", got)
	}
}

func TestWebhookErrors(t *testing.T) {
	r := openReceiver(t, false)
	w := &Webhook{URL: r.URL + "/s3cret", Token: "s3cret"}
	for code, refused := range map[int]bool{500: false, 503: false, 429: false, 401: false, 404: false, 302: false, 307: false, 400: true, 422: true} {
		r.code = code
		_, err := w.Send(t.Context(), sample())
		if err == nil || isRefusal(err) != refused || strings.Contains(err.Error(), "s3cret") || !strings.Contains(err.Error(), fmt.Sprint(code)) {
			t.Errorf("%d: %v", code, err)
		}
	}
	r.Close()
	if _, err := w.Send(t.Context(), sample()); err == nil || strings.Contains(err.Error(), "s3cret") || isRefusal(err) {
		t.Errorf("%v", err)
	}
	if _, err := (&Webhook{URL: "https://exa mple.org/s3cret"}).Send(t.Context(), sample()); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("%v", err)
	}
	untrusted := openReceiver(t, true)
	if _, err := (&Webhook{URL: untrusted.URL}).Send(t.Context(), sample()); err == nil {
		t.Error("a certificate of nobody was taken")
	}
}

func TestNtfy(t *testing.T) {
	r := openReceiver(t, false)
	w := &Ntfy{URL: r.URL + "/topic", Token: "tk_1"}
	n := sample()
	for _, x := range []struct {
		what           string
		severity       Severity
		priority, tags string
	}{{Begins, Critical, "urgent", "rotating_light,holdfast"}, {Worse, Warning, "high", "warning,holdfast"}, {Begins, Info, "default", "information_source,holdfast"}, {Over, Critical, "default", "white_check_mark,holdfast"}} {
		n.What, n.Severity = x.what, x.severity
		if _, err := w.Send(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		title, err := new(mime.WordDecoder).DecodeHeader(r.head.Get("Title"))
		if err != nil || title != "Holdfast: "+n.Subject() || r.head.Get("Priority") != x.priority || r.head.Get("Tags") != x.tags || r.head.Get("Authorization") != "Bearer tk_1" || string(r.body) != n.Body() {
			t.Errorf("%+v: %q, %v, %v", x, title, err, r.head)
		}
	}
}

func TestCommand(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "tell")
	if err := os.WriteFile(script, []byte("#!/bin/sh\ncat >\"$1\"/json\nenv >\"$1\"/env\n[ -z \"$2\" ] || { echo \"no such pager\" >&2; exit 3; }\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	n := sample()
	w := &Command{Line: []string{script, dir}, Environ: []string{"PATH=" + os.Getenv("PATH"), "HOLDFAST_NOTIFY_MAIL_PASSWORD=s3cret"}}
	if _, err := w.Send(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(read("json")), &got); err != nil || got["schema"] != Schema || got["title"] != n.Title {
		t.Errorf("%v, %v", got, err)
	}
	env := read("env")
	for _, line := range []string{"HOLDFAST_NOTICE_WHAT=worse", "HOLDFAST_NOTICE_KEY=vault.attic", "HOLDFAST_NOTICE_SEVERITY=critical", "HOLDFAST_NOTICE_TITLE=" + n.Title, "HOLDFAST_NOTICE_SINCE=2026-11-26T12:00:00Z", "HOLDFAST_NOTICE_ID=" + n.ID.String()} {
		if !strings.Contains(env, line+"\n") {
			t.Errorf("the environment lacks %s", line)
		}
	}
	if strings.Contains(env, "s3cret") {
		t.Error("the service's secrets are in the environment")
	}
	w.Line = append(w.Line, "fail")
	if _, err := w.Send(t.Context(), n); err == nil || !strings.Contains(err.Error(), "exit status 3: no such pager") {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := (&Command{Line: []string{"sh", "-c", "sleep 60 & sleep 60"}, Environ: os.Environ()}).Send(ctx, n); err == nil || time.Since(began) > 10*time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
	if _, err := (&Command{Line: []string{"/no/such/program"}}).Send(t.Context(), n); err == nil {
		t.Error("a program that is not there")
	}
}
