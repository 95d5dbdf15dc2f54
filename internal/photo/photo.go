// Package photo reads what a photo or a film says of itself: what it is, when and where it was taken and with what, how it is to be turned, how large it is.
//
// What comes is not trusted. The kind is found by content, never by name. Every parser reads from one bounded source (Limits): so many octets, so many
// reads, so many directories, boxes and entries, and none of them follows a pointer twice. Nothing is decoded. What cannot be read is left out and named in
// Info.Problems; only a failing reader is an error.
package photo

import (
	"context"
	"io"
	"path"
	"strings"
	"time"
)

// Kind is what a file is, by its content.
type Kind string

// The kinds that are known. RAW kinds have an embedded preview.
const (
	Unknown Kind = ""
	JPEG    Kind = "jpeg"
	PNG     Kind = "png"
	GIF     Kind = "gif"
	WebP    Kind = "webp"
	HEIC    Kind = "heic"
	AVIF    Kind = "avif"
	TIFF    Kind = "tiff"
	DNG     Kind = "dng"
	CR2     Kind = "cr2"
	CR3     Kind = "cr3"
	NEF     Kind = "nef"
	ARW     Kind = "arw"
	ORF     Kind = "orf"
	RW2     Kind = "rw2"
	RAF     Kind = "raf"
	MP4     Kind = "mp4"
	MOV     Kind = "mov"
)

// kinds says of each kind its media type and the extensions that people give it.
var kinds = map[Kind]struct {
	media string
	exts  string
}{
	JPEG: {"image/jpeg", ".jpg .jpeg .jpe .jfif"},
	PNG:  {"image/png", ".png .apng"},
	GIF:  {"image/gif", ".gif"},
	WebP: {"image/webp", ".webp"},
	HEIC: {"image/heic", ".heic .heif .hif"},
	AVIF: {"image/avif", ".avif"},
	TIFF: {"image/tiff", ".tif .tiff"},
	DNG:  {"image/x-adobe-dng", ".dng"},
	CR2:  {"image/x-canon-cr2", ".cr2"},
	CR3:  {"image/x-canon-cr3", ".cr3"},
	NEF:  {"image/x-nikon-nef", ".nef .nrw"},
	ARW:  {"image/x-sony-arw", ".arw .sr2"},
	ORF:  {"image/x-olympus-orf", ".orf"},
	RW2:  {"image/x-panasonic-rw2", ".rw2"},
	RAF:  {"image/x-fuji-raf", ".raf"},
	MP4:  {"video/mp4", ".mp4 .m4v .3gp .3g2"},
	MOV:  {"video/quicktime", ".mov .qt"},
}

// MediaType gives the kind's media type; application/octet-stream for an unknown one.
func (k Kind) MediaType() string {
	if d, ok := kinds[k]; ok {
		return d.media
	}
	return "application/octet-stream"
}

// Film tells whether it moves.
func (k Kind) Film() bool { return k == MP4 || k == MOV }

// Raw tells whether it holds what a sensor saw, with a preview beside it.
func (k Kind) Raw() bool {
	switch k {
	case DNG, CR2, CR3, NEF, ARW, ORF, RW2, RAF:
		return true
	}
	return false
}

// KindOfName gives the kind that a name's extension claims.
func KindOfName(name string) Kind {
	ext := strings.ToLower(path.Ext(name))
	if ext == "" {
		return Unknown
	}
	for k, d := range kinds {
		for e := range strings.FieldsSeq(d.exts) {
			if e == ext {
				return k
			}
		}
	}
	return Unknown
}

// Info is what a file says of itself.
type Info struct {
	Kind   Kind
	Claims Kind // what its name says

	Width, Height int // as shown, after turning; 0 if not known
	// Orientation is EXIF's, 1 to 8: how stored pixels are to be turned. HEIC and AVIF have boxes for it, which decoders obey by themselves; it is told
	// here as well.
	Orientation int
	TurnAt      int64 // of HEIC: the octet of the box that turns it, if no other box does; 0 if there is none

	Taken Taken
	Place *Place
	// PlaceName is what the place is called, from the spot to the country, if the file says so.
	PlaceName string
	Camera    Camera

	Duration time.Duration // of films
	Pair     string        // names the other half of a Live Photo: both have the same
	Preview  *Preview      // of RAW kinds: the largest JPEG inside

	Profile []byte // the ICC profile of its colours, if it is small and of RGB

	Problems []string // what could not be read, at most 16
}

// Lies tells whether the name claims another kind than the content is. A .mov that is an MP4, or the reverse, and a RAW kind under .tif, are too common to be called lies.
func (i *Info) Lies() bool {
	switch {
	case i.Claims == Unknown || i.Claims == i.Kind:
		return false
	case i.Claims.Film() && i.Kind.Film(), i.Claims == TIFF && i.Kind.Raw(), i.Claims == HEIC && i.Kind == AVIF:
		return false
	}
	return true
}

