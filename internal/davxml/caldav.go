package davxml

import "holdfast/internal/textmatch"

// CalendarData says in which form, and with which parts, a client wants its calendar objects (RFC 4791, section 9.6).
type CalendarData struct {
	ContentType string   // "" where the client does not say; the RFC's default is text/calendar
	Version     string   // "" where the client does not say; the RFC's default is 2.0
	Comp        *CompSel // nil: everything

	// At most one of Expand and LimitRecurrence is there.
	Expand          *TimeRange // section 9.6.5: recurrences as single instances
	LimitRecurrence *TimeRange // section 9.6.6: only the overrides that matter in the range
	LimitFreeBusy   *TimeRange // section 9.6.7: only the FREEBUSY values in the range
}

// CompSel chooses parts of a component (section 9.6.1). It chooses all properties where AllProps is set, otherwise those that Props names; likewise for
// the components in it.
type CompSel struct {
	Name     string // in any letter case
	AllProps bool
	Props    []DataProp
	AllComps bool
	Comps    []CompSel
}

// DataProp is an iCalendar property that is to be in the answer.
type DataProp struct {
	Name    string
	NoValue bool // the name and the parameters only
}

// TimeRange is a range of time as the client wrote it: UTC date-times of RFC 5545, section 3.3.5 (form 2). "" is open.
type TimeRange struct{ Start, End string }

// CalendarData gives how the set asks for CALDAV:calendar-data, nil where it does not.
func (p PropSet) CalendarData(lim Limits) (*CalendarData, error) {
	e := p.Element(CCalendarData)
	if e == nil {
		return nil, nil
	}
	return ParseCalendarData(e, lim)
}

// ParseCalendarData reads a CALDAV:calendar-data that stands in a request.
func ParseCalendarData(e *Element, lim Limits) (*CalendarData, error) {
	cd := &CalendarData{}
	cd.ContentType, _ = e.Attr("", "content-type")
	cd.Version, _ = e.Attr("", "version")
	if c := e.Child(CComp); c != nil {
		left := lim.orDefault().Props
		sel, err := parseCompSel(c, &left)
		if err != nil {
			return nil, err
		}
		cd.Comp = &sel
	}
	for _, r := range []struct {
		name Name
		into **TimeRange
	}{{CExpand, &cd.Expand}, {CLimitRecurrenceSet, &cd.LimitRecurrence}, {CLimitFreebusySet, &cd.LimitFreeBusy}} {
		c := e.Child(r.name)
		if c == nil {
			continue
		}
		tr := timeRange(c)
		if tr.Start == "" || tr.End == "" {
			return nil, c.Errorf("CALDAV:%s needs a start and an end", r.name.Local)
		}
		*r.into = &tr
	}
	if cd.Expand != nil && cd.LimitRecurrence != nil {
		return nil, e.Errorf("CALDAV:calendar-data holds expand and limit-recurrence-set, of which one is possible")
	}
	return cd, nil
}

func timeRange(e *Element) TimeRange {
	var tr TimeRange
	tr.Start, _ = e.Attr("", "start")
	tr.End, _ = e.Attr("", "end")
	return tr
}

func parseCompSel(e *Element, left *int) (CompSel, error) {
	sel := CompSel{AllProps: e.Child(CAllProp) != nil, AllComps: e.Child(CAllComp) != nil}
	var err error
	if sel.Name, err = nameOf(e); err != nil {
		return sel, err
	}
	for c := range e.All(CProp) {
		p := DataProp{}
		if p.Name, err = nameOf(c); err != nil {
			return sel, err
		}
		if p.NoValue, err = yes(c, "novalue"); err != nil {
			return sel, err
		}
		if *left--; *left < 0 {
			return sel, c.refuse(TooLarge, "too many properties and components are named")
		}
		sel.Props = append(sel.Props, p)
	}
	for c := range e.All(CComp) {
		if *left--; *left < 0 {
			return sel, c.refuse(TooLarge, "too many properties and components are named")
		}
		inner, err := parseCompSel(c, left)
		if err != nil {
			return sel, err
		}
		sel.Comps = append(sel.Comps, inner)
	}
	return sel, nil
}

// nameOf gives the attribute name, which must be there.
func nameOf(e *Element) (string, error) {
	name, _ := e.Attr("", "name")
	if name == "" {
		return "", e.Errorf("CALDAV:%s has no name", short(e.Name.Local))
	}
	return name, nil
}

