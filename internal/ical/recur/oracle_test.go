package recur

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"holdfast/internal/ical/civil"
)

// Two libraries in wide use follow the same random rules: dateutil (Python) and
// libical (C, which Evolution and KOrganizer have in them). Where they and this
// package do not agree, RFC 5545 decides, and the reason stands here.

// python is the interpreter that Debian's packages are for.
const python = "/usr/bin/python3"

// query is one rule that the libraries are asked about.
type query struct {
	r    *Rule
	o    Options
	last civil.Time
}

const most = 40

// ask has a library follow rules. Answers that are nil are refusals.
func ask(t *testing.T, library string, queries []query) [][]civil.Time {
	t.Helper()
	probe := map[string]string{"dateutil": "import dateutil.rrule", "libical": "import gi; gi.require_version('ICalGLib', '3.0')"}[library]
	if out, err := exec.Command(python, "-c", probe).CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not there for Python: %v\n%s", library, err, out)
		}
		t.Skipf("%s is not there for Python: %v", library, err)
	}
	var in bytes.Buffer
	for _, q := range queries {
		fmt.Fprintf(&in, "%v\t%v\t%v\t%d\n", q.o.Start, q.r, q.last, most)
	}
	cmd := exec.Command(python, "testdata/oracle.py", library)
	cmd.Stdin, cmd.Stderr = &in, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(lines) != len(queries) {
		t.Fatalf("%d answers to %d rules", len(lines), len(queries))
	}
	answers := make([][]civil.Time, len(lines))
	for i, line := range lines {
		if strings.HasPrefix(line, "error") {
			continue
		}
		answers[i] = []civil.Time{}
		for f := range strings.FieldsSeq(line) {
			answers[i] = append(answers[i], at(t, f))
		}
	}
	return answers
}

// legal makes rules as random does, without the parts that RFC 5545 does not
// allow with their frequency, and without leap seconds.
func legal(rng *rand.Rand) query {
	r, o := random(rng)
	if r.Freq != Yearly {
		r.WeekNo = nil
	}
	if r.Freq == Weekly {
		r.MonthDay = nil
	}
	if r.Freq == Daily || r.Freq == Weekly || r.Freq == Monthly {
		r.YearDay = nil
	}
	if r.Freq < Monthly || r.WeekNo != nil {
		for i := range r.Day {
			r.Day[i].N = 0
		}
	}
	r.Second = slices.DeleteFunc(r.Second, func(s int) bool { return s == 60 })
	if r.Month == nil && r.MonthDay == nil && r.YearDay == nil && r.WeekNo == nil && r.Day == nil && r.Hour == nil && r.Minute == nil && len(r.Second) == 0 {
		r.SetPos = nil
	}
	r, err := Parse(r.String()) // lists in order, each value once
	if err != nil {
		panic(err)
	}
	return query{r, o, o.Start + window(r.Freq)}
}

// goesOn tells whether there are instances soon after the last one wanted. The
// libraries search on for thousands of years where there are none.
func goesOn(q query) bool {
	r := *q.r
	r.Count, r.HasUntil = 0, false
	it := r.Iter(q.o)
	it.Seek(q.last + 1)
	next, ok := it.Next()
	return ok && next < q.last+3*window(r.Freq)
}

// synchronise moves the start to the first instance: of rules that do not give
// DTSTART, RFC 5545 leaves open what they mean.
func synchronise(q *query) bool {
	for range 5 {
		first, ok := q.r.Iter(q.o).Next()
		if ok && first == q.o.Start {
			return true
		}
		if !ok {
			return false
		}
		q.o.Start, q.last = first, first+window(q.r.Freq)
	}
	return false
}

// ours gives what this package says, in the manner of the libraries: they count
// what the rule gives, where RFC 5545 counts DTSTART as well.
func ours(q query) []civil.Time {
	r := *q.r
	r.Count = 0
	o := q.o
	o.Budget = NewBudget(DefaultSteps)
	it := r.Iter(o)
	var out []civil.Time
	limit := most
	if q.r.Count > 0 {
		limit = min(limit, q.r.Count)
	}
	for len(out) < limit {
		t, ok := it.Next()
		if !ok || t > q.last {
			break
		}
		out = append(out, t)
	}
	return out
}

