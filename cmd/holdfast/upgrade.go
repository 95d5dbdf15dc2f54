package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/config"
	"holdfast/internal/core"
	"holdfast/internal/drill"
	"holdfast/internal/registry"
	"holdfast/internal/relay"
	"holdfast/internal/store"
	"holdfast/internal/store/sqlite"
	"holdfast/internal/vfs"

	"github.com/spf13/cobra"
)

// A version that knows a newer schema migrates the database at its first start, and the older version cannot read it afterwards. So it does that only where a drill has proven lately that the data can be had again, or else once the same was done to a
// copy, and everything in that was verified. The copy as it was before stays until the next drill has passed.
//
// The steps, and what a kill leaves: a copy (under another name until it is durable), a second copy that is migrated and verified, and removed; then the database itself, one transaction for each schema. Each start begins with the first step that is
// not done; the database is always of one schema or the next, and whole.

// upgradeName is where copies from before a migration lie, in the data directory.
const upgradeName = "upgrade"

// guardUpgrade makes sure that a migration of the database may be done, if one is due.
func guardUpgrade(ctx context.Context, c *config.Config, log *slog.Logger) error {
	have, want, err := sqlite.Schema(c.Data)
	if err != nil || have >= want || have == 0 { // what is wrong with it the engine says
		return nil
	}
	last, ok, err := provenLately(c)
	if err != nil {
		log.Warn("the book of drills could not be read", "err", err)
	}
	if ok {
		log.Info("the database is migrated: a drill has passed lately", "schema", have, "to", want, "drill", last.ID, "ended", last.Ended)
		return nil
	}
	log.Warn("no drill has passed lately: before the database is migrated, that is tried on a copy", "schema", have, "to", want)
	kept := filepath.Join(c.Data, upgradeName, fmt.Sprintf("schema%d", have))
	rep, err := tryMigration(ctx, c, kept, log)
	if err != nil {
		if rerr := os.RemoveAll(kept); rerr != nil {
			log.Warn("the copy that was tried could not be removed", "dir", kept, "err", rerr)
		}
		return refused("the database has schema %d, this version would migrate it to %d, and no drill has passed within %s that proves that the data could be had again. The migration of a copy did not succeed either: %s. "+
			"Nothing was changed: start the version that wrote it, and let `holdfast drill run` pass of a vault that each change waits for; or see `holdfast upgrade-check`", have, want, c.Upgrade.Proven, sentence(err))
	}
	log.Info("the migration of a copy was verified, and is done now to the database itself; the copy from before stays until a drill has passed", "schema", have, "to", want, "copy", kept, "accounts", rep.accounts, "seconds", rep.took.Seconds())
	return nil
}

// hasAll tells whether a vault has everything that was acknowledged: it is one of the store's, and each change waits for it. One that follows behind, or may be passed over, restores what it had then, and not what came since.
func hasAll(c *config.Config, reg *registry.Registry, name string) bool {
	policy := policyOf(reg)
	if c.Sources["policy.ack"] != "default" {
		policy = c.Policy.Ack
	}
	p, err := relay.ParsePolicy(policy)
	return err == nil && reg.Find(name) != nil && p.Has(name) && c.Policy.OnFailure != "degraded"
}

// provenLately returns the last passed drill of a vault that has everything, and whether it is young enough.
func provenLately(c *config.Config) (drill.Result, bool, error) {
	reg, _, err := registry.Read(vfs.OS, c.Data)
	if err != nil {
		return drill.Result{}, false, err
	}
	now := clock.System.Now()
	last, ok, err := drill.LastPass(filepath.Join(c.Data, drillsName), now, func(name string) (time.Time, bool) { return thereSince(reg, name, now), hasAll(c, reg, name) })
	if err != nil || !ok {
		return last, false, err
	}
	age := now.Sub(last.Ended)
	return last, age >= 0 && age <= c.Upgrade.Proven, nil
}

// rehearsal is what a migration of a copy showed.
type rehearsal struct {
	accounts int64
	octets   int64 // of the copy
	took     time.Duration
}

// tryMigration copies the database into kept, migrates a second copy beside it, and verifies everything in that: structure, chains, sums, the hash of each body.
func tryMigration(ctx context.Context, c *config.Config, kept string, log *slog.Logger) (rep rehearsal, err error) {
	began := clock.System.Now()
	if err := roomToRehearse(c, kept); err != nil {
		return rep, err
	}
	tried := kept + "-tried"
	for _, dir := range []string{kept, tried} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return rep, err
		}
	}
	defer os.RemoveAll(tried)
	if err := sqlite.Copy(ctx, c.Data, kept); err != nil {
		return rep, err
	}
	if err := sqlite.Copy(ctx, kept, tried); err != nil {
		return rep, err
	}
	if i, err := os.Stat(filepath.Join(kept, sqlite.FileName)); err == nil {
		rep.octets = i.Size()
	}
	e, err := sqlite.Open(ctx, sqlite.Options{Dir: tried, Log: log, Ballast: -1})
	if err != nil {
		return rep, err
	}
	defer e.Close()
	var first *store.Finding
	n := 0
	if err := e.Check(ctx, true, core.DeriveBy(judges(c)), func(f store.Finding) {
		if f.Lost {
			return // it was before
		}
		if n++; first == nil {
			first = &f
		}
	}); err != nil {
		return rep, err
	}
	if first != nil {
		return rep, &holdfast.Error{Op: "upgrade", Kind: holdfast.Corrupt, Ref: first.Account.String(), Text: fmt.Sprintf("of the migrated copy %s did not fit, first: %s (change %d)", count(int64(n), "thing"), first.What, first.Seq)}
	}
	rep.accounts, rep.took = e.Info().Accounts, clock.System.Now().Sub(began)
	return rep, nil
}

