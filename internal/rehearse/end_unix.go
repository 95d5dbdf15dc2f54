//go:build unix

package rehearse

import (
	"errors"
	"os"
	"syscall"
)

// ask asks a process to stop.
func ask(p *os.Process) error { return p.Signal(syscall.SIGTERM) }

// endGroup kills a child with whatever it has started.
func endGroup(p *os.Process) error {
	if err := syscall.Kill(-p.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}
