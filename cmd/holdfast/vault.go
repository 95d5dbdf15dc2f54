package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"holdfast/internal/clock"
	"holdfast/internal/control"
	"holdfast/internal/registry"
	"holdfast/internal/relay"

	"github.com/spf13/cobra"
)

func (a *app) vaultCommand() *cobra.Command {
	c := group(&cobra.Command{
		Use:   "vault",
		Short: "Keep independent, encrypted copies, and look after them",
		Long: `A vault is an independent, encrypted copy of everything: with one vault and the recovery key everything is rebuilt. The first one is
made by itself beside the data directory, where it helps if the data are damaged and not if the disk ends: put others on other
disks and in other houses.

What ends together (a disk, a house, an account at a provider) is one failure domain: say which with --domain.`,
		Example: `  holdfast vault add attic dir /mnt/attic/holdfast-vault --domain attic
  holdfast vault status
  holdfast vault verify attic`,
	})
	c.AddCommand(a.vaultAdd(), a.vaultList(), a.vaultStatus(), a.vaultVerify(), a.vaultScrub(), a.vaultRepair(), a.vaultRetire(), a.vaultServe(), a.vaultPrune())
	return c
}

func (a *app) vaultAdd() *cobra.Command {
	var n control.NewVault
	var credential, prune string
	var lock time.Duration
	var in bucketFlags
	var wait, follow bool
	c := &cobra.Command{
		Use:   "add NAME KIND LOCATION",
		Short: "Add a vault: dir PATH, remote URL, s3 URL, or ledger PATH",
		Long: `Add a vault. A directory must be empty, or be a vault of this store from before; it is made where it is not there.

A bucket of an object store (s3) is there already, and the URL names it: https://HOST/BUCKET/PREFIX. Its credential is read from a file,
ID:SECRET or as other programs for object stores write it, or from the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY). Where the bucket
was made with object lock, nobody can remove for --lock what the vault needs, whatever credential he has. With --prune-credential the
first one need not have the right to remove anything.

A ledger is a directory with every change and no contents of items: names, hashes, kinds, times and sizes. It is small and no copy, and no
change waits for it; where all copies have lost something it says what.

The vault is filled with everything that the store has, and counts for nothing until it is whole. It follows behind the changes
(--async), unless changes are to wait for it (--sync); that begins with the server's next start.`,
		Example: `  holdfast vault add attic dir /mnt/attic/holdfast-vault --domain attic
  holdfast vault add friend remote https://vault.example.net:8430 --domain berlin --credential append.txt
  holdfast vault add cloud s3 https://s3.eu-central-1.amazonaws.com/BUCKET/holdfast --domain aws --credential s3.txt --region eu-central-1`,
		Args: args(cobra.ExactArgs(3)),
		RunE: func(cmd *cobra.Command, list []string) error {
			n.Name, n.Kind, n.Location, n.Mode = list[0], list[1], list[2], string(registry.Async)
			if wait {
				n.Mode = string(registry.Sync)
			}
			if err := a.fillVault(cmd, &n, newVaultFlags{credential, prune, lock, in}, wait && follow); err != nil {
				return err
			}
			return a.with(cmd, toUse, func(ctx context.Context, cl *control.Client) error {
				s, err := cl.AddVault(ctx, n)
				if err != nil {
					return err
				}
				if a.json {
					return a.printJSON("vault.add", s)
				}
				a.printf("The vault %s was added at %s and is being filled; `holdfast vault status` tells when it is whole.\n", s.Name, s.Location)
				if wait {
					a.printf("Changes wait for it from the next start of serve on; until then it follows behind.\n")
				}
				if len(s.SameDomainAs) > 0 {
					a.printf("It counts as one failure domain with %s: %s. One accident may take both.\n", strings.Join(s.SameDomainAs, ", "), s.WhySame)
				}
				return nil
			})
		},
	}
	f := c.Flags()
	f.StringVar(&n.Domain, "domain", "", "`LABEL` of what ends together with it: a disk, a house, a provider")
	f.BoolVar(&wait, "sync", false, "changes wait for it, from the server's next start on")
	f.BoolVar(&follow, "async", false, "it follows behind (the default)")
	f.StringVar(&credential, "credential", "", "read a remote vault's append credential, or a bucket's, from `FILE`")
	f.StringVar(&prune, "prune-credential", "", "read a remote vault's prune credential, or a bucket's that may remove, from `FILE`")
	f.DurationVar(&lock, "lock", defaultLock, "for how long objects are locked in a bucket that can; 0: not at all")
	in.add(f)
	f.StringVar(&n.Fingerprint, "fingerprint", "", "SHA-256 of a remote vault's certificate, in `HEX`, where its credential's file does not say it; without either the system's roots judge")
	return c
}

