package main

import (
	"bytes"
	"strings"
	"testing"

	"holdfast"
	"holdfast/internal/control"
)

// TestWhatIsLeftOfARepairSaysWhatToDo: what no copy at hand has is named with the account as people know it, and with what can be done.
func TestWhatIsLeftOfARepairSaysWhatToDo(t *testing.T) {
	o := opening(t, testConfig(t))
	defer o.close()
	acc, _, err := o.core.CreateAccount(t.Context(), holdfast.Actor{}, "alice@example.org", "")
	must(t, err)
	if got := o.keeper.called(acc.ID.String()); got != "alice@example.org" {
		t.Errorf("the account is called %q", got)
	}
	for _, id := range []string{"", holdfast.NewID(nil).String()} {
		if got := o.keeper.called(id); got != id {
			t.Errorf("nobody is called %q", got)
		}
	}
	var out bytes.Buffer
	a := &app{stdout: &out}
	a.showRepaired(&control.VaultRepairReport{Vault: "local", Left: 1, Findings: []string{"alice@example.org: change 4: missing"}}, "")
	for _, want := range []string{"LEFT: alice@example.org", "holdfast vault repair local --from OTHER", "holdfast scrub", "holdfast salvage EMAIL --from FILE"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, &out)
		}
	}
	out.Reset()
	if a.showRepaired(&control.VaultRepairReport{Vault: "local"}, ""); strings.Contains(out.String(), "salvage") {
		t.Errorf("where nothing is left it says:\n%s", &out)
	}
}
