package main

import (
	"testing"
	"time"
)

func TestWhenADiskIsFull(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	const day = 24 * time.Hour
	line := func(n int, every time.Duration, free func(i int) int64) (list []spaceSample) {
		for i := range n {
			list = append(list, spaceSample{now.Add(-time.Duration(n-i) * every), free(i)})
		}
		return list
	}
	for _, x := range []struct {
		name string
		list []spaceSample
		free int64
		want time.Duration
	}{
		{"a day each tenth", line(5, day, func(i int) int64 { return int64(1500 - 100*i) }), 1000, 10 * day},
		{"with noise", line(100, time.Hour, func(i int) int64 { return int64(2000 - 10*i + []int{300, -300}[i%2]) }), 1000, 100 * time.Hour},
		{"it grows emptier", line(5, day, func(i int) int64 { return int64(500 + 100*i) }), 1000, 0},
		{"it stays", line(5, day, func(int) int64 { return 1000 }), 1000, 0},
		{"too short to say", line(20, time.Hour, func(i int) int64 { return int64(3000 - 100*i) }), 1000, 0},
		{"one", line(1, 2*day, func(int) int64 { return 3000 }), 1000, day},
		{"none", nil, 1000, 0},
		{"all at once", []spaceSample{{now, 1000}}, 1000, 0},
	} {
		got := fullIn(x.list, spaceSample{now, x.free}, day)
		if diff := got - x.want; diff > x.want/10 || -diff > x.want/10 {
			t.Errorf("%s: full in %v, want %v", x.name, got, x.want)
		}
	}
}

func TestDrillConditions(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	for _, x := range []struct {
		d    drillState
		want string
	}{
		{drillState{}, ""},
		{drillState{Passed: now, Ended: now, Result: "pass", Overdue: now.Add(time.Hour)}, ""},
		{drillState{Vault: "a", Ended: now, Result: "fail"}, "drill.a critical"},
		{drillState{Vault: "a", Ended: now, Result: "inconclusive", Overdue: now.Add(-time.Hour)}, "undrilled.a warning"},
		{drillState{Vault: "a", Ended: now, Result: "fail", Overdue: now}, "drill.a critical, undrilled.a warning"},
	} {
		if got := keysOf(drillConditions(x.d, now)); got != x.want {
			t.Errorf("%+v: %q, want %q", x.d, got, x.want)
		}
	}
}
