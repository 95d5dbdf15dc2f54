package drill

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"holdfast"
	"holdfast/internal/restore"
	"holdfast/internal/store"
	"holdfast/internal/vault"
)

// Large files are not restored by a drill: it would need as much room again as all photos. Of each account that is tried the vault must have every one, by name and length. Their octets are read as a restore reads them, decrypted and hashed, and thrown away; and so are those of the living store. Where there
// are more than one drill is to read, each reads its part, and all are read in turn.

// Files is where the living store has the octets of large files: a [blob.Keeper].
type Files interface {
	Verify(ctx context.Context, account holdfast.ID, h holdfast.Hash) error
}

// FileOptions say which octets of large files are read.
type FileOptions struct {
	Store     Files       // nil: files are not asked for
	Octets    int64       // that one drill reads out of the vault, about; 0: all
	Turns     int         // in how many drills all must have been read: then each reads more than Octets, if it must; below 2: in each
	Turn      int64       // which drill this is: the next has the next number
	Returning func() bool // the living store is being filled with them after a restore: what it lacks is no fault of the vault; nil: it is not
}

// parts returns in how many parts so many octets are read.
func (o *FileOptions) parts(octets int64) int64 {
	if o.Octets <= 0 || octets <= o.Octets {
		return 1
	}
	return max(1, min((octets+o.Octets-1)/o.Octets, int64(o.Turns)))
}

// due tells whether a blob is in the part that is read now. Each is in one of them, whatever others there are.
func (o *FileOptions) due(h holdfast.Hash, parts int64) bool {
	return parts <= 1 || partOf(h, parts) == o.part(parts)
}

// part is which one is read now.
func (o *FileOptions) part(parts int64) int64 { return int64(uint64(o.Turn) % uint64(max(1, parts))) }

// partOf is which of so many parts a blob is in.
func partOf(h holdfast.Hash, parts int64) int64 {
	return int64(binary.BigEndian.Uint64(h[:8]) % uint64(parts))
}

// countFiles finds out how much there is of the accounts that were restored, and so which part is read, and what of it the vault does not have at all. In memory are some 200 octets of each file.
func (d *run) countFiles(ctx context.Context, e store.Engine, rep *restore.Report) error {
	if d.o.Files.Store == nil {
		return nil
	}
	var all []vault.OwnedBlob
	octets := int64(0)
	for i := range rep.Accounts {
		id := rep.Accounts[i].ID
		if err := store.EachBlob(ctx, e, id, holdfast.Hash{}, func(b holdfast.Blob) error {
			all, octets = append(all, vault.OwnedBlob{Account: id, Blob: b}), octets+b.Size
			return nil
		}); err != nil && !holdfast.IsKind(err, holdfast.NotFound) { // nothing of it could be restored
			return err
		}
	}
	d.res.Blobs.Files, d.parts = int64(len(all)), d.o.Files.parts(octets)
	d.res.Blobs.Parts, d.res.Blobs.Part = d.parts, d.o.Files.part(d.parts)
	lacking, err := d.o.Vault.LackingBlobs(ctx, all)
	for _, b := range lacking {
		d.lacking[b.Account] = append(d.lacking[b.Account], b.Blob)
	}
	return err
}

// files looks at an account's large files. bad says what is wrong with them; empty: nothing.
func (d *run) files(ctx context.Context, e store.Engine, id holdfast.ID) (bad string, err error) {
	if d.o.Files.Store == nil {
		return "", nil
	}
	gone := map[holdfast.Hash]bool{}
	for _, b := range d.lacking[id] {
		lost, err := d.lost(ctx, id, b)
		if err != nil {
			return "", err
		}
		if !lost {
			return fmt.Sprintf("the vault lacks the octets of large files, of %d; one has the SHA-256 %s", len(d.lacking[id]), b.Hash), nil
		}
		gone[b.Hash] = true
		d.res.Blobs.Ghosts++
	}
	err = store.EachBlob(ctx, e, id, holdfast.Hash{}, func(b holdfast.Blob) error {
		if gone[b.Hash] || !d.o.Files.due(b.Hash, d.parts) {
			return nil
		}
		var err error
		if bad, err = d.file(ctx, id, b); err != nil {
			return err
		}
		if bad != "" {
			return errEnough
		}
		return d.o.Pace(ctx)
	})
	if err == errEnough {
		err = nil
	}
	return bad, err
}

// errEnough ends a listing early.
var errEnough = errors.New("enough")

// lost tells whether the living store has nothing of a file either: the vault gives back what there is, and the store's own scrub names it.
func (d *run) lost(ctx context.Context, id holdfast.ID, b holdfast.Blob) (bool, error) {
	err := d.o.Files.Store.Verify(ctx, id, b.Hash)
	if holdfast.IsKind(err, holdfast.NotFound) {
		return true, nil
	}
	if holdfast.IsKind(err, holdfast.Corrupt) {
		err = nil
	}
	return false, err
}

// file reads one, on both sides.
func (d *run) file(ctx context.Context, id holdfast.ID, b holdfast.Blob) (bad string, err error) {
	err = d.o.Vault.ReadBlob(ctx, id, b, func(r io.Reader) error { return d.read(ctx, r) })
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	switch holdfast.KindOf(err) {
	case holdfast.NotFound, holdfast.Corrupt, holdfast.Unauthorized:
		lost, lerr := d.lost(ctx, id, b)
		if lost {
			d.res.Blobs.Ghosts++
		}
		if lost || lerr != nil {
			return "", lerr
		}
		return fmt.Sprintf("the vault does not give back a large file with the SHA-256 %s: %v", b.Hash, err), nil
	}
	if err != nil {
		return "", err
	}
	d.res.Blobs.Read++
	d.res.Blobs.rehashed(b.Size)
	err = d.o.Files.Store.Verify(ctx, id, b.Hash)
	switch holdfast.KindOf(err) {
	case holdfast.NotFound, holdfast.Corrupt:
		if holdfast.IsKind(err, holdfast.NotFound) && d.o.Files.Returning != nil && d.o.Files.Returning() {
			d.res.Blobs.Returning++
			return "", nil
		}
		return fmt.Sprintf("in the living store the octets of a large file with the SHA-256 %s are missing or damaged: %v", b.Hash, err), nil
	}
	if err != nil {
		return "", err
	}
	d.res.Blobs.rehashed(b.Size)
	return "", nil
}

// readAtOnce is how much of a large file is read before others get on.
const readAtOnce = 8 << 20

// read reads to the end, and lets others get on.
func (d *run) read(ctx context.Context, r io.Reader) error {
	for {
		n, err := io.CopyN(io.Discard, r, readAtOnce)
		if d.came += n; d.o.Read != nil {
			d.o.Read(d.came)
		}
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = d.o.Pace(ctx)
		}
		if err != nil {
			return err
		}
	}
}
