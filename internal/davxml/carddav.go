package davxml

import "holdfast/internal/textmatch"

// AddressData says in which form, and with which properties, a client wants its cards (RFC 6352, section 10.4).
type AddressData struct {
	ContentType string // "" where the client does not say; the RFC's default is text/vcard
	Version     string // "" where the client does not say; the RFC's default is 3.0
	Props       []AddressProp
}

// AddressProp is a vCard property that is to be in the answer. An empty AddressData.Props asks for all.
type AddressProp struct {
	Name    string
	NoValue bool // the name and the parameters only
}

// AddressData gives how the set asks for CARDDAV:address-data, nil where it does not.
func (p PropSet) AddressData(lim Limits) (*AddressData, error) {
	e := p.Element(CRAddressData)
	if e == nil {
		return nil, nil
	}
	lim = lim.orDefault()
	ad := &AddressData{}
	ad.ContentType, _ = e.Attr("", "content-type")
	ad.Version, _ = e.Attr("", "version")
	for c := range e.All(CRProp) {
		name, _ := c.Attr("", "name")
		if name == "" {
			return nil, c.Errorf("CARDDAV:prop has no name")
		}
		noValue, _ := c.Attr("", "novalue")
		if ad.Props = append(ad.Props, AddressProp{name, noValue == "yes"}); len(ad.Props) > lim.Props {
			return nil, c.refuse(TooLarge, "more than %d properties are named", lim.Props)
		}
	}
	if e.Child(CRAllProp) != nil {
		ad.Props = nil
	}
	return ad, nil
}

// Multiget is a CARDDAV:addressbook-multiget report (RFC 6352, section 8.7).
type Multiget struct {
	Props PropSet
	Data  *AddressData // nil where address-data is not asked for
	Hrefs []string     // as the client wrote them, in order, repetitions too
}

// ParseAddressbookMultiget reads CARDDAV:addressbook-multiget. No hrefs at all is an empty question, not an error.
func ParseAddressbookMultiget(root *Element, lim Limits) (Multiget, error) {
	if err := wantRoot(root, CRAddressbookMultiget); err != nil {
		return Multiget{}, err
	}
	lim = lim.orDefault()
	var m Multiget
	var err error
	if m.Props, err = parsePropSet(root, lim); err != nil {
		return m, err
	}
	if m.Data, err = m.Props.AddressData(lim); err != nil {
		return m, err
	}
	m.Hrefs, err = hrefs(root, lim)
	return m, err
}

func hrefs(root *Element, lim Limits) ([]string, error) {
	var list []string
	for c := range root.All(DHref) {
		href := c.TrimText()
		if href == "" {
			return nil, c.Errorf("a DAV:href is empty")
		}
		if list = append(list, href); len(list) > lim.Hrefs {
			return nil, c.refuse(TooLarge, "more than %d hrefs are asked for", lim.Hrefs)
		}
	}
	return list, nil
}

// AddressbookQuery is a CARDDAV:addressbook-query report (RFC 6352, section 8.6).
type AddressbookQuery struct {
	Props  PropSet
	Data   *AddressData // nil where address-data is not asked for
	Filter Filter
	Limit  int // 0 for no limit
}

// Filter chooses cards (RFC 6352, section 10.5). Without Props it chooses all.
type Filter struct {
	AllOf bool // all of Props must hold; otherwise one is enough
	Props []PropFilter
}

// PropFilter chooses cards by one property (section 10.5.1). With neither Texts nor Params it asks that the property
// is there.
type PropFilter struct {
	Name         string // as the client wrote it; letter case does not count
	AllOf        bool   // all of Texts and Params must hold; otherwise one is enough
	IsNotDefined bool   // the property must be absent; then Texts and Params are empty
	Texts        []textmatch.TextMatch
	Params       []ParamFilter
}

// ParamFilter chooses by one parameter of the property (section 10.5.2). Without Text it asks that it is there.
type ParamFilter struct {
	Name         string
	IsNotDefined bool
	Text         *textmatch.TextMatch
}

