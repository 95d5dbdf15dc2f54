package web

import (
	"crypto/sha1"
	"encoding/xml"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"holdfast"
)

// profileType is the media type of a configuration profile.
const profileType = "application/x-apple-aspen-config"

// server is where DAV answers, as a client needs it.
type server struct {
	base  string // "https://dav.example.org:8443"
	host  string // "dav.example.org"
	port  int
	https bool
}

// parseServer reads a base URL.
func parseServer(base string) (server, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" {
		return server{}, fmt.Errorf("base URL %q: no host", base)
	}
	s := server{base: base, host: u.Hostname(), port: 443, https: u.Scheme == "https"}
	if !s.https {
		s.port = 80
	}
	if p := u.Port(); p != "" {
		if s.port, err = strconv.Atoi(p); err != nil {
			return server{}, fmt.Errorf("base URL %q: %w", base, err)
		}
	}
	return s, nil
}

// davxLink returns the link that opens DAVx5 with everything filled in. Its scheme davx5: means HTTPS and carddav: means plain HTTP; name and password stand
// before the host, and DAVx5 parts them at the first colon after decoding, so that neither may hold one.
func (s server) davxLink(login, password string) string {
	scheme := "davx5"
	if !s.https {
		scheme = "carddav"
	}
	host := s.base[strings.Index(s.base, "://")+3:]
	return scheme + "://" + escapeUser(login) + ":" + escapeUser(password) + "@" + host + "/dav/"
}

// escapeUser escapes all but letters, digits and - . _ ~.
func escapeUser(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// dict is a property list's dictionary, in order.
type dict []entry

type entry struct {
	key   string
	value any // string, int, bool, dict or []dict
}

// profile returns a configuration profile (Apple's Configuration Profile Reference) that sets up an account on an iPhone, an iPad or a Mac. Identifiers and UUIDs
// follow from account and host alone, so that a second profile replaces the first.
func (s server) profile(account holdfast.ID, login, password string) []byte {
	where := account.String() + "/" + net.JoinHostPort(s.host, strconv.Itoa(s.port))
	id := "holdfast." + account.String() + "." + s.host
	payloads := []dict{s.contactsPayload(account, login, password, id, where), s.calendarsPayload(account, login, password, id, where)}
	root := dict{
		{"PayloadContent", payloads},
		{"PayloadDescription", "Syncs the contacts and calendars of " + login + " with " + s.host + ". The app password in it belongs to this device alone."},
		{"PayloadDisplayName", "Holdfast (" + login + ")"},
		{"PayloadIdentifier", id},
		{"PayloadOrganization", "Holdfast on " + s.host},
		{"PayloadRemovalDisallowed", false},
		{"PayloadType", "Configuration"},
		{"PayloadUUID", uuid5(where)},
		{"PayloadVersion", 1},
	}
	var b strings.Builder
	b.WriteString(xml.Header)
	b.WriteString(`<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">` + "\n")
	b.WriteString(`<plist version="1.0">` + "\n")
	writePlist(&b, root, "")
	b.WriteString("</plist>\n")
	return []byte(b.String())
}

func (s server) contactsPayload(account holdfast.ID, login, password, id, where string) dict {
	return dict{
		{"CardDAVAccountDescription", "Holdfast"},
		{"CardDAVHostName", s.host},
		{"CardDAVPassword", password},
		{"CardDAVPort", s.port},
		{"CardDAVPrincipalURL", "/dav/principals/" + account.String() + "/"},
		{"CardDAVUseSSL", s.https},
		{"CardDAVUsername", login},
		{"PayloadDescription", "Contacts of " + login},
		{"PayloadDisplayName", "Contacts"},
		{"PayloadIdentifier", id + ".carddav"},
		{"PayloadType", "com.apple.carddav.account"},
		{"PayloadUUID", uuid5(where + "/carddav")},
		{"PayloadVersion", 1},
	}
}

func (s server) calendarsPayload(account holdfast.ID, login, password, id, where string) dict {
	return dict{
		{"CalDAVAccountDescription", "Holdfast"},
		{"CalDAVHostName", s.host},
		{"CalDAVPassword", password},
		{"CalDAVPort", s.port},
		{"CalDAVPrincipalURL", "/dav/principals/" + account.String() + "/"},
		{"CalDAVUseSSL", s.https},
		{"CalDAVUsername", login},
		{"PayloadDescription", "Calendars and reminders of " + login},
		{"PayloadDisplayName", "Calendars"},
		{"PayloadIdentifier", id + ".caldav"},
		{"PayloadType", "com.apple.caldav.account"},
		{"PayloadUUID", uuid5(where + "/caldav")},
		{"PayloadVersion", 1},
	}
}

func writePlist(b *strings.Builder, v any, indent string) {
	switch v := v.(type) {
	case string:
		b.WriteString(indent + "<string>")
		xml.EscapeText(b, []byte(v))
		b.WriteString("</string>\n")
	case int:
		fmt.Fprintf(b, "%s<integer>%d</integer>\n", indent, v)
	case bool:
		fmt.Fprintf(b, "%s<%t/>\n", indent, v)
	case dict:
		b.WriteString(indent + "<dict>\n")
		for _, e := range v {
			b.WriteString(indent + "\t<key>" + e.key + "</key>\n")
			writePlist(b, e.value, indent+"\t")
		}
		b.WriteString(indent + "</dict>\n")
	case []dict:
		b.WriteString(indent + "<array>\n")
		for _, d := range v {
			writePlist(b, d, indent+"\t")
		}
		b.WriteString(indent + "</array>\n")
	}
}

// space is the namespace of our UUIDs.
var space = [16]byte{0x5f, 0x0a, 0x3c, 0x8e, 0x1d, 0x27, 0x4b, 0x60, 0x9c, 0x41, 0x7a, 0x6e, 0x2b, 0x93, 0xd8, 0x14}

// uuid5 returns the UUID that follows from a name (RFC 9562 section 5.5), in capitals as Apple writes them.
func uuid5(name string) string {
	h := sha1.New()
	h.Write(space[:])
	h.Write([]byte(name))
	u := h.Sum(nil)[:16]
	u[6], u[8] = u[6]&0x0f|0x50, u[8]&0x3f|0x80
	return fmt.Sprintf("%X-%X-%X-%X-%X", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}
