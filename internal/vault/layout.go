package vault

import (
	"fmt"
	"strconv"
	"strings"

	"holdfast"
	"holdfast/internal/place"
)

// Format is the version of the format that is written. It is 0 until it is declared: a vault of format 0 need not be readable for ever.
const Format = 0

// The names of a vault's objects. Numbers have 12 digits, so that names sort as numbers do.
const (
	nameReadMe   = "HOLDFAST.txt"
	nameMeta     = "vault.json"
	dirTerms     = "terms/"
	dirHeads     = "heads/"
	dirTail      = "tail/"
	dirPages     = "pages/"
	dirKeys      = "keys/"
	dirService   = "service/"
	dirErased    = "erased/"
	dirBlobs     = "blobs/"
	dirCondemned = "condemned/"
	dirUnnamed   = "unnamed/"
)

// number writes a number in a name.
func number(n uint64) string { return fmt.Sprintf("%012d", n) }

// numberOf reads the number at the end of a name, before a suffix; ok is false for other names.
func numberOf(name, prefix, suffix string) (n uint64, ok bool) {
	s, ok := strings.CutPrefix(name, prefix)
	if !ok {
		return 0, false
	}
	if s, ok = strings.CutSuffix(s, suffix); !ok || len(s) != 12 {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, 64)
	return n, err == nil
}

// TermName is the name of a term's object.
func TermName(n uint64) string { return dirTerms + number(n) }

// HeadName is the name of a head.
func HeadName(n uint64) string { return dirHeads + number(n) }

// SegmentName is the name of a segment of a term's tail.
func SegmentName(term, n uint64) string { return tailOf(term) + number(n) + place.Grows }

// SegmentKeyName is the name of a segment's key object.
func SegmentKeyName(term, n uint64) string { return tailOf(term) + number(n) + ".key" }

func tailOf(term uint64) string { return dirTail + number(term) + "/" }

// keysOf is what the names of an account's key objects begin with.
func keysOf(account holdfast.ID) string {
	text := account.String()
	return dirKeys + text[:3] + "/" + text + "."
}

// AccountKeyName is the name of a version of an account's key object.
func AccountKeyName(account holdfast.ID, version uint64) string {
	return keysOf(account) + number(version)
}

// ErasedName is the name of the record of an erased account.
func ErasedName(account holdfast.ID) string { return dirErased + account.String() }
