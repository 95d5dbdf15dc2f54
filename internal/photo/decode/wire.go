package decode

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Messages between a pool and its children: the length of a JSON object in four octets, the object, and the octets that it speaks of.

const mostHeader = 64 << 10

func writeHeader(w io.Writer, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...))
	return err
}

func readHeader(r io.Reader, v any) error {
	var n [4]byte
	if _, err := io.ReadFull(r, n[:]); err != nil {
		return err
	}
	size := binary.BigEndian.Uint32(n[:])
	if size > mostHeader {
		return fmt.Errorf("a header of %d octets", size)
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(r, b); err != nil {
		return io.ErrUnexpectedEOF
	}
	return json.Unmarshal(b, v)
}

// mostThumb bounds what a parent believes of a child.
const (
	mostThumb = 8 << 20
	mostHash  = 64
)

func readThumbs(r io.Reader) (*Thumbs, error) {
	var a answer
	if err := readHeader(r, &a); err != nil {
		return nil, err
	}
	if a.Why != "" {
		return nil, &Undecodable{a.Why}
	}
	if a.Square <= 0 || a.Large <= 0 || a.Square > mostThumb || a.Large > mostThumb {
		return nil, fmt.Errorf("thumbnails of %d and %d octets", a.Square, a.Large)
	}
	if len(a.Hash) > mostHash || a.Width < 1 || a.Height < 1 || a.Width > LargeSide || a.Height > LargeSide {
		return nil, fmt.Errorf("a thumbnail of %d x %d with a hash of %d octets", a.Width, a.Height, len(a.Hash))
	}
	t := &Thumbs{Square: make([]byte, a.Square), Large: make([]byte, a.Large), LargeWidth: a.Width, LargeHeight: a.Height, Hash: a.Hash}
	for _, b := range [][]byte{t.Square, t.Large} {
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, io.ErrUnexpectedEOF
		}
		if !bytes.HasPrefix(b, []byte{0xff, 0xd8, 0xff}) {
			return nil, errors.New("a thumbnail that is no JPEG")
		}
	}
	return t, nil
}
