package davtest

import (
	"context"

	"holdfast"
	"holdfast/internal/store"
	"holdfast/internal/store/memory"
)

// Engine is the model of an engine, made strict: what was not asked for is not there.
type Engine struct {
	store.Engine
	Row   func() // called for each row of a listing
	Child error  // what Child answers, if not nil
	Lost  bool   // octets are not here
}

// NewEngine makes an empty one.
func NewEngine() *Engine { return &Engine{Engine: memory.New()} }

// Snapshot opens a snapshot that is as strict.
func (e *Engine) Snapshot(ctx context.Context) (store.Snapshot, error) {
	s, err := e.Engine.Snapshot(ctx)
	return snapshot{s, e}, err
}

// Hollow lets the octets of the newest change go, although nothing has replaced it, as no engine does by itself: the history is applied to another one without them.
func (e *Engine) Hollow(ctx context.Context) error {
	other, last := memory.New(), e.Info().Position.Batch
	err := e.After(ctx, 0, 0, func(b *holdfast.Batch) error {
		newest := b.Batch == last
		b.Position, b.Prev = holdfast.Position{}, holdfast.Hash{}
		if newest {
			b.Changes[len(b.Changes)-1].Prune()
		}
		return other.Apply(ctx, b)
	})
	e.Engine = other
	return err
}

type snapshot struct {
	store.Snapshot
	e *Engine
}

// Child looks a collection up, unless it is to miss.
func (s snapshot) Child(parent holdfast.ID, name string) (holdfast.Collection, error) {
	if s.e.Child != nil {
		return holdfast.Collection{}, s.e.Child
	}
	return s.Snapshot.Child(parent, name)
}

func (e *Engine) strip(r *holdfast.Resource, f store.Fields) {
	if f&store.WithBody == 0 || e.Lost {
		r.Body, r.Blob = nil, nil
	}
	if f&store.WithProps == 0 {
		r.Properties = nil
	}
	if f&store.WithType == 0 {
		r.ContentType = ""
	}
}

func (s snapshot) Resource(c holdfast.ID, name string, f store.Fields) (holdfast.Resource, error) {
	r, err := s.Snapshot.Resource(c, name, f)
	s.e.strip(&r, f)
	return r, err
}

func (s snapshot) List(c holdfast.ID, after string, limit int, f store.Fields, fn func(*holdfast.Resource) error) error {
	return s.Snapshot.List(c, after, limit, f, func(r *holdfast.Resource) error {
		if s.e.Row != nil {
			s.e.Row()
		}
		s.e.strip(r, f)
		return fn(r)
	})
}

func (s snapshot) ChangesSince(c holdfast.ID, seq uint64, limit int, f store.Fields, fn func(*holdfast.Resource) error) (bool, error) {
	return s.Snapshot.ChangesSince(c, seq, limit, f, func(r *holdfast.Resource) error {
		s.e.strip(r, f)
		return fn(r)
	})
}

func (s snapshot) Between(c holdfast.ID, from, to int64, f store.Fields, fn func(*holdfast.Resource) error) error {
	return s.Snapshot.Between(c, from, to, f, func(r *holdfast.Resource) error {
		if s.e.Row != nil {
			s.e.Row()
		}
		s.e.strip(r, f)
		return fn(r)
	})
}
