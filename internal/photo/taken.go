package photo

import (
	"math"
	"regexp"
	"strings"
	"time"
)

// Taken is when it was taken. Without a zone only the clock on the wall is known: At shows it in UTC, and Local is true.
type Taken struct {
	At    time.Time
	Local bool
	Sure  Sure
	From  string // which field said so
}

// Sure says how far a time can be believed.
type Sure int

// From least to most.
const (
	NotKnown Sure = iota
	Guessed       // from the name, or a field that programs rewrite when they edit
	WallOnly      // the camera's clock, its zone is not known
	Derived       // the camera's clock, and its zone from the time of satellites; or from them alone
	Stated        // the camera's clock with its zone
)

func (s Sure) String() string {
	return [...]string{"not known", "guessed", "wall clock", "derived", "stated"}[max(0, min(s, Stated))]
}

// plausible leaves out what cameras without a clock write, and what no camera can have taken.
func plausible(t time.Time) bool {
	if y := t.Year(); y < 1826 || y > 2200 {
		return false
	}
	switch t.Unix() {
	case 0, -2082844800: // 1970 and 1904: the zeros of two systems
		return false
	}
	return true
}

// offer adds a candidate, unless it is none.
func (f *facts) offer(t Taken) {
	const most = 16
	if plausible(t.At) && len(f.times) < most {
		f.times = append(f.times, t)
	}
}

// weighTimes chooses: when it was taken goes before when it was digitised or edited, and within that what is surer goes first.
func (f *facts) weighTimes(name string) {
	x, others := &f.exif, f.times // of XMP and films
	f.times = nil
	f.fromWall(x.original, "EXIF DateTimeOriginal", false)
	f.fromWall(x.digitized, "EXIF DateTimeDigitized", false)
	f.times = append(f.times, others...)
	if !x.gps.IsZero() {
		f.offer(Taken{x.gps, false, Derived, "GPS time"})
	}
	f.fromWall(x.modified, "EXIF DateTime", true)
	f.fromName(name)
	for _, t := range f.times {
		if better(t, f.Taken) {
			f.Taken = t
		}
	}
}

// better tells whether t is to be taken instead of u, which was offered before it. The clock of the original is worth more than a surer time of something
// else: only what is guessed gives way, and a clock without a zone to the same clock with one.
func better(t, u Taken) bool {
	return u.Sure == NotKnown || u.Sure == Guessed && t.Sure > Guessed || u.Local && t.Sure == Stated && sameClock(t.At, u.At)
}

func sameClock(t, u time.Time) bool {
	return inZone(t, time.UTC).Truncate(time.Second).Equal(inZone(u, time.UTC).Truncate(time.Second))
}

// fromWall makes a candidate of a wall-clock time: with its offset, with one that satellites give, or without.
func (f *facts) fromWall(w wall, from string, edited bool) {
	if w.t.IsZero() {
		return
	}
	t := Taken{w.t, true, WallOnly, from}
	if zone, ok := offset(w.offset); ok {
		t = Taken{inZone(w.t, zone), false, Stated, from + " with its offset"}
	} else if zone, ok := f.zoneFromGPS(w.t); ok {
		t = Taken{inZone(w.t, zone), false, Derived, from + ", zone by GPS time"}
	}
	if edited {
		t.Sure = Guessed
	}
	f.offer(t)
}

// zoneFromGPS derives the offset from the time that satellites say; their fix may be some minutes old.
func (f *facts) zoneFromGPS(t time.Time) (*time.Location, bool) {
	if f.exif.gps.IsZero() {
		return nil, false
	}
	return zoneBetween(t, f.exif.gps, 5*time.Minute)
}

// zoneBetween derives an offset from one moment on two clocks: that on the wall differs from UTC by a multiple of a quarter of an hour.
func zoneBetween(wall, utc time.Time, slack time.Duration) (*time.Location, bool) {
	const quarter = 900.0
	d := wall.Sub(utc).Seconds()
	n := math.Round(d / quarter)
	if math.Abs(d-n*quarter) > slack.Seconds() || n < -12*4 || n > 14*4 {
		return nil, false
	}
	return time.FixedZone("", int(n*quarter)), true
}

// offset reads "+02:00", "+0200", "+02" and "Z".
func offset(text string) (*time.Location, bool) {
	text = strings.TrimSpace(text)
	if text == "Z" || text == "z" {
		return time.UTC, true
	}
	for _, layout := range []string{"-07:00", "-0700", "-07"} {
		if v, err := time.Parse(layout, text); err == nil {
			_, sec := v.Zone()
			return time.FixedZone("", sec), sec >= -12*3600 && sec <= 14*3600
		}
	}
	return nil, false
}

// inZone gives the instant at which a clock in the zone shows what t shows in UTC.
func inZone(t time.Time, zone *time.Location) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), zone)
}

// stamp is a time in a name: IMG_20230501_120000.jpg, Screenshot 2023-05-01 at 12.00.00.png, PXL_20230501_120000123.jpg.
var stamp = regexp.MustCompile(`(?:^|[^0-9])((?:19|20)\d\d)[-_.]?(\d\d)[-_.]?(\d\d)(?:(?: at |[-_ T]{1,3})(\d\d)[-_.:h]?(\d\d)[-_.:m]?(\d\d)(\d*))?(?:[^0-9]|$)`)

// fromName reads a time out of the name. Pixel phones write UTC, all others their clock.
func (f *facts) fromName(name string) {
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		name = name[i+1:]
	}
	if len(name) > 255 {
		return
	}
	m := stamp.FindStringSubmatch(name)
	if m == nil {
		return
	}
	from := "name"
	clock := m[4] + m[5] + m[6]
	if clock == "" {
		clock, from = "120000", "name, of the day alone"
	}
	t, err := time.Parse("20060102150405", m[1]+m[2]+m[3]+clock)
	if err != nil {
		return
	}
	if zone, ok := f.zoneFromHeader(t); ok && m[4] != "" {
		f.offer(Taken{inZone(t, zone), false, Derived, "name, zone by the film's header"})
	}
	f.offer(Taken{t, !strings.HasPrefix(name, "PXL_"), Guessed, from})
}

// zoneFromHeader derives the offset of the clock in a film's name from the time in its header, which is UTC and that of the film's begin or end.
func (f *facts) zoneFromHeader(t time.Time) (*time.Location, bool) {
	if f.header.IsZero() {
		return nil, false
	}
	for _, begin := range []time.Time{f.header, f.header.Add(-f.Duration)} {
		if zone, ok := zoneBetween(t, begin, 5*time.Second); ok {
			return zone, true
		}
	}
	return nil, false
}
