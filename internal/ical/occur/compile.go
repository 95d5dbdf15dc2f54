package occur

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"holdfast/internal/ical"
	"holdfast/internal/ical/civil"
	"holdfast/internal/ical/recur"
	"holdfast/internal/ical/zone"
)

// Options say what an object does not know itself.
type Options struct {
	Floating zone.Zone     // the zone in which dates and floating times are read; nil: UTC
	Zones    *zone.Cache   // remembers zones; may be nil
	Budget   *recur.Budget // of this compilation; nil: recur.DefaultSteps
}

// Object is a calendar object made ready. It may be used by several goroutines
// at once.
type Object struct {
	cal      *ical.Component
	kind     string
	zones    *zone.Cache
	table    *zone.Table
	floating zone.Zone
	floats   bool // some time depends on floating
	mixed    bool // exceptions or dates are bound to zones and the master is not, or the other way round
	set
	available []*Object // VAVAILABILITY: its AVAILABLE parts
}

// set is a recurrence set: a master, and what changes its instances.
type set struct {
	master    *part // nil: there are overrides only
	rules     []rule
	exRules   []rule
	dates     []candidate // RDATE, in order
	longest   int64       // the longest period among them
	except    exceptions  // EXDATE and the instances that overrides replace
	overrides []*part     // in order of their own starts; those of futures, too
	futures   []*part     // overrides of "this and future", in order of what they replace

	byComponent map[*ical.Component]*part // of overrides, where there are many
}

// maxDates bounds how many dates and exceptions an object may list.
const maxDates = 50000

// The kinds of components that have times.
const (
	event        = "VEVENT"
	todo         = "VTODO"
	journal      = "VJOURNAL"
	freeBusy     = "VFREEBUSY"
	availability = "VAVAILABILITY"
	available    = "AVAILABLE"
)

// Compile makes a calendar object ready: one VCALENDAR with components of one
// kind and UID. What cannot be read is refused with an *ical.Refusal; more work
// than the budget allows is recur.ErrBudget.
func Compile(cal *ical.Component, o Options) (*Object, error) {
	c := compiler{b: o.Budget, o: &Object{cal: cal, zones: o.Zones, floating: o.Floating, table: zone.TableOf(cal, o.Zones)}}
	if c.b == nil {
		c.b = recur.NewBudget(recur.DefaultSteps)
	}
	if c.o.floating == nil {
		c.o.floating = zone.UTC
	}
	var parts []*ical.Component
	for _, k := range cal.Children {
		switch k.Name {
		case event, todo, journal, freeBusy, availability:
			if c.o.kind == "" {
				c.o.kind = k.Name
			}
			if k.Name != c.o.kind {
				return nil, refuse(ical.ValidCalendarObjectResource, k.No, fmt.Sprintf("The object holds both %s and %s; send each in an object of its own.", c.o.kind, k.Name))
			}
			parts = append(parts, k)
		}
	}
	if len(parts) == 0 {
		return nil, refuse(ical.ValidCalendarObjectResource, 0, "The object holds no event, to-do, journal entry or free-busy time.")
	}
	if err := c.components(parts); err != nil {
		return nil, err
	}
	return c.o, nil
}

// Kind is the name of the object's components: VEVENT, VTODO, VJOURNAL,
// VFREEBUSY or VAVAILABILITY.
func (o *Object) Kind() string { return o.kind }

// Calendar is the VCALENDAR that the object was compiled from.
func (o *Object) Calendar() *ical.Component { return o.cal }

// In gives the object with its dates and floating times read in another zone;
// nil is UTC. An object that needs more work than recur.DefaultSteps stays as it is.
func (o *Object) In(floating zone.Zone) *Object {
	if floating == nil {
		floating = zone.UTC
	}
	if floating == o.floating {
		return o
	}
	if o.floats {
		if n, err := Compile(o.cal, Options{Floating: floating, Zones: o.zones}); err == nil {
			return n
		}
	}
	n := *o
	if !o.floats {
		n.floating = floating
	}
	return &n
}

func refuse(p ical.Precondition, line int, why string) error {
	return &ical.Refusal{Precondition: p, Line: line, Why: why}
}

// moment is a time that was read: on the wall, and as an instant.
type moment struct {
	ical.DateTime
	zone zone.Zone
	at   int64
}

func (m *moment) floats() bool { return m.Form == ical.Date || m.Form == ical.Floating }

// compiler makes one object.
type compiler struct {
	b *recur.Budget
	o *Object
}

