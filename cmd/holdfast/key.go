package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/config"
	"holdfast/internal/control"
	"holdfast/internal/registry"
	"holdfast/internal/seal"
	"holdfast/internal/vault"
	"holdfast/internal/vfs"

	"github.com/spf13/cobra"
)

func (a *app) keyCommand() *cobra.Command {
	c := group(&cobra.Command{
		Use:   "key",
		Short: "Make, check and change the recovery key",
		Long: `The recovery key is yours alone: with it and one vault everything is rebuilt, and whoever has both reads everything. The server
does not keep it. It is shown once, when it is made; keep it on paper, on a stick or in a password manager, away from the server.

It is a file that age reads ("age -d -i FILE"). The check word lets two copies be compared by eye.`,
		Example: `  holdfast key init --out recovery.txt
  holdfast key check recovery.txt
  holdfast key rotate --out recovery-2027.txt`,
	})
	c.AddCommand(a.keyInit(), a.keyShow(), a.keyCheck(), a.keyRotate())
	return c
}

func (a *app) keyInit() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use:   "init",
		Short: "Make the recovery key, once",
		Long: `Make the recovery key, and show it once: in a file that only you can read (--out), or on the terminal as a sheet to print.

On an empty data directory, before the first "serve", the store's identity is made too. A store that has a recovery key
already is refused: "holdfast key rotate" gives it another one.`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.load(cmd)
			if err != nil {
				return err
			}
			if err := a.showable(cmd, out); err != nil {
				return err
			}
			found, err := survey(c.Data)
			if err != nil {
				return err
			}
			if found != ours {
				return a.keyOfNewStore(c, out)
			}
			return a.withKeys(cmd, func(ctx context.Context, cl *control.Client, s control.KeyState) error {
				if len(s.Recovery) > 0 {
					return refused("the store has a recovery key already, made on %s; it is not made again. For another one: holdfast key rotate --out FILE", day(s.Recovery[0].Made))
				}
				return a.newKey(ctx, cl, s, out, false)
			})
		},
	}
	c.Flags().StringVar(&out, "out", "", "write it to `FILE`, which must not be there")
	return c
}

// showable tells why a new key could not be shown.
func (a *app) showable(cmd *cobra.Command, out string) error {
	if out == "" {
		if a.json {
			return usage(cmd, errors.New("with --json the key goes to a file: give --out FILE"))
		}
		return nil
	}
	if _, err := os.Lstat(out); err == nil {
		return refused("%s is there already, and nothing is written over it; give another name", out)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return refused("the key cannot be written to %s: %s", out, oneLine(err))
	}
	return nil
}

// keyOfNewStore makes a store's identity and its keys, and nothing else.
func (a *app) keyOfNewStore(c *config.Config, out string) error {
	key, err := a.makeStore(c, out)
	if err != nil {
		return err
	}
	return a.keyMade(key, out, "the store")
}

// makeStore makes a store's identity and its keys, and hands out the recovery key. First that key is durable where its owner wants it, then the server takes its public half: a key that the server knows and nobody has
// would be worse than one that nobody uses.
func (a *app) makeStore(c *config.Config, out string) (*seal.Recovery, error) {
	lease, err := claim(c, toServe)
	if err != nil {
		return nil, err
	}
	defer lease.Release()
	if found, err := survey(c.Data); err != nil || found == ours {
		return nil, errors.Join(err, refused("%s has become a store meanwhile; run it again", c.Data))
	}
	ring, err := seal.NewRing(c.Keyring.Hybrid)
	if err != nil {
		return nil, err
	}
	id := newIdentity()
	key, err := seal.NewRecovery(id.Store, clock.System.Now(), c.Keyring.Hybrid)
	if err != nil {
		return nil, err
	}
	if err := ring.Add(key); err != nil {
		return nil, err
	}
	if err := a.handOut(key, out); err != nil {
		return nil, err
	}
	if err := id.write(c.Data); err != nil {
		return nil, err
	}
	return key, registry.WriteKeys(vfs.OS, c.Data, ring)
}

