//go:build unix

package vfs

import (
	"fmt"
	"io/fs"
	"syscall"
)

// volumeOf names the file system that holds a file: by its device number.
func volumeOf(i fs.FileInfo) string {
	if s, ok := i.Sys().(*syscall.Stat_t); ok {
		return fmt.Sprint(s.Dev)
	}
	return ""
}
