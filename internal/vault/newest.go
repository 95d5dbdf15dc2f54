package vault

import (
	"context"
	"time"

	"holdfast"
)

// Newest returns when the store made its newest batch that the vault has, by the store's clock. Where the tail does not hold that batch any more it is when the newest head was written, which is later; zero where nothing says it. It needs a key.
func (v *Vault) Newest(ctx context.Context) (at time.Time, err error) {
	end, _, err := v.End(ctx)
	if err != nil || end.Batch == 0 {
		return at, err
	}
	err = v.Frames(ctx, end.Batch-1, func(_ *holdfast.Batch, stored time.Time) error { at = stored; return nil })
	if err == nil && !at.IsZero() {
		return at, nil
	}
	head, err := v.LastHead(ctx)
	if holdfast.IsKind(err, holdfast.NotFound) {
		err = nil
	}
	return head.At, err
}