// difference is a kind of rule that a library reads in another way than RFC 5545.
type difference struct {
	what           string
	start, example string // a rule that differs
	of             func(q query) bool
}

var differences = map[string][]difference{
	"dateutil": {
		{"BYDAY with and without numbers: it wants both to hold, where the days of a list are alternatives",
			"20260106T090000", "FREQ=MONTHLY;BYDAY=TU,1SA", func(q query) bool { return mixed(q.r) }},
		{"BYWEEKNO without a day: it takes all seven, where the weekday is one of the things that DTSTART adds",
			"20260106T090000", "FREQ=YEARLY;BYWEEKNO=2", weekOnly},
		{"a week that reaches into another year: it counts each day to the year that it is in, which shows in INTERVAL and BYSETPOS",
			"20241230T090000", "FREQ=YEARLY;INTERVAL=2;BYWEEKNO=1;BYDAY=MO,FR", func(q query) bool { return q.r.WeekNo != nil && (q.r.Interval > 1 || q.r.SetPos != nil) }},
		{"BYSETPOS by weeks: it takes what the first week has after DTSTART for the whole set",
			"20260107T090000", "FREQ=WEEKLY;BYDAY=TU,WE;BYSETPOS=2", func(q query) bool { return q.r.Freq == Weekly && q.r.SetPos != nil }},
	},
	"libical": {
		{"BYSETPOS: it looks at days alone, and only for months and years",
			"20260105T090000", "FREQ=WEEKLY;BYDAY=MO,FR;BYSETPOS=1", func(q query) bool { return q.r.SetPos != nil }},
		{"days from the end of the month or year, for days and less: it does not count from the end",
			"20260131T090000", "FREQ=DAILY;BYMONTHDAY=-1", func(q query) bool {
				return q.r.Freq <= Daily && slices.ContainsFunc(slices.Concat(q.r.MonthDay, q.r.YearDay), negative)
			}},
		{"BYMONTHDAY for years without BYMONTH: it keeps to the month of DTSTART, where the table says that BYMONTHDAY expands the year",
			"20260103T090000", "FREQ=YEARLY;BYMONTHDAY=3", func(q query) bool { return q.r.Freq == Yearly && q.r.MonthDay != nil && q.r.Month == nil }},
		{"parts that do not go together for it: it refuses the rule",
			"20260103T090000", "FREQ=YEARLY;BYYEARDAY=3,40;BYMONTH=1", func(q query) bool { return q.r.Freq == Yearly && (q.r.YearDay != nil || q.r.WeekNo != nil) }},
		{"a limit on the unit of FREQ itself: it gives the first twice, or leaves INTERVAL out",
			"20260105T101000", "FREQ=MINUTELY;INTERVAL=5;BYMINUTE=10,12", func(q query) bool {
				return q.r.Freq == Hourly && q.r.Hour != nil || q.r.Freq == Minutely && q.r.Minute != nil || q.r.Freq == Secondly && q.r.Second != nil
			}},
		{"every so many weeks that begin on another day than Monday: it may begin with another week than that of DTSTART",
			"20360326T111131", "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE;WKST=SA", func(q query) bool {
				return q.r.Freq == Weekly && q.r.Interval > 1 && q.r.WeekStart != 0 && q.r.Day != nil
			}},
	},
}

// unasked tells of rules that libical ends the process for (BYWEEKNO without a
// day), and of those that it follows for minutes (days from the end of the month
// below FREQ=DAILY).
func unasked(library string, q query) bool {
	return library == "libical" && (weekOnly(q) || q.r.Freq < Daily && slices.ContainsFunc(q.r.MonthDay, negative))
}

func negative(n int) bool { return n < 0 }

func mixed(r *Rule) bool {
	n := 0
	for _, d := range r.Day {
		if d.N != 0 {
			n++
		}
	}
	return n > 0 && n < len(r.Day)
}

