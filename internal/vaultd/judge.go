package vaultd

import (
	"context"
	"strings"

	"holdfast"
	"holdfast/internal/place"
	"holdfast/internal/vault"
)

// judge tells whether an object may be put next, and returns what is to be noted once it is there. The lock is held.
func (g *Guard) judge(ctx context.Context, name string, n vault.Name, b []byte) (func() error, error) {
	if n.Class != vault.ReadMe && n.Class != vault.MetaObject && g.v == nil {
		return nil, refuse("Put", holdfast.Invalid, name, "there is no vault here yet")
	}
	switch n.Class {
	case vault.ReadMe:
		return nil, nil
	case vault.MetaObject:
		if _, err := vault.ParseMeta(b); err != nil {
			return nil, asInvalid(name, err)
		}
		return func() error { return g.load(ctx) }, nil
	case vault.TermObject:
		return g.judgeTerm(ctx, name, b)
	case vault.HeadObject:
		return g.judgeHead(ctx, name, b)
	case vault.SegmentKey:
		if n.Term > g.term.Number || n.Version == 1 && n.Term != g.term.Number {
			return nil, refuse("Put", holdfast.Fenced, name, "the key is of a term that may not write")
		}
		return nil, asInvalid(name, vault.CheckKeyObject(name, b, g.signers()))
	case vault.AccountKey:
		if g.term.Number == 0 {
			return nil, refuse("Put", holdfast.Invalid, name, "the vault has no term yet")
		}
		return nil, asInvalid(name, vault.CheckKeyObject(name, b, g.signers()))
	case vault.Service:
		if !vault.IsEncrypted(b) {
			return nil, refuse("Put", holdfast.Invalid, name, "it is not encrypted")
		}
		return nil, g.isNext(ctx, name)
	case vault.ErasureObject:
		_, err := vault.ParseErasure(name, b, g.signers())
		return nil, asInvalid(name, err)
	case vault.UnnamedObject:
		return g.judgeUnnamed(ctx, name, b)
	case vault.CondemnedObject:
		if _, err := g.Place.Stat(ctx, vault.ErasedName(n.Account)); holdfast.IsKind(err, holdfast.NotFound) {
			return nil, refuse("Put", holdfast.Invalid, name, "the account was not erased")
		} else if err != nil {
			return nil, err
		}
		_, err := vault.ParseCondemned(name, b, g.signers())
		return nil, asInvalid(name, err)
	}
	return nil, refuse("Put", holdfast.Invalid, name, "no vault has such an object")
}

// asInvalid makes an error about octets that were sent one that says so: nothing that is kept is damaged.
func asInvalid(name string, err error) error {
	if err == nil {
		return nil
	}
	return refuse("Put", holdfast.Invalid, name, "%v", err)
}

// judgeTerm takes the next term. What a term says of its base must be so, as far as that can be seen without a key.
func (g *Guard) judgeTerm(ctx context.Context, name string, b []byte) (func() error, error) {
	t, err := vault.ParseTerm(name, b)
	if err != nil {
		return nil, asInvalid(name, err)
	}
	switch {
	case t.Number != g.topTerm+1:
		return nil, refuse("Put", holdfast.Invalid, name, "the next term is %d", g.topTerm+1)
	case g.term.Number > 0 && !t.Signer.Equal(g.term.Signer) && !g.o.NewSigner:
		return nil, refuse("Put", holdfast.Forbidden, name, "it is signed by another key than the terms before; where the store lost its keys and was restored, have its server started once with --accept-new-signer")
	case t.Continues == vault.FromEnd && t.Base.Is() != g.end:
		return nil, refuse("Put", holdfast.PreconditionFailed, name, "the stream ends at the batch %d with another hash, or elsewhere", g.end.Batch)
	case t.Continues == vault.FromFork && t.Base.Batch > g.end.Batch:
		return nil, refuse("Put", holdfast.PreconditionFailed, name, "the stream ends at the batch %d", g.end.Batch)
	case t.Continues == vault.FromFork:
		if hash, ok, err := g.v.HashAt(ctx, t.Base.Batch); err == nil && ok && hash != t.Base.Hash { // inside of frames that cannot be known
			return nil, refuse("Put", holdfast.PreconditionFailed, name, "the stream has another hash after the batch %d", t.Base.Batch)
		}
	case t.Continues != vault.FromEnd && t.Continues != vault.FromNothing:
		return nil, refuse("Put", holdfast.Invalid, name, "a term goes on from the end, a fork or nothing")
	}
	return func() error {
		g.o.Log.Warn("a store has taken the right to write", "term", t.Number, "store", t.Store, "continues", t.Continues, "batch", t.Base.Batch)
		g.term, g.terms[t.Number], g.topTerm, g.end, g.open, g.o.NewSigner = t, t, t.Number, t.Base.Is(), "", false
		return nil
	}, nil
}

