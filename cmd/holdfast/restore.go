package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/config"
	"holdfast/internal/core"
	"holdfast/internal/registry"
	"holdfast/internal/restore"
	"holdfast/internal/seal"
	"holdfast/internal/store/sqlite"
	"holdfast/internal/vault"
	"holdfast/internal/vfs"

	"github.com/spf13/cobra"
)

// restoreFlags are what `holdfast restore` is told.
type restoreFlags struct {
	from       []string
	credential []string
	print      string
	bucket     bucketFlags
	key, into  string
	at         string
	account    string
	seq        uint64
	collection string
	dryRun     bool
	later      bool
}

func (a *app) restoreCommand() *cobra.Command {
	var f restoreFlags
	c := &cobra.Command{
		Use:   "restore --from VAULT... --key FILE --into DIR",
		Short: "Rebuild everything, one account or one collection out of vaults",
		Long: `Rebuild a store out of a vault, or out of several: what one lacks another may have. It always goes into a new
place; the vaults are only read. It can be interrupted (Ctrl-C) and goes on when it is run again.

VAULT is a vault's directory, the URL of a remote one, or s3: and the URL of a bucket; both with --credential. FILE holds the
recovery key.

Afterwards the new store lies in DIR. It does not write into its vaults before it is given the right to:
    holdfast adopt DIR
    holdfast serve --data DIR
Phones and programs go on as if nothing had happened: their passwords and what they have synced stay valid.

The octets of large files, photos and films, come last. Once they are all that is missing the store can be adopted and
used, also where this is interrupted: it reads what is not there yet from its vaults, and goes on copying while it runs.

With --at everything is as it was at that moment, but for passwords, devices and shares, which stay as they are newest. A
moment that is still to come, or before there was anything, is refused (2).
What cannot be restored is printed, and saved in DIR/LOSSES.txt and, for programs, DIR/restore-losses.json: whose, which, since
when. The exit status is 1 then. The store goes on with its list of vaults and its policy; DIR/holdfast.toml says the policy where it is not the default.`,
		Example: `  holdfast restore --from /mnt/usb/holdfast-vault --key recovery.txt --into ./holdfast-data
  holdfast restore --from ./holdfast-vault --key recovery.txt --into ./last-week --at 2026-11-19T12:00:00Z
  holdfast restore --from ./holdfast-vault --key recovery.txt --into ./alice --account alice@example.org
  holdfast restore --from https://vault.example.net:8430 --credential read.txt --key recovery.txt --into ./holdfast-data
  holdfast restore --from s3:https://s3.example.net/bucket/family --credential s3.txt --key recovery.txt --into ./holdfast-data`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case len(f.from) == 0 || f.key == "":
				return usage(cmd, errors.New("say from which vault (--from) and with which recovery key (--key)"))
			case f.into == "" && !f.dryRun:
				return usage(cmd, errors.New("say into which new directory (--into), or look only (--dry-run)"))
			case f.later && (f.dryRun || f.account != ""):
				return usage(cmd, errors.New("--files-later is for a store that is adopted: not with --dry-run or --account"))
			case f.account == "" && (f.seq > 0 || f.collection != ""):
				return usage(cmd, errors.New("--seq and --collection are of one account: say which with --account"))
			}
			cfg, err := a.load(cmd)
			if err != nil {
				return err
			}
			return a.restore(cmd.Context(), cfg, f)
		},
	}
	c.Flags().StringArrayVar(&f.from, "from", nil, "the `VAULT` to read; may be said several times")
	c.Flags().StringVar(&f.key, "key", "", "the `FILE` with the recovery key")
	c.Flags().StringArrayVar(&f.credential, "credential", nil, "a `FILE` with the credential of a remote vault or a bucket; for several ones in their order")
	f.bucket.add(c.Flags())
	c.Flags().StringVar(&f.print, "fingerprint", "", "SHA-256 of a remote vault's certificate, in `HEX`, where its credential's file does not say it")
	c.Flags().StringVar(&f.into, "into", "", "the new `DIR`ectory of the store")
	c.Flags().StringVar(&f.at, "at", "", "as of a `TIME`, like 2026-11-19T12:00:00Z")
	c.Flags().StringVar(&f.account, "account", "", "only this account (`EMAIL` or id)")
	c.Flags().Uint64Var(&f.seq, "seq", 0, "of this account, up to this change")
	c.Flags().StringVar(&f.collection, "collection", "", "of this account, only this `PATH`, like addressbooks/default")
	c.Flags().BoolVar(&f.later, "files-later", false, "end before the octets of large files: the adopted store reads them from its vaults, and copies them while it runs")
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "read and verify everything, and write nothing")
	return c
}

