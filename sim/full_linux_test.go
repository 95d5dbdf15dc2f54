package sim

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/sim/load"
	"holdfast/sim/server"
)

// diskSize is how large the disk is that runs full.
const diskSize = "48m"

// smallDisk mounts a small file system, which needs the right to do so.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+diskSize)
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) {
		passOver(t, "mounting a small file system is not allowed here (%v), so that a full disk cannot be shown; run this test as root", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
	return dir
}

// TestFullDisk fills the disk under the server: changes are refused with 507 and a sentence, reads go on, nothing acknowledged is lost; once there is
// room again changes are taken again; and a start on a full disk works too.
func TestFullDisk(t *testing.T) {
	disk := smallDisk(t)
	// The data directory is the disk itself, so that the program's log, which goes beside it, does not meet the full disk.
	o := server.Options{Data: disk, Flags: []string{"--volatile"}, Env: map[string]string{"HOLDFAST_ENGINE_BALLAST": "4MiB"}}
	s := start(t, o)
	account := people(t, s, 1)[0]
	w := load.NewWriter(dial(t, s), account, 1, 1)
	w.Strict, w.Guarded = true, true
	before := load.Run(t.Context(), []*load.Writer{w}, load.Bounds{Count: 500})
	if len(before.Errors) > 0 || before.Done != 500 {
		t.Fatal(before.Errors, before.Refused)
	}

	filler := filepath.Join(disk, "filler")
	fillUp(t, filler)
	refused := untilFull(t, s, w, account, filler)
	if !strings.Contains(refused, "disk") || strings.Contains(refused, ".go") || len(refused) > 2000 {
		t.Errorf("the answer has no sentence about the disk: %.500s", refused)
	}
	everything(t, w)
	t.Logf("change %d was the last that was taken; then: %s", w.Seq(), refused)

	if err := s.Kill(); err != nil { // and a start on the full disk
		t.Fatal(err)
	}
	s = start(t, o)
	w.Reconnect(dial(t, s))
	everything(t, w)

	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	writesAgain(t, w)
	after := load.Run(t.Context(), []*load.Writer{w}, load.Bounds{Count: 500})
	if len(after.Errors) > 0 || len(after.Refused) > 0 {
		t.Fatal(after.Errors, after.Refused)
	}
	everything(t, w)
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	(&killing{t: t}).journals(o.Data, []*load.Writer{w})
}

// fillUp takes all the room that is left.
func fillUp(t *testing.T, name string) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(make([]byte, size)); errors.Is(err, syscall.ENOSPC) {
			size /= 2
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// untilFull writes until the server refuses for want of room, and returns the answer's body. The log file grows within its blocks for a while.
func untilFull(t *testing.T, s *server.Server, w *load.Writer, a load.Account, filler string) string {
	t.Helper()
	for range 20_000 {
		status, err := w.Step()
		if err != nil {
			t.Fatal(err)
		}
		if status == 507 {
			fillUp(t, filler) // the ballast too, which the server gave up
			status, body := raw(t, s, with("PUT", a.Book+"more.vcf", a, "Content-Type: text/vcard\r\n", contact("more")))
			if status != 507 {
				t.Fatalf("the next PUT on a full disk was answered with %d: %s", status, body)
			}
			return body
		}
		if status >= 300 {
			t.Fatalf("a full disk was answered with %d", status)
		}
	}
	t.Fatal("the disk never ran full")
	return ""
}

// everything reads all that was acknowledged.
func everything(t *testing.T, w *load.Writer) {
	t.Helper()
	if err := w.VerifyListing(); err != nil {
		t.Error(err)
	}
	for _, it := range w.Items() {
		if err := w.Verify(it); err != nil {
			t.Fatal(err)
		}
	}
}

// writesAgain waits until the server has found that there is room.
func writesAgain(t *testing.T, w *load.Writer) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		status, err := w.Step()
		if err != nil {
			t.Fatal(err)
		}
		if status < 300 {
			return
		}
		if status != 507 {
			t.Fatalf("after the disk had room again: %d", status)
		}
	}
	t.Fatal("half a minute after the disk had room again, changes are still refused")
}