// yes reads an attribute that is yes or no, and no where it is not there.
func yes(e *Element, attr string) (bool, error) {
	switch v, _ := e.Attr("", attr); v {
	case "", "no":
		return false, nil
	case "yes":
		return true, nil
	default:
		return false, e.Errorf("the %s %q is neither yes nor no", attr, short(v))
	}
}

// ParseCalendarMultiget reads CALDAV:calendar-multiget (section 9.10). No hrefs at all is an empty question, not an error.
func ParseCalendarMultiget(root *Element, lim Limits) (CalendarMultiget, error) {
	if err := wantRoot(root, CCalendarMultiget); err != nil {
		return CalendarMultiget{}, err
	}
	lim = lim.orDefault()
	var m CalendarMultiget
	var err error
	if m.Props, err = parsePropSet(root, lim); err != nil {
		return m, err
	}
	if m.Data, err = m.Props.CalendarData(lim); err != nil {
		return m, err
	}
	m.Hrefs, err = hrefs(root, lim)
	return m, err
}

// CalendarMultiget is a CALDAV:calendar-multiget report.
type CalendarMultiget struct {
	Props PropSet
	Data  *CalendarData // nil where calendar-data is not asked for
	Hrefs []string      // as the client wrote them, in order, repetitions too
}

// CalendarQuery is a CALDAV:calendar-query report (section 9.5).
type CalendarQuery struct {
	Props      PropSet
	Data       *CalendarData // nil where calendar-data is not asked for
	Filter     *Element      // for ParseCalendarFilter; nil where there is none
	Timezone   string        // the iCalendar text in CALDAV:timezone
	TimezoneID string        // RFC 7809, section 5.2.2.1
	Limit      int           // 0 for no limit
}

// ParseCalendarQuery reads CALDAV:calendar-query, its filter left aside.
func ParseCalendarQuery(root *Element, lim Limits) (CalendarQuery, error) {
	if err := wantRoot(root, CCalendarQuery); err != nil {
		return CalendarQuery{}, err
	}
	lim = lim.orDefault()
	q := CalendarQuery{Filter: root.Child(CFilter), TimezoneID: root.Child(CTimezoneID).TrimText()}
	if tz := root.Child(CTimezone); tz != nil {
		q.Timezone = tz.Text
	}
	var err error
	if q.Props, err = parsePropSet(root, lim); err != nil {
		return q, err
	}
	if q.Data, err = q.Props.CalendarData(lim); err != nil {
		return q, err
	}
	if q.Limit, err = parseLimit(root, CLimit, CNResults); err == nil && q.Limit == 0 {
		q.Limit, err = parseLimit(root, DLimit, DNResults)
	}
	return q, err
}

// CompFilter chooses calendar objects by a component (section 9.7.1). Without conditions it asks that the component is there.
type CompFilter struct {
	Name         string // as the client wrote it; letter case does not count
	AnyOf        bool   // test="anyof", which some clients write though the RFC knows "all" alone
	IsNotDefined bool   // the component must be absent; then there are no other conditions
	Range        *TimeRange
	Props        []CalPropFilter
	Comps        []CompFilter
}

// CalPropFilter chooses by a property of the component (section 9.7.2). At most one of Range and Text is there.
type CalPropFilter struct {
	Name         string
	AnyOf        bool
	IsNotDefined bool
	Range        *TimeRange
	Text         *textmatch.TextMatch
	Params       []ParamFilter
}

// ParseCalendarFilter reads CALDAV:filter: the one comp-filter in it.
func ParseCalendarFilter(e *Element, lim Limits) (CompFilter, error) {
	left := lim.orDefault().Conditions
	var f CompFilter
	found := false
	for c := range e.All(CCompFilter) {
		if found {
			return f, c.Errorf("CALDAV:filter holds more than one comp-filter; one names VCALENDAR, and the others stand in it")
		}
		var err error
		if f, err = parseCompFilter(c, &left); err != nil {
			return f, err
		}
		found = true
	}
	if !found {
		return f, e.Errorf("CALDAV:filter holds no comp-filter")
	}
	return f, nil
}

