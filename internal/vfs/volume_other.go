//go:build !unix

package vfs

import "io/fs"

func volumeOf(fs.FileInfo) string { return "" }
