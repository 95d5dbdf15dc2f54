package web

import (
	"cmp"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/auth"
	"holdfast/internal/core"
)

// deviceRow is a row of the device list.
type deviceRow struct {
	ID       string
	Name     string
	Created  time.Time
	LastSeen time.Time
	Seen     []seenLine
}

func (s *Server) devices(w http.ResponseWriter, r *http.Request) {
	x, ok := s.signedIn(w, r)
	if !ok {
		return
	}
	rows, err := s.rows(r, x)
	if err != nil {
		s.failAbout(w, r, x, err)
		return
	}
	s.show(w, r, http.StatusOK, "devices", s.private(r, x, "Devices", struct {
		Rows    []deviceRow
		Revoked bool
	}{rows, r.FormValue("revoked") != ""}))
}

// rows reads the device list. It looks at the collections that devices sync: address books and calendars.
func (s *Server) rows(r *http.Request, x auth.Session) ([]deviceRow, error) {
	devices, err := s.Core.Devices(r.Context(), x.Person.ID)
	if err != nil {
		return nil, err
	}
	rows := make([]deviceRow, len(devices))
	err = s.Core.Read(r.Context(), x.Principal(), x.Person.ID, func(rd *core.Reader) error {
		synced, err := collectionsOf(rd, holdfast.TypeAddressbook, holdfast.TypeCalendar)
		if err != nil {
			return err
		}
		for i := range devices {
			d := &devices[i]
			rows[i] = deviceRow{ID: d.ID.String(), Name: d.Name, Created: d.Created, LastSeen: d.LastSeen}
			if rows[i].Seen, err = seenLines(rd, synced, d); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(rows, func(a, b deviceRow) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Name, b.Name)) })
	return rows, nil
}

// seenLines tells what a device has of each collection. Most devices sync some of the calendars only: those that it never synced are not told one by one.
func seenLines(rd *core.Reader, synced []holdfast.Collection, d *core.Device) ([]seenLine, error) {
	var lines []seenLine
	calendars, told := false, false
	for i := range synced {
		c := &synced[i]
		if c.Type == holdfast.TypeCalendar {
			calendars = true
			if !slices.ContainsFunc(d.Seen, func(x holdfast.Sighting) bool { return x.Collection == c.ID }) {
				continue
			}
			told = true
		}
		own, err := ownChange(rd, c, d)
		if err != nil {
			return nil, err
		}
		lines = append(lines, seen(c, d, own))
	}
	if calendars && !told {
		lines = append(lines, seenLine{Collection: "Calendars", Text: "never synced"})
	}
	return lines, nil
}

// maxOwn is how many changes are looked at for whether a device made them itself; one that sent more is called behind until its next sync.
const maxOwn = 1000

// ownChange returns when a device made the newest change of a collection, if all changes since its last sync are its own: they do not wait for it. Otherwise it
// returns zero.
func ownChange(rd *core.Reader, c *holdfast.Collection, d *core.Device) (time.Time, error) {
	i := slices.IndexFunc(d.Seen, func(x holdfast.Sighting) bool { return x.Collection == c.ID })
	if i < 0 || d.Seen[i].Seq >= c.Seq {
		return time.Time{}, nil
	}
	var own time.Time
	n, others, last := 0, false, d.Seen[i].Seq
	err := rd.History().Changes(c.Account, last, maxOwn, 0, func(x *holdfast.Change) error {
		n, last = n+1, x.Seq
		if x.Collection == c.ID {
			own, others = x.At, others || x.Actor.Device != d.ID
		}
		return nil
	})
	if others || n == maxOwn && last < c.Seq {
		own = time.Time{}
	}
	return own, err
}

// sameName refuses a name that another of the account's devices has: who revokes one must know which.
func (s *Server) sameName(r *http.Request, account holdfast.ID, name string) error {
	devices, err := s.Core.Devices(r.Context(), account)
	if err != nil {
		return err
	}
	name = strings.TrimSpace(name)
	if slices.ContainsFunc(devices, func(d core.Device) bool { return strings.EqualFold(d.Name, name) }) {
		return &holdfast.Error{Op: "web.devices", Kind: holdfast.Exists, Ref: name, Text: "You have a device of this name already. Choose another name, or revoke that one first."}
	}
	return nil
}

func (s *Server) deviceForm(w http.ResponseWriter, r *http.Request) {
	if x, ok := s.signedIn(w, r); ok {
		s.showDeviceForm(w, r, x, http.StatusOK, "", "")
	}
}

