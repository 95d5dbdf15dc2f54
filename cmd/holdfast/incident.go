package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"holdfast/internal/control"

	"github.com/spf13/cobra"
)

func (a *app) incidentCommand() *cobra.Command {
	c := group(&cobra.Command{
		Use:   "incident",
		Short: "Show and release accounts of which a phone has seen more than the store has",
		Long: `A phone that comes with proof of changes which this store does not have shows that the store is older
than it should be: a copy was put in place that lacks the newest changes, or a disk lost them. From then on
every device of that account is told to wait (503), so that none drops what the store lacks.

Look for a newer copy of the data first. If there is one, put it in place and release the account then.
If there is none, export from the phone what only it has, and release the account.`,
		Example: `  holdfast incident list
  holdfast incident release alice@example.org
  holdfast incident release --all`,
	})
	c.AddCommand(a.incidentList(), a.incidentShow(), a.incidentRelease())
	return c
}

func (a *app) incidentList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the accounts that wait; exit status 1 if there are any",
		Args:  args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd, toUse, func(ctx context.Context, cl *control.Client) error {
				list, err := cl.Incidents(ctx)
				if err != nil {
					return err
				}
				if err := a.showIncidents(list); err != nil || len(list) == 0 {
					return err
				}
				return &exitError{code: exitNegative}
			})
		},
	}
}

func (a *app) showIncidents(list []control.Incident) error {
	if a.json {
		return a.printJSON("incident.list", map[string]any{"incidents": list})
	}
	if len(list) == 0 {
		a.say("No account is in doubt.\n")
		return nil
	}
	var rows [][]string
	for _, x := range list {
		device := x.Device
		if device == "" {
			device = "-"
		}
		rows = append(rows, []string{x.Account, day(x.Since), device, fmt.Sprintf("change %d", x.Seen), fmt.Sprintf("change %d", x.Head)})
	}
	if err := a.table("ACCOUNT SINCE DEVICE SEEN HELD", rows); err != nil {
		return err
	}
	a.say("Their devices are told to wait. See `holdfast incident --help` before you release them.\n")
	return nil
}

func (a *app) incidentShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show EMAIL",
		Short: "Show why an account waits, and what can be done",
		Args:  account(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, names []string) error {
			return a.with(cmd, toUse, func(ctx context.Context, cl *control.Client) error {
				list, err := cl.Incidents(ctx)
				if err != nil {
					return err
				}
				i := slices.IndexFunc(list, func(x control.Incident) bool { return x.Account == names[0] || x.ID.String() == names[0] })
				if i < 0 {
					return &exitError{exitNegative, names[0] + " is not in doubt"}
				}
				if a.json {
					return a.printJSON("incident.show", list[i])
				}
				a.explainIncident(list[i])
				return nil
			})
		},
	}
}

// explainIncident says what is known of an incident, and what to do.
func (a *app) explainIncident(x control.Incident) {
	a.printf("%s has waited since %s: nobody reads or writes it.\n", x.Account, day(x.Since))
	name, of := strings.CutPrefix(x.Device, "vault ")
	if of {
		a.printf("The vault %s has changes of it up to number %d that this store does not have; this store went another way, up to number %d.\n", name, x.Seen, x.Head)
		a.printf("Look at what the vault has:    holdfast restore --from VAULT --key FILE --into DIR --account %s\n", x.Account)
	} else {
		a.printf("%s has proof of change %d; this store has %d.\n", cmp.Or(x.Device, "A device"), x.Seen, x.Head)
		a.printf("Is there a newer copy?         holdfast vault status, holdfast vault verify\n")
		a.printf("Bring in what a vault has:     holdfast repair --account %s --from VAULT\n", x.Account)
	}
	a.printf("Go on with what this store has: holdfast incident release %s\n", x.Account)
}

func (a *app) incidentRelease() *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:   "release {EMAIL | --all}",
		Short: "Let an account go on with what this store has",
		Long: `Let an account go on with what this store has. Its devices will then list what the store has, and drop what
it does not have: changes that are only on a phone are lost with that. Do it once the newest copy is in place,
or once you know that there is none.`,
		Args: args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, list []string) error {
			if all == (len(list) == 1) {
				return usage(cmd, errors.New("name one account, or say --all"))
			}
			if !all {
				if err := account(cobra.ExactArgs(1))(cmd, list); err != nil {
					return err
				}
			}
			return a.with(cmd, toUse, func(ctx context.Context, cl *control.Client) error {
				released, err := settle(ctx, cl, list)
				if err != nil {
					return err
				}
				if a.json {
					return a.printJSON("incident.release", map[string]any{"released": released})
				}
				for _, name := range released {
					a.printf("%s is released. Its devices will list what this store has, and drop what it does not have.\n", name)
				}
				if len(released) == 0 {
					a.say("No account is in doubt.\n")
				}
				return nil
			})
		},
	}
	c.Flags().BoolVar(&all, "all", false, "release every account that is in doubt")
	return c
}

// settle releases the accounts named; none named: all that are in doubt. It returns their names.
func settle(ctx context.Context, cl *control.Client, names []string) ([]string, error) {
	if len(names) > 0 {
		return names, cl.Release(ctx, names[0])
	}
	list, err := cl.Incidents(ctx)
	if err != nil {
		return nil, err
	}
	done := []string{}
	for _, x := range list {
		if err := cl.Release(ctx, x.ID.String()); err != nil {
			return done, err
		}
		done = append(done, x.Account)
	}
	return done, nil
}
