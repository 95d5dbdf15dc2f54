package vault

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"holdfast"
	"holdfast/internal/fault"
	"holdfast/internal/place"
	"holdfast/internal/place/dir"
	"holdfast/internal/seal"
	"holdfast/internal/vfs"
	"holdfast/internal/vfs/crashfs"
)

// allCalls has a disk be full at each call, and not at a sample of them.
var allCalls = flag.Bool("room", false, "let the disk be full at each call")

// duty is something that is done in a vault. It can be done again.
type duty struct {
	name    string
	before  func(*onDuty) error // what leads to it
	do      func(*onDuty) error
	damaged bool // the vault is damaged before
}

// onDuty is a vault in a directory that is open, with its writer.
type onDuty struct {
	*story
	v       *Vault
	w       *Writer
	place   place.Place
	spool   string
	next    *seal.Recovery // the recovery key that takes the place of the other
	dropped bool
}

// work opens the vault on a file system, with keys of its own.
func (s *story) work(fsys vfs.FS, next *seal.Recovery) *onDuty {
	t := s.r.t
	t.Helper()
	p, err := dir.Open(fsys, "/vault", dir.Options{Clock: s.r.clock, Preallocate: 4 << 10})
	fine(t, err)
	d := &onDuty{story: s.on(p), place: p, spool: t.TempDir(), next: next}
	d.r.ring = must2(seal.ParseRing(s.r.ring.Encode()))
	d.r.opt.Ring = d.r.ring
	d.open()
	return d
}

// open opens the vault, as a process that starts.
func (d *onDuty) open() {
	t := d.r.t
	t.Helper()
	d.v = must2(Open(ctx, d.r.opt))
	end, term, err := d.v.End(ctx)
	fine(t, err)
	d.w, err = d.v.Writer(ctx, term, end)
	fine(t, err)
	d.acked = int(end.Batch)
}

func (d *onDuty) ship() error {
	for _, b := range d.m.batches[d.acked:] {
		if err := d.w.Append(ctx, PackBatches([]*holdfast.Batch{b}, start)); err != nil {
			return err
		}
		if d.acked++; d.acked%3 == 0 {
			d.w.Roll()
		}
	}
	return nil
}

func (d *onDuty) seal() error {
	d.w.Roll()
	for {
		if rep, err := d.v.Seal(ctx, d.w); err != nil || rep.Segments == 0 {
			return err
		}
	}
}

// rotate does both rounds of a rotation, as the keeper of a store does.
func (d *onDuty) rotate() error {
	ring := d.r.ring
	if err := ring.Add(d.next); err != nil && !holdfast.IsKind(err, holdfast.Exists) {
		return err
	}
	if !d.dropped {
		if err := d.wrap(); err != nil {
			return err
		}
		fine(d.r.t, ring.Drop(d.r.recovery.Recipient().Fingerprint()))
		d.dropped = true
	}
	return d.wrap()
}

func (d *onDuty) wrap() error {
	if err := d.v.PutService(ctx, map[string]any{"certificates": d.r.ring.Certificates()}); err != nil {
		return err
	}
	_, err := d.v.Rewrap(ctx, nil)
	return err
}

