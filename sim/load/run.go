package load

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds end a run. Zero fields do not.
type Bounds struct {
	Count int64
	For   time.Duration
}

// Result is what a run did.
type Result struct {
	Done    int64 // acknowledged
	Elapsed time.Duration
	Latency Histogram     // of answers, good and bad
	Refused map[int]int64 // by status
	Errors  []error       // at most one of each worker, which stopped with it
}

// PerSecond returns acknowledged changes for each second.
func (r *Result) PerSecond() float64 { return float64(r.Done) / r.Elapsed.Seconds() }

// Run lets every writer make changes, each on a goroutine of its own, until the bounds or ctx end it. Running requests are waited for.
func Run(ctx context.Context, writers []*Writer, b Bounds) Result {
	steps := make([]func() (int, error), len(writers))
	for i, w := range writers {
		steps[i] = w.Step
	}
	return Drive(ctx, steps, b)
}

// Drive is Run for any kind of step: it returns the status of its answer.
func Drive(ctx context.Context, steps []func() (int, error), b Bounds) Result {
	if b.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, b.For)
		defer cancel()
	}
	d := &drive{left: b.Count, bounded: b.Count > 0}
	stop := context.AfterFunc(ctx, func() { d.stop.Store(true) })
	defer stop()
	results := make([]Result, len(steps))
	var wg sync.WaitGroup
	start := time.Now()
	for i, step := range steps {
		wg.Go(func() { d.work(step, &results[i]) })
	}
	wg.Wait()
	return merge(results, time.Since(start))
}

type drive struct {
	stop    atomic.Bool
	bounded bool
	left    int64
}

func (d *drive) work(step func() (int, error), r *Result) {
	last := time.Now()
	for !d.stop.Load() {
		if d.bounded && atomic.AddInt64(&d.left, -1) < 0 {
			return
		}
		status, err := step()
		if err != nil {
			r.Errors = append(r.Errors, err)
			return
		}
		now := time.Now()
		r.Latency.Add(now.Sub(last))
		last = now
		if status < 300 {
			r.Done++
			continue
		}
		if r.Refused == nil {
			r.Refused = map[int]int64{}
		}
		r.Refused[status]++
	}
}

func merge(results []Result, elapsed time.Duration) Result {
	all := Result{Elapsed: elapsed, Refused: map[int]int64{}}
	for i := range results {
		r := &results[i]
		all.Done += r.Done
		all.Latency.Merge(&r.Latency)
		all.Errors = append(all.Errors, r.Errors...)
		for status, n := range r.Refused {
			all.Refused[status] += n
		}
	}
	return all
}
