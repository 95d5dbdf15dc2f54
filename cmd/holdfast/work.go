package main

import (
	"log/slog"
	"os"
	"path/filepath"

	"holdfast"
	"holdfast/internal/config"
)

// workName is the directory in the data directory where what vaults hold is sorted on the way; in the clear, so nobody else can look into it. It is emptied at each start.
const workName = "work"

// workDir makes a directory to sort in. Its name cannot be foreseen.
func workDir(data, what string) (string, error) {
	under := filepath.Join(data, workName)
	if err := os.MkdirAll(under, 0o700); err != nil {
		return "", err
	}
	return os.MkdirTemp(under, what+"-*")
}

// drillPrefix is what the name begins with of a directory that drills of a store restore to, below drill.dir.
func drillPrefix(store holdfast.ID) string { return "holdfast-drill-" + store.String() }

// clearWork removes what a process left behind in the clear that was killed. The lease is held, so nobody is at work there.
func clearWork(c *config.Config, store holdfast.ID, log *slog.Logger) {
	var left []string
	for _, name := range []string{workName, drillDirName, vaultSpoolName, repairSpoolName, scrubSpoolName} {
		left = append(left, filepath.Join(c.Data, name))
	}
	if c.Drill.Dir != "" {
		list, _ := filepath.Glob(filepath.Join(inGlob(c.Drill.Dir), drillPrefix(store)+"*"))
		left = append(left, list...)
	}
	for _, dir := range left {
		if _, err := os.Lstat(dir); err != nil {
			continue
		}
		if err := os.RemoveAll(dir); err != nil {
			log.Warn("what a work that was cut short left in the clear could not be removed; remove it by hand", "dir", dir, "err", err)
			continue
		}
		log.Info("what a work that was cut short left was removed", "dir", dir)
	}
}

// inGlob is a directory's name as a pattern that means it alone.
func inGlob(dir string) string {
	var out []rune
	for _, r := range dir {
		if r == '*' || r == '?' || r == '[' || r == '\\' {
			out = append(out, '\\')
		}
		out = append(out, r)
	}
	return string(out)
}
