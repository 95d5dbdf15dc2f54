package dav

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/davxml"
)

// self is the target of the principal who asks.
func (q *Query) self() *Target { return principalTarget(q.Reader.Owner()) }

func principalTarget(a holdfast.Account) *Target {
	return &Target{Where: AtPrincipal, Href: PrincipalHref(a.ID), Account: a}
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
		all, err := q.Reader.Below(q.Target.Collection)
		for i := range all {
			if err != nil || all[i].Parent != q.Target.Collection.ID {
				continue
			}
			var t *Target
			if t, err = q.childOf(q.Target, &all[i]); err == nil {
				err = answer(t)
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
	if p == nil || !q.has(p, t) || p.Needs != 0 {
		return false, nil
	}
	hrefs, err := q.hrefsIn(t, p)
	return slices.Contains(hrefs, PrincipalHref(q.Principal.Account)), err
}

// servePrincipalSearch answers RFC 3744 section 9.4. It searches the one who asks, and those with whom they share something, in either direction. Nobody can find out
// who else has an account.
func servePrincipalSearch(q *Query) error {
	if q.Depth != davxml.DepthZero {
		return Refuse(http.StatusBadRequest, davxml.Name{}, "a principal-property-search has Depth 0")
	}
	ps, err := davxml.ParsePrincipalSearch(q.Body, q.Limits)
	if err != nil || !ps.ToCollectionSet && !abovePrincipals(q.Target) {
		return err
	}
	others, err := q.Reader.Related()
	if err != nil {
		return err
	}
	ask, n := q.Ask(ps.Props), 0
	for _, a := range append([]holdfast.Account{q.Reader.Owner()}, others...) {
		t := principalTarget(a)
		found, err := q.found(t, ps)
		if err == nil && found && (ps.Limit <= 0 || n < ps.Limit) {
			n++
			err = ask.Respond(t)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// found tells whether a principal matches a search.
func (q *Query) found(t *Target, ps davxml.PrincipalSearch) (bool, error) {
	if err := q.alive(); err != nil {
		return false, err
	}
	for _, s := range ps.Searches {
		if ok, err := q.matches(t, s); err != nil || ok == ps.AnyOf {
			return ok, err
		}
	}
	return !ps.AnyOf, nil
}

// matches tells whether a text occurs in each of the properties that a search names.
func (q *Query) matches(t *Target, s davxml.PropertySearch) (bool, error) {
	props := q.h.tableFor(placeOf(t)).props
	want := strings.ToLower(strings.TrimSpace(s.Match))
	for _, n := range s.Props {
		p := props[n]
		if p == nil || !q.has(p, t) {
			return false, nil
		}
		root, err := q.value(t, p)
		if err != nil {
			return false, err
		}
		if !slices.ContainsFunc(texts(root, nil), func(have string) bool { return s.Type.Compare(strings.ToLower(have), want) }) {
			return false, nil
		}
	}
	return true, nil
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
	t := q.Target
	switch {
	case t.Where&InTree == 0:
		return nil // there DAV:acl names nobody in particular
	case q.access(t) != core.Owns:
		return &Refusal{Status: http.StatusForbidden, Conds: []davxml.Condition{davxml.NeedPrivilege(t.Href, davxml.DReadACL)},
			Text: "who else this is shared with is its owner's to know"}
	}
	ask := q.Ask(set)
	err = ask.Respond(principalTarget(t.Account))
	for _, x := range q.guests(t) {
		a, e := q.Reader.Principal(x.Guest)
		if err == nil && e == nil {
			err = ask.Respond(principalTarget(a))
		}
		if e != nil && !nowhere(e) {
			return e
		}
	}
	return err
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
