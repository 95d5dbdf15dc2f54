package vaultd

import (
	"context"
	"slices"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/place"
	"holdfast/internal/vault"
)

// Remove implements [place.Place]: it removes what the rules let go (see the package's comment), and is Forbidden for all else.
func (g *Guard) Remove(ctx context.Context, name string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.ready(ctx); err != nil {
		return err
	}
	if _, err := g.Place.Stat(ctx, name); err != nil {
		return err
	}
	may, err := g.mayGo(ctx, name)
	if err != nil {
		return err
	}
	if !may {
		return refuse("Remove", holdfast.Forbidden, name, "it is needed, or was until a short time ago by this server's own clock")
	}
	return g.let(ctx, name)
}

// let removes an object. The lock is held.
func (g *Guard) let(ctx context.Context, name string) error {
	i, err := g.Place.Stat(ctx, name)
	if err == nil {
		err = g.Place.Remove(ctx, name)
	}
	if err != nil {
		return err
	}
	g.objects, g.octets = g.objects-1, g.octets-i.Size
	g.o.Log.Info("an object was let go of", "object", name, "octets", i.Size)
	return g.index.drop(name)
}

// mayGo tells whether the rules let an object go. The lock is held.
func (g *Guard) mayGo(ctx context.Context, name string) (bool, error) {
	if g.v == nil {
		return false, nil
	}
	if due, err := g.isDue(ctx, name); err != nil || due {
		return due, err
	}
	return g.mayReplaced(ctx, name)
}

// dueFor is how long it is remembered what is due: nothing that was is not any more.
const dueFor = time.Minute

// isDue tells whether a segment with its keys, or a pack, is needed no more.
func (g *Guard) isDue(ctx context.Context, name string) (bool, error) {
	now := g.o.Clock.Now()
	if g.due[name] {
		return true, nil
	}
	if since := now.Sub(g.dueAt); since >= 0 && since < dueFor && g.dueHead == g.head.Number {
		return false, nil
	}
	names, err := g.v.Due(ctx)
	if err != nil {
		return false, err
	}
	g.due, g.dueAt, g.dueHead = map[string]bool{}, now, g.head.Number
	for _, n := range names {
		g.due[n] = true
	}
	return g.due[name], nil
}

// mayReplaced tells whether an object may go because something later took its place, because its account was erased, or because nothing names it.
func (g *Guard) mayReplaced(ctx context.Context, name string) (bool, error) {
	switch n := vault.ParseName(name); n.Class {
	case vault.SegmentKey:
		_, err := g.Place.Stat(ctx, vault.SegmentName(n.Term, n.Number))
		if holdfast.IsKind(err, holdfast.NotFound) && vault.SegmentName(n.Term, n.Number) < g.open { // its segment went before, or never came
			return g.since(ctx, name, g.o.KeepTail)
		}
		if err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
			return false, err
		}
		return g.replaced(ctx, name, vault.SegmentKeyName(n.Term, n.Number))
	case vault.AccountKey:
		gone, err := g.since(ctx, vault.ErasedName(n.Account), g.o.KeepErased)
		if err != nil || gone {
			return gone, err
		}
		prefix, _, _ := strings.Cut(name, ".")
		return g.replaced(ctx, name, prefix+".")
	case vault.Service:
		return g.replaced(ctx, name, "service/")
	case vault.BlobObject:
		gone, err := g.condemned(ctx, name)
		if err != nil || gone {
			return gone, err
		}
		return g.isUnnamed(ctx, name)
	case vault.CondemnedObject:
		list, err := g.condemnation(ctx, name)
		for i := 0; err == nil && list.may && i < len(list.names); i++ {
			_, err = g.Place.Stat(ctx, list.names[i])
			list.may = holdfast.IsKind(err, holdfast.NotFound)
			if list.may {
				err = nil
			}
		}
		return list.may && err == nil, err
	}
	return false, nil
}

// since tells whether an object is there, and has been for that long by the counted time. One that the index does not know is new.
func (g *Guard) since(ctx context.Context, name string, keep time.Duration) (bool, error) {
	if _, err := g.Place.Stat(ctx, name); err != nil {
		if holdfast.IsKind(err, holdfast.NotFound) {
			return false, nil
		}
		return false, err
	}
	k, ok, err := g.index.get(name)
	return ok && g.counted-k.since >= keep, err
}

// replaced tells whether a later version of an object has been there for long enough. A key's must be the store's own: it takes what opens the vault with it.
func (g *Guard) replaced(ctx context.Context, name, prefix string) (bool, error) {
	var later []string
	if err := g.Place.List(ctx, prefix, name, func(i place.Info) error { later = append(later, i.Name); return nil }); err != nil {
		return false, err
	}
	class := vault.ParseName(name).Class
	for _, x := range later {
		if vault.ParseName(x).Class != class {
			continue
		}
		if class != vault.Service {
			b, err := place.ReadAll(ctx, g.Place, x, maxSmall)
			if err != nil {
				return false, err
			}
			if vault.CheckKeyObject(x, b, g.signers()) != nil {
				continue
			}
		}
		if old, err := g.since(ctx, x, g.o.Keep); err != nil || old {
			return old, err
		}
	}
	return false, nil
}

// maxPruned bounds the names that are told.
const maxPruned = 1000

// Prune lets go of all that the rules allow; where dry is set, it only tells what that would be. fn is called with each name and its octets.
func (g *Guard) Prune(ctx context.Context, dry bool, fn func(name string, octets int64)) error {
	g.mu.Lock()
	v := g.v
	g.mu.Unlock()
	if v == nil {
		return nil
	}
	names, err := v.Due(ctx)
	if err != nil {
		return err
	}
	for _, prefix := range []string{"keys/", "service/", "tail/"} {
		err := g.Place.List(ctx, prefix, "", func(i place.Info) error {
			if vault.ParseName(i.Name).Class == vault.Segment || slices.Contains(names, i.Name) {
				return nil
			}
			g.mu.Lock()
			may, err := g.mayReplaced(ctx, i.Name)
			g.mu.Unlock()
			if may {
				names = append(names, i.Name)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	if err := g.pruneAll(ctx, names, dry, fn); err != nil {
		return err
	}
	if err := g.pruneCondemned(ctx, dry, fn); err != nil {
		return err
	}
	return g.pruneUnnamed(ctx, dry, fn)
}

func (g *Guard) pruneAll(ctx context.Context, names []string, dry bool, fn func(name string, octets int64)) error {
	for _, name := range names {
		g.mu.Lock()
		i, err := g.Place.Stat(ctx, name)
		if err == nil && !dry {
			err = g.let(ctx, name)
		}
		g.mu.Unlock()
		if holdfast.IsKind(err, holdfast.NotFound) {
			continue
		}
		if err != nil {
			return err
		}
		fn(name, i.Size)
	}
	return nil
}
