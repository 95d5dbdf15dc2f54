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
	fmt.Fprintf(os.Stderr, "read %v, list %v, write %v, parent %v, dial %v\n",
		errors.Is(read, os.ErrPermission), errors.Is(list, os.ErrPermission), errors.Is(write, os.ErrPermission), errors.Is(proc, os.ErrPermission), errors.Is(dial, os.ErrPermission))
	os.Exit(1)
}

// TestFFmpegIsShutIn: it reads no file but programs and libraries, writes none, and calls nobody.
func TestFFmpegIsShutIn(t *testing.T) {
	if raced {
		t.Skip("not with the race detector: what becomes ffmpeg is always confined")
	}
	_, err := thumbsOf(t, filmPool(t, os.Args[0]), film(t))
	want := "read true, list true, write true, parent true, dial true"
	if abi, _, _ := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION); abi < 4 { // it knows nothing of TCP
		want = strings.TrimSuffix(want, ", dial true")
	}
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Error(err)
	}
}
