package civil

// AppendDate appends the form DATE of RFC 5545, section 3.3.4: "20261126".
// Years beyond 0 to 9999 have no such form; their digits are cut to the last four.
func (t Time) AppendDate(b []byte) []byte {
	y, m, d := t.Date()
	if y < 0 {
		y = -y
	}
	b = append(b, byte('0'+y/1000%10), byte('0'+y/100%10))
	b = two(b, y%100)
	b = two(b, m)
	return two(b, d)
}

// AppendDateTime appends the form DATE-TIME of RFC 5545, section 3.3.5, as
// local time: "20261126T090000". Who means UTC appends a Z.
func (t Time) AppendDateTime(b []byte) []byte {
	b = append(t.AppendDate(b), 'T')
	h, m, s := t.Clock()
	b = two(b, h)
	b = two(b, m)
	return two(b, s)
}

// String writes t as AppendDateTime does, for messages and tests.
func (t Time) String() string { return string(t.AppendDateTime(nil)) }

func two(b []byte, n int) []byte { return append(b, byte('0'+n/10), byte('0'+n%10)) }

// ParseDate reads the form DATE of RFC 5545, section 3.3.4: eight digits of a
// date that exists. It gives the begin of that day.
func ParseDate(s string) (Time, bool) {
	if len(s) != 8 {
		return 0, false
	}
	y, ok1 := digits(s[:4])
	m, ok2 := digits(s[4:6])
	d, ok3 := digits(s[6:])
	if !ok1 || !ok2 || !ok3 || !Valid(y, m, d) {
		return 0, false
	}
	return Of(y, m, d, 0, 0, 0), true
}

// ParseDateTime reads the form DATE-TIME of RFC 5545, section 3.3.5, and tells
// whether a Z made it UTC. A leap second, :60, is read as :59 (section 3.3.12).
func ParseDateTime(s string) (t Time, utc, ok bool) {
	if len(s) == 16 && s[15] == 'Z' {
		s, utc = s[:15], true
	}
	if len(s) != 15 || s[8] != 'T' {
		return 0, false, false
	}
	t, ok = ParseDate(s[:8])
	h, ok1 := digits(s[9:11])
	m, ok2 := digits(s[11:13])
	c, ok3 := digits(s[13:])
	if !ok || !ok1 || !ok2 || !ok3 || h > 23 || m > 59 || c > 60 {
		return 0, false, false
	}
	return t + Time(h*3600+m*60+min(c, 59)), utc, true
}

func digits(s string) (n int, ok bool) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, true
}
