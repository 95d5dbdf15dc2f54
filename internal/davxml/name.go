package davxml

import (
	"fmt"
	"strings"
)

// The namespaces that have a fixed prefix on the wire, in brackets, and the two that XML itself reserves.
const (
	NSDAV            = "DAV:"                                 // D: RFC 4918 and its family
	NSCalDAV         = "urn:ietf:params:xml:ns:caldav"        // C: RFC 4791
	NSCardDAV        = "urn:ietf:params:xml:ns:carddav"       // CR: RFC 6352
	NSCalendarServer = "http://calendarserver.org/ns/"        // CS: CTag and Apple's extensions
	NSApple          = "http://apple.com/ns/ical/"            // A: colour and order of calendars
	NSXML            = "http://www.w3.org/XML/1998/namespace" // xml: xml:lang
	NSXMLNS          = "http://www.w3.org/2000/xmlns/"        // xmlns: never a name's namespace here
)

// Name is an expanded name: a namespace, which may be empty, and a local name. It is comparable.
type Name struct {
	Space, Local string
}

// DAV gives the name in the namespace DAV:.
func DAV(local string) Name { return Name{NSDAV, local} }

// CalDAV gives the name in the namespace of RFC 4791.
func CalDAV(local string) Name { return Name{NSCalDAV, local} }

// CardDAV gives the name in the namespace of RFC 6352.
func CardDAV(local string) Name { return Name{NSCardDAV, local} }

// String gives the name in Clark's notation: {namespace}local, or local alone where there is no namespace.
// ParseName reads it back.
func (n Name) String() string {
	if n.Space == "" {
		return n.Local
	}
	return "{" + n.Space + "}" + n.Local
}

// IsZero reports whether n names nothing.
func (n Name) IsZero() bool { return n == Name{} }

// ParseName reads {namespace}local, the form of Name.String. The local name must be an XML name without a colon.
func ParseName(s string) (Name, error) {
	n := Name{Local: s}
	if strings.HasPrefix(s, "{") {
		end := strings.LastIndexByte(s, '}')
		if end < 0 {
			return Name{}, fmt.Errorf("parse name %q: the namespace has no closing brace", s)
		}
		n = Name{Space: s[1:end], Local: s[end+1:]}
	}
	if !isNCName(n.Local) {
		return Name{}, fmt.Errorf("parse name %q: %q is not an XML name without a colon", s, n.Local)
	}
	if !validChars(n.Space) {
		return Name{}, fmt.Errorf("parse name %q: the namespace holds a character that XML forbids", s)
	}
	return canonical(n), nil
}

// canonical shares the strings of the known namespaces, so that comparing them compares pointers first and a
// kept Name does not keep a request body alive for its namespace.
func canonical(n Name) Name {
	n.Space = canonicalSpace(n.Space)
	return n
}

func canonicalSpace(space string) string {
	switch space {
	case NSDAV:
		return NSDAV
	case NSCalDAV:
		return NSCalDAV
	case NSCardDAV:
		return NSCardDAV
	case NSCalendarServer:
		return NSCalendarServer
	case NSApple:
		return NSApple
	case NSXML:
		return NSXML
	}
	return space
}

// fixedPrefix gives the prefix that the Writer always uses for a known namespace, "" for others.
func fixedPrefix(space string) string {
	switch space {
	case NSDAV:
		return "D"
	case NSCalDAV:
		return "C"
	case NSCardDAV:
		return "CR"
	case NSCalendarServer:
		return "CS"
	case NSApple:
		return "A"
	}
	return ""
}