// restoreCache is the engine's page cache while it is filled, in KiB: one batch and a little. More would only be touched once, and each touch of a fresh page costs more than its row.
const restoreCache = 8 << 10

// restoreGarbage is how much the heap of a restore may grow before it is collected, in percent of what is in use. What is in use is bounded, whatever the size of the store (design 0024), and collecting it is cheap: a few percent of the processor.
const restoreGarbage = 50

// remoteWorkers is how many accounts are read at a time where a vault is remote: its answers are waited for.
const remoteWorkers = 4

// restore restores, or reads everything and writes nothing.
func (a *app) restore(ctx context.Context, c *config.Config, f restoreFlags) error {
	o := restore.Options{Account: f.account, Seq: f.seq, Collection: strings.Trim(f.collection, "/"), Log: a.logger(c), Derive: core.DeriveBy(judges(c))}
	var err error
	if f.at != "" {
		if o.At, err = time.Parse(time.RFC3339, f.at); err != nil {
			return &exitError{exitUsage, fmt.Sprintf("--at %s is no time like 2026-11-19T12:00:00Z", f.at)}
		}
	}
	if o.Recovery, err = readRecovery(f.key); err != nil {
		return err
	}
	debug.SetGCPercent(restoreGarbage)
	remotes := 0
	for _, from := range f.from {
		var cred credential
		if far(from) {
			o.Workers = remoteWorkers
			if cred, err = f.credentialFor(from, remotes); err != nil {
				return err
			}
			remotes++
		}
		v, err := openToRead(ctx, from, cred, a.logger(c), o.Recovery.Identity)
		if err != nil {
			return err
		}
		defer v.Close()
		o.Vaults = append(o.Vaults, v)
	}
	if err := fits(ctx, f.key, o.Vaults); err != nil {
		return err
	}
	if err := reaches(ctx, o.At, o.Vaults); err != nil {
		return err
	}
	bar := a.progress("changes", noOctets)
	defer bar.end()
	if n := len(o.Vaults); n > 1 {
		bar.where = fmt.Sprintf(" out of %d vaults", n)
	}
	told := bar.where
	o.Progress = func(p restore.Progress) {
		if p.Octets > 0 {
			bar.where = told + ", and " + octets(p.Octets) + " of large files"
		}
		bar.at(int(p.Changes), p.Changes)
	}
	if f.dryRun {
		if o.Spool, err = os.MkdirTemp("", "holdfast-restore-"); err != nil {
			return err
		}
		defer os.RemoveAll(o.Spool)
		o.Nonce, o.Files = holdfast.NewID(nil), restore.Of(o.Vaults...)
		rep, err := restore.Run(ctx, o)
		bar.end()
		if err != nil {
			return err
		}
		return a.told(rep, f, "")
	}
	rep, err := a.restoreInto(ctx, c, f, o)
	bar.end()
	if err != nil {
		return err
	}
	return a.told(rep, f, f.into)
}