// skipping makes rules with dates that do not exist in every period, and SKIP.
func skipping(rng *rand.Rand) query {
	r := &Rule{Freq: Monthly, Interval: 1 + rng.IntN(3), Gregorian: true, Skip: Skip(rng.IntN(3))}
	end := func() int { return (28 + rng.IntN(4)) * (1 - 2*rng.IntN(2)) }
	switch rng.IntN(3) {
	case 0:
		r.Freq = Yearly
		r.Month = []int{2, 3 + rng.IntN(10)}
	case 1:
		r.Freq = Yearly
		r.YearDay = []int{[]int{366, 365, -365, 1}[rng.IntN(4)], 60} // libical puts -366 out of order
	}
	if r.YearDay == nil {
		r.MonthDay = []int{end(), end()}
		if rng.IntN(3) == 0 {
			for range 1 + rng.IntN(3) {
				r.Day = append(r.Day, WeekdayNum{Weekday: rng.IntN(7)})
			}
		}
	}
	r, err := Parse(r.String())
	if err != nil {
		panic(err)
	}
	o := Options{Start: civil.Of(1990+rng.IntN(60), 1+rng.IntN(12), 1+rng.IntN(28), 9, 0, 0)}
	return query{r, o, o.Start + window(r.Freq)}
}

func TestSkipAgrees(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 529))
	var queries []query
	for len(queries) < ruleCount(t, 500) {
		if q := skipping(rng); synchronise(&q) && goesOn(q) {
			queries = append(queries, q)
		}
	}
	moved := 0
	for i, theirs := range ask(t, "libical", queries) {
		q := queries[i]
		mine := ours(q)
		last := mine[len(mine)-1]
		theirs = slices.Compact(theirs) // a day that it moved onto another instance it gives twice
		theirs = slices.DeleteFunc(theirs, func(t civil.Time) bool { return t > last })
		if more := len(mine) - len(theirs); more > 0 && more < 15 && len(mine) == most {
			mine = mine[:len(theirs)] // having given some twice, it came less far
		}
		switch {
		case slices.Equal(mine, theirs):
		case q.r.Day != nil && q.r.Skip != Omit:
			moved++ // it does not hold the day that it moved against BYDAY
		default:
			t.Errorf("%s:\nours   %v\ntheirs %v", describe(q.r, q.o), mine, theirs)
		}
	}
	t.Logf("%d rules, %d differ as known", len(queries), moved)
	if moved > len(queries)/10 {
		t.Error("more differ than can be explained")
	}
}

func weekOnly(q query) bool {
	return q.r.WeekNo != nil && q.r.Day == nil && q.r.MonthDay == nil && q.r.YearDay == nil
}

func TestLibrariesAgree(t *testing.T) {
	rules := ruleCount(t, 500)
	for library, known := range differences {
		t.Run(library, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(5, 5))
			var queries []query
			rules := rules
			if library == "libical" {
				rules = min(rules, 1500) // among more there is one that it follows for minutes
			}
			for len(queries) < rules {
				q := legal(rng)
				if !unasked(library, q) && synchronise(&q) && goesOn(q) {
					queries = append(queries, q)
				}
			}
			for _, d := range known {
				o := Options{Start: at(t, d.start)}
				queries = append(queries, query{rule(t, d.example), o, o.Start + 3*366*civil.Day})
			}
			equal, instances, differ := 0, 0, make([]int, len(known))
			for i, theirs := range ask(t, library, queries) {
				q := queries[i]
				mine := ours(q)
				k := slices.IndexFunc(known, func(d difference) bool { return d.of(q) })
				switch {
				case slices.Equal(mine, theirs) && theirs != nil:
					equal++
					instances += len(mine)
				case k < 0:
					t.Errorf("%s:\nours   %v\ntheirs %v", describe(q.r, q.o), mine, theirs)
				default:
					differ[k]++
				}
				if i >= rules && slices.Equal(mine, theirs) {
					t.Errorf("%s does not differ any more", known[i-rules].example)
				}
			}
			t.Logf("%d rules, %d alike with %d instances", rules, equal, instances)
			for i, d := range known {
				t.Logf("%d differ: %s", differ[i], d.what)
			}
		})
	}
}
