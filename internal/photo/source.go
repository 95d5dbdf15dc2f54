package photo

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// source is the one way to a file's octets: bounded in all that it gives, and quiet after its first failure. What cannot be given is nil, and parsers stop there.
type source struct {
	ctx  context.Context
	r    io.ReaderAt
	size int64
	lim  Limits

	octets  int64
	reads   int
	entries int
	spent   string // which limit was met
	err     error  // of the reader or the context

	block   []byte // the last block that was read
	blockAt int64
}

const blockSize = 16 << 10

// bytes gives n octets at off, or nil if the file does not have them or the limits are met. The slice is valid until the next call.
func (s *source) bytes(off int64, n int) []byte {
	if off < 0 || n < 0 || off > s.size || int64(n) > s.size-off || s.err != nil || s.spent != "" {
		return nil
	}
	if off >= s.blockAt && off+int64(n) <= s.blockAt+int64(len(s.block)) {
		return s.block[off-s.blockAt:][:n]
	}
	if n > s.lim.Value {
		s.spent = fmt.Sprintf("a value has more than %d octets", s.lim.Value)
		return nil
	}
	return s.fill(off, n)
}

// fill reads a block that starts at off and has at least n octets.
func (s *source) fill(off int64, n int) []byte {
	want := int(min(int64(max(n, blockSize)), s.size-off))
	if s.octets += int64(want); s.octets > s.lim.Octets {
		s.spent = fmt.Sprintf("more than %d octets are needed", s.lim.Octets)
		return nil
	}
	if s.reads++; s.reads > s.lim.Reads {
		s.spent = fmt.Sprintf("more than %d reads are needed", s.lim.Reads)
		return nil
	}
	if s.err = s.ctx.Err(); s.err != nil {
		return nil
	}
	if cap(s.block) < want {
		s.block = make([]byte, want)
	}
	s.block, s.blockAt = s.block[:want], off
	got, err := s.r.ReadAt(s.block, off)
	if got < want {
		s.block = s.block[:0]
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF // it is shorter than its size says
		}
		s.err = fmt.Errorf("photo: read %d octets at %d: %w", want, off, err)
		return nil
	}
	return s.block[:n]
}

// copyOf is bytes, but the slice is the caller's.
func (s *source) copyOf(off int64, n int) []byte {
	b := s.bytes(off, n)
	if b == nil {
		return nil
	}
	return append(make([]byte, 0, n), b...)
}

// entry counts one more directory, box, chunk or field; it is false when there were too many.
func (s *source) entry() bool {
	if s.entries++; s.entries > s.lim.Entries && s.spent == "" {
		s.spent = fmt.Sprintf("more than %d entries", s.lim.Entries)
	}
	return s.spent == "" && s.err == nil
}

func (s *source) u32(off int64) (uint32, bool) {
	b := s.bytes(off, 4)
	if b == nil {
		return 0, false
	}
	return binary.BigEndian.Uint32(b), true
}
