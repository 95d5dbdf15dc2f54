package crashfs

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
)

// sectorSize is the unit that a disk writes as a whole.
const sectorSize = 512

// Cut says what a power cut did.
type Cut struct {
	Style  string // how what was not synced was chosen
	Writes int    // writes and truncations that had not been synced
	Names  int    // changes of names that had not been synced
}

// The styles of a cut.
const (
	styleNone    = "none"    // nothing that was not synced survives
	styleAll     = "all"     // everything does
	styleOrdered = "ordered" // everything up to a moment, the last write torn
	styleMixed   = "mixed"   // each file, and the names, by a style of its own:
	styleTorn    = "torn"    // a prefix of the changes, the last write torn
	styleSubset  = "subset"  // some of the changes
	styleSectors = "sectors" // for each sector any of the states it went through
)

// PowerCut ends the present generation, whether the cut of CutAfter was reached
// or not: it decides with rng what survives of everything that was not synced,
// and turns the power on again. Handles and locks of before stay dead. The same
// operations and the same rng give the same disk.
//
// An unsynced change of names survives or does not, as a whole. A file that
// keeps its name and had no synced content can come back empty, short, or with
// holes of zeros.
func (d *Disk) PowerCut(rng *rand.Rand) Cut {
	d.mu.Lock()
	defer d.mu.Unlock()
	styles := []string{styleNone, styleAll, styleOrdered, styleMixed, styleMixed, styleMixed}
	k := cutter{rng: rng, garbage: d.opt.GarbageSectors, style: styles[rng.IntN(len(styles))]}
	report := Cut{Style: k.style, Names: len(d.names)}

	nodes := d.everything()
	k.chooseMoment(nodes, d.names)
	for _, op := range k.keepNames(d.names) {
		op.apply(durableNames)
	}
	for _, n := range nodes {
		report.Writes += len(n.pending)
		n.durable = k.content(n)
		n.cur, n.pending = slices.Clone(n.durable), nil
		if n.mode.IsDir() {
			n.curNames = maps.Clone(n.durableNames)
		}
	}
	if d.opt.Trace != nil {
		fmt.Fprintf(d.opt.Trace, "%d.cut %s: %d writes and %d names were not synced\n", d.gen, report.Style, report.Writes, report.Names)
	}
	d.reset()
	return report
}

// everything returns all nodes that have, had or may get a name, by number.
func (d *Disk) everything() []*node {
	seen := map[*node]bool{}
	var step func(n *node)
	step = func(n *node) {
		if n == nil || seen[n] {
			return
		}
		seen[n] = true
		for _, set := range []map[string]*node{n.curNames, n.durableNames} {
			for _, c := range set {
				step(c)
			}
		}
	}
	step(d.root)
	for _, op := range d.names {
		step(op.child)
		step(op.dir)
		step(op.oldDir)
	}
	return slices.SortedFunc(maps.Keys(seen), func(a, b *node) int { return a.id - b.id })
}

// cutter makes the choices of one cut.
type cutter struct {
	rng     *rand.Rand
	style   string
	garbage bool
	moment  int // for styleOrdered: the last number that was issued in time
}

// chooseMoment picks the moment of styleOrdered among all that is pending.
func (k *cutter) chooseMoment(nodes []*node, names []nameOp) {
	var seqs []int
	for _, n := range nodes {
		for _, c := range n.pending {
			seqs = append(seqs, c.seq)
		}
	}
	for _, op := range names {
		seqs = append(seqs, op.seq)
	}
	slices.Sort(seqs)
	if i := k.rng.IntN(len(seqs) + 1); i < len(seqs) {
		k.moment = seqs[i]
	} else {
		k.moment = int(^uint(0) >> 1)
	}
}

// own returns the style for one file or for the names.
func (k *cutter) own(of ...string) string {
	if k.style != styleMixed {
		return k.style
	}
	return of[k.rng.IntN(len(of))]
}

