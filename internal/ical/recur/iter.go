package recur

import (
	"math/bits"
	"slices"
	"sort"

	"holdfast/internal/ical/civil"
)

// Options say what a rule does not know itself.
type Options struct {
	// Start is DTSTART in wall-clock time: what the rule leaves open comes from it.
	Start civil.Time
	// AllDay: the values are dates. BYHOUR, BYMINUTE and BYSECOND count for
	// nothing (section 3.3.10), and all times are midnights.
	AllDay bool
	// Until, where HasUntil says so, is the last time that an instance may have, in
	// the wall-clock time of Start; it takes the place of the rule's own UNTIL.
	// Without it the rule's own is read as such a time even if it says UTC, and as
	// the end of its day if it is a date.
	Until    civil.Time
	HasUntil bool
	// Exists tells whether there is such a time in the time zone; nil: there is
	// every time. A time that does not exist is no instance and is not counted.
	Exists func(civil.Time) bool
	// Budget bounds the work; nil: DefaultSteps for this iterator alone.
	Budget *Budget
}

// Iter gives the instances of a rule in order.
//
// Instances are made a period at a time: a year, month, week … of FREQ. The set
// of a period is days × hours × minutes × seconds. It is never written out:
// an instance is found by its place in it.
type Iter struct {
	plan
	start, end civil.Time
	count      int // COUNT; 0: none
	exists     func(civil.Time) bool
	budget     *Budget
	own        Budget
	err        error

	from    civil.Time // what comes next is not before
	counted int        // instances given so far, DTSTART among them
	fresh   bool       // nothing was given yet
	done    bool

	u      int64   // the period
	last   int64   // the last period that may hold an instance
	loaded bool    // its set is made
	n, at  int     // size of the set, and the place in it
	days   []int32 // its days
	base   int     // what FREQ below DAILY says of the time of day, in seconds
	picks  []int32 // the places in the set that BYSETPOS picks
	picked bool
	looked int
	day    int64 // a day known to fulfil all parts
	room   [32]int32
}

// Iter begins to follow a rule. Instances come in order and without repetition,
// none before Start. Start itself comes only if the rule gives it; with COUNT it
// is counted nevertheless (section 3.3.10: "always counts as the first").
//
// What Start adds to the rule is what the rule leaves open: the second, minute,
// hour, and the day of the week, month or year. A part that RFC 5545 has no use
// for with this FREQ (BYMONTHDAY by weeks, BYYEARDAY by days to months, BYWEEKNO
// in all but years) limits; a number in BYDAY counts for nothing where it is not
// allowed. Weeks of BYWEEKNO belong to the year that counts them, also with
// their days in its neighbours. BYSECOND=60 is 59.
func (r *Rule) Iter(o Options) *Iter {
	it := &Iter{start: o.Start, end: civil.Max, count: max(r.Count, 0), exists: o.Exists, budget: o.Budget}
	if it.budget == nil {
		it.own.left = DefaultSteps
		it.budget = &it.own
	}
	until, has := o.Until, o.HasUntil
	if !has && r.HasUntil {
		until, has = r.Until, true
		if r.UntilDate {
			until = until.Midnight() + civil.Day - 1
		}
	}
	if o.AllDay {
		it.start, until = o.Start.Midnight(), until.Midnight()
	}
	if has {
		it.end = min(it.end, until)
	}
	it.days = it.room[:0]
	if it.start < civil.Min || it.start > it.end {
		it.never = true
		return it
	}
	it.make(r, it.start, o.AllDay)
	it.last = it.unit(it.end) + it.ahead
	it.restart()
	return it
}

func (it *Iter) restart() {
	it.from, it.u = it.start, it.first
	it.counted, it.fresh, it.done, it.loaded = 0, true, false, false
	it.day = int64(civil.Min)
}

// Next gives the next instance; false at the end, or when the budget is used up
// (see Err).
func (it *Iter) Next() (civil.Time, bool) {
	t, ok := it.peek()
	if ok {
		it.take(1, t)
	}
	return t, ok
}

// take counts n instances as given, of which t was the last.
func (it *Iter) take(n int, t civil.Time) {
	it.at += n
	it.from = t + 1
	it.counted += n
	it.done = it.count > 0 && it.counted >= it.count
}

