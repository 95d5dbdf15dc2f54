package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/journal"
	"holdfast/internal/place"
	"holdfast/internal/seal"
)

// Bounds of what one round of sealing takes: octets of segments, as they lie.
const maxSealOctets = 24 << 20

// SealReport tells what a round of sealing did.
type SealReport struct {
	Segments int
	Changes  uint64
	Accounts int
	Octets   int64 // of the pack
	Pack     string
}

// Seal makes a pack of the oldest closed segments that are not sealed yet: each account's lines, encrypted to its own key. It writes, reads back and verifies, and names the pack in a head. It does nothing where there is
// nothing to do; until it returns nothing it is worth calling again.
//
// The order, and what a cut leaves: account keys (each is used only after it was read back), the pack, its index, the head that names both. Before the head the pack is an object that nobody names,
// and its number is passed over; the segments are still there. Segments stay as long as [Options.KeepTail] says, see Let.
func (v *Vault) Seal(ctx context.Context, w *Writer) (SealReport, error) {
	var rep SealReport
	todo, err := v.unsealed(ctx, w)
	if err != nil || len(todo) == 0 {
		return rep, err
	}
	erased, err := v.Erased(ctx)
	if err != nil {
		return rep, err
	}
	for _, s := range todo { // what cannot be settled is read as it is
		if err := place.Settle(ctx, v.p, SegmentName(s.term, s.n)); err != nil {
			v.o.Log.Warn("a closed segment stays in pieces", "vault", v.meta.Name, "segment", SegmentName(s.term, s.n), "err", err)
		}
	}
	g := newGather(todo[0].term)
	if err := v.gatherAll(ctx, todo, g, func(id holdfast.ID) bool { return erased[id] }); err != nil {
		return rep, err
	}
	runs := g.runs()
	ref, err := v.writePack(ctx, runs)
	if err != nil {
		return rep, err
	}
	for _, s := range todo {
		ref.Segments = append(ref.Segments, SegmentName(s.term, s.n))
	}
	ref.Batches = g.have
	if err := v.verifyPack(ctx, ref); err != nil {
		return rep, err
	}
	rep = SealReport{Segments: len(todo), Changes: ref.Changes, Octets: ref.Size, Pack: ref.Name}
	rep.Accounts = len(slices.CompactFunc(slices.Clone(runs), func(a, b *run) bool { return a.Account == b.Account }))
	return rep, w.Head(ctx, HeadInput{Packs: []PackRef{ref}})
}

// segmentRef names a segment.
type segmentRef struct {
	term, n uint64
	size    int64
	made    time.Time
}

// unsealed returns the oldest closed segments of one term that no pack was made of, as many as one round takes.
func (v *Vault) unsealed(ctx context.Context, w *Writer) ([]segmentRef, error) {
	sealed, err := v.sealedSegments(ctx)
	if err != nil {
		return nil, err
	}
	closed := w.closedBelow() // asked before the listing: the writer goes on meanwhile, and a segment that it begins now is none of a pack's
	var out []segmentRef
	total := int64(0)
	err = v.eachSegment(ctx, func(s segmentRef) error {
		if sealed[SegmentName(s.term, s.n)] || s.term == w.Term().Number && s.n >= closed || len(out) > 0 && (out[0].term != s.term || total+s.size > maxSealOctets) {
			return nil
		}
		if s.size == 0 {
			return nil
		}
		out, total = append(out, s), total+s.size
		return nil
	})
	return out, err
}

// eachSegment calls fn with all segments, oldest first.
func (v *Vault) eachSegment(ctx context.Context, fn func(segmentRef) error) error {
	return v.p.List(ctx, dirTail, "", func(i place.Info) error {
		rest := strings.TrimPrefix(i.Name, dirTail)
		if len(rest) < 13 || !strings.HasSuffix(rest, place.Grows) {
			return nil
		}
		term, ok := numberOf(dirTail+rest[:12], dirTail, "")
		n, ok2 := numberOf(i.Name, tailOf(term), place.Grows)
		if !ok || !ok2 {
			return nil
		}
		return fn(segmentRef{term, n, i.Size, i.Made})
	})
}

// releasedNames returns what heads release, as far as the ledger was read.
func (v *Vault) releasedNames() []string {
	v.ledger.mu.Lock()
	defer v.ledger.mu.Unlock()
	return slices.Collect(maps.Keys(v.ledger.released))
}

