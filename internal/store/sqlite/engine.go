package sqlite

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/store"
	"holdfast/internal/vfs"
)

// FileName is the database's name in the data directory.
const FileName = "holdfast.db"

// minVersion is the oldest SQLite that is used: before it, a race could corrupt a WAL that was being reset.
const minVersion = 3_051_003

// applicationID marks the file as ours: "HFdb".
const applicationID = 0x48466462

// Options says where the engine is and what it may use. Zero values mean the defaults.
type Options struct {
	Dir    string      // the data directory; the caller holds its lease
	Driver Driver      // default Zombiezen
	Path   string      // the database file instead of Dir/holdfast.db, for drivers with files of their own
	Store  holdfast.ID // the identity of the store; on creation zero means a random one, later zero means any
	Create bool        // make a new database where there is none; otherwise that is refused
	Clock  clock.Clock
	Random io.Reader
	Log    *slog.Logger

	Readers  int    // connections for reading; default 4
	CacheKiB int    // page cache of the writer; readers have a quarter; default 8192
	Ballast  int64  // octets kept aside for the day when the disk is full; default 16 MiB, negative: none
	WALPages int    // pages in the log before a checkpoint; default 8000: hot pages are then copied once for many changes
	Bulk     bool   // it is being filled by a restore: see bulk.go
	SortDir  string // where EndBulk sorts; empty: in memory. SQLite has one such directory for the whole process; every other connection has its temporary store in memory, and so never asks for it. One engine at a time may be filled so

	fs     vfs.FS   // tests: the file system that holds the log; default the system's
	log    string   // tests: the log's name there; default Path and "-wal"
	inline bool     // tests: no goroutines of its own; the caller drives commit and checkpoint
	extra  []string // tests: PRAGMAs before all others
}

func (o Options) withDefaults() Options {
	if o.Driver == nil {
		o.Driver = Zombiezen{}
	}
	if o.Path == "" {
		o.Path = filepath.Join(o.Dir, FileName)
	}
	if o.fs == nil {
		o.fs, o.log = vfs.OS, o.Path+"-wal"
	}
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	def(&o.Readers, 4)
	def(&o.CacheKiB, 8192)
	def(&o.WALPages, 8000)
	if o.Ballast == 0 {
		o.Ballast = 16 << 20
	}
	return o
}

func def(p *int, v int) {
	if *p == 0 {
		*p = v
	}
}

// Engine is an open store.
type Engine struct {
	o       Options
	store   holdfast.ID
	version string

	queue   chan *waiting
	quit    chan struct{}
	drained chan struct{} // closed when nothing more is taken from the queue
	done    sync.WaitGroup

	lease   *vfs.Lease
	writer  sync.Mutex // held by whoever writes: a batch, a checkpoint's end, an observation
	w       *conn
	heads   *heads
	pos     store.Position
	lsn     int64
	ckpt    *conn
	ckptMu  sync.Mutex
	kick    chan struct{}
	readers chan *conn // idle ones; nil stands for one that is not open yet
	closed  atomic.Bool

	accounts atomic.Int64
	batch    atomic.Pointer[store.Position]
	failed   atomic.Pointer[error]
	feeds    feeds
	hold     atomic.Pointer[func(uint64, func())] // who wakes the callers of Commit; nil: the writer
	full     fullDisk

	age atomic.Int64 // counts calls of Refresh

	looking sync.Mutex // held by who looks at the database's structure, for Mend
	looked  time.Time  // when it was last found sound
}

var (
	_ store.Engine = (*Engine)(nil)
	_ store.Holder = (*Engine)(nil)

	_ store.Refresher = (*Engine)(nil)
)

//go:embed schema*.sql
var schemas embed.FS

// settleLog makes durable what a process before this one left in the write-ahead log. It may have died between writing the log and its fsync, or after a
// failed fsync, which leaves octets in the cache that look written and are not: SQLite would read them, a retry would meet its own write, and a power
// cut would take it away after all. A second fsync of the same file could lie, so the log is written anew: temporary file, fsync, rename, fsync of the directory.
func (e *Engine) settleLog() error {
	log, err := vfs.ReadFile(e.o.fs, e.o.log)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(log) == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	err = vfs.WriteFileAtomic(e.o.fs, e.o.log, log, 0o600)
	if errors.Is(err, syscall.ENOSPC) {
		e.o.Log.Warn("the disk is too full to write the log anew; it is only synced, which does not help if a sync of it had failed", "err", err)
		return e.syncLog()
	}
	return err
}

