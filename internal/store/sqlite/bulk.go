package sqlite

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"holdfast/internal/vfs"
)

// A restore fills an engine with everything at once, and nobody else uses it meanwhile. While it is open in bulk, a commit does not wait for the disk (synchronous=NORMAL: only checkpoints do), and the indexes
// that only queries need are missing; EndBulk makes them and makes everything durable. A process that is killed loses nothing of that: what it wrote is in the kernel's cache. After a power cut the log is valid up to
// some batch, its frames having checksums, so the restore that is run again finds a prefix of what it had done, and goes on from there.

// bulkIndexes are those that are made last.
var bulkIndexes = map[string]string{
	"res_seq":  "CREATE UNIQUE INDEX IF NOT EXISTS res_seq ON resources(coll, seq)",
	"res_uid":  "CREATE UNIQUE INDEX IF NOT EXISTS res_uid ON resources(coll, uid) WHERE state=0 AND uid IS NOT NULL",
	"res_time": "CREATE INDEX IF NOT EXISTS res_time ON resources(coll, span, t0) WHERE span IS NOT NULL",
}

func (e *Engine) beginBulk() error {
	for name := range bulkIndexes {
		if err := e.w.Exec("DROP INDEX IF EXISTS " + name); err != nil {
			return err
		}
	}
	return e.w.Exec("PRAGMA synchronous=NORMAL")
}

// EndBulk makes the indexes and everything durable. The engine is to be closed after it.
func (e *Engine) EndBulk(ctx context.Context) error {
	e.writer.Lock()
	defer e.writer.Unlock()
	return e.roomless("EndBulk", e.endBulk(ctx))
}

func (e *Engine) endBulk(ctx context.Context) error {
	if err := e.sortOnDisk(); err != nil {
		return err
	}
	for _, sql := range bulkIndexes {
		if err := e.w.Exec(sql); err != nil {
			return fmt.Errorf("sqlite: the indexes of a restored store: %w", err)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	if err := e.w.Exec("PRAGMA synchronous=FULL"); err != nil {
		return err
	}
	for _, name := range []string{e.o.log, strings.TrimSuffix(e.o.log, "-wal")} {
		f, err := e.o.fs.OpenFile(name, vfs.O_RDWR, 0)
		if err != nil {
			return err
		}
		err = f.Sync()
		if cerr := f.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			return err
		}
	}
	return e.o.fs.SyncDir(filepath.Dir(e.o.log))
}

// sortCache is the page cache while indexes are made, in KiB, and so how much is sorted in memory at once.
const sortCache = 4 << 10

// sortOnDisk has what is sorted for an index written into files, which have no name as soon as they are open: in memory it would be as large as the index.
func (e *Engine) sortOnDisk() error {
	if e.o.SortDir == "" {
		return nil
	}
	for _, sql := range []string{fmt.Sprintf("cache_size=-%d", sortCache), "shrink_memory", "temp_store_directory='" + strings.ReplaceAll(e.o.SortDir, "'", "''") + "'", "temp_store=FILE"} {
		if err := e.w.Exec("PRAGMA " + sql); err != nil {
			return err
		}
	}
	return nil
}
