package vault

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"holdfast"
	"holdfast/internal/place"
	"holdfast/internal/seal"
)

// ReadOptions say what is read out of vaults.
type ReadOptions struct {
	Spool   string                 // a directory for what is sorted on the way; it holds changes in the clear while the reader is open
	At      time.Time              // as of a moment, by the vaults' time; zero: the newest
	Account holdfast.ID            // one alone; zero: all
	Only    func(holdfast.ID) bool // which accounts; nil: all
	Trust   *seal.Recovery         // who says which signers are the store's own; nil: not asked
	// AsPruned reads the vault as it will be once what was replaced by packs without old versions is gone: that does not stand in for anything.
	AsPruned bool
}

// Damage is something in a vault that could not be read.
type Damage struct {
	Vault  string `json:"vault"`
	Object string `json:"object"`
	What   string `json:"what"`
}

// Reader reads whole histories out of one or more vaults of a store: what one lacks another may have.
type Reader struct {
	o       ReadOptions
	shelves []*shelf
	damage  []Damage
	erased  map[holdfast.ID]bool
	ends    []holdfast.Position // of the vaults, and of their heads
	holes   []BatchRange
	mu      sync.Mutex // of damage and spares: histories are read by several at a time
	spares  map[*shelf]*spares
	origins map[*shelf]*spares
	stands  []*standing
	files   []*os.File
	fault   error // of this machine, not of a vault: it ends the reading, as what is not sorted would be missing
}

// shelf is a sorted row of members: a pack, or a part of a tail that was sorted.
type shelf struct {
	vault  *Vault
	name   string
	list   *members
	closer io.Closer
	now    Member
	claims bool // it says how far accounts have come, and holds nothing
	rank   ranker
	open   func(context.Context, *Member) ([]Loaded, error)
	pack   PackRef   // that it is
	before []PackRef // packs of the vault that others took the place of
}

// NewReader opens vaults for reading. What cannot be read is remembered as damage, and passed over. It must be closed. Errors: those that keep it from reading anything.
func NewReader(ctx context.Context, vaults []*Vault, o ReadOptions) (*Reader, error) {
	r := &Reader{o: o, erased: map[holdfast.ID]bool{}}
	for _, v := range vaults {
		if err := r.take(ctx, v); err != nil {
			r.Close()
			return nil, err
		}
	}
	return r, nil
}

// Close lets go of everything, and removes what was spooled.
func (r *Reader) Close() {
	for _, s := range r.shelves {
		if s.closer != nil {
			s.closer.Close()
		}
	}
	for _, f := range r.files {
		f.Close()
		os.Remove(f.Name())
	}
	r.shelves, r.files = nil, nil
}

// Damage returns what could not be read so far.
func (r *Reader) Damage() []Damage {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.damage)
}

// Erased returns the accounts that were erased on purpose: they are not read.
func (r *Reader) Erased() map[holdfast.ID]bool { return r.erased }

// Positions returns the positions of the store's stream that the vaults name, in no order.
func (r *Reader) Positions() []holdfast.Position { return r.ends }

func (r *Reader) hurt(v *Vault, object string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.damage = append(r.damage, Damage{v.meta.Name, object, wording(object, err)})
}

// take takes a vault in.
func (r *Reader) take(ctx context.Context, v *Vault) error {
	before := len(r.damage)
	terms, unknown, err := r.believed(ctx, v)
	if err != nil {
		return err
	}
	erased, err := v.erasedBy(ctx, terms, func(name string, err error) { r.hurt(v, name, err) })
	if err != nil {
		return err
	}
	for id := range erased {
		r.erased[id] = true
	}
	rank := r.ranks(terms, unknown)
	have := &coverage{named: map[uint64]uint64{}}
	packs, sealed, err := r.takeHeads(ctx, v, terms, rank, have)
	if err != nil {
		return err
	}
	have.badHead = r.newestIsBad(ctx, v, before)
	r.damage = append(r.damage[:before], slices.DeleteFunc(r.damage[before:], func(d Damage) bool { return sealed[d.Object] })...)
	for _, n := range unknown {
		if name := TermName(n); !sealed[name] {
			have.badTerms = append(have.badTerms, name)
		}
	}
	for _, p := range packs {
		if err := r.takePack(ctx, v, p, have.replaced, rank); err != nil {
			if r.fault != nil {
				return r.fault
			}
			r.hurt(v, p.Name, err)
			continue // its segments may still be there
		}
		for _, s := range p.Segments {
			sealed[s] = true
		}
		have.have, have.unknown = append(have.have, p.Batches...), have.unknown || p.untold()
	}
	if err := r.takeEnd(ctx, v, have, terms, unknown); err != nil {
		r.hurt(v, dirTail, err)
	}
	if err := r.takeTail(ctx, v, sealed, rank, have); err != nil {
		return err
	}
	have.hurt = len(r.damage) > before
	r.tell(ctx, v, have, terms, unknown)
	return nil
}

