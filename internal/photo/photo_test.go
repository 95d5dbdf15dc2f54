package photo

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// samples are files with what is to be read of them.
func samples() map[string]struct {
	name string
	file []byte
	want string
} {
	type sample = struct {
		name string
		file []byte
		want string
	}
	whole := exifOf(aShot, aPosition)
	note := packed("Apple iOS\x00", "\x00\x01MM", uint16(1), uint16(0x11), uint16(2), 37, 32, 0, "570F1469-09C7-4E50-9875-05F21D5BD166\x00")
	apple := exifOf(aShot.with(entry{tagOffsetOriginal, "+02:00"}, entry{tagMakerNote, note}), nil)
	quick := keysBox("com.apple.quicktime.creationdate", "2023-05-01T12:00:00+0200", "com.apple.quicktime.location.ISO6709", "+52.5200+013.4050+034.5/",
		"com.apple.quicktime.make", "Apple", "com.apple.quicktime.model", "iPhone", "com.apple.quicktime.content.identifier", "570F1469-09C7-4E50-9875-05F21D5BD166")
	return map[string]sample{
		"zone by satellites": {"a.jpg", jpegWith(40, 30, exifSegment(whole)),
			"jpeg | 30x40 | 6 | 2023-05-01T12:00:00.25+10:00 derived by EXIF DateTimeOriginal, zone by GPS time | -33.5000 151.2050 -12m | Holdfast, One, Lens 35mm"},
		"zone as stated, and a pair": {"a.JPG", jpegWith(40, 30, exifSegment(apple)),
			"jpeg | 30x40 | 6 | 2023-05-01T12:00:00.25+02:00 stated by EXIF DateTimeOriginal with its offset | - | Holdfast, One, Lens 35mm | pair 570F1469-09C7-4E50-9875-05F21D5BD166"},
		"satellites of long ago": {"a.jpg", jpegWith(40, 30, exifSegment(exifOf(tree{{tagOriginal, "2023:05:01 12:06:00"}}, aPosition))),
			"jpeg | 30x40 | 6 | 2023-05-01T12:06:00 wall clock by EXIF DateTimeOriginal | -33.5000 151.2050 -12m | Holdfast, One"},
		"satellites alone":     {"a.jpg", jpegWith(40, 30, exifSegment(exifOf(nil, aPosition))), "jpeg | 30x40 | 6 | 2023-05-01T01:58:30Z derived by GPS time | -33.5000 151.2050 -12m | Holdfast, One"},
		"no zone":              {"a.jpg", jpegWith(40, 30, exifSegment(exifOf(aShot, nil))), "jpeg | 30x40 | 6 | 2023-05-01T12:00:00.25 wall clock by EXIF DateTimeOriginal | - | Holdfast, One, Lens 35mm"},
		"edited alone":         {"a.jpg", jpegWith(40, 30, exifSegment(exifOf(nil, nil))), "jpeg | 30x40 | 6 | 2024-02-03T04:05:06 guessed by EXIF DateTime | - | Holdfast, One"},
		"little-endian":        {"a.jpg", jpegWith(40, 30, exifSegment(buildTIFF(binary.LittleEndian, aCamera.with(entry{tagExifIFD, aShot})))), "jpeg | 30x40 | 6 | 2023-05-01T12:00:00.25 wall clock by EXIF DateTimeOriginal | - | Holdfast, One, Lens 35mm"},
		"XMP alone":            {"a.jpg", jpegWith(40, 30, xmpSegment(`exif:DateTimeOriginal="2023-05-01T12:00:00+02:00" exif:GPSLatitude="52,31.2N" exif:GPSLongitude="13,24,18W" tiff:Orientation="3"><tiff:Make> M </tiff:Make></rdf:Description>`)), "jpeg | 40x30 | 3 | 2023-05-01T12:00:00+02:00 stated by XMP DateTimeOriginal | 52.5200 -13.4050 | M"},
		"XMP gives the zone":   {"a.jpg", jpegWith(40, 30, xmpSegment(`photoshop:DateCreated="2023-05-01T12:00:00.25+02:00" tiff:Make="other"/>`), exifSegment(exifOf(aShot, nil))), "jpeg | 30x40 | 6 | 2023-05-01T12:00:00.25+02:00 stated by XMP DateCreated | - | Holdfast, One, Lens 35mm"},
		"XMP of another time":  {"a.jpg", jpegWith(40, 30, xmpSegment(`photoshop:DateCreated="2022-05-01T12:00:00+02:00"/>`), exifSegment(exifOf(aShot, nil))), "jpeg | 30x40 | 6 | 2023-05-01T12:00:00.25 wall clock by EXIF DateTimeOriginal | - | Holdfast, One, Lens 35mm"},
		"XMP names the place":  {"a.jpg", jpegWith(4, 3, xmpSegment(`xmlns:c="http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/" c:Location="Old bridge" photoshop:City="Berlin" photoshop:State="Berlin"><photoshop:Country>Germany</photoshop:Country></rdf:Description>`)), "jpeg | 4x3 | 1 | - | - |  | in Old bridge, Berlin, Germany"},
		"name alone":           {"Photos/IMG_20230501_123456.jpg", jpegWith(4, 3), "jpeg | 4x3 | 1 | 2023-05-01T12:34:56 guessed by name | - | "},
		"screenshot":           {"Screenshot 2023-05-01 at 12.34.56.png", pngWith(4, 3, "tIME", make([]byte, 7)), "png | 4x3 | 1 | 2023-05-01T12:34:56 guessed by name | - | "},
		"name in UTC":          {"PXL_20230501_123456789.jpg", jpegWith(4, 3), "jpeg | 4x3 | 1 | 2023-05-01T12:34:56Z guessed by name | - | "},
		"name of a day":        {"IMG-20230501-WA0001.jpg", jpegWith(4, 3), "jpeg | 4x3 | 1 | 2023-05-01T12:00:00 guessed by name, of the day alone | - | "},
		"no clock":             {"a.jpg", jpegWith(4, 3, exifSegment(exifOf(tree{{tagOriginal, "0000:00:00 00:00:00"}}, nil))), "jpeg | 3x4 | 6 | 2024-02-03T04:05:06 guessed by EXIF DateTime | - | Holdfast, One"},
		"PNG":                  {"a.png", pngWith(40, 30, "eXIf", whole), "png | 30x40 | 6 | 2023-05-01T12:00:00.25+10:00 derived by EXIF DateTimeOriginal, zone by GPS time | -33.5000 151.2050 -12m | Holdfast, One, Lens 35mm"},
		"PNG with XMP":         {"a.png", pngWith(40, 30, "iTXt", []byte("XML:com.adobe.xmp\x00\x00\x00\x00\x00"+xmpPacket(`exif:DateTimeOriginal="2023-05-01T12:00:00Z"/>`))), "png | 40x30 | 1 | 2023-05-01T12:00:00Z stated by XMP DateTimeOriginal | - | "},
		"WebP":                 {"a.webp", riff(riffChunk("VP8X", packed(0, byte(39), uint16(0), byte(29), uint16(0))), riffChunk("EXIF", whole)), "webp | 30x40 | 6 | 2023-05-01T12:00:00.25+10:00 derived by EXIF DateTimeOriginal, zone by GPS time | -33.5000 151.2050 -12m | Holdfast, One, Lens 35mm"},
		"WebP without loss":    {"a.webp", riff(riffChunk("VP8L", binary.LittleEndian.AppendUint32([]byte{0x2f}, 39|29<<14))), "webp | 40x30 | 1 | - | - | "},
		"WebP with loss":       {"a.webp", riff(riffChunk("VP8 ", []byte{0, 0, 0, 0x9d, 1, 0x2a, 40, 0, 30, 0})), "webp | 40x30 | 1 | - | - | "},
		"GIF":                  {"a.gif", []byte("GIF89a\x28\x00\x1e\x00\x00\x00\x00;"), "gif | 40x30 | 1 | - | - | "},
		"HEIC, turned by box":  {"a.heic", heifWith("heic", 40, 30, apple, bx("irot", byte(3))), "heic | 30x40 | 6 | 2023-05-01T12:00:00.25+02:00 stated by EXIF DateTimeOriginal with its offset | - | Holdfast, One, Lens 35mm | pair 570F1469-09C7-4E50-9875-05F21D5BD166"},
		"HEIC, EXIF must not":  {"a.heic", heifWith("heic", 40, 30, apple), "heic | 40x30 | 1 | 2023-05-01T12:00:00.25+02:00 stated by EXIF DateTimeOriginal with its offset | - | Holdfast, One, Lens 35mm | pair 570F1469-09C7-4E50-9875-05F21D5BD166"},
		"AVIF":                 {"a.avif", heifWith("avif", 40, 30, whole, bx("imir", byte(1))), "avif | 40x30 | 2 | 2023-05-01T12:00:00.25+10:00 derived by EXIF DateTimeOriginal, zone by GPS time | -33.5000 151.2050 -12m | Holdfast, One, Lens 35mm"},
		"QuickTime":            {"a.mov", movWith("qt  ", [4]int{0, 1, -1, 0}, quick), "mov | 1080x1920 | 6 | 2023-05-01T12:00:00+02:00 stated by QuickTime creationdate | 52.5200 13.4050 34m | Apple, iPhone | pair 570F1469-09C7-4E50-9875-05F21D5BD166 | 4.5s"},
		"MP4, header alone":    {"a.mp4", movWith("isom", [4]int{1, 0, 0, 1}), "mp4 | 1920x1080 | 1 | 2023-05-01T10:00:00Z guessed by film header, UTC by the standard | - |  | 4.5s"},
		"MP4, zone by name":    {"VID_20230501_115956.mp4", movWith("mp42", [4]int{-1, 0, 0, -1}, bx("udta", bx("\xa9xyz", uint16(18), uint16(0x15c7), "+52.5200-013.4050/"))), "mp4 | 1920x1080 | 3 | 2023-05-01T11:59:56+02:00 derived by name, zone by the film's header | 52.5200 -13.4050 |  | 4.5s"},
		"film that was cut":    {"a.mp4", movWith("isom", [4]int{1, 0, 0, 1})[:60], "mp4 | 0x0 | 1 | - | - |  | the film has no moov box: it was cut, or its upload was"},
		"film without a brand": {"a.mov", movWith("qt  ", [4]int{1, 0, 0, 1})[20:], "mov | 1920x1080 | 1 | 2023-05-01T10:00:00Z guessed by film header, UTC by the standard | - |  | 4.5s"},
		"sound alone":          {"a.m4a", append(bx("ftyp", "M4A ", 512, "M4A mp42"), bx("moov", bx("mvhd", 0, 0, 0, 1000, 4500, make([]byte, 80)))...), "mp4 | 0x0 | 1 | - | - |  | 4.5s | the film has no pictures: it is sound, or damaged"},
		"cut":                  {"a.jpg", jpegWith(4, 3, exifSegment(whole))[:60], "jpeg | 0x0 | 1 | - | - |  | the JPEG ends before its picture"},
		"text":                 {"a.jpg", []byte("this is no photo, whatever its name says"), " | 0x0 | 1 | - | - | "},
		"nothing":              {"a.jpg", nil, " | 0x0 | 1 | - | - | "},
	}
}

