package vault

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/place"
	"holdfast/internal/seal"
)

// Erasure is the record that an account was erased: every restore obeys it. It is signed.
type Erasure struct {
	Format  int         `json:"format"`
	Account holdfast.ID `json:"account"`
	At      time.Time   `json:"at"`
	// Term and Segment say how far the tail had come: segments up to there may hold lines of the account, in the clear for who has the server's or the recovery key.
	Term    uint64 `json:"term"`
	Segment uint64 `json:"segment"`
}

// Erase erases an account from the vault: it writes the record, makes lists of the blobs that named yields and are there, destroys every version of the account's key, lets go of what is listed, and looks whether all of it is gone. What packs hold of the account cannot be
// read by anybody from then on. named is asked only while the key is there; nil: the account has no blobs. left names what still holds lines of it, or still holds its key or its blobs because the place does not let us remove them; once it is empty, the account is erased here. It
// can be called again. Errors: those of named and of the place.
func (v *Vault) Erase(ctx context.Context, w *Writer, account holdfast.ID, named Named) (left []string, err error) {
	rec, err := v.recorded(ctx, w, account)
	if err != nil {
		return nil, err
	}
	v.setErasing(account)
	if err := v.condemn(ctx, account, named); err != nil { // before the key goes, by which they are named
		return nil, err
	}
	if left, err = v.destroyKey(ctx, account); err != nil {
		return nil, err
	}
	blobs, err := v.letBlobsGo(ctx, account, len(left) == 0)
	if err != nil {
		return nil, err
	}
	left = append(left, blobs...)
	return left, v.eachSegment(ctx, func(s segmentRef) error {
		if s.size > 0 && (s.term < rec.Term || s.term == rec.Term && s.n <= rec.Segment) { // one that was begun and cut holds nothing, and is never sealed
			left = append(left, SegmentName(s.term, s.n))
		}
		return nil
	})
}

// recorded returns the record of an account's erasure; makes it where there is none that can be read.
func (v *Vault) recorded(ctx context.Context, w *Writer, account holdfast.ID) (Erasure, error) {
	rec, err := v.erasure(ctx, account)
	if holdfast.IsKind(err, holdfast.Corrupt) { // whoever calls knows that the account is erased, so that the record can be written again
		if err = v.p.Remove(ctx, ErasedName(account)); err == nil || holdfast.IsKind(err, holdfast.Forbidden) || holdfast.IsKind(err, holdfast.NotFound) { // a remote vault's server takes it over a damaged one
			rec, err = v.recordErasure(ctx, w, account)
		}
	}
	if holdfast.IsKind(err, holdfast.NotFound) {
		rec, err = v.recordErasure(ctx, w, account)
	}
	return rec, err
}

// destroyKey removes all versions of an account's key, and returns those that the place does not let us remove.
func (v *Vault) destroyKey(ctx context.Context, account holdfast.ID) (left []string, err error) {
	v.forget(account)
	var keys []string
	if err := v.p.List(ctx, keysOf(account), "", func(i place.Info) error { keys = append(keys, i.Name); return nil }); err != nil {
		return nil, err
	}
	for _, name := range keys {
		if _, err := v.lets(ctx, name); err != nil {
			return nil, err
		}
	}
	err = v.p.List(ctx, keysOf(account), "", func(i place.Info) error { left = append(left, i.Name); return nil })
	return left, err
}

func (v *Vault) recordErasure(ctx context.Context, w *Writer, account holdfast.ID) (Erasure, error) {
	ring, err := v.ring("Erase")
	if err != nil {
		return Erasure{}, err
	}
	w.Roll() // what comes from now on stands in another segment
	numbers, err := v.segments(ctx, w.Term().Number)
	if err != nil {
		return Erasure{}, err
	}
	rec := Erasure{Format: Format, Account: account, At: v.o.Clock.Now().UTC().Truncate(time.Second), Term: w.Term().Number}
	if len(numbers) > 0 {
		rec.Segment = numbers[len(numbers)-1]
	}
	b, err := seal.SignLine(ring.Signer, rec)
	if err != nil {
		return rec, err
	}
	return rec, v.p.Put(ctx, ErasedName(account), bytes.NewReader(b))
}

// erasure reads the record of an account. One whose signature is neither our own nor that of a term's signer is no record of ours: who holds the vault must not erase anybody by making one.
func (v *Vault) erasure(ctx context.Context, account holdfast.ID) (Erasure, error) {
	var rec Erasure
	b, err := place.ReadAll(ctx, v.p, ErasedName(account), maxSmall)
	if err != nil {
		return rec, err
	}
	terms, err := v.termsByNumber(ctx)
	if err != nil {
		return rec, err
	}
	return v.parseErasure(account, b, terms)
}

// erasers returns whose word it is that an account was erased.
func (v *Vault) erasers(ctx context.Context) ([]seal.PublicKey, error) {
	terms, err := v.termsByNumber(ctx)
	return v.signersOf(terms), err
}

func (v *Vault) signersOf(terms map[uint64]Term) (signers []seal.PublicKey) {
	if v.o.Ring != nil {
		signers = append(signers, v.o.Ring.Signer.Public())
	}
	for _, t := range terms {
		if !t.foreign {
			signers = append(signers, t.Signer)
		}
	}
	return signers
}

func (v *Vault) parseErasure(account holdfast.ID, b []byte, terms map[uint64]Term) (rec Erasure, err error) {
	signers := v.signersOf(terms)
	line, sig, err := seal.SplitLine(b)
	if err == nil {
		for _, s := range signers {
			if seal.Verify(s, line, sig) && json.Unmarshal(line, &rec) == nil && rec.Account == account {
				return rec, nil
			}
		}
	}
	return rec, fail("Erase", holdfast.Corrupt, ErasedName(account), "the record of an erasure cannot be read, or is signed by nobody that the vault knows", err)
}

// Erased returns the accounts that the vault says were erased. A record that cannot be read, or that nobody has signed, erases nobody.
func (v *Vault) Erased(ctx context.Context) (map[holdfast.ID]bool, error) {
	terms, err := v.termsByNumber(ctx)
	if err != nil {
		return nil, err
	}
	return v.erasedBy(ctx, terms, func(name string, err error) {
		v.o.Log.Warn("the record of an erasure is not obeyed", "vault", v.meta.Name, "object", name, "err", err)
	})
}

// erasedBy is Erased with the terms that are believed; bad is told of the records that are not obeyed.
func (v *Vault) erasedBy(ctx context.Context, terms map[uint64]Term, bad func(name string, err error)) (map[holdfast.ID]bool, error) {
	out := map[holdfast.ID]bool{}
	err := place.ReadEach(ctx, v.p, dirErased, "", maxSmall, func(name string, b []byte, err error) error {
		id, perr := holdfast.ParseID(strings.TrimPrefix(name, dirErased))
		if perr != nil || holdfast.IsKind(err, holdfast.NotFound) {
			return nil
		}
		if err == nil {
			_, err = v.parseErasure(id, b, terms)
		}
		if err != nil && !holdfast.IsKind(err, holdfast.Corrupt) && !holdfast.IsKind(err, holdfast.TooLarge) {
			return err
		}
		if err != nil {
			bad(name, err)
			return nil
		}
		out[id] = true
		return nil
	})
	return out, err
}
