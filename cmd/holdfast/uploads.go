package main

import (
	"log/slog"
	"path/filepath"
	"time"

	"holdfast/internal/config"
	"holdfast/internal/control"
	"holdfast/internal/uploads"
	"holdfast/internal/vfs"
)

// uploadsName is the directory of a data directory with large files while they arrive in chunks.
const uploadsName = "uploads"

func openUploads(c *config.Config, log *slog.Logger) (*uploads.Store, error) {
	return uploads.Open(uploads.Options{Dir: filepath.Join(c.Data, uploadsName), Log: log, Keep: c.Uploads.Keep, Octets: c.Uploads.Octets, Room: leavesRoom(c.Data)})
}

// spared is what stays free for the database, which needs it more than what is no change yet, or never was one.
const spared = 64 << 20

// leavesRoom tells whether the disk of a directory has room for so many octets, and for the database beside them.
func leavesRoom(dir string) func(int64) bool {
	return func(n int64) bool {
		s, err := vfs.FreeSpace(dir)
		return err != nil || s.Free-n >= spared // a system that cannot tell says it when it is written
	}
}

// arriving says what of files is on its way, into a data directory.
func (o *opened) arriving(dir string) control.Arriving {
	n := o.uploads.Count()
	a := control.Arriving{Uploads: n.Uploads, Chunks: n.Chunks, Octets: n.Octets, Quiet: int64(n.Quiet / time.Second)}
	if s, err := vfs.FreeSpace(dir); err == nil {
		a.Room = s.Free - spared
	}
	return a
}