// components makes the recurrence set of components of one kind.
func (c *compiler) components(parts []*ical.Component) error {
	var over []*part
	for _, k := range parts {
		p, err := c.part(k)
		switch {
		case err != nil:
			return err
		case p.isOverride:
			over = append(over, p)
		case c.o.master != nil:
			return refuse(ical.ValidCalendarObjectResource, k.No, "There are two components without a RECURRENCE-ID; an object holds one event with its exceptions.")
		default:
			c.o.master = p
		}
		if k.Name == availability {
			if err := c.availables(k); err != nil {
				return err
			}
		}
	}
	if m := c.o.master; m != nil && m.anchored {
		if err := c.recurrence(m); err != nil {
			return err
		}
	}
	if len(over) > 8 {
		c.o.byComponent = make(map[*ical.Component]*part, len(over))
	}
	for _, p := range over {
		c.override(p)
		if c.o.byComponent != nil {
			c.o.byComponent[p.comp] = p
		}
	}
	c.o.except.sort()
	slices.SortStableFunc(c.o.overrides, func(a, b *part) int { return compare(a.anchor.at, b.anchor.at) })
	slices.SortStableFunc(c.o.futures, func(a, b *part) int { return compare(a.id.at, b.id.at) })
	return nil
}

// availables makes objects of the AVAILABLE parts, one for each UID (RFC 7953, section 3.1).
func (c *compiler) availables(k *ical.Component) error {
	var uids []string
	groups := map[string][]*ical.Component{}
	for _, a := range k.Each(available) {
		uid := ""
		if l := a.Prop("UID"); l != nil {
			uid = l.Value
		}
		if groups[uid] == nil {
			uids = append(uids, uid)
		}
		groups[uid] = append(groups[uid], a)
	}
	for _, uid := range uids {
		sub := compiler{b: c.b, o: &Object{cal: c.o.cal, kind: available, zones: c.o.zones, table: c.o.table, floating: c.o.floating}}
		if err := sub.components(groups[uid]); err != nil {
			return err
		}
		c.o.floats = c.o.floats || sub.o.floats
		c.o.available = append(c.o.available, sub.o)
	}
	return nil
}

// bind finds the zone of a time. A floating one is read in the zone of ref, if there is one.
func (c *compiler) bind(d ical.DateTime, ref *moment, line int) (moment, error) {
	m := moment{DateTime: d}
	switch d.Form {
	case ical.UTC:
		m.zone = zone.UTC
	case ical.Zoned:
		z, err := c.o.table.Zone(d.TZID, c.b)
		if err != nil {
			return m, c.zoneRefusal(err, line)
		}
		m.zone = z
	default:
		if m.zone = c.o.floating; ref != nil && !ref.floats() {
			m.zone = ref.zone
		} else {
			c.o.floats = true
		}
	}
	m.at = m.zone.Instant(d.Time)
	return m, nil
}

func (c *compiler) zoneRefusal(err error, line int) error {
	var e *zone.Error
	if !errors.As(err, &e) {
		return err
	}
	if c.b.Exhausted() {
		return recur.ErrBudget
	}
	if e.Unknown {
		return refuse(ical.ValidCalendarObjectResource, line, e.Why)
	}
	return refuse(ical.ValidCalendarData, e.Line, e.Why)
}

// moment reads the time of a property.
func (c *compiler) moment(l *ical.Line, ref *moment) (moment, error) {
	d, err := l.DateTime()
	if err != nil {
		return moment{}, unreadable(l, err)
	}
	return c.bind(d, ref, l.No)
}

func unreadable(l *ical.Line, err error) error {
	why := err.Error()
	var e *ical.SyntaxError
	if errors.As(err, &e) {
		why = e.Why
	}
	if why = strings.ToUpper(why[:1]) + why[1:]; !strings.HasSuffix(why, ".") {
		why += "."
	}
	return refuse(ical.ValidCalendarData, l.No, why)
}

// recurrence reads what makes a master recur.
func (c *compiler) recurrence(m *part) error {
	total := 0
	for i := range m.comp.Lines {
		l := &m.comp.Lines[i]
		var err error
		switch strings.ToUpper(l.Name) {
		case "RRULE":
			err = c.rule(l, m, &c.o.rules)
		case "EXRULE": // RFC 2445; old objects have it
			err = c.rule(l, m, &c.o.exRules)
		case "RDATE":
			err = c.dates(l, m, &total)
		case "EXDATE":
			err = c.exDates(l, m, &total)
		default:
			continue
		}
		if err != nil {
			return err
		}
	}
	slices.SortStableFunc(c.o.dates, func(a, b candidate) int { return compare(a.at, b.at) })
	return nil
}

// maxRules bounds how many rules an object may have.
const maxRules = 50

func (c *compiler) rule(l *ical.Line, m *part, list *[]rule) error {
	r, err := recur.Parse(l.Value)
	if err != nil {
		return unreadable(l, err)
	}
	if len(*list) == maxRules {
		return refuse(ical.ValidCalendarData, l.No, fmt.Sprintf("There are more than %d recurrence rules.", maxRules))
	}
	*list = append(*list, ruleOf(r, &m.anchor))
	return nil
}

