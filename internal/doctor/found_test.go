package doctor

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"holdfast/internal/control"
	"holdfast/internal/drill"
	"holdfast/internal/scrub"
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
		{"put forward", "clock", Warn, "put forward by 2 hours since the server started", func(o *Options, p *patient) {
			booted(o, p)
			o.SinceBoot = func() (time.Duration, bool) { return 9 * time.Hour, true }
		}},
		{"put back", "clock", Warn, "put back by 30 minutes", func(o *Options, p *patient) {
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
			p.vaults.Vaults = []control.VaultState{{Name: "attic", Kind: "dir", Location: location, Domain: "upstairs", State: "whole", SameDomainAs: same}}
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

func TestScrubs(t *testing.T) {
	ago := func(d time.Duration) *time.Time { at := noon.Add(-d); return &at }
	day := 24 * time.Hour
	read := func(engine *time.Time, left int64, v ...control.VaultState) func(*Options, *patient) {
		return func(_ *Options, p *patient) {
			p.status.EngineScrub, p.vaults.Vaults = &scrub.Seen{Ended: engine, Left: left}, v
		}
	}
	local := func(added, last *time.Time, damaged ...string) control.VaultState {
		return control.VaultState{Name: "local", Added: added, LastScrub: last, Damaged: damaged}
	}
	for _, w := range []wrong{
		{"not said", "scrub", Unknown, "does not say", nil},
		{"all read", "scrub", OK, "the vault local was last read as a whole on 2026-05-04", read(ago(day), 0, local(ago(90*day), ago(day)))},
		{"a new store", "scrub", Warn, "the store was never read as a whole yet", read(nil, 0, local(ago(day), nil))},
		{"a new vault", "scrub", Warn, "the vault local was never read as a whole yet", read(ago(day), 0, local(ago(day), nil))},
		{"a vault that was never read", "scrub", Warn, "the vault local was never read as a whole; that must be done within", read(ago(day), 0, local(ago(90*day), nil))},
		{"overdue", "scrub", Warn, "the store was last read as a whole on 2026-02-04 12:00 UTC, 90 days ago; that must be done within", read(ago(90*day), 0)},
		{"a vault is overdue", "scrub", Warn, "the vault local was last read as a whole on 2026-04-05 12:00 UTC, 30 days ago; that must be done within", read(ago(day), 0, local(ago(90*day), ago(30*day)))},
		{"damage", "scrub", Fail, "the store was last read as a whole on 2026-05-04 12:00 UTC, a day ago, and holds 2 damaged things", read(ago(day), 2, local(ago(90*day), ago(30*day)))},
		{"a vault is damaged", "scrub", Fail, "holds 1 damaged thing", read(ago(day), 0, local(ago(90*day), ago(day), "packs/1"))},
		{"to come", "scrub", Unknown, "still to come", read(ago(-day), 0)},
	} {
		w.run(t)
	}
}

// TestTheRunningServersSettings: what a server was started with counts, but for what this command was told by flags.
func TestTheRunningServersSettings(t *testing.T) {
	serves := func(s control.Serving) func(*Options, *patient) {
		return func(_ *Options, p *patient) { p.status.Serving = &s }
	}
	for _, w := range []wrong{
		{"none runs", "listening", Warn, "127.0.0.1:8420 is reached from this machine alone", nil},
		{"open", "listening", Warn, "0.0.0.0:443 without TLS", serves(control.Serving{Listen: "0.0.0.0:443", AdminListen: "none", HTTPWithoutTLS: true})},
		{"behind a proxy", "listening", OK, "127.0.0.1:9", serves(control.Serving{Listen: "127.0.0.1:9", AdminListen: "none", PublicURL: "https://cloud.example.org", TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})},
		{"its admin listener", "listening", Warn, "the admin listener is open on 0.0.0.0:8421", serves(control.Serving{Listen: "127.0.0.1:9", AdminListen: "0.0.0.0:8421", PublicURL: "https://cloud.example.org", TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})},
		{"its certificate", "certificate", Fail, "no such file", serves(control.Serving{Listen: "127.0.0.1:9", AdminListen: "none", TLSCert: "/nowhere.pem", TLSKey: "/nowhere.key"})},
		{"its name", "name", OK, "127.0.0.1 is an address", serves(control.Serving{Listen: "127.0.0.1:9", AdminListen: "none", PublicURL: "https://127.0.0.1:1"})},
		{"its name, and a flag", "name", OK, "127.0.0.2 is an address", func(o *Options, p *patient) {
			p.status.Serving = &control.Serving{Listen: "127.0.0.1:9", AdminListen: "none", PublicURL: "https://127.0.0.1:1"}
			o.Config.PublicURL, o.Config.Sources["public_url"] = "https://127.0.0.2:1", "flag --public-url"
		}},
	} {
		w.run(t)
	}
}

func TestUploads(t *testing.T) {
	at := func(a control.Arriving) func(*Options, *patient) {
		return func(_ *Options, p *patient) { p.status.Arriving = a }
	}
	for _, w := range []wrong{
		{"nothing arrives", "uploads", OK, "no file is on its way in chunks", at(control.Arriving{})},
		{"room that is known", "uploads", OK, "no file is on its way in chunks; 10 MiB more may come", at(control.Arriving{Room: 10 << 20})},
		{"some arrive", "uploads", OK, "on their way: 2 files, 5 MiB in 7 chunks; 10 MiB more", at(control.Arriving{Uploads: 2, Chunks: 7, Octets: 5 << 20, Quiet: 60, Room: 10 << 20})},
		{"one waits", "uploads", OK, "in 7 chunks; with one nobody went on for 2 days, it is let go of after ", at(control.Arriving{Uploads: 2, Chunks: 7, Octets: 5 << 20, Quiet: 48 * 3600})},
		{"no room", "uploads", Warn, "on their way: 1 files, 5 MiB in 7 chunks; the disk has no room", at(control.Arriving{Uploads: 1, Chunks: 7, Octets: 5 << 20, Room: -1})},
	} {
		w.run(t)
	}
}
