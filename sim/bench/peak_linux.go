package main

import (
	"os"
	"syscall"
)

// peak returns the most resident memory of a process that ended, in octets.
func peak(p *os.ProcessState) int64 {
	if u, ok := p.SysUsage().(*syscall.Rusage); ok {
		return u.Maxrss << 10
	}
	return 0
}
