package config

import (
	"cmp"
	"fmt"
	"slices"
)

// suggest names the known word that is nearest to a wrong one, if one is near at all.
func suggest(wrong string, known []string) string {
	if len(known) == 0 || len(wrong) > 200 {
		return ""
	}
	slices.Sort(known)
	best := slices.MinFunc(known, func(a, b string) int { return cmp.Compare(distance(wrong, a), distance(wrong, b)) })
	if distance(wrong, best) > max(3, len(wrong)/2) {
		return ""
	}
	return fmt.Sprintf("; did you mean %s?", best)
}

// distance is how many octets must be put in, taken out or changed to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
