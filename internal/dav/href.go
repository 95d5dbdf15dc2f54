package dav

import (
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"

	"holdfast"
)

// form is how a request spells the beginning of a path. An answer spells its hrefs in the same form.
type form uint8

const (
	formDAV   form = iota // /dav/AREA/USER/…
	formCloud             // /remote.php/dav/…, where a phone that comes from Nextcloud looks
	formWeb               // /remote.php/webdav/…: the files of who asks
	formBare              // / alone, where clients ask that were given nothing but a host
)

// The areas of the space of hrefs that are not homes.
const (
	areaPrincipals = "principals"
	areaUploads    = "uploads"
)

// Path is a place in the space of hrefs, whether something is there or not. ParsePath reads it, Href writes it.
//
//	/dav/principals/USER/
//	/dav/addressbooks/USER/NAMES…      also calendars, files
//	/remote.php/dav/principals/users/USER/
//	/remote.php/dav/addressbooks/users/USER/NAMES…
//	/remote.php/dav/calendars/USER/NAMES…       also files
//	/dav/uploads/USER/UPLOAD/CHUNK              also below /remote.php
//	/remote.php/webdav/NAMES…                   the files of who asks
//
// USER is an account's immutable id, a login, former ones too, or the part of one of the asker's own logins before the "@". Names are octets of UTF-8, kept as they are.
type Path struct {
	Area  string   // "principals", "uploads", holdfast.HomeAddressbooks, HomeCalendars, HomeFiles; "" for the root
	User  string   // the segment that names the account, decoded; "" above accounts, and in formWeb
	Names []string // below the home
	Slash bool     // it ended in a slash

	form  form
	users bool   // formCloud: the segment "users" was there
	spelt string // User as the request spelled it, percent-encoded
}

// maxPath bounds a path as it is sent, maxSegments its segments. Both are more than the deepest folder has that the core lets be (core.MaxWay, core.MaxDeep), with a file in it and what stands before: also where an undo
// has put one below another.
const (
	maxPath     = 24 << 10
	maxSegments = 160
)

// ParsePath reads a percent-encoded path, decoding once. Refused with one sentence are empty, dot and overlong segments, encoded slashes, control
// characters, octets that are not UTF-8, and whatever else cannot be a name; a path outside of the space is NotFound.
func ParsePath(escaped string) (Path, error) {
	if len(escaped) > maxPath {
		return Path{}, &Refusal{Status: 414, Text: fmt.Sprintf("a path has at most %d octets", maxPath)}
	}
	if !strings.HasPrefix(escaped, "/") {
		return Path{}, badPath("a path begins with a slash")
	}
	var p Path
	rest := escaped[1:]
	if rest == "" {
		return Path{form: formBare, Slash: true}, nil
	}
	if rest, p.Slash = strings.CutSuffix(rest, "/"); rest == "" {
		return Path{}, badPath("a path has no empty segment")
	}
	if strings.Count(rest, "/") >= maxSegments {
		return Path{}, badPath(fmt.Sprintf("a path has at most %d segments", maxSegments))
	}
	raw := strings.Split(rest, "/")
	segments := make([]string, len(raw))
	for i, s := range raw {
		var err error
		if segments[i], err = decodeSegment(s); err != nil {
			return Path{}, err
		}
	}
	return p.place(segments, raw)
}

func badPath(text string) error { return &Refusal{Status: 400, Text: text} }

// place tells which place the segments name.
func (p Path) place(segments, raw []string) (Path, error) {
	n := 1
	switch {
	case segments[0] == "dav":
	case segments[0] == "remote.php" && len(segments) > 1 && segments[1] == "dav":
		p.form, n = formCloud, 2
	case segments[0] == "remote.php" && len(segments) > 1 && segments[1] == "webdav":
		p.form, p.Area = formWeb, holdfast.HomeFiles
		p.setNames(segments[2:])
		return p, nil
	default:
		return Path{}, errOutside(segments[0])
	}
	if segments, raw = segments[n:], raw[n:]; len(segments) == 0 {
		return p, nil
	}
	switch p.Area = segments[0]; p.Area {
	case areaPrincipals, areaUploads, holdfast.HomeAddressbooks, holdfast.HomeCalendars, holdfast.HomeFiles:
	default:
		return Path{}, errOutside(p.Area)
	}
	n = 1
	if p.form == formCloud && (p.Area == areaPrincipals || p.Area == holdfast.HomeAddressbooks) && len(segments) > 1 && segments[1] == "users" {
		p.users, n = true, 2
	}
	if segments, raw = segments[n:], raw[n:]; len(segments) == 0 {
		return p, nil
	}
	p.User, p.spelt = segments[0], respell(raw[0], segments[0])
	if most := map[string]int{areaPrincipals: 1, areaUploads: 3}[p.Area]; most > 0 && len(segments) > most {
		return Path{}, errOutside(segments[most])
	}
	p.setNames(segments[1:])
	return p, nil
}

// setNames keeps Names nil where there are none, so that equal paths are equal values.
func (p *Path) setNames(names []string) {
	if len(names) > 0 {
		p.Names = names
	}
}

func errOutside(segment string) error {
	return &holdfast.Error{Op: "dav.ParsePath", Kind: holdfast.NotFound, Ref: segment, Text: "there is nothing at this address; collections are below /dav/"}
}

