package relay

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"sort"

	"holdfast"
	"holdfast/internal/store"
	"holdfast/internal/vault"
)

// origin is what a vault is repaired from: the store, and for what it does not have other vaults.
type origin struct {
	engine store.Engine
	others []*vault.Vault
	spool  string
}

// pageOf bounds how much is read in one snapshot: none is held for long.
const pageOf = 500

// Accounts implements [vault.Origin].
func (o *origin) Accounts(ctx context.Context, batch uint64, fn func(vault.AccountHead) error) error {
	for after := (holdfast.ID{}); ; {
		heads, last, err := o.accounts(ctx, after, batch)
		if err != nil || last.IsZero() {
			return err
		}
		for _, h := range heads {
			if err := fn(h); err != nil {
				return err
			}
		}
		after = last
	}
}

// accounts returns the next accounts that had a change by a batch, and the id of the last one that was looked at.
func (o *origin) accounts(ctx context.Context, after holdfast.ID, batch uint64) (out []vault.AccountHead, last holdfast.ID, err error) {
	snap, err := o.engine.Snapshot(ctx)
	if err != nil {
		return nil, last, err
	}
	defer snap.Close()
	list, err := snap.Accounts(after, pageOf)
	if err != nil {
		return nil, last, err
	}
	for _, a := range list {
		h, err := headAt(snap, a.ID, batch)
		if err != nil {
			return nil, last, err
		}
		if last = a.ID; h.Seq > 0 {
			out = append(out, vault.AccountHead{Account: a.ID, Epoch: h.Epoch, Seq: h.Seq, Chain: h.Chain})
		}
	}
	return out, last, nil
}

// headAt returns how far an account had come at a batch: the batches of its changes ascend.
func headAt(snap store.Snapshot, account holdfast.ID, batch uint64) (store.Head, error) {
	h, err := snap.Head(account)
	if err != nil || h.Batch <= batch {
		return h, err
	}
	var fault error
	n := sort.Search(int(h.Seq), func(i int) bool { // the first change above the batch
		at, err := snap.Chain(account, uint64(i+1))
		fault = firstErr(fault, err)
		return at.Batch > batch
	})
	if fault != nil || n == 0 {
		return store.Head{}, fault
	}
	return snap.Chain(account, uint64(n))
}

// Chain implements [vault.Origin].
func (o *origin) Chain(ctx context.Context, account holdfast.ID, seq uint64) (holdfast.Hash, error) {
	snap, err := o.engine.Snapshot(ctx)
	if err != nil {
		return holdfast.Hash{}, err
	}
	defer snap.Close()
	h, err := snap.Chain(account, seq)
	return h.Chain, err
}

// Changes implements [vault.Origin].
func (o *origin) Changes(ctx context.Context, account holdfast.ID, from, to uint64, fn func([]vault.Loaded) error) error {
	for from <= to {
		list, err := o.changes(ctx, account, from, to)
		if err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
			return err
		}
		if len(list) == 0 {
			return o.elsewhere(ctx, account, from, to, fn)
		}
		from = list[len(list)-1].Seq + 1
		if err := o.refill(ctx, account, list); err != nil {
			return err
		}
		if list = slices.DeleteFunc(list, func(c vault.Loaded) bool { return rotten(&c.Change) }); len(list) == 0 {
			continue
		}
		if err := fn(list); err != nil {
			return err
		}
	}
	return nil
}

