package ical

// MendOptions say what Mend cannot know from the octets.
type MendOptions struct {
	Zone  string                 // the zone of times whose own is not known: X-WR-TIMEZONE, from Piece.Zone
	Known func(tzid string) bool // whether a TZID without a VTIMEZONE is known; nil: none is
	Rule  func(rule string) bool // whether an RRULE or EXRULE can be read; nil: all can
}

// Mended is one object fit to be stored.
type Mended struct {
	Octets []byte   // an object that Judge accepts
	Mends  []string // what was done to it, in short sentences; none: the octets are those given
}

// Mend makes what Split yields fit to be stored: mostly one object; several where one UID was used for different things.
func Mend(raw []byte, o MendOptions) ([]Mended, *Refusal) {
	return nil, &Refusal{SupportedCalendarData, 0, "Calendars are not mended yet."}
}
