package occur

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/internal/ical"
	"holdfast/internal/ical/civil"
	"holdfast/internal/ical/zone"
)

// An oracle for events in zones: it lists every instance from the first one on, asks package time for what the clocks
// show, and shares nothing with this package but civil.Time.

// A recurring event as the oracle knows it; text writes the same as a calendar.
type series struct {
	loc      *time.Location
	form     string // "zone": named, "own": with a definition of its own under a strange name, "floating", "date"
	start    civil.Time
	freq     string
	interval int
	count    int
	until    int64 // instant; 0: none
	untilDay bool  // it is written as a date
	byDay    []time.Weekday
	byMonth  []int
	byHour   []int
	monthDay int

	dtend     int64 // an exact length in seconds; 0: days and seconds of DURATION are there
	days      int64
	seconds   int64
	rdates    []rdate
	exdates   []exdate
	overrides []change
}

type rdate struct {
	at   civil.Time
	utc  bool
	long int64 // a period so long; 0: none
}

type exdate struct {
	at   civil.Time
	form string // "same", "utc", "date"
}

type change struct {
	original civil.Time
	utc      bool
	start    civil.Time
	days     int64
	seconds  int64
	future   bool
}

type occasion struct{ start, end int64 }

// clocks gives all instants at which the clocks of a place show t, the first one first.
func clocks(loc *time.Location, t civil.Time) (all []int64) {
	seen := map[int64]bool{}
	for h := -30; h <= 30; h++ { // offsets that hold within a day or so
		_, offset := time.Unix(int64(t)+int64(h)*3600, 0).In(loc).Zone()
		at := int64(t) - int64(offset)
		if _, is := time.Unix(at, 0).In(loc).Zone(); is == offset && !seen[at] {
			seen[at] = true
			all = append(all, at)
		}
	}
	slices.Sort(all)
	return all
}

// instant reads a time by section 3.3.5: the first of two, and by the offset before the gap if there is none.
func instant(loc *time.Location, t civil.Time) int64 {
	if all := clocks(loc, t); len(all) > 0 {
		return all[0]
	}
	// Go back to the last second that the clocks showed before they skipped t.
	for back := civil.Time(1); ; back++ {
		if all := clocks(loc, t-back*900); len(all) > 0 {
			return all[len(all)-1] + int64(back)*900
		}
	}
}

func shown(loc *time.Location, at int64) civil.Time {
	_, offset := time.Unix(at, 0).In(loc).Zone()
	return civil.Time(at + int64(offset))
}

// walls lists what the rule gives on the clock, DTSTART included, before a time.
func (s *series) walls(before civil.Time) (all []civil.Time) {
	zoned := s.form == "zone" || s.form == "own"
	take := func(t civil.Time) bool {
		if t < s.start || t >= before {
			return t < before
		}
		if zoned && len(clocks(s.loc, t)) == 0 {
			return true // section 3.3.10: ignored, and not counted
		}
		if s.until != 0 && s.at(t) > s.until {
			return false
		}
		all = append(all, t)
		return true
	}
	switch s.freq {
	case "":
	case "HOURLY":
		for t := s.start; take(t); t += civil.Time(s.interval) * 3600 {
		}
	default:
		first := time.Unix(int64(s.start), 0).UTC()
		for day := first.AddDate(0, 0, -7); ; day = day.AddDate(0, 0, 1) {
			if civil.Time(day.Unix()) > before+civil.Day {
				break
			}
			if !s.onDay(day, first) {
				continue
			}
			hours := s.byHour
			if hours == nil {
				hours = []int{first.Hour()}
			}
			for _, h := range hours {
				take(civil.Time(time.Date(day.Year(), day.Month(), day.Day(), h, first.Minute(), 0, 0, time.UTC).Unix()))
			}
		}
	}
	if len(all) == 0 || all[0] != s.start {
		all = append([]civil.Time{s.start}, all...)
	}
	if s.count > 0 && len(all) > s.count {
		all = all[:s.count]
	}
	return all
}

