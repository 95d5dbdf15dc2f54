package occur

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"holdfast/internal/ical/civil"
	"holdfast/internal/ical/zone"
)

// random makes objects of all kinds of recurrence.
type random struct {
	*rand.Rand
	form string // how times are written: "", "Z", ";TZID=…", ";VALUE=DATE"
}

func (r *random) one(list ...string) string { return list[r.IntN(len(list))] }

// time writes a property with a time.
func (r *random) time(name string, t civil.Time) string {
	switch r.form {
	case ";VALUE=DATE":
		return fmt.Sprintf("%s;VALUE=DATE:%s", name, t.AppendDate(nil))
	case "Z":
		return name + ":" + t.String() + "Z"
	}
	return name + r.form + ":" + t.String()
}

func (r *random) rule() string {
	s := "RRULE:FREQ=" + r.one("DAILY", "WEEKLY", "WEEKLY", "MONTHLY", "YEARLY", "HOURLY")
	if r.IntN(3) == 0 {
		s += fmt.Sprintf(";INTERVAL=%d", 1+r.IntN(9))
	}
	switch r.IntN(4) {
	case 0:
		s += fmt.Sprintf(";COUNT=%d", 1+r.IntN(60))
	case 1:
		s += fmt.Sprintf(";UNTIL=%d%02d01T000000Z", 2020+r.IntN(12), 1+r.IntN(12))
	}
	switch r.IntN(8) {
	case 0:
		s += ";BYDAY=" + r.one("MO,WE,FR", "SU", "TU")
	case 1:
		s += ";BYMONTH=" + r.one("1", "3,10", "11,12")
	case 2:
		s += ";BYMONTHDAY=" + r.one("1", "-1", "15,31")
	}
	return s
}

func (r *random) object() string {
	r.form = r.one("Z", "", ";TZID=Europe/Berlin", ";TZID=America/New_York", ";TZID=Australia/Sydney", ";VALUE=DATE", ";VALUE=DATE")
	kind := r.one("VEVENT", "VEVENT", "VEVENT", "VTODO", "VJOURNAL")
	start := civil.Of(2018+r.IntN(9), 1+r.IntN(12), 1+r.IntN(28), r.IntN(24), r.IntN(4)*15, 0)
	if r.form == ";VALUE=DATE" {
		start = start.Midnight()
	}
	step := civil.Time(civil.Day)
	length := func() string {
		switch r.IntN(4) {
		case 0:
			return "\nDURATION:" + r.one("PT1H", "P1D", "P3DT2H", "PT0S", "P60D")
		case 1:
			name := map[string]string{"VEVENT": "DTEND", "VTODO": "DUE", "VJOURNAL": "X-END"}[kind]
			return "\n" + r.time(name, start+civil.Time(r.IntN(4))*civil.Day/2)
		}
		return ""
	}
	var b strings.Builder
	begin := func() { fmt.Fprintf(&b, "BEGIN:%s\nUID:1\n", kind) }
	begin()
	b.WriteString(r.time("DTSTART", start) + length() + "\n")
	if r.IntN(5) > 0 {
		b.WriteString(r.rule() + "\n")
	}
	for range r.IntN(3) {
		b.WriteString(r.time(r.one("EXDATE", "RDATE", "EXDATE"), start+civil.Time(r.IntN(40))*step) + "\n")
	}
	fmt.Fprintf(&b, "END:%s\n", kind)
	for i := range r.IntN(3) {
		begin()
		at := start + civil.Time(r.IntN(40)+41*i)*step
		id := r.time("RECURRENCE-ID", at)
		if r.IntN(4) == 0 {
			id = strings.Replace(id, "RECURRENCE-ID", "RECURRENCE-ID;RANGE=THISANDFUTURE", 1)
		}
		b.WriteString(id + "\n" + r.time("DTSTART", at+civil.Time(r.IntN(9)-4)*civil.Day/2) + length() + "\n")
		fmt.Fprintf(&b, "END:%s\n", kind)
	}
	return b.String()
}

// window is a range like those that clients ask for.
func (r *random) window() (from, to int64) {
	from = int64(civil.Of(2017+r.IntN(26), 1+r.IntN(12), 1, 0, 0, 0))
	if r.IntN(2) == 0 {
		from += r.Int64N(40*day) / 1800 * 1800
	}
	to = from + []int64{1, 3600, day, 7 * day, 30 * day, 31 * day, 366 * day}[r.IntN(7)]
	if r.IntN(12) == 0 {
		from = math.MinInt64
	}
	if r.IntN(12) == 0 {
		to = math.MaxInt64
	}
	return from, to
}

