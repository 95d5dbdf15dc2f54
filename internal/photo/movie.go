package photo

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// readMovie reads the moov box of MP4 and QuickTime files; it may stand at either end.
func (f *facts) readMovie() {
	found := false
	boxes(f.src, 0, f.src.size, func(b box) bool {
		if b.kind == "moov" {
			found = true
			f.readMoov(b)
		}
		return !found
	})
	if !found {
		f.problem("the film has no moov box: it was cut, or its upload was")
	}
	if found && f.stored.w == 0 {
		f.problem("the film has no pictures: it is sound, or damaged")
	}
	if !f.header.IsZero() {
		f.offer(Taken{f.header, false, Guessed, "film header, UTC by the standard"})
	}
}

func (f *facts) readMoov(moov box) {
	s := f.src
	boxes(s, moov.at, moov.end, func(b box) bool {
		switch b.kind {
		case "mvhd":
			f.readMvhd(s.reader(b))
		case "trak":
			f.readTrak(b)
		case "meta":
			f.readKeys(b)
		case "udta":
			f.readUdta(b)
		}
		return true
	})
}

// readMvhd reads length and creation (ISO/IEC 14496-12, section 8.2.2).
func (f *facts) readMvhd(r *reader) {
	n := wide(r.uint(4)>>24 == 0, 4, 8)
	created := r.uint(n)
	r.uint(n)
	scale, length := r.uint(4), r.uint(n)
	if r.broken {
		return
	}
	if unknown := uint64(1)<<(8*n-1)<<1 - 1; scale > 0 && length != unknown {
		if sec := float64(length) / float64(scale); sec < 1e7 {
			f.Duration = time.Duration(sec * float64(time.Second)).Round(time.Millisecond)
		}
	}
	const from1904 = 2082844800
	if created > 0 && created < 1<<34 {
		if t := time.Unix(int64(created)-from1904, 0).UTC(); plausible(t) && t.Year() > 1990 { // some write the seconds since 1970
			f.header = t
		}
	}
}

// readTrak takes size and turn of the track that is a picture.
func (f *facts) readTrak(trak box) {
	var tkhd, mdia box
	boxes(f.src, trak.at, trak.end, func(b box) bool {
		switch b.kind {
		case "tkhd":
			tkhd = b
		case "mdia":
			mdia = b
		}
		return true
	})
	if f.handler(mdia) == "vide" && f.stored.w == 0 {
		f.readTkhd(f.src.reader(tkhd))
	}
}

// handler tells what a track is: "vide", "soun".
func (f *facts) handler(mdia box) (kind string) {
	boxes(f.src, mdia.at, mdia.end, func(b box) bool {
		if b.kind == "hdlr" {
			r := f.src.reader(b)
			r.skip(8)
			kind = r.kind()
		}
		return kind == ""
	})
	return kind
}

func (f *facts) readTkhd(r *reader) {
	if r.uint(4)>>24 == 0 {
		r.skip(20)
	} else {
		r.skip(32)
	}
	r.skip(16)
	var m [9]int32
	for i := range m {
		m[i] = int32(r.uint(4))
	}
	w, h := r.int(4)>>16, r.int(4)>>16
	if r.broken {
		return
	}
	f.size(w, h)
	sign := func(v int32) int {
		switch {
		case v > 0x8000:
			return 1
		case v < -0x8000:
			return -1
		}
		return 0
	}
	f.Orientation = 1
	if o, ok := matrices[[4]int{sign(m[0]), sign(m[1]), sign(m[3]), sign(m[4])}]; ok {
		f.Orientation = o
	}
}

// matrices are the turns of a track's matrix (a, b, c, d of its section 8.3.2) as EXIF's orientations.
var matrices = map[[4]int]int{
	{1, 0, 0, 1}: 1, {-1, 0, 0, 1}: 2, {-1, 0, 0, -1}: 3, {1, 0, 0, -1}: 4,
	{0, 1, 1, 0}: 5, {0, 1, -1, 0}: 6, {0, -1, -1, 0}: 7, {0, -1, 1, 0}: 8,
}

