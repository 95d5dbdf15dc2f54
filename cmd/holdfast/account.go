package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/control"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

func (a *app) accountCommand() *cobra.Command {
	c := group(&cobra.Command{
		Use:   "account",
		Short: "Make, show and change accounts",
		Long: `An account is a person: a name like alice@example.org, a password for the pages, and devices with
an app password each. EMAIL may also be a former name or the account's id.`,
		Example: `  holdfast account add alice@example.org
  printf %s "$PASSWORD" | holdfast account add bob@example.org --password-stdin
  holdfast account show alice@example.org --json`,
	})
	c.AddCommand(a.accountAdd(), a.accountList(), a.accountShow(), a.accountRename(), a.accountPassword(),
		a.accountState("suspend", "Keep an account from signing in; nothing is deleted", holdfast.Suspended),
		a.accountState("resume", "Let an account sign in again that is suspended, or waits to be erased", holdfast.Active), a.accountErase())
	return c
}

func (a *app) accountErase() *cobra.Command {
	var list bool
	c := &cobra.Command{
		Use:   "erase {EMAIL | --list}",
		Short: "Erase an account for good, after a wait in which that can be undone",
		Long: `Let an account wait to be erased (erase.wait, 30 days): from now on it signs in nowhere, and nothing of it is gone yet.
"holdfast account resume" undoes it. When the wait is over its key is destroyed in every vault, and it is removed from the store.
It is called erased once nothing holds a line of it any more: the newest changes of all accounts lie together in a vault's tail,
for about two weeks. A restore never brings it back. Its name is given to nobody again.`,
		Example: `  holdfast account erase alice@example.org
  holdfast account resume alice@example.org
  holdfast account erase --list`,
		Args: args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, names []string) error {
			if list == (len(names) == 1) {
				return usage(cmd, errors.New("name one account, or say --list"))
			}
			return a.with(cmd, toUse, func(ctx context.Context, cl *control.Client) error {
				if list {
					all, err := cl.Erasures(ctx)
					if err != nil {
						return err
					}
					return a.showErasures(ctx, cl, all)
				}
				if acc, err := cl.Account(ctx, names[0]); err == nil { // it can be undone: nobody is asked
					a.say("%s has %s in %s, %s, with every version of them, and %s. Shares: %d given to others, %d had from others.\n", acc.Email, holds(acc.Collections), count(int64(len(acc.Collections)), "collection"),
						octets(acc.Octets), count(int64(len(acc.Devices)), "device"), len(acc.Shares), len(acc.Shared))
				}
				x, err := cl.EraseAccount(ctx, names[0])
				if err != nil {
					return err
				}
				if a.json {
					return a.printJSON("account.erase", x)
				}
				a.printf("%s signs in nowhere from now on, and is erased after %s, if nobody undoes it before: holdfast account resume %s\n", x.Email, day(x.Requested.Add(time.Duration((x.Wait-x.Waited)*float64(time.Second)))), x.Email)
				return nil
			})
		},
	}
	c.Flags().BoolVar(&list, "list", false, "show the accounts that wait to be erased, and those that were")
	return c
}

func (a *app) showErasures(ctx context.Context, cl *control.Client, all []control.Erasure) error {
	if a.json {
		return a.printJSON("account.erase.list", map[string]any{"erasures": all})
	}
	if len(all) == 0 {
		a.say("No account waits to be erased.\n")
		return nil
	}
	var rows [][]string
	for _, x := range all {
		name := x.Email
		if name == "" {
			name = x.ID.String()
		}
		rows = append(rows, []string{name, x.State, day(x.Requested), strings.Join(x.Left, ", ")})
	}
	if err := a.table("ACCOUNT STATE REQUESTED LEFT", rows); err != nil {
		return err
	}
	return a.sayPrune(ctx, cl, all)
}

