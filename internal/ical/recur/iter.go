package recur

import "holdfast/internal/ical/civil"

// Options say what a rule does not know itself.
type Options struct {
	// Start is DTSTART in wall-clock time: what the rule leaves open comes from it.
	Start civil.Time
	// AllDay: the values are dates. BYHOUR, BYMINUTE and BYSECOND count for
	// nothing (section 3.3.10), and all times are midnights.
	AllDay bool
	// Until, where HasUntil says so, is the last time that an instance may have, in
	// the wall-clock time of Start; it takes the place of the rule's own UNTIL.
	// Without it the rule's own is read as such a time even if it says UTC.
	Until    civil.Time
	HasUntil bool
	// Exists tells whether there is such a time in the time zone; nil: there is
	// every time. A time that does not exist is no instance and is not counted.
	Exists func(civil.Time) bool
	// Budget bounds the work; nil: DefaultSteps for this iterator alone.
	Budget *Budget
}

// Iter gives the instances of a rule in order.
type Iter struct {
	err error
}

// Iter begins to follow a rule.
func (r *Rule) Iter(o Options) *Iter { return &Iter{err: ErrBudget} }

// Next gives the next instance; false at the end, or when the budget is used up (see Err).
func (it *Iter) Next() (civil.Time, bool) { return 0, false }

// Seek makes Next go on at the first instance at or after t, which may lie
// before what Next gave already.
func (it *Iter) Seek(t civil.Time) {}

// Err gives ErrBudget if the iterator stopped for want of steps, and nil otherwise.
func (it *Iter) Err() error { return it.err }
