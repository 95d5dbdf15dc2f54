package vault

import (
	"context"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/place"
)

// Lockable tells whether a place may keep an object from being removed for a while once it was put. Keys never: an account is erased when its key is gone. Nor what the store keeps of itself, which holds its own keys for the recipients of then, nor what is said of erasures,
// which has to be made anew where it is damaged.
func Lockable(name string) bool {
	switch ParseName(name).Class {
	case ReadMe, MetaObject, TermObject, HeadObject, Segment, PackObject, IndexObject, BlobObject:
		return true
	}
	return false
}

// Hold locks everything again that the vault needs and may lock, where its place locks at all: a lock ends, and what nobody renews may be removed by whoever has the credential. It returns how many objects that were.
func (v *Vault) Hold(ctx context.Context) (held int, err error) {
	h, is := v.p.(place.Holder)
	if !is {
		return 0, nil
	}
	going, err := v.going(ctx)
	if err != nil {
		return 0, err
	}
	err = v.p.List(ctx, "", "", func(i place.Info) error {
		if !Lockable(i.Name) || going(i.Name) {
			return nil
		}
		err := h.Hold(ctx, i.Name)
		if holdfast.IsKind(err, holdfast.NotFound) {
			return nil
		}
		held++
		return err
	})
	return held, err
}

// going returns which objects are on their way out: segments of which packs were made, packs that others replaced, what heads release, files of erased accounts, and what no change names.
func (v *Vault) going(ctx context.Context) (func(name string) bool, error) {
	out, err := v.sealedSegments(ctx)
	if err != nil {
		return nil, err
	}
	v.ledger.mu.Lock()
	for _, p := range v.ledger.left {
		out[p.Name] = true
	}
	v.ledger.mu.Unlock()
	erased, err := v.Erased(ctx)
	if err != nil {
		return nil, err
	}
	for id := range erased {
		err := v.eachCondemned(ctx, id, func(_ string, c Condemned, _ error) error {
			for _, name := range c.Blobs {
				out[name] = true
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return func(name string) bool {
		return out[name] || v.o.Watch.has(name) || out[strings.TrimSuffix(strings.TrimSuffix(name, packSuffix), indexSuffix)]
	}, nil
}

// keptFor is how long nobody tries again to remove what the place did not let go of: before something is removed, what has its place is read.
const keptFor = 6 * time.Hour

// keep remembers that the place does not let go of an object. The lock is held.
func (l *ledger) keep(name string, now time.Time) {
	if l.kept == nil || len(l.kept) > 100_000 {
		l.kept = map[string]time.Time{}
	}
	l.kept[name] = now
}

// keeps tells whether the place did not let go of an object a short while ago. The lock is held.
func (l *ledger) keeps(name string, now time.Time) bool {
	at, ok := l.kept[name]
	since := now.Sub(at)
	return ok && since >= 0 && since < keptFor
}
