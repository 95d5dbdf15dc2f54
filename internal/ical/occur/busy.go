package occur

import (
	"holdfast/internal/ical"
	"holdfast/internal/ical/recur"
)

// Busy gathers the busy time of many objects (RFC 4791, section 7.10).
type Busy struct{ from, to int64 }

// NewBusy begins to gather the busy time in [from, to), of which both ends are there.
func NewBusy(from, to int64) *Busy { return &Busy{from: from, to: to} }

// Add takes the time of one object. The error is recur.ErrBudget or ErrTooMany.
func (b *Busy) Add(o *Object, budget *recur.Budget) error { return recur.ErrBudget }

// Calendar gives a VCALENDAR with one VFREEBUSY. stamp is its DTSTAMP in Unix
// seconds, product its PRODID.
func (b *Busy) Calendar(stamp int64, product string) *ical.Component { return nil }
