package sqlitevfs_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"holdfast/internal/vfs/crashfs"
)

var (
	cuts = flag.Int("cuts", 600, "power cuts of each simulation")
	seed = flag.Uint64("seed", 1, "their seed")
)

// TestNothingIsLost is the claim: what SQLite acknowledged on an honest disk
// survives, in WAL mode with synchronous=FULL and with a rollback journal and
// synchronous=EXTRA. The database is created anew every 50 cuts on an empty
// disk that is not settled: the creation is part of the claim.
func TestNothingIsLost(t *testing.T) {
	for _, c := range []struct {
		name string
		opt  crashfs.Options
		mode string
	}{
		{"WAL", crashfs.Options{}, walFull},
		{"WAL, garbage sectors", crashfs.Options{GarbageSectors: true}, walFull},
		{"rollback journal", crashfs.Options{}, journalExtra},
	} {
		t.Run(c.name, func(t *testing.T) {
			start, rows := time.Now(), 0
			var s *sim
			for n := range *cuts {
				if n%50 == 0 {
					s = newSim(t, c.opt, c.mode, *seed+uint64(n))
					if err := s.setup(); err != nil {
						t.Fatal(err)
					}
				}
				rows -= s.rows
				if err := s.cut(); err != nil {
					t.Fatalf("cut %d: %v", n, err)
				}
				rows += s.rows
			}
			t.Logf("%d cuts, %d rows acknowledged, %.2f ms a cut", *cuts, rows,
				float64(time.Since(start).Microseconds())/1000/float64(*cuts))
		})
	}
}

// TestControls: each of these must be seen to lose what was acknowledged. If
// one of them does not, the simulation above is blind.
func TestControls(t *testing.T) {
	const bound = 200
	for _, c := range []struct {
		name string
		opt  crashfs.Options
		mode string
	}{
		{"synchronous=NORMAL", crashfs.Options{}, walNormal},
		{"LyingSync", crashfs.Options{LyingSync: true}, walFull},
		{"NoDirSync", crashfs.Options{NoDirSync: true}, walFull},
		// A journal that was deleted and comes back takes the commit with it:
		// that is what EXTRA is for.
		{"rollback journal, synchronous=FULL", crashfs.Options{}, journalFull},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSim(t, c.opt, c.mode, *seed)
			if err := s.setup(); err != nil {
				t.Fatal(err)
			}
			s.disk.Settle() // the database itself is not what is to be lost
			for n := range bound {
				if err := s.cut(); err != nil {
					t.Logf("seen after %d cuts: %v", n+1, err)
					return
				}
			}
			t.Errorf("%d cuts and nothing lost", bound)
		})
	}
}

// TestSameOperations: a seed gives the same operations again. The octets of the
// files differ, as SQLite salts each WAL by chance.
func TestSameOperations(t *testing.T) {
	run := func() string {
		var trace bytes.Buffer
		s := newSim(t, crashfs.Options{Trace: &trace}, walFull, 3)
		if err := s.setup(); err != nil {
			t.Fatal(err)
		}
		s.disk.CutAfter(200)
		if err := s.work(); !s.disk.Off() {
			t.Fatal("the cut was not reached:", err)
		}
		return trace.String()
	}
	if run() != run() {
		t.Error("two runs of one seed did not do the same")
	}
}

// TestDiskErrors: SQLite is told the right kind of trouble.
func TestDiskErrors(t *testing.T) {
	s := newSim(t, crashfs.Options{}, walFull, 1)
	if err := s.setup(); err != nil {
		t.Fatal(err)
	}
	c, err := s.open()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := s.write(c); err != nil {
		t.Fatal(err)
	}
	s.disk.SetCapacity(1)
	if err := s.write(c); !errors.Is(err, sqlite3.FULL) {
		t.Errorf("full disk: got %v", err)
	}
	s.disk.SetCapacity(0)
	s.disk.FailSync(1)
	if err := s.write(c); !errors.Is(err, sqlite3.IOERR_FSYNC) {
		t.Errorf("failed sync: got %v", err)
	}
	if s.disk.Off() {
		t.Error("the power stays on")
	}
}

// TestConcurrentConnections: a writer, two readers and a checkpointer in
// goroutines of their own, until the power goes under them.
func TestConcurrentConnections(t *testing.T) {
	s := newSim(t, crashfs.Options{}, walFull+"; PRAGMA busy_timeout=10000", 5)
	if err := s.setup(); err != nil {
		t.Fatal(err)
	}
	for round := range 5 {
		var wg sync.WaitGroup
		each := func(do func(c *sqlite3.Conn) error) {
			c, err := s.open()
			if err != nil {
				t.Error(err)
				return
			}
			wg.Go(func() {
				defer c.Close()
				for !s.disk.Off() {
					if err := do(c); err != nil && !s.disk.Off() {
						t.Error(err)
						return
					}
				}
			})
		}
		each(s.write)
		each(func(c *sqlite3.Conn) error { return c.Exec("PRAGMA wal_checkpoint(TRUNCATE)") })
		for range 2 {
			each(func(c *sqlite3.Conn) error {
				_, err := read(c)
				return err
			})
		}
		s.disk.CutAfter(500)
		wg.Wait()
		s.disk.PowerCut(rand.New(rand.NewPCG(uint64(round), 0)))
		if err := s.check(); err != nil {
			t.Fatal(fmt.Errorf("round %d: %w", round, err))
		}
	}
}
