package recur

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, c := range []struct{ text, want string }{ // what String makes of it
		{"FREQ=DAILY", "FREQ=DAILY"},
		{"freq=weekly;byday=mo,We", "FREQ=WEEKLY;BYDAY=MO,WE"},
		{" FREQ = WEEKLY ; BYDAY = MO , WE ;", "FREQ=WEEKLY;BYDAY=MO,WE"},
		{"INTERVAL=2;FREQ=DAILY;;", "FREQ=DAILY;INTERVAL=2"},
		{"FREQ=DAILY;INTERVAL=1;WKST=MO;SKIP=OMIT", "FREQ=DAILY"},
		{"FREQ=DAILY;COUNT=010", "FREQ=DAILY;COUNT=10"},
		{"FREQ=DAILY;COUNT=99999999999999999999", "FREQ=DAILY;COUNT=2147483647"},
		{"FREQ=DAILY;UNTIL=20260102", "FREQ=DAILY;UNTIL=20260102"},
		{"FREQ=DAILY;UNTIL=20260102T030405", "FREQ=DAILY;UNTIL=20260102T030405"},
		{"FREQ=DAILY;UNTIL=20260102t030405z", "FREQ=DAILY;UNTIL=20260102T030405Z"},
		{"FREQ=DAILY;COUNT=3;UNTIL=20260102", "FREQ=DAILY;UNTIL=20260102;COUNT=3"},
		{"FREQ=MONTHLY;BYDAY=+1MO,-1 FR,SU,SU", "FREQ=MONTHLY;BYDAY=-1FR,SU,1MO"},
		{"FREQ=MONTHLY;BYMONTHDAY=+3,3,-1,15", "FREQ=MONTHLY;BYMONTHDAY=-1,3,15"},
		{"FREQ=MONTHLY;BYMONTHDAY=3;BYMONTHDAY=3", "FREQ=MONTHLY;BYMONTHDAY=3"},
		{"FREQ=YEARLY;BYWEEKNO=53,-53;BYYEARDAY=-366,366;BYSETPOS=366;BYDAY=53SU;BYMONTH=12", "FREQ=YEARLY;BYDAY=53SU;BYYEARDAY=-366,366;BYWEEKNO=-53,53;BYMONTH=12;BYSETPOS=366"},
		{"FREQ=SECONDLY;BYSECOND=60,0;BYMINUTE=59;BYHOUR=23", "FREQ=SECONDLY;BYSECOND=0,60;BYMINUTE=59;BYHOUR=23"},
		{"FREQ=YEARLY;RSCALE=gregorian;SKIP=FORWARD;WKST=SU", "RSCALE=GREGORIAN;FREQ=YEARLY;WKST=SU;SKIP=FORWARD"},
		{"FREQ=YEARLY;SKIP=BACKWARD", "RSCALE=GREGORIAN;FREQ=YEARLY;SKIP=BACKWARD"},
	} {
		r, err := Parse(c.text)
		if err != nil || r.String() != c.want {
			t.Errorf("%q: %v, %v, want %s", c.text, r, err, c.want)
			continue
		}
		if again, err := Parse(c.want); err != nil || again.String() != c.want {
			t.Errorf("%q is not canonical: %v, %v", c.want, again, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ text, part string }{
		{"", "FREQ"},
		{";;", "FREQ"},
		{"INTERVAL=2", "FREQ"},
		{"FREQ=", "FREQ"},
		{"FREQ=FORTNIGHTLY", "FREQ"},
		{"FREQ=DAILY;FREQ=WEEKLY", "FREQ"},
		{"FREQ=DAILY;INTERVAL=0", "INTERVAL"},
		{"FREQ=DAILY;INTERVAL=-1", "INTERVAL"},
		{"FREQ=DAILY;INTERVAL=", "INTERVAL"},
		{"FREQ=DAILY;COUNT=0", "COUNT"},
		{"FREQ=DAILY;COUNT=ten", "COUNT"},
		{"FREQ=DAILY;COUNT", "COUNT"},
		{"FREQ=DAILY;UNTIL=2026", "UNTIL"},
		{"FREQ=DAILY;UNTIL=20260230", "UNTIL"},
		{"FREQ=DAILY;BYSECOND=61", "BYSECOND"},
		{"FREQ=DAILY;BYSECOND=-1", "BYSECOND"},
		{"FREQ=DAILY;BYMINUTE=60", "BYMINUTE"},
		{"FREQ=DAILY;BYHOUR=24", "BYHOUR"},
		{"FREQ=DAILY;BYHOUR=+1", "BYHOUR"},
		{"FREQ=DAILY;BYDAY=", "BYDAY"},
		{"FREQ=DAILY;BYDAY=MO,", "BYDAY"},
		{"FREQ=DAILY;BYDAY=1", "BYDAY"},
		{"FREQ=MONTHLY;BYDAY=0MO", "BYDAY"},
		{"FREQ=MONTHLY;BYDAY=54MO", "BYDAY"},
		{"FREQ=MONTHLY;BYDAY=--1MO", "BYDAY"},
		{"FREQ=MONTHLY;BYDAY=1.5MO", "BYDAY"},
		{"FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY"},
		{"FREQ=MONTHLY;BYMONTHDAY=32", "BYMONTHDAY"},
		{"FREQ=YEARLY;BYYEARDAY=-367", "BYYEARDAY"},
		{"FREQ=YEARLY;BYWEEKNO=54", "BYWEEKNO"},
		{"FREQ=YEARLY;BYMONTH=13", "BYMONTH"},
		{"FREQ=YEARLY;BYMONTH=0", "BYMONTH"},
		{"RSCALE=GREGORIAN;FREQ=YEARLY;BYMONTH=5L", "BYMONTH"},
		{"FREQ=YEARLY;BYSETPOS=0", "BYSETPOS"},
		{"FREQ=YEARLY;BYSETPOS=367", "BYSETPOS"},
		{"FREQ=YEARLY;WKST=XX", "WKST"},
		{"FREQ=YEARLY;SKIP=SIDEWARD", "SKIP"},
		{"FREQ=YEARLY;RSCALE=CHINESE", "RSCALE"},
		{"FREQ=YEARLY;BYEASTER=1", "BYEASTER"},
		{"FREQ=YEARLY;X-NAME=1", "X-NAME"},
		{"FREQ=YEARLY;BYMONTH=" + strings.Repeat("1,", MaxText) + "1", ""},
	} {
		r, err := Parse(c.text)
		var e *Error
		if !errors.As(err, &e) || e.Part != c.part || e.Text == "" || len(e.Text) > 200 {
			t.Errorf("%.60q: %v, %v, want a fault of %s", c.text, r, err, c.part)
		}
	}
}

// All values that there are, in one rule.
func TestParseAll(t *testing.T) {
	var b strings.Builder
	b.WriteString("FREQ=YEARLY")
	all := func(name string, low, high int, suffixes ...string) {
		b.WriteString(";" + name + "=")
		comma := ""
		for n := low; n <= high; n++ {
			for _, s := range suffixes {
				if n != 0 || low == 0 {
					b.WriteString(comma + itoa(n) + s)
					comma = ","
				}
			}
		}
	}
	all("BYSECOND", 0, 60, "")
	all("BYMINUTE", 0, 59, "")
	all("BYHOUR", 0, 23, "")
	all("BYDAY", -53, 53, dayNames[:]...)
	all("BYMONTHDAY", -31, 31, "")
	all("BYYEARDAY", -366, 366, "")
	all("BYWEEKNO", -53, 53, "")
	all("BYMONTH", 1, 12, "")
	all("BYSETPOS", -366, 366, "")
	r := rule(t, b.String())
	if b.Len() > MaxText || len(r.YearDay) != 732 || len(r.Day) != 742 || r.String() != b.String() {
		t.Errorf("%d octets, %d days of the year, %d weekdays", b.Len(), len(r.YearDay), len(r.Day))
	}
}

func itoa(n int) string { return string(appendList(nil, "", []int{n})) }

func FuzzParse(f *testing.F) {
	for _, c := range examples {
		f.Add(c.rule)
	}
	f.Add(" freq = monthly ; byday = +1mo ; until=20260101T000060z;")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Parse(text)
		if err != nil {
			if e := err.(*Error); len(e.Text) > 300 {
				t.Errorf("%d octets of error", len(e.Text))
			}
			return
		}
		again, err := Parse(r.String())
		if err != nil || again.String() != r.String() || !slices.Equal(again.Day, r.Day) {
			t.Errorf("%q becomes %v, then %v, %v", text, r, again, err)
		}
	})
}
