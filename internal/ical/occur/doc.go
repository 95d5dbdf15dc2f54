// Package occur works out when the things of a calendar object take place: the
// instances of a recurring event with their exceptions, and whether they overlap
// a range of time (RFC 5545, section 3.8.5; RFC 4791, section 9.9).
//
// Every row of the tables of RFC 4791, section 9.9, is one closed interval of
// whole seconds: an instance overlaps [from, to) if its interval [lo, hi] has
// lo < to and hi >= from. Everything here, and the index in a store, is built
// on that.
//
// Ranges are in Unix seconds; math.MinInt64 and math.MaxInt64 leave them open.
// All input is hostile: whoever calls gives a budget of steps, and is told when
// it was used up (recur.ErrBudget). Nothing is ever listed in full.
//
//	compile.go  Compile: an Object, with what its times say
//	row.go      the tables of RFC 4791, section 9.9
//	set.go      the recurrence set: rules, dates, exceptions
//	object.go   Overlaps, Instances, alarms, properties
//	times.go    Times, Covers: what an index keeps of an object
//	expand.go   Expand, LimitRecurrenceSet, LimitFreebusySet
//	busy.go     Busy: free-busy time of many objects
package occur
