package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"holdfast/internal/control"
	"holdfast/internal/transfer"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"
)

// takeover is what the flags say of another server.
type takeover struct {
	url, user               string
	stdin, shared, insecure bool
	hosts                   []string
}

func (t *takeover) flags(f *pflag.FlagSet) {
	f.StringVar(&t.url, "from-dav", "", "take over the server at this `URL` instead of files")
	f.StringVar(&t.user, "user", "", "`NAME` to sign in there with")
	f.BoolVar(&t.stdin, "password-stdin", false, "read the password for it from standard input")
	f.BoolVar(&t.shared, "shared", false, "copy also what others share with the user there")
	f.StringArrayVar(&t.hosts, "trust-host", nil, "another `HOST` that the password may go to")
	f.BoolVar(&t.insecure, "insecure-http", false, "let the password go over plain HTTP")
}

// check tells whether the flags and the files go together.
func (t *takeover) check(cmd *cobra.Command, files []string) error {
	if t.url == "" {
		for _, name := range []string{"user", "password-stdin", "shared", "trust-host", "insecure-http"} {
			if cmd.Flags().Changed(name) {
				return fmt.Errorf("--%s goes with --from-dav", name)
			}
		}
		if len(files) == 0 {
			return errors.New("say what to import: files, or a server with --from-dav URL")
		}
		return nil
	}
	switch {
	case len(files) > 0:
		return errors.New("choose one, files or --from-dav")
	case cmd.Flags().Changed("into"):
		return errors.New("--from-dav keeps the other server's collections; --into is for files")
	case t.user == "":
		return errors.New("say who signs in there with --user NAME")
	}
	return nil
}

func (t *takeover) request(account string, q *control.ImportRequest) control.TakeoverRequest {
	return control.TakeoverRequest{Account: account, URL: t.url, User: t.user, Password: map[bool]string{true: fromStdin}[t.stdin], Hosts: t.hosts, InsecureHTTP: t.insecure,
		Shared: t.shared, Replace: q.Replace, DryRun: q.DryRun}
}

// fromStdin stands for a password that is still to be read.
const fromStdin = "-"

// takeoverReport is what the takeover of another server prints. It has the fields of an import, and more.
type takeoverReport struct {
	Account string `json:"account"`
	From    string `json:"from"`
	User    string `json:"user"`
	DryRun  bool   `json:"dry_run"`
	transfer.TakeoverTotals
	Collections []transfer.TakenCollection `json:"collections"`
	Left        []transfer.Left            `json:"left"`
	Mended      []transfer.Mended          `json:"mended"`
	Refused     []transfer.RefusedOne      `json:"refused"`
	Notes       []transfer.Note            `json:"notes"`
}

func (a *app) takeOver(cmd *cobra.Command, q control.TakeoverRequest) error {
	var err error
	switch {
	case q.Password == fromStdin:
		q.Password, err = a.readPassword()
	case terminal(a.stdin):
		a.say("Password of %s at %s: ", q.User, q.URL)
		var b []byte
		b, err = term.ReadPassword(int(a.stdin.(*os.File).Fd()))
		a.say("\n")
		q.Password = string(b)
	default:
		err = usage(cmd, errors.New("no terminal to ask for the password on; give it on standard input with --password-stdin"))
	}
	if err != nil {
		return err
	}
	return a.with(cmd, toUse, func(ctx context.Context, cl *control.Client) error { return a.takeOverBy(ctx, cl, q) })
}

func (a *app) takeOverBy(ctx context.Context, cl *control.Client, q control.TakeoverRequest) error {
	r := takeoverReport{Account: q.Account, From: q.URL, User: q.User, DryRun: q.DryRun, Collections: []transfer.TakenCollection{}, Left: []transfer.Left{},
		Mended: []transfer.Mended{}, Refused: []transfer.RefusedOne{}, Notes: []transfer.Note{}}
	bar := a.progress("items", 0)
	defer bar.end()
	err := cl.TakeOver(ctx, q, func(e control.TakeoverEvent) { r.hear(e, bar) })
	bar.end()
	if errors.Is(err, context.Canceled) {
		return interrupted(q.DryRun, "taken over")
	}
	if err != nil {
		return err
	}
	if err := a.showTakeover(r); err != nil {
		return err
	}
	if r.TakeoverTotals.Refused > 0 || !r.Equal {
		return &exitError{code: exitNegative}
	}
	return nil
}

