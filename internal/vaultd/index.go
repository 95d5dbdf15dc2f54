package vaultd

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"holdfast"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// Index is what the server remembers of the objects: the hash of each as it came, since when it is there, and how far accounts have come. All of it can be lost: then what is there is taken as it is from then on, and
// everything counts as new. It is an SQLite file, so that memory does not grow with the objects.
type Index struct {
	mu   sync.Mutex
	conn *sqlite.Conn
}

const indexSchema = `
CREATE TABLE IF NOT EXISTS object (name TEXT PRIMARY KEY, sha256 BLOB NOT NULL, size INTEGER NOT NULL, since INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS account (id BLOB PRIMARY KEY, term INTEGER NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
`

// OpenIndex opens the index in a file; makes it where it is not there or cannot be read.
func OpenIndex(file string) (*Index, error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, fmt.Errorf("vaultd.OpenIndex: %w", err)
	}
	c, err := openIndex(file)
	if sqlite.ErrCode(err).ToPrimary() == sqlite.ResultNotADB || sqlite.ErrCode(err).ToPrimary() == sqlite.ResultCorrupt {
		for _, suffix := range []string{"", "-wal", "-shm"} {
			if err := os.Remove(file + suffix); err != nil && !os.IsNotExist(err) {
				return nil, fmt.Errorf("vaultd.OpenIndex: %w", err)
			}
		}
		c, err = openIndex(file)
	}
	if err != nil {
		return nil, fmt.Errorf("vaultd.OpenIndex: %w", err)
	}
	return &Index{conn: c}, nil
}

func openIndex(file string) (*sqlite.Conn, error) {
	c, err := sqlite.OpenConn(file, sqlite.OpenReadWrite|sqlite.OpenCreate|sqlite.OpenWAL)
	if err != nil {
		return nil, err
	}
	// Without a sync at each commit: what a power cut takes is only forgotten.
	for _, sql := range []string{"PRAGMA synchronous=NORMAL", "PRAGMA cache_size=-4096", "PRAGMA trusted_schema=OFF"} {
		if err := sqlitex.ExecuteTransient(c, sql, nil); err != nil {
			c.Close()
			return nil, err
		}
	}
	if err := sqlitex.ExecuteScript(c, indexSchema, nil); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Close closes the file.
func (x *Index) Close() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.conn.Close()
}

// known is what is remembered of an object.
type known struct {
	sum   holdfast.Hash
	size  int64
	since time.Duration // counted
}

func (x *Index) exec(sql string, result func(*sqlite.Stmt) error, args ...any) error {
	if err := sqlitex.Execute(x.conn, sql, &sqlitex.ExecOptions{Args: args, ResultFunc: result}); err != nil {
		return &holdfast.Error{Op: "vaultd.Index", Kind: holdfast.Unavailable, Text: "the server's index cannot be used", Err: err}
	}
	return nil
}

// put remembers an object.
func (x *Index) put(name string, k known) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.exec("INSERT OR REPLACE INTO object (name, sha256, size, since) VALUES (?, ?, ?, ?)", nil, name, k.sum[:], k.size, int64(k.since))
}

// get returns what is remembered of an object.
func (x *Index) get(name string) (k known, ok bool, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	err = x.exec("SELECT sha256, size, since FROM object WHERE name = ?", func(s *sqlite.Stmt) error {
		ok = s.ColumnBytes(0, k.sum[:]) == len(k.sum)
		k.size, k.since = s.ColumnInt64(1), time.Duration(s.ColumnInt64(2))
		return nil
	}, name)
	return k, ok, err
}

// The names of facts: the newest head that was noted, when everything was last read and how much was damaged then, the list of unnamed blobs up to which none is left, and with which batch each segment ends.
const (
	factHeads    = "heads"
	factScrubbed = "scrubbed"
	factDamaged  = "damaged"
	factUnnamed  = "unnamed"
	factSegment  = "segment "
)

// drop forgets an object.
func (x *Index) drop(name string) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.exec("DELETE FROM fact WHERE name = ?", nil, factSegment+name); err != nil {
		return err
	}
	return x.exec("DELETE FROM object WHERE name = ?", nil, name)
}

// after returns up to limit remembered names above one, in order.
func (x *Index) after(name string, limit int) (out []string, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	err = x.exec("SELECT name FROM object WHERE name > ? ORDER BY name LIMIT ?", func(s *sqlite.Stmt) error {
		out = append(out, s.ColumnText(0))
		return nil
	}, name, limit)
	return out, err
}

// segments returns the segments that were appended to and not let go of, and the batch that each ended with.
func (x *Index) segments() (out map[string]uint64, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	out = map[string]uint64{}
	err = x.exec("SELECT name, value FROM fact WHERE name > ? AND name < ?", func(s *sqlite.Stmt) error {
		out[strings.TrimPrefix(s.ColumnText(0), factSegment)] = uint64(s.ColumnInt64(1))
		return nil
	}, factSegment, factSegment+"~")
	return out, err
}

// fact returns a number that was remembered; 0 where none was.
func (x *Index) fact(name string) (v int64, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	err = x.exec("SELECT value FROM fact WHERE name = ?", func(s *sqlite.Stmt) error { v = s.ColumnInt64(0); return nil }, name)
	return v, err
}

func (x *Index) setFact(name string, v int64) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.exec("INSERT OR REPLACE INTO fact (name, value) VALUES (?, ?)", nil, name, v)
}

// advance is how far an account has come in a term.
type advance struct {
	account          holdfast.ID
	term, epoch, seq uint64
}

// back returns the first of the accounts that would go back in its term; ok is false where none would.
func (x *Index) back(list []advance) (found advance, ok bool, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, a := range list {
		err = x.exec("SELECT term, epoch, seq FROM account WHERE id = ?", func(s *sqlite.Stmt) error {
			term, epoch, seq := uint64(s.ColumnInt64(0)), uint64(s.ColumnInt64(1)), uint64(s.ColumnInt64(2))
			ok = term == a.term && (a.epoch < epoch || a.epoch == epoch && a.seq < seq)
			return nil
		}, a.account[:])
		if ok || err != nil {
			return a, ok, err
		}
	}
	return found, false, nil
}

// note remembers how far accounts have come.
func (x *Index) note(list []advance) (err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	end, err := sqlitex.ImmediateTransaction(x.conn)
	if err != nil {
		return &holdfast.Error{Op: "vaultd.Index", Kind: holdfast.Unavailable, Text: "the server's index cannot be used", Err: err}
	}
	defer end(&err)
	for _, a := range list {
		if err = x.exec("INSERT OR REPLACE INTO account (id, term, epoch, seq) VALUES (?, ?, ?, ?)", nil, a.account[:], int64(a.term), int64(a.epoch), int64(a.seq)); err != nil {
			return err
		}
	}
	return nil
}
