package sim

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"holdfast/sim/load"
	"holdfast/sim/server"
)

// secondDisk is a disk of its own: a file system in a file, behind a loop device.
type secondDisk struct {
	t         *testing.T
	image, at string
}

func newSecondDisk(t *testing.T) *secondDisk {
	t.Helper()
	if os.Geteuid() != 0 {
		passOver(t, "a second disk can be pulled by root alone; run this test as root")
	}
	dir := t.TempDir()
	d := &secondDisk{t, filepath.Join(dir, "image"), filepath.Join(dir, "disk")}
	if err := os.Mkdir(d.at, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][]string{{"truncate", "-s", "64M", d.image}, {"mkfs.ext4", "-q", d.image}} {
		if out, err := exec.Command(c[0], c[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", c, err, out)
		}
	}
	d.plug()
	t.Cleanup(func() { _ = syscall.Unmount(d.at, syscall.MNT_DETACH) })
	return d
}

func (d *secondDisk) plug() {
	d.t.Helper()
	if out, err := exec.Command("mount", "-o", "loop", d.image, d.at).CombinedOutput(); err != nil {
		passOver(d.t, "a loop device cannot be mounted here, so that no disk can be pulled: %v: %s", err, out)
	}
}

func (d *secondDisk) pull() {
	d.t.Helper()
	if err := syscall.Unmount(d.at, syscall.MNT_DETACH); err != nil {
		d.t.Fatal(err)
	}
}

// TestPulledDisk pulls the disk of a vault that changes wait for, under load, as an operator might: the message comes, no acknowledged change depends on it alone, and once the disk is back everything heals by itself, and a drill proves it.
func TestPulledDisk(t *testing.T) {
	const late = 6 * time.Second
	disk, h, dir := newSecondDisk(t), newHook(t), t.TempDir()
	o := server.Options{Bin: program(t), Data: filepath.Join(dir, "data"), Env: map[string]string{"HOLDFAST_VAULT_LATE": late.String(), "HOLDFAST_NOTIFY_QUIET": "1s", "HOLDFAST_NOTIFY_WEBHOOK_URL": h.URL,
		"HOLDFAST_DRILL_FIRST": "24h"}}
	s := start(t, o)
	list := people(t, s, 2)
	if err := s.Run(t.Context(), &struct{}{}, "vault", "add", "attic", "dir", filepath.Join(disk.at, "vault"), "--domain", "attic"); err != nil {
		t.Fatal(err)
	}
	var writers []*load.Writer
	seed := seed(t)
	for i, a := range list {
		writers = append(writers, load.NewWriter(dial(t, s), a, seed, uint64(i)))
	}
	write := func() (done int64) {
		t.Helper()
		res := load.Run(t.Context(), writers, load.Bounds{For: time.Second})
		if err := errors.Join(res.Errors...); err != nil {
			t.Fatal(err)
		}
		return res.Done
	}
	before := write()
	disk.pull()
	pulled := time.Now()
	during := write()
	x := h.await(t, 1, "begins", "vault.attic", late)
	t.Logf("told after %v: %s", x.came.Sub(pulled).Round(time.Millisecond), x.Title)
	disk.plug()
	h.await(t, 1, "over", "vault.attic", 5*late)
	after := write()
	var drilled struct {
		Result  string   `json:"result"`
		Reasons []string `json:"reasons"`
		Changes struct {
			Restored int64 `json:"restored"`
		} `json:"changes"`
	}
	for until := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) { // until it is whole again
		err := s.Run(t.Context(), &drilled, "drill", "run", "--vault", "attic")
		if err == nil && drilled.Result == "pass" && drilled.Changes.Restored >= before+during+after {
			break
		}
		if time.Now().After(until) {
			t.Fatalf("it does not heal: %+v, %v; %d, %d and %d changes were acknowledged", drilled, err, before, during, after)
		}
	}
	for _, w := range writers {
		if err := w.VerifyListing(); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d changes before, %d while it was away, %d after; a drill of that vault gave %d back", before, during, after, drilled.Changes.Restored)
}
