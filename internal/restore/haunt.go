package restore

import (
	"context"
	"fmt"
	"strings"

	"holdfast"
)

// strip returns what is known of an entry without octets.
func strip(e *holdfast.Entry) *holdfast.Entry {
	out := *e
	out.Name, out.ContentType, out.Body = strings.Clone(e.Name), strings.Clone(e.ContentType), nil
	return &out
}

// haunt makes ghosts of items that the vaults name, that are nowhere in them, and of which the store has nothing: devices that have them keep them. Where the store has another version that one stays.
func (m *mending) haunt(ctx context.Context) error {
	for id, w := range m.want {
		e := w.nowhere
		if e == nil {
			continue
		}
		delete(m.want, id)
		if w.what != "missing" || w.replaces != 0 || m.o.Newest || m.o.DryRun {
			m.tell(w.key, e.Kind, e.ETag, w.what, nowhere(e, w.replaces != 0))
			continue
		}
		w.lost, m.ghosts[w.key] = true, true
		if err := m.mend(ctx, e, w); err != nil {
			return err
		}
	}
	return nil
}

// nowhere says that no vault has what one names; older tells that the store has an earlier version.
func nowhere(e *holdfast.Entry, older bool) error {
	what := "a repair lists it to the devices that may have it, so that they keep it"
	if older {
		what = "the store has an earlier version, which stays"
	}
	return fail("Repair", holdfast.NotFound, e.Name, fmt.Sprintf("its %d octets are in no vault that was given; %s", e.Size, what), nil)
}
