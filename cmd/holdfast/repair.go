package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"holdfast"
	"holdfast/internal/config"
	"holdfast/internal/control"
	"holdfast/internal/core"
	"holdfast/internal/registry"
	"holdfast/internal/restore"
	"holdfast/internal/vault"
	"holdfast/internal/vfs"

	"github.com/spf13/cobra"
)

func (a *app) repairCommand() *cobra.Command {
	var q control.RepairRequest
	c := &cobra.Command{
		Use:   "repair --from VAULT",
		Short: "Bring into the living service what it lacks and a vault has",
		Long: `Compare the service with a vault, and put again what is missing in it or damaged: what it never had, as after a restore out of
a damaged vault, and what its disk has spoiled. The vault is read below its newest term too: what was given up when a lossy restore was
adopted still lies there. What people have changed or deleted stays as they left it, and so does what a restore as of a moment left out;
the service goes on meanwhile, and phones take up what comes like any other change. What the vault only names, as a ledger does, is
listed to the devices that may have it, so that they keep it.

VAULT is the name of one of the store's vaults, a vault's directory, or the URL of a remote one; the server's own key must open it.

The exit status is 0 if nothing is wrong (any more), and 1 if something is left that could not be mended, or would be with --dry-run.`,
		Example: `  holdfast repair --from attic --dry-run
  holdfast repair --from /mnt/usb/holdfast-vault --account alice@example.org --collection addressbooks/default`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case q.From == "":
				return usage(cmd, errors.New("say out of which vault: --from"))
			case q.Collection != "" && q.Account == "":
				return usage(cmd, errors.New("--collection is of one account: say which with --account"))
			}
			return a.repair(cmd, q)
		},
	}
	c.Flags().StringVar(&q.From, "from", "", "the `VAULT` to read")
	c.Flags().StringVar(&q.Account, "account", "", "only this account (`EMAIL` or id)")
	c.Flags().StringVar(&q.Collection, "collection", "", "of this account, only this `PATH`, like addressbooks/default")
	c.Flags().BoolVar(&q.DryRun, "dry-run", false, "say what is wrong, change nothing")
	return c
}

func (a *app) repair(cmd *cobra.Command, q control.RepairRequest) error {
	if _, err := os.Stat(q.From); err == nil { // the server may run elsewhere
		q.From = absolute(q.From)
	}
	return a.with(cmd, toUse, func(ctx context.Context, cl *control.Client) error {
		found := []control.Repaired{}
		shown, stuck := lines{a: a}, lines{a: a}
		rep, err := cl.Repair(ctx, q, func(x control.Repaired) {
			switch {
			case a.json:
				found = append(found, x)
			case x.Why != "": // what is left is not hidden behind what is well
				stuck.print(describeRepaired(x))
			default:
				shown.print(describeRepaired(x))
			}
		})
		shown.end("more like these")
		stuck.end("more that could not be mended")
		if errors.Is(err, context.Canceled) {
			return interrupted(q.DryRun, "mended")
		}
		if err != nil {
			return err
		}
		if a.json {
			err = a.printJSON("repair", struct {
				control.RepairReport
				Found []control.Repaired `json:"found"`
			}{rep, found})
		} else {
			for _, u := range rep.Unread {
				a.say("not readable in the vault: %s\n", u)
			}
			a.printf("%s compared of %s: %d missing, %d damaged, %d mended, %d left.\n", count(rep.Items, "item"), count(rep.Accounts, "account"), rep.Missing, rep.Damaged, rep.Mended, rep.Left)
		}
		if err == nil && (rep.Left > 0 || q.DryRun && rep.Missing+rep.Damaged > 0) {
			err = &exitError{code: exitNegative}
		}
		return err
	})
}

// maxLines bounds the lines of one kind that a command prints.
const maxLines = 50

// lines prints lines up to a bound, and counts the rest.
type lines struct {
	a *app
	n int64
}

func (l *lines) print(text string) {
	if l.n++; l.n <= maxLines {
		l.a.printf("%s\n", text)
	}
}

