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
	unit           int64 // in days
	runs           []run // units that some instance touches
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
	for unit := int64(1); ; unit++ {
		runs := coarser(x.runs, unit)
		if list := encodeRuns(runs); len(list) <= maxIndex {
			b[1] |= flagRuns
			return append(binary.AppendVarint(b, unit), list...)
		}
		if n := (x.days + unit - 1) / unit; n <= maxIndex*8 {
			b[1] |= flagMap
			return append(binary.AppendVarint(b, unit), encodeMap(runs, n)...)
		}
	}
}

// coarser gives runs in units of so many days.
func coarser(runs []run, unit int64) []run {
	if unit == 1 {
		return runs
	}
	out := make([]run, len(runs))
	n := int64(0)
	for i, r := range runs {
		out[i] = run{r.from / unit, r.to / unit}
		n = max(n, out[i].to+1)
	}
	return merge(out, n)
}

func encodeRuns(runs []run) (b []byte) {
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

func encodeMap(runs []run, n int64) []byte {
	b := make([]byte, (n+7)/8)
	for _, r := range runs {
		for i := r.from; i <= r.to; i++ {
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
		if flags&flagRuns != 0 {
			x.runs = decodeRuns(b)
		} else {
			x.runs = decodeMap(b)
		}
	}
	return x, floating, x.days >= 0
}

func decodeRuns(b []byte) (runs []run) {
	at := int64(0)
	for len(b) > 0 {
		skip, n := binary.Uvarint(b)
		if n <= 0 {
			return nil
		}
		length, m := binary.Uvarint(b[n:])
		if m <= 0 || skip > math.MaxInt32 || length > math.MaxInt32 {
			return nil
		}
		from := at + int64(skip)
		runs = append(runs, run{from, from + int64(length)})
		at, b = from+int64(length)+1, b[n+m:]
	}
	return runs
}

func decodeMap(b []byte) (runs []run) {
	for i := range int64(len(b) * 8) {
		if b[i/8]>>(i%8)&1 == 0 {
			continue
		}
		if k := len(runs) - 1; k >= 0 && runs[k].to == i-1 {
			runs[k].to = i
		} else {
			runs = append(runs, run{i, i})
		}
	}
	return runs
}

// look asks the runs. A unit that an instance touches and that lies wholly in the
// range is a Yes; where the range touches no such unit, it is a No.
func (x *index) look(from, to, shrink, first, last int64) Verdict {
	if x.days == 0 {
		return Maybe
	}
	unit := x.unit * civil.Day
	touched := false
	for _, r := range x.runs {
		begin, end := x.base+r.from*unit, x.base+(r.to+1)*unit
		if begin >= to+shrink {
			break
		}
		if end <= from-shrink {
			continue
		}
		touched = true
		// The first unit of the run that begins in the range.
		k := max(r.from, ceilDiv(from+shrink-x.base, unit))
		if k <= r.to && x.base+(k+1)*unit <= to-shrink {
			return Yes
		}
	}
	// Before the first and after the last instance there is nothing to know.
	low, high := max(from-shrink, first), min(to+shrink, last+1)
	if first > -far {
		low = max(low, first+shrink)
	}
	if last < far {
		high = min(high, last+1-shrink)
	}
	if touched || low < x.base || high > x.base+x.days*civil.Day {
		return Maybe
	}
	return No
}

func ceilDiv(a, b int64) int64 { return floorDiv(a+b-1, b) }
