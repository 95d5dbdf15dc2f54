package vaultd_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/place"
	"holdfast/internal/place/memory"
	"holdfast/internal/place/placetest"
	"holdfast/internal/place/remote"
	"holdfast/internal/vaultd"
	"holdfast/internal/vfs"
)

var quiet = slog.New(slog.DiscardHandler)

// served is a server and its credentials.
type served struct {
	*httptest.Server
	creds      *vaultd.Credentials
	credential map[vaultd.Right]string
}

// serve runs a handler over a place until the test ends.
func serve(t *testing.T, p place.Place, change func(*vaultd.Handler)) *served {
	t.Helper()
	dir := t.TempDir()
	c, made, err := vaultd.OpenCredentials(vfs.OS, dir, "")
	if err != nil || !made {
		t.Fatal(made, err)
	}
	s := &served{creds: c, credential: map[vaultd.Right]string{}}
	for _, r := range vaultd.Rights {
		b, err := os.ReadFile(vaultd.FileOf(dir, r))
		if err != nil {
			t.Fatal(err)
		}
		s.credential[r] = strings.TrimSpace(string(b))
	}
	h := &vaultd.Handler{Place: p, Credentials: c, Log: quiet, Stall: 5 * time.Second}
	if change != nil {
		change(h)
	}
	s.Server = httptest.NewServer(h.New())
	t.Cleanup(s.Server.Close)
	return s
}

func (s *served) place(t *testing.T, url string) *remote.Remote {
	t.Helper()
	if url == "" {
		url = s.URL
	}
	r, err := remote.Open(remote.Options{URL: url, Credential: s.credential[vaultd.Add], Prune: s.credential[vaultd.Prune], Stall: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func TestPlace(t *testing.T) {
	placetest.Run(t, func(t *testing.T) place.Place {
		return serve(t, memory.New(clock.System), nil).place(t, "")
	})
}

func TestWhoMayDoWhat(t *testing.T) {
	m := memory.New(clock.System)
	if err := m.Put(context.Background(), "heads/1", strings.NewReader("head")); err != nil {
		t.Fatal(err)
	}
	s := serve(t, m, nil)
	for _, x := range []struct {
		method, path string
		allowed      []vaultd.Right
	}{
		{"GET", "/vault/v1/", vaultd.Rights}, {"GET", "/vault/v1/objects?prefix=heads", vaultd.Rights}, {"GET", "/vault/v1/objects/heads/1", vaultd.Rights}, {"HEAD", "/vault/v1/objects/heads/1", vaultd.Rights},
		{"PUT", "/vault/v1/objects/heads/2", []vaultd.Right{vaultd.Add}}, {"POST", "/vault/v1/objects/tail/1.frames?at=0", []vaultd.Right{vaultd.Add}},
		{"DELETE", "/vault/v1/objects/heads/3", []vaultd.Right{vaultd.Prune}}, {"POST", "/vault/v1/prune", []vaultd.Right{vaultd.Prune}},
	} {
		for _, who := range []vaultd.Right{"", "stranger", vaultd.Read, vaultd.Add, vaultd.Prune} {
			req, err := http.NewRequest(x.method, s.URL+x.path, strings.NewReader("x"))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Digest", remote.Digest(holdfast.HashOf([]byte("x"))))
			want := http.StatusUnauthorized
			if text, ok := s.credential[who]; ok {
				req.Header.Set("Authorization", "Bearer "+text)
				want = http.StatusForbidden
				for _, r := range x.allowed {
					if r == who {
						want = 0
					}
				}
			} else if who != "" {
				req.Header.Set("Authorization", "Bearer hfv-append-abcdefgh")
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if want == 0 && (resp.StatusCode == 401 || resp.StatusCode == 403) || want != 0 && resp.StatusCode != want {
				t.Errorf("%s %s as %q: %d, want %d", x.method, x.path, who, resp.StatusCode, want)
			}
		}
	}
}

// TestAnotherServiceIsNoEmptyVault asks services that answer everything with success, and are no vault's server.
func TestAnotherServiceIsNoEmptyVault(t *testing.T) {
	for _, text := range []string{"{}", "[]", "null", "<html>", `{"objects":[],"more":false}`} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }))
		r, err := remote.Open(remote.Options{URL: s.URL, Credential: "x", Prune: "x"})
		fine(t, err)
		listed := r.List(t.Context(), "", "", func(place.Info) error { return nil })
		_, _, last := r.Last(t.Context(), "heads/")
		_, now := r.Now(t.Context())
		_, stat := r.Stat(t.Context(), "vault.json")
		put := r.Put(t.Context(), "vault.json", strings.NewReader("x"))
		append := r.Append(t.Context(), "tail/1.frames", 0, []byte("x"))
		_, prune := r.Prune(t.Context(), true)
		for what, err := range map[string]error{"list": listed, "last": last, "now": now, "stat": stat, "put": put, "append": append, "prune": prune} {
			if !holdfast.IsKind(err, holdfast.Unavailable) {
				t.Errorf("%s of %s: %v", what, text, err)
			}
		}
		s.Close()
	}
}

// TestNamesLeadNowhere asks for names that would lead out of a directory, or to the server's own files.
func TestNamesLeadNowhere(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/.secret", []byte("s3cret"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serve(t, openDir(t, dir+"/vault"), nil)
	if err := os.MkdirAll(dir+"/vault/.server", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/vault/.server/append.txt", []byte("s3cret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"..%2f.secret", "%2e%2e/.secret", ".server/append.txt", "%2Eserver/append.txt", "heads%2f..%2f..%2f.secret", "heads/..%2f.server%2fappend.txt", "a%00b"} {
		for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "POST"} {
			req, err := http.NewRequest(method, s.URL+remote.Objects+name+"?at=0", strings.NewReader("x"))
			if err != nil {
				t.Fatal(err)
			}
			right := vaultd.Add
			if method == "DELETE" {
				right = vaultd.Prune
			}
			req.Header.Set("Authorization", "Bearer "+s.credential[right])
			req.Header.Set("Content-Digest", remote.Digest(holdfast.HashOf([]byte("x"))))
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode < 300 || strings.Contains(string(b), "s3cret") {
				t.Errorf("%s %s: %d %s", method, name, resp.StatusCode, b)
			}
		}
	}
	if b, err := os.ReadFile(dir + "/vault/.server/append.txt"); err != nil || string(b) != "s3cret" {
		t.Errorf("the server's own file: %q, %v", b, err)
	}
}

func TestWhatCameIsWhatWasSent(t *testing.T) {
	m := memory.New(clock.System)
	s := serve(t, m, nil)
	for _, x := range []struct{ method, path, digest string }{
		{"PUT", "heads/1", ""}, {"PUT", "heads/1", "sha-256=:AAAA:"}, {"PUT", "heads/1", remote.Digest(holdfast.HashOf([]byte("other")))},
		{"POST", "tail/1.frames?at=0", ""}, {"POST", "tail/1.frames?at=0", remote.Digest(holdfast.HashOf([]byte("other")))}, {"POST", "tail/1.frames?at=x", remote.Digest(holdfast.HashOf([]byte("octets")))},
	} {
		req, err := http.NewRequest(x.method, s.URL+remote.Objects+x.path, strings.NewReader("octets"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+s.credential[vaultd.Add])
		if x.digest != "" {
			req.Header.Set("Content-Digest", x.digest)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%v: %d", x, resp.StatusCode)
		}
	}
	if err := m.List(context.Background(), "", "", func(i place.Info) error { t.Errorf("%s was made", i.Name); return nil }); err != nil {
		t.Fatal(err)
	}
}
