package vault

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"math"
	"slices"
	"time"

	"holdfast"
	"holdfast/internal/place"
	"holdfast/internal/seal"
)

// Term is a store's right to write into a vault.
type Term struct {
	Format       int                `json:"format"`
	Number       uint64             `json:"term"`
	Nonce        holdfast.ID        `json:"nonce"`
	Store        holdfast.ID        `json:"store"`
	Base         Position           `json:"base"`      // where its stream goes on
	Continues    Continuation       `json:"continues"` // what that is
	Signer       seal.PublicKey     `json:"signer"`
	Certificates []seal.Certificate `json:"certificates"`
	At           time.Time          `json:"at"`

	foreign bool // see termsByNumber
}

// Continuation says what a term's stream goes on from.
type Continuation string

// The ways in which a stream goes on.
const (
	FromEnd     Continuation = "end"     // where the term before ended
	FromFork    Continuation = "fork"    // a position in the stream of the term before, of which the rest was given up
	FromNothing Continuation = "nothing" // no position that the vault has: the first term, and a store that was restored as it was at an earlier moment
)

// Position is a [holdfast.Position] in JSON.
type Position struct {
	Batch uint64        `json:"batch"`
	Hash  holdfast.Hash `json:"hash"`
}

// Is returns the position.
func (p Position) Is() holdfast.Position { return holdfast.Position(p) }

// ParseTerm reads a term's object. Its signature is that of the signer that it names; whether that one is trusted is another question ([seal.Recovery.Trusts]). Errors: Corrupt.
func ParseTerm(name string, b []byte) (Term, error) {
	var t Term
	line, _, err := seal.SplitLine(b)
	if err == nil {
		if err = json.Unmarshal(line, &t); err == nil {
			err = seal.OpenLine(b, t.Signer, &t)
		}
	}
	if n, ok := numberOf(name, dirTerms, ""); err == nil && (!ok || n != t.Number || t.Number == 0 || t.Store.IsZero() || t.Nonce.IsZero()) {
		err = fail("ParseTerm", holdfast.Corrupt, name, "it says another number than its name", nil)
	}
	if err != nil {
		return t, fail("ParseTerm", holdfast.Corrupt, name, "the term cannot be read", err)
	}
	return t, nil
}

// Terms returns the vault's terms, oldest first. One that cannot be read is an error, unless a later one goes on from nothing: what came before that is no part of its history.
func (v *Vault) Terms(ctx context.Context) ([]Term, error) {
	var names []string
	if err := v.p.List(ctx, dirTerms, "", func(i place.Info) error { names = append(names, i.Name); return nil }); err != nil {
		return nil, err
	}
	var out []Term
	var hole error
	for _, name := range names {
		b, err := place.ReadAll(ctx, v.p, name, maxSmall)
		var t Term
		if err == nil {
			t, err = ParseTerm(name, b)
		}
		switch {
		case err != nil && !damaging(err):
			return nil, err
		case err != nil:
			hole = firstErr(hole, err)
			continue
		case t.Continues == FromNothing:
			hole = nil
		}
		out = append(out, t)
	}
	return out, hole
}

// termsByNumber returns the terms that can be read: what is of another one cannot be judged, and says so itself.
//
// To who has the store's keys, terms above its own first one that somebody else has signed are foreign: what they say is not believed, and neither are their heads and erasures. Those below it the store has taken over with what they left.
func (v *Vault) termsByNumber(ctx context.Context) (map[uint64]Term, error) {
	out := map[uint64]Term{}
	own := uint64(math.MaxUint64)
	err := v.p.List(ctx, dirTerms, "", func(i place.Info) error {
		b, err := place.ReadAll(ctx, v.p, i.Name, maxSmall)
		if err != nil {
			return err
		}
		if t, err := ParseTerm(i.Name, b); err == nil {
			out[t.Number] = t
			if v.o.Ring != nil && t.Signer.Equal(v.o.Ring.Signer.Public()) {
				own = min(own, t.Number)
			}
		}
		return nil
	})
	if err == nil && v.o.Ring != nil && len(out) > 0 && uint64(len(out)) < slices.Max(slices.Collect(maps.Keys(out))) {
		var first uint64 // our own may be the one that cannot be read
		if first, err = v.firstOwn(ctx); err == nil {
			own = min(own, first)
		}
	}
	for n, t := range out {
		if t.foreign = n > own && !t.Signer.Equal(v.o.Ring.Signer.Public()); t.foreign {
			out[n] = t
		}
	}
	return out, err
}

