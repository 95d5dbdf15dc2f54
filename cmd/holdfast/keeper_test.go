package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/config"
	"holdfast/internal/control"
	"holdfast/internal/seal"
	"holdfast/internal/vault"
	"holdfast/internal/vfs"
)

// opening opens a store as serve does, vaults and all, until the test closes it.
func opening(t *testing.T, c *config.Config) *opened {
	t.Helper()
	o, err := openStore(t.Context(), c, toServe, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := o.reconcile(t.Context()); err != nil {
		o.close()
		t.Fatal(err)
	}
	return o
}

// opensVault tells whether a key opens the store's first vault.
func opensVault(t *testing.T, o *opened, key *seal.Recovery) bool {
	t.Helper()
	v, err := openVault(t.Context(), *o.keeper.vaults().Find(firstVaultName), vault.Options{With: []*seal.Identity{key.Identity}})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	n, err := v.Prove(t.Context())
	if err != nil && !holdfast.IsKind(err, holdfast.Unauthorized) {
		t.Fatal(err)
	}
	return err == nil && n > 0
}

// TestARotationGoesOn cuts a rotation after each of its durable steps: at each, the old key or the new one opens the vault, and the next start brings it to its end.
func TestARotationGoesOn(t *testing.T) {
	for _, steps := range []int{0, 1, 2, 3} {
		c := testConfig(t)
		o := opening(t, c)
		if _, _, err := o.core.CreateAccount(t.Context(), holdfast.Actor{}, "alice@example.org", ""); err != nil {
			t.Fatal(err)
		}
		newKey := func() *seal.Recovery {
			k, err := seal.NewRecovery(o.id.Store, time.Now(), false)
			if err != nil {
				t.Fatal(err)
			}
			return k
		}
		nothing := func(control.KeyProgress) {}
		add := func(k *seal.Recovery, rotate bool) error {
			_, err := o.keeper.AddRecovery(t.Context(), control.NewRecovery{Recipient: k.Recipient().String(), Made: k.Made, MAC: k.Certify(o.keeper.ring.Signer.Public()).MAC}, rotate, nothing)
			return err
		}
		old, next := newKey(), newKey()
		if err := add(old, false); err != nil {
			t.Fatal(err)
		}
		if err := add(next, false); !holdfast.IsKind(err, holdfast.Exists) {
			t.Fatalf("a second key without a rotation: %v", err)
		}
		cut := func() error { // does the first steps of a rotation
			r, err := o.keeper.begin(next.Hold(o.keeper.ring.Signer.Public()), true)
			if err != nil || steps == 0 {
				return err
			}
			if err := o.keeper.round(t.Context(), 1, nothing); err != nil || steps == 1 {
				return err
			}
			r.Round = 2
			if err := o.keeper.writeRotation(r); err != nil || steps == 2 {
				return err
			}
			return o.keeper.drop(r.Drop)
		}
		if err := cut(); err != nil {
			t.Fatal(err)
		}
		if !opensVault(t, o, old) && !opensVault(t, o, next) {
			t.Errorf("cut after step %d: neither key opens the vault", steps)
		}
		if s, err := o.keeper.Show(t.Context()); err != nil || !s.Rotating {
			t.Errorf("cut after step %d: %+v, %v", steps, s, err)
		}
		if err := add(newKey(), true); !holdfast.IsKind(err, holdfast.Exists) {
			t.Errorf("a third key during a rotation: %v", err)
		}
		o.close()
		o = opening(t, c)
		if err := o.keeper.resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		if opensVault(t, o, old) || !opensVault(t, o, next) || len(o.keeper.ring.Recovery()) != 1 {
			t.Errorf("cut after step %d, gone on with: the old key opens: %v, the new one: %v", steps, opensVault(t, o, old), opensVault(t, o, next))
		}
		if _, err := os.Stat(filepath.Join(c.Data, rotationName)); err == nil {
			t.Errorf("cut after step %d: the rotation does not end", steps)
		}
		o.close()
	}
}

// TestNothingIsShownBeforeTheComparison starts a server whose vault is not there: everybody is told to come back, until it is.
func TestNothingIsShownBeforeTheComparison(t *testing.T) {
	c := testConfig(t)
	o := opening(t, c)
	o.close()
	place := filepath.Join(filepath.Dir(c.Data), config.FirstVaultName)
	if err := os.Rename(place, place+".away"); err != nil {
		t.Fatal(err)
	}
	s := &server{a: &app{stdout: io.Discard, stderr: io.Discard}, c: c, log: slog.New(slog.DiscardHandler), failed: make(chan error, 8)}
	ctx, cancel := context.WithCancel(t.Context())
	if err := s.open(ctx); err != nil {
		t.Fatal(err)
	}
	defer func() { cancel(); s.stop(); s.store.close() }()
	if err := s.start(ctx); err != nil {
		t.Fatal(err)
	}
	get := func(url string) (int, string, string) {
		t.Helper()
		resp, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, resp.Header.Get("Retry-After"), string(b)
	}
	for _, path := range []string{"/", "/dav/", "/.well-known/carddav"} {
		if code, retry, text := get(s.url + path); code != http.StatusServiceUnavailable || retry == "" || strings.Contains(text, place) {
			t.Errorf("%s: %d, Retry-After %q, %s", path, code, retry, text)
		}
	}
	if code, _, text := get("http://" + s.admin.Addr().String() + "/readyz?verbose"); code != http.StatusServiceUnavailable || !strings.Contains(text, `"copies","ok":false`) {
		t.Errorf("readyz: %d %s", code, text)
	}
	cl, err := control.Dial(t.Context(), c.Data)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if _, err := cl.Accounts(t.Context()); !holdfast.IsKind(err, holdfast.Unavailable) {
		t.Errorf("accounts are listed: %v", err)
	}
	if _, err := cl.Status(t.Context()); err != nil {
		t.Errorf("the status is not told: %v", err)
	}
	if err := os.Rename(place+".away", place); err != nil {
		t.Fatal(err)
	}
	for until := time.Now().Add(patience); s.gate.why() != nil; time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("it does not open")
		}
	}
	if code, _, _ := get(s.url + "/signin"); code == http.StatusServiceUnavailable {
		t.Error("it stays shut")
	}
	if _, err := cl.Accounts(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestAnOlderImageIsBroughtUpToDate puts a data directory back as it was, and finds what was acknowledged since.
func TestAnOlderImageIsBroughtUpToDate(t *testing.T) {
	c := testConfig(t)
	add := func(name string) {
		t.Helper()
		o := opening(t, c)
		defer o.close()
		if _, r, err := o.core.CreateAccount(t.Context(), holdfast.Actor{}, name, ""); err != nil || strings.Join(r.Copies, " ") != "engine local" {
			t.Fatalf("%v, %v", r.Copies, err)
		}
	}
	add("alice@example.org")
	image := c.Data + ".image"
	if err := os.CopyFS(image, os.DirFS(c.Data)); err != nil {
		t.Fatal(err)
	}
	add("bob@example.org")
	if err := os.RemoveAll(c.Data); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(image, c.Data); err != nil {
		t.Fatal(err)
	}
	o := opening(t, c)
	defer o.close()
	for _, name := range []string{"alice@example.org", "bob@example.org"} {
		if _, err := o.core.Account(t.Context(), name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestInside(t *testing.T) {
	for _, x := range []struct {
		path, dir string
		want      bool
	}{{"/a/b", "/a", true}, {"/a", "/a", true}, {"/a/..b", "/a", true}, {"/ab", "/a", false}, {"/", "/a", false}, {"/b/a", "/a", false}} {
		if got := inside(x.path, x.dir); got != x.want {
			t.Errorf("%s in %s: %v", x.path, x.dir, got)
		}
	}
}

// TestKeysAreNotMadeAnew refuses a store that has vaults, and whose keys are gone.
func TestKeysAreNotMadeAnew(t *testing.T) {
	c := testConfig(t)
	opening(t, c).close()
	if err := vfs.OS.Remove(filepath.Join(c.Data, "keys.json")); err != nil {
		t.Fatal(err)
	}
	if _, err := openStore(t.Context(), c, toServe, slog.New(slog.DiscardHandler)); exitCode(err) != exitRefused || !strings.Contains(err.Error(), "holdfast restore") {
		t.Errorf("%v", err)
	}
}
