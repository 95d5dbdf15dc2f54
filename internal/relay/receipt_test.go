package relay

import (
	"testing"
	"time"
)

// TestAReceiptSaysWhatWasMet acknowledges changes by the engine alone, and asks again for one of them while the vault that comes back catches up: until it has the change no receipt says that it does.
func TestAReceiptSaysWhatWasMet(t *testing.T) {
	g := newRig(t, "engine+local", true, "local")
	g.places["local"].down.Store(true)
	g.put(g.a, "1")
	g.until("alone", func() bool { return g.r.Acked() == g.engine.Position().Batch })
	r := g.put(g.a, "2")
	g.r.recount() // as any change of any vault does
	g.places["local"].slow.Store(int64(300 * time.Millisecond))
	g.places["local"].down.Store(false)
	early := false
	g.until("caught up", func() bool {
		copies, policy, err := g.wait(r)
		if err != nil || (policy == "engine+local") != (copies == "engine local") {
			t.Fatalf("the receipt says %s, and is in %s: %v", policy, copies, err)
		}
		alone, _, _ := g.r.state()
		early = early || !alone && policy == "engine"
		return policy == "engine+local"
	})
	if !early {
		t.Error("nobody asked while the vault caught up")
	}
}
