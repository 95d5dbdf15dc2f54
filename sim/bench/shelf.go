package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/sim/load"
)

// file is one of those that are moved. Its octets do not compress, and no two files are the same.
type file struct {
	name string
	head []byte // its own
	rest []byte // out of a pool
	of   *pool  // that one
	from int64  // where they lie there
}

func (f *file) size() int { return len(f.head) + len(f.rest) }

// is tells whether these are its octets.
func (f *file) is(p []byte) bool {
	return len(p) == f.size() && bytes.Equal(p[:len(f.head)], f.head) && bytes.Equal(p[len(f.head):], f.rest)
}

// ownOctets is how many octets of a file no other has.
const ownOctets = 32

// pool is octets that do not compress, in memory and as a file of memory where the system has such.
type pool struct {
	octets []byte
	file   string
}

// memoryFiles is where files lie in memory.
const memoryFiles = "/dev/shm"

// newPool returns octets for files of up to size. Its file is in dir where there is no better place.
func newPool(dir string, size int) (*pool, error) {
	p := &pool{octets: newOctets(size + 64<<20)} // more than the processor's caches hold
	if st, err := os.Stat(memoryFiles); err == nil && st.IsDir() {
		dir = memoryFiles
	}
	f, err := os.CreateTemp(dir, "holdfast-bench-pool-")
	if err != nil {
		return nil, err
	}
	p.file = f.Name()
	_, err = f.Write(p.octets)
	return p, errors.Join(err, f.Close())
}

func (p *pool) close() error { return os.Remove(p.file) }

func newOctets(n int) []byte {
	octets := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(octets)
	return octets
}

// newFiles returns n files of size octets, of which no earlier call returned one.
func newFiles(p *pool, n, size int) []*file {
	list := make([]*file, n)
	for i := range list {
		f := &file{name: fmt.Sprintf("IMG_%04d.JPG", i), head: make([]byte, ownOctets)}
		for k := range f.head {
			f.head[k] = byte(rand.Uint32())
		}
		from := i * 300_007 % (len(p.octets) - size)
		f.rest, f.of, f.from = p.octets[from:from+size-ownOctets], p, int64(from)
		list[i] = f
	}
	return list
}

// shelf takes files and gives them back.
type shelf interface {
	// hand connects to it once more.
	hand(ctx context.Context) (hand, error)
}

// hand moves files, one after the other.
type hand interface {
	put(*file) error
	get(*file) error
	close()
}

// move lets several hands move files, and returns the MiB a second.
func move(ctx context.Context, s shelf, hands int, list []*file, one func(hand, *file) error) (float64, error) {
	all := make([]hand, 0, hands)
	for range hands {
		h, err := s.hand(ctx)
		if err != nil {
			return 0, err
		}
		defer h.close()
		all = append(all, h)
	}
	var next, octets atomic.Int64
	errs := make([]error, hands)
	var wg sync.WaitGroup
	began := time.Now()
	for i, h := range all {
		wg.Go(func() {
			for errs[i] == nil && ctx.Err() == nil {
				n := int(next.Add(1)) - 1
				if n >= len(list) {
					return
				}
				octets.Add(int64(list[n].size()))
				errs[i] = one(h, list[n])
			}
		})
	}
	wg.Wait()
	took := time.Since(began)
	return float64(octets.Load()) / (1 << 20) / took.Seconds(), errors.Join(append(errs, context.Cause(ctx))...)
}

// plain is a directory. Its hands write a file and fsync it, and read one without a look at its octets: less cannot be done.
type plain string

func (d plain) hand(context.Context) (hand, error) {
	return &plainHand{string(d), make([]byte, 256<<10)}, nil
}

type plainHand struct {
	dir string
	buf []byte
}

func (h *plainHand) put(f *file) error {
	w, err := os.OpenFile(filepath.Join(h.dir, f.name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = w.Write(f.head)
	if err == nil {
		_, err = w.Write(f.rest)
	}
	if err == nil {
		err = w.Sync()
	}
	return errors.Join(err, w.Close())
}

func (h *plainHand) get(f *file) error {
	r, err := os.Open(filepath.Join(h.dir, f.name))
	if err != nil {
		return err
	}
	defer r.Close()
	for left := f.size(); left > 0; {
		n, err := r.Read(h.buf)
		if left -= n; err != nil {
			return err
		}
	}
	return nil
}

func (h *plainHand) close() {}

// web is a collection of a WebDAV server.
type web struct {
	addr, path     string
	user, password string // none: without
}

func (s *web) hand(ctx context.Context) (hand, error) {
	c, err := load.Dial(ctx, s.addr, time.Now().Add(time.Hour))
	if err != nil {
		return nil, err
	}
	return &webHand{Conn: c, at: s}, nil
}

type webHand struct {
	*load.Conn
	at   *web
	pool *os.File // opened by itself, for the offset; nil: not yet
}

// begin is the head of a request, but for its last lines.
func (h *webHand) begin(method string, f *file) []byte {
	b := fmt.Appendf(nil, "%s %s%s HTTP/1.1\r\nHost: localhost\r\n", method, h.at.path, f.name)
	if h.at.user != "" {
		b = fmt.Appendf(b, "Authorization: %s\r\n", load.Basic(h.at.user, h.at.password))
	}
	return b
}

func (h *webHand) put(f *file) error {
	b := fmt.Appendf(h.begin("PUT", f), "Content-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n", f.size())
	_, err := h.Write(append(b, f.head...))
	if err == nil {
		err = h.send(f)
	}
	if err != nil {
		return fmt.Errorf("PUT %s: %w", f.name, err)
	}
	a, err := h.Read()
	if err == nil && a.Status >= 300 {
		err = fmt.Errorf("PUT %s: %d %.200s", f.name, a.Status, a.Body)
	}
	return err
}

// send lets the system copy a file's octets out of the pool's into the connection: phones bring processors of their own, and this one shares those of the server.
func (h *webHand) send(f *file) error {
	if h.pool == nil {
		p, err := os.Open(f.of.file)
		if err != nil {
			return err
		}
		h.pool = p
	}
	if _, err := h.pool.Seek(f.from, io.SeekStart); err != nil {
		return err
	}
	_, err := io.CopyN(h.Conn.Conn, h.pool, int64(len(f.rest)))
	return err
}

func (h *webHand) get(f *file) error {
	a, err := h.Do(append(h.begin("GET", f), "\r\n"...))
	if err == nil && (a.Status != 200 || !f.is(a.Body)) {
		err = fmt.Errorf("GET %s: %d, and %d octets that are not what was put", f.name, a.Status, len(a.Body))
	}
	return err
}

func (h *webHand) close() {
	h.Conn.Close()
	if h.pool != nil {
		h.pool.Close()
	}
}
