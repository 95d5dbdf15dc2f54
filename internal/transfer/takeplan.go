package transfer

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/davclient"
	"holdfast/internal/ical"
)

// The namespaces of properties that go with a collection.
const (
	nsDAV     = "DAV:"
	nsCalDAV  = "urn:ietf:params:xml:ns:caldav"
	nsCardDAV = "urn:ietf:params:xml:ns:carddav"
	nsApple   = "http://apple.com/ns/ical/"
)

// maxText bounds a text that goes with a collection.
const maxText = 16 << 10

// plan decides for each collection of the other server where it goes, and makes what is not there.
func (t *takeover) plan(ctx context.Context, found *davclient.Found) error {
	for _, l := range found.Left {
		e := TakeoverEvent{Left: &Left{l.Name, l.Path, l.Why}}
		if l.Fault {
			t.failed++
			e = TakeoverEvent{Refused: &RefusedOne{File: l.Path, Precondition: "not-fetched", Why: l.Why}}
		}
		if err := t.emit(e); err != nil {
			return err
		}
	}
	all, err := t.homes.list(ctx)
	if err != nil {
		return err
	}
	used := map[string]bool{}
	for i := range found.Collections {
		c := &found.Collections[i]
		if c.Shared && !t.q.Shared {
			why := "it belongs to somebody else, who shares it; --shared copies it too"
			if err := t.emit(TakeoverEvent{Left: &Left{cmp.Or(c.DisplayName, c.Name), c.Path(), why}}); err != nil {
				return err
			}
			continue
		}
		j, err := t.begin(ctx, c, all, used)
		if err != nil {
			return err
		}
		if j != nil {
			t.jobs = append(t.jobs, j)
			used[j.target.path] = true
		}
	}
	return nil
}

// begin finds or makes the collection for one of the other server's: that of an earlier run, whatever it is called by now; one of the same name and type; a new
// one. It returns nil where that cannot be.
func (t *takeover) begin(ctx context.Context, c *davclient.Collection, all []placed, used map[string]bool) (*job, error) {
	home, want := holdfast.HomeAddressbooks, holdfast.CollectionRecord{Type: holdfast.TypeAddressbook}
	if c.Kind == davclient.Calendar {
		home, want = holdfast.HomeCalendars, holdfast.CollectionRecord{Type: holdfast.TypeCalendar, Components: t.components(c)}
	}
	if id, ok := t.notes.into[c.Path()]; ok {
		i := slices.IndexFunc(all, func(p placed) bool { return p.c.ID == id && !used[p.path] && serves(&p.c, &want) })
		if i >= 0 {
			return t.join(ctx, c, &all[i])
		}
	}
	name, said := legalName(c.Name), ""
	if name != c.Name {
		said = fmt.Sprintf("%q cannot be a name here", c.Name)
	}
	for n := 1; n < 1000; n++ {
		want.Name = name
		if n > 1 {
			want.Name = fmt.Sprintf("%s-%d", name, n)
		}
		path := home + "/" + want.Name
		i := slices.IndexFunc(all, func(p placed) bool { return p.path == path })
		kept := home == holdfast.HomeCalendars && (want.Name == holdfast.NameInbox || want.Name == holdfast.NameOutbox)
		var j *job
		var err error
		switch {
		case kept || used[path] || i >= 0 && !serves(&all[i].c, &want):
			err = &holdfast.Error{Kind: holdfast.Exists}
		case i >= 0:
			j, err = t.join(ctx, c, &all[i])
		default:
			j, err = t.build(ctx, c, home, want)
		}
		if holdfast.IsKind(err, holdfast.Exists) {
			said = cmp.Or(said, fmt.Sprintf("the name %q is taken by another collection here", name))
			continue
		}
		if err == nil && j != nil && said != "" {
			err = t.note(c.Path(), said+", so it goes into "+path)
		}
		return j, err
	}
	return nil, t.emit(TakeoverEvent{Left: &Left{cmp.Or(c.DisplayName, c.Name), c.Path(), "no name is free for it here"}})
}

func newJob(c *davclient.Collection, to *target) *job {
	return &job{remote: *c, target: to, others: map[string]*target{}, taken: map[string]taken{}, bad: map[string]bool{},
		report: TakenCollection{From: c.Path(), Into: to.path, Label: c.DisplayName, Type: string(to.c.Type), Made: to.made, Differs: []Odd{}, Changed: []Odd{}}}
}

// serves tells whether a collection can take in all that another may hold.
func serves(c *holdfast.Collection, want *holdfast.CollectionRecord) bool {
	if c.Type != want.Type {
		return false
	}
	return !slices.ContainsFunc(want.Components, func(kind string) bool { return !takes(c, kind) })
}

// components are the kinds that a calendar is to take: those that it takes over there, all where that is not said.
func (t *takeover) components(c *davclient.Collection) []string {
	var out []string
	for _, kind := range []string{kindEvent, kindTodo, kindJournal, "VFREEBUSY", "VAVAILABILITY"} {
		if slices.Contains(c.Components, kind) {
			out = append(out, kind)
		}
	}
	if len(out) == 0 {
		return []string{kindEvent, kindTodo, kindJournal}
	}
	return out
}

