package main

import (
	"log/slog"
	"os"
	"path/filepath"

	"holdfast/internal/config"
)

// spoolName is the directory for long answers in the data directory, where the system's directory for temporary files cannot be used.
const spoolName = "tmp"

// spoolDir returns where answers wait that are too long for memory: the system's directory for temporary files, so that they never compete with the data for
// its disk. Where nothing can be made there, as in a sandbox without TMPDIR, it is a directory of our own, emptied at each start. Found out at the start,
// not at the first long answer.
func spoolDir(c *config.Config, log *slog.Logger) (string, error) {
	system := os.TempDir()
	err := writable(system)
	if err == nil {
		return system, nil
	}
	own := filepath.Join(c.Data, spoolName)
	log.Warn("the system's directory for temporary files cannot be used; long answers wait beside the data instead", "dir", system, "instead", own, "err", err)
	if err := os.RemoveAll(own); err != nil {
		return "", refused("the directory for long answers cannot be emptied: %s", oneLine(err))
	}
	if err := os.Mkdir(own, 0o700); err != nil {
		return "", refused("the directory for long answers cannot be made: %s", oneLine(err))
	}
	return own, nil
}

// writable tells whether files can be made and written in a directory.
func writable(dir string) error {
	f, err := os.CreateTemp(dir, "holdfast-*")
	if err != nil {
		return err
	}
	_, err = f.Write([]byte("x"))
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if rerr := os.Remove(f.Name()); err == nil {
		err = rerr
	}
	return err
}