func (c *compiler) dates(l *ical.Line, m *part, total *int) error {
	times, periods, err := l.DateTimes()
	if err != nil {
		return unreadable(l, err)
	}
	if err := c.count(total, len(times)+len(periods), l); err != nil {
		return err
	}
	for _, d := range times {
		x, err := c.like(d, m, l.No)
		if err != nil {
			return err
		}
		c.o.dates = append(c.o.dates, candidate{local: x.Time, at: x.at, end: noEnd})
	}
	for _, p := range periods {
		x, err := c.like(p.Start, m, l.No)
		if err != nil {
			return err
		}
		d := candidate{local: x.Time, at: x.at}
		if p.HasEnd {
			to, err := c.bind(p.End, &m.anchor, l.No)
			if err != nil {
				return err
			}
			d.end = max(to.at, d.at)
		} else {
			d.end = max(lengthOf(p.Duration).end(x.zone, x.Time, x.at), d.at)
		}
		if m.anchor.Form == ical.Date {
			d.end = noEnd
		}
		if c.o.dates = append(c.o.dates, d); d.end != noEnd {
			c.o.longest = max(c.o.longest, d.end-d.at)
		}
	}
	return nil
}

// count takes n more listed dates, of total so far.
func (c *compiler) count(total *int, n int, l *ical.Line) error {
	if *total += n; *total > maxDates {
		return refuse(ical.ValidCalendarData, l.No, fmt.Sprintf("More than %d dates are listed.", maxDates))
	}
	if !c.b.Spend(n) {
		return recur.ErrBudget
	}
	return nil
}

// like reads a listed time as the master's own start is written: in its zone, and a date or a time as it is.
func (c *compiler) like(d ical.DateTime, m *part, line int) (moment, error) {
	a := &m.anchor
	switch {
	case a.Form == ical.Date && d.Form != ical.Date:
		d = ical.DateTime{Time: d.Time.Midnight(), Form: ical.Date}
	case a.Form != ical.Date && d.Form == ical.Date:
		d = ical.DateTime{Time: d.Time + (a.Time - a.Time.Midnight()), Form: a.Form, TZID: a.TZID}
	}
	x, err := c.bind(d, a, line)
	if err == nil && x.Form != ical.Date && x.zone != a.zone {
		c.o.mixed = c.o.mixed || a.floats() && !x.floats()
		x.Time, x.zone = a.zone.Local(x.at), a.zone
	}
	return x, err
}

func (c *compiler) exDates(l *ical.Line, m *part, total *int) error {
	times, periods, err := l.DateTimes()
	if err != nil {
		return unreadable(l, err)
	}
	for _, p := range periods {
		times = append(times, p.Start)
	}
	if err := c.count(total, len(times), l); err != nil {
		return err
	}
	for _, d := range times {
		x, err := c.bind(d, &m.anchor, l.No)
		if err != nil {
			return err
		}
		c.o.exclude(x, m)
	}
	return nil
}

// exclude takes an instance out of the set. A date stands for all that begins on
// it, and beside a master of dates the date of a time counts.
func (o *Object) exclude(x moment, m *part) {
	switch {
	case x.Form == ical.Date || m.anchor.Form == ical.Date:
		o.except.days = append(o.except.days, x.Time.Midnight())
	default:
		o.mixed = o.mixed || m.anchor.floats() && !x.floats()
		o.except.at = append(o.except.at, x.at)
	}
}

// override takes a component with a RECURRENCE-ID in.
func (c *compiler) override(p *part) {
	c.o.overrides = append(c.o.overrides, p)
	m := c.o.master
	if m == nil || !m.anchored {
		return
	}
	id, a := &p.id, &m.anchor
	switch {
	case id.Form == ical.Date && a.Form != ical.Date:
		// The day stands for its instance, which begins when the master does.
		id.Time += a.Time - a.Time.Midnight()
		id.zone, id.at = a.zone, a.zone.Instant(id.Time)
		c.o.except.days = append(c.o.except.days, id.Time.Midnight())
	case id.Form != ical.Date && a.Form == ical.Date:
		id.Time = id.Time.Midnight()
		id.zone, id.at = a.zone, a.zone.Instant(id.Time)
		c.o.except.days = append(c.o.except.days, id.Time)
	default:
		if id.Form == ical.Floating {
			id.zone, id.at = a.zone, a.zone.Instant(id.Time)
		}
		c.o.exclude(*id, m)
	}
	if p.future {
		c.o.futures = append(c.o.futures, p)
	}
}

func compare(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// exceptions are instances that are not there.
type exceptions struct {
	at   []int64      // in order
	days []civil.Time // midnights, in order
}

func (e *exceptions) sort() {
	slices.Sort(e.at)
	slices.Sort(e.days)
}

func (e *exceptions) has(c *candidate) bool {
	if len(e.at) > 0 {
		if _, ok := slices.BinarySearch(e.at, c.at); ok {
			return true
		}
	}
	if len(e.days) > 0 {
		if _, ok := slices.BinarySearch(e.days, c.local.Midnight()); ok {
			return true
		}
	}
	return false
}
