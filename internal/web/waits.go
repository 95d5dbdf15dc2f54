package web

import (
	"fmt"
	"strings"
	"time"

	"holdfast/internal/core"
)

// waitCard says of one that waits why, and what can be done.
type waitCard struct {
	Who     string
	Since   time.Time
	Why     string
	Due     time.Time // zero: there is no deadline
	Overdue bool
	Salvage string // commands of whoever runs this server; empty: none helps
	Give    string
	Note    string
	Whole   bool // the account, and no single device
}

// waits says who waits. Nothing is released by time: the deadline is when somebody should have decided.
func (s *Server) waits(email string, w *core.Waiting, now time.Time) (out []waitCard) {
	add := func(c waitCard) {
		if s.Deadline > 0 {
			c.Due = c.Since.Add(s.Deadline)
			c.Overdue = !now.Before(c.Due)
		}
		out = append(out, c)
	}
	if !w.Since.IsZero() {
		c := waitCard{Who: "Your whole account", Whole: true, Since: w.Since, Why: "A device has seen changes of it that this server does not have. So nothing is listed to any of your devices, which keep what they have.",
			Note: "It goes on when the operator has decided of the devices below, or has released the account, or when a newer copy of it is put in place."}
		if w.Vault != "" {
			c.Why, c.Give = "The vault "+w.Vault+" has another history of it than this server. So nothing is listed to any of your devices, which keep what they have.", "holdfast incident release "+email
			c.Note = "It goes on when the operator has decided which of the two counts."
		} else if w.ByHand {
			c.Why, c.Give = "The operator of this server holds it: it may be older than what your devices have. So nothing is listed to any of them, and they keep what they have.", "holdfast incident release "+email
			c.Note = "It goes on when the operator releases it."
		}
		add(c)
	}
	for i := range w.Devices {
		d := &w.Devices[i]
		c := waitCard{Who: d.Name, Since: d.Since, Why: "It has seen " + lacking(d.Missing) + ". So nothing is listed to it, and it keeps what it has."}
		of := email
		if d.By != "" {
			c.Who += ", of " + d.By
		}
		if d.Of != "" {
			of = d.Of
			c.Who += ", for what " + d.Of + " shares with you"
		}
		c.Salvage = fmt.Sprintf("holdfast salvage %s --from FILE --device %s", of, d.Device)
		c.Give = fmt.Sprintf("holdfast incident dismiss %s --device %s", of, d.Device)
		add(c)
	}
	return out
}

// lacking says how many changes a device may know that the store lacks.
func lacking(n uint64) string {
	if n == 0 {
		return "changes that this server does not have; how many is not known"
	}
	return "up to " + count(int64(n), "change that this server does not have", "changes that this server does not have")
}

// judgeWaits makes findings of who waits.
func (f *facts) judgeWaits() (out []finding) {
	for _, c := range f.Waits {
		if c.Whole { // that is said already
			continue
		}
		text := fmt.Sprintf("%s waits since %s, and is told to come back later (503). %s", c.Who, stamp(c.Since), c.Why)
		if c.Overdue {
			text += fmt.Sprintf(" The decision was due by %s.", stamp(c.Due))
		}
		out = append(out, finding{"danger", "A device waits", strings.TrimSpace(text) + " Do not reset any device before that is settled."})
	}
	return out
}
