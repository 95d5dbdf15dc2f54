package dav

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"holdfast"
	"holdfast/internal/davxml"
)

// spoolMemory is how much of an answer waits in memory; what is longer goes to a file.
const spoolMemory = 1 << 20

// spool takes an answer while its snapshot is open. Only when it is whole and the snapshot is closed is it sent, with its length, so that a
// client can tell a whole answer from a broken one.
//
// It is bounded: a small question can have an answer that fills a disk.
type spool struct {
	h    *Handler
	mem  *bytes.Buffer
	file *os.File
	size int64
	err  error // the first one: what lacks a piece is never sent
}

var spoolBuffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func (q *request) newSpool() *spool {
	b := spoolBuffers.Get().(*bytes.Buffer)
	b.Reset()
	return &spool{h: q.h, mem: b}
}

// Write implements io.Writer.
func (s *spool) Write(p []byte) (n int, err error) {
	if s.err == nil {
		s.err = s.write(p)
	}
	if s.err != nil {
		return 0, s.err
	}
	return len(p), nil
}

func (s *spool) write(p []byte) error {
	n := int64(len(p))
	if s.size+n > s.h.o.MaxAnswer {
		return Refuse(http.StatusInsufficientStorage, davxml.DNumberOfMatchesWithinLimits,
			"the answer would have more than "+strconv.FormatInt(s.h.o.MaxAnswer, 10)+" octets; ask for less at once")
	}
	if !s.h.spools.take(n) {
		return crowded("dav.spool", "too many large answers are on their way by now; try again later")
	}
	s.size += n
	if s.file == nil && s.mem.Len()+len(p) <= spoolMemory {
		s.mem.Write(p)
		return nil
	}
	if err := s.toFile(p); err != nil { // a full disk is of the moment, and no mistake of the client's
		return &holdfast.Error{Op: "dav.spool", Kind: holdfast.Unavailable, Err: err, Text: "there is no room to make this answer now; try again later"}
	}
	return nil
}

func (s *spool) toFile(p []byte) error {
	if s.file == nil {
		if err := s.spill(); err != nil {
			return err
		}
	}
	_, err := s.file.Write(p)
	return err
}

// spill moves the answer to a file without a name, which is gone with the process, however that ends.
func (s *spool) spill() error {
	f, err := os.CreateTemp(s.h.o.SpoolDir, ".answer-*")
	if err != nil {
		return err
	}
	s.file = f
	if err := os.Remove(f.Name()); err != nil {
		return err
	}
	_, err = f.Write(s.mem.Bytes())
	return err
}

// close lets go of memory and file.
func (s *spool) close() {
	if s.file != nil {
		s.file.Close()
	}
	s.h.spools.give(s.size)
	spoolBuffers.Put(s.mem)
	s.mem, s.file = nil, nil
}

// send writes the answer with its length. If it cannot be written whole the connection is broken off, never ended as if it were.
func (s *spool) send(q *request, status int) error {
	q.w.Header().Set("Content-Length", strconv.FormatInt(s.size, 10))
	q.w.WriteHeader(status)
	if q.r.Method == http.MethodHead {
		return nil
	}
	out := q.patience(s.size)
	var err error
	if s.file == nil {
		_, err = out.Write(s.mem.Bytes())
	} else if _, err = s.file.Seek(0, io.SeekStart); err == nil {
		var n int64
		if n, err = io.CopyBuffer(out, struct{ io.Reader }{s.file}, make([]byte, 128<<10)); err == nil && n != s.size {
			err = io.ErrUnexpectedEOF
		}
	}
	if err == nil {
		err = out.end()
	}
	if err != nil {
		q.h.o.Log.Debug("dav answer broken off", "err", err)
		panic(http.ErrAbortHandler)
	}
	return nil
}

// patient writes under a deadline that moves on with each piece, up to one for the whole: a client that reads drop by drop would hold its answer for ever.
type patient struct {
	q    *request
	rc   *http.ResponseController
	last time.Time
}

func (q *request) patience(size int64) *patient {
	o := &q.h.o
	all := o.WriteIdle + time.Duration(size/o.WriteRate)*time.Second
	return &patient{q: q, rc: http.NewResponseController(q.w), last: o.Clock.Now().Add(all)}
}

// writer is the answer with each of its writes under the deadline.
func (p *patient) writer(size int64) http.ResponseWriter { return &paced{p.q.w, p, size} }

type paced struct {
	http.ResponseWriter
	p    *patient
	size int64 // of the file
}

// Write implements io.Writer.
func (w *paced) Write(b []byte) (int, error) { return w.p.Write(b) }

// ahead is how many octets of a file are read at once: as many as a blob's store verifies, so that none of them is copied to be verified.
const ahead = 1 << 20

// aheads are buffers of that size.
var aheads = sync.Pool{New: func() any { return new([ahead]byte) }}

// ReadFrom implements io.ReaderFrom: net/http would move 32 KiB at a time.
func (w *paced) ReadFrom(r io.Reader) (n int64, err error) {
	var buf []byte
	if w.size <= trusted { // many of them may wait for slow clients
		buf = make([]byte, max(w.size, 1))
	} else {
		whole := aheads.Get().(*[ahead]byte)
		defer aheads.Put(whole)
		buf = whole[:]
	}
	for {
		got, rerr := io.ReadFull(r, buf)
		sent, werr := w.Write(buf[:got])
		n += int64(sent)
		switch {
		case werr != nil:
			return n, werr
		case rerr == io.EOF || rerr == io.ErrUnexpectedEOF:
			return n, nil
		case rerr != nil:
			return n, rerr
		}
	}
}

// end sends what net/http still holds, while the deadline stands, and lifts it.
func (p *patient) end() error {
	err := p.rc.Flush()
	p.rc.SetWriteDeadline(time.Time{})
	if errors.Is(err, http.ErrNotSupported) {
		return nil // a test's
	}
	return err
}

// Write implements io.Writer.
func (p *patient) Write(b []byte) (n int, err error) {
	for len(b) > 0 && err == nil {
		piece := b[:min(len(b), 256<<10)]
		at := p.q.h.o.Clock.Now().Add(p.q.h.o.WriteIdle)
		if at.After(p.last) {
			at = p.last
		}
		p.rc.SetWriteDeadline(at)
		var m int
		m, err = p.q.w.Write(piece)
		n, b = n+m, b[m:]
	}
	return n, err
}
