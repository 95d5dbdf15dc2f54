package restore

import (
	"context"

	"holdfast"
	"holdfast/internal/core"
)

// Bounds of what is put in one group: one that is refused is told from the others by halves, and nobody who writes waits long for it.
const (
	mendEntries = 200
	mendOctets  = 4 << 20
)

// waiting is an item that is to be put with the next group.
type waiting struct {
	entry *holdfast.Entry
	wanted
}

// mend puts one item, with others. Cut in between, the next repair finds those that are not there yet.
func (m *mending) mend(ctx context.Context, e *holdfast.Entry, w wanted) error {
	if m.o.DryRun {
		m.tell(itemKey{e.Collection, e.Name}, e.Kind, e.ETag, w.what, nil)
		return nil
	}
	m.queue, m.queued = append(m.queue, waiting{e, w}), m.queued+len(e.Body)
	if len(m.queue) < mendEntries && m.queued < mendOctets {
		return nil
	}
	return m.flush(ctx)
}

// flush puts what waits.
func (m *mending) flush(ctx context.Context) error {
	list := m.queue
	m.queue, m.queued = nil, 0
	return m.group(ctx, list)
}

// group puts items in one group. Where that is refused each half is tried: what is refused by itself is told, and does not keep the others back.
func (m *mending) group(ctx context.Context, list []waiting) error {
	if len(list) == 0 {
		return nil
	}
	all := make([]core.Mending, len(list))
	for i, x := range list {
		all[i] = core.Mending{Was: x.entry, Replaces: x.replaces, Lost: x.lost}
	}
	_, err := m.o.Core.Mend(ctx, m.id, all...)
	switch holdfast.KindOf(err) {
	case holdfast.Unavailable, holdfast.Full, holdfast.Fenced, holdfast.Busy:
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil && len(list) > 1 {
		if err := m.group(ctx, list[:len(list)/2]); err != nil {
			return err
		}
		return m.group(ctx, list[len(list)/2:])
	}
	for _, x := range list {
		m.tell(itemKey{x.entry.Collection, x.entry.Name}, x.entry.Kind, x.entry.ETag, x.what, err)
	}
	return nil
}
