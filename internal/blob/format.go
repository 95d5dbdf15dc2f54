package blob

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"

	"github.com/zeebo/xxh3"

	"holdfast"
)

// How a blob is stored: its octets as they are, so that a file can be read with any tool; then a sum of each started MiB of them, XXH3 of 128 bits; then a trailer of fixed size:
//
//	8 octets   "holdfast"
//	4          version, 1
//	4          octets of a piece, 1,048,576
//	8          octets of the blob
//	32         their SHA-256
//	32         SHA-256("holdfast blob 1\n" | the trailer so far | the sums of the pieces)
//
// Numbers and sums are big-endian. A range is verified by its pieces' sums, the sums by the trailer, the trailer by the blob's name: a file under another's name is damage.
//
// The sums of pieces find what a disk does to octets, not what somebody does who can write there: he could write the sums as well. So they need not be costly, and they are what each read pays for.

// Piece is how many octets are verified at once.
const Piece = 1 << 20

const (
	magic      = "holdfast\x00\x00\x00\x01\x00\x10\x00\x00"
	sumLen     = 16
	headLen    = len(magic) + 8 + sha256.Size
	trailerLen = headLen + sha256.Size
)

// pieces returns how many pieces a blob has.
func pieces(size int64) int64 { return (size + Piece - 1) / Piece }

// StoredSize returns how many octets a blob of so many takes as it is stored.
func StoredSize(size int64) int64 { return size + pieces(size)*sumLen + int64(trailerLen) }

// SizeStored returns the size of the blob that takes so many octets; ok is false where none does.
func SizeStored(stored int64) (size int64, ok bool) {
	rest := stored - int64(trailerLen)
	if rest < 0 {
		return 0, false
	}
	n := (rest + Piece + sumLen - 1) / (Piece + sumLen)
	size = rest - n*sumLen
	return size, size >= 0 && StoredSize(size) == stored
}

// summer hashes what is written to it, whole and by the piece.
type summer struct {
	whole hash.Hash
	piece *xxh3.Hasher
	size  int64
	sums  []byte
}

// newSummer returns a summer of nothing.
func newSummer() *summer { return &summer{whole: sha256.New(), piece: xxh3.New()} }

// Write implements io.Writer; it does not fail.
func (s *summer) Write(p []byte) (int, error) {
	n := len(p)
	s.whole.Write(p)
	for len(p) > 0 {
		part := p[:min(int64(len(p)), Piece-s.size%Piece)]
		s.piece.Write(part)
		s.size += int64(len(part))
		if s.size%Piece == 0 {
			s.endPiece()
		}
		p = p[len(part):]
	}
	return n, nil
}

func (s *summer) endPiece() {
	sum := s.piece.Sum128().Bytes()
	s.sums = append(s.sums, sum[:]...)
	s.piece.Reset()
}

// end returns the blob, and what is stored behind its octets.
func (s *summer) end() (b holdfast.Blob, behind []byte) {
	if s.size%Piece != 0 {
		s.endPiece()
	}
	b.Size = s.size
	s.whole.Sum(b.Hash[:0])
	head := headOf(b)
	sum := sumOf(head, s.sums)
	return b, append(append(s.sums, head...), sum[:]...)
}

func headOf(b holdfast.Blob) []byte {
	head := append(make([]byte, 0, headLen), magic...)
	head = binary.BigEndian.AppendUint64(head, uint64(b.Size))
	return append(head, b.Hash[:]...)
}

func sumOf(head, sums []byte) (h holdfast.Hash) {
	d := sha256.New()
	d.Write([]byte("holdfast blob 1\n"))
	d.Write(head)
	d.Write(sums)
	d.Sum(h[:0])
	return h
}

// Verified reads a stored blob and hands out only what was verified.
type Verified struct {
	src  Source
	blob holdfast.Blob
	sums []byte

	mu   sync.Mutex
	buf  []byte // of one piece, the last that was read in part
	held int64  // which one; -1: none
}

// Source is where a stored blob is read from.
type Source interface {
	io.ReaderAt
	io.Closer
}

// NewVerified reads the trailer and the sums of a stored blob, whose name is h, and judges them. It closes src on an error. Errors: Corrupt, and those of src.
func NewVerified(src Source, stored int64, h holdfast.Hash) (*Verified, error) {
	v := &Verified{src: src, blob: holdfast.Blob{Hash: h}, held: -1}
	if err := v.judge(stored); err != nil {
		src.Close()
		return nil, err
	}
	return v, nil
}

