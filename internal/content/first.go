package content

import "strings"

// firstLimits are the bounds within which FirstValue looks. What is larger has a name all the same, only it is not shown.
var firstLimits = Limits{Octets: 1 << 20, LineOctets: 1 << 16, Lines: 500}

// FirstValue returns the value of the first content line of a name ("FN", "SUMMARY"), fit to be shown on one line; empty where there is none near the beginning, or the octets are no content lines.
func FirstValue(octets []byte, name string) string {
	r, err := NewReader(octets, firstLimits)
	if err != nil {
		return ""
	}
	for r.More() {
		_, text, _, err := r.Next()
		if err != nil {
			return ""
		}
		found, rest, err := CutName(text)
		if err != nil || Upper(found) != name {
			continue
		}
		if _, value, ok := strings.Cut(rest, ":"); ok {
			return strings.Join(strings.Fields(Unescape(value)), " ")
		}
	}
	return ""
}
