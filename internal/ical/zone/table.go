package zone

import (
	"fmt"
	"strings"
	"sync"

	"holdfast/internal/ical"
	"holdfast/internal/ical/recur"
)

// Cache remembers zones that were loaded or worked out: most objects carry the
// same few. It is bounded, and may be used by several goroutines at once. A nil
// Cache remembers nothing.
type Cache struct {
	mu    sync.RWMutex
	limit int
	named map[string]Zone // by what was asked for
	texts map[string]made // by the octets of a VTIMEZONE
}

// made is what came of a VTIMEZONE; the error is remembered, too.
type made struct {
	zone Zone
	err  error
}

// NewCache makes a cache of that many names and as many definitions.
func NewCache(limit int) *Cache {
	return &Cache{limit: max(limit, 1), named: map[string]Zone{}, texts: map[string]made{}}
}

// Named is Named, remembered.
func (c *Cache) Named(tzid string) (Zone, bool) {
	if c == nil {
		return Named(tzid)
	}
	c.mu.RLock()
	z, ok := c.named[tzid]
	c.mu.RUnlock()
	if ok {
		return z, true
	}
	if z, ok = Named(tzid); ok {
		c.mu.Lock()
		evict(c.named, c.limit)
		c.named[strings.Clone(tzid)] = z
		c.mu.Unlock()
	}
	return z, ok
}

// maxText bounds the definitions that are remembered, in octets.
const maxText = 32 << 10

// Of is Of, remembered. What is found in the cache costs no steps of the budget.
func (c *Cache) Of(vtimezone *ical.Component, b *recur.Budget) (Zone, error) {
	if c == nil {
		return Of(vtimezone, b)
	}
	text := vtimezone.Append(make([]byte, 0, 1024))
	if len(text) > maxText {
		return Of(vtimezone, b)
	}
	c.mu.RLock()
	m, ok := c.texts[string(text)]
	c.mu.RUnlock()
	if ok {
		return m.zone, m.err
	}
	m.zone, m.err = Of(vtimezone, b)
	if !b.Exhausted() && !bulky(m.zone) {
		c.mu.Lock()
		evict(c.texts, c.limit)
		c.texts[string(text)] = m
		c.mu.Unlock()
	}
	return m.zone, m.err
}

// maxSpans bounds the zones that are remembered: a real one changes its clocks some hundred times up to near. Others take so much memory that many of
// them would be a burden for everybody, and cost their own object alone.
const maxSpans = 2000

// bulky tells whether a zone is too large to be remembered.
func bulky(z Zone) bool {
	c, ok := z.(clocks)
	if !ok {
		return false
	}
	d, ok := c.source.(*defined)
	return ok && len(d.near) > maxSpans
}

// evict makes room for one more.
func evict[V any](m map[string]V, limit int) {
	for k := range m {
		if len(m) < limit {
			return
		}
		delete(m, k)
	}
}

// Error says why a time zone is of no use.
type Error struct {
	Line    int    // number of the line of text, from 1; 0 where none is at fault
	Why     string // a sentence
	Unknown bool   // there is no definition, and the name is not well known
}

// Error gives the sentence.
func (e *Error) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("line %d: %s", e.Line, e.Why)
	}
	return e.Why
}

// Table finds the zones of one calendar object. It may be used by several
// goroutines at once.
type Table struct {
	cal   *ical.Component
	cache *Cache
	mu    sync.Mutex
	known []entry
}

type entry struct {
	tzid string
	made
}

// TableOf makes the table of an object. Its zones are worked out when they are
// asked for. The cache may be nil.
func TableOf(cal *ical.Component, cache *Cache) *Table { return &Table{cal: cal, cache: cache} }

// maxNames bounds the zones of one object; more take up all of a budget. What lies behind the time that is prepared for is worked out when somebody asks for it,
// and costs no steps.
const maxNames = 100

// Zone gives the zone of a TZID: the object's own definition if it has one that
// can be used, otherwise the well-known zone of that name. A definition that stops
// after some changes of the clocks is continued by the well-known zone. The error
// is a *Error.
func (t *Table) Zone(tzid string, b *recur.Budget) (Zone, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.known {
		if t.known[i].tzid == tzid {
			return t.known[i].zone, t.known[i].err
		}
	}
	if len(t.known) >= maxNames {
		b.Spend(b.Left() + 1) // whoever asks has to take it for too much work
		return nil, &Error{Why: "The object names too many time zones."}
	}
	e := entry{tzid: tzid}
	e.zone, e.err = t.find(tzid, b)
	if !b.Exhausted() {
		t.known = append(t.known, e)
	}
	return e.zone, e.err
}

func (t *Table) find(tzid string, b *recur.Budget) (Zone, error) {
	named, known := t.cache.Named(tzid)
	if b != nil && !b.Spend(1+len(t.cal.Children)/16) {
		return nil, &Error{Why: "The object names too many time zones."}
	}
	var own error
	for _, c := range t.cal.Children {
		if !c.Is("VTIMEZONE") {
			continue
		}
		if l := c.Prop("TZID"); l == nil || strings.Trim(l.Text(), " \t") != tzid && l.Value != tzid {
			continue
		}
		z, err := t.cache.Of(c, b)
		switch {
		case err != nil:
			own = err
		case known:
			return completed(z, named), nil
		default:
			return z, nil
		}
	}
	if known {
		return named, nil
	}
	if own == nil {
		own = &Error{Unknown: true, Why: fmt.Sprintf("The time zone %q is not defined and not well known; send its VTIMEZONE along.", short(tzid))}
	}
	return nil, own
}

// short clips what is quoted in a sentence.
func short(s string) string {
	if len(s) <= 60 {
		return s
	}
	return strings.ToValidUTF8(s[:60], "") + "…"
}