func TestRead(t *testing.T) {
	for what, s := range samples() {
		if got := describe(readBytes(t, s.file, s.name)); got != s.want {
			t.Errorf("%s:\n is   %s\n want %s", what, got, s.want)
		}
	}
}

// rawFile is a RAW file: a thumbnail in the first directory, a preview and what the sensor saw below.
func rawFile(maker string, magic string, more ...entry) []byte {
	preview := jpegWith(64, 48)
	small := jpegWith(16, 12)
	build := func(at uint32) []byte {
		d := tree{{tagSubfileType, []uint32{1}}, {tagImageWidth, []uint32{16}}, {tagImageLength, []uint32{12}}, {tagMake, maker}, {tagOrientation, []uint16{8}},
			{tagJPEGOffset, []uint32{at}}, {tagJPEGLength, []uint32{uint32(len(small))}},
			{tagSubIFDs, tree{{tagSubfileType, []uint32{0}}, {tagImageWidth, []uint32{640}}, {tagImageLength, []uint32{480}}, {tagCompression, []uint16{7}},
				{tagStripOffsets, []uint32{at + uint32(len(small))}}, {tagStripByteCounts, []uint32{uint32(len(preview))}}}},
			{tagExifIFD, aShot}}
		b := buildTIFF(binary.LittleEndian, d.with(more...))
		copy(b, magic)
		return b
	}
	at := len(build(0))
	return append(append(build(uint32(at)), small...), preview...)
}

