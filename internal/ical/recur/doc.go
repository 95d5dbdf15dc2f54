// Package recur works out recurrence rules: the values of RRULE (RFC 5545,
// section 3.3.10), with SKIP for the Gregorian calendar (RFC 7529).
//
// A rule is followed in wall-clock time; which times exist in a time zone and
// which instants they are is the caller's knowledge. Nothing is ever listed in
// full: an iterator steps from instance to instance, jumps over what cannot
// match, and finds its place in a far year by arithmetic.
//
// Rules come from strangers. A rule can match once in centuries or never, and
// the number of candidates is without bound, so that every iterator draws on a
// Budget of steps and says when it gave up. Nothing lies before the year 1 or
// beyond 9999.
//
//	rule.go    Rule, its canonical text
//	parse.go   Parse, Error
//	budget.go  Budget
//	plan.go    a rule with what its start adds, made ready for questions
//	days.go    the days of a period; clock.go the same below a day
//	iter.go    Rule.Iter, Iter: instances one after the other
//	seek.go    Iter.Seek
package recur
