package vaultd

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/place"
	"holdfast/internal/vault"
)

// Options say how a vault is kept. Zero values mean the defaults.
type Options struct {
	Clock       clock.Clock
	Log         *slog.Logger
	KeepTail    time.Duration // how long a sealed segment stays; default 13 days
	Keep        time.Duration // how long what was replaced stays; default 7 days
	KeepPruned  time.Duration // how long a pack stays that one without its old versions replaced; default 30 days
	KeepErased  time.Duration // how long the keys of an erased account stay; default 7 days
	KeepUnnamed time.Duration // how long a file's octets stay of which the store says that no change names them; default 30 days
	MaxOctets   int64         // of all objects; 0: as many as the disk takes
	NewSigner   bool          // the next term may be signed by another signer than those before: the store lost its keys and was restored with its recovery key
}

// The limits of one object, in octets.
const (
	maxSmall = 64 << 10
	maxLarge = 16 << 20  // a head, what a store keeps of itself
	maxPack  = 128 << 20 // a pack, its index
	maxBlob  = 65 << 30  // a large file of up to 64 GiB, sealed
	maxShift = 10 * time.Minute
)

// Guard is a place that takes only what a right writer of a vault could write next, and lets go only of what its own rules allow. See the package's comment.
type Guard struct {
	place.Place
	o     Options
	index *Index

	mu      sync.Mutex
	v       *vault.Vault // nil: the place is empty, or no vault yet
	meta    vault.Meta
	terms   map[uint64]vault.Term
	term    vault.Term        // the newest
	topTerm uint64            // the number of the newest, readable or not
	head    vault.Head        // the newest that can be read
	topHead uint64            // the number of the newest, readable or not
	headSum holdfast.Hash     // of that one's octets
	stale   bool              // it is not known what an earlier call left in the place
	end     holdfast.Position // of the stream
	open    string            // the segment that is appended to; empty: the next append begins one
	counted time.Duration
	objects int64
	octets  int64

	due     map[string]bool // what was found to be needed no more
	dueAt   time.Time
	dueHead uint64
	list    condemnation // that let a blob go last
	unnamed unnamedList  // likewise
}

var _ place.Place = (*Guard)(nil)

// NewGuard opens what lies in a place. Errors: those of the place, Corrupt (terms or the newest head cannot be read: nobody writes over that), Invalid.
func NewGuard(ctx context.Context, p place.Place, x *Index, o Options) (*Guard, error) {
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	for _, d := range []struct {
		v   *time.Duration
		def time.Duration
	}{{&o.KeepTail, 13 * 24 * time.Hour}, {&o.Keep, 7 * 24 * time.Hour}, {&o.KeepPruned, 30 * 24 * time.Hour}, {&o.KeepErased, 7 * 24 * time.Hour}, {&o.KeepUnnamed, 30 * 24 * time.Hour}} {
		if *d.v <= 0 {
			*d.v = d.def
		}
	}
	g := &Guard{Place: p, o: o, index: x, terms: map[uint64]vault.Term{}}
	err := p.List(ctx, "", "", func(i place.Info) error { g.objects, g.octets = g.objects+1, g.octets+i.Size; return ctx.Err() })
	if err != nil {
		return nil, err
	}
	_, err = p.Stat(ctx, "vault.json")
	if holdfast.IsKind(err, holdfast.NotFound) {
		return g, nil
	}
	if err != nil {
		return nil, err
	}
	return g, g.load(ctx)
}

// load reads what the place holds. What is damaged there does not keep the vault from being served: a restore may need the rest. The lock is held, or nobody else has the guard yet.
func (g *Guard) load(ctx context.Context) error {
	v, err := vault.Open(ctx, vault.Options{Place: g.Place, Clock: g.o.Clock, Log: g.o.Log, KeepTail: g.o.KeepTail, Keep: g.o.Keep, KeepPruned: g.o.KeepPruned})
	if err != nil {
		return err
	}
	g.v, g.meta, g.open, g.stale = v, v.Meta(), "", true
	if err := g.loadTerms(ctx); err != nil {
		return err
	}
	if err := g.loadHeads(ctx); err != nil {
		return err
	}
	g.end = g.term.Base.Is()
	if g.head.Term == g.term.Number && g.head.Position.Batch > g.end.Batch {
		g.end = g.head.Position.Is()
	}
	if err := g.reopen(ctx); err != nil {
		return err
	}
	g.stale = false
	return nil
}