// legalName makes a name of what stands in another server's path.
func legalName(s string) string {
	if holdfast.CheckName(s) == nil && len(s) <= maxUIDName && !strings.HasPrefix(s, ".") {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if b.Len() >= 64 {
			break
		}
		if r == utf8.RuneError || holdfast.CheckName(string(r)) != nil && r != '.' {
			r = '-'
		}
		b.WriteRune(r)
	}
	if out := strings.Trim(b.String(), ".- "); holdfast.CheckName(out) == nil {
		return out
	}
	return "taken-over"
}

// build makes the collection for a job. What cannot be made is refused; the job is nil then.
func (t *takeover) build(ctx context.Context, c *davclient.Collection, home string, want holdfast.CollectionRecord) (*job, error) {
	made := holdfast.Collection{CollectionRecord: want}
	made.Properties = looks(c, nil, true)
	err := t.homes.make(ctx, home, &made)
	switch holdfast.KindOf(err) {
	case holdfast.Forbidden, holdfast.TooLarge, holdfast.Invalid:
		if err != nil {
			precondition, why := whyNot(err, false)
			t.failed++
			return nil, t.emit(TakeoverEvent{Refused: &RefusedOne{File: c.Path(), Precondition: precondition, Why: "the collection cannot be made: " + why}})
		}
	}
	if err != nil {
		return nil, err
	}
	to := newTarget(home+"/"+want.Name, made)
	to.made = true
	return newJob(c, to), t.unusable(c)
}

// join adds to a collection that is there, and gives it what it lacks of the other's looks. One that holds nothing and has the name that every account begins with
// takes the other's name too: nobody has made it his own.
func (t *takeover) join(ctx context.Context, c *davclient.Collection, at *placed) (*job, error) {
	j := newJob(c, newTarget(at.path, at.c))
	have := at.c.Properties
	rename := at.c.Items == 0 && untouched(have.Get(nsDAV, "displayname"))
	if t.q.DryRun || string(looks(c, have, rename).Encode()) == string(have.Encode()) {
		return j, t.unusable(c)
	}
	place := core.Place{Owner: t.q.Account, Collection: at.c.ID}
	_, err := t.s.SetProperties(ctx, t.p, place, nil, func(ps holdfast.Properties) (holdfast.Properties, error) {
		return looks(c, ps, rename), nil
	})
	return j, cmp.Or(err, t.unusable(c))
}

// untouched tells whether a name is one that accounts begin with.
func untouched(displayname []byte) bool {
	for _, kind := range []string{kindCard, kindEvent, kindTodo, kindJournal} {
		if _, _, label, _, _ := standard(kind); strings.Contains(string(displayname), ">"+label+"<") {
			return true
		}
	}
	return displayname == nil
}

var (
	colour = regexp.MustCompile(`^#([0-9A-Fa-f]{6}|[0-9A-Fa-f]{8})$`)
	number = regexp.MustCompile(`^[0-9]{1,9}$`)
)

// look is one thing that a server keeps of how a collection looks.
type look struct {
	space, local, text string
	good               bool
}

func looksOf(c *davclient.Collection) []look {
	if c.Kind == davclient.Addressbook {
		return []look{{nsDAV, "displayname", c.DisplayName, true}, {nsCardDAV, "addressbook-description", c.Description, true}}
	}
	return []look{{nsDAV, "displayname", c.DisplayName, true}, {nsCalDAV, "calendar-description", c.Description, true},
		{nsApple, "calendar-color", c.Color, colour.MatchString(c.Color)}, {nsApple, "calendar-order", c.Order, number.MatchString(c.Order)},
		{nsCalDAV, "calendar-timezone", c.Timezone, oneZone(c.Timezone)}}
}

func (l look) usable() bool { return l.good && len(l.text) <= maxText }

// looks adds to properties what the other server has. What is there stays, but for the name where rename says so.
func looks(c *davclient.Collection, ps holdfast.Properties, rename bool) holdfast.Properties {
	for _, l := range looksOf(c) {
		if strings.TrimSpace(l.text) != "" && l.usable() && (ps.Get(l.space, l.local) == nil || rename && l.local == "displayname") {
			ps = ps.With(l.space, l.local, textProperty(l.space, l.local, l.text))
		}
	}
	return ps
}

// unusable says which looks cannot be kept.
func (t *takeover) unusable(c *davclient.Collection) error {
	for _, l := range looksOf(c) {
		if strings.TrimSpace(l.text) != "" && !l.usable() {
			if err := t.note(c.Path(), fmt.Sprintf("its %s is not one that can be kept, and was left out", l.local)); err != nil {
				return err
			}
		}
	}
	return nil
}

// oneZone tells whether a text is a calendar with a time zone and nothing else (RFC 4791 section 5.2.2).
func oneZone(text string) bool {
	if text == "" {
		return false
	}
	c, err := ical.Parse([]byte(text), ical.DefaultLimits())
	return err == nil && len(c.Children) == 1 && c.Children[0].Name == "VTIMEZONE"
}
