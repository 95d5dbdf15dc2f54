package filter

import (
	"math"
	"strings"
	"testing"

	"holdfast/internal/ical"
	"holdfast/internal/ical/civil"
	"holdfast/internal/ical/occur"
	"holdfast/internal/ical/recur"
	"holdfast/internal/ical/zone"
	"holdfast/internal/textmatch"
)

func object(t testing.TB, body string) *occur.Object {
	t.Helper()
	cal, err := ical.Parse([]byte("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n"+strings.TrimSpace(body)+"\nEND:VCALENDAR\n"), ical.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	z, _ := zone.Named("Europe/Berlin")
	o, err := occur.Compile(cal, occur.Options{Floating: z})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

const (
	meeting = `BEGIN:VEVENT
UID:1
DTSTAMP:20261101T000000Z
DTSTART;TZID=Europe/Berlin:20261102T090000
DTEND;TZID=Europe/Berlin:20261102T100000
RRULE:FREQ=WEEKLY
SUMMARY:Große Runde\, mit Kaffee
CATEGORIES:Work,Team
ATTENDEE;PARTSTAT=NEEDS-ACTION;CN="Doe, Jo":mailto:jo@example.org
ATTENDEE;PARTSTAT=ACCEPTED:mailto:kim@example.org
X-EMPTY:
BEGIN:VALARM
ACTION:DISPLAY
TRIGGER:-PT15M
END:VALARM
END:VEVENT
BEGIN:VEVENT
UID:1
RECURRENCE-ID;TZID=Europe/Berlin:20261109T090000
DTSTART;TZID=Europe/Berlin:20261110T150000
DTEND;TZID=Europe/Berlin:20261110T160000
SUMMARY:Moved
LOCATION:Attic
END:VEVENT`
	task = `BEGIN:VTODO
UID:2
DUE;VALUE=DATE:20261120
SUMMARY:Pay
COMPLETED:20261119T120000Z
END:VTODO`
	entry = "BEGIN:VJOURNAL\nUID:3\nDTSTART;VALUE=DATE:20261115\nSUMMARY:Café\nEND:VJOURNAL"
)

func at(s string) int64 {
	c, _, ok := civil.ParseDateTime(s)
	if !ok {
		panic(s)
	}
	return int64(c)
}

func span(from, to string) *TimeRange {
	r := &TimeRange{math.MinInt64, math.MaxInt64}
	if from != "" {
		r.From = at(from)
	}
	if to != "" {
		r.To = at(to)
	}
	return r
}

// in makes a filter for VCALENDAR with these component filters in it.
func in(comps ...CompFilter) *Filter {
	return &Filter{CompFilter{Name: "VCALENDAR", Comps: comps}}
}

func comp(name string, set ...func(*CompFilter)) CompFilter {
	f := CompFilter{Name: name}
	for _, s := range set {
		s(&f)
	}
	return f
}

func within(from, to string) func(*CompFilter) {
	return func(f *CompFilter) { f.Range = span(from, to) }
}
func prop(p PropFilter) func(*CompFilter) {
	return func(f *CompFilter) { f.Props = append(f.Props, p) }
}
func inside(c CompFilter) func(*CompFilter) {
	return func(f *CompFilter) { f.Comps = append(f.Comps, c) }
}
func anyOf(f *CompFilter)  { f.Test = AnyOf }
func absent(f *CompFilter) { f.NotDefined = true }

func text(name, s string) PropFilter {
	return PropFilter{Name: name, Text: &textmatch.TextMatch{Text: s}}
}

func TestMatch(t *testing.T) {
	for name, c := range map[string]struct {
		f    *Filter
		want string // of e(vent), t(ask), j(ournal), those that match
	}{
		"everything":                    {in(), "etj"},
		"events":                        {in(comp("VEVENT")), "e"},
		"lower case":                    {in(comp("vtodo")), "t"},
		"no events":                     {in(comp("VEVENT", absent)), "tj"},
		"two kinds":                     {in(comp("VEVENT"), comp("VTODO")), ""},
		"either kind":                   {&Filter{comp("VCALENDAR", anyOf, inside(comp("VEVENT")), inside(comp("VTODO")))}, "et"},
		"a range":                       {in(comp("VEVENT", within("20261130T000000", "20261201T000000"))), "e"},
		"between two instances":         {in(comp("VEVENT", within("20261201T000000", "20261206T000000"))), ""},
		"an open end":                   {in(comp("VEVENT", within("20301201T000000", ""))), "e"},
		"an open start":                 {in(comp("VEVENT", within("", "20261101T000000"))), ""},
		"where the override was":        {in(comp("VEVENT", within("20261109T000000", "20261110T000000"))), ""},
		"where the override is":         {in(comp("VEVENT", within("20261110T000000", "20261111T000000"))), "e"},
		"the same component for all":    {in(comp("VEVENT", within("20261110T000000", "20261111T000000"), prop(text("LOCATION", "attic")))), "e"},
		"no one component for all":      {in(comp("VEVENT", within("20261116T000000", "20261117T000000"), prop(text("LOCATION", "attic")))), ""},
		"a task's range":                {in(comp("VTODO", within("20261119T000000", "20261120T000000"))), "t"},
		"a journal's range":             {in(comp("VJOURNAL", within("20261114T230000", "20261115T000000"))), "j"},
		"a journal's range, zone":       {in(comp("VJOURNAL", within("20261115T230000", "20261116T000000"))), ""},
		"a property":                    {in(comp("VTODO", prop(PropFilter{Name: "completed"}))), "t"},
		"no such property":              {in(comp("VTODO", prop(PropFilter{Name: "COMPLETED", NotDefined: true}))), ""},
		"a component without it":        {in(comp("VEVENT", prop(PropFilter{Name: "LOCATION", NotDefined: true}))), "e"},
		"a time of a property":          {in(comp("VTODO", prop(PropFilter{Name: "COMPLETED", Range: span("20261119T120000", "20261119T120001")}))), "t"},
		"not that time":                 {in(comp("VTODO", prop(PropFilter{Name: "COMPLETED", Range: span("", "20261119T120000")}))), ""},
		"a date of a property":          {in(comp("VTODO", prop(PropFilter{Name: "DUE", Range: span("20261119T230000", "20261119T230001")}))), "t"},
		"a property without a time":     {in(comp("VTODO", prop(PropFilter{Name: "SUMMARY", Range: span("", "20301119T120000")}))), ""},
		"text without its escapes":      {in(comp("VEVENT", prop(text("SUMMARY", "Runde, MIT")))), "e"},
		"text of the override":          {in(comp("VEVENT", prop(text("SUMMARY", "moved")))), "e"},
		"not that text":                 {in(comp("VTODO", prop(PropFilter{Name: "SUMMARY", Text: &textmatch.TextMatch{Text: "pay", Negate: true}}))), ""},
		"not another text":              {in(comp("VTODO", prop(PropFilter{Name: "SUMMARY", Text: &textmatch.TextMatch{Text: "buy", Negate: true}}))), "t"},
		"octets":                        {in(comp("VTODO", prop(PropFilter{Name: "SUMMARY", Text: &textmatch.TextMatch{Text: "pay", Collation: textmatch.Octet}}))), ""},
		"ASCII letters in any case":     {in(comp("VEVENT", prop(text("SUMMARY", "gROßE")))), "e"},
		"ASCII letters only":            {in(comp("VJOURNAL", prop(text("SUMMARY", "CAFÉ")))), ""},
		"all letters":                   {in(comp("VJOURNAL", prop(PropFilter{Name: "SUMMARY", Text: &textmatch.TextMatch{Text: "CAFÉ", Collation: textmatch.UnicodeCasemap}}))), "j"},
		"equals an item of a list":      {in(comp("VEVENT", prop(PropFilter{Name: "CATEGORIES", Text: &textmatch.TextMatch{Text: "team", Match: textmatch.Equals}}))), "e"},
		"starts":                        {in(comp("VTODO", prop(PropFilter{Name: "SUMMARY", Text: &textmatch.TextMatch{Text: "pa", Match: textmatch.StartsWith}}))), "t"},
		"ends":                          {in(comp("VTODO", prop(PropFilter{Name: "SUMMARY", Text: &textmatch.TextMatch{Text: "pa", Match: textmatch.EndsWith}}))), ""},
		"a parameter":                   {in(comp("VEVENT", prop(PropFilter{Name: "ATTENDEE", Params: []ParamFilter{{Name: "PARTSTAT", Text: &textmatch.TextMatch{Text: "NEEDS-ACTION"}}}}))), "e"},
		"a quoted parameter":            {in(comp("VEVENT", prop(PropFilter{Name: "ATTENDEE", Params: []ParamFilter{{Name: "cn", Text: &textmatch.TextMatch{Text: "doe, j"}}}}))), "e"},
		"no parameter":                  {in(comp("VEVENT", prop(PropFilter{Name: "ATTENDEE", Params: []ParamFilter{{Name: "CN", NotDefined: true}}}))), "e"},
		"one attendee who is both":      {in(comp("VEVENT", prop(PropFilter{Name: "ATTENDEE", Text: &textmatch.TextMatch{Text: "kim@"}, Params: []ParamFilter{{Name: "PARTSTAT", Text: &textmatch.TextMatch{Text: "NEEDS-ACTION"}}}}))), ""},
		"either of the two":             {in(comp("VEVENT", prop(PropFilter{Name: "ATTENDEE", Test: AnyOf, Text: &textmatch.TextMatch{Text: "nobody"}, Params: []ParamFilter{{Name: "PARTSTAT", Text: &textmatch.TextMatch{Text: "NEEDS-ACTION"}}}}))), "e"},
		"an empty value":                {in(comp("VEVENT", prop(text("X-EMPTY", "")))), "e"},
		"an alarm":                      {in(comp("VEVENT", inside(comp("VALARM")))), "e"},
		"without an alarm":              {in(comp("VEVENT", inside(comp("VALARM", absent)))), "e"}, // the override has none
		"an alarm in a range":           {in(comp("VEVENT", inside(comp("VALARM", within("20301202T074400", "20301202T074600"))))), "e"},
		"an alarm out of it":            {in(comp("VEVENT", inside(comp("VALARM", within("20301202T074600", "20301203T074600"))))), ""},
		"an alarm that is overridden":   {in(comp("VEVENT", inside(comp("VALARM", within("20261109T000000", "20261110T000000"))))), ""},
		"either condition":              {in(comp("VEVENT", anyOf, prop(text("SUMMARY", "nothing")), prop(text("LOCATION", "attic")))), "e"},
		"either condition, with range":  {in(comp("VEVENT", anyOf, prop(text("SUMMARY", "nothing")), within("20261130T000000", "20261201T000000"))), "e"},
		"neither condition":             {in(comp("VEVENT", anyOf, prop(text("SUMMARY", "nothing")), within("20261201T000000", "20261202T000000"))), ""},
		"a property of the calendar":    {&Filter{CompFilter{Name: "VCALENDAR", Props: []PropFilter{text("PRODID", "x")}}}, "etj"},
		"another one of it":             {&Filter{CompFilter{Name: "VCALENDAR", Props: []PropFilter{text("PRODID", "y")}}}, ""},
		"no calendar":                   {&Filter{CompFilter{Name: "VCALENDAR", NotDefined: true}}, ""},
		"a component that nobody knows": {in(comp("X-PARTY")), ""},
	} {
		m, err := c.f.Compile()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := ""
		for _, o := range []struct{ letter, body, kind string }{{"e", meeting, "VEVENT"}, {"t", task, "VTODO"}, {"j", entry, "VJOURNAL"}} {
			x := object(t, o.body)
			ok, err := m.Match(x, nil)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if ok {
				got += o.letter
			}
			hints(t, name, m, x, ok)
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// hints checks what the index is told against what matches.
func hints(t *testing.T, name string, m *Matcher, o *occur.Object, matches bool) {
	t.Helper()
	kinds, certainly := m.Kinds(), true
	if kinds != nil {
		found := false
		for _, k := range kinds {
			found = found || k == o.Kind()
		}
		if matches && !found {
			t.Errorf("%s: kinds %q leave out %s", name, kinds, o.Kind())
		}
		certainly = found
	}
	if from, to, ok := m.Range(); ok {
		v := occur.Covers(o.Times(), from, to)
		if matches && v == occur.No {
			t.Errorf("%s: the range leaves out %s", name, o.Kind())
		}
		if v == occur.Maybe {
			return
		}
		certainly = certainly && v == occur.Yes
	}
	if m.Certain() && certainly != matches {
		t.Errorf("%s: the index is certain that it is %v of %s", name, certainly, o.Kind())
	}
}

func TestHints(t *testing.T) {
	month := within("20261101T000000", "20261201T000000")
	for name, c := range map[string]struct {
		f       *Filter
		kinds   string
		ranged  bool
		certain bool
	}{
		"everything":       {in(), "any", false, true},
		"events":           {in(comp("VEVENT")), "VEVENT", false, true},
		"a month":          {in(comp("VEVENT", month)), "VEVENT", true, true},
		"a month of some":  {in(comp("VEVENT", month, prop(text("SUMMARY", "x")))), "VEVENT", true, false},
		"some":             {in(comp("VEVENT", prop(text("SUMMARY", "x")))), "VEVENT", false, false},
		"either":           {in(comp("VEVENT", anyOf, month, prop(text("SUMMARY", "x")))), "VEVENT", false, false},
		"no events":        {in(comp("VEVENT", absent)), "any", false, false},
		"zones":            {in(comp("VTIMEZONE")), "any", false, false},
		"two":              {in(comp("VEVENT"), comp("VTODO")), "", false, false},
		"either kind":      {&Filter{comp("VCALENDAR", anyOf, inside(comp("VEVENT", month)), inside(comp("VTODO")))}, "any", false, false},
		"alarms":           {in(comp("VEVENT", inside(comp("VALARM", month)))), "VEVENT", false, false},
		"of one calendar":  {&Filter{CompFilter{Name: "VCALENDAR", Props: []PropFilter{text("PRODID", "x")}, Comps: []CompFilter{comp("VEVENT", month)}}}, "VEVENT", true, false},
		"any of one thing": {&Filter{comp("VCALENDAR", anyOf, inside(comp("VEVENT", anyOf, month)))}, "VEVENT", true, true},
	} {
		m, err := c.f.Compile()
		if err != nil {
			t.Fatal(name, err)
		}
		kinds := "any"
		if k := m.Kinds(); k != nil {
			kinds = strings.Join(k, " ")
		}
		if _, _, ranged := m.Range(); kinds != c.kinds || ranged != c.ranged || m.Certain() != c.certain {
			t.Errorf("%s: kinds %q, range %v, certain %v", name, kinds, ranged, m.Certain())
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	deep := comp("VEVENT")
	for range 10 {
		deep = comp("X-BOX", inside(deep))
	}
	for name, c := range map[string]struct {
		f    *Filter
		want string
	}{
		"not VCALENDAR":       {&Filter{comp("VEVENT")}, "valid"},
		"a backward range":    {in(comp("VEVENT", within("20261201T000000", "20261101T000000"))), "valid"},
		"an empty range":      {in(comp("VEVENT", within("20261201T000000", "20261201T000000"))), "valid"},
		"a range of a zone":   {in(comp("VTIMEZONE", within("20261101T000000", "20261201T000000"))), "supported"},
		"a range of all":      {&Filter{comp("VCALENDAR", within("20261101T000000", "20261201T000000"))}, "supported"},
		"an empty range, too": {in(comp("VEVENT", prop(PropFilter{Name: "DUE", Range: &TimeRange{5, 5}}))), "valid"},
		"no name":             {in(comp("VEVENT", prop(PropFilter{}))), "supported"},
		"no component name":   {in(comp("VEVENT\n")), "supported"},
		"no parameter name":   {in(comp("VEVENT", prop(PropFilter{Name: "X", Params: []ParamFilter{{Name: "a b"}}}))), "supported"},
		"depth":               {in(deep), "supported"},
		"collation":           {in(comp("VEVENT", prop(PropFilter{Name: "X", Text: &textmatch.TextMatch{Collation: "i;basic"}}))), "collation"},
		"collation, deeper":   {in(comp("VEVENT", prop(PropFilter{Name: "X", Params: []ParamFilter{{Name: "Y", Text: &textmatch.TextMatch{Collation: "default"}}}}))), "collation"},
	} {
		_, err := c.f.Compile()
		got := "nothing"
		switch e := err.(type) {
		case *textmatch.CollationError:
			got = "collation"
		case *Error:
			if got = "valid"; e.Supported {
				got = "supported"
			}
		}
		if got != c.want {
			t.Errorf("%s: %s (%v), want %s", name, got, err, c.want)
		}
	}
}

// An endless series with an override is asked for the override far from it: nothing goes on for ever.
func TestBudget(t *testing.T) {
	m, err := in(comp("VEVENT", within("20400101T000000", ""), prop(text("LOCATION", "attic")))).Compile()
	if err != nil {
		t.Fatal(err)
	}
	b := recur.NewBudget(1000)
	if ok, err := m.Match(object(t, meeting), b); ok || err != nil {
		t.Error(ok, err)
	}
	m, _ = in(comp("VEVENT", within("20200101T000000", "20200102T000000"))).Compile()
	bomb := "BEGIN:VEVENT\nDTSTART:20190101T000000Z\nRRULE:FREQ=SECONDLY\nEXRULE:FREQ=SECONDLY\nEND:VEVENT"
	if ok, err := m.Match(object(t, bomb), b); ok || err != recur.ErrBudget {
		t.Error(ok, err)
	}
}

func FuzzFilter(f *testing.F) {
	collations := []textmatch.Collation{textmatch.ASCIICasemap, textmatch.Octet, textmatch.UnicodeCasemap}
	f.Add(meeting, "VEVENT", "SUMMARY", "runde", int64(1793000000), int64(1794000000), uint16(0))
	f.Add(task, "VTODO", "DUE", "2026", int64(math.MinInt64), int64(1794000000), uint16(0xffff))
	f.Add(entry, "VALARM", "ATTENDEE", "", int64(1793000000), int64(math.MaxInt64), uint16(0x5a5a))
	f.Fuzz(func(t *testing.T, body, component, property, s string, from, to int64, bits uint16) {
		bit := func(n int) bool { return bits>>n&1 != 0 }
		pf := PropFilter{Name: property, Test: Test(bits & 1), NotDefined: bit(1)}
		if bit(2) {
			pf.Text = &textmatch.TextMatch{Text: s, Collation: collations[bits%3], Match: textmatch.Type(bits >> 4 & 3), Negate: bit(6)}
		}
		if bit(7) {
			pf.Range = &TimeRange{from, to}
		}
		if bit(8) {
			pf.Params = []ParamFilter{{Name: property, NotDefined: bit(9), Text: pf.Text}}
		}
		cf := CompFilter{Name: component, Test: Test(bits >> 10 & 1), NotDefined: bit(11), Props: []PropFilter{pf}}
		if bit(12) {
			cf.Range = &TimeRange{from, to}
		}
		if bit(13) {
			cf.Comps = []CompFilter{{Name: "VALARM", Range: &TimeRange{from, to}}}
		}
		m, err := in(cf).Compile()
		if err != nil {
			return
		}
		cal, err := ical.Parse([]byte("BEGIN:VCALENDAR\n"+body+"\nEND:VCALENDAR\n"), ical.Limits{})
		if err != nil {
			return
		}
		o, err := occur.Compile(cal, occur.Options{})
		if err != nil {
			return
		}
		ok, err := m.Match(o, recur.NewBudget(5000))
		if err != nil {
			return
		}
		hints(t, "fuzz", m, o, ok)
	})
}

func BenchmarkMatchText(b *testing.B) {
	m, err := in(comp("VEVENT", prop(text("SUMMARY", "nothing")))).Compile()
	if err != nil {
		b.Fatal(err)
	}
	o := object(b, meeting)
	b.ReportAllocs()
	for b.Loop() {
		m.Match(o, nil)
	}
}
