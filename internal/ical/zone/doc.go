// Package zone turns wall-clock times into instants and back.
//
// A calendar brings its own definition of a time zone along (VTIMEZONE), and
// names it (TZID). The definition wins: it is what the program that wrote the
// times meant. Where it is missing, cannot be used or says nothing, the name
// decides, if it is well known: a name of the IANA database, one with a vendor's
// prefix, or one of Windows. Programs cut definitions down to a few years, and
// sometimes to nothing: one says nothing of the time before its first change of
// the clocks, nor of that after its last one unless its rules go on, and nothing
// at all if it knows one offset only.
//
// RFC 5545, section 3.3.5, says how to read what a change of the clocks makes
// unclear: a time that the clocks skip is read with the offset before the gap,
// a time that they show twice is its first occurrence.
package zone

import "holdfast/internal/ical/civil"

// Zone is a time zone. It may be used by several goroutines at once.
type Zone interface {
	// Instant gives the Unix time of a wall-clock time.
	Instant(t civil.Time) int64
	// Exists tells whether the clocks ever show t: they skip some when they are put forward.
	Exists(t civil.Time) bool
	// Local gives what the clocks show at an instant.
	Local(unix int64) civil.Time
}

// UTC is the zone of times that end with Z.
const UTC = fixed(0)

// fixed is a zone of one offset, in seconds east of UTC.
type fixed int64

// Fixed is a zone whose clocks are never changed. The offset is in seconds, to
// the east of UTC.
func Fixed(offset int) Zone { return fixed(offset) }

// at implements source.
func (f fixed) at(int64) (from, to, offset int64) { return never, ever, int64(f) }

func (f fixed) Instant(t civil.Time) int64  { return int64(t) - int64(f) }
func (f fixed) Exists(civil.Time) bool      { return true }
func (f fixed) Local(unix int64) civil.Time { return civil.Time(unix + int64(f)) }

// MaxOffset bounds the offset of a zone, in seconds: no place has ever been
// this far from UTC, and an index may rely on it.
const MaxOffset = 24 * 3600

// source knows the offset at every instant.
type source interface {
	// at gives the offset at an instant and the time, [from, to), for which it stays so.
	at(unix int64) (from, to, offset int64)
}

// clocks is a zone by a source.
type clocks struct{ source }

// Instant implements Zone.
func (c clocks) Instant(t civil.Time) int64 { unix, _ := locate(c.source, t); return unix }

// Exists implements Zone.
func (c clocks) Exists(t civil.Time) bool { _, ok := locate(c.source, t); return ok }

// Local implements Zone.
func (c clocks) Local(unix int64) civil.Time {
	_, _, offset := c.at(unix)
	return civil.Time(unix + offset)
}

// locate finds the first instant at which the clocks show t. For a time that
// they skip it gives the instant by the offset before the gap, and false.
func locate(s source, t civil.Time) (int64, bool) {
	from, to, offset := s.at(int64(t) - MaxOffset)
	before := int64(t) - offset
	for gap := false; ; from, to, offset = s.at(to) {
		unix := int64(t) - offset
		if unix >= from && unix < to {
			return unix, true
		}
		// Once it is skipped, it can still come if the clocks are put back soon.
		if gap = gap || unix < from; !gap {
			before = unix
		}
		if to >= int64(t)+MaxOffset {
			return before, false
		}
	}
}

// span is an offset and the instant since which it holds.
type span struct{ from, offset int64 }

// spans are in order, the first begins before all time. Each holds until the
// next one, and the last one for ever.
type spans []span

func (s spans) at(unix int64) (from, to, offset int64) {
	lo, hi := 0, len(s)
	for hi-lo > 1 {
		if mid := int(uint(lo+hi) / 2); s[mid].from <= unix {
			lo = mid
		} else {
			hi = mid
		}
	}
	to = ever
	if lo+1 < len(s) {
		to = s[lo+1].from
	}
	return s[lo].from, to, s[lo].offset
}

// never and ever are before and after all instants that a calendar can name.
const (
	never = -1 << 62
	ever  = 1 << 62
)
