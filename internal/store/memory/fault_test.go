package memory_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	"holdfast"
	"holdfast/internal/store"
	"holdfast/internal/store/memory"
	"holdfast/internal/store/storetest"
)

var errFault = errors.New("a fault was injected")

// flaky fails now and then: before a call reaches the engine, or after it did, so that the caller cannot know.
type flaky struct {
	store.Engine
	rng *rand.Rand
}

func (f flaky) fault() error {
	if f.rng.IntN(8) == 0 {
		return errFault
	}
	return nil
}

func (f flaky) Commit(ctx context.Context, g *holdfast.Group) (holdfast.Receipt, error) {
	if err := f.fault(); err != nil {
		return holdfast.Receipt{}, err
	}
	r, err := f.Engine.Commit(ctx, g)
	if lost := f.fault(); lost != nil {
		return holdfast.Receipt{}, lost
	}
	return r, err
}

func (f flaky) Snapshot(ctx context.Context) (store.Snapshot, error) {
	if err := f.fault(); err != nil {
		return nil, err
	}
	return f.Engine.Snapshot(ctx)
}

func (f flaky) Observe(ctx context.Context, s []holdfast.Sighting) error {
	return errors.Join(f.fault(), f.Engine.Observe(ctx, s))
}

func (f flaky) After(ctx context.Context, batch uint64, limit int, fn func(*holdfast.Batch) error) error {
	return f.Engine.After(ctx, batch, limit, func(b *holdfast.Batch) error {
		if f.rng.IntN(100) == 0 {
			return errFault
		}
		return fn(b)
	})
}

// TestRandomUnderFaults shows that the random operations bear injected faults: a commit whose answer is lost is in the engine or it is not.
func TestRandomUnderFaults(t *testing.T) {
	storetest.Random(t, func(*testing.T) *storetest.Harness {
		return &storetest.Harness{Name: "flaky memory", Engine: flaky{memory.New(), rand.New(rand.NewPCG(1, 2))},
			Injected: func(err error) bool { return errors.Is(err, errFault) }}
	})
}
