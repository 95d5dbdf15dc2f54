package fleet

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// marked stands before the numbers of person and edit in the octets of whatever a simulated person writes. Thus octets tell whose edit they are, wherever they turn up.
const marked = "fleet-edit/"

// markOf is the number of the edit that made these octets; -1: no edit of this person did.
func markOf(body string, person int) int {
	_, rest, ok := strings.Cut(body, marked)
	if !ok {
		return -1
	}
	who, rest, ok := strings.Cut(rest, "/")
	number, _, end := strings.Cut(rest, "/")
	if p, err := strconv.Atoi(who); !ok || !end || err != nil || p != person {
		return -1
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 {
		return -1
	}
	return n
}

var (
	givenNames  = [...]string{"Alice", "Bob", "Carol", "Dave", "Erin", "Frank", "Grace", "Heidi", "Ivan", "Judy", "Mallory", "Niaj", "Olivia", "Peggy", "Rupert", "Sybil"}
	familyNames = [...]string{"Example", "Sample", "Specimen", "Muster", "Exemple", "Esempio", "Ejemplo", "Příklad"}
)

// contact and event are what a person writes: the same item under another edit has other octets.
func contact(uid string, person, edit int) string {
	g, f := givenNames[edit%len(givenNames)], familyNames[edit/3%len(familyNames)]
	return fmt.Sprintf("BEGIN:VCARD\r\nVERSION:3.0\r\nPRODID:-//Example//Fleet 1.0//EN\r\nUID:%s\r\nN:%s;%s;;;\r\nFN:%s %s\r\nTEL;TYPE=CELL:+49 151 %07d\r\nEMAIL;TYPE=INTERNET:%s.%d@example.org\r\n"+
		"NOTE:%s%d/%d/\r\nEND:VCARD\r\n", uid, f, g, g, f, edit, strings.ToLower(g), edit, marked, person, edit)
}

func event(uid string, person, edit int, day time.Time) string {
	at := day.UTC().AddDate(0, 0, 1+edit%300).Truncate(24 * time.Hour).Add(time.Duration(7+edit%12) * time.Hour) // never long past: DAVx5 lets that go by itself
	const form = "20060102T150405Z"
	return fmt.Sprintf("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Example//Fleet 1.0//EN\r\nBEGIN:VEVENT\r\nUID:%s\r\nDTSTAMP:%s\r\nDTSTART:%s\r\nDTEND:%s\r\nSUMMARY:Meeting %d\r\n"+
		"DESCRIPTION:%s%d/%d/\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n", uid, day.UTC().Format(form), at.Format(form), at.Add(time.Hour).Format(form), edit, marked, person, edit)
}
