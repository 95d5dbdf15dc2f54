package clock

import (
	"testing"
	"time"
)

// TestWords: people are told lengths of time as they would say them.
func TestWords(t *testing.T) {
	for d, want := range map[time.Duration]string{
		8760 * time.Hour: "365 days", 720 * time.Hour: "30 days", 48 * time.Hour: "2 days", 36 * time.Hour: "36 hours", time.Hour: "1 hour", 90 * time.Minute: "90 minutes",
		time.Minute: "1 minute", 90 * time.Second: "90 seconds", time.Second: "1 second", 100 * time.Millisecond: "0.1 seconds", 0: "0 seconds", -time.Hour: "-1 hour",
		12*24*time.Hour + 7*time.Hour + 11*time.Second: "12 days"} {
		if got := Words(d); got != want {
			t.Errorf("%v is said as %q, want %q", d, got, want)
		}
	}
}
