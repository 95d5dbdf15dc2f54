package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// forgets says how the system is made to forget what it has read of a file.
const forgets = "posix_fadvise(DONTNEED) of these files"

// forget takes a file out of the system's cache, so that the next read comes from the disk. Only what is on disk already can go, hence the sync.
func forget(f *os.File) error {
	if err := f.Sync(); err != nil {
		return err
	}
	return unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
}

// settle returns once everything that was written to the file system of a directory is on disk.
func settle(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.Syncfs(int(f.Fd()))
}
