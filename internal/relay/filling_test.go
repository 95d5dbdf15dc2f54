package relay

import (
	"testing"

	"holdfast"
)

// TestWhileOneVaultIsFilledTheOthersAreNeeded adds a vault to a policy: until it is whole it counts for nothing, and takes nothing away from what the others promise.
func TestWhileOneVaultIsFilledTheOthersAreNeeded(t *testing.T) {
	g := newRig(t, "engine+local", false, "local")
	g.put(g.a, "1")
	g.stop()
	g.places["attic"] = g.create("attic")
	g.places["attic"].slow.Store(int64(1e9))
	fine(t, g.run("engine+local+attic", false))
	g.until("filling", func() bool { return g.r.workers["local"].look().up && g.r.workers["attic"].look().state == Filling })
	if copies, policy, err := g.wait(g.put(g.a, "2")); err != nil || copies != "engine local" || policy != "engine+local" {
		t.Fatalf("%q under %q: %v", copies, policy, err)
	}
	g.places["local"].down.Store(true)
	if copies, policy, err := g.wait(g.put(g.a, "3")); !holdfast.IsKind(err, holdfast.Unavailable) {
		t.Fatalf("acknowledged without the vault that was promised: %q under %q: %v", copies, policy, err)
	}
	if g.r.Met() {
		t.Fatal("the policy is said to be met")
	}
}

// TestAFullVaultIsNotBeingFilled: a new vault that takes nothing does not turn a strict policy into none.
func TestAFullVaultIsNotBeingFilled(t *testing.T) {
	g := newRig(t, "engine", false)
	g.places["local"] = g.create("local")
	g.places["local"].full.Store(true)
	g.stop()
	fine(t, g.run("engine+local", false))
	g.until("full", func() bool { return g.r.workers["local"].look().state == Full })
	for range 20 { // it is opened again and again
		if copies, policy, err := g.wait(g.put(g.a, "1")); err == nil {
			t.Fatalf("acknowledged by %q under %q", copies, policy)
		}
	}
	g.places["local"].full.Store(false)
	g.until("whole", g.r.Met)
}

func TestAPolicyWithout(t *testing.T) {
	for _, x := range []struct{ policy, out, want string }{
		{"engine+local", "local", "engine"}, {"engine+local+attic", "attic", "engine+local"}, {"engine+2of(a,b,c)", "c", "engine+2of(a,b)"}, {"engine+2of(a,b)", "a", "engine+b"},
		{"engine+1of(a,b)+c", "b", "engine+a+c"}, {"engine", "a", "engine"},
	} {
		p, err := ParsePolicy(x.policy)
		fine(t, err)
		if got := p.without(map[string]bool{x.out: true}); got.String() != x.want || p.String() != x.policy {
			t.Errorf("%s without %s: %s", x.policy, x.out, got)
		}
	}
}
