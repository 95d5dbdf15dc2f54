//go:build !linux

package doctor

// synchronised is not known on this system.
func synchronised() (synced, known bool) { return false, false }
