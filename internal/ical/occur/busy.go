package occur

import (
	"cmp"
	"slices"
	"strings"

	"holdfast/internal/ical"
	"holdfast/internal/ical/civil"
	"holdfast/internal/ical/recur"
)

// The kinds of busy time (RFC 5545, section 3.2.9), the strongest last: where two
// overlap, the stronger one is told.
const (
	tentative = iota
	unavailable
	busy
)

var busyNames = [...]string{tentative: "BUSY-TENTATIVE", unavailable: "BUSY-UNAVAILABLE", busy: "BUSY"}

// stretch is a busy time, [from, to).
type stretch struct {
	from, to int64
	kind     int
}

// Busy gathers the busy time of many objects (RFC 4791, section 7.10).
type Busy struct {
	from, to int64
	list     []stretch
}

// maxStretches bounds what is gathered.
const maxStretches = 200000

// NewBusy begins to gather the busy time in [from, to), of which both ends are there.
func NewBusy(from, to int64) *Busy { return &Busy{from: from, to: to} }

// Add takes the time of one object: of events that are neither transparent nor
// cancelled, of VFREEBUSY, and what VAVAILABILITY leaves unavailable. The error is
// recur.ErrBudget or ErrTooMany.
func (b *Busy) Add(o *Object, budget *recur.Budget) error {
	switch o.kind {
	case event:
		return b.events(o, budget)
	case freeBusy:
		for _, c := range o.cal.Each(freeBusy) {
			for _, p := range (&part{comp: c}).periods() {
				if kind, ok := busyKind(p.kind); ok && !b.add(p.from, p.to, kind) {
					return ErrTooMany
				}
			}
		}
	case availability:
		return b.availability(o, budget)
	}
	return nil
}

// add takes a stretch, cut to the range; false if there are too many.
func (b *Busy) add(from, to int64, kind int) bool {
	from, to = max(from, b.from), min(to, b.to)
	if from < to {
		b.list = append(b.list, stretch{from, to, kind})
	}
	return len(b.list) <= maxStretches
}

// busyKind reads FBTYPE; false is free.
func busyKind(s string) (int, bool) {
	switch strings.ToUpper(s) {
	case "FREE":
		return 0, false
	case "BUSY-TENTATIVE":
		return tentative, true
	case "BUSY-UNAVAILABLE":
		return unavailable, true
	}
	return busy, true
}

func (b *Busy) events(o *Object, budget *recur.Budget) error {
	many := false
	err := o.Instances(b.from, b.to, budget, func(i *Instance) bool {
		if kind, ok := eventKind(i.Component); ok {
			many = !b.add(i.Start, i.End, kind)
		}
		return !many
	})
	if err == nil && many {
		err = ErrTooMany
	}
	return err
}

// eventKind tells which busy time an event makes (RFC 4791, section 7.10); false for none.
func eventKind(c *ical.Component) (int, bool) {
	if l := c.Prop("TRANSP"); l != nil && equalFold(strings.TrimSpace(l.Value), "TRANSPARENT") {
		return 0, false
	}
	if l := c.Prop("STATUS"); l != nil {
		switch strings.ToUpper(strings.TrimSpace(l.Value)) {
		case "CANCELLED":
			return 0, false
		case "TENTATIVE":
			return tentative, true
		}
	}
	return busy, true
}

// availability takes what lies in a VAVAILABILITY and in none of its AVAILABLE parts (RFC 7953, section 4).
func (b *Busy) availability(o *Object, budget *recur.Budget) error {
	if budget == nil {
		budget = recur.NewBudget(recur.DefaultSteps)
	}
	free := NewBusy(b.from, b.to)
	for _, a := range o.available {
		many := false
		err := a.Instances(b.from, b.to, budget, func(i *Instance) bool {
			many = !free.add(i.Start, i.End, busy)
			return !many
		})
		if err == nil && many {
			err = ErrTooMany
		}
		if err != nil {
			return err
		}
	}
	free.merge()
	many := false
	err := o.Instances(b.from, b.to, budget, func(i *Instance) bool {
		if many = len(b.list) > maxStretches; many || !budget.Spend(len(free.list)) {
			return false
		}
		kind := unavailable
		if l := i.Component.Prop("BUSYTYPE"); l != nil {
			kind, _ = busyKind(strings.TrimSpace(l.Value))
		}
		at := max(i.Start, b.from)
		for _, f := range free.list {
			b.add(at, min(f.from, i.End), kind)
			at = max(at, f.to)
		}
		b.add(at, i.End, kind)
		return true
	})
	switch {
	case err == nil && budget.Exhausted():
		err = recur.ErrBudget
	case err == nil && many:
		err = ErrTooMany
	}
	return err
}

// merge puts the stretches in order, with the strongest kind where they overlap and none touching another of its kind.
func (b *Busy) merge() {
	type edge struct {
		at   int64
		kind int
		step int
	}
	edges := make([]edge, 0, 2*len(b.list))
	for _, s := range b.list {
		edges = append(edges, edge{s.from, s.kind, 1}, edge{s.to, s.kind, -1})
	}
	slices.SortFunc(edges, func(x, y edge) int { return cmp.Compare(x.at, y.at) })
	b.list = b.list[:0]
	var depth [len(busyNames)]int
	for i := 0; i < len(edges); {
		at := edges[i].at
		for ; i < len(edges) && edges[i].at == at; i++ {
			depth[edges[i].kind] += edges[i].step
		}
		kind := len(depth) - 1
		for kind >= 0 && depth[kind] == 0 {
			kind--
		}
		if i == len(edges) || kind < 0 {
			continue
		}
		if n := len(b.list); n > 0 && b.list[n-1].to == at && b.list[n-1].kind == kind {
			b.list[n-1].to = edges[i].at
		} else {
			b.list = append(b.list, stretch{at, edges[i].at, kind})
		}
	}
}

// Calendar gives a VCALENDAR with one VFREEBUSY that tells the time gathered so
// far, in UTC, coalesced and in order. stamp is its DTSTAMP in Unix seconds,
// product its PRODID.
func (b *Busy) Calendar(stamp int64, product string) *ical.Component {
	b.merge()
	fb := ical.NewComponent(freeBusy)
	fb.Lines = append(fb.Lines, ical.NewLine("UID", "free-busy-"+civil.Time(b.from).String()+"Z-"+civil.Time(b.to).String()+"Z"),
		absolute("DTSTAMP", stamp, 0, false), absolute("DTSTART", b.from, 0, false), absolute("DTEND", b.to, 0, false))
	for kind := len(busyNames) - 1; kind >= 0; kind-- {
		var periods []byte
		for _, s := range b.list {
			if s.kind != kind {
				continue
			}
			if len(periods) > 0 {
				periods = append(periods, ',')
			}
			periods = append(civil.Time(s.from).AppendDateTime(periods), "Z/"...)
			periods = append(civil.Time(s.to).AppendDateTime(periods), 'Z')
		}
		if len(periods) == 0 {
			continue
		}
		l := ical.NewLine("FREEBUSY", string(periods))
		if kind != busy {
			l.Params = []ical.Param{{Name: "FBTYPE", Raw: busyNames[kind]}}
		}
		fb.Lines = append(fb.Lines, l)
	}
	cal := ical.NewComponent("VCALENDAR")
	cal.Lines = append(cal.Lines, ical.NewLine("VERSION", "2.0"), ical.NewLine("PRODID", ical.Escape(product)))
	cal.Children = []*ical.Component{fb}
	return cal
}
