//go:build unix && !linux

package rehearse

import "syscall"

// inGroup has a child lead a process group of its own.
func inGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
