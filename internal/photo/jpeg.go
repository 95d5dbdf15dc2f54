package photo

import (
	"bytes"
	"encoding/binary"
)

// readJPEG walks the segments before the picture (ITU-T T.81, annex B) of the JPEG at [at, end).
func (f *facts) readJPEG(at, end int64) {
	s, started := f.src, at
	for at += 2; ; {
		marker, next, n := segment(s, at, end)
		if marker == 0 {
			f.problem("the JPEG ends before its picture")
			return
		}
		switch {
		case isSOF(marker):
			if b := s.bytes(next, 5); b != nil && n >= 5 {
				f.size(int64(binary.BigEndian.Uint16(b[3:])), int64(binary.BigEndian.Uint16(b[1:])))
			}
		case marker == 0xe1:
			f.app1(next, n)
		case marker == 0xe2:
			f.app2(next, n)
		case marker == 0xda, marker == 0xd9: // the picture begins, or ends
			if f.stored.w == 0 {
				f.problem("the JPEG says no size")
			}
			return
		}
		at = next + n
		if at <= started {
			return
		}
	}
}

// segment reads a marker and gives where its parameters begin and how long they are. Marker 0 is the end.
func segment(s *source, at, end int64) (marker byte, body, n int64) {
	for {
		b := s.bytes(at, 2)
		if b == nil || at+2 > end || !s.entry() {
			return 0, 0, 0
		}
		if b[0] != 0xff { // octets that belong to nothing: some cameras leave them
			at++
			continue
		}
		if b[1] == 0xff || b[1] == 0 {
			at++
			continue
		}
		marker, at = b[1], at+2
		break
	}
	if marker == 0x01 || marker >= 0xd0 && marker <= 0xd9 {
		return marker, at, 0
	}
	b := s.bytes(at, 2)
	if b == nil {
		return 0, 0, 0
	}
	n = int64(binary.BigEndian.Uint16(b)) - 2
	if n < 0 || at+2+n > end {
		return 0, 0, 0
	}
	return marker, at + 2, n
}

// isSOF tells a start of frame, which says the size.
func isSOF(m byte) bool { return m >= 0xc0 && m <= 0xcf && m != 0xc4 && m != 0xc8 && m != 0xcc }

// app1 reads a segment of EXIF or XMP.
func (f *facts) app1(at, n int64) {
	const exif, xmp = "Exif\x00", "http://ns.adobe.com/xap/1.0/\x00"
	b := f.src.bytes(at, int(min(n, int64(len(xmp)))))
	switch {
	case bytes.HasPrefix(b, []byte(exif)) && n > 6:
		f.readEXIF(at+6, at+n)
	case bytes.HasPrefix(b, []byte(xmp)):
		f.readXMP(at+int64(len(xmp)), n-int64(len(xmp)))
	}
}

// app2 reads a profile that is in one piece.
func (f *facts) app2(at, n int64) {
	const head, most = "ICC_PROFILE\x00\x01\x01", 8 << 10
	if b := f.src.bytes(at, int(min(n, most))); bytes.HasPrefix(b, []byte(head)) {
		f.setProfile(b[len(head):])
	}
}

// jpegSize finds the size of a JPEG inside of a RAW file. Lossless ones are what the sensor saw, not a preview: they have none.
func jpegSize(s *source, at, end int64) (w, h int) {
	if b := s.bytes(at, 3); b == nil || b[0] != 0xff || b[1] != 0xd8 || b[2] != 0xff {
		return 0, 0
	}
	for at += 2; ; {
		marker, body, n := segment(s, at, end)
		if marker == 0 || marker == 0xda || marker == 0xd9 {
			return 0, 0
		}
		if isSOF(marker) {
			b := s.bytes(body, 5)
			if marker != 0xc0 && marker != 0xc1 && marker != 0xc2 || b == nil || b[0] != 8 {
				return 0, 0
			}
			return int(binary.BigEndian.Uint16(b[3:])), int(binary.BigEndian.Uint16(b[1:]))
		}
		at = body + n
	}
}