// fits refuses a recovery key that opens nothing in any of the vaults: what it would restore is a store without content.
func fits(ctx context.Context, file string, vaults []*vault.Vault) error {
	unfit := 0
	for _, v := range vaults {
		opened, n := v.Opens(ctx)
		if opened > 0 {
			return nil
		}
		unfit += n
	}
	if unfit == 0 {
		return nil // there is nothing to judge by; what can be read is
	}
	return refused("the recovery key in %s opens nothing of what was named: it is another store's, or was replaced since (holdfast key rotate). Use the newest key; nothing was written", file)
}

func readRecovery(file string) (*seal.Recovery, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, &exitError{exitUsage, "the recovery key cannot be read: " + oneLine(err)}
	}
	r, err := seal.ParseRecovery(b)
	if err != nil {
		return nil, &exitError{exitUsage, file + ": " + sentence(err)}
	}
	return r, nil
}

// restoreInto restores into a directory that is new, or that an earlier, interrupted run of the same began.
func (a *app) restoreInto(ctx context.Context, c *config.Config, f restoreFlags, o restore.Options) (*restore.Report, error) {
	dir, log := f.into, a.logger(c)
	if vfs.Volatile(dir) && !c.Volatile {
		return nil, refused("%s lies in memory (%s): a restart of the machine would empty it. Choose a disk, or say --volatile if you mean it", dir, vfs.Filesystem(dir))
	}
	if err := vfs.MkdirDurable(vfs.OS, dir, 0o700); err != nil {
		if errors.Is(err, syscall.ENOSPC) {
			return nil, err
		}
		return nil, refused("the directory cannot be made: %v", err)
	}
	lease, err := vfs.AcquireLease(vfs.OS, filepath.Join(dir, leaseName))
	if errors.Is(err, syscall.ENOSPC) {
		return nil, err
	}
	if err != nil {
		return nil, &holdfast.Error{Op: "restore", Kind: holdfast.Busy, Ref: dir, Text: "another process works on this directory", Err: err}
	}
	defer lease.Release()
	what := whatOf(f, o)
	files, err := goOnWithFiles(dir, f, what)
	if err != nil {
		return nil, err
	}
	if files != nil {
		return a.restoreFiles(ctx, c, dir, o, files)
	}
	state, resumed, err := beginRestore(dir, f, what)
	if err != nil {
		return nil, err
	}
	e, err := sqlite.Open(ctx, sqlite.Options{Dir: dir, Store: state.Store, Create: true, Log: log, Ballast: -1, Bulk: true, SortDir: dir, CacheKiB: restoreCache})
	if err != nil {
		return nil, err
	}
	spool := filepath.Join(dir, sortingName)
	if err := os.RemoveAll(spool); err == nil { // of a run that was cut
		err = os.Mkdir(spool, 0o700)
	}
	o.Engine, o.Nonce, o.Spool, o.Base = e, state.Nonce, filepath.Join(spool, "part"), holdfast.Position{Batch: state.Batch, Hash: state.Hash}
	o.Based = func(p holdfast.Position) error {
		state.Batch, state.Hash = p.Batch, p.Hash
		return writeState(dir, restoringName, state)
	}
	ends := endsOf(ctx, o.Vaults)
	rep, err := restore.Run(ctx, o)
	_ = os.RemoveAll(spool)
	if err != nil {
		useless := !resumed && (e.Position().Batch == 0 || holdfast.IsKind(err, holdfast.NotFound) || holdfast.IsKind(err, holdfast.Invalid))
		_ = e.Close()
		if ctx.Err() != nil {
			return nil, &exitError{exitBusy, "interrupted; run the same command again, it goes on where it was"}
		}
		if useless {
			forgetRestore(dir)
		}
		return nil, err
	}
	if err := e.EndBulk(ctx); err != nil {
		_ = e.Close()
		return nil, err
	}
	files, err = noteFiles(ctx, dir, f, o, rep, what)
	if cerr := e.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return nil, err
	}
	if err := a.endRestore(ctx, dir, f, o, state, ends, rep); err != nil || files == nil {
		return rep, err
	}
	if f.later {
		rep.Blobs = &restore.BlobReport{Blobs: files.Blobs, Octets: files.Octets}
		return rep, nil
	}
	return a.restoreFiles(ctx, c, dir, o, files)
}

