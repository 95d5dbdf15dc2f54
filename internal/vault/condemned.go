package vault

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"holdfast"
	"holdfast/internal/place"
	"holdfast/internal/seal"
)

// The names of an account's blobs are made with its key. Before that is destroyed, lists of them are put beside the record of the erasure, so that who comes later, without the key, still knows which objects go.

// Condemned is a list of blobs of an erased account. It is signed.
type Condemned struct {
	Format  int         `json:"format"`
	Account holdfast.ID `json:"account"`
	Number  uint64      `json:"number"`
	Last    bool        `json:"last"` // with it all of them are named
	Blobs   []string    `json:"blobs"`
}

// maxCondemned is how many blobs one list names: it is a small object.
const maxCondemned = 700

// condemnedOf is what the names of an account's lists begin with.
func condemnedOf(account holdfast.ID) string { return dirCondemned + account.String() + "/" }

// CondemnedName is the name of a list.
func CondemnedName(account holdfast.ID, n uint64) string { return condemnedOf(account) + number(n) }

func parseCondemnedName(name string) (Name, bool) {
	rest, ok := strings.CutPrefix(name, dirCondemned)
	text, n, ok2 := strings.Cut(rest, "/")
	id, err := holdfast.ParseID(text)
	if !ok || !ok2 || err != nil {
		return Name{}, false
	}
	nr, ok := numberOf(n, "", "")
	return Name{Class: CondemnedObject, Account: id, Number: nr}, ok && CondemnedName(id, nr) == name
}

// ParseCondemned reads a list, which one of the signers must have signed. Errors: Corrupt.
func ParseCondemned(name string, b []byte, signers []seal.PublicKey) (Condemned, error) {
	var c Condemned
	line, sig, err := seal.SplitLine(b)
	if err == nil && slices.ContainsFunc(signers, func(s seal.PublicKey) bool { return seal.Verify(s, line, sig) }) &&
		json.Unmarshal(line, &c) == nil && CondemnedName(c.Account, c.Number) == name && !slices.ContainsFunc(c.Blobs, notBlob) {
		return c, nil
	}
	return Condemned{}, fail("Erase", holdfast.Corrupt, name, "the list of an erased account's files cannot be read, or is signed by nobody that the vault knows", err)
}

func notBlob(name string) bool { return ParseName(name).Class != BlobObject }

// Named calls fn with the hash of each blob that an account may have in a vault. What comes twice, or is not there, does no harm.
type Named func(ctx context.Context, fn func(holdfast.Hash) error) error

// NamedBlobs calls fn with the blobs that an account's changes name, as this vault has them, of whichever history. What of it is damaged is passed over. spool is a directory for what is sorted on the way. It is no error that the account has no key.
func (v *Vault) NamedBlobs(ctx context.Context, spool string, account holdfast.ID, fn func(holdfast.Hash) error) error {
	r, err := NewReader(ctx, []*Vault{v}, ReadOptions{Spool: spool, Account: account})
	if err != nil {
		return err
	}
	defer r.Close()
	any := func(uint64, holdfast.Hash) (bool, error) { return true, nil }
	return r.Accounts(ctx, func(h *History) error {
		return h.Held(ctx, false, any, func(list []Loaded) error {
			for i := range list {
				if b := list[i].Blob; b != nil {
					if err := fn(b.Hash); err != nil {
						return err
					}
				}
			}
			return nil
		})
	})
}

// condemn makes the lists of an account's blobs, unless all of them are there. It is done before the key is destroyed, and again as long as the key is there. Without the key nothing can be named.
func (v *Vault) condemn(ctx context.Context, account holdfast.ID, named Named) error {
	key, err := v.FindAccountKey(ctx, account)
	if err != nil {
		if damaging(err) {
			return nil
		}
		return err
	}
	last, done, err := v.condemned(ctx, account)
	if err != nil || done || named == nil {
		return err
	}
	names, err := v.present(ctx, key, named)
	for n := last + 1; err == nil && len(names) > 0; n++ {
		part := names[:min(len(names), maxCondemned)]
		names = names[len(part):]
		err = v.putCondemned(ctx, Condemned{Format: Format, Account: account, Number: n, Last: len(names) == 0, Blobs: part})
	}
	return err
}

// condemned tells the number of the newest list of an account, and whether with it all are there.
func (v *Vault) condemned(ctx context.Context, account holdfast.ID) (last uint64, done bool, err error) {
	err = v.eachCondemned(ctx, account, func(name string, c Condemned, bad error) error {
		last, done = ParseName(name).Number, bad == nil && (c.Last || done)
		return nil
	})
	return last, done, err
}

