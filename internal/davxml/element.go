package davxml

import (
	"iter"
	"strings"
)

// Element is an element of a request body. Parse makes it; it is read-only, and safe for concurrent readers.
// Its strings share the memory of the whole body: clone what outlives the request. Standalone gives a copy.
type Element struct {
	Name     Name
	Attrs    []Attr     // in the order of the body, without declarations of namespaces
	Children []*Element // in the order of the body
	Text     string     // the element's own character data, joined; that of its children is not in it
	Lang     string     // xml:lang, inherited from the nearest element that says it; "" for none

	doc        *document
	off, depth int
	prefix     string
	scope      *binding
	head, tail string // text before the first child, and text behind this element in its parent
}

// Attr is an attribute. One without a prefix has the empty namespace.
type Attr struct {
	Name  Name
	Value string

	prefix string
}

// Child gives the first child of that name, nil where there is none. It may be called on nil.
func (e *Element) Child(name Name) *Element {
	for c := range e.All(name) {
		return c
	}
	return nil
}

// All gives the children of that name in order. It may be called on nil.
func (e *Element) All(name Name) iter.Seq[*Element] {
	return func(yield func(*Element) bool) {
		if e == nil {
			return
		}
		for _, c := range e.Children {
			if c.Name == name && !yield(c) {
				return
			}
		}
	}
}

// Attr gives the value of an attribute and whether it is there. The space is "" for attributes without a prefix.
func (e *Element) Attr(space, local string) (value string, ok bool) {
	if e == nil {
		return "", false
	}
	for _, a := range e.Attrs {
		if a.Name.Local == local && a.Name.Space == space {
			return a.Value, true
		}
	}
	return "", false
}

// TrimText gives the element's own text without white space around it. It may be called on nil.
func (e *Element) TrimText() string {
	if e == nil {
		return ""
	}
	return strings.Trim(e.Text, " \t\r\n")
}

// Errorf makes an *Error of kind Malformed that points at the element's start tag.
func (e *Element) Errorf(format string, args ...any) *Error {
	return e.refuse(Malformed, format, args...)
}

func (e *Element) refuse(kind Kind, format string, args ...any) *Error {
	return errorAt(kind, e.doc.src, e.off, format, args...)
}

// joinText gives what Text is to be.
func (e *Element) joinText() string {
	size, pieces, last := len(e.head), 0, e.head
	if size > 0 {
		pieces++
	}
	for _, c := range e.Children {
		if c.tail != "" {
			size, pieces, last = size+len(c.tail), pieces+1, c.tail
		}
	}
	if pieces <= 1 {
		return last
	}
	var b strings.Builder
	b.Grow(size)
	b.WriteString(e.head)
	for _, c := range e.Children {
		b.WriteString(c.tail)
	}
	return b.String()
}
