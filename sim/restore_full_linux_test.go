package sim

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"holdfast/sim/load"
)

// TestRestoreOntoAFullDisk restores onto a disk that is too small, and lets it grow a little each time: wherever the room ends, the command says so, calls nothing lost, and goes on when it is run again. In the end everything is there.
func TestRestoreOntoAFullDisk(t *testing.T) {
	d := newDuties(t, nil)
	d.k.acked += load.Run(t.Context(), d.writers, load.Bounds{Count: 400}).Done
	d.stop()
	disk := smallDisk(t)
	d.o.Data, d.o.Flags = filepath.Join(disk, "data"), append(d.o.Flags, "--volatile")
	full := 0
	var report []byte
	for kib := 16; report == nil; kib += kib/6 + 4 {
		if kib > 64<<10 {
			t.Fatalf("%d KiB are not enough for %d changes", kib, d.k.acked)
		}
		resize(t, disk, kib)
		cmd := exec.CommandContext(t.Context(), d.bin, "restore", "--json", "--volatile", "--from", d.vault(), "--key", d.key, "--into", d.o.Data)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if err == nil {
			report = out
			break
		}
		full++
		said := string(out) + errs.String()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 4 || !strings.Contains(said, "no space left") && !strings.Contains(said, "is full") && !strings.Contains(said, "no room") || strings.Contains(said, "losses") {
			t.Fatalf("with %d KiB: %v\n%s", kib, err, said)
		}
	}
	if got := d.whole(report); !slices.Equal(got, d.everybody()) {
		t.Fatalf("restored were %q", got)
	}
	resize(t, disk, 48<<10)
	d.command("adopt", d.o.Data)
	t.Cleanup(func() { _ = d.s.Kill() }) // before the disk goes
	d.check(true)
	t.Logf("restored after %d times without room; %d changes, lost: 0", full, d.k.acked)
	if full < 8 {
		t.Error("too few to show anything")
	}
	if err := d.s.Stop(); err != nil {
		t.Error(err)
	}
}

// resize gives a small disk another size.
func resize(t *testing.T, dir string, kib int) {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, fmt.Sprintf("size=%dk", kib)); err != nil {
		t.Fatal(err)
	}
}