func (v *Verified) judge(stored int64) error {
	size, ok := SizeStored(stored)
	if !ok {
		return v.damaged("what is stored is cut off or has grown")
	}
	v.blob.Size = size
	n := pieces(size) * sumLen
	behind := make([]byte, n+int64(trailerLen))
	if err := v.read(behind, size); err != nil {
		return err
	}
	head := headOf(v.blob)
	sum := sumOf(head, behind[:n])
	if !bytes.Equal(behind[n:], append(head, sum[:]...)) {
		return v.damaged("the trailer of what is stored is damaged, or another's")
	}
	v.sums = behind[:n]
	return nil
}

func (v *Verified) damaged(what string) error { return Damaged("Open", v.blob.Hash, what) }

// read fills p from an offset of the source.
func (v *Verified) read(p []byte, at int64) error {
	n, err := v.src.ReadAt(p, at)
	switch {
	case n == len(p):
		return nil
	case err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return v.damaged("what is stored is cut off")
	}
	return err
}

// piece reads the i-th piece into p, which has its length, and verifies it.
func (v *Verified) piece(p []byte, i int64) error {
	if err := v.read(p, i*Piece); err != nil {
		return err
	}
	if sum := xxh3.Hash128(p).Bytes(); !bytes.Equal(sum[:], v.sums[i*sumLen:(i+1)*sumLen]) {
		return v.damaged(fmt.Sprintf("the octets from %d on are not what was put", i*Piece))
	}
	return nil
}

func (v *Verified) lenOf(i int64) int64 { return min(Piece, v.blob.Size-i*Piece) }

// Size returns how many octets the blob has.
func (v *Verified) Size() int64 { return v.blob.Size }

// Close closes the source.
func (v *Verified) Close() error { return v.src.Close() }

// ReadAt implements io.ReaderAt.
func (v *Verified) ReadAt(p []byte, at int64) (n int, err error) {
	if at < 0 {
		return 0, Err("Open", holdfast.Invalid, v.blob.Hash.String(), "a blob has no octets before its first", nil)
	}
	for n < len(p) {
		if at+int64(n) >= v.blob.Size {
			return n, io.EOF
		}
		got, err := v.some(p[n:], at+int64(n))
		if n += got; err != nil {
			return n, err
		}
	}
	return n, nil
}

// some reads out of one piece.
func (v *Verified) some(p []byte, at int64) (int, error) {
	i := at / Piece
	size := v.lenOf(i)
	if at%Piece == 0 && int64(len(p)) >= size {
		err := v.piece(p[:size], i)
		if err != nil {
			return 0, err
		}
		return int(size), nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.held != i {
		if v.buf == nil {
			v.buf = make([]byte, min(Piece, v.blob.Size))
		}
		v.held = -1
		if err := v.piece(v.buf[:size], i); err != nil {
			return 0, err
		}
		v.held = i
	}
	return copy(p, v.buf[at%Piece:size]), nil
}

// Verify reads all of it. Errors: Corrupt, those of the source, ctx's cause.
func (v *Verified) Verify(ctx context.Context) error {
	whole, buf := sha256.New(), make([]byte, min(Piece, v.blob.Size))
	for i := range pieces(v.blob.Size) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		p := buf[:v.lenOf(i)]
		if err := v.piece(p, i); err != nil {
			return err
		}
		whole.Write(p)
	}
	if !bytes.Equal(whole.Sum(nil), v.blob.Hash[:]) {
		return v.damaged("what is stored is not what its name says")
	}
	return nil
}

// NameStored reads which blob it is that takes so many octets as it is stored, by its trailer alone. Errors: Corrupt, those of src.
func NameStored(src io.ReaderAt, stored int64) (b holdfast.Blob, err error) {
	size, ok := SizeStored(stored)
	if !ok {
		return b, Damaged("Stat", b.Hash, "what is stored is cut off or has grown")
	}
	head := make([]byte, headLen)
	if n, err := src.ReadAt(head, stored-int64(trailerLen)); n < headLen {
		return b, err
	}
	b = holdfast.Blob{Hash: holdfast.Hash(head[headLen-sha256.Size:]), Size: size}
	if !bytes.Equal(head, headOf(b)) {
		return b, Damaged("Stat", b.Hash, "the trailer of what is stored is damaged")
	}
	return b, nil
}
