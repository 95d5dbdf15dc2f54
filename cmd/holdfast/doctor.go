package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"holdfast/internal/config"
	"holdfast/internal/doctor"
	"holdfast/internal/registry"
	"holdfast/internal/vfs"

	"github.com/spf13/cobra"
)

func (a *app) doctorCommand() *cobra.Command {
	var full bool
	var resolver string
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Look at machine, settings and store, and say what to do",
		Long: `Look at the machine, the settings and the store. Each finding says what was seen, what follows from it and what to do.
Nothing is changed. Beside a running server it looks at the addresses, name, certificate and proxies that the server has; a flag that it
is given counts instead. Without one, give it the same flags as serve.

With a public name (--public-url, --acme) it looks from outside too: DNS, certificate, what a proxy passes of a request, and
discovery. --resolver asks that name server instead of this machine's, whose hosts file may know better than the world.

The exit status is 0 if nothing failed, 1 if something did, and 5 if something could not be found out.`,
		Example: `  holdfast doctor
  holdfast doctor --full --json
  holdfast doctor --resolver 9.9.9.9`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := a.load(cmd)
			if err != nil {
				return err
			}
			return a.doctor(cmd.Context(), cfg, full, resolver)
		},
	}
	c.Flags().BoolVar(&full, "full", false, "also hash every stored body again")
	c.Flags().StringVar(&resolver, "resolver", "", "ask the name server at `ADDRESS`, with or without a port")
	config.AddServeFlags(c.Flags())
	return c
}

// doctorOptions wires the checks to this program.
func (a *app) doctorOptions(c *config.Config) doctor.Options {
	return doctor.Options{Config: c, Built: built(), KeyFile: keyFileBeside(c),
		Marker: func() (bool, error) { found, err := survey(c.Data); return found == ours, err },
		Connect: func(ctx context.Context) (doctor.Store, func(), error) {
			cl, err := a.connect(ctx, c, toLook)
			if err != nil {
				return nil, nil, fmt.Errorf("%s", sentence(err))
			}
			return cl, cl.Close, nil
		},
		VaultClocks: func(ctx context.Context) ([]doctor.VaultClock, error) { return vaultClocks(ctx, c) }}
}

// vaultClocks asks the servers of vaults that lie elsewhere what time it is.
func vaultClocks(ctx context.Context, c *config.Config) (out []doctor.VaultClock, err error) {
	r, _, err := registry.Read(vfs.OS, c.Data)
	if err != nil {
		return nil, errors.New(sentence(err))
	}
	for _, e := range r.Vaults {
		ctx, cancel := context.WithTimeout(ctx, c.Doctor.Lookup)
		now, is, err := askTime(ctx, e)
		cancel()
		if err != nil {
			err = errors.New(sentence(err))
		}
		if is {
			out = append(out, doctor.VaultClock{Vault: e.Name, Now: now, Err: err})
		}
	}
	return out, nil
}

// askTime asks the server of a vault what time it is; is is false where there is none.
func askTime(ctx context.Context, e registry.Entry) (now time.Time, is bool, err error) {
	if inDirectory(e.Kind) {
		return now, false, nil
	}
	p, err := openPlace(e, false, slog.New(slog.DiscardHandler))
	if err != nil {
		return now, true, err
	}
	defer p.Close()
	now, err = p.Now(ctx)
	return now, true, err
}

func (a *app) doctor(ctx context.Context, c *config.Config, full bool, resolver string) error {
	o := a.doctorOptions(c)
	o.Octets, o.Resolver = full, resolver
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
		a.printf("%s %-15s  %s\n", words[c.Result], c.Name, c.Detail)
		if c.Consequence != "" && c.Result != doctor.Skipped {
			a.printf("%26s%s\n", "", c.Consequence)
		}
		if c.Fix != "" {
			a.printf("%26s→ %s\n", "", c.Fix)
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
