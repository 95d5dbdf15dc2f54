package occur

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"holdfast/internal/ical"
	"holdfast/internal/ical/recur"
	"holdfast/internal/ical/zone"
)

// TestZonesArePaidFor: zones that only a question asks for come out of its budget, however many times name them.
func TestZonesArePaidFor(t *testing.T) {
	var zones, times, alarms strings.Builder
	for i := range 300 {
		fmt.Fprintf(&zones, "BEGIN:VTIMEZONE\nTZID:z%d\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nRRULE:FREQ=HOURLY;BYHOUR=3\nEND:STANDARD\nEND:VTIMEZONE\n", i)
		fmt.Fprintf(&times, "X-AT;TZID=z%d:20260102T100000\n", i)
		fmt.Fprintf(&alarms, "BEGIN:VALARM\nTRIGGER;VALUE=DATE-TIME;TZID=z%d:20260102T100000\nEND:VALARM\n", i)
	}
	o := compile(t, "", zones.String()+"BEGIN:VEVENT\nUID:1\nDTSTART:20260101T100000Z\n"+times.String()+alarms.String()+"END:VEVENT")
	c := o.master.comp
	b := recur.NewBudget(recur.DefaultSteps)
	var err error
	for i := 0; i < len(c.Lines) && err == nil; i++ {
		_, err = o.PropertyOverlaps(&c.Lines[i], 0, 1, b)
	}
	if !errors.Is(err, recur.ErrBudget) {
		t.Errorf("times of properties: %v", err)
	}
	b, err = recur.NewBudget(recur.DefaultSteps), nil
	for i := 0; i < len(c.Children) && err == nil; i++ {
		_, err = o.AlarmOverlaps(c, c.Children[i], 0, 1, b)
	}
	if !errors.Is(err, recur.ErrBudget) {
		t.Errorf("alarms: %v", err)
	}
	if _, err := o.Expand(0, 1<<40, 10, recur.NewBudget(recur.DefaultSteps)); !errors.Is(err, recur.ErrBudget) {
		t.Errorf("an expansion: %v", err)
	}
}

// TestAShortBudgetSpoilsNoZone: who has hardly any steps left must not keep others from a definition that is good.
func TestAShortBudgetSpoilsNoZone(t *testing.T) {
	cache := zone.NewCache(10)
	cal := calendar(t, "BEGIN:VTIMEZONE\nTZID:somewhere\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nRRULE:FREQ=YEARLY;BYMONTH=3\n"+
		"END:STANDARD\nEND:VTIMEZONE\nBEGIN:VEVENT\nUID:1\nDTSTART;TZID=somewhere:20260102T100000\nEND:VEVENT")
	for steps := range 60 {
		if _, err := Compile(cal, Options{Zones: cache, Budget: recur.NewBudget(steps)}); !errors.Is(err, recur.ErrBudget) {
			t.Fatalf("with %d steps: %v", steps, err)
		}
	}
	if _, err := Compile(cal, Options{Zones: cache}); err != nil {
		t.Errorf("with as many as it wants: %v", err)
	}
}

// TestAnObjectHasSoManyZones: real ones have a few. An object of more is too much work, never one that is not there.
func TestAnObjectHasSoManyZones(t *testing.T) {
	event := func(n int) *ical.Component {
		var zones, dates strings.Builder
		for i := range n {
			fmt.Fprintf(&zones, "BEGIN:VTIMEZONE\nTZID:z%d\nBEGIN:STANDARD\nDTSTART:20591231T000000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nRRULE:FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=31\nEND:STANDARD\nEND:VTIMEZONE\n", i)
			fmt.Fprintf(&dates, "RDATE;TZID=z%d:20700101T100000\n", i)
		}
		return calendar(t, zones.String()+"BEGIN:VEVENT\nUID:1\nDTSTART:20260101T100000Z\n"+dates.String()+"END:VEVENT")
	}
	if _, err := Compile(event(101), Options{Budget: recur.NewBudget(100_000_000)}); !errors.Is(err, recur.ErrBudget) {
		t.Errorf("101 zones: %v", err)
	}
	if _, err := Compile(event(20), Options{Budget: recur.NewBudget(100_000_000)}); err != nil {
		t.Errorf("20 zones: %v", err)
	}
}