// eachCondemned calls fn with an account's lists; bad says that one cannot be read.
func (v *Vault) eachCondemned(ctx context.Context, account holdfast.ID, fn func(name string, c Condemned, bad error) error) error {
	signers, err := v.erasers(ctx)
	if err != nil {
		return err
	}
	var names []string
	if err := v.p.List(ctx, condemnedOf(account), "", func(i place.Info) error { names = append(names, i.Name); return nil }); err != nil {
		return err
	}
	for _, name := range names {
		var c Condemned
		b, err := place.ReadAll(ctx, v.p, name, maxSmall)
		if err == nil {
			c, err = ParseCondemned(name, b, signers)
		}
		if holdfast.IsKind(err, holdfast.NotFound) {
			continue
		}
		if err == nil || damaging(err) {
			err = fn(name, c, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (v *Vault) putCondemned(ctx context.Context, c Condemned) error {
	ring, err := v.ring("Erase")
	if err != nil {
		return err
	}
	b, err := seal.SignLine(ring.Signer, c)
	if err != nil {
		return err
	}
	return v.p.Put(ctx, CondemnedName(c.Account, c.Number), bytes.NewReader(b))
}

// present returns the names of those objects of the named blobs that are there, in order. In memory are 32 octets of each blob, and the names.
func (v *Vault) present(ctx context.Context, key *seal.Identity, named Named) (out []string, err error) {
	var macs []holdfast.Hash
	if err := named(ctx, func(h holdfast.Hash) error {
		macs = append(macs, key.MAC(blobNames, h[:]))
		return ctx.Err()
	}); err != nil {
		return nil, err
	}
	slices.SortFunc(macs, compareHashes)
	macs = slices.Compact(macs)
	err = v.shelves(ctx, macs, func(i place.Info, at int) { out = append(out, i.Name) })
	return out, err
}

func compareHashes(a, b holdfast.Hash) int { return bytes.Compare(a[:], b[:]) }

// shelves lists the objects of blobs that are there, a directory at a time, and calls fn with each and which of the MACs it has. Those are sorted; no more directories are listed than they lie in.
func (v *Vault) shelves(ctx context.Context, macs []holdfast.Hash, fn func(i place.Info, at int)) error {
	for from := 0; from < len(macs); {
		to := from + 1
		for to < len(macs) && macs[to][0] == macs[from][0] {
			to++
		}
		dir := dirBlobs + hex.EncodeToString(macs[from][:1]) + "/"
		if err := v.p.List(ctx, dir, "", func(i place.Info) error {
			if _, ok := parseBlobName(i.Name); !ok {
				return nil
			}
			mac, err := holdfast.ParseHash(i.Name[len(dir) : len(dir)+64])
			if err != nil {
				return nil
			}
			if at, ok := slices.BinarySearchFunc(macs[from:to], mac, compareHashes); ok {
				fn(i, from+at)
			}
			return nil
		}); err != nil {
			return err
		}
		from = to
	}
	return nil
}

// letBlobsGo removes what an account's lists name, and returns the lists of which something is left. A list goes once nothing is, and the account's key neither.
func (v *Vault) letBlobsGo(ctx context.Context, account holdfast.ID, keyGone bool) (left []string, err error) {
	err = v.eachCondemned(ctx, account, func(name string, c Condemned, bad error) error {
		if bad != nil {
			v.o.Log.Warn("a list of an erased account's files cannot be read; what it names stays, and nobody can open it", "vault", v.meta.Name, "object", name, "err", bad)
			return nil
		}
		kept := false
		for _, b := range c.Blobs {
			gone, err := v.lets(ctx, b)
			if err != nil {
				return err
			}
			if kept = !gone; kept { // nor does it let go of the others yet
				break
			}
		}
		if kept {
			left = append(left, name)
			return nil
		}
		if keyGone {
			_, err := v.lets(ctx, name)
			return err
		}
		return nil
	})
	return left, err
}

// lets removes an object, and tells whether it is gone: a place may keep it for a while.
func (v *Vault) lets(ctx context.Context, name string) (gone bool, err error) {
	err = v.p.Remove(ctx, name)
	switch {
	case err == nil || holdfast.IsKind(err, holdfast.NotFound):
		return true, nil
	case holdfast.IsKind(err, holdfast.Forbidden):
		return false, nil
	}
	return false, err
}

// setErasing has uploads of an account's blobs that are under way end in nothing: they would come after the lists were made.
func (v *Vault) setErasing(account holdfast.ID) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.erased == nil {
		v.erased = map[holdfast.ID]bool{}
	}
	v.erased[account] = true
}

func (v *Vault) isErasing(account holdfast.ID) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.erased[account]
}
