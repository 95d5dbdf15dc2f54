package decode

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Landlock asks about files by what is opened, so it lets a process connect to a socket that has a name in a directory, the control socket among them, whose only guard is that other users may not;
// and say to the service's process what each of its user's processes may. These calls are refused by a filter (seccomp).

// errNoFilter says that the kernel filters no system calls, or that the numbers of this processor's are not known here.
var errNoFilter = errors.New("this kernel filters no system calls")

// architectures are those whose calls have one number each: on others a socket can be made by a call that stands for many (socketcall).
var architectures = map[string]uint32{
	"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64, "arm": unix.AUDIT_ARCH_ARM, "riscv64": unix.AUDIT_ARCH_RISCV64, "loong64": unix.AUDIT_ARCH_LOONGARCH64,
}

// refusedCalls are never made; of others only those that name this process itself, as their first argument.
var (
	refusedCalls = []uintptr{
		unix.SYS_SOCKET, unix.SYS_SOCKETPAIR, unix.SYS_CONNECT, unix.SYS_BIND, unix.SYS_IO_URING_SETUP, // a ring makes the others without being asked
		unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_PIDFD_OPEN, unix.SYS_PIDFD_GETFD, unix.SYS_PIDFD_SEND_SIGNAL,
		unix.SYS_TKILL, unix.SYS_RT_SIGQUEUEINFO, unix.SYS_RT_TGSIGQUEUEINFO, unix.SYS_UNSHARE, unix.SYS_SETNS, unix.SYS_MOUNT, unix.SYS_BPF, unix.SYS_USERFAULTFD, unix.SYS_PERF_EVENT_OPEN,
		unix.SYS_KEYCTL, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY,
	}
	byNumber = []uintptr{unix.SYS_KILL, unix.SYS_TGKILL}                 // 0 is all of the service's group
	byZero   = []uintptr{unix.SYS_PRLIMIT64, unix.SYS_SCHED_SETAFFINITY} // 0 is who calls
)

// Where the kernel tells a filter of a call (struct seccomp_data). All architectures above have the lower half of an argument first.
const (
	callNumber = 0
	callArch   = 4
	firstLow   = 16         // a process's number is 32 bits wide
	otherABI   = 0x40000000 // x32: the calls of amd64 under other numbers
)

// callFilter is the program that judges each call.
func callFilter(arch uint32, own int) []unix.SockFilter {
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	answer := func(a uint32) unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: a} }
	refuse, let := answer(unix.SECCOMP_RET_ERRNO|uint32(unix.EPERM)), answer(unix.SECCOMP_RET_ALLOW)
	jump := func(how uint16, k uint32, yes, no uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_K | how, K: k, Jt: yes, Jf: no}
	}
	p := []unix.SockFilter{
		load(callArch), jump(unix.BPF_JEQ, arch, 1, 0), answer(unix.SECCOMP_RET_KILL_PROCESS),
		load(callNumber), jump(unix.BPF_JGE, otherABI, 0, 1), refuse,
	}
	for _, n := range refusedCalls {
		p = append(p, jump(unix.BPF_JEQ, uint32(n), 0, 1), refuse)
	}
	for _, n := range byNumber {
		p = append(p, jump(unix.BPF_JEQ, uint32(n), 0, 4), load(firstLow), jump(unix.BPF_JEQ, uint32(own), 0, 1), let, refuse)
	}
	for _, n := range byZero {
		p = append(p, jump(unix.BPF_JEQ, uint32(n), 0, 5), load(firstLow), jump(unix.BPF_JEQ, uint32(own), 1, 0), jump(unix.BPF_JEQ, 0, 0, 1), let, refuse)
	}
	return append(p, let)
}

// filterCalls takes from the process, for good, the calls that a decoder has no use for. New rights must have been given up before.
func filterCalls() error {
	arch, ok := architectures[runtime.GOARCH]
	if !ok {
		return errNoFilter
	}
	p := callFilter(arch, os.Getpid())
	prog := unix.SockFprog{Len: uint16(len(p)), Filter: &p[0]}
	err := everyThread(unix.SYS_PRCTL, unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&prog)), 0, 0)
	runtime.KeepAlive(p)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		return errNoFilter
	}
	if err != nil {
		return fmt.Errorf("filter system calls: %w", err)
	}
	return nil
}

// filters tells whether the kernel can filter calls. It is asked for a filter that lies nowhere, which it says only if it would look.
func filters() bool {
	_, ok := architectures[runtime.GOARCH]
	return ok && errors.Is(unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, 0, 0, 0), unix.EFAULT)
}