// handOut gives a new recovery key to its owner: durably into a file, or onto standard output.
func (a *app) handOut(key *seal.Recovery, out string) error {
	if out != "" {
		if err := vfs.CreateExclusive(vfs.OS, out, key.File(), 0o600); err != nil {
			return refused("the key could not be written: %s; nothing was changed", oneLine(err))
		}
		return nil
	}
	text := string(key.File())
	if terminal(a.stdout) {
		text = key.Sheet()
	}
	if _, err := fmt.Fprint(a.stdout, text); err != nil {
		return refused("the key could not be shown: %s; nothing was changed", oneLine(err))
	}
	return nil
}

// keyMade says what to do with a key that was made.
func (a *app) keyMade(key *seal.Recovery, out, whose string) error {
	if a.json {
		return a.printJSON("key", map[string]any{"file": out, "recipient": key.Recipient().String(), "fingerprint": key.Recipient().Fingerprint(), "check_word": key.CheckWord(), "made": key.Made})
	}
	where := "shown above, this once"
	if out != "" {
		where = "in " + out
	}
	a.say("The recovery key of %s is %s; its check word is %s.\n", whose, where, key.CheckWord())
	a.say("Take it away from this machine: on paper, on a stick, into a password manager. With it and one vault everything is rebuilt;\n")
	a.say("without it nobody can help you when this disk is lost. Later prove that you still have it: holdfast key check FILE\n")
	return nil
}

// withKeys runs fn with a client of the store and what is public of its keys. The store may be one whose vaults cannot be reached now.
func (a *app) withKeys(cmd *cobra.Command, fn func(context.Context, *control.Client, control.KeyState) error) error {
	return a.with(cmd, toLook, func(ctx context.Context, cl *control.Client) error {
		s, err := cl.Keys(ctx)
		if err != nil {
			return err
		}
		return fn(ctx, cl, s)
	})
}

// newKey makes a recovery key for a store that is there, hands it out, has everything wrapped for it, and says so.
func (a *app) newKey(ctx context.Context, cl *control.Client, s control.KeyState, out string, rotate bool) error {
	key, err := a.addKey(ctx, cl, s, out, rotate)
	if err != nil {
		return err
	}
	return a.keyMade(key, out, "store "+s.Store.String())
}

// addKey is newKey without a word.
func (a *app) addKey(ctx context.Context, cl *control.Client, s control.KeyState, out string, rotate bool) (*seal.Recovery, error) {
	key, err := seal.NewRecovery(s.Store, clock.System.Now(), s.Hybrid)
	if err != nil {
		return nil, err
	}
	if err := a.handOut(key, out); err != nil {
		return nil, err
	}
	return key, a.wrapFor(ctx, cl, s, key, rotate)
}

// install has everything wrapped for a recovery key that its owner has, and says so.
func (a *app) install(ctx context.Context, cl *control.Client, s control.KeyState, key *seal.Recovery, out string, rotate bool) error {
	if err := a.wrapFor(ctx, cl, s, key, rotate); err != nil {
		return err
	}
	return a.keyMade(key, out, "store "+s.Store.String())
}

// wrapFor has everything wrapped for a recovery key.
func (a *app) wrapFor(ctx context.Context, cl *control.Client, s control.KeyState, key *seal.Recovery, rotate bool) error {
	n := control.NewRecovery{Recipient: key.Recipient().String(), Made: key.Made, MAC: key.Certify(s.Signer).MAC}
	next := clock.System.Now().Add(lineEvery)
	_, err := cl.AddRecovery(ctx, n, rotate, func(x control.KeyProgress) {
		if now := clock.System.Now(); x.Waiting != "" {
			a.say("%s: %s\n", x.Vault, x.Waiting)
		} else if !now.Before(next) {
			next = now.Add(lineEvery)
			a.say("%s: %d of %s wrapped, round %d\n", x.Vault, x.Done, count(x.Of, "key"), x.Round)
		}
	})
	return err
}

func (a *app) keyShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show",
		Short: "Show what is public of the keys, and where the server's own lie",
		Args:  args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withKeys(cmd, func(_ context.Context, _ *control.Client, s control.KeyState) error {
				if a.json {
					return a.printJSON("key.show", s)
				}
				a.showKeys(s)
				return nil
			})
		},
	}
}

