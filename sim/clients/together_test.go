package clients

import (
	"bytes"
	"sync"
	"testing"
)

// TestBothAtOnce lets two devices sync at the same moment, with edits of the same contacts among others: whatever order the server sees, no edit of one may be
// overwritten unseen by the other's.
func TestBothAtOnce(t *testing.T) {
	thorough(t)
	need(t, "vdirsyncer")
	const size, rounds = 60, 4
	h, m := newHouse(t), model{}
	one, two := h.newSyncer("Laptop"), h.newSyncer("Workstation")
	m.fill(one, 0, size)
	one.sync()
	two.sync()
	for round := 1; round <= rounds; round++ {
		for n := range size {
			switch n % 6 {
			case 0:
				m.put(one, n, 2*round)
			case 1:
				m.put(two, n, 2*round+1)
			case 2: // both
				one.write(n, card(n, 2*round))
				two.write(n, card(n, 2*round+1))
			}
		}
		var said [2]string
		var all sync.WaitGroup
		for i, s := range []*syncer{one, two} {
			all.Go(func() { said[i], _ = s.try("sync", "contacts") }) // who comes second is refused, and says so
		}
		all.Wait()
		for n := range size {
			if n%6 == 2 && bytes.Equal(one.read(n), two.read(n)) {
				t.Fatalf("round %d: contact %d was edited on both devices, and one edit is gone:\n%s\n%s", round, n, tail(said[0]), tail(said[1]))
			}
		}
		// Now the second gives way, and afterwards all agree.
		two.configure(h.url()+"/", `conflict_resolution = "b wins"`)
		one.configure(h.url()+"/", `conflict_resolution = "a wins"`)
		one.sync()
		two.sync()
		one.sync()
		for n := range size {
			if n%6 == 2 {
				m[n] = card(n, 2*round)
			}
		}
		m.everywhere(t, h, one, two)
		one.configure(h.url() + "/")
		two.configure(h.url() + "/")
	}
}

// TestClientIsKilled kills vdirsyncer in the middle of its first sync: it has forgotten what it sent, and the next one doubles nothing.
func TestClientIsKilled(t *testing.T) {
	thorough(t)
	need(t, "vdirsyncer")
	h, m := newHouse(t), model{}
	p := newProxy(t, h.url())
	one, two := h.newSyncerAt(p.url, "Laptop"), h.newSyncer("Workstation")
	m.fill(one, 0, 200)
	c := tool{dir: one.dir}.command(t.Context(), "vdirsyncer", "-c", one.config(), "sync", "contacts")
	p.atEdit(80, func() { c.Process.Kill() })
	if err := c.Run(); err == nil {
		t.Fatal("vdirsyncer ended before it was killed")
	}
	if n := len(h.export()); n < 79 || n > 80 {
		t.Fatalf("vdirsyncer was killed at contact 80, and %d are there", n)
	}
	one.sync()
	two.sync()
	m.everywhere(t, h, one, two)
}
