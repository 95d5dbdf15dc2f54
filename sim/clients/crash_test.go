package clients

import (
	"bufio"
	"io"
	"strings"
	"testing"
)

// syncUntil starts a sync and calls then when it has said that n cards are being copied. It returns how vdirsyncer ended, and all that it said.
func (s *syncer) syncUntil(n int, then func()) (string, error) {
	s.t.Helper()
	c := tool{dir: s.dir}.command(s.t.Context(), "vdirsyncer", "-c", s.config(), "sync", "contacts")
	r, w := io.Pipe()
	c.Stdout, c.Stderr = w, w
	if err := c.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		err := c.Wait()
		w.Close()
		ended <- err
	}()
	var said strings.Builder
	seen := 0
	for lines := bufio.NewScanner(r); lines.Scan(); {
		said.WriteString(lines.Text() + "\n")
		if strings.HasPrefix(lines.Text(), "Copying") {
			if seen++; seen == n {
				then()
			}
		}
	}
	if seen < n {
		s.t.Fatalf("vdirsyncer ended after %d cards, before the %d at which it should have been disturbed:\n%s", seen, n, tail(said.String()))
	}
	return said.String(), <-ended
}

// TestServerIsKilled kills the server in the middle of a big sync in each direction, starts it again, and syncs again: nothing is lost, nothing doubled.
func TestServerIsKilled(t *testing.T) {
	need(t, "vdirsyncer")
	size := 1000
	if testing.Short() {
		size = 200
	}
	h, m := newHouse(t), model{}
	one, two := h.newSyncer("Laptop"), h.newSyncer("Workstation")
	m.fill(one, 0, size)
	for _, at := range []int{size / 5, size / 4} { // of what is left
		if out, err := one.syncUntil(at, h.killNow); err == nil {
			t.Fatalf("vdirsyncer was content with a server that was killed:\n%s", tail(out))
		}
		h.restart()
		if n := len(h.export()); n < at-1 || n >= size {
			t.Fatalf("after the kill %d contacts are there, of %d; %d were acknowledged at least", n, size, at-1)
		}
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
	if out, err := two.syncUntil(size/20, h.killNow); err == nil {
		t.Fatalf("vdirsyncer was content with a server that was killed:\n%s", tail(out))
	}
	h.restart()
	two.sync()
	one.sync()
	m.everywhere(t, h, one, two)
	if done := append(one.sync(), two.sync()...); len(done) != 0 {
		t.Fatalf("nothing was changed, and vdirsyncer did: %q", done)
	}
}

// TestServerIsAway syncs while there is no server: the device keeps what it holds, and goes on afterwards.
func TestServerIsAway(t *testing.T) {
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