// sealedSegments returns the segments of which packs were made, or that are not read any more.
func (v *Vault) sealedSegments(ctx context.Context) (map[string]bool, error) {
	packs, err := v.Packs(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for _, p := range packs {
		for _, s := range p.Segments {
			out[s] = true
		}
	}
	for _, name := range v.releasedNames() {
		out[name] = true
	}
	return out, nil
}

// Packs returns the packs that heads name and that no later one replaces. A head that cannot be read is an error here: it may name some.
func (v *Vault) Packs(ctx context.Context) ([]PackRef, error) {
	l := &v.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := v.readLedger(ctx); err != nil {
		return nil, err
	}
	var out []PackRef
	for _, p := range l.packs {
		out = append(out, p.PackRef)
	}
	return out, nil
}

// gatherAll reads segments into g. A frame that a cut has torn is passed over where another one holds its batches; otherwise it is an error: its segment must stay. Batches that no frame names are not waited for: the pack says which it has.
func (v *Vault) gatherAll(ctx context.Context, todo []segmentRef, g *gather, skip func(holdfast.ID) bool) error {
	var torn gap
	for _, s := range todo {
		var err error
		if torn, err = v.gatherSegment(ctx, s, g, torn, skip); err != nil {
			return err
		}
	}
	if err := g.fork(); err != nil {
		return err
	}
	if torn.err == nil {
		return nil
	}
	numbers, err := v.segments(ctx, g.term)
	if err != nil {
		return err
	}
	for _, n := range numbers {
		if n <= todo[len(todo)-1].n {
			continue
		}
		if first, err := v.begins(ctx, SegmentName(g.term, n)); err != nil || first > 0 && torn.filledBy(first, g) {
			return err
		}
	}
	return torn.err
}

// gap is a frame that was passed over while segments are gathered.
type gap struct {
	err  error  // about it; nil: there is none
	from uint64 // its first batch, where nothing was gathered before it; 0: not known
}

// filledBy tells whether batches that begin with one leave nothing of the gap open.
func (x gap) filledBy(first uint64, g *gather) bool {
	return x.err == nil || first <= max(g.upto+1, x.from)
}

// gatherSegment reads a segment's lines into g, and returns the frame that it passed over, if none that followed held its batches.
func (v *Vault) gatherSegment(ctx context.Context, s segmentRef, g *gather, torn gap, skip func(holdfast.ID) bool) (gap, error) {
	name := SegmentName(s.term, s.n)
	var frames []foundFrame
	if _, err := v.walk(ctx, name, func(f foundFrame) error { frames = append(frames, f); return nil }); err != nil || len(frames) == 0 {
		return torn, err
	}
	key, err := v.segmentKey(ctx, s.term, s.n)
	if err != nil {
		return torn, err
	}
	g.segment = name
	for _, f := range frames {
		err := v.batches(ctx, name, f, key, func(line journal.BatchLine, changes []holdfast.Change) error {
			if !torn.filledBy(line.Batch, g) {
				return torn.err
			}
			if err := chain(line, changes); err != nil {
				return err
			}
			g.add(line, changes, skip)
			torn = gap{}
			return nil
		})
		if unread(err) && !f.broken && torn.err == nil {
			torn = gap{err: err}
			if g.upto == 0 {
				if torn.from = f.First; f.First == 0 { // its line is torn too
					upto, err := v.sealedBelow(ctx, s)
					if err != nil {
						return torn, err
					}
					torn.from = upto + 1
				}
			}
		}
		if err != nil && !unread(err) && !errors.Is(err, errLine) {
			return torn, err
		}
	}
	return torn, nil
}

// sealedBelow returns the newest batch of a segment's term in packs of segments before it: what follows is all that its first frame can begin with. 0: there are none, and it is not known.
func (v *Vault) sealedBelow(ctx context.Context, s segmentRef) (upto uint64, err error) {
	packs, err := v.Packs(ctx)
	if err != nil {
		return 0, err
	}
	before := SegmentName(s.term, s.n)
	for _, p := range packs {
		if len(p.Segments) == 0 || slices.Max(p.Segments) >= before {
			continue
		}
		for _, r := range p.Batches {
			if r.Term == s.term {
				upto = max(upto, r.To)
			}
		}
	}
	return upto, nil
}

// writePack seals runs into a pack and its index.
func (v *Vault) writePack(ctx context.Context, runs []*run) (PackRef, error) {
	made := &packing{}
	for _, r := range runs {
		sealed, err := v.sealMember(ctx, r.Account, r.lines)
		if err != nil {
			return PackRef{}, err
		}
		made.add(r.Member, sealed)
	}
	return v.putPack(ctx, made)
}

// sealMember encrypts lines to an account's key.
func (v *Vault) sealMember(ctx context.Context, account holdfast.ID, lines []byte) ([]byte, error) {
	key, err := v.AccountKey(ctx, account)
	if err != nil {
		return nil, err
	}
	return seal.Encrypt(seal.PackTight(lines), key.Recipient())
}

// packing is a pack that is being made.
type packing struct {
	octets bytes.Buffer
	list   []Member
}

// add puts a member at the end.
func (p *packing) add(m Member, sealed []byte) {
	m.Offset, m.Length, m.SHA256 = int64(p.octets.Len()), int64(len(sealed)), holdfast.HashOf(sealed)
	p.octets.Write(sealed)
	p.list = append(p.list, m)
}

// putPack puts a pack and its index.
func (v *Vault) putPack(ctx context.Context, p *packing) (PackRef, error) {
	n, err := v.nextPack(ctx)
	if err != nil {
		return PackRef{}, err
	}
	ref := PackRef{Name: dirPages + number(n)}
	for i := range p.list {
		ref.Changes += p.list[i].To - p.list[i].From + 1
	}
	index, err := indexOf(p.list)
	if err != nil {
		return ref, fmt.Errorf("vault.putPack: %w", err)
	}
	ref.Size, ref.SHA256 = int64(p.octets.Len()), holdfast.HashOf(p.octets.Bytes())
	ref.IndexSize, ref.IndexSHA256 = int64(len(index)), holdfast.HashOf(index)
	if err := v.p.Put(ctx, ref.Name+packSuffix, bytes.NewReader(p.octets.Bytes())); err != nil {
		return ref, err
	}
	return ref, v.p.Put(ctx, ref.Name+indexSuffix, bytes.NewReader(index))
}

const (
	packSuffix  = ".pack"
	indexSuffix = ".index"
)

// nextPack returns a number that no pack has, whether a head names it or not.
func (v *Vault) nextPack(ctx context.Context) (n uint64, err error) {
	err = v.p.List(ctx, dirPages, "", func(i place.Info) error {
		for _, suffix := range []string{packSuffix, indexSuffix} {
			if k, ok := numberOf(i.Name, dirPages, suffix); ok {
				n = max(n, k)
			}
		}
		return nil
	})
	return n + 1, err
}

// verifyPack reads a pack back: its hash, its index, and each member with the account's key as the vault has it.
func (v *Vault) verifyPack(ctx context.Context, ref PackRef) error {
	erased, err := v.Erased(ctx)
	if err != nil {
		return err
	}
	return v.readPack(ctx, ref, func(m Member, sealed []byte) error {
		if erased[m.Account] { // nobody can open it any more
			return nil
		}
		v.forget(m.Account) // as the vault has it
		_, err := v.openMember(ctx, m, sealed)
		return err
	})
}

// readPack reads a pack and its index once, judges both by their hashes, and calls fn with each member.
func (v *Vault) readPack(ctx context.Context, ref PackRef, fn func(Member, []byte) error) error {
	index, err := place.ReadAll(ctx, v.p, ref.Name+indexSuffix, ref.IndexSize)
	if err != nil {
		return err
	}
	if holdfast.HashOf(index) != ref.IndexSHA256 {
		return fail("Pack", holdfast.Corrupt, ref.Name+indexSuffix, "the index does not have its hash", nil)
	}
	r, err := v.p.Get(ctx, ref.Name+packSuffix, 0, -1)
	if err != nil {
		return err
	}
	defer r.Close()
	list := newMembers(bytes.NewReader(index))
	at := int64(0)
	for {
		m, err := list.next()
		if err == io.EOF {
			break
		}
		if err == nil && (m.Offset != at || m.Length > ref.Size-at) {
			err = fail("Pack", holdfast.Corrupt, ref.Name+indexSuffix, "the index does not fit its pack", nil)
		}
		if err != nil {
			return err
		}
		sealed := make([]byte, m.Length)
		if _, err := io.ReadFull(r, sealed); err != nil {
			return fail("Pack", holdfast.Corrupt, ref.Name+packSuffix, "the pack is cut short", err)
		}
		at += m.Length
		if err := fn(m, sealed); err != nil {
			return err
		}
	}
	if at != ref.Size {
		return fail("Pack", holdfast.Corrupt, ref.Name+packSuffix, "the pack does not have its size", nil)
	}
	return nil
}

// openMember opens a member that was read.
func (v *Vault) openMember(ctx context.Context, m Member, sealed []byte) ([]Loaded, error) {
	if holdfast.HashOf(sealed) != m.SHA256 {
		return nil, fail("Member", holdfast.Corrupt, m.Account.String(), "a member does not have its hash", nil)
	}
	key, err := v.FindAccountKey(ctx, m.Account)
	if err != nil {
		return nil, err
	}
	r, err := seal.Open(bytes.NewReader(sealed), maxPlain, key)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return m.unfold(r)
}