// readKeys reads QuickTime's metadata: names in "keys", values in "ilst" by number.
func (f *facts) readKeys(meta box) {
	s := f.src
	if b := s.bytes(meta.at, 8); b != nil && string(b[4:8]) != "hdlr" { // MP4's has a version, QuickTime's has none
		meta.at += 4
	}
	var keys []string
	var ilst box
	boxes(s, meta.at, meta.end, func(b box) bool {
		switch b.kind {
		case "keys":
			keys = readKeyNames(s, b)
		case "ilst":
			ilst = b
		}
		return true
	})
	boxes(s, ilst.at, ilst.end, func(b box) bool {
		name := b.kind
		if i := int(b.kind[0])<<24 | int(b.kind[1])<<16 | int(b.kind[2])<<8 | int(b.kind[3]); i >= 1 && i <= len(keys) {
			name = keys[i-1]
		}
		boxes(s, b.at, b.end, func(d box) bool {
			if n := d.end - d.at - 8; d.kind == "data" && n > 0 {
				f.filmFact(name, clean(s.bytes(d.at+8, int(min(n, 1024)))))
			}
			return true
		})
		return true
	})
}

func readKeyNames(s *source, b box) (keys []string) {
	r := s.reader(b)
	r.skip(4)
	count := r.uint(4)
	for i := uint64(0); i < count && i < 1024 && s.entry(); i++ {
		n := r.int(4) - 8
		r.skip(4)
		if n < 0 || n > 1024 || r.broken || n > r.end-r.at {
			return keys
		}
		keys = append(keys, string(s.bytes(r.at, int(n))))
		r.skip(n)
	}
	return keys
}

// readUdta reads the user data of older cameras: a text with length and language each.
func (f *facts) readUdta(udta box) {
	boxes(f.src, udta.at, udta.end, func(b box) bool {
		if b.kind == "meta" {
			f.readKeys(b)
			return true
		}
		if b.kind[0] != 0xa9 {
			return true
		}
		r := f.src.reader(b)
		n := r.int(2)
		r.skip(2)
		if r.broken || n > r.end-r.at {
			r.at, n = b.at, b.end-b.at // some write the bare text
		}
		f.filmFact(b.kind, clean(f.src.bytes(r.at, int(min(n, 1024)))))
		return true
	})
}

// filmFact takes what a name says.
func (f *facts) filmFact(name, value string) {
	const apple = "com.apple.quicktime."
	switch name {
	case apple + "creationdate":
		f.offerISO(value, "QuickTime creationdate", WallOnly)
	case "\xa9day":
		f.offerISO(value, "QuickTime day", WallOnly)
	case apple + "content.identifier":
		f.setPair(value)
	case apple + "make", "\xa9mak", "com.android.manufacturer":
		f.setCamera(value, "", "")
	case apple + "model", "\xa9mod", "com.android.model":
		f.setCamera("", value, "")
	case apple + "camera.lens_model":
		f.setCamera("", "", value)
	case apple + "location.ISO6709", "\xa9xyz":
		if p, ok := iso6709(value); ok {
			f.setPlace(p)
		}
	}
}

// iso6709 reads "+37.3349-122.0090+012.345/" (ISO 6709, annex H); degrees, or degrees and minutes, or seconds too.
func iso6709(text string) (Place, bool) {
	text = strings.TrimSuffix(strings.TrimSpace(text), "/")
	text, _, _ = strings.Cut(text, "CRS")
	var parts []string
	for i := 0; i < len(text); i++ {
		if text[i] == '+' || text[i] == '-' {
			parts = append(parts, "")
		}
		if len(parts) == 0 || len(parts) > 3 {
			return Place{}, false
		}
		parts[len(parts)-1] += text[i : i+1]
	}
	if len(parts) < 2 {
		return Place{}, false
	}
	lat, ok1 := sexagesimal(parts[0], 2)
	lon, ok2 := sexagesimal(parts[1], 3)
	p := Place{Lat: lat, Lon: lon}
	if len(parts) == 3 {
		alt, err := strconv.ParseFloat(strings.TrimSuffix(parts[2], "/"), 64)
		p.Alt, p.HasAlt = alt, err == nil
	}
	return p, ok1 && ok2
}

// sexagesimal reads a signed number of n digits of degrees, then perhaps two of minutes and of seconds.
func sexagesimal(text string, n int) (float64, bool) {
	v, err := strconv.ParseFloat(text[1:], 64)
	if err != nil || math.IsInf(v, 0) || math.IsNaN(v) {
		return 0, false
	}
	whole, _, _ := strings.Cut(text[1:], ".")
	switch len(whole) - n {
	case 2:
		d := math.Floor(v / 100)
		v = d + (v-d*100)/60
	case 4:
		d := math.Floor(v / 10000)
		m := math.Floor(v/100) - d*100
		v = d + m/60 + (v-d*10000-m*100)/3600
	}
	if text[0] == '-' {
		v = -v
	}
	return v, true
}
