package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"holdfast"
	"holdfast/internal/control"

	"github.com/spf13/cobra"
)

func (a *app) shareCommand() *cobra.Command {
	c := group(&cobra.Command{
		Use:   "share",
		Short: "Share address books, calendars and folders between accounts",
		Long: `A shared address book or calendar appears in the other's home by itself, on all of their devices, under a
name and a colour of their own choice; a folder under its own name, or one that says whose it is where that is taken, with
all that is in it now and later. With the right to read they see it, with the right to write they
also add, change and delete what is in it. It stays its owner's: whatever they do is kept in the owner's history,
and ending a share deletes nothing.

PATH is the collection's place in its owner's account, or its id.`,
		Example: `  holdfast share add alice@example.org calendars/default bob@example.org --rights write
  holdfast share add alice@example.org files/Photos/2009 bob@example.org --rights read
  holdfast share list
  holdfast share remove alice@example.org calendars/default bob@example.org`,
	})
	c.AddCommand(a.shareAdd(), a.shareList(), a.shareRemove())
	return c
}

// threeOf checks the arguments OWNER PATH WITH.
func threeOf(cmd *cobra.Command, list []string) error {
	if err := account(cobra.ExactArgs(3))(cmd, list); err != nil {
		return err
	}
	return account(cobra.MinimumNArgs(1))(cmd, list[2:])
}

func (a *app) shareAdd() *cobra.Command {
	var rights string
	c := &cobra.Command{
		Use:   "add OWNER PATH WITH --rights read|write",
		Short: "Share a collection, or change the rights of one who has it already",
		Long: `Share a collection, or change the rights of one who has it already. It appears on the other's devices at their next sync; a
program that keeps a list of its own, as vdirsyncer does, has to look for calendars once more ("vdirsyncer discover").`,
		Args: threeOf,
		RunE: func(cmd *cobra.Command, list []string) error {
			if !holdfast.Right(rights).Valid() {
				return usage(cmd, errors.New("say --rights read or --rights write"))
			}
			return a.with(cmd, toUse, func(ctx context.Context, cl *control.Client) error {
				x, err := cl.Share(ctx, list[0], control.NewShare{Path: list[1], With: list[2], Rights: holdfast.Right(rights)})
				if err != nil {
					return err
				}
				if a.json {
					return a.printJSON("share", x)
				}
				a.printf("%s shares %s with %s, to %s. Their devices show it at their next sync%s.\n", x.Owner, x.Path, x.With, x.Rights, as(&x))
				return nil
			})
		},
	}
	c.Flags().StringVar(&rights, "rights", "", "what the other may do: read, or write (which includes reading)")
	return c
}

func (a *app) shareList() *cobra.Command {
	return &cobra.Command{
		Use:   "list [EMAIL]",
		Short: "List what is shared, by and with one account or all",
		Args: func(cmd *cobra.Command, list []string) error {
			if len(list) == 0 {
				return nil
			}
			return account(cobra.ExactArgs(1))(cmd, list)
		},
		RunE: func(cmd *cobra.Command, list []string) error {
			return a.with(cmd, toUse, func(ctx context.Context, cl *control.Client) error {
				ref := ""
				if len(list) > 0 {
					ref = list[0]
				}
				shares, err := cl.Shares(ctx, ref)
				if err != nil {
					return err
				}
				if a.json {
					return a.printJSON("share.list", map[string]any{"shares": shares})
				}
				if len(shares) == 0 && ref != "" {
					a.say("Nothing is shared by %s or with it; `holdfast share add` does it.\n", ref)
					return nil
				}
				if len(shares) == 0 {
					a.say("Nothing is shared; `holdfast share add` does it.\n")
					return nil
				}
				return a.shareTable(shares)
			})
		},
	}
}

// as says under which name a folder is shown; others have names of their guests' choice.
func as(x *control.Share) string {
	if !strings.HasPrefix(x.At, holdfast.HomeFiles+"/") {
		return ""
	}
	return ", as " + x.At
}

func (a *app) shareTable(shares []control.Share) error {
	var rows [][]string
	for _, x := range shares {
		path, state := x.Path, "shown"+strings.ReplaceAll(as(&x), ",", "")
		switch {
		case path == "":
			path, state = x.Collection.String(), "the collection was deleted"
		case !x.Active:
			state = "not shown: the guest took it out, or `share add` was cut short; run that again"
		}
		rows = append(rows, []string{x.Owner, path, x.With, string(x.Rights), day(x.Created), state})
	}
	return a.table("OWNER PATH WITH RIGHTS SINCE STATE", rows)
}

func (a *app) shareRemove() *cobra.Command {
	return &cobra.Command{
		Use:   "remove OWNER PATH WITH",
		Short: "End a share, at once; nothing is deleted",
		Args:  threeOf,
		RunE: func(cmd *cobra.Command, list []string) error {
			return a.with(cmd, toUse, func(ctx context.Context, cl *control.Client) error {
				a.warnUnshare(ctx, cl, list)
				x, err := cl.Unshare(ctx, list[0], list[1], list[2])
				if err != nil {
					return err
				}
				if a.json {
					return a.printJSON("share.remove", map[string]any{"owner": x.Owner, "path": x.Path, "collection": x.Collection, "with": x.With, "removed": true})
				}
				a.printf("%s does not share %s with %s any more. What %s wrote there is kept.\n", x.Owner, x.Path, x.With, x.With)
				return nil
			})
		},
	}
}

// warnUnshare says what a guest's devices will drop. A share can be given anew, so nobody is asked.
func (a *app) warnUnshare(ctx context.Context, cl *control.Client, list []string) {
	owner, err := cl.Account(ctx, list[0])
	if err != nil {
		return // the act itself says why
	}
	path := strings.Trim(list[1], "/")
	for _, s := range owner.Shares {
		if s.Path == path || s.Collection.String() == path {
			path = s.Path
		}
	}
	of := slices.DeleteFunc(owner.Collections, func(c control.Collection) bool { return c.Path != path && !strings.HasPrefix(c.Path, path+"/") })
	guest, err := cl.Account(ctx, list[2])
	if len(of) == 0 || err != nil {
		return
	}
	a.say("%s holds %s. The devices of %s (%d) drop them at their next sync; the owner's keep them.\n", path, holds(of), guest.Email, len(guest.Devices))
}
