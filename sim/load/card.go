package load

import (
	"math/bits"
	"strconv"
)

// CardSize is the size of a usual contact, in octets.
const CardSize = 600

// UID returns the nth UID of a stream: random to look at, the same at each call.
func UID(stream, n uint64) string {
	a, b := mix(stream*0x9e3779b97f4a7c15+n), mix(bits.RotateLeft64(stream, 32)^(n+0x632be59bd9b4e019))
	const hex = "0123456789ABCDEF"
	out := make([]byte, 0, 36)
	for i := range 32 {
		if i == 8 || i == 12 || i == 16 || i == 20 {
			out = append(out, '-')
		}
		v := a
		if i >= 16 {
			v = b
		}
		out = append(out, hex[v>>(60-4*(i%16))&15])
	}
	return string(out)
}

// mix is the finaliser of splitmix64.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

var (
	given  = [...]string{"Alice", "Bob", "Carol", "Dave", "Erin", "Frank", "Grace", "Heidi", "Ivan", "Judy", "Mallory", "Niaj", "Olivia", "Peggy", "Rupert", "Sybil"}
	family = [...]string{"Example", "Sample", "Specimen", "Muster", "Exemple", "Esempio", "Ejemplo", "Přiklad"}
)

// AppendCard appends the octets of a contact's version, a vCard 3.0 of CardSize octets with CRLF, as phones write them. The same UID and version
// give the same octets, different ones different octets.
func AppendCard(b []byte, uid string, version int) []byte {
	start := len(b)
	h := mix(uint64(version)*0x9e3779b97f4a7c15 + hash(uid))
	g, f := given[h%uint64(len(given))], family[h>>8%uint64(len(family))]
	num := func(shift, n uint64) { b = strconv.AppendUint(b, h>>shift%n+n, 10) }
	b = append(b, "BEGIN:VCARD\r\nVERSION:3.0\r\nPRODID:-//Example//Phone 1.0//EN\r\nUID:"...)
	b = append(b, uid...)
	b = append(append(append(append(append(b, "\r\nN:"...), f...), ';'), g...), ";;;\r\nFN:"...)
	b = append(append(append(append(b, g...), ' '), f...), "\r\nORG:Example Company;Department "...)
	num(3, 100)
	b = append(b, "\r\nTEL;TYPE=CELL;TYPE=VOICE:+49 151 "...)
	num(5, 10_000_000)
	b = append(b, "\r\nTEL;TYPE=HOME:+49 30 "...)
	num(7, 1_000_000)
	b = append(append(b, "\r\nEMAIL;TYPE=INTERNET;TYPE=HOME:"...), g...)
	num(9, 10_000)
	b = append(b, "@example.org\r\nADR;TYPE=HOME:;;Example Street "...)
	num(11, 90)
	b = append(b, ";Berlin;;"...)
	num(13, 10_000)
	b = append(b, ";Germany\r\nBDAY:19"...)
	num(15, 50)
	b = append(b, "-04-02\r\nREV:20260101T000000Z\r\nX-VERSION:"...)
	b = strconv.AppendInt(b, int64(version), 10)
	const end = "\r\nEND:VCARD\r\n"
	return append(pad(append(b, "\r\nNOTE:"...), len("NOTE:"), start+CardSize-len(end)), end...)
}

func hash(s string) uint64 {
	h := uint64(0xcbf29ce484222325)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 0x100000001b3
	}
	return h
}

// pad writes a note up to the length end of b, folded after 72 octets; col of them are there already.
func pad(b []byte, col, end int) []byte {
	const text = "Met at the fair in spring and promised to send the plans of the house by the end of the month. "
	for i := 0; len(b) < end; i, col = i+1, col+1 {
		if col == 72 && end-len(b) > 3 { // three more do not make it too long
			b, col = append(b, "\r\n "...), 1
		}
		b = append(b, text[i%len(text)])
	}
	return b
}
