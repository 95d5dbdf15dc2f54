package core

import (
	"sync"

	"holdfast"
)

// doubts counts what devices proved: that they have seen more of an account than the store has.
type doubts struct {
	mu       sync.Mutex
	requests int64
	accounts map[holdfast.ID]struct{}
}

func (d *doubts) add(account holdfast.ID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.requests++
	if d.accounts == nil {
		d.accounts = map[holdfast.ID]struct{}{}
	}
	d.accounts[account] = struct{}{}
}

func (d *doubts) count() (requests, accounts int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.requests, int64(len(d.accounts))
}
