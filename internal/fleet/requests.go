package fleet

import (
	"html"
	"strings"
)

// The bodies of requests: which properties each client asks for, as internal/dav/transcripts has them.
const (
	xmlHead = `<?xml version="1.0" encoding="utf-8"?>` + "\n"
	spaces  = ` xmlns="DAV:" xmlns:CAL="urn:ietf:params:xml:ns:caldav" xmlns:CARD="urn:ietf:params:xml:ns:carddav" xmlns:CS="http://calendarserver.org/ns/"`

	askPrincipal   = xmlHead + `<propfind xmlns="DAV:"><prop><resourcetype/><current-user-principal/></prop></propfind>`
	askHomes       = xmlHead + `<propfind` + spaces + `><prop><resourcetype/><CARD:addressbook-home-set/><CAL:calendar-home-set/></prop></propfind>`
	askCollections = xmlHead + `<propfind` + spaces + `><prop><resourcetype/><displayname/><current-user-privilege-set/><CAL:supported-calendar-component-set/></prop></propfind>`
	askState       = xmlHead + `<propfind` + spaces + `><prop><supported-report-set/><CS:getctag/><sync-token/></prop></propfind>`
	askStateBook   = xmlHead + `<propfind` + spaces + `><prop><CARD:max-resource-size/><CARD:supported-address-data/><supported-report-set/><CS:getctag/><sync-token/></prop></propfind>`
	askStateCal    = xmlHead + `<propfind` + spaces + `><prop><CAL:max-resource-size/><supported-report-set/><CS:getctag/><sync-token/></prop></propfind>`
	askCTag        = xmlHead + `<propfind` + spaces + `><prop><CS:getctag/><sync-token/></prop></propfind>`
	askToken       = xmlHead + `<propfind` + spaces + `><prop><displayname/><CS:getctag/><sync-token/></prop></propfind>`
	askETags       = xmlHead + `<propfind` + spaces + `><prop><getetag/></prop></propfind>`
	askMembers     = xmlHead + `<propfind` + spaces + `><prop><resourcetype/><getetag/><CS:getctag/></prop></propfind>`
	askTyped       = xmlHead + `<propfind` + spaces + `><prop><resourcetype/><getcontenttype/><getetag/></prop></propfind>`
	askEvents      = xmlHead + `<CAL:calendar-query` + spaces + `><prop><getetag/></prop><CAL:filter><CAL:comp-filter name="VCALENDAR"><CAL:comp-filter name="VEVENT"/></CAL:comp-filter></CAL:filter></CAL:calendar-query>`
)

// syncBody is a sync-collection of one level; an empty token asks for everything.
func syncBody(token, props string) string {
	return xmlHead + `<sync-collection` + spaces + `><sync-token>` + html.EscapeString(token) + `</sync-token><sync-level>1</sync-level><prop>` + props + `</prop></sync-collection>`
}

// eventsSince is the calendar-query of a client that keeps only what is not long past.
func eventsSince(start string) string {
	return xmlHead + `<CAL:calendar-query` + spaces + `><prop><getetag/></prop><CAL:filter><CAL:comp-filter name="VCALENDAR"><CAL:comp-filter name="VEVENT"><CAL:time-range start="` + start +
		`"/></CAL:comp-filter></CAL:comp-filter></CAL:filter></CAL:calendar-query>`
}

// multigetBody asks for members with their octets.
func multigetBody(contacts bool, hrefs []string) string {
	name, data := "CAL:calendar-multiget", "<CAL:calendar-data/>"
	if contacts {
		name, data = "CARD:addressbook-multiget", "<CARD:address-data/>"
	}
	var b strings.Builder
	b.WriteString(xmlHead + "<" + name + spaces + "><prop><getetag/>" + data + "</prop>")
	for _, h := range hrefs {
		b.WriteString("<href>" + html.EscapeString(h) + "</href>")
	}
	b.WriteString("</" + name + ">")
	return b.String()
}
