package crashfs

import (
	"io/fs"
	"maps"
	"slices"
)

// node is a file or a directory, apart from its names.
type node struct {
	id   int
	mode fs.FileMode

	// A file: what programs see, what is durable, and the way from one to the
	// other.
	cur, durable []byte
	pending      []change

	// A directory: likewise. The way between them is Disk.names.
	curNames, durableNames map[string]*node
}

// change is a write, or a truncation when data is nil.
type change struct {
	seq  int
	off  int64 // the new size, for a truncation
	data []byte
	// dropped: the sync that should have written this failed. A power cut may
	// still find it on the disk, a later sync does not write it.
	dropped bool
}

// nameOp puts child under a name, and takes a name away; a rename does both in
// one step. An empty name stands for nothing.
type nameOp struct {
	seq     int
	child   *node
	dir     *node
	name    string // child appears here
	oldDir  *node
	oldName string // and disappears here
	dropped bool
}

func (d *Disk) newNode(mode fs.FileMode) *node {
	d.lastNode++
	n := &node{id: d.lastNode, mode: mode}
	if mode.IsDir() {
		n.curNames, n.durableNames = map[string]*node{}, map[string]*node{}
	}
	return n
}

// walk visits all that has a name now, each node once, in a fixed order.
func (d *Disk) walk(from *node, visit func(*node)) {
	seen := map[*node]bool{}
	var step func(n *node)
	step = func(n *node) {
		if seen[n] {
			return
		}
		seen[n] = true
		visit(n)
		for _, name := range slices.Sorted(maps.Keys(n.curNames)) {
			step(n.curNames[name])
		}
	}
	step(from)
}

// settle makes the present state of the node the durable one.
func (n *node) settle() {
	n.durable, n.pending = slices.Clone(n.cur), nil
	if n.mode.IsDir() {
		n.durableNames = maps.Clone(n.curNames)
	}
}

// issue applies the change to what programs see and notes it as not durable.
func (n *node) issue(c change) {
	n.cur = c.apply(n.cur)
	n.pending = append(n.pending, c)
}

// flush makes the content durable.
func (n *node) flush() {
	for _, c := range n.pending {
		if !c.dropped {
			n.durable = c.apply(n.durable)
		}
	}
	n.pending = nil
}

// apply returns the image after the change. It may reuse the memory of img.
func (c change) apply(img []byte) []byte {
	if c.data == nil {
		return resize(img, c.off)
	}
	if end := c.off + int64(len(c.data)); end > int64(len(img)) {
		img = resize(img, end)
	}
	copy(img[c.off:], c.data)
	return img
}

// resize cuts img or extends it by zeros.
func resize(img []byte, size int64) []byte {
	n := int64(len(img))
	if size <= n {
		return img[:size]
	}
	img = slices.Grow(img, int(size-n))[:size]
	clear(img[n:]) // memory that a truncation left may hold old octets
	return img
}

// apply performs the change of names on the chosen set, curNames or
// durableNames of each directory.
func (op nameOp) apply(set func(*node) map[string]*node) {
	if op.oldName != "" && set(op.oldDir)[op.oldName] == op.child {
		delete(set(op.oldDir), op.oldName)
	}
	if op.name != "" {
		set(op.dir)[op.name] = op.child
	}
}

func curNames(n *node) map[string]*node     { return n.curNames }
func durableNames(n *node) map[string]*node { return n.durableNames }

// issueName applies the change of names to what programs see and notes it as
// not durable.
func (d *Disk) issueName(op nameOp) {
	op.seq = d.nextSeq()
	op.apply(curNames)
	d.names = append(d.names, op)
}

// syncedBy reports whether a sync of dir makes op durable. A rename from one
// directory to another is durable with its new directory: then the new name is
// there and the old one is gone. A sync of the old one alone does nothing for
// it, which is less than what journaling file systems give.
func (op nameOp) syncedBy(dir *node) bool {
	if op.name != "" {
		return op.dir == dir
	}
	return op.oldDir == dir
}

// flushNames makes the names inside of dir durable.
func (d *Disk) flushNames(dir *node) {
	keep := make([]bool, len(d.names))
	for i, op := range d.names {
		keep[i] = op.syncedBy(dir) && !op.dropped
	}
	withOrigins(d.names, keep)
	var rest []nameOp
	for i, op := range d.names {
		switch {
		case keep[i]:
			op.apply(durableNames)
		case !op.syncedBy(dir):
			rest = append(rest, op)
		}
	}
	d.names = rest
}

// withOrigins extends the choice of changes by what they stand on: a rename
// that survives implies the change that had brought the file to its old name.
// Otherwise a file could come back under an older name as well.
func withOrigins(names []nameOp, keep []bool) {
	for i := len(names) - 1; i >= 0; i-- {
		op := names[i]
		if !keep[i] || op.oldName == "" || op.name == "" {
			continue
		}
		for j := i - 1; j >= 0; j-- {
			if o := names[j]; o.child == op.child && o.dir == op.oldDir && o.name == op.oldName {
				keep[j] = true
				break
			}
		}
	}
}
