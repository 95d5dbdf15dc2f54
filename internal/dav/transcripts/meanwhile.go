package transcripts

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// makes tells how other devices write each kind: what number is, in its first or second version.
var makes = map[string]struct {
	name  string // of a file, with the number
	media string
	write func(number int, version string) []string
}{
	"contacts": {"given-%04d.vcf", "text/vcard", card},
	"events":   {"given-%04d.ics", "text/calendar", event},
	"shared":   {"given-%04d.ics", "text/calendar", event}, // by the owner of the calendar
	"todos":    {"todo-%04d.ics", "text/calendar", todo},
	"journals": {"journal-%04d.ics", "text/calendar", journal},
}

// change is another device: it adds, edits or deletes n of a kind.
func (r *replay) change(verb string, n int, kind string) error {
	var changed []string
	how, base := makes[kind], r.w.Bases[kind]
	if base == "" {
		return fmt.Errorf("there is no collection for %s", kind)
	}
	who, at := r.w.Handler, func(path string) string { return path }
	if kind == "shared" {
		who, at = r.w.Owner, func(path string) string { return r.w.Shared + strings.TrimPrefix(path, base) }
	}
	put := func(path string, number int, version string) error {
		body := strings.Join(how.write(number, version), "\r\n") + "\r\n"
		return done(r.as(who, at(path), http.MethodPut, path, http.Header{"Content-Type": {how.media}}, body))
	}
	for i := range n {
		var err error
		path := ""
		switch verb {
		case "add":
			r.made[kind]++
			path = base + fmt.Sprintf(how.name, r.made[kind])
			err = put(path, r.made[kind], "first")
			r.live[kind] = append(r.live[kind], path)
		case "edit", "delete":
			if i >= len(r.live[kind]) {
				return fmt.Errorf("another device cannot %s %d of %d %s", verb, n, len(r.live[kind]), kind)
			}
			path = r.live[kind][i]
			if verb == "edit" {
				var number int
				fmt.Sscanf(strings.TrimPrefix(path, base), how.name, &number)
				err = put(path, number, "second")
			} else {
				err = done(r.as(who, at(path), http.MethodDelete, path, http.Header{}, ""))
			}
		default:
			return fmt.Errorf("another device cannot %s", verb)
		}
		if err != nil {
			return err
		}
		changed = append(changed, path)
	}
	if verb == "delete" {
		r.live[kind] = r.live[kind][n:]
	}
	r.vars["changed"] = changed
	return nil
}

// card makes a contact. Its lines are folded and hold what is not ASCII, so that octets can get lost on the way.
func card(number int, version string) []string {
	return []string{
		"BEGIN:VCARD", "VERSION:3.0", fmt.Sprintf("UID:given-%04d", number),
		fmt.Sprintf("N:Müller %d;Zoë;;;", number), fmt.Sprintf("FN:Zoë Müller %d", number),
		fmt.Sprintf("item1.TEL;type=CELL:+49 30 %07d", number), "item1.X-ABLabel:_$!<Mobile>!$_",
		"NOTE:This is the " + version + " version & <it> has a line that is folded\\, a", "  nd a\\nbreak.", "END:VCARD",
	}
}

// berlin is the time zone of what other devices make, as most programs send it along.
var berlin = []string{
	"BEGIN:VTIMEZONE", "TZID:Europe/Berlin",
	"BEGIN:DAYLIGHT", "TZOFFSETFROM:+0100", "TZOFFSETTO:+0200", "TZNAME:CEST", "DTSTART:19700329T020000", "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU", "END:DAYLIGHT",
	"BEGIN:STANDARD", "TZOFFSETFROM:+0200", "TZOFFSETTO:+0100", "TZNAME:CET", "DTSTART:19701025T030000", "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU", "END:STANDARD",
	"END:VTIMEZONE",
}

// object makes a calendar object of a component's lines. Like card, it holds what gets lost easily.
func object(component, uid, version string, lines ...string) []string {
	out := append([]string{"BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Example//Another device//EN"}, berlin...)
	out = append(out, "BEGIN:"+component, "UID:"+uid, "DTSTAMP:20260101T120000Z")
	out = append(out, lines...)
	return append(out, "DESCRIPTION:This is the "+version+" version & <it> has a line that is folde", " d\\, a\\nbreak\\; and žluť.", "END:"+component, "END:VCALENDAR")
}

// event begins at 9:00 on day number of March 2026 in Berlin; every fifth repeats weekly for ever.
func event(number int, version string) []string {
	lines := []string{fmt.Sprintf("SUMMARY:Zoë's event %d", number), "DTSTART;TZID=Europe/Berlin:" + march(number) + "T090000", "DTEND;TZID=Europe/Berlin:" + march(number) + "T100000"}
	if number%5 == 0 {
		lines = append(lines, "RRULE:FREQ=WEEKLY")
	}
	return object("VEVENT", fmt.Sprintf("given-%04d", number), version, lines...)
}

// todo is due on day number of March 2026; every third has no time at all, and every fourth is done.
func todo(number int, version string) []string {
	lines := []string{fmt.Sprintf("SUMMARY:Zoë's to-do %d", number)}
	if number%3 != 0 {
		lines = append(lines, "DUE;TZID=Europe/Berlin:"+march(number)+"T170000")
	}
	if number%4 == 0 {
		lines = append(lines, "STATUS:COMPLETED", "COMPLETED:20260102T080000Z", "PERCENT-COMPLETE:100")
	} else {
		lines = append(lines, "STATUS:NEEDS-ACTION")
	}
	return object("VTODO", fmt.Sprintf("todo-%04d", number), version, lines...)
}

// journal is a note of day number of March 2026.
func journal(number int, version string) []string {
	return object("VJOURNAL", fmt.Sprintf("journal-%04d", number), version, fmt.Sprintf("SUMMARY:Zoë's note %d", number), "DTSTART;VALUE=DATE:"+march(number))
}

// march gives the date of a day of March 2026; what is beyond its end is in the months after it.
func march(day int) string {
	return time.Date(2026, time.March, day, 0, 0, 0, 0, time.UTC).Format("20060102")
}

// done wants a change to have been made.
func done(a *answer, err error) error {
	if err == nil && a.status/100 != 2 {
		err = fmt.Errorf("%s: %s", a.target, a.dump())
	}
	return err
}
