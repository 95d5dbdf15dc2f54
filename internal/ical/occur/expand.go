package occur

import (
	"errors"

	"holdfast/internal/ical"
	"holdfast/internal/ical/recur"
)

// ErrTooMany says that an expansion has more instances than were allowed.
var ErrTooMany = errors.New("the range holds more instances than are allowed")

// Expand gives the instances that overlap [from, to) as components of their own,
// in UTC, without recurrence rules and time zones (RFC 4791, section 9.6.5). It
// gives nil if there is none. More than limit instances are ErrTooMany; the
// other error is recur.ErrBudget.
func (o *Object) Expand(from, to int64, limit int, b *recur.Budget) (*ical.Component, error) {
	return nil, recur.ErrBudget
}

// LimitRecurrenceSet gives the object with only those overrides that overlap
// [from, to), or would if they were not there (RFC 4791, section 9.6.6). The
// components are shared with the object.
func (o *Object) LimitRecurrenceSet(from, to int64, b *recur.Budget) (*ical.Component, error) {
	return o.cal, nil
}

// LimitFreebusySet gives the object with only those periods of FREEBUSY that
// overlap [from, to) (RFC 4791, section 9.6.7).
func (o *Object) LimitFreebusySet(from, to int64) *ical.Component { return o.cal }
