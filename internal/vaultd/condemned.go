package vaultd

import (
	"context"
	"slices"

	"holdfast"
	"holdfast/internal/place"
	"holdfast/internal/vault"
)

// Nobody but the store knows whose a blob is. So the blobs of an erased account go because a list that the store has signed names them, as long after the list came as the account's key after the record of its erasure.

// condemnation is what is known of a list.
type condemnation struct {
	name  string
	names []string // in order
	may   bool     // they may go
}

func (c *condemnation) has(blob string) bool {
	_, ok := slices.BinarySearch(c.names, blob)
	return ok
}

// condemnation reads a list; one that may not be obeyed, or not yet, names nothing.
func (g *Guard) condemnation(ctx context.Context, name string) (c condemnation, err error) {
	c.name = name
	erased := vault.ErasedName(vault.ParseName(name).Account)
	for _, x := range []string{name, erased} {
		if old, err := g.since(ctx, x, g.o.KeepErased); err != nil || !old {
			return c, err
		}
	}
	b, err := place.ReadAll(ctx, g.Place, name, maxSmall)
	if err != nil {
		return c, err
	}
	list, err := vault.ParseCondemned(name, b, g.signers())
	if err == nil {
		c.names, c.may = slices.Sorted(slices.Values(list.Blobs)), true
		return c, nil
	}
	g.o.Log.Warn("a list of an erased account's files is damaged; what it names stays", "object", name, "err", err)
	return c, nil
}

// condemned tells whether some list lets a blob go. The list that did so last is asked first, then those behind it: they are gone through in order. The lock is held.
func (g *Guard) condemned(ctx context.Context, blob string) (bool, error) {
	if g.list.has(blob) {
		return true, nil
	}
	for _, part := range []struct{ from, to string }{{g.list.name, ""}, {"", g.list.name}} {
		var names []string
		if err := g.Place.List(ctx, "condemned/", part.from, func(i place.Info) error {
			if vault.ParseName(i.Name).Class == vault.CondemnedObject && (part.to == "" || i.Name < part.to) {
				names = append(names, i.Name)
			}
			return nil
		}); err != nil {
			return false, err
		}
		for _, name := range names {
			c, err := g.condemnation(ctx, name)
			if err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
				return false, err
			}
			if c.has(blob) {
				g.list = c
				return true, nil
			}
		}
		if part.from == "" {
			break
		}
	}
	return false, nil
}

// pruneCondemned lets go of what lists name that may be obeyed.
func (g *Guard) pruneCondemned(ctx context.Context, dry bool, fn func(name string, octets int64)) error {
	var lists []string
	if err := g.Place.List(ctx, "condemned/", "", func(i place.Info) error { lists = append(lists, i.Name); return nil }); err != nil {
		return err
	}
	for _, name := range lists {
		if vault.ParseName(name).Class != vault.CondemnedObject {
			continue
		}
		g.mu.Lock()
		c, err := g.condemnation(ctx, name)
		g.mu.Unlock()
		if holdfast.IsKind(err, holdfast.NotFound) || err == nil && !c.may {
			continue
		}
		if err != nil {
			return err
		}
		if err := g.pruneAll(ctx, append(c.names, name), dry, fn); err != nil {
			return err
		}
	}
	return nil
}
