package fleet

import (
	"context"
	"sync/atomic"
)

// seen is what may be asked about a device while it lives.
type seen struct {
	holds   atomic.Int64 // items in its store, after its last sync
	emptied atomic.Int64 // address books and calendars that lost all they held though nobody had deleted that
	undue   atomic.Int64
	last    atomic.Value // string: why its last sync failed; empty: it did not
}

// watch looks at the store before and after a device asks its server.
func (d *Device) watch(err *error) func() {
	undue, full := d.undue, map[string]bool{}
	for _, c := range d.cols {
		full[c.Href] = len(c.Items) > 0
	}
	return func() {
		n := 0
		for _, c := range d.cols {
			n += len(c.Items)
			if len(c.Items) > 0 {
				full[c.Href] = false
			}
		}
		for _, lost := range full {
			if lost && d.undue > undue {
				d.seen.emptied.Add(1)
			}
		}
		d.seen.holds.Store(int64(n))
		d.seen.undue.Store(int64(d.undue))
		text := ""
		if *err != nil {
			text = (*err).Error()
		}
		d.seen.last.Store(text)
	}
}

// Phone is a device as others see it. Which of its edits wait is known only while nobody lives.
type Phone struct {
	Name    string `json:"name"`
	Login   string `json:"account"`
	Kind    Kind   `json:"kind"`
	Holds   int64  `json:"holds"`   // items
	Emptied int64  `json:"emptied"` // its address books and calendars that lost all they held though nobody had deleted that
	Deleted int64  `json:"deleted"` // items that it dropped though nobody had deleted them
	Failed  string `json:"failed"`  // why its last sync failed; empty: it did not
}

// Phones tells what each device holds. It may be asked at any time.
func (f *Fleet) Phones() []Phone {
	list := make([]Phone, len(f.devices))
	for i, l := range f.devices {
		list[i] = Phone{Name: l.Name, Login: l.person.Login, Kind: l.Kind, Holds: l.seen.holds.Load(), Emptied: l.seen.emptied.Load(), Deleted: l.seen.undue.Load()}
		list[i].Failed, _ = l.seen.last.Load().(string)
	}
	return list
}

// ResetPhone is the i-th of [Fleet.Phones] taken back to how it came out of its box. It returns how many items it held, and how many edits and deletions went with it that no server had
// acknowledged. Nobody may live meanwhile.
func (f *Fleet) ResetPhone(i int) (held, unsent int) {
	l := f.devices[i]
	for _, c := range l.cols {
		held += len(c.Items)
		for _, it := range c.Items {
			if it.Dirty || it.Deleted {
				unsent++
			}
		}
	}
	l.Reset()
	return held, unsent
}

// SyncPhone lets the i-th phone sync once. Nobody may live meanwhile.
func (f *Fleet) SyncPhone(ctx context.Context, i int) error {
	_, err := f.devices[i].Sync(ctx)
	return err
}

// Holding tells which hrefs a phone holds, with their octets. Nobody may live meanwhile.
func (f *Fleet) Holding(i int) map[string]string {
	out := map[string]string{}
	for _, c := range f.devices[i].cols {
		for href, it := range c.Items {
			if !it.Deleted {
				out[href] = it.Body
			}
		}
	}
	return out
}

// Syncs tells whether the i-th device syncs what is of this kind.
func (f *Fleet) Syncs(i int, contacts bool) bool { return f.devices[i].habits.takes(contacts) }
