// Package caldav makes calendars of WebDAV collections: CalDAV, RFC 4791.
//
// It has two parts. [Judge] says which octets may be stored in a calendar, and derives when an object takes place; the core asks it on every write.
// [Extensions] adds to the ground (package dav) what clients of calendars ask for: MKCALENDAR, properties, the reports calendar-query, calendar-multiget
// and free-busy-query, and calendar data in parts or expanded. There is one extension for each type of collection in the home of calendars: calendars,
// subscriptions, and the inbox and outbox of scheduling (RFC 6638), which clients look for. Nothing is scheduled by the server: the DAV header says
// calendar-access alone, and organizers and attendees are kept as clients write them.
//
// Octets are given back as they came. Another form is made only for who asks for one in CALDAV:calendar-data. The ETag is always that of the stored octets.
//
// What a query answers is exact (section 9.9), by the times that are indexed at the commit where they are enough, else by the object's octets. Where an
// object costs more than its budget to look through, it is answered as one that matches: a client deletes what a listing does not show, so that too much
// is safe and too little is not. For the same reason a calendar-query of Depth 0 on a calendar asks its members.
//
// RFCs: 4791; of 6638 the collections and properties that clients look for; 7809 by names of time zones; 7953 (availability) as objects and as a property
// of the inbox; Apple's colour, order and subscriptions.
package caldav

import (
	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/dav"
	"holdfast/internal/davxml"
	"holdfast/internal/ical/zone"
)

// MediaType is what every calendar object is served as.
const MediaType = "text/calendar; charset=utf-8"

// Options say what cannot be known here.
type Options struct {
	// MaxResource is the most octets of one calendar object, as the core's Limits.Resource has it. It is told to clients as max-resource-size.
	MaxResource int64
	// Clock bounds searches, and dates what is made for a question; nil: the system's.
	Clock clock.Clock
	// Zones remembers time zones: most objects carry the same few. nil: a memory of its own.
	Zones *zone.Cache
}

// zonesKept is how many names and how many definitions of zones are remembered.
const zonesKept = 500

func (o Options) withDefaults() Options {
	if o.MaxResource <= 0 {
		o.MaxResource = 10 << 20
	}
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if o.Zones == nil {
		o.Zones = zone.NewCache(zonesKept)
	}
	return o
}

// Extensions returns CalDAV for dav.Options.Extensions.
func Extensions(o Options) []dav.Extension {
	o = o.withDefaults()
	return []dav.Extension{
		{
			Name:         "caldav",
			Type:         holdfast.TypeCalendar,
			Home:         holdfast.HomeCalendars,
			ResourceType: davxml.CCalendar,
			Method:       "MKCALENDAR",
			MethodBody:   davxml.CMkCalendar,
			MethodAnswer: davxml.CMkCalendarResponse,
			PlainMkCol:   true, // a calendar for whatever is put into it
			Make:         makeCalendar,
			Compliance:   []string{"calendar-access"},
			Rules:        rules(),
			MemberType:   MediaType,
			MemberSuffix: ".ics",
			Properties:   o.properties(),
			Reports:      o.reports(),
		},
		{Name: "subscriptions", Type: holdfast.TypeSubscription, ResourceType: davxml.CSSubscribed, Rules: rules(), Properties: looks()},
		{Name: "inbox", Type: holdfast.TypeInbox, ResourceType: davxml.CScheduleInbox, Rules: rules(), MemberType: MediaType, Properties: inboxProperties()},
		{Name: "outbox", Type: holdfast.TypeOutbox, ResourceType: davxml.CScheduleOutbox, Rules: rules(), MemberType: MediaType},
	}
}

// The rules of RFC 4791 and its family that errors name.
const (
	ruleValidData     = "valid-calendar-data"
	ruleValidObject   = "valid-calendar-object-resource"
	ruleSupportedData = "supported-calendar-data"
	ruleComponent     = "supported-calendar-component"
	ruleMaxSize       = "max-resource-size"
	ruleMinTime       = "min-date-time"
	ruleMaxTime       = "max-date-time"
	ruleUID           = "no-uid-conflict"
	ruleLocation      = "calendar-collection-location-ok"
	ruleCoreLocation  = "collection-location-ok" // the core's name, for all types of collection
	ruleValidFilter   = "valid-filter"
	ruleFilter        = "supported-filter"
	ruleCollation     = "supported-collation"
	ruleTimezone      = "valid-timezone" // RFC 7809 section 5.2
)

// rules gives their names in XML.
func rules() map[string]davxml.Name {
	m := map[string]davxml.Name{ruleCoreLocation: davxml.CCalendarCollectionLocationOk}
	for _, r := range []string{ruleValidData, ruleValidObject, ruleSupportedData, ruleComponent, ruleMaxSize, ruleMinTime, ruleMaxTime, ruleUID, ruleLocation,
		ruleValidFilter, ruleFilter, ruleCollation, ruleTimezone} {
		m[r] = davxml.CalDAV(r)
	}
	return m
}

// refuse makes the error for input that breaks a rule. text is one sentence for a person.
func refuse(op, rule, text string) error {
	return &holdfast.Error{Op: "caldav." + op, Kind: holdfast.Invalid, Rule: rule, Text: text}
}
