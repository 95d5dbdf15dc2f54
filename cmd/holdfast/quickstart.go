package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"holdfast"
	"holdfast/internal/auth"
	"holdfast/internal/config"
	"holdfast/internal/control"
	"holdfast/internal/doctor"
	"holdfast/internal/registry"
	"holdfast/internal/seal"
	"holdfast/internal/vfs"

	"github.com/spf13/cobra"
)

func (a *app) quickstartCommand() *cobra.Command {
	q := &quickstart{a: a}
	c := &cobra.Command{
		Use:   "quickstart EMAIL",
		Short: "Set up a host: store, keys, first account, settings; and say what to do next",
		Long: `Set up a host in one go: the store with its keys and its first vault, the recovery key in a file that only you can read, the first account, and
a commented holdfast.toml. Then look at the machine as "holdfast doctor" does, and print the DNS records, the settings of phones and programs,
the unit for systemd, and what comes next.

It can be run again at any time: what is there is never changed, and is named. Flags of serve (--public-url, --listen, --acme, ...) become
lines of holdfast.toml. The password for the pages is read from standard input with --password-stdin; otherwise one is made and shown once.`,
		Example: `  holdfast quickstart you@example.org
  holdfast quickstart you@example.org --data /var/lib/holdfast/data --public-url https://cloud.example.org
  holdfast quickstart you@example.org --data /srv/holdfast/data --listen :443 --acme cloud.example.org --second-vault /mnt/attic/holdfast-vault`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, list []string) error { return q.run(cmd, list[0]) },
	}
	f := c.Flags()
	f.BoolVar(&q.stdin, "password-stdin", false, "read the account's password from standard input")
	f.StringVar(&q.keyOut, "key-out", "", "write the recovery key to `FILE` (default: holdfast-recovery-key.txt beside the data directory)")
	f.StringVar(&q.second, "second-vault", "", "make another vault in `DIR`, on another disk than the data")
	f.StringVar(&q.domain, "second-domain", "second disk", "`LABEL` of what ends together with the second vault: a disk, a house")
	f.StringVar(&q.resolver, "resolver", "", "ask the name server at `ADDRESS`, with or without a port")
	config.AddServeFlags(f)
	return c
}

// keyFileName is where the recovery key of a new store goes, beside the data directory, until its owner takes it away.
const keyFileName = "holdfast-recovery-key.txt"

// keyFileBeside is where that is for a data directory.
func keyFileBeside(c *config.Config) string {
	data, err := filepath.Abs(c.Data)
	if err != nil {
		return ""
	}
	return filepath.Join(filepath.Dir(data), keyFileName)
}

// secondVaultName is what the vault of --second-vault is called.
const secondVaultName = "second"

// quickstart is one run.
type quickstart struct {
	a                                *app
	c                                *config.Config
	stdin                            bool
	keyOut, second, domain, resolver string
	runs                             bool // a server does, already
	vaultDirs                        []string
	trusts                           bool // the proxy on this machine, without having been told

	report quickReport
}

// quickReport is what a run came to.
type quickReport struct {
	Email    string          `json:"email"`
	Data     string          `json:"data"`
	Steps    []quickStep     `json:"steps"`
	Password string          `json:"password,omitempty"` // of the pages, if it was made here: shown this once
	Key      *quickKey       `json:"recovery_key,omitempty"`
	Verdict  doctor.Result   `json:"verdict"`
	Checks   []doctor.Check  `json:"checks"`
	Records  []dnsRecord     `json:"records"`
	Clients  []clientSetting `json:"clients"`
	Unit     string          `json:"systemd_unit"`
	Commands []string        `json:"systemd_commands"`
	Next     []string        `json:"next"`
}

// quickStep is one thing that had to be there.
type quickStep struct {
	What   string `json:"what"`
	State  string `json:"state"` // made, kept
	Detail string `json:"detail"`
}

// quickKey tells of a recovery key that was made.
type quickKey struct {
	File        string `json:"file"`
	Fingerprint string `json:"fingerprint"`
	CheckWord   string `json:"check_word"`
}

