package photo

import (
	"bytes"
	"context"
	"encoding/binary"
	"image"
	"image/jpeg"
	"image/png"
	"slices"
	"testing"
)

// Small files, made here: each as a camera would write it, and as nobody should.

// entry is a field for buildTIFF: text, numbers, fractions or octets.
type entry struct {
	tag uint16
	val any // string, []uint16, []uint32, []rational, []byte (undefined), *tree
}

type rational [2]uint32

// tree is a directory with those that it points to.
type tree []entry

func (t tree) with(more ...entry) tree { return append(slices.Clone(t), more...) }

// buildTIFF writes header, directories and values.
func buildTIFF(order binary.AppendByteOrder, root tree) []byte {
	w := &tiffWriter{order: order}
	if order == binary.AppendByteOrder(binary.LittleEndian) {
		w.b = append(w.b, "II*\x00"...)
	} else {
		w.b = append(w.b, "MM\x00*"...)
	}
	w.b = order.AppendUint32(w.b, 8)
	w.dir(root)
	return w.b
}

// buildCR2 is buildTIFF with Canon's longer header.
func buildCR2(root tree) []byte {
	w := &tiffWriter{order: binary.LittleEndian, b: []byte("II*\x00\x10\x00\x00\x00CR\x02\x00\x00\x00\x00\x00")}
	w.dir(root)
	return w.b
}

type tiffWriter struct {
	order binary.AppendByteOrder
	b     []byte
}

func (w *tiffWriter) put32(at int, v uint32) { copy(w.b[at:], w.order.AppendUint32(nil, v)) }

func (w *tiffWriter) dir(d tree) int {
	at := len(w.b)
	w.b = w.order.AppendUint16(w.b, uint16(len(d)))
	first := len(w.b)
	w.b = append(w.b, make([]byte, 12*len(d)+4)...)
	for i, e := range d {
		typ, count, val := w.value(e.val)
		if child, ok := e.val.(tree); ok {
			val = w.order.AppendUint32(nil, uint32(w.dir(child)))
		}
		head := w.order.AppendUint16(nil, e.tag)
		head = w.order.AppendUint16(head, typ)
		head = w.order.AppendUint32(head, count)
		at := first + 12*i
		copy(w.b[at:], head)
		if len(val) <= 4 {
			copy(w.b[at+8:], val)
			continue
		}
		w.put32(at+8, uint32(len(w.b)))
		w.b = append(w.b, val...)
	}
	return at
}

func (w *tiffWriter) value(v any) (typ uint16, count uint32, b []byte) {
	switch v := v.(type) {
	case string:
		return 2, uint32(len(v) + 1), append([]byte(v), 0)
	case []byte:
		return 7, uint32(len(v)), v
	case []uint16:
		for _, n := range v {
			b = w.order.AppendUint16(b, n)
		}
		return 3, uint32(len(v)), b
	case []uint32:
		for _, n := range v {
			b = w.order.AppendUint32(b, n)
		}
		return 4, uint32(len(v)), b
	case []rational:
		for _, n := range v {
			b = w.order.AppendUint32(w.order.AppendUint32(b, n[0]), n[1])
		}
		return 5, uint32(len(v)), b
	case tree:
		return 4, 1, nil
	}
	panic("no such value")
}

var (
	aCamera   = tree{{tagMake, "Holdfast "}, {tagModel, "One\x00junk"}, {tagOrientation, []uint16{6}}, {tagDateTime, "2024:02:03 04:05:06"}}
	aShot     = tree{{tagOriginal, "2023:05:01 12:00:00"}, {tagSubSecOriginal, "25"}, {tagLensModel, "Lens 35mm"}}
	aPosition = tree{
		{gpsLatRef, "S"}, {gpsLat, []rational{{33, 1}, {30, 1}, {0, 1}}}, {gpsLonRef, "E"}, {gpsLon, []rational{{151, 1}, {1230, 100}, {0, 0}}},
		{gpsAltRef, []byte{1}}, {gpsAlt, []rational{{25, 2}}}, {gpsDate, "2023:05:01"}, {gpsTime, []rational{{1, 1}, {58, 1}, {30, 1}}},
	}
)

// exifOf is what a whole EXIF block says.
func exifOf(shot, position tree) []byte {
	d := aCamera
	if shot != nil {
		d = d.with(entry{tagExifIFD, shot})
	}
	if position != nil {
		d = d.with(entry{tagGPSIFD, position})
	}
	return buildTIFF(binary.BigEndian, d)
}

func pixels(w, h int) image.Image { return image.NewGray(image.Rect(0, 0, w, h)) }

// jpegWith is a JPEG with segments after its first marker.
func jpegWith(w, h int, segments ...[]byte) []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, pixels(w, h), nil); err != nil {
		panic(err)
	}
	return slices.Concat(append(append([][]byte{b.Bytes()[:2]}, segments...), b.Bytes()[2:])...)
}

func app1(head string, body []byte) []byte {
	b := []byte{0xff, 0xe1}
	return append(append(binary.BigEndian.AppendUint16(b, uint16(2+len(head)+len(body))), head...), body...)
}

// aProfile is no profile that anybody could use, but has the shape of one.
func aProfile(space string) []byte {
	b := make([]byte, 200)
	copy(b, packed(200))
	copy(b[16:], space)
	copy(b[36:], "acsp")
	return b
}

