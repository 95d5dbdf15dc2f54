package fleet

import (
	"sync"
	"time"
)

// Acked is an acknowledgement as it was received.
type Acked struct {
	ETag string    `json:"etag"`
	Seq  uint64    `json:"seq,omitempty"`
	Time time.Time `json:"time"`
}

// Finding is one thing that should not be, or that is to be known.
type Finding struct {
	Time    time.Time `json:"time"`
	Account string    `json:"account"`
	Device  string    `json:"device"` // or "server"
	Kind    Kind      `json:"kind,omitempty"`
	Href    string    `json:"href"`
	Because string    `json:"because"`
	Receipt *Acked    `json:"receipt,omitempty"` // of what is missing
}

// maxFindings bounds how many findings of a sort are kept; all are counted.
const maxFindings = 100

// list counts findings and keeps the first.
type list struct {
	n    int64
	kept []Finding
}

func (l *list) add(f Finding) {
	l.n++
	if len(l.kept) < maxFindings {
		l.kept = append(l.kept, f)
	}
}

// findings are those of a run.
type findings struct {
	mu                                 sync.Mutex
	drops, overwrites, lost, kept, odd list
}

func (f *findings) dropped(x Finding)     { f.to(&f.drops, x) }
func (f *findings) overwritten(x Finding) { f.to(&f.overwrites, x) }

func (f *findings) to(l *list, x Finding) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l.add(x)
}
