package davclient

import (
	"net/url"
	"path"
	"slices"
	"strings"
)

// Kind is what a collection holds.
type Kind string

// The kinds of collections that can be taken over.
const (
	Addressbook Kind = "addressbook"
	Calendar    Kind = "calendar"
)

// Collection is an address book or a calendar of the other server, with what its owner set on it.
type Collection struct {
	URL         *url.URL
	Kind        Kind
	Name        string   // last segment of its path, decoded
	Components  []string // of a calendar: VEVENT, VTODO …; empty where the server does not say
	DisplayName string
	Description string
	Color       string // #RRGGBB or #RRGGBBAA, as Apple's property has it
	Order       string
	Timezone    string // of a calendar: iCalendar text
	Owner       string // path of the principal whose it is; empty where the server does not say
	Shared      bool   // it belongs to somebody else
}

// Path is the path of its URL, decoded, for people.
func (c *Collection) Path() string { return c.URL.Path }

// Left is a collection that is not taken over, with the reason.
type Left struct {
	Name  string
	Path  string
	Why   string
	Fault bool // it could not be looked at: it may have to be taken over
}

// wanted are the properties of a collection that are asked for.
const wanted = `<D:resourcetype/><D:displayname/><D:owner/><D:current-user-principal/><C:supported-calendar-component-set/><C:calendar-description/>` +
	`<C:calendar-timezone/><A:calendar-color/><A:calendar-order/><CR:addressbook-description/><CS:source/>`

const declared = ` xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:CR="urn:ietf:params:xml:ns:carddav" xmlns:A="http://apple.com/ns/ical/" xmlns:CS="http://calendarserver.org/ns/"`

func propfind(props string) string {
	return `<?xml version="1.0" encoding="utf-8"?>` + "\n<D:propfind" + declared + "><D:prop>" + props + "</D:prop></D:propfind>"
}

// collectionOf reads what a response says of a collection. why tells what keeps it from being taken over; both are empty for what is no collection of anything.
func collectionOf(u *url.URL, r *response) (c *Collection, why string) {
	name := path.Base(strings.TrimRight(u.Path, "/"))
	switch {
	case r.is(nsCalDAV, "schedule-inbox"), r.is(nsCalDAV, "schedule-outbox"):
		return nil, "it only passes invitations on"
	case r.is(nsCS, "notification"), r.is(nsCS, "dropbox-home"):
		return nil, "it holds a server's own notes"
	case r.is(nsCS, "subscribed"):
		return nil, subscription(r)
	case r.is(nsNextcloud, "trash-bin"), r.is(nsNextcloud, "deleted-calendar"):
		return nil, "it holds what was deleted there"
	case !r.is(nsCalDAV, "calendar") && !r.is(nsCardDAV, "addressbook"):
		return nil, ""
	case strings.HasPrefix(name, "z-app-generated--"), strings.HasPrefix(name, "app-generated--"), strings.HasPrefix(name, "z-server-generated--"):
		return nil, "the server makes it itself, out of other data"
	case name == "contact_birthdays":
		return nil, "the server makes it itself, out of the contacts"
	}
	c = &Collection{URL: u, Kind: Addressbook, Name: name, DisplayName: r.prop(nsDAV, "displayname").trim(), Owner: r.prop(nsDAV, "owner").href(),
		Description: r.prop(nsCardDAV, "addressbook-description").trim(), Shared: r.is(nsCS, "shared")}
	if r.is(nsCalDAV, "calendar") {
		c.Kind, c.Description = Calendar, r.prop(nsCalDAV, "calendar-description").trim()
		c.Color, c.Order = r.prop(nsApple, "calendar-color").trim(), r.prop(nsApple, "calendar-order").trim()
		if z := r.prop(nsCalDAV, "calendar-timezone"); z != nil {
			c.Timezone = z.text
		}
		c.Components = components(r.prop(nsCalDAV, "supported-calendar-component-set"))
	}
	return c, ""
}

func subscription(r *response) string {
	from := r.prop(nsCS, "source").href()
	if from == "" {
		return "it is a subscription: its data is somebody else's"
	}
	return "it is a subscription; subscribe to " + from + " again where it is wanted"
}

func components(set *node) (out []string) {
	if set == nil {
		return nil
	}
	for _, c := range set.children {
		for _, a := range c.attrs {
			if name := strings.ToUpper(strings.TrimSpace(a.Value)); c.name.Local == "comp" && a.Name.Local == "name" && name != "" && !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}
