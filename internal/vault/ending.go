package vault

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"holdfast"
)

// Ending is what an append ended with. Who reads it back by another way than it was written knows that the vault has the append, for one small read.
type Ending struct {
	Position holdfast.Position
	Object   string
	End      int64  // where the append ended in it
	Octets   []byte // the last of it
	At       time.Time
}

// endingOctets is how many of the last octets are compared. They are encrypted, so that no others are like them.
const endingOctets = 64

// Ending returns what the writer's newest append ended with; ok is false where it has not appended yet.
func (w *Writer) Ending() (e Ending, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ending, w.ending.Object != ""
}

// Holds looks whether the vault has an ending. Errors: Corrupt (it does not), those of the place. One that may have been let go since is taken for held.
func (v *Vault) Holds(ctx context.Context, e Ending) error {
	if now := v.o.Clock.Now(); now.Sub(e.At) >= v.o.KeepTail {
		return nil
	}
	n := int64(len(e.Octets))
	b, err := v.read(ctx, e.Object, e.End-n, n)
	if err == nil && bytes.Equal(b, e.Octets) {
		return nil
	}
	if err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
		return err
	}
	return fail("Holds", holdfast.Corrupt, e.Object, fmt.Sprintf("batch %d was written here without an error, and it is not here: the place said that it stored what it did not store, or something else lies in its stead", e.Position.Batch), err)
}
