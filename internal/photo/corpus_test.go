package photo

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bep/imagemeta"
)

// corpusDir gives photos of real cameras, which are not part of this repository.
func corpusDir(t testing.TB) string {
	dir := os.Getenv("HOLDFAST_PHOTOS")
	if dir == "" {
		dir = "../../../shared/corpus/photos"
	}
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the corpus of photos was not found (HOLDFAST_PHOTOS): %v", err)
		}
		t.Skipf("the corpus of photos was not found (HOLDFAST_PHOTOS): %v", err)
	}
	return dir
}

func describe(i Info) string {
	at := "-"
	if i.Taken.Sure != NotKnown {
		layout := "2006-01-02T15:04:05.999Z07:00"
		if i.Taken.Local {
			layout = "2006-01-02T15:04:05.999"
		}
		at = i.Taken.At.Format(layout) + " " + i.Taken.Sure.String() + " by " + i.Taken.From
	}
	place := "-"
	if i.Place != nil {
		place = fmt.Sprintf("%.4f %.4f", i.Place.Lat, i.Place.Lon)
		if i.Place.HasAlt {
			place += fmt.Sprintf(" %.0fm", i.Place.Alt)
		}
	}
	fields := []string{string(i.Kind), fmt.Sprintf("%dx%d", i.Width, i.Height), fmt.Sprint(i.Orientation), at, place,
		strings.Trim(fmt.Sprintf("%s, %s, %s", i.Camera.Make, i.Camera.Model, i.Camera.Lens), " ,")}
	if i.PlaceName != "" {
		fields = append(fields, "in "+i.PlaceName)
	}
	if i.Pair != "" {
		fields = append(fields, "pair "+i.Pair)
	}
	if i.Duration != 0 {
		fields = append(fields, i.Duration.String())
	}
	return strings.Join(append(fields, i.Problems...), " | ")
}

func readFile(t testing.TB, file string) Info {
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	info, err := Read(context.Background(), f, fi.Size(), filepath.Base(file))
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// corpus is what each photo says, looked at one by one: size, orientation, time, camera, and whether it names a place (p) the other half of a pair (l) or a profile of its colours (c).
var corpus = map[string]string{
	"DSCN0010.jpg":           "640x480 1 2008-10-22T16:28:39 wall clock p NIKON COOLPIX P6000",
	"DSCN0012.jpg":           "640x480 1 2008-10-22T16:29:49 wall clock p NIKON COOLPIX P6000",
	"DSCN0021.jpg":           "640x480 1 2008-10-22T16:38:20 wall clock p NIKON COOLPIX P6000",
	"IMG_5195.HEIC":          "2566x3313 1 2021-04-11T15:47:53.054-05:00 stated plc Apple iPhone 11 Pro Max",
	"canon_hdr_YES.jpg":      "1536x2048 6 2015-02-09T22:48:10 wall clock  Canon Canon PowerShot SX60 HS",
	"corrupted.jpg":          "3648x2736 1 2015-09-08T11:02:17 wall clock  OLYMPUS IMAGING CORP. u1020,S1020",
	"image01088.jpg":         "425x120 1 2010-04-13T09:37:22+02:00 guessed  ",
	"iphone_13_pro_max.HEIC": "3024x4032 6 2022-02-16T12:55:41.762+01:00 stated c Apple iPhone 13 Pro Max",
	"iphone_hdr_YES.jpg":     "3264x2448 1 2015-04-10T20:12:23.55+02:00 derived p Apple iPhone 6",
	"jolla.jpg":              "3264x2448 1 2014-09-21T16:00:56+02:00 stated  Jolla Jolla",
	"landscape_1.jpg":        "600x450 1 not known  ",
	"landscape_3.jpg":        "600x450 3 not known c ",
	"landscape_6.jpg":        "600x450 6 not known c ",
	"landscape_8.jpg":        "600x450 8 not known c ",
	"nikon-e950.jpg":         "800x600 1 2001-04-06T11:51:40 wall clock  NIKON E950",
	"no_exif.jpg":            "322x466 1 2013-09-23T10:09:46+02:00 guessed c ",
	"portrait_5.jpg":         "450x600 5 not known c ",
	"portrait_6.jpg":         "450x600 6 not known c ",
}

// brief is what the table of the corpus says of a photo.
func brief(i Info) string {
	at, marks := "", ""
	switch {
	case i.Taken.Sure == NotKnown:
	case i.Taken.Local:
		at = i.Taken.At.Format("2006-01-02T15:04:05.999 ")
	default:
		at = i.Taken.At.Format("2006-01-02T15:04:05.999Z07:00 ")
	}
	if i.Place != nil {
		marks = "p"
	}
	if i.Pair != "" {
		marks += "l"
	}
	if i.Profile != nil {
		marks += "c"
	}
	return fmt.Sprintf("%dx%d %d %s%s %s %s", i.Width, i.Height, i.Orientation, at, i.Taken.Sure, marks, strings.TrimSpace(i.Camera.Make+" "+i.Camera.Model))
}

func TestCorpus(t *testing.T) {
	dir := corpusDir(t)
	for name, want := range corpus {
		i := readFile(t, filepath.Join(dir, name))
		if got := brief(i); got != want {
			t.Errorf("%s:\n is   %q\n want %q\n %s", name, got, want, describe(i))
		}
		if i.Lies() || len(i.Problems) > 0 {
			t.Errorf("%s: %s", name, describe(i))
		}
	}
}

// TestCorpusAsAnotherReads compares with a reader that others wrote.
func TestCorpusAsAnotherReads(t *testing.T) {
	dir, compared, places := corpusDir(t), 0, 0
	for name := range corpus {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		format := imagemeta.JPEG
		if strings.HasSuffix(name, "HEIC") {
			format = imagemeta.HEIF
		}
		tags := map[string]any{}
		handle := func(i imagemeta.TagInfo) error {
			if _, twice := tags[i.Tag]; !twice && i.Source == imagemeta.EXIF && i.Namespace != "IFD1" {
				tags[i.Tag] = i.Value
			}
			return nil
		}
		if _, err := imagemeta.Decode(imagemeta.Options{R: bytes.NewReader(b), ImageFormat: format, Sources: imagemeta.EXIF, HandleTag: handle}); err != nil {
			t.Logf("%s: the other reader stops: %v", name, err)
		}
		i := readBytes(t, b, name)
		text := func(tag string) string { s, _ := tags[tag].(string); return strings.TrimSpace(s) }
		if text("Make") != i.Camera.Make || text("Model") != i.Camera.Model || text("LensModel") != i.Camera.Lens {
			t.Errorf("%s: the camera is %+v, the other reads %q %q %q", name, i.Camera, text("Make"), text("Model"), text("LensModel"))
		}
		if at := text("DateTimeOriginal"); at != "" {
			compared++
			if got := i.Taken.At.Format("2006:01:02 15:04:05"); got != at {
				t.Errorf("%s: taken %s, the other reads %s", name, got, at)
			}
		}
		if lat, _ := tags["GPSLatitude"].(float64); lat != 0 { // it reads 0 of the Nikon's, whose places the table names
			places++
			if p := i.Place; p == nil || math.Abs(math.Abs(p.Lat)-math.Abs(lat)) > 1e-6 {
				t.Errorf("%s: the place is %+v, the other reads %v", name, p, lat)
			}
		}
	}
	if compared < 8 || places < 2 {
		t.Errorf("only %d times and %d places were compared", compared, places)
	}
}
