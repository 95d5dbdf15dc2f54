package content

import (
	"bufio"
	"bytes"
	"io"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// Fragments reads a file line of text by line of text, a long one in several pieces, so that no more than a buffer is held. A file in UTF-16 is
// read as UTF-8.
type Fragments struct {
	Line  int  // number of the line to which the last fragment belongs, from 1
	Start bool // the last fragment begins its line

	in    *bufio.Reader
	ended bool // the last fragment ends its line
}

// bufferSize is how long a fragment may be, in octets.
const bufferSize = 64 << 10

// NewFragments begins to read a file.
func NewFragments(r io.Reader) *Fragments { return &Fragments{in: utf16Aware(r), ended: true} }

// utf16Aware decodes UTF-16 where a byte order mark or the shape of "BE" shows it.
func utf16Aware(r io.Reader) *bufio.Reader {
	br := bufio.NewReaderSize(&sticky{r: r}, bufferSize)
	head, _ := br.Peek(4)
	var order unicode.Endianness
	switch {
	case bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("B\x00E\x00")):
		order = unicode.LittleEndian
	case bytes.HasPrefix(head, []byte("\xfe\xff")), bytes.HasPrefix(head, []byte("\x00B\x00E")):
		order = unicode.BigEndian
	default:
		return br
	}
	return bufio.NewReaderSize(&sticky{r: transform.NewReader(br, unicode.UTF16(order, unicode.UseBOM).NewDecoder())}, bufferSize)
}

// sticky gives a reader's error again at every later read, because the buffer forgets it.
type sticky struct {
	r   io.Reader
	err error
}

func (s *sticky) Read(p []byte) (n int, err error) {
	if s.err == nil {
		n, s.err = s.r.Read(p)
	}
	return n, s.err
}

// Next reads up to the end of a line, but never more than the buffer; what it returns is valid until the next call. A run of carriage returns,
// with or without a line feed, is one end. The error is the reader's own, io.EOF at the end.
func (f *Fragments) Next() ([]byte, error) {
	if _, err := f.in.Peek(1); err != nil {
		return nil, err
	}
	if f.Start = f.ended; f.ended {
		f.Line++
	}
	n := 0 // octets known to belong to this fragment
	for state := inLine; state != complete; {
		buf, err := f.in.Peek(max(n+1, f.in.Buffered()))
		if i := bytes.IndexAny(buf[n:], "\r\n"); state == inLine && i > 0 {
			n += i
		} else if state == inLine && i < 0 {
			n = len(buf)
		}
		for ; n < len(buf) && state != complete; n++ {
			switch c := buf[n]; {
			case c == '\n':
				state = complete
			case c == '\r':
				state = inReturns
			case state == inReturns:
				state = complete
				n-- // this one begins the next line
			}
		}
		f.ended = state != inLine
		if err != nil {
			break // the end of the input, or a full buffer
		}
	}
	buf, _ := f.in.Peek(n)
	f.in.Discard(n)
	return buf, nil
}

// The states of Next.
const (
	inLine = iota
	inReturns
	complete
)
