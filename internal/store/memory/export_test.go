package memory

import (
	"bytes"

	"holdfast"
)

// Rot changes an octet of a change's body.
func (e *Engine) Rot(account holdfast.ID, seq uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	v := e.accounts[account].changes[seq-1]
	v.Body = bytes.Clone(v.Body)
	v.Body[len(v.Body)/2] ^= 1
}
