package doctor

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/internal/clock"
	"holdfast/internal/config"
	"holdfast/internal/control"
	"holdfast/internal/drill"
)

// patient is a store as a test wants it to be.
type patient struct {
	status   control.Status
	findings []control.Finding
	err      error
	octets   bool
	vaults   control.VaultStatus
	keys     control.KeyState
	accounts []string
	drills   []drill.Result
	dark     error // what comes of asking for drills
}

func (p *patient) Drills(context.Context, int) ([]drill.Result, error) { return p.drills, p.dark }

func (p *patient) VaultStatus(context.Context) (control.VaultStatus, error) { return p.vaults, nil }

func (p *patient) Keys(context.Context) (control.KeyState, error) { return p.keys, nil }

func (p *patient) Accounts(context.Context) (out []control.Account, err error) {
	for _, email := range p.accounts {
		out = append(out, control.Account{Email: email})
	}
	return out, nil
}

func (p *patient) Status(context.Context) (control.Status, error) { return p.status, nil }

func (p *patient) Check(_ context.Context, octets bool, fn func(control.Finding)) error {
	p.octets = octets
	for _, f := range p.findings {
		fn(f)
	}
	return p.err
}

// slowClock moves on by a fixed step at every look, so that each fsync seems to take as long.
type slowClock struct {
	clock.Clock
	now  time.Time
	step time.Duration
}

func (c *slowClock) Now() time.Time {
	c.now = c.now.Add(c.step)
	return c.now
}

var noon = time.Date(2026, 5, 5, 12, 0, 0, 0, time.UTC)

