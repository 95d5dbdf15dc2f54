package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"holdfast"
	"holdfast/internal/config"
	"holdfast/internal/core"
	"holdfast/internal/registry"
	"holdfast/internal/restore"
	"holdfast/internal/seal"
	"holdfast/internal/store"
	"holdfast/internal/store/sqlite"
	"holdfast/internal/vault"
)

// lacking is a vault that has what a restored store lacks.
type lacking struct {
	vault   string
	items   int64
	first   string // one of them
	changes int64  // of earlier versions, where no item lacks
}

// String says what it has.
func (l *lacking) String() string {
	if l.items > 0 {
		return fmt.Sprintf("%s (%s)", count(l.items, "item"), l.first)
	}
	return fmt.Sprintf("%s (versions before the newest; of %s)", count(l.changes, "change"), l.first)
}

// adopting is what is compared before a restored store takes the right to write.
type adopting struct {
	c    *config.Config
	dir  string
	id   holdfast.ID
	reg  *registry.Registry
	ring *seal.Ring
	r    *restored
	log  *slog.Logger
}

// further looks for a vault that the store was not restored from and that has come further than those that it was restored from, before any term is made: what it has more was acknowledged, and nothing that was read can tell that it is missing.
// Batches are numbered by the store, so vaults of one store are compared by them.
func (x *adopting) further(ctx context.Context) error {
	type other struct {
		name  string
		store holdfast.ID
		end   uint64
	}
	var top uint64 // of what was read
	for _, f := range x.r.From {
		top = max(top, f.End.Batch)
	}
	if top == 0 {
		return nil // where they ended was not known: they were damaged, and are compared by what they hold
	}
	read := map[holdfast.ID]bool{} // the stores that had written there
	var others []other
	for _, e := range x.reg.Vaults {
		o, of, err := x.stood(ctx, e)
		if err != nil {
			return unreached(err, e.Name, x.dir)
		}
		switch {
		case of.Term > 0:
			read[o] = true
		case of.End.Batch > top && o != x.id:
			others = append(others, other{e.Name, o, of.End.Batch})
		}
	}
	for _, o := range others {
		if len(read) == 0 || read[o.store] {
			return x.lost(fmt.Sprintf("the vault %s has come to batch %d, and %s was restored from what had come to %d: the changes between (%s of changes) were acknowledged", o.name, o.end, x.dir, top, batches(o.end-top)),
				", and would be given up", []lacking{{vault: o.name}})
		}
	}
	return nil
}

// stood tells which store had written into a vault: the one that it was read from, or, where it was not read, the one that has the right to write, and where it ends.
func (x *adopting) stood(ctx context.Context, e registry.Entry) (store holdfast.ID, of restoredOf, err error) {
	v, err := openVault(ctx, e, vault.Options{Ring: x.ring, Log: x.log})
	if err != nil {
		return store, of, err
	}
	defer v.Close()
	if of = x.r.of(v); of.Term > 0 {
		list, err := v.Terms(ctx)
		for _, t := range list {
			if t.Number == of.Term {
				store = t.Store
			}
		}
		return store, of, err
	}
	end, term, err := v.End(ctx)
	return term.Store, restoredOf{End: vault.Position(end)}, err
}

// mayLack tells whether a restored store may lack what one of its vaults has: something was lost, or damaged where it came from.
func mayLack(dir string, r *restored) bool {
	_, err := os.Stat(filepath.Join(dir, lossesName))
	return r.Lossy || !errors.Is(err, fs.ErrNotExist)
}

// compare looks whether a vault of the list has what the store lacks, before any term is made: once it is adopted the vault gives that up, and a restore does not find it any more.
func (x *adopting) compare(ctx context.Context) error {
	e, err := sqlite.Open(ctx, sqlite.Options{Dir: x.dir, Store: x.id, Log: x.log, Ballast: -1})
	if err != nil {
		return err
	}
	defer e.Close()
	c := core.New(core.Options{Engine: e, Judges: judges(x.c), Log: x.log})
	defer c.Close(ctx)
	spool := filepath.Join(x.dir, repairSpoolName)
	defer os.RemoveAll(spool)
	var all []lacking
	for _, entry := range x.reg.Vaults {
		if err := os.RemoveAll(spool); err != nil { // of one that was cut
			return err
		}
		found, err := x.lacks(ctx, restore.RepairOptions{Core: c, Engine: e, Spool: spool, DryRun: true, Newest: true, Log: x.log}, entry)
		if err != nil {
			return unreached(err, entry.Name, x.dir)
		}
		if found.items+found.changes > 0 {
			all = append(all, found)
		}
	}
	if len(all) == 0 {
		return nil
	}
	var what []string
	for _, l := range all {
		what = append(what, fmt.Sprintf("the vault %s has what %s lacks: %s", l.vault, x.dir, &l))
	}
	return x.lost(strings.Join(what, "; "), ". Once it is adopted a restore finds that no more", all)
}

