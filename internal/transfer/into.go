package transfer

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"holdfast"
	"holdfast/internal/core"
)

// target is a collection that items go into.
type target struct {
	path    string
	c       holdfast.Collection // its ID is zero where a dry run only foresees it
	made    bool                // it was not there
	instead string              // the path that was asked for and takes nothing of the kind; empty: this one was meant
	waiting []waiting
	octets  int

	stored   int
	diverted map[string]int           // those that were meant for another, by kind
	dry      map[string]holdfast.Hash // of a dry run: what would be there by now, by UID
}

func newTarget(path string, c holdfast.Collection) *target {
	return &target{path: path, c: c, diverted: map[string]int{}, dry: map[string]holdfast.Hash{}}
}

// takes tells whether a collection is for items of a kind.
func takes(c *holdfast.Collection, kind string) bool {
	if kind == kindCard {
		return c.Type == holdfast.TypeAddressbook
	}
	kinds := c.Components
	if len(kinds) == 0 {
		kinds = []string{kindEvent, kindTodo, kindJournal}
	}
	return c.Type == holdfast.TypeCalendar && slices.Contains(kinds, kind)
}

// choose finds the collection that was asked for.
func (m *importer) choose(ctx context.Context) error {
	if m.q.Into == "" {
		_, err := m.s.Account(ctx, m.q.Account.String())
		return err
	}
	at, err := m.s.Locate(ctx, m.p, m.q.Account, strings.Split(strings.Trim(m.q.Into, "/"), "/"))
	switch {
	case err != nil:
		return err
	case len(at.Rest) > 0:
		return fail(holdfast.Invalid, m.q.Into, "there is no collection of this path; `holdfast account show` lists them")
	case m.cards && at.Collection.Type != holdfast.TypeAddressbook:
		return fail(holdfast.Invalid, m.q.Into, "contacts go into an address book, like addressbooks/default; this is "+article(at.Collection.Type))
	case !m.cards && at.Collection.Type != holdfast.TypeCalendar:
		return fail(holdfast.Invalid, m.q.Into, "events, to-dos and notes go into a calendar, like calendars/default; this is "+article(at.Collection.Type))
	}
	m.chosen = newTarget(strings.Trim(m.q.Into, "/"), at.Collection)
	return nil
}

// article names a type of collection in a sentence.
func article(t holdfast.CollectionType) string {
	switch t {
	case holdfast.TypeAddressbook:
		return "an address book"
	case holdfast.TypeCalendar:
		return "a calendar"
	}
	return "neither"
}

// target says where items of a kind go: into the collection that was asked for if it takes them, otherwise into the account's own for the kind. Error of kind
// Invalid: nowhere.
func (m *importer) target(ctx context.Context, kind string) (*target, error) {
	if t := m.byKind[kind]; t != nil {
		return t, nil
	}
	t := m.chosen
	if t == nil || !takes(&t.c, kind) {
		h := homes{s: m.s, p: m.p, account: m.q.Account, dry: m.q.DryRun}
		c, path, made, err := h.forKind(ctx, kind)
		if err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(m.targets, func(o *target) bool { return o.path == path }); i >= 0 {
			t = m.targets[i]
		} else {
			t = newTarget(path, c)
			t.made = made
		}
		if m.chosen != nil && t != m.chosen {
			t.instead = m.chosen.path
		}
	}
	if !slices.Contains(m.targets, t) {
		m.targets = append(m.targets, t)
	}
	m.byKind[kind] = t
	return t, nil
}

// homes finds and makes collections in an account.
type homes struct {
	s       *core.Service
	p       holdfast.Principal
	account holdfast.ID
	dry     bool
}

// standard is the path where an account has its default collection for a kind; false where there is none for it.
func standard(kind string) (home, name, label string, components []string, ok bool) {
	switch kind {
	case kindCard:
		return holdfast.HomeAddressbooks, "default", "Contacts", nil, true
	case kindEvent:
		return holdfast.HomeCalendars, "default", "Calendar", []string{kindEvent}, true
	case kindTodo:
		return holdfast.HomeCalendars, "tasks", "Tasks", []string{kindTodo}, true
	case kindJournal:
		return holdfast.HomeCalendars, "notes", "Notes", []string{kindJournal}, true
	}
	return "", "", "", nil, false
}

// forKind finds the account's collection for a kind: its default, which is made anew where it was deleted; where something else has that name, the first that
// takes the kind. Error of kind Invalid: there is none.
func (h *homes) forKind(ctx context.Context, kind string) (c holdfast.Collection, path string, made bool, err error) {
	all, err := h.list(ctx)
	if err != nil {
		return c, "", false, err
	}
	home, name, label, components, ok := standard(kind)
	free := ok
	for _, x := range all {
		if x.path == home+"/"+name {
			if takes(&x.c, kind) {
				return x.c, x.path, false, nil
			}
			free = false
		}
	}
	if !ok {
		return c, "", false, &holdfast.Error{Op: "transfer.Import", Kind: holdfast.Invalid, Rule: "supported-calendar-component",
			Text: kind + " is not imported: calendars here take events, to-dos and notes"}
	}
	if !free {
		for _, x := range all {
			if takes(&x.c, kind) {
				return x.c, x.path, false, nil
			}
		}
		return c, "", false, &holdfast.Error{Op: "transfer.Import", Kind: holdfast.Invalid, Rule: "supported-calendar-component",
			Text: fmt.Sprintf("no calendar of this account takes %s (%s); make one that does and name it with --into", plural(2, kind), kind)}
	}
	c = holdfast.Collection{CollectionRecord: holdfast.CollectionRecord{Name: name, Type: holdfast.TypeCalendar, Components: components}}
	if kind == kindCard {
		c.Type = holdfast.TypeAddressbook
	}
	c.Properties = holdfast.Properties{}.With("DAV:", "displayname", textProperty("DAV:", "displayname", label))
	err = h.make(ctx, home, &c)
	return c, home + "/" + name, true, err
}

// placed is a collection with its path.
type placed struct {
	path string
	c    holdfast.Collection
}

// list returns the account's address books and calendars by path.
func (h *homes) list(ctx context.Context) (out []placed, err error) {
	err = h.s.Read(ctx, h.p, h.account, func(r *core.Reader) error {
		all, err := r.Collections()
		for _, c := range all {
			if c.Type == holdfast.TypeAddressbook || c.Type == holdfast.TypeCalendar {
				out = append(out, placed{r.PathOf(c.ID), c})
			}
		}
		return err
	})
	slices.SortFunc(out, func(a, b placed) int { return cmp.Compare(a.path, b.path) })
	return out, err
}

// make makes a collection in a home, and fills in its ID. A dry run makes nothing.
func (h *homes) make(ctx context.Context, home string, c *holdfast.Collection) error {
	if h.dry {
		return nil
	}
	at, err := h.s.Locate(ctx, h.p, h.account, []string{home})
	if err != nil {
		return err
	}
	if len(at.Rest) > 0 {
		return fail(holdfast.NotFound, home, "this account has no home for that")
	}
	c.ID, _, err = h.s.MakeCollection(ctx, h.p, core.NewCollection{Owner: h.account, Parent: at.Collection.ID, Name: c.Name, Type: c.Type,
		Components: c.Components, Properties: c.Properties})
	return err
}
