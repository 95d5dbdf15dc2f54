package davxml

import (
	"fmt"
	"strings"
	"testing"

	"holdfast/internal/textmatch"
)

// showFilter writes a filter in few words.
func showFilter(f *CompFilter) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s", f.Name, showConditions(f.AnyOf, f.IsNotDefined, f.Range))
	for i := range f.Props {
		p := &f.Props[i]
		fmt.Fprintf(&b, " .%s%s%s", p.Name, showConditions(p.AnyOf, p.IsNotDefined, p.Range), showText(p.Text))
		for _, x := range p.Params {
			fmt.Fprintf(&b, " ;%s%s%s", x.Name, showConditions(false, x.IsNotDefined, nil), showText(x.Text))
		}
	}
	for i := range f.Comps {
		b.WriteString(" (" + showFilter(&f.Comps[i]) + ")")
	}
	return b.String()
}

func showConditions(anyOf, not bool, r *TimeRange) string {
	out := ""
	if anyOf {
		out += "|"
	}
	if not {
		out += "!"
	}
	if r != nil {
		out += "[" + r.Start + "," + r.End + ")"
	}
	return out
}

func showText(m *textmatch.TextMatch) string {
	if m == nil {
		return ""
	}
	return fmt.Sprintf("~%s/%s/%v/%d", m.Text, m.Collation, m.Negate, m.Match)
}

