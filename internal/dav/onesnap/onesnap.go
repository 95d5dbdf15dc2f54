// Package onesnap finds requests that open a second snapshot while they hold one. An engine has few snapshots at a time: requests that each hold one and wait for
// another wait for ever, and everybody with them. It is for tests.
package onesnap

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"

	"holdfast/internal/store"
)

type key struct{}

// Handler marks each request of h, so that Engine knows which snapshots are one request's.
func Handler(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(w, r.WithContext(Mark(r.Context()))) })
}

// Mark makes what follows with the context one request.
func Mark(ctx context.Context) context.Context {
	return context.WithValue(ctx, key{}, new(atomic.Int32))
}

// Engine refuses a request's second snapshot while its first one is open.
type Engine struct {
	store.Engine
	// Nested is called for each refusal.
	Nested func()
	// Opened counts the snapshots of marked requests.
	Opened atomic.Int64
}

// Snapshot opens a snapshot, if the request holds none.
func (e *Engine) Snapshot(ctx context.Context) (store.Snapshot, error) {
	open, marked := ctx.Value(key{}).(*atomic.Int32)
	if !marked {
		return e.Engine.Snapshot(ctx)
	}
	e.Opened.Add(1)
	if open.Add(1) > 1 {
		open.Add(-1)
		e.Nested()
		return nil, errors.New("onesnap: this request holds a snapshot already")
	}
	s, err := e.Engine.Snapshot(ctx)
	if err != nil {
		open.Add(-1)
		return nil, err
	}
	return &snapshot{Snapshot: s, open: open}, nil
}

type snapshot struct {
	store.Snapshot
	open *atomic.Int32
}

// Close lets the request open another one.
func (s *snapshot) Close() {
	s.Snapshot.Close()
	s.open.Add(-1)
}
