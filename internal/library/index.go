package library

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"holdfast"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

//go:embed schema.sql
var schema string

// format is that of the index. It is raised when the schema changes, and when what is read or decoded becomes better: then everything is made anew.
const format = 2

// Names in the library's directory.
const (
	indexName  = "index.db"
	thumbsName = "thumbs"
)

// readers is how many questions are answered at the same time.
const readers = 4

// index is the database: one writer, several readers.
type index struct {
	dir    string
	mu     sync.Mutex // held by who writes
	writer *conn
	pool   *sqlitex.Pool
}

// conn is a connection.
type conn struct{ *sqlite.Conn }

// exec runs a statement that has no rows.
func (c *conn) exec(sql string, args ...any) error { return c.each(sql, nil, args...) }

// each calls row with each row of a statement's answer.
func (c *conn) each(sql string, row func(*sqlite.Stmt) error, args ...any) error {
	for i, a := range args { // what is an array is bound as octets
		switch a := a.(type) {
		case holdfast.ID:
			args[i] = a[:]
		case holdfast.Hash:
			args[i] = a[:]
		}
	}
	return sqlitex.Execute(c.Conn, sql, &sqlitex.ExecOptions{Args: args, ResultFunc: row})
}

// openIndex opens the index of a store, or makes it: anew says why, if there was another one.
func openIndex(dir string, store holdfast.ID) (x *index, anew string, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, "", fmt.Errorf("library: %w", err)
	}
	x, anew, err = tryIndex(dir, store)
	if isBroken(err) {
		anew, err = "it cannot be read: "+err.Error(), nil
	}
	if err != nil || x != nil {
		return x, anew, err
	}
	if err := clearIndex(dir); err != nil {
		return nil, anew, fmt.Errorf("library: %w", err)
	}
	if x, _, err = tryIndex(dir, store); err == nil && x == nil {
		err = errors.New("it is not there after it was made")
	}
	if err != nil {
		return nil, anew, fmt.Errorf("library: make the index of photos: %w", err)
	}
	return x, anew, nil
}

// clearIndex removes the database, and the thumbnails that only it knows.
func clearIndex(dir string) error {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(filepath.Join(dir, indexName+suffix)); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	return os.RemoveAll(filepath.Join(dir, thumbsName))
}

// tryIndex opens the index, and makes it in an empty file. x is nil where what is there is not this store's, or not of this format.
func tryIndex(dir string, store holdfast.ID) (x *index, why string, err error) {
	path := filepath.Join(dir, indexName)
	raw, err := sqlite.OpenConn(path, sqlite.OpenReadWrite|sqlite.OpenCreate)
	if err != nil {
		return nil, "", err
	}
	w := &conn{raw}
	defer func() {
		if x == nil {
			raw.Close()
		}
	}()
	if err := prepare(raw); err != nil {
		return nil, "", err
	}
	if why, err = w.belongs(store); err != nil || why != "" {
		return nil, why, err
	}
	pool, err := sqlitex.NewPool(path, sqlitex.PoolOptions{Flags: sqlite.OpenReadWrite, PoolSize: readers, PrepareConn: func(c *sqlite.Conn) error {
		return errors.Join(prepare(c), sqlitex.ExecuteTransient(c, "PRAGMA query_only = ON", nil))
	}})
	if err != nil {
		return nil, "", err
	}
	return &index{dir: dir, writer: w, pool: pool}, "", nil
}

// prepare sets what each connection needs. A power cut may take the last work, and never breaks the file.
func prepare(c *sqlite.Conn) error {
	for _, p := range []string{"busy_timeout = 10000", "journal_mode = WAL", "synchronous = NORMAL", "cell_size_check = ON", "trusted_schema = OFF", "temp_store = MEMORY", "cache_size = -16384", "journal_size_limit = 4194304"} {
		if err := sqlitex.ExecuteTransient(c, "PRAGMA "+p, nil); err != nil {
			return err
		}
	}
	return nil
}

