package davxml

import "strings"

// ETag is an entity tag (RFC 9110, section 8.8.3).
type ETag struct {
	Weak   bool
	Opaque string // what stands between the quotation marks
}

// String gives the tag as it stands in a header.
func (t ETag) String() string {
	if t.Weak {
		return `W/"` + t.Opaque + `"`
	}
	return `"` + t.Opaque + `"`
}

// StrongMatch compares as If-Match and the If header do: two weak tags never match.
func (t ETag) StrongMatch(o ETag) bool { return !t.Weak && !o.Weak && t.Opaque == o.Opaque }

// WeakMatch compares as If-None-Match does.
func (t ETag) WeakMatch(o ETag) bool { return t.Opaque == o.Opaque }

// ParseETag reads exactly one entity tag.
func ParseETag(s string) (ETag, error) {
	t, rest, ok := cutETag(s)
	if !ok || rest != "" {
		return ETag{}, headerErrorf(0, "%q is not an entity tag in quotation marks", short(s))
	}
	return t, nil
}

// cutETag reads an entity tag at the beginning of s and gives what follows. A space may stand in it, as in the tags of
// RFC 2616, which the examples of RFC 4918 use.
func cutETag(s string) (t ETag, rest string, ok bool) {
	s, t.Weak = strings.CutPrefix(s, "W/")
	if !strings.HasPrefix(s, `"`) {
		return t, s, false
	}
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			t.Opaque = s[1:i]
			return t, s[i+1:], true
		case c < 0x20 || c == 0x7F:
			return t, s, false
		}
	}
	return t, s, false
}

// ETagList is the value of If-Match or If-None-Match. The zero value is a header that is not there.
type ETagList struct {
	Any  bool // the value is *
	Tags []ETag
}

// Present reports whether the header was there.
func (l ETagList) Present() bool { return l.Any || len(l.Tags) > 0 }

// MatchStrong reports whether If-Match lets pass a resource that exists with this tag.
func (l ETagList) MatchStrong(t ETag) bool {
	for _, o := range l.Tags {
		if t.StrongMatch(o) {
			return true
		}
	}
	return l.Any
}

// MatchWeak reports whether a resource that exists with this tag is one of those that If-None-Match names; the
// request is then refused.
func (l ETagList) MatchWeak(t ETag) bool {
	for _, o := range l.Tags {
		if t.WeakMatch(o) {
			return true
		}
	}
	return l.Any
}

// ParseETagList reads the lines of an If-Match or If-None-Match header (RFC 9110, section 13.1): "*", or entity tags
// with commas between them. Lines are joined as lists are (section 5.2); empty members are passed over. No lines give
// the zero value.
func ParseETagList(lines []string) (ETagList, error) {
	var l ETagList
	if len(lines) == 0 {
		return l, nil
	}
	s := strings.Join(lines, ",")
	if err := checkHeader(s); err != nil {
		return l, err
	}
	if strings.Trim(s, " \t") == "*" {
		return ETagList{Any: true}, nil
	}
	for rest := s; ; {
		rest = strings.TrimLeft(rest, " \t,")
		if rest == "" {
			break
		}
		at := len(s) - len(rest)
		t, after, ok := cutETag(rest)
		after = strings.TrimLeft(after, " \t")
		if !ok || after != "" && after[0] != ',' {
			return ETagList{}, headerErrorf(at, "an entity tag in quotation marks was expected at %q", short(rest))
		}
		l.Tags = append(l.Tags, t)
		rest = after
	}
	if len(l.Tags) == 0 {
		return l, headerErrorf(0, "the list of entity tags is empty")
	}
	return l, nil
}
