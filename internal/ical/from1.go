package ical

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/encoding/htmlindex"
	"holdfast/internal/content"
)

// from1 rewrites the components of vCalendar 1.0, the format of phones and organisers before iCalendar, as version 2.0: encodings, lists, status,
// simple rules and alarms. What has no counterpart, or is too involved, is kept under another name.
func (m *mender) from1() {
	m.common = add(m.common, "converted vCalendar 1.0 to iCalendar 2.0")
	for _, root := range m.r.roots {
		for i := range root.Lines {
			switch l := &root.Lines[i]; {
			case l.Is("VERSION"):
				l.SetValue("2.0")
			case l.Is("TZ"), l.Is("DAYLIGHT"):
				setName(l, "X-FORMER-"+strings.ToUpper(l.Name))
			}
		}
		for _, c := range root.Children {
			m.component1(c)
		}
	}
}

func (m *mender) component1(c *Component) {
	for i := 0; i < len(c.Lines); i++ {
		l := &c.Lines[i]
		name := strings.ToUpper(l.Name)
		decode1(l, name)
		switch name {
		case "CATEGORIES", "RESOURCES", "EXDATE", "RDATE":
			parts := content.SplitEscaped(l.Value, ';')
			for j := range parts {
				parts[j] = strings.TrimSpace(parts[j])
			}
			l.SetValue(strings.Join(parts, ","))
		case "STATUS":
			l.SetValue(strings.ToUpper(strings.ReplaceAll(strings.TrimSpace(l.Value), " ", "-")))
		case "TRANSP":
			if v := strings.TrimSpace(l.Value); v == "0" {
				l.SetValue("OPAQUE")
			} else if v != "" && v[0] >= '1' && v[0] <= '9' {
				l.SetValue("TRANSPARENT")
			}
		case "RRULE", "EXRULE":
			if r, ok := rule1(l.Value); ok {
				l.SetValue(r)
				continue
			}
			m.aside1(l)
		case "ATTENDEE", "ORGANIZER":
			m.attendee1(l)
		case "AALARM", "DALARM", "MALARM", "PALARM":
			if a := alarm1(c, l); a != nil {
				c.Children = append(c.Children, a)
			}
			m.aside1(l)
		}
	}
}

// aside1 keeps a property of version 1.0 under another name.
func (m *mender) aside1(l *Line) {
	name := "X-FORMER-" + strings.ToUpper(l.Name)
	setName(l, name)
	m.common = add(m.common, "kept what version 2.0 does not have as "+name)
}

// texts1 are the properties whose value is one text.
var texts1 = []string{"SUMMARY", "DESCRIPTION", "LOCATION", "COMMENT", "CONTACT"}

// decode1 resolves encoding and charset, and escapes text as version 2.0 does.
func decode1(l *Line, name string) {
	qp, charset := false, l.First("CHARSET")
	for _, p := range l.Params {
		bare := strings.EqualFold(p.Name, "X-BARE") || strings.EqualFold(p.Name, "ENCODING")
		qp = qp || bare && strings.EqualFold(strings.Trim(p.Raw, `"`), "QUOTED-PRINTABLE")
	}
	v := l.Value
	if qp {
		l.DropParam("ENCODING")
		l.DropParam("X-BARE")
		v = dropBreaks(decodeQP(v, charset))
	}
	l.DropParam("CHARSET")
	switch {
	case slices.Contains(texts1, name):
		v = Escape(strings.NewReplacer(`\;`, ";", `\,`, ",", `\n`, "\n", `\N`, "\n").Replace(v))
	case qp:
		v = strings.NewReplacer("\r\n", `\n`, "\r", `\n`, "\n", `\n`).Replace(v)
	}
	l.SetValue(v)
}

// dropBreaks removes control characters but not line breaks.
func dropBreaks(s string) string {
	var lines []string
	for t := range textLines(s) {
		lines = append(lines, dropControls(t))
	}
	return strings.Join(lines, "\n")
}

// decodeQP resolves quoted-printable without soft breaks and gives the text as UTF-8. A "=" that no two hexadecimal digits follow stays.
func decodeQP(v, charset string) string {
	b := make([]byte, 0, len(v))
	for i := 0; i < len(v); i++ {
		if v[i] == '=' && i+2 < len(v) {
			if n, err := strconv.ParseUint(v[i+1:i+3], 16, 8); err == nil {
				b = append(b, byte(n))
				i += 2
				continue
			}
		}
		b = append(b, v[i])
	}
	s := string(b)
	if enc, err := htmlindex.Get(charset); err == nil && charset != "" && !strings.EqualFold(charset, "utf-8") {
		if t, err := enc.NewDecoder().String(s); err == nil {
			return t
		}
	}
	return decode(s)
}

// attendee1 makes an address of "Ann <ann@example.org>". What holds none is kept under another name.
func (m *mender) attendee1(l *Line) {
	v := strings.TrimSpace(Unescape(l.Value))
	name, address, _ := strings.Cut(v, "<")
	address, _, _ = strings.Cut(address, ">")
	if address == "" {
		name, address = "", v
	}
	if address = strings.TrimSpace(address); !strings.Contains(address, "@") || strings.ContainsAny(address, " ,;\"") {
		m.aside1(l)
		return
	}
	if !strings.HasPrefix(strings.ToLower(address), "mailto:") {
		address = "mailto:" + address
	}
	l.Params = nil
	if name = strings.Trim(strings.TrimSpace(name), `"`); name != "" {
		l.AddParam(NewParam("CN", name))
	}
	l.Value, l.Raw = address, ""
}

