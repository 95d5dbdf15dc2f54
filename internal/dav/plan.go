package dav

import (
	"cmp"
	"maps"
	"slices"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/davxml"
)

// kindOfPlace is what decides which live properties and reports a target has.
type kindOfPlace struct {
	where Where
	ct    holdfast.CollectionType // at AtCollection and AtMember
	home  string                  // at AtHome
}

func placeOf(t *Target) kindOfPlace {
	k := kindOfPlace{where: t.Where}
	switch t.Where {
	case AtHome:
		k.home = t.Collection.Name
	case AtCollection, AtMember:
		k.ct = t.Collection.Type
	}
	return k
}

// table holds the live properties and the reports of one kind of place, the extensions' included.
type table struct {
	props   map[davxml.Name]*Property
	names   []*Property // in a fixed order
	reports map[davxml.Name]*Report
	rnames  []davxml.Name
}

// tableFor returns the table of a kind of place. They are made once, in New, for all kinds that can occur.
func (h *Handler) tableFor(k kindOfPlace) *table {
	if k.where == AtMember && k.ct == holdfast.TypeHome {
		k.ct = holdfast.TypeFolder // the home of files is the one that has members, and they are files
	}
	if t := h.tables[k]; t != nil {
		return t
	}
	return h.tables[kindOfPlace{where: k.where}]
}

func (h *Handler) makeTables() {
	kinds := []kindOfPlace{{where: AtRoot}, {where: AtPrincipals}, {where: AtPrincipal}, {where: AtHomes}, {where: AtHome}, {where: AtCollection}, {where: AtMember}}
	for _, x := range h.o.Extensions {
		kinds = append(kinds, kindOfPlace{where: AtHome, home: x.Home}, kindOfPlace{where: AtCollection, ct: x.Type}, kindOfPlace{where: AtMember, ct: x.Type})
	}
	h.tables = map[kindOfPlace]*table{}
	for _, k := range kinds {
		h.tables[k] = h.makeTable(k)
	}
}

func (h *Handler) makeTable(k kindOfPlace) *table {
	t := &table{props: map[davxml.Name]*Property{}, reports: map[davxml.Name]*Report{}}
	add := func(props []Property, reports []Report) {
		for i := range props {
			if props[i].Where&k.where != 0 {
				t.props[props[i].Name] = &props[i]
			}
		}
		for i := range reports {
			if reports[i].Where&k.where != 0 {
				t.reports[reports[i].Name] = &reports[i]
			}
		}
	}
	add(groundProperties(), groundReports())
	for _, x := range h.o.Extensions {
		own := k.where&(AtHome|AtCollection|AtMember) == 0 || k.where == AtHome && k.home == x.Home || k.where != AtHome && k.ct == x.Type
		if own || x.Type == "" && x.Home == "" {
			add(x.Properties, x.Reports)
		}
	}
	t.names = slices.SortedFunc(maps.Values(t.props), func(a, b *Property) int { return compareNames(a.Name, b.Name) })
	t.rnames = slices.SortedFunc(maps.Keys(t.reports), compareNames)
	return t
}

func compareNames(a, b davxml.Name) int {
	return cmp.Or(cmp.Compare(a.Space, b.Space), cmp.Compare(a.Local, b.Local))
}

// plan is a set of properties looked up for one kind of place.
type plan struct {
	kind  kindOfPlace
	steps []step
	needs core.Fields
	all   bool // every dead property too
}

// step is one property of a plan. prop is nil for one that is not live here: it may be a dead one.
type step struct {
	name davxml.Name
	prop *Property
	ask  *davxml.Element
}

// plan returns the plan for a kind of place, made at its first use.
func (a *Ask) plan(k kindOfPlace) *plan {
	for _, p := range a.plans {
		if p.kind == k {
			return p
		}
	}
	p := a.makePlan(k)
	a.plans = append(a.plans, p)
	return p
}

func (a *Ask) makePlan(k kindOfPlace) *plan {
	t := a.q.h.tableFor(k)
	p := &plan{kind: k}
	live := func(n davxml.Name) *Property {
		if x := t.props[n]; x != nil && (a.report || !x.InReports) {
			return x
		}
		return nil
	}
	switch a.set.Mode {
	case davxml.AllProp, davxml.PropNames:
		p.all = true
		for _, x := range t.names {
			if (a.set.Mode == davxml.PropNames || x.All) && !x.InReports {
				p.steps = append(p.steps, step{x.Name, x, nil})
			}
		}
		for _, n := range a.set.Include {
			if x := live(n); x != nil && !x.All {
				p.steps = append(p.steps, step{n, x, nil})
			}
		}
	case davxml.NamedProps:
		for i, n := range a.set.Names {
			p.steps = append(p.steps, step{n, live(n), a.set.Elements[i]})
		}
	}
	p.needs = p.fields(a.set.Mode)
	return p
}

// fields says what reads must carry. Values are not needed where only names are asked for.
func (p *plan) fields(mode davxml.PropMode) core.Fields {
	var f core.Fields
	if p.all {
		f = core.WithProps
	}
	for _, s := range p.steps {
		switch {
		case s.prop == nil:
			f |= core.WithProps
		case mode != davxml.PropNames:
			f |= s.prop.Needs
		}
	}
	return f
}
