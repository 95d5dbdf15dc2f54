package sqlite

import (
	"strings"
	"time"
)

// busyTimeout is how long a connection waits for another's lock. Only recovery after a crash and the end of a checkpoint take locks that others feel.
const busyTimeout = 5 * time.Second

func trimSQL(s string) string { return strings.TrimLeft(s, " \t\r\n;") }

// The seam to SQLite: prepare, bind, step, columns. Two implementations pass the same statements on: zombiezen (pure Go, serves) and, in tests
// only, ncruces, whose file system can be simulated.

// A Driver opens connections.
type Driver interface {
	// Open opens a connection to the file, which is created if need be.
	Open(path string) (Conn, error)
	// IsFull tells whether err says that the disk is full.
	IsFull(err error) bool
	// IsBusy tells whether err says that another connection holds a lock.
	IsBusy(err error) bool
	// IsBroken tells whether err says that the file cannot be trusted or reached: an I/O error, corruption.
	IsBroken(err error) bool
}

// Conn is one connection. It is used by one goroutine at a time.
type Conn interface {
	// Exec runs statements that have no parameters and whose rows are of no interest.
	Exec(sql string) error
	// Prepare prepares a statement, which must be closed before the connection.
	Prepare(sql string) (Stmt, error)
	Close() error
}

// Stmt is a prepared statement. Parameters count from 1, columns from 0. Step resets it by itself when no row is left or an error came.
type Stmt interface {
	BindInt(i int, v int64)
	BindText(i int, v string)
	BindBlob(i int, v []byte) // nil binds NULL
	BindNull(i int)
	Step() (row bool, err error)
	Reset() error
	Int(col int) int64
	Text(col int) string
	AppendBlob(col int, dst []byte) []byte // NULL appends nothing
	IsNull(col int) bool
	Close() error
}
