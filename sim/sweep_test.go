package sim

import (
	"context"
	"encoding/json"
	"log/slog"
	"os/exec"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/control"
	"holdfast/internal/place/dir"
	"holdfast/internal/registry"
	"holdfast/internal/store"
	"holdfast/internal/store/sqlite"
	"holdfast/internal/vault"
	"holdfast/internal/vfs"
	"holdfast/sim/server"
)

// swept starts a stopped server once more, with sweeps that follow each other quickly, and waits until its first vault holds nothing that no change names. All that is named is there.
func swept(t *testing.T, o server.Options) {
	t.Helper()
	before := unnamed(t, o.Data)
	o.Env = map[string]string{"HOLDFAST_VAULT_SWEEP": "600ms"}
	s := start(t, o)
	var last []byte
	for began := time.Now(); ; time.Sleep(200 * time.Millisecond) {
		var out control.VaultStatus
		last, _ = exec.CommandContext(t.Context(), o.Bin, "vault", "status", "--json", "--data", o.Data).Output()
		if json.Unmarshal(last, &out) == nil && len(out.Vaults) == 1 && out.Vaults[0].Unnamed != nil && out.Vaults[0].Unnamed.Objects == 0 {
			break
		}
		if time.Since(began) > 2*time.Minute {
			t.Fatalf("objects stay that no change names: %s", last)
		}
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	after := unnamed(t, o.Data)
	t.Logf("the vault held %d objects of files, of which no change named %d; after the sweeps %d, of which %d", before.Objects, len(before.Unnamed), after.Objects, len(after.Unnamed))
	if len(after.Unnamed) != 0 || after.Lacking != 0 || after.Objects != before.Objects-int64(len(before.Unnamed)) {
		t.Errorf("%+v", after)
	}
}

// unnamed looks through the first vault of a stopped server.
func unnamed(t *testing.T, data string) vault.UnnamedReport {
	t.Helper()
	reg, _, err := registry.Read(vfs.OS, data)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := registry.ReadKeys(vfs.OS, data)
	if err != nil {
		t.Fatal(err)
	}
	p, err := dir.Open(vfs.OS, reg.Vaults[0].Location, dir.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	v, err := vault.Open(t.Context(), vault.Options{Place: p, Ring: ring})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	e, err := sqlite.Open(t.Context(), sqlite.Options{Dir: data})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	rep, err := v.UnnamedBlobs(t.Context(), vault.UnnamedLook{Named: func(ctx context.Context, fn func(holdfast.ID, holdfast.Blob) error) error {
		snap, err := e.Snapshot(ctx)
		if err != nil {
			return err
		}
		accounts, err := snap.Accounts(holdfast.ID{}, 1000)
		snap.Close()
		for _, a := range accounts {
			if err == nil {
				err = store.EachBlob(ctx, e, a.ID, holdfast.Hash{}, func(b holdfast.Blob) error { return fn(a.ID, b) })
			}
		}
		return err
	}})
	if err != nil {
		t.Fatal(err)
	}
	return rep
}
