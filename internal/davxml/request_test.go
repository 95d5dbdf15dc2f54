package davxml

import (
	"fmt"
	"strings"
	"testing"

	"holdfast/internal/textmatch"
)

const reqNS = ` xmlns="DAV:" xmlns:D="DAV:" xmlns:R="urn:ietf:params:xml:ns:carddav" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:Z="urn:z"`

// asked reads a body with one of the functions and gives what came out, or the error's kind.
func asked(t *testing.T, tag, rest string, lim Limits) string {
	t.Helper()
	e := mustParse(t, "<"+tag+reqNS+rest)
	var v any
	var err error
	switch tag {
	case "propfind":
		var p PropSet
		p, err = ParsePropFind(e, lim)
		v = fmt.Sprint(p.Mode, p.Names, p.Include)
	case "propertyupdate":
		v, err = ParsePropPatch(e, lim)
	case "mkcol", "C:mkcalendar":
		v, err = ParseMkCol(e, lim)
	case "sync-collection":
		var s SyncCollection
		s, err = ParseSyncCollection(e, lim)
		v = fmt.Sprintf("%q %d %d %v", s.Token, s.Level, s.Limit, s.Props.Names)
	case "expand-property":
		v, err = ParseExpandProperty(e, lim)
	case "principal-property-search":
		var s PrincipalSearch
		s, err = ParsePrincipalSearch(e, lim)
		v = fmt.Sprint(s.AnyOf, s.ToCollectionSet, s.Limit, s.Searches, s.Props.Names)
	case "principal-match":
		var s PrincipalMatch
		s, err = ParsePrincipalMatch(e, lim)
		v = fmt.Sprint(s.Self, s.Property, s.Props.Names)
	case "acl-principal-prop-set":
		var p PropSet
		p, err = ParseACLPrincipalPropSet(e, lim)
		v = p.Names
	case "R:addressbook-multiget":
		var m Multiget
		m, err = ParseAddressbookMultiget(e, lim)
		v = fmt.Sprintf("%v %+v %q", m.Props.Names, m.Data, m.Hrefs)
	case "R:addressbook-query":
		var q AddressbookQuery
		q, err = ParseAddressbookQuery(e, lim)
		v = fmt.Sprintf("%v %d %+v", q.Data != nil, q.Limit, q.Filter)
	case "C:calendar-multiget":
		var m CalendarMultiget
		m, err = ParseCalendarMultiget(e, lim)
		v = fmt.Sprintf("%v %v %q", m.Props.Names, m.Data != nil, m.Hrefs)
	case "C:calendar-query":
		var q CalendarQuery
		q, err = ParseCalendarQuery(e, lim)
		v = fmt.Sprintf("%v %v %q %q %d", q.Data != nil, q.Filter != nil, q.Timezone, q.TimezoneID, q.Limit)
	case "C:filter":
		var f CompFilter
		f, err = ParseCalendarFilter(e, lim)
		v = showFilter(&f)
	case "C:calendar-data":
		var d *CalendarData
		if d, err = ParseCalendarData(e, lim); err == nil {
			v = fmt.Sprintf("%q %q %+v %v %v %v", d.ContentType, d.Version, d.Comp, d.Expand, d.LimitRecurrence, d.LimitFreeBusy)
		}
	case "C:free-busy-query":
		v, err = ParseFreeBusyQuery(e, lim)
	}
	if err != nil {
		return err.(*Error).Kind.String()
	}
	if ops, ok := v.([]PropOp); ok {
		var b strings.Builder
		for _, op := range ops {
			fmt.Fprintf(&b, "%v %v %s;", op.Remove, op.Name, op.Value)
		}
		v = b.String()
	}
	return fmt.Sprint(v)
}

