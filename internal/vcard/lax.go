package vcard

import (
	"strings"

	"holdfast/internal/content"
)

// laxLine is one content line of a card that no strict reader would take.
type laxLine struct {
	Line
	whole  bool     // Raw is what stands in the file and strict readers take it
	orphan string   // text without a name, when the line is none
	agent  []string // the lines of a card inside an AGENT
	badEnd bool     // quotes or parameters had to be guessed
}

// laxReader reads the lines of text of one card whatever they are: with soft
// breaks of quoted-printable, base64 that ends with a blank line, octets of any
// charset, stray quotes, and nested cards.
type laxReader struct {
	lines []string // lines of text, without line ends
	i     int
	v21   bool
	lx    lexer
}

func newLaxReader(lines []string, v21 bool) *laxReader {
	return &laxReader{lines: lines, v21: v21, lx: lexer{lim: DefaultLimits(), lax: true}}
}

// next returns the next content line; false at the end.
func (r *laxReader) next() (l laxLine, ok bool) {
	for r.i < len(r.lines) && content.IsBlank(r.lines[r.i]) {
		r.i++
	}
	if r.i == len(r.lines) {
		return l, false
	}
	from := r.i
	text := r.logical()
	l.No = from + 1
	l.whole = r.i == from+1 || !r.v21
	if err := r.lx.cut(&l.Line, text); err != nil {
		l.orphan = text
		return l, true
	}
	switch {
	case l.Is("AGENT"):
		r.nested(&l)
	case isBase64(&l.Line):
		r.base64Tail(&l)
	case isQP(&l.Line):
		l.whole = false
	}
	strict := lexer{lim: r.lx.lim}
	var again Line
	l.badEnd = strict.cut(&again, text) != nil
	l.whole = l.whole && !l.badEnd && len(l.agent) == 0
	if l.whole {
		l.Raw = strings.Join(r.lines[from:r.i], "\r\n") + "\r\n"
	}
	return l, true
}

// logical joins folds and soft breaks. Version 2.1 folds where white space
// stands already and keeps it; the later versions insert it.
func (r *laxReader) logical() string {
	first := r.lines[r.i]
	r.i++
	head, _, _ := strings.Cut(first, ":")
	qp := strings.Contains(content.Upper(head), "QUOTED-PRINTABLE")
	parts := []string{first}
	for r.i < len(r.lines) {
		next, last := r.lines[r.i], len(parts)-1
		switch {
		case qp && strings.HasSuffix(parts[last], "=") && !isEnd(next):
			parts[last] = strings.TrimSuffix(parts[last], "=")
		case next == "" || !content.IsWSP(next[0]) || r.v21 && content.IsBlank(next):
			return strings.Join(parts, "")
		case r.v21:
			next = " " + strings.TrimLeft(next, " \t")
		default:
			next = next[1:]
		}
		parts = append(parts, next)
		r.i++
	}
	return strings.Join(parts, "")
}

func isEnd(s string) bool { return squeeze([]byte(s)) == "END:VCARD" }

func encodingOf(l *Line) string {
	for i := range l.Params {
		p := &l.Params[i]
		if p.Bare || strings.EqualFold(p.Name, "ENCODING") {
			switch v := content.Upper(strings.Trim(p.Raw, `"`)); v {
			case "B", "BASE64":
				return "b"
			case "QUOTED-PRINTABLE":
				return "qp"
			}
		}
	}
	return ""
}

func isBase64(l *Line) bool { return encodingOf(l) == "b" }
func isQP(l *Line) bool     { return encodingOf(l) == "qp" }

// base64Tail adds lines that carry on with base64 though nothing marks them as
// folded. A blank line ends them.
func (r *laxReader) base64Tail(l *laxLine) {
	from := r.i
	var b strings.Builder
	for r.i < len(r.lines) && !content.IsBlank(r.lines[r.i]) && onlyBase64(r.lines[r.i]) {
		b.WriteString(strings.TrimSpace(r.lines[r.i]))
		r.i++
	}
	if r.i > from {
		l.Value += b.String()
		l.whole = false
	}
}

func onlyBase64(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !(c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/' || c == '=' || content.IsWSP(c)) {
			return false
		}
	}
	return true
}

// nested takes the card that stands inside an AGENT, if one does.
func (r *laxReader) nested(l *laxLine) {
	j, depth := r.i, 0
	if squeeze([]byte(l.Value)) == "BEGIN:VCARD" {
		l.agent, depth = []string{"BEGIN:VCARD"}, 1
	} else if l.Value = strings.TrimSpace(l.Value); l.Value != "" {
		return
	}
	for ; j < len(r.lines); j++ {
		text := squeeze([]byte(r.lines[j]))
		switch {
		case text == "BEGIN:VCARD":
			depth++
		case depth == 0 && text != "":
			return
		case strings.HasSuffix(text, ":BEGIN:VCARD") && isAgent(text):
			depth++
		case text == "END:VCARD":
			depth--
		}
		if text != "" || depth > 0 {
			l.agent = append(l.agent, r.lines[j])
		}
		if depth == 0 && text == "END:VCARD" {
			r.i = j + 1
			return
		}
	}
	l.agent = nil
}
