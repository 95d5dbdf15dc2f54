package load

import (
	"bytes"
	"fmt"
	"html"
	"strconv"
	"time"
)

// Phone reads an address book or calendar as phones and programs do.
type Phone struct {
	Conn    *Conn
	Account Account
	Kind    Kind
	Token   string // sync token; empty: none yet
	request []byte
}

// Member is a line of a listing.
type Member struct {
	Href, ETag string
	Gone       bool // in what changed: it was deleted
}

const (
	listBody = `<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:"><prop><getetag/></prop></propfind>`
	davNS    = `xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:`
)

func (p *Phone) ask(method, depth, body string) (Answer, error) {
	b := fmt.Appendf(p.request[:0], "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: Phone/1.0\r\n", method, p.Account.Book, p.Conn.RemoteAddr())
	if p.Account.Password != "" {
		b = fmt.Appendf(b, "Authorization: %s\r\n", Basic(p.Account.Email, p.Account.Password))
	}
	b = fmt.Appendf(b, "Depth: %s\r\nContent-Type: text/xml; charset=utf-8\r\nContent-Length: %d\r\n\r\n", depth, len(body))
	p.request = append(b, body...)
	a, err := p.Conn.Do(p.request)
	if err == nil && a.Status != 207 {
		err = fmt.Errorf("load: %s of %s answers %d: %.300q", method, p.Account.Book, a.Status, a.Body)
	}
	return a, err
}

// List returns the members of the address book: PROPFIND with Depth 1 for the ETags.
func (p *Phone) List() ([]Member, error) {
	a, err := p.ask("PROPFIND", "1", listBody)
	if err != nil {
		return nil, err
	}
	list, _ := responses(a.Body)
	return without(list, p.Account.Book), nil
}

func without(list []Member, href string) []Member {
	out := list[:0]
	for _, m := range list {
		if m.Href != href {
			out = append(out, m)
		}
	}
	return out
}

// Fetch gets members by addressbook-multiget or calendar-multiget, and returns how many came with their octets, and the octets of the answer.
func (p *Phone) Fetch(members []Member) (items, octets int, err error) {
	k := p.Kind.orContacts()
	body := []byte(`<?xml version="1.0" encoding="utf-8"?><C:` + k.multiget + ` ` + davNS + k.space + `"><prop><getetag/><C:` + k.data + `/></prop>`)
	for _, m := range members {
		body = append(append(append(body, "<href>"...), m.Href...), "</href>"...)
	}
	body = append(append(append(body, "</C:"...), k.multiget...), '>')
	a, err := p.ask("REPORT", "0", string(body))
	if err != nil {
		return 0, 0, err
	}
	return bytes.Count(a.Body, []byte(k.begins)), len(a.Body), nil
}

// Query asks a calendar for the events that take place between two moments, with their octets, by calendar-query (RFC 4791 section 7.8). It returns how many came
// with octets, and the octets of the answer.
func (p *Phone) Query(from, to time.Time) (list []Member, items, octets int, err error) {
	const form = "20060102T150405Z"
	a, err := p.ask("REPORT", "1", `<?xml version="1.0" encoding="utf-8"?><C:calendar-query `+davNS+`caldav"><prop><getetag/><C:calendar-data/></prop>`+
		`<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:time-range start="`+from.UTC().Format(form)+`" end="`+to.UTC().Format(form)+
		`"/></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>`)
	if err != nil {
		return nil, 0, 0, err
	}
	list, _ = responses(a.Body)
	return list, bytes.Count(a.Body, []byte("BEGIN:VCALENDAR")), len(a.Body), nil
}

// Changes returns what changed since the last call, by sync-collection, and keeps the new token. The first call returns everything.
func (p *Phone) Changes() ([]Member, error) {
	a, err := p.ask("REPORT", "0", `<?xml version="1.0" encoding="utf-8"?><sync-collection xmlns="DAV:"><sync-token>`+html.EscapeString(p.Token)+
		`</sync-token><sync-level>1</sync-level><prop><getetag/></prop></sync-collection>`)
	if err != nil {
		return nil, err
	}
	list, token := responses(a.Body)
	if token == "" {
		return nil, fmt.Errorf("load: sync-collection of %s gives no token", p.Account.Book)
	}
	p.Token = token
	return without(list, p.Account.Book), nil
}

// responses reads a multistatus: a scan for the few elements that are wanted, because a whole XML parser would cost more than the server that is measured.
func responses(b []byte) (list []Member, token string) {
	for {
		i := bytes.IndexByte(b, '<')
		if i < 0 || i+1 >= len(b) {
			return list, token
		}
		b = b[i+1:]
		end := bytes.IndexByte(b, '>')
		if end < 0 {
			return list, token
		}
		name := b[:end]
		b = b[end+1:]
		if len(name) == 0 || name[0] == '/' || name[len(name)-1] == '/' {
			continue
		}
		if j := bytes.IndexByte(name, ' '); j >= 0 {
			name = name[:j]
		}
		if j := bytes.IndexByte(name, ':'); j >= 0 {
			name = name[j+1:]
		}
		switch string(name) {
		case "href":
			list = append(list, Member{Href: text(b)})
		case "getetag":
			if len(list) > 0 {
				list[len(list)-1].ETag = text(b)
			}
		case "status":
			if s := text(b); len(list) > 0 && len(s) >= 12 {
				code, _ := strconv.Atoi(s[9:12])
				list[len(list)-1].Gone = list[len(list)-1].ETag == "" && code == 404
			}
		case "sync-token":
			token = text(b)
		}
	}
}

// text returns the text up to the next tag.
func text(b []byte) string {
	i := bytes.IndexByte(b, '<')
	if i < 0 {
		i = len(b)
	}
	if bytes.IndexByte(b[:i], '&') >= 0 {
		return html.UnescapeString(string(b[:i]))
	}
	return string(b[:i])
}