// loadTerms reads the terms; top is the number of the newest, readable or not.
func (g *Guard) loadTerms(ctx context.Context) error {
	g.terms, g.term, g.topTerm = map[uint64]vault.Term{}, vault.Term{}, 0
	return place.ReadEach(ctx, g.Place, "terms/", "", maxSmall, func(name string, b []byte, err error) error {
		t := vault.Term{}
		if err == nil {
			t, err = vault.ParseTerm(name, b)
		}
		g.topTerm = vault.ParseName(name).Number
		if err != nil {
			g.o.Log.Error("a term is damaged; the store that it belongs to should repair its vault", "object", name, "err", err)
			return ctx.Err()
		}
		g.terms[t.Number], g.term = t, t
		return nil
	})
}

// loadHeads reads the heads, and counts the time along them.
func (g *Guard) loadHeads(ctx context.Context) error {
	seen, err := g.index.fact(factHeads)
	if err != nil {
		return err
	}
	g.head, g.headSum, g.topHead, g.counted = vault.Head{}, holdfast.Hash{}, 0, 0
	return g.v.Heads(ctx, 0, func(name string, h vault.Head, sum holdfast.Hash, err error) error {
		g.topHead, g.headSum = vault.ParseName(name).Number, sum
		if err != nil {
			g.o.Log.Error("a head is damaged; the store that it belongs to should repair its vault", "object", name, "err", err)
			return ctx.Err()
		}
		g.count(h)
		if h.Number > uint64(seen) {
			g.noteHead(h)
		}
		return nil
	})
}

// count adds the time from the newest head to the next.
func (g *Guard) count(next vault.Head) {
	if g.head.Number > 0 {
		g.counted += min(max(0, next.PlaceAt.Sub(g.head.PlaceAt)), vault.MaxStep)
	}
	g.head = next
}

// reopen finds where the stream ends, and the segment that appends may go on in: the newest, if it is whole.
func (g *Guard) reopen(ctx context.Context) error {
	var names []string
	if err := g.Place.List(ctx, fmt.Sprintf("tail/%012d/", g.term.Number), "", func(i place.Info) error {
		if vault.ParseName(i.Name).Class == vault.Segment {
			names = append(names, i.Name)
		}
		return nil
	}); err != nil {
		return err
	}
	for i, name := range slices.Backward(names) {
		found := false
		torn, err := g.v.ReadFrames(ctx, name, false, func(h vault.FrameHeader, _ bool) error {
			if h.First == 0 { // octets that are no frame
				return nil
			}
			if found = true; h.Last >= g.end.Batch {
				g.end = h.End()
			}
			return nil
		})
		if err != nil {
			return err
		}
		if found {
			if torn == 0 && i == len(names)-1 {
				g.open = name
			}
			return nil
		}
	}
	return nil
}

// ready reads everything again where it is not known what an earlier call left. The lock is held.
func (g *Guard) ready(ctx context.Context) error {
	if g.v == nil || !g.stale {
		return nil
	}
	return g.load(ctx)
}

// left notes after an error of the place whether it is known what it left: a refusal changed nothing.
func (g *Guard) left(err error) error {
	switch holdfast.KindOf(err) {
	case holdfast.PreconditionFailed, holdfast.Exists, holdfast.Invalid, holdfast.NotFound:
		return err
	}
	g.stale = err != nil || g.stale
	return err
}

func refuse(op string, kind holdfast.ErrorKind, name, format string, args ...any) error {
	return &holdfast.Error{Op: "vaultd." + op, Kind: kind, Ref: name, Text: fmt.Sprintf(format, args...)}
}

