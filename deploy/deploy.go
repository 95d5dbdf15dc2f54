// Package deploy holds what a host needs to run Holdfast as a service.
package deploy

import (
	_ "embed" // for the unit
	"path/filepath"
	"slices"
	"strings"
)

//go:embed holdfast.service
var unit string

// What the unit in this directory says, and a store that lies elsewhere replaces.
const (
	stateDir = "/var/lib/holdfast"
	user     = "holdfast"
)

// Service is what a unit depends on. Paths are absolute.
type Service struct {
	Program string   // the binary
	Data    string   // the data directory
	Writes  []string // further directories that it writes to: vaults
	Mounts  []string // where file systems are mounted that directories of Writes lie on, and that may come and go
	Reads   []string // files that it reads: certificates
	User    string
}

// Unit returns the unit for a service.
func Unit(s Service) string {
	var out []string
	elsewhere, all := false, append(append([]string{s.Program, s.Data}, s.Writes...), s.Reads...)
	for _, dir := range append([]string{s.Data}, s.Writes...) {
		elsewhere = elsewhere || !below(dir, stateDir)
	}
	for line := range strings.Lines(unit) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case line == "" && len(out) == 0, strings.HasPrefix(line, "#") && len(out) == 0: // how to install the unit as it lies there
			continue
		case strings.HasPrefix(line, "ExecStart="):
			line = "ExecStart=" + quoted(s.Program) + " serve --data " + quoted(s.Data)
		case line == "User="+user:
			line = "User=" + s.User
		case line == "Group="+user:
			if s.User != user { // the user's own group
				continue
			}
		case strings.HasPrefix(line, "StateDirectory") && elsewhere:
			continue
		case strings.HasPrefix(line, "# Vaults that lie elsewhere"):
			if !elsewhere {
				continue
			}
			line = "ReadWritePaths=" + strings.Join(s.writable(), " ")
		case line == "ProtectHome=yes" && homely(all):
			line = "ProtectHome=read-only"
		case line == "PrivateTmp=yes" && temporary(all):
			continue
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n") + "\n"
}

// writable returns what the unit opens for writing. A file system that may come and go is opened where it is mounted: systemd would hold on to a directory in
// it, and the service would go on to see the old disk there after another was put into its place. What is not there ("-") is for Holdfast to tell of: systemd
// would not start the service at all.
func (s Service) writable() []string {
	out := []string{quoted(s.Data)}
	for _, dir := range s.Writes {
		for _, m := range s.Mounts {
			if below(dir, m) {
				dir = m
				break
			}
		}
		if p := quoted("-" + dir); !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

func below(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}

// homely tells whether something lies where ProtectHome hides it.
func homely(paths []string) bool { return anyBelow(paths, "/home", "/root", "/run/user") }

// temporary tells whether something lies where PrivateTmp hides it.
func temporary(paths []string) bool { return anyBelow(paths, "/tmp", "/var/tmp") }

func anyBelow(paths []string, dirs ...string) bool {
	for _, p := range paths {
		for _, d := range dirs {
			if below(p, d) {
				return true
			}
		}
	}
	return false
}

// quoted writes a path as systemd reads it: with quotes if it has spaces, and with % doubled.
func quoted(path string) string {
	path = strings.ReplaceAll(path, "%", "%%")
	if !strings.ContainsAny(path, " \t\"'\\$;") {
		return path
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `$$`).Replace(path) + `"`
}
