// Command holdfast is the whole service: `holdfast serve` runs it, the other commands look after it.
//
// Each command stands in a file of its own: it parses, calls, prints. While a server runs, commands go through the control socket in its data directory;
// otherwise they take the directory's exclusive lease and do the same work themselves (see store.go). Only this package names a concrete engine.
//
// Exit status: 0 fine, 1 a negative finding, 2 usage, 3 refused for safety, 4 unreachable or busy, 5 inconclusive.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"holdfast"
	"holdfast/internal/config"

	"github.com/spf13/cobra"
)

func main() { os.Exit(run()) }

// run is main without the exit.
func run() int {
	keepPrivate()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	a := &app{environ: os.Environ(), stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}
	root := a.root()
	root.SetArgs(os.Args[1:])
	err := root.ExecuteContext(ctx)
	if err == nil {
		err = a.unknown
	}
	if err == nil {
		return exitFine
	}
	code := exitCode(err)
	if text := sentence(err); text != "" {
		a.say("holdfast: %s\n", text)
		if (a.json || slices.Contains(os.Args[1:], "--json")) && !a.printed { // what is wrong may stand before the flag
			_ = a.printJSON("error", failure{text, code}) // nothing is left to tell it to
		}
	}
	return code
}

// failure is what --json prints of a command that did not come to a result.
type failure struct {
	Error string `json:"error"`
	Exit  int    `json:"exit"`
}

// app is what commands share: the streams, the environment, and the flags that each takes.
type app struct {
	environ        []string
	stdin          io.Reader
	stdout, stderr io.Writer
	json           bool
	unknown        error // what help was asked of is no command
	printed        bool  // the object of --json is out
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "holdfast",
		Short: "Contacts, calendars, photos and files on a server of your own that can prove that it gives them back",
		Long: `Holdfast keeps the contacts, calendars, tasks, notes, photos and files of people and their phones.

Without any configuration, "holdfast serve" keeps its data in ./holdfast-data, listens on this
machine alone, and prints a link with which you create the first account.

Settings come from flags, then from HOLDFAST_* in the environment, then from DATA/holdfast.toml:
"holdfast config print" shows each with its source. While a server runs, commands speak to it through
its data directory; otherwise they open the data themselves. Give every command the same --data.`,
		Example: `  holdfast serve
  holdfast account add alice@example.org
  holdfast app-password add alice@example.org --name "Pixel 8"
  holdfast import alice@example.org contacts.vcf calendar.ics
  holdfast share add alice@example.org calendars/default bob@example.org --rights write`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args: func(cmd *cobra.Command, list []string) error {
			if len(list) > 0 {
				return usage(cmd, fmt.Errorf("unknown command %q", list[0]))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	config.AddDataFlags(root.PersistentFlags())
	root.PersistentFlags().BoolVar(&a.json, "json", false, "print one JSON object")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usage(cmd, err) })
	root.AddGroup(&cobra.Group{ID: "run", Title: "Run the service:"}, &cobra.Group{ID: "people", Title: "People and devices:"},
		&cobra.Group{ID: "data", Title: "Data in and out:"}, &cobra.Group{ID: "other", Title: "Other:"})
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add("run", a.serveCommand(), a.quickstartCommand(), a.statusCommand(), a.doctorCommand(), a.incidentCommand(), a.noticeCommand(), a.configCommand(), a.upgradeCheckCommand())
	add("data", a.vaultCommand(), a.keyCommand(), a.drillCommand())
	add("people", a.accountCommand(), a.appPasswordCommand(), a.shareCommand())
	add("data", a.importCommand(), a.salvageCommand(), a.exportCommand(), a.photosCommand(), a.historyCommand(), a.undoCommand(), a.rewindCommand(), a.restoreCommand(), a.adoptCommand(), a.repairCommand(), a.scrubCommand())
	add("other", a.rehearseCommand(), a.fleetCommand(), a.versionCommand(), a.completionCommand(), a.decodeWorkerCommand())
	root.SetHelpCommand(helpCommand())
	root.SetHelpCommandGroupID("other")
	show := root.HelpFunc()
	root.SetHelpFunc(func(cmd *cobra.Command, list []string) {
		if words := cmd.Flags().Args(); cmd.HasSubCommands() && len(words) > 0 { // `holdfast fly --help`
			a.unknown = usage(cmd, fmt.Errorf("unknown command %q", words[0]))
			return
		}
		show(cmd, list)
	})
	return root
}

// helpCommand is cobra's, but for a word that is no command: that is an error.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Help about any command",
		RunE: func(cmd *cobra.Command, list []string) error {
			found, rest, err := cmd.Root().Find(list)
			if err != nil || len(rest) > 0 {
				return usage(cmd.Root(), fmt.Errorf("unknown command %q", strings.Join(list, " ")))
			}
			return found.Help()
		},
	}
}

// args turns a wrong number of arguments into an error of usage.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, list []string) error {
		err := check(cmd, list)
		if err != nil && !cmd.HasSubCommands() {
			form, _, _ := strings.Cut(cmd.UseLine(), " [flags]")
			return usage(cmd, errors.New("it is used like this: "+form))
		}
		if err != nil {
			return usage(cmd, err)
		}
		return nil
	}
}

// account is args of a command whose first argument names an account: by a login, or by its id.
func account(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, list []string) error {
		if err := args(check)(cmd, list); err != nil {
			return err
		}
		_, bad := holdfast.ParseID(list[0])
		if _, err := holdfast.ParseLogin(list[0]); err != nil && bad != nil {
			return usage(cmd, err)
		}
		return nil
	}
}

func usage(cmd *cobra.Command, err error) error {
	return &exitError{code: exitUsage, text: fmt.Sprintf("%v; see `%s --help`", err, cmd.CommandPath())}
}

// load reads the configuration of a command.
func (a *app) load(cmd *cobra.Command) (*config.Config, error) {
	c, err := config.Load(config.Source{Flags: cmd.Flags(), Environ: a.environ})
	if err != nil {
		return nil, &exitError{code: exitUsage, text: oneLine(err)}
	}
	return c, nil
}

// group is a command that only holds others.
func group(c *cobra.Command) *cobra.Command {
	c.Args = args(cobra.NoArgs)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		return usage(cmd, errors.New("say what to do: one of its commands is missing"))
	}
	return c
}
