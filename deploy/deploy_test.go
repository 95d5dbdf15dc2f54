package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// units are stores as people have them, with what their unit must and must not say. PROGRAM is a file that can be run.
var units = map[string]struct {
	s          Service
	has, lacks []string
}{
	"as it lies there": {Service{Data: "/var/lib/holdfast/data", Writes: []string{"/var/lib/holdfast/holdfast-vault"}, User: "holdfast"},
		[]string{"StateDirectory=holdfast", "User=holdfast", "Group=holdfast", "ProtectHome=yes", "PrivateTmp=yes"}, []string{"ReadWritePaths"}},
	"elsewhere": {Service{Data: "/srv/holdfast/data", Writes: []string{"/srv/holdfast/holdfast-vault", "/mnt/attic/vault"}, User: "holdfast"},
		[]string{"ReadWritePaths=/srv/holdfast/data -/srv/holdfast/holdfast-vault -/mnt/attic/vault", "ProtectHome=yes"}, []string{"StateDirectory"}},
	"on disks that come and go": {Service{Data: "/srv/holdfast/data", Writes: []string{"/srv/holdfast/holdfast-vault", "/mnt/my attic/a/vault", "/mnt/my attic/b/vault"}, Mounts: []string{"/mnt/my attic"}, User: "holdfast"},
		[]string{`ReadWritePaths=/srv/holdfast/data -/srv/holdfast/holdfast-vault "-/mnt/my attic"` + "\n"}, nil},
	"at home": {Service{Data: "/home/you/holdfast-data", Writes: []string{"/home/you/holdfast-vault"}, User: "you"},
		[]string{"User=you", "ProtectHome=read-only"}, []string{"Group=", "StateDirectory"}},
	"a certificate at home": {Service{Data: "/var/lib/holdfast/data", Reads: []string{"/root/cert.pem"}, User: "holdfast"},
		[]string{"ProtectHome=read-only"}, nil},
	"with spaces": {Service{Data: "/srv/my data/100%", User: "holdfast"},
		[]string{`serve --data "/srv/my data/100%%"`, `ReadWritePaths="/srv/my data/100%%"`}, nil},
}

func TestUnit(t *testing.T) {
	for name, tt := range units {
		tt.s.Program = "/usr/local/bin/holdfast"
		got := Unit(tt.s)
		for _, want := range tt.has {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %q in\n%s", name, want, got)
			}
		}
		for _, bad := range tt.lacks {
			if strings.Contains(got, bad) {
				t.Errorf("%s: %q in\n%s", name, bad, got)
			}
		}
		if !strings.HasPrefix(got, "[Unit]\n") {
			t.Errorf("%s: begins with %.40q", name, got)
		}
	}
}

// exposure is the most that systemd-analyze may find a unit to be exposed, in tenths of its scale of 0 to 10.
const exposure = "25"

// TestSystemdAccepts has systemd itself read each unit, and judge how far it is shut in.
func TestSystemdAccepts(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("systemd-analyze is not there (Debian: systemd), so that the units cannot be verified")
		}
		t.Skip("systemd-analyze is not there (Debian: systemd), so that the units are not verified")
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "holdfast")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "holdfast.service")
	texts := map[string]string{"the file itself": strings.ReplaceAll(unit, "/usr/local/bin/holdfast", program)}
	for name, tt := range units {
		tt.s.Program = program
		if tt.s.User == "you" {
			tt.s.User = "root" // who is there
		}
		texts[name] = Unit(tt.s)
	}
	for name, text := range texts {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), "systemd-analyze", "--man=no", "verify", file).CombinedOutput()
		if err != nil || len(strings.TrimSpace(string(out))) > 0 {
			t.Errorf("%s: verify: %v\n%s\n%s", name, err, out, text)
		}
		out, err = exec.CommandContext(t.Context(), "systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold="+exposure, file).CombinedOutput()
		if err != nil {
			t.Errorf("%s: security: %v\n%s", name, err, out)
		}
	}
}
