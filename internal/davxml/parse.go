package davxml

import (
	"io"
	"strings"
)

// document is what the elements of one body share.
type document struct {
	src string // the body as UTF-8; the strings of the tree point into it
}

// binding is a declaration of a namespace and, through up, all that are in scope with it.
type binding struct {
	prefix, uri string
	depth       int // of the element that declares it; the root has depth 1
	count       int // of declarations in scope, this one included
	up          *binding
}

// find gives the declaration that holds for a prefix, nil where there is none.
func (b *binding) find(prefix string) *binding {
	for ; b != nil; b = b.up {
		if b.prefix == prefix {
			return b
		}
	}
	return nil
}

// rawAttr is an attribute whose prefix is not resolved yet.
type rawAttr struct {
	prefix, local, value string
	at                   int
}

// parser holds one run over one body. Nothing in it recurses.
type parser struct {
	doc      *document
	s        string
	pos      int
	lim      Limits
	root     *Element
	stack    []*Element
	tags     []string // the open tags as they are written, to compare with the end tags
	elements int
	attrs    []rawAttr
	run      textRun
}

// Parse reads a body to its end and gives its root element. It returns ErrEmpty where there is nothing but white
// space, and otherwise an *Error for everything that is not a well-formed, namespace-well-formed document without
// DOCTYPE inside the limits. UTF-8, UTF-16, US-ASCII and ISO-8859-1 are read. Comments and processing instructions
// are passed over. Time is linear in the octets, memory is at most about a hundred times the smaller of Limits.Octets and
// the body's size.
func Parse(r io.Reader, lim Limits) (*Element, error) {
	lim = lim.orDefault()
	src, err := readBody(r, lim.Octets)
	if err != nil {
		return nil, err
	}
	if strings.TrimLeft(src, " \t\r\n") == "" {
		return nil, ErrEmpty
	}
	if at := badChar(src); at >= 0 {
		return nil, charError(src, at)
	}
	p := &parser{doc: &document{src}, s: src, lim: lim}
	if err := p.document(); err != nil {
		return nil, err
	}
	return p.root, nil
}

// ParseBytes is Parse for a body that is in memory, such as a stored fragment.
func ParseBytes(b []byte, lim Limits) (*Element, error) {
	return Parse(strings.NewReader(string(b)), lim)
}

func charError(src string, at int) *Error {
	if c := src[at]; c < 0x80 {
		return errorAt(Malformed, src, at, "the control character 0x%02X is not allowed in XML", c)
	}
	for _, r := range src[at:] {
		if r != '\uFFFD' {
			return errorAt(Malformed, src, at, "the character U+%04X is not allowed in XML", r)
		}
		break
	}
	return errorAt(Malformed, src, at, "the body is not valid UTF-8 (octet 0x%02X)", src[at])
}

func (p *parser) errorf(kind Kind, at int, format string, args ...any) *Error {
	return errorAt(kind, p.s, at, format, args...)
}

// document is the whole body: an XML declaration, one root, and around it only white space, comments and
// processing instructions.
func (p *parser) document() error {
	if err := p.declaration(); err != nil {
		return err
	}
	for p.pos < len(p.s) {
		if err := p.item(); err != nil {
			return err
		}
	}
	if len(p.stack) > 0 {
		return p.errorf(Malformed, len(p.s), "the body ends inside the element %q", short(p.tags[len(p.tags)-1]))
	}
	if p.root == nil {
		return p.errorf(Malformed, len(p.s), "the body has no root element")
	}
	return nil
}

// item reads one piece: text up to the next tag, or whatever begins with '<'.
func (p *parser) item() error {
	rest := p.s[p.pos:]
	switch {
	case rest[0] != '<':
		return p.text()
	case strings.HasPrefix(rest, "</"):
		return p.endTag()
	case strings.HasPrefix(rest, "<?"):
		return p.instruction()
	case strings.HasPrefix(rest, "<!--"):
		return p.comment()
	case strings.HasPrefix(rest, "<![CDATA["):
		return p.cdata()
	case strings.HasPrefix(rest, "<!DOCTYPE"):
		return p.errorf(ForbiddenEntity, p.pos, "a document type declaration is not accepted here, and no entities of its making")
	case strings.HasPrefix(rest, "<!"):
		return p.errorf(Malformed, p.pos, "a markup declaration is not allowed here")
	}
	return p.startTag()
}

