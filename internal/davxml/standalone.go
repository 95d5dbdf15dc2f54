package davxml

import (
	"strings"
	"unicode/utf8"
)

// Standalone gives the element as a fragment that means the same wherever it is put (RFC 4918, section 4.3): all
// namespaces that it needs are declared in it, an inherited xml:lang is written on it, and text and children keep their
// order. Prefixes stay, also those that only occur inside text or attributes as prefix:name, because values may hold
// qualified names. Comments and processing instructions are gone. The result shares no memory with the body.
func (e *Element) Standalone() []byte { return e.AppendStandalone(nil) }

// AppendStandalone appends what Standalone gives.
func (e *Element) AppendStandalone(dst []byte) []byte {
	need := map[*binding]bool{}
	e.markNeeded(e, need)
	dst = append(dst, '<')
	dst = appendQName(dst, e.prefix, e.Name.Local)
	dst = e.scope.appendAll(dst, func(b *binding) bool { return b.depth == e.depth || need[b] })
	if _, has := e.Attr(NSXML, "lang"); !has && e.Lang != "" {
		dst = append(dst, ` xml:lang="`...)
		dst = append(appendAttrText(dst, e.Lang), '"')
	}
	return e.appendRest(dst)
}

// markNeeded walks e's subtree and marks the declarations at or above root that it uses.
func (e *Element) markNeeded(root *Element, need map[*binding]bool) {
	mark := func(prefix string) {
		if b := e.scope.find(prefix); b != nil && b.depth <= root.depth {
			need[b] = true
		}
	}
	mark(e.prefix)
	for _, a := range e.Attrs {
		if a.prefix != "" {
			mark(a.prefix)
		}
		markPrefixes(a.Value, mark)
	}
	markPrefixes(e.head, mark)
	for _, c := range e.Children {
		c.markNeeded(root, need)
		markPrefixes(c.tail, mark)
	}
}

// markPrefixes calls mark for each name that stands before a colon in a text.
func markPrefixes(text string, mark func(string)) {
	for {
		colon := strings.IndexByte(text, ':')
		if colon < 0 {
			return
		}
		start := colon
		for start > 0 {
			r, n := utf8.DecodeLastRuneInString(text[:start])
			if !isNamePart(r) {
				break
			}
			start -= n
		}
		if start < colon {
			mark(text[start:colon])
		}
		text = text[colon+1:]
	}
}

// appendAll writes the chosen declarations of a scope in the order of the body. The scope holds at most
// Limits.Namespaces of them, so the recursion is shallow.
func (b *binding) appendAll(dst []byte, chosen func(*binding) bool) []byte {
	if b == nil {
		return dst
	}
	dst = b.up.appendAll(dst, chosen)
	if chosen(b) {
		dst = b.append(dst)
	}
	return dst
}

// append writes the declaration as an attribute.
func (b *binding) append(dst []byte) []byte {
	if b.prefix == "" {
		dst = append(dst, ` xmlns="`...)
	} else {
		dst = append(dst, ` xmlns:`...)
		dst = append(dst, b.prefix...)
		dst = append(dst, `="`...)
	}
	return append(appendAttrText(dst, b.uri), '"')
}

// appendInner writes an element below the root of a fragment: it declares what it declared in the body.
func (e *Element) appendInner(dst []byte) []byte {
	dst = append(dst, '<')
	dst = appendQName(dst, e.prefix, e.Name.Local)
	dst = e.scope.appendAll(dst, func(b *binding) bool { return b.depth == e.depth })
	return e.appendRest(dst)
}

// appendRest writes the attributes, the content and the end.
func (e *Element) appendRest(dst []byte) []byte {
	for _, a := range e.Attrs {
		dst = append(dst, ' ')
		dst = appendQName(dst, a.prefix, a.Name.Local)
		dst = append(dst, '=', '"')
		dst = append(appendAttrText(dst, a.Value), '"')
	}
	if e.head == "" && len(e.Children) == 0 {
		return append(dst, '/', '>')
	}
	dst = append(dst, '>')
	dst = appendText(dst, e.head)
	for _, c := range e.Children {
		dst = c.appendInner(dst)
		dst = appendText(dst, c.tail)
	}
	dst = append(dst, '<', '/')
	dst = appendQName(dst, e.prefix, e.Name.Local)
	return append(dst, '>')
}

func appendQName(dst []byte, prefix, local string) []byte {
	if prefix != "" {
		dst = append(dst, prefix...)
		dst = append(dst, ':')
	}
	return append(dst, local...)
}
