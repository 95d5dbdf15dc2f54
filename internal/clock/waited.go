package clock

import "time"

// Waited is time that passed, counted so that no clock that jumps can make a
// wait end early, and none that is put back can make it last for ever. It is
// kept between runs of a process.
type Waited struct {
	Total time.Duration `json:"total_ns"`
	Last  time.Time     `json:"last"` // when it was counted last
}

// maxWait is the most that counts from one look at the clock to the next: what
// a process that did not run may have missed.
const maxWait = 24 * time.Hour

// Count brings it up to a moment, and returns what has been waited in all. Time
// that went back counts for nothing, and more than a day at once for a day.
func (w *Waited) Count(now time.Time) time.Duration {
	if !w.Last.IsZero() {
		w.Total += min(max(0, now.Sub(w.Last)), maxWait)
	}
	w.Last = now.UTC()
	return w.Total
}
