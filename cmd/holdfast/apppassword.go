package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"holdfast"
	"holdfast/internal/control"

	"github.com/spf13/cobra"
)

func (a *app) appPasswordCommand() *cobra.Command {
	c := group(&cobra.Command{
		Use:   "app-password",
		Short: "Add and revoke devices: each has an app password of its own",
		Long: `A phone or program signs in with the account's name and an app password that is its own. The list of
app passwords is the list of devices; a lost device is locked out by revoking its app password.`,
		Example: `  holdfast app-password add alice@example.org --name "Pixel 8"
  holdfast app-password list alice@example.org
  holdfast app-password revoke alice@example.org ID`,
	})
	c.AddCommand(a.appPasswordAdd(), a.appPasswordList(), a.appPasswordRevoke())
	return c
}

func (a *app) appPasswordAdd() *cobra.Command {
	var name string
	var stdin bool
	c := &cobra.Command{
		Use:   "add EMAIL --name NAME [--password-stdin]",
		Short: "Add a device and show its app password, this once",
		Long: `Add a device, and show its app password, this once: only its SHA-256 is kept.

With --password-stdin the device keeps the app password that it has from another server, Nextcloud's for example; it is
read from standard input, and not shown. Then a phone that moves changes nothing but the server's name. It must look
random and have 25 letters and digits or more: what looks as if a person had chosen it is refused.`,
		Example: `  holdfast app-password add alice@example.org --name "Pixel 8"
  printf %s "$APP_PASSWORD" | holdfast app-password add alice@example.org --name "Pixel 8" --password-stdin`,
		Args: account(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, list []string) error {
			if name == "" {
				return usage(cmd, errors.New("give the device a name with --name"))
			}
			password, err := "", error(nil)
			if stdin {
				if password, err = a.readPassword(); err != nil {
					return err
				}
			}
			return a.with(cmd, toUse, func(ctx context.Context, cl *control.Client) error {
				var d control.NewDevice
				if stdin {
					d, err = cl.TakeDevice(ctx, list[0], name, password)
				} else {
					d, err = cl.AddDevice(ctx, list[0], name)
				}
				if err != nil {
					return err
				}
				if a.json {
					return a.printJSON("app-password", d)
				}
				if stdin {
					a.printf("%q signs in for %s with the app password that it has.\n", d.Name, list[0])
					return nil
				}
				a.say("The app password of %q for %s; it is shown only now:\n", d.Name, list[0])
				a.printf("%s\n", d.Password)
				return nil
			})
		},
	}
	c.Flags().StringVar(&name, "name", "", "what its owner calls the device")
	c.Flags().BoolVar(&stdin, "password-stdin", false, "read the app password that the device has from standard input")
	return c
}

func (a *app) appPasswordList() *cobra.Command {
	return &cobra.Command{
		Use:   "list EMAIL",
		Short: "List an account's devices",
		Args:  account(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, list []string) error {
			return a.with(cmd, toUse, func(ctx context.Context, cl *control.Client) error {
				devices, err := cl.Devices(ctx, list[0])
				if err != nil {
					return err
				}
				if a.json {
					return a.printJSON("app-password.list", map[string]any{"devices": devices})
				}
				return a.deviceTable(list[0], devices)
			})
		},
	}
}

func (a *app) deviceTable(email string, devices []control.Device) error {
	if len(devices) == 0 {
		a.say("%s has no device yet; `holdfast app-password add` makes an app password for one.\n", email)
		return nil
	}
	var rows [][]string
	for _, d := range devices {
		seen := "never"
		if d.LastSeen != nil {
			seen = day(*d.LastSeen)
		}
		rows = append(rows, []string{d.Name, day(d.Created), seen, d.ID.String()})
	}
	return a.table("DEVICE ADDED SEEN ID", rows)
}

func (a *app) appPasswordRevoke() *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use:   "revoke EMAIL ID",
		Short: "End a device's right to sign in, at once",
		Long: `End a device's right to sign in, at once. That cannot be undone: a device that comes back gets a new app password. What it
sent is kept, and what it has not sent yet it cannot send any more: it is said when it was last here, and what it alone has seen.`,
		Args: account(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, list []string) error {
			if _, err := holdfast.ParseID(list[1]); err != nil { // a name may be that of two, and this cannot be undone
				return usage(cmd, fmt.Errorf("%q is no device's id; `holdfast app-password list %s` shows them", list[1], list[0]))
			}
			return a.with(cmd, toUse, func(ctx context.Context, cl *control.Client) error {
				if err := a.warnRevoke(ctx, cl, list[0], list[1], yes); err != nil {
					return err
				}
				if err := cl.RevokeDevice(ctx, list[0], list[1]); err != nil {
					return err
				}
				if a.json {
					return a.printJSON("app-password.revoke", map[string]any{"id": list[1], "revoked": true})
				}
				a.printf("The device %s of %s cannot sign in any more. What it sent is kept.\n", list[1], list[0])
				return nil
			})
		},
	}
	agreeFlag(c, &yes)
	return c
}

// warnRevoke says what a device is that is to be shut out, and what it alone has seen. It goes on at once where nobody can be asked: the device may be a thief's.
func (a *app) warnRevoke(ctx context.Context, cl *control.Client, email, id string, yes bool) error {
	devices, err := cl.Devices(ctx, email)
	at := slices.IndexFunc(devices, func(d control.Device) bool { return d.ID.String() == id })
	if err != nil || at < 0 {
		return nil // the act itself says why
	}
	seen := "was never here"
	if d := devices[at]; d.LastSeen != nil {
		seen = "was last here on " + day(*d.LastSeen)
	}
	a.say("%s %s. What it has changed and not sent yet it cannot send any more.\n", inTable(devices[at].Name), seen)
	if x, err := incidentOf(ctx, cl, email); err == nil {
		for _, d := range heldDevices(x) {
			if d.ID.String() == id {
				a.say("It has seen what this store lacks: %s. Export from it before it is set up anew: holdfast salvage %s --from FILE --device %s\n", lossOf(d), email, id)
			}
		}
	}
	return a.agreed(yes)
}
