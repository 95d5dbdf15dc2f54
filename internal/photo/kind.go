package photo

import (
	"bytes"
	"strings"
)

// sniff finds the kind by content.
func sniff(s *source) Kind {
	b := s.bytes(0, int(min(s.size, 64)))
	starts := func(prefix string) bool { return bytes.HasPrefix(b, []byte(prefix)) }
	switch {
	case starts("\xff\xd8\xff"):
		return JPEG
	case starts("\x89PNG\r\n\x1a\n"):
		return PNG
	case starts("GIF87a"), starts("GIF89a"):
		return GIF
	case starts("RIFF") && len(b) >= 12 && string(b[8:12]) == "WEBP":
		return WebP
	case starts("FUJIFILMCCD-RAW "):
		return RAF
	case starts("IIRO"), starts("IIRS"), starts("MMOR"):
		return ORF
	case starts("IIU\x00"):
		return RW2
	case starts("II*\x00"), starts("MM\x00*"):
		return sniffTIFF(s)
	case len(b) >= 12:
		return sniffBoxes(s, b)
	}
	return Unknown
}

// sniffTIFF tells RAW kinds, which are TIFF files, from each other by what their first directory holds.
func sniffTIFF(s *source) Kind {
	if b := s.bytes(8, 3); b != nil && b[0] == 'C' && b[1] == 'R' && b[2] == 2 {
		return CR2
	}
	t := newTIFF(s, 0, s.size)
	d := t.readDir(t.first)
	if _, ok := d[tagDNGVersion]; ok {
		return DNG
	}
	// what a program exports as TIFF has the camera's name too; a RAW file has its sensor's picture in a directory below the first, or in a way that is no TIFF's
	maker := strings.ToUpper(t.text(d[tagMake]))
	compression := t.uint(d[tagCompression])
	_, subs := d[tagSubIFDs]
	switch {
	case strings.HasPrefix(maker, "NIKON") && subs:
		return NEF
	case strings.HasPrefix(maker, "SONY") && (subs || compression == 32767):
		return ARW
	}
	return TIFF
}

// sniffBoxes reads the brands of an ISO file (ISO/IEC 14496-12, section 4.3). QuickTime files may have none.
func sniffBoxes(s *source, b []byte) Kind {
	switch string(b[4:8]) {
	case "ftyp":
	case "moov", "mdat", "wide", "free", "skip", "pnot":
		if isBoxes(s) {
			return MOV
		}
		return Unknown
	default:
		return Unknown
	}
	size, _ := s.u32(0)
	ftyp := s.copyOf(0, int(min(int64(size), s.size, 512)))
	if len(ftyp) < 12 {
		return Unknown
	}
	var brands []string
	for i := 8; i+4 <= len(ftyp); i += 4 {
		if i != 12 { // the minor version
			brands = append(brands, string(ftyp[i:i+4]))
		}
	}
	return kindOfBrands(brands)
}

// kindOfBrands judges by the first brand, then by the others: "mif1" alone says a picture, but not of which coding.
func kindOfBrands(brands []string) Kind {
	still := false
	for _, b := range brands {
		switch b {
		case "avif", "avis":
			return AVIF
		case "heic", "heix", "heim", "heis", "hevc", "hevx", "hevm", "hevs":
			return HEIC
		case "crx ":
			return CR3
		case "qt  ":
			return MOV
		case "mif1", "msf1", "mif2", "heif":
			still = true
		case "isom", "iso2", "iso3", "iso4", "iso5", "iso6", "mp41", "mp42", "avc1", "M4V ", "M4VH", "M4VP", "MSNV", "3gp4", "3gp5", "3gp6", "3g2a", "mmp4", "XAVC", "dash", "f4v ":
			if !still {
				return MP4
			}
		}
	}
	if still {
		return HEIC
	}
	return Unknown
}

// isBoxes tells whether a file without brands is a row of boxes with a film among them.
func isBoxes(s *source) bool {
	found := false
	boxes(s, 0, s.size, func(b box) bool {
		found = b.kind == "moov"
		return !found
	})
	return found
}
