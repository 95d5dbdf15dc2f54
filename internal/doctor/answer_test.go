package doctor

import (
	"strings"
	"testing"
	"time"

	"holdfast/internal/control"
	"holdfast/internal/vfs"
)

// TestADiskThatHangs: a vault on a server that is gone keeps nobody from all that else was found, and is named.
func TestADiskThatHangs(t *testing.T) {
	gone := make(chan struct{})
	defer close(gone)
	began := time.Now()
	c := look(t, func(o *Options, p *patient) {
		p.vaults.Vaults = []control.VaultState{{Name: "local", Kind: "dir", Location: t.TempDir()}, {Name: "attic", Kind: "dir", Location: "/net/attic"}}
		o.FreeSpace = func(path string) (vfs.Space, error) {
			if path == "/net/attic" {
				<-gone
			}
			return vfs.Space{Free: 1 << 40, Total: 1 << 41}, nil
		}
	})["vault space"]
	if c.Result != Unknown || !strings.Contains(c.Detail, "attic (/net/attic): the file system does not answer") {
		t.Errorf("%s: %s", c.Result, c.Detail)
	}
	if took := time.Since(began); took > 10*answerWithin {
		t.Errorf("it took %v", took)
	}
}
