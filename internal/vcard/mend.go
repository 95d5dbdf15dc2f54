package vcard

import (
	"crypto/sha1"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"holdfast/internal/content"
)

// Mend makes one card of a file, as Split yields it, fit to be stored. octets
// is a card that Judge accepts; mends says in short sentences what was done. A
// card that Judge accepts as it is comes back as the very octets given, with
// no mend, so mending twice changes nothing more.
//
// Mended are: version 2.1 (rewritten as 3.0 with its encodings and charsets
// resolved), line ends, control characters, octets that are not UTF-8, broken
// quotes, lines without a name (joined to the text before them, or kept as a
// NOTE), and missing or superfluous VERSION, UID, FN and END. A new UID is a
// hash of the card's text, so importing a file twice gives the same contacts.
// Lines that need no mending keep their octets, except that all line ends
// become CR LF.
//
// A card whose END is missing is mended, not refused: the file may have been
// cut off, but half a contact is worth more to its owner than none, and the
// report says so. Refused are an unknown version, a card with nothing in it,
// and what exceeds the limits.
func Mend(raw []byte) (octets []byte, mends []string, refusal *Refusal) {
	if _, r := Judge(raw, Limits{}); r == nil {
		return raw, nil, nil
	}
	lim := DefaultLimits()
	if len(raw) > lim.Octets {
		return nil, nil, &Refusal{ValidAddressData, 0, fmt.Sprintf("The card is larger than %d octets.", lim.Octets)}
	}
	m := mender{}
	lines := m.textLines(string(raw))
	if r := m.read(lines, 0); r != nil {
		return nil, nil, r
	}
	if r := m.complete(lines); r != nil {
		return nil, nil, r
	}
	out := make([]byte, 0, len(raw)+len(raw)/8+256)
	for i := range m.props {
		out = m.props[i].append(out)
	}
	if _, r := Judge(out, Limits{}); r != nil {
		r.Line = 0 // the lines are not those of the file any more
		return nil, nil, r
	}
	return out, m.mends, nil
}

// mender holds one card while it is mended.
type mender struct {
	props   []prop // without BEGIN, END and VERSION
	version string // as found; empty where none was
	v21     bool
	ended   bool
	mends   []string
	orphans []string // lines without a name, not yet given a place
}

// say notes a mend once.
func (m *mender) say(what string) {
	if !slices.Contains(m.mends, what) {
		m.mends = append(m.mends, what)
	}
}

// textLines gives the lines of text without their ends.
func (m *mender) textLines(s string) []string {
	if t := strings.TrimPrefix(s, "\ufeff"); t != s {
		s = t
		m.say("removed a byte order mark")
	}
	if strings.Contains(s, "\r") && !strings.Contains(s, "\n") {
		s = strings.ReplaceAll(s, "\r", "\n")
		m.say("ended lines with CR LF")
	}
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		t := strings.TrimRight(l, "\r")
		if i < len(lines)-1 && len(l)-len(t) != 1 {
			m.say("ended lines with CR LF")
		}
		if strings.Contains(t, "\r") {
			t = strings.ReplaceAll(t, "\r", "\\n")
			m.say("made a carriage return inside a line a line break of the text")
		}
		if u := dropControls(t); u != t {
			t = u
			m.say("removed control characters")
		}
		lines[i] = t
	}
	return lines
}

// dropControls removes control characters from a line whose charset is not
// known yet, octet by octet.
func dropControls(s string) string {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			b := []byte(s)
			b = slices.DeleteFunc(b, func(c byte) bool { return c < ' ' && c != '\t' || c == 0x7f })
			return string(b)
		}
	}
	return s
}

// maxAgents is how deep cards may stand inside one another.
const maxAgents = 4

// read turns the lines of one card into properties.
func (m *mender) read(lines []string, depth int) *Refusal {
	m.sniffVersion(lines)
	r := newLaxReader(lines, m.v21)
	begun, versions := false, 0
	for l, ok := r.next(); ok; l, ok = r.next() {
		switch {
		case !begun && l.Is("BEGIN") && strings.EqualFold(strings.TrimSpace(l.Value), "VCARD"):
			begun = true
			continue
		case !begun || m.ended:
			return &Refusal{ValidAddressData, l.No, "A line stands outside BEGIN:VCARD and END:VCARD; give one card at a time."}
		case l.Is("BEGIN"):
			return &Refusal{ValidAddressData, l.No, "A card stands inside another one and is no AGENT."}
		case l.Is("VERSION"):
			if versions++; versions > 1 {
				m.say("kept the first of several VERSIONs")
			}
			continue
		case l.orphan != "":
			m.orphans = append(m.orphans, l.orphan)
			continue
		}
		m.placeOrphans()
		if l.Is("END") {
			if m.ended = isEnd("END:" + l.Value); !m.ended {
				m.say("removed an END that ends no vCard")
			}
			continue
		}
		if r := m.take(&l, depth); r != nil {
			return r
		}
	}
	m.placeOrphans()
	if !begun {
		return &Refusal{ValidAddressData, 0, "There is no vCard; it should begin with BEGIN:VCARD."}
	}
	return nil
}

