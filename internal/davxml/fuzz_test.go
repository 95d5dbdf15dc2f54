package davxml

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
)

// FuzzParse reads anything. It must not panic; a refusal has a kind and a place; an accepted tree keeps the limits, and
// each of its elements comes back from its fragment.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`<a/>`, `<?xml version="1.0" encoding="utf-8"?><D:propfind xmlns:D="DAV:"><D:allprop/></D:propfind>`,
		`<a xmlns="u" xmlns:p="v" xml:lang="en"><p:b p:c="1" d="p:x">t<![CDATA[]]]]>&lt;<e xmlns=""/>tail</p:b>&#13;</a>`,
		`<D:propertyupdate xmlns:D="DAV:" xml:lang="fr"><D:set><D:prop><x xmlns="">v</x></D:prop></D:set></D:propertyupdate>`,
		`<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>`, "\xff\xfe<\x00a\x00/\x00>\x00", "\ufeff<a>\r\n</a>",
		"<?xml version='1.0' encoding='iso-8859-1'?><a>\xe9</a>", `<a><b></a>`, `<p:a/>`, "<a>\x00</a>",
		`<p:a xmlns:p="1"><p:b xmlns:p="2" xmlns:q="1"><q:c q:d="" p:d=""/></p:b></p:a>`,
		`<C:addressbook-query xmlns:C="urn:ietf:params:xml:ns:carddav"><C:filter><C:prop-filter name="N"><C:is-not-defined/></C:prop-filter></C:filter></C:addressbook-query>`,
		`<C:calendar-query xmlns:C="urn:ietf:params:xml:ns:caldav"><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:time-range start="20260101T000000Z"/><C:prop-filter name="UID"><C:text-match negate-condition="yes">x</C:text-match></C:prop-filter></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>`,
		`<C:calendar-data xmlns:C="urn:ietf:params:xml:ns:caldav"><C:comp name="VCALENDAR"><C:allprop/><C:comp name="VEVENT"><C:prop name="UID" novalue="yes"/></C:comp></C:comp><C:expand start="1" end="2"/></C:calendar-data>`,
	} {
		f.Add([]byte(s))
	}
	lim := Limits{Octets: 1 << 16, Depth: 10, Elements: 40, Attrs: 6, Name: 40, Namespaces: 8, Props: 5, Hrefs: 5, Conditions: 5}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := Parse(bytes.NewReader(b), lim)
		if err != nil {
			var refusal *Error
			if e != nil || err != ErrEmpty && (!errors.As(err, &refusal) || refusal.Kind.Status() < 400 || refusal.Msg == "") {
				t.Fatalf("got %v and %v", e, err)
			}
			return
		}
		elements := 0
		checkLimits(t, e, lim, 1, &elements)
		checkRequests(t, e, lim)
	})
}

func checkLimits(t *testing.T, e *Element, lim Limits, depth int, elements *int) {
	*elements++
	if depth > lim.Depth || *elements > lim.Elements || len(e.Attrs) > lim.Attrs || len(e.Name.Local) > lim.Name || len(e.Name.Space) > max(lim.Name, len(NSXML)) {
		t.Fatalf("the limits do not hold at %s", dump(e))
	}
	checkRoundTrip(t, e)
	for _, c := range e.Children {
		checkLimits(t, c, lim, depth+1, elements)
	}
}

// checkRequests reads the tree as every request that it could be, with whatever root it has.
func checkRequests(t *testing.T, e *Element, lim Limits) {
	root := *e
	as := func(n Name) *Element { root.Name = n; return &root }
	if ops, err := ParsePropPatch(as(DPropertyUpdate), lim); err == nil {
		for _, op := range ops {
			if len(ops) > lim.Props || op.Remove != (op.Value == nil) {
				t.Fatalf("PROPPATCH gave %v", ops)
			}
		}
	}
	if m, err := ParseAddressbookMultiget(as(CRAddressbookMultiget), lim); err == nil && (len(m.Hrefs) > lim.Hrefs || len(m.Props.Names) > lim.Props) {
		t.Fatalf("multiget gave %v", m)
	}
	if q, err := ParseAddressbookQuery(as(CRAddressbookQuery), lim); err == nil && len(q.Filter.Props) > lim.Conditions {
		t.Fatalf("query gave %v", q)
	}
	checkCalendars(t, as, lim)
	_, err := ParsePropFind(as(DPropFind), lim)
	_, err2 := ParseMkCol(as(DMkCol), lim)
	_, err3 := ParseSyncCollection(as(DSyncCollection), lim)
	_, err4 := ParseExpandProperty(as(DExpandProperty), lim)
	_, err5 := ParsePrincipalSearch(as(DPrincipalPropertySearch), lim)
	_, err6 := ParsePrincipalMatch(as(DPrincipalMatch), lim)
	for _, err := range []error{err, err2, err3, err4, err5, err6} {
		var refusal *Error
		if err != nil && !errors.As(err, &refusal) {
			t.Fatalf("an error without a kind: %v", err)
		}
	}
}