// hear takes in one event.
func (r *takeoverReport) hear(e control.TakeoverEvent, bar *progress) {
	switch {
	case e.Left != nil:
		r.Left = append(r.Left, *e.Left)
	case e.Note != nil:
		r.Notes = append(r.Notes, *e.Note)
	case e.Mended != nil:
		r.Mended = append(r.Mended, *e.Mended)
	case e.Refused != nil:
		r.Refused = append(r.Refused, *e.Refused)
	case e.Collection != nil:
		r.Collections = append(r.Collections, *e.Collection)
	case e.Waiting != nil:
		bar.wait(e.Waiting.Why, e.Waiting.Seconds)
	case e.Progress != nil:
		bar.where = fmt.Sprintf(" (%d of %d: %s)", e.Progress.Collections, e.Progress.Of, e.Progress.Now)
		bar.at(e.Progress.Accepted, e.Progress.Octets)
	case e.Done != nil:
		r.TakeoverTotals = *e.Done
	}
}

func (a *app) showTakeover(r takeoverReport) error {
	if a.json {
		return a.printJSON("import", r)
	}
	for _, l := range r.Left {
		what := l.Path
		if !strings.HasSuffix(strings.TrimRight(what, "/"), "/"+l.Name) {
			what += " (" + l.Name + ")"
		}
		a.printf("%-8s %s\n", "left", inTable(what+": "+l.Why))
	}
	a.showOdd(r.Mended, r.Refused, r.Notes)
	for _, c := range r.Collections {
		for _, d := range c.Changed[:min(len(c.Changed), shown)] {
			a.printf("%-8s %s\n", "changed", inTable(c.Into+"/"+d.Name+": "+d.Why))
		}
		for _, d := range c.Differs[:min(len(c.Differs), shown)] {
			a.printf("%-8s %s\n", "differs", inTable(c.Into+"/"+d.Name+": "+d.Why))
		}
	}
	for _, c := range r.Collections {
		if c.Alone > 0 && !c.Made {
			a.printf("%-8s %s holds %s that the other server does not list; what is here stays\n", "note", c.Into, count(int64(c.Alone), "item"))
		}
	}
	titles, rows := "COLLECTION NAME WAS LISTED TAKEN REFUSED EQUAL", [][]string{}
	for _, c := range r.Collections {
		made := "there before"
		if c.Made {
			made = "new"
		}
		row := []string{c.Into, inTable(c.Label), made, fmt.Sprint(c.Listed), fmt.Sprint(c.Accepted), fmt.Sprint(c.Refused), fmt.Sprint(c.Verified)}
		if r.DryRun { // nothing to compare
			row = row[:6]
		}
		rows = append(rows, row)
	}
	if r.DryRun {
		titles = "COLLECTION NAME WAS LISTED TAKEN REFUSED"
	}
	if err := a.table(titles, rows); err != nil {
		return err
	}
	a.printf("%s\n", r.sentence())
	if !r.DryRun {
		a.say("%s\n", r.next())
	}
	return nil
}

// next says what the user's devices have to change. It is true of those that know the paths of Nextcloud; which server it is the takeover does not ask.
func (r *takeoverReport) next() string {
	local, _, _ := strings.Cut(r.Account, "@")
	change := "the server's name and the user name"
	if strings.EqualFold(r.User, r.Account) || strings.EqualFold(r.User, local) {
		change = "the server's name alone"
	}
	return fmt.Sprintf("If that server is a Nextcloud, a device that was set up for it changes %s, if its app password is taken over too:\n`holdfast app-password add %s --name NAME --password-stdin`. "+
		"Without --password-stdin it gets a new one.", change, r.Account)
}

// sentence sums a takeover up.
func (r *takeoverReport) sentence() string {
	t := r.TakeoverTotals
	verb := "Took over"
	if r.DryRun {
		verb = "Would take over"
	}
	s := fmt.Sprintf("%s %s in %s from %s for %s: %d new, %d there already, %d replaced; %d mended, %d refused.", verb, count(int64(t.Accepted), "item"),
		count(int64(len(r.Collections)), "collection"), r.From, r.Account, t.Created, t.Already, t.Replaced, t.Mended, t.Refused)
	switch t.Kept {
	case 0:
	case 1:
		s += " 1 stays as it was edited here; --replace takes the other server's."
	default:
		s += fmt.Sprintf(" %d stay as they were edited here; --replace takes the other server's.", t.Kept)
	}
	switch {
	case r.DryRun:
	case t.Equal && t.Kept > 0:
		s += " Every other item that was taken was read back and is equal."
	case t.Equal && t.Refused == 0:
		s += " Every item was read back and is equal."
	case t.Equal:
		s += " Every item that was taken was read back and is equal."
	default:
		s += fmt.Sprintf(" %d differ.", t.Unequal)
	}
	if t.Moving > 0 {
		s += " The other server was changed meanwhile; run it again to catch up."
	}
	return strings.TrimSpace(s)
}
