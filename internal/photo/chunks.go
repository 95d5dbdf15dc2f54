package photo

import (
	"bytes"
	"encoding/binary"
)

// readPNG walks the chunks (PNG, third edition, section 5).
func (f *facts) readPNG() {
	s := f.src
	const mostData = 64 // chunks of the picture to walk over for what may stand behind it
	data := 0
	for at := int64(8); at < s.size && data < mostData; {
		b := s.bytes(at, 8)
		if b == nil || !s.entry() {
			f.problem("the PNG ends inside a chunk")
			return
		}
		n, kind := int64(binary.BigEndian.Uint32(b)), string(b[4:8])
		if n > s.size-at-8 {
			f.problem("a chunk of the PNG is longer than the file")
			return
		}
		switch kind {
		case "IHDR":
			if b := s.bytes(at+8, 8); b != nil {
				f.size(int64(binary.BigEndian.Uint32(b)), int64(binary.BigEndian.Uint32(b[4:])))
			}
		case "eXIf":
			f.readEXIF(at+8, at+8+n)
		case "iTXt":
			f.pngText(at+8, n)
		case "IDAT":
			data++
		case "IEND":
			return
		}
		at += 12 + n
	}
}

// pngText reads a text chunk, if it is XMP and not compressed (what would be unpacked has no bound).
func (f *facts) pngText(at, n int64) {
	const head = "XML:com.adobe.xmp\x00\x00\x00\x00\x00"
	if b := f.src.bytes(at, int(min(n, int64(len(head))))); bytes.Equal(b, []byte(head)) {
		f.readXMP(at+int64(len(head)), n-int64(len(head)))
	}
}

func (f *facts) readGIF() {
	if b := f.src.bytes(6, 4); b != nil {
		f.size(int64(binary.LittleEndian.Uint16(b)), int64(binary.LittleEndian.Uint16(b[2:])))
	}
}

// readWebP walks the chunks of RIFF (RFC 9649).
func (f *facts) readWebP() {
	s := f.src
	for at := int64(12); at+8 <= s.size; {
		b := s.bytes(at, 8)
		if b == nil || !s.entry() {
			return
		}
		kind, n := string(b[:4]), int64(binary.LittleEndian.Uint32(b[4:]))
		if n > s.size-at-8 {
			f.problem("a chunk of the WebP is longer than the file")
			return
		}
		f.webpChunk(kind, at+8, n)
		at += 8 + n + n&1
	}
}

func (f *facts) webpChunk(kind string, at, n int64) {
	b := f.src.bytes(at, int(min(n, 10)))
	switch {
	case kind == "EXIF":
		if bytes.HasPrefix(b, []byte("Exif\x00\x00")) { // some programs bring JPEG's prefix along
			at, n = at+6, n-6
		}
		f.readEXIF(at, at+n)
	case kind == "XMP ":
		f.readXMP(at, n)
	case kind == "ICCP":
		f.setProfile(f.src.bytes(at, int(min(n, 8<<10))))
	case kind == "VP8X" && len(b) == 10:
		f.size(int64(b[4])|int64(b[5])<<8|int64(b[6])<<16+1, int64(b[7])|int64(b[8])<<8|int64(b[9])<<16+1)
	case kind == "VP8 " && len(b) == 10 && b[3] == 0x9d && b[4] == 0x01 && b[5] == 0x2a:
		f.size(int64(binary.LittleEndian.Uint16(b[6:])&0x3fff), int64(binary.LittleEndian.Uint16(b[8:])&0x3fff))
	case kind == "VP8L" && len(b) >= 5 && b[0] == 0x2f:
		v := binary.LittleEndian.Uint32(b[1:])
		f.size(int64(v&0x3fff)+1, int64(v>>14&0x3fff)+1)
	}
}
