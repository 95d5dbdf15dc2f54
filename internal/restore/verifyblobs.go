package restore

import (
	"context"
	"io"

	"holdfast"
	"holdfast/internal/vault"
)

// verifying is the octets of an account's large files, where nothing is restored and all is read: 60 octets in memory for each, and no octets of theirs.
type verifying struct {
	named map[blobIn]int64 // how many octets
	rep   BlobReport
}

// blobIn is a blob that a change in a collection names.
type blobIn struct {
	collection holdfast.ID
	hash       holdfast.Hash
}

func newVerifying() *verifying { return &verifying{named: map[blobIn]int64{}} }

// note remembers what a change names.
func (v *verifying) note(c *holdfast.Change) {
	if v != nil && c.Blob != nil {
		v.named[blobIn{c.Collection, c.Blob.Hash}] = c.Blob.Size
	}
}

// add adds what was found to a report.
func (v *verifying) add(all *BlobReport) *BlobReport {
	if v == nil {
		return all
	}
	if all == nil {
		all = &BlobReport{}
	}
	all.Blobs, all.Octets, all.Read, all.Came, all.Lost = all.Blobs+v.rep.Blobs, all.Octets+v.rep.Octets, all.Read+v.rep.Read, all.Came+v.rep.Came, all.Lost+v.rep.Lost
	return all
}

// verifyFiles reads the octets of the account's large files, and names those that nobody has whole.
func (a *loading) verifyFiles(ctx context.Context) error {
	if a.files == nil {
		return nil
	}
	list, err := a.asked()
	if err != nil {
		return err
	}
	c := &copying{o: BlobOptions{From: a.r.o.Files}, rep: &a.files.rep, busy: map[blobKey]bool{}, lost: map[blobKey]error{}}
	for _, size := range list {
		c.rep.Blobs, c.rep.Octets = c.rep.Blobs+1, c.rep.Octets+size
	}
	c.o.Progress = func() func(BlobProgress) {
		before := int64(0)
		return func(p BlobProgress) {
			more := p.Octets - before
			before = p.Octets
			a.r.tell(func(p *Progress) { p.Octets += more })
		}
	}()
	if err := c.work(ctx, func(_ context.Context, give func(wish) error) error {
		for h, size := range list {
			if err := give(wish{account: a.id, Blob: holdfast.Blob{Hash: h, Size: size}}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	c.rep.Lost = int64(len(c.lost))
	return a.loseFiles(ctx, list, c.lost)
}

// asked returns the blobs that were asked for: those of one collection, or all.
func (a *loading) asked() (map[holdfast.Hash]int64, error) {
	keep := a.id
	if a.r.o.Collection != "" {
		var err error
		if keep, err = a.path(a.r.o.Collection); err != nil {
			return nil, err
		}
	}
	out := map[holdfast.Hash]int64{}
	for x, size := range a.files.named {
		if a.r.o.Collection == "" || a.within(x.collection, keep) {
			out[x.hash] = size
		}
	}
	return out, nil
}

// loseFiles makes losses of the changes that name what is lost. Which those are only the history says; it is read once more.
func (a *loading) loseFiles(ctx context.Context, asked map[holdfast.Hash]int64, lost map[blobKey]error) error {
	if len(lost) == 0 {
		return nil
	}
	var found []holdfast.Change
	now := map[itemKey]uint64{} // the newest change of an item that has some
	err := a.content.Changes(ctx, func(list []vault.Loaded) error {
		for i := range list {
			c := &list[i].Change
			if a.r.o.Seq > 0 && c.Seq > a.r.o.Seq {
				return io.EOF
			}
			key := itemKey{c.Collection, c.Name}
			if _, is := now[key]; is {
				now[key] = c.Seq
			}
			if c.Blob != nil && lost[blobKey{a.id, c.Blob.Hash}] != nil {
				x := *c
				x.Entry = *strip(&c.Entry)
				found, now[key] = append(found, x), c.Seq
			}
		}
		return nil
	})
	if err != nil && err != io.EOF {
		return err
	}
	t := &tree{root: a.id, email: a.email, all: a.collections}
	for i := range found {
		x := &found[i]
		if _, is := asked[x.Blob.Hash]; is && (a.r.o.Collection == "" || t.inside(x.Collection, a.r.o.Collection)) {
			a.losses = append(a.losses, lossOf(t, x, lost[blobKey{a.id, x.Blob.Hash}], now[itemKey{x.Collection, x.Name}] == x.Seq))
		}
	}
	return nil
}
