package core_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/store"
	"holdfast/internal/store/memory"
)

// gate is a vault that takes changes when a test lets it.
type gate struct {
	engine store.Engine
	mu     sync.Mutex
	open   bool
	upto   uint64
	moved  chan struct{}
	refuse bool
	waits  atomic.Int64 // of reads

	lenient bool // a change is acknowledged without it
}

func newGate(e store.Engine) *gate { return &gate{engine: e, open: true, moved: make(chan struct{})} }

func (g *gate) set(open bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open, g.upto = open, g.engine.Position().Batch
	close(g.moved)
	g.moved = make(chan struct{})
}

func (g *gate) Ready() error {
	if g.refuse {
		return &holdfast.Error{Op: "gate.Ready", Kind: holdfast.Unavailable, Retry: 7 * time.Second}
	}
	return nil
}

func (g *gate) Wait(ctx context.Context, batch uint64) ([]string, string, error) {
	if g.lenient {
		return []string{"engine"}, "engine", nil
	}
	if g.Acked() < batch {
		return nil, "", &holdfast.Error{Op: "gate.Wait", Kind: holdfast.Unavailable, Retry: 7 * time.Second}
	}
	return []string{"engine", "local"}, "engine+local", nil
}

func (g *gate) Acked() uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open {
		return g.engine.Position().Batch
	}
	return g.upto
}

func (g *gate) AwaitAcked(ctx context.Context, batch uint64) error {
	g.waits.Add(1)
	for g.Acked() < batch {
		g.mu.Lock()
		moved := g.moved
		g.mu.Unlock()
		select {
		case <-moved:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

func TestNothingIsShownBeforeItIsAcknowledged(t *testing.T) {
	e := memory.New()
	g := newGate(e)
	s := core.New(core.Options{Engine: e, Copies: g, Judges: map[holdfast.CollectionType]core.Judge{holdfast.TypeAddressbook: func(*holdfast.Collection, string, string, []byte) (holdfast.Kind, holdfast.Index, error) {
		return holdfast.KindAddress, holdfast.Index{}, nil
	}}, Limits: core.Limits{Show: 20 * time.Millisecond}})
	ctx := t.Context()
	a, r, err := s.CreateAccount(ctx, holdfast.Actor{}, "ann@example.org", "")
	if err != nil || r.Policy != "engine+local" || len(r.Copies) != 2 {
		t.Fatal(r, err)
	}
	p := holdfast.Principal{Account: a.ID}
	at, err := s.Locate(ctx, p, a.ID, []string{"addressbooks", "default", "x.vcf"})
	if err != nil {
		t.Fatal(err)
	}
	put := func(text string, pre holdfast.Precondition) (holdfast.Receipt, error) {
		r, _, err := s.Put(ctx, p, core.PutRequest{Place: at.Place(), Body: []byte(text), If: pre})
		return r, err
	}
	first, err := put("one", holdfast.Precondition{})
	if err != nil {
		t.Fatal(err)
	}
	g.set(false)
	pre := holdfast.Precondition{Match: []holdfast.Hash{holdfast.HashOf([]byte("one"))}}
	if _, err := put("two", pre); !holdfast.IsKind(err, holdfast.Unavailable) {
		t.Fatalf("acknowledged without its copy: %v", err)
	}
	if n := s.Stats().Acknowledged; n != 2 {
		t.Errorf("%d groups are said to be acknowledged", n)
	}
	read := func() (body string, err error) {
		err = s.Read(ctx, p, a.ID, func(r *core.Reader) error {
			x, err := r.Resource(at.Collection.ID, "x.vcf", core.WithBody)
			body = string(x.Body)
			return err
		})
		return body, err
	}
	if body, err := read(); body != "one" || err != nil {
		t.Fatalf("before it is acknowledged: %q, %v", body, err)
	}
	// The retry meets its own write, though its If-Match names the version that this one replaced.
	g.set(true)
	again, err := put("two", pre)
	if err != nil || !again.Replay || again.Seq != first.Seq+1 {
		t.Fatalf("the retry: %+v, %v", again, err)
	}
	if body, err := read(); body != "two" || err != nil {
		t.Fatal(body, err)
	}
	g.refuse = true
	if _, err := put("three", holdfast.Precondition{}); !holdfast.IsKind(err, holdfast.Unavailable) {
		t.Fatal(err)
	}
	if body, err := read(); body != "two" || err != nil {
		t.Fatalf("refused before the commit, and stored: %q, %v", body, err)
	}
}
