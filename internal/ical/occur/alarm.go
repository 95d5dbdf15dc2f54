package occur

import (
	"strconv"

	"holdfast/internal/ical"
	"holdfast/internal/ical/civil"
	"holdfast/internal/ical/recur"
	"holdfast/internal/ical/zone"
)

// trigger says when an alarm goes off (RFC 5545, section 3.8.6.3).
type trigger struct {
	absolute bool
	at       int64  // if absolute
	offset   length // otherwise, from the start or the end
	end      bool
	repeat   int64 // how many times more
	every    int64 // seconds between them
}

// readTrigger reads the times of a VALARM.
func (o *Object) readTrigger(alarm *ical.Component, b *recur.Budget) (t trigger, ok bool) {
	l := alarm.Prop("TRIGGER")
	if l == nil {
		return t, false
	}
	if d, ok := ical.ParseDuration(l.Value); ok {
		t.offset, t.end = lengthOf(d), equalFold(l.First("RELATED"), "END")
	} else {
		d, err := l.DateTime()
		if err != nil {
			return t, false
		}
		m, err := o.reader(b).bind(d, nil, l.No)
		if err != nil {
			return t, false
		}
		t.absolute, t.at = true, m.at
	}
	if r, e := alarm.Prop("REPEAT"), alarm.Prop("DURATION"); r != nil && e != nil {
		n, err := strconv.ParseInt(r.Value, 10, 32)
		d, ok := ical.ParseDuration(e.Value)
		if every := d.Days*civil.Day + d.Seconds; err == nil && n > 0 && ok && !d.Negative && every > 0 {
			t.repeat, t.every = min(n, far/every), every
		}
	}
	return t, true
}

// hits tells whether an alarm whose first time is at goes off in [from, to): (start <= time) AND (end > time), for each repetition.
func (t *trigger) hits(at, from, to int64) bool {
	if at >= from || t.repeat == 0 {
		return at >= from && at < to
	}
	k := (from - at + t.every - 1) / t.every // the first repetition that is not too early
	return k <= t.repeat && at+k*t.every < to
}

// AlarmOverlaps tells whether an alarm of the component c goes off in [from, to),
// for any instance. The error is recur.ErrBudget.
func (o *Object) AlarmOverlaps(c, alarm *ical.Component, from, to int64, b *recur.Budget) (bool, error) {
	if b == nil {
		b = recur.NewBudget(recur.DefaultSteps)
	}
	t, ok := o.readTrigger(alarm, b)
	if b.Exhausted() {
		return false, recur.ErrBudget
	}
	if !ok || from >= to {
		return false, nil
	}
	from, to = max(from, -far), min(to, far)
	if t.absolute {
		return t.hits(t.at, from, to), nil
	}
	// Which instances could have one: their start or end, moved by the offset, lies in the range.
	offset := t.offset.days*civil.Day + t.offset.seconds
	const slack = 2*zone.MaxOffset + civil.Day
	found := false
	err := o.eachOf(c, from-offset-t.repeat*t.every-slack, to-offset+slack, b, func(i *Instance, _, _ int64) bool {
		if i.zone == nil {
			return true
		}
		at, local := i.Start, i.Local
		if t.end {
			at = i.End
			local = i.zone.Local(at)
		}
		found = t.hits(t.offset.end(i.zone, local, at), from, to)
		return !found
	})
	return found, err
}

// reader reads further times of the object, as the object was read. Their zones are paid for out of b.
func (o *Object) reader(b *recur.Budget) *compiler {
	return &compiler{b: b, o: &Object{cal: o.cal, table: o.table, floating: o.floating}}
}

// PropertyOverlaps tells whether a time that the property holds lies in [from, to). A
// nil budget is recur.DefaultSteps. The error is recur.ErrBudget.
func (o *Object) PropertyOverlaps(l *ical.Line, from, to int64, b *recur.Budget) (bool, error) {
	if b == nil {
		b = recur.NewBudget(recur.DefaultSteps)
	}
	found := o.propertyOverlaps(l, from, to, b)
	if b.Exhausted() {
		return false, recur.ErrBudget
	}
	return found, nil
}

func (o *Object) propertyOverlaps(l *ical.Line, from, to int64, b *recur.Budget) bool {
	times, periods, err := l.DateTimes()
	if err != nil || !b.Spend(1+len(times)+len(periods)) {
		return false
	}
	c := o.reader(b)
	for _, d := range times {
		if m, err := c.bind(d, nil, l.No); err == nil && m.at >= from && m.at < to {
			return true
		}
	}
	for _, p := range periods {
		m, err := c.bind(p.Start, nil, l.No)
		if err != nil {
			continue
		}
		end := lengthOf(p.Duration).end(m.zone, m.Time, m.at)
		if p.HasEnd {
			e, err := c.bind(p.End, nil, l.No)
			if err != nil {
				continue
			}
			end = e.at
		}
		if lo, hi := rowSpan.interval(m.at, end); lo < to && hi >= from {
			return true
		}
	}
	return false
}
