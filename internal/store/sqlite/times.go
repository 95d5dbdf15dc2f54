package sqlite

import (
	"math"

	"holdfast"
	"holdfast/internal/store"
)

// spans are the classes that the column span counts, each with the longest time, in seconds, from first start to last end of what is in it. What takes place
// in a month and belongs to a class started at most so long before it, so that one range of res_time for each class finds it. A single event is in the
// first two; a course that ended years ago does not cost who asks for today, as it would if all that recurs were in the last. What stands here is stored: it is never altered.
var spans = [...]int64{2 * day, 31 * day, 366 * day, math.MaxInt64}

const day = 24 * 60 * 60

// span returns the class that the times belong to.
func (t times) span() int64 {
	length := uint64(t.last) - uint64(t.first) // exact, also from MinInt64 to MaxInt64
	for i, most := range spans {
		if length <= uint64(most) {
			return int64(i)
		}
	}
	return int64(len(spans) - 1)
}

// earliest returns when something of a class may have started that has not ended before from.
func earliest(span int, from int64) int64 {
	if last := span == len(spans)-1; last || from < math.MinInt64+spans[span] {
		return math.MinInt64
	}
	return from - spans[span]
}

// Between implements [store.Tree].
func (s *snapshot) Between(coll holdfast.ID, from, to int64, f store.Fields, fn func(*holdfast.Resource) error) error {
	key, account, err := s.key(coll)
	if err != nil {
		return err
	}
	var r holdfast.Resource
	var buf []byte
	for span := range spans {
		if err := s.read(qBetween, func(x Stmt) error {
			it := scanItem(s.c, x)
			r = it.resource(account, coll)
			if err := s.complete(&r, it.lsn, f, &buf); err != nil {
				return err
			}
			return fn(&r)
		}, key, span, earliest(span, from), to, from); err != nil {
			return err
		}
	}
	return nil
}
