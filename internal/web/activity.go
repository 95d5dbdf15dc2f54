package web

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/auth"
	"holdfast/internal/core"
)

// activityData is the data of the page that says what happened to somebody's account.
type activityData struct {
	Refused     []refusedCard // what devices sent in vain and is kept, first
	Open        []burstCard   // what a device deleted or overwrote at once and nobody has looked at, first
	Days        []day
	Devices     []choice
	Collections []choice
	Filtered    bool
	Later       bool      // newer deeds are on another page
	Newest      string    // where the newest are
	Next        string    // where older ones are; empty: nowhere
	Reach       time.Time // back to when it was looked, where that is not all
}

// choice is what can be chosen in a filter.
type choice struct {
	ID, Name string
	Chosen   bool
}

// day is what was done on one, by who did it one after the other.
type day struct {
	At   time.Time
	Runs []run
}

// run is what one did, one thing after the other.
type run struct {
	Who   string
	Deeds []deedRow
}

// shownOfRun is how many deeds of a run are in sight at once, if there are more than one besides.
const shownOfRun = 6

// First are the deeds of a run that are in sight, and Rest those that open with a click.
func (r run) First() []deedRow {
	if len(r.Deeds) <= shownOfRun+1 {
		return r.Deeds
	}
	return r.Deeds[:shownOfRun]
}

// Rest: see First.
func (r run) Rest() []deedRow { return r.Deeds[len(r.First()):] }

// deedRow is what was done at once, in words.
type deedRow struct {
	At     time.Time
	Text   string
	Undo   *undoForm // nil: it cannot be undone
	Undone bool
	Note   string
}

// undoForm is a button that takes something back.
type undoForm struct {
	Name, Value string // of the field that says what
	Label       string
	What        string // for who does not see where the button stands
}

// burstCard is a burst that is new.
type burstCard struct {
	ID      string
	Who     string
	Began   time.Time
	To      time.Time
	Changes int
	Least   bool
	Reset   bool
}

func (s *Server) activity(w http.ResponseWriter, r *http.Request) {
	x, ok := s.signedIn(w, r)
	if !ok {
		return
	}
	q, ok := activityQuery(r)
	if !ok {
		s.notFound(w, r)
		return
	}
	d, err := s.readActivity(r.Context(), x, q)
	if err != nil {
		s.failAbout(w, r, x, err)
		return
	}
	s.show(w, r, http.StatusOK, "activity", s.private(r, x, "Activity", d))
}

// activityQuery reads what is asked for; ok is false where that is nothing that a page of ours links to.
func activityQuery(r *http.Request) (q core.ActivityQuery, ok bool) {
	var err error
	if v := r.FormValue("before"); v != "" {
		if q.Before, err = strconv.ParseUint(v, 10, 64); err != nil {
			return q, false
		}
	}
	for name, id := range map[string]*holdfast.ID{"device": &q.Device, "collection": &q.Collection} {
		if v := r.FormValue(name); v != "" {
			if *id, err = holdfast.ParseID(v); err != nil {
				return q, false
			}
		}
	}
	return q, true
}

// readActivity reads what happened and says it in words.
func (s *Server) readActivity(ctx context.Context, x auth.Session, q core.ActivityQuery) (*activityData, error) {
	past, err := s.Core.Past(ctx, x.Principal(), x.Person.ID)
	if err != nil {
		return nil, err
	}
	a, err := past.Activity(ctx, q)
	if err != nil {
		return nil, err
	}
	devices, err := s.Core.Devices(ctx, x.Person.ID)
	if err != nil {
		return nil, err
	}
	d := &activityData{Filtered: !q.Device.IsZero() || !q.Collection.IsZero(), Later: q.Before > 0, Newest: activityURL(q, 0)}
	if a.Next > 0 {
		d.Next, d.Reach = activityURL(q, a.Next), a.Reach
	}
	d.Devices = deviceChoices(x.Person, devices, a.Devices, q.Device)
	d.Collections = collectionChoices(a.Collections, q.Collection)
	if !d.Filtered && !d.Later {
		d.Refused = s.refusedOf(x.Person.ID, devices)
		for i := range a.Open {
			b := &a.Open[i]
			d.Open = append(d.Open, burstCard{b.ID.String(), doerText(x.Person.Email, b.By, b.Name), b.Began, b.To, b.Changes, b.Least, b.Reset})
		}
	}
	t := teller{s: s, ctx: ctx, me: x.Person.Email, collections: a.Collections}
	for i := range a.Deeds {
		d.add(&t, &a.Deeds[i])
	}
	return d, nil
}

