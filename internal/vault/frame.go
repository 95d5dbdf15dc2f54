package vault

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/journal"
	"holdfast/internal/place"
	"holdfast/internal/seal"
)

// A frame is a line of text, sealed octets, and a newline:
//
//	HF0 <first batch> <last batch> <hash before the first> <hash after the last> <octets> <their SHA-256>\n
//	age( zstd( lines ) )\n
const frameMagic = "HF0"

// maxFrameHeader bounds the line: three numbers and three hashes.
const maxFrameHeader = 320

// maxFrame bounds the sealed octets of a frame, maxPlain what they may unfold to.
const (
	maxFrame = 1 << 30
	maxPlain = 4 << 30
)

// FrameHeader is what a frame says in the clear.
type FrameHeader struct {
	First, Last uint64
	Prev, Hash  holdfast.Hash
	Octets      int64
	SHA256      holdfast.Hash
}

// End returns the position after the frame.
func (h FrameHeader) End() holdfast.Position { return holdfast.Position{Batch: h.Last, Hash: h.Hash} }

func (h FrameHeader) append(b []byte) []byte {
	return fmt.Appendf(b, "%s %d %d %s %s %d %s\n", frameMagic, h.First, h.Last, h.Prev, h.Hash, h.Octets, h.SHA256)
}

// ParseFrameHeader reads a frame's line, with its newline, from the beginning of b. n is its length; ok is false where there is none: it is cut short, or something else.
func ParseFrameHeader(b []byte) (h FrameHeader, n int, ok bool) {
	i := bytes.IndexByte(b[:min(len(b), maxFrameHeader)], '\n')
	if i < 0 {
		return h, 0, false
	}
	var magic, prev, hash, sum string
	line := string(b[:i])
	if strings.Count(line, " ") != 6 {
		return h, 0, false
	}
	if k, err := fmt.Sscanf(line, "%s %d %d %s %s %d %s", &magic, &h.First, &h.Last, &prev, &hash, &h.Octets, &sum); err != nil || k != 7 || magic != frameMagic {
		return h, 0, false
	}
	var errs [3]error
	h.Prev, errs[0] = holdfast.ParseHash(prev)
	h.Hash, errs[1] = holdfast.ParseHash(hash)
	h.SHA256, errs[2] = holdfast.ParseHash(sum)
	if errs != [3]error{} || h.First == 0 || h.Last < h.First || h.Octets <= 0 || h.Octets > maxFrame || string(h.append(nil)) != line+"\n" {
		return h, 0, false
	}
	return h, i + 1, true
}

// beginsFrame tells whether octets that end where an object ends are the beginning of a frame, as an append leaves it that was interrupted.
func beginsFrame(b []byte) bool {
	if _, _, ok := ParseFrameHeader(b); ok {
		return true
	}
	magic := frameMagic + " "
	n := min(len(b), len(magic))
	return len(b) < maxFrameHeader && string(b[:n]) == magic[:n] && len(bytes.Trim(b[n:], "0123456789abcdef ")) == 0
}

// Packed is one or more batches, ready to be sealed into a frame: what all vaults share.
type Packed struct {
	First, Last uint64
	Prev, Hash  holdfast.Hash
	Changes     int
	Octets      []byte // zstd of the lines
	Plain       int64  // octets of the lines
	Stored      time.Time
	heads       []AccountHead // how far the accounts in it have come, in order
}

// PackBatches writes batches down and compresses them. They follow each other.
func PackBatches(batches []*holdfast.Batch, stored time.Time) *Packed {
	first, last := batches[0], batches[len(batches)-1]
	p := &Packed{First: first.Batch, Last: last.Batch, Prev: first.Prev, Hash: last.Hash, Stored: stored}
	var lines []byte
	for _, b := range batches {
		lines = journal.AppendBatch(lines, b, stored)
		p.Changes += len(b.Changes)
		for i := range b.Changes {
			if c := &b.Changes[i]; c.More == 0 {
				p.heads = append(p.heads, AccountHead{c.Account, c.Epoch, c.Seq, c.Chain})
			}
		}
	}
	p.Plain, p.Octets = int64(len(lines)), seal.Pack(lines)
	return p
}

// frame seals it for a segment.
func (p *Packed) frame(by *seal.Sealer) ([]byte, error) {
	sealed, err := by.Append(make([]byte, 0, by.Size(len(p.Octets))), p.Octets)
	if err != nil {
		return nil, err
	}
	h := FrameHeader{p.First, p.Last, p.Prev, p.Hash, int64(len(sealed)), holdfast.HashOf(sealed)}
	b := h.append(make([]byte, 0, maxFrameHeader+len(sealed)+1))
	return append(append(b, sealed...), '\n'), nil
}

// foundFrame is a frame in a segment.
type foundFrame struct {
	FrameHeader
	at   int64 // of its sealed octets
	torn bool  // they do not have their hash; looked at by walkWhole alone
}

// errOctets is inside of the error about a frame whose octets do not have their hash: they rotted, or it is what a power cut left, and its batches stand again in the next segment.
var errOctets = errors.New("the hash differs")

// walk calls fn with the frames of a segment, as their lines name them: it passes over the octets, in one reading. It returns how many octets at the end belong to none: what a power cut or an
// error left, which was never acknowledged, or damage.
func (v *Vault) walk(ctx context.Context, segment string, fn func(foundFrame) error) (torn int64, err error) {
	return v.walkAs(ctx, segment, false, fn)
}