// sayPrune says of remote vaults that still hold something of an erased account who has it removed: the store's own credential cannot.
func (a *app) sayPrune(ctx context.Context, cl *control.Client, all []control.Erasure) error {
	s, err := cl.VaultStatus(ctx)
	if err != nil {
		return err
	}
	for _, v := range s.Vaults {
		held := slices.ContainsFunc(all, func(x control.Erasure) bool {
			return slices.ContainsFunc(x.Left, func(left string) bool { return strings.HasPrefix(left, "vault "+v.Name+":") })
		})
		if held && v.Kind == kindS3 {
			a.printf("%s", keptThere(&v))
		}
		if held && v.Kind == kindRemote {
			a.printf("The vault %s removes nothing by the store's word. Once its server's own wait is over, with the credential that it wrote for that:\n  holdfast vault prune %s --credential prune.txt\n", v.Name, inShell(v.Location))
		}
	}
	return nil
}

func (a *app) accountAdd() *cobra.Command {
	var fromStdin, none bool
	c := &cobra.Command{
		Use:   "add EMAIL",
		Short: "Make an account",
		Long: `Make an account with an address book, a calendar, tasks and notes.

The password is for the pages in the browser; phones and programs get app passwords of their own
("holdfast app-password add"). It is asked for on the terminal, or read from standard input.`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, list []string) error {
			if _, err := holdfast.ParseLogin(list[0]); err != nil {
				return usage(cmd, err)
			}
			password, err := a.newPassword(cmd, list[0], fromStdin, none)
			if err != nil {
				return err
			}
			return a.with(cmd, toMake, func(ctx context.Context, cl *control.Client) error {
				acc, err := cl.CreateAccount(ctx, control.NewAccount{Email: list[0], Password: password})
				if err != nil {
					return err
				}
				return a.showAccount("account", acc, fmt.Sprintf("%s was made. Next: holdfast app-password add %s --name \"its first device\"\n", acc.Email, acc.Email))
			})
		},
	}
	c.Flags().BoolVar(&fromStdin, "password-stdin", false, "read the password from standard input")
	c.Flags().BoolVar(&none, "no-password", false, "make an account that cannot sign in to the pages")
	return c
}

// newPassword gets a new password in the way that the flags say.
func (a *app) newPassword(cmd *cobra.Command, email string, fromStdin, none bool) (string, error) {
	switch {
	case none && fromStdin:
		return "", usage(cmd, errors.New("choose one, --password-stdin or --no-password"))
	case none:
		return "", nil
	case fromStdin:
		return a.readPassword()
	case !terminal(a.stdin):
		return "", usage(cmd, errors.New("no terminal to ask for the password on; give it on standard input with --password-stdin"))
	}
	var typed [2]string
	for i, question := range []string{"Password for " + email + ": ", "The same again: "} {
		a.say("%s", question)
		b, err := term.ReadPassword(int(a.stdin.(*os.File).Fd()))
		a.say("\n")
		if err != nil {
			return "", fmt.Errorf("the password could not be read: %w", err)
		}
		typed[i] = string(b)
	}
	if typed[0] != typed[1] {
		return "", usage(cmd, errors.New("the two passwords differ"))
	}
	if typed[0] == "" {
		return "", usage(cmd, errors.New("the password is empty"))
	}
	return typed[0], nil
}

// maxPassword bounds what is read of standard input.
const maxPassword = 4096

// readPassword reads one line of standard input.
func (a *app) readPassword() (string, error) {
	line, err := bufio.NewReader(io.LimitReader(a.stdin, maxPassword)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("the password could not be read: %w", err)
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return "", &exitError{exitUsage, "standard input holds no password"}
	}
	return line, nil
}

// showAccount prints an account: as JSON, or as the sentence given.
func (a *app) showAccount(command string, acc control.Account, text string) error {
	if a.json {
		return a.printJSON(command, acc)
	}
	a.printf("%s", text)
	return nil
}

func (a *app) accountList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List all accounts",
		Args:  args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd, toUse, func(ctx context.Context, cl *control.Client) error {
				list, err := cl.Accounts(ctx)
				if err != nil {
					return err
				}
				if a.json {
					return a.printJSON("account.list", map[string]any{"accounts": list})
				}
				var rows [][]string
				for _, x := range list {
					rows = append(rows, []string{x.Email, string(x.State), day(x.Created), x.ID.String()})
				}
				if len(rows) == 0 {
					a.say("There is no account yet; `holdfast account add` makes one.\n")
					return nil
				}
				return a.table("EMAIL STATE CREATED ID", rows)
			})
		},
	}
}

