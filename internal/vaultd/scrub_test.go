package vaultd_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/internal/place"
	"holdfast/internal/vault"
	"holdfast/internal/vaultd"
)

// TestScrubFinds damages each object of a vault in each way, and has the server find it.
func TestScrubFinds(t *testing.T) {
	r := newRig(t)
	r.write(30)
	r.w.Roll()
	fine(t, r.v.PutService(t.Context(), "what it was like"))
	fine(t, r.v.Upkeep(t.Context(), r.w))
	r.write(3)
	fine(t, r.w.Head(t.Context(), vault.HeadInput{}))
	s := &vaultd.Scrubber{Guard: r.guard, Rate: 1 << 40}
	scrub := func() []string {
		rep, err := s.Once(t.Context())
		fine(t, err)
		return rep.Damaged
	}
	if got := scrub(); len(got) != 0 {
		t.Fatalf("a whole vault: %q", got)
	}
	var names []string
	fine(t, r.disk.List(t.Context(), "", "", func(i place.Info) error { names = append(names, i.Name); return nil }))
	for _, name := range names {
		file := filepath.Join(r.root, "vault", name)
		was, err := os.ReadFile(file)
		fine(t, err)
		end := len(was)
		if strings.HasSuffix(name, place.Grows) {
			end = len(strings.TrimRight(string(was), "\x00"))
		}
		for what, damage := range map[string]func() error{
			"flipped": func() error {
				b := append([]byte(nil), was...)
				b[end/2] ^= 4
				return os.WriteFile(file, b, 0o600)
			},
			"cut":     func() error { return os.WriteFile(file, was[:end-1], 0o600) },
			"emptied": func() error { return os.WriteFile(file, nil, 0o600) },
			"removed": func() error { return os.Remove(file) },
		} {
			fine(t, damage())
			found := scrub()
			if len(found) == 0 || !strings.HasPrefix(found[0], name+": ") {
				t.Errorf("%s %s: found %q", name, what, found)
			}
			fine(t, os.WriteFile(file, was, 0o600))
		}
	}
	if got := scrub(); len(got) != 0 {
		t.Fatalf("put back: %q", got)
	}
	last, _ := s.State()
	if !last.Equal(start) {
		t.Errorf("last read at %v", last)
	}
}
