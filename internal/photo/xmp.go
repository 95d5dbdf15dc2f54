package photo

import (
	"bytes"
	"encoding/xml"
	"math"
	"strconv"
	"strings"
	"time"
)

// xmpName is a property's namespace, shortened as is usual, and its name.
type xmpName struct{ space, local string }

var xmpSpaces = map[string]string{
	"http://ns.adobe.com/exif/1.0/":      "exif",
	"http://ns.adobe.com/exif/1.0/aux/":  "aux",
	"http://cipa.jp/exif/1.0/":           "exifEX",
	"http://ns.adobe.com/photoshop/1.0/": "photoshop",
	"http://ns.adobe.com/xap/1.0/":       "xmp",
	"http://ns.adobe.com/tiff/1.0/":      "tiff",

	"http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/": "iptc",
}

// readXMP reads the simple properties of a packet (ISO 16684-1): attributes and elements alike.
func (f *facts) readXMP(at, n int64) {
	const most, mostDepth = 512 << 10, 32
	if n <= 0 || n > most {
		f.problem("XMP is longer than is read")
		return
	}
	b := f.src.copyOf(at, int(n))
	d := xml.NewDecoder(bytes.NewReader(b))
	var names []xmpName
	for f.src.entry() {
		token, err := d.Token()
		if err != nil {
			return // the end, or what is broken: what came before stands
		}
		switch t := token.(type) {
		case xml.StartElement:
			for _, a := range t.Attr {
				f.setXMP(xmpName{xmpSpaces[a.Name.Space], a.Name.Local}, a.Value)
			}
			names = append(names, xmpName{xmpSpaces[t.Name.Space], t.Name.Local})
			if len(names) > mostDepth {
				return
			}
		case xml.EndElement:
			names = names[:max(0, len(names)-1)]
		case xml.CharData:
			if len(names) > 0 {
				f.setXMP(names[len(names)-1], string(t))
			}
		}
	}
}

func (f *facts) setXMP(name xmpName, value string) {
	value = strings.TrimSpace(value)
	if name.space == "" || value == "" || len(value) > 256 || f.xmp[name] != "" || len(f.xmp) >= 256 {
		return
	}
	if f.xmp == nil {
		f.xmp = map[xmpName]string{}
	}
	f.xmp[name] = value
}

// fromXMP takes what EXIF left open.
func (f *facts) fromXMP() {
	get := func(space, local string) string { return f.xmp[xmpName{space, local}] }
	text := func(space, local string) string { return clean([]byte(get(space, local))) }
	f.setCamera(text("tiff", "Make"), text("tiff", "Model"), text("exifEX", "LensModel"))
	f.setCamera("", "", text("aux", "Lens"))
	if o, err := strconv.Atoi(get("tiff", "Orientation")); err == nil && f.Orientation == 0 && o >= 1 && o <= 8 {
		f.Orientation = o
	}
	f.offerISO(get("exif", "DateTimeOriginal"), "XMP DateTimeOriginal", WallOnly)
	f.offerISO(get("photoshop", "DateCreated"), "XMP DateCreated", WallOnly)
	f.offerISO(get("xmp", "CreateDate"), "XMP CreateDate", Guessed)
	f.PlaceName = placeName(text("iptc", "Location"), text("photoshop", "City"), text("photoshop", "State"), text("photoshop", "Country"))
	lat, ok1 := xmpDegrees(get("exif", "GPSLatitude"), "N", "S")
	lon, ok2 := xmpDegrees(get("exif", "GPSLongitude"), "E", "W")
	if ok1 && ok2 {
		p := Place{Lat: lat, Lon: lon}
		if alt, ok := xmpRatio(get("exif", "GPSAltitude")); ok {
			if get("exif", "GPSAltitudeRef") == "1" {
				alt = -alt
			}
			p.Alt, p.HasAlt = alt, true
		}
		f.setPlace(p)
	}
}

// placeName joins the parts that are said, each once.
func placeName(parts ...string) string {
	var out []string
	for _, p := range parts {
		if p != "" && !contains(out, p) {
			out = append(out, p)
		}
	}
	return strings.Join(out, ", ")
}

// offerISO adds a time of ISO 8601. Without a zone it is a clock on a wall.
func (f *facts) offerISO(text, from string, sure Sure) {
	text = strings.TrimSpace(text)
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04Z07:00", "2006-01-02 15:04:05 Z07:00", "2006-01-02 15:04:05Z07:00"} {
		if t, err := time.Parse(layout, text); err == nil {
			_, sec := t.Zone()
			if sure > Guessed {
				sure = Stated
			}
			if sec < -12*3600 || sec > 14*3600 {
				return
			}
			f.offer(Taken{inZone(t, time.FixedZone("", sec)), false, sure, from})
			return
		}
	}
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil {
			f.offer(Taken{t, true, sure, from})
			return
		}
	}
}

// xmpDegrees reads "57,38.6N" and "57,38,12N".
func xmpDegrees(text, plus, minus string) (float64, bool) {
	body, sign := strings.TrimSuffix(text, plus), 1.0
	if body == text {
		if body, sign = strings.TrimSuffix(text, minus), -1; body == text {
			return 0, false
		}
	}
	sum, unit := 0.0, 1.0
	parts := strings.Split(body, ",")
	for _, p := range parts {
		v, err := strconv.ParseFloat(p, 64)
		if err != nil || v < 0 || math.IsInf(v, 0) || math.IsNaN(v) || len(parts) > 3 {
			return 0, false
		}
		sum += v / unit
		unit *= 60
	}
	return sign * sum, true
}

func xmpRatio(text string) (float64, bool) {
	n, d, found := strings.Cut(text, "/")
	v, err := strconv.ParseFloat(n, 64)
	if err != nil {
		return 0, false
	}
	if found {
		w, err := strconv.ParseFloat(d, 64)
		if err != nil || w == 0 {
			return 0, false
		}
		v /= w
	}
	return v, !math.IsInf(v, 0) && !math.IsNaN(v)
}
