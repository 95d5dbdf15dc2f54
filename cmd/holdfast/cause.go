package main

import (
	"cmp"
	"context"
	"log/slog"
	"os"
	"slices"
	"sync"

	"holdfast"
	"holdfast/internal/config"
	"holdfast/internal/control"
	"holdfast/internal/core"
	"holdfast/internal/restore"
)

// explainer returns what looks in every vault and ledger of an opened store for what devices have seen. One looks at a time.
func (o *opened) explainer(c *config.Config, log *slog.Logger) func(context.Context, core.Doubt) (control.Cause, error) {
	var one sync.Mutex
	return func(ctx context.Context, x core.Doubt) (control.Cause, error) {
		one.Lock()
		defer one.Unlock()
		out := control.Cause{Explained: []holdfast.ID{}, Lost: []control.LostItem{}, Unread: []string{}}
		opts := restore.RepairOptions{Core: o.core, Engine: o.engine, Derive: core.DeriveBy(judges(c)), Account: x.Account, Log: log}
		for _, e := range o.keeper.vaults().Vaults {
			v, err := o.keeper.open(ctx, e)
			if err != nil {
				out.Unread = append(out.Unread, e.Name+": "+err.Error())
				continue
			}
			defer v.Close()
			opts.Vaults = append(opts.Vaults, v)
		}
		if len(opts.Vaults) == 0 {
			return out, nil
		}
		var err error
		if opts.Spool, err = workDir(c.Data, "cause"); err != nil {
			return out, err
		}
		defer os.RemoveAll(opts.Spool)
		found, err := restore.Explain(ctx, opts, seenBy(x))
		if err != nil {
			return out, err
		}
		return describeCause(out, x, found), nil
	}
}

// seenBy is what the devices that are held have seen.
func seenBy(x core.Doubt) (out []restore.Seen) {
	for _, e := range x.Evidence {
		if e.Open() {
			out = append(out, restore.Seen{Seq: e.Seq, Check: e.Check})
		}
	}
	return out
}

func describeCause(out control.Cause, x core.Doubt, found *restore.Cause) control.Cause {
	for _, e := range x.Evidence {
		if e.Open() && found.Witnessed[restore.Seen{Seq: e.Seq, Check: e.Check}] {
			out.Explained = append(out.Explained, e.Device)
		}
	}
	for _, m := range found.Items {
		out.Lost = append(out.Lost, control.LostItem{Path: m.Collection + "/" + m.Name, Kind: m.Kind, ETag: m.ETag.String(), Found: m.Why == ""})
	}
	slices.SortFunc(out.Lost, func(a, b control.LostItem) int {
		return cmp.Compare(a.Path, b.Path)
	})
	for _, d := range found.Damage {
		out.Unread = append(out.Unread, d.Object+": "+d.What)
	}
	return out
}

// accountFor looks at each account that devices hold, and lets those go on of which all is accounted for: every vault was read as a whole, all that devices have seen was found there, and the store lacks nothing that they know.
func (o *opened) accountFor(ctx context.Context, explain func(context.Context, core.Doubt) (control.Cause, error)) error {
	for _, x := range o.core.Doubts() {
		if x.Since.IsZero() || x.Vault != "" || x.ByHand || len(seenBy(x)) == 0 {
			continue
		}
		c, err := explain(ctx, x)
		if err != nil {
			return err
		}
		if len(c.Unread) == 0 && len(c.Lost) == 0 && len(c.Explained) == len(seenBy(x)) {
			if err := o.core.ProvenWhole(ctx, x); err != nil {
				return err
			}
		}
	}
	return nil
}
