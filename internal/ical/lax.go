package ical

import "strings"

// laxParam takes what stands before the next semicolon or colon as a parameter of no name, and nothing as no parameter.
func laxParam(s string) (Param, int, *SyntaxError) {
	n := strings.IndexAny(s, ";:")
	if n < 0 {
		return Param{}, 0, &SyntaxError{0, NoColon, "The line has no colon between name and value."}
	}
	if isBlank(s[:n]) {
		return Param{}, n, nil
	}
	return Param{Name: "X-BARE", Raw: paramEncode(s[:n])}, n, nil
}
