package main

import (
	"cmp"
	"context"
	"errors"
	"strconv"

	"holdfast"
	"holdfast/internal/control"

	"github.com/spf13/cobra"
)

func (a *app) historyCommand() *cobra.Command {
	q := control.HistoryRequest{}
	c := &cobra.Command{
		Use:   "history EMAIL [PATH]",
		Short: "Show what was done to an account, or to one thing in it, by whom and with which device",
		Long: `Show what was done to an account, newest first: each version of each contact, event and file, by whom, and with which
device. What guests did in shared collections is among it.

PATH is a collection or an item of the account, also one that was deleted. Without it an undo or a rewind is one line.
The number in front is the change's: "holdfast undo EMAIL CHANGE" takes it back.`,
		Example: `  holdfast history alice@example.org
  holdfast history alice@example.org addressbooks/default
  holdfast history alice@example.org calendars/default/dentist.ics
  holdfast history alice@example.org --before 412 --limit 200`,
		Args: account(cobra.RangeArgs(1, 2)),
		RunE: func(cmd *cobra.Command, list []string) error {
			if q.Limit < 1 || q.Limit > 1000 {
				return usage(cmd, errors.New("--limit is from 1 to 1000"))
			}
			q.Account = list[0]
			if len(list) > 1 {
				q.Path = list[1]
			}
			return a.with(cmd, toUse, func(ctx context.Context, cl *control.Client) error {
				h, err := cl.History(ctx, q)
				if err != nil {
					return err
				}
				if a.json {
					return a.printJSON("history", h)
				}
				return a.showHistory(h)
			})
		},
	}
	c.Flags().IntVar(&q.Limit, "limit", 50, "at most so many lines, 1000 at most")
	c.Flags().Uint64Var(&q.Before, "before", 0, "only changes below this one")
	return c
}

func (a *app) showHistory(h control.History) error {
	if len(h.Changes) == 0 {
		a.say("There is nothing.\n")
		return nil
	}
	var rows [][]string
	for _, v := range h.Changes {
		by := cmp.Or(v.Account, "the operator")
		if v.Device != "" {
			by += ", " + inTable(v.Device)
		}
		rows = append(rows, []string{strconv.FormatUint(v.Seq, 10), day(v.Time), done(v), cmp.Or(inTable(v.Path), v.Kind), cmp.Or(inTable(v.Name), "-"), by})
	}
	if err := a.table("CHANGE TIME DONE WHAT NAME BY", rows); err != nil {
		return err
	}
	if h.More {
		a.say("There is more: --before %d\n", h.Changes[len(h.Changes)-1].Seq)
	}
	return nil
}

// done says what a change did.
func done(v control.Version) string {
	text := "changed"
	switch {
	case v.Op == "delete":
		text = "deleted"
	case v.Kind == holdfast.KindReversal.String():
		text = "done"
	case v.Kind == holdfast.KindBurst.String():
		text = "noticed"
	case v.Replaced == nil || v.Replaced.ETag == nil:
		text = "added"
	}
	if v.Pruned {
		text += ", octets let go of"
	}
	return text
}
