package sim

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"holdfast/sim/server"
)

// TestErase erases an account of the built program: undone once, then for good. Afterwards its name is given to nobody, a restore does not bring it back, and nothing in the vault can be opened that was its own.
func TestErase(t *testing.T) {
	b := &burning{t: t, bin: program(t), dir: t.TempDir()}
	b.o = server.Options{Bin: b.bin, Data: filepath.Join(b.dir, "data"), Env: map[string]string{"HOLDFAST_ERASE_WAIT": "1s", "HOLDFAST_ERASE_EVERY": "200ms", "HOLDFAST_VAULT_SEAL": "300ms",
		"HOLDFAST_VAULT_SEGMENT_AGE": "300ms", "HOLDFAST_VAULT_KEEP_TAIL": "500ms", "HOLDFAST_VAULT_HEAD": "200ms"}}
	key := filepath.Join(b.dir, "recovery.txt")
	b.command("key", "init", "--data", b.o.Data, "--out", key)
	s := start(t, b.o)
	list := people(t, s, 3)
	run := func(args ...string) (out struct {
		Erasures []struct {
			State string   `json:"state"`
			Left  []string `json:"left"`
		} `json:"erasures"`
		ID string `json:"id"`
	}) {
		t.Helper()
		if err := s.Run(t.Context(), &out, args...); err != nil {
			t.Fatal(err)
		}
		return out
	}
	run("account", "erase", list[0].Email)
	run("account", "resume", list[0].Email)
	id := run("account", "erase", list[1].Email).ID
	deadline := time.Now().Add(time.Minute)
	for n := 0; ; n++ {
		run("app-password", "add", list[2].Email, "--name", fmt.Sprint("phone ", n)) // somebody goes on, so that heads are written
		all := run("account", "erase", "--list").Erasures
		if len(all) == 1 && all[0].State == "erased" && len(all[0].Left) == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("never erased: %+v", all)
		}
		time.Sleep(200 * time.Millisecond)
	}
	if err := s.Run(t.Context(), &struct{}{}, "account", "resume", id); err == nil {
		t.Fatal("an account was resumed whose keys are gone")
	}
	keys, err := filepath.Glob(filepath.Join(b.dir, "holdfast-vault", "keys", "*", id+"*"))
	if err != nil || len(keys) != 0 {
		t.Fatalf("its keys are still there: %q, %v", keys, err)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(b.o.Data); err != nil {
		t.Fatal(err)
	}
	var rep struct {
		Accounts []struct {
			Email string `json:"email"`
		} `json:"accounts"`
		Losses []any `json:"losses"`
	}
	out := b.command("restore", "--json", "--from", filepath.Join(b.dir, "holdfast-vault"), "--key", key, "--into", b.o.Data)
	if err := json.Unmarshal(out, &rep); err != nil || len(rep.Accounts) != 2 || rep.Accounts[0].Email != list[0].Email || rep.Accounts[1].Email != list[2].Email || len(rep.Losses) != 0 {
		t.Fatalf("restored: %s", out)
	}
}
