package davxml

import (
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// readBody reads at most limit octets and gives them as UTF-8 without byte order mark.
// It does not look for characters that XML forbids.
func readBody(r io.Reader, limit int64) (string, error) {
	var b strings.Builder
	n, err := io.Copy(&b, io.LimitReader(r, limit+1))
	if err != nil {
		return "", &Error{Kind: ReadFailed, Msg: "the body could not be read to its end", Offset: n, Err: err}
	}
	if n > limit {
		return "", errorAt(TooLarge, "", 0, "the body is larger than %d octets", limit)
	}
	return toUTF8(b.String())
}

// toUTF8 finds the encoding by byte order mark, by the shape of the first octets and by the XML declaration, in that
// order (XML 1.0, appendix F), and decodes.
func toUTF8(s string) (string, error) {
	switch {
	case strings.HasPrefix(s, "\xEF\xBB\xBF"):
		s = s[3:]
		return s, wantLabel(s, "UTF-8")
	case strings.HasPrefix(s, "\xFF\xFE\x00\x00"), strings.HasPrefix(s, "\x00\x00\xFE\xFF"):
		return "", errorAt(BadEncoding, "", 0, "the encoding UTF-32 is not read here, send UTF-8")
	case strings.HasPrefix(s, "\xFE\xFF"):
		return fromUTF16(s[2:], 1)
	case strings.HasPrefix(s, "\xFF\xFE"):
		return fromUTF16(s[2:], 0)
	case strings.HasPrefix(s, "\x00<"):
		return fromUTF16(s, 1)
	case strings.HasPrefix(s, "<\x00"):
		return fromUTF16(s, 0)
	}
	label := encodingLabel(s)
	switch strings.ToLower(label) {
	case "", "utf-8", "utf8":
		return s, nil
	case "us-ascii", "ascii":
		for i := range len(s) {
			if s[i] >= utf8.RuneSelf {
				return "", errorAt(Malformed, s, i, "the body says that it is US-ASCII, but octet 0x%02X is not", s[i])
			}
		}
		return s, nil
	case "iso-8859-1", "latin1", "iso_8859-1":
		return fromLatin1(s), nil
	}
	return "", errorAt(BadEncoding, "", 0, "the encoding %q is not read here, send UTF-8", short(label))
}

// wantLabel refuses a declaration that contradicts the byte order mark. UTF-16 says nothing of byte order.
func wantLabel(s, family string) error {
	label := encodingLabel(s)
	dashless := func(s string) string { return strings.ReplaceAll(strings.ToUpper(s), "-", "") }
	if label == "" || strings.HasPrefix(dashless(label), dashless(family)) {
		return nil
	}
	return errorAt(BadEncoding, "", 0, "the body is %s but declares the encoding %q", family, short(label))
}

// encodingLabel gives what the XML declaration calls the encoding, "" where it says nothing. Whether the declaration
// is well-formed is the parser's question.
func encodingLabel(s string) string {
	if !strings.HasPrefix(s, "<?xml") {
		return ""
	}
	s = s[:min(len(s), 256)]
	end := strings.Index(s, "?>")
	at := strings.Index(s, "encoding")
	if end < 0 || at < 0 || at > end {
		return ""
	}
	s = strings.TrimLeft(s[at+len("encoding"):end], " \t\r\n=")
	if s == "" || s[0] != '"' && s[0] != '\'' {
		return ""
	}
	label, _, _ := strings.Cut(s[1:], s[:1])
	return label
}

func fromLatin1(s string) string {
	var b strings.Builder
	b.Grow(len(s) + len(s)/8)
	for i := range len(s) {
		b.WriteRune(rune(s[i]))
	}
	return b.String()
}

// fromUTF16 decodes; low is the index of a unit's less significant octet: 1 in big-endian text, 0 in little-endian.
func fromUTF16(s string, low int) (string, error) {
	unit := func(i int) rune { return rune(s[i+1-low])<<8 | rune(s[i+low]) }
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i+1 < len(s); i += 2 {
		r := unit(i)
		if utf16.IsSurrogate(r) {
			if i+3 >= len(s) {
				return "", errBadUTF16(b.String())
			}
			if r = utf16.DecodeRune(r, unit(i+2)); r == utf8.RuneError {
				return "", errBadUTF16(b.String())
			}
			i += 2
		}
		b.WriteRune(r)
	}
	if len(s)%2 != 0 {
		return "", errBadUTF16(b.String())
	}
	return b.String(), wantLabel(b.String(), "UTF-16")
}

func errBadUTF16(read string) error {
	return errorAt(Malformed, read, len(read), "the body is not valid UTF-16")
}
