package restore

import (
	"context"
	"io"
	"slices"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/store"
)

// putFile puts a large file again, its octets first. What no vault has whole is as what is named and nowhere held.
func (m *mending) putFile(ctx context.Context, e *holdfast.Entry, w wanted) error {
	from := Of(m.o.Vaults...)
	var nowhere bool
	octets := func(fn func(io.Reader) error) error {
		err := from.Read(ctx, m.id, *e.Blob, func(r io.Reader, _ string) error { return fn(r) })
		nowhere = ctx.Err() == nil && (holdfast.IsKind(err, holdfast.NotFound) || holdfast.IsKind(err, holdfast.Corrupt))
		return err
	}
	var err error
	if m.o.DryRun && m.o.Blobs == nil { // whether it can be had at all is asked, and not whether it is whole
		nowhere, err = m.nowhereAtAll(ctx, *e.Blob)
	} else if m.o.DryRun {
		err = octets(func(r io.Reader) error { _, err := io.Copy(io.Discard, r); return err })
	} else if err = m.flush(ctx); err == nil { // its collection, if that waits
		_, err = m.o.Core.Mend(ctx, m.id, core.Mending{Was: strip(e), Replaces: w.replaces, Octets: octets})
	}
	switch {
	case nowhere:
		w.nowhere = strip(e)
		m.want[e.ID] = w
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case holdfast.IsKind(err, holdfast.Unavailable) || holdfast.IsKind(err, holdfast.Full) || holdfast.IsKind(err, holdfast.Fenced) || holdfast.IsKind(err, holdfast.Busy):
		return err
	}
	delete(m.want, e.ID)
	m.tell(w.key, e.Kind, e.ETag, w.what, err)
	return nil
}

// nowhereAtAll tells whether no vault has an object of a blob.
func (m *mending) nowhereAtAll(ctx context.Context, b holdfast.Blob) (bool, error) {
	for _, v := range m.o.Vaults {
		if has, err := v.HasBlob(ctx, m.id, b); has || err != nil {
			return false, err
		}
	}
	return true, nil
}

// repairFiles brings the octets of large files that the store lacks, or has damaged, out of the vaults. Their changes stay as they are.
func repairFiles(ctx context.Context, o *RepairOptions, rep *RepairReport) error {
	if o.Blobs == nil {
		return nil
	}
	found := map[blobKey]BlobFinding{}
	_, err := CopyBlobs(ctx, BlobOptions{Engine: o.Engine, Blobs: o.Blobs, From: Of(o.Vaults...), Account: o.Account, Collection: o.Collection, Deep: true, Dry: o.DryRun,
		Found: func(f BlobFinding) { found[blobKey{f.Account, f.Hash}] = f }})
	if holdfast.IsKind(err, holdfast.NotFound) { // the account, or the collection, is not in the store
		err = nil
	}
	if err != nil {
		return err
	}
	ids := map[holdfast.ID]bool{}
	for k := range found {
		ids[k.account] = true
	}
	for id := range ids {
		if err := nameFiles(ctx, o, rep, id, found); err != nil {
			return err
		}
	}
	return nil
}

// nameFiles tells what was found of one account: each blob by the item that has it now, or had it last.
func nameFiles(ctx context.Context, o *RepairOptions, rep *RepairReport, id holdfast.ID, found map[blobKey]BlobFinding) error {
	t, err := treeOf(ctx, o.Engine, id)
	if err != nil {
		return err
	}
	by, live := map[holdfast.Hash]*holdfast.Change{}, map[holdfast.Hash]bool{}
	err = eachChange(ctx, o.Engine, id, func(snap store.Snapshot, x *holdfast.Change) error {
		if x.Blob == nil || live[x.Blob.Hash] {
			return nil
		}
		if _, is := found[blobKey{id, x.Blob.Hash}]; !is {
			return nil
		}
		now, err := snap.Resource(x.Collection, x.Name, 0)
		if err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
			return err
		}
		by[x.Blob.Hash], live[x.Blob.Hash] = x, err == nil && now.Seq == x.Seq
		return nil
	})
	if err != nil {
		return err
	}
	list := make([]*holdfast.Change, 0, len(by))
	for _, x := range by {
		list = append(list, x)
	}
	slices.SortFunc(list, func(a, b *holdfast.Change) int { return int(a.Seq) - int(b.Seq) })
	for _, x := range list {
		f := found[blobKey{id, x.Blob.Hash}]
		y := Mended{Account: t.email, Collection: t.pathOf(x.Collection), Name: x.Name, Kind: x.Kind.String(), ETag: x.ETag, What: "missing", Done: f.Err == nil && !o.DryRun}
		if rep.Missing++; f.Damaged {
			y.What = "damaged"
			rep.Missing, rep.Damaged = rep.Missing-1, rep.Damaged+1
		}
		switch {
		case f.Err != nil:
			y.Why = "its octets are nowhere whole: " + sentenceOf(f.Err)
			rep.Left++
		case y.Done:
			rep.Mended++
		}
		o.Found(y)
	}
	return nil
}
