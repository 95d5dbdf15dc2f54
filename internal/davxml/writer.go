package davxml

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
)

// flushAt is how many octets a Writer gathers before it gives them to its io.Writer.
const flushAt = 32 << 10

// Writer appends XML. Known namespaces have their fixed prefix and are declared on the root; others are declared where
// they occur. It checks the nesting and remembers the first error, after which every call does nothing: look at Err or
// at what Flush returns once, at the end. In steady state it allocates nothing. It is not safe for concurrent use.
//
// Names are written as they are: they must come from this package, from Parse or from ParseName.
type Writer struct {
	out   io.Writer // nil: everything stays in buf
	buf   []byte
	open  []openTag
	extra []extraNS // declarations of unknown namespaces in scope
	root  bool      // the root was written
	err   error
}

type openTag struct {
	name   Name
	prefix string
	extra  int // length of Writer.extra outside this element
}

type extraNS struct{ prefix, uri string }

// NewWriter makes a Writer over out. With a nil out the octets stay in memory, for Bytes.
func NewWriter(out io.Writer) *Writer { return &Writer{out: out} }

// Declaration is what a document begins with. Writer.Document writes it.
const Declaration = `<?xml version="1.0" encoding="utf-8"?>` + "\n"

// Document begins a document: the XML declaration. A fragment goes without.
func (w *Writer) Document() { w.buf = append(w.buf, Declaration...) }

// Start opens an element.
func (w *Writer) Start(n Name, attrs ...Attr) {
	if w.startTag(n, attrs) {
		w.buf = append(w.buf, '>')
	}
}

// Empty writes an element without content.
func (w *Writer) Empty(n Name, attrs ...Attr) {
	if w.startTag(n, attrs) {
		w.buf = append(w.buf, '/', '>')
		w.pop()
	}
}

// Element writes an element that holds text.
func (w *Writer) Element(n Name, text string, attrs ...Attr) {
	if text == "" {
		w.Empty(n, attrs...)
		return
	}
	w.Start(n, attrs...)
	w.Text(text)
	w.End()
}

// Href writes an element that holds one DAV:href, such as DAV:owner. The href must be percent-encoded.
func (w *Writer) Href(n Name, href string) {
	w.Start(n)
	w.Element(DHref, href)
	w.End()
}

// End closes the innermost open element.
func (w *Writer) End() {
	if w.err != nil {
		return
	}
	if len(w.open) == 0 {
		w.fail(errors.New("write XML: an end without a start"))
		return
	}
	t := &w.open[len(w.open)-1]
	w.buf = append(w.buf, '<', '/')
	w.buf = appendQName(w.buf, t.prefix, t.name.Local)
	w.buf = append(w.buf, '>')
	w.pop()
	w.spill()
}

// Text writes character data. What XML cannot carry becomes U+FFFD.
func (w *Writer) Text(s string) {
	if w.inside("text") {
		w.buf = appendText(w.buf, s)
		w.spill()
	}
}

// TextBytes is Text for octets.
func (w *Writer) TextBytes(b []byte) {
	if w.inside("text") {
		w.buf = appendText(w.buf, b)
		w.spill()
	}
}

// Int writes a decimal number as text.
func (w *Writer) Int(n int64) {
	if w.inside("text") {
		w.buf = strconv.AppendInt(w.buf, n, 10)
	}
}

// Raw writes a fragment as it is. It must be well-formed and declare its namespaces, as Standalone's fragments do.
func (w *Writer) Raw(fragment []byte) {
	if w.inside("a fragment") {
		w.buf = append(w.buf, fragment...)
		w.spill()
	}
}

// RawString is Raw for a string.
func (w *Writer) RawString(fragment string) {
	if w.inside("a fragment") {
		w.buf = append(w.buf, fragment...)
		w.spill()
	}
}

// Depth gives how many elements are open.
func (w *Writer) Depth() int { return len(w.open) }

// Err gives the first error.
func (w *Writer) Err() error { return w.err }

// Bytes gives what was written and not yet handed to the io.Writer. It is valid until the next call.
func (w *Writer) Bytes() []byte { return w.buf }

// Flush hands everything to the io.Writer and returns the first error of all. It does not ask whether elements are
// open, so an answer can be sent while it is written.
func (w *Writer) Flush() error {
	if w.err == nil && w.out != nil && len(w.buf) > 0 {
		if _, err := w.out.Write(w.buf); err != nil {
			w.fail(fmt.Errorf("write XML: %w", err))
		}
		w.buf = w.buf[:0]
	}
	return w.err
}

// Reset makes the Writer as new, over another io.Writer, and keeps its memory.
func (w *Writer) Reset(out io.Writer) {
	*w = Writer{out: out, buf: w.buf[:0], open: w.open[:0], extra: w.extra[:0]}
}

func (w *Writer) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

func (w *Writer) spill() {
	if len(w.buf) >= flushAt && w.out != nil {
		w.Flush()
	}
}

// inside reports whether content may be written now: there is no error, and an element is open.
func (w *Writer) inside(what string) bool {
	if w.err == nil && len(w.open) == 0 {
		w.fail(fmt.Errorf("write XML: %s outside the root element", what))
	}
	return w.err == nil
}

// startTag writes a start tag without its end and pushes it.
func (w *Writer) startTag(n Name, attrs []Attr) bool {
	if w.err != nil {
		return false
	}
	first := len(w.open) == 0
	if first && w.root {
		w.fail(fmt.Errorf("write XML: %v would be a second root element", n))
		return false
	}
	outside := len(w.extra)
	prefix := w.prefix(n.Space)
	w.buf = append(w.buf, '<')
	w.buf = appendQName(w.buf, prefix, n.Local)
	if first {
		w.root = true
		w.buf = append(w.buf, rootDeclarations...)
	}
	w.open = append(w.open, openTag{n, prefix, outside})
	for i := range attrs {
		w.attr(&attrs[i])
	}
	for _, ns := range w.extra[outside:] {
		w.buf = append(w.buf, ` xmlns:`...)
		w.buf = append(w.buf, ns.prefix...)
		w.buf = append(w.buf, `="`...)
		w.buf = append(appendAttrText(w.buf, ns.uri), '"')
	}
	return true
}

const rootDeclarations = ` xmlns:D="` + NSDAV + `" xmlns:C="` + NSCalDAV + `" xmlns:CR="` + NSCardDAV +
	`" xmlns:CS="` + NSCalendarServer + `" xmlns:A="` + NSApple + `"`

func (w *Writer) attr(a *Attr) {
	w.buf = append(w.buf, ' ')
	w.buf = appendQName(w.buf, w.prefix(a.Name.Space), a.Name.Local)
	w.buf = append(w.buf, '=', '"')
	w.buf = append(appendAttrText(w.buf, a.Value), '"')
}

// prefix gives the prefix of a namespace. For an unknown one that is not in scope it makes a prefix up and puts it on
// w.extra; the start tag then declares it. No default namespace is ever declared, so no prefix means no namespace.
func (w *Writer) prefix(space string) string {
	if p := fixedPrefix(space); p != "" {
		return p
	}
	switch space {
	case "":
		return ""
	case NSXML:
		return "xml"
	}
	if i := slices.IndexFunc(w.extra, func(x extraNS) bool { return x.uri == space }); i >= 0 {
		return w.extra[i].prefix
	}
	p := "x" + strconv.Itoa(len(w.extra)+1)
	w.extra = append(w.extra, extraNS{p, space})
	return p
}

func (w *Writer) pop() {
	last := len(w.open) - 1
	w.extra = w.extra[:w.open[last].extra]
	w.open = w.open[:last]
}
