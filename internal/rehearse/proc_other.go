//go:build !unix

package rehearse

import (
	"os"
	"syscall"
)

func inGroup() *syscall.SysProcAttr { return nil }

func ask(p *os.Process) error { return p.Kill() }

func endGroup(p *os.Process) error { return p.Kill() }
