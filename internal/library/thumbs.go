package library

import (
	"context"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/photo/decode"
	"holdfast/internal/vfs"

	"zombiezen.com/go/sqlite"
)

// Size is which of a photo's thumbnails is meant.
type Size string

// The sizes.
const (
	Square Size = "square" // 256 by 256, out of the middle
	Large  Size = "large"  // at most 1,600 on the longer side
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// thumbPath is where a thumbnail lies. Accounts share none, so that one can be erased.
func (l *Library) thumbPath(account holdfast.ID, h holdfast.Hash, size Size) string {
	name := h.String()
	return filepath.Join(l.thumbDir(account), name[:2], name+"."+string(size)+".jpg")
}

func (l *Library) thumbDir(account holdfast.ID) string {
	return filepath.Join(l.o.Dir, thumbsName, account.String())
}

// keepThumbs writes a photo's thumbnails. The row that says that they are there is written after them.
func (l *Library) keepThumbs(account holdfast.ID, h holdfast.Hash, t *decode.Thumbs) error {
	if err := os.MkdirAll(filepath.Dir(l.thumbPath(account, h, Square)), 0o700); err != nil {
		return err
	}
	for size, octets := range map[Size][]byte{Square: t.Square, Large: t.Large} {
		if err := vfs.WriteFileAtomic(vfs.OS, l.thumbPath(account, h, size), octets, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (l *Library) dropThumbs(account holdfast.ID, h holdfast.Hash) error {
	var all error
	for _, size := range []Size{Square, Large} {
		if err := os.Remove(l.thumbPath(account, h, size)); err != nil && !os.IsNotExist(err) {
			all = errors.Join(all, err)
		}
	}
	return all
}

// Thumb returns a thumbnail, a JPEG, of a photo of an account, or of an earlier version, by the hash of its octets. What was lost of it is made again, later.
//
// Errors: Forbidden; NotFound (the account has no such photo, or it has no thumbnail: Text says why); Unavailable (it is not made yet), InDoubt.
func (l *Library) Thumb(ctx context.Context, p holdfast.Principal, owner holdfast.ID, h holdfast.Hash, size Size) ([]byte, error) {
	if size != Square && size != Large {
		return nil, fail("Thumb", holdfast.Invalid, string(size), "a thumbnail is square or large")
	}
	if err := l.o.Core.Read(ctx, p, owner, func(*core.Reader) error { return nil }); err != nil {
		return nil, err
	}
	state, why, sums := stateNone, "", map[Size]uint32{}
	if err := l.read(ctx, func(c *conn) error {
		return c.each("SELECT state, why, square_sum, large_sum FROM content WHERE acct = ? AND hash = ?", func(s *sqlite.Stmt) error {
			state, why, sums[Square], sums[Large] = s.ColumnInt(0), s.ColumnText(1), uint32(s.ColumnInt64(2)), uint32(s.ColumnInt64(3))
			return nil
		}, owner, h)
	}); err != nil {
		return nil, err
	}
	switch state {
	case stateNone:
		return nil, fail("Thumb", holdfast.NotFound, h.String(), "there is no such photo")
	case stateDone:
	case stateNew, stateRead, stateLater:
		return nil, fail("Thumb", holdfast.Unavailable, h.String(), "this thumbnail is not made yet")
	default:
		return nil, fail("Thumb", holdfast.NotFound, h.String(), "there is no thumbnail: "+whyNot(state, why))
	}
	b, err := vfs.ReadFile(vfs.OS, l.thumbPath(owner, h, size))
	if err == nil && crc32.Checksum(b, castagnoli) == sums[size] {
		return b, nil
	}
	l.o.Log.Warn("a thumbnail is missing or damaged, and is made again", "account", owner, "photo", h, "err", err)
	if err := l.write(ctx, func(c *conn) error {
		return c.exec("UPDATE content SET state = ?, tries = 0 WHERE acct = ? AND hash = ? AND state = ?", stateRead, owner, h, stateDone)
	}); err != nil {
		return nil, err
	}
	l.queued.happen()
	return nil, fail("Thumb", holdfast.Unavailable, h.String(), "this thumbnail was lost, and is being made again")
}
