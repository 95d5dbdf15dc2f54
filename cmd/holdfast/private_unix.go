//go:build unix

package main

import (
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// keepPrivate has every file that this process makes be for its owner alone: what it makes is people's data.
func keepPrivate() { syscall.Umask(0o077) }

// foreignOwner names the user that a file belongs to, if that is another than the superuser and the superuser runs this process: files that it would make
// beside it could then not be opened by their owner.
func foreignOwner(name string) (owner string, foreign bool) {
	st, err := os.Stat(name)
	if err != nil || os.Geteuid() != 0 {
		return "", false
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok || sys.Uid == 0 {
		return "", false
	}
	owner = strconv.Itoa(int(sys.Uid))
	if u, err := user.LookupId(owner); err == nil {
		return u.Username, true
	}
	return "#" + owner, true
}
