package caldav

import (
	"errors"
	"net/http"
	"slices"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/dav"
	"holdfast/internal/davxml"
	"holdfast/internal/ical"
	"holdfast/internal/ical/filter"
	"holdfast/internal/ical/occur"
	"holdfast/internal/ical/zone"
	"holdfast/internal/textmatch"
)

// query answers CALDAV:calendar-query (section 7.8). Whatever the Depth, a calendar is asked for its members: nothing else in it could match, and a client that
// forgot the header must not be told that its calendar is empty.
func (o Options) query(q *dav.Query) error {
	ask, err := davxml.ParseCalendarQuery(q.Body, q.Limits)
	if err != nil {
		return err
	}
	matcher, err := matcherOf(ask.Filter, q.Limits)
	if err != nil {
		return err
	}
	in, err := o.floating(ask.Timezone, ask.TimezoneID, q.Target.Collection)
	if err != nil {
		return err
	}
	f, err := o.formOf(ask.Data, in, q)
	if err != nil {
		return err
	}
	q.Data = f
	s := &search{o: o, q: q, form: f, ask: q.Ask(ask.Props), floating: in, limit: ask.Limit}
	s.aim(matcher)
	return s.run()
}

// search is a query under way.
type search struct {
	o        Options
	q        *dav.Query
	form     *form
	ask      *dav.Ask
	floating zone.Zone
	matcher  *filter.Matcher
	kinds    []holdfast.Kind // that can match; nil: all
	span     span            // that every match overlaps, if ranged
	ranged   bool
	certain  bool // nothing but kinds and the range is asked
	limit    int
	needs    core.Fields
	found    int
	seen     int
}

// aim finds out what the index can decide.
func (s *search) aim(m *filter.Matcher) {
	s.matcher, s.certain, s.kinds = m, m.Certain(), kindsOf(m)
	s.span.from, s.span.to, s.ranged = m.Range()
	if s.needs = s.ask.Needs(holdfast.TypeCalendar); !s.certain {
		s.needs |= core.WithBody
	}
}

// kindsOf are those that can match; nil: all.
func kindsOf(m *filter.Matcher) []holdfast.Kind {
	names := m.Kinds()
	if names == nil {
		return nil
	}
	out := make([]holdfast.Kind, len(names)) // of none, nothing matches
	for i, k := range names {
		out[i] = kindOf(k)
	}
	return out
}

func (s *search) run() error {
	t := s.q.Target
	if t.Where == dav.AtMember {
		r, err := s.q.Reader.Resource(t.Collection.ID, t.Resource.Name, s.needs)
		if err == nil {
			err = s.see(&r)
		}
		return err
	}
	var err error
	if s.ranged {
		err = s.q.Reader.Between(t.Collection.ID, s.span.from, s.span.to, s.needs, s.see)
	} else {
		err = s.q.Reader.List(t.Collection.ID, "", 0, s.needs, s.see)
	}
	if errors.Is(err, errEnough) {
		// The rest exists, and the answer says so at the request's own href.
		s.q.Status(t.Href, http.StatusInsufficientStorage, davxml.Condition{Name: davxml.DNumberOfMatchesWithinLimits})
		return nil
	}
	if err == nil && s.whole() {
		s.q.Reader.SawListing(t.Collection)
	}
	return err
}

// errEnough ends a listing early.
var errEnough = errors.New("caldav: enough was found")

// whole tells whether everything was asked for that the calendar holds.
func (s *search) whole() bool {
	if !s.certain || s.ranged {
		return false
	}
	return s.kinds == nil || !slices.ContainsFunc(componentsOf(s.q.Target.Collection), func(c string) bool { return !slices.Contains(s.kinds, kindOf(c)) })
}

// see answers for one object if it matches.
func (s *search) see(r *holdfast.Resource) error {
	if err := s.alive(); err != nil {
		return err
	}
	ok, err := s.matches(r)
	if err != nil || !ok {
		return err
	}
	if s.found++; s.limit > 0 && s.found > s.limit {
		return errEnough
	}
	return s.form.respond(s.q, s.ask, s.q.Found(r))
}

// alive ends a search that nobody waits for, or that takes too long: the ground looks only when something is answered, and most objects match nothing.
func (s *search) alive() error {
	if s.seen++; s.seen%16 != 0 {
		return nil
	}
	return s.q.Overdue()
}

