// Package doctor looks at the machine, the settings and the store, and says what is wrong, what follows from it, and what to do.
//
// A check that could not be made is "unknown", never "ok"; where there was nothing to look at it is "skipped". Nothing is changed: the only thing written is a small file in the data directory, to time fsync, and it
// is removed again.
package doctor

import (
	"context"
	"time"

	"holdfast/internal/clock"
	"holdfast/internal/config"
	"holdfast/internal/control"
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
}

// Run makes every check, in order. It goes on after a failure.
func Run(ctx context.Context, o Options) []Check {
	if o.Clock == nil {
		o.Clock = clock.System
	}
	d := &doctor{o: o, c: o.Config}
	for _, step := range []struct {
		name string
		fn   func(context.Context) Check
	}{
		{"data directory", d.directory}, {"permissions", d.permissions}, {"file system", d.fileSystem}, {"free space", d.space}, {"fsync", d.fsync},
		{"store", d.store}, {"integrity", d.integrity}, {"clock", d.clock}, {"listening", d.listening}, {"certificate", d.certificate}, {"name", d.name},
		{"discovery", d.discovery}, {"copies", d.copies}, {"recovery key", d.recoveryKey},
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
