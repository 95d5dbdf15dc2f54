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
		Short: "Show and settle that a phone has seen more than the store has",
		Long: `A phone that comes with proof of changes which this store does not have shows that the store is older
than it should be: a copy was put in place that lacks the newest changes, or a disk lost them. From then on
every device of that account is told to wait (503), so that none drops what the store lacks.

Look for a newer copy of the data first. If there is one, put it in place: who was held for that alone is held
no more once the store has it. If there is none, export from the phone what only it has, bring that in
(holdfast salvage), and then let go on who waits: release an account, dismiss the loss of one device.

Phones and programs that list without a sync token prove nothing, and drop what is not listed. So where you know
that a store is older than what they have, as after a restore from an old copy, hold its accounts before you start
it (incident hold --all), bring in what a newer vault has (repair), and release them then.`,
		Example: `  holdfast incident list
  holdfast incident show alice@example.org
  holdfast incident hold --all
  holdfast incident release alice@example.org
  holdfast incident dismiss alice@example.org --device Pixel`,
	})
	c.AddCommand(a.incidentList(), a.incidentShow(), a.incidentHold(), a.incidentDismiss(), a.incidentRelease())
	return c
}

func (a *app) incidentList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the accounts and devices that wait; exit status 1 if there are any",
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
		who := "all devices"
		if n := len(heldDevices(x)); !x.Held {
			who = count(int64(n), "device")
		}
		device, seen := cmp.Or(x.Device, "-"), fmt.Sprintf("change %d", x.Seen)
		if x.ByHand && x.Device == "" {
			device, seen = "the operator", "-"
		}
		rows = append(rows, []string{x.Account, day(x.Since), device, seen, fmt.Sprintf("change %d", x.Head), who})
	}
	if err := a.table("ACCOUNT SINCE DEVICE SEEN HELD WAITS", rows); err != nil {
		return err
	}
	a.say("Who waits is told so, and keeps what it has. See `holdfast incident --help` before you let anybody go on.\n")
	return nil
}

// heldDevices returns the devices of an incident that wait, each for what it has seen itself.
func heldDevices(x control.Incident) []control.IncidentDevice {
	return slices.DeleteFunc(slices.Clone(x.Devices), func(d control.IncidentDevice) bool { return d.State != "held" })
}

func (a *app) incidentShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show EMAIL",
		Short: "Show why an account or a device waits, and what can be done",
		Args:  account(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, names []string) error {
			return a.with(cmd, toUse, func(ctx context.Context, cl *control.Client) error {
				x, err := incidentOf(ctx, cl, names[0])
				if err != nil {
					return err
				}
				cause, err := cl.Cause(ctx, x.ID.String())
				if err != nil { // the rest is known all the same
					cause.Unread = append(cause.Unread, err.Error())
				}
				if a.json {
					return a.printJSON("incident.show", struct {
						control.Incident
						control.Cause
					}{x, cause})
				}
				a.explainIncident(x)
				a.explainCause(x, cause)
				return nil
			})
		},
	}
}

// incidentOf returns the incident of one account.
func incidentOf(ctx context.Context, cl *control.Client, name string) (x control.Incident, err error) {
	list, err := cl.Incidents(ctx)
	if err != nil {
		return x, err
	}
	i := slices.IndexFunc(list, func(x control.Incident) bool { return x.Account == name || x.ID.String() == name })
	if i < 0 {
		return x, &exitError{exitNegative, name + " is not in doubt"}
	}
	return list[i], nil
}

// explainIncident says what is known of an incident, and what to do.
func (a *app) explainIncident(x control.Incident) {
	if x.Held {
		a.printf("%s has waited since %s: nobody reads or writes it.\n", x.Account, day(x.Since))
	} else {
		a.printf("%s is read and written; what its devices alone have seen waits with them.\n", x.Account)
	}
	if x.ByHand && x.Device == "" {
		a.printf("An operator holds it; this store had change %d then.\n", x.Head)
	} else if name, of := strings.CutPrefix(x.Device, "vault "); of {
		a.printf("The vault %s has changes of it up to number %d that this store does not have; this store went another way, up to number %d.\n", name, x.Seen, x.Head)
		a.printf("Look at what the vault has:    holdfast restore --from VAULT --key FILE --into DIR --account %s\n", x.Account)
	} else if len(x.Devices) == 0 {
		a.printf("%s has proof of change %d; this store has %d.\n", cmp.Or(x.Device, "A device"), x.Seen, x.Head)
	}
	for _, d := range x.Devices {
		a.printf("%s\n", deviceLine(d))
	}
	if !strings.HasPrefix(x.Device, "vault ") {
		a.printf("Is there a newer copy?           holdfast vault status, holdfast vault verify\n")
		a.printf("Bring in what a vault has:       holdfast repair --account %s --from VAULT\n", x.Account)
	}
	for _, d := range heldDevices(x) {
		a.printf("Bring in what %s exports:  holdfast salvage %s --from FILE... --device %s\n", inTable(d.Name), x.Account, d.ID)
	}
	if x.Held {
		a.printf("Go on with what this store has:  holdfast incident release %s\n", x.Account)
	}
	for _, d := range heldDevices(x) {
		a.printf("Give up what %s alone has:  holdfast incident dismiss %s --device %s\n", d.Name, x.Account, d.ID)
	}
}