// lose removes a pack, a segment that is sealed nowhere, and a key: what only the store can give again.
func (d *onDuty) lose() error {
	if err := d.ship(); err != nil {
		return err
	}
	if err := d.w.Head(ctx, HeadInput{}); err != nil {
		return err
	}
	for _, name := range []string{"pages/000000000003.pack", "pages/000000000005.index", AccountKeyName(d.m.accounts[2], 1)} {
		if err := d.place.Remove(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// read looks at the vault with the recovery key that opens it now.
func (d *onDuty) read(p place.Place) (map[holdfast.ID]*restored, []Damage) {
	key := d.r.recovery
	if d.dropped {
		key = d.next
	}
	return readAll(d.r.t, key, ReadOptions{}, p)
}

var dutiesOfAVault = []duty{
	{name: "ship", do: (*onDuty).ship},
	{name: "head", before: (*onDuty).ship, do: func(d *onDuty) error {
		return errors.Join(d.w.Head(ctx, HeadInput{Whole: true}), d.v.PutService(ctx, "policy"))
	}},
	{name: "seal", before: (*onDuty).ship, do: (*onDuty).seal},
	{name: "join", before: func(d *onDuty) error { return errors.Join(d.ship(), d.seal()) }, do: func(d *onDuty) error { _, err := d.v.Compact(ctx, d.w); return err }},
	{name: "rotate", before: (*onDuty).ship, do: (*onDuty).rotate},
	{name: "erase", before: (*onDuty).ship, do: func(d *onDuty) error { _, err := d.v.Erase(ctx, d.w, d.erased, nil); return err }},
	{name: "repair", before: (*onDuty).lose, damaged: true, do: func(d *onDuty) error {
		_, err := d.v.Repair(ctx, d.w, d.m, RepairOptions{Spool: d.spool})
		return err
	}},
}

// roomless is a disk on which the calls that take room find none once it is armed: the nth of them alone, or all from there on.
type roomless struct {
	armed bool
	n     int
	on    bool
	calls int
}

func (r *roomless) plan() *fault.Plan {
	return fault.By(func(_ int, call string) fault.Act {
		what, name, _ := strings.Cut(call, " ")
		takes := what == "create" || what == "write" || what == "mkdir" || what == "link"
		if !r.armed || !takes || filepath.Base(name) == ".lease" { // who holds it is only a hint
			return fault.None
		}
		if r.calls++; r.calls == r.n || r.on && r.n > 0 && r.calls > r.n {
			return fault.Full
		}
		return fault.None
	})
}

// TestNoRoomForADuty lets the disk be full at each call that takes room, of everything that is done in a vault: once, and until somebody makes room. It is said that the disk is full, and which; nothing that was acknowledged is lost; and
// with room the same is done again, by the same process or by the next one, after which the vault is clean and whole.
func TestNoRoomForADuty(t *testing.T) {
	s := begin(t)
	for range 5 {
		s.m.batch(3)
	}
	disk := onDisk(t, s.r.place)
	next := must2(seal.NewRecovery(holdfast.ID{0xff}, start, false))
	for _, x := range dutiesOfAVault {
		t.Run(x.name, func(t *testing.T) {
			base := disk.Clone()
			d := s.work(base.FS(), next)
			if x.before != nil {
				fine(t, x.before(d))
			}
			fine(t, d.w.Close())
			base.Settle()
			total := s.without(t, x, base.Clone(), next, 0, false)
			every := 1
			if !*allCalls {
				every = 1 + total/8
			}
			for n := 1 + rand.IntN(every); n <= total; n += every {
				s.without(t, x, base.Clone(), next, n, false)
				s.without(t, x, base.Clone(), next, n, true)
			}
			t.Logf("%d calls take room; one of %d was without", total, every)
			if total < 3 {
				t.Error("too few to show anything")
			}
		})
	}
}

// without does a duty on a disk without room at one call (0: there is room everywhere), and again with room. It returns how many calls took room.
func (s *story) without(t *testing.T, x duty, disk *crashfs.Disk, next *seal.Recovery, n int, on bool) int {
	t.Helper()
	where := fmt.Sprintf("%s, no room at call %d, until there is room: %t", x.name, n, on)
	r := &roomless{n: n, on: on}
	d := s.work(fault.WrapFS(disk.FS(), r.plan()), next)
	r.armed = true
	err := x.do(d)
	r.armed = false
	calls := r.calls
	if n == 0 {
		fine(t, err)
	} else if !holdfast.IsKind(err, holdfast.Full) || !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "/vault") {
		t.Fatalf("%s: %v", where, err)
	}
	if !x.damaged {
		got, _ := d.read(must2(dir.Open(disk.FS(), "/vault", dir.Options{})))
		d.compare(where, got, d.m.truth(d.acked))
	}
	if n%2 == 1 && on { // the next process
		fine(t, d.w.Close())
		d.open()
	}
	if err := x.do(d); err != nil {
		t.Fatalf("%s, again with room: %v", where, err)
	}
	fine(t, d.ship())
	fine(t, d.w.Close())
	if damage, err := d.v.Survey(ctx); err != nil || len(damage) > 0 {
		t.Fatalf("%s, again with room: %+v, %v", where, damage, err)
	}
	if damage, err := d.v.Rehash(ctx, 0); err != nil || len(damage) > 0 {
		t.Fatalf("%s, again with room, hashed again: %+v, %v", where, damage, err)
	}
	got, damage := d.read(must2(dir.Open(disk.FS(), "/vault", dir.Options{})))
	if len(damage) > 0 {
		t.Fatalf("%s, again with room: %+v", where, damage)
	}
	d.compare(where+", again with room", got, d.m.truth(len(d.m.batches)))
	return calls
}
