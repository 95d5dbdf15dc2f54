package dav

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"holdfast"
	"holdfast/internal/davxml"
)

// self is the target of the principal who asks.
func (q *Query) self() *Target {
	return &Target{Where: AtPrincipal, Href: PrincipalHref(q.Principal.Account), Account: q.Reader.Owner()}
}

// abovePrincipals tells whether a search that starts here finds principals.
func abovePrincipals(t *Target) bool { return t.Where&(AtRoot|AtPrincipals|AtPrincipal) != 0 }

// servePrincipalMatch answers RFC 3744 section 9.3: which of the resources here are the one who asks, or name them in a property.
func servePrincipalMatch(q *Query) error {
	pm, err := davxml.ParsePrincipalMatch(q.Body, q.Limits)
	if err != nil {
		return err
	}
	ask := q.Ask(pm.Props)
	if pm.Self {
		if abovePrincipals(q.Target) {
			return ask.Respond(q.self())
		}
		return nil
	}
	answer := func(t *Target) error {
		if ok, err := q.names(t, pm.Property); err != nil || !ok {
			return err
		}
		return ask.Respond(t)
	}
	switch q.Target.Where {
	case AtRoot, AtPrincipals, AtPrincipal:
		return answer(q.self())
	case AtHome:
		all, err := q.Reader.Collections()
		for i := range all {
			if c := &all[i]; err == nil && c.Parent == q.Target.Collection.ID {
				err = answer(&Target{Where: AtCollection, Href: q.Target.Href + encodeSegment(c.Name) + "/", Account: q.Target.Account, Collection: c})
			}
		}
		return err
	case AtCollection:
		return q.Reader.List(q.Target.Collection.ID, "", 0, ask.Needs(q.Target.Collection.Type), func(r *holdfast.Resource) error { return answer(q.Member(r)) })
	}
	return nil
}

// names tells whether a live property of a target holds the href of who asks.
func (q *Query) names(t *Target, n davxml.Name) (bool, error) {
	p := q.h.tableFor(placeOf(t)).props[n]
	if p == nil || p.Has != nil && !p.Has(q, t) || p.Needs != 0 {
		return false, nil
	}
	hrefs, err := q.hrefsIn(t, p)
	return slices.Contains(hrefs, PrincipalHref(q.Principal.Account)), err
}

// servePrincipalSearch answers RFC 3744 section 9.4. It searches those who share something with the one who asks: by now, themselves. Nobody can find out
// who else has an account.
func servePrincipalSearch(q *Query) error {
	if q.Depth != davxml.DepthZero {
		return Refuse(http.StatusBadRequest, davxml.Name{}, "a principal-property-search has Depth 0")
	}
	ps, err := davxml.ParsePrincipalSearch(q.Body, q.Limits)
	if err != nil || !ps.ToCollectionSet && !abovePrincipals(q.Target) {
		return err
	}
	t, found := q.self(), !ps.AnyOf
	for _, s := range ps.Searches {
		ok, err := q.matches(t, s)
		if err != nil {
			return err
		}
		if ok == ps.AnyOf {
			found = ps.AnyOf
			break
		}
	}
	if !found {
		return nil
	}
	return q.Ask(ps.Props).Respond(t)
}

// matches tells whether a text occurs in each of the properties that a search names.
func (q *Query) matches(t *Target, s davxml.PropertySearch) (bool, error) {
	props := q.h.tableFor(placeOf(t)).props
	want := strings.ToLower(strings.TrimSpace(s.Match))
	for _, n := range s.Props {
		p := props[n]
		if p == nil || p.Has != nil && !p.Has(q, t) {
			return false, nil
		}
		root, err := q.value(t, p)
		if err != nil {
			return false, err
		}
		if !slices.ContainsFunc(texts(root, nil), func(have string) bool { return compareText(strings.ToLower(have), want, s.Type) }) {
			return false, nil
		}
	}
	return true, nil
}

func compareText(have, want string, t davxml.MatchType) bool {
	switch t {
	case davxml.Equals:
		return have == want
	case davxml.StartsWith:
		return strings.HasPrefix(have, want)
	case davxml.EndsWith:
		return strings.HasSuffix(have, want)
	}
	return strings.Contains(have, want)
}

// texts gives the texts in an element, at any depth.
func texts(e *davxml.Element, out []string) []string {
	if t := e.TrimText(); t != "" {
		out = append(out, t)
	}
	for _, c := range e.Children {
		out = texts(c, out)
	}
	return out
}

// serveACLPrincipals answers RFC 3744 section 9.2: properties of the principals that DAV:acl names.
func serveACLPrincipals(q *Query) error {
	set, err := davxml.ParseACLPrincipalPropSet(q.Body, q.Limits)
	if err != nil {
		return err
	}
	if q.Target.Where&InTree == 0 {
		return nil // there DAV:acl names nobody in particular
	}
	return q.Ask(set).Respond(&Target{Where: AtPrincipal, Href: PrincipalHref(q.Target.Account.ID), Account: q.Target.Account})
}

// searchProperties answers RFC 3744 section 9.5: what a principal-property-search can look into.
func (q *request) searchProperties(root *davxml.Element) error {
	if err := davxml.ParsePrincipalSearchPropertySet(root); err != nil {
		return err
	}
	w := davxml.NewWriter(nil)
	w.Document()
	w.Start(davxml.DPrincipalSearchPropertySet)
	for _, p := range []struct {
		name  davxml.Name
		about string
	}{{davxml.DDisplayName, "name"}, {davxml.CSEmailAddressSet, "e-mail address"}} {
		w.Start(davxml.DPrincipalSearchProperty)
		w.Start(davxml.DProp)
		w.Empty(p.name)
		w.End()
		w.Element(davxml.DDescription, p.about, davxml.Attr{Name: davxml.Name{Space: davxml.NSXML, Local: "lang"}, Value: "en"})
		w.End()
	}
	w.End()
	if err := w.Flush(); err != nil {
		return err
	}
	h := q.w.Header()
	h.Set("Content-Type", "application/xml; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(w.Bytes())))
	q.w.WriteHeader(http.StatusOK)
	q.w.Write(w.Bytes())
	return nil
}
