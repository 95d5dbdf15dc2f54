package clock

import (
	"testing"
	"time"
)

func TestWaited(t *testing.T) {
	var w Waited
	at := start
	step := func(d, want time.Duration) {
		t.Helper()
		at = at.Add(d)
		if got := w.Count(at); got != want {
			t.Errorf("after %v: %v, want %v", d, got, want)
		}
	}
	const year = 365 * 24 * time.Hour
	step(0, 0)
	step(time.Hour, time.Hour)
	step(10*year, 25*time.Hour)   // a clock that is put ahead
	step(time.Hour, 26*time.Hour) // and goes on
	step(-20*year, 26*time.Hour)  // one that is put back
	step(time.Minute, 26*time.Hour+time.Minute)
}