// Put implements [place.Place].
func (g *Guard) Put(ctx context.Context, name string, r io.Reader) error {
	n := vault.ParseName(name)
	limit := int64(maxSmall)
	switch n.Class {
	case vault.Unknown, vault.Segment:
		return refuse("Put", holdfast.Invalid, name, "no vault has an object of this name that is made at once")
	case vault.PackObject, vault.IndexObject, vault.BlobObject:
		return g.putLarge(ctx, name, n.Class, r)
	case vault.HeadObject, vault.Service:
		limit = maxLarge
	}
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return err
	}
	if int64(len(b)) > limit {
		return refuse("Put", holdfast.TooLarge, name, "it has more than %d octets", limit)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.ready(ctx); err != nil {
		return err
	}
	was, err := g.Place.Stat(ctx, name)
	if err == nil {
		return g.again(ctx, was, n, b)
	}
	if !holdfast.IsKind(err, holdfast.NotFound) {
		return err
	}
	switch n.Class {
	case vault.UnnamedObject, vault.ErasureObject, vault.CondemnedObject: // they make room
	default:
		if err := g.room(name, int64(len(b))); err != nil {
			return err
		}
	}
	after, err := g.judge(ctx, name, n, b)
	if err != nil {
		return err
	}
	if err := g.Place.Put(ctx, name, bytes.NewReader(b)); err != nil {
		return g.left(err)
	}
	g.objects, g.octets = g.objects+1, g.octets+int64(len(b))
	g.remember(name, known{holdfast.HashOf(b), int64(len(b)), g.counted})
	if after != nil {
		if err := after(); err != nil { // it is there; what follows from it is read again
			g.stale = true
			g.o.Log.Error("what was put could not be read back", "object", name, "err", err)
		}
	}
	return nil
}

// remember notes an object in the index. Where that fails it counts as new at the next scrub: nothing is lost by it.
func (g *Guard) remember(name string, k known) {
	if err := g.index.put(name, k); err != nil {
		g.o.Log.Error("the index could not be written", "object", name, "err", err)
	}
}

// room refuses what would be more than this vault may have. The lock is held.
func (g *Guard) room(name string, octets int64) error {
	if g.o.MaxOctets > 0 && g.octets+octets > g.o.MaxOctets {
		return refuse("Put", holdfast.Full, name, "the vault has all of the %d octets that its server gives it", g.o.MaxOctets)
	}
	return nil
}

// putLarge takes a pack, an index or a blob as it comes. Of a pack the head that names it says whether it is right; a blob's octets only the store can judge, so it must be encrypted at least.
func (g *Guard) putLarge(ctx context.Context, name string, class vault.Class, r io.Reader) error {
	if class == vault.BlobObject {
		begin := make([]byte, vault.Encrypted)
		n, err := io.ReadFull(r, begin)
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return err
		}
		if !vault.IsEncrypted(begin[:n]) {
			return refuse("Put", holdfast.Invalid, name, "it is not encrypted")
		}
		r = io.MultiReader(bytes.NewReader(begin), r)
	}
	src, since, err := g.expect(ctx, name, class, r)
	if err != nil {
		return err
	}
	err = g.Place.Put(ctx, name, src)
	g.mu.Lock()
	defer g.mu.Unlock()
	if err == nil {
		var there bool
		if _, there, err = g.index.get(name); err == nil && !there {
			g.objects++
			g.remember(name, known{src.sum(), src.size, since})
			return nil
		}
		err = nil // it was there before, or is known at the next scrub
	}
	g.octets -= src.kept
	return err
}

// expect tells whether a pack or a blob may come, and returns what reads it. A number is at most the next one: whoever took the last one of all would leave none to the store.
func (g *Guard) expect(ctx context.Context, name string, class vault.Class, r io.Reader) (src *summed, since time.Duration, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.ready(ctx); err != nil {
		return nil, 0, err
	}
	if g.term.Number == 0 {
		return nil, 0, refuse("Put", holdfast.Invalid, name, "the vault has no term yet")
	}
	most, next := int64(maxBlob), g.isNextBlob
	if class != vault.BlobObject {
		most, next = maxPack, g.isNext
	}
	if err := next(ctx, name); err != nil {
		return nil, 0, err
	}
	src = &summed{r: r, hash: sha256.New(), most: most, left: most, name: name}
	if g.o.MaxOctets > 0 {
		src.left = min(src.left, max(0, g.o.MaxOctets-g.octets))
	}
	src.full = src.left < most
	src.end = func(size int64) error { // before it is there: several may come at the same time
		g.mu.Lock()
		defer g.mu.Unlock()
		if err := g.room(name, size); err != nil {
			return err
		}
		src.kept, g.octets = size, g.octets+size
		return nil
	}
	return src, g.counted, g.room(name, 0)
}

