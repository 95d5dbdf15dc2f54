package main

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
	"zombiezen.com/go/sqlite"
)

// release is the version that is being built: `go build -ldflags "-X main.release=1.2.3"` says another.
var release = "0.1.0-dev"

// commit is the source's commit, where the Makefile could tell; otherwise what the build recorded is asked.
var commit = ""

type versionInfo struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Go      string `json:"go"`
	Engine  string `json:"engine"`
}

func version() versionInfo {
	v := versionInfo{Version: release, Commit: "unknown", Go: runtime.Version(), Engine: "sqlite " + sqlite.Version}
	if commit != "" {
		v.Commit = commit
		return v
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			v.Commit = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			v.Commit += "-modified"
		}
	}
	return v
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Say which version this is",
		Args:  args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			v := version()
			if a.json {
				return a.printJSON("version", v)
			}
			a.printf("holdfast %s (%s), %s, %s\n", v.Version, v.Commit, v.Go, v.Engine)
			return nil
		},
	}
}
