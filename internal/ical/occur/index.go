package occur

import (
	"encoding/binary"
	"math"

	"holdfast/internal/ical/civil"
	"holdfast/internal/ical/zone"
)

// Verdict is what can be said without looking at an object.
type Verdict int

// The verdicts.
const (
	Maybe Verdict = iota
	No
	Yes
)

// Covers tells whether some instance of the object overlaps [from, to). It says
// Yes or No only where that is certain, whatever zone floating times are read in.
func Covers(t Times, from, to int64) Verdict {
	if !t.Timed || from >= to || t.First >= to || t.Last < from {
		return No
	}
	if len(t.Months) == 0 {
		return Yes // one interval, and it is exact
	}
	x, floating, ok := decode(t.Months)
	if !ok {
		return Maybe
	}
	from, to = max(from, -far), min(to, far)
	shrink := int64(0)
	if floating {
		shrink = zone.MaxOffset
	}
	if !x.recurring {
		// In every zone it begins before First + 2 days and ends after Last - 2 days.
		if t.First > -far && t.First+2*shrink < to && t.Last < far && t.Last-2*shrink >= from {
			return Yes
		}
		return Maybe
	}
	if x.gap > 0 && min(to-shrink, x.gapTo)-max(from+shrink, x.gapFrom) >= x.gap {
		return Yes
	}
	return x.look(from, to, shrink, t.First, t.Last)
}

// index is what Times.Months says beyond the bounds.
//
// Its form, version 1, is: the octet 1; an octet of flags; then, as varints, for
// flagGap gap, gapFrom and gapTo; for flagRuns or flagMap base (in days), days,
// unit (in days), then the runs as pairs of a distance and a length, or octets of a
// map, of which a set bit is a unit that some instance touches.
//
// With floating times everything is as if they were in UTC.
type index struct {
	recurring      bool
	gap            int64 // every range of this length between gapFrom and gapTo overlaps
	gapFrom, gapTo int64
	base           int64 // an instant: the begin of day 0
	days           int64 // how many days from there the runs speak of
	runs           []run // days that some instance touches

	unit  int64  // of what was decoded: days
	coded []byte // runs or a map of such units
	isMap bool
}

const version = 1

const (
	flagRecurring = 1 << iota
	flagFloating
	flagGap
	flagRuns
	flagMap
)

// maxIndex is how many octets the runs or the map may take.
const maxIndex = 96

func (x *index) encode(floating bool) []byte {
	b := make([]byte, 2, 32)
	b[0] = version
	if x.recurring {
		b[1] |= flagRecurring
	}
	if floating {
		b[1] |= flagFloating
	}
	if x.gap > 0 {
		b[1] |= flagGap
		b = binary.AppendVarint(b, x.gap)
		b = binary.AppendVarint(b, x.gapFrom)
		b = binary.AppendVarint(b, min(x.gapTo, far))
	}
	if x.days <= 0 {
		return b
	}
	b = binary.AppendVarint(b, x.base/civil.Day)
	b = binary.AppendVarint(b, x.days)
	if list := encodeRuns(x.runs); len(list) <= maxIndex {
		b[1] |= flagRuns
		return append(binary.AppendVarint(b, 1), list...)
	}
	unit := (x.days + maxIndex*8 - 1) / (maxIndex * 8)
	b[1] |= flagMap
	return append(binary.AppendVarint(b, unit), encodeMap(x.runs, unit, (x.days+unit-1)/unit)...)
}

// encodeRuns writes runs of days, or a part of them that is too long already.
func encodeRuns(runs []run) (b []byte) {
	b = make([]byte, 0, maxIndex+20)
	at := int64(0)
	for _, r := range runs {
		b = binary.AppendUvarint(b, uint64(r.from-at))
		b = binary.AppendUvarint(b, uint64(r.to-r.from))
		if at = r.to + 1; len(b) > maxIndex {
			break
		}
	}
	return b
}

// encodeMap sets a bit for each of n units that a run touches.
func encodeMap(runs []run, unit, n int64) []byte {
	b := make([]byte, (n+7)/8)
	for _, r := range runs {
		for i := r.from / unit; i <= r.to/unit; i++ {
			b[i/8] |= 1 << (i % 8)
		}
	}
	return b
}

// decode reads what encode wrote; false for anything else.
func decode(b []byte) (x index, floating, ok bool) {
	if len(b) < 2 || b[0] != version {
		return x, false, false
	}
	flags := b[1]
	b = b[2:]
	next := func() int64 {
		v, n := binary.Varint(b)
		if n <= 0 {
			b = nil
			x.days = -1
			return 0
		}
		b = b[n:]
		return v
	}
	x.recurring, floating = flags&flagRecurring != 0, flags&flagFloating != 0
	if flags&flagGap != 0 {
		x.gap, x.gapFrom, x.gapTo = next(), next(), next()
	}
	if flags&(flagRuns|flagMap) != 0 {
		x.base, x.days, x.unit = next()*civil.Day, next(), next()
		if x.days <= 0 || x.unit <= 0 || x.days > math.MaxInt32 || x.unit > math.MaxInt32 {
			return x, floating, false
		}
		x.coded, x.isMap = b, flags&flagRuns == 0
	}
	return x, floating, x.days >= 0
}

// look asks the runs or the map. A unit that an instance touches and that lies
// wholly in the range is a Yes; where the range touches no such unit, it is a No.
func (x *index) look(from, to, shrink, first, last int64) Verdict {
	if x.days == 0 {
		return Maybe
	}
	unit := x.unit * civil.Day
	// The units that the range touches, and those that lie in it: first and last.
	outer := run{floorDiv(from-shrink-x.base, unit), floorDiv(to+shrink-1-x.base, unit)}
	inner := run{floorDiv(from+shrink-x.base+unit-1, unit), floorDiv(to-shrink-x.base, unit) - 1}
	if x.touched(inner) {
		return Yes
	}
	// Before the first and after the last instance there is nothing to know.
	low, high := from-shrink, to+shrink
	if first > -far {
		low = max(low, first+shrink)
	}
	if last < far {
		high = min(high, last+1-shrink)
	}
	if low < x.base || high > x.base+x.days*civil.Day || x.touched(outer) {
		return Maybe
	}
	return No
}

// touched tells whether an instance touches one of the units of a range.
func (x *index) touched(r run) bool {
	if r.from > r.to {
		return false
	}
	if x.isMap {
		for i := max(r.from, 0); i <= min(r.to, int64(len(x.coded)*8-1)); i++ {
			if x.coded[i/8]>>(i%8)&1 != 0 {
				return true
			}
		}
		return false
	}
	at := int64(0)
	for b := x.coded; len(b) > 0 && at <= r.to; {
		skip, n := binary.Uvarint(b)
		if n <= 0 {
			return false
		}
		length, m := binary.Uvarint(b[n:])
		if m <= 0 || skip > math.MaxInt32 || length > math.MaxInt32 {
			return false
		}
		from := at + int64(skip)
		if at, b = from+int64(length)+1, b[n+m:]; from <= r.to && at > r.from {
			return true
		}
	}
	return false
}
