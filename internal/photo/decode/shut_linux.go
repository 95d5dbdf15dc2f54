package decode

import (
	"errors"
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// errNoLandlock says that the kernel cannot shut a process in (Linux 5.13 and later can, where it is switched on).
var errNoLandlock = errors.New("this kernel has no Landlock")

// ShutsIn tells whether the kernel can shut ffmpeg in: without that it is not run.
func ShutsIn() bool {
	abi, _, e := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	return e == 0 && abi >= 1 && filters()
}

// everyThread does a system call on all threads, because the rights that it takes away are each thread's own. In a program with C it is this thread alone.
func everyThread(trap, a1, a2, a3, a4, a5 uintptr) error {
	_, _, e := syscall.AllThreadsSyscall6(trap, a1, a2, a3, a4, a5, 0)
	if e == syscall.ENOTSUP {
		_, _, e = syscall.RawSyscall6(trap, a1, a2, a3, a4, a5, 0)
	}
	if e != 0 {
		return e
	}
	return nil
}

// shutIn takes from the process, for good, every file but those below the given paths, which it may read and run; and, as far as the kernel knows how, TCP,
// other processes' memory, and signals to them.
func shutIn(readable ...string) error {
	abi, _, e := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if e != 0 || abi < 1 {
		return errNoLandlock
	}
	attr := handled(int(abi))
	fd, _, e := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0)
	if e != 0 {
		return fmt.Errorf("make rules: %w", e)
	}
	defer unix.Close(int(fd))
	for _, path := range readable {
		if err := allow(fd, path); err != nil {
			return fmt.Errorf("allow %s: %w", path, err)
		}
	}
	return everyThread(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0, 0, 0)
}

// handled is all that a version of Landlock can forbid.
func handled(abi int) unix.LandlockRulesetAttr {
	attr := unix.LandlockRulesetAttr{Handled_access_fs: 1<<13 - 1}
	if abi >= 2 {
		attr.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if abi >= 3 {
		attr.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if abi >= 4 {
		attr.Handled_access_net = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
	}
	if abi >= 5 {
		attr.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	if abi >= 6 {
		attr.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
	}
	return attr
}

// allow lets what is below a path be read and run; a path that is not there needs no right.
func allow(rules uintptr, path string) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	access := uint64(unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_EXECUTE)
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		access |= unix.LANDLOCK_ACCESS_FS_READ_DIR
	}
	below := unix.LandlockPathBeneathAttr{Allowed_access: access, Parent_fd: int32(fd)}
	_, _, e := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, rules, unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&below)), 0, 0, 0)
	if e != 0 {
		return e
	}
	return nil
}