// alarm1 makes a VALARM of AALARM and its like: "time;snooze;repeat;text". nil if the time cannot be given.
func alarm1(c *Component, l *Line) *Component {
	parts := content.SplitEscaped(l.Value, ';')
	at, ok := parseDateTime(strings.TrimSpace(parts[0]), false, "")
	if !ok || at.Form == Date {
		return nil
	}
	trigger := NewLine("TRIGGER", at.String(), NewParam("VALUE", "DATE-TIME"))
	if at.Form != UTC {
		// Only UTC may stand alone; local time becomes a distance from the begin.
		start := c.Prop("DTSTART")
		if start == nil {
			return nil
		}
		from, err := start.DateTime()
		if err != nil || from.Form != Floating {
			return nil
		}
		d := Duration{Negative: at.Time < from.Time, Seconds: int64(max(at.Time-from.Time, from.Time-at.Time))}
		trigger = NewLine("TRIGGER", d.String())
	}
	text := "Reminder"
	if l := c.Prop("SUMMARY"); l != nil && !content.IsBlank(l.Value) {
		text = Unescape(l.Value)
	}
	a := NewComponent("VALARM")
	a.Add(NewLine("ACTION", "DISPLAY"))
	a.Add(trigger)
	a.Add(NewLine("DESCRIPTION", Escape(dropControls(text))))
	return a
}

// rule1 translates a rule of vCalendar 1.0 without rules inside it: "D2 #5", "W1 MO WE 20261224T000000Z", "MP1 1+ FR #0", "MD1 15 LD",
// "YM1 6", "YD1 100". "#0" means for ever, no end at all means twice.
func rule1(s string) (string, bool) {
	f := strings.Fields(strings.ToUpper(s))
	switch {
	case len(f) == 0:
		return "", false
	case strings.Contains(f[0], "="):
		return s, true // it is one of version 2.0
	}
	end := ";COUNT=2"
	switch last := f[len(f)-1]; {
	case last == "#0":
		f, end = f[:len(f)-1], ""
	case strings.HasPrefix(last, "#"):
		n, err := strconv.ParseUint(last[1:], 10, 16)
		if err != nil {
			return "", false
		}
		f, end = f[:len(f)-1], fmt.Sprintf(";COUNT=%d", n)
	case len(last) >= 8:
		d, ok := parseDateTime(last, false, "")
		if !ok {
			return "", false
		}
		f, end = f[:len(f)-1], ";UNTIL="+d.String()
	}
	if len(f) == 0 {
		return "", false
	}
	kind := strings.TrimRight(f[0], "0123456789")
	interval, err := strconv.ParseUint(f[0][len(kind):], 10, 16)
	if err != nil || interval == 0 {
		return "", false
	}
	freq, by, ok := parts1(kind, f[1:])
	if !ok {
		return "", false
	}
	if interval > 1 {
		freq += fmt.Sprintf(";INTERVAL=%d", interval)
	}
	return "FREQ=" + freq + by + end, true
}

// parts1 gives the frequency and the BYxxx part of a rule of version 1.0.
func parts1(kind string, list []string) (freq, by string, ok bool) {
	switch kind {
	case "D":
		return "DAILY", "", len(list) == 0
	case "W":
		by, ok = each(list, ";BYDAY=", func(s string) (string, bool) { return s, weekday(s) })
		return "WEEKLY", by, ok
	case "MP":
		place := ""
		var days []string
		for _, s := range list {
			if weekday(s) && place != "" {
				days = append(days, place+s)
			} else if place, ok = signed(s, 5); !ok {
				return "", "", false
			}
		}
		by, ok = each(days, ";BYDAY=", func(s string) (string, bool) { return s, true })
		return "MONTHLY", by, ok && (len(days) > 0 || len(list) == 0)
	case "MD":
		by, ok = each(list, ";BYMONTHDAY=", func(s string) (string, bool) {
			if s == "LD" {
				return "-1", true
			}
			return signed(s, 31)
		})
		return "MONTHLY", by, ok
	case "YM":
		by, ok = each(list, ";BYMONTH=", func(s string) (string, bool) { return signed(s, 12) })
		return "YEARLY", by, ok
	case "YD":
		by, ok = each(list, ";BYYEARDAY=", func(s string) (string, bool) { return signed(s, 366) })
		return "YEARLY", by, ok
	}
	return "", "", false
}

// each translates a list; an empty one needs no part.
func each(list []string, part string, one func(string) (string, bool)) (string, bool) {
	out := make([]string, 0, len(list))
	for _, s := range list {
		v, ok := one(s)
		if !ok {
			return "", false
		}
		out = append(out, v)
	}
	if len(out) == 0 {
		return "", true
	}
	return part + strings.Join(out, ","), true
}

func weekday(s string) bool {
	return slices.Contains([]string{"MO", "TU", "WE", "TH", "FR", "SA", "SU"}, s)
}

// signed reads "3", "3+" and "3-", up to a bound.
func signed(s string, bound uint64) (string, bool) {
	digits := strings.TrimRight(s, "+-")
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || n == 0 || n > bound || len(s) > len(digits)+1 {
		return "", false
	}
	if strings.HasSuffix(s, "-") {
		return "-" + digits, true
	}
	return digits, true
}
