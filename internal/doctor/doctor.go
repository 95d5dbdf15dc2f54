// Package doctor looks at the machine, the settings and the store, and says what is wrong, what follows from it, and what to do.
//
// A check that could not be made is "unknown", never "ok"; where there was nothing to look at it is "skipped". Nothing is changed: the only thing written is a small file in the data directory, to time fsync, and it
// is removed again.
package doctor

import (
	"context"
	"crypto/x509"
	"net/netip"
	"time"

	"holdfast/internal/clock"
	"holdfast/internal/config"
	"holdfast/internal/control"
	"holdfast/internal/drill"
	"holdfast/internal/vfs"
)

// Result is what a check came to.
type Result string

// The results.
const (
	OK      Result = "ok"
	Warn    Result = "warn"    // it works, and something can go wrong that need not
	Fail    Result = "fail"    // it does not work, or data is in danger
	Unknown Result = "unknown" // it could not be found out
	Skipped Result = "skipped" // there was nothing to look at
)

// Check is one finding.
type Check struct {
	Name        string `json:"name"`
	Result      Result `json:"result"`
	Detail      string `json:"detail"`      // what was seen
	Consequence string `json:"consequence"` // what follows; empty if all is well
	Fix         string `json:"fix"`         // what to do; empty if all is well
}

// Store is what the doctor asks of the store, through a running server or without one.
type Store interface {
	Status(ctx context.Context) (control.Status, error)
	Check(ctx context.Context, octets bool, fn func(control.Finding)) error
	VaultStatus(ctx context.Context) (control.VaultStatus, error)
	Keys(ctx context.Context) (control.KeyState, error)
	Accounts(ctx context.Context) ([]control.Account, error)
	Drills(ctx context.Context, limit int) ([]drill.Result, error)
}

// VaultClock is what the server of a remote vault says of the time.
type VaultClock struct {
	Vault string
	Now   time.Time
	Err   error // why it could not be asked
}

// Options say what to look at.
type Options struct {
	Config   *config.Config
	Marker   func() (there bool, err error) // is there a store in the data directory? The error says why it is refused
	Connect  func(context.Context) (store Store, done func(), err error)
	Built    time.Time // of this program; zero: not known. The clock cannot be before it
	Octets   bool      // hash every stored body too
	Clock    clock.Clock
	Progress func(name string) // is told which check begins; nil: nobody

	Resolver    string                                      // HOST:PORT of the name server that is asked; empty: as the system does it
	Roots       *x509.CertPool                              // who may vouch for the public name; nil: the system's
	VaultClocks func(context.Context) ([]VaultClock, error) // nil: not asked
	KeyFile     string                                      // where a new recovery key was written; it should not lie there for long. Empty: not looked at
	SinceBoot   func() (time.Duration, bool)                // nil: clock.SinceBoot
	NTP         func() (synced, known bool)                 // nil: what the kernel says
	FreeSpace   func(path string) (vfs.Space, error)        // nil: what the system says
	FileTime    func(dir string) (t time.Time, err error)   // when a file was written that is written now; nil: it is tried
}

// defaults fills in what was left out.
func (o *Options) defaults() {
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if o.SinceBoot == nil {
		o.SinceBoot = clock.SinceBoot
	}
	if o.NTP == nil {
		o.NTP = synchronised
	}
	if o.FreeSpace == nil {
		o.FreeSpace = vfs.FreeSpace
	}
	if o.FileTime == nil {
		o.FileTime = fileTime
	}
}

// Run makes every check, in order. It goes on after a failure.
func Run(ctx context.Context, o Options) []Check {
	o.defaults()
	d := &doctor{o: o, c: o.Config, lookup: lookupBy(o.Resolver)}
	for _, step := range []struct {
		name string
		fn   func(context.Context) Check
	}{
		{"data directory", d.directory}, {"permissions", d.permissions}, {"file system", d.fileSystem}, {"free space", d.space}, {"fsync", d.fsync},
		{"store", d.store}, {"integrity", d.integrity}, {"clock", d.clock}, {"vault clocks", d.vaultClocks}, {"listening", d.listening}, {"certificate", d.certificate},
		{"name", d.name}, {"service records", d.records}, {"reach", d.reach}, {"public TLS", d.publicTLS}, {"way through", d.wayThrough}, {"discovery", d.discovery},
		{"copies", d.copies}, {"vault space", d.vaultSpace}, {"vault buckets", d.buckets}, {"last drill", d.drills}, {"scrub", d.scrubs}, {"photos", d.photos}, {"uploads", d.uploads}, {"recovery key", d.recoveryKey},
	} {
		if o.Progress != nil {
			o.Progress(step.name)
		}
		c := step.fn(ctx)
		c.Name = step.name
		d.checks = append(d.checks, c)
	}
	if d.done != nil {
		d.done()
	}
	return d.checks
}

// Verdict sums checks up: Fail if one failed, else Unknown if one could not be made, else OK. Warnings, and what was skipped, do not count.
func Verdict(checks []Check) Result {
	out := OK
	for _, c := range checks {
		switch {
		case c.Result == Fail:
			return Fail
		case c.Result == Unknown:
			out = Unknown
		}
	}
	return out
}

// doctor is one run.
type doctor struct {
	o      Options
	c      *config.Config
	checks []Check

	there   bool // a store is in the data directory
	refused bool // something is there that is not opened
	asked   bool
	opened  Store
	done    func()
	err     error
	status  control.Status
	vaults  control.VaultStatus

	lookup lookup
	addrs  []netip.Addr     // of the public name
	at     []netip.AddrPort // those that answer there, in the order of addrs
}

func ok(detail string) Check { return Check{Result: OK, Detail: detail} }

func warn(detail, consequence, fix string) Check { return Check{"", Warn, detail, consequence, fix} }

func failed(detail, consequence, fix string) Check { return Check{"", Fail, detail, consequence, fix} }

func skipped(why, fix string) Check {
	return Check{"", Skipped, "not looked at: " + why, "Nothing is known of it.", fix}
}

func unknown(detail, fix string) Check {
	return Check{"", Unknown, detail, "Whether this is well is not known.", fix}
}
