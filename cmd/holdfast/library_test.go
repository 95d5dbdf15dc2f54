package main

import (
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/drill"
)

// TestWhichDrillsCount for an account's photos: those that tried it and passed, and none from before a failure, or of a vault of that name that was there before.
func TestWhichDrillsCount(t *testing.T) {
	account, other := holdfast.ID{1}, holdfast.ID{2}
	hash := holdfast.Hash{7: 5} // in part 1 of 2
	now := time.Unix(2e9, 0)
	whole := func(ago time.Duration, fn func(*drill.Result)) drill.Result {
		r := drill.Result{ID: "x", Vault: "attic", Result: drill.Pass, Started: now.Add(-ago), Ended: now.Add(-ago), Batch: 7, Sample: drill.Sample{Whole: true}, Blobs: drill.Blobs{Parts: 1}}
		if fn != nil {
			fn(&r)
		}
		return r
	}
	hour := func(fn func(*drill.Result)) []drill.Result { return []drill.Result{whole(time.Hour, fn)} }
	for what, x := range map[string]struct {
		results []drill.Result
		covered int // of the checks
		failed  bool
	}{
		"passed":                 {hour(nil), 1, false},
		"of another vault":       {hour(func(r *drill.Result) { r.Vault = "cellar" }), 0, false},
		"of one that is gone":    {[]drill.Result{whole(100*time.Hour, nil)}, 0, false},
		"of a sample without it": {hour(func(r *drill.Result) { r.Sample.Whole = false }), 0, false},
		"of a sample with it":    {hour(func(r *drill.Result) { r.Sample.Whole, r.ID = false, "proof" }), 1, false},
		"asked for":              {hour(func(r *drill.Result) { r.Sample.Whole, r.Account = false, account.String() }), 1, false},
		"asked for by another":   {hour(func(r *drill.Result) { r.Sample.Whole, r.Account = false, other.String() }), 0, false},
		"inconclusive":           {hour(func(r *drill.Result) { r.Result = drill.Inconclusive }), 0, false},
		"its part":               {hour(func(r *drill.Result) { r.Blobs = drill.Blobs{Parts: 2, Part: 1} }), 1, false},
		"another part":           {hour(func(r *drill.Result) { r.Blobs = drill.Blobs{Parts: 2} }), 0, false},
		"files were not read":    {hour(func(r *drill.Result) { r.Blobs = drill.Blobs{} }), 0, false},
		"failed":                 {hour(func(r *drill.Result) { r.Result = drill.Fail }), 0, true},
		"failed, for another": {hour(func(r *drill.Result) {
			r.Result, r.Sample.Whole = drill.Fail, false
			r.Digests.Different = []string{other.String()}
		}), 0, false},
		"failed, for it": {hour(func(r *drill.Result) {
			r.Result, r.Sample.Whole = drill.Fail, false
			r.Digests.Different = []string{account.String()}
		}), 0, true},
		"failed, and passed since": {append(hour(nil), whole(2*time.Hour, func(r *drill.Result) { r.Result = drill.Fail })), 1, false},
		"passed, and failed since": {append(hour(func(r *drill.Result) { r.Result = drill.Fail }), whole(2*time.Hour, nil)), 1, true},
	} {
		checks, failed := drilled(x.results, "attic", now.Add(-50*time.Hour), account, "proof")
		covered := 0
		for _, c := range checks {
			if c.Covers(hash) && c.Batch == 7 {
				covered++
			}
		}
		if covered != x.covered || failed != x.failed {
			t.Errorf("%s: %d checks cover it, failed %v", what, covered, failed)
		}
	}
}
