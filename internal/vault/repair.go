package vault

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"

	"holdfast"
	"holdfast/internal/seal"
)

// Origin knows the histories that a vault should hold: the living store, and what else is asked.
type Origin interface {
	// Accounts calls fn, by ascending id, with how far each account had come at a batch of the store's stream. Accounts that were erased are left out.
	Accounts(ctx context.Context, batch uint64, fn func(AccountHead) error) error
	// Chain returns an account's chain at a seq. Errors: NotFound.
	Chain(ctx context.Context, account holdfast.ID, seq uint64) (holdfast.Hash, error)
	// Changes calls fn with an account's changes of the seqs from to to, in order, chained, with the batches that they were in. Those that it does not have are left out.
	Changes(ctx context.Context, account holdfast.ID, from, to uint64, fn func([]Loaded) error) error
}

// RepairOptions say how a vault is repaired.
type RepairOptions struct {
	Spool string // a directory for what is sorted on the way; in the clear
	// Done is told of each object that is read no more, and of each account of which something was written again; nil: nobody.
	Done func(what, name string, changes uint64)
	// Erased tells whether the store has erased an account, so that the record of that is written again; nil: nobody knows.
	Erased func(context.Context, holdfast.ID) (bool, error)
}

// RepairReport tells what a repair did.
type RepairReport struct {
	Damaged []string // objects that were found damaged, or missing
	Packs   []string // that were written
	Changes uint64   // in them, that were missing
}

// Repair makes a vault whole again in which objects are damaged or missing, while its writer goes on. What is damaged is written anew, out of what can still be read of it and else from the origin; readers take the new
// objects, and a head names the damaged ones as replaced or released; they go when they have been for long enough, see [Vault.Let]. It can be called again after it was cut anywhere. Errors: those of the place and of the origin.
//
// The order, and what a cut leaves: keys (read back before the damaged ones go), packs and their indexes (read back, each member opened), the head that names them and what they stand for. Before the head nobody reads the new objects; what
// was damaged is removed only long after it.
func (v *Vault) Repair(ctx context.Context, w *Writer, from Origin, o RepairOptions) (RepairReport, error) {
	if o.Done == nil {
		o.Done = func(string, string, uint64) {}
	}
	r := &repair{v: v, w: w, from: from, o: o}
	for _, step := range []func(context.Context) error{r.spine, r.erasures, r.keys, r.objects, r.gaps} {
		if err := step(ctx); err != nil {
			return r.report(), err
		}
	}
	return r.report(), nil
}

// repair is one run of Repair.
type repair struct {
	v    *Vault
	w    *Writer
	from Origin
	o    RepairOptions
	s    *survey
	rep  RepairReport
	head HeadInput // that is to be written

	runs  []*run
	plain int
}

func (r *repair) report() RepairReport {
	if r.s != nil {
		r.rep.Damaged = slices.Sorted(maps.Keys(r.s.wrong))
	}
	return r.rep
}

// spine looks at terms and heads. Those that are damaged are released: whoever writes has the right to by a term that can be read, and goes on from what is known.
func (r *repair) spine(ctx context.Context) (err error) {
	if r.s, err = r.v.spine(ctx); err != nil {
		return err
	}
	if err := r.v.mendMeta(ctx, r.s, r.v.meta); err != nil {
		return err
	}
	r.head.Released = spineOf(r.s)
	return nil
}

// erasures writes the damaged records of erasures again, of accounts that the store has erased. Others erase nobody, and stay: who puts one there must not have an account erased.
func (r *repair) erasures(ctx context.Context) error {
	for _, name := range slices.Sorted(maps.Keys(r.s.wrong)) {
		id, err := holdfast.ParseID(strings.TrimPrefix(name, dirErased))
		if err != nil || !strings.HasPrefix(name, dirErased) || r.o.Erased == nil {
			continue
		}
		gone, err := r.o.Erased(ctx, id)
		if err == nil && gone {
			_, err = r.v.recorded(ctx, r.w, id) // the store erases the rest, as it does of each vault that says so
		}
		if err != nil {
			return err
		}
		if gone {
			r.s.erased[id] = true
			r.o.Done("erasure", name, 0)
		}
	}
	return nil
}

