package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"path/filepath"

	"holdfast/internal/core"
	"holdfast/internal/vfs"
)

// burstsName is the file of a data directory that says which bursts of deletions are new. The bursts themselves are in the journal: where the file is lost, they are only not told again.
const burstsName = "bursts.json"

const burstsFormat = 1

type burstsFile struct {
	Format int          `json:"format"`
	Bursts []core.Burst `json:"bursts"`
}

// readBursts returns what was saved. A file that cannot be read is said and passed over.
func readBursts(dir string, log *slog.Logger) []core.Burst {
	name := filepath.Join(dir, burstsName)
	b, err := vfs.ReadFile(vfs.OS, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var f burstsFile
	if err == nil {
		err = json.Unmarshal(b, &f)
	}
	if err != nil || f.Format != burstsFormat {
		log.Warn("which bursts of deletions are new cannot be read; `holdfast history` shows them all the same", "file", name, "err", err)
		return nil
	}
	return f.Bursts
}

// saveBursts returns what makes them durable.
func saveBursts(dir string) func(context.Context, []core.Burst) error {
	return func(_ context.Context, all []core.Burst) error {
		b, err := json.MarshalIndent(burstsFile{burstsFormat, all}, "", "  ")
		if err != nil {
			return err
		}
		return vfs.WriteFileAtomic(vfs.OS, filepath.Join(dir, burstsName), append(b, '\n'), 0o600)
	}
}
