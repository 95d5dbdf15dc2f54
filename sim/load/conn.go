package load

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// maxAnswer bounds one answer, in octets.
const maxAnswer = 1 << 30

// Conn is one connection, used by one goroutine at a time.
type Conn struct {
	net.Conn
	deadline time.Time
	over     bool   // the last answer ended the connection
	buf      []byte // what was read; buf[at:] is not parsed yet
	at       int
	body     []byte // decoded chunks
}

// Answer is an answer whose slices are valid until the next request on its connection.
type Answer struct {
	Status  int
	ETag    []byte // with its quotes
	Receipt []byte // the value of Holdfast-Receipt
	Head    []byte // status line and headers
	Body    []byte
	Close   bool // the server closes the connection after it
}

// Dial connects to host:port. deadline ends whatever the connection does; zero: never.
func Dial(ctx context.Context, addr string, deadline time.Time) (*Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if err := c.SetDeadline(deadline); err != nil {
		c.Close()
		return nil, err
	}
	return &Conn{Conn: c, deadline: deadline, buf: make([]byte, 0, 16<<10)}, nil
}

// again connects anew, to a server that ends a connection with each answer.
func (c *Conn) again() error {
	c.Close()
	n, err := Dial(context.Background(), c.RemoteAddr().String(), c.deadline)
	if err != nil {
		return err
	}
	c.Conn, c.over, c.buf, c.at = n.Conn, false, c.buf[:0], 0
	return nil
}

// Do sends the octets of one request without method HEAD and reads its answer.
func (c *Conn) Do(request []byte) (Answer, error) {
	if c.over {
		if err := c.again(); err != nil {
			return Answer{}, err
		}
	}
	if _, err := c.Write(request); err != nil {
		return Answer{}, err
	}
	return c.Read()
}

// Read reads one answer. The error is io.EOF if the server closed the connection before its first octet.
func (c *Conn) Read() (Answer, error) {
	c.buf = append(c.buf[:0], c.buf[c.at:]...)
	c.at = 0
	end := -1
	for end < 0 {
		if end = bytes.Index(c.buf, []byte("\r\n\r\n")); end >= 0 {
			break
		}
		if err := c.fill(); err != nil {
			if errors.Is(err, io.EOF) && len(c.buf) > 0 {
				err = io.ErrUnexpectedEOF
			}
			return Answer{}, err
		}
	}
	a, length, chunked, err := parseHead(c.buf[:end+2])
	if err != nil {
		return a, err
	}
	c.at = end + 4
	switch {
	case a.Status == 204 || a.Status == 304 || a.Status < 200:
	case chunked:
		err = c.chunks()
		a.Body = c.body
	case length < 0 && a.Close:
		err = c.rest()
		a.Body = c.buf[c.at:]
		c.at = len(c.buf)
	case length < 0:
		return a, errors.New("load: an answer without a length")
	default:
		err = c.need(length)
		if err == nil {
			a.Body = c.buf[c.at : c.at+length]
			c.at += length
		}
	}
	c.over = a.Close
	return a, err // slices of the head stay valid where the buffer has moved: they keep the old one
}

func parseHead(head []byte) (a Answer, length int, chunked bool, err error) {
	length = -1
	line, rest, _ := bytes.Cut(head, []byte("\r\n"))
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.")) {
		return a, 0, false, fmt.Errorf("load: not an answer: %.60q", line)
	}
	if a.Status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return a, 0, false, fmt.Errorf("load: not a status: %.60q", line)
	}
	a.Head, a.Close = head, line[7] == '0'
	for len(rest) > 0 {
		line, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		i := bytes.IndexByte(line, ':')
		if i < 0 {
			return a, 0, false, fmt.Errorf("load: not a header: %.60q", line)
		}
		name, value := line[:i], bytes.TrimSpace(line[i+1:])
		switch { // by length first: most headers are none of these
		case i == 4 && bytes.EqualFold(name, []byte("ETag")):
			a.ETag = value
		case i == 10 && bytes.EqualFold(name, []byte("Connection")):
			a.Close = bytes.EqualFold(value, []byte("close")) || a.Close && !bytes.EqualFold(value, []byte("keep-alive"))
		case i == 14 && bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil || length < 0 || length > maxAnswer {
				return a, 0, false, fmt.Errorf("load: Content-Length %.60q", value)
			}
		case i == 16 && bytes.EqualFold(name, []byte("Holdfast-Receipt")):
			a.Receipt = value
		case i == 17 && bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = bytes.EqualFold(value, []byte("chunked"))
		}
	}
	return a, length, chunked, nil
}

// fill reads more octets behind those that are there.
func (c *Conn) fill() error {
	if len(c.buf) >= maxAnswer {
		return errors.New("load: the answer is too large")
	}
	if len(c.buf) == cap(c.buf) {
		c.buf = append(make([]byte, 0, 2*cap(c.buf)), c.buf...)
	}
	n, err := c.Conn.Read(c.buf[len(c.buf):cap(c.buf)])
	c.buf = c.buf[:len(c.buf)+n]
	if n > 0 {
		return nil
	}
	return err
}

// need makes sure that n octets behind at are there.
func (c *Conn) need(n int) error {
	if want := c.at + n; want > cap(c.buf) {
		c.buf = append(make([]byte, 0, want), c.buf...)
	}
	for len(c.buf)-c.at < n {
		if err := c.fill(); err != nil {
			return fmt.Errorf("load: the answer ends early: %w", noEOF(err))
		}
	}
	return nil
}

// rest reads until the server closes the connection.
func (c *Conn) rest() error {
	for {
		if err := c.fill(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// chunks reads a chunked body into c.body.
func (c *Conn) chunks() error {
	c.body = c.body[:0]
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		size, _, _ := bytes.Cut(line, []byte(";"))
		n, err := strconv.ParseUint(string(bytes.TrimSpace(size)), 16, 31)
		if err != nil || len(c.body)+int(n) > maxAnswer {
			return fmt.Errorf("load: not a chunk: %.60q", line)
		}
		if n == 0 {
			line, err = c.line() // no trailers are expected
			if err == nil && len(line) > 0 {
				err = fmt.Errorf("load: a trailer: %.60q", line)
			}
			return err
		}
		if err := c.need(int(n) + 2); err != nil {
			return err
		}
		c.body = append(c.body, c.buf[c.at:c.at+int(n)]...)
		c.at += int(n) + 2
	}
}

func (c *Conn) line() ([]byte, error) {
	for {
		if i := bytes.Index(c.buf[c.at:], []byte("\r\n")); i >= 0 {
			line := c.buf[c.at : c.at+i]
			c.at += i + 2
			return line, nil
		}
		if err := c.fill(); err != nil {
			return nil, noEOF(err)
		}
	}
}

// Basic returns the value of an Authorization header.
func Basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}
