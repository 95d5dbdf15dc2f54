package photo

import "encoding/binary"

// readTIFFFile walks all directories of a TIFF file and of the RAW kinds that are one: what the first says, the largest picture, the previews.
func (f *facts) readTIFFFile() {
	t := newTIFF(f.src, 0, f.src.size)
	var widest [2]int64
	for off, first := t.first, true; ; first = false {
		d := t.readDir(off)
		if d == nil {
			if first {
				f.problem("the first directory lies outside of the file")
			}
			break
		}
		off = t.next
		if first {
			f.firstDir(t, d)
			f.panasonic(t, d)
		}
		f.picture(t, d, &widest)
		for i := range min(d[tagSubIFDs].count, 16) {
			f.picture(t, t.readDir(t.uintAt(d[tagSubIFDs], i)), &widest)
		}
		if !f.Kind.Raw() {
			break // the further pages of a TIFF
		}
	}
	if widest[0] > int64(f.stored.w) || f.Kind == DNG {
		f.stored.w = 0
		f.size(widest[0], widest[1])
	}
}

// picture takes the size and the previews of a directory.
func (f *facts) picture(t *tiff, d dir, widest *[2]int64) {
	w, h := t.uint(d[tagImageWidth]), t.uint(d[tagImageLength])
	if t.uint(d[tagSubfileType]) == 0 && w > widest[0] {
		*widest = [2]int64{w, h}
	}
	if !f.Kind.Raw() {
		return
	}
	if at := t.uint(d[tagJPEGOffset]); at > 0 {
		f.addPreview(t.base+at, t.uint(d[tagJPEGLength]))
	}
	if c := t.uint(d[tagCompression]); (c == 6 || c == 7) && d[tagStripOffsets].count == 1 {
		f.addPreview(t.base+t.uint(d[tagStripOffsets]), t.uint(d[tagStripByteCounts]))
	}
}

// panasonic reads RW2's own tags: the sensor's borders, and the preview as a value.
func (f *facts) panasonic(t *tiff, d dir) {
	if f.Kind != RW2 {
		return
	}
	const top, left, bottom, right, jpegFromRaw = 4, 5, 6, 7, 0x2e
	f.size(t.uint(d[right])-t.uint(d[left]), t.uint(d[bottom])-t.uint(d[top]))
	if p := d[jpegFromRaw]; p.count > 0 {
		f.addPreview(p.at, p.length())
	}
}

// readRAF reads Fujifilm's kind: its JPEG says everything.
func (f *facts) readRAF() {
	b := f.src.copyOf(84, 8)
	if b == nil {
		f.problem("the header of RAF is cut")
		return
	}
	at, n := int64(binary.BigEndian.Uint32(b)), int64(binary.BigEndian.Uint32(b[4:]))
	if at+n > f.src.size || n < 4 {
		f.problem("the preview lies outside of the file")
		return
	}
	f.readJPEG(at, at+n)
	f.addPreview(at, n)
}

// Boxes of CR3 with their own identifiers, as Canon's cameras write them.
const (
	canonFacts   = "\x85\xc0\xb6\x87\x82\x0f\x11\xe0\x81\x11\xf4\xce\x46\x2b\x6a\x48"
	canonPreview = "\xea\xf4\x2b\x5e\x1c\x98\x4b\x88\xb9\xfb\xb7\xdc\x40\x6e\x4d\x16"
)

// readCR3 reads Canon's newer kind: boxes that hold a TIFF structure for each directory.
func (f *facts) readCR3() {
	s := f.src
	boxes(s, 0, s.size, func(b box) bool {
		switch {
		case b.kind == "moov":
			boxes(s, b.at, b.end, func(b box) bool {
				if b.uuid == canonFacts {
					boxes(s, b.at, b.end, f.canonBox)
				}
				return true
			})
		case b.uuid == canonPreview:
			boxes(s, b.at+8, b.end, func(b box) bool {
				if b.kind == "PRVW" && b.at+16 < b.end {
					f.addPreview(b.at+16, b.end-b.at-16)
				}
				return true
			})
		}
		return true
	})
}

func (f *facts) canonBox(b box) bool {
	t := newTIFF(f.src, b.at, b.end)
	switch b.kind {
	case "CMT1":
		d := t.readDir(t.first)
		f.firstDir(t, d)
		f.size(t.uint(d[tagImageWidth]), t.uint(d[tagImageLength]))
	case "CMT2":
		f.exifDir(t, t.readDir(t.first))
	case "CMT4":
		f.gpsDir(t, t.readDir(t.first))
	}
	return true
}

// addPreview takes a candidate that lies inside of the file.
func (f *facts) addPreview(at, n int64) {
	const most = 32
	if at > 0 && n > 0 && at < f.src.size && n <= f.src.size-at && len(f.preview) < most {
		f.preview = append(f.preview, Preview{Offset: at, Length: n})
	}
}

// choosePreview takes the largest that is a JPEG which every reader can show.
func (f *facts) choosePreview() {
	for _, p := range f.preview {
		p.Width, p.Height = jpegSize(f.src, p.Offset, p.Offset+p.Length)
		if p.Width > 0 && p.Height > 0 && (f.Preview == nil || p.Width*p.Height > f.Preview.Width*f.Preview.Height) {
			f.Preview = &p
		}
	}
	if f.Preview == nil {
		f.problem("there is no preview that could be shown")
		return
	}
	if f.Width == 0 {
		f.Width, f.Height = f.Preview.Width, f.Preview.Height
		if f.Orientation >= 5 {
			f.Width, f.Height = f.Height, f.Width
		}
	}
}
