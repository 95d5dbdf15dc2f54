package davxml

import (
	"strconv"

	"holdfast/internal/textmatch"
)

// A REPORT says by its root which report it is: switch on Element.Name. The functions below read the ones that need
// nothing but WebDAV.

// SyncCollection is a DAV:sync-collection report (RFC 6578, section 6.1).
type SyncCollection struct {
	Token string    // as the client got it; "" for the first synchronisation
	Level SyncLevel // LevelUnsaid: take it from the Depth header, as drafts of the RFC did
	Limit int       // DAV:limit: the most responses that the client wants; 0 for no limit
	Props PropSet
}

// SyncLevel says how deep a synchronisation goes.
type SyncLevel uint8

const (
	LevelUnsaid SyncLevel = iota
	LevelOne
	LevelInfinite
)

// ParseSyncCollection reads DAV:sync-collection.
func ParseSyncCollection(root *Element, lim Limits) (SyncCollection, error) {
	var sc SyncCollection
	if err := wantRoot(root, DSyncCollection); err != nil {
		return sc, err
	}
	token := root.Child(DSyncToken)
	if token == nil {
		return sc, root.Errorf("DAV:sync-collection holds no DAV:sync-token; an empty one begins a synchronisation")
	}
	sc.Token = token.TrimText()
	if level := root.Child(DSyncLevel); level != nil {
		switch level.TrimText() {
		case "1":
			sc.Level = LevelOne
		case "infinite", "infinity":
			sc.Level = LevelInfinite
		default:
			return sc, level.Errorf("DAV:sync-level is neither 1 nor infinite")
		}
	}
	var err error
	if sc.Limit, err = parseLimit(root, DLimit, DNResults); err != nil {
		return sc, err
	}
	sc.Props, err = parsePropSet(root, lim.orDefault())
	return sc, err
}

// parseLimit reads limit/nresults (RFC 5323, section 5.17). It gives 0 where there is none.
func parseLimit(root *Element, limit, nresults Name) (int, error) {
	l := root.Child(limit)
	if l == nil {
		return 0, nil
	}
	n := l.Child(nresults)
	if n == nil {
		return 0, l.Errorf("a limit holds no nresults")
	}
	v, err := strconv.ParseUint(n.TrimText(), 10, 31)
	if err != nil || v == 0 {
		return 0, n.Errorf("nresults is %q, not a number between 1 and 2147483647", short(n.TrimText()))
	}
	return int(v), nil
}

// Expand is one property of a DAV:expand-property report, with those that are wanted of the resources that the
// property's hrefs name (RFC 3253, section 3.8).
type Expand struct {
	Name   Name
	Expand []Expand
}

// ParseExpandProperty reads DAV:expand-property. Depth is bounded by Limits.Depth, the number of all properties
// together by Limits.Props.
func ParseExpandProperty(root *Element, lim Limits) ([]Expand, error) {
	if err := wantRoot(root, DExpandProperty); err != nil {
		return nil, err
	}
	left := lim.orDefault().Props
	return parseExpand(root, &left)
}

func parseExpand(e *Element, left *int) ([]Expand, error) {
	var list []Expand
	for c := range e.All(DProperty) {
		if *left--; *left < 0 {
			return nil, c.refuse(TooLarge, "too many properties are to be expanded")
		}
		name, _ := c.Attr("", "name")
		if !isNCName(name) {
			return nil, c.Errorf("DAV:property names no property")
		}
		space, ok := c.Attr("", "namespace")
		if !ok {
			space = NSDAV
		}
		inner, err := parseExpand(c, left)
		if err != nil {
			return nil, err
		}
		list = append(list, Expand{canonical(Name{space, name}), inner})
	}
	return list, nil
}

// PrincipalSearch is a DAV:principal-property-search report (RFC 3744, section 9.4).
type PrincipalSearch struct {
	AnyOf           bool // Apple's attribute test="anyof": one search is enough; the RFC wants all
	Searches        []PropertySearch
	Props           PropSet
	ToCollectionSet bool // search below all of DAV:principal-collection-set, not below the request's resource
	Limit           int  // Apple's nresults; 0 for no limit
}

