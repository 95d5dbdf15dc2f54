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
	q, far := control.ImportRequest{}, takeover{}
	c := &cobra.Command{
		Use:   "import EMAIL [--into PATH] FILE... | --from-dav URL --user NAME",
		Short: "Take contacts, events, to-dos and notes in, from files or from another server",
		Long: `Take in contacts from vCard files, and events, to-dos and notes from iCalendar files, as phones and other programs
export them. What a file holds, its content says. A file may hold many; a directory stands for the .vcf and .ics files in
it, "-" for standard input. Without --into, contacts go to addressbooks/default, events to calendars/default, to-dos to
calendars/tasks and notes to calendars/notes.

What other programs get wrong is mended and reported: a missing UID, version 2.1, broken lines. What cannot be stored is
reported and left out. What is there already (same UID, same octets) is not stored twice, so an import that was
interrupted is simply run again. What is there in another version is refused, unless --replace says otherwise;
the version that was there stays in history.

Directories in a directory are not looked into: name them, as in out/addressbooks/* out/calendars/* to take an unpacked
export back. What was in several calendars is then in one; import them one by one, with --into, to keep them apart.

With --from-dav, all address books, calendars and task lists of another server are copied: CardDAV and CalDAV, as
Nextcloud, Radicale, Baikal, SOGo and most others speak it. It is only read from. Names, colours and octets stay as they
are, and so do their names in paths. The password is asked for, or read from standard input; it goes to that host
alone, over TLS. Run it again to go on after an interruption, or to catch up with what was changed there since: what was
edited here meanwhile stays, what was deleted here comes again, what was deleted there stays. In the end every item is read
back and compared. Phones that were set up for Nextcloud then change its host alone, if their app passwords are taken over
too: see holdfast app-password add --password-stdin.

The exit status is 1 if an item was refused, or differs in the end, and 4 if it was interrupted or the server is not reached.`,
		Example: `  holdfast import alice@example.org contacts.vcf calendar.ics
  holdfast import alice@example.org --into calendars/default --dry-run backup/*.ics
  holdfast import alice@example.org --from-dav https://cloud.example.org --user alice`,
		Args: account(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, list []string) error {
			if err := far.check(cmd, list[1:]); err != nil {
				return usage(cmd, err)
			}
			if far.url != "" {
				return a.takeOver(cmd, far.request(list[0], &q))
			}
			q.Account = list[0]
			files, notes, err := importedFiles(list[1:])
			if err != nil {
				return usage(cmd, err)
			}
			return a.with(cmd, toUse, func(ctx context.Context, cl *control.Client) error { return a.importFiles(ctx, cl, q, files, notes) })
		},
	}
	c.Flags().StringVar(&q.Into, "into", "", "`PATH` of an address book or calendar in the account's tree")
	c.Flags().BoolVar(&q.DryRun, "dry-run", false, "say what would happen, store nothing")
	c.Flags().BoolVar(&q.Replace, "replace", false, "replace an item that is there in another version")
	far.flags(c.Flags())
	return c
}

// importedFiles checks that every file can be opened before the first is touched, and lists directories. What holds nothing is noted, unless nothing else does.
func importedFiles(names []string) (out []string, notes []transfer.Note, err error) {
	notes = []transfer.Note{}
	for _, n := range names {
		if n == "-" {
			out = append(out, n)
			continue
		}
		st, err := os.Stat(n)
		if err != nil {
			return nil, nil, err
		}
		if strings.EqualFold(filepath.Ext(n), ".zip") && !st.IsDir() {
			return nil, nil, errors.New(n + " is a zip file; unpack it, and name the directories in it")
		}
		if !st.IsDir() {
			out = append(out, n)
			continue
		}
		list, err := os.ReadDir(n)
		if err != nil {
			return nil, nil, err
		}
		before, deeper := len(out), false
		for _, e := range list {
			deeper = deeper || e.IsDir()
			if ext := strings.ToLower(filepath.Ext(e.Name())); !e.IsDir() && slices.Contains([]string{".vcf", ".vcard", ".ics", ".ical", ".ifb", ".vcs"}, ext) {
				out = append(out, filepath.Join(n, e.Name()))
			}
		}
		if len(out) == before {
			what := "holds no .vcf and no .ics files"
			if deeper {
				what += "; the directories in it are not looked into, so name them"
			}
			notes = append(notes, transfer.Note{File: n, What: what})
		}
	}
	if len(out) == 0 && len(notes) > 0 {
		return nil, nil, errors.New(notes[0].File + " " + notes[0].What)
	}
	if i := slices.Index(out, "-"); i >= 0 && slices.Contains(out[i+1:], "-") {
		return nil, nil, errors.New("standard input can be read only once")
	}
	return out, notes, nil
}

// importReport is what an import prints.
type importReport struct {
	Account string `json:"account"`
	Into    string `json:"into"`
	DryRun  bool   `json:"dry_run"`
	Files   int    `json:"files"`
	Items   int    `json:"items"`
	// Accepted are those that are in the account now: created, already there, or replaced.
	Accepted    int                   `json:"accepted"`
	Created     int                   `json:"created"`
	Already     int                   `json:"already"`
	Replaced    int                   `json:"replaced"`
	Octets      int64                 `json:"octets"`
	Collections []transfer.Placed     `json:"collections"` // where they are
	Mended      []transfer.Mended     `json:"mended"`
	Refused     []transfer.RefusedOne `json:"refused"`
	Notes       []transfer.Note       `json:"notes"`
}

