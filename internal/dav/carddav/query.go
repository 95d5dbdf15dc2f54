package carddav

import (
	"errors"
	"net/http"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/dav"
	"holdfast/internal/davxml"
	"holdfast/internal/textmatch"
	"holdfast/internal/vcard"
)

// query answers CARDDAV:addressbook-query (section 8.6). Whatever the Depth, an address book is asked for its members: nothing else in it could match, and a
// client that forgot the header must not be told that its book is empty.
func (o Options) query(q *dav.Query) error {
	ask, err := davxml.ParseAddressbookQuery(q.Body, q.Limits)
	if err != nil {
		return err
	}
	f, err := o.formOf(ask.Data, q.Header)
	if err != nil {
		return err
	}
	filter, err := translate(&ask.Filter)
	if err != nil {
		return err
	}
	matcher, err := filter.Compile()
	var unknown *textmatch.CollationError
	if errors.As(err, &unknown) {
		return refuse("Query", ruleCollation, unknown.Error())
	}
	if err != nil {
		return refuse("Query", ruleFilter, err.Error())
	}
	q.Data = f
	s := search{q: q, form: f, ask: q.Ask(ask.Props), matcher: matcher, all: len(filter.Props) == 0, limit: ask.Limit}
	s.needs = s.ask.Needs(holdfast.TypeAddressbook)
	if !s.all {
		s.needs |= core.WithBody
	}
	return s.run()
}

// search is a query under way.
type search struct {
	q       *dav.Query
	form    *form
	ask     *dav.Ask
	matcher *vcard.Matcher
	all     bool // nothing is filtered
	limit   int
	needs   core.Fields
	found   int
	seen    int
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
	err := s.q.Reader.List(t.Collection.ID, "", 0, s.needs, s.see)
	if errors.Is(err, errEnough) {
		// Section 8.6.1: the rest exists, and the answer says so at the request's own href.
		s.q.Status(t.Href, http.StatusInsufficientStorage, davxml.Condition{Name: davxml.DNumberOfMatchesWithinLimits})
		return nil
	}
	if err == nil && s.all {
		s.q.Reader.SawListing(t.Collection)
	}
	return err
}

// see answers for one card if it matches.
func (s *search) see(r *holdfast.Resource) error {
	if err := s.alive(); err != nil {
		return err
	}
	if !s.all && r.State != holdfast.Ghost { // whether that would match nobody knows, and who has it is not to drop it
		if err := dav.Present(r); err != nil {
			return err
		}
		if !s.matches(r) {
			return nil
		}
	}
	if s.found++; s.limit > 0 && s.found > s.limit {
		return errEnough
	}
	return s.form.respond(s.q, s.ask, s.q.Found(r))
}

// alive ends a search that nobody waits for, or that takes too long: the ground looks only when something is answered, and most cards match nothing.
func (s *search) alive() error {
	if s.seen++; s.seen%64 != 0 {
		return nil
	}
	return s.q.Overdue()
}

func (s *search) matches(r *holdfast.Resource) bool {
	card, err := vcard.Parse(r.Body, vcard.Limits{Octets: len(r.Body), LineOctets: len(r.Body)})
	return err == nil && s.matcher.Match(card)
}

// translate gives the filter of a request as vcard reads it. The error names supported-filter: a name that no vCard can hold is a question that cannot be
// meant.
func translate(in *davxml.Filter) (*vcard.Filter, error) {
	out := &vcard.Filter{Test: test(in.AllOf)}
	for i := range in.Props {
		p := &in.Props[i]
		if !isName(p.Name, true) {
			return nil, refuse("Query", ruleFilter, "a prop-filter names a property that no vCard can have")
		}
		pf := vcard.PropFilter{Name: p.Name, Test: test(p.AllOf), NotDefined: p.IsNotDefined, Texts: p.Texts}
		for _, param := range p.Params {
			if !isName(param.Name, false) {
				return nil, refuse("Query", ruleFilter, "a param-filter names a parameter that no vCard can have")
			}
			pf.Params = append(pf.Params, vcard.ParamFilter{Name: param.Name, NotDefined: param.IsNotDefined, Text: param.Text})
		}
		out.Props = append(out.Props, pf)
	}
	return out, nil
}

func test(allOf bool) vcard.Test {
	if allOf {
		return vcard.AllOf
	}
	return vcard.AnyOf
}

// isName tells whether s can name a property, perhaps with a group, or a parameter (RFC 6350 section 3.3, and the underscore that some programs use).
func isName(s string, group bool) bool {
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_':
		case c == '.' && group && i > 0 && i < len(s)-1:
		default:
			return false
		}
	}
	return s != ""
}
