package davxml

import "strings"

// qname reads a name with an optional prefix at the parser's position.
func (p *parser) qname() (prefix, local string, err error) {
	start := p.pos
	end := nameEnd(p.s, start)
	if end < len(p.s) && p.s[end] == ':' && end > start {
		prefix = p.s[start:end]
		from := end + 1
		end = nameEnd(p.s, from)
		local = p.s[from:end]
	} else {
		local = p.s[start:end]
	}
	if local == "" || end < len(p.s) && p.s[end] == ':' {
		return "", "", p.errorf(Malformed, start, "a name was expected")
	}
	if end-start > p.lim.Name {
		return "", "", p.errorf(TooLarge, start, "a name is longer than %d octets", p.lim.Name)
	}
	p.pos = end
	return prefix, local, nil
}

func (p *parser) skipSpace() bool {
	start := p.pos
	for p.pos < len(p.s) && isSpace(p.s[p.pos]) {
		p.pos++
	}
	return p.pos > start
}

// attributes reads the rest of a start tag into p.attrs and reports whether the element is empty.
func (p *parser) attributes(tag string) (empty bool, err error) {
	p.attrs = p.attrs[:0]
	for {
		space := p.skipSpace()
		rest := p.s[p.pos:]
		switch {
		case rest == "":
			return false, p.errorf(Malformed, p.pos, "the body ends inside the tag %q", short(tag))
		case rest[0] == '>':
			p.pos++
			return false, nil
		case strings.HasPrefix(rest, "/>"):
			p.pos += 2
			return true, nil
		case !space:
			return false, p.errorf(Malformed, p.pos, "the tag %q holds a character that does not belong there", short(tag))
		case len(p.attrs) == p.lim.Attrs:
			return false, p.errorf(TooLarge, p.pos, "the element %q has more than %d attributes", short(tag), p.lim.Attrs)
		}
		if err := p.attribute(); err != nil {
			return false, err
		}
	}
}

// attribute reads name="value".
func (p *parser) attribute() error {
	a := rawAttr{at: p.pos}
	var err error
	if a.prefix, a.local, err = p.qname(); err != nil {
		return err
	}
	p.skipSpace()
	if p.pos == len(p.s) || p.s[p.pos] != '=' {
		return p.errorf(Malformed, a.at, "the attribute %q has no value", short(a.local))
	}
	p.pos++
	p.skipSpace()
	if p.pos == len(p.s) || p.s[p.pos] != '"' && p.s[p.pos] != '\'' {
		return p.errorf(Malformed, a.at, "the value of the attribute %q has no quotation marks", short(a.local))
	}
	from := p.pos + 1
	n := strings.IndexByte(p.s[from:], p.s[p.pos])
	if n < 0 {
		return p.errorf(Malformed, a.at, "the value of the attribute %q does not end", short(a.local))
	}
	a.value = p.s[from : from+n]
	p.pos = from + n + 1
	if at := strings.IndexByte(a.value, '<'); at >= 0 {
		return p.errorf(Malformed, from+at, "< may not stand in an attribute's value")
	}
	if strings.ContainsAny(a.value, "&\r\n\t") {
		value, err := p.appendDecoded(nil, a.value, from, true)
		if err != nil {
			return err
		}
		a.value = string(value)
	}
	p.attrs = append(p.attrs, a)
	return nil
}

// declare takes the declarations of namespaces out of p.attrs and puts them into the element's scope. The rules are
// those of Namespaces in XML 1.0, sections 3 to 6.
func (p *parser) declare(e *Element) error {
	rest := p.attrs[:0]
	for _, a := range p.attrs {
		switch {
		case a.prefix == "" && a.local == "xmlns":
			if err := p.bind(e, "", a); err != nil {
				return err
			}
		case a.prefix == "xmlns":
			if err := p.bind(e, a.local, a); err != nil {
				return err
			}
		default:
			rest = append(rest, a)
		}
	}
	p.attrs = rest
	return nil
}

func (p *parser) bind(e *Element, prefix string, a rawAttr) error {
	switch {
	case len(a.value) > p.lim.Name:
		return p.errorf(TooLarge, a.at, "a namespace is longer than %d octets", p.lim.Name)
	case prefix == "xml" && a.value == NSXML:
		return nil
	case prefix == "xml", prefix == "xmlns":
		return p.errorf(Malformed, a.at, "the prefix %q is reserved", prefix)
	case a.value == NSXML, a.value == NSXMLNS:
		return p.errorf(Malformed, a.at, "the namespace %q is reserved", a.value)
	case prefix != "" && a.value == "":
		return p.errorf(Malformed, a.at, "the prefix %q cannot be declared without a namespace", short(prefix))
	}
	for b := e.scope; b != nil && b.depth == e.depth; b = b.up {
		if b.prefix == prefix {
			return p.errorf(Malformed, a.at, "the prefix %q is declared twice on one element", short(prefix))
		}
	}
	b := &binding{prefix: prefix, uri: canonicalSpace(a.value), depth: e.depth, count: 1, up: e.scope}
	if b.up != nil {
		b.count += b.up.count
	}
	if b.count > p.lim.Namespaces {
		return p.errorf(TooLarge, a.at, "more than %d declarations of namespaces are in scope", p.lim.Namespaces)
	}
	e.scope = b
	return nil
}

// resolve gives the namespace of a prefix. The empty prefix is the default namespace.
func (p *parser) resolve(e *Element, prefix string, at int) (string, error) {
	switch b := e.scope.find(prefix); {
	case b != nil:
		return b.uri, nil
	case prefix == "":
		return "", nil
	case prefix == "xml":
		return NSXML, nil
	}
	return "", p.errorf(Malformed, at, "the prefix %q is not declared", short(prefix))
}

// resolveAttrs moves p.attrs to the element. An attribute without prefix has no namespace, whatever the default is.
func (p *parser) resolveAttrs(e *Element) error {
	if len(p.attrs) == 0 {
		return nil
	}
	e.Attrs = make([]Attr, 0, len(p.attrs))
	for _, a := range p.attrs {
		out := Attr{Name: Name{Local: a.local}, Value: a.value, prefix: a.prefix}
		if a.prefix != "" {
			space, err := p.resolve(e, a.prefix, a.at)
			if err != nil {
				return err
			}
			out.Name.Space = space
		}
		for _, other := range e.Attrs {
			if other.Name == out.Name {
				return p.errorf(Malformed, a.at, "the attribute %q stands twice on one element", short(out.Name.Local))
			}
		}
		if out.Name == (Name{NSXML, "lang"}) {
			e.Lang = a.value
		}
		e.Attrs = append(e.Attrs, out)
	}
	return nil
}
