package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"holdfast/sim/server"
)

// endless yields octets that do not compress, and of which no two gigabytes are the same.
type endless struct {
	pool []byte
	at   int64
	left int64
}

// Read implements io.Reader. The pool begins anew each time it ends, with an offset of its own.
func (e *endless) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	round, in := e.at/int64(len(e.pool)), e.at%int64(len(e.pool))
	from := (in + round*7_919) % int64(len(e.pool))
	n := copy(p[:min(int64(len(p)), e.left, int64(len(e.pool))-in)], e.pool[from:])
	e.at, e.left = e.at+int64(n), e.left-int64(n)
	return n, nil
}

// hugeFile moves one file of gigabytes in and out, with a vault on the same disk, and looks how much the server has resident at most.
func (b *bench) hugeFile(ctx context.Context) error {
	dir := filepath.Join(b.dir, "huge")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s, err := server.Start(ctx, server.Options{Bin: b.bin, Data: filepath.Join(dir, "data")})
	if err != nil {
		return err
	}
	defer s.Stop()
	a, err := s.AddAccount(ctx, "alice@example.org")
	if err != nil {
		return err
	}
	h := &huge{b: b, s: s, at: filesOf(s.Addr, a), octets: endless{pool: newOctets(64 << 20), left: b.hugeSize}}
	for _, way := range []struct {
		name string
		run  func(context.Context) error
	}{{"in, with a vault on the same disk", h.put}, {"out", h.get}} {
		if err := h.measure(ctx, way.name, way.run); err != nil {
			return err
		}
	}
	return s.Stop()
}

type huge struct {
	b      *bench
	s      *server.Server
	at     *web
	octets endless
}

func (h *huge) measure(ctx context.Context, way string, run func(context.Context) error) error {
	before, err := h.s.Memory()
	if err == nil {
		err = h.s.ResetPeak()
	}
	if err != nil {
		return err
	}
	began := time.Now()
	err = run(ctx)
	took := time.Since(began)
	size := fmt.Sprintf("one file of %s MiB", number(float64(h.b.hugeSize)/(1<<20)))
	var refused *tooLargeError
	if errors.As(err, &refused) {
		h.b.report.add(figure{Name: size + " " + way, Unit: "MiB/s", Note: "not taken: " + refused.Error()})
		return nil
	}
	if err != nil {
		return err
	}
	after, err := h.s.Memory()
	if err != nil {
		return err
	}
	h.b.report.add(figure{Name: size + " " + way, Value: float64(h.b.hugeSize) / (1 << 20) / took.Seconds(), Unit: "MiB/s",
		Note: fmt.Sprintf("the server %s MiB resident before, %s at most", mebi(before.Resident), mebi(after.Peak))})
	return nil
}

// tooLargeError is a file that is larger than what is taken.
type tooLargeError struct{ status string }

func (e *tooLargeError) Error() string { return "the server answered " + e.status }

func (h *huge) do(ctx context.Context, method string, body io.Reader) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, "http://"+h.at.addr+h.at.path+"film.mov", body)
	if err != nil {
		return nil, err
	}
	r.SetBasicAuth(h.at.user, h.at.password)
	if body != nil {
		r.ContentLength = h.b.hugeSize
		r.Header.Set("Expect", "100-continue") // as all who send much do
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	if a.StatusCode < 300 {
		return a, nil
	}
	a.Body.Close()
	if a.StatusCode == http.StatusRequestEntityTooLarge || a.StatusCode == http.StatusForbidden || a.StatusCode == http.StatusNotFound {
		return nil, &tooLargeError{a.Status}
	}
	return nil, fmt.Errorf("%s: %s", method, a.Status)
}

func (h *huge) put(ctx context.Context) error {
	octets := h.octets
	a, err := h.do(ctx, "PUT", struct{ io.Reader }{&octets})
	if err != nil {
		return err
	}
	return a.Body.Close()
}

func (h *huge) get(ctx context.Context) error {
	a, err := h.do(ctx, "GET", nil)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	wanted := h.octets
	return same(a.Body, &wanted)
}

// same compares what comes with what should.
func same(got, wanted io.Reader) error {
	a, b := make([]byte, 256<<10), make([]byte, 256<<10)
	for {
		n, err := io.ReadFull(got, a)
		m, err2 := io.ReadFull(wanted, b)
		if n != m || !bytes.Equal(a[:n], b[:m]) {
			return fmt.Errorf("what came is not what was put (%v)", err)
		}
		if err2 != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				err = nil
			}
			return err
		}
	}
}
