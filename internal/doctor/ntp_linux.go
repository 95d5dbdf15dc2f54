package doctor

import "golang.org/x/sys/unix"

// synchronised tells what the kernel knows of the clock (adjtimex(2)): whether something keeps it right.
func synchronised() (synced, known bool) {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	if err != nil {
		return false, false
	}
	return state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0, true
}
