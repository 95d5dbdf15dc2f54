package photo

import (
	"bytes"
	"math"
	"strings"
	"time"
)

// exifFacts are what EXIF says of time; the rest goes into Info at once.
type exifFacts struct {
	original, digitized, modified wall
	gps                           time.Time // from satellites: UTC, zero if there is none
}

// wall is a wall-clock time as EXIF has it: the zone apart, and often missing.
type wall struct {
	t      time.Time // its clock, in UTC; zero if there is none
	offset string    // "+02:00", or nothing
}

// readEXIF reads the directories of an EXIF block that begins at base (EXIF 2.32, section 4.6).
func (f *facts) readEXIF(base, end int64) {
	t := newTIFF(f.src, base, end)
	if t.first == 0 {
		f.problem("EXIF has no TIFF header")
		return
	}
	d := t.readDir(t.first)
	if d == nil {
		f.problem("EXIF's first directory lies outside of it")
		return
	}
	f.firstDir(t, d)
}

// firstDir takes what the first directory says, and what it points to.
func (f *facts) firstDir(t *tiff, d dir) {
	f.setCamera(t.text(d[tagMake]), t.text(d[tagModel]), "")
	if o := t.uint(d[tagOrientation]); o >= 1 && o <= 8 && !f.turned && f.Orientation == 0 {
		f.Orientation = int(o)
	}
	if f.exif.modified.t.IsZero() {
		f.exif.modified = wall{t: t.wallTime(d[tagDateTime])}
	}
	if x := d[tagXMP]; x.count > 0 {
		f.readXMP(x.at, x.length())
	}
	if e, ok := d[tagExifIFD]; ok {
		f.exifDir(t, t.readDir(t.uint(e)))
	}
	if g, ok := d[tagGPSIFD]; ok {
		f.gpsDir(t, t.readDir(t.uint(g)))
	}
}

// exifDir takes times, lens and maker note.
func (f *facts) exifDir(t *tiff, d dir) {
	if d == nil {
		f.problem("EXIF's own directory cannot be read")
		return
	}
	f.setCamera("", "", t.text(d[tagLensModel]))
	read := func(w *wall, at, sub, offset uint16) {
		if v := t.wallTime(d[at]); w.t.IsZero() && !v.IsZero() {
			w.t = v.Add(fraction(t.text(d[sub])))
		}
		if w.offset == "" {
			w.offset = t.text(d[offset])
		}
	}
	read(&f.exif.original, tagOriginal, tagSubSecOriginal, tagOffsetOriginal)
	read(&f.exif.digitized, tagDigitized, tagSubSecDigitized, tagOffsetDigitized)
	read(&f.exif.modified, 0, 0, tagOffset)
	if f.Kind.Raw() {
		f.size(t.uint(d[tagPixelX]), t.uint(d[tagPixelY]))
	}
	if m := d[tagMakerNote]; m.count > 0 {
		f.readMakerNote(t, m)
	}
}

func (f *facts) setCamera(maker, model, lens string) {
	set := func(to *string, v string) {
		if *to == "" && strings.Trim(v, "-. ") != "" { // "----" is what cameras without a lens that speaks write
			*to = v
		}
	}
	set(&f.Camera.Make, maker)
	set(&f.Camera.Model, model)
	set(&f.Camera.Lens, lens)
}

// wallTime reads "2006:01:02 15:04:05"; also what programs make of it.
func (t *tiff) wallTime(f field) time.Time {
	text := strings.TrimSpace(t.text(f))
	if len(text) > 19 {
		text = text[:19]
	}
	for _, layout := range []string{"2006:01:02 15:04:05", "2006-01-02 15:04:05", "2006:01:02T15:04:05", "2006-01-02T15:04:05", "2006/01/02 15:04:05", "2006:01:02 15:04"} {
		if v, err := time.Parse(layout, text); err == nil && plausible(v) {
			return v
		}
	}
	return time.Time{}
}

// fraction reads the digits after a second's point.
func fraction(digits string) time.Duration {
	unit, sum := time.Second, time.Duration(0)
	for i := 0; i < len(digits) && i < 9; i++ {
		if digits[i] < '0' || digits[i] > '9' {
			break
		}
		unit /= 10
		sum += unit * time.Duration(digits[i]-'0')
	}
	return sum
}

// Tags of the GPS directory (EXIF 2.32, section 4.6.6).
const (
	gpsLatRef, gpsLat, gpsLonRef, gpsLon, gpsAltRef, gpsAlt, gpsTime, gpsDate = 1, 2, 3, 4, 5, 6, 7, 29
)

