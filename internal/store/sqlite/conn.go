package sqlite

import (
	"fmt"
	"strings"

	"holdfast"
)

// conn is a connection with its prepared statements.
type conn struct {
	Conn
	idle [nQueries][]Stmt // prepared and not in use: a query inside a query's callback gets a statement of its own
	buf  []byte           // for octets that are read and used at once
	age  int64            // of a reader: the engine's age when it was opened, see Refresh
}

// settings are set on every connection and then asserted, because a PRAGMA that is misspelt or refused says nothing.
var settings = []struct{ name, value, reads string }{
	{"busy_timeout", "5000", "5000"},
	{"journal_mode", "WAL", "wal"},
	{"synchronous", "FULL", "2"},
	{"foreign_keys", "ON", "1"},
	{"cell_size_check", "ON", "1"},
	{"trusted_schema", "OFF", "0"},
	{"wal_autocheckpoint", "0", "0"},
	{"temp_store", "MEMORY", "2"},
}

// openConn opens a connection with all settings and a page cache of that many KiB.
func openConn(d Driver, path string, cacheKiB int, extra ...string) (*conn, error) {
	raw, err := d.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	c := &conn{Conn: raw}
	if err := c.configure(cacheKiB, extra); err != nil {
		raw.Close()
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return c, nil
}

func (c *conn) configure(cacheKiB int, extra []string) error {
	for _, sql := range append(extra, fmt.Sprintf("PRAGMA cache_size=-%d", cacheKiB)) {
		if err := c.Exec(sql); err != nil {
			return err
		}
	}
	for _, s := range settings {
		if err := c.Exec("PRAGMA " + s.name + "=" + s.value); err != nil {
			return err
		}
		got, err := c.text("PRAGMA " + s.name)
		if err != nil {
			return err
		}
		if !strings.EqualFold(got, s.reads) {
			return fmt.Errorf("PRAGMA %s is %q and cannot be set to %s", s.name, got, s.value)
		}
	}
	return nil
}

// text runs a statement of one value that is not kept prepared.
func (c *conn) text(sql string) (string, error) {
	s, err := c.Prepare(sql)
	if err != nil {
		return "", err
	}
	defer s.Close()
	row, err := s.Step()
	if err != nil || !row {
		return "", err
	}
	return s.Text(0), nil
}

// take returns a prepared statement that nobody uses, ready to bind; give puts it back.
func (c *conn) take(q query) (Stmt, error) {
	if n := len(c.idle[q]); n > 0 {
		s := c.idle[q][n-1]
		c.idle[q] = c.idle[q][:n-1]
		return s, nil
	}
	return c.Prepare(queries[q])
}

func (c *conn) give(q query, s Stmt) { c.idle[q] = append(c.idle[q], s) }

// Close closes the statements, none of which may be in use, and the connection.
func (c *conn) Close() error {
	for _, list := range c.idle {
		for _, s := range list {
			s.Close()
		}
	}
	return c.Conn.Close()
}

// run binds and executes a statement that returns no rows.
func (c *conn) run(q query, args ...any) error {
	return c.rows(q, nil, args...)
}

// one binds and executes a statement and calls fn with its first row. found is false where there is none.
func (c *conn) one(q query, fn func(Stmt), args ...any) (found bool, err error) {
	s, err := c.bound(q, args)
	if err != nil {
		return false, err
	}
	defer c.give(q, s)
	row, err := s.Step()
	if err != nil || !row {
		return false, err
	}
	fn(s)
	return true, s.Reset()
}

// rows binds and executes a statement and calls fn with each row, until it errs.
func (c *conn) rows(q query, fn func(Stmt) error, args ...any) error {
	s, err := c.bound(q, args)
	if err != nil {
		return err
	}
	defer c.give(q, s)
	for {
		row, err := s.Step()
		if err != nil || !row {
			return err
		}
		if fn == nil {
			continue
		}
		if err := fn(s); err != nil {
			s.Reset()
			return err
		}
	}
}

func (c *conn) bound(q query, args []any) (Stmt, error) {
	s, err := c.take(q)
	if err != nil {
		return nil, err
	}
	for i, a := range args {
		bind(s, i+1, a)
	}
	return s, nil
}

func bind(s Stmt, i int, a any) {
	switch v := a.(type) {
	case int64:
		s.BindInt(i, v)
	case uint64:
		s.BindInt(i, int64(v))
	case int:
		s.BindInt(i, int64(v))
	case string:
		s.BindText(i, v)
	case []byte:
		s.BindBlob(i, v)
	case holdfast.ID:
		s.BindBlob(i, v[:])
	case holdfast.Hash:
		s.BindBlob(i, v[:])
	case nil:
		s.BindNull(i)
	default:
		panic(fmt.Sprintf("sqlite: cannot bind %T", a))
	}
}

// id, hash and sum read fixed-length octets. Other lengths read as zero: Check finds them.
func (c *conn) id(s Stmt, col int) (v holdfast.ID) {
	c.buf = s.AppendBlob(col, c.buf[:0])
	if len(c.buf) == len(v) {
		copy(v[:], c.buf)
	}
	return v
}

func (c *conn) hash(s Stmt, col int) (v holdfast.Hash) {
	c.buf = s.AppendBlob(col, c.buf[:0])
	if len(c.buf) == len(v) {
		copy(v[:], c.buf)
	}
	return v
}
