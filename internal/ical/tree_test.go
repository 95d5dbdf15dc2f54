package ical

import (
	"strings"
	"testing"
)

// small is an event as a phone writes it.
const small = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Example//EN\r\nBEGIN:VEVENT\r\nUID:1@example.org\r\nDTSTAMP:20261126T090000Z\r\n" +
	"DTSTART;TZID=Europe/Berlin:20261126T100000\r\nDURATION:PT1H\r\nSUMMARY:Tea\\, and a very long line that has to be folded because it is lon\r\n ger than that\r\n" +
	"BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"

func tree(t *testing.T, s string) *Component {
	t.Helper()
	c, err := Parse([]byte(s), Limits{})
	if err != nil {
		t.Fatalf("%v in\n%s", err, s)
	}
	return c
}

func TestParseKeepsEveryOctet(t *testing.T) {
	for _, s := range []string{
		small,
		strings.ReplaceAll(small, "\r\n", "\n"),
		"\n \n" + small + "\n\t\r\n\n",
		strings.TrimSuffix(small, "\r\n"),
		strings.ToLower(small),
		strings.Replace(small, "END:VEVENT\r\n", "X-LATE:1\r\n\r\nX-LATER;A=b:2\r\nEND:VEVENT\r\nX-WR-CALNAME:late\r\n", 1),
		strings.Replace(small, "BEGIN:VALARM", "BEGIN:X-odd\r\nEND:X-ODD\r\nMID:1\r\nBEGIN:VALARM", 1),
		"BEGIN:VCALENDAR\nEND:VCALENDAR",
	} {
		c := tree(t, s)
		if got := string(c.Append(nil)); got != s {
			t.Errorf("got\n%q\nwant\n%q", got, s)
		}
		if got := string(c.Clone().Append(nil)); got != s {
			t.Errorf("a clone gives\n%q\nwant\n%q", got, s)
		}
	}
}

// Lines and components may be left out, changed and added; the rest stays what it was.
func TestAppendKeepsTheOrder(t *testing.T) {
	c := tree(t, "BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nUID:1\nBEGIN:VALARM\nEND:VALARM\nsummary:a\nX-GONE:1\nEND:VEVENT\nX-WR-CALNAME:late\nEND:VCALENDAR\n")
	ev := c.Children[0]
	if !ev.Remove("x-gone") || ev.Remove("X-GONE") {
		t.Error("Remove does not say what it did")
	}
	ev.Prop("SUMMARY").SetValue("b")
	d := DateTime{Time: 0, Form: Zoned, TZID: "Etc/GMT;x"}
	ev.Add(d.Line("DTSTART"))
	alarm := NewComponent("valarm")
	alarm.Add(NewLine("ACTION", Escape("a,b;c\\\nd"), NewParam("X-Q", "a\"b", "c,d")))
	ev.Children = append(ev.Children, alarm)
	c.Add(NewLine("X-LAST", "1"))
	want := "BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nUID:1\nBEGIN:VALARM\nEND:VALARM\nsummary:b\r\nDTSTART;TZID=\"Etc/GMT;x\":19700101T000000\r\n" +
		"BEGIN:VALARM\r\nACTION;X-Q=a^'b,\"c,d\":a\\,b\\;c\\\\\\nd\r\nEND:VALARM\r\nEND:VEVENT\nX-WR-CALNAME:late\nX-LAST:1\r\nEND:VCALENDAR\n"
	if got := string(c.Append(nil)); got != want {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

func TestNewLinesAreFolded(t *testing.T) {
	l := NewLine("SUMMARY", strings.Repeat("ü", 200))
	out := string(l.Append(nil))
	for _, s := range strings.SplitAfter(out, "\r\n") {
		if len(s) > 77 || strings.ContainsRune(s, '\uFFFD') {
			t.Errorf("%q", s)
		}
	}
	c := tree(t, "BEGIN:VCALENDAR\r\n"+out+"END:VCALENDAR\r\n")
	if got := c.Prop("SUMMARY").Value; got != l.Value {
		t.Errorf("%q", got)
	}
}

func TestClonesAreIndependent(t *testing.T) {
	c := tree(t, small)
	k := c.Clone()
	k.Children[0].Prop("SUMMARY").SetValue("changed")
	k.Children[0].Prop("DTSTART").DropParam("TZID")
	k.Children[0].Prop("UID").AddParam(NewParam("X", "1"))
	k.Children[0].Children[0].Add(NewLine("X", "1"))
	if string(c.Append(nil)) != small {
		t.Error("the original changed as well")
	}
}

// Many blank lines or late properties must not cost more than their length.
func TestParseIsLinear(t *testing.T) {
	for _, s := range []string{
		small + strings.Repeat("\n", 90000),
		strings.Repeat("\n", 90000) + small,
		"BEGIN:VCALENDAR\n" + strings.Repeat("BEGIN:X\nEND:X\nA:1\n", 19000) + "END:VCALENDAR\n",
	} {
		c := tree(t, s)
		if string(c.Append(nil)) != s {
			t.Error("changed")
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range nastySeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse(data, Limits{})
		if err != nil {
			return
		}
		if got := c.Append(nil); string(got) != string(data) {
			t.Fatalf("got %q", got)
		}
		// Composed anew, it says the same.
		k := recompose(c)
		again, err := Parse(k.Append(nil), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		same(t, c, again)
	})
}

// recompose copies a component so that every line is written anew.
func recompose(c *Component) *Component {
	k := NewComponent(c.Name)
	k.No = c.No
	for _, l := range c.Lines {
		if !l.Blank() {
			l.Raw = ""
			k.Lines = append(k.Lines, l)
		}
	}
	for _, child := range c.Children {
		k.Children = append(k.Children, recompose(child))
	}
	return k
}

func same(t *testing.T, a, b *Component) {
	t.Helper()
	var lines []*Line
	for i := range a.Lines {
		if !a.Lines[i].Blank() {
			lines = append(lines, &a.Lines[i])
		}
	}
	if a.Name != b.Name || len(lines) != len(b.Lines) || len(a.Children) != len(b.Children) {
		t.Fatalf("%s with %d lines, %s with %d", a.Name, len(lines), b.Name, len(b.Lines))
	}
	for i, l := range lines {
		m := &b.Lines[i]
		if l.Name != m.Name || l.Value != m.Value || len(l.Params) != len(m.Params) {
			t.Fatalf("%+v became %+v", l, m)
		}
		for j := range l.Params {
			if l.Params[j] != m.Params[j] {
				t.Fatalf("%+v became %+v", l, m)
			}
		}
	}
	for i := range a.Children {
		same(t, a.Children[i], b.Children[i])
	}
}
