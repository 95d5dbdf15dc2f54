package davxml

import "unicode/utf8"

// appendText appends character data. CR is written as a reference, because a reader turns a plain one into LF; '>' is
// always escaped, so that ]]> cannot appear; what XML 1.0 cannot carry becomes U+FFFD.
func appendText[T string | []byte](dst []byte, s T) []byte {
	from := 0
	for i := 0; i < len(s); {
		for i < len(s) && textPlain[s[i]] {
			i++
		}
		if i == len(s) {
			break
		}
		esc, n := escape(s[i:])
		if esc == "" {
			i += n
			continue
		}
		dst = append(dst, s[from:i]...)
		dst = append(dst, esc...)
		i += n
		from = i
	}
	return append(dst, s[from:]...)
}

// appendAttrText appends the value of an attribute that stands in double quotation marks. Tab and line ends are
// written as references, because a reader turns plain ones into spaces.
func appendAttrText(dst []byte, s string) []byte {
	from := 0
	for i := 0; i < len(s); {
		var esc string
		n := 1
		switch c := s[i]; {
		case c == '"':
			esc = "&#34;"
		case c == '\t':
			esc = "&#9;"
		case c == '\n':
			esc = "&#10;"
		case !textPlain[c]:
			esc, n = escape(s[i:])
		}
		if esc != "" {
			dst = append(dst, s[from:i]...)
			dst = append(dst, esc...)
			from = i + n
		}
		i += n
	}
	return append(dst, s[from:]...)
}

// textPlain holds the ASCII characters that stand for themselves in text.
var textPlain = func() (t [256]bool) {
	for c := range utf8.RuneSelf {
		t[c] = c >= 0x20 && c != '<' && c != '>' && c != '&' || c == '\t' || c == '\n'
	}
	return t
}()

// escape gives what to write for the first character of s, "" for the character itself, and its length.
func escape[T string | []byte](s T) (string, int) {
	switch s[0] {
	case '<':
		return "&lt;", 1
	case '>':
		return "&gt;", 1
	case '&':
		return "&amp;", 1
	case '\r':
		return "&#13;", 1
	}
	r, n := utf8.DecodeRuneInString(string(s[:min(len(s), utf8.UTFMax)]))
	if r == utf8.RuneError && n == 1 || !isChar(r) {
		return "\uFFFD", n
	}
	return "", n
}