func TestRaw(t *testing.T) {
	for _, c := range []struct {
		file []byte
		kind Kind
	}{
		{rawFile("NIKON CORPORATION", ""), NEF},
		{rawFile("SONY", ""), ARW},
		{rawFile("Canon", "", entry{tagDNGVersion, []byte{1, 6, 0, 0}}), DNG},
		{rawFile("OLYMPUS", "IIRO"), ORF},
		{rawFile("Canon", ""), TIFF},
	} {
		i := readBytes(t, c.file, "x."+string(c.kind))
		if i.Kind != c.kind || i.Width != 480 && c.kind != TIFF || i.Orientation != 8 || i.Camera.Lens != "Lens 35mm" {
			t.Errorf("%s is read as %s", c.kind, describe(i))
		}
		if c.kind == TIFF {
			continue
		}
		p := i.Preview
		if p == nil || p.Width != 64 || p.Height != 48 || !bytes.HasPrefix(c.file[p.Offset:], []byte{0xff, 0xd8, 0xff}) || p.Offset+p.Length > int64(len(c.file)) {
			t.Errorf("%s: the preview is %+v; %s", c.kind, p, describe(i))
		}
	}
}

// TestOtherRaw reads the kinds with containers of their own: Canon's two, Fujifilm's and Panasonic's.
func TestOtherRaw(t *testing.T) {
	preview := jpegWith(64, 48)
	cr2 := func(at int) []byte {
		return buildCR2(tree{{tagImageWidth, []uint16{64}}, {tagImageLength, []uint16{48}}, {tagCompression, []uint16{6}}, {tagStripOffsets, []uint32{uint32(at)}},
			{tagStripByteCounts, []uint32{uint32(len(preview))}}, {tagExifIFD, aShot.with(entry{tagPixelX, []uint16{640}}, entry{tagPixelY, []uint16{480}})}})
	}
	raf := append(append(append([]byte("FUJIFILMCCD-RAW 0201"), make([]byte, 64)...), packed(92, len(preview))...), preview...)
	rw2 := func(at uint32) []byte {
		b := buildTIFF(binary.LittleEndian, tree{{4, []uint16{10}}, {5, []uint16{20}}, {6, []uint16{490}}, {7, []uint16{660}}, {0x2e, preview}, {tagExifIFD, aShot}})
		copy(b, "IIU\x00")
		return b
	}
	shot := buildTIFF(binary.LittleEndian, aShot)
	first := buildTIFF(binary.LittleEndian, aCamera.with(entry{tagImageWidth, []uint32{640}}, entry{tagImageLength, []uint32{480}}))
	cr3 := append(append(bx("ftyp", "crx ", 1, "crx isom"), bx("moov", bx("uuid", canonFacts, bx("CMT1", first), bx("CMT2", shot)))...),
		bx("uuid", canonPreview, 0, 1, bx("PRVW", 0, uint16(1), uint16(64), uint16(48), uint16(1), len(preview), preview))...)
	for _, c := range []struct {
		file []byte
		want string
	}{
		{raf, "raf | 64x48"},
		{rw2(0), "rw2 | 640x480"},
		{cr3, "cr3 | 480x640 | 6 | 2023-05-01T12:00:00.25 wall clock by EXIF DateTimeOriginal"},
		{append(cr2(len(cr2(0))), preview...), "cr2 | 640x480"},
	} {
		i := readBytes(t, c.file, "a")
		if got := describe(i); !strings.HasPrefix(got, c.want) {
			t.Errorf("is %s, want %s", got, c.want)
		}
		if i.Preview == nil || i.Preview.Width != 64 {
			t.Errorf("%s: the preview is %+v", i.Kind, i.Preview)
		}
	}
}