// explainCause names what vaults and ledgers know of what devices have seen.
func (a *app) explainCause(x control.Incident, c control.Cause) {
	for _, d := range heldDevices(x) {
		if slices.Contains(c.Explained, d.ID) {
			a.printf("What %s has seen is known: a vault or a ledger has that history.\n", d.Name)
		} else {
			a.printf("What %s has seen is in no vault or ledger that could be read.\n", d.Name)
		}
	}
	shown := lines{a: a}
	for _, i := range c.Lost {
		said := "nowhere but on devices: a repair lists it to those that may have it"
		if i.Found {
			said = "a vault has it: a repair brings it in"
		}
		shown.print(fmt.Sprintf("lacking: %s (%s): %s", inTable(i.Path), i.Kind, said))
	}
	shown.end("more that this store lacks")
	for _, u := range c.Unread {
		a.printf("Not read, so more may be there: %s\n", u)
	}
}

// deviceLine says how one device of an incident fares.
func deviceLine(d control.IncidentDevice) string {
	s := fmt.Sprintf("%s has proof of change %d; this store had %d then.", d.Name, d.Seen, d.Head)
	if d.Ended != nil {
		return s + fmt.Sprintf(" It waits no more: %s, %s.", d.State, day(*d.Ended))
	}
	return s + " " + wouldDrop(d)
}

// wouldDrop says what a stock client does once it is let go on, by count.
func wouldDrop(d control.IncidentDevice) string {
	if d.Missing == 0 {
		return "It waits. Let go on, it drops what it has and the store lacks; nobody can tell how much that is."
	}
	return fmt.Sprintf("It waits. Let go on, it drops what it has and the store lacks: up to %s.", count(int64(d.Missing), "item"))
}

func (a *app) incidentHold() *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:   "hold {EMAIL | --all}",
		Short: "Let an account wait before any device has proved anything",
		Long: `Let an account wait: every device of it is answered 503 and keeps what it has, its edits too, until you release
it. Do that before you start a store of which you know that it is older than what devices have seen: restored
from an old copy of a vault, say. A device with a newer sync token proves that by itself; one that lists without
a token proves nothing, and drops what is not listed.`,
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
			return a.with(cmd, toUse, func(ctx context.Context, cl *control.Client) error { return a.hold(ctx, cl, list) })
		},
	}
	c.Flags().BoolVar(&all, "all", false, "hold every account")
	return c
}

// hold holds the accounts named; none named: all.
func (a *app) hold(ctx context.Context, cl *control.Client, names []string) error {
	if len(names) == 0 {
		list, err := cl.Accounts(ctx)
		if err != nil {
			return err
		}
		for _, x := range list {
			names = append(names, x.Email)
		}
	}
	held := []string{}
	for _, name := range names {
		fresh, err := cl.Hold(ctx, name)
		if err != nil {
			return err
		}
		if fresh {
			held = append(held, name)
		}
	}
	if a.json {
		return a.printJSON("incident.hold", map[string]any{"held": held})
	}
	a.printf("%s waits now, %d did before. Let them go on: holdfast incident release {EMAIL | --all}\n", count(int64(len(held)), "account"), len(names)-len(held))
	return nil
}

func (a *app) incidentDismiss() *cobra.Command {
	var device string
	var yes bool
	c := &cobra.Command{
		Use:   "dismiss EMAIL --device ID",
		Short: "Give up what one device alone has seen, and let it go on",
		Long: `Give up what one device alone has seen, and let it go on. The device then lists what the store has, and
drops what the store lacks: what only it had is lost with that. Export from it first what matters, and bring
that in. ID is the device's id, or what its owner calls it.`,
		Args: account(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, names []string) error {
			if device == "" {
				return usage(cmd, errors.New("name the device with --device; `holdfast incident show` tells which wait"))
			}
			return a.with(cmd, toUse, func(ctx context.Context, cl *control.Client) error {
				if err := a.warnDismiss(ctx, cl, names[0], device, yes); err != nil {
					return err
				}
				d, err := cl.Dismiss(ctx, names[0], device)
				if err != nil {
					return err
				}
				if a.json {
					return a.printJSON("incident.dismiss", map[string]any{"account": names[0], "device": d.ID, "missing": d.Missing})
				}
				a.printf("%s of %s goes on. It lists what this store has, and drops what it does not have%s.\n", d.Name, names[0], upTo(d.Missing))
				return nil
			})
		},
	}
	c.Flags().StringVar(&device, "device", "", "the device's `ID`, or what its owner calls it")
	agreeFlag(c, &yes)
	return c
}

