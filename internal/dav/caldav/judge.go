package caldav

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/ical"
	"holdfast/internal/ical/occur"
	"holdfast/internal/ical/recur"
)

// Judge returns the core's judge of calendars (RFC 4791 sections 4.1 and 5.3.2.1): one iCalendar object of components of one kind, which the calendar
// holds, with one UID. Its errors are of kind Invalid; Rule is supported-calendar-data for what is no iCalendar, valid-calendar-data for a broken one,
// valid-calendar-object-resource for what is no object of a calendar, supported-calendar-component for one of a kind that this calendar does not hold.
//
// Endless rules cost nothing here. What is refused as too much work is an object that lists so many dates or zones that no query could look at it; rules that take long
// to follow are taken, and indexed as far as they were followed.
//
// The size of a resource is the core's to judge; o.MaxResource only keeps this judge from being stricter than the core.
func Judge(o Options) core.Judge {
	o = o.withDefaults()
	lim := limitsFor(o.MaxResource)
	return func(c *holdfast.Collection, name, contentType string, body []byte) (holdfast.Kind, holdfast.Index, error) {
		if !takesType(contentType) {
			return 0, holdfast.Index{}, broken(name, ruleSupportedData, "a calendar takes iCalendar objects only; send them as text/calendar")
		}
		cal, ix, refusal := ical.Judge(body, lim)
		if refusal != nil {
			return 0, holdfast.Index{}, refused(name, refusal)
		}
		if !slices.Contains(componentsOf(c), ix.Kind) {
			return 0, holdfast.Index{}, broken(name, ruleComponent, fmt.Sprintf("this calendar holds %s, and this is a %s; put it into another one", strings.Join(componentsOf(c), ", "), ix.Kind))
		}
		object, err := occur.Compile(cal, occur.Options{Zones: o.Zones, Budget: recur.NewBudget(objectSteps)})
		if err != nil {
			return 0, holdfast.Index{}, refused(name, err)
		}
		return kindOf(ix.Kind), holdfast.Index{UID: ix.UID, Times: holdfast.Times(object.Times())}, nil
	}
}

// limitsFor are those of an object that may have so many octets.
func limitsFor(octets int64) ical.Limits {
	n := int(min(octets, math.MaxInt))
	return ical.Limits{Octets: n, LineOctets: n}
}

// refused makes a refusal of the iCalendar packages the judge's.
func refused(name string, err error) error {
	if errors.Is(err, recur.ErrBudget) {
		return broken(name, ruleValidData, "this object lists more dates, changes or time zones than can be worked with")
	}
	var r *ical.Refusal
	if !errors.As(err, &r) {
		return broken(name, ruleValidData, err.Error())
	}
	text := r.Why
	if r.Line > 0 {
		text = fmt.Sprintf("Line %d: %s", r.Line, text)
	}
	return broken(name, string(r.Precondition), text)
}

func broken(name, rule, text string) error {
	return &holdfast.Error{Op: "caldav.Judge", Kind: holdfast.Invalid, Ref: name, Rule: rule, Text: text}
}

// kindOf gives the kind of a resource by its component; 0 for one that no calendar holds.
func kindOf(component string) holdfast.Kind {
	switch component {
	case "VEVENT":
		return holdfast.KindEvent
	case "VTODO":
		return holdfast.KindTodo
	case "VJOURNAL":
		return holdfast.KindJournal
	case "VFREEBUSY":
		return holdfast.KindFreeBusy
	case "VAVAILABILITY":
		return holdfast.KindAvailable
	}
	return 0
}

// takesType tells whether a body of this type is worth judging. What says that it is something else is refused; what says nothing, or says what clients and
// tools say of iCalendar, is judged by its octets.
func takesType(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	switch media = strings.TrimSpace(media); {
	case media == "text/calendar", media == "":
		return true
	}
	for _, known := range []string{"text/calendar", "application/ics", "text/x-vcalendar", "text/plain", "application/octet-stream",
		"application/x-www-form-urlencoded"} { // the last is what curl --data says of anything
		if strings.EqualFold(media, known) {
			return true
		}
	}
	return false
}