func (q *quickstart) step(what, state, detail string) {
	q.report.Steps = append(q.report.Steps, quickStep{what, state, detail})
}

func (q *quickstart) run(cmd *cobra.Command, email string) error {
	login, err := holdfast.ParseLogin(email)
	if err != nil {
		return usage(cmd, err)
	}
	if q.c, err = q.a.load(cmd); err != nil {
		return err
	}
	if err := q.absolute(); err != nil {
		return err
	}
	q.report.Email, q.report.Data = login, q.c.Data
	password, err := q.password(cmd, login)
	if err != nil {
		return err
	}
	if err := q.make(cmd.Context(), password); err != nil {
		for _, s := range q.report.Steps { // what is there must be known all the same, a key above all
			q.a.say("%-8s %-15s  %s\n", s.State, s.What, s.Detail)
		}
		return err
	}
	q.look(cmd.Context())
	q.advise()
	if q.a.json {
		return q.a.printJSON("quickstart", q.report)
	}
	q.show()
	return cmd.Context().Err()
}

// absolute makes the paths be good wherever the service is started.
func (q *quickstart) absolute() (err error) {
	paths := []*string{&q.c.Data, &q.c.TLS.Cert, &q.c.TLS.Key, &q.second, &q.keyOut}
	if q.c.FirstVault != "none" {
		paths = append(paths, &q.c.FirstVault)
	}
	for _, p := range paths {
		if *p == "" {
			continue
		}
		if *p, err = filepath.Abs(*p); err != nil {
			return err
		}
	}
	if q.keyOut == "" {
		q.keyOut = keyFileBeside(q.c)
	}
	return nil
}

// password returns the first account's password: what standard input says, or a new one.
func (q *quickstart) password(cmd *cobra.Command, login string) (string, error) {
	if !q.stdin {
		return strings.ToLower(rand.Text()), nil // 128 bits
	}
	p, err := q.a.readPassword()
	if err != nil {
		return "", err
	}
	if err := auth.CheckPassword(p, login); err != nil {
		return "", usage(cmd, errors.New(sentence(err)))
	}
	return p, nil
}

// make makes what is missing, each thing durably before the next one. Where it is cut the next run goes on.
func (q *quickstart) make(ctx context.Context, password string) error {
	found, err := survey(q.c.Data)
	if err != nil {
		return err
	}
	if found != ours {
		if err := q.makeStore(); err != nil {
			return err
		}
	} else {
		q.step("store", "kept", q.c.Data+" has one")
	}
	if err := q.writeConfig(); err != nil {
		return err
	}
	before, _, err := registry.Read(vfs.OS, q.c.Data)
	if err != nil {
		return err
	}
	cl, err := q.a.connect(ctx, q.c, toSetUp)
	if err != nil {
		return err
	}
	defer cl.Close()
	status, err := cl.Status(ctx)
	if err != nil {
		return err
	}
	q.runs = status.Running
	if err := q.makeKey(ctx, cl); err != nil {
		return err
	}
	if err := q.makeVaults(ctx, cl, before); err != nil {
		return err
	}
	return q.makeAccount(ctx, cl, password) // last: after it nothing can fail that would keep its password from being shown
}

func (q *quickstart) makeStore() error {
	if err := refuseBeside(q.c); err != nil { // a store that was lost is the reason, before all others
		return err
	}
	if err := q.keyFits(); err != nil {
		return err
	}
	key, err := q.a.makeStore(q.c, q.keyOut)
	if err != nil {
		return err
	}
	q.step("store", "made", "identity and keys in "+q.c.Data)
	q.keyMade(key)
	return nil
}

