package vaultd

import (
	"bytes"
	"context"

	"holdfast"
	"holdfast/internal/place"
	"holdfast/internal/seal"
	"holdfast/internal/vault"
)

// again takes an object whose name is taken. The same octets are told that all is well, others are refused, unless what lies there is damaged and these stand for it: then they take its place. Cut in between, nothing lies there, and they are taken as new. The lock is held.
func (g *Guard) again(ctx context.Context, was place.Info, n vault.Name, b []byte) error {
	k, ok, err := g.index.get(was.Name)
	if err == nil && ok {
		ok, err = g.stands(ctx, was.Name, n, b, k)
	}
	if err != nil {
		return err
	}
	if !ok {
		return g.Place.Put(ctx, was.Name, bytes.NewReader(b))
	}
	if err := g.Place.Remove(ctx, was.Name); err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
		return g.left(err)
	}
	g.stale = true // what was read of it is read again
	if err := g.Place.Put(ctx, was.Name, bytes.NewReader(b)); err != nil {
		g.objects, g.octets = g.objects-1, g.octets-was.Size
		return err
	}
	g.octets += int64(len(b)) - was.Size
	g.remember(was.Name, known{holdfast.HashOf(b), int64(len(b)), k.since})
	g.o.Log.Warn("a damaged object was written again by the store that it belongs to", "object", was.Name)
	return nil
}

// stands tells whether octets stand for a damaged object: they have the hash that it came with, and what lies there does not. That cannot say anything that was not said before, whoever sends it. The record of an erasure may be signed anew too, where
// what lies there is none any more: it was one, of the same account, and says the same.
func (g *Guard) stands(ctx context.Context, name string, n vault.Name, b []byte, k known) (bool, error) {
	there, err := place.ReadAll(ctx, g.Place, name, maxLarge)
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	lies := err == nil && holdfast.HashOf(there) == k.sum // else it is damaged, or the disk cannot read it
	if holdfast.HashOf(b) == k.sum && int64(len(b)) == k.size {
		return !lies, nil
	}
	if n.Class != vault.ErasureObject || err != nil {
		return false, nil
	}
	signers := g.signers()
	_, old := vault.ParseErasure(name, there, signers)
	_, now := vault.ParseErasure(name, b, signers)
	return old != nil && now == nil, nil
}

// signers returns who has signed the terms that can be read.
func (g *Guard) signers() (out []seal.PublicKey) {
	for _, t := range g.terms {
		out = append(out, t.Signer)
	}
	return out
}
