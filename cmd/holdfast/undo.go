package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/control"
	"holdfast/internal/core"

	"github.com/spf13/cobra"
)

func (a *app) undoCommand() *cobra.Command {
	var q control.UndoRequest
	var burst string
	c := &cobra.Command{
		Use:   "undo EMAIL {CHANGE | --burst ID}",
		Short: "Take back one change, all that a device deleted at once, or an undo or rewind as a whole",
		Long: `Take back what was done at once: each item is as it was before. What was moved goes back, what was deleted is there again, a
deleted collection with all that was in it, its name, its colour and the guests whose share was not ended since.

A burst is what one device deleted and overwrote in a short time; what it made or moved is none of it. "holdfast notice list" and
"holdfast history" name its ID.
CHANGE is a number that "holdfast history" shows, or the id of an undo or a rewind; one of their changes means all of it. What
somebody changed since stays as it is and is named, with who it was; the exit status is 1 then.

An undo is a change like any other: phones see it as an edit, nothing of the history is lost, and it can be undone.`,
		Example: `  holdfast undo alice@example.org 412 --dry-run
  holdfast undo alice@example.org 412
  holdfast undo alice@example.org --burst ID`,
		Args: account(cobra.RangeArgs(1, 2)),
		RunE: func(cmd *cobra.Command, list []string) error {
			q.Account = list[0]
			var err, bad error
			if (burst != "") == (len(list) == 2) {
				return usage(cmd, errors.New("name one change, or a burst with --burst"))
			}
			if burst != "" {
				q.Burst, bad = holdfast.ParseID(burst)
			} else if q.Change, err = strconv.ParseUint(list[1], 10, 64); err != nil {
				q.Reversal, bad = holdfast.ParseID(list[1])
			}
			if bad != nil {
				return usage(cmd, errors.New("a change is the number that `holdfast history` shows, or the id of an undo or a rewind"))
			}
			return a.with(cmd, toUse, func(ctx context.Context, cl *control.Client) error {
				return a.reversal(q.Account, func(fn func(control.ReversalEvent)) (control.ReversalDone, error) { return cl.Undo(ctx, q, fn) })
			})
		},
	}
	c.Flags().BoolVar(&q.DryRun, "dry-run", false, "show what would be done, and change nothing")
	c.Flags().StringVar(&burst, "burst", "", "the id of a burst: take back all that its device deleted and overwrote")
	return c
}

func (a *app) rewindCommand() *cobra.Command {
	var q control.RewindRequest
	var to string
	c := &cobra.Command{
		Use:   "rewind EMAIL --to TIME",
		Short: "Bring an account, or one collection, back to how it was at a moment",
		Long: `Bring an account back to how it was at a moment, or one collection of it with what is below it: what came since goes, what
was deleted is there again, what was changed is as it was. Deleted collections come back whole, with their names, their colours
and the guests whose share was not ended since. Devices, passwords and shares stay as they are.

TIME is a moment (2026-11-19T12:00:00Z), how long ago (2h, 30m, 3d), or the number of a change that "holdfast history" shows:
the account is then as it was right after that. Look first, with --dry-run.

What somebody changes meanwhile stays as it is and is named; the exit status is 1 then. If it is interrupted, what was done
stays: run it again to go on, or undo it. A rewind is a set of changes like any other: phones see edits, nothing of
the history is lost, and "holdfast undo EMAIL CHANGE" takes all of it back.`,
		Example: `  holdfast rewind alice@example.org --to 2h --dry-run
  holdfast rewind alice@example.org --to 2026-11-19T12:00:00Z
  holdfast rewind alice@example.org --collection calendars/default --to 412`,
		Args: account(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, list []string) error {
			q.Account = list[0]
			if err := parseTo(to, &q); err != nil {
				return usage(cmd, err)
			}
			return a.with(cmd, toUse, func(ctx context.Context, cl *control.Client) error {
				return a.reversal(q.Account, func(fn func(control.ReversalEvent)) (control.ReversalDone, error) { return cl.Rewind(ctx, q, fn) })
			})
		},
	}
	c.Flags().StringVar(&to, "to", "", "a moment, how long ago, or the number of a change")
	c.Flags().StringVar(&q.Collection, "collection", "", "only this one and what is below it: its path, also if it was deleted")
	c.Flags().BoolVar(&q.DryRun, "dry-run", false, "show what would be done, and change nothing")
	return c
}

// parseTo reads where a rewind goes.
func parseTo(s string, q *control.RewindRequest) error {
	if s == "" {
		return errors.New("say how far back with --to: a moment, how long ago, or the number of a change")
	}
	if n, err := strconv.ParseUint(s, 10, 64); err == nil && n > 0 {
		q.Seq = n
		return nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		q.To = t
		return nil
	}
	ago := strings.TrimSpace(strings.TrimSuffix(s, "ago"))
	if days, ok := strings.CutSuffix(ago, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			ago = fmt.Sprintf("%dh", 24*n)
		}
	}
	d, err := time.ParseDuration(ago)
	if err != nil || d <= 0 {
		return fmt.Errorf("%q is no moment (2026-11-19T12:00:00Z), no time that passed (2h, 3d) and no number of a change", s)
	}
	q.To = clock.System.Now().Add(-d).UTC()
	return nil
}

