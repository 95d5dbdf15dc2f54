package dav

import (
	"net/http"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/davxml"
)

// Extension is what a type of collection adds to WebDAV: CardDAV is one, CalDAV another. It is a plain value, given in Options.Extensions and never
// changed afterwards; its functions may be called from many goroutines. Every field but Name may be left zero.
type Extension struct {
	// Name is for logs: "carddav".
	Name string

	// Type is the type of collection that the extension knows. Its properties and reports at collections and members hold for this type alone.
	Type holdfast.CollectionType
	// Home is the home where such collections hang (holdfast.HomeAddressbooks). Its properties and reports at homes hold for this home alone. Of several
	// types that hang in one home, one extension names it.
	Home string
	// ResourceType stands beside DAV:collection in the resourcetype of such a collection (CARDDAV:addressbook), and in an extended MKCOL (RFC 5689) asks
	// for one.
	ResourceType davxml.Name
	// Method, if set, is a method of its own that makes such collections in Home: MKCALENDAR (RFC 4791 section 5.3.1). Its body is a MethodBody, and a
	// failed property is told in a MethodAnswer; both are otherwise as DAV:mkcol and DAV:mkcol-response are.
	Method                   string
	MethodBody, MethodAnswer davxml.Name
	// PlainMkCol lets a MKCOL without a body in Home make such a collection. Otherwise it is refused with a sentence that says how to ask.
	PlainMkCol bool
	// Make, if set, sees the properties of a MKCOL before they are stored as dead ones, takes out those that it turns into fields of n (the components of a
	// calendar), and returns the others.
	Make func(n *core.NewCollection, ops []davxml.PropOp) ([]davxml.PropOp, error)

	// Compliance are the tokens that it adds to the DAV header ("addressbook").
	Compliance []string
	// Rules gives the XML name of a precondition that holdfast.Error.Rule names, for errors at collections of Type and in Home: "no-uid-conflict" is
	// CARDDAV:no-uid-conflict in an address book. Rules that are not in it are DAV: where RFC 4918 and its family define them.
	Rules map[string]davxml.Name

	// MemberType is the media type of members that were stored without one, and what getcontenttype says of all of them: "text/vcard; charset=utf-8".
	// Empty: members have the type that they came with.
	MemberType string
	// MemberSuffix ends the names that the server chooses for members (RFC 5995): ".vcf".
	MemberSuffix string
	// Represent, if set, may give a member in another form than the stored one, as the request's Accept header wants it (RFC 6352 section 5.1.1.1). r has its
	// Body, which must not be changed. It returns the media type and the octets to send; ok false sends the stored ones. The ETag stays that of the
	// stored octets, and the answer says Vary: Accept, whatever is returned.
	Represent func(h http.Header, r *holdfast.Resource) (contentType string, body []byte, ok bool)

	// Properties are the live properties that it adds. A property that the ground has too is the extension's where both apply.
	Properties []Property
	// Reports are the reports that it adds.
	Reports []Report
}

// Where is a set of places in the space of hrefs.
type Where uint8

// The places.
const (
	AtRoot       Where = 1 << iota // /dav/
	AtPrincipals                   // /dav/principals/
	AtPrincipal                    // /dav/principals/ID/
	AtHomes                        // /dav/addressbooks/, /dav/calendars/, /dav/files/
	AtHome                         // /dav/addressbooks/ID/
	AtCollection                   // /dav/addressbooks/ID/default/
	AtMember                       // /dav/addressbooks/ID/default/a.vcf

	Everywhere = AtRoot | AtPrincipals | AtPrincipal | AtHomes | AtHome | AtCollection | AtMember
	InTree     = AtHome | AtCollection | AtMember // what the core stores
)

// Property is a live property (RFC 4918 section 4): its value is made, not stored.
type Property struct {
	Name  davxml.Name
	Where Where
	// Has tells whether the target has it; nil: every target of Where. Where it is false a dead property of that name is given, or 404.
	Has func(q *Query, t *Target) bool
	// Write writes the whole element, start and end included. ask is the element that named the property in the request, for properties that are asked
	// for with parameters (CARDDAV:address-data); nil where it was not named so. What goes wrong is given to q.Fail, and the request fails as a whole.
	Write func(w *davxml.Writer, q *Query, t *Target, ask *davxml.Element)
	// Needs says what Write reads of a member beyond the index (core.WithBody for Resource.Body).
	Needs core.Fields
	// All puts it into allprop. Only RFC 4918's own are.
	All bool
	// InReports keeps it out of PROPFIND and propname: it exists in reports alone (RFC 6352 section 10.4).
	InReports bool
	// Accept, if set, lets PROPPATCH and MKCOL set the property: it checks the value, which is then stored as a dead property would be, and Write finds it
	// in t.Dead(). nil: the property is protected. An error of kind Invalid with a Rule, or Forbidden, is told to the client as it is.
	Accept func(t *Target, op davxml.PropOp) error
	// Replaces are dead properties that say the same in another way: setting or removing this one removes them, unless the same request names them too.
	Replaces []davxml.Name
}

// Report is one report (RFC 3253 section 3.6).
type Report struct {
	Name  davxml.Name
	Where Where
	// Serve answers it: it reads q.Body with davxml, and calls Ask.Respond, q.Status and their like once for each resource. Everything is spooled and sent
	// as one 207 after Serve returned nil and the snapshot was closed. If it returns an error, nothing of it is sent: the error becomes the status (a
	// *davxml.Error by its kind, a *holdfast.Error by the table).
	Serve func(q *Query) error
	// Plain, if set, stands in the place of Serve where the answer is no multistatus but 200 with octets of one media type (RFC 4791 section 7.10).
	Plain func(q *Query) (contentType string, body []byte, err error)
}
