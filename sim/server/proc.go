package server

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// Memory is what a process occupies, in octets. It is read from /proc, so only on Linux.
type Memory struct {
	Resident int64
	Peak     int64 // the highest Resident since the start, or since ResetPeak
}

// Memory returns what the program occupies.
func (s *Server) Memory() (Memory, error) { return MemoryOf(s.PID) }

// MemoryOf returns what a process occupies.
func MemoryOf(pid int) (m Memory, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return m, err
	}
	for line := range bytes.Lines(b) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		to := map[string]*int64{"VmRSS": &m.Resident, "VmHWM": &m.Peak}[string(name)]
		if to == nil {
			continue
		}
		kib, err := strconv.ParseInt(string(bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimSpace(value), []byte("kB")))), 10, 64)
		if err != nil {
			return m, err
		}
		*to = kib << 10
	}
	return m, nil
}

// ResetPeak lets the peak begin anew.
func (s *Server) ResetPeak() error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", s.PID), []byte("5"), 0)
}

// CPU returns the processor time that the program has used, to 10 ms.
func (s *Server) CPU() (time.Duration, error) { return CPUOf(s.PID) }

// CPUOf returns the processor time that a process has used, to 10 ms.
func CPUOf(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat cannot be read", pid)
	}
	user, err := strconv.ParseInt(string(fields[11]), 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(string(fields[12]), 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond, err // USER_HZ is 100 on every Linux
}
