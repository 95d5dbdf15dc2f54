package vault

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strconv"
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
	b = strconv.AppendUint(append(b, frameMagic+" "...), h.First, 10)
	b = strconv.AppendUint(append(b, ' '), h.Last, 10)
	b = hex.AppendEncode(append(b, ' '), h.Prev[:])
	b = hex.AppendEncode(append(b, ' '), h.Hash[:])
	b = strconv.AppendInt(append(b, ' '), h.Octets, 10)
	return append(hex.AppendEncode(append(b, ' '), h.SHA256[:]), '\n')
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

// Packed is one or more batches, ready to be sealed into a frame. One that is packed again reuses its memory.
type Packed struct {
	First, Last uint64
	Prev, Hash  holdfast.Hash
	Changes     int
	Octets      []byte // zstd of the lines
	Plain       int64  // octets of the lines
	Stored      time.Time
	heads       []AccountHead // how far the accounts in it have come, in order
	lines       []byte
	names       bool // no octets of items are in it
}

// maxKept bounds the memory that is kept to be used again: that of a usual frame, not that of the largest.
const maxKept = 1 << 20

// PackBatches writes batches down and compresses them. They follow each other.
func PackBatches(batches []*holdfast.Batch, stored time.Time) *Packed {
	p := &Packed{}
	p.Pack(batches, stored)
	return p
}

// Pack is PackBatches into p, whose earlier batches nobody needs any more: they were appended, or are to be packed again.
func (p *Packed) Pack(batches []*holdfast.Batch, stored time.Time) { p.pack(batches, stored, false) }

// PackNames is Pack for a ledger.
func (p *Packed) PackNames(batches []*holdfast.Batch, stored time.Time) {
	list := make([]*holdfast.Batch, len(batches))
	for i, b := range batches { // others have the octets too, and want them
		x := *b
		x.Changes = slices.Clone(b.Changes)
		for j := range x.Changes {
			named(&x.Changes[j])
		}
		list[i] = &x
	}
	p.pack(list, stored, true)
}

// named lets go of the octets that a ledger has not: those of items. What collections and the account's own records say stays, as paths and devices are told by it.
func named(c *holdfast.Change) {
	if c.Prunable() {
		c.Prune()
	}
}

func (p *Packed) pack(batches []*holdfast.Batch, stored time.Time, names bool) {
	first, last := batches[0], batches[len(batches)-1]
	*p = Packed{First: first.Batch, Last: last.Batch, Prev: first.Prev, Hash: last.Hash, Stored: stored, Octets: reusable(p.Octets), heads: p.heads[:0], lines: reusable(p.lines), names: names}
	for _, b := range batches {
		p.lines = journal.AppendBatch(p.lines, b, stored)
		p.Changes += len(b.Changes)
		for i := range b.Changes {
			if c := &b.Changes[i]; c.More == 0 {
				p.heads = append(p.heads, AccountHead{c.Account, c.Epoch, c.Seq, c.Chain})
			}
		}
	}
	p.Plain, p.Octets = int64(len(p.lines)), seal.AppendPack(p.Octets, p.lines)
}

// reusable returns memory to be used again.
func reusable(b []byte) []byte {
	if cap(b) > maxKept {
		return nil
	}
	return b[:0]
}

// frame seals it for a segment, and adds the frame to dst. The line comes first and says what the sealed octets are like, so room is left for it, and they are moved where it turns out shorter.
func (p *Packed) frame(dst []byte, by *seal.Sealer) ([]byte, error) {
	at := len(dst)
	dst = slices.Grow(dst, maxFrameHeader+by.Size(len(p.Octets))+1)
	sealed, err := by.Append(dst[at+maxFrameHeader:at+maxFrameHeader], p.Octets)
	if err != nil {
		return dst, err
	}
	h := FrameHeader{p.First, p.Last, p.Prev, p.Hash, int64(len(sealed)), holdfast.HashOf(sealed)}
	return append(append(h.append(dst), sealed...), '\n'), nil
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

// batches opens a frame and calls fn with its batches, whose chains are zero. Where its line is wrong, and they can be read all the same, they are handed on, and the error is errLine.
func (v *Vault) batches(ctx context.Context, segment string, f foundFrame, key *seal.Identity, fn func(journal.BatchLine, []holdfast.Change) error) error {
	r, sound, err := v.openFrame(ctx, segment, f, key)
	if err != nil {
		return err
	}
	defer r.Close()
	lines := journal.NewReader(r)
	var want holdfast.Position
	for n := 0; ; n++ {
		line, changes, err := lines.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return at(segment, f, sound, err)
		}
		if n == 0 {
			want = holdfast.Position{Batch: line.Batch - 1, Hash: line.Prev}
			sound = sound && want == holdfast.Position{Batch: f.First - 1, Hash: f.Prev}
		}
		if line.Batch != want.Batch+1 || line.Prev != want.Hash || line.Sum() != line.Hash {
			return damaged(segment, f, "its batches do not follow each other", nil)
		}
		want = line.Position
		if err := fn(line, changes); err != nil {
			return err
		}
	}
	if !sound || want != f.End() {
		return fail("Frames", holdfast.Corrupt, segment, fmt.Sprintf("the line of a frame, before octet %d, is damaged; its batches up to %d could be read all the same", f.at, want.Batch), errLine)
	}
	return nil
}

// openFrame reads a frame's octets and opens them. sound tells whether they have the hash that the line says.
func (v *Vault) openFrame(ctx context.Context, segment string, f foundFrame, key *seal.Identity) (r io.ReadCloser, sound bool, err error) {
	sealed, err := v.read(ctx, segment, f.at, f.Octets)
	if err != nil {
		return nil, false, err
	}
	if f.rotted {
		sealed = afterLine(sealed)
	} else {
		sound = holdfast.HashOf(sealed) == f.SHA256
	}
	if r, err = seal.Open(bytes.NewReader(sealed), maxPlain, key); err != nil {
		return nil, sound, at(segment, f, sound, err)
	}
	return r, sound, nil
}

// at says where an error came up. sound tells whether the octets have the hash that the frame's line says.
func at(segment string, f foundFrame, sound bool, err error) error {
	switch holdfast.KindOf(err) {
	case holdfast.Corrupt, holdfast.TooLarge, holdfast.Unauthorized:
	default:
		return err
	}
	if sound {
		return damaged(segment, f, "it cannot be read", err)
	}
	return damaged(segment, f, "its octets do not have their hash", errOctets)
}

func damaged(segment string, f foundFrame, text string, err error) error {
	if f.rotted {
		text = fmt.Sprintf("the %d octets from %d on are no frame, and cannot be read as one", f.Octets, f.at)
	} else {
		text = fmt.Sprintf("the frame of the batches %d to %d is damaged: %s", f.First, f.Last, text)
	}
	return fail("Frames", holdfast.Corrupt, segment, text, err)
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
