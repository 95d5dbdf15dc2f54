package davxml

import (
	"fmt"
	"net/url"
	"strings"
)

// maxHeader bounds the value of every header that is read here, in octets.
const maxHeader = 16 << 10

func headerErrorf(at int, format string, args ...any) *Error {
	return &Error{Kind: Malformed, Msg: fmt.Sprintf(format, args...), Offset: int64(at)}
}

// checkHeader refuses what no header value may be: too long, or with control characters.
func checkHeader(s string) error {
	if len(s) > maxHeader {
		return &Error{Kind: HeaderTooLarge, Msg: fmt.Sprintf("a header is longer than %d octets", maxHeader)}
	}
	for i := range len(s) {
		if s[i] < 0x20 && s[i] != '\t' || s[i] == 0x7F {
			return headerErrorf(i, "a header holds the control character 0x%02X", s[i])
		}
	}
	return nil
}

// Depth is the value of a Depth header (RFC 4918, section 10.2).
type Depth int8

const (
	DepthZero     Depth = 0
	DepthOne      Depth = 1
	DepthInfinity Depth = -1
)

// String gives the value as it stands in the header.
func (d Depth) String() string {
	switch d {
	case DepthZero:
		return "0"
	case DepthOne:
		return "1"
	}
	return "infinity"
}

// ParseDepth reads a Depth header. A header that is not there ("") means unsaid, which differs from method to method.
func ParseDepth(value string, unsaid Depth) (Depth, error) {
	switch v := strings.TrimSpace(value); {
	case v == "":
		return unsaid, nil
	case v == "0":
		return DepthZero, nil
	case v == "1":
		return DepthOne, nil
	case strings.EqualFold(v, "infinity"):
		return DepthInfinity, nil
	}
	return 0, headerErrorf(0, "the Depth header is %q, not 0, 1 or infinity", short(value))
}

// ParseOverwrite reads an Overwrite header (RFC 4918, section 10.6). A header that is not there ("") means true.
func ParseOverwrite(value string) (bool, error) {
	switch strings.TrimSpace(value) {
	case "", "T", "t":
		return true, nil
	case "F", "f":
		return false, nil
	}
	return false, headerErrorf(0, "the Overwrite header is %q, not T or F", short(value))
}

// ParseDestination reads a Destination header (RFC 4918, section 10.3): an absolute URI with http or https, or an
// absolute path. The caller compares Host, "" for a path, with its own, and maps EscapedPath() as it maps the path of a
// request. Fragments, users and dot segments, percent-encoded ones too, are refused (section 8.3).
func ParseDestination(value string) (*url.URL, error) {
	bad := func(why string) (*url.URL, error) {
		return nil, headerErrorf(0, "the Destination header %s: %q", why, short(value))
	}
	if value == "" {
		return nil, headerErrorf(0, "the Destination header is missing")
	}
	if err := checkHeader(value); err != nil {
		return nil, err
	}
	u, err := url.Parse(strings.Trim(value, " \t"))
	switch {
	case err != nil:
		return bad("is not a URI")
	case u.IsAbs() && (u.Host == "" || u.Scheme != "http" && u.Scheme != "https"):
		return bad("is not an http URI")
	case !u.IsAbs() && u.Host != "", !strings.HasPrefix(u.Path, "/"):
		return bad("is neither an absolute URI nor an absolute path")
	case u.User != nil:
		return bad("names a user")
	case strings.Contains(value, "#"):
		return bad("holds a fragment")
	case strings.ContainsRune(u.Path, 0):
		return bad("holds a NUL")
	}
	for segment := range strings.SplitSeq(u.Path, "/") {
		if segment == "." || segment == ".." {
			return bad("holds a dot segment")
		}
	}
	return u, nil
}

// Prefer holds what this server knows of the Prefer header (RFC 7240, RFC 8144). Unknown preferences are ignored, as
// they must be.
type Prefer struct {
	Minimal        bool // return=minimal
	Representation bool // return=representation
	DepthNoRoot    bool // depth-noroot
}

// Applied gives the value of Preference-Applied for the preferences in p: the caller clears what it did not honour.
// It is "" for none.
func (p Prefer) Applied() string {
	var list []string
	switch {
	case p.Minimal:
		list = append(list, "return=minimal")
	case p.Representation:
		list = append(list, "return=representation")
	}
	if p.DepthNoRoot {
		list = append(list, "depth-noroot")
	}
	return strings.Join(list, ", ")
}

// ParsePrefer reads the lines of a Prefer header. It never fails: what cannot be read is no preference. Of a
// preference that is said twice the first counts (RFC 7240, section 2).
func ParsePrefer(lines []string) Prefer {
	var p Prefer
	said := false
	for _, line := range lines {
		if checkHeader(line) != nil {
			continue
		}
		for item := range splitQuoted(line, ',') {
			for first := range splitQuoted(item, ';') {
				said = p.set(first, said)
				break
			}
		}
	}
	return p
}

// set notes one preference without its parameters; said is whether return was said before.
func (p *Prefer) set(preference string, said bool) bool {
	name, value, _ := strings.Cut(preference, "=")
	value = strings.Trim(strings.Trim(value, " \t"), `"`)
	switch strings.ToLower(strings.Trim(name, " \t")) {
	case "depth-noroot":
		p.DepthNoRoot = true
	case "return":
		if !said {
			p.Minimal, p.Representation = strings.EqualFold(value, "minimal"), strings.EqualFold(value, "representation")
		}
		return true
	}
	return said
}

// splitQuoted splits at a separator that does not stand inside quotation marks.
func splitQuoted(s string, sep byte) func(func(string) bool) {
	return func(yield func(string) bool) {
		from, quoted := 0, false
		for i := 0; i < len(s); i++ {
			switch c := s[i]; {
			case c == '\\' && quoted:
				i++
			case c == '"':
				quoted = !quoted
			case c == sep && !quoted:
				if !yield(s[from:i]) {
					return
				}
				from = i + 1
			}
		}
		yield(s[from:])
	}
}