// peek finds the next instance and stays before it.
func (it *Iter) peek() (civil.Time, bool) {
	for !it.done && !it.never {
		if !it.loaded && !it.load() {
			break
		}
		for ; it.at < it.n; it.at++ {
			t := it.time(it.at)
			if t < it.from {
				continue
			}
			if t > it.end {
				it.done = true
				return 0, false
			}
			if !it.spend(1) {
				return 0, false
			}
			if it.exists != nil && !it.picked && !it.exists(t) {
				continue
			}
			if it.fresh && it.count > 0 && t != it.start {
				it.take(1, it.from-1)
				it.at--
			}
			if it.fresh = false; it.done {
				return 0, false
			}
			return t, true
		}
		it.loaded = false
		it.u += it.interval
	}
	return 0, false
}

// load makes the set of the next period that has one.
func (it *Iter) load() bool {
	for it.u <= it.last {
		next, vain := it.makeSet(it.u)
		it.n = len(it.days) * it.hours.n * it.minutes.n * it.seconds.n
		if it.n == 0 {
			vain = max(vain, 1)
		}
		if vain > 0 && !it.spend(vain) {
			return false
		}
		if it.n > 0 && it.hasSetPos && !it.pick() {
			return false
		}
		if it.n == 0 {
			it.u = it.align(max(next, it.u+1))
			continue
		}
		it.at, it.loaded = 0, true
		if it.time(0) < it.from {
			it.at = it.search(it.from)
		}
		return true
	}
	it.done = true
	return false
}

// search gives the place of the first instance of the set at or after t.
func (it *Iter) search(t civil.Time) int {
	return it.at + sort.Search(it.n-it.at, func(i int) bool { return it.time(it.at+i) >= t })
}

// time gives the instance at a place of the set.
func (it *Iter) time(i int) civil.Time {
	if it.picked {
		i = int(it.picks[i])
	}
	return it.element(i)
}

// element gives an instance of the set before BYSETPOS.
func (it *Iter) element(i int) civil.Time {
	tod := it.base
	if n := it.seconds.n; n > 1 {
		tod += int(it.seconds.list[i%n])
		i /= n
	} else {
		tod += int(it.seconds.list[0])
	}
	if n := it.minutes.n; n > 1 {
		tod += int(it.minutes.list[i%n]) * 60
		i /= n
	} else {
		tod += int(it.minutes.list[0]) * 60
	}
	if n := it.hours.n; n > 1 {
		tod += int(it.hours.list[i%n]) * 3600
		i /= n
	} else {
		tod += int(it.hours.list[0]) * 3600
	}
	return civil.Time(int64(it.days[i])*civil.Day + int64(tod))
}

// pick applies BYSETPOS to the set. Times that do not exist are not in the set.
func (it *Iter) pick() bool {
	it.picks, it.picked = it.picks[:0], true
	if !it.pickFrom(&it.setPos.front, 0, 1) || !it.pickFrom(&it.setPos.back, it.n-1, -1) {
		return false
	}
	slices.Sort(it.picks)
	it.picks = slices.Compact(it.picks)
	it.n = len(it.picks)
	return it.n > 0 || it.spend(1)
}

// pickFrom picks the members of a set of positions, counted from place i on in steps of 1 or -1.
func (it *Iter) pickFrom(set *[6]uint64, i, step int) bool {
	size, counted := it.n, 0
	for w, bitset := range set {
		for ; bitset != 0; bitset &= bitset - 1 {
			n := w*64 + bits.TrailingZeros64(bitset)
			if it.exists == nil {
				i, counted = i+(n-counted)*step, n
			}
			for ; counted < n && i >= 0 && i < size; i += step {
				if !it.spend(1) {
					return false
				}
				if it.exists(it.element(i)) {
					counted++
				}
			}
			// i is behind the nth now
			if counted < n || i-step < 0 || i-step >= size {
				return true
			}
			it.picks = append(it.picks, int32(i-step))
		}
	}
	return true
}

func (it *Iter) spend(n int) bool {
	if !it.budget.Spend(n) {
		it.err, it.never = ErrBudget, true
		return false
	}
	return true
}

// Err gives ErrBudget if the iterator stopped for want of steps, and nil otherwise.
func (it *Iter) Err() error { return it.err }