func profileSegment(profile []byte) []byte {
	b := append([]byte("ICC_PROFILE\x00\x01\x01"), profile...)
	return append(binary.BigEndian.AppendUint16([]byte{0xff, 0xe2}, uint16(2+len(b))), b...)
}

func exifSegment(tiff []byte) []byte { return app1("Exif\x00\x00", tiff) }
func xmpSegment(text string) []byte {
	return app1("http://ns.adobe.com/xap/1.0/\x00", []byte(xmpPacket(text)))
}

func xmpPacket(attrs string) string {
	return `<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description ` +
		`xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" ` +
		attrs + `</rdf:RDF></x:xmpmeta><?xpacket end="w"?>`
}

func pngWith(w, h int, kind string, body []byte) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, pixels(w, h)); err != nil {
		panic(err)
	}
	const afterHeader = 8 + 25
	chunk := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	chunk = append(append(append(chunk, kind...), body...), 0, 0, 0, 0)
	return slices.Concat(b.Bytes()[:afterHeader], chunk, b.Bytes()[afterHeader:])
}

func riff(chunks ...[]byte) []byte {
	body := append([]byte("WEBP"), slices.Concat(chunks...)...)
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...)
}

func riffChunk(kind string, body []byte) []byte {
	b := append(binary.LittleEndian.AppendUint32([]byte(kind), uint32(len(body))), body...)
	if len(body)&1 == 1 {
		b = append(b, 0)
	}
	return b
}

// bx builds a box.
func bx(kind string, parts ...any) []byte {
	body := packed(parts...)
	return append(append(binary.BigEndian.AppendUint32(nil, uint32(8+len(body))), kind...), body...)
}

// packed writes numbers in their size, text and octets one after the other.
func packed(parts ...any) (b []byte) {
	for _, p := range parts {
		switch p := p.(type) {
		case byte:
			b = append(b, p)
		case uint16:
			b = binary.BigEndian.AppendUint16(b, p)
		case uint32:
			b = binary.BigEndian.AppendUint32(b, p)
		case int:
			b = binary.BigEndian.AppendUint32(b, uint32(int32(p)))
		case string:
			b = append(b, p...)
		case []byte:
			b = append(b, p...)
		default:
			panic("packed")
		}
	}
	return b
}

// heifWith is a picture of an item with that size, turned by props, and an EXIF item behind the boxes.
func heifWith(brand string, w, h int, exif []byte, props ...[]byte) []byte {
	ftyp := bx("ftyp", brand, 0, "mif1", brand)
	about := []byte{1}
	for i := range props {
		about = append(about, byte(i+2))
	}
	meta := func(at int) []byte {
		return bx("meta", 0, bx("hdlr", 0, 0, "pict", 0, 0, 0, byte(0)), bx("pitm", 0, uint16(1)),
			bx("iinf", 0, uint16(2), bx("infe", 2<<24, uint16(1), uint16(0), "hvc1\x00"), bx("infe", 2<<24, uint16(2), uint16(0), "Exif\x00")),
			bx("iloc", 0, uint16(0x4400), uint16(1), uint16(2), uint16(0), uint16(1), at, len(exif)+4),
			bx("iprp", bx("ipco", bx("ispe", 0, w, h), slices.Concat(props...)), bx("ipma", 0, 1, uint16(1), byte(len(about)), about)))
	}
	size := len(ftyp) + len(meta(0)) + 8
	return slices.Concat(ftyp, meta(size), bx("mdat", 0, exif))
}

// movWith is a film of 4.5 seconds, taken 2023-05-01 10:00:00 UTC.
func movWith(brand string, matrix [4]int, more ...[]byte) []byte {
	const created = 2082844800 + 1682935200
	c := uint32(created)
	tkhd := bx("tkhd", 7, c, c, 1, 0, 4500, 0, 0, 0, 0, matrix[0]<<16, matrix[1]<<16, 0, matrix[2]<<16, matrix[3]<<16, 0, 0, 0, 1<<30, 1920<<16, 1080<<16)
	vide := bx("mdia", bx("hdlr", 0, 0, "vide", 0, 0, 0, byte(0)))
	soun := bx("trak", bx("tkhd", 7, c, c, 2, 0), bx("mdia", bx("hdlr", 0, 0, "soun", 0, 0, 0, byte(0))))
	moov := bx("moov", bx("mvhd", 0, c, c, 1000, 4500, make([]byte, 80)), soun, bx("trak", tkhd, vide), slices.Concat(more...))
	return slices.Concat(bx("ftyp", brand, 512, brand), bx("mdat", make([]byte, 64)), moov)
}

// keysBox is QuickTime's metadata.
func keysBox(pairs ...string) []byte {
	var keys, values []byte
	for i := 0; i < len(pairs); i += 2 {
		keys = append(keys, packed(8+len(pairs[i]), "mdta", pairs[i])...)
		values = append(values, bx(string(packed(i/2+1)), bx("data", 1, 0, pairs[i+1]))...)
	}
	return bx("meta", bx("hdlr", 0, 0, "mdta", 0, 0, 0, byte(0)), bx("keys", 0, len(pairs)/2, keys), bx("ilst", values))
}

func readBytes(t testing.TB, b []byte, name string) Info {
	info, err := Read(context.Background(), bytes.NewReader(b), int64(len(b)), name)
	if err != nil {
		t.Fatal(err)
	}
	return info
}