// warnDismiss says what a device will drop.
func (a *app) warnDismiss(ctx context.Context, cl *control.Client, email, device string, yes bool) error {
	x, err := incidentOf(ctx, cl, email)
	if err != nil {
		return nil // the act itself says why
	}
	for _, d := range heldDevices(x) {
		if d.ID.String() == device || d.Name == device {
			a.say("Warning: %s of %s then drops what it has and this store lacks: %s. That cannot be undone; what matters is exported first, and salvaged.\n", d.Name, x.Account, lossOf(d))
			return a.agreed(yes)
		}
	}
	return nil
}

// lossOf says by count and kind what a device has seen and the store lacks.
func lossOf(d control.IncidentDevice) string {
	if d.Missing == 0 {
		return "nobody can tell how much" + ofKind(d.Kind)
	}
	return "up to " + count(int64(d.Missing), "change") + ofKind(d.Kind)
}

// ofKind says what a device asked for when it showed what it had seen.
func ofKind(kind string) string {
	if kind == "" {
		return ""
	}
	return " of " + kind
}

// upTo says how much a device may drop; nothing where that is not known.
func upTo(n uint64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" (up to %s)", count(int64(n), "item"))
}

func (a *app) incidentRelease() *cobra.Command {
	var all, yes bool
	c := &cobra.Command{
		Use:   "release {EMAIL | --all}",
		Short: "Let an account go on with what this store has",
		Long: `Let an account go on with what this store has. Devices that did not prove to have seen more will then list what
the store has, and drop what it does not have: of what only a phone has, that is lost which nobody has exported.
Those that did prove it wait on, until their loss is dismissed or salvaged. Release an account once the newest
copy is in place, or once you know that there is none.`,
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
			return a.with(cmd, toUse, func(ctx context.Context, cl *control.Client) error { return a.release(ctx, cl, list, yes) })
		},
	}
	c.Flags().BoolVar(&all, "all", false, "release every account that is in doubt")
	agreeFlag(c, &yes)
	return c
}

// release releases the accounts named; none named: all that are held. Before each it warns of what clients would then drop.
func (a *app) release(ctx context.Context, cl *control.Client, names []string, yes bool) error {
	list, err := cl.Incidents(ctx)
	if err != nil {
		return err
	}
	released, waiting, held := []string{}, 0, []control.Incident{}
	for _, x := range list {
		waiting += len(heldDevices(x))
		if x.Held && (len(names) == 0 || x.Account == names[0] || x.ID.String() == names[0]) {
			a.warnRelease(ctx, cl, x)
			held = append(held, x)
		}
	}
	if len(held) > 0 {
		if err := a.agreed(yes); err != nil {
			return err
		}
	}
	for _, x := range held {
		if err := cl.Release(ctx, x.ID.String()); err != nil {
			return err
		}
		released = append(released, x.Account)
	}
	if len(names) > 0 && len(released) == 0 {
		return cl.Release(ctx, names[0]) // which says why not
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
	if waiting > 0 {
		a.say("%s with proof of more wait on, each until its loss is salvaged or dismissed: holdfast incident list\n", count(int64(waiting), "device"))
	}
	return nil
}

// warnRelease says what clients of an account may drop once it is released.
func (a *app) warnRelease(ctx context.Context, cl *control.Client, x control.Incident) {
	most, kind, waiting := uint64(0), "", heldDevices(x)
	for _, d := range waiting {
		if d.Missing > most {
			most, kind = d.Missing, d.Kind
		}
	}
	if most == 0 {
		a.say("Warning: %s may lack changes, and nobody can tell how many. Devices that hold them and list anew drop them.\n", x.Account)
	} else {
		a.say("Warning: %s lacks up to %s that a device has seen. Other devices that hold them and list anew drop them.\n", x.Account, count(int64(most), "change")+ofKind(kind))
	}
	acc, err := cl.Account(ctx, x.ID.String())
	if err != nil {
		return // it has only what the warning says
	}
	others := len(acc.Devices)
	for _, d := range waiting {
		if slices.ContainsFunc(acc.Devices, func(o control.Device) bool { return o.ID == d.ID }) {
			others--
		}
	}
	a.say("This store has %s for %s. Count on its devices (%d go on, %d wait on): what they show above that they would delete.\n", holds(acc.Collections), x.Account, others, len(waiting))
}
