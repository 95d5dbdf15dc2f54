package photo

import (
	"encoding/binary"
	"math"
)

// Tags of TIFF 6.0, EXIF 2.32 and DNG 1.6 that are read.
const (
	tagSubfileType     = 0x00fe
	tagImageWidth      = 0x0100
	tagImageLength     = 0x0101
	tagCompression     = 0x0103
	tagMake            = 0x010f
	tagModel           = 0x0110
	tagStripOffsets    = 0x0111
	tagOrientation     = 0x0112
	tagStripByteCounts = 0x0117
	tagDateTime        = 0x0132
	tagSubIFDs         = 0x014a
	tagJPEGOffset      = 0x0201
	tagJPEGLength      = 0x0202
	tagXMP             = 0x02bc
	tagExifIFD         = 0x8769
	tagGPSIFD          = 0x8825
	tagDNGVersion      = 0xc612

	tagOriginal        = 0x9003
	tagDigitized       = 0x9004
	tagOffset          = 0x9010
	tagOffsetOriginal  = 0x9011
	tagOffsetDigitized = 0x9012
	tagMakerNote       = 0x927c
	tagSubSec          = 0x9290
	tagSubSecOriginal  = 0x9291
	tagSubSecDigitized = 0x9292
	tagPixelX          = 0xa002
	tagPixelY          = 0xa003
	tagLensModel       = 0xa434
)

var (
	bigEndian    binary.ByteOrder = binary.BigEndian
	littleEndian binary.ByteOrder = binary.LittleEndian
)

// tiff is a TIFF structure somewhere in a file: its pointers count from base, and end before end.
type tiff struct {
	s         *source
	base, end int64
	order     binary.ByteOrder
	first     int64 // offset of the first directory; 0 if there is no structure
	seen      map[int64]bool
	next      int64 // of the directory that was read last
}

// field is an entry of a directory: where its values lie.
type field struct {
	typ   uint16
	count int64
	at    int64 // from the file's start
}

// dir is a directory (IFD): the first entry of each tag.
type dir map[uint16]field

const mostDirs = 64

// newTIFF reads the header. ORF and RW2 have their own magic numbers.
func newTIFF(s *source, base, end int64) *tiff {
	t := &tiff{s: s, base: base, end: min(end, s.size), order: binary.BigEndian, seen: map[int64]bool{}}
	b := s.bytes(base, 8)
	if b == nil || end-base < 8 {
		return t
	}
	switch string(b[:2]) {
	case "II":
		t.order = binary.LittleEndian
	case "MM":
	default:
		return t
	}
	t.first = int64(t.order.Uint32(b[4:8]))
	return t
}

// sizes of one value by type; 0 for types that do not exist.
var typeSizes = [...]int64{0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4}

// readDir reads the directory at an offset from base. A directory is read once: pointers that form a circle end there.
func (t *tiff) readDir(off int64) dir {
	t.next = 0
	if off <= 0 || t.seen[off] || len(t.seen) >= mostDirs || !t.s.entry() {
		return nil
	}
	t.seen[off] = true
	return t.entries(off)
}

func (t *tiff) entries(off int64) dir {
	at := t.base + off
	b := t.s.bytes(at, 2)
	if b == nil || at+2 > t.end {
		return nil
	}
	n := int64(t.order.Uint16(b))
	n = min(n, (t.end-at-2)/12) // a lying count ends with the structure
	d := dir{}
	for i := range n {
		b := t.s.bytes(at+2+12*i, 12)
		if b == nil || !t.s.entry() {
			return d
		}
		t.add(d, b, at+2+12*i)
	}
	if b := t.s.bytes(at+2+12*n, 4); b != nil && at+2+12*n+4 <= t.end {
		t.next = int64(t.order.Uint32(b))
	}
	return d
}

// add takes an entry of twelve octets, if its values lie inside.
func (t *tiff) add(d dir, b []byte, at int64) {
	tag := t.order.Uint16(b)
	f := field{typ: t.order.Uint16(b[2:]), count: int64(t.order.Uint32(b[4:])), at: at + 8}
	if _, twice := d[tag]; twice || int(f.typ) >= len(typeSizes) || typeSizes[f.typ] == 0 {
		return
	}
	size := typeSizes[f.typ] * f.count
	if size > 4 {
		f.at = t.base + int64(t.order.Uint32(b[8:]))
	}
	if f.count > 0 && f.at >= t.base && f.at+size <= t.end {
		d[tag] = f
	}
}

// length is the field's size in octets.
func (f field) length() int64 {
	if int(f.typ) >= len(typeSizes) {
		return 0
	}
	return typeSizes[f.typ] * f.count
}

// text reads text; a long one is cut.
func (t *tiff) text(f field) string {
	if f.count == 0 || typeSizes[f.typ] != 1 {
		return ""
	}
	return clean(t.s.bytes(f.at, int(min(f.count, 1024))))
}

// uint reads the first value as a whole number.
func (t *tiff) uint(f field) int64 { return t.uintAt(f, 0) }

func (t *tiff) uintAt(f field, i int64) int64 {
	if i >= f.count {
		return 0
	}
	size := typeSizes[f.typ]
	b := t.s.bytes(f.at+i*size, int(size))
	if b == nil {
		return 0
	}
	switch f.typ {
	case 1, 6, 7:
		return int64(b[0])
	case 3, 8:
		return int64(t.order.Uint16(b))
	case 4, 9, 13:
		return int64(t.order.Uint32(b))
	}
	return 0
}

// ratio reads a value as a fraction; false if it is none, or not finite.
func (t *tiff) ratio(f field, i int64) (float64, bool) {
	if i >= f.count || f.typ != 5 && f.typ != 10 {
		if f.typ == 3 || f.typ == 4 || f.typ == 1 {
			return float64(t.uintAt(f, i)), i < f.count
		}
		return 0, false
	}
	b := t.s.bytes(f.at+8*i, 8)
	if b == nil {
		return 0, false
	}
	n, d := float64(t.order.Uint32(b)), float64(t.order.Uint32(b[4:]))
	if f.typ == 10 {
		n, d = float64(int32(t.order.Uint32(b))), float64(int32(t.order.Uint32(b[4:])))
	}
	if d == 0 {
		return 0, false
	}
	v := n / d
	return v, !math.IsInf(v, 0) && !math.IsNaN(v)
}