// belongs makes the tables in an empty file, and says why those of another file are of no use.
func (c *conn) belongs(store holdfast.ID) (why string, err error) {
	tables := 0
	if err := c.each("SELECT count(*) FROM sqlite_schema", func(s *sqlite.Stmt) error { tables = s.ColumnInt(0); return nil }); err != nil {
		return "", err
	}
	if tables == 0 {
		return "", c.transaction(func() error {
			if err := sqlitex.ExecuteScript(c.Conn, schema, nil); err != nil {
				return err
			}
			return c.exec("INSERT INTO meta VALUES (?, ?)", store, format)
		})
	}
	why = "it is no index of photos"
	err = c.each("SELECT store, format FROM meta", func(s *sqlite.Stmt) error {
		var id holdfast.ID
		s.ColumnBytes(0, id[:])
		switch {
		case id != store:
			why = "it is another store's"
		case s.ColumnInt(1) != format:
			why = fmt.Sprintf("it is of format %d, and %d is made now", s.ColumnInt(1), format)
		default:
			why = ""
		}
		return nil
	})
	if sqlite.ErrCode(err).ToPrimary() == sqlite.ResultError { // there is no such table
		err = nil
	}
	return why, err
}

func (c *conn) transaction(fn func() error) (err error) {
	end, err := sqlitex.ImmediateTransaction(c.Conn)
	if err != nil {
		return err
	}
	defer end(&err)
	return fn()
}

func (x *index) close() error { return errors.Join(x.pool.Close(), x.writer.Close()) }

// isBroken tells whether an error says that the file is damaged.
func isBroken(err error) bool {
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultCorrupt, sqlite.ResultNotADB:
		return true
	}
	return false
}

// write runs a transaction. It is whole or not at all.
func (l *Library) write(ctx context.Context, fn func(*conn) error) error {
	return l.with(func(x *index) error {
		x.mu.Lock()
		defer x.mu.Unlock()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return x.writer.transaction(func() error { return fn(x.writer) })
	})
}

// read asks the index as it is at one moment.
func (l *Library) read(ctx context.Context, fn func(*conn) error) error {
	return l.with(func(x *index) error {
		c, err := x.pool.Take(ctx)
		if err != nil {
			return err
		}
		defer x.pool.Put(c)
		defer sqlitex.Transaction(c)(&err)
		err = fn(&conn{c})
		return err
	})
}

// with runs fn over the index. If that turns out to be damaged it is made anew, and the error says to try again.
func (l *Library) with(fn func(*index) error) error {
	l.mu.RLock()
	x, made := l.index, l.made
	err := errGone
	if x != nil {
		err = fn(x)
	}
	l.mu.RUnlock()
	switch {
	case isBroken(err), x == nil:
		return l.anew(made, err)
	case sqlite.ErrCode(err).ToPrimary() == sqlite.ResultFull:
		return &holdfast.Error{Op: "library", Kind: holdfast.Full, Text: "the disk is full; the index of photos waits until it is not", Err: err}
	}
	return err
}

// errGone says that the index could not be made anew when it was tried last.
var errGone = errors.New("the index of photos is not there")

// anew makes a damaged index anew, unless somebody did meanwhile.
func (l *Library) anew(made int, why error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.made == made {
		l.o.Log.Warn("the index of photos is damaged and is made anew; photos and what people decided of them are not in it", "err", why)
		if l.index != nil {
			_ = l.index.close() // what it holds is given up
			l.index = nil
		}
		if err := clearIndex(l.o.Dir); err != nil {
			return fmt.Errorf("library: %w", err)
		}
		x, _, err := openIndex(l.o.Dir, l.o.Store)
		if err != nil {
			return err
		}
		l.index, l.made = x, made+1
		l.lost.Store(true)
		l.moved.happen()
	}
	return &holdfast.Error{Op: "library", Kind: holdfast.Unavailable, Text: "the index of photos is being made anew; try again", Err: why}
}
