package scrub

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/clock"
	"holdfast/internal/store"
)

// Files are the octets of large files, which lie beside the engine.
type Files interface {
	// Open opens a file as it lies there. Neither a file nor an error: it is still on its way there. Errors, also of its reads: NotFound, Corrupt, Unavailable.
	Open(ctx context.Context, account holdfast.ID, b holdfast.Blob) (blob.File, error)
	// Mend puts a file back out of a vault, durably. Errors: NotFound (nobody has it), Corrupt (nobody has it whole), others.
	Mend(ctx context.Context, account holdfast.ID, b holdfast.Blob) error
}

// What is said of a file that no vault gave.
const (
	whyNoFile    = "no vault that can be read has it whole; whoever has the file can put it again, which makes it sound"
	whyFileLater = "it could not be put back now: "
)

// files reads the large files that an account's changes name, of any age, from where the cursor is.
func (s *Scrubber) files(ctx context.Context, id holdfast.ID) error {
	if s.Files == nil {
		return nil
	}
	from := holdfast.Hash{}
	if c := s.Book.State().Cursor; c.Account == id && c.File != nil {
		from = *c.File
	}
	s.Book.change(func(x *State) { x.Cursor.File = &from })
	err := store.EachBlob(ctx, s.Engine, id, from, func(b holdfast.Blob) error {
		if b.Hash == from {
			return nil
		}
		if err := s.file(ctx, id, b); err != nil {
			return err
		}
		at := b.Hash
		s.Book.change(func(x *State) { x.Now.Files, x.Now.Octets, x.Cursor.File = x.Now.Files+1, x.Now.Octets+b.Size, &at })
		s.saveNowAndThen()
		return nil
	})
	if holdfast.IsKind(err, holdfast.NotFound) && !s.known(ctx, id) { // it was erased meanwhile
		return nil
	}
	return err
}

// known tells whether the engine has an account.
func (s *Scrubber) known(ctx context.Context, id holdfast.ID) bool {
	snap, err := s.Engine.Snapshot(ctx)
	if err != nil {
		return true
	}
	defer snap.Close()
	_, err = snap.Account(id)
	return !holdfast.IsKind(err, holdfast.NotFound)
}

// file reads one, and puts it back where it is not what was put.
func (s *Scrubber) file(ctx context.Context, id holdfast.ID, b holdfast.Blob) error {
	err := s.read(ctx, id, b)
	for range tries { // of the disk as a whole; one file of it that cannot be read is damaged
		if err == nil || ctx.Err() != nil || damaged(err) {
			break
		}
		if err := clock.Sleep(ctx, s.Clock, tryPause); err != nil {
			return err
		}
		err = s.read(ctx, id, b)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err == nil {
		return nil
	}
	if _, named, bad := store.BlobOf(ctx, s.Engine, id, b.Hash); bad != nil || !named { // it went meanwhile
		if holdfast.IsKind(bad, holdfast.NotFound) {
			bad = nil
		}
		return bad
	}
	f := s.fileFinding(ctx, id, b, err)
	bad := s.Files.Mend(ctx, id, b)
	if bad != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if bad == nil {
		if bad = s.read(ctx, id, b); ctx.Err() != nil {
			bad = nil // it was written, and its name is durable: that it was mended is to be told
		}
	}
	switch {
	case bad == nil:
		f.Mended, f.From = true, "a vault"
	case !damaged(err): // the disk as a whole
		return err
	case damaged(bad):
		f.Why = whyNoFile
	default:
		f.Why = whyFileLater + bad.Error()
	}
	s.noteFile(f)
	return nil
}

// damaged tells a file that is not what was put from a disk that cannot be read.
func damaged(err error) bool {
	return holdfast.IsKind(err, holdfast.Corrupt) || holdfast.IsKind(err, holdfast.NotFound)
}

// read reads all of one file, at the pace. It is hashed whole: each piece has a sum of its own, which says less.
func (s *Scrubber) read(ctx context.Context, id holdfast.ID, b holdfast.Blob) error {
	f, err := s.Files.Open(ctx, id, b)
	if err != nil || f == nil {
		return err
	}
	defer f.Close()
	if f.Size() != b.Size {
		return blob.Damaged("Scrub", b.Hash, fmt.Sprintf("it has %d octets, and its change says %d", f.Size(), b.Size))
	}
	h, buf := sha256.New(), make([]byte, min(blob.Piece, b.Size))
	for at := int64(0); at < b.Size; {
		n, err := f.ReadAt(buf[:min(int64(len(buf)), b.Size-at)], at)
		if err != nil && (!errors.Is(err, io.EOF) || n == 0) {
			return err
		}
		h.Write(buf[:n])
		at += int64(n)
		if err := s.Pace(ctx, int64(n)); err != nil {
			return err
		}
	}
	if holdfast.Hash(h.Sum(nil)) != b.Hash {
		return blob.Damaged("Scrub", b.Hash, "it is not what was put")
	}
	return nil
}

// fileFinding describes a file that is not what was put, by the first of its changes.
func (s *Scrubber) fileFinding(ctx context.Context, id holdfast.ID, b holdfast.Blob, cause error) Finding {
	f := Finding{Account: id, ETag: &b.Hash, Kind: File, Found: s.now(), What: "the octets of a large file are not those that were put"}
	if holdfast.IsKind(cause, holdfast.NotFound) {
		f.What = "the octets of a large file are missing"
	}
	_ = store.EachPut(ctx, s.Engine, id, 0, func(c *holdfast.Change) bool { // without its name it is still a finding
		if c.ETag == b.Hash {
			f.Collection, f.Name, f.Seq = c.Collection, c.Name, c.Seq
		}
		return c.ETag != b.Hash
	})
	return f
}

// noteFile takes a finding up in the book.
func (s *Scrubber) noteFile(f Finding) {
	s.Book.change(func(x *State) {
		if x.Now.knows(&f) { // before it was cut
			return
		}
		x.Now.Found++
		if f.Mended {
			x.Now.Mended++
		}
		x.Now.name(f)
	})
	if f.Mended {
		s.Log.Warn("a large file that rotted was mended", "account", f.Account, "item", f.Name, "seq", f.Seq, "sha256", f.ETag, "from", f.From)
	} else {
		s.Log.Error("a large file rotted and was not mended", "account", f.Account, "item", f.Name, "seq", f.Seq, "sha256", f.ETag, "what", f.What, "why", f.Why)
	}
	s.tell(f)
}