func (s *series) onDay(day, first time.Time) bool {
	week := func(t time.Time) int64 { return (t.Unix()/civil.Day + 3) / 7 }
	months := func(t time.Time) int { return t.Year()*12 + int(t.Month()) }
	if s.byMonth != nil && !slices.Contains(s.byMonth, int(day.Month())) {
		return false
	}
	if s.byDay != nil && !slices.Contains(s.byDay, day.Weekday()) {
		return false
	}
	last := day.AddDate(0, 1, -day.Day()).Day()
	if s.monthDay != 0 && day.Day() != s.monthDay && day.Day()-last-1 != s.monthDay {
		return false
	}
	switch s.freq {
	case "DAILY":
		return int(day.Unix()/civil.Day-first.Unix()/civil.Day)%s.interval == 0
	case "WEEKLY":
		return int(week(day)-week(first))%s.interval == 0 && (s.byDay != nil || day.Weekday() == first.Weekday())
	case "MONTHLY":
		return (months(day)-months(first))%s.interval == 0 && (s.byDay != nil || s.monthDay != 0 || day.Day() == first.Day())
	}
	return (day.Year()-first.Year())%s.interval == 0 && (s.byDay != nil || s.monthDay != 0 || day.Day() == first.Day()) &&
		(s.byMonth != nil || s.byDay != nil || s.monthDay != 0 || day.Month() == first.Month())
}

func (s *series) at(t civil.Time) int64 { return instant(s.loc, t) }

// end gives the end of an instance: an exact length by DTEND, days by the clock and seconds by DURATION (section 3.8.5.3).
func (s *series) end(t civil.Time, at int64) int64 {
	if s.form == "date" {
		return s.at(t + civil.Time(s.days)*civil.Day)
	}
	if s.dtend != 0 {
		return at + s.dtend
	}
	if s.days == 0 {
		return at + s.seconds
	}
	return s.at(t+civil.Time(s.days)*civil.Day) + s.seconds
}

// shownAs is what the clocks show at a time that may not exist; of a date, the date.
func (s *series) shownAs(t civil.Time) civil.Time {
	if s.form == "date" {
		return t
	}
	return shown(s.loc, s.at(t))
}

func (s *series) changedEnd(c *change, wall civil.Time, at int64) int64 {
	if c.days == 0 {
		return at + c.seconds
	}
	return s.at(wall+civil.Time(c.days)*civil.Day) + c.seconds
}

// occasions lists everything, before a time.
func (s *series) occasions(before civil.Time) []occasion {
	type first struct {
		wall civil.Time
		long int64
	}
	set := map[int64]first{}
	for _, t := range s.walls(before) {
		if _, ok := set[s.at(t)]; !ok { // a floating time that the clocks skip can fall on the one after it
			set[s.at(t)] = first{t, 0}
		}
	}
	for _, r := range s.rdates {
		if was, ok := set[s.at(r.at)]; !ok {
			set[s.at(r.at)] = first{r.at, r.long}
		} else if r.long != 0 {
			set[s.at(r.at)] = first{was.wall, r.long}
		}
	}
	for _, x := range s.exdates {
		for at, f := range set {
			if x.form == "date" && f.wall.Midnight() == x.at.Midnight() || at == s.at(x.at) {
				delete(set, at)
			}
		}
	}
	var out []occasion
	for at, f := range set {
		var future *change
		replaced := false
		for i := range s.overrides {
			c := &s.overrides[i]
			replaced = replaced || s.at(c.original) == at
			if c.future && at >= s.at(c.original) && (future == nil || s.at(c.original) > s.at(future.original)) {
				future = c
			}
		}
		switch {
		case replaced:
		case future != nil:
			wall := f.wall + future.start - s.shownAs(future.original)
			begin := s.at(wall)
			out = append(out, occasion{begin, s.changedEnd(future, wall, begin)})
		case f.long != 0:
			out = append(out, occasion{at, at + f.long})
		default:
			out = append(out, occasion{at, s.end(f.wall, at)})
		}
	}
	for _, c := range s.overrides {
		out = append(out, occasion{s.at(c.start), s.changedEnd(&c, c.start, s.at(c.start))})
	}
	slices.SortFunc(out, func(a, b occasion) int { return slices.Compare([]int64{a.start, a.end}, []int64{b.start, b.end}) })
	return out
}

const strange = "Somewhere 7"