// changes reads the next changes out of the store. When a vault had them is not known any more: they were made a moment before.
func (o *origin) changes(ctx context.Context, account holdfast.ID, from, to uint64) (out []vault.Loaded, err error) {
	snap, err := o.engine.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer snap.Close()
	before := holdfast.Hash{}
	if from > 1 {
		h, err := snap.Chain(account, from-1)
		if err != nil {
			return nil, err
		}
		before = h.Chain
	}
	octets := 0
	err = snap.Changes(account, from-1, int(min(pageOf, to-from+1)), store.WithBody|store.WithProps|store.WithType, func(c *holdfast.Change) error {
		if c.Seq > to || octets > maxFrameOctets {
			return errEnough
		}
		at, err := snap.Chain(account, c.Seq)
		if err != nil {
			return err
		}
		x := vault.Loaded{Change: *c, Batch: at.Batch, Stored: c.At}
		x.Before, x.Chain, before = before, at.Chain, at.Chain
		out, octets = append(out, x), octets+len(c.Body)
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return out, err
}

var errEnough = errors.New("enough")

// rotten tells whether a change's octets are not those that were stored. A vault would not take them, and all else is still to be mended: it is as if they were not there.
func rotten(c *holdfast.Change) bool {
	return c.Op == holdfast.OpPut && !c.Pruned && c.Blob == nil && holdfast.HashOf(c.Body) != c.ETag
}

// refill puts octets back that the store has let go of, or that rotted there, where another vault has them still: a vault that is mended shall not have less than those beside it. What cannot be read there stays as the store has it.
func (o *origin) refill(ctx context.Context, account holdfast.ID, list []vault.Loaded) error {
	left := map[uint64]*vault.Loaded{}
	for i := range list {
		if c := &list[i]; c.Pruned || rotten(&c.Change) {
			left[c.Seq] = c
		}
	}
	if len(left) == 0 {
		return nil
	}
	err := o.elsewhere(ctx, account, list[0].Seq, list[len(list)-1].Seq, func(found []vault.Loaded) error {
		for i := range found {
			if c := left[found[i].Seq]; c != nil && c.Chain == found[i].Chain && !found[i].Pruned {
				c.Body, c.Pruned = found[i].Body, false
				delete(left, c.Seq)
			}
		}
		if len(left) == 0 {
			return errEnough
		}
		return nil
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if holdfast.IsKind(err, holdfast.Full) { // of this machine
		return err
	}
	return nil
}

// elsewhere reads out of other vaults what the store does not have.
func (o *origin) elsewhere(ctx context.Context, account holdfast.ID, from, to uint64, fn func([]vault.Loaded) error) error {
	if len(o.others) == 0 {
		return nil
	}
	r, err := vault.NewReader(ctx, o.others, vault.ReadOptions{Spool: filepath.Join(o.spool, "other"), Account: account})
	if err != nil {
		return err
	}
	defer r.Close()
	return r.Accounts(ctx, func(h *vault.History) error {
		return h.Changes(ctx, func(list []vault.Loaded) error {
			var out []vault.Loaded
			for _, c := range list {
				if c.Seq >= from && c.Seq <= to {
					out = append(out, c)
				}
			}
			if len(out) == 0 {
				return nil
			}
			return fn(out)
		})
	})
}

// changed returns how far the accounts have come that changed above one batch, up to another.
func (o *origin) changed(ctx context.Context, after, upto uint64) ([]vault.AccountHead, error) {
	ends := map[holdfast.ID]vault.AccountHead{}
	for at := after; at < upto; {
		next := at
		err := o.engine.After(ctx, at, maxFrameChanges, func(b *holdfast.Batch) error {
			next = b.Batch
			for i := range b.Changes {
				if c := &b.Changes[i]; c.More == 0 && b.Batch <= upto {
					ends[c.Account] = vault.AccountHead{Account: c.Account, Epoch: c.Epoch, Seq: c.Seq, Chain: c.Chain}
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if next == at {
			break
		}
		at = next
	}
	out := make([]vault.AccountHead, 0, len(ends))
	for _, h := range ends {
		out = append(out, h)
	}
	return out, nil
}

// holds tells whether a position is in the store's stream.
func (o *origin) holds(ctx context.Context, at holdfast.Position) (bool, error) {
	if at.Batch == 0 {
		return true, nil
	}
	hash, ok, err := o.engine.HashAt(ctx, at.Batch)
	return ok && hash == at.Hash, err
}

// erased tells whether the store has erased an account, and has nothing of it any more.
func (o *origin) erased(ctx context.Context, id holdfast.ID) (bool, error) {
	snap, err := o.engine.Snapshot(ctx)
	if err != nil {
		return false, err
	}
	defer snap.Close()
	gone, err := snap.Erased(id)
	if err != nil || !gone {
		return false, err
	}
	_, err = snap.Account(id)
	if holdfast.IsKind(err, holdfast.NotFound) {
		return true, nil
	}
	return false, err
}