// ParseAddressbookQuery reads CARDDAV:addressbook-query. A query without a filter chooses all, as an empty filter does.
func ParseAddressbookQuery(root *Element, lim Limits) (AddressbookQuery, error) {
	if err := wantRoot(root, CRAddressbookQuery); err != nil {
		return AddressbookQuery{}, err
	}
	lim = lim.orDefault()
	var q AddressbookQuery
	var err error
	if q.Props, err = parsePropSet(root, lim); err != nil {
		return q, err
	}
	if q.Data, err = q.Props.AddressData(lim); err != nil {
		return q, err
	}
	if q.Limit, err = parseLimit(root, CRLimit, CRNResults); err != nil {
		return q, err
	}
	if filter := root.Child(CRFilter); filter != nil {
		left := lim.Conditions
		q.Filter, err = parseFilter(filter, &left)
	}
	return q, err
}

// spend counts one condition.
func spend(e *Element, left *int) error {
	if *left--; *left < 0 {
		return e.refuse(TooLarge, "the filter has too many conditions")
	}
	return nil
}

func parseTest(e *Element) (allOf bool, err error) {
	switch test, _ := e.Attr("", "test"); test {
	case "", "anyof":
		return false, nil
	case "allof":
		return true, nil
	default:
		return false, e.Errorf("the test %q is neither anyof nor allof", short(test))
	}
}

func parseFilter(e *Element, left *int) (Filter, error) {
	var f Filter
	var err error
	if f.AllOf, err = parseTest(e); err != nil {
		return f, err
	}
	for c := range e.All(CRPropFilter) {
		pf, err := parsePropFilter(c, left)
		if err != nil {
			return f, err
		}
		f.Props = append(f.Props, pf)
	}
	return f, nil
}

func parsePropFilter(e *Element, left *int) (PropFilter, error) {
	var pf PropFilter
	if err := spend(e, left); err != nil {
		return pf, err
	}
	var err error
	if pf.AllOf, err = parseTest(e); err != nil {
		return pf, err
	}
	if pf.Name, _ = e.Attr("", "name"); pf.Name == "" {
		return pf, e.Errorf("CARDDAV:prop-filter has no name")
	}
	pf.IsNotDefined = e.Child(CRIsNotDefined) != nil
	for c := range e.All(CRTextMatch) {
		tm, err := parseTextMatch(c, textmatch.UnicodeCasemap, left)
		if err != nil {
			return pf, err
		}
		pf.Texts = append(pf.Texts, tm)
	}
	for c := range e.All(CRParamFilter) {
		f, err := parseParamFilter(c, left)
		if err != nil {
			return pf, err
		}
		pf.Params = append(pf.Params, f)
	}
	if pf.IsNotDefined && len(pf.Texts)+len(pf.Params) > 0 {
		return pf, e.Errorf("CARDDAV:prop-filter holds is-not-defined and other conditions")
	}
	return pf, nil
}

func parseParamFilter(e *Element, left *int) (ParamFilter, error) {
	var f ParamFilter
	if err := spend(e, left); err != nil {
		return f, err
	}
	if f.Name, _ = e.Attr("", "name"); f.Name == "" {
		return f, e.Errorf("CARDDAV:param-filter has no name")
	}
	f.IsNotDefined = e.Child(CRIsNotDefined) != nil
	for c := range e.All(CRTextMatch) {
		if f.Text != nil || f.IsNotDefined {
			return f, c.Errorf("CARDDAV:param-filter holds more than one condition")
		}
		tm, err := parseTextMatch(c, textmatch.UnicodeCasemap, left)
		if err != nil {
			return f, err
		}
		f.Text = &tm
	}
	return f, nil
}

// parseTextMatch reads a text-match of either RFC; otherwise is the collation of one that names none.
func parseTextMatch(e *Element, otherwise textmatch.Collation, left *int) (textmatch.TextMatch, error) {
	tm := textmatch.TextMatch{Text: e.Text, Collation: otherwise}
	if err := spend(e, left); err != nil {
		return tm, err
	}
	if c, _ := e.Attr("", "collation"); c != "" {
		tm.Collation = textmatch.Collation(c)
	}
	switch negate, _ := e.Attr("", "negate-condition"); negate {
	case "", "no":
	case "yes":
		tm.Negate = true
	default:
		return tm, e.Errorf("the negate-condition %q is neither yes nor no", short(negate))
	}
	var err error
	tm.Match, err = parseMatchType(e)
	return tm, err
}
