// Package filter matches calendar objects against the filters of CalDAV (RFC
// 4791, section 9.7).
//
// A component filter asks whether some component of an object satisfies all its
// conditions: the same component, master or override, for all of them. So
// "tomorrow, with Alex" finds a series whose override of tomorrow names Alex, and
// not one in which Alex came last year only.
package filter

import "holdfast/internal/textmatch"

// Test says whether one or all of several conditions must hold. AllOf is what
// RFC 4791 knows; AnyOf is what some programs write as RFC 6352 has it.
type Test int

// The two tests.
const (
	AllOf Test = iota
	AnyOf
)

// TimeRange is CALDAV:time-range (section 9.9) in Unix seconds: [From, To).
// math.MinInt64 and math.MaxInt64 leave an end open.
type TimeRange struct{ From, To int64 }

// Filter is CALDAV:filter (section 9.7): the comp-filter for VCALENDAR.
type Filter struct {
	Calendar CompFilter
}

// CompFilter is CALDAV:comp-filter (section 9.7.1). With NotDefined it matches
// where there is no such component; otherwise where there is one that satisfies
// all the rest.
type CompFilter struct {
	Name       string
	Test       Test
	NotDefined bool
	Range      *TimeRange
	Props      []PropFilter
	Comps      []CompFilter
}

// PropFilter is CALDAV:prop-filter (section 9.7.2). With NotDefined it matches a
// component without the property; otherwise one that has an instance of it that
// satisfies all the rest. Values are compared with their escapes resolved; a list (CATEGORIES, RESOURCES) as a whole and then item by item. The
// default collation is textmatch.ASCIICasemap.
type PropFilter struct {
	Name       string
	Test       Test
	NotDefined bool
	Range      *TimeRange
	Text       *textmatch.TextMatch
	Params     []ParamFilter
}

// ParamFilter is CALDAV:param-filter (section 9.7.3).
type ParamFilter struct {
	Name       string
	NotDefined bool
	Text       *textmatch.TextMatch
}

// Error says what is wrong with a filter. Supported tells which precondition is
// violated: CALDAV:supported-filter where a component or property is asked for
// in a way that nothing could match, else CALDAV:valid-filter.
type Error struct {
	Supported bool
	Why       string
}

// Error gives the sentence.
func (e *Error) Error() string { return e.Why }
