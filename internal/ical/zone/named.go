package zone

import (
	_ "embed"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // for machines without a database of their own

	"holdfast/internal/ical"
	"holdfast/internal/ical/civil"
)

// names are the zones and links of the IANA database, one a line.
//
//go:embed names.txt
var names string

// windowsNames says which zone Windows means by its names: the territory "001" of CLDR's table and some names of older versions.
//
//go:embed windows.txt
var windowsNames string

// database maps the names of the IANA database, in lower case, to how they are written.
var database = sync.OnceValue(func() map[string]string {
	m := make(map[string]string, 600)
	for name := range strings.FieldsSeq(names) {
		m[strings.ToLower(name)] = name
	}
	return m
})

// windows maps names of Windows, in lower case, to names of the database.
var windows = sync.OnceValue(func() map[string]string {
	m := map[string]string{}
	for line := range strings.Lines(windowsNames) {
		from, to, _ := strings.Cut(strings.TrimSpace(line), "\t")
		m[strings.ToLower(from)] = to
	}
	return m
})

// maxName bounds what is looked up as a name.
const maxName = 200

// Name gives the IANA name of what a calendar calls a time zone: that name
// itself in any case, with a prefix that some programs put before it
// ("/freeassociation.sourceforge.net/Europe/Berlin"), or a name of Windows.
func Name(tzid string) (string, bool) {
	tzid = strings.Trim(tzid, "\" \t")
	if tzid == "" || len(tzid) > maxName {
		return "", false
	}
	if to, ok := windows()[strings.ToLower(tzid)]; ok {
		return to, true
	}
	for rest := strings.ToLower(strings.ReplaceAll(tzid, " ", "_")); ; {
		if name, ok := database()[rest]; ok {
			return name, true
		}
		_, behind, ok := strings.Cut(rest, "/")
		if !ok {
			return "", false
		}
		rest = behind
	}
}

// offsetName reads names such as "UTC+01:00" and "GMT-5", as people mean them:
// hours to the east of UTC.
func offsetName(tzid string) (Zone, bool) {
	tzid = strings.ToUpper(strings.Trim(tzid, "\" \t"))
	digits, ok := strings.CutPrefix(tzid, "UTC")
	if !ok {
		digits, ok = strings.CutPrefix(tzid, "GMT")
	}
	if !ok || len(digits) < 2 || digits[0] != '+' && digits[0] != '-' {
		return nil, false
	}
	hours, minutes, _ := strings.Cut(digits[1:], ":")
	if len(hours) == 1 {
		hours = "0" + hours
	}
	if minutes == "" && len(hours) == 2 {
		minutes = "00"
	}
	n, ok := ical.ParseUTCOffset(digits[:1] + hours + minutes)
	if !ok || n < -14*3600 || n > 14*3600 {
		return nil, false
	}
	return Fixed(n), true
}

// Named gives the zone of a name; see Name. A name that tells an offset, such as
// "UTC+01:00", is known, too. It reads the database anew each
// time: a Cache remembers.
func Named(tzid string) (Zone, bool) {
	name, ok := Name(tzid)
	if !ok {
		return offsetName(tzid)
	}
	z, err := load(name)
	return z, err == nil
}

func load(name string) (Zone, error) {
	if name == "UTC" || name == "Etc/UTC" {
		return UTC, nil
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, err
	}
	n := &named{loc: loc}
	for unix := int64(never); unix < near; {
		_, to, offset := bounds(loc, unix)
		if last := len(n.near) - 1; last < 0 || n.near[last].offset != offset {
			n.near = append(n.near, span{unix, offset})
		}
		unix, n.more = to, to != ever
	}
	return clocks{n}, nil
}

// near is the end of the time that is prepared for: 2060-01-01. Nearly all
// times that anybody asks for come before it.
const near = 2840140800

// named is a zone of the database: a table up to near, and the rules of the
// database behind that.
type named struct {
	near spans
	more bool // the clocks are changed behind that, too
	loc  *time.Location
}

func (n *named) at(unix int64) (from, to, offset int64) {
	if from, to, offset = n.near.at(unix); to != ever || !n.more {
		return from, to, offset
	}
	return bounds(n.loc, unix)
}

// bounds asks package time. Its bounds may lie closer than the next change of the clocks, and those of the last day of a leap year are wrong:
// there the end of that day does.
func bounds(loc *time.Location, unix int64) (from, to, offset int64) {
	t := time.Unix(max(unix, int64(civil.Min)-400*civil.Day), 0).In(loc)
	_, off := t.Zone()
	begin, end := t.ZoneBounds()
	from, to, offset = never, ever, int64(off)
	if !begin.IsZero() {
		from = min(begin.Unix(), unix)
	}
	if !end.IsZero() {
		to = end.Unix()
	}
	if to <= unix {
		to = unix - unix%civil.Day + civil.Day
	}
	return from, to, offset
}