// sniffVersion finds VERSION before anything else is read, because 2.1 folds
// and encodes in other ways. Where there is none, what only 2.1 writes decides.
func (m *mender) sniffVersion(lines []string) {
	bare := false
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ":")
		switch name = content.Upper(strings.TrimSpace(name)); {
		case name == "VERSION", strings.HasPrefix(name, "VERSION;"):
			m.version = strings.TrimSpace(value)
			m.v21 = m.version == "2.1"
			return
		case strings.Contains(name, "QUOTED-PRINTABLE"), strings.HasSuffix(name, ";BASE64"), strings.HasSuffix(name, ";HOME"),
			strings.HasSuffix(name, ";WORK"), strings.HasSuffix(name, ";CELL"), strings.HasSuffix(name, ";PREF"):
			bare = true
		}
	}
	m.v21 = bare
}

// take adds one property, mended.
func (m *mender) take(l *laxLine, depth int) *Refusal {
	if len(m.props) >= DefaultLimits().Lines-8 {
		return &Refusal{ValidAddressData, l.No, "The card has too many lines."}
	}
	p := propOf(&l.Line)
	if !l.whole {
		p.raw = ""
	}
	if l.badEnd {
		m.say("corrected broken parameters")
	}
	for i := range p.params {
		m.fixParam(&p, i, l.badEnd)
	}
	switch {
	case len(l.agent) > 0:
		return m.takeAgent(p, l, depth)
	case m.v21:
		from21(&p)
	default:
		m.fixEncoding(&p)
	}
	// Whatever the ways above did not see.
	if v, bad := stripControls(p.value); bad {
		p.setValue(v)
		m.say("removed control characters")
	}
	m.props = append(m.props, p)
	return nil
}

// fixParam makes one parameter's value list one that strict readers take.
func (m *mender) fixParam(p *prop, i int, broken bool) {
	q := &p.params[i]
	v, bad := repairUTF8(q.Raw)
	v, ctl := stripControls(v)
	if bad || ctl {
		q.Raw, p.raw = v, ""
		m.say("read octets that were not UTF-8 as windows-1252")
	}
	if !broken {
		return
	}
	p.raw = ""
	strict := lexer{lim: DefaultLimits()}
	if n, err := strict.valueList(q.Raw); err != nil || n != len(q.Raw) {
		q.Raw = content.EncodeParam(strings.ReplaceAll(q.Raw, `"`, ""))
	}
	if q.Bare && strings.Trim(q.Raw, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		q.Bare = false
	}
}

// fixEncoding resolves what versions 3.0 and 4.0 do not have: quoted-printable
// and charsets other than UTF-8.
func (m *mender) fixEncoding(p *prop) {
	charset := p.param("CHARSET")
	if strings.EqualFold(p.param("ENCODING"), "QUOTED-PRINTABLE") {
		p.drop("ENCODING")
		p.drop("CHARSET")
		p.setValue(escape21(p.name, decodeQP(p.value, charset)))
		m.say("decoded quoted-printable")
		return
	}
	if !utf8.ValidString(p.value) {
		p.drop("CHARSET")
		v := strings.ReplaceAll(toUTF8(p.value, charset), "\n", "\\n")
		p.setValue(v)
		if charset != "" && !strings.EqualFold(charset, "utf-8") {
			m.say("decoded text by its charset")
		} else {
			m.say("read octets that were not UTF-8 as windows-1252")
		}
	} else if !utf8.ValidString(p.raw) {
		p.raw = "" // a fold stood inside a character
		m.say("folded lines between characters")
	}
}

// takeAgent writes a nested card as the text that 3.0 wants.
func (m *mender) takeAgent(p prop, l *laxLine, depth int) *Refusal {
	if depth >= maxAgents {
		return &Refusal{ValidAddressData, l.No, fmt.Sprintf("Cards stand inside one another more than %d deep.", maxAgents)}
	}
	inner := mender{}
	if r := inner.read(l.agent, depth+1); r != nil {
		r.Line = 0
		return r
	}
	text := "BEGIN:VCARD\nVERSION:3.0\n"
	var b strings.Builder
	b.WriteString(text)
	for i := range inner.props {
		b.WriteString(inner.props[i].text())
		b.WriteByte('\n')
	}
	b.WriteString("END:VCARD")
	p.params = nil
	p.raw = ""
	p.value = content.Escape(b.String())
	m.props = append(m.props, p)
	m.say("wrote an AGENT's card as text")
	return nil
}

// placeOrphans puts lines without a name where they belong most likely: behind
// the text before them, which a program broke without folding; otherwise into
// a NOTE, so that nothing is lost.
func (m *mender) placeOrphans() {
	if len(m.orphans) == 0 {
		return
	}
	text, _ := stripControls(toUTF8(strings.Join(m.orphans, "\n"), ""))
	m.orphans = nil
	if n := len(m.props); n > 0 && kindOf(m.props[n-1].name) == singleText && encodingOf(&Line{Params: m.props[n-1].params}) == "" {
		p := &m.props[n-1]
		p.setValue(p.value + "\\n" + content.Escape(text))
		m.say("joined a line without a property name to the text before it")
		return
	}
	m.props = append(m.props, prop{name: "NOTE", value: content.Escape(text)})
	m.say("kept a line without a property name as a NOTE")
}

// hashUID gives a name-based UUID (RFC 9562, version 5) of the card's text.
func hashUID(text string) string {
	h := sha1.New()
	h.Write([]byte("holdfast vcard import 1\n"))
	h.Write([]byte(strings.TrimRight(text, "\n")))
	u := h.Sum(nil)[:16]
	u[6] = u[6]&0x0f | 0x50
	u[8] = u[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}
