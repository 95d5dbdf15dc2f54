package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"holdfast/internal/control"
	"holdfast/internal/drill"

	"github.com/spf13/cobra"
)

func (a *app) drillCommand() *cobra.Command {
	c := group(&cobra.Command{
		Use:   "drill",
		Short: "Prove that a vault restores",
		Long: `A backup counts when it was restored. A drill rebuilds accounts out of one vault alone, into an empty store that is thrown away, and
compares them with the living service: the same history, the same items, the same octets. The service does this by itself, a few
minutes after the first data and then every day: all of a small store, of a large one a sample that proves every account within
30 days. It goes on meanwhile, and a drill yields to people.`,
		Example: `  holdfast drill run
  holdfast drill run --key recovery.txt
  holdfast drill list`,
	})
	c.AddCommand(a.drillRun(), a.drillList(), a.drillShow())
	return c
}

func (a *app) drillRun() *cobra.Command {
	var q control.DrillRequest
	var key string
	c := &cobra.Command{
		Use:   "run",
		Short: "Run a drill now",
		Long: `Run a drill now, of the vault whose last proof is oldest, or of the one that --vault names. With --key the recovery key is used and nothing
else, as after a fire: it proves that the key that you hold rebuilds the service.

The exit status is 0 if it passed, 1 if something is missing or different, and 5 if that could not be found out, or something
damaged was met.`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if key != "" {
				if _, err := readRecovery(key); err != nil {
					return err
				}
				b, err := os.ReadFile(key)
				if err != nil {
					return err
				}
				q.Key = string(b)
			}
			return a.runDrill(cmd, q)
		},
	}
	c.Flags().StringVar(&q.Account, "account", "", "only this account (`EMAIL` or id)")
	c.Flags().StringVar(&q.Vault, "vault", "", "restore from this vault, by its `NAME`")
	c.Flags().BoolVar(&q.All, "all", false, "all accounts, however many there are")
	c.Flags().StringVar(&key, "key", "", "use the recovery key in `FILE`, and nothing else")
	return c
}

func (a *app) runDrill(cmd *cobra.Command, q control.DrillRequest) error {
	return a.with(cmd, toLook, func(ctx context.Context, cl *control.Client) error {
		bar := a.progress("changes", 0)
		defer bar.end()
		res, err := cl.RunDrill(ctx, q, func(p control.DrillProgress) {
			if p.Octets > 0 {
				bar.where = ", and " + octets(p.Octets) + " of large files"
			}
			bar.at(int(p.Changes), p.Changes)
		})
		bar.end()
		if errors.Is(err, context.Canceled) {
			return &exitError{exitBusy, "interrupted; nothing was changed, and nothing is proven"}
		}
		if err != nil {
			return err
		}
		return a.showDrill(&res)
	})
}

// showDrill prints a result, and returns the exit status that it means.
func (a *app) showDrill(r *drill.Result) error {
	if a.json {
		if err := a.printJSON("drill", r); err != nil {
			return err
		}
		return drillStatus(r)
	}
	a.printf("%s  drill %s\n", strings.ToUpper(string(r.Result)), r.ID)
	a.printf("  from      the vault %s, with the %s key alone, as of %s\n", inTable(r.Vault), r.KeyUsed, day(r.At))
	if r.Sample.Of == 0 && len(r.Reasons) > 0 { // it came to nothing: figures would say less than none
		return a.showReasons(r)
	}
	a.printf("  accounts  %s compared (%s)\n", count(int64(r.Accounts), "account"), r.Sample)
	a.printf("  changes   %d of %d restored, in %.1f s\n", r.Changes.Restored, r.Changes.Expected, r.Seconds)
	a.printf("  digests   %d equal, %d different\n", r.Digests.Equal, len(r.Digests.Different))
	a.printf("  octets    %s in %d bodies and large files hashed again, in the store and out of the vault\n", octets(r.Blobs.Octets), r.Blobs.Rehashed)
	if b := r.Blobs; b.Files > 0 {
		a.printf("            %s are named; the octets of %d were read out of the vault\n", count(b.Files, "large file"), b.Read)
	}
	if b := r.Blobs; b.Returning > 0 {
		a.printf("            %d of them the store lacks still, as it was just restored\n", b.Returning)
	}
	if n := r.Blobs.Ghosts; n > 0 {
		a.printf("            %s without octets on both sides: they were lost before\n", count(n, "item"))
	}
	if r.Blobs.Pruned > 0 {
		a.printf("            %d more were replaced or deleted before retention, and let go of\n", r.Blobs.Pruned)
	}
	return a.showReasons(r)
}

// showReasons prints why a drill did not pass, and returns the exit status that it means.
func (a *app) showReasons(r *drill.Result) error {
	for _, why := range r.Reasons {
		a.printf("  because   %s\n", inTable(why))
	}
	if r.Result == drill.Pass {
		return nil
	}
	a.say("Nothing is proven by this. `holdfast vault status` tells whether the vault can be reached, `holdfast vault verify %s` looks at all of the vault, `holdfast vault repair %s` makes it whole again; `holdfast scrub` looks at the living store.\n", r.Vault, r.Vault)
	return drillStatus(r)
}

func drillStatus(r *drill.Result) error {
	switch r.Result {
	case drill.Pass:
		return nil
	case drill.Fail:
		return &exitError{code: exitNegative}
	}
	return &exitError{code: exitInconclusive}
}

func (a *app) drillList() *cobra.Command {
	var limit int
	c := &cobra.Command{
		Use:   "list",
		Short: "List drills, newest first",
		Args:  args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd, toLook, func(ctx context.Context, cl *control.Client) error {
				list, err := cl.Drills(ctx, limit)
				if err != nil {
					return err
				}
				if a.json {
					return a.printJSON("drill.list", map[string]any{"drills": list})
				}
				if len(list) == 0 {
					a.say("There was no drill yet. `holdfast drill run` runs one.\n")
					return nil
				}
				var rows [][]string
				for i := range list {
					r := &list[i]
					rows = append(rows, []string{r.ID, day(r.Started), string(r.Result), r.Vault, r.KeyUsed, fmt.Sprint(r.Accounts), fmt.Sprintf("%d/%d", r.Changes.Restored, r.Changes.Expected)})
				}
				return a.table("DRILL STARTED RESULT VAULT KEY ACCOUNTS CHANGES", rows)
			})
		},
	}
	c.Flags().IntVar(&limit, "limit", 30, "at most so many")
	return c
}

func (a *app) drillShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Show what came of a drill; the exit status is that of the drill",
		Args:  args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, list []string) error {
			return a.with(cmd, toLook, func(ctx context.Context, cl *control.Client) error {
				r, err := cl.Drill(ctx, list[0])
				if err != nil {
					return err
				}
				return a.showDrill(&r)
			})
		},
	}
}
