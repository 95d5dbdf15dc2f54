package civil

import (
	"testing"
	"time"
)

// Package time is the oracle: every day of years 0 to 9999, each with another time of day.
func TestDatesAgreeWithTime(t *testing.T) {
	day := time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := 0; day.Year() <= 9999; i++ {
		at := day.Add(time.Duration(i*7919%Day) * time.Second)
		got := Time(at.Unix())
		y, m, d := got.Date()
		h, min, s := got.Clock()
		if y != at.Year() || m != int(at.Month()) || d != at.Day() || h != at.Hour() || min != at.Minute() || s != at.Second() {
			t.Fatalf("%v reads as %v", at, got)
		}
		if Of(y, m, d, h, min, s) != got || got.Weekday() != (int(at.Weekday())+6)%7 || got.Midnight() != Time(day.Unix()) {
			t.Fatalf("%v: of %v, weekday %d, midnight %v", at, Of(y, m, d, h, min, s), got.Weekday(), got.Midnight())
		}
		if got.DayNumber() != day.Unix()/Day || got.AddDays(-3) != Time(at.AddDate(0, 0, -3).Unix()) {
			t.Fatalf("%v is day %d", at, got.DayNumber())
		}
		if !Valid(y, m, d) || d == 1 && DaysIn(y, m) != day.AddDate(0, 1, -1).Day() {
			t.Fatalf("%v: %d days", at, DaysIn(y, m))
		}
		if text := at.Format("20060102T150405"); got.String() != text {
			t.Fatalf("%v is written %s", at, got)
		}
		if back, utc, ok := ParseDateTime(got.String() + "Z"); !ok || !utc || back != got {
			t.Fatalf("%v is read back as %v", at, back)
		}
		day = day.AddDate(0, 0, 1)
	}
	if Min.String() != "00010101T000000" || Max.String() != "99991231T235959" {
		t.Errorf("%v to %v", Min, Max)
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		text string
		want string // empty: refused
	}{
		{"20261126T090807", "20261126T090807"},
		{"20261126T090807Z", "20261126T090807"},
		{"20161231T235960Z", "20161231T235959"},
		{"20240229T000000", "20240229T000000"},
		{"20230229T000000", ""},
		{"20261301T000000", ""},
		{"20260001T000000", ""},
		{"20260100T000000", ""},
		{"20261126T240000", ""},
		{"20261126T096000", ""},
		{"20261126T090061", ""},
		{"20261126t090000", ""},
		{"20261126T090000z", ""},
		{"20261126T0900", ""},
		{"20261126 090000", ""},
		{"2026112+T090000", ""},
		{"", ""},
	} {
		got, utc, ok := ParseDateTime(c.text)
		if ok != (c.want != "") || ok && (got.String() != c.want || utc != (c.text[len(c.text)-1] == 'Z')) {
			t.Errorf("%q: %v, %v, %v", c.text, got, utc, ok)
		}
	}
	for text, good := range map[string]bool{"20261126": true, "00000101": true, "20230229": false, "2026112": false, "202611260": false, "2026-1-1": false, "-0260101": false} {
		if got, ok := ParseDate(text); ok != good || ok && string(got.AppendDate(nil)) != text {
			t.Errorf("%q: %v, %v", text, got, ok)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"20261126T090000Z", "20261126", "99991231T235960", "00000000T000000"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, ok := ParseDate(s); ok && string(d.AppendDate(nil)) != s {
			t.Errorf("%q is written %s", s, d.AppendDate(nil))
		}
		if d, _, ok := ParseDateTime(s); ok && s[13:15] != "60" && d.String() != s[:15] {
			t.Errorf("%q is written %s", s, d)
		}
	})
}
