package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"holdfast/internal/control"
	"holdfast/internal/transfer"

	"github.com/spf13/cobra"
)

func (a *app) importCommand() *cobra.Command {
	q := control.ImportRequest{}
	c := &cobra.Command{
		Use:   "import EMAIL [--into PATH] FILE...",
		Short: "Take contacts in from vCard files",
		Long: `Take contacts in from vCard files, as phones and other programs export them. A file may hold many contacts; a
directory stands for the .vcf files in it, "-" for standard input.

What other programs get wrong is mended and reported: a missing UID, version 2.1, broken lines. What cannot be stored is
reported and left out. A contact that is there already (same UID, same octets) is not stored twice, so an import that was
interrupted is simply run again. One that is there in another version is refused, unless --replace says otherwise;
the version that was there stays in history.

The exit status is 1 if a contact was refused.`,
		Example: `  holdfast import alice@example.org --into addressbooks/default contacts.vcf
  holdfast import alice@example.org --dry-run backup/*.vcf`,
		Args: account(cobra.MinimumNArgs(2)),
		RunE: func(cmd *cobra.Command, list []string) error {
			q.Account = list[0]
			files, err := vcardFiles(list[1:])
			if err != nil {
				return usage(cmd, err)
			}
			return a.with(cmd, toUse, func(ctx context.Context, cl *control.Client) error { return a.importFiles(ctx, cl, q, files) })
		},
	}
	c.Flags().StringVar(&q.Into, "into", "addressbooks/default", "`PATH` of the address book in the account's tree")
	c.Flags().BoolVar(&q.DryRun, "dry-run", false, "say what would happen, store nothing")
	c.Flags().BoolVar(&q.Replace, "replace", false, "replace a contact that is there in another version")
	return c
}

// vcardFiles checks that every file can be opened before the first is touched, and lists directories.
func vcardFiles(names []string) ([]string, error) {
	var out []string
	for _, n := range names {
		if n == "-" {
			out = append(out, n)
			continue
		}
		st, err := os.Stat(n)
		if err != nil {
			return nil, err
		}
		if !st.IsDir() {
			out = append(out, n)
			continue
		}
		list, err := os.ReadDir(n)
		if err != nil {
			return nil, err
		}
		before := len(out)
		for _, e := range list {
			if ext := strings.ToLower(filepath.Ext(e.Name())); !e.IsDir() && (ext == ".vcf" || ext == ".vcard") {
				out = append(out, filepath.Join(n, e.Name()))
			}
		}
		if len(out) == before {
			return nil, errors.New(n + " holds no .vcf files")
		}
	}
	if i := slices.Index(out, "-"); i >= 0 && slices.Contains(out[i+1:], "-") {
		return nil, errors.New("standard input can be read only once")
	}
	return out, nil
}

// importReport is what an import prints.
type importReport struct {
	Account string `json:"account"`
	Into    string `json:"into"`
	DryRun  bool   `json:"dry_run"`
	Files   int    `json:"files"`
	Cards   int    `json:"cards"`
	// Accepted are those that are in the account now: created, already there, or replaced.
	Accepted int                   `json:"accepted"`
	Created  int                   `json:"created"`
	Already  int                   `json:"already"`
	Replaced int                   `json:"replaced"`
	Octets   int64                 `json:"octets"`
	Mended   []transfer.Mended     `json:"mended"`
	Refused  []transfer.RefusedOne `json:"refused"`
}

func (a *app) importFiles(ctx context.Context, cl *control.Client, q control.ImportRequest, files []string) error {
	r := importReport{Account: q.Account, Into: q.Into, DryRun: q.DryRun, Files: len(files), Mended: []transfer.Mended{}, Refused: []transfer.RefusedOne{}}
	bar := a.progress("contacts", total(files))
	defer bar.end()
	var sum transfer.Totals
	for _, name := range files {
		in := a.stdin
		if name != "-" {
			f, err := os.Open(name)
			if err != nil {
				return &exitError{exitNegative, oneLine(err)}
			}
			defer f.Close()
			in = f
		}
		q.File = name
		err := cl.Import(ctx, q, io.NopCloser(in), func(e control.ImportEvent) {
			switch {
			case e.Mended != nil:
				r.Mended = append(r.Mended, *e.Mended)
			case e.Refused != nil:
				r.Refused = append(r.Refused, *e.Refused)
			case e.Progress != nil:
				bar.at(sum.Cards+e.Progress.Cards, sum.Octets+e.Progress.Octets)
			case e.Done != nil:
				sum.Add(*e.Done)
			}
		})
		if errors.Is(err, context.Canceled) {
			return &exitError{exitBusy, "interrupted; what was stored stays, run it again to go on"}
		}
		if err != nil {
			return err
		}
	}
	bar.end()
	r.Cards, r.Accepted, r.Created, r.Already, r.Replaced, r.Octets = sum.Cards, sum.Accepted, sum.Created, sum.Already, sum.Replaced, sum.Octets
	if err := a.showImport(r); err != nil {
		return err
	}
	if len(r.Refused) > 0 {
		return &exitError{code: exitNegative}
	}
	return nil
}

// total is how many octets the files have; 0 where that is not known.
func total(files []string) (sum int64) {
	for _, n := range files {
		st, err := os.Stat(n)
		if err != nil || !st.Mode().IsRegular() {
			return 0
		}
		sum += st.Size()
	}
	return sum
}

// shown is how many lines a report shows to a person; --json has them all.
const shown = 50

// spot says where in a file something stands, as far as that is known.
func spot(file string, card, line int) string {
	if card > 0 {
		file += fmt.Sprintf(", contact %d", card)
	}
	if line > 0 {
		file += fmt.Sprintf(" (line %d)", line)
	}
	return file
}

func (a *app) showImport(r importReport) error {
	if a.json {
		return a.printJSON("import", r)
	}
	for i, m := range r.Mended {
		if i == shown {
			a.printf("mended   … and %d more; --json lists them all\n", len(r.Mended)-shown)
			break
		}
		a.printf("mended   %s: %s\n", spot(m.File, m.Card, m.Line), m.What)
	}
	for i, x := range r.Refused {
		if i == shown {
			a.printf("refused  … and %d more; --json lists them all\n", len(r.Refused)-shown)
			break
		}
		a.printf("refused  %s: %s (%s)\n", spot(x.File, x.Card, x.Line), x.Why, x.Precondition)
	}
	verb := "Imported"
	if r.DryRun {
		verb = "Would import"
	}
	a.printf("%s %s into %s of %s: %d new, %d there already, %d replaced; %d mended, %d refused.\n", verb, count(int64(r.Accepted), "contact"), r.Into, r.Account,
		r.Created, r.Already, r.Replaced, len(r.Mended), len(r.Refused))
	return nil
}