func (f *facts) gpsDir(t *tiff, d dir) {
	lat, ok1 := t.degrees(d[gpsLat], t.text(d[gpsLatRef]))
	lon, ok2 := t.degrees(d[gpsLon], t.text(d[gpsLonRef]))
	if ok1 && ok2 {
		p := Place{Lat: lat, Lon: lon}
		if alt, ok := t.ratio(d[gpsAlt], 0); ok {
			if t.uint(d[gpsAltRef]) == 1 {
				alt = -alt
			}
			p.Alt, p.HasAlt = alt, true
		}
		f.setPlace(p)
	}
	date := strings.NewReplacer("-", ":", "/", ":").Replace(t.text(d[gpsDate]))
	day, err := time.Parse("2006:01:02", date)
	if err != nil || !plausible(day) {
		return
	}
	var clock [3]float64
	for i := range clock {
		v, ok := t.ratio(d[gpsTime], int64(i))
		if !ok && i < 2 || v < 0 || v >= 62 {
			return
		}
		clock[i] = v
	}
	if clock[0] < 24 {
		f.exif.gps = day.Add(time.Duration((clock[0]*3600 + clock[1]*60 + clock[2]) * float64(time.Second))).Round(time.Millisecond)
	}
}

// degrees reads degrees, minutes and seconds.
func (t *tiff) degrees(f field, ref string) (float64, bool) {
	sum, unit := 0.0, 1.0
	for i := range int64(3) {
		v, ok := t.ratio(f, i)
		if !ok && i == 0 || v < 0 {
			return 0, false
		}
		sum += v / unit
		unit *= 60
	}
	switch strings.ToUpper(ref) {
	case "S", "W":
		return -sum, true
	case "N", "E", "":
		return sum, ref != ""
	}
	return 0, false
}

// setPlace keeps the first place that exists. What lies at 0, 0 exactly was written by a program that did not know.
func (f *facts) setPlace(p Place) {
	bad := math.IsNaN(p.Lat+p.Lon) || math.Abs(p.Lat) > 90 || math.Abs(p.Lon) > 180 || p.Lat == 0 && p.Lon == 0
	if f.Place != nil || bad {
		return
	}
	if p.HasAlt && (math.IsNaN(p.Alt) || math.Abs(p.Alt) > 100_000) {
		p.Alt, p.HasAlt = 0, false
	}
	f.Place = &p
}

// readMakerNote reads Apple's note, which names the other half of a Live Photo, and Olympus's, which says where the preview lies.
func (f *facts) readMakerNote(t *tiff, m field) {
	head := f.src.bytes(m.at, int(min(m.length(), 16)))
	switch {
	case bytes.HasPrefix(head, []byte("Apple iOS\x00")) && len(head) >= 14:
		note := &tiff{s: f.src, base: m.at, end: min(m.at+m.length(), t.end), order: t.order, seen: map[int64]bool{}}
		if string(head[12:14]) == "MM" {
			note.order = bigEndian
		} else if string(head[12:14]) == "II" {
			note.order = littleEndian
		}
		const contentIdentifier = 0x0011
		f.setPair(note.text(note.readDir(14)[contentIdentifier]))
	case bytes.HasPrefix(head, []byte("OLYMPUS\x00")), bytes.HasPrefix(head, []byte("OM SYSTEM\x00")):
		f.olympusNote(t, m, head)
	}
}

func (f *facts) olympusNote(t *tiff, m field, head []byte) {
	start := int64(12)
	if head[1] == 'M' { // "OM SYSTEM"
		start = 16
	}
	note := &tiff{s: f.src, base: m.at, end: t.end, order: t.order, seen: map[int64]bool{}}
	const cameraSettings, previewStart, previewLength = 0x2020, 0x0101, 0x0102
	c := note.readDir(start)[cameraSettings]
	at := note.uint(c)
	if c.typ == 7 { // the directory itself is the value
		at = c.at - note.base
	}
	d := note.readDir(at)
	f.addPreview(note.base+note.uint(d[previewStart]), note.uint(d[previewLength]))
}

// setPair takes an identifier: letters, digits and hyphens, as Apple's UUIDs are.
func (f *facts) setPair(id string) {
	ok := len(id) >= 8 && len(id) <= 64 && strings.Trim(id, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-+/=_") == ""
	if ok && f.Pair == "" {
		f.Pair = id
	}
}
