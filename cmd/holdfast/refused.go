package main

import (
	"log/slog"
	"path/filepath"

	"holdfast/internal/config"
	kept "holdfast/internal/refused"
	"holdfast/internal/vfs"
)

// refusedName is the directory of a data directory with what devices sent and were refused. It may be removed.
const refusedName = "refused"

// refusedReserve is what stays free for the database, which needs it more.
const refusedReserve = 64 << 20

func openRefused(c *config.Config, log *slog.Logger) (*kept.Store, error) {
	return kept.Open(kept.Options{Dir: filepath.Join(c.Data, refusedName), Log: log, Keep: c.Refused.Keep, Octets: c.Refused.Octets,
		Room: func(n int64) bool {
			s, err := vfs.FreeSpace(c.Data)
			return err != nil || s.Free-n >= refusedReserve // a system that cannot tell says it when it is written
		}})
}