// respell keeps the request's spelling of a segment where it may stand in a href as it is.
func respell(raw, decoded string) string {
	for i := 0; i < len(raw); i++ {
		if c := raw[i]; c != '%' && !plain[c] {
			return encodeSegment(decoded)
		}
	}
	return raw
}

// decodeSegment decodes one segment, once, and checks that it can be a name.
func decodeSegment(s string) (string, error) {
	name := s
	if strings.IndexByte(s, '%') >= 0 {
		b := make([]byte, 0, len(s))
		for i := 0; i < len(s); i++ {
			if s[i] != '%' {
				b = append(b, s[i])
				continue
			}
			if i+2 >= len(s) || unhex(s[i+1]) < 0 || unhex(s[i+2]) < 0 {
				return "", badPath("a percent sign in a path is followed by two hexadecimal digits")
			}
			b = append(b, byte(unhex(s[i+1])<<4|unhex(s[i+2])))
			i += 2
		}
		name = string(b)
	}
	if !utf8.ValidString(name) {
		return "", badPath("a path is UTF-8, and this one is not")
	}
	switch {
	case name == "":
		return "", badPath("a path has no empty segment")
	case strings.IndexByte(name, '/') >= 0:
		return "", badPath("a name cannot hold a slash, encoded or not")
	}
	if err := holdfast.CheckName(name); err != nil {
		return "", badPath(err.Error())
	}
	return name, nil
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// plain holds the octets that stand for themselves in a segment: pchar of RFC 3986 section 3.3. Most clients encode as little, so that the href that
// they are told is the one that they sent.
var plain = func() (t [256]bool) {
	for c := range t {
		t[c] = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c < 0x80 && strings.IndexByte("-._~!$&'()*+,;=:@", byte(c)) >= 0
	}
	return t
}()

// encodeSegment percent-encodes a name, in the one canonical way.
func encodeSegment(name string) string {
	i := 0
	for i < len(name) && plain[name[i]] {
		i++
	}
	if i == len(name) {
		return name
	}
	return string(appendSegment(make([]byte, 0, len(name)+16), name))
}

func appendSegment(dst []byte, name string) []byte {
	const hex = "0123456789ABCDEF"
	for i := 0; i < len(name); i++ {
		if c := name[i]; plain[c] {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		}
	}
	return dst
}

// Href writes the path, percent-encoded: in the form of the request, USER spelled as there, names canonically.
func (p Path) Href() string {
	b := make([]byte, 0, 128)
	switch p.form {
	case formBare:
		return "/"
	case formWeb:
		b = append(b, "/remote.php/webdav"...)
	case formCloud:
		b = append(b, "/remote.php/dav"...)
	default:
		b = append(b, "/dav"...)
	}
	if p.form != formWeb && p.Area != "" {
		b = append(append(b, '/'), p.Area...)
		if p.users {
			b = append(b, "/users"...)
		}
		if p.User != "" {
			b = append(append(b, '/'), p.user()...)
		}
	}
	for _, n := range p.Names {
		b = appendSegment(append(b, '/'), n)
	}
	if p.Slash {
		b = append(b, '/')
	}
	return string(b)
}

func (p Path) user() string {
	if p.spelt != "" {
		return p.spelt
	}
	return encodeSegment(p.User)
}

// Child returns the path of something called name in the collection p; slash says that it is a collection itself.
func (p Path) Child(name string, slash bool) Path {
	p.Names = append(p.Names[:len(p.Names):len(p.Names)], name)
	p.Slash = slash
	return p
}

// Parent returns the path of the collection that p is in, and p's own name. It is for paths with at least one of Names.
func (p Path) Parent() (Path, string) {
	last := len(p.Names) - 1
	name := p.Names[last]
	p.Names, p.Slash = p.Names[:last:last], true
	if last == 0 {
		p.Names = nil
	}
	return p, name
}

// PrincipalHref is where an account's principal is. It always holds the id: renaming a login moves nothing.
func PrincipalHref(account holdfast.ID) string {
	return "/dav/" + areaPrincipals + "/" + account.String() + "/"
}

// HomeHref is where an account's home is (holdfast.HomeAddressbooks and its like). It always holds the id.
func HomeHref(account holdfast.ID, home string) string {
	return "/dav/" + home + "/" + account.String() + "/"
}

// parseRef reads a href of a request's body or header: a URI with a host, or a path. ours says whether a host is this server's, and then the URI must be an absolute
// one of HTTP; with nil the path alone counts.
func parseRef(ref string, ours func(host string) bool) (Path, error) {
	if strings.HasPrefix(ref, "/") && !strings.HasPrefix(ref, "//") {
		escaped, _, _ := strings.Cut(ref, "?")
		return ParsePath(escaped)
	}
	u, err := url.Parse(ref)
	if ours == nil {
		if err != nil || u.Host == "" {
			return Path{}, badPath("a reference is a path or an URI with a host")
		}
		return ParsePath(u.EscapedPath())
	}
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return Path{}, badPath("a reference is an absolute path or an http URI")
	}
	if !ours(u.Host) {
		return Path{}, &Refusal{Status: 502, Text: "the address " + u.Host + " is not this server's"}
	}
	return ParsePath(u.EscapedPath())
}
