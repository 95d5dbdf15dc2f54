package photo

import "encoding/binary"

// box is one of an ISO base media file (ISO/IEC 14496-12, section 4.2): its kind, and where its contents lie.
type box struct {
	kind    string
	at, end int64
	uuid    string // of kind "uuid": 16 octets
}

// boxes calls for each box in [at, end), until that says no. A box that says it is longer than what holds it ends the row.
func boxes(s *source, at, end int64, each func(box) bool) {
	end = min(end, s.size)
	for end-at >= 8 && s.entry() {
		h := s.bytes(at, 8)
		if h == nil {
			return
		}
		b := box{kind: string(h[4:8]), at: at + 8}
		size := int64(binary.BigEndian.Uint32(h))
		switch size {
		case 0: // to the end
			size = end - at
		case 1:
			h := s.bytes(at+8, 8)
			if h == nil {
				return
			}
			v := binary.BigEndian.Uint64(h)
			if v > 1<<62 {
				return
			}
			size, b.at = int64(v), at+16
		}
		b.end = at + size
		if size < b.at-at || size > end-at {
			return
		}
		if b.kind == "uuid" {
			u := s.bytes(b.at, 16)
			if u == nil || b.at+16 > b.end {
				return
			}
			b.uuid, b.at = string(u), b.at+16
		}
		if !each(b) {
			return
		}
		at = b.end
	}
}

// reader reads numbers one after the other out of a box; it is broken once and for all when they are not there.
type reader struct {
	s       *source
	at, end int64
	broken  bool
}

func (s *source) reader(b box) *reader { return &reader{s: s, at: b.at, end: b.end} }

// uint reads a number of n octets, at most 8.
func (r *reader) uint(n int) uint64 {
	if r.broken || n == 0 {
		return 0
	}
	b := r.s.bytes(r.at, n)
	if b == nil || r.at+int64(n) > r.end {
		r.broken = true
		return 0
	}
	r.at += int64(n)
	v := uint64(0)
	for _, c := range b {
		v = v<<8 | uint64(c)
	}
	return v
}

func (r *reader) int(n int) int64 { return int64(r.uint(n)) }

// kind reads four characters.
func (r *reader) kind() string {
	v := r.uint(4)
	return string([]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
}

// text reads up to a NUL or the end; a long one breaks the reader.
func (r *reader) text() string {
	var b []byte
	for n := 0; r.at < r.end; n++ {
		c := byte(r.uint(1))
		if c == 0 {
			break
		}
		if n > 255 {
			r.broken = true
		}
		b = append(b, c)
	}
	if r.broken {
		return ""
	}
	return string(b)
}

func (r *reader) skip(n int64) {
	if n < 0 || n > r.end-r.at {
		r.broken = true
		return
	}
	r.at += n
}
