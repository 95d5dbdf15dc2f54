package doctor

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"holdfast/internal/control"
	"holdfast/internal/drill"
)

// wrong runs the doctor on a machine that fn puts out of order, and wants one check to say so.
type wrong struct {
	what, check string
	result      Result
	says        string
	fn          func(*Options, *patient)
}

func (w wrong) run(t *testing.T) {
	t.Helper()
	t.Run(w.what, func(t *testing.T) {
		c := look(t, w.fn)[w.check]
		if c.Result != w.result || !strings.Contains(c.Detail, w.says) {
			t.Errorf("%s: %s %q, want %s with %q", w.check, c.Result, c.Detail, w.result, w.says)
		}
	})
}

// booted has the machine have run for some time, and the server have started an hour ago, when the machine had run for an hour less.
func booted(o *Options, p *patient) {
	since := noon.Add(-time.Hour)
	p.status.Since, p.status.SinceBoot = &since, (10 * time.Hour).Seconds()
	o.SinceBoot = func() (time.Duration, bool) { return 11 * time.Hour, true }
}

func TestClocks(t *testing.T) {
	for _, w := range []wrong{
		{"well", "clock", OK, "synchronised", booted},
		{"put forward", "clock", Warn, "put forward by 2h0m0s since the server started", func(o *Options, p *patient) {
			booted(o, p)
			o.SinceBoot = func() (time.Duration, bool) { return 9 * time.Hour, true }
		}},
		{"put back", "clock", Warn, "put back by 30m", func(o *Options, p *patient) {
			booted(o, p)
			o.SinceBoot = func() (time.Duration, bool) { return 11*time.Hour + 30*time.Minute, true }
		}},
		{"not known how long it runs", "clock", OK, "synchronised", func(o *Options, p *patient) {
			booted(o, p)
			o.SinceBoot = func() (time.Duration, bool) { return 0, false }
		}},
		{"drifting", "clock", Warn, "not synchronised", func(o *Options, _ *patient) { o.NTP = func() (bool, bool) { return false, true } }},
		{"not known", "clock", Unknown, "cannot be read", func(o *Options, _ *patient) { o.NTP = func() (bool, bool) { return false, false } }},
		{"a change of tomorrow", "clock", Fail, "newest stored change is of 2026-05-06", func(_ *Options, p *patient) {
			at := noon.Add(24 * time.Hour)
			p.status.Newest = &at
		}},
		{"a change of today", "clock", OK, "synchronised", func(_ *Options, p *patient) { p.status.Newest = &noon }},
		{"another machine's disk", "clock", Warn, "dated 2026-05-05T11:00:00Z by the file system", func(o *Options, _ *patient) {
			o.FileTime = func(string) (time.Time, error) { return noon.Add(-time.Hour), nil }
		}},
		{"no file", "clock", Unknown, "read-only", func(o *Options, _ *patient) {
			o.FileTime = func(string) (time.Time, error) { return noon, errors.New("read-only") }
		}},
		{"no remote vault", "vault clocks", Skipped, "no remote vault", vaultSays()},
		{"a vault agrees", "vault clocks", OK, "friend", vaultSays(VaultClock{Vault: "friend", Now: noon})},
		{"a vault does not agree", "vault clocks", Warn, "at friend it is 2026-05-05T10:00:00Z", vaultSays(VaultClock{Vault: "cellar", Now: noon}, VaultClock{Vault: "friend", Now: noon.Add(-2 * time.Hour)})},
		{"a vault is silent", "vault clocks", Unknown, "friend: away", vaultSays(VaultClock{Vault: "friend", Err: errors.New("away")})},
	} {
		w.run(t)
	}
}

func vaultSays(list ...VaultClock) func(*Options, *patient) {
	return func(o *Options, _ *patient) {
		o.VaultClocks = func(context.Context) ([]VaultClock, error) { return list, nil }
	}
}

// TestFileTime asks a real file system.
func TestFileTime(t *testing.T) {
	at, err := fileTime(t.TempDir())
	if off := time.Since(at); err != nil || off.Abs() > time.Minute {
		t.Errorf("%v, %v off", err, off)
	}
}

// proved has two vaults, one of which was drilled an hour ago, and the other as it is said, newest first.
func proved(list ...drill.Result) func(*Options, *patient) {
	return func(_ *Options, p *patient) {
		p.vaults.Vaults = []control.VaultState{{Name: "local"}, {Name: "attic"}}
		p.drills = append(list, drill.Result{Vault: "local", Result: drill.Pass, Ended: noon.Add(-time.Hour)})
	}
}

func attic(result drill.Outcome, ago time.Duration) drill.Result {
	return drill.Result{Vault: "attic", Result: result, Ended: noon.Add(-ago)}
}

func TestDrills(t *testing.T) {
	for _, w := range []wrong{
		{"no vault", "last drill", Skipped, "no vault", nil},
		{"none of one vault", "last drill", Warn, "no drill of attic yet", proved()},
		{"one that runs", "last drill", Warn, "no drill of attic yet", proved(attic(drill.Running, 0))},
		{"both passed", "last drill", OK, "of local passed, on 2026-05-05 11:00 UTC; the last drill of attic passed", proved(attic(drill.Pass, 2*time.Hour))},
		{"one runs, and the last passed", "last drill", OK, "of attic passed", proved(attic(drill.Running, 0), attic(drill.Pass, 2*time.Hour))},
		{"long ago", "last drill", Warn, "of attic passed, on 2026-04-15 11:00 UTC, 20 days ago", proved(attic(drill.Pass, 20*24*time.Hour+time.Hour))},
		{"failed", "last drill", Fail, "of attic failed", proved(attic(drill.Fail, time.Hour), attic(drill.Pass, 2*time.Hour))},
		{"failed once", "last drill", OK, "of attic passed", proved(attic(drill.Pass, time.Hour), attic(drill.Fail, 2*time.Hour))},
		{"came to nothing", "last drill", Unknown, "of attic is inconclusive", proved(attic(drill.Inconclusive, time.Hour))},
		{"not to be read", "last drill", Unknown, "torn", func(o *Options, p *patient) {
			proved()(o, p)
			p.dark = errors.New("torn")
		}},
	} {
		w.run(t)
	}
}

func TestSpaceAndDomains(t *testing.T) {
	vault := func(location string, same ...string) func(*Options, *patient) {
		return func(o *Options, p *patient) {
			p.vaults.Vaults = []control.VaultState{{Name: "attic", Kind: dirVault, Location: location, Domain: "upstairs", State: "whole", SameDomainAs: same}}
		}
	}
	for _, w := range []wrong{
		{"less free than used", "free space", Warn, "used here", func(_ *Options, p *patient) { p.status.Octets = 1 << 60 }},
		{"a vault with room", "vault space", OK, "attic has", vault("/")},
		{"no vault here", "vault space", Skipped, "no vault lies", nil},
		{"a vault's disk that is nearly full", "vault space", Warn, "attic has", func(o *Options, p *patient) {
			vault("/")(o, p)
			p.status.Octets = 1 << 60
		}},
		{"a vault's disk that is full", "vault space", Fail, "attic has", func(o *Options, p *patient) {
			vault("/")(o, p)
			o.Config.Doctor.FreeFail = 1 << 60
		}},
		{"together", "copies", Warn, "attic (upstairs, whole) ends together with engine", vault("/", "engine")},
		{"apart", "copies", Warn, "attic (upstairs, whole) apart from the others", vault("/")},
	} {
		w.run(t)
	}
}
