package vcard

import (
	"maps"
	"regexp"
	"slices"
)

// The forms of dates and times that both versions share: the extended ones
// with their separators, and the basic ones without.
var (
	dateForm = regexp.MustCompile(`^(?:(\d{4})-?(\d\d)-?(\d\d)|--(\d\d)-?(\d\d))(?:[Tt](\d\d)(?::?(\d\d))?(?::?(\d\d))?(?:[.,]\d+)?([Zz]|[+-]\d\d)?(?::?(\d\d))?)?$`)
	partForm = regexp.MustCompile(`^(\d{4}(-\d\d)?|--\d\d|---\d\d)$`)
	zone3    = regexp.MustCompile(`^([+-]\d\d):(\d\d)$`)
	zone4    = regexp.MustCompile(`^([+-]\d\d)(\d\d)$`)
)

// compactDate writes a date, or date and time, in the basic format of 4.0
// (RFC 6350, section 4.3). Fractions of a second are left out: 4.0 has none.
func compactDate(s string) (string, bool) {
	if partForm.MatchString(s) {
		return s, true
	}
	return joinDate(s, "", "")
}

// expandDate writes a whole day, with or without year and time, in the
// extended format of 3.0. A day without year is "--MM-DD".
func expandDate(s string) (string, bool) { return joinDate(s, "-", ":") }

func joinDate(s, dash, colon string) (string, bool) {
	m := dateForm.FindStringSubmatch(s)
	if m == nil {
		return "", false
	}
	var out string
	if m[1] != "" {
		out = m[1] + dash + m[2] + dash + m[3]
	} else {
		out = "--" + m[4] + dash + m[5]
	}
	if m[6] == "" {
		return out, true
	}
	out += "T" + m[6]
	for _, part := range m[7:9] {
		if part != "" {
			out += colon + part
		}
	}
	switch zone, min := m[9], m[10]; {
	case zone == "Z" || zone == "z":
		out += "Z"
	case min != "":
		out += zone + colon + min
	default:
		out += zone
	}
	return out, true
}

func sortedKeys(m map[string]bool) []string { return slices.Sorted(maps.Keys(m)) }
