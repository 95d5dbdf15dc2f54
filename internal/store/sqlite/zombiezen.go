package sqlite

import (
	"errors"
	"fmt"
	"syscall"

	zsqlite "zombiezen.com/go/sqlite"
)

// Zombiezen is the driver that serves: SQLite translated to Go, by zombiezen.com/go/sqlite.
type Zombiezen struct{}

// Open implements [Driver].
func (Zombiezen) Open(path string) (Conn, error) {
	c, err := zsqlite.OpenConn(path, zsqlite.OpenReadWrite|zsqlite.OpenCreate|zsqlite.OpenNoMutex|zsqlite.OpenPrivateCache)
	if err != nil {
		return nil, err
	}
	c.SetBusyTimeout(busyTimeout)
	return zConn{c}, nil
}

// IsFull implements [Driver].
func (Zombiezen) IsFull(err error) bool {
	return zsqlite.ErrCode(err).ToPrimary() == zsqlite.ResultFull || errors.Is(err, syscall.ENOSPC)
}

// IsBusy implements [Driver].
func (Zombiezen) IsBusy(err error) bool {
	code := zsqlite.ErrCode(err).ToPrimary()
	return code == zsqlite.ResultBusy || code == zsqlite.ResultLocked
}

// IsBroken implements [Driver].
func (Zombiezen) IsBroken(err error) bool {
	switch zsqlite.ErrCode(err).ToPrimary() {
	case zsqlite.ResultIOErr, zsqlite.ResultCorrupt, zsqlite.ResultNotADB, zsqlite.ResultCantOpen, zsqlite.ResultNoMem:
		return true
	}
	return false
}

type zConn struct{ c *zsqlite.Conn }

func (c zConn) Exec(sql string) error {
	for sql != "" {
		s, left, err := c.c.PrepareTransient(sql)
		if err != nil {
			return fmt.Errorf("%.60q: %w", sql, err)
		}
		for row := true; row && err == nil; {
			row, err = s.Step()
		}
		if ferr := s.Finalize(); err == nil {
			err = ferr
		}
		if err != nil {
			return fmt.Errorf("%.60q: %w", sql, err)
		}
		sql = trimSQL(sql[len(sql)-left:])
	}
	return nil
}

func (c zConn) Prepare(sql string) (Stmt, error) {
	s, _, err := c.c.PrepareTransient(sql)
	if err != nil {
		return nil, fmt.Errorf("%.60q: %w", sql, err)
	}
	return &zStmt{s}, nil
}

func (c zConn) Close() error { return c.c.Close() }

type zStmt struct{ s *zsqlite.Stmt }

func (s *zStmt) BindInt(i int, v int64)   { s.s.BindInt64(i, v) }
func (s *zStmt) BindText(i int, v string) { s.s.BindText(i, v) }
func (s *zStmt) BindNull(i int)           { s.s.BindNull(i) }
func (s *zStmt) BindBlob(i int, v []byte) {
	if v == nil {
		s.s.BindNull(i)
		return
	}
	s.s.BindBytes(i, v)
}

func (s *zStmt) Step() (bool, error) {
	row, err := s.s.Step()
	if !row {
		if rerr := s.s.Reset(); err == nil {
			err = rerr
		}
	}
	return row, err
}

func (s *zStmt) Reset() error        { return s.s.Reset() }
func (s *zStmt) Int(col int) int64   { return s.s.ColumnInt64(col) }
func (s *zStmt) Text(col int) string { return s.s.ColumnText(col) }
func (s *zStmt) IsNull(col int) bool { return s.s.ColumnIsNull(col) }
func (s *zStmt) Close() error        { return s.s.Finalize() }

func (s *zStmt) AppendBlob(col int, dst []byte) []byte {
	n := s.s.ColumnLen(col)
	if n == 0 {
		return dst
	}
	at := len(dst)
	for cap(dst) < at+n {
		grown := make([]byte, at, at+n)
		copy(grown, dst)
		dst = grown
	}
	dst = dst[:at+n]
	s.s.ColumnBytes(col, dst[at:])
	return dst
}
