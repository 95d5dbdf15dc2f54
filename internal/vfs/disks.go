package vfs

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrUnknownDisk says that the system does not tell on which disk a path lies.
var ErrUnknownDisk = errors.New("the system does not tell on which disk it lies")

// Disks returns the names of the physical disks ("nvme0n1", "sda") behind path,
// or, when path does not exist yet, behind its nearest parent that does. A
// partition counts as its disk; a volume over several disks (LVM, RAID,
// encryption, btrfs) as all of them. The list is sorted and not empty. Where
// the system does not tell, the error satisfies errors.Is with ErrUnknownDisk.
//
// Unknown to everybody inside of a virtual machine: whether two of its disks
// are one disk of the host.
func Disks(path string) ([]string, error) {
	p, err := existing(path)
	if err != nil {
		return nil, err
	}
	return system.disks(p)
}

// MountPoint returns where the file system is mounted that holds path, or that
// holds its nearest parent that exists. Where the system does not tell, the
// error satisfies errors.Is with ErrUnknownDisk.
func MountPoint(path string) (string, error) {
	p, err := existing(path)
	if err != nil {
		return "", err
	}
	return system.mountPoint(p)
}

// NotKnown begins the reason of [ShareDisk] where the system does not tell on which disk a path lies.
const NotKnown = "it is not known"

// ShareDisk tells whether one disk's end could take both paths, and why that
// is thought. What is not known counts as shared.
func ShareDisk(a, b string) (shared bool, why string) {
	on := [2][]string{}
	for i, p := range []string{a, b} {
		d, err := Disks(p)
		if err != nil {
			return true, fmt.Sprintf(NotKnown+" on which disk %s lies", p)
		}
		on[i] = d
	}
	for _, d := range on[0] {
		if slices.Contains(on[1], d) {
			return true, "both are on the disk " + d
		}
	}
	return false, fmt.Sprintf("one is on the disk %s, the other on %s", strings.Join(on[0], ", "), strings.Join(on[1], ", "))
}
