package main

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"holdfast/internal/config"
	"holdfast/internal/drill"
	"holdfast/internal/vfs"
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
		{drillState{Passed: now, Overdue: now.Add(time.Hour)}, ""},
		{drillState{Vault: "a", Failed: now}, "drill.a critical"},
		{drillState{Vault: "a", Unsure: now, Failed: now}, "drill.a critical"},
		{drillState{Vault: "a", Unsure: now, Overdue: now.Add(time.Hour)}, "drill.a warning"},
		{drillState{Vault: "a", Overdue: now.Add(-time.Hour)}, "undrilled.a warning"},
		{drillState{Vault: "a", Failed: now, Overdue: now}, "drill.a critical, undrilled.a warning"},
	} {
		if got := keysOf(drillConditions(x.d, now)); got != x.want {
			t.Errorf("%+v: %q, want %q", x.d, got, x.want)
		}
	}
}

// TestAFailureLastsUntilAPass: drills that prove nothing do not end it, and they are told of themselves once there was more than one.
func TestAFailureLastsUntilAPass(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	c := &config.Drill{Interval: 24 * time.Hour, Retry: time.Hour}
	book, _, err := drill.OpenBook(filepath.Join(t.TempDir(), drillsName), 3, now)
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	for i, x := range []struct {
		res  drill.Outcome
		want string
	}{
		{drill.Pass, ""}, {drill.Inconclusive, ""}, {drill.Inconclusive, "drill.a warning"}, {drill.Fail, "drill.a critical"}, {drill.Inconclusive, "drill.a critical"},
		{drill.Inconclusive, "drill.a critical"}, {drill.Inconclusive, "drill.a critical"}, {drill.Inconclusive, "drill.a critical"}, {drill.Pass, ""}, {drill.Inconclusive, ""},
	} {
		now = now.Add(time.Hour)
		if _, err := book.End(&drill.Result{ID: fmt.Sprint("d", i), Started: now, Ended: now, Result: x.res, Vault: "a"}, nil); err != nil {
			t.Fatal(err)
		}
		stands, err := book.Standing("a", time.Time{}, now)
		if err != nil {
			t.Fatal(err)
		}
		if got := keysOf(drillConditions(drillStateOf(stands, "a", now, now, c), now)); got != x.want {
			t.Errorf("after drill %d, %s: %q, want %q", i, x.res, got, x.want)
		}
	}
}

// TestASilentDiskKeepsNobodyWaiting: a file system on a server that is gone answers nothing, for as long as it is gone. The others are looked at all the same.
func TestASilentDiskKeepsNobodyWaiting(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	s := readSpace(t.TempDir(), config.Notify{SpaceEvery: time.Hour, SpaceSpan: time.Hour})
	back := make(chan struct{})
	s.ask = func(path string) (vfs.Space, error) {
		if path == "/gone" {
			<-back
		}
		return vfs.Space{Free: 7, Volume: path}, nil
	}
	look := func() (disks, silent int) {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			a, b := s.look([]string{"/data", "/gone"}, now)
			disks, silent = len(a), len(b)
		}()
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			t.Fatal("whoever looks at the disks hangs")
		}
		return disks, silent
	}
	for range 3 {
		if disks, silent := look(); disks != 1 || silent != 1 {
			t.Errorf("%d disks, %d of them silent", disks, silent)
		}
	}
	close(back)
	for range 100 {
		if disks, silent := look(); disks == 2 && silent == 0 {
			return
		}
	}
	t.Error("it answers again, and is not looked at")
}

// TestASilentDiskIsTold once it has been silent for a while, and until it answers.
func TestASilentDiskIsTold(t *testing.T) {
	w, o := watching(t)
	w.c.Doctor.FreeWarn, w.c.Doctor.FreeFail, w.c.Vault.Late = 1, 1, time.Minute
	local := o.keeper.vaults().Find(firstVaultName).Location
	back := make(chan struct{})
	w.space.ask = func(path string) (vfs.Space, error) {
		if path == local {
			<-back
		}
		return vfs.Space{Free: 1 << 40, Volume: path}, nil
	}
	now := time.Now()
	for _, x := range []struct {
		after time.Duration
		want  string
	}{{0, ""}, {14 * time.Second, ""}, {15 * time.Second, "silent " + local + " warning"}, {time.Hour, "silent " + local + " warning"}} {
		got := w.disks(now.Add(x.after))
		if keysOf(got) != x.want || len(got) > 0 && (got[0].Title != "The disk of "+local+" does not answer" || !got[0].Since.Equal(now)) {
			t.Errorf("after %v: %+v, want %q", x.after, got, x.want)
		}
	}
	close(back)
	for until := time.Now().Add(patience); len(w.disks(now.Add(2*time.Hour))) > 0; {
		if time.Now().After(until) {
			t.Fatal("it answers, and is said to be silent")
		}
	}
}