func (s *series) write(name string, t civil.Time) string {
	switch s.form {
	case "zone":
		return fmt.Sprintf("%s;TZID=%v:%v\n", name, s.loc, t)
	case "own":
		return fmt.Sprintf("%s;TZID=%s:%v\n", name, strange, t)
	case "date":
		return fmt.Sprintf("%s;VALUE=DATE:%s\n", name, t.AppendDate(nil))
	}
	return fmt.Sprintf("%s:%v\n", name, t)
}

// text writes the event.
func (s *series) text() string {
	var b strings.Builder
	if s.form == "own" {
		b.WriteString(definition(s.loc))
	}
	b.WriteString("BEGIN:VEVENT\nUID:1\n" + s.write("DTSTART", s.start))
	switch {
	case s.form == "date":
		b.WriteString(s.write("DTEND", s.start+civil.Time(s.days)*civil.Day))
	case s.dtend != 0:
		fmt.Fprintf(&b, "DTEND:%vZ\n", civil.Time(s.at(s.start)+s.dtend))
	case s.days == 0 && s.seconds == 0: // a point in time
	case s.days != 0:
		fmt.Fprintf(&b, "DURATION:P%dDT%dS\n", s.days, s.seconds)
	default:
		fmt.Fprintf(&b, "DURATION:PT%dS\n", s.seconds)
	}
	if s.freq != "" {
		b.WriteString(s.rule())
	}
	for _, r := range s.rdates {
		switch {
		case r.long != 0 && r.utc:
			fmt.Fprintf(&b, "RDATE;VALUE=PERIOD:%vZ/%vZ\n", civil.Time(s.at(r.at)), civil.Time(s.at(r.at)+r.long))
		case r.long != 0:
			line := strings.TrimSuffix(s.write("RDATE", r.at), "\n")
			line = strings.Replace(line, "RDATE", "RDATE;VALUE=PERIOD", 1)
			fmt.Fprintf(&b, "%s/PT%dS\n", line, r.long)
		case r.utc:
			fmt.Fprintf(&b, "RDATE:%vZ\n", civil.Time(s.at(r.at)))
		default:
			b.WriteString(s.write("RDATE", r.at))
		}
	}
	for _, x := range s.exdates {
		switch x.form {
		case "utc":
			fmt.Fprintf(&b, "EXDATE:%vZ\n", civil.Time(s.at(x.at)))
		case "date":
			fmt.Fprintf(&b, "EXDATE;VALUE=DATE:%s\n", x.at.AppendDate(nil))
		default:
			b.WriteString(s.write("EXDATE", x.at))
		}
	}
	b.WriteString("END:VEVENT\n")
	for _, c := range s.overrides {
		id := s.write("RECURRENCE-ID", c.original)
		if c.utc {
			id = fmt.Sprintf("RECURRENCE-ID:%vZ\n", civil.Time(s.at(c.original)))
		}
		if c.future {
			id = strings.Replace(id, "RECURRENCE-ID", "RECURRENCE-ID;RANGE=THISANDFUTURE", 1)
		}
		duration := fmt.Sprintf("P%dDT%dS", c.days, c.seconds)
		if s.form == "date" {
			duration = fmt.Sprintf("P%dD", c.days)
		}
		fmt.Fprintf(&b, "BEGIN:VEVENT\nUID:1\n%s%sDURATION:%s\nEND:VEVENT\n", id, s.write("DTSTART", c.start), duration)
	}
	return b.String()
}

func (s *series) rule() string {
	r := fmt.Sprintf("RRULE:FREQ=%s;INTERVAL=%d", s.freq, s.interval)
	if s.count > 0 {
		r += fmt.Sprintf(";COUNT=%d", s.count)
	}
	if s.until != 0 {
		form := s.form
		if s.untilDay {
			form = "date"
		}
		switch form {
		case "date":
			r += fmt.Sprintf(";UNTIL=%s", shown(s.loc, s.until).AppendDate(nil))
		case "floating":
			r += fmt.Sprintf(";UNTIL=%v", shown(s.loc, s.until))
		default:
			r += fmt.Sprintf(";UNTIL=%vZ", civil.Time(s.until))
		}
	}
	if s.byDay != nil {
		var names []string
		for _, d := range s.byDay {
			names = append(names, strings.ToUpper(d.String()[:2]))
		}
		r += ";BYDAY=" + strings.Join(names, ",")
	}
	for name, list := range map[string][]int{"BYMONTH": s.byMonth, "BYHOUR": s.byHour} {
		if list != nil {
			r += ";" + name + "=" + strings.Trim(strings.ReplaceAll(fmt.Sprint(list), " ", ","), "[]")
		}
	}
	if s.monthDay != 0 {
		r += fmt.Sprintf(";BYMONTHDAY=%d", s.monthDay)
	}
	return r + "\n"
}

