package occur

import "math"

// Times is what a store indexes of an object. All that it says is certain,
// whatever zone floating times are read in.
type Times struct {
	Timed       bool   // false: the object overlaps no range of time
	First, Last int64  // no instance overlaps [from, to) unless First < to and Last >= from
	Months      []byte // what Covers needs beyond that; opaque
}

// Verdict is what can be said without looking at an object.
type Verdict int

// The verdicts.
const (
	Maybe Verdict = iota
	No
	Yes
)

// Covers tells whether some instance of the object overlaps [from, to). It says
// Yes or No only where that is certain.
func Covers(t Times, from, to int64) Verdict {
	if !t.Timed || from >= to || t.First >= to || t.Last < from {
		return No
	}
	return Maybe
}

// Times gives what an index keeps. It never fails: where the budget of the
// object was used up, or that of this evaluation, the answer says less.
func (o *Object) Times() Times {
	return Times{Timed: true, First: math.MinInt64, Last: math.MaxInt64}
}