// endsOf says where vaults end now. A damaged one may not say it.
func endsOf(ctx context.Context, vaults []*vault.Vault) map[holdfast.ID]restoredOf {
	out := map[holdfast.ID]restoredOf{}
	for _, v := range vaults {
		if end, term, err := v.End(ctx); err == nil {
			out[v.Meta().Vault] = restoredOf{Term: term.Number, End: vault.Position(end)}
		}
	}
	return out
}

// forgetRestore removes what a restore has made that nothing can be done with, so that the corrected command finds the directory as it was.
func forgetRestore(dir string) {
	list, _ := os.ReadDir(dir)
	for _, e := range list {
		if name := e.Name(); name != restoringName && !harmless(name) {
			_ = os.RemoveAll(filepath.Join(dir, name)) // what stays is said by the next run
		}
	}
	_ = removeState(dir, restoringName)
}

// command returns the command line that asks for the same.
func (f *restoreFlags) command() string {
	out := "holdfast restore"
	for _, from := range f.from {
		out += " --from " + inShell(from)
	}
	for _, c := range f.credential {
		out += " --credential " + inShell(c)
	}
	for _, x := range []struct{ flag, value string }{{"key", f.key}, {"into", f.into}, {"at", f.at}, {"account", f.account}, {"collection", f.collection}} {
		if x.value != "" {
			out += " --" + x.flag + " " + inShell(x.value)
		}
	}
	if f.seq > 0 {
		out += fmt.Sprintf(" --seq %d", f.seq)
	}
	return out
}

// inShell quotes an argument where a shell would take it apart.
func inShell(arg string) string {
	if arg != "" && !strings.ContainsAny(arg, " \t\n'\"\\$`!*?[](){}<>|&;#~") {
		return arg
	}
	return "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
}

// whatOf says what is restored, for comparing it with what an earlier run restored.
func whatOf(f restoreFlags, o restore.Options) string {
	var ids []string
	for _, v := range o.Vaults {
		ids = append(ids, v.Meta().Vault.String())
	}
	return fmt.Sprintf("from=%s at=%s account=%s seq=%d collection=%s", strings.Join(ids, ","), f.at, f.account, f.seq, f.collection)
}

// beginRestore marks the directory as being restored; resumed tells that an earlier run did.
func beginRestore(dir string, f restoreFlags, what string) (s restoring, resumed bool, err error) {
	ok, err := readState(dir, restoringName, &s)
	if err != nil {
		return s, false, err
	}
	if ok && s.What != what {
		began := "with other arguments"
		if s.Command != "" {
			began = "by this command: " + s.Command
		}
		return s, true, refused("%s holds a restore that was begun %s\nRun that again, it goes on; or choose another directory", dir, began)
	}
	if ok {
		return s, true, nil
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		return s, false, err
	}
	if slices.ContainsFunc(list, func(e os.DirEntry) bool { return e.Name() == identityName }) {
		return s, false, refused("%s holds a store already: a restore goes into a new place only; choose another directory", dir)
	}
	for _, e := range list {
		if !harmless(e.Name()) {
			return s, false, refused("%s is not empty (it holds %s): a restore goes into a new place only; choose another directory, or remove this one if it holds nothing that you need", dir, e.Name())
		}
	}
	s = restoring{Format: 1, Store: holdfast.NewID(nil), Nonce: holdfast.NewID(nil), What: what, Command: f.command()}
	return s, false, writeState(dir, restoringName, s)
}

