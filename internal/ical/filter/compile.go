package filter

import (
	"fmt"
	"strings"

	"holdfast/internal/textmatch"
)

// Matcher is a Filter made ready for many objects. It may be used by several
// goroutines at once.
type Matcher struct {
	calendar compMatcher
}

type compMatcher struct {
	name       string // upper case
	any        bool
	notDefined bool
	span       *TimeRange
	props      []propMatcher
	comps      []compMatcher
}

type propMatcher struct {
	name       string
	any        bool
	notDefined bool
	span       *TimeRange
	text       *textmatch.Matcher
	params     []paramMatcher
}

type paramMatcher struct {
	name       string
	notDefined bool
	text       *textmatch.Matcher
}

// kinds are the components that an object is made of.
var kinds = [...]string{"VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY"}

func isKind(name string) bool {
	for _, k := range kinds {
		if k == name {
			return true
		}
	}
	return false
}

// maxDepth is how deep component filters may stand in one another.
const maxDepth = 8

// Compile makes the filter ready. The error is a *textmatch.CollationError or an *Error.
func (f *Filter) Compile() (*Matcher, error) {
	m := &Matcher{}
	if !strings.EqualFold(f.Calendar.Name, "VCALENDAR") {
		return nil, &Error{Why: "the outermost comp-filter must name VCALENDAR"}
	}
	return m, m.calendar.compile(&f.Calendar, maxDepth)
}

func (m *compMatcher) compile(f *CompFilter, depth int) error {
	*m = compMatcher{name: strings.ToUpper(f.Name), any: f.Test == AnyOf, notDefined: f.NotDefined, span: f.Range}
	switch {
	case depth == 0:
		return &Error{Supported: true, Why: fmt.Sprintf("comp-filters stand more than %d deep in one another", maxDepth)}
	case !isName(f.Name):
		return &Error{Supported: true, Why: "a comp-filter names a component that no calendar can have"}
	case f.Range != nil && !isKind(m.name) && m.name != "VALARM" && m.name != "AVAILABLE":
		return &Error{Supported: true, Why: fmt.Sprintf("a time-range has no meaning for %s", m.name)}
	}
	if err := checkRange(f.Range); err != nil {
		return err
	}
	for i := range f.Props {
		var p propMatcher
		if err := p.compile(&f.Props[i]); err != nil {
			return err
		}
		m.props = append(m.props, p)
	}
	m.comps = make([]compMatcher, len(f.Comps))
	for i := range f.Comps {
		if err := m.comps[i].compile(&f.Comps[i], depth-1); err != nil {
			return err
		}
	}
	return nil
}

func checkRange(r *TimeRange) error {
	if r != nil && r.From >= r.To {
		return &Error{Why: "the end of a time-range must be later than its start"}
	}
	return nil
}

func (m *propMatcher) compile(f *PropFilter) (err error) {
	*m = propMatcher{name: f.Name, any: f.Test == AnyOf, notDefined: f.NotDefined, span: f.Range}
	if !isName(f.Name) {
		return &Error{Supported: true, Why: "a prop-filter names a property that no calendar can have"}
	}
	if err = checkRange(f.Range); err != nil {
		return err
	}
	if m.text, err = compile(f.Text); err != nil {
		return err
	}
	for i := range f.Params {
		p := paramMatcher{name: f.Params[i].Name, notDefined: f.Params[i].NotDefined}
		if !isName(p.name) {
			return &Error{Supported: true, Why: "a param-filter names a parameter that no calendar can have"}
		}
		if p.text, err = compile(f.Params[i].Text); err != nil {
			return err
		}
		m.params = append(m.params, p)
	}
	return nil
}

// compile makes a text-match ready; nil stays nil.
func compile(t *textmatch.TextMatch) (*textmatch.Matcher, error) {
	if t == nil {
		return nil, nil
	}
	return t.Compile(textmatch.ASCIICasemap)
}

// isName tells whether s can be a name in iCalendar (RFC 5545, section 3.1, and the underscore that some programs use).
func isName(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_':
		default:
			return false
		}
	}
	return s != ""
}

// required gives the filters of an object's own components that every match satisfies.
func (m *Matcher) required() []*compMatcher {
	c := &m.calendar
	if c.notDefined || c.any && len(c.props)+len(c.comps) > 1 {
		return nil
	}
	var list []*compMatcher
	for i := range c.comps {
		if k := &c.comps[i]; !k.notDefined && isKind(k.name) {
			list = append(list, k)
		}
	}
	return list
}

// Kinds gives the names of the components that an object must have one of to
// match; nil: any. An empty list that is not nil: nothing matches.
func (m *Matcher) Kinds() []string {
	need := m.required()
	if len(need) == 0 {
		return nil
	}
	for _, k := range need {
		if k.name != need[0].name {
			return []string{} // no object is of two kinds
		}
	}
	return []string{need[0].name}
}

// Range gives a range of time that some instance of every match overlaps; false
// if there is none.
func (m *Matcher) Range() (from, to int64, ok bool) {
	for _, k := range m.required() {
		if k.span != nil && (!k.any || len(k.props)+len(k.comps) == 0) {
			return k.span.From, k.span.To, true
		}
	}
	return 0, 0, false
}

// Certain tells whether an object matches just if it is of one of Kinds and, where
// there is a Range, some instance overlaps it: then occur.Covers may decide alone.
func (m *Matcher) Certain() bool {
	c := &m.calendar
	if c.notDefined || len(c.props) > 0 || len(c.comps) > 1 {
		return false
	}
	for i := range c.comps {
		if k := &c.comps[i]; k.notDefined || !isKind(k.name) || len(k.props)+len(k.comps) > 0 {
			return false
		}
	}
	return true
}
