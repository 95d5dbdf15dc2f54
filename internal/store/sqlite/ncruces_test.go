package sqlite

import (
	"errors"
	"strings"

	nsqlite "github.com/ncruces/go-sqlite3"
)

// ncruces is the driver of the simulated power cuts: the same statements on a SQLite whose file system is written in Go. weak makes connections that pretend
// to be set to synchronous=FULL and are not: a control.
type ncruces struct{ weak bool }

func (d ncruces) Open(path string) (Conn, error) {
	c, err := nsqlite.Open(path)
	if err != nil {
		return nil, err
	}
	return nConn{c, d.weak}, nil
}

func (ncruces) IsFull(err error) bool { return errors.Is(err, nsqlite.FULL) }

func (ncruces) IsBusy(err error) bool {
	return errors.Is(err, nsqlite.BUSY) || errors.Is(err, nsqlite.LOCKED)
}

func (ncruces) IsBroken(err error) bool {
	for _, code := range []nsqlite.ErrorCode{nsqlite.IOERR, nsqlite.CORRUPT, nsqlite.NOTADB, nsqlite.CANTOPEN, nsqlite.NOMEM} {
		if errors.Is(err, code) {
			return true
		}
	}
	return false
}

type nConn struct {
	c    *nsqlite.Conn
	weak bool
}

func (c nConn) Exec(sql string) error {
	if c.weak && sql == "PRAGMA synchronous=FULL" {
		sql = "PRAGMA synchronous=NORMAL"
	}
	return c.c.Exec(sql)
}

func (c nConn) Prepare(sql string) (Stmt, error) {
	if c.weak && sql == "PRAGMA synchronous" {
		sql = "SELECT 2"
	}
	s, _, err := c.c.Prepare(sql)
	if err != nil {
		return nil, err
	}
	return &nStmt{s: s}, nil
}

func (c nConn) Close() error { return c.c.Close() }

type nStmt struct {
	s   *nsqlite.Stmt
	err error
}

func (s *nStmt) keep(err error)           { s.err = errors.Join(s.err, err) }
func (s *nStmt) BindInt(i int, v int64)   { s.keep(s.s.BindInt64(i, v)) }
func (s *nStmt) BindText(i int, v string) { s.keep(s.s.BindText(i, v)) }
func (s *nStmt) BindNull(i int)           { s.keep(s.s.BindNull(i)) }
func (s *nStmt) BindBlob(i int, v []byte) {
	switch {
	case v == nil:
		s.BindNull(i)
	case len(v) == 0:
		s.keep(s.s.BindZeroBlob(i, 0))
	default:
		s.keep(s.s.BindBlob(i, v))
	}
}

func (s *nStmt) Step() (bool, error) {
	if err := s.err; err != nil {
		s.err = nil
		return false, err
	}
	if s.s.Step() {
		return true, nil
	}
	err := s.s.Err()
	if rerr := s.s.Reset(); err == nil {
		err = rerr
	}
	return false, err
}

func (s *nStmt) Reset() error        { return s.s.Reset() }
func (s *nStmt) Int(col int) int64   { return s.s.ColumnInt64(col) }
func (s *nStmt) Text(col int) string { return strings.Clone(s.s.ColumnText(col)) }
func (s *nStmt) IsNull(col int) bool { return s.s.ColumnType(col) == nsqlite.NULL }
func (s *nStmt) Close() error        { return s.s.Close() }
func (s *nStmt) AppendBlob(col int, dst []byte) []byte {
	return append(dst, s.s.ColumnRawBlob(col)...)
}
