package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"holdfast/internal/clock"
	"holdfast/internal/control"
	"holdfast/internal/fleet"

	"github.com/spf13/cobra"
)

func (a *app) fleetCommand() *cobra.Command {
	c := group(&cobra.Command{
		Use:   "fleet",
		Short: "Let many simulated phones and programs live with a server, and see whether anything is lost",
		Long: `Simulated devices behave as DAVx5, Thunderbird, Evolution and vdirsyncer do, also where these delete what a server does not list. People
edit on them, go offline and set devices up anew. In the end it is known whether an edit that the server acknowledged was lost, and whether
anything vanished that nobody had deleted.`,
		Example: `  holdfast fleet accounts --people 10 --devices 5 > fleet.jsonl
  holdfast fleet run --url http://127.0.0.1:8420 --accounts fleet.jsonl --duration 1m \
    --clients davx5=10,thunderbird-calendar=10,thunderbird-contacts=10,evolution=10,vdirsyncer=10`,
	})
	c.AddCommand(a.fleetRun(), a.fleetAccounts())
	return c
}

// fleetFlags are those of a run.
type fleetFlags struct {
	fleet.Options
	accounts, clients string
	duration          time.Duration
}

func (a *app) fleetRun() *cobra.Command {
	f := fleetFlags{Options: fleet.Options{Rates: fleet.DefaultRates()}}
	c := &cobra.Command{
		Use:   "run --url URL --accounts FILE --clients KIND=N,...",
		Short: "Run a fleet against a server",
		Long: `Run a fleet against a server, this one or any other that speaks CardDAV and CalDAV.

The file of accounts has a line of JSON for each device, {"login":"alice@example.org","password":"APP-PASSWORD"}; lines of one login are
the devices of one person. "holdfast fleet accounts" makes such a file. The kinds of clients are dealt to the lines in turns.

Test data are written into these accounts. Those that hold something are refused; with --into-existing what is there is watched, and never
edited. Nothing is cleaned up afterwards: erase the accounts.

People live --speed times faster than we do: by default an hour in a second, so a minute is two and a half days. What they do, and where and
when, follows from --seed; the names of what they make carry the time of the run too.

The exit status is 0 if no acknowledged edit was lost and nothing vanished that nobody had deleted, 1 if something was or did, and 5 if
the devices did not come to rest, so that nothing is certain. What an edit's own client gave up in a conflict is counted, and is no loss.`,
		Example: `  holdfast fleet run --url http://127.0.0.1:8420 --accounts fleet.jsonl --clients davx5=3,thunderbird-calendar=2 --seed 7 --duration 30s
  holdfast fleet run --url https://dav.example.org --accounts fleet.jsonl --clients davx5=1 --speed 60 --duration 8h --json`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.read(cmd, a.stdin); err != nil {
				return err
			}
			return a.runFleet(cmd.Context(), f.Options)
		},
	}
	l := c.Flags()
	l.StringVar(&f.URL, "url", "", "the server's `URL`, as people type it")
	l.StringVar(&f.accounts, "accounts", "", "the `FILE` of logins and app passwords; -: standard input")
	l.StringVar(&f.clients, "clients", "", "how many devices of each kind, `KIND=N,...`: "+kindList())
	l.Uint64Var(&f.Seed, "seed", 0, "repeat what people did in the run with this seed; 0: something new")
	l.DurationVar(&f.duration, "duration", time.Minute, "how long people live with it")
	l.Float64Var(&f.Speed, "speed", fleet.DefaultSpeed, "how much faster than life")
	l.Float64Var(&f.Rates.EditsPerDay, "edits", f.Rates.EditsPerDay, "edits and deletions a day, on each device")
	l.IntVar(&f.Rates.Items, "items", f.Rates.Items, "contacts, and as many events, that each person begins with")
	l.IntVar(&f.Parallel, "parallel", 64, "requests under way at once")
	l.BoolVar(&f.FlatOut, "flat-out", false, "nobody edits, and each device syncs again at once: how many syncs the server stands")
	l.BoolVar(&f.IntoExisting, "into-existing", false, "write into accounts that hold something already")
	l.BoolVar(&f.InsecureHTTP, "insecure-http", false, "let app passwords go over plain HTTP beyond this machine")
	return c
}