func TestCalendarRequests(t *testing.T) {
	small := Limits{Props: 2, Hrefs: 2, Conditions: 2}
	for _, c := range []struct {
		tag, rest string
		want      string
		lim       Limits
	}{
		{"C:calendar-multiget", `><prop><getetag/><C:calendar-data/></prop><href>/a.ics</href><href> /b.ics </href></C:calendar-multiget>`,
			`[{DAV:}getetag {urn:ietf:params:xml:ns:caldav}calendar-data] true ["/a.ics" "/b.ics"]`, Limits{}},
		{"C:calendar-multiget", `/>`, `[] false []`, Limits{}},
		{"C:calendar-multiget", `><href>1</href><href>2</href><href>3</href></C:calendar-multiget>`, "too large", small},
		{"C:calendar-multiget", `><href/></C:calendar-multiget>`, "malformed", Limits{}},
		{"C:calendar-query", `><prop><C:calendar-data/></prop><C:filter/><C:timezone>BEGIN:VCALENDAR</C:timezone></C:calendar-query>`, `true true "BEGIN:VCALENDAR" "" 0`, Limits{}},
		{"C:calendar-query", `><C:timezone-id> Europe/Vienna </C:timezone-id><C:limit><C:nresults>5</C:nresults></C:limit></C:calendar-query>`, `false false "" "Europe/Vienna" 5`, Limits{}},
		{"C:calendar-query", `><limit><nresults>6</nresults></limit></C:calendar-query>`, `false false "" "" 6`, Limits{}},
		{"C:calendar-query", `><limit><nresults>0</nresults></limit></C:calendar-query>`, "malformed", Limits{}},
		{"C:calendar-query", `><prop><C:calendar-data><C:expand start="1"/></C:calendar-data></prop></C:calendar-query>`, "malformed", Limits{}},

		{"C:filter", `><C:comp-filter name="VCALENDAR"/></C:filter>`, "VCALENDAR", Limits{}},
		{"C:filter", `><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:time-range start="a" end="b"/></C:comp-filter></C:comp-filter></C:filter>`, "VCALENDAR (VEVENT[a,b))", Limits{}},
		{"C:filter", `><C:comp-filter name="VCALENDAR" test="anyof"><C:comp-filter name="VTODO"><C:is-not-defined/></C:comp-filter></C:comp-filter></C:filter>`, "VCALENDAR| (VTODO!)", Limits{}},
		{"C:filter", `><C:comp-filter name="C" test="allof"><C:prop-filter name="P"><C:time-range end="b"/><C:param-filter name="X"><C:is-not-defined/></C:param-filter></C:prop-filter></C:comp-filter></C:filter>`,
			"C .P[,b) ;X!", Limits{}},
		{"C:filter", `><C:comp-filter name="C"><C:prop-filter name="P"><C:text-match negate-condition="yes">t</C:text-match></C:prop-filter></C:comp-filter></C:filter>`, "C .P~t/i;ascii-casemap/true/0", Limits{}},
		{"C:filter", `><C:comp-filter name="C"><C:prop-filter name="P"><C:param-filter name="X"><C:text-match collation="i;octet" match-type="equals">t</C:text-match></C:param-filter></C:prop-filter></C:comp-filter></C:filter>`,
			"C .P ;X~t/i;octet/false/1", Limits{}},
		{"C:filter", `/>`, "malformed", Limits{}},
		{"C:filter", `><C:comp-filter/></C:filter>`, "malformed", Limits{}},
		{"C:filter", `><C:comp-filter name="A"/><C:comp-filter name="B"/></C:filter>`, "malformed", Limits{}},
		{"C:filter", `><C:comp-filter name="A"><C:is-not-defined/><C:prop-filter name="P"/></C:comp-filter></C:filter>`, "malformed", Limits{}},
		{"C:filter", `><C:comp-filter name="A"><C:time-range/></C:comp-filter></C:filter>`, "malformed", Limits{}},
		{"C:filter", `><C:comp-filter name="A"><C:prop-filter name="P"><C:text-match/><C:text-match/></C:prop-filter></C:comp-filter></C:filter>`, "malformed", Limits{}},
		{"C:filter", `><C:comp-filter name="A"><C:prop-filter name="P"><C:time-range start="a"/><C:text-match/></C:prop-filter></C:comp-filter></C:filter>`, "malformed", Limits{}},
		{"C:filter", `><C:comp-filter name="A"><C:prop-filter name="P"><C:is-not-defined/><C:text-match/></C:prop-filter></C:comp-filter></C:filter>`, "malformed", Limits{}},
		{"C:filter", `><C:comp-filter name="A"><C:prop-filter name="P"><C:param-filter name="X"><C:is-not-defined/><C:text-match/></C:param-filter></C:prop-filter></C:comp-filter></C:filter>`, "malformed", Limits{}},
		{"C:filter", `><C:comp-filter name="A" test="someof"/></C:filter>`, "malformed", Limits{}},
		{"C:filter", `><C:comp-filter name="A"><C:comp-filter name="B"><C:comp-filter name="C"/></C:comp-filter></C:comp-filter></C:filter>`, "too large", small},

		{"C:calendar-data", ` content-type="text/calendar" version="2.0"/>`, `"text/calendar" "2.0" <nil> <nil> <nil> <nil>`, Limits{}},
		{"C:calendar-data", `><C:comp name="VCALENDAR"><C:allprop/><C:comp name="VEVENT"><C:prop name="UID"/><C:prop name="SUMMARY" novalue="yes"/><C:allcomp/></C:comp></C:comp></C:calendar-data>`,
			`"" "" &{Name:VCALENDAR AllProps:true Props:[] AllComps:false Comps:[{Name:VEVENT AllProps:false Props:[{Name:UID NoValue:false} {Name:SUMMARY NoValue:true}] AllComps:true Comps:[]}]} <nil> <nil> <nil>`, Limits{}},
		{"C:calendar-data", `><C:expand start="a" end="b"/><C:limit-freebusy-set start="c" end="d"/></C:calendar-data>`, `"" "" <nil> &{a b} <nil> &{c d}`, Limits{}},
		{"C:calendar-data", `><C:limit-recurrence-set start="a" end="b"/></C:calendar-data>`, `"" "" <nil> <nil> &{a b} <nil>`, Limits{}},
		{"C:calendar-data", `><C:limit-recurrence-set start="a" end="b"/><C:expand start="a" end="b"/></C:calendar-data>`, "malformed", Limits{}},
		{"C:calendar-data", `><C:comp name="V"><C:prop name="A" novalue="maybe"/></C:comp></C:calendar-data>`, "malformed", Limits{}},
		{"C:calendar-data", `><C:comp name="V"><C:prop/></C:comp></C:calendar-data>`, "malformed", Limits{}},
		{"C:calendar-data", `><C:comp name="V"><C:prop name="A"/><C:comp name="B"/><C:prop name="C"/></C:comp></C:calendar-data>`, "too large", small},

		{"C:free-busy-query", `><C:time-range start="a" end="b"/></C:free-busy-query>`, "{a b}", Limits{}},
		{"C:free-busy-query", `><C:time-range start="a"/></C:free-busy-query>`, "malformed", Limits{}},
		{"C:free-busy-query", `/>`, "malformed", Limits{}},
	} {
		if got := asked(t, c.tag, c.rest, c.lim); got != c.want {
			t.Errorf("%s%s:\n got %s\nwant %s", c.tag, c.rest, got, c.want)
		}
	}
}
