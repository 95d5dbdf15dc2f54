package main

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"holdfast/internal/config"
	"holdfast/internal/control"
	kept "holdfast/internal/refused"
)

// refusedName is the directory of a data directory with what devices sent and were refused. It may be removed.
const refusedName = "refused"

func openRefused(c *config.Config, log *slog.Logger) (*kept.Store, error) {
	return kept.Open(kept.Options{Dir: filepath.Join(c.Data, refusedName), Log: log, Keep: c.Refused.Keep, Octets: c.Refused.Octets, Room: leavesRoom(c.Data)})
}

// sayKept says when and why it was refused what devices sent, and what is kept of it.
func (a *app) sayKept(s *salvaged) {
	left := 0
	for n, x := range s.Sent {
		if !x.Taken {
			left++
		}
		if n < shown {
			a.printf("sent      %s\n", inTable(fmt.Sprintf("%s on %s, answered %d: %s", x.File, day(x.Time), x.Status, x.Why)))
		} else if n == shown {
			a.printf("sent      … and %d more; --json lists them all\n", len(s.Sent)-n)
		}
	}
	if left > 0 {
		a.printf("%s kept until %s at least.\n", are(left), day(earliest(s.Sent)))
	}
}

func are(n int) string {
	if n == 1 {
		return "1 of these is"
	}
	return fmt.Sprintf("%d of these are", n)
}

// earliest is when the first of what is left goes.
func earliest(sent []control.SentInVain) (at time.Time) {
	for _, x := range sent {
		if !x.Taken && (at.IsZero() || x.Until.Before(at)) {
			at = x.Until
		}
	}
	return at
}
