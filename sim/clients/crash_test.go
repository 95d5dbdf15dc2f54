package clients

import (
	"strings"
	"sync/atomic"
	"testing"
)

// TestServerIsKilled kills the server in the middle of a big sync in each direction, starts it again, and syncs again: nothing is lost, nothing doubled.
func TestServerIsKilled(t *testing.T) {
	thorough(t)
	need(t, "vdirsyncer")
	const size = 1000
	h, m := newHouse(t), model{}
	p := newProxy(t, h.url())
	one, two := h.newSyncerAt(p.url, "Laptop"), h.newSyncerAt(p.url, "Workstation")
	m.fill(one, 0, size)
	there := 0
	for _, at := range []int{size / 5, size / 4} {
		h.killedDuring(p, one, at)
		now := len(h.export())
		if made := now - there; made < at-1 || made > at {
			t.Fatalf("%d contacts were acknowledged, one more was on its way when the server was killed, and %d are there", at-1, made)
		}
		there = now
	}
	one.sync()
	m.everywhere(t, h, one)
	two.sync()
	m.everywhere(t, h, one, two)

	// Now with edits and deletions of the other device on their way.
	for n := range size / 2 {
		switch n % 4 {
		case 1:
			m.put(two, n, 1)
		case 3:
			m.remove(two, n)
		}
	}
	h.killedDuring(p, two, size/20)
	two.sync()
	one.sync()
	m.everywhere(t, h, one, two)
	if done := append(one.sync(), two.sync()...); len(done) != 0 {
		t.Fatalf("nothing was changed, and vdirsyncer did: %q", done)
	}
}

// killedDuring kills the server while the nth edit of a sync is on its way, and starts it again when vdirsyncer has given up.
func (h *house) killedDuring(p *proxy, s *syncer, n int) {
	h.t.Helper()
	var killed atomic.Bool
	p.atEdit(n, func() {
		if err := h.Kill(); err != nil {
			h.t.Error(err)
		}
		killed.Store(true)
	})
	if out, err := s.try("sync", s.what()); err == nil || !killed.Load() {
		h.t.Fatalf("vdirsyncer was content with a server that was killed (%t):\n%s", killed.Load(), tail(out))
	}
	h.restart()
}

// TestServerIsAway syncs while there is no server: the device keeps what it holds, and goes on afterwards.
func TestServerIsAway(t *testing.T) {
	thorough(t)
	need(t, "vdirsyncer")
	h, m := newHouse(t), model{}
	one := h.newSyncer("Laptop")
	m.fill(one, 0, 20)
	one.sync()
	m.put(one, 3, 1)
	m.remove(one, 4)
	h.killNow()
	one.failing("Cannot connect")
	same(t, "the device", hashes(one.held()), m.hashes())
	h.restart()
	one.sync()
	m.everywhere(t, h, one)
}

// TestDeviceIsRevoked revokes a device: it is told so by a 401 and keeps what it holds, and the other goes on.
func TestDeviceIsRevoked(t *testing.T) {
	need(t, "vdirsyncer")
	h, m := newHouse(t), model{}
	one, two := h.newSyncer("Laptop"), h.newSyncer("Workstation")
	m.fill(one, 0, 40)
	one.sync()
	two.sync()
	var gone struct{}
	h.command(&gone, "app-password", "revoke", alice, two.ID)
	m.put(one, 3, 1)
	before := hashes(two.held())
	out := two.failing("401")
	if !strings.Contains(out, "Unauthorized") || strings.Contains(out, "Deleting") {
		t.Errorf("a revoked device is not told so:\n%s", tail(out))
	}
	same(t, "the revoked device", hashes(two.held()), before)
	one.sync()
	m.everywhere(t, h, one)

	// Added again, it takes up where it was: what it held is not sent twice.
	two.device = h.device("Workstation, again")
	two.configure(h.url() + "/")
	two.discover()
	if done := two.sync(); len(done) != 1 {
		t.Errorf("one contact was changed meanwhile, and the device did %q", done)
	}
	m.everywhere(t, h, one, two)
}

// TestAccountIsSuspended: a suspended account's device keeps what it holds.
func TestAccountIsSuspended(t *testing.T) {
	thorough(t)
	need(t, "vdirsyncer")
	h, m := newHouse(t), model{}
	one := h.newSyncer("Laptop")
	m.fill(one, 0, 10)
	one.sync()
	var a struct{}
	h.command(&a, "account", "suspend", alice)
	if out := one.failing("503"); strings.Contains(out, "Deleting") {
		t.Errorf("a suspended account's device deletes:\n%s", out)
	}
	same(t, "the device", hashes(one.held()), m.hashes())
	h.command(&a, "account", "resume", alice)
	m.put(one, 3, 1)
	one.sync()
	m.everywhere(t, h, one)
}

// TestRename gives the account another name: a device that is set up with the old one goes on.
func TestRename(t *testing.T) {
	thorough(t)
	need(t, "vdirsyncer")
	h, m := newHouse(t), model{}
	one := h.newSyncer("Laptop")
	m.fill(one, 0, 10)
	one.sync()
	var a struct{}
	h.command(&a, "account", "rename", alice, "alice.example@example.org")
	m.put(one, 3, 1)
	if done := one.sync(); len(done) != 1 {
		t.Errorf("one contact was changed, and the device did %q", done)
	}
	m.everywhere(t, h, one)
	one.discover()
	if done := one.sync(); len(done) != 0 {
		t.Errorf("nothing was changed, and after a new discovery the device did %q", done)
	}
}
