package main

import (
	"testing"
	"time"

	"holdfast/internal/config"
	"holdfast/internal/drill"
)

// TestDrillDue: daily, sooner after one that did not pass, and at once where a clock was wrong, in whichever direction.
func TestDrillDue(t *testing.T) {
	now := time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)
	c := &config.Drill{Interval: 24 * time.Hour, Retry: time.Hour}
	for _, x := range []struct {
		what string
		ago  time.Duration
		res  drill.Outcome
		want bool
	}{
		{"passed just now", time.Minute, drill.Pass, false},
		{"passed yesterday", 25 * time.Hour, drill.Pass, true},
		{"failed just now", 10 * time.Minute, drill.Fail, false},
		{"failed a while ago", 2 * time.Hour, drill.Fail, true},
		{"inconclusive a while ago", 2 * time.Hour, drill.Inconclusive, true},
		{"passed in ten years", -87600 * time.Hour, drill.Pass, true},
		{"passed ten years ago", 87600 * time.Hour, drill.Pass, true},
		{"failed in ten years", -87600 * time.Hour, drill.Fail, true},
	} {
		last := drill.Result{Started: now.Add(-x.ago), Ended: now.Add(-x.ago + time.Second), Result: x.res}
		if got := drillDue(c, last, now); got != x.want {
			t.Errorf("%s: due: %v", x.what, got)
		}
	}
}
