//go:build !linux

package clock

import "time"

// SinceBoot is not known on this system.
func SinceBoot() (d time.Duration, ok bool) { return 0, false }