// PropertySearch is one search: the text must occur in each of the properties.
type PropertySearch struct {
	Props []Name
	Match string
	Type  textmatch.Type // Apple's attribute match-type; contains where it is not said. Letter case does not count.
}

func parseMatchType(e *Element) (textmatch.Type, error) {
	switch s, _ := e.Attr("", "match-type"); s {
	case "", "contains":
		return textmatch.Contains, nil
	case "equals":
		return textmatch.Equals, nil
	case "starts-with":
		return textmatch.StartsWith, nil
	case "ends-with":
		return textmatch.EndsWith, nil
	default:
		return 0, e.Errorf("the match-type %q is none of equals, contains, starts-with and ends-with", short(s))
	}
}

// ParsePrincipalSearch reads DAV:principal-property-search.
func ParsePrincipalSearch(root *Element, lim Limits) (PrincipalSearch, error) {
	lim = lim.orDefault()
	var ps PrincipalSearch
	if err := wantRoot(root, DPrincipalPropertySearch); err != nil {
		return ps, err
	}
	test, _ := root.Attr("", "test")
	ps.AnyOf = test == "anyof"
	ps.ToCollectionSet = root.Child(DApplyToPrincipalCollectionSet) != nil
	for c := range root.All(DPropertySearch) {
		s, err := parsePropertySearch(c, lim)
		if err != nil {
			return ps, err
		}
		if ps.Searches = append(ps.Searches, s); len(ps.Searches) > lim.Conditions {
			return ps, c.refuse(TooLarge, "the search has more than %d conditions", lim.Conditions)
		}
	}
	if len(ps.Searches) == 0 {
		return ps, root.Errorf("DAV:principal-property-search holds no DAV:property-search")
	}
	var err error
	if ps.Limit, err = parseLimit(root, DLimit, DNResults); err != nil {
		return ps, err
	}
	ps.Props, err = parsePropSet(root, lim)
	return ps, err
}

func parsePropertySearch(e *Element, lim Limits) (PropertySearch, error) {
	var s PropertySearch
	prop, match := e.Child(DProp), e.Child(DMatch)
	if prop == nil || match == nil || len(prop.Children) == 0 {
		return s, e.Errorf("DAV:property-search needs a DAV:prop that names a property, and a DAV:match")
	}
	var err error
	if s.Props, _, err = propNames(prop, lim); err != nil {
		return s, err
	}
	s.Match = match.Text
	s.Type, err = parseMatchType(match)
	return s, err
}

// PrincipalMatch is a DAV:principal-match report (RFC 3744, section 9.3).
type PrincipalMatch struct {
	Self     bool // DAV:self: the principals that the user is, or is a member of
	Property Name // otherwise: the resources where this property names the user
	Props    PropSet
}

// ParsePrincipalMatch reads DAV:principal-match.
func ParsePrincipalMatch(root *Element, lim Limits) (PrincipalMatch, error) {
	var pm PrincipalMatch
	if err := wantRoot(root, DPrincipalMatch); err != nil {
		return pm, err
	}
	pm.Self = root.Child(DSelf) != nil
	property := root.Child(DPrincipalProperty)
	if pm.Self == (property != nil) {
		return pm, root.Errorf("DAV:principal-match needs either DAV:self or DAV:principal-property")
	}
	if property != nil {
		if len(property.Children) != 1 {
			return pm, property.Errorf("DAV:principal-property must name one property")
		}
		pm.Property = property.Children[0].Name
	}
	var err error
	pm.Props, err = parsePropSet(root, lim.orDefault())
	return pm, err
}

// ParsePrincipalSearchPropertySet reads DAV:principal-search-property-set, which asks nothing else
// (RFC 3744, section 9.5).
func ParsePrincipalSearchPropertySet(root *Element) error {
	return wantRoot(root, DPrincipalSearchPropertySet)
}

// ParseACLPrincipalPropSet reads DAV:acl-principal-prop-set: the properties that are wanted of each principal in the
// resource's DAV:acl (RFC 3744, section 9.2).
func ParseACLPrincipalPropSet(root *Element, lim Limits) (PropSet, error) {
	if err := wantRoot(root, DACLPrincipalPropSet); err != nil {
		return PropSet{}, err
	}
	return parsePropSet(root, lim.orDefault())
}
