package sqlite

import (
	"time"

	"holdfast/internal/store"
)

// Sizes of the write-ahead log, in pages.
const (
	// restartShare is how much of the log must be in the database file before the writer is held for the rest.
	restartShare = 0.75
	// checkpointPause is the shortest time between two looks at the log.
	checkpointPause = 20 * time.Millisecond
	// logBound is how many times its usual length the log may reach because readers follow each other without a gap. Then new ones wait.
	logBound = 4
)

func (e *Engine) wakeCheckpointer() {
	if e.o.inline {
		return
	}
	select {
	case e.kick <- struct{}{}:
	default:
	}
}

// checkpointLoop moves pages from the log into the database file while the writer goes on. SQLite starts the log anew only when all of it was
// moved and nobody reads from it, which a busy writer would never let happen: so, once most of it is moved, the writer waits for the short rest.
func (e *Engine) checkpointLoop() {
	defer e.done.Done()
	for {
		select {
		case <-e.quit:
			return
		case <-e.kick:
		}
		if err := e.checkpointStep(); err != nil {
			e.classify(err, false)
		}
		t := e.o.Clock.NewTimer(checkpointPause)
		select {
		case <-e.quit:
			t.Stop()
			return
		case <-t.C():
		}
	}
}

// checkpointStep does one round: a passive checkpoint if the log is long enough, and its end under the writer's lock if that lets the log restart.
func (e *Engine) checkpointStep() error {
	if e.failure() != nil {
		return nil
	}
	if pages, _, err := e.log(qLogPages); err != nil || pages < int64(e.o.WALPages) {
		return err
	}
	pages, moved, err := e.checkpoint()
	if err != nil || pages < int64(e.o.WALPages) || float64(moved) < restartShare*float64(pages) && pages <= logBound*int64(e.o.WALPages) {
		return err
	}
	if pages > logBound*int64(e.o.WALPages) && !e.o.inline {
		defer e.holdReaders()()
	}
	e.writer.Lock()
	defer e.writer.Unlock()
	_, _, err = e.checkpoint()
	return err
}

// holdReaders takes all connections for reading, so that no snapshot keeps the log from starting anew, and returns what gives them back. Open
// snapshots end within MaxSnapshot; one that does not is not waited for.
func (e *Engine) holdReaders() (release func()) {
	var held []*conn
	late := e.o.Clock.NewTimer(store.MaxSnapshot)
	defer late.Stop()
	for len(held) < cap(e.readers) {
		select {
		case c := <-e.readers:
			held = append(held, c)
			continue
		case <-late.C():
		case <-e.quit:
		}
		break
	}
	return func() {
		for _, c := range held {
			e.readers <- c
		}
	}
}

// checkpoint moves what it can without waiting for anybody. It returns the pages in the log and how many of them are moved.
func (e *Engine) checkpoint() (pages, moved int64, err error) { return e.log(qCheckpoint) }

// log runs qCheckpoint, or qLogPages, which moves nothing and tells the same. The file's size would tell nothing: it never shrinks, and the log starts anew
// within it.
func (e *Engine) log(q query) (pages, moved int64, err error) {
	e.ckptMu.Lock()
	defer e.ckptMu.Unlock()
	_, err = e.ckpt.one(q, func(s Stmt) { pages, moved = s.Int(1), s.Int(2) })
	return pages, moved, err
}
