package sim

import (
	"testing"

	"holdfast/sim/server"
)

// TestAFleetSeesWhatHoldsItBack takes out, one at a time, what keeps devices from a store that is older than they are. Each time phones are emptied, and the fleet sees it. The guard of bursts is among [alarms].
func TestAFleetSeesWhatHoldsItBack(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program anew for each; make test does")
	}
	for _, c := range []struct {
		what, file, careful, off string
		warned                   bool
	}{
		{"nobody holds an account, and no device comes first that can prove anything", "", "", "", false},
		{"tokens are good whatever the chain", "internal/core/read.go", "if err == nil && !ok {\n\t\terr = r.lost(owner, t)", "if false {\n\t\terr = r.lost(owner, t)", true},
		{"who waits is served", "internal/core/doubt.go", "if d.accounts[p.ID].Since.IsZero() {", "if true {", true},
	} {
		t.Run(c.what, func(t *testing.T) {
			bin := program(t)
			if c.file != "" {
				var err error
				if bin, err = server.Build(t.Context(), t.TempDir(), "-overlay", overlay(t, "../"+c.file, c.careful, c.off)); err != nil {
					t.Fatal(err)
				}
			}
			w := newWorld(t, bin, 20)
			w.older(c.warned)
			w.end()
			n := w.fleet.Progress().DeletionsNoUserMade
			t.Logf("%d deletions that no user made", n)
			if n == 0 {
				t.Error("nobody sees it")
			}
		})
	}
}
