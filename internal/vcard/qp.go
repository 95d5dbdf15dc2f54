package vcard

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"holdfast/internal/content"
)

// decodeQP resolves quoted-printable without soft breaks and gives the text as
// UTF-8. A "=" that no two hexadecimal digits follow stays what it is.
func decodeQP(v, charset string) string {
	if strings.IndexByte(v, '=') < 0 {
		return toUTF8(v, charset)
	}
	b := make([]byte, 0, len(v))
	for i := 0; i < len(v); i++ {
		if v[i] == '=' && i+2 < len(v) {
			hi, ok1 := unhex(v[i+1])
			lo, ok2 := unhex(v[i+2])
			if ok1 && ok2 {
				b = append(b, hi<<4|lo)
				i += 2
				continue
			}
		}
		b = append(b, v[i])
	}
	return toUTF8(string(b), charset)
}

func unhex(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	}
	return 0, false
}

// toUTF8 decodes octets by the name of their charset. Where the name is
// missing, unknown or wrong, what is UTF-8 is taken as such and every other
// octet as windows-1252. The result holds no control characters but tab and
// line feed.
func toUTF8(s, charset string) string {
	if charset != "" && !content.IsASCII(s) && !strings.EqualFold(charset, "utf-8") {
		if enc, err := htmlindex.Get(charset); err == nil {
			if out, err := enc.NewDecoder().String(s); err == nil {
				s = out
			}
		}
	}
	s, _ = repairUTF8(s)
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s)
	s, _ = stripControls(s)
	return s
}

// repairUTF8 reads each octet that is not part of UTF-8 as windows-1252. It
// goes octet by octet, since real files mix both in one line.
func repairUTF8(s string) (string, bool) {
	if utf8.ValidString(s) {
		return s, false
	}
	var b strings.Builder
	b.Grow(len(s) + len(s)/4)
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 {
			r = charmap.Windows1252.DecodeByte(s[0])
		}
		b.WriteRune(r)
		s = s[n:]
	}
	return b.String(), true
}

// stripControls removes what the tokeniser refuses, line ends and tabs apart.
func stripControls(s string) (string, bool) {
	bad := func(r rune) bool {
		return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0x7f || r == 0xFFFE || r == 0xFFFF
	}
	if !strings.ContainsFunc(s, bad) {
		return s, false
	}
	return strings.Map(func(r rune) rune {
		if bad(r) {
			return -1
		}
		return r
	}, s), true
}

// escapeAs escapes decoded text as the value of a property of this kind. A
// structured one keeps its semicolons, which 2.1 does not escape either; a
// backslash before them is 2.1's own escape.
func escapeAs(kind textKind, s string) string {
	switch kind {
	case singleText:
		return content.Escape(s)
	case structured:
		var b strings.Builder
		for i := 0; i < len(s); i++ {
			switch c := s[i]; c {
			case '\\':
				if i+1 < len(s) && (s[i+1] == ';' || s[i+1] == ',' || s[i+1] == '\\') {
					i++
				}
				b.WriteByte('\\')
				b.WriteByte(s[i])
			case ',':
				b.WriteString("\\,")
			case '\n':
				b.WriteString("\\n")
			default:
				b.WriteByte(c)
			}
		}
		return b.String()
	}
	return strings.ReplaceAll(s, "\n", "\\n")
}
