package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"

	"holdfast/internal/core"
	"holdfast/internal/vfs"
)

// doubtsName is the file of a data directory that says which accounts are in doubt. It is no part of the store: a store that is older than what a phone has
// seen must not forget that with the rest, and a change to the journal would make the copies harder to compare.
const doubtsName = "doubts.json"

// doubtsFormat is the newest format of that file that this program knows. Format 1 knew nothing of devices that are held by themselves: a program that knows no other must not read
// this one, as it would let them go.
const doubtsFormat = 2

type doubtsFile struct {
	Format int          `json:"format"`
	Doubts []core.Doubt `json:"doubts"`
}

// readDoubts returns what was saved; nothing where nothing was ever in doubt. A file that cannot be read is refused: to go on without it would release
// the accounts that it names.
func readDoubts(dir string) ([]core.Doubt, error) {
	name := filepath.Join(dir, doubtsName)
	b, err := vfs.ReadFile(vfs.OS, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, refused("which accounts are in doubt cannot be read: %v", err)
	}
	var f doubtsFile
	if err := json.NewDecoder(bytes.NewReader(b)).Decode(&f); err != nil || f.Format < 1 {
		return nil, refused("%s, which says which accounts are in doubt, cannot be read; restore it, or move it away if you know that none is", name)
	}
	if f.Format > doubtsFormat {
		return nil, refused("%s was written by a later version of Holdfast (format %d, this one knows %d); use that version", name, f.Format, doubtsFormat)
	}
	return f.Doubts, nil
}

// saveDoubts returns what makes a directory's doubts durable.
func saveDoubts(dir string) func(context.Context, []core.Doubt) error {
	return func(_ context.Context, all []core.Doubt) error {
		b, err := json.MarshalIndent(doubtsFile{doubtsFormat, all}, "", "  ")
		if err != nil {
			return err
		}
		return vfs.WriteFileAtomic(vfs.OS, filepath.Join(dir, doubtsName), append(b, '\n'), 0o600)
	}
}
