package sqlitevfs_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"holdfast/internal/vfs/crashfs"
	"holdfast/internal/vfs/crashfs/sqlitevfs"
)

// sim is a writer, a reader and a checkpointer on one database, and what the
// writer was told is durable.
type sim struct {
	disk   *crashfs.Disk
	fs     *sqlitevfs.FS
	rng    *rand.Rand
	mode   string // PRAGMA journal_mode and synchronous
	acked  map[int64]int64
	flight map[int64]int64 // the transaction that got no answer
	rows   int             // acknowledged in all
}

const (
	walFull      = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL"
	walNormal    = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL"
	journalExtra = "PRAGMA journal_mode=DELETE; PRAGMA synchronous=EXTRA"
	journalFull  = "PRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL"
)

func newSim(t *testing.T, opt crashfs.Options, mode string, seed uint64) *sim {
	t.Helper()
	s := &sim{disk: crashfs.New(opt), rng: rand.New(rand.NewPCG(seed, 0)), mode: mode, acked: map[int64]int64{}}
	v, err := sqlitevfs.Register(s.disk)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.Unregister(); err != nil {
			t.Error(err)
		}
	})
	s.fs = v
	return s
}

func (s *sim) open() (*sqlite3.Conn, error) {
	c, err := sqlite3.Open(s.fs.URI("/db"))
	if err != nil {
		return nil, err
	}
	err = c.Exec(s.mode + "; PRAGMA wal_autocheckpoint=0; PRAGMA cache_size=-500")
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (s *sim) setup() error {
	c, err := s.open()
	if err != nil {
		return err
	}
	defer c.Close()
	return c.Exec("CREATE TABLE IF NOT EXISTS t(k INTEGER PRIMARY KEY, v INTEGER, pad BLOB)")
}

// work opens the database and writes until the power goes, or a while.
func (s *sim) work() error {
	var conns [3]*sqlite3.Conn
	for i := range conns {
		c, err := s.open()
		if err != nil {
			return err
		}
		defer c.Close()
		conns[i] = c
	}
	w, r, ckpt := conns[0], conns[1], conns[2]
	for range 60 {
		if err := s.write(w); err != nil {
			return err
		}
		if s.rng.IntN(4) == 0 {
			if got, err := read(r); err != nil || !equal(got, s.acked) {
				return errors.Join(err, errors.New("the reader does not see what was acknowledged"))
			}
		}
		if s.rng.IntN(8) == 0 {
			mode := []string{"PASSIVE", "RESTART", "TRUNCATE"}[s.rng.IntN(3)]
			if err := ckpt.Exec("PRAGMA wal_checkpoint(" + mode + ")"); err != nil {
				return err
			}
		}
	}
	return nil
}

// write commits some rows and notes them once the commit has succeeded.
func (s *sim) write(c *sqlite3.Conn) error {
	s.flight = map[int64]int64{}
	sql := "BEGIN IMMEDIATE;"
	for range 1 + s.rng.IntN(4) {
		k, v := s.rng.Int64N(40), s.rng.Int64()
		s.flight[k] = v
		sql += fmt.Sprintf("REPLACE INTO t VALUES(%d,%d,zeroblob(%d));", k, v, s.rng.IntN(900))
	}
	if err := c.Exec(sql + "COMMIT"); err != nil {
		return err
	}
	s.settleFlight()
	return nil
}

func (s *sim) settleFlight() {
	for k, v := range s.flight {
		s.acked[k] = v
		s.rows++
	}
	s.flight = nil
}

func read(c *sqlite3.Conn) (map[int64]int64, error) {
	st, _, err := c.Prepare("SELECT k, v FROM t")
	if err != nil {
		return nil, err
	}
	defer st.Close()
	got := map[int64]int64{}
	for st.Step() {
		got[st.ColumnInt64(0)] = st.ColumnInt64(1)
	}
	return got, st.Err()
}

func equal(a, b map[int64]int64) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if w, ok := b[k]; !ok || w != v {
			return false
		}
	}
	return true
}

// check recovers the database and compares. The transaction in flight may be
// there, whole, or not.
func (s *sim) check() error {
	c, err := s.open()
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer c.Close()
	st, _, err := c.Prepare("PRAGMA integrity_check")
	if err != nil {
		return fmt.Errorf("integrity_check: %w", err)
	}
	if ok := st.Step() && st.ColumnText(0) == "ok"; !ok {
		defer st.Close()
		return errors.Join(fmt.Errorf("integrity_check: %s", st.ColumnText(0)), st.Err())
	}
	st.Close()
	got, err := read(c)
	if err != nil {
		return err
	}
	if equal(got, s.acked) {
		s.flight = nil
		return nil
	}
	for k, v := range s.flight {
		s.acked[k] = v
	}
	if s.flight == nil || !equal(got, s.acked) {
		return errors.New("acknowledged rows are lost or changed")
	}
	s.flight = nil
	return nil
}

// cut runs one round: work, power cut, perhaps cuts during recovery, check.
func (s *sim) cut() error {
	s.disk.CutAfter(1 + s.rng.IntN(120))
	if s.rng.IntN(10) == 0 {
		s.disk.CutAfter(1 + s.rng.IntN(8)) // probably while opening
	}
	if err := s.work(); err != nil && !s.disk.Off() {
		return fmt.Errorf("work: %w", err)
	}
	s.disk.PowerCut(s.rng)
	for s.rng.IntN(2) == 0 {
		s.disk.CutAfter(1 + s.rng.IntN(30))
		if c, err := s.open(); err == nil {
			c.Close()
		} else if !s.disk.Off() {
			return fmt.Errorf("recovery: %w", err)
		}
		s.disk.PowerCut(s.rng)
	}
	return s.check()
}
