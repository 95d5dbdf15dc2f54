package carddav

import (
	"errors"
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/davxml"
	"holdfast/internal/textmatch"
	"holdfast/internal/vcard"
)

// FuzzFilter takes any query through translation, compiling and matching: never a panic; what is refused names its rule; and what is taken means what it says:
// a filter without conditions finds every card, and a property's absence is the opposite of its presence.
func FuzzFilter(f *testing.F) {
	const wrap = `<C:addressbook-query xmlns:C="urn:ietf:params:xml:ns:carddav"><C:filter`
	for _, seed := range []string{
		`/>`,
		` test="allof"><C:prop-filter name="FN"><C:text-match collation="i;octet" match-type="equals" negate-condition="yes">Ada</C:text-match></C:prop-filter></C:filter>`,
		`><C:prop-filter name="item1.TEL" test="allof"><C:param-filter name="TYPE"><C:text-match>cell</C:text-match></C:param-filter></C:prop-filter></C:filter>`,
		`><C:prop-filter name="NOTE"><C:is-not-defined/></C:prop-filter><C:prop-filter name="X"/></C:filter>`,
		`><C:prop-filter name="F N"/></C:filter>`,
		`><C:prop-filter name="FN"><C:text-match collation="i;none"/></C:prop-filter></C:filter>`,
		`><C:prop-filter name="EMAIL"><C:param-filter name="TYPE"><C:is-not-defined/></C:param-filter><C:text-match>` + "\u00df\ufb01\u0130" + `</C:text-match></C:prop-filter></C:filter>`,
	} {
		f.Add(wrap+seed+`</C:addressbook-query>`, string(cardOf("3.0", "UID:1", "FN:Ada", "item1.TEL;TYPE=\"cell\":1", "EMAIL:a@example.org")))
	}
	f.Fuzz(func(t *testing.T, request, body string) {
		root, err := davxml.Parse(strings.NewReader(request), davxml.Limits{Octets: 10_000})
		if err != nil {
			return
		}
		ask, err := davxml.ParseAddressbookQuery(root, davxml.Limits{})
		if err != nil {
			return
		}
		filter, err := translate(&ask.Filter)
		if err != nil {
			var e *holdfast.Error
			if !errors.As(err, &e) || e.Kind != holdfast.Invalid || e.Rule != ruleFilter || e.Text == "" {
				t.Fatalf("refused without its rule: %#v", err)
			}
			return
		}
		if len(filter.Props) != len(ask.Filter.Props) {
			t.Fatalf("%d conditions became %d", len(ask.Filter.Props), len(filter.Props))
		}
		matcher, err := filter.Compile()
		if err != nil {
			var c *textmatch.CollationError
			if !errors.As(err, &c) {
				t.Fatalf("refused without its collation: %v", err)
			}
			return
		}
		card, err := vcard.Parse([]byte(body), vcard.Limits{})
		if err != nil {
			return
		}
		got := matcher.Match(card)
		if len(filter.Props) == 0 && !got {
			t.Error("a filter without conditions must find every card")
		}
		if len(filter.Props) == 1 && len(filter.Props[0].Texts)+len(filter.Props[0].Params) == 0 {
			filter.Props[0].NotDefined = !filter.Props[0].NotDefined
			if filter.Match(card) == got {
				t.Error("a property is both there and not")
			}
		}
	})
}

// FuzzAccept takes any Accept header: the answer is one of the versions, and never another one than the stored where the header names none.
func FuzzAccept(f *testing.F) {
	for _, s := range []string{"", "*/*", "text/vcard;version=4.0;q=0.3, text/vcard;version=\"3.0\"", ";;q=,", "text/vcard;version=4.0;q=1e309"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, accept string) {
		for _, stored := range []string{version3, version4} {
			switch got := wantedVersion([]string{accept}, stored); got {
			case "", stored:
			case version3, version4:
				if !strings.Contains(accept, got) && !strings.Contains(accept, stored) { // a stored version may be named to be refused
					t.Errorf("%q with %s stored: %s", accept, stored, got)
				}
			default:
				t.Errorf("%q: %q", accept, got)
			}
		}
	})
}
