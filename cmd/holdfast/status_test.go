package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"holdfast/internal/retain"
)

// TestStatusSaysWhatHoldsUpPruning: status names the vault or the drill for which nothing goes, and since when, over rounds and restarts.
func TestStatusSaysWhatHoldsUpPruning(t *testing.T) {
	c := testConfig(t)
	o := opening(t, c)
	defer o.close()
	if got := o.keeper.retention(); got != nil {
		t.Fatalf("before the first round: %+v", got)
	}
	week := time.Date(2026, 11, 19, 8, 0, 0, 0, time.UTC)
	const drill = "the newest drill of the vault attic that its heads name did not pass, or there is none"
	last := retained{}.after(week, retain.Report{Held: []string{drill}})
	last = last.after(week.AddDate(0, 0, 7), retain.Report{Held: []string{drill, "the vault cellar is unreachable"}, Unproven: 2})
	must(t, writeState(c.Data, retainedName, last))
	var out bytes.Buffer
	a := &app{stdout: &out}
	a.showRetention(o.keeper.retention())
	for _, want := range []string{"held up since 2026-11-19 08:00: " + drill + " (looked at 2026-11-26 08:00)", "held up since 2026-11-26 08:00: the vault cellar", "2 accounts wait"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("status does not say %q:\n%s", want, &out)
		}
	}
	last = last.after(week.AddDate(0, 0, 14), retain.Report{Versions: 3})
	must(t, writeState(c.Data, retainedName, last))
	if r := o.keeper.retention(); len(r.Held) > 0 || r.Versions != 3 {
		t.Errorf("once nothing holds it up: %+v", r)
	}
	c.Vault.Engine = false
	if r := o.keeper.retention(); r != nil {
		t.Errorf("where nothing is to go: %+v", r)
	}
}