func TestProfile(t *testing.T) {
	colr := func(space string) []byte { return bx("colr", "prof", aProfile(space)) }
	for what, c := range map[string]struct {
		file []byte
		want bool
	}{
		"JPEG":            {jpegWith(4, 3, profileSegment(aProfile("RGB "))), true},
		"JPEG of inks":    {jpegWith(4, 3, profileSegment(aProfile("CMYK"))), false},
		"JPEG, cut":       {jpegWith(4, 3, profileSegment(aProfile("RGB ")[:150])), false},
		"HEIC":            {heifWith("heic", 4, 3, exifOf(nil, nil), colr("RGB ")), true},
		"HEIC of grays":   {heifWith("heic", 4, 3, exifOf(nil, nil), colr("GRAY")), false},
		"WebP":            {riff(riffChunk("ICCP", aProfile("RGB "))), true},
		"WebP without":    {riff(riffChunk("ICCP", nil)), false},
		"HEIC, by number": {heifWith("heic", 4, 3, exifOf(nil, nil), bx("colr", "nclx", aProfile("RGB "))), false},
	} {
		if i := readBytes(t, c.file, ""); (i.Profile != nil) != c.want || c.want && !bytes.Equal(i.Profile, aProfile("RGB ")) {
			t.Errorf("%s: the profile is %x", what, i.Profile)
		}
	}
}

