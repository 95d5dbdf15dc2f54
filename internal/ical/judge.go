package ical

import (
	"fmt"
)

// Precondition is the local name of a precondition element of RFC 4791, section 5.3.2.1, in the namespace urn:ietf:params:xml:ns:caldav.
type Precondition string

// The preconditions that this package judges. no-uid-conflict, max-resource-size and the others are judged where collections are known.
const (
	SupportedCalendarData       Precondition = "supported-calendar-data"        // this is not iCalendar 2.0
	ValidCalendarData           Precondition = "valid-calendar-data"            // it is, but cannot be read
	ValidCalendarObjectResource Precondition = "valid-calendar-object-resource" // it can be read, but is no object for a calendar (section 4.1)
	SupportedCalendarComponent  Precondition = "supported-calendar-component"   // no calendar takes components of this kind
)

// Refusal says why an object is not taken.
type Refusal struct {
	Precondition Precondition
	Line         int    // number of the line of text, from 1; 0 where no single line is at fault
	Why          string // one or two sentences that say what to do
}

// Error gives precondition, line and sentence.
func (r *Refusal) Error() string {
	if r.Line > 0 {
		return fmt.Sprintf("%s: line %d: %s", r.Precondition, r.Line, r.Why)
	}
	return fmt.Sprintf("%s: %s", r.Precondition, r.Why)
}

// Index is what a store needs to know of an object.
type Index struct {
	UID  string // unescaped, white space at the ends removed
	Kind string // VEVENT, VTODO, VJOURNAL, VFREEBUSY or VAVAILABILITY
}

// MaxUID is the longest UID that is taken, in octets. The longest seen in real calendars have about 300; indexes of database engines want a bound.
const MaxUID = 1024

// Judge decides whether octets may be stored as a calendar object resource (RFC 4791, sections 4.1 and 5.3.2.1). It returns the object cut into
// components, so that nobody has to parse it again, and its index. The refusal is nil if and only if the octets are accepted.
func Judge(data []byte, lim Limits) (*Component, Index, *Refusal) {
	return nil, Index{}, &Refusal{SupportedCalendarData, 0, "Calendars are not judged yet."}
}
