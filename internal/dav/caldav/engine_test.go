package caldav_test

import (
	"context"

	"holdfast"
	"holdfast/internal/store"
	"holdfast/internal/store/memory"
)

// newEngine is the model of an engine, made strict: what was not asked for is not there.
func newEngine() *strict { return &strict{Engine: memory.New()} }

type strict struct {
	store.Engine
	row   func() // called for each row of a listing
	child error  // what Child answers, if not nil
	lost  bool   // octets are not here
}

func (e *strict) Snapshot(ctx context.Context) (store.Snapshot, error) {
	s, err := e.Engine.Snapshot(ctx)
	return strictSnapshot{s, e}, err
}

type strictSnapshot struct {
	store.Snapshot
	e *strict
}

func (s strictSnapshot) Child(parent holdfast.ID, name string) (holdfast.Collection, error) {
	if s.e.child != nil {
		return holdfast.Collection{}, s.e.child
	}
	return s.Snapshot.Child(parent, name)
}

func (e *strict) strip(r *holdfast.Resource, f store.Fields) {
	if f&store.WithBody == 0 || e.lost {
		r.Body, r.Blob = nil, nil
	}
	if f&store.WithProps == 0 {
		r.Properties = nil
	}
	if f&store.WithType == 0 {
		r.ContentType = ""
	}
}

func (s strictSnapshot) Resource(c holdfast.ID, name string, f store.Fields) (holdfast.Resource, error) {
	r, err := s.Snapshot.Resource(c, name, f)
	s.e.strip(&r, f)
	return r, err
}

func (s strictSnapshot) List(c holdfast.ID, after string, limit int, f store.Fields, fn func(*holdfast.Resource) error) error {
	return s.Snapshot.List(c, after, limit, f, func(r *holdfast.Resource) error {
		if s.e.row != nil {
			s.e.row()
		}
		s.e.strip(r, f)
		return fn(r)
	})
}

func (s strictSnapshot) ChangesSince(c holdfast.ID, seq uint64, limit int, f store.Fields, fn func(*holdfast.Resource) error) (bool, error) {
	return s.Snapshot.ChangesSince(c, seq, limit, f, func(r *holdfast.Resource) error {
		s.e.strip(r, f)
		return fn(r)
	})
}

func (s strictSnapshot) Between(c holdfast.ID, from, to int64, f store.Fields, fn func(*holdfast.Resource) error) error {
	return s.Snapshot.Between(c, from, to, f, func(r *holdfast.Resource) error {
		if s.e.row != nil {
			s.e.row()
		}
		s.e.strip(r, f)
		return fn(r)
	})
}
