package main

import (
	"net/http"
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/auth"
)

// TestDestinationBehindAProxy holds that a MOVE may name this server as the client knows it, if a trusted proxy tells that name.
func TestDestinationBehindAProxy(t *testing.T) {
	s, _ := started(t, testConfig(t, "HOLDFAST_TRUSTED_PROXY=127.0.0.1"), nil)
	a, _, err := s.store.core.CreateAccount(t.Context(), holdfast.Actor{}, "alice@example.org", "")
	if err != nil {
		t.Fatal(err)
	}
	app, err := auth.NewAppPassword(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.store.core.AddDevice(t.Context(), holdfast.Actor{}, a.ID, "Phone", app.Hash); err != nil {
		t.Fatal(err)
	}
	const book = "/dav/addressbooks/alice@example.org/default/"
	send := func(method, name, body, destination, forwarded string) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, s.url+book+name, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth("alice@example.org", app.Text)
		r.Header.Set("Content-Type", "text/vcard")
		if destination != "" {
			r.Header.Set("Destination", destination)
		}
		if forwarded != "" {
			r.Header.Set("X-Forwarded-Host", forwarded)
			r.Header.Set("X-Forwarded-Proto", "https")
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if code := send("PUT", "a.vcf", "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:a\r\nFN:A\r\nN:A;;;;\r\nEND:VCARD\r\n", "", ""); code != http.StatusCreated {
		t.Fatalf("PUT: %d", code)
	}
	to := "https://cloud.example.org" + book + "b.vcf"
	if code := send("MOVE", "a.vcf", "", to, ""); code != http.StatusBadGateway {
		t.Errorf("to another server: %d", code)
	}
	if code := send("MOVE", "a.vcf", "", to, "cloud.example.org"); code != http.StatusCreated {
		t.Errorf("to this server, as the proxy calls it: %d", code)
	}
}
