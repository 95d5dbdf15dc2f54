package decode

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func init() { becomeProbe = probe }

// probe is in ffmpeg's place: it tries what ffmpeg must not, and says how that ended.
func probe() {
	_, read := os.ReadFile("/etc/passwd")
	_, list := os.ReadDir("/")
	_, write := os.Create(os.TempDir() + "/holdfast-film-was-here")
	_, proc := os.ReadFile(fmt.Sprintf("/proc/%d/environ", os.Getppid()))
	_, dial := net.Dial("tcp", "127.0.0.1:1")
	_, control := net.Dial("unix", besideProbe(os.Getppid()))
	_, datagram := net.Dial("udp", "127.0.0.1:9")
	signal := unix.Kill(os.Getppid(), 0)
	group := unix.Kill(0, 0)
	limit := unix.Prlimit(os.Getppid(), unix.RLIMIT_CORE, nil, &unix.Rlimit{})
	itself := errors.Join(unix.Kill(os.Getpid(), 0), unix.Prlimit(0, unix.RLIMIT_CORE, nil, &unix.Rlimit{}))
	fmt.Fprintf(os.Stderr, "control %v, datagram %v, signal %v, group %v, limit %v, itself %v, ",
		errors.Is(control, os.ErrPermission), errors.Is(datagram, os.ErrPermission), errors.Is(signal, unix.EPERM), errors.Is(group, unix.EPERM), errors.Is(limit, unix.EPERM), itself)
	fmt.Fprintf(os.Stderr, "read %v, list %v, write %v, parent %v, dial %v\n",
		errors.Is(read, os.ErrPermission), errors.Is(list, os.ErrPermission), errors.Is(write, os.ErrPermission), errors.Is(proc, os.ErrPermission), errors.Is(dial, os.ErrPermission))
	os.Exit(1)
}

// besideProbe is a socket with a name, as the control socket is one, that a process of tests listens on.
func besideProbe(pid int) string { return fmt.Sprintf("%s/holdfast-film-%d.sock", os.TempDir(), pid) }

// TestFFmpegIsShutIn: it reads no file but programs and libraries, writes none, calls nobody, and says nothing to other processes: not by a socket that has a name in a directory either, which Landlock lets it do.
func TestFFmpegIsShutIn(t *testing.T) {
	if raced {
		t.Skip("not with the race detector: what becomes ffmpeg is always confined")
	}
	l, err := net.Listen("unix", besideProbe(os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = thumbsOf(t, filmPool(t, os.Args[0]), film(t))
	want := "control true, datagram true, signal true, group true, limit true, itself <nil>, read true, list true, write true, parent true, dial true"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Error(err)
	}
}