func kindList() string {
	var names []string
	for _, k := range fleet.Kinds() {
		names = append(names, string(k))
	}
	return strings.Join(names, ", ")
}

// maxAccounts bounds the file of accounts, in octets.
const maxAccounts = 64 << 20

func (f *fleetFlags) read(cmd *cobra.Command, stdin io.Reader) error {
	switch {
	case f.URL == "":
		return usage(cmd, errors.New("say which server with --url URL"))
	case f.accounts == "":
		return usage(cmd, errors.New("say who signs in with --accounts FILE; `holdfast fleet accounts` makes one"))
	case f.clients == "":
		return usage(cmd, errors.New("say which devices with --clients KIND=N,..."))
	case f.duration <= 0 || f.Speed <= 0 || f.Rates.EditsPerDay < 0 || f.Rates.Items < 0 || f.Parallel < 1:
		return usage(cmd, errors.New("--duration, --speed and --parallel are more than nothing, --edits and --items no less"))
	}
	var err error
	if f.Clients, err = fleet.ParseCounts(f.clients); err != nil {
		return usage(cmd, fmt.Errorf("--clients: %w", err))
	}
	var b []byte
	if f.accounts == "-" {
		b, err = readLimited(stdin, maxAccounts)
	} else {
		b, err = readFileLimited(f.accounts, maxAccounts)
	}
	if err != nil {
		return usage(cmd, fmt.Errorf("--accounts: %w", err))
	}
	if f.Credentials, err = fleet.ParseCredentials(strings.NewReader(string(b))); err != nil {
		return usage(cmd, fmt.Errorf("--accounts %s: %w", f.accounts, err))
	}
	if f.Seed == 0 {
		f.Seed = uint64(clock.System.Now().UnixNano())
	}
	f.Life = time.Duration(float64(f.duration) * f.Speed)
	if f.FlatOut {
		f.Rates = fleet.Rates{Items: f.Rates.Items}
	}
	return nil
}

func (a *app) runFleet(ctx context.Context, o fleet.Options) error {
	f, err := fleet.New(o)
	if err != nil {
		return err
	}
	defer f.Close()
	if u, err := url.Parse(o.URL); err == nil && !fleet.Loopback(u) {
		a.say("WARNING: test data are written into the accounts at %s, and stay there.\n", u.Host)
	}
	stop := a.watchFleet(ctx, f)
	r, err := f.Run(ctx)
	stop()
	if errors.Is(err, context.Canceled) {
		return &exitError{exitBusy, fmt.Sprintf("interrupted; nothing is proven, and the test data stay in the accounts (seed %d)", o.Seed)}
	}
	if err != nil {
		return err
	}
	if a.json {
		if err := a.printJSON("fleet", r); err != nil {
			return err
		}
	} else {
		a.showFleet(r)
	}
	switch {
	case !r.Good():
		return &exitError{code: exitNegative}
	case !r.Settled:
		return &exitError{code: exitInconclusive}
	}
	return nil
}

// watchFleet shows how far a run is, until stop is called.
func (a *app) watchFleet(ctx context.Context, f *fleet.Fleet) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	bar := a.progress("syncs", noOctets)
	go func() {
		defer close(done)
		for clock.Sleep(ctx, clock.System, 250*time.Millisecond) == nil {
			p := f.Progress()
			bar.where = fmt.Sprintf(" (%d edits, %d deletions that no user made)", p.Edits, p.DeletionsNoUserMade)
			bar.at(int(p.Syncs), p.Requests)
		}
		bar.end()
	}()
	return func() { cancel(); <-done }
}