// matches decides by the index where that is enough, else by the octets.
func (s *search) matches(r *holdfast.Resource) (bool, error) {
	if s.kinds != nil && !slices.Contains(s.kinds, r.Kind) {
		return false, nil
	}
	if s.certain && !s.ranged || r.State == holdfast.Ghost { // when that takes place nobody knows, and who has it is not to drop it
		return true, nil
	}
	if s.ranged {
		switch v := occur.Covers(occur.Times(r.Times), s.span.from, s.span.to); {
		case v == occur.No:
			return false, nil
		case v == occur.Yes && s.certain:
			return true, nil
		}
	}
	if s.form.patience.over() {
		return true, nil
	}
	x := r
	if r.Body == nil && r.Size > 0 && s.needs&core.WithBody == 0 {
		read, err := s.q.Reader.Resource(r.Collection, r.Name, core.WithBody)
		if err != nil {
			return false, err
		}
		x = &read
	}
	if err := dav.Present(x); err != nil {
		return false, err
	}
	return s.fits(x.Body), nil
}

// fits looks into an object. What cannot be read, or costs too much, fits: see the package's comment.
func (s *search) fits(body []byte) bool {
	cal, err := ical.Parse(body, limitsFor(int64(len(body))))
	if err != nil {
		return true
	}
	budget := s.form.patience.object()
	object, err := occur.Compile(cal, occur.Options{Floating: s.floating, Zones: s.o.Zones, Budget: budget})
	if err != nil {
		return true
	}
	ok, err := s.matcher.Match(object, budget)
	return ok || err != nil || budget.Exhausted()
}

// matcherOf makes a filter ready; nil asks for everything. The error names valid-filter, supported-filter or supported-collation.
func matcherOf(e *davxml.Element, lim davxml.Limits) (*filter.Matcher, error) {
	in := davxml.CompFilter{Name: "VCALENDAR"}
	if e != nil {
		var err error
		if in, err = davxml.ParseCalendarFilter(e, lim); err != nil {
			return nil, badFilter(err)
		}
	}
	f, err := translate(&in)
	if err != nil {
		return nil, err
	}
	m, err := f.Compile()
	var collation *textmatch.CollationError
	var bad *filter.Error
	switch {
	case errors.As(err, &collation):
		return nil, refuse("Query", ruleCollation, collation.Error())
	case errors.As(err, &bad) && bad.Supported:
		return nil, refuse("Query", ruleFilter, bad.Why)
	case err != nil:
		return nil, refuse("Query", ruleValidFilter, err.Error())
	}
	return m, nil
}

// badFilter names the precondition of a filter that does not hold together; one that is too large stays that.
func badFilter(err error) error {
	var x *davxml.Error
	if errors.As(err, &x) && x.Kind == davxml.Malformed {
		return refuse("Query", ruleValidFilter, x.Error())
	}
	return err
}

// translate gives the filter of a request as package filter reads it. The error names the precondition.
func translate(in *davxml.CompFilter) (*filter.Filter, error) {
	c, err := compFilter(in)
	return &filter.Filter{Calendar: c}, err
}

func compFilter(in *davxml.CompFilter) (filter.CompFilter, error) {
	out := filter.CompFilter{Name: in.Name, Test: test(in.AnyOf), NotDefined: in.IsNotDefined}
	var err error
	if out.Range, err = timeRange(in.Range); err != nil {
		return out, err
	}
	for i := range in.Props {
		p, err := propFilter(&in.Props[i])
		if err != nil {
			return out, err
		}
		out.Props = append(out.Props, p)
	}
	for i := range in.Comps {
		c, err := compFilter(&in.Comps[i])
		if err != nil {
			return out, err
		}
		out.Comps = append(out.Comps, c)
	}
	return out, nil
}

func propFilter(in *davxml.CalPropFilter) (filter.PropFilter, error) {
	out := filter.PropFilter{Name: in.Name, Test: test(in.AnyOf), NotDefined: in.IsNotDefined, Text: in.Text}
	var err error
	out.Range, err = timeRange(in.Range)
	for i := range in.Params {
		p := &in.Params[i]
		out.Params = append(out.Params, filter.ParamFilter{Name: p.Name, NotDefined: p.IsNotDefined, Text: p.Text})
	}
	return out, err
}

func test(anyOf bool) filter.Test {
	if anyOf {
		return filter.AnyOf
	}
	return filter.AllOf
}

func timeRange(in *davxml.TimeRange) (*filter.TimeRange, error) {
	if in == nil {
		return nil, nil
	}
	s, err := spanOf(in)
	return &filter.TimeRange{From: s.from, To: s.to}, err
}
