package main

import (
	"archive/zip"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"holdfast/internal/control"
	"holdfast/internal/salvage"
	"holdfast/internal/transfer"

	"github.com/spf13/cobra"
)

func (a *app) salvageCommand() *cobra.Command {
	var q control.SalvageRequest
	var from []string
	c := &cobra.Command{
		Use:   "salvage EMAIL {--from FILE... | --refused}",
		Short: "Bring back what a phone still has and the account has not",
		Long: `Compare what a phone exported with everything that the account has and ever had, and add what it lacks. FILE is a .vcf or
.ics file, a zip file or a directory of them, or "-" for standard input.

  there already   all that the item says is there, whoever wrote it how
  older           an earlier version of what is there: left
  restored        nobody here had it: it is stored
  conflict copy   the account has another version: both are kept, and the name of the one that came says so
  deleted         somebody deleted it here: named, with when and by whom, and brought back only with --with-deleted
  refused         it cannot be stored: why, and its octets in a file beside the one it came from (.refused)

Nothing that is there is changed, overwritten or deleted, so the same again changes nothing more; if it is interrupted, run it
again. Look first, with --dry-run.

It works while the account waits because a phone has seen more than this store has (see holdfast incident). With
--device, that phone waits no more once nothing of its files was refused; name all of them at once, contacts and
calendars. It then lists what is here, and drops what is neither here nor in the files.

With --refused the same is done with what is kept of what devices sent and were refused, because another version was there,
there was no room, or it broke a rule: some devices drop such an edit. What is in the account then is kept there no more.
Nothing of it was ever acknowledged; it is kept for 30 days (refused.keep).

The exit status is 1 if something was refused, and 4 if it was interrupted.`,
		Example: `  holdfast salvage alice@example.org --from contacts.vcf --dry-run
  holdfast salvage alice@example.org --from contacts.vcf calendar.ics --device Pixel
  holdfast salvage alice@example.org --refused --dry-run`,
		Args: account(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, list []string) error {
			q.Account = list[0]
			if q.Refused {
				if len(from) > 0 || len(list) > 1 {
					return usage(cmd, errors.New("choose one, files or --refused"))
				}
				return a.with(cmd, toUse, func(ctx context.Context, cl *control.Client) error { return a.salvage(ctx, cl, q, nil) })
			}
			if len(from) == 0 {
				return usage(cmd, errors.New("name the files with --from, or say --refused"))
			}
			files, err := salvagedFiles(append(from, list[1:]...))
			if err != nil {
				return usage(cmd, err)
			}
			return a.with(cmd, toUse, func(ctx context.Context, cl *control.Client) error { return a.salvage(ctx, cl, q, files) })
		},
	}
	c.Flags().StringArrayVar(&from, "from", nil, "`FILE` that the phone exported; more may follow it")
	c.Flags().StringVar(&q.Into, "into", "", "`PATH` of the address book or calendar that takes it")
	c.Flags().StringVar(&q.Device, "device", "", "whose files they are: its name or its id")
	c.Flags().BoolVar(&q.WithDeleted, "with-deleted", false, "bring back what was deleted here, too")
	c.Flags().BoolVar(&q.Refused, "refused", false, "bring in what devices sent and were refused")
	c.Flags().BoolVar(&q.DryRun, "dry-run", false, "say what would happen, store nothing")
	return c
}

// salvagedFiles checks what is named, and lists directories with those in them.
func salvagedFiles(names []string) (out []string, err error) {
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
		before := len(out)
		err = filepath.WalkDir(n, func(p string, e fs.DirEntry, err error) error {
			if err == nil && e.Type().IsRegular() && (exported(p) || zipped(p)) {
				out = append(out, p)
			}
			return err
		})
		if err == nil && len(out) == before {
			err = fmt.Errorf("%s holds no .vcf and no .ics files", n)
		}
		if err != nil {
			return nil, err
		}
	}
	if i := slices.Index(out, "-"); i >= 0 && slices.Contains(out[i+1:], "-") {
		return nil, errors.New("standard input can be read only once")
	}
	return out, nil
}

// exported tells whether a name is that of a file of contacts or calendars.
func exported(name string) bool {
	return slices.Contains([]string{".vcf", ".vcard", ".ics", ".ical", ".ifb", ".vcs"}, strings.ToLower(path.Ext(name)))
}

func zipped(name string) bool { return strings.EqualFold(path.Ext(name), ".zip") }