func (a *app) showKeys(s control.KeyState) {
	a.printf("Store       %s\n", s.Store)
	for _, r := range s.Recovery {
		checked := "never checked"
		if r.Checked != nil {
			checked = "last checked " + day(*r.Checked)
		}
		if r.Leaving {
			checked += ", leaving"
		}
		a.printf("Recovery    %s\n            made %s, %s\n", r.Recipient, day(r.Made), checked)
	}
	if len(s.Recovery) == 0 {
		a.printf("Recovery    none\n")
	}
	a.printf("Server      %s\n            its secret half lies in %s: whoever has this disk reads the vaults with it\n", s.Server, s.File)
	if s.Rotating {
		a.printf("A recovery key is on its way into the vaults; `holdfast key rotate --out ITS-FILE` goes on.\n")
	}
	if s.Nag != "" {
		a.printf("To do       %s\n", s.Nag)
	}
}

// keyProof is what came of trying a key on one vault.
type keyProof struct {
	Vault  string `json:"vault"`
	Result string `json:"result"` // opens, empty, does-not-open, unreachable, unfinished (it is still on its way into the vault)
	Opened int    `json:"opened"`
	Detail string `json:"detail,omitempty"`
}

func (a *app) keyCheck() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE",
		Short: "Prove that a recovery key opens the vaults",
		Long: `Prove that the recovery key in FILE ("-": standard input) opens every vault of the store: what lies there is fetched and decrypted with
it, here and not in the server. The date is kept, and shown by "status" and "key show".

The exit status is 0 if every vault opens, 1 if one does not or the key is none of the store's, and 5 if a vault could
not be reached or holds nothing yet.`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, list []string) error {
			key, err := a.readKey(list[0])
			if err != nil {
				return err
			}
			c, err := a.load(cmd)
			if err != nil {
				return err
			}
			return a.withKeys(cmd, func(ctx context.Context, cl *control.Client, s control.KeyState) error {
				return a.checkKey(ctx, c, cl, s, key)
			})
		},
	}
}

// maxKeyFile bounds a key file.
const maxKeyFile = 64 << 10

// readKey reads a recovery key from a file, or from standard input.
func (a *app) readKey(name string) (*seal.Recovery, error) {
	read := func() ([]byte, error) { return readFileLimited(name, maxKeyFile) }
	if name == "-" {
		read = func() ([]byte, error) { return readLimited(a.stdin, maxKeyFile) }
	}
	b, err := read()
	if err != nil {
		return nil, &exitError{exitUsage, "the key file cannot be read: " + oneLine(err)}
	}
	return seal.ParseRecovery(b)
}

func (a *app) checkKey(ctx context.Context, c *config.Config, cl *control.Client, s control.KeyState, key *seal.Recovery) error {
	known := false
	for _, r := range s.Recovery {
		known = known || r.Fingerprint == key.Recipient().Fingerprint()
	}
	reg, _, err := registry.Read(vfs.OS, c.Data)
	if err != nil {
		return err
	}
	proofs, code, opened := []keyProof{}, exitFine, false
	for _, e := range reg.Vaults {
		p, err := proveWrapped(ctx, c, cl, e, key)
		if err != nil {
			return err
		}
		proofs = append(proofs, p)
		opened = opened || p.Result == "opens"
		code = worse(code, map[string]int{"opens": exitFine, "empty": exitInconclusive, "unreachable": exitInconclusive, "unfinished": exitInconclusive, "does-not-open": exitNegative}[p.Result])
	}
	switch {
	case !known:
		code = exitNegative
	case len(reg.Vaults) == 0:
		code = exitInconclusive
	case opened && code != exitNegative:
		if s, err = cl.KeyChecked(ctx, key.Recipient().Fingerprint()); err != nil {
			return err
		}
	}
	if a.json {
		if err := a.printJSON("key.check", map[string]any{"fingerprint": key.Recipient().Fingerprint(), "check_word": key.CheckWord(), "known": known, "vaults": proofs}); err != nil {
			return err
		}
	} else {
		a.showProofs(key, known, proofs)
	}
	if code != exitFine {
		return &exitError{code: code}
	}
	return nil
}

// worse returns the exit status that says more trouble.
func worse(a, b int) int {
	if a == exitNegative || b == exitFine {
		return a
	}
	return b
}

