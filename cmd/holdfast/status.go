package main

import (
	"context"

	"holdfast/internal/control"
	"holdfast/internal/relay"

	"github.com/spf13/cobra"
)

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Tell how the service fares",
		Long: `Tell how the service fares.

The exit status is 0 if the service runs and is ready, 1 if it runs and is not ready, and 4 if it does not run; what is
known of its data is printed all the same. A check that says WARN keeps nothing from working: as where one accident would take all copies.`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd, toLook, func(ctx context.Context, cl *control.Client) error {
				s, err := cl.Status(ctx)
				if err != nil {
					return err
				}
				if a.json {
					err = a.printJSON("status", s)
				} else {
					a.showStatus(s)
				}
				switch {
				case err != nil:
					return err
				case !s.Running:
					return &exitError{code: exitBusy}
				case !s.Ready:
					return &exitError{code: exitNegative}
				}
				return nil
			})
		},
	}
}

func (a *app) showStatus(s control.Status) {
	if s.Running {
		a.printf("Holdfast %s runs at %s since %s (process %d)\n", s.Version, s.URL, day(*s.Since), s.PID)
	} else {
		a.printf("Holdfast does not run; `holdfast serve` starts it\n")
	}
	a.printf("  store         %s, %s, %s, %s\n", s.Store, s.Engine, octets(s.Octets), count(s.Accounts, "account"))
	verdict := ""
	if s.Verdict != "" && s.Verdict != relay.VerdictOK {
		verdict = s.Verdict + ": "
	}
	a.printf("  copies        %s%s\n", verdict, s.Why)
	if s.KeyNag != "" {
		a.printf("  recovery key  %s\n", s.KeyNag)
	}
	a.showRetention(s.Retention)
	if p := s.Photos; p != nil && (p.Photos > 0 || p.Waiting > 0) {
		a.printf("  photos        %s\n", p.String())
	}
	if s.Refused > 0 {
		a.printf("  refused       %s that devices sent in vain, kept for a while: holdfast salvage EMAIL --refused --dry-run\n", count(int64(s.Refused), "change"))
	}
	if s.Arriving.Uploads > 0 {
		a.printf("  arriving      %s in %s, %s\n", count(int64(s.Arriving.Uploads), "file"), count(int64(s.Arriving.Chunks), "chunk"), octets(s.Arriving.Octets))
	}
	if r := s.Returning; r.Files > 0 {
		a.printf("  coming back   %s, %s: a vault is read for them until they are copied back%s\n", count(r.Files, "large file"), octets(r.Octets), inBrackets(inTable(r.Trouble)))
	}
	if s.Ghosts > 0 {
		a.printf("  known lost    %s: listed to the devices that may have them; `holdfast export` names them\n", count(s.Ghosts, "item"))
	}
	if s.Running {
		a.printf("  acknowledged  %s since the start\n", count(s.Acknowledged, "commit"))
	}
	for _, c := range s.Checks {
		word := "ok  "
		if !c.OK {
			word = "FAIL"
		}
		if c.Warning {
			word = "WARN"
		}
		a.printf("  %s  %-12s %s (since %s)\n", word, c.Name, c.Detail, day(c.Since))
	}
}

// showRetention says what keeps the living store from letting old octets go, and since when.
func (a *app) showRetention(r *control.Retention) {
	if r == nil {
		return
	}
	for _, h := range r.Held {
		a.printf("  pruning       held up since %s: %s (looked at %s)\n", day(h.Since), inTable(h.Why), day(r.At))
	}
	if r.Unproven > 0 {
		a.printf("  pruning       %s wait: the vaults were not yet proven without what is old there (looked at %s); see holdfast drill list\n", count(r.Unproven, "account"), day(r.At))
	}
}

// inBrackets puts what is not empty behind a sentence.
func inBrackets(what string) string {
	if what == "" {
		return ""
	}
	return " (" + what + ")"
}
