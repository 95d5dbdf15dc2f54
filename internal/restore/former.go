package restore

import (
	"context"
	"slices"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/store"
	"holdfast/internal/vault"
)

// A vault still holds histories that were given up: what a store wrote that was restored with losses afterwards, or that another one took the right to write from. docs/design/0026 says what is brought in of them, and what is not.

// former is the latest state of an item outside of the living history.
type former struct {
	id    holdfast.ID // of the entry
	etag  holdfast.Hash
	props holdfast.Hash
	live  bool

	over    holdfast.ID // the newest entry of the item in the engine; zero: it never had one
	seq     uint64      // of that one, where the item is there
	follows bool        // it was made after that one
}

// former brings in the latest state of items that only histories have that were given up.
func (m *mending) former(ctx context.Context) error {
	clear(m.want)
	latest, err := m.latest(ctx)
	if err != nil || len(latest) == 0 {
		return err
	}
	if err := m.judge(ctx, latest); err != nil || len(latest) == 0 {
		return err
	}
	if err := m.order(ctx, latest); err != nil {
		return err
	}
	for key, f := range latest {
		if f.over.IsZero() || f.follows {
			m.want[f.id] = wanted{key: key, replaces: f.seq, what: "missing"}
		}
	}
	return m.bring(ctx, m.all)
}

// all hands over all that the vaults hold of the account.
func (m *mending) all(ctx context.Context, fn func([]vault.Loaded) error) error {
	return m.h.Held(ctx, false, func(uint64, holdfast.Hash) (bool, error) { return true, nil }, fn)
}

// latest returns the latest state of each item in what is not of the engine's own history.
func (m *mending) latest(ctx context.Context) (map[itemKey]*former, error) {
	out := map[itemKey]*former{}
	foreign := func(snap store.Snapshot, seq uint64, chain holdfast.Hash) (bool, error) {
		h, err := snap.Chain(m.id, seq)
		if holdfast.IsKind(err, holdfast.NotFound) {
			return true, nil
		}
		return h.Chain != chain, err
	}
	want := func(to uint64, chain holdfast.Hash) (ok bool, err error) {
		err = m.look(ctx, func(snap store.Snapshot) error { ok, err = foreign(snap, to, chain); return err })
		return ok, err
	}
	err := m.h.Held(ctx, m.o.Newest, want, func(list []vault.Loaded) error {
		for part := range slices.Chunk(list, pageOfItems) {
			if err := m.look(ctx, func(snap store.Snapshot) error {
				for i := range part {
					c := &part[i]
					if ok, err := foreign(snap, c.Seq, c.Chain); err != nil || !ok {
						if err != nil {
							return err
						}
						continue
					}
					if m.o.foreign != nil {
						m.o.foreign(c.Seq, c.Chain)
					}
					if c.Kind == holdfast.KindEpoch || m.leftOutOnPurpose(c) {
						continue
					}
					m.learnCollection(c)
					out[itemKey{c.Collection, strings.Clone(c.Name)}] = &former{id: c.ID, etag: c.ETag, props: c.PropsHash, live: c.Op == holdfast.OpPut}
				}
				return nil
			}); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// judge leaves those of which the engine never had the state, and finds out what they would follow.
func (m *mending) judge(ctx context.Context, latest map[itemKey]*former) error {
	var keys []itemKey
	for key, f := range latest {
		if n, ok := m.newest[key]; !f.live || m.told[key] || ok && !n.live || !m.inside(key.collection) {
			delete(latest, key)
			continue
		}
		keys = append(keys, key)
	}
	for part := range slices.Chunk(keys, pageOfItems) {
		if err := m.look(ctx, func(snap store.Snapshot) error {
			for _, key := range part {
				if had, err := m.had(snap, key, latest[key]); err != nil {
					return err
				} else if had {
					delete(latest, key)
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// had tells whether the engine's journal has a state of an item, and notes the newest that it has.
func (m *mending) had(snap store.Snapshot, key itemKey, f *former) (had bool, err error) {
	first := true
	err = snap.Versions(key.collection, key.name, store.WithProps, func(c *holdfast.Change) error {
		if first {
			if first, f.over = false, c.ID; c.Op == holdfast.OpPut {
				f.seq = c.Seq
			}
		}
		if had = c.ID == f.id || c.Op == holdfast.OpPut && c.ETag == f.etag && c.PropsHash == f.props; had {
			return errEnough
		}
		return nil
	})
	if err == errEnough || holdfast.IsKind(err, holdfast.NotFound) {
		err = nil
	}
	f.follows = m.isStandIn(key)
	return had, err
}

// order finds out which of them were made after what the engine has of the item: the vaults hold that one too, and before. Else the engine's is newer, or of another history, and stays.
func (m *mending) order(ctx context.Context, latest map[itemKey]*former) error {
	passed := map[itemKey]bool{}
	return m.all(ctx, func(list []vault.Loaded) error {
		for i := range list {
			c := &list[i]
			key := itemKey{c.Collection, c.Name}
			f := latest[key]
			switch {
			case f == nil || passed[key]:
			case c.ID == f.id:
				passed[key] = true
			case c.ID == f.over:
				f.follows = true
			}
		}
		return nil
	})
}

// span is a part of an account's time, between two moments, both not in it.
type span struct{ from, to time.Time }

// leftOut returns what restores as of an earlier moment left out on purpose: what was changed after that moment, and before the restore.
func (m *mending) leftOut(ctx context.Context) (out []span, err error) {
	err = m.look(ctx, func(snap store.Snapshot) error {
		return snap.List(m.id, holdfast.RecordEpochPrefix, 0, store.WithBody, func(r *holdfast.Resource) error {
			if r.Kind != holdfast.KindEpoch {
				return nil
			}
			rec, err := holdfast.DecodeEpoch(r.Body)
			if err != nil || rec.AsOf.IsZero() {
				return nil // what a record that cannot be read says nobody knows; the check of the store names it
			}
			out = append(out, span{rec.AsOf, r.Made})
			return nil
		})
	})
	return out, err
}

// leftOutOnPurpose tells whether a change is of what a restore left out.
func (m *mending) leftOutOnPurpose(c *vault.Loaded) bool {
	return slices.ContainsFunc(m.left, func(s span) bool { return c.At.After(s.from) && c.At.Before(s.to) })
}
