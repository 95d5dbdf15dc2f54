package blob

import (
	"crypto/sha256"
	"hash"
	"sync"

	"holdfast"
)

// Checked is an open blob at somebody who proves each part that he gives, but not that it is of this blob, as a vault does. Whoever reads all of it in order is told with the last part, which is held back: Corrupt.
type Checked struct {
	File
	blob holdfast.Blob

	mu   sync.Mutex
	sum  hash.Hash // of what was read so far; nil: nothing was, or it was not in order
	next int64
}

// NewChecked returns f, of which all that is read in order must be b.
func NewChecked(f File, b holdfast.Blob) *Checked { return &Checked{File: f, blob: b} }

// ReadAt implements [io.ReaderAt]. Who begins anew is judged anew.
func (c *Checked) ReadAt(p []byte, at int64) (int, error) {
	n, err := c.File.ReadAt(p, at)
	c.mu.Lock()
	defer c.mu.Unlock()
	if at == 0 {
		c.sum, c.next = sha256.New(), 0
	}
	if c.sum == nil || at != c.next {
		c.sum = nil
		return n, err
	}
	c.sum.Write(p[:n])
	if c.next += int64(n); c.next < c.blob.Size || holdfast.Hash(c.sum.Sum(nil)) == c.blob.Hash {
		return n, err
	}
	return 0, Damaged("Open", c.blob.Hash, "what a vault has under its name is another file")
}

// GoOn takes up where another ended, of the same blob, so that all of it is judged.
func (c *Checked) GoOn(from *Checked) {
	from.mu.Lock()
	sum, next := from.sum, from.next
	from.sum = nil
	from.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sum, c.next = sum, next
}
