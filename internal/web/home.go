package web

import (
	"net/http"
	"time"

	"holdfast"
	"holdfast/internal/core"
)

// homeData is the data of the overview.
type homeData struct {
	Books   []book
	Devices int64
	Seen    time.Time // when any device was last seen
	Copies  []Copy
	Changed bool // the password, just now
}

// book is an address book on the overview.
type book struct {
	Name  string
	Items int64
	Last  time.Time // its newest change
}

func (s *Server) home(w http.ResponseWriter, r *http.Request) {
	x, ok := s.signedIn(w, r)
	if !ok {
		return
	}
	d := homeData{Copies: s.copies(), Changed: r.FormValue("password") == "changed"}
	devices, err := s.Core.Devices(r.Context(), x.Person.ID)
	if err == nil {
		err = s.Core.Read(r.Context(), x.Principal(), x.Person.ID, func(rd *core.Reader) error {
			d.Books, err = books(rd)
			return err
		})
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	d.Devices = int64(len(devices))
	for _, v := range devices {
		if v.LastSeen.After(d.Seen) {
			d.Seen = v.LastSeen
		}
	}
	s.show(w, r, http.StatusOK, "home", s.private(x, "Overview", d))
}

// books reads the account's address books with their counts and newest changes.
func books(rd *core.Reader) ([]book, error) {
	all, err := addressBooks(rd)
	if err != nil {
		return nil, err
	}
	var out []book
	for i := range all {
		b := book{Name: collectionLabel(&all[i]), Items: all[i].Items}
		err := rd.History().Changes(rd.Owner().ID, all[i].Seq-1, 1, 0, func(c *holdfast.Change) error {
			b.Last = c.At
			return nil
		})
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

func addressBooks(rd *core.Reader) ([]holdfast.Collection, error) {
	all, err := rd.Collections()
	var out []holdfast.Collection
	for _, c := range all {
		if c.Type == holdfast.TypeAddressbook {
			out = append(out, c)
		}
	}
	return out, err
}
