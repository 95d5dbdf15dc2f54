package fleet

import (
	"errors"
	"fmt"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"
)

// Stats counts what all devices of a run do. A nil Stats counts nothing.
type Stats struct {
	Syncs, Failed, Requests atomic.Int64
	answers                 [600]atomic.Int64 // by status; 0: none came
	requests, syncs         histogram
	mu                      sync.Mutex
	errors                  map[string]int64
}

// maxErrors bounds how many different errors are told apart.
const maxErrors = 50

func (s *Stats) request(status int, took time.Duration) {
	if s == nil {
		return
	}
	s.Requests.Add(1)
	s.requests.add(took)
	if status >= 0 && status < len(s.answers) {
		s.answers[status].Add(1)
	}
}

// sync counts the sync of one collection by one device.
func (s *Stats) sync(err error, took time.Duration) {
	if s == nil {
		return
	}
	s.Syncs.Add(1)
	s.syncs.add(took)
	if err == nil {
		return
	}
	s.Failed.Add(1)
	text := "no answer, or one that its client refuses"
	var e *statusError
	if errors.As(err, &e) {
		text = fmt.Sprintf("answered %d", e.status)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.errors == nil {
		s.errors = map[string]int64{}
	}
	if len(s.errors) < maxErrors {
		s.errors[text]++
	}
}

// histogram holds durations in buckets that are an eighth wide.
type histogram struct{ buckets [64 * 8]atomic.Int64 }

func bucketOf(d time.Duration) int {
	n := uint64(max(d, 1))
	top := bits.Len64(n) - 1
	if top < 3 {
		return int(n)
	}
	return top*8 + int(n>>(top-3)&7)
}

func (h *histogram) add(d time.Duration) { h.buckets[bucketOf(d)].Add(1) }

// quantile gives the middle of the bucket in which the quantile lies.
func (h *histogram) quantile(q float64) time.Duration {
	total := int64(0)
	for i := range h.buckets {
		total += h.buckets[i].Load()
	}
	want, seen := int64(q*float64(total)), int64(0)
	for i := range h.buckets {
		if seen += h.buckets[i].Load(); seen > want || total > 0 && seen == total {
			if i < 24 {
				return time.Duration(i)
			}
			low := uint64(8+i%8) << (i/8 - 3)
			return time.Duration(low + uint64(1)<<(i/8-3)/2)
		}
	}
	return 0
}
