//go:build !linux

package transfer

import (
	"io/fs"
	"os"
	"path/filepath"

	"holdfast/internal/vfs"
)

// syncTree makes everything below dir durable, file by file.
func syncTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return vfs.OS.SyncDir(path)
		}
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		return f.Sync()
	})
}