func TestWhatLies(t *testing.T) {
	for _, c := range []struct {
		name string
		file []byte
		lies bool
	}{
		{"a.png", jpegWith(4, 3), true},
		{"a.heic", jpegWith(4, 3), true},
		{"a.JPEG", jpegWith(4, 3), false},
		{"a", jpegWith(4, 3), false},
		{"a.jpg", []byte("<html>"), true},
		{"a.mov", movWith("mp42", [4]int{1, 0, 0, 1}), false},
		{"a.jpg", movWith("mp42", [4]int{1, 0, 0, 1}), true},
		{"notes.txt", []byte("x"), false},
	} {
		if i := readBytes(t, c.file, c.name); i.Lies() != c.lies {
			t.Errorf("%s is %q: lies is %v", c.name, i.Kind, i.Lies())
		}
	}
}

// turn does to a grid what an orientation says, by its definition: where row 0 and column 0 of what is stored are shown (TIFF 6.0, tag 274).
func turn(o int, w, h, x, y int) (int, int) {
	switch o {
	case 2:
		return w - 1 - x, y
	case 3:
		return w - 1 - x, h - 1 - y
	case 4:
		return x, h - 1 - y
	case 5:
		return y, x
	case 6:
		return h - 1 - y, x
	case 7:
		return h - 1 - y, w - 1 - x
	case 8:
		return y, w - 1 - x
	}
	return x, y
}

