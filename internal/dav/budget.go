package dav

import (
	"sync/atomic"
	"time"

	"holdfast"
)

// budget is how many octets of something all requests together may hold.
type budget struct {
	most int64
	used atomic.Int64
}

// take asks for n octets more. Where they are too many it takes none and returns false.
func (b *budget) take(n int64) bool {
	if b.used.Add(n) <= b.most {
		return true
	}
	b.used.Add(-n)
	return false
}

// give gives octets back.
func (b *budget) give(n int64) { b.used.Add(-n) }

// soon is when to try again after a budget was used up: what it is used up by ends within a minute or two.
const soon = time.Minute

// crowded says that others hold too much by now. Nothing was changed, and the same request may be good a little later.
func crowded(op, text string) error {
	return &holdfast.Error{Op: op, Kind: holdfast.Unavailable, Retry: soon, Text: text}
}
