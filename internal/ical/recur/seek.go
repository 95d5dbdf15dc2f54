package recur

import "holdfast/internal/ical/civil"

// Seek makes Next go on at the first instance at or after t, wherever it stood.
// Without COUNT it is arithmetic, however far t is. With COUNT the instances
// before t have to be counted: all at once where every period has as many, else
// period by period, and one by one only where times may not exist or be moved.
func (it *Iter) Seek(t civil.Time) {
	switch {
	case it.never:
	case it.count > 0:
		it.seekCounting(max(t, it.start))
	default:
		it.restart()
		it.from = max(t, it.start)
		if it.done = it.from > it.end; !it.done {
			it.u = it.align(it.unit(it.from) - it.back)
		}
	}
}

func (it *Iter) seekCounting(t civil.Time) {
	if t < it.from {
		it.restart()
	}
	if t > it.end {
		it.done, it.from = true, max(it.from, t)
		return
	}
	for {
		now, ok := it.peek()
		if !ok || now >= t {
			return
		}
		if it.exists != nil || it.skip != Omit {
			it.take(1, now)
			continue
		}
		to := it.search(t)
		it.take(to-it.at, it.time(to-1))
		if to == it.n && !it.done && it.even() {
			it.leap(t)
		}
	}
}

// even tells whether all periods have equally many instances.
func (it *Iter) even() bool {
	if it.freq == Weekly {
		return it.rest == 0
	}
	return it.freq <= Daily && it.has == 0 && it.limits == [3]uint64{}
}

// leap leaves out the periods before that of t, after a period that was given to its end.
func (it *Iter) leap(t civil.Time) {
	periods := (it.unit(t)-it.u)/it.interval - 1
	if periods <= 0 {
		return
	}
	if n := periods * int64(it.n); n < int64(it.count-it.counted) {
		it.counted += int(n)
		it.u += periods * it.interval
	} else {
		it.done, it.from = true, t
	}
}
