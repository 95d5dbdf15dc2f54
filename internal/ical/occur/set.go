package occur

import (
	"math"
	"sort"
	"strings"

	"holdfast/internal/ical"
	"holdfast/internal/ical/civil"
	"holdfast/internal/ical/recur"
	"holdfast/internal/ical/zone"
)

// candidate is an instance of a recurrence set before overrides change it.
type candidate struct {
	local civil.Time // on the clock of the master's zone
	at    int64
	end   int64 // of an RDATE that is a period; otherwise noEnd
}

const noEnd = math.MinInt64

// rule is a recurrence rule bound to its master.
type rule struct {
	r        *recur.Rule
	o        recur.Options
	zone     zone.Zone
	until    int64 // the last instant, where hasUntil
	hasUntil bool
}

// ruleOf binds a rule to the start of its master.
//
// An UNTIL in UTC ends a rule at that instant exactly, one that is a date with
// that day. A local one beside a zone is read in the zone. A rule of floating
// times knows no zone: there is no time that it skips, and an UNTIL in UTC is read
// as what it shows.
func ruleOf(r *recur.Rule, start *moment) rule {
	u := rule{r: r, zone: start.zone, o: recur.Options{Start: start.Time, AllDay: start.Form == ical.Date}}
	if start.Form == ical.Zoned {
		u.o.Exists = start.zone.Exists
	}
	if !r.HasUntil {
		return u
	}
	u.o.HasUntil, u.o.Until = true, r.Until
	switch {
	case start.Form == ical.Date:
		u.o.Until = r.Until.Midnight()
	case r.UntilDate:
		u.o.Until = r.Until + civil.Day - 1
	case r.UntilUTC && start.Form == ical.Zoned:
		// Clocks that are put back show an hour twice: the instant decides, and the wall clock only bounds the work.
		u.hasUntil, u.until = true, int64(r.Until)
		u.o.Until = start.zone.Local(u.until) + civil.Day
	}
	return u
}

// source gives candidates in order.
type source struct {
	rule *rule       // one of these is there
	list []candidate // sorted
	it   *recur.Iter
	next candidate
	ok   bool
}

func (s *source) advance() {
	s.ok = false
	if s.rule == nil {
		if len(s.list) > 0 {
			s.next, s.list, s.ok = s.list[0], s.list[1:], true
		}
		return
	}
	if t, ok := s.it.Next(); ok {
		at := s.rule.zone.Instant(t)
		s.next, s.ok = candidate{t, at, noEnd}, !s.rule.hasUntil || at <= s.rule.until
	}
}

// begin finds the first candidate at or after an instant.
func (s *source) begin(from int64, b *recur.Budget) {
	if s.rule != nil {
		o := s.rule.o
		o.Budget = b
		s.it = s.rule.r.Iter(o)
		if local := s.rule.zone.Local(from) - civil.Day; local > o.Start {
			s.it.Seek(local)
		}
	} else {
		n := sort.Search(len(s.list), func(i int) bool { return s.list[i].at >= from })
		s.list = s.list[n:]
	}
	for s.advance(); s.ok && s.next.at < from; {
		s.advance()
	}
}

// walk goes through a recurrence set from an instant on: the master's start, rules
// and dates, without exceptions. An instance that several of them make is one.
type walk struct {
	set     *set
	b       *recur.Budget
	sources []source
	exRules []source
	room    [3]source
}

func (s *set) walk(from int64, b *recur.Budget) *walk {
	w := &walk{set: s, b: b}
	a := &s.master.anchor
	w.sources = append(w.room[:0], source{list: []candidate{{a.Time, a.at, noEnd}}})
	if len(s.dates) > 0 {
		w.sources = append(w.sources, source{list: s.dates})
	}
	for i := range s.rules {
		w.sources = append(w.sources, source{rule: &s.rules[i]})
	}
	for i := range s.exRules {
		w.exRules = append(w.exRules, source{rule: &s.exRules[i]})
	}
	for i := range w.sources {
		w.sources[i].begin(from, b)
	}
	for i := range w.exRules {
		w.exRules[i].begin(from, b)
	}
	return w
}

// next gives the next candidate; false at the end, or when the budget is used up (see err).
func (w *walk) next() (candidate, bool) {
	for {
		first := -1
		for i := range w.sources {
			if s := &w.sources[i]; s.ok && (first < 0 || s.next.at < w.sources[first].next.at) {
				first = i
			}
		}
		if first < 0 || !w.b.Spend(1) {
			return candidate{}, false
		}
		c := w.sources[first].next
		for i := range w.sources {
			for s := &w.sources[i]; s.ok && s.next.at == c.at; s.advance() {
				if s.next.end != noEnd {
					c.end = s.next.end // RFC 5545, section 3.8.5.2: the period says how long
				}
			}
		}
		if !w.set.except.has(&c) && !w.excluded(&c) {
			return c, true
		}
	}
}

// excluded tells whether an EXRULE takes a candidate out.
func (w *walk) excluded(c *candidate) bool {
	for i := range w.exRules {
		s := &w.exRules[i]
		for s.ok && s.next.at < c.at {
			s.advance()
		}
		if s.ok && s.next.at == c.at {
			return true
		}
	}
	return false
}

// err tells whether the walk ended for want of steps.
func (w *walk) err() error {
	for _, list := range [2][]source{w.sources, w.exRules} {
		for i := range list {
			if it := list[i].it; it != nil && it.Err() != nil {
				return it.Err()
			}
		}
	}
	if w.b.Exhausted() {
		return recur.ErrBudget
	}
	return nil
}

func equalFold(a, b string) bool { return len(a) == len(b) && strings.EqualFold(a, b) }
