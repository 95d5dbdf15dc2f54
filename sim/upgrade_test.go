package sim

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/sim/load"
	"holdfast/sim/server"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// TestUpgradeIsKilled kills the first start of a newer version at ever later moments, while it copies the database, tries the migration on the copy, and migrates. What it leaves the next start goes on with; in the end everything is there, and fits.
func TestUpgradeIsKilled(t *testing.T) {
	o := server.Options{Bin: program(t), Data: filepath.Join(t.TempDir(), "data")}
	s := start(t, o)
	var writers []*load.Writer
	seed := seed(t)
	for i, a := range people(t, s, 4) {
		writers = append(writers, load.NewWriter(dial(t, s), a, seed, uint64(i)))
	}
	res := load.Run(t.Context(), writers, load.Bounds{For: 2 * time.Second})
	if err := broken(res.Errors); err != nil || res.Done == 0 {
		t.Fatalf("%d changes, %v", res.Done, err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	olderSchema(t, o.Data)
	kills := 0
	for wait := 5 * time.Millisecond; ; wait += wait / 3 {
		cmd := exec.Command(o.Bin, "account", "list", "--data", o.Data)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		select {
		case err := <-ended:
			if err != nil {
				t.Fatalf("after %d kills: %v", kills, err)
			}
		case <-time.After(wait):
			kills++
			_ = cmd.Process.Kill()
			<-ended
			continue
		}
		break
	}
	s = start(t, o)
	defer s.Stop()
	if out, err := exec.Command(o.Bin, "doctor", "--full", "--data", o.Data).CombinedOutput(); strings.Contains(string(out), "FAIL") {
		t.Errorf("the store does not fit: %v\n%s", err, out)
	}
	var drilled struct {
		Result  string `json:"result"`
		Changes struct {
			Restored int64 `json:"restored"`
		} `json:"changes"`
	}
	if err := s.Run(t.Context(), &drilled, "drill", "run", "--all"); err != nil || drilled.Result != "pass" || drilled.Changes.Restored < res.Done {
		t.Errorf("a drill: %+v, %v; %d changes were acknowledged", drilled, err, res.Done)
	}
	t.Logf("%d kills, %d changes acknowledged before", kills, res.Done)
	if kills < 5 {
		t.Errorf("it was killed %d times: nothing is shown by that", kills)
	}
}

// olderSchema makes a database what the version left that knew schema 2.
func olderSchema(t *testing.T, data string) {
	t.Helper()
	c, err := sqlite.OpenConn(filepath.Join(data, "holdfast.db"), sqlite.OpenReadWrite)
	if err == nil {
		err = sqlitex.ExecuteScript(c, `CREATE TABLE marks(vault TEXT PRIMARY KEY, batch INTEGER NOT NULL) STRICT, WITHOUT ROWID;
			DROP TABLE erased; DROP TABLE erased_logins; DROP TABLE erased_batches; DROP INDEX res_ghost; DROP INDEX changes_blob;`, nil)
	}
	if err == nil {
		err = sqlitex.ExecuteTransient(c, "PRAGMA user_version=2", nil)
	}
	if err == nil {
		err = c.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}
