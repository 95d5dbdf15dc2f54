package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"holdfast/internal/clock"
	"holdfast/internal/rehearse"
	"holdfast/internal/vfs"

	"github.com/spf13/cobra"
)

func (a *app) rehearseCommand() *cobra.Command {
	c := group(&cobra.Command{
		Use:   "rehearse",
		Short: "Lose a whole service on purpose, and get it back",
		Long: `Lose a whole service on purpose, with throw-away data and simulated phones, and get it back. Your own data is never touched: everything
happens in a directory of its own, with servers on this machine that are ended again.`,
		Example: "  holdfast rehearse sidekick",
	})
	c.AddCommand(a.rehearseSidekick())
	return c
}

type rehearseFlags struct {
	accounts, devices int
	seed              uint64
	work              time.Duration
	out, fault        string
	withoutVault      bool
}

func (a *app) rehearseSidekick() *cobra.Command {
	pace := rehearse.DefaultPace()
	f := rehearseFlags{accounts: 20, devices: 40, work: pace.Before}
	c := &cobra.Command{
		Use:   "sidekick [--without-vault] [--fault FAULT]",
		Short: "What happened in October 2009, with this program",
		Long: `In October 2009 work on the storage of the Sidekick phones' service destroyed its database. There was no second copy; people were told
to reset their phones, and what these held was gone as well.

This does it again, with this program: people work on simulated phones, the storage is destroyed half-way, half of the phones are reset, and the
service comes back out of its vault by the documented steps. While phones work, a book of every acknowledged change is written apart from the
service. In the end each of them is looked for.

--without-vault is the control: the same without a second copy, as in 2009. It is to lose what was acknowledged.
--fault has something else go wrong:
    power-cut      the service is killed in the midst of work, again and again, and started again
    stale-restore  an older copy of the data directory is put over it, while the vault's disk is not there yet
    half-a-vault   the engine is destroyed, and half of the files of one of two vaults

It takes about a minute, on loopback alone. DIR holds a page about it afterwards, report.html, and what the page rests on, book.jsonl; data
directory, vault and log too where --out was said, or something was lost.

The exit status is 0 if every acknowledged change is there and no phone was emptied, 1 if not, 5 if that is not certain, 3 if DIR holds
something, 4 if it was interrupted or could not be carried out.`,
		Example: `  holdfast rehearse sidekick
  holdfast rehearse sidekick --without-vault
  holdfast rehearse sidekick --accounts 5 --devices 10 --seed 2009 --out ./rehearsal`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case f.accounts < 1 || f.devices < f.accounts || f.devices > 1000:
				return usage(cmd, errors.New("--accounts is at least 1, --devices no less than --accounts, and 1000 at the most"))
			case f.work < time.Second || f.work > rehearse.LongestWork:
				return usage(cmd, fmt.Errorf("--work is from 1s to %v", rehearse.LongestWork))
			case f.withoutVault && f.fault != "":
				return usage(cmd, errors.New("--without-vault and --fault are different rehearsals: say one"))
			case f.fault != "" && !slices.Contains(rehearse.Faults(), rehearse.Fault(f.fault)):
				return usage(cmd, fmt.Errorf("--fault %q is not known; known are %s", f.fault, faultList()))
			}
			pace.Before, pace.After = f.work, f.work
			return a.rehearse(cmd.Context(), f, pace)
		},
	}
	l := c.Flags()
	l.IntVar(&f.accounts, "accounts", f.accounts, "people")
	l.IntVar(&f.devices, "devices", f.devices, "phones and programs of all of them")
	l.Uint64Var(&f.seed, "seed", 0, "repeat what people did in the rehearsal with this seed; 0: something new")
	l.DurationVar(&f.work, "work", f.work, "how long people work before the disaster, and again after it")
	l.StringVar(&f.out, "out", "", "a new `DIR` that keeps everything (default: ./holdfast-rehearsal-TIME, which keeps the report)")
	l.BoolVar(&f.withoutVault, "without-vault", false, "the control: no second copy, as in 2009")
	l.StringVar(&f.fault, "fault", "", "what goes wrong instead: "+faultList())
	return c
}

func faultList() string {
	var out []string
	for _, f := range rehearse.Faults() {
		out = append(out, string(f))
	}
	return strings.Join(out, ", ")
}

