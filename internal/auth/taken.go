package auth

import (
	"fmt"
	"strings"

	"holdfast"
)

// What is asked of an app password that another server made. Of random ones hardly any is refused: none of 20,000 of Nextcloud's, 44 of as many of 40 hexadecimal
// digits, 814 of another Holdfast's, and another one is soon made. No such rule can tell that a password is random, only that it looks like it.
const (
	minTaken     = 25  // letters and digits
	maxTaken     = 256 // octets
	minDistinct  = 12  // different letters and digits, capitals apart
	minTurns     = 3   // neighbours that differ in kind: small letters, capitals, digits. Words have few
	maxRun       = 4   // letters or digits in a row that are equal, or follow each other as in abcd or 4321
	repeatOctets = 6   // of letters and digits that may stand twice
)

// TakeAppPassword returns the hash of an app password that another server made and a device already has. It is refused where somebody may have made it up: our hash is
// fast, which only random secrets bear. Errors: Invalid, in a sentence that does not repeat the password.
func TakeAppPassword(text string) (holdfast.Hash, error) {
	if err := checkTaken(text); err != nil {
		return holdfast.Hash{}, &holdfast.Error{Op: "auth.TakeAppPassword", Kind: holdfast.Invalid, Rule: "app-password",
			Text: err.Error() + "; leave it out, and the device gets a new app password"}
	}
	h, _ := HashAppPassword(text)
	return h, nil
}

func checkTaken(text string) error {
	if len(text) > maxTaken {
		return fmt.Errorf("an app password has at most %d characters", maxTaken)
	}
	for _, c := range []byte(text) {
		if c == ':' {
			return fmt.Errorf("an app password cannot hold a colon: programs cut it there")
		}
		if c <= ' ' || c >= 0x7f {
			return fmt.Errorf("an app password that is taken over has letters of a to z, digits and marks, and no white space")
		}
	}
	letters := make([]byte, 0, len(text))
	for _, c := range []byte(text) {
		if kindOf(c) != 0 {
			letters = append(letters, c)
		}
	}
	if len(letters) < minTaken {
		return fmt.Errorf("this is too short to be safe as an app password: it has %d letters and digits, and needs %d that a machine chose at random", len(letters), minTaken)
	}
	if !looksRandom(letters) {
		return fmt.Errorf("this does not look as if a machine had chosen it at random, as an app password must be")
	}
	return nil
}

// looksRandom tells whether letters and digits could be random ones.
func looksRandom(s []byte) bool {
	var seen [256]bool
	distinct, turns := 0, 0
	equal, up, down := 1, 1, 1 // how long what ends here is equal, climbs, falls
	for i, c := range s {
		if !seen[c] {
			seen[c] = true
			distinct++
		}
		if i == 0 {
			continue
		}
		last := s[i-1]
		if kindOf(c) != kindOf(last) {
			turns++
		}
		equal, up, down = longer(equal, c == last), longer(up, c == last+1), longer(down, c+1 == last)
		if max(equal, up, down) > maxRun {
			return false
		}
	}
	for i := 0; i+2*repeatOctets <= len(s); i++ {
		if strings.Contains(string(s[i+repeatOctets:]), string(s[i:i+repeatOctets])) {
			return false
		}
	}
	return distinct >= minDistinct && turns >= minTurns
}

func longer(n int, goesOn bool) int {
	if goesOn {
		return n + 1
	}
	return 1
}

// lettersIn counts letters and digits.
func lettersIn(s string) (n int) {
	for i := range len(s) {
		if kindOf(s[i]) != 0 {
			n++
		}
	}
	return n
}

// kindOf tells small letters, capitals and digits of ASCII apart; 0 is none of them.
func kindOf(c byte) byte {
	switch {
	case c >= 'a' && c <= 'z':
		return 'a'
	case c >= 'A' && c <= 'Z':
		return 'A'
	case c >= '0' && c <= '9':
		return '0'
	}
	return 0
}
