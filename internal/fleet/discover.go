package fleet

import (
	"errors"
	"slices"
	"strings"

	"holdfast/internal/davxml"
)

// found is a collection as a home lists it.
type found struct {
	href     string
	contacts bool
	readOnly bool
}

// discover finds the principal, its homes, and the collections in them that the client syncs. Whatever goes wrong before the end leaves all as it is.
func (d *Device) discover(s *session) error {
	homes, err := d.homes(s)
	if err != nil {
		return err
	}
	var list []found
	for _, home := range homes {
		m, err := d.wire.ask(s, "PROPFIND", home, "1", askCollections)
		var e *statusError
		if errors.As(err, &e) && d.Kind == DAVx5 && d.found && absent(e.status) {
			continue // a home that is not there lists nothing; each collection of it is then asked itself
		}
		if err != nil {
			return err
		}
		list = append(list, d.collectionsIn(m)...)
	}
	slices.SortFunc(list, func(a, b found) int { return strings.Compare(a.href, b.href) })
	return d.merge(s, list)
}

func absent(status int) bool { return status == 403 || status == 404 || status == 410 }

// homes are the principal's homes of the kinds that the client syncs.
func (d *Device) homes(s *session) ([]string, error) {
	m, err := d.wire.ask(s, "PROPFIND", d.wire.Base.Path, "0", askPrincipal)
	if err != nil {
		return nil, err
	}
	principal := ""
	for i := range m.responses {
		if h := m.responses[i].prop(davxml.DCurrentUserPrincipal).Child(davxml.DHref).TrimText(); h != "" {
			principal = strings.Clone(h)
		}
	}
	if principal == "" {
		return nil, errors.New("the server names no principal at " + d.wire.Base.Path)
	}
	if m, err = d.wire.ask(s, "PROPFIND", principal, "0", askHomes); err != nil {
		return nil, err
	}
	var list []string
	for _, k := range []struct {
		want bool
		set  davxml.Name
	}{{d.habits.contacts, davxml.CRAddressbookHomeSet}, {d.habits.events, davxml.CCalendarHomeSet}} {
		for i := range m.responses {
			if h := m.responses[i].prop(k.set).Child(davxml.DHref).TrimText(); h != "" && k.want && !slices.Contains(list, h) {
				list = append(list, strings.Clone(h))
			}
		}
	}
	if len(list) == 0 {
		return nil, errors.New("the principal " + principal + " names no home")
	}
	return list, nil
}

// collectionsIn picks the address books, and the calendars that take events.
func (d *Device) collectionsIn(m *multistatus) (list []found) {
	for i := range m.responses {
		r := &m.responses[i]
		t := r.prop(davxml.DResourceType)
		book, calendar := t.Child(davxml.CRAddressbook) != nil, t.Child(davxml.CCalendar) != nil
		if book && d.habits.contacts || calendar && d.habits.events && takesEvents(r) {
			list = append(list, found{r.href, book, readOnly(r)})
		}
	}
	return list
}

func takesEvents(r *response) bool {
	set := r.prop(davxml.CSupportedCalendarComponentSet)
	if set == nil {
		return true
	}
	for c := range set.All(davxml.CComp) {
		if name, _ := c.Attr("", "name"); strings.EqualFold(name, "VEVENT") {
			return true
		}
	}
	return false
}

// readOnly: privileges were given, and none of them lets one write.
func readOnly(r *response) bool {
	set := r.prop(davxml.DCurrentUserPrivilegeSet)
	if set == nil {
		return false
	}
	for p := range set.All(davxml.DPrivilege) {
		if p.Child(davxml.DWrite) != nil || p.Child(davxml.DWriteContent) != nil || p.Child(davxml.DAll) != nil || p.Child(davxml.DBind) != nil {
			return false
		}
	}
	return true
}

// merge brings the device's collections in line with what was found.
func (d *Device) merge(s *session, list []found) error {
	for _, f := range list {
		i := slices.IndexFunc(d.cols, func(c *Collection) bool { return c.Href == f.href })
		if i >= 0 {
			d.cols[i].ReadOnly = f.readOnly
			continue
		}
		d.cols = append(d.cols, &Collection{Href: f.href, Contacts: f.contacts, ReadOnly: f.readOnly, Items: map[string]*Item{}})
	}
	d.found = true
	for _, c := range slices.Clone(d.cols) {
		if slices.ContainsFunc(list, func(f found) bool { return f.href == c.Href }) {
			continue
		}
		why, err := d.vanished(s, c)
		if err != nil {
			return err
		}
		if why != "" {
			d.wipe(s, c, why)
			d.cols = slices.DeleteFunc(d.cols, func(x *Collection) bool { return x == c })
		}
	}
	return nil
}

// vanished decides about a collection that is not listed any more (row "missing from the home listing and itself 403/404/410"): DAVx5 asks the collection itself,
// and wipes on 403, 404 and 410, unsynced edits too; Evolution wipes if the discovery succeeded without it; the others keep.
func (d *Device) vanished(s *session, c *Collection) (because string, err error) {
	switch d.Kind {
	case Evolution:
		return "discovery succeeds without " + c.Href, nil
	case DAVx5:
		_, err := d.wire.ask(s, "PROPFIND", c.Href, "0", askCollections)
		var e *statusError
		if errors.As(err, &e) && absent(e.status) {
			return "no home lists " + c.Href + ", and itself it " + strings.TrimPrefix(e.Error(), e.what+" "), nil
		}
		return "", err
	}
	return "", nil
}