// roomToRehearse refuses where two copies would not fit.
func roomToRehearse(c *config.Config, at string) error {
	need := int64(64 << 20)
	for _, suffix := range []string{"", "-wal"} {
		if i, err := os.Stat(filepath.Join(c.Data, sqlite.FileName+suffix)); err == nil {
			need += 2 * i.Size()
		}
	}
	s, err := vfs.FreeSpace(at)
	if err == nil && s.Free < need {
		return &holdfast.Error{Op: "upgrade", Kind: holdfast.Full, Ref: at, Text: fmt.Sprintf("two copies of the database need %s, and %s are free", octets(need), octets(s.Free))}
	}
	return nil
}

// dropUpgradeCopies removes the copies from before a migration, once the data are proven anew.
func dropUpgradeCopies(c *config.Config, log *slog.Logger) {
	dir := filepath.Join(c.Data, upgradeName)
	if _, err := os.Stat(dir); err != nil {
		return
	}
	if err := os.RemoveAll(dir); err != nil {
		log.Warn("the copies from before a migration could not be removed", "dir", dir, "err", err)
		return
	}
	log.Info("a drill has passed since the database was migrated: the copies from before are removed", "dir", dir)
}

func (a *app) upgradeCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "upgrade-check",
		Short: "Say what this version would do to the data, before it does",
		Long: `Run this with the new version, before it is started for the first time; the old one may go on serving meanwhile. It says whether the
database would be migrated, whether a drill has passed lately that proves that the data could be had again, and tries the migration
on a copy, in which everything is verified. Nothing of the service's own is changed.

The exit status is 0 if this version can be started, 1 if the migrated copy is not as it should be, 3 if the data are a newer version's,
and 5 if that could not be tried.`,
		Example: `  ./holdfast-new upgrade-check --data /srv/holdfast`,
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.load(cmd)
			if err != nil {
				return err
			}
			return a.upgradeCheck(cmd.Context(), c)
		},
	}
}

// upgradeReport is what `upgrade-check` prints.
type upgradeReport struct {
	Have      int        `json:"schema"`
	Want      int        `json:"schema_of_this_version"`
	Migrates  bool       `json:"migrates"`
	LastPass  *time.Time `json:"last_passed_drill"`
	Proven    bool       `json:"proven_lately"`
	Rehearsed bool       `json:"rehearsed"`
	Octets    int64      `json:"octets,omitempty"`
	Seconds   float64    `json:"duration_s,omitempty"`
	Problem   string     `json:"problem,omitempty"`
}

func (a *app) upgradeCheck(ctx context.Context, c *config.Config) error {
	if _, err := readIdentity(c.Data); err != nil {
		return refused("there is no store in %s; --data names another directory", c.Data)
	}
	have, want, err := sqlite.Schema(c.Data)
	if err != nil {
		return err
	}
	rep := upgradeReport{Have: have, Want: want, Migrates: have < want}
	last, lately, err := provenLately(c)
	if err == nil && last.ID != "" {
		rep.LastPass = &last.Ended
	}
	rep.Proven = lately
	var end error
	switch {
	case have > want:
		rep.Problem = fmt.Sprintf("a newer version wrote the database (schema %d, this one knows %d): this version refuses it", have, want)
		end = &exitError{code: exitRefused}
	case rep.Migrates:
		end = a.tryUpgrade(ctx, c, &rep)
	}
	if a.json {
		if err := a.printJSON("upgrade-check", rep); err != nil {
			return err
		}
		return end
	}
	a.showUpgrade(c, &rep)
	return end
}

// tryUpgrade migrates a copy in a directory of its own.
func (a *app) tryUpgrade(ctx context.Context, c *config.Config, rep *upgradeReport) error {
	dir, err := os.MkdirTemp(c.Data, "upgrade-check-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	got, err := tryMigration(ctx, c, filepath.Join(dir, "copy"), slog.New(slog.DiscardHandler))
	if err != nil {
		rep.Problem = "the migration of a copy did not succeed: " + sentence(err)
		if holdfast.IsKind(err, holdfast.Corrupt) {
			return &exitError{code: exitNegative}
		}
		return &exitError{code: exitInconclusive}
	}
	rep.Rehearsed, rep.Octets, rep.Seconds = true, got.octets, got.took.Seconds()
	return nil
}

func (a *app) showUpgrade(c *config.Config, rep *upgradeReport) {
	say := func(ok bool, format string, args ...any) {
		a.printf("%-8s"+format+"\n", append([]any{map[bool]string{true: "OK", false: "WARNING"}[ok]}, args...)...)
	}
	if rep.Migrates {
		say(true, "the database would be migrated from schema %d to %d; older versions cannot read it afterwards", rep.Have, rep.Want)
	} else if rep.Problem == "" {
		say(true, "nothing would be migrated: the database has schema %d already", rep.Have)
	}
	switch {
	case rep.LastPass == nil:
		say(false, "no drill has passed yet of a vault that each change waits for: nothing proves that the data could be had again; run `holdfast drill run` with the version that serves")
	case !rep.Proven:
		say(false, "the last drill that passed ended at %s, which is longer than %s ago; run `holdfast drill run` with the version that serves", day(*rep.LastPass), c.Upgrade.Proven)
	default:
		say(true, "a drill passed at %s", day(*rep.LastPass))
	}
	if rep.Rehearsed {
		say(true, "a copy was migrated and verified in %.1f s (%s); the same will be done to the database at the first start", rep.Seconds, octets(rep.Octets))
	}
	if rep.Problem != "" {
		say(false, "%s", rep.Problem)
	}
}
