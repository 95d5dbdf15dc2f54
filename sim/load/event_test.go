package load

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"holdfast/internal/ical"
)

func TestEventsAreEvents(t *testing.T) {
	kinds := map[string]int{}
	for n := range uint64(5000) {
		uid := UID(n%7, n)
		text := AppendEvent(nil, uid, int(n%5))
		if len(text) != EventSize {
			t.Fatalf("%d octets:\n%s", len(text), text)
		}
		if !bytes.Equal(text, AppendEvent([]byte("x"), uid, int(n%5))[1:]) || bytes.Equal(text, AppendEvent(nil, uid, 5)) {
			t.Fatal("octets do not follow from UID and version")
		}
		for line := range bytes.SplitSeq(text, []byte("\r\n")) {
			if len(line) > 75 {
				t.Fatalf("a line of %d octets: %s", len(line), line)
			}
		}
		if _, x, refusal := ical.Judge(text, ical.DefaultLimits()); refusal != nil || x.UID != uid || x.Kind != "VEVENT" {
			t.Fatalf("%+v %v\n%s", x, refusal, text)
		}
		e := EventOf(uid, 1)
		kinds["all"]++
		if kinds[e.Freq]++; e.AllDay {
			kinds["all day"]++
		}
		if e.Count == 0 && e.Until.IsZero() && e.Freq != "" {
			kinds["for ever"]++
		}
		if moved := EventOf(uid, 2).Start != e.Start; moved == e.AllDay {
			t.Fatalf("moved %t: %+v", moved, e)
		}
	}
	if n := kinds["all"] - kinds[""]; n < 400 || n > 600 || kinds["for ever"] < 150 || kinds["DAILY"] == 0 || kinds["MONTHLY"] == 0 || kinds["YEARLY"] == 0 || kinds["all day"] < 300 {
		t.Errorf("a poor choice: %v", kinds)
	}
}

// TestTouches holds the truth of the benchmark to instances that can be counted on the fingers.
func TestTouches(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	at := func(s string) time.Time {
		x, err := time.Parse("2006-01-02 15:04", s)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	weekly := Event{Start: at("2026-10-20 09:00"), Length: time.Hour, Freq: "WEEKLY", Count: 2} // 20 October in summer, 27 in winter
	until := Event{Start: at("2026-10-20 09:00"), Length: time.Hour, Freq: "DAILY", Until: at("2026-10-22 20:00")}
	days := Event{Start: at("2026-12-31 00:00"), Length: 48 * time.Hour, AllDay: true, Freq: "YEARLY"}
	for _, c := range []struct {
		event    Event
		from, to string
		want     bool
	}{
		{weekly, "2026-10-20 06:00", "2026-10-20 07:00", false}, {weekly, "2026-10-20 06:00", "2026-10-20 07:01", true}, {weekly, "2026-10-20 07:59", "2026-10-20 09:00", true},
		{weekly, "2026-10-20 08:00", "2026-10-27 08:00", false}, {weekly, "2026-10-27 08:59", "2026-10-28 00:00", true}, {weekly, "2026-10-27 09:00", "2030-01-01 00:00", false},
		{until, "2026-10-22 07:30", "2026-10-22 07:40", true}, {until, "2026-10-23 00:00", "2026-11-23 00:00", false},
		{days, "2026-12-30 00:00", "2026-12-31 00:00", false}, {days, "2027-01-01 23:59", "2027-01-02 08:00", true}, {days, "2027-01-02 00:00", "2027-12-31 00:00", false},
		{days, "2056-01-01 00:00", "2056-01-01 01:00", true},
	} {
		if got := c.event.Touches(at(c.from), at(c.to), berlin); got != c.want {
			t.Errorf("%+v from %s to %s: %t", c.event, c.from, c.to, got)
		}
	}
	if text := string(AppendEvent(nil, UID(1, 1), 1)); !strings.Contains(text, EventOf(UID(1, 1), 1).Start.Format("20060102")) {
		t.Error(fmt.Sprintln("the octets do not say when:", text))
	}
}