// lastTerm returns the newest term; its number is 0 where there is none.
func (v *Vault) lastTerm(ctx context.Context) (Term, error) {
	all, err := v.Terms(ctx)
	if err != nil || len(all) == 0 {
		return Term{}, err
	}
	return all[len(all)-1], nil
}

// Adopt makes the next term: from now on the store whose it is, and no other, may write. base is where the store's stream goes on, from says what that is.
// Where the place can be leased, that is done for the moment, so that a running writer is not cut off. Errors: Busy (a writer holds the lease), Fenced (another store was faster).
func (v *Vault) Adopt(ctx context.Context, store holdfast.ID, base holdfast.Position, from Continuation) (Term, error) {
	ring, err := v.ring("Adopt")
	if err != nil {
		return Term{}, err
	}
	lease, err := v.lease()
	if err != nil {
		return Term{}, err
	}
	defer lease.Close()
	last, err := v.lastTerm(ctx)
	if err != nil {
		return Term{}, err
	}
	t := Term{Format: Format, Number: last.Number + 1, Nonce: holdfast.NewID(v.o.Random), Store: store, Base: Position(base), Continues: from, Signer: ring.Signer.Public(),
		Certificates: ring.Certificates(), At: v.o.Clock.Now().UTC().Truncate(time.Millisecond)}
	return v.putTerm(ctx, t)
}

// fenceFor fences off who else writes into the place, for who has a term. Who has not the newest one does not: he would stop for a moment who has.
func (v *Vault) fenceFor(ctx context.Context, term Term) error {
	if _, is := v.p.(place.Fencer); !is {
		return nil
	}
	newest, err := v.lastTerm(ctx)
	if err == nil && (newest.Number != term.Number || newest.Nonce != term.Nonce) {
		err = fenced("Writer", v.p.String())
	}
	if err != nil {
		return err
	}
	return place.Fence(ctx, v.p)
}

// putTerm signs a term and writes it, unless another one of its number is there. Who wrote before is fenced off when it is there: he finds it when he comes again.
func (v *Vault) putTerm(ctx context.Context, t Term) (Term, error) {
	b, err := seal.SignLine(v.o.Ring.Signer, t)
	if err != nil {
		return Term{}, err
	}
	err = v.p.Put(ctx, TermName(t.Number), bytes.NewReader(b))
	if holdfast.IsKind(err, holdfast.Exists) {
		return Term{}, fail("Adopt", holdfast.Fenced, v.p.String(), "another store has taken the right to write into this vault at the same moment", err)
	}
	if err != nil {
		return Term{}, err
	}
	v.forgetLists() // who wrote before may have made others
	return t, place.Fence(ctx, v.p)
}

// lease takes the place's lease, where it has one.
func (v *Vault) lease() (io.Closer, error) {
	if l, ok := v.p.(place.Leaser); ok {
		return l.Lease()
	}
	return noLease{}, nil
}

// UnderLease calls fn with the place's lease, where it has one: what is found then is durable, though whoever wrote it may have been killed before it was (see [place.Leaser]). Errors: Busy (a writer has it), those of fn.
func (v *Vault) UnderLease(fn func() error) error {
	lease, err := v.lease()
	if err != nil {
		return err
	}
	defer lease.Close()
	return fn()
}

type noLease struct{}

func (noLease) Close() error { return nil }

// newer tells whether a newer term than n was made.
func (v *Vault) newer(ctx context.Context, n uint64) (bool, error) {
	_, err := v.p.Stat(ctx, TermName(n+1))
	if holdfast.IsKind(err, holdfast.NotFound) {
		return false, nil
	}
	return err == nil, err
}

func fenced(op, where string) error {
	return fail(op, holdfast.Fenced, where, "another store has the right to write into this vault now; this one must not go on; its next start says what to do", nil)
}
