package vault

import (
	"context"
	"slices"
	"sync"

	"holdfast"
)

// Watch keeps apart who puts a blob, or asks for one, and who removes an object that no change names: of one blob only one of them is at work, and what was asked for since it was watched is not removed.
// All [Vault]s that a process opens over one vault have the same one. The zero value is ready; nil watches nothing, and then nothing may be removed. Its methods may be called from many goroutines.
type Watch struct {
	mu   sync.Mutex
	on   map[holdfast.Hash]*watched // by the MAC in their names
	lost map[holdfast.Hash]uint64   // the newest version of which it is not known whether its removal is still to come
	list listed                     // what lists name, for good
}

// watched are the objects of one blob.
type watched struct {
	names   []string      // of those that are watched
	touched bool          // somebody put it, or asked for it
	going   chan struct{} // closed once its removal has ended; nil: nobody removes it
}

// On watches the blobs of some objects from now on, and no others. It returns those that were put or asked for since they were watched, which is forgotten: whoever condemns them counts anew.
func (w *Watch) On(names []string) (touched map[string]bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	was := w.on
	touched = map[string]bool{}
	w.on = make(map[holdfast.Hash]*watched, len(names))
	for _, name := range names {
		if mac, ok := macOf(name); ok {
			x := w.on[mac]
			if x == nil {
				x = &watched{}
				if old := was[mac]; old != nil {
					x.going = old.going
				}
				w.on[mac] = x
			}
			x.names = append(x.names, name)
			if old := was[mac]; old != nil && old.touched {
				touched[name] = true
			}
		}
	}
	return touched
}

// has tells whether an object is watched.
func (w *Watch) has(name string) bool {
	mac, ok := macOf(name)
	if w == nil || !ok {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	x := w.on[mac]
	return x != nil && slices.Contains(x.names, name)
}

// Doubt says that the removal of an object may still be to come, as a request that nobody heard the end of: what is put of its blob gets a later version, and that object counts for nothing.
func (w *Watch) Doubt(name string) {
	mac, ok := macOf(name)
	if !ok {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lost == nil {
		w.lost = map[holdfast.Hash]uint64{}
	}
	w.lost[mac] = max(w.lost[mac], ParseName(name).Version)
}

// heed says that some objects are on lists: the place lets go of them when it sees fit. It is as with a doubt, for good.
func (w *Watch) heed(l listed) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.list == nil {
		w.list = listed{}
	}
	for mac, versions := range l {
		for _, n := range versions {
			if !slices.Contains(w.list[mac], n) {
				w.list[mac] = append(w.list[mac], n)
			}
		}
	}
}

// Settle takes a doubt back; one about a later version stays.
func (w *Watch) Settle(name string) {
	mac, _ := macOf(name)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lost[mac] <= ParseName(name).Version {
		delete(w.lost, mac)
	}
}

// touch notes that somebody puts a blob or asks for it, once nobody removes anything of it any more, and returns the newest version that counts for nothing.
func (w *Watch) touch(ctx context.Context, mac holdfast.Hash) (lost uint64, err error) {
	if w == nil {
		return 0, nil
	}
	for {
		w.mu.Lock()
		x := w.on[mac]
		if x == nil || x.going == nil {
			if x != nil {
				x.touched = true
			}
			lost = max(w.lost[mac], w.list.newest(mac))
			w.mu.Unlock()
			return lost, nil
		}
		going := x.going
		w.mu.Unlock()
		select {
		case <-going:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

// begin has whoever wants an object's blob wait until end; false: it was asked for since it is watched, or is not watched, or is on its way already, and nothing of it is removed.
func (w *Watch) begin(name string) bool {
	mac, ok := macOf(name)
	w.mu.Lock()
	defer w.mu.Unlock()
	x := w.on[mac]
	if !ok || x == nil || x.touched || x.going != nil {
		return false
	}
	x.going = make(chan struct{})
	return true
}

func (w *Watch) end(name string) {
	mac, _ := macOf(name)
	w.mu.Lock()
	defer w.mu.Unlock()
	if x := w.on[mac]; x != nil && x.going != nil {
		close(x.going)
		x.going = nil
	}
}

// macOf returns the MAC in the name of a blob's object.
func macOf(name string) (holdfast.Hash, bool) {
	if _, ok := parseBlobName(name); !ok {
		return holdfast.Hash{}, false
	}
	mac, err := holdfast.ParseHash(name[len(dirBlobs)+3 : len(dirBlobs)+3+64])
	return mac, err == nil
}
