package transfer

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncTree makes everything below dir durable: by one syncfs, since an fsync each of ten thousand small files takes seconds. Since Linux 5.8 it reports errors of
// writing; before, they show only to who reads the files again.
func syncTree(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Syncfs(int(f.Fd())); err != nil {
		return &os.PathError{Op: "syncfs", Path: dir, Err: err}
	}
	return nil
}
