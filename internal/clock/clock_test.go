package clock

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func TestFakeFiresInOrder(t *testing.T) {
	f := NewFake(start)
	var log []string
	note := func(name string) func() {
		return func() { log = append(log, fmt.Sprintf("%s@%v", name, f.Now().Sub(start))) }
	}
	f.AfterFunc(3*time.Second, note("c"))
	f.AfterFunc(time.Second, note("a"))
	f.AfterFunc(time.Second, note("b"))
	f.AfterFunc(2*time.Second, func() {
		note("chain")()
		f.AfterFunc(time.Second/2, note("new"))
	})
	f.AfterFunc(time.Hour, note("never"))
	stopped := f.AfterFunc(time.Second, note("stopped"))
	if !stopped.Stop() || stopped.Stop() {
		t.Error("Stop must report true once")
	}
	f.Advance(3 * time.Second)
	want := []string{"a@1s", "b@1s", "chain@2s", "new@2.5s", "c@3s"}
	if !slices.Equal(log, want) {
		t.Errorf("got %v, want %v", log, want)
	}
	if got := f.Now().Sub(start); got != 3*time.Second {
		t.Errorf("the clock shows +%v", got)
	}
	if f.Pending() != 1 {
		t.Errorf("%d pending, want 1", f.Pending())
	}
}

func TestFakeSetMovesNoTimer(t *testing.T) {
	f := NewFake(start)
	tm := f.NewTimer(time.Minute)
	f.Set(start.Add(240 * time.Hour))
	if received(tm.C()) {
		t.Fatal("a jump of the wall clock fired a timer")
	}
	f.Set(start.Add(-time.Hour))
	f.Advance(time.Minute)
	if !received(tm.C()) {
		t.Fatal("a minute passed and the timer did not fire")
	}
	if got := f.Now().Sub(start); got != -59*time.Minute {
		t.Errorf("the clock shows %v", got)
	}
}

func TestFakeTimerStopAndReset(t *testing.T) {
	f := NewFake(start)
	tm := f.NewTimer(time.Second)
	f.Advance(time.Second)
	if !tm.Reset(time.Second) {
		t.Error("the value was not received: Reset must report true")
	}
	if received(tm.C()) {
		t.Error("an old value after Reset")
	}
	f.Advance(time.Second)
	if !received(tm.C()) || tm.Stop() {
		t.Error("after the event was received there is nothing to stop")
	}
	if !received(f.NewTimer(0).C()) {
		t.Error("a timer of no duration fires at once")
	}
}

func TestFakeTicker(t *testing.T) {
	f := NewFake(start)
	tk := f.NewTicker(10 * time.Second)
	f.Advance(25 * time.Second)
	if got := (<-tk.C()).Sub(start); got != 10*time.Second || received(tk.C()) {
		t.Errorf("tick of +%v; the second must be dropped", got)
	}
	f.Advance(5 * time.Second)
	if got := (<-tk.C()).Sub(start); got != 30*time.Second {
		t.Errorf("tick of +%v, want 30s", got)
	}
	tk.Reset(time.Second)
	f.Advance(time.Second)
	if !received(tk.C()) {
		t.Error("no tick after Reset")
	}
	tk.Stop()
	f.Advance(time.Hour)
	if received(tk.C()) {
		t.Error("a tick after Stop")
	}
}

func TestSleep(t *testing.T) {
	f := NewFake(start)
	done := make(chan error)
	go func() { done <- Sleep(t.Context(), f, time.Second) }()
	f.BlockUntil(1)
	f.Advance(time.Second)
	if err := <-done; err != nil {
		t.Error(err)
	}
	why := errors.New("why")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if err := Sleep(ctx, f, time.Second); !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
	if f.Pending() != 0 {
		t.Error("Sleep left its timer behind")
	}
}

func TestSystem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t0 := System.Now()
		<-System.NewTimer(time.Second).C()
		tk := System.NewTicker(time.Minute)
		<-tk.C()
		tk.Stop()
		ran := make(chan bool)
		System.AfterFunc(time.Hour, func() { close(ran) })
		<-ran
		if got := System.Now().Sub(t0); got != time.Hour+time.Minute+time.Second {
			t.Errorf("%v passed", got)
		}
	})
}

func received(ch <-chan time.Time) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}