// FuzzIfHeader reads anything as an If header. What is accepted comes back the same from its canonical form.
func FuzzIfHeader(f *testing.F) {
	for _, s := range []string{
		``, `(["a"])`, `(<urn:uuid:1> ["a"]) (Not <DAV:no-lock>)`, `</a> (<urn:x>) <http://h/b> (W/"x")`,
		`<http://h/b> ([W/"x"])(not["y"])`, `(`, `()`, `<a>`, `(<>)`, `(Not Not <a:b>)`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		h, err := ParseIf(s)
		var refusal *Error
		if err != nil {
			if h.Present() || !errors.As(err, &refusal) {
				t.Fatalf("ParseIf(%q) = %v, %v", s, h, err)
			}
			return
		}
		again, err := ParseIf(canonicalIf(h))
		if err != nil || fmt.Sprint(again) != fmt.Sprint(h) {
			t.Fatalf("ParseIf(%q) = %v, but its canonical form gives %v, %v", s, h, again, err)
		}
		h.Holds(func(string, IfCondition) bool { return true })
	})
}

func canonicalIf(h If) string {
	var b bytes.Buffer
	for _, l := range h.Lists {
		if l.Resource != "" {
			fmt.Fprintf(&b, "<%s> ", l.Resource)
		}
		b.WriteByte('(')
		for _, c := range l.Conditions {
			if c.Not {
				b.WriteString("Not ")
			}
			if c.Token != "" {
				fmt.Fprintf(&b, "<%s> ", c.Token)
			} else {
				fmt.Fprintf(&b, "[%s] ", c.ETag)
			}
		}
		b.WriteString(") ")
	}
	return b.String()
}

// FuzzWriterText writes any text and attribute; what is read again is the text with U+FFFD for what XML cannot carry.
func FuzzWriterText(f *testing.F) {
	for _, s := range []string{"", "a\r\nb", "]]>", "<&>\"'", "\x00\x1b", "\xff\xfe", "\ufffe\U0010FFFF"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		w := NewWriter(nil)
		w.Start(Name{"urn:u", "a"}, Attr{Name: Name{"urn:v", "b"}, Value: s})
		w.Text(s)
		w.TextBytes([]byte(s))
		w.End()
		want := []rune{}
		for _, r := range s {
			if !isChar(r) {
				r = '\uFFFD'
			}
			want = append(want, r)
		}
		e, err := ParseBytes(w.Bytes(), Limits{})
		if err != nil || e.Text != string(want)+string(want) || e.Attrs[0].Value != string(want) {
			t.Fatalf("wrote %q, read %v, %v", w.Bytes(), e, err)
		}
	})
}

// checkCalendars reads the tree as the requests of CalDAV.
func checkCalendars(t *testing.T, as func(Name) *Element, lim Limits) {
	if m, err := ParseCalendarMultiget(as(CCalendarMultiget), lim); err == nil && len(m.Hrefs) > lim.Hrefs {
		t.Fatalf("multiget gave %v", m)
	}
	if q, err := ParseCalendarQuery(as(CCalendarQuery), lim); err == nil && q.Filter != nil {
		if f, err := ParseCalendarFilter(q.Filter, lim); err == nil && countConditions(&f) > lim.Conditions {
			t.Fatalf("query gave %+v", f)
		}
	}
	if r, err := ParseFreeBusyQuery(as(CFreeBusyQuery), lim); err == nil && (r.Start == "" || r.End == "") {
		t.Fatalf("free-busy-query gave %v", r)
	}
	if d, err := ParseCalendarData(as(CCalendarData), lim); err == nil && d.Expand != nil && d.LimitRecurrence != nil {
		t.Fatalf("calendar-data gave %v", d)
	}
}

func countConditions(f *CompFilter) int {
	n := 1 + len(f.Props)
	for i := range f.Comps {
		n += countConditions(&f.Comps[i])
	}
	return n
}
