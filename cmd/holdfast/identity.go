package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/config"
	"holdfast/internal/control"
	"holdfast/internal/store/sqlite"
	"holdfast/internal/vfs"
)

// The files of a data directory beside the database.
const (
	identityName = "identity"
	leaseName    = "lease"
)

// identityFormat is the newest format of a data directory that this program knows.
const identityFormat = 1

// identity is the marker of a data directory: it says which store belongs here, so that an unmounted disk or a foreign directory is never taken for a new one.
type identity struct {
	Format  int         `json:"format"`
	Store   holdfast.ID `json:"store"`
	Created time.Time   `json:"created"`
	// New is true from the marker's first octet on disk until the database is there: a first start that was cut short may then be finished. Nothing was
	// acknowledged before.
	New bool `json:"new,omitempty"`
}

// newIdentity returns the identity of a store that is about to be made.
func newIdentity() identity {
	return identity{Format: identityFormat, Store: holdfast.NewID(nil), Created: clock.System.Now().UTC().Truncate(time.Second), New: true}
}

func readIdentity(dir string) (identity, error) {
	var id identity
	name := filepath.Join(dir, identityName)
	b, err := vfs.ReadFile(vfs.OS, name)
	if err != nil {
		return id, err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	if err := d.Decode(&id); err != nil || id.Store.IsZero() {
		return id, refused("the identity marker %s cannot be read; restore it from a copy of the data directory, do not start over", name)
	}
	if id.Format > identityFormat {
		return id, refused("%s was written by a later version of Holdfast (format %d, this one knows %d); use that version", dir, id.Format, identityFormat)
	}
	return id, nil
}

func (id identity) write(dir string) error {
	b, err := json.MarshalIndent(id, "", "  ")
	if err != nil {
		return err
	}
	return vfs.WriteFileAtomic(vfs.OS, filepath.Join(dir, identityName), append(b, '\n'), 0o600)
}

func refused(format string, args ...any) error {
	return &exitError{code: exitRefused, text: fmt.Sprintf(format, args...)}
}

// state is what a data directory is found to be.
type state int

const (
	missing state = iota // it does not exist
	empty                // nothing of value is in it: it may become a store
	ours                 // it has an identity marker
)

// survey looks at a directory without touching it. A directory that holds something without being ours is refused.
func survey(dir string) (state, error) {
	list, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return missing, nil
	case err != nil:
		return missing, refused("the data directory cannot be used: %v", err)
	}
	if slices.ContainsFunc(list, func(e fs.DirEntry) bool { return e.Name() == identityName }) {
		return ours, nil
	}
	var foreign []string
	for _, e := range list {
		switch name := e.Name(); {
		case name == sqlite.FileName:
			return missing, refused("%s holds a database but no identity marker, so it may be half of a copy; nothing is started over it. Put the file %q back that belongs to it", dir, identityName)
		case !harmless(name):
			foreign = append(foreign, name)
		}
	}
	if len(foreign) > 0 {
		return missing, refused("%s is not empty and is no Holdfast data directory (it holds %s%s); choose an empty one with --data",
			dir, strings.Join(foreign[:min(3, len(foreign))], ", "), map[bool]string{true: " and more"}[len(foreign) > 3])
	}
	return empty, nil
}

// harmless tells whether a name may stand in a directory that becomes a store: what the operator put there first, what a file system has of itself, and what
// a first start that was cut short left.
func harmless(name string) bool {
	switch name {
	case config.FileName, leaseName, control.SocketName, "lost+found":
		return true
	}
	return strings.HasPrefix(name, "."+identityName+".tmp")
}
