package rehearse

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
)

// kept are the files that stay where nothing else does.
var kept = []string{ReportName, "book.jsonl"}

// Tidy removes data, vaults, keys and logs of a rehearsal that is over.
func (r *Report) Tidy(dir string) error {
	list, err := os.ReadDir(dir)
	bad := []error{err}
	for _, e := range list {
		if !slices.Contains(kept, e.Name()) {
			bad = append(bad, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(bad...)
}
