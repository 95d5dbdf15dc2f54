package zone

import (
	"holdfast/internal/ical"
	"holdfast/internal/ical/recur"
)

// Of works out a VTIMEZONE (RFC 5545, section 3.6.5). The error is a *Error.
func Of(vtimezone *ical.Component, b *recur.Budget) (Zone, error) {
	return nil, &Error{Line: vtimezone.No, Why: "Definitions of time zones are not read yet."}
}