// keys mends the key objects: one that an older version, or this process, still knows is wrapped anew; for an account whose key is lost another one is made, and what was encrypted to the old one is written again. What a segment
// whose key is lost holds is written again too.
func (r *repair) keys(ctx context.Context) error {
	r.v.mu.Lock()
	known := maps.Clone(r.v.keys)
	clear(r.v.keys)
	r.v.mu.Unlock()
	if err := r.s.lookAtKeys(ctx); err != nil {
		return err
	}
	w := &rewrapper{v: r.v, fn: func(int64, int64) {}}
	for _, k := range r.s.badKeys {
		err := w.one(ctx, k)
		if err == nil || !damaging(err) {
			if err != nil {
				return err
			}
			r.o.Done("key", k.objects[0], 0)
			continue
		}
		if k.of == "segment" { // what can be read of the segment elsewhere is written again
			r.head.Released = append(r.head.Released, append(k.objects, k.name)...)
			continue
		}
		if err := r.rekey(ctx, k, known[k.account]); err != nil {
			return err
		}
		r.o.Done("key", k.objects[0], 0)
	}
	return r.lostKeys(ctx, known)
}

// lostKeys puts keys back of which no object is there any more, where this process knows them. That they are right is seen when the packs are read with them.
func (r *repair) lostKeys(ctx context.Context, known map[holdfast.ID]*seal.Identity) error {
	for account, id := range known {
		list, err := r.v.versions(ctx, "", keysOf(account))
		if err == nil && len(list) == 0 && !r.s.erased[account] {
			err = r.rekey(ctx, &wrappedKey{of: "account", name: account.String(), prefix: keysOf(account), account: account}, id)
			r.s.wrong[AccountKeyName(account, 1)] = "the key is missing"
			r.o.Done("key", AccountKeyName(account, 1), 0)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// rekey puts a version of an account's key above those that cannot be opened: the one that is known, or a fresh one.
func (r *repair) rekey(ctx context.Context, k *wrappedKey, id *seal.Identity) (err error) {
	top := uint64(0)
	for _, name := range k.objects {
		n, _ := numberOf(name, k.prefix, "")
		top = max(top, n)
	}
	if id == nil {
		if id, err = seal.NewIdentity(r.v.o.Hybrid); err != nil {
			return err
		}
	}
	w := &rewrapper{v: r.v}
	newest, err := w.put(ctx, k, top+1, id)
	if err != nil || newest == "" {
		return err
	}
	for _, name := range k.objects {
		if err := w.remove(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// objects writes anew what can be read of damaged packs and segments, and releases the rest.
func (r *repair) objects(ctx context.Context) error {
	if err := errors.Join(r.s.lookAtPacks(ctx), r.s.lookAtSegments(ctx), r.s.lookAtService(ctx)); err != nil {
		return err
	}
	bad := map[string]bool{}
	for _, p := range r.s.badPacks {
		bad[p.Name] = true
		if err := r.pack(ctx, p); err != nil {
			return err
		}
	}
	sound := map[string]bool{}
	for _, p := range r.s.packs {
		for _, name := range p.Segments {
			sound[name] = sound[name] || !bad[p.Name]
		}
	}
	for _, x := range r.s.badSegments {
		if err := r.segment(ctx, x, sound[SegmentName(x.term, x.n)]); err != nil {
			return err
		}
	}
	if r.headsLost() {
		if err := r.adoptOrphans(ctx); err != nil {
			return err
		}
	}
	return r.say(ctx)
}

// headsLost tells whether heads were lost, now or earlier: they may have named packs.
func (r *repair) headsLost() bool {
	for name := range r.s.released {
		if strings.HasPrefix(name, dirHeads) {
			return true
		}
	}
	return len(spineOf(r.s)) > 0
}

// say writes the head.
func (r *repair) say(ctx context.Context) error {
	if len(r.head.Packs)+len(r.head.Released)+len(r.head.Covered) == 0 {
		return nil
	}
	in := r.head
	r.head = HeadInput{}
	return r.w.Head(ctx, in)
}

// write makes a pack of runs, the whole of some batches where batches says so, reads it back, and has the next head name it.
func (r *repair) write(ctx context.Context, runs []*run, batches []BatchRange, replaces, segments []string) error {
	slices.SortFunc(runs, func(a, b *run) int { return a.compare(&b.Member) })
	ref, err := r.v.writePack(ctx, runs)
	if err != nil {
		return err
	}
	ref.Batches, ref.Replaces, ref.Segments = batches, replaces, segments
	if err := r.v.verifyPack(ctx, ref); err != nil {
		return err
	}
	r.head.Packs = append(r.head.Packs, ref)
	r.rep.Packs = append(r.rep.Packs, ref.Name)
	return nil
}

// pack writes anew what can be read of a damaged pack, and what it cannot out of packs whose place it took, if they are still there. Its segments, where they are still there, are read again; what neither holds is a gap.
func (r *repair) pack(ctx context.Context, p PackRef) error {
	var runs []*run
	err := r.v.readPack(ctx, p, func(m Member, sealed []byte) error {
		if r.s.erased[m.Account] {
			return nil
		}
		lines, err := r.v.openMember(ctx, m, sealed)
		if err != nil {
			if damaging(err) {
				return nil
			}
			return err
		}
		runs = append(runs, runOf(m, lines))
		return nil
	})
	if err != nil && !damaging(err) {
		return err
	}
	r.o.Done("pack", p.Name, 0)
	if runs, err = r.behind(ctx, p, runs); err != nil {
		return err
	}
	if len(runs) == 0 {
		r.head.Released = append(r.head.Released, p.Name)
		return nil
	}
	return r.write(ctx, runs, nil, []string{p.Name}, nil)
}

// runOf makes a run of a member that was opened.
func runOf(m Member, lines []Loaded) *run {
	x := &run{Member: m}
	for i := range lines {
		x.lines = append(x.lines, lines[i].line()...)
	}
	return x
}

// behind adds to the runs out of a damaged pack what they lack and a pack has whose place it took: one that was joined, or one that was pruned and waits.
func (r *repair) behind(ctx context.Context, p PackRef, runs []*run) ([]*run, error) {
	if _, err := r.v.Packs(ctx); err != nil {
		if damaging(err) { // the heads are being mended: what is behind is not known
			return runs, nil
		}
		return nil, err
	}
	r.v.ledger.mu.Lock()
	before := r.v.ledger.before(p)
	r.v.ledger.mu.Unlock()
	for _, x := range before {
		list, err := r.v.membersOf(ctx, x)
		if err != nil && !damaging(err) {
			return nil, err
		}
		have := make([]Member, len(runs))
		for i, one := range runs {
			have[i] = one.Member
		}
		for _, m := range notIn(list, have) {
			lines, err := r.v.opener(x.Name)(ctx, &m)
			switch {
			case err == nil:
				runs = append(runs, runOf(m, lines))
			case !damaging(err):
				return nil, err
			}
		}
	}
	return runs, nil
}

// segment writes into a pack what can be read of a damaged segment, unless a sound pack has all of it.
func (r *repair) segment(ctx context.Context, x segmentRef, sealed bool) error {
	name := SegmentName(x.term, x.n)
	r.o.Done("segment", name, 0)
	g := newGather(x.term)
	if !sealed {
		if r.w.Term().Number == x.term && r.w.Open() == x.n {
			r.w.Roll() // what comes from now on stands in another segment
		}
		if err := r.v.readable(ctx, x, g, func(id holdfast.ID) bool { return r.s.erased[id] }); err != nil {
			return err
		}
	}
	r.head.Released = append(r.head.Released, name)
	runs := g.runs()
	if len(runs) == 0 {
		return nil
	}
	return r.write(ctx, runs, g.have, nil, []string{name})
}

// adoptOrphans names packs that lie there, can be read to their ends, and that no head names: one that cannot be read any more may have.
func (r *repair) adoptOrphans(ctx context.Context) error {
	for _, name := range r.s.orphans {
		ref, err := r.v.refTo(ctx, name)
		if err == nil {
			err = r.v.verifyPack(ctx, ref)
		}
		if err != nil && !damaging(err) {
			return err
		}
		if err != nil || ref.Changes == 0 {
			r.head.Released = append(r.head.Released, name)
			continue
		}
		r.head.Packs = append(r.head.Packs, ref)
	}
	return nil
}

// refTo describes a pack from what lies there.
func (v *Vault) refTo(ctx context.Context, name string) (PackRef, error) {
	ref := PackRef{Name: name}
	index, err := v.read(ctx, name+indexSuffix, 0, maxPackOctets)
	if err != nil {
		return ref, err
	}
	ref.IndexSize, ref.IndexSHA256 = int64(len(index)), holdfast.HashOf(index)
	list := newMembers(bytes.NewReader(index))
	for {
		m, err := list.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return ref, err
		}
		ref.Changes += m.To - m.From + 1
	}
	pack, err := v.p.Get(ctx, name+packSuffix, 0, -1)
	if err != nil {
		return ref, err
	}
	defer pack.Close()
	sum := sha256.New()
	if ref.Size, err = io.Copy(sum, pack); err != nil {
		return ref, err
	}
	copy(ref.SHA256[:], sum.Sum(nil))
	return ref, nil
}
