package davxml

import "strings"

// If is the value of an If header (RFC 4918, section 10.4). The zero value is a header that is not there.
type If struct {
	Lists []IfList
}

// IfList is a list of conditions that must all hold. The header holds when one of its lists does.
type IfList struct {
	Resource   string // the tag that the list stands under, as it was written without < and >; "" for the request's own resource
	Conditions []IfCondition
}

// IfCondition asks for a state token or for an entity tag, or for its absence.
type IfCondition struct {
	Not   bool
	Token string // a state token, without < and >; "" where ETag is asked
	ETag  ETag
}

// Present reports whether the header was there.
func (h If) Present() bool { return len(h.Lists) > 0 }

// Holds evaluates the header (RFC 4918, section 10.4.3). The function says whether a resource has the state token or
// the entity tag now, whatever Not says. Resource is a tag as the client wrote it, "" for the request's own resource. A header that is not there holds.
func (h If) Holds(has func(resource string, c IfCondition) bool) bool {
	for _, list := range h.Lists {
		if list.holds(has) {
			return true
		}
	}
	return len(h.Lists) == 0
}

func (l IfList) holds(has func(string, IfCondition) bool) bool {
	for _, c := range l.Conditions {
		if has(l.Resource, c) == c.Not {
			return false
		}
	}
	return true
}

// Tokens gives the state tokens that the client submits: all that occur, also below Not, each once.
func (h If) Tokens() []string {
	var list []string
	seen := map[string]bool{}
	for _, l := range h.Lists {
		for _, c := range l.Conditions {
			if c.Token != "" && !seen[c.Token] {
				seen[c.Token] = true
				list = append(list, c.Token)
			}
		}
	}
	return list
}

// maxIfConditions bounds the conditions of one If header, because each may cost a look into the store.
const maxIfConditions = 256

// ifScanner walks over the header's value.
type ifScanner struct {
	s    string
	pos  int
	left int // conditions
}

// ParseIf reads the value of an If header by its strict grammar: either lists without tags, or lists under tags, never
// both. "" gives the zero value.
func ParseIf(value string) (If, error) {
	var h If
	if value == "" {
		return h, nil
	}
	if err := checkHeader(value); err != nil {
		return h, err
	}
	p := &ifScanner{s: value, left: maxIfConditions}
	tagged := p.peek() == '<'
	if !tagged && p.peek() != '(' {
		return h, p.errorf("a list in parentheses or a tag in angle brackets was expected")
	}
	resource := ""
	for p.peek() != 0 {
		if p.peek() == '<' {
			var err error
			if resource, err = p.tag(tagged); err != nil {
				return If{}, err
			}
		}
		list, err := p.list()
		if err != nil {
			return If{}, err
		}
		h.Lists = append(h.Lists, IfList{resource, list})
	}
	return h, nil
}

// tag reads the tag of the lists that follow: an absolute URI or an absolute path.
func (p *ifScanner) tag(tagged bool) (string, error) {
	if !tagged {
		return "", p.errorf("lists with and without tags stand in one header")
	}
	ref, err := p.angle()
	if err != nil {
		return "", err
	}
	if !strings.HasPrefix(ref, "/") && !hasScheme(ref) {
		return "", p.errorf("the tag %q is neither an absolute URI nor an absolute path", short(ref))
	}
	return ref, nil
}

// list reads ( 1*Condition ).
func (p *ifScanner) list() ([]IfCondition, error) {
	if p.peek() != '(' {
		return nil, p.errorf("a list in parentheses was expected")
	}
	p.pos++
	var list []IfCondition
	for p.peek() != ')' {
		if p.left--; p.left < 0 {
			return nil, &Error{Kind: HeaderTooLarge, Msg: "the If header has too many conditions", Offset: int64(p.pos)}
		}
		c, err := p.condition()
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	if len(list) == 0 {
		return nil, p.errorf("a list is empty")
	}
	p.pos++
	return list, nil
}

// condition reads ["Not"] and a token or an entity tag.
func (p *ifScanner) condition() (IfCondition, error) {
	var c IfCondition
	p.peek()
	if rest := p.s[p.pos:]; len(rest) >= 3 && strings.EqualFold(rest[:3], "not") {
		c.Not = true
		p.pos += 3
	}
	switch p.peek() {
	case '<':
		token, err := p.angle()
		if err == nil && !hasScheme(token) {
			err = p.errorf("the state token %q is not an absolute URI", short(token))
		}
		c.Token = token
		return c, err
	case '[':
		tag, rest, ok := cutETag(p.s[p.pos+1:])
		if !ok || !strings.HasPrefix(rest, "]") {
			return c, p.errorf("an entity tag in square brackets was expected")
		}
		c.ETag = tag
		p.pos = len(p.s) - len(rest) + 1
		return c, nil
	}
	return c, p.errorf("a state token in angle brackets or an entity tag in square brackets was expected")
}

// angle reads <...>.
func (p *ifScanner) angle() (string, error) {
	end := strings.IndexByte(p.s[p.pos:], '>')
	if end < 0 {
		return "", p.errorf("an angle bracket is not closed")
	}
	inner := p.s[p.pos+1 : p.pos+end]
	if inner == "" || strings.ContainsAny(inner, " \t<\"") {
		return "", p.errorf("there is no URI between the angle brackets")
	}
	p.pos += end + 1
	return inner, nil
}

// peek passes white space and gives the next octet, 0 at the end.
func (p *ifScanner) peek() byte {
	for p.pos < len(p.s) && (p.s[p.pos] == ' ' || p.s[p.pos] == '\t') {
		p.pos++
	}
	if p.pos == len(p.s) {
		return 0
	}
	return p.s[p.pos]
}

func (p *ifScanner) errorf(format string, args ...any) error {
	return headerErrorf(p.pos, "the If header is malformed: "+format, args...)
}

// hasScheme reports whether s begins as an absolute URI does (RFC 3986, section 3.1).
func hasScheme(s string) bool {
	for i := range len(s) {
		c := s[i]
		switch {
		case c|0x20 >= 'a' && c|0x20 <= 'z':
		case i > 0 && (c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.'):
		default:
			return c == ':' && i > 0
		}
	}
	return false
}
