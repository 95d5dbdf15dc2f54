package vfs

import (
	"fmt"
	"syscall"
)

// The magic numbers of linux/magic.h and of the file systems themselves. The
// ext family shares one number.
var kinds = map[uint32]string{
	0x0000ef53: "ext4",
	0x58465342: "xfs",
	0x9123683e: "btrfs",
	0x2fc12fc1: "zfs",
	0xca451a4e: "bcachefs",
	0xf2f52010: "f2fs",
	0x01021994: "tmpfs",
	0x858458f6: "ramfs",
	0x958458f6: "hugetlbfs",
	0x794c7630: "overlayfs",
	0x00006969: "nfs",
	0xff534d42: "cifs",
	0xfe534d42: "smb2",
	0x65735546: "fuse",
	0x00004d44: "msdos",
	0x2011bab0: "exfat",
	0x5346544e: "ntfs",
	0x01021997: "9p",
	0x00c36400: "ceph",
	0x73717368: "squashfs",
}

func statfs(path string) (Space, string, error) {
	var st syscall.Statfs_t
	for {
		err := syscall.Statfs(path, &st)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return Space{}, "", err
		}
		break
	}
	magic := uint32(st.Type) // the width and sign of Type differ between machines
	kind, ok := kinds[magic]
	if !ok {
		kind = fmt.Sprintf("0x%x", magic)
	}
	unit := int64(st.Frsize)
	if unit == 0 {
		unit = int64(st.Bsize)
	}
	return Space{Free: int64(st.Bavail) * unit, Total: int64(st.Blocks) * unit}, kind, nil
}
