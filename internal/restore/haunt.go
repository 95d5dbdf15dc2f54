package restore

import (
	"context"
	"strings"

	"holdfast"
	"holdfast/internal/store"
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
			m.tell(w.key, e.Kind, e.ETag, w.what, store.LetGo("restore.Repair", e.Name, e.Size))
			continue
		}
		w.lost = true
		if err := m.mend(ctx, e, w); err != nil {
			return err
		}
	}
	return nil
}
