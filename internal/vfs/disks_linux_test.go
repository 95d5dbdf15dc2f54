package vfs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakeSys builds sysfs and mountinfo in a directory. Lines: "dir PATH", "file PATH CONTENT", "link PATH TO" (TO is relative to the root).
func fakeSys(t *testing.T, lines string) linux {
	t.Helper()
	root := t.TempDir()
	at := func(p string) string {
		full := filepath.Join(root, p)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		return full
	}
	for line := range strings.Lines(lines) {
		f := strings.SplitN(strings.TrimSpace(line), " ", 3)
		var err error
		switch f[0] {
		case "dir":
			err = os.MkdirAll(at(f[1]), 0o755)
		case "file":
			err = os.WriteFile(at(f[1]), []byte(strings.ReplaceAll(f[2], "ROOT", root)+"\n"), 0o644)
		case "link":
			err = os.Symlink(filepath.Join(root, f[2]), at(f[1]))
		case "":
		default:
			t.Fatalf("the line %q is not understood", line)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	devices := map[string]string{}
	if b, err := os.ReadFile(filepath.Join(root, "devices")); err == nil {
		for f := range strings.FieldsSeq(string(b)) {
			path, dev, _ := strings.Cut(f, "=")
			devices[path] = dev
		}
	}
	return linux{sys: filepath.Join(root, "sys"), mounts: filepath.Join(root, "mountinfo"), device: func(path string) (a, b uint32, err error) {
		dev, ok := devices[strings.TrimPrefix(path, root)]
		if !ok {
			return 0, 0, os.ErrNotExist
		}
		_, err = fmt.Sscanf(dev, "%d:%d", &a, &b)
		return a, b, err
	}}
}

// A machine with two SATA disks, of which one carries LVM, and both a RAID; an NVMe disk by way of multipath; a loop device; zram.
const machine = `
	dir sys/devices/pci0/ata1/block/sda/sda1
	file sys/devices/pci0/ata1/block/sda/sda1/partition 1
	dir sys/devices/pci0/ata1/block/sda/sda2
	file sys/devices/pci0/ata1/block/sda/sda2/partition 2
	dir sys/devices/pci0/ata2/block/sdb/sdb1
	file sys/devices/pci0/ata2/block/sdb/sdb1/partition 1
	dir sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1/nvme0n1p1
	file sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1/nvme0n1p1/partition 1
	link sys/devices/virtual/block/dm-0/slaves/sda2 sys/devices/pci0/ata1/block/sda/sda2
	link sys/devices/virtual/block/dm-1/slaves/dm-0 sys/devices/virtual/block/dm-0
	link sys/devices/virtual/block/md0/slaves/sda1 sys/devices/pci0/ata1/block/sda/sda1
	link sys/devices/virtual/block/md0/slaves/sdb1 sys/devices/pci0/ata2/block/sdb/sdb1
	dir sys/devices/virtual/block/md0/md0p1
	file sys/devices/virtual/block/md0/md0p1/partition 1
	dir sys/devices/virtual/block/zram0/slaves
	file sys/devices/virtual/block/loop0/loop/backing_file ROOT/srv/image
	link sys/devices/virtual/block/dm-9/slaves/dm-9 sys/devices/virtual/block/dm-9
	link sys/dev/block/8:1 sys/devices/pci0/ata1/block/sda/sda1
	link sys/dev/block/8:16 sys/devices/pci0/ata2/block/sdb
	link sys/dev/block/259:1 sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1/nvme0n1p1
	link sys/dev/block/253:1 sys/devices/virtual/block/dm-1
	link sys/dev/block/253:9 sys/devices/virtual/block/dm-9
	link sys/dev/block/9:0 sys/devices/virtual/block/md0
	link sys/dev/block/259:7 sys/devices/virtual/block/md0/md0p1
	link sys/dev/block/7:0 sys/devices/virtual/block/loop0
	link sys/dev/block/252:0 sys/devices/virtual/block/zram0
	link sys/class/block/sda1 sys/devices/pci0/ata1/block/sda/sda1
	link sys/class/block/sdb1 sys/devices/pci0/ata2/block/sdb/sdb1
	link sys/class/block/nvme0n1p1 sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1/nvme0n1p1
	dir sys/fs/btrfs/7c1f/devices/sdb1
	dir sys/fs/btrfs/7c1f/devices/nvme0n1p1
	dir btrfs/sub
	dir single
	dir over/lay
	dir contained
	dir zfs
	dir with space
	dir srv
	file mountinfo 1 0 0:5 / / rw - rootfs rootfs rw
	file devices /plain=8:1 /whole=8:16 /nvme=259:1 /lvm=253:1 /raid=9:0 /raidpart=259:7 /loop=7:0 /srv/image=8:1 /zram=252:0 /round=253:9 /absent=99:9 /btrfs/sub=0:50 /single=0:51 /over/lay=0:52 /contained=0:53 /zfs=0:54 /over/upper=8:16 /unmounted=0:55
`

func TestDisks(t *testing.T) {
	l := fakeSys(t, machine)
	root := filepath.Dir(l.sys)
	mounts := fmt.Sprintf(`21 1 0:50 / %[1]s/btrfs rw,relatime shared:1 - btrfs /dev/sdb1 rw,subvol=/
22 1 0:51 / %[1]s/single rw - btrfs /dev/sda1 rw
23 1 0:99 / %[1]s/over rw - tmpfs tmpfs rw
24 1 0:52 / %[1]s/over rw - overlay overlay rw,lowerdir=/l,upperdir=%[1]s/over/upper,workdir=/w
25 1 0:53 / %[1]s/contained rw - overlay overlay rw,upperdir=/not/here
26 1 0:54 / %[1]s/zfs rw - zfs tank/data rw
this line is broken
`, root)
	if err := os.WriteFile(l.mounts, []byte(mounts), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct{ path, want string }{
		{"/plain", "sda"}, {"/whole", "sdb"}, {"/nvme", "nvme0n1"}, {"/lvm", "sda"}, {"/raid", "sda sdb"}, {"/raidpart", "sda sdb"}, {"/loop", "sda"},
		{"/btrfs/sub", "nvme0n1 sdb"}, {"/single", "sda"}, {"/over/lay", "sdb"},
		{"/zram", ""}, {"/round", ""}, {"/absent", ""}, {"/contained", ""}, {"/zfs", ""}, {"/unmounted", ""},
	} {
		got, err := l.disks(filepath.Join(root, x.path))
		if strings.Join(got, " ") != x.want {
			t.Errorf("%s: got %v, want %s (%v)", x.path, got, x.want, err)
		}
		if x.want == "" && !errors.Is(err, ErrUnknownDisk) {
			t.Errorf("%s: the error is %v", x.path, err)
		}
	}
}

func TestMountPoint(t *testing.T) {
	before := system
	defer func() { system = before }()
	root := t.TempDir()
	here := filepath.Join(root, "mnt", "my disk")
	if err := os.MkdirAll(filepath.Join(here, "vault"), 0o700); err != nil {
		t.Fatal(err)
	}
	mounts := filepath.Join(root, "mountinfo")
	text := "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 8:17 / " + strings.ReplaceAll(here, " ", `\040`) + " rw - ext4 /dev/sdb1 rw\n"
	if err := os.WriteFile(mounts, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	system = linux{mounts: mounts, device: deviceOf}
	for _, x := range []struct{ path, want string }{{here, here}, {filepath.Join(here, "vault"), here}, {filepath.Join(here, "not", "yet"), here}, {root, "/"}} {
		if got, err := MountPoint(x.path); err != nil || got != x.want {
			t.Errorf("%s: got %s (%v), want %s", x.path, got, err, x.want)
		}
	}
	system = linux{mounts: filepath.Join(root, "none"), device: deviceOf}
	if got, err := MountPoint(here); err == nil {
		t.Errorf("without mountinfo it lies at %s", got)
	}
}

func TestShareDisk(t *testing.T) {
	before := system
	defer func() { system = before }()
	system = linux{sys: filepath.Join(t.TempDir(), "none"), mounts: "none", device: deviceOf}
	if same, why := ShareDisk(t.TempDir(), t.TempDir()); !same || !strings.Contains(why, "not known") {
		t.Errorf("what is not known does not count as shared: %s", why)
	}
	system = fakeSys(t, machine)
	here := system.device
	system.device = func(p string) (uint32, uint32, error) { return here("/" + filepath.Base(p)) }
	dir := t.TempDir()
	for _, d := range []string{"plain", "raid", "nvme"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if same, why := ShareDisk(filepath.Join(dir, "plain"), filepath.Join(dir, "raid")); !same || why != "both are on the disk sda" {
		t.Errorf("a disk and a RAID over it: %v, %s", same, why)
	}
	if same, why := ShareDisk(filepath.Join(dir, "raid"), filepath.Join(dir, "nvme")); same || !strings.Contains(why, "sda, sdb") {
		t.Errorf("two disks: %v, %s", same, why)
	}
}

func TestUnescapeMount(t *testing.T) {
	for in, want := range map[string]string{`/with\040space`: "/with space", `\134`: `\`, `/a\9`: `/a\9`, `\04`: `\04`, "": ""} {
		if got := unescapeMount(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
