package sim

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// namespace is a network of its own: a machine, as far as sockets see.
type namespace struct{ name string }

// ip runs ip(8) of iproute2.
func ip(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "ip", args...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// newNamespace makes a machine with nothing but its loopback. Where that is not allowed the test is passed over, by name.
func newNamespace(t *testing.T, what string) namespace {
	t.Helper()
	if os.Geteuid() != 0 {
		passOver(t, "network namespaces need the superuser, so that what takes several machines cannot be shown; run this test as root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		passOver(t, "ip is not there (Debian: iproute2), so that what takes several machines cannot be shown")
	}
	n := namespace{fmt.Sprintf("holdfast-%d-%s", os.Getpid(), what)}
	if out, err := exec.CommandContext(t.Context(), "ip", "netns", "add", n.name).CombinedOutput(); err != nil {
		passOver(t, "network namespaces are not allowed here (%v: %s), so that what takes several machines cannot be shown", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("ip", "netns", "del", n.name).CombinedOutput(); err != nil {
			t.Errorf("ip netns del %s: %v\n%s", n.name, err, out)
		}
	})
	ip(t, "-n", n.name, "link", "set", "lo", "up")
	return n
}

// join puts a cable between two machines, with their addresses in CIDR form.
func join(t *testing.T, a, b namespace, addrA, addrB string) {
	t.Helper()
	ip(t, "-n", a.name, "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", b.name)
	for n, addr := range map[namespace]string{a: addrA, b: addrB} {
		ip(t, "-n", n.name, "addr", "add", addr, "dev", "cable")
		ip(t, "-n", n.name, "link", "set", "cable", "up")
	}
}

// wrap is the command in front of a program that runs on that machine, and asks the name servers of a resolv.conf.
func (n namespace) wrap(resolvConf string) []string {
	return []string{"ip", "netns", "exec", n.name, "sh", "-c", `mount --bind "$0" /etc/resolv.conf && exec "$@"`, resolvConf}
}

// in runs fn on that machine: what fn opens belongs there for good. Its thread is never given back, and ends with it.
func (n namespace) in(fn func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		done <- n.inThread(fn)
	}()
	return <-done
}

// inThread moves the thread that calls it, for good: it must not be used again.
func (n namespace) inThread(fn func() error) error {
	f, err := os.Open("/run/netns/" + n.name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("setns %s: %w", n.name, err)
	}
	return fn()
}

func (n namespace) listen(t *testing.T, addr string) (l net.Listener) {
	t.Helper()
	if err := n.in(func() (err error) { l, err = net.Listen("tcp", addr); return err }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
	return l
}

func (n namespace) listenPacket(t *testing.T, addr string) (c net.PacketConn) {
	t.Helper()
	if err := n.in(func() (err error) { c, err = net.ListenPacket("udp", addr); return err }); err != nil {
		t.Fatal(err)
	}
	return c
}

// dial connects from that machine. The address is a literal one: looking a name up would happen elsewhere.
func (n namespace) dial(ctx context.Context, network, addr string) (c net.Conn, err error) {
	err = n.in(func() (err error) { c, err = new(net.Dialer).DialContext(ctx, network, addr); return err })
	return c, err
}