// definition writes what the clocks of a place did from 1990 to 2050, change by change.
func definition(loc *time.Location) string {
	var b strings.Builder
	b.WriteString("BEGIN:VTIMEZONE\nTZID:" + strange + "\n")
	offset := func(seconds int) string {
		sign := '+'
		if seconds < 0 {
			sign, seconds = '-', -seconds
		}
		return fmt.Sprintf("%c%02d%02d%02d", sign, seconds/3600, seconds/60%60, seconds%60)
	}
	at := time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC).In(loc)
	_, was := at.Zone()
	part := func(start civil.Time, from, to int) {
		fmt.Fprintf(&b, "BEGIN:STANDARD\nDTSTART:%v\nTZOFFSETFROM:%s\nTZOFFSETTO:%s\nEND:STANDARD\n", start, offset(from), offset(to))
	}
	part(civil.Time(at.Unix()+int64(was)), was, was)
	for {
		_, next := at.ZoneBounds()
		if next.IsZero() || next.Year() > 2050 {
			break
		}
		if !next.After(at) { // package time is wrong about the last day of leap years
			at = at.Add(24 * time.Hour)
			continue
		}
		_, is := next.Zone()
		part(civil.Time(next.Unix()+int64(was)), was, is)
		at, was = next, is
	}
	return b.String() + "END:VTIMEZONE\n"
}

var places = []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Africa/Casablanca", "Pacific/Apia", "Europe/Dublin",
	"America/St_Johns", "Asia/Kolkata", "America/Sao_Paulo", "Antarctica/Troll", "Asia/Tehran", "Africa/Cairo", "Pacific/Chatham", "Atlantic/Azores", "America/Caracas"}

// randomSeries makes an event that begins shortly before the clocks of some place are changed, and about that time of day.
func randomSeries(r *rand.Rand) *series {
	loc, err := time.LoadLocation(places[r.IntN(len(places))])
	if err != nil {
		panic(err)
	}
	s := &series{loc: loc, form: []string{"zone", "own", "zone", "own", "floating", "date"}[r.IntN(6)], interval: 1}
	at := time.Date(2004+r.IntN(22), time.Month(1+r.IntN(12)), 1+r.IntN(28), 0, 0, 0, 0, time.UTC).In(loc)
	if _, next := at.ZoneBounds(); !next.IsZero() && next.Year() < 2030 {
		at = next
	}
	_, offset := at.Zone()
	s.start = civil.Time(at.Unix()+int64(offset)) + civil.Time(r.IntN(13)-8)*900 - civil.Time(r.IntN(9))*civil.Day
	s.start -= s.start % 60
	if r.IntN(4) == 0 {
		s.start -= 182 * civil.Day
	}
	if s.form == "date" {
		s.start = s.start.Midnight()
	}
	s.freq = []string{"DAILY", "DAILY", "WEEKLY", "WEEKLY", "MONTHLY", "YEARLY", "HOURLY", ""}[r.IntN(8)]
	if (s.form == "date" || s.form == "floating") && s.freq == "HOURLY" {
		s.freq = "DAILY" // of floating hours that the clocks skip, several can fall on one that they show
	}
	if r.IntN(3) == 0 {
		s.interval = 1 + r.IntN(4)
	}
	if s.freq != "HOURLY" && s.freq != "" {
		if r.IntN(3) == 0 {
			for range 1 + r.IntN(3) {
				s.byDay = append(s.byDay, time.Weekday(r.IntN(7)))
			}
		}
		if r.IntN(5) == 0 {
			s.byMonth = []int{1 + r.IntN(6), 7 + r.IntN(6)}
		}
		if r.IntN(5) == 0 && s.freq != "WEEKLY" {
			s.monthDay = []int{1, 15, 29, 31, -1, -2}[r.IntN(6)]
		}
		if r.IntN(5) == 0 && s.form != "date" {
			s.byHour = []int{0, 1, 2, 3, 23}[r.IntN(4):]
		}
	}
	s.length(r)
	s.ends(r)
	s.changes(r)
	return s
}

