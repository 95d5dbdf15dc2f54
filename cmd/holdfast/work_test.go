package main

import (
	"os"
	"path/filepath"
	"testing"

	"holdfast"
	"holdfast/internal/control"
)

// TestTheClearTextStaysWithTheData: what a vault holds is sorted in the data directory, and not where all of a machine's users have their files; nothing of it stays.
func TestTheClearTextStaysWithTheData(t *testing.T) {
	c := testConfig(t)
	o := opening(t, c)
	defer o.close()
	_, _, err := o.core.CreateAccount(t.Context(), holdfast.Actor{}, "alice@example.org", "")
	must(t, err)
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "none")) // nothing can be made there
	rep, err := o.keeper.Verify(t.Context(), firstVaultName, true, func(f control.VaultFinding) { t.Errorf("%+v", f) })
	if err != nil || rep.Accounts != 1 {
		t.Errorf("verify: %+v, %v", rep, err)
	}
	_, err = o.keeper.Prune(t.Context(), firstVaultName, control.PruneRequest{DryRun: true})
	must(t, err)
	under := filepath.Join(c.Data, workName)
	st, err := os.Stat(under)
	if err != nil || st.Mode().Perm() != 0o700 {
		t.Fatalf("%v, %v", st, err)
	}
	if list, err := os.ReadDir(under); err != nil || len(list) > 0 {
		t.Errorf("it stays: %v, %v", list, err)
	}
}

// TestAKillLeavesNothingInTheClear: what a process left that was killed is removed at the next start; what others have beside it is not.
func TestAKillLeavesNothingInTheClear(t *testing.T) {
	elsewhere := filepath.Join(t.TempDir(), "of [all]")
	must(t, os.Mkdir(elsewhere, 0o700))
	c := testConfig(t, "HOLDFAST_DRILL_DIR="+elsewhere)
	o := opening(t, c)
	store := o.id.Store
	first, second := o.drills.dir(), o.drills.dir()
	if first == second || filepath.Dir(first) != elsewhere {
		t.Errorf("drills restore to %s and %s", first, second)
	}
	o.close()

	foreign := filepath.Join(elsewhere, drillPrefix(holdfast.NewID(nil))+"-x")
	left := []string{first, filepath.Join(elsewhere, "holdfast-drill-"+store.String()), filepath.Join(c.Data, "work", "verify-1"), filepath.Join(c.Data, "drill"), filepath.Join(c.Data, "scrub-spool")}
	for _, dir := range append(left, foreign) {
		must(t, os.MkdirAll(dir, 0o700))
		must(t, os.WriteFile(filepath.Join(dir, "part"), []byte("BEGIN:VCARD"), 0o600))
	}
	opening(t, c).close()
	for _, dir := range left {
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Errorf("%s is still there (%v)", dir, err)
		}
	}
	if _, err := os.Stat(filepath.Join(foreign, "part")); err != nil {
		t.Errorf("what another store has is gone: %v", err)
	}
}
