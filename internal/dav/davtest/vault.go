package davtest

import (
	"context"
	"sync"
	"time"

	"holdfast"
	"holdfast/internal/store"
)

// Vault is a vault that every change must reach, and that can be out of reach without anybody having noticed: what is committed then is stuck.
type Vault struct {
	engine store.Engine
	mu     sync.Mutex
	down   bool
	upTo   uint64 // the newest batch that it has, while it is down
}

// Down says whether it is out of reach. When it is not any more it has everything.
func (v *Vault) Down(down bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.down, v.upTo = down, v.engine.Position().Batch
}

// Ready implements [core.Copies]: nobody has noticed.
func (v *Vault) Ready() error { return nil }

// Acked implements [core.Copies].
func (v *Vault) Acked() uint64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.down {
		return v.upTo
	}
	return v.engine.Position().Batch
}

// Wait implements [core.Copies].
func (v *Vault) Wait(_ context.Context, batch uint64) (copies []string, policy string, err error) {
	if v.Acked() < batch {
		return nil, "", &holdfast.Error{Op: "davtest.Wait", Kind: holdfast.Unavailable, Retry: time.Minute}
	}
	return []string{"engine", "local"}, "engine+local", nil
}

// AwaitAcked implements [core.Copies]. The fake clock does not move: nobody waits.
func (v *Vault) AwaitAcked(_ context.Context, batch uint64) error {
	if v.Acked() < batch {
		return context.DeadlineExceeded
	}
	return nil
}
