package occur

import (
	"holdfast/internal/ical"
	"holdfast/internal/ical/recur"
	"holdfast/internal/ical/zone"
)

// Options say what an object does not know itself.
type Options struct {
	Floating zone.Zone     // the zone in which dates and floating times are read; nil: UTC
	Zones    *zone.Cache   // remembers zones; may be nil
	Budget   *recur.Budget // of this compilation; nil: recur.DefaultSteps
}

// Object is a calendar object made ready. It may be used by several goroutines
// at once.
type Object struct {
	cal  *ical.Component
	kind string
}

// Compile makes a calendar object ready: one VCALENDAR with components of one
// kind and UID. What cannot be read is refused with an *ical.Refusal.
func Compile(cal *ical.Component, o Options) (*Object, error) {
	return &Object{cal: cal}, nil
}

// Kind is the name of the object's components: VEVENT, VTODO, VJOURNAL,
// VFREEBUSY or VAVAILABILITY.
func (o *Object) Kind() string { return o.kind }

// Calendar is the VCALENDAR that the object was compiled from.
func (o *Object) Calendar() *ical.Component { return o.cal }

// In gives the object with its dates and floating times read in another zone.
// An object without such times is returned as it is.
func (o *Object) In(floating zone.Zone) *Object { return o }
