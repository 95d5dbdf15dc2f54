package sim

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"holdfast/sim/load"
	"holdfast/sim/server"
)

var (
	seedFlag        = flag.Uint64("sim.seed", 0, "repeat the choices of a run; 0: new ones")
	binFlag         = flag.String("sim.bin", "", "test this program instead of building one")
	killsFlag       = flag.Int("sim.kills", 20, "how often the server is killed under load")
	burnsFlag       = flag.Int("sim.burns", 9, "how often the server's data is taken away under load")
	remoteBurnsFlag = flag.Int("sim.remoteburns", 2, "how often all that the store has on its machine is taken away under load")
	devicesFlag     = flag.Int("sim.devices", 60, "how many simulated devices go on while their server is lost, put back, mixed up and damaged")
	reversalsFlag   = flag.Int("sim.reversals", 3, "how often the server is killed while 10,000 items go or come back")
	hugeFlag        = flag.Int64("sim.huge", 96<<20, "octets of the largest file that is put")
	cutFlag         = flag.Int("sim.cut", 500_000, "after how many octets more an upload of 10 MB is cut, each time")
	fileKillsFlag   = flag.Int("sim.filekills", 6, "how often the server is killed while files arrive")
	dutiesFlag      = flag.Int("sim.duties", 4, "how often the server is killed in each duty around its vault: sealing, rotating, erasing, restoring")
)

// place is where the program is built, once for all tests, and where they keep their data. It is removed at the end.
var place struct {
	dir string
	bin func() (string, error)
}

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "holdfast-sim-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	place.dir = dir
	place.bin = sync.OnceValues(func() (string, error) {
		if *binFlag != "" {
			return *binFlag, nil
		}
		return server.Build(context.Background(), dir)
	})
	return m.Run()
}

// seed returns the seed of a test, and tells how to use it again.
func seed(t *testing.T) uint64 {
	s := *seedFlag
	if s == 0 {
		s = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d; repeat with: go test ./sim -run %s -sim.seed %d", s, t.Name(), s)
	return s
}

// ci tells whether nothing may be passed over.
func ci() bool { return os.Getenv("CI") == "true" }

// passOver skips a test for want of something that the machine should have; continuous integration must have it.
func passOver(t *testing.T, format string, args ...any) {
	t.Helper()
	if ci() {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// program returns the built program.
func program(t *testing.T) string {
	t.Helper()
	bin, err := place.bin()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

// start runs the program until the test ends.
func start(t *testing.T, o server.Options) *server.Server {
	t.Helper()
	if o.Bin == "" {
		o.Bin = program(t)
	}
	if o.Data == "" {
		o.Data = t.TempDir() + "/data"
	}
	s, err := server.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Kill(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log("the end of its log:\n" + s.LogTail())
		}
	})
	return s
}

func people(t *testing.T, s *server.Server, n int) []load.Account {
	t.Helper()
	list, err := s.AddAccounts(t.Context(), "p", n)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func dial(t *testing.T, s *server.Server) *load.Conn {
	t.Helper()
	c, err := load.Dial(t.Context(), s.Addr, time.Now().Add(5*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// broken returns the broken promises among errors. Others are those of a server that was killed.
func broken(errs []error) error {
	var bad []error
	for _, err := range errs {
		if errors.Is(err, load.ErrBroken) {
			bad = append(bad, err)
		}
	}
	return errors.Join(bad...)
}