func TestRequests(t *testing.T) {
	small := Limits{Props: 2, Hrefs: 2, Conditions: 2}
	for _, c := range []struct {
		tag, rest string
		want      string
		lim       Limits
	}{
		{"propfind", `><prop><getetag/><Z:x/><getetag/></prop></propfind>`, "1 [{DAV:}getetag {urn:z}x] []", Limits{}},
		{"propfind", `><prop/></propfind>`, "1 [] []", Limits{}},
		{"propfind", `><prop><x xmlns=""/></prop><Z:unknown/></propfind>`, "1 [x] []", Limits{}},
		{"propfind", `><allprop/><include><Z:x/></include></propfind>`, "2 [] [{urn:z}x]", Limits{}},
		{"propfind", `><propname/></propfind>`, "3 [] []", Limits{}},
		{"propfind", `/>`, "malformed", Limits{}},
		{"propfind", `><Z:prop/></propfind>`, "malformed", Limits{}},
		{"propfind", `><prop/><allprop/></propfind>`, "malformed", Limits{}},
		{"propfind", `><prop/><prop/></propfind>`, "malformed", Limits{}},
		{"propfind", `><prop><a/><b/><c/></prop></propfind>`, "too large", small},
		{"propertyupdate", ` xml:lang="fr"><set><prop><Z:a>1</Z:a><displayname/></prop></set><remove><prop><Z:a/></prop></remove><set><prop><Z:a>2</Z:a></prop></set></propertyupdate>`,
			`false {urn:z}a <Z:a xmlns:Z="urn:z" xml:lang="fr">1</Z:a>;false {DAV:}displayname <displayname xmlns="DAV:" xml:lang="fr"/>;true {urn:z}a ;false {urn:z}a <Z:a xmlns:Z="urn:z" xml:lang="fr">2</Z:a>;`, Limits{}},
		{"propertyupdate", `/>`, "malformed", Limits{}},
		{"propertyupdate", `><set><prop/></set></propertyupdate>`, "malformed", Limits{}},
		{"propertyupdate", `><set/></propertyupdate>`, "malformed", Limits{}},
		{"propertyupdate", `><set><prop><a/><b/><c/></prop></set></propertyupdate>`, "too large", small},
		{"propertyupdate", `><set><prop><Z:a/></prop></set></propertyupdate>`, "too large", Limits{Octets: 10}},
		{"mkcol", `><set><prop><resourcetype><collection/><R:addressbook/></resourcetype></prop></set></mkcol>`,
			`false {DAV:}resourcetype <resourcetype xmlns="DAV:" xmlns:R="urn:ietf:params:xml:ns:carddav"><collection/><R:addressbook/></resourcetype>;`, Limits{}},
		{"C:mkcalendar", `/>`, "", Limits{}},
		{"mkcol", `><remove><prop><a/></prop></remove></mkcol>`, "malformed", Limits{}},
		{"sync-collection", `><sync-token/><sync-level>1</sync-level><prop><getetag/></prop></sync-collection>`, `"" 1 0 [{DAV:}getetag]`, Limits{}},
		{"sync-collection", `><sync-token> urn:t
</sync-token><sync-level>infinite</sync-level><limit><nresults> 10 </nresults></limit><prop/></sync-collection>`, `"urn:t" 2 10 []`, Limits{}},
		{"sync-collection", `><sync-token/></sync-collection>`, `"" 0 0 []`, Limits{}},
		{"sync-collection", `><sync-level>1</sync-level></sync-collection>`, "malformed", Limits{}},
		{"sync-collection", `><sync-token/><sync-level>2</sync-level></sync-collection>`, "malformed", Limits{}},
		{"sync-collection", `><sync-token/><limit><nresults>0</nresults></limit></sync-collection>`, "malformed", Limits{}},
		{"sync-collection", `><sync-token/><limit><nresults>99999999999</nresults></limit></sync-collection>`, "malformed", Limits{}},
		{"sync-collection", `><sync-token/><limit/></sync-collection>`, "malformed", Limits{}},
		{"expand-property", `><property name="a"><property name="b" namespace="urn:z"/></property><property name="c"/></expand-property>`,
			"[{{DAV:}a [{{urn:z}b []}]} {{DAV:}c []}]", Limits{}},
		{"expand-property", `/>`, "[]", Limits{}},
		{"expand-property", `><property/></expand-property>`, "malformed", Limits{}},
		{"expand-property", `><property name="a b"/></expand-property>`, "malformed", Limits{}},
		{"expand-property", `><property name="a"><property name="b"><property name="c"/></property></property></expand-property>`, "too large", small},
		{"principal-property-search", ` test="anyof"><property-search><prop><displayname/><Z:x/></prop><match match-type="starts-with">al</match></property-search><prop><displayname/></prop><apply-to-principal-collection-set/><limit><nresults>5</nresults></limit></principal-property-search>`,
			"true true 5 [{[{DAV:}displayname {urn:z}x] al 2}] [{DAV:}displayname]", Limits{}},
		{"principal-property-search", `/>`, "malformed", Limits{}},
		{"principal-property-search", `><property-search><prop/><match>a</match></property-search></principal-property-search>`, "malformed", Limits{}},
		{"principal-property-search", `><property-search><prop><a/></prop></property-search></principal-property-search>`, "malformed", Limits{}},
		{"principal-property-search", ">" + strings.Repeat(`<property-search><prop><a/></prop><match/></property-search>`, 3) + `</principal-property-search>`, "too large", small},
		{"principal-match", `><self/><prop><displayname/></prop></principal-match>`, "true  [{DAV:}displayname]", Limits{}},
		{"principal-match", `><principal-property><owner/></principal-property></principal-match>`, "false {DAV:}owner []", Limits{}},
		{"principal-match", `/>`, "malformed", Limits{}},
		{"principal-match", `><self/><principal-property><owner/></principal-property></principal-match>`, "malformed", Limits{}},
		{"principal-match", `><principal-property/></principal-match>`, "malformed", Limits{}},
		{"acl-principal-prop-set", `><prop><displayname/></prop></acl-principal-prop-set>`, "[{DAV:}displayname]", Limits{}},
		{"R:addressbook-multiget", `><prop><getetag/><R:address-data content-type="text/vcard" version="4.0"><R:prop name="FN"/><R:prop name="TEL" novalue="yes"/></R:address-data></prop><href>/a</href><href>
 /b </href></R:addressbook-multiget>`,
			`[{DAV:}getetag {urn:ietf:params:xml:ns:carddav}address-data] &{ContentType:text/vcard Version:4.0 Props:[{Name:FN NoValue:false} {Name:TEL NoValue:true}]} ["/a" "/b"]`, Limits{}},
		{"R:addressbook-multiget", `><prop><R:address-data><R:allprop/></R:address-data></prop></R:addressbook-multiget>`,
			`[{urn:ietf:params:xml:ns:carddav}address-data] &{ContentType: Version: Props:[]} []`, Limits{}},
		{"R:addressbook-multiget", `><prop/><href/></R:addressbook-multiget>`, "malformed", Limits{}},
		{"R:addressbook-multiget", `><href>a</href><href>a</href><href>a</href></R:addressbook-multiget>`, "too large", small},
		{"R:addressbook-multiget", `><prop><R:address-data><R:prop/></R:address-data></prop></R:addressbook-multiget>`, "malformed", Limits{}},
		{"R:addressbook-query", `><prop><R:address-data/></prop><R:filter test="allof"><R:prop-filter name="EMAIL" test="allof"><R:text-match negate-condition="yes" match-type="ends-with" collation="i;octet"> x </R:text-match><R:param-filter name="TYPE"><R:is-not-defined/></R:param-filter></R:prop-filter><R:prop-filter name="NICKNAME"><R:is-not-defined/></R:prop-filter></R:filter><R:limit><R:nresults>7</R:nresults></R:limit></R:addressbook-query>`,
			`true 7 {AllOf:true Props:[{Name:EMAIL AllOf:true IsNotDefined:false Texts:[{Text: x  Match:3 Negate:true Collation:i;octet}] Params:[{Name:TYPE IsNotDefined:true Text:<nil>}]} {Name:NICKNAME AllOf:false IsNotDefined:true Texts:[] Params:[]}]}`, Limits{}},
		{"R:addressbook-query", `><prop/><R:filter><R:prop-filter name="FN"><R:text-match>a</R:text-match></R:prop-filter></R:filter></R:addressbook-query>`,
			`false 0 {AllOf:false Props:[{Name:FN AllOf:false IsNotDefined:false Texts:[{Text:a Match:0 Negate:false Collation:i;unicode-casemap}] Params:[]}]}`, Limits{}},
		{"R:addressbook-query", `/>`, "false 0 {AllOf:false Props:[]}", Limits{}},
		{"R:addressbook-query", `><R:filter test="some"/></R:addressbook-query>`, "malformed", Limits{}},
		{"R:addressbook-query", `><R:filter><R:prop-filter/></R:filter></R:addressbook-query>`, "malformed", Limits{}},
		{"R:addressbook-query", `><R:filter><R:prop-filter name="A"><R:is-not-defined/><R:text-match/></R:prop-filter></R:filter></R:addressbook-query>`, "malformed", Limits{}},
		{"R:addressbook-query", `><R:filter><R:prop-filter name="A"><R:text-match match-type="like"/></R:prop-filter></R:filter></R:addressbook-query>`, "malformed", Limits{}},
		{"R:addressbook-query", `><R:filter><R:prop-filter name="A"><R:text-match negate-condition="maybe"/></R:prop-filter></R:filter></R:addressbook-query>`, "malformed", Limits{}},
		{"R:addressbook-query", `><R:filter><R:prop-filter name="A"><R:param-filter/></R:prop-filter></R:filter></R:addressbook-query>`, "malformed", Limits{}},
		{"R:addressbook-query", `><R:filter><R:prop-filter name="A"><R:param-filter name="B"><R:text-match/><R:text-match/></R:param-filter></R:prop-filter></R:filter></R:addressbook-query>`, "malformed", Limits{}},
		{"R:addressbook-query", `><R:filter><R:prop-filter name="A"><R:text-match/><R:text-match/></R:prop-filter></R:filter></R:addressbook-query>`, "too large", small},
	} {
		if got := asked(t, c.tag, c.rest, c.lim); got != c.want {
			t.Errorf("%s%s\n got %s\nwant %s", c.tag, c.rest, got, c.want)
		}
	}
}

