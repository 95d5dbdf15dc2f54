package clients

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// card returns contact n in its given version: octets that follow from both alone. The forms differ as those of real programs do: version 3 and 4, folded
// lines, pictures, bare line feeds, no line end at the end, text outside of ASCII and outside of the first plane, UIDs that are no file names.
func card(n, version int) []byte {
	eol := "\r\n"
	if n%10 == 7 {
		eol = "\n"
	}
	lines := []string{"BEGIN:VCARD", "VERSION:3.0", "UID:" + uid(n)}
	if n%5 == 1 {
		lines[1] = "VERSION:4.0"
	}
	lines = append(lines, fmt.Sprintf("FN:Person %d", n), fmt.Sprintf("N:%d;Person;;;", n), fmt.Sprintf("TEL;TYPE=cell:+49 30 %06d", n), fmt.Sprintf("X-EDITED:%d", version))
	switch n % 10 {
	case 2:
		lines = append(lines, "NOTE:Zoë Přiklad Ñandú 例 \U0001F98A\\, a comma\\; a semicolon\\n<second> & \"line\" ]]>")
	case 3:
		lines = append(lines, fold("NOTE:"+strings.Repeat("A long note in many words. ", 40))...)
	case 4:
		if n%100 == 4 {
			lines = append(lines, fold("PHOTO;ENCODING=b;TYPE=JPEG:"+base64.StdEncoding.EncodeToString(picture(n, 30_000)))...)
		}
	case 5:
		lines = append(lines, "item1.EMAIL;TYPE=INTERNET,WORK:person@example.org", "item1.X-ABLabel:_$!<Work>!$_", "X-SOMETHING-OF-OURS;P=\"a:b;c\": value with blanks ")
	case 6:
		lines = append(lines, "", "ORG:\tTabs\tand  blanks ", "")
	}
	text := strings.Join(append(lines, "END:VCARD"), eol)
	if n%10 != 8 {
		text += eol
	}
	return []byte(text)
}

// uid returns the UID of contact n.
func uid(n int) string {
	switch n % 25 {
	case 0:
		return fmt.Sprintf("urn:uuid:00000000-0000-4000-8000-%012d", n)
	case 9:
		return fmt.Sprintf("a name with blanks/and a slash %d", n)
	case 11:
		return fmt.Sprintf("..%%2f%d@example.org", n)
	case 13:
		return fmt.Sprintf("Ünïcode-%d", n)
	}
	return fmt.Sprintf("00000000-0000-4000-8000-%012d", n)
}

// fold folds a line as RFC 2425 says.
func fold(line string) (out []string) {
	for len(line) > 75 {
		out = append(out, line[:75])
		line = " " + line[75:]
	}
	return append(out, line)
}

// picture returns octets that do not compress away, and follow from n.
func picture(n, size int) []byte {
	b := []byte("\xff\xd8\xff\xe0")
	for x := uint32(n + 1); len(b) < size; x = x*1664525 + 1013904223 {
		b = append(b, byte(x>>24))
	}
	return b
}