// reversed is what --json says of an undo or a rewind.
type reversed struct {
	Account string `json:"account"`
	control.ReversalDone
	Counts  reversedCounts         `json:"counts"`
	Added   []control.ReversalStep `json:"added"`
	Changed []control.ReversalStep `json:"changed"`
	Removed []control.ReversalStep `json:"removed"`
	Left    []control.ReversalLeft `json:"left"`
	Error   string                 `json:"error,omitempty"`
}

type reversedCounts struct {
	Added   int `json:"added"`
	Changed int `json:"changed"`
	Removed int `json:"removed"`
	Left    int `json:"left"`
}

// reversal does an undo or a rewind and says what came of it. What was done before an error is said too.
func (a *app) reversal(account string, work func(func(control.ReversalEvent)) (control.ReversalDone, error)) error {
	out := reversed{Account: account, Added: []control.ReversalStep{}, Changed: []control.ReversalStep{}, Removed: []control.ReversalStep{}, Left: []control.ReversalLeft{}}
	lists := map[core.Does]*[]control.ReversalStep{core.Adds: &out.Added, core.Changes: &out.Changed, core.Removes: &out.Removed}
	p := a.progress("items", noOctets)
	done, err := work(func(e control.ReversalEvent) {
		switch {
		case e.Step != nil && lists[e.Step.Does] != nil:
			*lists[e.Step.Does] = append(*lists[e.Step.Does], *e.Step)
		case e.Left != nil:
			out.Left = append(out.Left, *e.Left)
		case e.Total > 0:
			p.where = fmt.Sprintf(" of %d", e.Total)
			p.at(e.Done, 0)
		}
	})
	p.end()
	out.ReversalDone = done
	out.Counts = reversedCounts{len(out.Added), len(out.Changed), len(out.Removed), len(out.Left)}
	if err != nil {
		if n := len(out.Added) + len(out.Changed) + len(out.Removed); n > 0 {
			a.say("%s done before it stopped; run it again to go on, or undo it: holdfast history %s\n", count(int64(n), "item"), account)
		}
		return err
	}
	if a.json {
		if err := a.printJSON(done.What, out); err != nil {
			return err
		}
	} else {
		a.showReversed(&out)
	}
	if len(out.Left) > 0 {
		return &exitError{code: exitNegative}
	}
	return nil
}

// listedItems is how many items of a kind are listedItems for people.
const listedItems = 50

func (a *app) showReversed(r *reversed) {
	for _, l := range []struct {
		sign  string
		steps []control.ReversalStep
	}{{"+", r.Added}, {"~", r.Changed}, {"-", r.Removed}} {
		for i, s := range l.steps {
			if i == listedItems {
				a.printf("%s and %d more; --json lists all\n", l.sign, len(l.steps)-listedItems)
				break
			}
			a.printf("%s %s%s\n", l.sign, inTable(s.Path), about(s))
		}
	}
	for _, l := range r.Left {
		who := ""
		if l.Since {
			who = ", by " + cmp.Or(l.Account, "the operator")
			if l.Device != "" {
				who += ", " + inTable(l.Device)
			}
		}
		a.printf("left  %s: %s%s\n", cmp.Or(inTable(l.Path), "the account"), inTable(l.Why), who)
	}
	changed, verb := "was", "were"
	if r.Counts.Added == 1 {
		verb = "was"
	}
	if r.DryRun {
		changed, verb = "would be", "would be"
	}
	if r.Counts.Added+r.Counts.Changed+r.Counts.Removed == 0 {
		a.printf("Nothing %s changed%s.\n", changed, r.asOf())
		return
	}
	a.printf("%d %s added, %d changed, %d removed, %d left%s.\n", r.Counts.Added, verb, r.Counts.Changed, r.Counts.Removed, r.Counts.Left, r.asOf())
	if r.ID != nil {
		a.printf("To take this back: holdfast undo %s %s\n", r.Account, *r.ID)
	}
}

// asOf says which state a rewind goes to.
func (r *reversed) asOf() string {
	if r.AsOf == nil {
		return ""
	}
	return fmt.Sprintf("; this is the state after change %d, of %s", r.Seq, r.AsOf.Format(time.RFC3339))
}

// about says what a person wants to know of a collection.
func about(s control.ReversalStep) string {
	if s.Kind != "collection" {
		return ""
	}
	text := " (a collection"
	if s.Does != core.Changes {
		text += " with " + count(s.Items, "item")
	}
	if s.Instead != "" {
		text += "; another is called " + inTable(s.Instead) + " now"
	}
	return text + ")"
}
