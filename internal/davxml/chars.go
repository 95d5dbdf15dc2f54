package davxml

import "unicode/utf8"

// isChar reports whether XML 1.0 (production 2) allows the character.
func isChar(r rune) bool {
	switch {
	case r == '\t', r == '\n', r == '\r':
		return true
	case r < 0x20:
		return false
	case r < 0xD800:
		return true
	case r < 0xE000:
		return false
	}
	return r < 0xFFFE || r >= 0x10000 && r <= utf8.MaxRune
}

// badChar gives the offset of the first octet of s that is not UTF-8 or begins a character that XML 1.0 forbids,
// and -1 where there is none.
func badChar(s string) int {
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c < 0x20 && c != '\t' && c != '\n' && c != '\r' {
				return i
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 || !isChar(r) {
			return i
		}
		i += n
	}
	return -1
}

func validChars(s string) bool { return badChar(s) < 0 }

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// isNameStart reports whether a name may begin with r (production 4 without the colon).
func isNameStart(r rune) bool {
	switch {
	case r < 0x80:
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_'
	case r < 0x370:
		return r >= 0xC0 && r != 0xD7 && r != 0xF7 && r <= 0x2FF
	case r < 0x2000:
		return r != 0x37E
	case r < 0x3001:
		return r == 0x200C || r == 0x200D || r >= 0x2070 && r <= 0x218F || r >= 0x2C00 && r <= 0x2FEF
	case r < 0xF900:
		return r <= 0xD7FF
	case r < 0x10000:
		return r <= 0xFDCF || r >= 0xFDF0 && r <= 0xFFFD
	}
	return r <= 0xEFFFF
}

// isNamePart reports whether r may stand in a name after its first character (production 4a without the colon).
func isNamePart(r rune) bool {
	return isNameStart(r) || r >= '0' && r <= '9' || r == '-' || r == '.' || r == 0xB7 ||
		r >= 0x300 && r <= 0x36F || r == 0x203F || r == 0x2040
}

// nameEnd gives the offset behind the name without a colon that begins at s[at]; it is at where none begins there.
func nameEnd(s string, at int) int {
	i := at
	for i < len(s) {
		r, n := rune(s[i]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				return i
			}
		}
		if i == at && !isNameStart(r) || !isNamePart(r) {
			return i
		}
		i += n
	}
	return i
}

func isNCName(s string) bool { return s != "" && nameEnd(s, 0) == len(s) }
