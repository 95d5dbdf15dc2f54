package vcard

import (
	"strings"

	"holdfast/internal/content"
	"holdfast/internal/textmatch"
)

// Test says whether one or all of several conditions must hold.
type Test int

// The two tests. AnyOf is the default of RFC 6352.
const (
	AnyOf Test = iota
	AllOf
)

// Filter is CARDDAV:filter (RFC 6352, section 10.5). Without PropFilters it
// matches every card.
type Filter struct {
	Test  Test
	Props []PropFilter
}

// PropFilter is CARDDAV:prop-filter (section 10.5.1). With NotDefined it
// matches a card without the property. Otherwise it matches when one instance
// of the property satisfies Texts and Params under Test; with neither, the
// property has only to be there.
//
// The conditions are judged on one instance at a time: "EMAIL, type home, at
// example.org" with AllOf means one address that is both, and a negated text
// matches when some instance does not hold the text.
//
// Values are compared with their escapes resolved. A structured value or a list
// (N, ORG, ADR, CATEGORIES, NICKNAME) is tried as a whole, with its separators,
// and then component by component, so that "equals Example" finds a family name.
// The default collation is textmatch.UnicodeCasemap.
type PropFilter struct {
	Name       string // property name; "group.NAME" matches in that group only
	Test       Test
	NotDefined bool
	Texts      []textmatch.TextMatch
	Params     []ParamFilter
}

// ParamFilter is CARDDAV:param-filter (section 10.5.2). With NotDefined it
// matches an instance without the parameter; otherwise the parameter must be
// there and, with Text, one of its values match. A negated Text matches when
// no value holds the text.
type ParamFilter struct {
	Name       string
	NotDefined bool
	Text       *textmatch.TextMatch
}

// Matcher is a Filter made ready for many cards. It may be used by several
// goroutines at once.
type Matcher struct {
	test  Test
	props []propMatcher
}

type propMatcher struct {
	group, name string
	f           PropFilter
	texts       []textMatcher
	params      []paramMatcher
}

type paramMatcher struct {
	name       string
	notDefined bool
	text       *textMatcher
}

type textMatcher struct{ *textmatch.Matcher }

// Compile makes the filter ready. The error is a *textmatch.CollationError.
func (f *Filter) Compile() (*Matcher, error) {
	m := &Matcher{test: f.Test}
	for _, pf := range f.Props {
		pm := propMatcher{f: pf, name: pf.Name}
		if dot := strings.LastIndexByte(pf.Name, '.'); dot >= 0 {
			pm.group, pm.name = pf.Name[:dot], pf.Name[dot+1:]
		}
		for i := range pf.Texts {
			tm, err := pf.Texts[i].Compile(textmatch.UnicodeCasemap)
			if err != nil {
				return nil, err
			}
			pm.texts = append(pm.texts, textMatcher{tm})
		}
		for _, p := range pf.Params {
			q := paramMatcher{name: p.Name, notDefined: p.NotDefined}
			if p.Text != nil {
				tm, err := p.Text.Compile(textmatch.UnicodeCasemap)
				if err != nil {
					return nil, err
				}
				q.text = &textMatcher{tm}
			}
			pm.params = append(pm.params, q)
		}
		m.props = append(m.props, pm)
	}
	return m, nil
}

// Match tells whether the card matches. A filter with an unknown collation
// matches nothing; Compile says so beforehand.
func (f *Filter) Match(card *Card) bool {
	m, err := f.Compile()
	return err == nil && m.Match(card)
}

// Match tells whether the card matches.
func (m *Matcher) Match(card *Card) bool {
	if len(m.props) == 0 {
		return true
	}
	for i := range m.props {
		if m.props[i].match(card) != (m.test == AllOf) {
			return m.test == AnyOf
		}
	}
	return m.test == AllOf
}

func (p *propMatcher) match(card *Card) bool {
	for i := range card.Lines {
		l := &card.Lines[i]
		if l.Is(p.name) && (p.group == "" || strings.EqualFold(l.Group, p.group)) {
			if p.f.NotDefined {
				return false
			}
			if p.instance(l) {
				return true
			}
		}
	}
	return p.f.NotDefined
}

// instance judges one property.
func (p *propMatcher) instance(l *Line) bool {
	if len(p.texts)+len(p.params) == 0 {
		return true
	}
	for i := range p.texts {
		if p.texts[i].value(l) != (p.f.Test == AllOf) {
			return p.f.Test == AnyOf
		}
	}
	for i := range p.params {
		if p.params[i].match(l) != (p.f.Test == AllOf) {
			return p.f.Test == AnyOf
		}
	}
	return p.f.Test == AllOf
}

func (p *paramMatcher) match(l *Line) bool {
	defined, found := false, false
	for i := range l.Params {
		if !strings.EqualFold(l.Params[i].Name, p.name) {
			continue
		}
		defined = true
		if p.text == nil || p.notDefined {
			break
		}
		for _, v := range l.Params[i].Values() {
			// A quoted TYPE list of version 4.0 counts item by item, too.
			found = found || p.text.Holds(v) || strings.Contains(v, ",") && p.text.any(strings.Split(v, ","))
		}
	}
	switch {
	case p.notDefined:
		return !defined
	case p.text == nil:
		return defined
	}
	return defined && found != p.text.Negate
}

// value judges a property's value.
func (t *textMatcher) value(l *Line) bool {
	found := t.Holds(content.Unescape(l.Value))
	if !found && t.Match != textmatch.Contains {
		if sep := separator(l.Name); sep != 0 {
			found = t.component(l.Value, sep)
		}
	}
	return found != t.Negate
}

// component tries the parts of a structured value, and the parts of those
// where a component is itself a list.
func (t *textMatcher) component(v string, sep byte) bool {
	for _, part := range content.SplitEscaped(v, sep) {
		if t.Holds(content.Unescape(part)) {
			return true
		}
		if sep == ';' && strings.IndexByte(part, ',') >= 0 && t.component(part, ',') {
			return true
		}
	}
	return false
}

// separator returns what divides the value of a structured property or list.
func separator(name string) byte {
	switch content.Upper(name) {
	case "N", "ADR", "ORG", "GENDER":
		return ';'
	case "CATEGORIES", "NICKNAME":
		return ','
	}
	return 0
}

func (t *textMatcher) any(values []string) bool {
	for _, v := range values {
		if t.Holds(v) {
			return true
		}
	}
	return false
}
