package load

import (
	"math/bits"
	"time"
)

// sub is how many buckets each power of two is cut into: an error below 1.6 %.
const sub = 64

// Histogram counts durations from 1 ns to an hour. Its zero value is empty.
type Histogram struct {
	buckets [42 * sub]uint32
	n       int64
	sum     time.Duration
	max     time.Duration
}

func bucket(d time.Duration) int {
	v := uint64(max(d, 0))
	if v < sub {
		return int(v)
	}
	e := bits.Len64(v) - 7 // sub is 1<<6
	return min((e+1)*sub+int(v>>e)-sub, len(Histogram{}.buckets)-1)
}

// middle returns the middle of a bucket.
func middle(i int) time.Duration {
	if i < sub {
		return time.Duration(i)
	}
	e := i/sub - 1
	return time.Duration(uint64(i%sub+sub)<<e + 1<<e>>1)
}

// Add counts one duration.
func (h *Histogram) Add(d time.Duration) {
	h.buckets[bucket(d)]++
	h.n++
	h.sum += d
	h.max = max(h.max, d)
}

// Merge adds what o counted.
func (h *Histogram) Merge(o *Histogram) {
	for i, n := range o.buckets {
		h.buckets[i] += n
	}
	h.n += o.n
	h.sum += o.sum
	h.max = max(h.max, o.max)
}

// Count returns how many durations were added.
func (h *Histogram) Count() int64 { return h.n }

// Max returns the longest.
func (h *Histogram) Max() time.Duration { return h.max }

// Quantile returns the duration that the share q of all do not exceed; 0 if there is none.
func (h *Histogram) Quantile(q float64) time.Duration {
	want := int64(q*float64(h.n) + 0.5)
	for i, n := range h.buckets {
		if want -= int64(n); want <= 0 && n > 0 {
			return min(middle(i), h.max)
		}
	}
	return h.max
}
