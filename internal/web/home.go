package web

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/core"
)

// homeData is the data of the overview.
type homeData struct {
	Books   []shelf // address books
	Dates   []shelf // calendars, of whatever they hold
	Devices int64
	Seen    time.Time // when any device was last seen
	Copies  []Copy
	Changed bool // the password, just now
	Waits   []waitCard
	KeyNag  string // what should be done about the recovery key
	Burst   bool   // a device deleted or overwrote much at once, and nobody has looked at it
}

// shelf is an address book or a calendar on the overview.
type shelf struct {
	Name      string
	Items     int64
	One, Many string    // what its items are called
	Last      time.Time // its newest change; zero: it never held anything
	Shared    string    // with whom, or by whom; empty: with nobody
}

// NoContacts tells that nothing was in any address book yet, and NoDates that nothing was in any calendar: then it is said how it comes there.
func (d homeData) NoContacts() bool { return none(d.Books) }

// NoDates: see NoContacts.
func (d homeData) NoDates() bool { return none(d.Dates) }

func none(all []shelf) bool {
	return !slices.ContainsFunc(all, func(s shelf) bool { return !s.Last.IsZero() })
}

func (s *Server) home(w http.ResponseWriter, r *http.Request) {
	x, ok := s.signedIn(w, r)
	if !ok {
		return
	}
	d := homeData{Copies: s.copies(), Changed: r.FormValue("password") == "changed"}
	if s.KeyNag != nil {
		d.KeyNag = sentence(s.KeyNag())
	}
	devices, err := s.Core.Devices(r.Context(), x.Person.ID)
	if err == nil {
		err = s.Core.Read(r.Context(), x.Principal(), x.Person.ID, func(rd *core.Reader) error {
			if d.Books, err = shelves(rd, holdfast.TypeAddressbook); err == nil {
				d.Dates, err = shelves(rd, holdfast.TypeCalendar)
			}
			return err
		})
	}
	var waiting core.Waiting
	if err == nil {
		waiting, err = s.Core.Waiting(r.Context(), x.Person.ID)
	}
	if err != nil {
		s.failAbout(w, r, x, err)
		return
	}
	d.Burst = slices.ContainsFunc(s.Core.Bursts(), func(b core.Burst) bool { return b.Owner == x.Person.ID })
	d.Waits = s.waits(x.Person.Email, &waiting, s.Now())
	d.Devices = int64(len(devices))
	for _, v := range devices {
		if v.LastSeen.After(d.Seen) {
			d.Seen = v.LastSeen
		}
	}
	s.show(w, r, http.StatusOK, "home", s.private(r, x, "Overview", d))
}

// shelves reads the account's collections of a type with their counts and newest changes.
func shelves(rd *core.Reader, t holdfast.CollectionType) ([]shelf, error) {
	all, err := collectionsOf(rd, t)
	if err != nil {
		return nil, err
	}
	var out []shelf
	for i := range all {
		b := shelf{Name: collectionLabel(&all[i]), Items: all[i].Items}
		b.One, b.Many = nouns(&all[i])
		if b.Shared, err = sharing(rd, &all[i]); err != nil {
			return nil, err
		}
		err = rd.History().Changes(all[i].Account, all[i].Seq-1, 1, 0, func(c *holdfast.Change) error {
			if b.Items > 0 || c.Kind >= holdfast.KindAddress { // what was deleted was there
				b.Last = c.At
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

// sharing says who else sees a collection, or whose it is.
func sharing(rd *core.Reader, c *holdfast.Collection) (string, error) {
	if rd.Access(c) != core.Owns {
		owner, err := rd.OwnerOf(c)
		return fmt.Sprintf("%s shares this with you, to %s.", owner.Email, rd.ShareOf(c).Rights), err
	}
	var with []string
	for _, x := range rd.SharedWith(c.ID) {
		guest, err := rd.Principal(x.Guest)
		if holdfast.IsKind(err, holdfast.NotFound) {
			continue
		}
		if err != nil {
			return "", err
		}
		with = append(with, fmt.Sprintf("%s, to %s", guest.Email, x.Rights))
	}
	if len(with) == 0 {
		return "", nil
	}
	slices.Sort(with)
	return "Shared with " + strings.Join(with, "; ") + ".", nil
}

// nouns say what the items of a collection are called.
func nouns(c *holdfast.Collection) (one, many string) {
	switch {
	case c.Type == holdfast.TypeAddressbook:
		return "contact", "contacts"
	case slices.Equal(c.Components, []string{"VEVENT"}):
		return "event", "events"
	case slices.Equal(c.Components, []string{"VTODO"}):
		return "to-do", "to-dos"
	case slices.Equal(c.Components, []string{"VJOURNAL"}):
		return "note", "notes"
	}
	return "entry", "entries"
}

// collectionsOf returns the account's collections of the types and those that are shared with it, those of the first type first, each in the order of their labels. Of
// what is shared by an account that cannot be served now nothing is told.
func collectionsOf(rd *core.Reader, types ...holdfast.CollectionType) ([]holdfast.Collection, error) {
	all, err := rd.Visible()
	var out []holdfast.Collection
	for _, t := range types {
		from := len(out)
		for _, c := range all {
			if c.Type != t {
				continue
			}
			if _, closed := rd.Collection(c.ID); holdfast.IsKind(closed, holdfast.Unavailable) || holdfast.IsKind(closed, holdfast.InDoubt) {
				continue
			}
			out = append(out, c)
		}
		slices.SortFunc(out[from:], func(a, b holdfast.Collection) int {
			return cmp.Or(cmp.Compare(collectionLabel(&a), collectionLabel(&b)), cmp.Compare(a.Name, b.Name))
		})
	}
	return out, err
}