func (s *Server) showDeviceForm(w http.ResponseWriter, r *http.Request, x auth.Session, status int, name, problem string) {
	v := s.private(r, x, "Add a device", struct {
		Name  string
		First bool
		Local bool
	}{name, len(x.Person.Devices) == 0, s.Proxy.Client(r).Local()})
	v.Problem = problem
	s.show(w, r, status, "device-new", v)
}

// deviceDo adds a device. The answer is a redirect, so that loading the page anew adds no second one.
func (s *Server) deviceDo(w http.ResponseWriter, r *http.Request) {
	x, ok := s.signedIn(w, r)
	if !ok {
		return
	}
	name := r.PostFormValue("name")
	var app auth.AppPassword
	var d holdfast.DeviceRecord
	err := s.sameName(r, x.Person.ID, name)
	if err == nil {
		app, err = auth.NewAppPassword(s.Random)
	}
	if err == nil {
		d, _, err = s.Core.AddDevice(r.Context(), x.Principal().Actor(), x.Person.ID, name, app.Hash)
	}
	if err != nil {
		status, text := s.describe(w, r, err)
		s.showDeviceForm(w, r, x, status, name, text)
		return
	}
	s.links.add(link{account: x.Person.ID, device: d.ID, name: d.Name, login: x.Person.Email, password: app.Text})
	http.Redirect(w, r, "/devices/"+d.ID.String()+"/added", http.StatusSeeOther)
}

// deviceAdded shows a new device's app password and QR code, for as long as its link is good.
func (s *Server) deviceAdded(w http.ResponseWriter, r *http.Request) {
	x, ok := s.signedIn(w, r)
	if !ok {
		return
	}
	id, _ := holdfast.ParseID(r.PathValue("id"))
	l, ok := s.links.of(x.Person.ID, id)
	if !ok {
		s.problem(w, r, http.StatusNotFound, "This is not shown again", trouble{
			Text: "An app password is shown for ten minutes after its device was added. If it did not get to the device in time, revoke that device and add it again.",
			Link: "/devices", LinkText: "To the devices"})
		return
	}
	client := s.Proxy.Client(r)
	url := client.Base + "/d/" + l.token
	code, err := qrCode(url)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.show(w, r, http.StatusOK, "device-added", s.private(r, x, "Set up "+l.name, struct {
		Name    string
		URL     string
		QR      template.HTML
		Manual  manual
		Expires time.Time
		Opened  bool
		Local   bool
		HTTPS   bool
	}{l.name, url, code, manualOf(client, l), l.expires, l.owner != "", client.Local(), client.HTTPS}))
}

// manual is what a person types where nothing else works.
type manual struct{ Server, Address, Login, Password string }

func manualOf(c auth.ClientInfo, l link) manual {
	return manual{Server: c.Host, Address: c.Base + "/dav/", Login: l.login, Password: l.password}
}

// device finds the device that a path names. If there is none it has already answered.
func (s *Server) device(w http.ResponseWriter, r *http.Request, x auth.Session) (deviceRow, bool) {
	rows, err := s.rows(r, x)
	if err != nil {
		s.fail(w, r, err)
		return deviceRow{}, false
	}
	for _, d := range rows {
		if d.ID == r.PathValue("id") {
			return d, true
		}
	}
	s.problem(w, r, http.StatusNotFound, "This device is not in your list", trouble{
		Text: "It may have been revoked already.", Link: "/devices", LinkText: "To the devices"})
	return deviceRow{}, false
}

func (s *Server) revokeForm(w http.ResponseWriter, r *http.Request) {
	x, ok := s.signedIn(w, r)
	if !ok {
		return
	}
	if d, ok := s.device(w, r, x); ok {
		s.show(w, r, http.StatusOK, "device-revoke", s.private(r, x, "Revoke "+d.Name, d))
	}
}

func (s *Server) revokeDo(w http.ResponseWriter, r *http.Request) {
	x, ok := s.signedIn(w, r)
	if !ok {
		return
	}
	d, ok := s.device(w, r, x)
	if !ok {
		return
	}
	id, _ := holdfast.ParseID(d.ID)
	s.links.drop(id)
	if _, err := s.Core.RevokeDevice(r.Context(), x.Principal().Actor(), x.Person.ID, id); err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, "/devices?revoked=1", http.StatusSeeOther)
}