// eachSalvaged opens one file after the other, those in a zip file too.
func (a *app) eachSalvaged(files []string, add func(string, io.Reader) error) error {
	for _, n := range files {
		var err error
		switch {
		case n == "-":
			err = add(n, a.stdin)
		case zipped(n):
			err = eachZipped(n, add)
		default:
			err = eachFile(n, add)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func eachFile(name string, add func(string, io.Reader) error) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return add(name, f)
}

func eachZipped(name string, add func(string, io.Reader) error) error {
	z, err := zip.OpenReader(name)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	defer z.Close()
	any := false
	for _, f := range z.File {
		if f.FileInfo().IsDir() || !exported(f.Name) {
			continue
		}
		any = true
		in, err := f.Open()
		if err == nil {
			err = add(name+"/"+f.Name, in)
			in.Close()
		}
		if err != nil {
			return fmt.Errorf("%s, %s: %w", name, f.Name, err)
		}
	}
	if !any {
		return fmt.Errorf("%s holds no .vcf and no .ics files", name)
	}
	return nil
}

// salvaged is what --json says of a salvage.
type salvaged struct {
	Account string         `json:"account"`
	DryRun  bool           `json:"dry_run"`
	Counts  salvage.Counts `json:"counts"`
	Device  string         `json:"device,omitempty"`
	// DeviceWaits tells whether the device that was named waits for what it has seen, after this.
	DeviceWaits bool            `json:"device_waits"`
	Lacks       string          `json:"lacks,omitempty"` // of what that device holds, or may, and the files do not have
	Already     []salvage.Item  `json:"already"`
	Older       []salvage.Item  `json:"older"`
	Restored    []salvage.Item  `json:"restored"`
	Offered     []salvage.Item  `json:"offered"`
	Conflict    []salvage.Item  `json:"conflict"`
	Refused     []salvage.Item  `json:"refused"`
	RefusedFile string          `json:"refused_file,omitempty"` // where the octets are of what was refused
	Notes       []transfer.Note `json:"notes"`
	// Sent is what devices sent and were refused, where that is what was asked for.
	Sent []control.SentInVain `json:"sent,omitempty"`
}

func (s *salvaged) list(r salvage.Result) *[]salvage.Item {
	return map[salvage.Result]*[]salvage.Item{salvage.Already: &s.Already, salvage.Older: &s.Older, salvage.Restored: &s.Restored,
		salvage.Offered: &s.Offered, salvage.Conflict: &s.Conflict, salvage.Refused: &s.Refused}[r]
}

func (a *app) salvage(ctx context.Context, cl *control.Client, q control.SalvageRequest, files []string) error {
	out := salvaged{Account: q.Account, DryRun: q.DryRun, Device: q.Device, Notes: []transfer.Note{}}
	for _, r := range []salvage.Result{salvage.Already, salvage.Older, salvage.Restored, salvage.Offered, salvage.Conflict, salvage.Refused} {
		*out.list(r) = []salvage.Item{}
	}
	keep := &refusedFile{dry: q.DryRun || q.Refused}
	if len(files) > 0 {
		keep.beside = files[0]
	}
	bar := a.progress("items", noOctets)
	defer bar.end()
	var end *control.SalvageDone
	err := cl.Salvage(ctx, q, func(add func(string, io.Reader) error) error { return a.eachSalvaged(files, add) }, func(e control.SalvageEvent) error {
		switch {
		case e.Octets != nil:
			return keep.write(e.Octets)
		case e.Item != nil:
			if l := out.list(e.Item.Result); l != nil {
				*l = append(*l, *e.Item)
			}
		case e.Sent != nil:
			out.Sent = append(out.Sent, *e.Sent)
		case e.Note != nil:
			out.Notes = append(out.Notes, *e.Note)
		case e.Progress != nil:
			bar.at(e.Progress.Items, 0)
		case e.Done != nil:
			end = e.Done
		}
		return nil
	})
	bar.end()
	if cerr := keep.close(); err == nil {
		err = cerr
	}
	switch {
	case errors.Is(err, context.Canceled):
		return interrupted(q.DryRun, "stored")
	case err != nil:
		return err
	}
	out.Counts, out.Device, out.DeviceWaits, out.Lacks, out.RefusedFile = end.Counts, end.Device, end.Held && !end.Ended, end.Lacks, keep.name()
	if q.Refused && len(out.Sent) == 0 && !a.json {
		a.say("Nothing is kept that devices of %s sent and were refused.\n", q.Account)
		return nil
	}
	if err := a.showSalvaged(&out, end); err != nil {
		return err
	}
	if len(out.Refused) > 0 {
		return &exitError{code: exitNegative}
	}
	return nil
}

// refusedFile keeps the octets of what could not be stored, so that nobody who deletes the export loses them. It is made when there are any.
type refusedFile struct {
	dry    bool
	beside string
	f      *os.File
}

func (k *refusedFile) write(b []byte) error {
	if k.dry {
		return nil
	}
	if k.f == nil {
		base := k.beside
		if base == "-" {
			base = "salvage"
		}
		for n := 1; ; n++ {
			name := base + ".refused"
			if n > 1 {
				name = fmt.Sprintf("%s.%d", name, n)
			}
			f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
			if errors.Is(err, fs.ErrExist) {
				continue
			}
			if err != nil {
				return fmt.Errorf("what is refused cannot be kept: %w", err)
			}
			k.f = f
			break
		}
	}
	_, err := k.f.Write(b)
	return err
}

func (k *refusedFile) close() error {
	if k.f == nil {
		return nil
	}
	return errors.Join(k.f.Sync(), k.f.Close())
}

func (k *refusedFile) name() string {
	if k.f == nil {
		return ""
	}
	return k.f.Name()
}

func (a *app) showSalvaged(s *salvaged, end *control.SalvageDone) error {
	if a.json {
		return a.printJSON("salvage", s)
	}
	for _, n := range s.Notes {
		a.printf("note      %s: %s\n", inTable(n.File), inTable(n.What))
	}
	a.salvagedLines("restored", s.Restored, func(i salvage.Item) string {
		if i.Edited {
			return i.Path + "; " + deletedBy(i) + ", and this says more"
		}
		return i.Path
	})
	a.salvagedLines("conflict", s.Conflict, func(i salvage.Item) string { return i.Path + ", beside " + i.Of })
	a.salvagedLines("deleted", s.Offered, func(i salvage.Item) string { return i.Path + ", " + deletedBy(i) })
	a.salvagedLines("refused", s.Refused, func(i salvage.Item) string {
		return spot(i.File, i.Kind, i.Item, i.Line) + ": " + i.Why + " (" + i.Precondition + ")"
	})
	was := ""
	if s.DryRun {
		was = "would be "
	}
	a.printf("%s: %d there already, %d older, %d %srestored, %d conflict copies, %d deleted, %d refused.\n", count(int64(s.Counts.Items), "item"), s.Counts.Already, s.Counts.Older,
		s.Counts.Restored, was, s.Counts.Conflict, s.Counts.Offered, s.Counts.Refused)
	if len(s.Offered) > 0 {
		a.printf("What was deleted here stays so; --with-deleted brings it back.\n")
	}
	a.sayKept(s)
	if s.RefusedFile != "" {
		a.printf("What was refused is kept in %s.\n", inTable(s.RefusedFile))
	}
	switch {
	case end.Ended:
		a.printf("%s waits no more: all that it had was taken, and it lists what is here.\n", inTable(s.Device))
	case end.Held && !s.DryRun && s.Counts.Refused > 0:
		a.printf("%s waits on, for what was refused: mend that and run this again, or dismiss it: holdfast incident dismiss %s --device %s\n", inTable(s.Device), s.Account, inTable(s.Device))
	case end.Lacks != "":
		a.printf("%s holds %s too, or may, and these files do not have that: it would drop what is not here. It waits on; export that as well and name all files at once, or dismiss it: holdfast incident dismiss %s --device %s\n",
			inTable(s.Device), end.Lacks, s.Account, inTable(s.Device))
	}
	return nil
}

func (a *app) salvagedLines(word string, items []salvage.Item, what func(salvage.Item) string) {
	for n, i := range items {
		if n == shown {
			a.printf("%-9s … and %d more; --json lists them all\n", word, len(items)-n)
			return
		}
		title := cmp.Or(i.Title, i.UID)
		if title != "" {
			title += ": "
		}
		a.printf("%-9s %s\n", word, inTable(title+what(i)))
	}
}

// deletedBy says when and by whom something was deleted.
func deletedBy(i salvage.Item) string {
	if i.Deleted == nil {
		return "deleted"
	}
	who := cmp.Or(i.By, "the operator")
	if i.Device != "" {
		who += " with " + i.Device
	}
	return "deleted on " + i.Deleted.Format(time.DateOnly) + " by " + who
}