// newVaultFlags are what a new vault that lies elsewhere is reached with.
type newVaultFlags struct {
	credential, prune string
	lock              time.Duration
	bucket            bucketFlags
}

// fillVault checks what the flags say of a new vault, and reads its credentials.
func (a *app) fillVault(cmd *cobra.Command, n *control.NewVault, f newVaultFlags, both bool) (err error) {
	remote, credential, prune := n.Kind == kindRemote, f.credential, f.prune
	switch {
	case both:
		return usage(cmd, errors.New("choose one, --sync or --async"))
	case n.Domain == "":
		return usage(cmd, errors.New("say with --domain what ends together with it: a disk, a house, a provider"))
	case !inDirectory(n.Kind) && !remote && n.Kind != kindS3:
		return usage(cmd, fmt.Errorf("the kind of a vault is dir, remote, s3 or ledger, not %q", n.Kind))
	case n.Kind == kindLedger && n.Mode == string(registry.Sync):
		return usage(cmd, errors.New("a ledger has no octets, so no change can wait for it: leave --sync out"))
	case inDirectory(n.Kind) && (credential != "" || prune != ""):
		return usage(cmd, errors.New("credentials are for vaults on servers and in buckets"))
	case !remote && n.Fingerprint != "":
		return usage(cmd, errors.New("fingerprints are for remote vaults"))
	case n.Kind != kindS3 && (f.bucket != bucketFlags{} || cmd.Flags().Changed("lock")):
		return usage(cmd, errors.New("--region, --ca and --lock are for vaults in buckets"))
	case remote && credential == "":
		return usage(cmd, errors.New("a remote vault needs --credential FILE, which `holdfast vault serve` wrote on its side"))
	}
	if err := registry.CheckName(n.Name); err != nil {
		return usage(cmd, errors.New(sentence(err)))
	}
	if n.Kind == kindS3 {
		return fillBucketVault(cmd, n, credential, prune, f.lock, f.bucket)
	}
	if !remote {
		n.Location, err = filepath.Abs(n.Location)
		return err
	}
	if u, err := url.Parse(n.Location); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return usage(cmd, fmt.Errorf("%q is not a URL like https://vault.example.net:8430", n.Location))
	}
	c, err := readCredential(credential)
	if err != nil {
		return err
	}
	n.Credential = c.text
	if n.Fingerprint == "" {
		n.Fingerprint = c.fingerprint
	}
	if prune != "" {
		c, err = readCredential(prune)
		n.Prune = c.text
	}
	return err
}

func (a *app) vaultList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the vaults",
		Args:  args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withVaults(cmd, func(s control.VaultStatus) error {
				if a.json {
					return a.printJSON("vault.list", map[string]any{"vaults": s.Vaults})
				}
				return a.vaultTable(s)
			})
		},
	}
}

// withVaults runs fn with how the vaults fare, reachable or not.
func (a *app) withVaults(cmd *cobra.Command, fn func(control.VaultStatus) error) error {
	return a.with(cmd, toLook, func(ctx context.Context, cl *control.Client) error {
		s, err := cl.VaultStatus(ctx)
		if err != nil {
			return err
		}
		return fn(s)
	})
}

func (a *app) vaultTable(s control.VaultStatus) error {
	var rows [][]string
	for _, v := range s.Vaults {
		rows = append(rows, []string{v.Name, v.Kind, v.Mode, stateOf(&v), inTable(v.Domain), v.Location})
	}
	if err := a.table("NAME KIND MODE STATE DOMAIN LOCATION", rows); err != nil {
		return err
	}
	for _, v := range s.Vaults {
		if text := bucketText(&v); text != "" {
			a.printf("%s: %s\n", v.Name, text)
		}
	}
	return nil
}

