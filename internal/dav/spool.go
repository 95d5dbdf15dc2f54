package dav

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"
)

// spoolMemory is how much of an answer waits in memory; what is longer goes to a file.
const spoolMemory = 1 << 20

// spool takes an answer while its snapshot is open. Only when it is whole and the snapshot is closed is it sent, with its length, so that a
// client can tell a whole answer from a broken one.
type spool struct {
	dir  string
	mem  *bytes.Buffer
	file *os.File
	size int64
}

var spoolBuffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func newSpool(dir string) *spool {
	b := spoolBuffers.Get().(*bytes.Buffer)
	b.Reset()
	return &spool{dir: dir, mem: b}
}

// Write implements io.Writer.
func (s *spool) Write(p []byte) (int, error) {
	s.size += int64(len(p))
	if s.file == nil {
		if s.mem.Len()+len(p) <= spoolMemory {
			return s.mem.Write(p)
		}
		if err := s.spill(); err != nil {
			return 0, err
		}
	}
	return s.file.Write(p)
}

// spill moves the answer to a file without a name, which is gone with the process, however that ends.
func (s *spool) spill() error {
	f, err := os.CreateTemp(s.dir, ".answer-*")
	if err != nil {
		return fmt.Errorf("spool answer: %w", err)
	}
	s.file = f
	if err := os.Remove(f.Name()); err != nil {
		return fmt.Errorf("spool answer: %w", err)
	}
	if _, err := f.Write(s.mem.Bytes()); err != nil {
		return fmt.Errorf("spool answer: %w", err)
	}
	return nil
}

// close lets go of memory and file.
func (s *spool) close() {
	if s.file != nil {
		s.file.Close()
	}
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
	out := &patient{q: q, rc: http.NewResponseController(q.w)}
	var err error
	if s.file == nil {
		_, err = out.Write(s.mem.Bytes())
	} else if _, err = s.file.Seek(0, io.SeekStart); err == nil {
		var n int64
		if n, err = io.CopyBuffer(out, struct{ io.Reader }{s.file}, make([]byte, 128<<10)); err == nil && n != s.size {
			err = io.ErrUnexpectedEOF
		}
	}
	if err != nil {
		q.h.o.Log.Debug("dav answer broken off", "err", err)
		panic(http.ErrAbortHandler)
	}
	return nil
}

// patient writes under a deadline that moves on with each piece.
type patient struct {
	q  *request
	rc *http.ResponseController
}

// Write implements io.Writer.
func (p *patient) Write(b []byte) (n int, err error) {
	for len(b) > 0 && err == nil {
		piece := b[:min(len(b), 256<<10)]
		p.rc.SetWriteDeadline(p.q.h.o.Clock.Now().Add(p.q.h.o.WriteIdle))
		var m int
		m, err = p.q.w.Write(piece)
		n, b = n+m, b[m:]
	}
	p.rc.SetWriteDeadline(time.Time{})
	return n, err
}