// takeEnd finds where a vault ends: by its newest term, or by what heads repeat of that.
func (r *Reader) takeEnd(ctx context.Context, v *Vault, have *coverage, terms map[uint64]Term, unknown []uint64) (err error) {
	newest := uint64(0)
	for n := range terms {
		newest = max(newest, n)
	}
	var end holdfast.Position
	if newest == 0 || len(unknown) > 0 && unknown[len(unknown)-1] > newest {
		end, have.end, _, err = v.ends(ctx)
	} else {
		end, have.end, err = v.endsIn(ctx, terms[newest], have.newest)
	}
	if err == nil && end.Batch > 0 {
		r.ends = append(r.ends, end)
	}
	return err
}

// ranker tells how new the stream is that a member is of, and up to which batch that holds: what is above was given up.
type ranker func(*Member) (rank int, upto uint64)

// newestRank is that of the newest term's stream, in whichever vault it is.
const newestRank = 1 << 20

// ranks returns what tells the newest term's stream, newestRank, from histories that were given up, 0. What a term of which nothing is known went on from is not known either: what is older ranks below it, and nothing of that was given up for all that is known.
func (r *Reader) ranks(terms map[uint64]Term, unknown []uint64) ranker {
	type part struct {
		upto uint64
		rank int
	}
	parts := map[uint64]part{}
	limit, rank := uint64(math.MaxUint64), newestRank
	for _, n := range slices.Backward(slices.Sorted(maps.Keys(terms))) {
		for len(unknown) > 0 && unknown[len(unknown)-1] > n {
			last := len(unknown) - 1
			parts[unknown[last]], rank = part{limit, rank}, rank-1
			unknown = unknown[:last]
		}
		t := terms[n]
		if !r.o.At.IsZero() && t.At.After(r.o.At) {
			continue // it was not there at the moment that is asked for
		}
		parts[n] = part{limit, rank}
		if t.Continues == FromNothing {
			unknown = nil
			break
		}
		limit = min(limit, t.Base.Batch)
	}
	for _, n := range slices.Backward(unknown) {
		parts[n] = part{limit, rank}
		rank--
	}
	return func(m *Member) (int, uint64) {
		p := parts[m.Term]
		return p.rank, p.upto
	}
}

// claimsAtOnce bounds the claims that are sorted in memory.
const claimsAtOnce = 200_000

// takeHeads reads the heads: which packs there are, which objects were released, and how far the accounts had come.
func (r *Reader) takeHeads(ctx context.Context, v *Vault, terms map[uint64]Term, rank ranker, have *coverage) (packs []PackRef, released map[string]bool, err error) {
	released = map[string]bool{}
	var claims []Member
	flush := func() error {
		if len(claims) == 0 {
			return nil
		}
		slices.SortFunc(claims, func(a, b Member) int { return a.compare(&b) })
		err := r.spool(v, claims, nil, rank, true)
		claims = claims[:0]
		return err
	}
	j, link := v.judge(terms), links{}
	err = v.headsOf(ctx, j, 0, func(name string, h Head, sum holdfast.Hash, err error) error {
		if loose := link.follows(name, h, sum, err); loose != nil {
			r.hurt(v, name, loose)
		}
		if err != nil {
			r.hurt(v, name, err)
			return nil
		}
		have.newest = h
		for _, x := range h.Released {
			released[x] = true
		}
		for _, p := range h.Packs {
			packs = slices.DeleteFunc(packs, func(o PackRef) bool {
				gone := slices.Contains(p.Replaces, o.Name)
				if gone {
					have.replaced = append(have.replaced, o)
				}
				return gone
			})
			packs = append(packs, p)
		}
		if !r.o.At.IsZero() && h.PlaceAt.After(r.o.At) {
			return nil
		}
		if h.Position.Batch > 0 {
			r.ends = append(r.ends, h.Position.Is())
		}
		have.have = append(have.have, h.Covered...)
		have.named[h.Term] = max(have.named[h.Term], h.Position.Batch)
		for _, a := range h.Accounts {
			if r.wanted(a.Account) {
				claims = append(claims, Member{Account: a.Account, Epoch: a.Epoch, From: a.Seq, To: a.Seq, Chain: a.Chain, Term: h.Term, BatchFrom: h.Position.Batch, BatchTo: h.Position.Batch, First: h.PlaceAt, Last: h.PlaceAt, Length: 1})
			}
		}
		if len(claims) >= claimsAtOnce {
			return flush()
		}
		return nil
	})
	if err == nil {
		err = flush()
	}
	if meta := j.meta(); meta != nil {
		r.hurt(v, nameMeta, meta)
	}
	return slices.DeleteFunc(packs, func(p PackRef) bool { return released[p.Name] }), released, err
}

func (r *Reader) wanted(id holdfast.ID) bool {
	return (r.o.Account.IsZero() || r.o.Account == id) && (r.o.Only == nil || r.o.Only(id)) && !r.erased[id]
}