// add puts a deed under its day and who did it. The server does not know the reader's time zone; days are those of UTC, as all times are.
func (d *activityData) add(t *teller, x *core.Deed) {
	at := x.At.UTC().Truncate(24 * time.Hour)
	if n := len(d.Days); n == 0 || !d.Days[n-1].At.Equal(at) {
		d.Days = append(d.Days, day{At: at})
	}
	today := &d.Days[len(d.Days)-1]
	who := doerText(t.me, x.By, x.Device)
	switch {
	case x.First == 1:
		who = "At the beginning"
	case x.Burst != nil:
		who = "This server"
	}
	if n := len(today.Runs); n == 0 || today.Runs[n-1].Who != who {
		today.Runs = append(today.Runs, run{Who: who})
	}
	last := &today.Runs[len(today.Runs)-1]
	last.Deeds = append(last.Deeds, t.row(x))
}

// Who has no name of his own, at the beginning of a line.
const (
	you      = "You, on these pages"
	operator = "The operator of this server"
)

// uncapital fits who did something into a sentence.
func uncapital(who string) string {
	if who == you || who == operator {
		return strings.ToLower(who[:1]) + who[1:]
	}
	return who
}

// doerText says who did something, to who is signed in.
func doerText(me, by, device string) string {
	switch {
	case by == "":
		return operator
	case device == "" && by == me:
		return you
	case device == "":
		return by
	case by == me:
		return device
	}
	return device + ", of " + by
}

// activityURL is the address of a page of what happened.
func activityURL(q core.ActivityQuery, before uint64) string {
	v := url.Values{}
	if !q.Device.IsZero() {
		v.Set("device", q.Device.String())
	}
	if !q.Collection.IsZero() {
		v.Set("collection", q.Collection.String())
	}
	if before > 0 {
		v.Set("before", strconv.FormatUint(before, 10))
	}
	if len(v) == 0 {
		return "/activity"
	}
	return "/activity?" + v.Encode()
}

// deviceChoices are the account's devices, and others that the page shows: of guests, and what was revoked.
func deviceChoices(me *core.Person, own []core.Device, shown []core.Doer, chosen holdfast.ID) []choice {
	var out []choice
	add := func(id holdfast.ID, name string) {
		if !slices.ContainsFunc(out, func(c choice) bool { return c.ID == id.String() }) {
			out = append(out, choice{id.String(), name, id == chosen})
		}
	}
	for i := range own {
		add(own[i].ID, own[i].Name)
	}
	for _, x := range shown {
		add(x.ID, doerText(me.Email, x.By, x.Name))
	}
	if !chosen.IsZero() {
		add(chosen, "the device that is chosen")
	}
	slices.SortStableFunc(out, func(a, b choice) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

func collectionChoices(all []holdfast.Collection, chosen holdfast.ID) (out []choice) {
	for i := range all {
		name := collectionLabel(&all[i])
		if all[i].Gone {
			name += " (deleted)"
		}
		out = append(out, choice{all[i].ID.String(), name, all[i].ID == chosen})
	}
	return out
}

// burstKnown takes a burst from the top of the page: its owner wanted it.
func (s *Server) burstKnown(w http.ResponseWriter, r *http.Request) {
	x, ok := s.signedIn(w, r)
	if !ok {
		return
	}
	id, err := holdfast.ParseID(r.PostFormValue("burst"))
	if err != nil {
		s.notFound(w, r)
		return
	}
	past, err := s.Core.Past(r.Context(), x.Principal(), x.Person.ID)
	if err == nil {
		err = past.Known(r.Context(), id)
	}
	if err != nil {
		s.failAbout(w, r, x, err)
		return
	}
	http.Redirect(w, r, "/activity", http.StatusSeeOther)
}
