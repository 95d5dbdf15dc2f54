//go:build unix

package main

import "syscall"

// keepPrivate has every file that this process makes be for its owner alone: what it makes is people's data.
func keepPrivate() { syscall.Umask(0o077) }