// givenUp is what an adoption would give up.
type givenUp struct {
	what string
	err  error
}

func (g *givenUp) Error() string { return g.err.Error() }

func (g *givenUp) Unwrap() error { return g.err }

// lost refuses to give up what vaults have, and says what to do instead.
func (x *adopting) lost(what, so string, have []lacking) error {
	return &givenUp{what, refused("%s%s. Restore again from all of them, and adopt that:\n  holdfast restore%s --key RECOVERY-KEY-FILE --into NEW-DIR\nTo go on without them: holdfast adopt %s --accept-loss", what, so, x.restoreFrom(have), x.dir)}
}

// batches counts what vaults number.
func batches(n uint64) string {
	if n == 1 {
		return "1 batch"
	}
	return fmt.Sprintf("%d batches", n)
}

// lacks compares the store with one vault.
func (x *adopting) lacks(ctx context.Context, o restore.RepairOptions, e registry.Entry) (lacking, error) {
	out := lacking{vault: e.Name}
	v, err := openVault(ctx, e, vault.Options{Ring: x.ring, Log: x.log})
	if err != nil {
		return out, err
	}
	defer v.Close()
	o.Vaults = []*vault.Vault{v}
	o.Found = func(m restore.Mended) {
		if out.first == "" && m.What == "missing" {
			where := strings.Trim(m.Collection+"/"+m.Name, "/")
			out.first = inTable(strings.TrimSpace(m.Account + " " + where))
		}
	}
	rep, err := restore.Repair(ctx, o)
	if holdfast.IsKind(err, holdfast.NotFound) { // it has no account that could be read
		err = nil
	}
	if out.items = rep.Missing; err == nil && out.items == 0 {
		err = x.versions(ctx, o.Engine, v, o.Spool, &out)
	}
	return out, err
}

// versions counts the changes that the restore says are lost, and that a vault has: of items of which a newer version was restored. No repair brings them in later.
func (x *adopting) versions(ctx context.Context, e store.Engine, v *vault.Vault, spool string, out *lacking) error {
	var rep restore.Report
	if _, err := readState(x.dir, lossesName, &rep); err != nil {
		return err
	}
	snap, err := e.Snapshot(ctx)
	if err != nil {
		return err
	}
	lost := map[holdfast.ID][]restore.Loss{}
	for _, l := range rep.Losses {
		if l.Octets {
			continue // whoever has them is read for them, and gives them back, once the store is adopted
		}
		id, err := holdfast.ParseID(l.Account)
		if err != nil {
			id, err = snap.AccountByLogin(l.Account)
		}
		if err == nil {
			lost[id] = append(lost[id], l)
		}
	}
	snap.Close()
	r, err := vault.NewReader(ctx, []*vault.Vault{v}, vault.ReadOptions{Spool: spool})
	if err != nil {
		return err
	}
	defer r.Close()
	return r.Accounts(ctx, func(h *vault.History) error {
		if len(lost[h.Account]) == 0 {
			return nil
		}
		return h.Changes(ctx, func(list []vault.Loaded) error {
			for i := range list {
				c := &list[i]
				if c.Pruned {
					continue // it has no more than the store
				}
				if slices.ContainsFunc(lost[h.Account], func(l restore.Loss) bool { return l.SeqFrom <= c.Seq && c.Seq <= l.SeqTo }) {
					out.changes, out.first = out.changes+1, inTable(lost[h.Account][0].Account)
				}
			}
			return nil
		})
	})
}

// restoreFrom returns the arguments that name the vaults that the store came from, and those that have what it lacks.
func (x *adopting) restoreFrom(all []lacking) (out string) {
	for _, e := range x.reg.Vaults {
		wanted := false
		for _, l := range all {
			wanted = wanted || l.vault == e.Name
		}
		for _, from := range x.r.From {
			wanted = wanted || from.Vault == e.Vault
		}
		if !wanted {
			continue
		}
		if out += " --from " + inShell(e.Location); !inDirectory(e.Kind) {
			out += " --credential READ-CREDENTIAL-FILE"
		}
	}
	return out
}

// unreached says of a vault that cannot be reached how a store is adopted without it.
func unreached(err error, name, dir string) error {
	if k := holdfast.KindOf(err); k == holdfast.Unavailable || k == holdfast.NotFound {
		return &exitError{exitBusy, fmt.Sprintf("the vault %s cannot be reached: %s. If it is lost for good: holdfast adopt %s --without %s", name, sentence(err), dir, name)}
	}
	return err
}