// end says how many there were beside those that were printed.
func (l *lines) end(what string) {
	if l.n > maxLines {
		l.a.printf("... and %d %s; --json names all of them\n", l.n-maxLines, what)
	}
}

func describeRepaired(x control.Repaired) string {
	where := strings.Trim(x.Collection+"/"+x.Name, "/")
	if where == "" {
		where = "the account"
	}
	out := fmt.Sprintf("%s: %s  %s", x.What, x.Account, inTable(where))
	switch {
	case x.Why != "":
		out += "  NOT MENDED: " + inTable(x.Why)
	case x.Done && x.Ghost:
		out += "  known to be lost, and listed to the devices that may have it"
	case x.Done:
		out += "  mended"
	}
	return out
}

// repairSpoolName is where a repair sorts on the way; in the clear.
const repairSpoolName = "repair-spool"

// repairer returns what repairs an opened store.
func (o *opened) repairer(c *config.Config, log *slog.Logger, explain func(context.Context, core.Doubt) (control.Cause, error)) func(context.Context, control.RepairRequest, func(control.Repaired)) (control.RepairReport, error) {
	return func(ctx context.Context, q control.RepairRequest, fn func(control.Repaired)) (out control.RepairReport, err error) {
		opts := restore.RepairOptions{Core: o.core, Engine: o.engine, Blobs: o.blobs, Derive: core.DeriveBy(judges(c)), Collection: q.Collection, DryRun: q.DryRun, Log: log,
			Found: func(m restore.Mended) {
				fn(control.Repaired{Account: m.Account, Collection: m.Collection, Name: m.Name, Kind: m.Kind, ETag: m.ETag.String(), What: m.What, Done: m.Done, Why: m.Why, Ghost: m.Ghost})
			}}
		if q.Account != "" {
			if opts.Account, err = holdfast.ParseID(q.Account); err != nil {
				who, err := o.core.Account(ctx, q.Account)
				if err != nil {
					return out, err
				}
				opts.Account = who.ID
			}
		}
		v, err := o.keeper.openNamed(ctx, q.From)
		if err != nil {
			return out, err
		}
		defer v.Close()
		opts.Vaults = []*vault.Vault{v}
		opts.Spool = filepath.Join(c.Data, repairSpoolName)
		if err := os.RemoveAll(opts.Spool); err != nil { // of one that was cut
			return out, err
		}
		defer os.RemoveAll(opts.Spool)
		rep, err := restore.Repair(ctx, opts)
		out = control.RepairReport{Vault: q.From, Accounts: int64(rep.Accounts), Items: rep.Items, Missing: rep.Missing, Damaged: rep.Damaged, Mended: rep.Mended, Left: rep.Left, Unread: []string{}}
		for _, d := range rep.Damage {
			out.Unread = append(out.Unread, d.Object+": "+d.What)
		}
		if err == nil && !q.DryRun {
			if err := o.accountFor(ctx, explain); err != nil {
				log.Warn("whether accounts that wait are whole now could not be looked; they wait on", "err", err)
			}
		}
		return out, err
	}
}

// openNamed opens a vault to read it with the server's key: one of the list by its name, or a place.
func (k *keeper) openNamed(ctx context.Context, from string) (*vault.Vault, error) {
	if e := k.vaults().Find(from); e != nil {
		return k.open(ctx, *e)
	}
	e := registry.Entry{Name: from, Kind: kindDir, Location: from}
	if inBucket(from) {
		key, err := readBucketKey("")
		if err != nil {
			return nil, keyTrouble(holdfast.Invalid, "%s", sentence(err))
		}
		e.Kind, e.Credential = kindS3, key.text
	} else if u, err := url.Parse(from); err == nil && (u.Scheme == "https" || u.Scheme == "http") {
		e.Kind = kindRemote
	} else if st, err := vfs.OS.Stat(from); err != nil || !st.IsDir() {
		return nil, keyTrouble(holdfast.NotFound, "there is no vault called %q, and no directory; `holdfast vault list` shows which are", from)
	}
	return openVault(ctx, e, k.options())
}
