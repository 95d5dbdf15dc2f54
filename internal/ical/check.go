package ical

import (
	"fmt"
	"strings"
)

// maxTimes is how many values RDATE, EXDATE and FREEBUSY of one object may list in all.
const maxTimes = 50000

// parts are the properties of one component that say what it is and when.
type parts struct {
	uid, id, start, end, due, duration *Line
	idTime, startTime, endTime         DateTime
	times                              int // values in lists
}

// check reads the properties of a component on which its meaning rests: each stands once and can be read.
func check(c *Component) (parts, *Refusal) {
	var p parts
	for i := range c.Lines {
		l := &c.Lines[i]
		if err := p.see(l); err != nil {
			return p, &Refusal{ValidCalendarData, l.No, err.Why}
		}
	}
	if r := p.agree(c); r != nil {
		return p, r
	}
	if c.Name == "VAVAILABILITY" {
		for _, k := range c.Children {
			if q, r := check(k); r != nil {
				return q, r
			}
		}
	}
	return p, nil
}

// see takes in one property.
func (p *parts) see(l *Line) (err *SyntaxError) {
	switch len(l.Name) {
	case 3:
		if l.Is("UID") {
			return once(&p.uid, l)
		} else if l.Is("DUE") {
			if err = once(&p.due, l); err == nil {
				_, err = l.time()
			}
		}
	case 5:
		if l.Is("DTEND") {
			if err = once(&p.end, l); err == nil {
				p.endTime, err = l.time()
			}
		} else if l.Is("RDATE") {
			err = p.list(l)
		}
	case 6:
		if l.Is("EXDATE") {
			err = p.list(l)
		}
	case 7:
		if l.Is("DTSTART") {
			if err = once(&p.start, l); err == nil {
				p.startTime, err = l.time()
			}
		}
	case 8:
		if l.Is("DURATION") {
			if err = once(&p.duration, l); err != nil {
				return err
			}
			if d, ok := ParseDuration(l.Value); !ok || d.Negative {
				return &SyntaxError{Line: l.No, Fault: BadValue, Why: fmt.Sprintf("DURATION cannot be read (%q); write it as PT1H30M or P1D.", clip(l.Value))}
			}
		} else if l.Is("FREEBUSY") {
			err = p.list(l)
		}
	case 13:
		if l.Is("RECURRENCE-ID") {
			if err = once(&p.id, l); err == nil {
				p.idTime, err = l.time()
			}
		}
	}
	return err
}

// once keeps the line, unless there was one before.
func once(have **Line, l *Line) *SyntaxError {
	if *have != nil {
		return &SyntaxError{Line: l.No, Fault: BadValue, Why: fmt.Sprintf("%s stands more than once; keep one.", strings.ToUpper(l.Name))}
	}
	*have = l
	return nil
}

func (l *Line) time() (DateTime, *SyntaxError) {
	d, ok := parseDateTime(strings.Trim(l.Value, " \t"), l.dateOnly(), l.tzid())
	if !ok {
		return d, l.unreadable()
	}
	return d, nil
}

// list counts and reads the values of RDATE, EXDATE and FREEBUSY.
func (p *parts) list(l *Line) *SyntaxError {
	n, err := l.eachTime(nil, nil)
	p.times += n
	return err
}

// agree judges the properties against one another.
func (p *parts) agree(c *Component) *Refusal {
	refuse := func(l *Line, why string) *Refusal { return &Refusal{ValidCalendarData, l.No, why} }
	switch {
	case p.start == nil && c.Name == "VEVENT":
		return &Refusal{ValidCalendarData, c.No, "The event has no DTSTART; add it."}
	case p.duration != nil && p.end != nil:
		return refuse(p.duration, "DURATION stands beside DTEND; keep one of them.")
	case p.duration != nil && p.due != nil:
		return refuse(p.duration, "DURATION stands beside DUE; keep one of them.")
	case p.start != nil && p.end != nil && before(p.endTime, p.startTime):
		return refuse(p.end, "DTEND is before DTSTART; correct one of them.")
	}
	return nil
}

// before compares two times where that needs no zone.
func before(a, b DateTime) bool {
	return a.Form == b.Form && a.TZID == b.TZID && a.Time < b.Time
}