// judgeHead takes the next head.
func (g *Guard) judgeHead(ctx context.Context, name string, b []byte) (func() error, error) {
	n, ok := vault.TermOfHead(b)
	if !ok || g.terms[n].Number != n {
		return nil, refuse("Put", holdfast.Invalid, name, "the head cannot be read, or its term is not there")
	}
	h, err := vault.ParseHead(name, b, g.terms[n].Signer)
	if err != nil {
		return nil, asInvalid(name, err)
	}
	switch shift := h.PlaceAt.Sub(g.o.Clock.Now()); {
	case h.Term != g.term.Number:
		return nil, refuse("Put", holdfast.Fenced, name, "another store has the right to write into this vault now")
	case h.Number != g.topHead+1 || h.Previous != g.headSum:
		return nil, refuse("Put", holdfast.Invalid, name, "it does not follow the head %d", g.topHead)
	case h.Vault != g.meta.Vault || h.Store != g.term.Store:
		return nil, refuse("Put", holdfast.Invalid, name, "it is of another vault or store")
	case shift > maxShift || shift < -maxShift:
		return nil, refuse("Put", holdfast.Invalid, name, "it says another time than this server's")
	case h.Position.Batch > g.end.Batch || h.Position.Batch == g.end.Batch && h.Position.Is() != g.end:
		return nil, refuse("Put", holdfast.Invalid, name, "it names a position that the stream does not have")
	case g.head.Term == h.Term && h.Position.Batch < g.head.Position.Batch || h.Position.Batch < g.term.Base.Batch:
		return nil, refuse("Put", holdfast.Invalid, name, "it goes back behind the head before, or behind its term's beginning")
	}
	if a, back, err := g.index.back(advances(h)); err != nil || back {
		if back {
			err = refuse("Put", holdfast.Invalid, name, "the account %s goes back to the epoch %d and the change %d", a.account, a.epoch, a.seq)
		}
		return nil, err
	}
	for _, p := range h.Packs {
		if err := g.checkPack(ctx, p); err != nil {
			return nil, asInvalid(name, err)
		}
	}
	return func() error {
		g.count(h)
		g.topHead, g.headSum = h.Number, holdfast.HashOf(b)
		g.noteHead(h)
		return nil
	}, nil
}

// checkPack tells whether a pack is there as a head says. What was hashed when it came is not read again.
func (g *Guard) checkPack(ctx context.Context, p vault.PackRef) error {
	k, ok, err := g.index.get(p.Name + ".pack")
	x, ok2, err2 := g.index.get(p.Name + ".index")
	if err == nil && err2 == nil && ok && ok2 && k.sum == p.SHA256 && k.size == p.Size && x.sum == p.IndexSHA256 && x.size == p.IndexSize {
		return nil
	}
	return g.v.CheckPack(ctx, p)
}

func advances(h vault.Head) []advance {
	out := make([]advance, len(h.Accounts))
	for i, a := range h.Accounts {
		out[i] = advance{a.Account, h.Term, a.Epoch, a.Seq}
	}
	return out
}

// noteHead remembers what a head says of accounts. Where that fails it is done at the next start.
func (g *Guard) noteHead(h vault.Head) {
	err := g.index.note(advances(h))
	if err == nil {
		err = g.index.setFact(factHeads, int64(h.Number))
	}
	if err != nil {
		g.o.Log.Error("the index could not be written", "object", vault.HeadName(h.Number), "err", err)
	}
}

// isNext refuses a number that leaves others out.
func (g *Guard) isNext(ctx context.Context, name string) error {
	dir, _, _ := strings.Cut(name, "/")
	last, ok, err := place.Last(ctx, g.Place, dir+"/")
	if err != nil {
		return err
	}
	top := uint64(0)
	if ok {
		top = vault.ParseName(last.Name).Number
	}
	if vault.ParseName(name).Number > top+1 {
		return refuse("Put", holdfast.Invalid, name, "the next number is %d", top+1)
	}
	return nil
}

// freeVersions is up to which version a blob may come where the one before is not there: that may have gone as nothing named it.
const freeVersions = 100

// isNextBlob refuses a version of a blob that leaves many others out: the store could not write the next one of a damaged one.
func (g *Guard) isNextBlob(ctx context.Context, name string) error {
	before := vault.BlobBefore(name)
	if before == "" || vault.ParseName(name).Version <= freeVersions {
		return nil
	}
	_, err := g.Place.Stat(ctx, before)
	if holdfast.IsKind(err, holdfast.NotFound) {
		if is, err := g.isListed(ctx, before); err != nil || is {
			return err
		}
		return refuse("Put", holdfast.Invalid, name, "the version before it is not there")
	}
	return err
}