func (s *series) length(r *rand.Rand) {
	switch {
	case s.form == "date":
		s.days = 1 + r.Int64N(3)
	case r.IntN(3) == 0 && s.form != "floating":
		s.dtend = 900 * (1 + r.Int64N(200))
	case r.IntN(6) == 0:
	case r.IntN(2) == 0:
		s.days, s.seconds = r.Int64N(3), 900*(1+r.Int64N(20))
	default:
		s.seconds = 900 * (1 + r.Int64N(200))
	}
}

func (s *series) ends(r *rand.Rand) {
	switch r.IntN(4) {
	case 0:
		s.count = 1 + r.IntN(40)
	case 1:
		t := s.start + civil.Time(r.IntN(300))*civil.Day
		if s.form != "date" {
			t += civil.Time(r.IntN(5)-2) * 900
		}
		if all := clocks(s.loc, t); len(all) > 0 {
			s.until = all[r.IntN(len(all))] // where the clocks show it twice, either
			if s.form == "date" || s.form == "floating" {
				s.until = all[0]
			}
		}
		if last := t.Midnight() + civil.Day - 1; s.until != 0 && r.IntN(4) == 0 && len(clocks(s.loc, last)) == 1 {
			s.until, s.untilDay = s.at(last), true
		}
	}
}

// changes adds dates, exceptions and overrides, mostly to instances that there are.
func (s *series) changes(r *rand.Rand) {
	all := s.walls(s.start + 400*civil.Day)
	some := func() civil.Time {
		t := all[r.IntN(len(all))]
		if r.IntN(4) == 0 {
			t += civil.Time(r.IntN(3)-1) * 3600
		}
		if s.form == "date" {
			t = t.Midnight()
		}
		return t
	}
	zoned := s.form == "zone" || s.form == "own"
	for range r.IntN(3) {
		x := exdate{some(), "same"}
		if zoned && r.IntN(3) == 0 {
			x.form = "utc"
		} else if r.IntN(6) == 0 {
			x.form = "date"
		}
		s.exdates = append(s.exdates, x)
	}
	for range r.IntN(3) {
		d := rdate{at: some() + civil.Time(r.IntN(48))*1800, utc: zoned && r.IntN(3) == 0}
		if s.form == "date" {
			d.at = d.at.Midnight()
		} else if r.IntN(3) == 0 {
			d.long = 900 * (1 + r.Int64N(400))
		}
		if !slices.ContainsFunc(s.rdates, func(o rdate) bool { return s.at(o.at) == s.at(d.at) }) {
			s.rdates = append(s.rdates, d)
		}
	}
	for range r.IntN(4) {
		c := change{original: some(), utc: zoned && r.IntN(3) == 0, seconds: 900 * (1 + r.Int64N(100)), future: r.IntN(4) == 0}
		c.start = c.original + civil.Time(r.IntN(40)-20)*1800
		if c.days = r.Int64N(3); s.form == "date" {
			c.start, c.days, c.seconds = c.original+civil.Time(r.IntN(9)-4)*civil.Day, 1+r.Int64N(3), 0
		}
		if zoned && len(clocks(s.loc, c.original)) == 0 {
			continue
		}
		if !slices.ContainsFunc(s.overrides, func(o change) bool { return s.at(o.original) == s.at(c.original) }) {
			s.overrides = append(s.overrides, c)
		}
	}
}

