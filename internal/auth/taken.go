package auth

import (
	"fmt"
	"strings"

	"holdfast"
)

// What is asked of an app password that another server made. Of random ones few are refused, see TestRandomOnesAreTaken, and another one is soon made. No such rule
// can tell that a password is random, only that it looks like it.
const (
	minTaken     = 25  // letters and digits
	maxTaken     = 256 // octets
	minDistinct  = 12  // different letters and digits, capitals apart
	minTurns     = 3   // neighbours that differ in kind: small letters, capitals, digits. Words have few
	maxRun       = 4   // letters or digits in a row that are equal, or follow each other as in abcd, 4321 or qwer
	repeatOctets = 6   // of letters and digits that may stand twice
	minPairs     = 10  // letters with a letter before them, for their pairs to be looked at
	maxWordPairs = 55  // of a hundred such pairs, how many may be among wordPairs
)

// wordPairs are letters that often stand together in English, French, German or Spanish. Of the pairs in random letters a fifth or so is here, of those in words most are,
// also where each word has a capital or a digit of its own.
const wordPairs = "th he in er an re nd at on nt ha es st en ed to it ou ea hi is or ti as te et ng of al de se le sa si ar ve ra ld ur ch ei ie ge un ic be ne sc la ce me ue el os ad co ro ci do ta " +
	"om ma ss wo rd pa ri io li no ll ho rs tr us ns ca ec il so ai ee ct ut wi em ac pe mo ol am tt di ni ul id ir pr pl na nc ot up op lo po sh ay ap ke ig gh ck sp su ow ey ry rt mi"

// keys are the rows and columns of keyboards: fingers that run along them make no random letters.
const keys = "qwertyuiop asdfghjkl zxcvbnm qwertzuiop yxcvbnm azertyuiop qsdfghjklm 1qaz2wsx3edc4rfv5tgb6yhn7ujm 5tgb6zhn"

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
	pairs, common := 0, 0
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
		if isLetter(c) && isLetter(last) {
			if pairs++; strings.Contains(wordPairs, lower(last, c)) {
				common++
			}
		}
		equal, up, down = longer(equal, c == last), longer(up, follows(last, c)), longer(down, follows(c, last))
		if max(equal, up, down) > maxRun {
			return false
		}
	}
	for i := 0; i+2*repeatOctets <= len(s); i++ {
		if strings.Contains(string(s[i+repeatOctets:]), string(s[i:i+repeatOctets])) {
			return false
		}
	}
	return distinct >= minDistinct && turns >= minTurns && (pairs < minPairs || 100*common <= maxWordPairs*pairs)
}

// follows tells whether b is the next after a, in the alphabet or on a keyboard.
func follows(a, b byte) bool { return b == a+1 || strings.Contains(keys, lower(a, b)) }

// lower is two letters or digits in lower case.
func lower(a, b byte) string { return strings.ToLower(string([]byte{a, b})) }

func isLetter(c byte) bool { return kindOf(c) != 0 && kindOf(c) != '0' }

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