// place counts what went into a collection.
func (r *importReport) place(p transfer.Placed) {
	for i := range r.Collections {
		if r.Collections[i].Path == p.Path {
			r.Collections[i].Items += p.Items
			return
		}
	}
	r.Collections = append(r.Collections, p)
}

// hear takes in one event.
func (r *importReport) hear(e control.ImportEvent, sum *transfer.Totals, bar *progress) {
	switch {
	case e.Mended != nil:
		r.Mended = append(r.Mended, *e.Mended)
	case e.Refused != nil:
		r.Refused = append(r.Refused, *e.Refused)
	case e.Note != nil:
		r.Notes = append(r.Notes, *e.Note)
	case e.Placed != nil:
		r.place(*e.Placed)
	case e.Progress != nil:
		bar.at(sum.Items+e.Progress.Items, sum.Octets+e.Progress.Octets)
	case e.Done != nil:
		sum.Add(*e.Done)
	}
}

func (a *app) importFiles(ctx context.Context, cl *control.Client, q control.ImportRequest, files []string, notes []transfer.Note) error {
	r := importReport{Account: q.Account, Into: q.Into, DryRun: q.DryRun, Files: len(files), Collections: []transfer.Placed{}, Mended: []transfer.Mended{},
		Refused: []transfer.RefusedOne{}, Notes: notes}
	bar := a.progress("items", total(files))
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
		err := cl.Import(ctx, q, io.NopCloser(in), func(e control.ImportEvent) { r.hear(e, &sum, bar) })
		if errors.Is(err, context.Canceled) {
			return interrupted(q.DryRun, "stored")
		}
		if err != nil {
			return err
		}
	}
	bar.end()
	r.Items, r.Accepted, r.Created, r.Already, r.Replaced, r.Octets = sum.Items, sum.Accepted, sum.Created, sum.Already, sum.Replaced, sum.Octets
	if err := a.showImport(r); err != nil {
		return err
	}
	if len(r.Refused) > 0 {
		return &exitError{code: exitNegative}
	}
	return nil
}

// interrupted tells who stopped the work that what was done stays; a dry run did nothing.
func interrupted(dry bool, done string) error {
	if dry {
		return &exitError{exitBusy, "interrupted; nothing was " + done}
	}
	return &exitError{exitBusy, "interrupted; what was " + done + " stays, run it again to go on"}
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

// spot says where in a file something stands, as far as that is known.
func spot(file, kind string, item, line int) string {
	if kind == "" {
		kind = "item"
	}
	if item > 0 {
		file += fmt.Sprintf(", %s %d", kind, item)
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
	a.showOdd(r.Mended, r.Refused, r.Notes)
	verb := "Imported"
	if r.DryRun {
		verb = "Would import"
	}
	noun, into := "contact", []string{}
	for _, p := range r.Collections {
		if !strings.HasPrefix(p.Path, "addressbooks/") {
			noun = "item"
		}
		into = append(into, fmt.Sprintf("%s (%d)", p.Path, p.Items))
	}
	where := listed(into)
	switch len(into) {
	case 0:
		noun, where = "item", "the account"
	case 1:
		where = r.Collections[0].Path
	}
	if r.DryRun && r.Files > 1 {
		a.printf("%-8s each file was looked at by itself: what stands in several of them is counted in each\n", "note")
	}
	a.printf("%s %s into %s of %s: %d new, %d there already, %d replaced; %d mended, %d refused.\n", verb, count(int64(r.Accepted), noun), where, r.Account,
		r.Created, r.Already, r.Replaced, len(r.Mended), len(r.Refused))
	return nil
}

// shown is how many lines of a sort a report shows to a person; --json has them all.
const shown = 50

// showOdd shows what is not as it was given. What happened to many items of one file in the same way is one line.
func (a *app) showOdd(mended []transfer.Mended, refused []transfer.RefusedOne, notes []transfer.Note) {
	a.lines("note", len(notes), func(i int) (file, at, what, sort string) { return notes[i].File, "", notes[i].What, "" })
	a.lines("mended", len(mended), func(i int) (file, at, what, sort string) {
		m := mended[i]
		return m.File, spot("", m.Kind, m.Item, m.Line), m.What, ""
	})
	a.lines("refused", len(refused), func(i int) (file, at, what, sort string) {
		x := refused[i]
		if x.Precondition == "no-uid-conflict" { // each says under which name
			sort = x.Precondition
		}
		return x.File, spot("", x.Kind, x.Item, x.Line), fmt.Sprintf("%s (%s)", x.Why, x.Precondition), sort
	})
}

// lines shows n things by their file, their place in it, and what is said of them. Those of one file are one line if the same is said of them, or if they are of a sort.
func (a *app) lines(word string, n int, of func(i int) (file, at, what, sort string)) {
	told := 0
	for i := 0; i < n; {
		if told == shown {
			a.printf("%-8s … and %d more; --json lists them all\n", word, n-i)
			return
		}
		file, at, what, sort := of(i)
		from := i
		for i++; i < n; i++ {
			if f, _, w, s := of(i); f != file || w != what && (s != sort || sort == "") {
				break
			}
		}
		if i-from > 1 {
			at += fmt.Sprintf(" and %d more like it", i-from-1)
		}
		a.printf("%-8s %s\n", word, inTable(strings.TrimPrefix(file+at+": "+what, ": "))) // files and servers are not always friends
		told++
	}
}

// listed joins words as a sentence does.
func listed(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