// Thousands of events about the times at which clocks are changed, all over the world.
func TestSeriesAgreeWithBruteForce(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 4791))
	cache := zone.NewCache(200)
	instances, series := 0, ruleCount(t, 400)
	for range series {
		s := randomSeries(r)
		text := s.text()
		floating, _ := cache.Named(s.loc.String())
		o, err := Compile(calendar(t, text), Options{Zones: cache, Floating: floating})
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		times := o.Times()
		before := s.start + 500*civil.Day
		all := s.occasions(before)
		for n := range 8 {
			from := int64(s.start) + r.Int64N(400*civil.Day) - 5*civil.Day
			to := from + []int64{1, 3600, civil.Day, 31 * civil.Day}[r.IntN(4)]
			if n == 0 {
				from, to = math.MinInt64, int64(before)-40*civil.Day
			}
			if to > int64(before)-40*civil.Day { // moved ones are no longer than that
				continue
			}
			var want []occasion
			for _, x := range all {
				if x.start < to && (x.end > from || x.start == x.end && x.start >= from) {
					want = append(want, x)
				}
			}
			got := []occasion{}
			err := o.Instances(from, to, nil, func(i *Instance) bool {
				got = append(got, occasion{i.Start, i.End})
				return true
			})
			slices.SortFunc(got, func(a, b occasion) int { return slices.Compare([]int64{a.start, a.end}, []int64{b.start, b.end}) })
			if err != nil || !slices.Equal(got, want) {
				t.Fatalf("%v, %v, %s to %s: %v\ngot  %v\nwant %v\n%s", s.loc, s.form, utc(max(from, 0)), utc(to), err, occasions(s.loc, got, want), occasions(s.loc, want, got), text)
			}
			if v := Covers(times, from, to); v == Yes && len(want) == 0 || v == No && len(want) > 0 {
				t.Fatalf("%s to %s: the index says %d, and there are %d\n%s", utc(max(from, 0)), utc(to), v, len(want), text)
			}
			if n > 0 && s.form != "date" {
				if got := expanded(t, o, from, to); !slices.Equal(got, want) {
					t.Fatalf("%v, %v, %s to %s, expanded:\ngot  %v\nwant %v\n%s", s.loc, s.form, utc(from), utc(to), occasions(s.loc, got, want), occasions(s.loc, want, got), text)
				}
			}
			instances += len(want)
		}
	}
	t.Logf("%d events, %d instances", series, instances)
	if instances < 20*series {
		t.Error("hardly any instances")
	}
}

// expanded reads what Expand writes, in which all times are UTC.
func expanded(t *testing.T, o *Object, from, to int64) []occasion {
	cal, err := o.Expand(from, to, 1000, nil)
	if err != nil {
		t.Fatal(err)
	}
	list := []occasion{}
	if cal == nil {
		return list
	}
	seen := map[string]bool{}
	for _, c := range cal.Children {
		id := ""
		if l := c.Prop("RECURRENCE-ID"); l != nil {
			id = l.Value
		}
		if seen[id] || c.Prop("RRULE") != nil || c.Prop("RDATE") != nil || c.Prop("EXDATE") != nil {
			t.Errorf("%s stands twice, or recurs", id)
		}
		seen[id] = true
		x := occasion{start: at(t, c.Prop("DTSTART").Value)}
		x.end = x.start
		if l := c.Prop("DTEND"); l != nil {
			x.end = at(t, l.Value)
		} else if l := c.Prop("DURATION"); l != nil {
			d, ok := ical.ParseDuration(l.Value)
			if !ok {
				t.Fatal(l.Value)
			}
			x.end += d.Days*civil.Day + d.Seconds
		}
		list = append(list, x)
	}
	slices.SortFunc(list, func(a, b occasion) int { return slices.Compare([]int64{a.start, a.end}, []int64{b.start, b.end}) })
	return list
}

// occasions writes those of a list that another one has not.
func occasions(loc *time.Location, list, not []occasion) string {
	var b strings.Builder
	for _, x := range list {
		if !slices.Contains(not, x) && b.Len() < 1000 {
			fmt.Fprintf(&b, "%s – %s; ", time.Unix(x.start, 0).In(loc).Format("2006-01-02 15:04:05 -07:00"), time.Unix(x.end, 0).In(loc).Format("2006-01-02 15:04:05 -07:00"))
		}
	}
	return b.String()
}

// ruleCount says how many random events to try: HOLDFAST_RULES, or what a quick run needs.
func ruleCount(t *testing.T, quick int) int {
	if n, err := strconv.Atoi(os.Getenv("HOLDFAST_RULES")); err == nil && n > 0 {
		return n
	}
	if testing.Short() {
		return quick / 4
	}
	return quick
}