// What the index says is never contradicted by the object, whatever zone its floating times are read in; and what is
// found in a range is what a walk from the very beginning finds there.
func TestIndexAndRanges(t *testing.T) {
	r := random{Rand: rand.New(rand.NewPCG(7, 11))}
	var zones []zone.Zone
	cache := zone.NewCache(100)
	for _, name := range []string{"UTC", "Europe/Berlin", "Pacific/Kiritimati", "Etc/GMT+12"} {
		z, _ := cache.Named(name)
		zones = append(zones, z)
	}
	said := map[Verdict]int{}
	octets := 0
	const objects = 2000
	for n := range objects {
		body := r.object()
		o, err := Compile(calendar(t, body), Options{Zones: cache})
		if err != nil {
			t.Fatalf("%v in\n%s", err, body)
		}
		times := o.Times()
		octets += len(times.Months)
		if len(times.Months) > 128 {
			t.Errorf("%d octets for\n%s", len(times.Months), body)
		}
		o = o.In(zones[n%len(zones)])
		type seen struct{ lo, hi, start int64 }
		var all []seen
		if n%10 == 0 {
			err = o.each(math.MinInt64, at(t, "20450101T000000Z"), nil, func(i *Instance, lo, hi int64) bool {
				all = append(all, seen{lo, hi, i.Start})
				return true
			})
			if err != nil {
				all = nil
			}
		}
		for range 30 {
			from, to := r.window()
			want, err := o.Overlaps(from, to, nil)
			if err != nil {
				t.Fatalf("%v in\n%s", err, body)
			}
			v := Covers(times, from, to)
			said[v]++
			if v == Yes && !want || v == No && want {
				t.Fatalf("[%d, %d) %s to %s: the index says %d; the object %v\n%s%x", from, to, utc(max(from, 0)), utc(min(to, 1<<40)), v, want, body, times.Months)
			}
			if all == nil || to == math.MaxInt64 {
				continue
			}
			have, there := map[seen]int{}, map[seen]int{}
			for _, x := range all {
				if x.lo < to && x.hi >= from {
					there[x]++
				}
			}
			err = o.each(from, to, nil, func(i *Instance, lo, hi int64) bool { have[seen{lo, hi, i.Start}]++; return true })
			if err != nil || fmt.Sprint(have) != fmt.Sprint(there) {
				t.Fatalf("%v: from %s to %s: %v, want %v\n%s", err, utc(from), utc(to), have, there, body)
			}
		}
	}
	t.Logf("%d times no, %d times yes, %d times maybe; %d octets on average", said[No], said[Yes], said[Maybe], octets/objects)
	if said[Maybe] > (said[Yes]+said[No])/5 {
		t.Errorf("the index knows too little: %v", said)
	}
}

