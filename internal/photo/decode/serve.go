package decode

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/jpeg"
	"io"
	"runtime/debug"
	"slices"
)

// Serve is the child: it answers requests until its input ends. Confine is to be called before.
func Serve(r io.Reader, w io.Writer) error {
	in, out := bufio.NewReader(r), bufio.NewWriter(w)
	for {
		var q request
		if err := readHeader(in, &q); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("decode-worker: read a request: %w", err)
		}
		if q.Octets < 0 || q.Octets > MaxOctets {
			return fmt.Errorf("decode-worker: a request of %d octets", q.Octets)
		}
		b := make([]byte, q.Octets)
		if _, err := io.ReadFull(in, b); err != nil {
			return fmt.Errorf("decode-worker: read a photo: %w", err)
		}
		t, err := thumbs(b, q)
		if err := reply(out, t, err); err != nil {
			return fmt.Errorf("decode-worker: answer: %w", err)
		}
		debug.FreeOSMemory() // the next one may be as large
	}
}

func reply(out *bufio.Writer, t *Thumbs, err error) error {
	a := answer{}
	var bad *Undecodable
	switch {
	case errors.As(err, &bad):
		a.Why = bad.Why
	case err != nil:
		a.Why = err.Error()
	default:
		a = answer{Square: len(t.Square), Large: len(t.Large), Hash: t.Hash, Width: t.LargeWidth, Height: t.LargeHeight}
	}
	if len(a.Why) > 500 {
		a.Why = a.Why[:500]
	}
	if err := writeHeader(out, a); err != nil {
		return err
	}
	if t != nil && a.Why == "" {
		out.Write(t.Square) // the error comes with Flush
		out.Write(t.Large)
	}
	return out.Flush()
}

// thumbs makes the thumbnails of one photo. A decoder that panics has only failed.
func thumbs(b []byte, q request) (t *Thumbs, err error) {
	defer func() {
		if p := recover(); p != nil {
			t, err = nil, undecodable("the decoder failed: %v", p)
		}
	}()
	if q.TurnAt > 0 && q.TurnAt < int64(len(b)) {
		b[q.TurnAt] &^= 3 // the decoder would turn all pixels, which takes twice the memory; we turn the few that are left
	}
	m, err := picture(b, q)
	if err != nil {
		return nil, err
	}
	large := oriented(fit(m, LargeSide), q.Orientation)
	m = nil
	square := squared(large, SquareSide)
	t = &Thumbs{LargeWidth: large.Rect.Dx(), LargeHeight: large.Rect.Dy(), Hash: hashOf(large)}
	flatten(large)
	flatten(square)
	if t.Large, err = encode(large, 82, q.Profile); err != nil {
		return nil, err
	}
	t.Square, err = encode(square, 80, q.Profile)
	return t, err
}

func hashOf(m *image.RGBA) []byte {
	small := fit(m, hashSide)
	to := image.NewNRGBA(small.Rect)
	draw.Draw(to, to.Rect, small, image.Point{}, draw.Src)
	return Hash(to)
}

// encode writes a JPEG with a profile, if there is one that fits into a segment.
func encode(m image.Image, quality int, profile []byte) ([]byte, error) {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: quality}); err != nil {
		return nil, undecodable("the thumbnail cannot be written: %v", err)
	}
	const head = "ICC_PROFILE\x00\x01\x01"
	if n := 2 + len(head) + len(profile); len(profile) > 0 && n <= 0xffff {
		segment := append(binary.BigEndian.AppendUint16([]byte{0xff, 0xe2}, uint16(n)), head...)
		return slices.Concat(b.Bytes()[:2], segment, profile, b.Bytes()[2:]), nil
	}
	return b.Bytes(), nil
}