// syncLog is what settleLog does where there is no room for more, so that a full disk can at least be read. The store is full then and takes no changes.
func (e *Engine) syncLog() error {
	f, err := e.o.fs.OpenFile(e.o.log, vfs.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Open opens the store, or makes it where Options.Create says so. What a crash left in the write-ahead log is recovered by this.
func Open(ctx context.Context, o Options) (*Engine, error) {
	o = o.withDefaults()
	if !o.inline {
		_, err := os.Stat(o.Path)
		if errors.Is(err, os.ErrNotExist) && !o.Create {
			return nil, store.Err("Open", holdfast.NotFound, o.Path, "there is no database; a new one is not made over lost data")
		}
	}
	e := &Engine{o: o, queue: make(chan *waiting, maxBatch), quit: make(chan struct{}), drained: make(chan struct{}), kick: make(chan struct{}, 1), heads: newHeads()}
	if err := e.lock(); err != nil {
		return nil, err
	}
	err := e.settleLog()
	if err == nil {
		err = e.open()
	}
	if err != nil {
		e.closeConns()
		return nil, e.roomless("Open", fmt.Errorf("sqlite: %w", err))
	}
	e.full.init(o.Dir, o.Ballast, o.Clock, o.Log)
	if !o.inline {
		e.done.Add(2)
		go e.writeLoop()
		go e.checkpointLoop()
	}
	return e, nil
}

// lock keeps a second writer out: another process, or another engine of this one. Whoever gets past it, as a file system without locks lets him, makes the other
// one stop at its next batch.
func (e *Engine) lock() (err error) {
	if e.o.Dir == "" {
		return nil
	}
	e.lease, err = vfs.AcquireLease(vfs.OS, filepath.Join(e.o.Dir, FileName+".lock"))
	if errors.Is(err, vfs.ErrLocked) {
		return &holdfast.Error{Op: "store.Open", Kind: holdfast.Busy, Ref: e.o.Path, Text: "another process writes to this database; stop it first", Err: err}
	}
	return err
}

func (e *Engine) open() (err error) {
	if e.w, err = openConn(e.o.Driver, e.o.Path, e.o.CacheKiB, e.o.extra...); err != nil {
		return err
	}
	if err = e.checkVersion(); err != nil {
		return err
	}
	if err = e.migrate(); err != nil {
		return err
	}
	if e.o.Bulk {
		if err = e.beginBulk(); err != nil {
			return err
		}
	}
	if err = e.load(); err != nil {
		return err
	}
	if e.ckpt, err = openConn(e.o.Driver, e.o.Path, 256, e.o.extra...); err != nil {
		return err
	}
	e.readers = make(chan *conn, e.o.Readers)
	for range e.o.Readers {
		e.readers <- nil
	}
	return nil
}

func (e *Engine) checkVersion() error {
	v, err := e.w.text("SELECT sqlite_version()")
	if err != nil {
		return err
	}
	e.version = v
	n, part := 0, 0
	for _, s := range strings.SplitN(v, ".", 3) {
		if part, err = strconv.Atoi(s); err != nil {
			return fmt.Errorf("SQLite's version %q: %w", v, err)
		}
		n = n*1000 + part
	}
	if n < minVersion {
		return fmt.Errorf("SQLite %s can corrupt a write-ahead log; at least 3.51.3 is needed", v)
	}
	return nil
}

// migrate brings the schema forward, one numbered file after the other, each in one transaction with the number that it leads to.
func (e *Engine) migrate() error {
	v, err := e.w.text("PRAGMA user_version")
	if err != nil {
		return err
	}
	have, _ := strconv.Atoi(v)
	if have == 0 && !e.o.Create {
		return store.Err("Open", holdfast.Invalid, e.o.Path, "the database is empty: what was in it is lost, and a new one is not made over it; put back a copy of the database with its log")
	}
	if have == 0 {
		if err := e.w.Exec("PRAGMA application_id=" + strconv.Itoa(applicationID)); err != nil {
			return err
		}
	} else if id, err := e.w.text("PRAGMA application_id"); err != nil || id != strconv.Itoa(applicationID) {
		return errors.Join(store.Err("Open", holdfast.Invalid, e.o.Path, "this is a database of another program (application id "+id+")"), err)
	}
	files, err := schemas.ReadDir(".")
	if err != nil {
		return err
	}
	if have > len(files) {
		return store.Err("Open", holdfast.Invalid, e.o.Path, fmt.Sprintf("the database has schema %d, this program knows up to %d: a newer Holdfast wrote it; start that one", have, len(files)))
	}
	for n := have + 1; n <= len(files); n++ {
		sql, err := schemas.ReadFile(fmt.Sprintf("schema%d.sql", n))
		if err != nil {
			return err
		}
		if err := e.step(n, string(sql)); err != nil {
			return fmt.Errorf("schema %d: %w", n, err)
		}
	}
	return nil
}

func (e *Engine) step(n int, sql string) error {
	if err := e.w.run(qBeginWrite); err != nil {
		return err
	}
	err := e.w.Exec(sql)
	if err == nil && n == 1 {
		id := e.o.Store
		if id.IsZero() {
			id = holdfast.NewID(e.o.Random)
		}
		err = e.w.Exec(fmt.Sprintf("INSERT INTO store(id, sid, made) VALUES(1, x'%x', %d)", id[:], e.o.Clock.Now().UnixMicro()))
	}
	if err == nil {
		err = e.w.Exec("PRAGMA user_version=" + strconv.Itoa(n))
	}
	if err != nil {
		return errors.Join(err, e.w.run(qRollback))
	}
	return e.w.run(qCommit)
}

// load reads what the writer keeps in mind.
func (e *Engine) load() error {
	found, err := e.w.one(qStore, func(s Stmt) { e.store = e.w.id(s, 0) })
	if err != nil || !found {
		return fmt.Errorf("the store's own row is missing: %w", err)
	}
	if !e.o.Store.IsZero() && e.o.Store != e.store {
		return store.Err("Open", holdfast.Forbidden, e.o.Path, fmt.Sprintf("the database belongs to store %s, the directory to store %s: one of them was swapped", e.store, e.o.Store))
	}
	if _, err := e.w.one(qLastBatch, func(s Stmt) {
		e.pos, e.lsn = store.Position{Batch: uint64(s.Int(0)), Hash: e.w.hash(s, 1)}, s.Int(2)
	}); err != nil {
		return err
	}
	if _, err = e.w.one(qCountAccounts, func(s Stmt) { e.accounts.Store(s.Int(0)) }); err != nil {
		return err
	}
	e.publish()
	return nil
}

func (e *Engine) publish() { p := e.pos; e.batch.Store(&p) }

// Info implements [store.Engine].
func (e *Engine) Info() store.Info {
	i := store.Info{Engine: "sqlite " + e.version, Store: e.store, Position: *e.batch.Load(), Accounts: e.accounts.Load(), ReadOnly: e.full.is(), Failed: e.failure()}
	for _, suffix := range []string{"", "-wal"} {
		if fi, err := os.Stat(e.o.Path + suffix); err == nil {
			i.Octets += fi.Size()
		}
	}
	return i
}

// fail stops the engine for good: nothing is written after it. See the package's words on a failed fsync.
func (e *Engine) fail(err error) error {
	if e.failed.CompareAndSwap(nil, &err) {
		e.o.Log.Error("the engine stopped: what the disk holds is not known; the process must start again", "err", err)
	}
	return e.stopped()
}

func (e *Engine) failure() error {
	if p := e.failed.Load(); p != nil {
		return *p
	}
	return nil
}

func (e *Engine) stopped() error {
	return &holdfast.Error{Op: "store.Commit", Kind: holdfast.Unavailable, Text: "the store stopped after a disk error and is starting again; whether the change was stored is not known, try again", Retry: time.Minute, Err: e.failure()}
}

// Close implements [store.Engine].
func (e *Engine) Close() error {
	if !e.closed.CompareAndSwap(false, true) {
		return nil
	}
	close(e.quit)
	e.done.Wait()
	e.writer.Lock()
	defer e.writer.Unlock()
	return e.closeConns()
}

// closeConns waits for open snapshots as long as one may live; a connection whose snapshot is open even then is left to the process's end.
func (e *Engine) closeConns() error {
	var errs []error
	late := e.o.Clock.NewTimer(store.MaxSnapshot)
	defer late.Stop()
	for range cap(e.readers) {
		select {
		case c := <-e.readers:
			if c != nil {
				errs = append(errs, c.Close())
			}
			continue
		case <-late.C():
			errs = append(errs, errors.New("a snapshot was not closed"))
		}
		break
	}
	for _, c := range []*conn{e.ckpt, e.w} {
		if c != nil {
			errs = append(errs, c.Close())
		}
	}
	if e.lease != nil {
		errs = append(errs, e.lease.Release())
	}
	return errors.Join(errs...)
}