func TestIndexOfSimpleThings(t *testing.T) {
	for _, c := range []struct {
		body     string
		octets   int
		from, to string
		want     Verdict
	}{
		{vevent("DTSTART:20261126T090000Z", "DURATION:PT1H"), 0, "20261101T000000Z", "20261201T000000Z", Yes},
		{vevent("DTSTART:20261126T090000Z", "DURATION:PT1H"), 0, "20261126T100000Z", "20261201T000000Z", No},
		{vevent("DTSTART;VALUE=DATE:20261126"), 2, "20261101T000000Z", "20261201T000000Z", Yes},
		{vevent("DTSTART;VALUE=DATE:20261126"), 2, "20261126T000000Z", "20261127T000000Z", Maybe},
		{vevent("DTSTART;VALUE=DATE:20261126"), 2, "20261201T000000Z", "20270101T000000Z", No},
		{vevent("DTSTART;TZID=Europe/Berlin:20200101T090000", "DURATION:PT1H", "RRULE:FREQ=WEEKLY"), 17, "20261101T000000Z", "20261201T000000Z", Yes},
		{vevent("DTSTART;TZID=Europe/Berlin:20200101T090000", "DURATION:PT1H", "RRULE:FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR"), 17, "20561101T230000Z", "20561130T230000Z", Yes},
		{vevent("DTSTART;VALUE=DATE:20200101", "RRULE:FREQ=YEARLY"), 67, "20261101T000000Z", "20261201T000000Z", No},
		{vevent("DTSTART;VALUE=DATE:20200101", "RRULE:FREQ=YEARLY"), 67, "20261215T000000Z", "20270115T000000Z", Yes},
		{vevent("DTSTART;VALUE=DATE:20200101", "RRULE:FREQ=YEARLY"), 67, "20501215T000000Z", "20510115T000000Z", Maybe},
		{vevent("DTSTART:20200115T090000Z", "RRULE:FREQ=MONTHLY"), 100, "20261031T230000Z", "20261130T230000Z", Yes},
		{vevent("DTSTART:20200115T090000Z", "RRULE:FREQ=WEEKLY;COUNT=10"), 28, "20200301T000000Z", "20200401T000000Z", Yes},
		{vevent("DTSTART:20200115T090000Z", "RRULE:FREQ=WEEKLY;COUNT=10"), 28, "20200319T000000Z", "20200401T000000Z", No},
		{"BEGIN:VTODO\nUID:1\nEND:VTODO", 0, "20200319T000000Z", "20200401T000000Z", Yes},
		{"BEGIN:VJOURNAL\nUID:1\nEND:VJOURNAL", 0, "-", "+", No},
		{vevent("DTSTART:00010101T000000Z", "RRULE:FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30"), 10, "20200319T000000Z", "20200401T000000Z", Maybe},
	} {
		times := compile(t, "", c.body).Times()
		if got := Covers(times, at(t, c.from), at(t, c.to)); got != c.want || len(times.Months) != c.octets {
			t.Errorf("%q from %s to %s: %d with %d octets, want %d with %d", c.body, c.from, c.to, got, len(times.Months), c.want, c.octets)
		}
	}
}

// What is not an index of this version says nothing.
func TestForeignIndex(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 20000 {
		b := make([]byte, 1+r.IntN(40))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		if r.IntN(2) == 0 {
			b[0] = version
		}
		v := Covers(Times{true, 0, math.MaxInt64, b}, 1000, 2000)
		if b[0] != version && v != Maybe {
			t.Fatalf("%x: %d", b, v)
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	cache := zone.NewCache(100)
	cal := calendar(b, vevent("DTSTART;TZID=Europe/Berlin:20261126T090000", "DTEND;TZID=Europe/Berlin:20261126T100000", "SUMMARY:x"))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compile(cal, Options{Zones: cache}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTimes(b *testing.B) {
	for _, rule := range []string{"", "RRULE:FREQ=WEEKLY", "RRULE:FREQ=WEEKLY;COUNT=30", "RRULE:FREQ=MONTHLY", "RRULE:FREQ=YEARLY", "RRULE:FREQ=DAILY;BYMONTH=3"} {
		b.Run(rule, func(b *testing.B) {
			o, err := Compile(calendar(b, vevent("DTSTART;TZID=Europe/Berlin:20261126T090000", "DTEND;TZID=Europe/Berlin:20261126T100000", rule)), Options{})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				o.Times()
			}
		})
	}
}

func BenchmarkMonth(b *testing.B) {
	o, err := Compile(calendar(b, vevent("DTSTART;TZID=Europe/Berlin:19701126T090000", "DTEND;TZID=Europe/Berlin:19701126T100000", "RRULE:FREQ=WEEKLY")), Options{})
	if err != nil {
		b.Fatal(err)
	}
	from, to := at(b, "20261101T000000Z"), at(b, "20261201T000000Z")
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		o.Instances(from, to, nil, func(*Instance) bool { n++; return true })
		if n != 4 {
			b.Fatal(n)
		}
	}
}

func BenchmarkCovers(b *testing.B) {
	o, err := Compile(calendar(b, vevent("DTSTART;TZID=Europe/Berlin:20201126T090000", "DTEND;TZID=Europe/Berlin:20201126T100000", "RRULE:FREQ=MONTHLY")), Options{})
	if err != nil {
		b.Fatal(err)
	}
	times, from, to := o.Times(), at(b, "20261101T000000Z"), at(b, "20261201T000000Z")
	b.ReportAllocs()
	for b.Loop() {
		Covers(times, from, to)
	}
}
