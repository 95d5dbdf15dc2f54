package rehearse

import "syscall"

// inGroup has a child lead a process group of its own, which ends with this process, however that ends.
func inGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
