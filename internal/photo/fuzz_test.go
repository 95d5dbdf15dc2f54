package photo

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// judge holds what every answer is, whatever was read.
func judge(t *testing.T, i Info, c *metered) {
	lim := DefaultLimits
	if c.octets > lim.Octets || c.reads > lim.Reads {
		t.Errorf("%d octets in %d reads", c.octets, c.reads)
	}
	if i.Width < 0 || i.Height < 0 || i.Width > 1<<20 || i.Height > 1<<20 || (i.Width == 0) != (i.Height == 0) || i.Orientation < 1 || i.Orientation > 8 || i.Duration < 0 {
		t.Errorf("%dx%d, orientation %d, %v", i.Width, i.Height, i.Orientation, i.Duration)
	}
	if i.Taken.Sure != NotKnown && !plausible(i.Taken.At) || i.Taken.Sure == NotKnown && !i.Taken.At.IsZero() {
		t.Errorf("taken %+v", i.Taken)
	}
	if p := i.Place; p != nil && (!(math.Abs(p.Lat) <= 90) || !(math.Abs(p.Lon) <= 180) || !(math.Abs(p.Alt) <= 100_000)) {
		t.Errorf("place %+v", *p)
	}
	for _, s := range append(i.Problems, i.Camera.Make, i.Camera.Model, i.Camera.Lens, i.Pair, i.Taken.From) {
		if !utf8.ValidString(s) || utf8.RuneCountInString(s) > 128 || strings.ContainsFunc(s, unicode.IsControl) {
			t.Errorf("text %q", s)
		}
	}
	if p := i.Preview; p != nil && (p.Offset < 0 || p.Length <= 0 || p.Offset+p.Length > c.Size()) {
		t.Errorf("preview %+v of %d octets", *p, c.Size())
	}
	if i.TurnAt < 0 || i.TurnAt >= c.Size() && i.TurnAt > 0 {
		t.Errorf("the turn is at %d of %d octets", i.TurnAt, c.Size())
	}
	if len(i.Problems) > mostProblems {
		t.Errorf("%d problems", len(i.Problems))
	}
}

// metered counts what is read.
type metered struct {
	*bytes.Reader
	octets int64
	reads  int
}

func (m *metered) ReadAt(p []byte, off int64) (int, error) {
	m.octets += int64(len(p))
	m.reads++
	return m.Reader.ReadAt(p, off)
}

func FuzzRead(f *testing.F) {
	for _, s := range samples() {
		f.Add(s.file, s.name)
	}
	f.Add(rawFile("SONY", ""), "a.arw")
	f.Add(rawFile("OLYMPUS", "IIRO"), "a.orf")
	f.Add(append(bx("ftyp", "crx ", 1, "crx isom"), bx("moov", bx("uuid", canonFacts, bx("CMT1", buildTIFF(binary.LittleEndian, aCamera))))...), "a.cr3")
	f.Fuzz(func(t *testing.T, b []byte, name string) {
		c := &metered{Reader: bytes.NewReader(b)}
		i, err := Read(context.Background(), c, int64(len(b)), name)
		if err != nil {
			t.Fatalf("the reader did not fail, and yet: %v", err)
		}
		judge(t, i, c)
	})
}

// FuzzEXIF puts octets where every kind has its EXIF.
func FuzzEXIF(f *testing.F) {
	f.Add(exifOf(aShot, aPosition))
	f.Add(buildTIFF(binary.LittleEndian, aCamera.with(entry{tagExifIFD, aShot})))
	f.Fuzz(func(t *testing.T, b []byte) {
		b = b[:min(len(b), 60000)]
		for _, file := range [][]byte{jpegWith(4, 3, exifSegment(b)), heifWith("heic", 4, 3, b), pngWith(4, 3, "eXIf", b)} {
			c := &metered{Reader: bytes.NewReader(file)}
			i, err := Read(context.Background(), c, int64(len(file)), "")
			if err != nil {
				t.Fatal(err)
			}
			judge(t, i, c)
		}
	})
}

func FuzzXMP(f *testing.F) {
	f.Add(`exif:DateTimeOriginal="2023-05-01T12:00:00+02:00" exif:GPSLatitude="52,31.2N" exif:GPSLongitude="13,24,18W" tiff:Orientation="3"><tiff:Make> M </tiff:Make></rdf:Description>`)
	f.Fuzz(func(t *testing.T, text string) {
		file := jpegWith(4, 3, xmpSegment(text[:min(len(text), 60000)]))
		c := &metered{Reader: bytes.NewReader(file)}
		i, err := Read(context.Background(), c, int64(len(file)), "")
		if err != nil {
			t.Fatal(err)
		}
		judge(t, i, c)
	})
}

// FuzzFilm puts names and values into a film's metadata.
func FuzzFilm(f *testing.F) {
	f.Add("com.apple.quicktime.location.ISO6709", "+52.5200+013.4050+034.5/", "VID_20230501_115956.mp4")
	f.Add("com.apple.quicktime.creationdate", "2023-05-01T12:00:00+0200", "")
	f.Fuzz(func(t *testing.T, key, value, name string) {
		file := movWith("qt  ", [4]int{1, 0, 0, 1}, keysBox(key, value), bx("udta", bx("\xa9xyz", value)))
		c := &metered{Reader: bytes.NewReader(file)}
		i, err := Read(context.Background(), c, int64(len(file)), name)
		if err != nil {
			t.Fatal(err)
		}
		judge(t, i, c)
	})
}

// FuzzFrame takes a frame out of whatever there is.
func FuzzFrame(f *testing.F) {
	film, err := os.ReadFile("decode/testdata/quadrants.mp4")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(film)
	f.Fuzz(func(t *testing.T, b []byte) {
		c := &metered{Reader: bytes.NewReader(b)}
		one, err := Frame(context.Background(), c, int64(len(b)))
		if err != nil && !errors.Is(err, ErrNoFrame) {
			t.Fatal(err)
		}
		if int64(len(one)) > 2*int64(len(b))+1000 {
			t.Errorf("%d octets of %d", len(one), len(b))
		}
	})
}