func (a *app) accountShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show EMAIL",
		Short: "Show an account, its collections and its devices",
		Args:  account(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, list []string) error {
			return a.with(cmd, toUse, func(ctx context.Context, cl *control.Client) error {
				x, err := cl.Account(ctx, list[0])
				if err != nil {
					return err
				}
				if a.json {
					return a.printJSON("account", x)
				}
				a.printf("%s, %s since %s\n  id       %s\n  history  %s in epoch %d\n  size     %s\n\n", x.Email, x.State, day(x.Created), x.ID,
					count(int64(x.Seq), "change"), x.Epoch, octets(x.Octets))
				var rows [][]string
				for _, c := range x.Collections {
					rows = append(rows, []string{c.Path, inTable(c.Name), string(c.Type), fmt.Sprint(c.Items), octets(c.Octets)})
				}
				if err := a.table("PATH NAME TYPE ITEMS SIZE", rows); err != nil {
					return err
				}
				a.printf("\n")
				if shares := append(x.Shares, x.Shared...); len(shares) > 0 {
					if err := a.shareTable(shares); err != nil {
						return err
					}
					a.printf("\n")
				}
				return a.deviceTable(x.Email, x.Devices)
			})
		},
	}
}

func (a *app) accountState(verb, short string, s holdfast.AccountState) *cobra.Command {
	return &cobra.Command{
		Use:   verb + " EMAIL",
		Short: short,
		Args:  account(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, list []string) error {
			return a.with(cmd, toUse, func(ctx context.Context, cl *control.Client) error {
				acc, err := cl.SetState(ctx, list[0], s)
				if err != nil {
					return err
				}
				return a.showAccount("account", acc, fmt.Sprintf("%s is %s.\n", acc.Email, acc.State))
			})
		},
	}
}

func (a *app) accountPassword() *cobra.Command {
	var fromStdin bool
	c := &cobra.Command{
		Use:   "password EMAIL",
		Short: "Set a new password for the pages, for one that was forgotten",
		Long: `Set a new password for the pages. It is asked for on the terminal, or read from standard input. Browsers that are
signed in are signed out; devices keep their app passwords and go on syncing.`,
		Example: `  printf %s "$PASSWORD" | holdfast account password alice@example.org --password-stdin`,
		Args:    account(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, list []string) error {
			password, err := a.newPassword(cmd, list[0], fromStdin, false)
			if err != nil {
				return err
			}
			return a.with(cmd, toUse, func(ctx context.Context, cl *control.Client) error {
				acc, err := cl.SetPassword(ctx, list[0], password)
				if err != nil {
					return err
				}
				return a.showAccount("account", acc, fmt.Sprintf("%s has a new password for the pages; its devices keep theirs.\n", acc.Email))
			})
		},
	}
	c.Flags().BoolVar(&fromStdin, "password-stdin", false, "read the password from standard input")
	return c
}

func (a *app) accountRename() *cobra.Command {
	return &cobra.Command{
		Use:   "rename EMAIL NEW-EMAIL",
		Short: "Give an account another name; the old one stays its alias",
		Long: `Give an account another name. The old name stays its alias for ever, so phones that are set up with it
go on working, and nobody else can take it.`,
		Args: account(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, list []string) error {
			if _, err := holdfast.ParseLogin(list[1]); err != nil {
				return usage(cmd, err)
			}
			return a.with(cmd, toUse, func(ctx context.Context, cl *control.Client) error {
				acc, err := cl.Rename(ctx, list[0], list[1])
				if err != nil {
					return err
				}
				return a.showAccount("account", acc, fmt.Sprintf("%s is now %s; the old name stays an alias.\n", list[0], acc.Email))
			})
		},
	}
}
