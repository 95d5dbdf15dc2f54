package crashfs

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Options are properties of the simulated hardware, and of the file system on
// it. They never change what production code does. The zero value is an honest
// disk that keeps what it was told to keep and nothing more.
type Options struct {
	// LyingSync makes every sync a success without effect.
	LyingSync bool
	// NoDirSync makes SyncDir a success without effect: names are durable only
	// by luck.
	NoDirSync bool
	// GarbageSectors takes power-safe overwrite away: a sector that was being
	// written when the power went may hold noise afterwards, also outside of
	// the octets that were written.
	GarbageSectors bool
	// Trace, if set, receives a line for each counted operation and each cut.
	Trace io.Writer
}

// ErrPowerOff is the error of every call between the cut and [Disk.PowerCut],
// and of old handles for ever after. It is an EIO.
var ErrPowerOff = fmt.Errorf("the power is off: %w", syscall.EIO)

// Disk is a simulated disk with one file system on it. Its methods may be used
// from several goroutines; a run is replayable when the order of the calls is,
// as with one goroutine.
type Disk struct {
	opt Options

	mu       sync.Mutex
	root     *node
	names    []nameOp // not yet durable, in the order of issue
	locked   map[*node]*file
	lastNode int // numbers the nodes, for a fixed order
	seq      int // numbers everything issued, over all files
	gen      int

	ops     int // counted operations in this generation
	cutAt   int // the operation at which the power goes; 0: never
	off     bool
	failAt  int // the sync that fails; 0: none
	syncs   int
	limit   int64 // octets; 0: no limit
	written int64
}

// New returns an empty disk: a root directory "/" and no files.
func New(opt Options) *Disk {
	d := &Disk{opt: opt}
	d.root = d.newNode(fs.ModeDir | 0o755)
	d.reset()
	return d
}

// reset begins a generation: nothing pending, no locks, the power on.
func (d *Disk) reset() {
	d.gen++
	d.names, d.locked = nil, map[*node]*file{}
	d.ops, d.cutAt, d.off = 0, 0, false
	d.failAt, d.syncs = 0, 0
}

// CutAfter makes the n-th counted operation from now the last one that is
// issued: it fails, and may be kept, torn or lost. Counted are the operations
// that change something: creating, opening with O_TRUNC, writing, truncating,
// allocating, syncing a file or a directory, rename, link, remove, mkdir. An n
// of zero or less disarms the cut.
func (d *Disk) CutAfter(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cutAt = 0
	if n > 0 {
		d.cutAt = d.ops + n
	}
}

// FailSync makes the n-th sync from now, of a file or of a directory, fail with
// EIO as on Linux: what it should have made durable may or may not be, and
// later syncs report success without writing it. The power stays on.
func (d *Disk) FailSync(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failAt = d.syncs + n
}

// SetCapacity limits the sum of all file sizes to n octets; what would exceed
// it fails with ENOSPC. Zero takes the limit away.
func (d *Disk) SetCapacity(n int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.limit = n
}

// Off reports whether the power went. The disk stays off until PowerCut.
func (d *Disk) Off() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.off
}

// Generation returns the number of the present life of the disk, from 1. Each
// PowerCut begins another.
func (d *Disk) Generation() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.gen
}

// Stats counts what happened in the present generation.
type Stats struct {
	Ops     int   // operations that CutAfter counts
	Syncs   int   // of files and directories
	Written int64 // octets written to files, over all generations
}

// Stats returns the present figures.
func (d *Disk) Stats() Stats {
	d.mu.Lock()
	defer d.mu.Unlock()
	return Stats{Ops: d.ops, Syncs: d.syncs, Written: d.written}
}

// PowersafeOverwrite reports whether the disk keeps the octets around a write
// that the power cut interrupts.
func (d *Disk) PowersafeOverwrite() bool { return !d.opt.GarbageSectors }

// Settle makes everything durable, whatever the options say, as if the machine
// had been idle for some minutes and its luck had been good.
func (d *Disk) Settle() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.names = nil
	d.walk(d.root, func(n *node) { n.settle() })
}

// Clone returns a disk with the same files, settled, and its own life: handles,
// locks, counters and an armed cut are not copied. It is the quick way to begin
// many runs from one prepared state.
func (d *Disk) Clone() *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := &Disk{opt: d.opt, limit: d.limit}
	copies := map[*node]*node{} // hard links stay links
	var dup func(n *node) *node
	dup = func(n *node) *node {
		if m, ok := copies[n]; ok {
			return m
		}
		m := c.newNode(n.mode)
		copies[n] = m
		m.cur = slices.Clone(n.cur)
		for _, name := range slices.Sorted(maps.Keys(n.curNames)) {
			m.curNames[name] = dup(n.curNames[name])
		}
		m.settle()
		return m
	}
	c.root = dup(d.root)
	c.reset()
	return c
}

// begin counts an operation. The caller holds mu and has seen that its handle is
// of this generation. The error is ErrPowerOff when the power went before. cut says that this very operation is the last: it
// is to be issued, and to fail with ErrPowerOff.
func (d *Disk) begin(what string, args ...any) (cut bool, err error) {
	if d.off {
		return false, ErrPowerOff
	}
	d.ops++
	if d.cutAt > 0 && d.ops >= d.cutAt {
		d.off, cut = true, true
	}
	if d.opt.Trace != nil {
		line := fmt.Sprintf(what, args...)
		if cut {
			line += "  <- the power goes"
		}
		fmt.Fprintf(d.opt.Trace, "%d.%d %s\n", d.gen, d.ops, line)
	}
	return cut, nil
}

// ended turns a cut into the error of the operation.
func ended(cut bool) error {
	if cut {
		return ErrPowerOff
	}
	return nil
}

// syncFails counts a sync and tells whether FailSync chose it.
func (d *Disk) syncFails() bool {
	d.syncs++
	return d.syncs == d.failAt
}

// room checks the capacity for a file that grows from size to size.
func (d *Disk) room(from, to int64) error {
	if d.limit == 0 || to <= from {
		return nil
	}
	used := int64(0)
	d.walk(d.root, func(n *node) { used += int64(len(n.cur)) })
	if used+to-from > d.limit {
		return syscall.ENOSPC
	}
	return nil
}

func (d *Disk) nextSeq() int {
	d.seq++
	return d.seq
}

// stamp is the modification time of everything: a disk has no clock.
var stamp = time.Unix(0, 0).UTC()
