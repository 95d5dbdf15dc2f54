package sim

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var quickFlag = flag.Int("sim.quickstarts", 12, "how often a quickstart is killed")

// TestQuickstartIsKilled kills a quickstart at any moment and runs it again, as an operator would: in the end there is one account, and the recovery key that was handed out opens the vault. Only where the key's file is
// there and the store has another one is he asked to move it away.
func TestQuickstartIsKilled(t *testing.T) {
	bin := program(t)
	r := rand.New(rand.NewPCG(seed(t), 5))
	whole := quickstartTakes(t, bin)
	cut, moved := 0, 0
	for range *quickFlag {
		dir := t.TempDir()
		if killed(t, bin, dir, time.Duration(r.Int64N(int64(whole)))) {
			cut++
		}
		moved += untilDone(t, bin, dir)
		key := filepath.Join(dir, "holdfast-recovery-key.txt")
		if out, code := onSame(t, bin, dir, "key", "check", key); code != 0 {
			t.Errorf("the recovery key does not open the vault: exit status %d\n%s", code, out)
		}
		out, _ := onSame(t, bin, dir, "account", "list", "--json")
		var list struct{ Accounts []struct{ Email string } }
		if err := json.Unmarshal([]byte(out), &list); err != nil || len(list.Accounts) != 1 {
			t.Errorf("%d accounts (%v)\n%s", len(list.Accounts), err, out)
		}
		if out, code := onSame(t, bin, dir, "config", "validate"); code != 0 || !strings.Contains(out, "holdfast.toml") {
			t.Errorf("the settings: exit status %d\n%s", code, out)
		}
	}
	t.Logf("%d of %d were killed in the midst, within %v; %d times a key's file had to be moved away", cut, *quickFlag, whole, moved)
}

// quickline is the command of every run.
func quickline(dir string) []string {
	return []string{"quickstart", "you@example.org", "--public-url", "http://127.0.0.1:1", "--data", filepath.Join(dir, "data")}
}

// quickstartTakes runs one that is left alone.
func quickstartTakes(t *testing.T, bin string) time.Duration {
	t.Helper()
	began := time.Now()
	if out, err := exec.CommandContext(t.Context(), bin, quickline(t.TempDir())...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return time.Since(began)
}

// killed runs one and kills it after a time; it tells whether it was still running.
func killed(t *testing.T, bin, dir string, after time.Duration) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), after)
	defer cancel()
	return exec.CommandContext(ctx, bin, quickline(dir)...).Run() != nil
}

// untilDone runs it again until it is done, and moves the file of a key away where it says so. It returns how often it did.
func untilDone(t *testing.T, bin, dir string) (moved int) {
	t.Helper()
	for range 3 {
		out, err := exec.CommandContext(t.Context(), bin, quickline(dir)...).CombinedOutput()
		if err == nil {
			return moved
		}
		if !strings.Contains(string(out), "is there already, and may be another store's key or that of a run that was cut") {
			t.Fatalf("it does not go on: %v\n%s", err, out)
		}
		moved++
		key := filepath.Join(dir, "holdfast-recovery-key.txt")
		if err := os.Rename(key, key+".old"); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("it is never done")
	return moved
}

// onSame runs another command on the same data, and returns what it says and its exit status.
func onSame(t *testing.T, bin, dir string, args ...string) (string, int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), bin, append(args, "--data", filepath.Join(dir, "data"))...)
	out, err := cmd.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return string(out), exit.ExitCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(out), 0
}
