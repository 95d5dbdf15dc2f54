package caldav_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// sample is a random event, and when it takes place by plain reckoning.
type sample struct {
	body  string
	spans [][2]time.Time
}

// draw makes an event: at an instant, in a zone, floating or of whole days; once, or by a rule with exceptions and an override. Floating times are read in UTC,
// as the calendar says nothing of a zone.
func draw(r *rand.Rand, uid string) sample {
	zones := []string{"UTC", "Europe/Vienna", "America/New_York", "Australia/Sydney", ""}
	zone := zones[r.IntN(len(zones))]
	loc := time.UTC
	if zone != "" {
		var err error
		if loc, err = time.LoadLocation(zone); err != nil {
			panic(err)
		}
	}
	start := time.Date(2025, 1, 1+r.IntN(700), r.IntN(24), 15*r.IntN(4), 0, 0, loc)
	length := time.Duration(r.IntN(12)) * 20 * time.Minute
	if r.IntN(8) == 0 {
		length = time.Duration(r.IntN(40)) * 6 * time.Hour
	}
	allDay := zone == "" && r.IntN(2) == 0
	if allDay {
		start = time.Date(start.Year(), start.Month(), start.Day(), 0, 0, 0, 0, loc)
		length = time.Duration(1+r.IntN(4)) * 24 * time.Hour
	}
	write := func(name string, t time.Time) string {
		switch {
		case allDay:
			return name + ";VALUE=DATE:" + t.Format("20060102")
		case zone == "UTC":
			return name + ":" + t.Format("20060102T150405Z")
		case zone == "":
			return name + ":" + t.Format("20060102T150405")
		}
		return name + ";TZID=" + zone + ":" + t.Format("20060102T150405")
	}
	duration := fmt.Sprintf("DURATION:PT%dM", int(length.Minutes()))
	if allDay {
		duration = fmt.Sprintf("DURATION:P%dD", int(length.Hours()/24))
	}
	lines := []string{"BEGIN:VEVENT", "UID:" + uid, write("DTSTART", start), duration}
	starts := []time.Time{start}
	if r.IntN(2) == 0 {
		starts, lines = recurring(r, start, lines, write)
	}
	out := sample{}
	moved := -1
	if len(starts) > 2 && r.IntN(3) == 0 {
		moved = 1 + r.IntN(min(len(starts)-1, 30))
	}
	lines = append(lines, "END:VEVENT")
	for i, s := range starts {
		if i == moved {
			to := s.AddDate(0, 0, r.IntN(9)-4)
			lines = append(lines, "BEGIN:VEVENT", "UID:"+uid, write("RECURRENCE-ID", s), write("DTSTART", to), duration, "END:VEVENT")
			s = to
		}
		out.spans = append(out.spans, [2]time.Time{s, s.Add(length)})
	}
	out.body = ics(lines...)
	return out
}

// recurring draws a rule whose instances a plain loop finds, and some exceptions.
func recurring(r *rand.Rand, start time.Time, lines []string, write func(string, time.Time) string) ([]time.Time, []string) {
	freq := []string{"DAILY", "WEEKLY", "MONTHLY", "YEARLY"}[r.IntN(4)]
	interval, count := 1+r.IntN(3), 2+r.IntN(60)
	rule := fmt.Sprintf("RRULE:FREQ=%s;INTERVAL=%d", freq, interval)
	if endless := r.IntN(3) == 0; endless {
		count = 4000 // more than there are days in the range that is asked about
	} else {
		rule += fmt.Sprintf(";COUNT=%d", count)
	}
	var starts []time.Time
	h, m, s := start.Clock()
	for i := 0; len(starts) < count && i < 5000; i++ {
		y, mo, d := start.Date()
		switch freq {
		case "DAILY":
			d += i * interval
		case "WEEKLY":
			d += 7 * i * interval
		case "MONTHLY":
			mo += time.Month(i * interval)
		case "YEARLY":
			y += i * interval
		}
		t := time.Date(y, mo, d, h, m, s, 0, start.Location())
		if t.Year() > 2035 {
			break
		}
		if hh, mm, _ := t.Clock(); hh != h || mm != m || (freq == "MONTHLY" || freq == "YEARLY") && t.Day() != start.Day() {
			continue // the clocks skip this time, or the month has no such day: not an instance
		}
		starts = append(starts, t)
	}
	lines = append(lines, rule)
	for range r.IntN(3) {
		if i := 1 + r.IntN(min(len(starts), 20)); i < len(starts) {
			lines = append(lines, write("EXDATE", starts[i]))
			starts = slices.Delete(starts, i, i+1)
		}
	}
	return starts, lines
}

// overlaps is RFC 4791 section 9.9 for events.
func (x sample) overlaps(from, to time.Time) bool {
	return slices.ContainsFunc(x.spans, func(s [2]time.Time) bool {
		if s[0].Equal(s[1]) {
			return !from.After(s[0]) && to.After(s[0])
		}
		return from.Before(s[1]) && to.After(s[0])
	})
}

// TestQueryByBruteForce compares time ranges over random events with a plain loop over all instances.
func TestQueryByBruteForce(t *testing.T) {
	s := newServer(t)
	r := rand.New(rand.NewPCG(1, 2026))
	samples := map[string]sample{}
	for i := range 400 {
		name := fmt.Sprintf("e%03d", i)
		samples[name] = draw(r, name)
		s.put(s.events+name+".ics", samples[name].body)
	}
	found := 0
	for i := range 300 {
		from := time.Date(2024, 12, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(r.IntN(3*365*24*60)) * time.Minute)
		to := from.Add(time.Duration(1+r.IntN(60)) * time.Hour)
		switch {
		case i%3 == 0:
			from = time.Date(from.Year(), from.Month(), 1, 0, 0, 0, 0, time.UTC)
			to = from.AddDate(0, 1, 0)
		case i%3 == 1:
			to = from.AddDate(0, r.IntN(3), 1+r.IntN(20))
		}
		var want []string
		for name, x := range samples {
			if x.overlaps(from, to) {
				want = append(want, name)
			}
		}
		slices.Sort(want)
		prop := `<prop><getetag/></prop>`
		if i%2 == 0 {
			prop = plain
		}
		got := strings.Fields(names(s.Report(s.events, query(prop, during("VEVENT", from.Format("20060102T150405Z"), to.Format("20060102T150405Z"))), "Depth: 1")))
		if slices.Equal(got, want) {
			found += len(got)
			continue
		}
		for name, x := range samples {
			if in := slices.Contains(got, name); in != slices.Contains(want, name) {
				t.Fatalf("%v to %v: found is %v\n%s", from, to, in, x.body)
			}
		}
	}
	if found < 5000 {
		t.Errorf("only %d matches were compared", found)
	}
}