// declaration passes the XML declaration, which may only stand at the very beginning: version, encoding, standalone,
// in this order. What it says of the encoding was heard before.
func (p *parser) declaration() error {
	if !strings.HasPrefix(p.s, "<?xml") || len(p.s) < 6 || !isSpace(p.s[5]) {
		return nil
	}
	p.pos = len("<?xml")
	for space := p.skipSpace(); !strings.HasPrefix(p.s[p.pos:], "?>"); space = p.skipSpace() {
		if !space || len(p.attrs) == 3 {
			return p.errorf(Malformed, p.pos, "the XML declaration is malformed")
		}
		if err := p.attribute(); err != nil {
			return err
		}
	}
	p.pos += 2
	order := []string{"version", "encoding", "standalone"}
	for i, a := range p.attrs {
		for len(order) > 0 && order[0] != a.local && i > 0 {
			order = order[1:]
		}
		if len(order) == 0 || order[0] != a.local || a.prefix != "" {
			return p.errorf(Malformed, a.at, "%q does not belong there in the XML declaration", short(a.local))
		}
		order = order[1:]
	}
	if len(p.attrs) == 0 || !strings.HasPrefix(p.attrs[0].value, "1.") {
		return p.errorf(Malformed, 0, "the XML declaration does not say version 1.0")
	}
	return nil
}

func (p *parser) instruction() error {
	start := p.pos
	end := nameEnd(p.s, start+2)
	if end == start+2 {
		return p.errorf(Malformed, start, "a processing instruction has no name")
	}
	if strings.EqualFold(p.s[start+2:end], "xml") {
		return p.errorf(Malformed, start, "an XML declaration may only stand at the beginning")
	}
	n := strings.Index(p.s[end:], "?>")
	if n < 0 {
		return p.errorf(Malformed, start, "a processing instruction does not end")
	}
	if n > 0 && !isSpace(p.s[end]) {
		return p.errorf(Malformed, start, "the name of a processing instruction holds a character that does not belong there")
	}
	p.pos = end + n + 2
	return nil
}

func (p *parser) comment() error {
	start := p.pos
	n := strings.Index(p.s[start+4:], "--")
	if n < 0 {
		return p.errorf(Malformed, start, "a comment does not end")
	}
	end := start + 4 + n + 2
	if end >= len(p.s) || p.s[end] != '>' {
		return p.errorf(Malformed, end-2, "a comment holds two hyphens in a row")
	}
	p.pos = end + 1
	return nil
}

// startTag reads a start tag or an empty element.
func (p *parser) startTag() error {
	start := p.pos
	p.pos++
	tagStart := p.pos
	prefix, local, err := p.qname()
	if err != nil {
		return err
	}
	tag := p.s[tagStart:p.pos]
	empty, err := p.attributes(tag)
	if err != nil {
		return err
	}
	e, err := p.open(start, prefix, local)
	if err != nil {
		return err
	}
	if empty {
		return nil
	}
	p.stack = append(p.stack, e)
	p.tags = append(p.tags, tag)
	return nil
}

// open makes the element of a start tag and hangs it into the tree.
func (p *parser) open(at int, prefix, local string) (*Element, error) {
	depth := len(p.stack) + 1
	if depth > p.lim.Depth {
		return nil, p.errorf(TooLarge, at, "elements are nested more than %d deep", p.lim.Depth)
	}
	if p.elements++; p.elements > p.lim.Elements {
		return nil, p.errorf(TooLarge, at, "the body has more than %d elements", p.lim.Elements)
	}
	e := &Element{doc: p.doc, off: at, depth: depth, prefix: prefix}
	if depth > 1 {
		parent := p.stack[depth-2]
		p.flushText(parent)
		parent.Children = append(parent.Children, e)
		e.scope, e.Lang = parent.scope, parent.Lang
	} else if p.root != nil {
		return nil, p.errorf(Malformed, at, "the body has more than one root element")
	} else {
		p.root = e
	}
	if err := p.declare(e); err != nil {
		return nil, err
	}
	space, err := p.resolve(e, prefix, at)
	if err != nil {
		return nil, err
	}
	e.Name = Name{space, local}
	return e, p.resolveAttrs(e)
}

func (p *parser) endTag() error {
	start := p.pos
	end := strings.IndexByte(p.s[start:], '>')
	if end < 0 {
		return p.errorf(Malformed, start, "an end tag does not end")
	}
	tag := strings.TrimRight(p.s[start+2:start+end], " \t\r\n")
	if len(p.stack) == 0 {
		return p.errorf(Malformed, start, "the end tag %q closes nothing", short(tag))
	}
	last := len(p.stack) - 1
	if tag != p.tags[last] {
		return p.errorf(Malformed, start, "the end tag %q stands where %q is open", short(tag), short(p.tags[last]))
	}
	e := p.stack[last]
	p.flushText(e)
	e.Text = e.joinText()
	p.stack, p.tags = p.stack[:last], p.tags[:last]
	p.pos = start + end + 1
	return nil
}