// keyFits refuses where the recovery key cannot be handed out: in the data directory it would be lost together with what it opens, and nothing is written over.
func (q *quickstart) keyFits() error {
	if inside(q.keyOut, q.c.Data) {
		return refused("the recovery key would lie in the data directory, and be lost together with it; give another place with --key-out FILE")
	}
	if _, err := os.Lstat(q.keyOut); !errors.Is(err, fs.ErrNotExist) {
		return refused("%s is there already, and may be another store's key or that of a run that was cut; nothing is written over it: move it away, or give another name with --key-out FILE", q.keyOut)
	}
	return nil
}

func (q *quickstart) keyMade(key *seal.Recovery) {
	q.report.Key = &quickKey{q.keyOut, key.Recipient().Fingerprint(), key.CheckWord()}
	q.step("recovery key", "made", "in "+q.keyOut+", for your eyes alone; its check word is "+key.CheckWord())
}

// makeKey gives a store a recovery key that has none.
func (q *quickstart) makeKey(ctx context.Context, cl *control.Client) error {
	s, err := cl.Keys(ctx)
	if err != nil || q.report.Key != nil {
		return err
	}
	if len(s.Recovery) > 0 {
		q.step("recovery key", "kept", "there is one, made on "+day(s.Recovery[len(s.Recovery)-1].Made)+"; another one: holdfast key rotate --out FILE")
		return nil
	}
	if err := q.keyFits(); err != nil {
		return err
	}
	key, err := q.a.addKey(ctx, cl, s, q.keyOut, false)
	if err != nil {
		return err
	}
	q.keyMade(key)
	return nil
}

func (q *quickstart) makeAccount(ctx context.Context, cl *control.Client, password string) error {
	x, err := cl.Account(ctx, q.report.Email)
	if err == nil {
		q.step("account", "kept", fmt.Sprintf("%s is there, %s; its password is as it was (holdfast account password %s sets another one)", x.Email, x.State, x.Email))
		return nil
	}
	if !holdfast.IsKind(err, holdfast.NotFound) {
		return err
	}
	acc, err := cl.CreateAccount(ctx, control.NewAccount{Email: q.report.Email, Password: password})
	if err != nil {
		return err
	}
	q.step("account", "made", acc.Email)
	if !q.stdin {
		q.report.Password = password
	}
	return nil
}

// makeVaults adds the second vault, and tells of those that are there; before is the list of vaults as it was found.
func (q *quickstart) makeVaults(ctx context.Context, cl *control.Client, before *registry.Registry) error {
	s, err := cl.VaultStatus(ctx)
	if err != nil {
		return err
	}
	there := q.second == ""
	for _, v := range s.Vaults {
		state := "kept"
		if before.Find(v.Name) == nil { // the first one, which comes with the store
			state = "made"
		}
		q.step("vault "+v.Name, state, v.Location)
		q.writesTo(v)
		there = there || v.Location == q.second
	}
	if there {
		return nil
	}
	v, err := cl.AddVault(ctx, control.NewVault{Name: secondVaultName, Kind: kindDir, Location: q.second, Domain: q.domain, Mode: string(registry.Async)})
	if err != nil {
		return err
	}
	detail := v.Location + "; it is filled while the service runs"
	if len(v.SameDomainAs) > 0 {
		detail += ". It counts as one failure domain with " + strings.Join(v.SameDomainAs, " and ") + ": " + v.WhySame + ". One accident may take both"
	}
	q.step("vault "+v.Name, "made", detail)
	q.writesTo(v)
	return nil
}

// writesTo notes where the service needs the right to write.
func (q *quickstart) writesTo(v control.VaultState) {
	if v.Kind == kindDir {
		q.vaultDirs = append(q.vaultDirs, v.Location)
	}
}

// look has the doctor look at what there is now. Here nothing is a failure: a name that is not in the DNS yet is what comes next.
func (q *quickstart) look(ctx context.Context) {
	o := q.a.doctorOptions(q.c)
	o.Resolver = q.resolver
	q.report.Checks = doctor.Run(ctx, o)
	for i, c := range q.report.Checks {
		if c.Result == doctor.Fail {
			q.report.Checks[i].Result = doctor.Warn
		}
	}
	q.report.Verdict = doctor.Verdict(q.report.Checks)
}
