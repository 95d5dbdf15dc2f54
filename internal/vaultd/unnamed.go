package vaultd

import (
	"context"
	"slices"

	"holdfast"
	"holdfast/internal/place"
	"holdfast/internal/seal"
	"holdfast/internal/vault"
)

// Nobody but the store knows which blobs its changes name. What none names goes because a list that the store has signed names it, KeepUnnamed after the list came, if it was there before that.

// judgeUnnamed takes the next list. The lock is held.
func (g *Guard) judgeUnnamed(ctx context.Context, name string, b []byte) (func() error, error) {
	if g.term.Number == 0 {
		return nil, refuse("Put", holdfast.Invalid, name, "the vault has no term yet")
	}
	l, err := vault.ParseUnnamedList(name, b, g.signers())
	switch {
	case err != nil:
		return nil, asInvalid(name, err)
	case l.Vault != g.meta.Vault:
		return nil, refuse("Put", holdfast.Invalid, name, "it is of another vault")
	case l.Term != g.term.Number:
		return nil, refuse("Put", holdfast.Fenced, name, "another store has the right to write into this vault now")
	}
	if _, err := vault.ParseUnnamedList(name, b, []seal.PublicKey{g.term.Signer}); err != nil {
		return nil, asInvalid(name, err)
	}
	if err := g.isNext(ctx, name); err != nil {
		return nil, err
	}
	return func() error {
		g.o.Log.Warn("the store says of files that no change of it names them; they go later", "object", name, "files", len(l.Names), "after", g.o.KeepUnnamed)
		return nil
	}, nil
}

// unnamedList is what is known of a list: a blob goes that it names and that was there before.
type unnamedList struct {
	name  string
	names []string // in order; none where the list may not be obeyed yet
	made  place.Info
	since known
}

// unnamedList reads a list; one that may not be obeyed, or not yet, names nothing. The lock is held.
func (g *Guard) unnamedList(ctx context.Context, name string) (l unnamedList, err error) {
	l.name = name
	if old, err := g.since(ctx, name, g.o.KeepUnnamed); err != nil || !old {
		return l, err
	}
	if l.made, err = g.Place.Stat(ctx, name); err != nil {
		return l, err
	}
	if l.since, _, err = g.index.get(name); err != nil {
		return l, err
	}
	b, err := place.ReadAll(ctx, g.Place, name, maxSmall)
	if err != nil {
		return l, err
	}
	list, err := vault.ParseUnnamedList(name, b, g.signers())
	if err != nil || list.Vault != g.meta.Vault {
		g.o.Log.Warn("a list of files that no change names is damaged; what it names stays", "object", name, "err", err)
		return l, nil
	}
	l.names = slices.Sorted(slices.Values(list.Names))
	return l, nil
}

// lets tells whether a list lets go of a blob that it names: what came after it is another one. The index and the place must agree on that: the first may have been lost, and be as old for both.
func (g *Guard) lets(ctx context.Context, l *unnamedList, blob string) (bool, error) {
	i, err := g.Place.Stat(ctx, blob)
	if err != nil {
		return false, err
	}
	k, ok, err := g.index.get(blob)
	if err != nil || !ok {
		return false, err
	}
	return k.since <= l.since.since && i.Made.Before(l.made.Made), nil
}

// isUnnamed tells whether some list lets a blob go. The list that named one last is asked first. The lock is held.
func (g *Guard) isUnnamed(ctx context.Context, blob string) (bool, error) {
	if _, is := slices.BinarySearch(g.unnamed.names, blob); is {
		if may, err := g.lets(ctx, &g.unnamed, blob); err != nil || may {
			return may, err
		}
	}
	names, err := g.lists(ctx, "")
	if err != nil {
		return false, err
	}
	for _, name := range names {
		l, err := g.unnamedList(ctx, name)
		if err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
			return false, err
		}
		if _, is := slices.BinarySearch(l.names, blob); is {
			g.unnamed = l
			if may, err := g.lets(ctx, &l, blob); err != nil || may { // otherwise a later list may name what came since
				return may, err
			}
		}
	}
	return false, nil
}

// isListed tells whether some list names a blob, however young it is. The lock is held.
func (g *Guard) isListed(ctx context.Context, blob string) (is bool, err error) {
	signers := g.signers()
	err = place.ReadEach(ctx, g.Place, "unnamed/", "", maxSmall, func(name string, b []byte, err error) error {
		if err == nil {
			if l, err := vault.ParseUnnamedList(name, b, signers); err == nil && slices.Contains(l.Names, blob) {
				is = true
			}
		}
		return ctx.Err()
	})
	return is, err
}

// lists returns the names of the lists behind one.
func (g *Guard) lists(ctx context.Context, after string) (out []string, err error) {
	err = g.Place.List(ctx, "unnamed/", after, func(i place.Info) error {
		if vault.ParseName(i.Name).Class == vault.UnnamedObject {
			out = append(out, i.Name)
		}
		return nil
	})
	return out, err
}

// pruneUnnamed lets go of what lists name that may be obeyed. The lists stay: they say what went. Up to where nothing of what they name is left they are not read again.
func (g *Guard) pruneUnnamed(ctx context.Context, dry bool, fn func(name string, octets int64)) error {
	done, err := g.index.fact(factUnnamed)
	if err != nil {
		return err
	}
	after := ""
	if done > 0 {
		after = vault.UnnamedListName(uint64(done))
		if _, err := g.Place.Stat(ctx, after); holdfast.IsKind(err, holdfast.NotFound) { // the disk was put back
			after = ""
		} else if err != nil {
			return err
		}
	}
	names, err := g.lists(ctx, after)
	if err != nil {
		return err
	}
	through := true
	for _, name := range names {
		g.mu.Lock()
		l, err := g.unnamedList(ctx, name)
		g.mu.Unlock()
		if err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
			return err
		}
		left, err := g.pruneList(ctx, &l, dry, fn)
		if err != nil {
			return err
		}
		if through = through && !left && len(l.names) > 0 && !dry; through {
			if err := g.index.setFact(factUnnamed, int64(vault.ParseName(name).Number)); err != nil {
				return err
			}
		}
	}
	return nil
}

// pruneList lets go of what one list names; left tells whether something of it is there yet.
func (g *Guard) pruneList(ctx context.Context, l *unnamedList, dry bool, fn func(name string, octets int64)) (left bool, err error) {
	var due []string
	for _, blob := range l.names {
		g.mu.Lock()
		may, err := g.lets(ctx, l, blob)
		g.mu.Unlock()
		if holdfast.IsKind(err, holdfast.NotFound) {
			continue
		}
		if err != nil {
			return true, err
		}
		if may {
			due = append(due, blob)
		} else {
			left = true
		}
	}
	return left || dry && len(due) > 0, g.pruneAll(ctx, due, dry, fn)
}
