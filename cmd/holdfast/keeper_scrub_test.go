package main

import (
	"testing"
	"time"
)

// TestNothingIsReadAtTheStart: a server that has just started reads no vault for some minutes, unless it is told to read them more often than that.
func TestNothingIsReadAtTheStart(t *testing.T) {
	for _, x := range []struct {
		since, every time.Duration
		due          bool
	}{{firstAsk, 168 * time.Hour, false}, {firstRead, 168 * time.Hour, true}, {time.Hour, 168 * time.Hour, true}, {firstAsk, firstAsk, true}, {time.Second, time.Second, true}} {
		if got := readDue(x.since, x.every); got != x.due {
			t.Errorf("%v after a start, of a vault that is read each %v: %v", x.since, x.every, got)
		}
	}
}