func (a *app) vaultStatus() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Tell how far each vault is, and how safe the data are",
		Long: `Tell how far each vault is, and how safe the data are.

The verdict is ok, late (a vault lags behind, is damaged or cannot be reached), at-risk (one accident would take all copies) or unknown.
The exit status is 0 for ok, 1 for late and at-risk, and 5 for unknown.`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withVaults(cmd, func(s control.VaultStatus) error {
				if a.json {
					if err := a.printJSON("vault.status", s); err != nil {
						return err
					}
				} else if err := a.showVaults(s); err != nil {
					return err
				}
				switch s.Verdict {
				case "ok":
					return nil
				case "unknown":
					return &exitError{code: exitInconclusive}
				}
				return &exitError{code: exitNegative}
			})
		},
	}
}

func (a *app) showVaults(s control.VaultStatus) error {
	a.printf("%s: %s\n", s.Verdict, s.Why)
	a.printf("A change is acknowledged once it is in %s; on failure: %s\n", s.Policy.Ack, s.Policy.OnFailure)
	for _, v := range s.Vaults {
		a.printf("  %-10s %-11s %s, %s, %s\n", v.Name, stateOf(&v), v.Mode, lagOf(&v), v.Location)
		if v.Reason != "" {
			a.printf("             %s\n", v.Reason)
		}
		if text := bucketText(&v); text != "" {
			a.printf("             %s\n", text)
		}
		if len(v.SameDomainAs) > 0 {
			a.printf("             one failure domain with %s: %s\n", strings.Join(v.SameDomainAs, ", "), v.WhySame)
		}
		if n := len(v.Damaged); n > 0 {
			a.printf("             damaged when it was last read: %s; holdfast vault repair %s writes anew what it can\n", count(int64(n), "object"), v.Name)
		}
		a.showVaultFiles(&v)
	}
	return nil
}

// showVaultFiles says how the octets of large files fare.
func (a *app) showVaultFiles(v *control.VaultState) {
	if f := v.Files; f.Moving > 0 {
		a.printf("             on their way: %s, %s of %s\n", count(f.Moving, "large file"), octets(min(f.Octets, f.Of)), octets(f.Of))
	}
	if v.Files.Missing > 0 {
		a.printf("             it lacks the octets of %s, and so does the store; holdfast scrub names them\n", count(v.Files.Missing, "large file"))
	}
	if v.Files.Fault != "" {
		a.printf("             the newest large file could not be put there: %s\n", inTable(v.Files.Fault))
	}
	if u := v.Unnamed; u != nil && u.Objects > 0 {
		a.printf("             %s of files that no change names, %s: %s\n", count(u.Objects, "object"), octets(u.Octets), whenSwept(v.Kind, u))
	}
}

// whenSwept says when objects go that no change names.
func whenSwept(kind string, u *control.VaultUnnamed) string {
	keeps := "the place does not let go of"
	why := " (a lock, or the credential)"
	if kind == kindRemote {
		keeps, why = "the server was told, and by its own clock does not yet let go of", " (vault serve --keep-unnamed)"
	}
	switch {
	case len(u.Held) > 0:
		return "none goes now, as " + inTable(u.Held[0])
	case u.Kept == u.Objects:
		return keeps + " them" + why
	case u.Kept > 0:
		return fmt.Sprintf("%s %d of them%s; of the others the first may go in %s", keeps, u.Kept, why, clock.Words(time.Duration(u.Left*float64(time.Second))))
	}
	return "the first may go in " + clock.Words(time.Duration(u.Left*float64(time.Second)))
}

// lagOf says what a vault lacks. Of one that cannot be reached now it is not said that nothing is behind: it had everything when it last answered.
func lagOf(v *control.VaultState) string {
	switch {
	case v.LagChanges > 0:
		return fmt.Sprintf("%d behind, %s, %.0f s", v.LagChanges, octets(v.LagBytes), v.LagSeconds)
	case stateOf(v) == string(relay.Whole):
		return "nothing is behind"
	}
	return "no change waits for it"
}