// Place is where it was taken.
type Place struct {
	Lat, Lon float64 // degrees, north and east positive
	Alt      float64 // metres above the sea
	HasAlt   bool
}

// Camera is what it was taken with.
type Camera struct{ Make, Model, Lens string }

// Name is make and model. Many makers say their name in the model again; then it stands there once.
func (c *Camera) Name() string {
	brand, model := strings.TrimSpace(c.Make), strings.TrimSpace(c.Model)
	first, _, _ := strings.Cut(brand, " ")
	if again, _, _ := strings.Cut(model, " "); strings.EqualFold(again, first) {
		return model
	}
	return strings.TrimSpace(brand + " " + model)
}

// Preview is a JPEG inside of a RAW file.
type Preview struct {
	Offset, Length int64
	Width, Height  int // as stored, before turning by Info.Orientation
}

// Limits bound what reading one file may cost.
type Limits struct {
	Octets  int64 // read in all
	Reads   int   // calls of the reader
	Entries int   // directories, boxes, chunks, segments and fields, all together
	Value   int   // octets of one value
}

// DefaultLimits suit every file of a real camera that we know of.
var DefaultLimits = Limits{Octets: 8 << 20, Reads: 1500, Entries: 20000, Value: 1 << 20}

// Read reads what the file of that size and name says of itself. An error is the reader's, or the context's.
func Read(ctx context.Context, r io.ReaderAt, size int64, name string) (Info, error) {
	return ReadWithin(ctx, DefaultLimits, r, size, name)
}

// ReadWithin is Read within other limits.
func ReadWithin(ctx context.Context, lim Limits, r io.ReaderAt, size int64, name string) (Info, error) {
	s := &source{ctx: ctx, r: r, size: size, lim: lim}
	f := &facts{src: s}
	f.Claims = KindOfName(name)
	f.Kind = sniff(s)
	switch f.Kind {
	case JPEG:
		f.readJPEG(0, size)
	case PNG:
		f.readPNG()
	case GIF:
		f.readGIF()
	case WebP:
		f.readWebP()
	case HEIC, AVIF:
		f.readHEIF()
	case MP4, MOV:
		f.readMovie()
	case CR3:
		f.readCR3()
	case RAF:
		f.readRAF()
	case Unknown:
	default:
		f.readTIFFFile()
	}
	if s.err != nil {
		return Info{}, s.err
	}
	f.finish(name)
	return f.Info, nil
}

// facts is what was gathered of one file, before it is weighed.
type facts struct {
	Info
	src     *source
	exif    exifFacts
	times   []Taken   // candidates, in the order in which they are weighed
	header  time.Time // a film's header: UTC by the standard
	stored  struct{ w, h int }
	turned  bool      // Orientation is from a box or was set for good
	preview []Preview // candidates
	xmp     map[xmpName]string
}

const mostProblems = 16

// problem notes what could not be read.
func (f *facts) problem(text string) {
	if len(f.Problems) < mostProblems && !contains(f.Problems, text) {
		f.Problems = append(f.Problems, text)
	}
}

func contains(list []string, s string) bool {
	for _, t := range list {
		if s == t {
			return true
		}
	}
	return false
}

// finish weighs what was gathered.
func (f *facts) finish(name string) {
	if f.src.spent != "" {
		f.problem("reading stopped: " + f.src.spent)
	}
	f.fromXMP()
	if f.Orientation < 1 || f.Orientation > 8 {
		f.Orientation = 1
	}
	f.Width, f.Height = f.stored.w, f.stored.h
	if f.Orientation >= 5 {
		f.Width, f.Height = f.Height, f.Width
	}
	if f.Kind != Unknown {
		f.weighTimes(name)
	}
	if f.Kind.Raw() {
		f.choosePreview()
	}
}

// setProfile takes an ICC profile (ICC.1:2022, section 7.2): a small one, whole, of red, green and blue.
func (f *facts) setProfile(b []byte) {
	const most, head = 4 << 10, 128
	ok := len(b) >= head && len(b) <= most && int(bigEndian.Uint32(b)) == len(b) && string(b[16:20]) == "RGB " && string(b[36:40]) == "acsp"
	if ok && f.Profile == nil {
		f.Profile = append([]byte(nil), b...)
	}
}

// size notes the stored size of the picture; the first one that makes sense is kept.
func (f *facts) size(w, h int64) {
	const most = 1 << 20
	if f.stored.w == 0 && w > 0 && h > 0 && w <= most && h <= most {
		f.stored.w, f.stored.h = int(w), int(h)
	}
}

// clean makes one line of text out of what a camera wrote: no NULs, no control characters, no broken UTF-8, not endless.
func clean(b []byte) string {
	if i := strings.IndexByte(string(b), 0); i >= 0 {
		b = b[:i]
	}
	const most = 128
	n := 0
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if n++; n > most || r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == 0xfffd || r == 0x2028 || r == 0x2029 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return -1
		}
		return r
	}, strings.ToValidUTF8(string(b), "")))
}
