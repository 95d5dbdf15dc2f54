package vault

import (
	"context"
	"io"
	"time"

	"holdfast"
	"holdfast/internal/clock"
)

// steady reads an object from its beginning to its end, and goes on where a connection broke: a film over a slow line would else never come whole.
type steady struct {
	ctx  context.Context
	v    *Vault
	name string

	r     io.ReadCloser // nil: none is open
	at    int64         // how far it came
	fails int           // since something came
}

// Bounds of how often it is gone on with where nothing comes, and after what pauses: 0.1 s, then twice as long each time.
const (
	steadyTries = 4
	steadyPause = 100 * time.Millisecond
)

func (v *Vault) steady(ctx context.Context, name string) (*steady, error) {
	s := &steady{ctx: ctx, v: v, name: name}
	var err error
	s.r, err = v.p.Get(ctx, name, 0, -1)
	return s, err
}

// Read implements [io.Reader].
func (s *steady) Read(p []byte) (n int, err error) {
	for {
		if s.r == nil {
			s.r, err = s.v.p.Get(s.ctx, s.name, s.at, -1)
		}
		if s.r != nil {
			n, err = s.r.Read(p)
			s.at += int64(n)
		}
		if n > 0 {
			s.fails = 0
		}
		if err == nil || err == io.EOF {
			return n, err
		}
		s.drop()
		if n > 0 { // the next read goes on
			return n, nil
		}
		if s.fails++; s.fails >= steadyTries || !holdfast.IsKind(err, holdfast.Unavailable) || clock.Sleep(s.ctx, s.v.o.Clock, steadyPause<<(s.fails-1)) != nil {
			return 0, err
		}
	}
}

func (s *steady) drop() {
	if s.r != nil {
		s.r.Close()
		s.r = nil
	}
}

// Close lets go.
func (s *steady) Close() error { s.drop(); return nil }