// walkWhole is walk that hashes the octets as well: a power cut may leave a frame's line and end, and between them nothing.
func (v *Vault) walkWhole(ctx context.Context, segment string, fn func(foundFrame) error) (torn int64, err error) {
	return v.walkAs(ctx, segment, true, fn)
}

func (v *Vault) walkAs(ctx context.Context, segment string, whole bool, fn func(foundFrame) error) (torn int64, err error) {
	i, err := v.p.Stat(ctx, segment)
	if err != nil {
		return 0, err
	}
	r, err := v.p.Get(ctx, segment, 0, i.Size)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	b := bufio.NewReaderSize(r, 64<<10)
	for at := int64(0); at < i.Size; {
		line, err := b.Peek(maxFrameHeader)
		if err != nil && err != io.EOF {
			return 0, err
		}
		h, n, ok := ParseFrameHeader(line)
		next := at + int64(n) + h.Octets + 1
		if !ok || next > i.Size {
			return i.Size - at, nil
		}
		f := foundFrame{FrameHeader: h, at: at + int64(n)}
		if f.torn, err = passFrame(b, f, n, whole); err != nil {
			return 0, err
		}
		if err := fn(f); err != nil {
			return 0, err
		}
		at = next
	}
	return 0, nil
}

// passFrame reads on behind a frame whose line has n octets, and judges the octets where whole says so.
func passFrame(b *bufio.Reader, f foundFrame, n int, whole bool) (torn bool, err error) {
	if !whole {
		_, err = b.Discard(n + int(f.Octets) + 1)
		return false, err
	}
	if _, err := b.Discard(n); err != nil {
		return false, err
	}
	sum := sha256.New()
	if _, err := io.CopyN(sum, b, f.Octets); err != nil {
		return false, err
	}
	_, err = b.Discard(1)
	return holdfast.Hash(sum.Sum(nil)) != f.SHA256, err
}

// begins returns the first batch of a segment; 0 where it has no whole frame's line.
func (v *Vault) begins(ctx context.Context, segment string) (uint64, error) {
	line, err := v.read(ctx, segment, 0, maxFrameHeader)
	if err != nil {
		return 0, err
	}
	h, _, ok := ParseFrameHeader(line)
	if !ok {
		return 0, nil
	}
	return h.First, nil
}

// read returns up to n octets of an object.
func (v *Vault) read(ctx context.Context, name string, at, n int64) ([]byte, error) {
	r, err := v.p.Get(ctx, name, at, n)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// batches opens a frame and calls fn with its batches, whose chains are zero.
func (v *Vault) batches(ctx context.Context, segment string, f foundFrame, key *seal.Identity, fn func(journal.BatchLine, []holdfast.Change) error) error {
	r, err := v.openFrame(ctx, segment, f, key)
	if err != nil {
		return err
	}
	defer r.Close()
	lines := journal.NewReader(r)
	want := holdfast.Position{Batch: f.First - 1, Hash: f.Prev}
	for {
		line, changes, err := lines.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return at(segment, f, err)
		}
		if line.Batch != want.Batch+1 || line.Prev != want.Hash || line.Sum() != line.Hash {
			return damaged(segment, f, "its batches are not those that its line names", nil)
		}
		want = line.Position
		if err := fn(line, changes); err != nil {
			return err
		}
	}
	if want != f.End() {
		return damaged(segment, f, "its batches are not those that its line names", nil)
	}
	return nil
}

// openFrame reads a frame's octets, checks their hash and opens them.
func (v *Vault) openFrame(ctx context.Context, segment string, f foundFrame, key *seal.Identity) (io.ReadCloser, error) {
	sealed, err := v.read(ctx, segment, f.at, f.Octets)
	if err != nil {
		return nil, err
	}
	if holdfast.HashOf(sealed) != f.SHA256 {
		return nil, damaged(segment, f, "its octets do not have their hash", errOctets)
	}
	r, err := seal.Open(bytes.NewReader(sealed), maxPlain, key)
	if err != nil {
		return nil, at(segment, f, err)
	}
	return r, nil
}

func damaged(segment string, f foundFrame, text string, err error) error {
	return fail("Frames", holdfast.Corrupt, segment, fmt.Sprintf("the frame of the batches %d to %d is damaged: %s", f.First, f.Last, text), err)
}

// at says where an error came up.
func at(segment string, f foundFrame, err error) error {
	switch holdfast.KindOf(err) {
	case holdfast.Corrupt, holdfast.TooLarge:
		return damaged(segment, f, "it cannot be read", err)
	}
	return err
}

// nextSegment returns a number that neither a segment of the term has nor a key that was made for one before a cut.
func (v *Vault) nextSegment(ctx context.Context, term uint64) (n uint64, err error) {
	dir := tailOf(term)
	err = v.p.List(ctx, dir, "", func(i place.Info) error {
		if digits, _, ok := strings.Cut(strings.TrimPrefix(i.Name, dir), "."); ok {
			if k, ok := numberOf(digits, "", ""); ok {
				n = max(n, k)
			}
		}
		return nil
	})
	return n + 1, err
}

// segments returns the numbers of a term's segments, ascending.
func (v *Vault) segments(ctx context.Context, term uint64) (out []uint64, err error) {
	dir := tailOf(term)
	err = v.p.List(ctx, dir, "", func(i place.Info) error {
		if n, ok := numberOf(i.Name, dir, place.Grows); ok {
			out = append(out, n)
		}
		return nil
	})
	return out, err
}