func (a *app) vaultVerify() *cobra.Command {
	return a.verifyCommand("verify", "Read everything that a vault holds, and compare it with the store", `Read everything that a vault holds: every object is hashed and opened, every account's chain followed from its first change to
its newest, and its end compared with the store.

The exit status is 0 if all is well and 1 if something is missing, damaged or different.`, true)
}

func (a *app) vaultScrub() *cobra.Command {
	return a.verifyCommand("scrub", "Read everything that a vault holds", `Read everything that a vault holds, and compare each object with the hash that is recorded of it, at the rate of scrub.rate and
yielding to people. Nothing of people's data is opened but large files: "verify" and each drill do that. The service scrubs by itself each week, and
repairs what it finds.`, false)
}

func (a *app) verifyCommand(name, short, long string, engine bool) *cobra.Command {
	return &cobra.Command{
		Use: name + " NAME", Short: short, Long: long,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, list []string) error {
			return a.with(cmd, toUse, func(ctx context.Context, cl *control.Client) error {
				findings := []control.VaultFinding{}
				shown := lines{a: a}
				rep, err := cl.VerifyVault(ctx, list[0], engine, func(f control.VaultFinding) {
					if a.json {
						findings = append(findings, f)
					} else {
						shown.print(describeFinding(f))
					}
				})
				shown.end("more")
				if err != nil {
					return err
				}
				if a.json {
					err = a.printJSON("vault."+name, struct {
						control.VaultReport
						List []control.VaultFinding `json:"list"`
					}{rep, findings})
				} else {
					read := fmt.Sprintf("%s, %s", count(rep.Objects, "object"), octets(rep.Octets))
					if engine {
						read += fmt.Sprintf("; %s with %s", count(rep.Accounts, "account"), count(rep.Changes, "change"))
					}
					a.printf("%s: %s; %s\n", rep.Vault, read, count(rep.Findings, "finding"))
				}
				if err == nil && rep.Findings > 0 {
					err = &exitError{code: exitNegative}
				}
				return err
			})
		},
	}
}

func describeFinding(f control.VaultFinding) string {
	var at []string
	for _, s := range []string{f.Object, f.Account, f.Collection, f.Name} {
		if s != "" {
			at = append(at, s)
		}
	}
	if f.SeqTo > 0 {
		at = append(at, fmt.Sprintf("changes %d to %d", f.Seq, f.SeqTo))
	} else if f.Seq > 0 {
		at = append(at, fmt.Sprintf("change %d", f.Seq))
	}
	return strings.Join(append(at, f.What), ": ")
}

func (a *app) vaultRetire() *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use:   "retire NAME",
		Short: "Take a vault off the list; what lies in it is not touched",
		Args:  args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, list []string) error {
			return a.with(cmd, toLook, func(ctx context.Context, cl *control.Client) error {
				a.warnRetire(ctx, cl, list[0])
				if err := cl.RetireVault(ctx, list[0], force); err != nil {
					return err
				}
				if a.json {
					return a.printJSON("vault.retire", map[string]any{"name": list[0]})
				}
				a.printf("The vault %s is off the list. What lies in it was not touched, and can be read with the recovery key.\n", list[0])
				return nil
			})
		},
	}
	c.Flags().BoolVar(&force, "force", false, "also if no other vault is whole")
	return c
}

// warnRetire says what a vault holds that is to go off the list, and what is left then. It can be added again, so nobody is asked; where none is left --force is the word.
func (a *app) warnRetire(ctx context.Context, cl *control.Client, name string) {
	s, err := cl.VaultStatus(ctx)
	at := slices.IndexFunc(s.Vaults, func(v control.VaultState) bool { return v.Name == name })
	if err != nil || at < 0 {
		return // the act itself says why
	}
	whole := int64(0)
	for i := range s.Vaults {
		if v := &s.Vaults[i]; i != at && v.Kind != kindLedger && stateOf(v) == string(relay.Whole) {
			whole++
		}
	}
	v := &s.Vaults[at]
	what := stateOf(v) + ", " + lagOf(v)
	if v.Objects > 0 {
		what += fmt.Sprintf(", %s, %s", count(v.Objects, "object"), octets(v.Octets))
	}
	a.say("%s: %s; other vaults that are whole: %d. It can be added again as long as nothing removes what lies there.\n", name, what, whole)
}
