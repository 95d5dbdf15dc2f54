package main

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"holdfast/internal/config"
	"holdfast/internal/doctor"

	"github.com/spf13/cobra"
)

func (a *app) doctorCommand() *cobra.Command {
	var full bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Look at machine, settings and store, and say what to do",
		Long: `Look at the machine, the settings and the store. Each finding says what was seen, what follows from it and what to do.
Nothing is changed. Give it the same flags as serve.

The exit status is 0 if nothing failed, 1 if something did, and 5 if something could not be found out.`,
		Example: `  holdfast doctor
  holdfast doctor --full --json`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := a.load(cmd)
			if err != nil {
				return err
			}
			return a.doctor(cmd.Context(), cfg, full)
		},
	}
	c.Flags().BoolVar(&full, "full", false, "also hash every stored body again")
	config.AddServeFlags(c.Flags())
	return c
}

func (a *app) doctor(ctx context.Context, c *config.Config, full bool) error {
	o := doctor.Options{Config: c, Octets: full, Built: built(),
		Marker: func() (bool, error) { found, err := survey(c.Data); return found == ours, err },
		Connect: func(ctx context.Context) (doctor.Store, func(), error) {
			cl, err := a.connect(ctx, c, toLook)
			if err != nil {
				return nil, nil, fmt.Errorf("%s", sentence(err))
			}
			return cl, cl.Close, nil
		}}
	checks := doctor.Run(ctx, o)
	verdict := doctor.Verdict(checks)
	if a.json {
		if err := a.printJSON("doctor", map[string]any{"verdict": verdict, "checks": checks}); err != nil {
			return err
		}
	} else {
		a.showChecks(checks)
	}
	switch verdict {
	case doctor.Fail:
		return &exitError{code: exitNegative}
	case doctor.Unknown:
		return &exitError{code: exitInconclusive}
	}
	return ctx.Err()
}

func (a *app) showChecks(checks []doctor.Check) {
	words := map[doctor.Result]string{doctor.OK: "OK      ", doctor.Warn: "WARNING ", doctor.Fail: "FAILED  ", doctor.Unknown: "UNKNOWN ", doctor.Skipped: "–       "}
	counts := map[doctor.Result]int64{}
	for _, c := range checks {
		counts[c.Result]++
		a.printf("%s %-14s  %s\n", words[c.Result], c.Name, c.Detail)
		if c.Consequence != "" && c.Result != doctor.Skipped {
			a.printf("%25s%s\n", "", c.Consequence)
		}
		if c.Fix != "" {
			a.printf("%25s→ %s\n", "", c.Fix)
		}
	}
	a.printf("\n%s: %d failed, %s, %d unknown, %d not looked at.\n", count(int64(len(checks)), "check"), counts[doctor.Fail], count(counts[doctor.Warn], "warning"), counts[doctor.Unknown], counts[doctor.Skipped])
}

// built is when the source of this program was committed; zero where the build does not know.
func built() time.Time {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if t, err := time.Parse(time.RFC3339, s.Value); s.Key == "vcs.time" && err == nil {
				return t
			}
		}
	}
	return time.Time{}
}