func TestTurnsAddUp(t *testing.T) {
	const w, h = 5, 3
	for o := 1; o <= 8; o++ {
		sw, sh := w, h // as shown after o
		if o >= 5 {
			sw, sh = h, w
		}
		for x := range w {
			for y := range h {
				sx, sy := turn(o, w, h, x, y)
				for step, s := range map[int][2]int{turnLeft[o]: {sy, sw - 1 - sx}, mirror[0][o]: {sx, sh - 1 - sy}, mirror[1][o]: {sw - 1 - sx, sy}} {
					if gx, gy := turn(step, w, h, x, y); gx != s[0] || gy != s[1] {
						t.Fatalf("%d then a step is not %d", o, step)
					}
				}
			}
		}
	}
}

// counting is a reader that counts, and whose every octet is the same pattern without end: what lies about its length meets it.
type counting struct {
	b     []byte
	reads int
	read  int64
}

func (c *counting) ReadAt(p []byte, off int64) (int, error) {
	c.reads++
	c.read += int64(len(p))
	for i := range p {
		p[i] = c.b[(off+int64(i))%int64(len(c.b))]
	}
	return len(p), nil
}

// TestBounds reads files that want to be read for ever: boxes without end, directories in circles, counts that lie.
func TestBounds(t *testing.T) {
	circle := buildTIFF(binary.LittleEndian, tree{{tagOrientation, []uint16{1}}, {tagSubIFDs, []uint32{8}}})
	circle[len(circle)-4] = 8 // the next directory is this one, as the one below is
	copy(circle, "IIRO")
	for what, b := range map[string][]byte{
		"boxes without end":      bx("ftyp", "isom", 0, "isom"),
		"empty boxes":            append(bx("ftyp", "isom", 0, "isom"), bytes.Repeat(bx("free"), 100)...),
		"metas":                  bytes.Repeat(bx("ftyp", "heic", 0, "mif1"), 10),
		"segments without end":   append([]byte{0xff, 0xd8, 0xff, 0xe2, 0, 2}, bytes.Repeat([]byte{0xff, 0xe2, 0, 2}, 1000)...),
		"padding without end":    append([]byte{0xff, 0xd8, 0xff}, bytes.Repeat([]byte{0xff}, 1000)...),
		"chunks without end":     append([]byte("\x89PNG\r\n\x1a\n"), bytes.Repeat([]byte("\x00\x00\x00\x00tEXt\x00\x00\x00\x00"), 1000)...),
		"riff chunks":            append([]byte("RIFF\xff\xff\xff\xffWEBP"), bytes.Repeat([]byte("\x00\x00\x00\x00ABCD"), 1000)...),
		"directories in circles": circle,
		"counts that lie":        append([]byte("II*\x00\x08\x00\x00\x00\xff\xff"), bytes.Repeat([]byte("\x00\x01\x02\x00\xff\xff\xff\x7f\x08\x00\x00\x00"), 100)...),
	} {
		c := &counting{b: b}
		before := time.Now()
		i, err := Read(context.Background(), c, 1<<40, "a")
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if what == "directories in circles" && contains(i.Problems, "reading stopped: more than 20000 entries") {
			t.Error("a circle was walked until the limits")
		}
		if c.read > DefaultLimits.Octets || c.reads > DefaultLimits.Reads || time.Since(before) > 2*time.Second {
			t.Errorf("%s: %d reads, %d octets, %v: %s", what, c.reads, c.read, time.Since(before), describe(i))
		}
	}
}

// TestAReaderThatFails tells a disk that fails from a file that lies.
func TestAReaderThatFails(t *testing.T) {
	b := jpegWith(40, 30, exifSegment(exifOf(aShot, nil)))
	if _, err := Read(context.Background(), bytes.NewReader(b[:50]), int64(len(b)), "a.jpg"); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a file that is shorter than its size: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Read(ctx, bytes.NewReader(b), int64(len(b)), "a.jpg"); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that is done: %v", err)
	}
}