func (a *app) rehearse(ctx context.Context, f rehearseFlags, pace rehearse.Pace) error {
	dir, err := rehearsalDir(f.out)
	if err != nil {
		return err
	}
	bin, err := os.Executable()
	if err != nil {
		return fmt.Errorf("rehearse: this program's own file is not known: %w", err)
	}
	if f.seed == 0 {
		f.seed = uint64(clock.System.Now().UnixNano())
	}
	o := rehearse.Options{Bin: bin, Dir: dir, Accounts: f.accounts, Devices: f.devices, Seed: f.seed, NoVault: f.withoutVault, Fault: rehearse.Fault(f.fault), Pace: pace,
		Volatile: vfs.Volatile(dir), Environ: a.environ}
	bar := a.progress("changes acknowledged", noOctets)
	o.Progress = func(p rehearse.Progress) {
		bar.where = fmt.Sprintf(", %d syncs", p.Syncs)
		bar.at(p.Acknowledged, p.Syncs)
	}
	o.Tell = func(m rehearse.Moment) {
		bar.end()
		a.say("  %s  %6.1f s  %s\n", m.Time.Local().Format("15:04:05"), m.Seconds, m.Text)
		bar = a.progress("changes acknowledged", noOctets)
	}
	a.say("A rehearsal with %s and %s in %s (seed %d)\n", count(int64(f.accounts), "account"), count(int64(f.devices), "phone"), dir, f.seed)
	rep, err := rehearse.Run(ctx, o)
	bar.end()
	if ctx.Err() != nil { // nothing is left
		if err := os.RemoveAll(dir); err != nil {
			return &exitError{exitBusy, "interrupted; " + dir + " cannot be removed: " + oneLine(err)}
		}
		return &exitError{exitBusy, "interrupted; nothing is proven, and nothing is left"}
	}
	if err != nil {
		return &exitError{exitBusy, fmt.Sprintf("the rehearsal could not be carried out: %s. What there is lies in %s", sentence(err), dir)}
	}
	return a.rehearsed(rep, dir, f)
}

// rehearsalDir is a directory that is new, or empty.
func rehearsalDir(out string) (string, error) {
	if out == "" {
		out = "holdfast-rehearsal-" + clock.System.Now().Format("20060102-150405")
	}
	list, err := os.ReadDir(out)
	switch {
	case err == nil && len(list) > 0:
		return "", refused("%s holds something (%s): a rehearsal takes a new directory; choose another one with --out", out, list[0].Name())
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", refused("%s: %v", out, err)
	}
	if err := os.MkdirAll(out, 0o700); err != nil {
		return "", refused("the directory of the rehearsal cannot be made: %v", err)
	}
	return absolute(out), nil
}

// rehearsed says what came of it.
func (a *app) rehearsed(r *rehearse.Report, dir string, f rehearseFlags) error {
	good := r.Good() && r.Certain()
	if f.out != "" || !good {
		r.Kept = dir
	}
	if err := r.WritePage(dir); err != nil {
		return err
	}
	if r.Kept == "" {
		if err := r.Tidy(dir); err != nil {
			return err
		}
	}
	if a.json {
		if err := a.printJSON("rehearse", r); err != nil {
			return err
		}
	} else {
		a.showRehearsal(r)
	}
	switch {
	case !r.Good():
		return &exitError{code: exitNegative}
	case !good:
		return &exitError{code: exitInconclusive}
	}
	return nil
}

func (a *app) showRehearsal(r *rehearse.Report) {
	see := ""
	if r.File != "" {
		see = "   see " + near(r.File)
	}
	a.printf("acknowledged %d   lost %d   phones emptied %d%s\n", r.Acknowledged, r.Lost, r.PhonesEmptied, see)
	if r.Lost > 0 {
		a.showLosses(r)
	}
	for _, p := range r.Phones {
		if p.Emptied > 0 {
			a.printf("  emptied: %s held %d items; %d vanished from it that nobody had deleted\n", p.Name, p.Before, p.Deleted)
		}
	}
	for _, u := range r.Unclear {
		a.printf("  not certain: %s\n", u)
	}
	a.printf("%s\n", r.Verdict())
	if r.Kept != "" {
		a.say("Data, vault, book and log are kept in %s\n", near(r.Kept))
	}
}

// showLosses says who lost what: by account, and the first of each by name and number.
func (a *app) showLosses(r *rehearse.Report) {
	a.printf("  of the lost, %d were the newest of their items, and phones still hold %d\n", r.LostNewest, r.LostStillOn)
	for _, p := range r.People {
		if p.Lost == 0 {
			continue
		}
		a.printf("  %s lost %d of %d", p.Login, p.Lost, p.Acknowledged)
		said := 0
		for _, l := range r.Losses {
			if l.Account == p.Login && l.Newest && l.Op == "put" && said < 3 {
				a.printf("%s %q (%d)", map[bool]string{true: ":", false: ","}[said == 0], l.Name, l.Seq)
				said++
			}
		}
		a.printf("\n")
	}
}

// near says a path from here, where that is shorter.
func near(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(here, path); err == nil && len(rel) < len(path) {
		return rel
	}
	return path
}
