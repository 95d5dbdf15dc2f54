package sqlitevfs

import (
	"sync"

	"github.com/ncruces/go-sqlite3"
	sqlite "github.com/ncruces/go-sqlite3/vfs"
)

// lockTable holds SQLite's five-level lock of one database file: many SHARED,
// beside them one RESERVED; a PENDING keeps new SHARED ones away until the
// EXCLUSIVE can be had. Who does not get a lock is told BUSY and may ask again.
type lockTable struct {
	mu       sync.Mutex
	shared   int   // files at SHARED and above
	reserved *file // the one above SHARED
	pending  bool  // reserved waits for EXCLUSIVE, or has it
}

func (t *lockTable) lock(h *file, to sqlite.LockLevel) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if h.level >= to {
		return nil
	}
	if h.gen != h.v.disk.Generation() {
		return sqlite3.IOERR_LOCK
	}
	if to == sqlite.LOCK_SHARED {
		if t.pending {
			return sqlite3.BUSY
		}
		t.shared++
		h.level = to
		return nil
	}
	if t.reserved != nil && t.reserved != h {
		return sqlite3.BUSY
	}
	t.reserved = h
	if to == sqlite.LOCK_RESERVED {
		h.level = to
		return nil
	}
	t.pending = true
	h.level = sqlite.LOCK_PENDING
	if t.shared > 1 {
		return sqlite3.BUSY
	}
	h.level = to
	return nil
}

func (t *lockTable) unlock(h *file, to sqlite.LockLevel) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if h.level <= to {
		return
	}
	if t.reserved == h && to <= sqlite.LOCK_SHARED {
		t.reserved, t.pending = nil, false
	}
	if to == sqlite.LOCK_NONE {
		t.shared--
	}
	h.level = to
}

func (t *lockTable) isReserved() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.reserved != nil
}