func parseCompFilter(e *Element, left *int) (CompFilter, error) {
	f := CompFilter{IsNotDefined: e.Child(CIsNotDefined) != nil}
	if err := spend(e, left); err != nil {
		return f, err
	}
	var err error
	if f.Name, err = nameOf(e); err != nil {
		return f, err
	}
	if f.AnyOf, err = parseCalTest(e); err != nil {
		return f, err
	}
	if f.Range, err = parseRange(e); err != nil {
		return f, err
	}
	for c := range e.All(CPropFilter) {
		pf, err := parseCalPropFilter(c, left)
		if err != nil {
			return f, err
		}
		f.Props = append(f.Props, pf)
	}
	for c := range e.All(CCompFilter) {
		cf, err := parseCompFilter(c, left)
		if err != nil {
			return f, err
		}
		f.Comps = append(f.Comps, cf)
	}
	if f.IsNotDefined && (f.Range != nil || len(f.Props)+len(f.Comps) > 0) {
		return f, e.Errorf("CALDAV:comp-filter holds is-not-defined and other conditions")
	}
	return f, nil
}

// parseCalTest reads the attribute test. CalDAV does not have it, and means "allof".
func parseCalTest(e *Element) (anyOf bool, err error) {
	if test, _ := e.Attr("", "test"); test == "" {
		return false, nil
	}
	allOf, err := parseTest(e)
	return !allOf, err
}

// parseRange reads a CALDAV:time-range in e; nil where there is none.
func parseRange(e *Element) (*TimeRange, error) {
	c := e.Child(CTimeRange)
	if c == nil {
		return nil, nil
	}
	tr := timeRange(c)
	if tr.Start == "" && tr.End == "" {
		return nil, c.Errorf("CALDAV:time-range has neither a start nor an end")
	}
	return &tr, nil
}

func parseCalPropFilter(e *Element, left *int) (CalPropFilter, error) {
	pf := CalPropFilter{IsNotDefined: e.Child(CIsNotDefined) != nil}
	if err := spend(e, left); err != nil {
		return pf, err
	}
	var err error
	if pf.Name, err = nameOf(e); err != nil {
		return pf, err
	}
	if pf.AnyOf, err = parseCalTest(e); err != nil {
		return pf, err
	}
	if pf.Range, err = parseRange(e); err != nil {
		return pf, err
	}
	if pf.Text, err = parseCalText(e, left); err != nil {
		return pf, err
	}
	for c := range e.All(CParamFilter) {
		f, err := parseCalParamFilter(c, left)
		if err != nil {
			return pf, err
		}
		pf.Params = append(pf.Params, f)
	}
	switch {
	case pf.IsNotDefined && (pf.Range != nil || pf.Text != nil || len(pf.Params) > 0):
		return pf, e.Errorf("CALDAV:prop-filter holds is-not-defined and other conditions")
	case pf.Range != nil && pf.Text != nil:
		return pf, e.Errorf("CALDAV:prop-filter holds a time-range and a text-match, of which one is possible")
	}
	return pf, nil
}

func parseCalParamFilter(e *Element, left *int) (ParamFilter, error) {
	f := ParamFilter{IsNotDefined: e.Child(CIsNotDefined) != nil}
	if err := spend(e, left); err != nil {
		return f, err
	}
	var err error
	if f.Name, err = nameOf(e); err != nil {
		return f, err
	}
	if f.Text, err = parseCalText(e, left); err == nil && f.Text != nil && f.IsNotDefined {
		err = e.Errorf("CALDAV:param-filter holds more than one condition")
	}
	return f, err
}

// parseCalText reads the one CALDAV:text-match in e; nil where there is none. The match is "contains" (section 9.7.5); match-type, which CardDAV has, is read
// where a client writes it.
func parseCalText(e *Element, left *int) (*textmatch.TextMatch, error) {
	var found *textmatch.TextMatch
	for c := range e.All(CTextMatch) {
		if found != nil {
			return nil, c.Errorf("CALDAV:%s holds more than one text-match", e.Name.Local)
		}
		tm, err := parseTextMatch(c, textmatch.ASCIICasemap, left)
		if err != nil {
			return nil, err
		}
		found = &tm
	}
	return found, nil
}

// ParseFreeBusyQuery reads CALDAV:free-busy-query (section 9.11).
func ParseFreeBusyQuery(root *Element, _ Limits) (TimeRange, error) {
	if err := wantRoot(root, CFreeBusyQuery); err != nil {
		return TimeRange{}, err
	}
	tr, err := parseRange(root)
	switch {
	case err != nil:
		return TimeRange{}, err
	case tr == nil || tr.Start == "" || tr.End == "":
		return TimeRange{}, root.Errorf("CALDAV:free-busy-query needs a CALDAV:time-range with a start and an end")
	}
	return *tr, nil
}