// look runs the doctor with settings changed by fn and returns the checks by name.
func look(t *testing.T, fn func(*Options, *patient)) map[string]Check {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(config.Source{Environ: []string{"HOLDFAST_DATA=" + dir, "HOLDFAST_DOCTOR_LOOKUP=2s"}})
	if err != nil {
		t.Fatal(err)
	}
	p := &patient{status: control.Status{Ready: true, Running: true, Engine: "sqlite", Copies: 1, Domains: 1, Verdict: "at-risk", Why: "1 copy, 1 failure domain"}}
	closed := 0
	o := Options{Config: c, Clock: &slowClock{now: noon, step: time.Millisecond},
		NTP: func() (bool, bool) { return true, true }, FileTime: func(string) (time.Time, error) { return noon, nil },
		Marker:  func() (bool, error) { return true, nil },
		Connect: func(context.Context) (Store, func(), error) { return p, func() { closed++ }, nil }}
	if fn != nil {
		fn(&o, p)
	}
	checks := Run(t.Context(), o)
	if closed > 1 {
		t.Errorf("the store was let go of %d times", closed)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".doctor*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	out := map[string]Check{}
	for _, x := range checks {
		if x.Name == "" || x.Detail == "" || (x.Result == OK) != (x.Fix == "") || (x.Result == OK) != (x.Consequence == "") {
			t.Errorf("half a finding: %+v", x)
		}
		out[x.Name] = x
	}
	return out
}

func nothingYet(o *Options, _ *patient) { o.Marker = func() (bool, error) { return false, nil } }

func foreign(o *Options, _ *patient) {
	o.Marker = func() (bool, error) { return false, errors.New("not ours") }
}

func TestFindings(t *testing.T) {
	for _, tt := range []struct {
		what, check string
		result      Result
		says        string
		fn          func(*Options, *patient)
	}{
		{"healthy", "fsync", OK, "plausible", nil},
		{"healthy", "integrity", OK, "fit together", nil},
		{"healthy", "store", OK, "sqlite, 0 accounts, 12 KiB", func(_ *Options, p *patient) { p.status.Octets = 12 << 10 }},
		{"stopped", "store", OK, "no server runs, and the store opens", func(_ *Options, p *patient) { p.status.Running = false }},
		{"one copy", "copies", Warn, "1 failure domain", nil},
		{"two houses", "copies", OK, "2 failure domains", func(_ *Options, p *patient) {
			p.status.Verdict, p.status.Domains, p.status.Why = "ok", 2, "2 copies, 2 failure domains"
		}},
		{"a late vault", "copies", Warn, "attic is unreachable", func(_ *Options, p *patient) {
			p.status.Verdict, p.status.Domains, p.status.Why = "late", 2, "attic is unreachable"
		}},
		{"an older server", "copies", Unknown, "does not say", func(_ *Options, p *patient) { p.status.Verdict = "" }},
		{"a key that was checked", "recovery key", OK, "was checked on 2026-05-02 12:00 UTC, 3 days ago", func(_ *Options, p *patient) {
			at := noon.Add(-72 * time.Hour)
			p.keys.Recovery = []control.RecoveryState{{Made: noon.Add(-1000 * time.Hour), Checked: &at}}
		}},
		{"a key that was never checked", "recovery key", Warn, "never checked", func(_ *Options, p *patient) {
			p.keys.Recovery = []control.RecoveryState{{Made: noon.Add(-30 * time.Hour)}}
		}},
		{"an old server", "recovery key", Unknown, "does not say", nil},
		{"no recovery key", "recovery key", Warn, "there is no recovery key", func(_ *Options, p *patient) {
			p.status.KeyNag = "there is no recovery key. Make one: holdfast key init"
		}},
		{"loopback", "listening", Warn, "this machine alone", nil},
		{"too fast", "fsync", Warn, "suspicious", func(o *Options, _ *patient) { o.Clock = &slowClock{now: noon, step: time.Microsecond} }},
		{"slow", "fsync", Warn, "slow", func(o *Options, _ *patient) { o.Clock = &slowClock{now: noon, step: 80 * time.Millisecond} }},
		{"foreign", "data directory", Fail, "not ours", func(o *Options, _ *patient) { o.Marker = func() (bool, error) { return false, errors.New("not ours") } }},
		{"nothing yet", "data directory", Warn, "no store", func(o *Options, _ *patient) { o.Marker = func() (bool, error) { return false, nil } }},
		{"nothing yet", "store", Skipped, "not looked at", nothingYet},
		{"nothing yet", "integrity", Skipped, "not looked at", nothingYet},
		{"nothing yet", "fsync", Skipped, "not looked at", nothingYet},
		{"nothing yet", "permissions", Skipped, "not looked at", func(o *Options, _ *patient) { o.Config.Data += "/new" }},
		{"foreign", "store", Unknown, "not looked at", foreign},
		{"foreign", "integrity", Unknown, "not looked at", foreign},
		{"foreign", "fsync", Unknown, "not looked at", foreign},
		{"no public name", "name", Skipped, "not looked at", nil},
		{"no public name", "discovery", Skipped, "not looked at", nil},
		{"no server", "discovery", Skipped, "no server runs", func(o *Options, p *patient) { o.Config.PublicURL, p.status.Running = "http://127.0.0.1:1", false }},
		{"open to all", "permissions", Warn, "0755", func(o *Options, _ *patient) { os.Chmod(o.Config.Data, 0o755) }},
		{"no room", "free space", Fail, "MiB", func(o *Options, _ *patient) { o.Config.Doctor.FreeFail = 1 << 60 }},
		{"little room", "free space", Warn, "MiB", func(o *Options, _ *patient) { o.Config.Doctor.FreeFail, o.Config.Doctor.FreeWarn = 0, 1<<60 }},
		{"unreachable", "store", Unknown, "busy", func(o *Options, _ *patient) {
			o.Connect = func(context.Context) (Store, func(), error) { return nil, nil, errors.New("busy") }
		}},
		{"unreachable", "integrity", Unknown, "cannot be asked", func(o *Options, _ *patient) {
			o.Connect = func(context.Context) (Store, func(), error) { return nil, nil, errors.New("busy") }
		}},
		{"not ready", "store", Fail, "disk: full", func(_ *Options, p *patient) {
			p.status.Checks = []control.Check{{Name: "disk", Detail: "full"}}
		}},
		{"known to be lost", "store", Warn, "2 items are known to be lost", func(_ *Options, p *patient) { p.status.Ghosts = 2 }},
		{"coming back", "store", Warn, "3 large files, 4 KiB, are not on its disk (it is away)", func(_ *Options, p *patient) {
			p.status.Returning = control.Returning{Files: 3, Octets: 4000, Trouble: "it is away"}
		}},
		{"lost and no damage", "integrity", OK, "fit together; 1 item is known to be lost", func(_ *Options, p *patient) {
			p.findings = []control.Finding{{Account: "alice@example.org", Name: "x.vcf", Seq: 7, What: "its octets were nowhere", Lost: true}}
		}},
		{"in doubt", "store", Fail, "a device has seen more", func(_ *Options, p *patient) { p.status.InDoubt = 3 }},
		{"damaged", "integrity", Fail, "account alice@example.org, x.vcf, change 7: bad; bad; bad; bad; bad; and 1 more", func(_ *Options, p *patient) {
			p.findings = append([]control.Finding{{Account: "alice@example.org", Name: "x.vcf", Seq: 7, What: "bad"}}, slices.Repeat([]control.Finding{{What: "bad"}}, 5)...)
		}},
		{"cut short", "integrity", Unknown, "end", func(_ *Options, p *patient) { p.err = errors.New("broke off") }},
		{"before it was built", "clock", Fail, "built on", func(o *Options, _ *patient) { o.Built = noon.Add(1000 * time.Hour) }},
		{"plain", "listening", Fail, "without TLS", func(o *Options, _ *patient) { o.Config.Listen = "0.0.0.0:1" }},
		{"plain on purpose", "listening", Warn, "without TLS", func(o *Options, _ *patient) { o.Config.Listen, o.Config.HTTPWithoutTLS = "0.0.0.0:1", true }},
		{"no proxy", "listening", Warn, "none is trusted", func(o *Options, _ *patient) { o.Config.PublicURL = "https://example.org" }},
		{"admin", "listening", Warn, "admin listener", func(o *Options, _ *patient) { o.Config.AdminListen = ":1" }},
		{"admin and plain", "listening", Fail, "admin listener", func(o *Options, _ *patient) { o.Config.Listen, o.Config.AdminListen = "0.0.0.0:1", ":1" }},
		{"no certificate", "certificate", Fail, "nowhere.pem", func(o *Options, _ *patient) { o.Config.TLS = config.TLS{Cert: "nowhere.pem", Key: "nowhere.pem"} }},
		{"no name", "name", Fail, "holdfast.invalid", func(o *Options, _ *patient) { o.Config.PublicURL = "https://holdfast.invalid" }},
		{"its own name", "name", Warn, "localhost", func(o *Options, _ *patient) { o.Config.PublicURL = "https://localhost" }},
		{"closed", "reach", Fail, "refused", func(o *Options, _ *patient) { o.Config.PublicURL = "http://127.0.0.1:1" }},
	} {
		t.Run(tt.what+" "+tt.check, func(t *testing.T) {
			c := look(t, tt.fn)[tt.check]
			if c.Result != tt.result || !strings.Contains(c.Detail, tt.says) {
				t.Errorf("%s %q, want %s with %q", c.Result, c.Detail, tt.result, tt.says)
			}
		})
	}
}

func TestOctetsAreAskedFor(t *testing.T) {
	var p *patient
	look(t, func(o *Options, x *patient) { o.Octets, p = true, x })
	if !p.octets {
		t.Error("the bodies were not hashed")
	}
}

func TestVerdict(t *testing.T) {
	for want, results := range map[Result][]Result{OK: {OK, Warn}, Unknown: {OK, Unknown, Warn}, Fail: {Unknown, Fail, OK}} {
		var checks []Check
		for _, r := range results {
			checks = append(checks, Check{Result: r})
		}
		if got := Verdict(checks); got != want {
			t.Errorf("%v: %s, want %s", results, got, want)
		}
	}
}