func TestRequestsWantTheirRoot(t *testing.T) {
	other := mustParse(t, `<x/>`)
	for _, root := range []*Element{other, nil} {
		_, e1 := ParsePropFind(root, Limits{})
		_, e2 := ParsePropPatch(root, Limits{})
		_, e3 := ParseMkCol(root, Limits{})
		_, e4 := ParseSyncCollection(root, Limits{})
		_, e5 := ParseExpandProperty(root, Limits{})
		_, e6 := ParsePrincipalSearch(root, Limits{})
		_, e7 := ParsePrincipalMatch(root, Limits{})
		_, e8 := ParseACLPrincipalPropSet(root, Limits{})
		_, e9 := ParseAddressbookMultiget(root, Limits{})
		_, e10 := ParseAddressbookQuery(root, Limits{})
		e11 := ParsePrincipalSearchPropertySet(root)
		for i, err := range []error{e1, e2, e3, e4, e5, e6, e7, e8, e9, e10, e11} {
			if err == nil {
				t.Errorf("function %d accepts the root %v", i+1, root)
			}
		}
	}
}

// TestPropPatchAmplification puts a long namespace into scope that each of many small properties uses: the fragments
// together would be much larger than the body.
func TestPropPatchAmplification(t *testing.T) {
	body := `<propertyupdate xmlns="DAV:" xmlns:Z="` + strings.Repeat("u", 1000) + `"><set><prop>` + strings.Repeat("<Z:a/>", 1000) + `</prop></set></propertyupdate>`
	if _, err := ParsePropPatch(mustParse(t, body), Limits{Octets: 100_000}); !IsTooLarge(err) {
		t.Errorf("got %v, want too large", err)
	}
}

func TestParamFilterText(t *testing.T) {
	e := mustParse(t, `<R:addressbook-query`+reqNS+`><R:filter><R:prop-filter name="TEL"><R:param-filter name="TYPE"><R:text-match match-type="equals">home</R:text-match></R:param-filter></R:prop-filter></R:filter></R:addressbook-query>`)
	q, err := ParseAddressbookQuery(e, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	want := textmatch.TextMatch{Text: "home", Match: textmatch.Equals, Collation: textmatch.UnicodeCasemap}
	if got := q.Filter.Props[0].Params[0].Text; got == nil || *got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