// summed hashes what is read, and ends where it is too large.
type summed struct {
	r    io.Reader
	hash hash.Hash
	size int64
	most int64 // that such an object may have
	left int64
	full bool // left is what the vault has, not what such an object may
	kept int64
	end  func(size int64) error // nil, or called once, with all that came
	name string
}

func (s *summed) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.hash.Write(p[:n])
	s.size += int64(n)
	switch s.left -= int64(n); {
	case s.left < 0 && s.full:
		return n, refuse("Put", holdfast.Full, s.name, "the vault has all of the octets that its server gives it")
	case s.left < 0:
		return n, refuse("Put", holdfast.TooLarge, s.name, "it has more than %d octets", s.most)
	case err == io.EOF && s.end != nil && s.kept == 0:
		if full := s.end(s.size); full != nil {
			return n, full
		}
	}
	return n, err
}

func (s *summed) sum() (sum holdfast.Hash) {
	s.hash.Sum(sum[:0])
	return sum
}

// Append implements [place.Place].
func (g *Guard) Append(ctx context.Context, name string, at int64, p []byte) error {
	n := vault.ParseName(name)
	if n.Class != vault.Segment {
		return refuse("Append", holdfast.Invalid, name, "only segments of the tail are appended to")
	}
	frames, err := vault.SplitFrames(p)
	if err != nil {
		return refuse("Append", holdfast.Invalid, name, "what was sent is not whole frames: %v", err)
	}
	if len(frames) == 0 {
		return refuse("Append", holdfast.Invalid, name, "nothing was sent")
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.ready(ctx); err != nil {
		return err
	}
	if err := g.fits(ctx, name, n, at, frames[0]); err != nil {
		return err
	}
	if err := g.room(name, int64(len(p))); err != nil {
		return err
	}
	if err := g.Place.Append(ctx, name, at, p); err != nil {
		return g.left(err) // what it ends with is not known
	}
	g.open, g.end = name, frames[len(frames)-1].End()
	g.octets += int64(len(p))
	if at == 0 {
		g.objects++
	}
	if err := g.index.setFact(factSegment+name, int64(g.end.Batch)); err != nil {
		g.o.Log.Error("the index could not be written", "object", name, "err", err)
	}
	return nil
}

// fits tells whether a frame goes on exactly where the stream ends. The lock is held.
func (g *Guard) fits(ctx context.Context, name string, n vault.Name, at int64, first vault.FrameHeader) error {
	switch {
	case g.term.Number == 0 || n.Term > g.term.Number:
		return refuse("Append", holdfast.Invalid, name, "the vault has no such term")
	case n.Term < g.term.Number:
		return refuse("Append", holdfast.Fenced, name, "another store has the right to write into this vault now")
	case first.First != g.end.Batch+1 || first.Prev != g.end.Hash:
		return refuse("Append", holdfast.PreconditionFailed, name, "the stream ends at the batch %d with another hash, or elsewhere; compare the store with the vault again", g.end.Batch)
	case at > 0 && name != g.open:
		return refuse("Append", holdfast.PreconditionFailed, name, "this segment is not the one that is appended to; begin another")
	case at > 0:
		return nil
	}
	_, err := g.Place.Stat(ctx, vault.SegmentKeyName(n.Term, n.Number))
	if holdfast.IsKind(err, holdfast.NotFound) {
		return refuse("Append", holdfast.Invalid, name, "a segment's key comes before its first frame")
	}
	return err
}

// Last implements [place.Laster].
func (g *Guard) Last(ctx context.Context, prefix string) (place.Info, bool, error) {
	return place.Last(ctx, g.Place, prefix)
}

// State is what a guard knows of its vault.
type State struct {
	Vault           holdfast.ID
	Term            uint64
	End             holdfast.Position
	Objects, Octets int64
}

// State tells how far the vault is.
func (g *Guard) State() State {
	g.mu.Lock()
	defer g.mu.Unlock()
	return State{g.meta.Vault, g.term.Number, g.end, g.objects, g.octets}
}

// String implements [place.Place].
func (g *Guard) String() string { return strings.TrimPrefix(g.Place.String(), "directory ") }
