package photo

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// ErrNoFrame says that a film has no frame that could be taken out of it.
var ErrNoFrame = errors.New("photo: the film has no frame that can be taken out")

// Frame makes a film of one frame out of an MP4 or QuickTime file: its first whole picture, with what a decoder must know of it. So a poster needs some
// hundred kilobytes of a film, wherever in it they lie, and a decoder sees nothing of the rest.
func Frame(ctx context.Context, r io.ReaderAt, size int64) ([]byte, error) {
	const mostFrame = 16 << 20
	lim := DefaultLimits
	lim.Octets, lim.Value = 2*mostFrame, mostFrame
	s := &source{ctx: ctx, r: r, size: size, lim: lim}
	film, err := frame(s)
	switch {
	case s.err != nil:
		return nil, s.err
	case s.spent != "":
		return nil, fmt.Errorf("%w: %s", ErrNoFrame, s.spent)
	}
	return film, err
}

func frame(s *source) ([]byte, error) {
	moov, ok := child(s, box{end: s.size}, "moov")
	if !ok {
		return nil, fmt.Errorf("%w: it has no moov box", ErrNoFrame)
	}
	f := facts{src: s}
	var film []byte
	err := fmt.Errorf("%w: it has no track of pictures", ErrNoFrame)
	boxes(s, moov.at, moov.end, func(b box) bool {
		if b.kind == "trak" {
			if mdia, ok := child(s, b, "mdia"); ok && f.handler(mdia) == "vide" {
				film, err = frameOf(s, moov, b, mdia)
				return false
			}
		}
		return true
	})
	return film, err
}

// child finds the first box of a kind in another; the path may go through several.
func child(s *source, in box, kinds ...string) (found box, ok bool) {
	for _, kind := range kinds {
		ok = false
		boxes(s, in.at, in.end, func(b box) bool {
			if b.kind == kind {
				found, ok = b, true
			}
			return !ok
		})
		if !ok {
			return box{}, false
		}
		in = found
	}
	return found, ok
}

// frameOf copies what describes the track, and the frame.
func frameOf(s *source, moov, trak, mdia box) ([]byte, error) {
	stbl, ok := child(s, mdia, "minf", "stbl")
	if !ok {
		return nil, fmt.Errorf("%w: its track has no samples", ErrNoFrame)
	}
	at, n, ok := firstFrame(s, stbl)
	if !ok || n == 0 {
		return nil, fmt.Errorf("%w: its frames are in fragments, or lie outside of it", ErrNoFrame)
	}
	mvhd, tkhd := s.whole(moov, "mvhd"), s.whole(trak, "tkhd")
	mdhd, hdlr, stsd := s.whole(mdia, "mdhd"), s.whole(mdia, "hdlr"), s.whole(stbl, "stsd")
	data := s.copyOf(at, int(n))
	if mvhd == nil || tkhd == nil || mdhd == nil || hdlr == nil || stsd == nil || data == nil {
		return nil, fmt.Errorf("%w: what describes them is cut", ErrNoFrame)
	}
	build := func(offset uint32) []byte {
		samples := pack("stbl", stsd, pack("stts", be(0, 1, 1, 1)), pack("stsc", be(0, 1, 1, 1, 1)), pack("stsz", be(0, uint32(n), 1)), pack("stco", be(0, 1, offset)))
		info := pack("minf", pack("vmhd", be(1, 0, 0)), pack("dinf", pack("dref", be(0, 1), pack("url ", be(1)))), samples)
		film := pack("moov", mvhd, pack("trak", tkhd, pack("mdia", mdhd, hdlr, info)))
		return append(pack("ftyp", []byte("isom\x00\x00\x02\x00isom")), film...)
	}
	head := build(uint32(len(build(0)) + 8))
	return append(head, pack("mdat", data)...), nil
}

// whole copies a box with its header.
func (s *source) whole(in box, kind string) []byte {
	const most = 256 << 10
	b, ok := child(s, in, kind)
	if !ok || b.end-b.at > most {
		return nil
	}
	return pack(kind, s.copyOf(b.at, int(b.end-b.at)))
}

// pack makes a box.
func pack(kind string, parts ...[]byte) []byte {
	size := 8
	for _, p := range parts {
		size += len(p)
	}
	b := append(binary.BigEndian.AppendUint32(make([]byte, 0, size), uint32(size)), kind...)
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

func be(numbers ...uint32) (b []byte) {
	for _, n := range numbers {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	return b
}

// firstFrame finds where the first picture that needs no other lies (ISO/IEC 14496-12, sections 8.6.2, 8.7.3 to 8.7.5).
func firstFrame(s *source, stbl box) (at, n int64, ok bool) {
	sample := uint32(1)
	if b, ok := child(s, stbl, "stss"); ok { // without this box all are whole
		r := s.reader(b)
		r.skip(4)
		if r.uint(4) > 0 {
			sample = uint32(r.uint(4))
		}
	}
	const mostSample = 1000 // a film whose first whole picture comes later was cut badly
	if sample == 0 || sample > mostSample {
		return 0, 0, false
	}
	chunk, first, ok := chunkOf(s, stbl, sample)
	if !ok {
		return 0, 0, false
	}
	if at, ok = chunkAt(s, stbl, chunk); !ok {
		return 0, 0, false
	}
	b, ok := child(s, stbl, "stsz")
	if !ok {
		return 0, 0, false
	}
	for i := first; i < sample; i++ {
		at += sampleSize(s, b, i)
	}
	n = sampleSize(s, b, sample)
	return at, n, n > 0 && at > 0 && at <= s.size-n
}

// chunkOf finds the chunk of a sample, and the chunk's first sample.
func chunkOf(s *source, stbl box, sample uint32) (chunk, first uint32, ok bool) {
	b, ok := child(s, stbl, "stsc")
	if !ok {
		return 0, 0, false
	}
	r := s.reader(b)
	r.skip(4)
	count := r.uint(4)
	first = 1
	from, each := r.uint(4), r.uint(4)
	r.skip(4)
	for i := uint64(1); i <= count && !r.broken && s.entry(); i++ {
		next := uint64(1) << 32 // the last row goes on to the end
		nextEach := uint64(0)
		if i < count {
			next, nextEach = r.uint(4), r.uint(4)
			r.skip(4)
		}
		if each == 0 || next <= from {
			return 0, 0, false
		}
		if in := (uint64(sample) - uint64(first)) / each; in < next-from {
			return uint32(from + in), first + uint32(in*each), true
		}
		first += uint32((next - from) * each)
		from, each = next, nextEach
	}
	return 0, 0, false
}

// chunkAt reads where a chunk begins.
func chunkAt(s *source, stbl box, chunk uint32) (int64, bool) {
	for kind, n := range map[string]int{"stco": 4, "co64": 8} {
		if b, ok := child(s, stbl, kind); ok {
			r := s.reader(b)
			r.skip(4)
			if count := r.uint(4); chunk == 0 || uint64(chunk) > count {
				return 0, false
			}
			r.skip(int64(n) * int64(chunk-1))
			at := r.int(n)
			return at, !r.broken && at > 0
		}
	}
	return 0, false
}

// sampleSize reads a sample's size; 0 if there is none.
func sampleSize(s *source, stsz box, sample uint32) int64 {
	r := s.reader(stsz)
	r.skip(4)
	all, count := r.int(4), r.uint(4)
	if uint64(sample) > count {
		return 0
	}
	if all == 0 {
		r.skip(4 * int64(sample-1))
		all = r.int(4)
	}
	if r.broken {
		return 0
	}
	return all
}
