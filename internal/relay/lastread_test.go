package relay

import (
	"testing"
	"time"
)

// TestLastReadIsSeenNotBelieved: a vault that nothing is written to is seen to be there all the same, again and again; from when it lies that time stands still, and it does not count.
func TestLastReadIsSeenNotBelieved(t *testing.T) {
	g := newRig(t, "engine+local", false, "local")
	g.stop()
	p, o := g.tellsLies("local", 400*time.Millisecond)
	fine(t, g.runWith(o))
	g.until("whole", g.r.Met)
	if _, _, err := g.wait(g.put(g.a, "1")); err != nil {
		t.Fatal(err)
	}
	first := g.r.Status().Vaults[0]
	g.until("seen again", func() bool {
		v := g.r.Status().Vaults[0]
		return v.Counts && v.LastRead.After(first.LastRead) && v.LastShip.Equal(*first.LastShip)
	})
	p.lies.Store(true)
	g.put(g.a, "2")
	g.until("damaged", func() bool { return g.r.workers["local"].look().state == Damaged })
	if v := g.r.Status().Vaults[0]; v.Counts {
		t.Errorf("it counts: %+v", v)
	}
}