func (a *app) showProofs(key *seal.Recovery, known bool, proofs []keyProof) {
	if !known {
		a.printf("This is no recovery key of this store: its check word is %s. `holdfast key show` tells which are.\n", key.CheckWord())
	}
	for _, p := range proofs {
		switch p.Result {
		case "opens":
			a.printf("%s: the key opens it (%s tried).\n", p.Vault, count(int64(p.Opened), "object"))
		case "empty":
			a.printf("%s: nothing is there yet that it could open.\n", p.Vault)
		case "unfinished":
			a.printf("%s: the key is still on its way into it; check again in a while.\n", p.Vault)
		case "unreachable":
			a.printf("%s: not tried: %s\n", p.Vault, p.Detail)
		default:
			a.printf("%s: THE KEY DOES NOT OPEN IT: %s\n", p.Vault, p.Detail)
		}
	}
	if len(proofs) == 0 {
		a.printf("The store has no vault on which it could be tried.\n")
	}
}

// proveWrapped is proveKey that waits for a key which is on its way into the vaults, as after the set-up page has made it.
func proveWrapped(ctx context.Context, c *config.Config, cl *control.Client, e registry.Entry, key *seal.Recovery) (keyProof, error) {
	for until := clock.System.Now().Add(c.Timeouts.Control); ; {
		s, err := cl.Keys(ctx)
		if err != nil {
			return keyProof{}, err
		}
		p := proveKey(ctx, e, key)
		if p.Result != "does-not-open" || !s.Rotating {
			return p, nil
		}
		if !clock.System.Now().Before(until) {
			p.Result = "unfinished"
			return p, nil
		}
		if err := clock.Sleep(ctx, clock.System, dialAgain); err != nil {
			return p, err
		}
	}
}

// proveKey tries a key on a vault.
func proveKey(ctx context.Context, e registry.Entry, key *seal.Recovery) keyProof {
	p := keyProof{Vault: e.Name, Result: "opens"}
	v, err := openVault(ctx, e, vault.Options{With: []*seal.Identity{key.Identity}, Log: slog.New(slog.DiscardHandler)})
	if err == nil {
		defer v.Close()
		p.Opened, err = v.Prove(ctx)
	}
	switch {
	case err == nil && p.Opened == 0:
		p.Result = "empty"
	case holdfast.IsKind(err, holdfast.Unauthorized), holdfast.IsKind(err, holdfast.Corrupt):
		p.Result, p.Detail = "does-not-open", sentence(err)
	case err != nil:
		p.Result, p.Detail = "unreachable", sentence(err)
	}
	return p
}

func (a *app) keyRotate() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use:   "rotate --out FILE",
		Short: "Replace the recovery key by a new one",
		Long: `Make a new recovery key, wrap everything in every vault for it, and drop the old one. It goes on where it was interrupted, if it
is run again with the same FILE. Until it is done keep both keys.

What was copied of a vault before can still be opened with the old key.`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out == "" {
				return usage(cmd, errors.New("say where the new key goes: --out FILE"))
			}
			return a.withKeys(cmd, func(ctx context.Context, cl *control.Client, s control.KeyState) error {
				if _, err := os.Lstat(out); errors.Is(err, fs.ErrNotExist) {
					if s.Rotating {
						return refused("a recovery key is on its way into the vaults already; go on with its file, not with a new one")
					}
					return a.newKey(ctx, cl, s, out, true)
				}
				return a.goOn(ctx, cl, s, out)
			})
		},
	}
	c.Flags().StringVar(&out, "out", "", "write the new key to `FILE`; one that an interrupted rotation wrote is gone on with")
	return c
}

// goOn continues a rotation whose new key is in a file already.
func (a *app) goOn(ctx context.Context, cl *control.Client, s control.KeyState, out string) error {
	key, err := a.readKey(out)
	if err != nil || key.Store != s.Store {
		return refused("%s is there already, and is no recovery key that was made for this store; nothing is written over it, give another name", out)
	}
	for _, r := range s.Recovery {
		if r.Fingerprint == key.Recipient().Fingerprint() && !s.Rotating {
			return refused("the key in %s is the store's recovery key already; for a new one give the name of a file that is not there", out)
		}
		if r.Fingerprint == key.Recipient().Fingerprint() && r.Leaving {
			return refused("the key in %s is the one that is being replaced; give the file of the new one", out)
		}
	}
	if dir, err := filepath.Abs(out); err == nil {
		a.say("Going on with the key in %s, made %s.\n", dir, key.Made.Format(time.RFC3339))
	}
	return a.install(ctx, cl, s, key, out, true)
}