// keepNames returns the changes of names that survive, in their order.
func (k *cutter) keepNames(names []nameOp) []nameOp {
	style := k.own(styleNone, styleAll, styleTorn, styleSubset, styleSubset)
	last := k.rng.IntN(len(names) + 1)
	keep := make([]bool, len(names))
	for i, op := range names {
		switch style {
		case styleAll:
			keep[i] = true
		case styleOrdered:
			keep[i] = op.seq <= k.moment
		case styleTorn:
			keep[i] = i < last
		case styleSubset:
			keep[i] = k.rng.IntN(2) == 0
		}
	}
	withOrigins(names, keep)
	var kept []nameOp
	for i, op := range names {
		if keep[i] {
			kept = append(kept, op)
		}
	}
	return kept
}

// content returns the octets of n that survive.
func (k *cutter) content(n *node) []byte {
	img := slices.Clone(n.durable)
	if len(n.pending) == 0 {
		return img
	}
	switch k.own(styleNone, styleAll, styleTorn, styleSubset, styleSectors, styleSectors) {
	case styleAll:
		for _, c := range n.pending {
			img = c.apply(img)
		}
	case styleOrdered:
		for _, c := range n.pending {
			if c.seq == k.moment {
				c = k.torn(c)
			}
			if c.seq <= k.moment {
				img = c.apply(img)
			}
		}
	case styleTorn:
		last := k.rng.IntN(len(n.pending))
		for _, c := range n.pending[:last] {
			img = c.apply(img)
		}
		img = k.torn(n.pending[last]).apply(img)
	case styleSubset:
		for _, c := range n.pending {
			if k.rng.IntN(2) == 0 {
				img = c.apply(img)
			}
		}
	case styleSectors:
		img = k.sectors(img, n.pending)
	}
	return img
}

// torn returns a write cut off at any octet, perhaps before its first or after
// its last. A truncation happens or not, and one that is not is made harmless
// as an empty write.
func (k *cutter) torn(c change) change {
	if c.data == nil {
		if k.rng.IntN(2) == 0 {
			c.off, c.data = 0, []byte{}
		}
		return c
	}
	c.data = c.data[:k.rng.IntN(len(c.data)+1)]
	if len(c.data) == 0 {
		c.off = 0 // an empty write must not extend the file
	}
	return c
}

// sectors builds an image in which each sector has one of the states that it
// went through by writes, as a disk can leave it that reorders and merges its
// queue. A truncation writes no sectors: it is a step of the file system, which
// happens as a whole or not at all.
func (k *cutter) sectors(img []byte, pending []change) []byte {
	for len(pending) > 0 {
		n := slices.IndexFunc(pending, func(c change) bool { return c.data == nil })
		switch {
		case n < 0:
			return k.mixSectors(img, pending)
		case n > 0:
			img = k.mixSectors(img, pending[:n])
		}
		if k.rng.IntN(2) == 0 {
			img = pending[n].apply(img)
		}
		pending = pending[n+1:]
	}
	return img
}

// mixSectors does it for writes alone. The size is one of the sizes that the
// file went through.
func (k *cutter) mixSectors(img []byte, writes []change) []byte {
	states := map[int64][][]byte{} // the later states of each sector touched
	sizes := []int64{int64(len(img))}
	work := slices.Clone(img)
	for _, c := range writes {
		lo, hi := min(c.off, int64(len(work))), c.off+int64(len(c.data))
		work = c.apply(work)
		sizes = append(sizes, int64(len(work)))
		for s := lo / sectorSize; s*sectorSize < hi; s++ {
			states[s] = append(states[s], sector(work, s))
		}
	}
	out := resize(img, sizes[k.rng.IntN(len(sizes))])
	likely := k.rng.IntN(101) // how many of a hundred sectors were written
	for _, s := range slices.Sorted(maps.Keys(states)) {
		if s*sectorSize >= int64(len(out)) || k.rng.IntN(100) >= likely {
			continue
		}
		at := out[s*sectorSize : min((s+1)*sectorSize, int64(len(out)))]
		if k.garbage && k.rng.IntN(8) == 0 {
			for i := range at {
				at[i] = byte(k.rng.Uint32())
			}
			continue
		}
		copy(at, states[s][k.rng.IntN(len(states[s]))])
	}
	return out
}

// sector returns a copy of sector s, zeros where the file ends.
func sector(img []byte, s int64) []byte {
	b := make([]byte, sectorSize)
	if off := s * sectorSize; off < int64(len(img)) {
		copy(b, img[off:])
	}
	return b
}
