package occur

import (
	"holdfast/internal/ical"
	"holdfast/internal/ical/civil"
	"holdfast/internal/ical/recur"
)

// Instance is one occurrence of a component.
type Instance struct {
	Component  *ical.Component // the master, or the override that holds for this instance
	Start, End int64           // Unix seconds; equal for what has no duration
	Local      civil.Time      // Start on the clock of the zone that the component names
	AllDay     bool            // the component's times are dates
	Recurring  bool            // it belongs to a recurrence set, and Original is there
	Original   int64           // the start before any override moved it: RECURRENCE-ID
	OrigLocal  civil.Time      // the same on the clock of the master's zone
}

// Overlaps tells whether some instance overlaps [from, to) by the table of RFC
// 4791, section 9.9, for the object's kind. The error is recur.ErrBudget.
func (o *Object) Overlaps(from, to int64, b *recur.Budget) (bool, error) {
	return false, recur.ErrBudget
}

// Instances calls fn for each instance that overlaps [from, to), mostly in order
// of their starts, until fn returns false. A nil budget is recur.DefaultSteps.
// The error is recur.ErrBudget.
func (o *Object) Instances(from, to int64, b *recur.Budget, fn func(*Instance) bool) error {
	return recur.ErrBudget
}

// ComponentOverlaps is Overlaps for the instances of one component of the object.
func (o *Object) ComponentOverlaps(c *ical.Component, from, to int64, b *recur.Budget) (bool, error) {
	return false, recur.ErrBudget
}

// AlarmOverlaps tells whether an alarm of the component c goes off in [from, to),
// for any instance.
func (o *Object) AlarmOverlaps(c, alarm *ical.Component, from, to int64, b *recur.Budget) (bool, error) {
	return false, recur.ErrBudget
}

// PropertyOverlaps tells whether a time that the property holds lies in [from, to).
func (o *Object) PropertyOverlaps(l *ical.Line, from, to int64) bool { return false }