// takePack puts a pack on a shelf.
func (r *Reader) takePack(ctx context.Context, v *Vault, p PackRef, before []PackRef, rank ranker) error {
	index, err := place.ReadAll(ctx, v.p, p.Name+indexSuffix, p.IndexSize)
	if err == nil && holdfast.HashOf(index) != p.IndexSHA256 {
		err = fail("Pack", holdfast.Corrupt, p.Name+indexSuffix, "the index does not have its hash", nil)
	}
	if err != nil {
		return err
	}
	if i, err := v.p.Stat(ctx, p.Name+packSuffix); err != nil {
		r.hurt(v, p.Name+packSuffix, err) // its members are named as lost
	} else if i.Size != p.Size {
		r.hurt(v, p.Name+packSuffix, fail("Pack", holdfast.Corrupt, p.Name, "the pack does not have its size", nil))
	}
	f, err := r.file()
	if err != nil {
		return err
	}
	if err := r.put(f, index); err != nil {
		return err
	}
	return r.place(&shelf{vault: v, name: p.Name, list: newMembers(f), rank: rank, open: v.opener(p.Name), pack: p, before: before})
}

// place puts a shelf where it is read.
func (r *Reader) place(s *shelf) error {
	err := s.forward(r)
	if err == io.EOF {
		return nil
	}
	if err == nil {
		r.shelves = append(r.shelves, s)
	}
	return err
}

// forward goes to the next member that is wanted.
func (s *shelf) forward(r *Reader) (err error) {
	for {
		if s.now, err = s.list.next(); err != nil || r.wanted(s.now.Account) {
			return err
		}
	}
}

// file makes one for what is sorted on the way.
func (r *Reader) file() (*os.File, error) {
	name := filepath.Join(r.o.Spool, fmt.Sprintf("spool-%d", len(r.files)))
	if err := os.MkdirAll(r.o.Spool, 0o700); err != nil {
		return nil, r.unsorted(name, err)
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, r.unsorted(name, err)
	}
	r.files = append(r.files, f)
	return f, nil
}

// put writes octets into a file of what is sorted, and goes back to its beginning.
func (r *Reader) put(f *os.File, b []byte) error {
	_, err := f.Write(b)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	return r.unsorted(f.Name(), err)
}

// unsorted notes that this machine could not write down what is sorted on the way: nothing is wrong with the vault then.
func (r *Reader) unsorted(name string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		r.fault = fail("Spool", holdfast.Full, name, "there is no room for what is sorted on the way; make room there, and run it again", err)
	} else {
		r.fault = fail("Spool", holdfast.Unavailable, name, "what is sorted on the way cannot be written down", err)
	}
	return r.fault
}

// spoolRuns writes sorted runs down in the clear, and puts them on a shelf.
func (r *Reader) spoolRuns(v *Vault, runs []*run, rank ranker) error {
	if len(runs) == 0 {
		return nil
	}
	f, err := r.file()
	if err != nil {
		return err
	}
	list := make([]Member, len(runs))
	at := int64(0)
	for i, x := range runs {
		if _, err := f.Write(x.lines); err != nil {
			return r.unsorted(f.Name(), err)
		}
		list[i] = x.Member
		list[i].Offset, list[i].Length = at, int64(len(x.lines))
		at += int64(len(x.lines))
	}
	return r.spool(v, list, f, rank, false)
}

// spool writes an index down, and puts what it names on a shelf.
func (r *Reader) spool(v *Vault, list []Member, lines *os.File, rank ranker, claims bool) error {
	index, err := indexOf(list)
	if err != nil {
		return err
	}
	f, err := r.file()
	if err != nil {
		return err
	}
	if err := r.put(f, index); err != nil {
		return err
	}
	s := &shelf{vault: v, name: dirTail, list: newMembers(f), rank: rank, claims: claims}
	if claims {
		s.name = dirHeads
	}
	s.open = unfolder(lines)
	return r.place(s)
}

// row is a heap of shelves by the account that stands foremost.
type row []*shelf

func (h row) Len() int           { return len(h) }
func (h row) Less(i, j int) bool { return h[i].now.Account.Compare(h[j].now.Account) < 0 }
func (h row) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *row) Push(x any)        { *h = append(*h, x.(*shelf)) }
func (h *row) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}

// candidate makes one of a member on a shelf.
func (s *shelf) candidate(m Member) *candidate {
	c := &candidate{Member: m, full: m, shelf: s}
	if rank, upto := s.rank(&m); c.BatchTo <= upto {
		c.rank = rank
	} else if c.BatchFrom <= upto && !s.claims {
		c.whole = partOf{rank, upto}
	}
	return c
}

// Accounts calls fn with each account's history, by ascending id. It can be called once. A history can be read after fn returned, until the reader is closed.
func (r *Reader) Accounts(ctx context.Context, fn func(*History) error) error {
	h := row(slices.Clone(r.shelves))
	heap.Init(&h)
	for len(h) > 0 {
		x := &History{r: r, Account: h[0].now.Account}
		for len(h) > 0 && h[0].now.Account == x.Account {
			s := h[0]
			x.all = append(x.all, s.candidate(s.now))
			err := s.forward(r)
			switch {
			case err == io.EOF:
				heap.Pop(&h)
			case err != nil:
				r.hurt(s.vault, s.name, err)
				heap.Pop(&h)
			default:
				heap.Fix(&h, 0)
			}
		}
		if err := fn(x); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}
