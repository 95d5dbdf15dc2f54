package fleet

import (
	"maps"
	"slices"
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
	alone                              map[string]*Alone
}

func (f *findings) dropped(x Finding)     { f.to(&f.drops, x) }
func (f *findings) overwritten(x Finding) { f.to(&f.overwrites, x) }

func (f *findings) to(l *list, x Finding) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l.add(x)
}

// Alone is what one device holds and the server has not. What was acknowledged once or came from the server no client sends again by itself: it has to be exported there. What waits
// is an edit or a new item that the client sends as soon as it may.
type Alone struct {
	Account string   `json:"account"`
	Device  string   `json:"device"`
	Kind    Kind     `json:"kind"`
	Items   int      `json:"items"`   // all of them
	Waiting int      `json:"waiting"` // of these, what the client will upload by itself
	Hrefs   []string `json:"hrefs"`   // the first 100
}

// onlyOn counts an item that one device alone holds.
func (f *findings) onlyOn(p *Person, d *Device, it *Item) {
	f.mu.Lock()
	defer f.mu.Unlock()
	a := f.alone[d.Name]
	if a == nil {
		a = &Alone{Account: p.Login, Device: d.Name, Kind: d.Kind}
		if f.alone == nil {
			f.alone = map[string]*Alone{}
		}
		f.alone[d.Name] = a
	}
	a.Items++
	if it.Dirty {
		a.Waiting++
	}
	if len(a.Hrefs) < maxFindings {
		a.Hrefs = append(a.Hrefs, it.Href)
	}
}

// onlyHere lists them. Under the lock.
func (f *findings) onlyHere() []Alone {
	out := []Alone{}
	for _, name := range slices.Sorted(maps.Keys(f.alone)) {
		out = append(out, *f.alone[name])
	}
	return out
}