// endRestore writes what a store has beside its database: its marker, its keys, its list of vaults, its policy, and that it was restored. The directory is a store once the first file is gone.
func (a *app) endRestore(ctx context.Context, dir string, f restoreFlags, o restore.Options, state restoring, ends map[holdfast.ID]restoredOf, rep *restore.Report) error {
	now := clock.System.Now().UTC().Truncate(time.Second)
	h, err := heritage(ctx, o, f)
	if err != nil {
		return err
	}
	if key := o.Recovery.Recipient().Fingerprint(); len(rep.Accounts) > 0 {
		// It was proven just now. A key that was replaced since is not in the ring any more.
		if err := h.ring.Checked(key, now); err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
			return err
		}
	}
	if err := registry.WriteKeys(vfs.OS, dir, h.ring); err != nil {
		return err
	}
	if err := h.reg.Write(vfs.OS, dir); err != nil {
		return err
	}
	told, err := h.configure(dir)
	if err != nil {
		return err
	}
	if told != "" {
		a.say("%s\n", told)
	}
	r := restored{Format: 1, At: now, Batch: rep.Base.Batch, Hash: rep.Base.Hash, Lossy: !rep.Whole()}
	if f.account != "" {
		r.Partial = strings.TrimSuffix("account "+f.account+" "+f.collection, " ")
	}
	for _, v := range o.Vaults {
		from := ends[v.Meta().Vault]
		from.Vault, from.Whole = v.Meta().Vault, len(o.Vaults) == 1 && rep.Whole()
		r.From = append(r.From, from)
	}
	if err := writeLosses(dir, rep); err != nil {
		return err
	}
	if err := writeState(dir, restoredName, r); err != nil {
		return err
	}
	id := identity{Format: identityFormat, Store: state.Store, Created: now}
	if err := id.write(dir); err != nil {
		return err
	}
	return removeState(dir, restoringName)
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// told says what a restore did.
func (a *app) told(rep *restore.Report, f restoreFlags, dir string) error {
	var code error
	if !rep.Whole() {
		code = &exitError{code: exitNegative}
	}
	if a.json {
		if err := a.printJSON("restore", rep); err != nil {
			return err
		}
		return code
	}
	for _, d := range rep.Damage {
		a.say("damaged: vault %s, %s: %s\n", d.Vault, d.Object, d.What)
	}
	for _, l := range rep.Losses {
		a.printf("%s\n", describeLoss(&l))
	}
	verb := "Restored"
	if dir == "" {
		verb = "Could be restored:"
	}
	a.printf("%s %s, %s, in %.1f s (%.0f/s); lost: %s.\n", verb, count(int64(len(rep.Accounts)), "account"), count(rep.Changes, "change"), rep.Seconds, rep.Rate, lostOf(rep.Losses))
	a.toldFiles(rep, f, dir)
	if f.at != "" {
		a.printf("All of it is as it was at %s, but passwords, devices and shares, which are as they are newest.\n", f.at)
	}
	for _, why := range rep.Unsure {
		a.printf("More may be lost, and nothing here can say whose it was: %s.\n", why)
	}
	if !rep.Whole() {
		a.printf("Another vault may have what is lost here. Restore again into another directory before you adopt anything: name every vault that you have\n" +
			"with a --from of its own, and take the newest recovery key. `holdfast adopt` compares it with every vault of this store first, and refuses where one has what this directory lacks.\n")
	}
	switch {
	case dir == "":
	case f.account != "":
		a.printf("Look at it with --data %s, or take it out: holdfast export %s --data %s --to DIR\n", dir, f.account, dir)
	default:
		a.printf("To go on with it, stop the old server for good, then:\n  holdfast adopt %s\n  holdfast serve --data %s\n", dir, dir)
	}
	return code
}

// lostOf counts the changes that losses name; one loss may stand for a row of them.
func lostOf(losses []restore.Loss) string {
	var n int64
	for _, l := range losses {
		n += int64(max(l.SeqTo, l.SeqFrom)-l.SeqFrom) + 1
	}
	if n == 0 {
		return "0"
	}
	return count(n, "change")
}