func (a *app) showFleet(r *fleet.Result) {
	var kinds []string
	n := 0
	for _, c := range r.Clients {
		kinds, n = append(kinds, fmt.Sprintf("%d %s", c.N, c.Kind)), n+c.N
	}
	a.printf("%s of %s for %.1f days of their time, in %.0f s (seed %d)\n", count(int64(n), "device"), count(int64(r.Accounts), "account"), r.LifeDays, r.Seconds, r.Seed)
	a.printf("  devices   %s\n", strings.Join(kinds, ", "))
	a.printf("  syncs     %d of a collection, %.0f/s; %d failed; %d requests, half within %.1f ms, 99 %% within %.1f ms\n", r.Syncs, r.SyncsPerS, r.SyncsFailed, r.Requests, r.Latency.P50, r.Latency.P99)
	a.printf("  people    %d edits, %d acknowledged; %d deletions\n", r.Edits, r.EditsAcknowledged, r.UserDeletions)
	a.printf("  conflicts %d edits given up or written over by the rules of their clients\n", r.EditsOverwritten)
	for _, x := range []struct {
		what string
		n    int64
		list []fleet.Finding
	}{{"LOST", r.EditsLost, r.Lost}, {"VANISHED", r.DeletionsNoUserMade, r.Deletions}, {"kept, and not uploaded", r.Kept, r.KeptOnly}, {"deleted, and there again", r.DeletionsUndone, r.UndoneByThem},
		{"not at rest", int64(len(r.Unsettled)), r.Unsettled}} {
		if x.n == 0 {
			continue
		}
		a.printf("%s: %d\n", x.what, x.n)
		for _, f := range x.list[:min(len(x.list), shown)] {
			a.printf("  %s\n", inTable(fmt.Sprintf("%s %s %s: %s", f.Time.Format(time.RFC3339), f.Device, f.Href, f.Because)))
		}
	}
	for _, x := range r.OnlyHere {
		a.printf("only on %s: %s that the server does not have, %d of them wait for their upload; --json names them\n", inTable(x.Device), count(int64(x.Items), "item"), x.Waiting)
	}
	switch {
	case !r.Good():
		a.printf("Lost: %d acknowledged edits; vanished: %d items that nobody had deleted.\n", r.EditsLost, r.DeletionsNoUserMade)
	case !r.Settled:
		a.printf("The devices did not come to rest: nothing is certain.\n")
	default:
		a.printf("No acknowledged edit was lost, and nothing vanished that nobody had deleted.\n")
	}
}

func (a *app) fleetAccounts() *cobra.Command {
	people, devices, name := 10, 5, "fleet"
	c := &cobra.Command{
		Use:   "accounts [--people N] [--devices M]",
		Short: "Make accounts for a fleet, and print their app passwords as a file of accounts",
		Long: `Make accounts NAME-0@example.org, NAME-1@example.org and so on, with app passwords for their devices, and print them as "fleet run --accounts"
reads them. They are accounts like any other: erase them with "holdfast account erase" afterwards.`,
		Example: `  holdfast fleet accounts --people 200 --devices 5 > fleet.jsonl`,
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if people < 1 || devices < 1 {
				return usage(cmd, errors.New("--people and --devices are at least 1"))
			}
			if terminal(a.stdout) {
				a.say("These are app passwords; keep them in a file: > fleet.jsonl\n")
			}
			return a.with(cmd, toUse, func(ctx context.Context, cl *control.Client) error {
				return a.makeFleet(ctx, cl, people, devices, name)
			})
		},
	}
	c.Flags().IntVar(&people, "people", people, "accounts")
	c.Flags().IntVar(&devices, "devices", devices, "devices of each")
	c.Flags().StringVar(&name, "name", name, "what their logins begin with")
	return c
}

func (a *app) makeFleet(ctx context.Context, cl *control.Client, people, devices int, name string) error {
	enc := json.NewEncoder(a.stdout)
	for i := range people {
		login := fmt.Sprintf("%s-%d@example.org", name, i)
		if _, err := cl.CreateAccount(ctx, control.NewAccount{Email: login}); err != nil {
			return err
		}
		for n := range devices {
			d, err := cl.AddDevice(ctx, login, fmt.Sprintf("fleet %d", n))
			if err != nil {
				return err
			}
			if err := enc.Encode(fleet.Credential{Login: login, Password: d.Password}); err != nil {
				return &exitError{exitBusy, "the app passwords cannot be written: " + oneLine(err)}
			}
		}
	}
	return nil
}
