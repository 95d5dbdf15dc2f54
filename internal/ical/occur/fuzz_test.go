package occur

import (
	"math"
	"math/rand/v2"
	"testing"

	"holdfast/internal/ical"
	"holdfast/internal/ical/recur"
	"holdfast/internal/ical/zone"
)

// Whatever can be compiled answers within its budget, and its index is not contradicted.
func FuzzCompile(f *testing.F) {
	r := random{Rand: rand.New(rand.NewPCG(2, 3))}
	for range 20 {
		f.Add(r.object(), int64(1793000000), int64(1796000000), r.IntN(2) == 0)
	}
	f.Add(abcd2, int64(math.MinInt64), int64(math.MaxInt64), false)
	f.Add("BEGIN:VAVAILABILITY\nUID:1\nDTEND:20261102T000000Z\nBEGIN:AVAILABLE\nDTSTART:20261102T000000Z\nDURATION:P1W\nEND:AVAILABLE\nEND:VAVAILABILITY", int64(0), int64(1), true)
	f.Add("BEGIN:VFREEBUSY\nDTSTART:20261102T000000Z\nFREEBUSY:20261101T090000Z/PT1H\nEND:VFREEBUSY", int64(0), int64(1), true)
	far, _ := zone.Named("Pacific/Kiritimati")
	f.Fuzz(func(t *testing.T, body string, from, to int64, floating bool) {
		cal, err := ical.Parse([]byte("BEGIN:VCALENDAR\n"+body+"\nEND:VCALENDAR\n"), ical.Limits{})
		if err != nil {
			return
		}
		o, err := Compile(cal, Options{Budget: recur.NewBudget(20000)})
		if err != nil {
			return
		}
		times := o.Times()
		if floating {
			o = o.In(far)
		}
		got, err := o.Overlaps(from, to, recur.NewBudget(20000))
		if v := Covers(times, from, to); err == nil && (v == Yes && !got || v == No && got) || err != nil && v == No && got {
			t.Fatalf("the index says %d, the object %v", v, got)
		}
		if out, err := o.Expand(from, to, 50, recur.NewBudget(20000)); err == nil && (out != nil) != got {
			t.Fatalf("overlaps %v, but %v", got, out)
		}
		o.LimitRecurrenceSet(from, to, nil)
		o.LimitFreebusySet(from, to)
		b := NewBusy(1793000000, 1796000000)
		b.Add(o, recur.NewBudget(20000))
		if again, err := ical.Parse(b.Calendar(0, "x").Append(nil), ical.Limits{}); err != nil {
			t.Fatal(err, again)
		}
		for _, c := range cal.Children {
			o.ComponentOverlaps(c, from, to, recur.NewBudget(20000))
			for _, a := range c.Children {
				o.AlarmOverlaps(c, a, from, to, recur.NewBudget(20000))
			}
			for i := range c.Lines {
				o.PropertyOverlaps(&c.Lines[i], from, to, recur.NewBudget(20000))
			}
		}
	})
}
