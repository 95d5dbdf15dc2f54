package vault

import (
	"context"
	"fmt"
	"io"
	"slices"

	"holdfast"
	"holdfast/internal/seal"
)

// The second part of a sweep: which of the objects that were found unnamed may go, and how they do.

// namingKeys returns every key by which blobs of an account may be named here: the one that is used, and those that its other objects hold. A repair may have made another one, and older versions hold what was before. Errors: NotFound (there is none), Corrupt, Unauthorized (the newest cannot be opened: it may be by that one that the blobs are named).
func (v *Vault) namingKeys(ctx context.Context, account holdfast.ID) (keys []*seal.Identity, err error) {
	list, err := v.versions(ctx, "", keysOf(account))
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, fail("AccountKey", holdfast.NotFound, account.String(), "the account has no key in this vault", nil)
	}
	v.mu.Lock()
	if used := v.keys[account]; used != nil {
		keys = append(keys, used)
	}
	v.mu.Unlock()
	for n, name := range slices.Backward(list) {
		_, id, err := v.readKey(ctx, name, "account", account.String())
		if err != nil {
			if n == len(list)-1 || !damaging(err) && !holdfast.IsKind(err, holdfast.Unauthorized) {
				return nil, err
			}
			continue
		}
		if !slices.ContainsFunc(keys, func(k *seal.Identity) bool { return k.Recipient().Fingerprint() == id.Recipient().Fingerprint() }) {
			keys = append(keys, id)
		}
	}
	return keys, nil
}

// namer finds which of some objects are named.
type namer struct {
	v    *Vault
	by   map[holdfast.Hash][]int // which have a MAC
	last holdfast.ID
	keys []*seal.Identity
}

func newNamer(v *Vault, list []UnnamedBlob) *namer {
	n := &namer{v: v, by: map[holdfast.Hash][]int{}}
	for i, u := range list {
		if mac, ok := macOf(u.Name); ok {
			n.by[mac] = append(n.by[mac], i)
		}
	}
	return n
}

// find calls fn with each of the objects that a blob of an account may have, and the key that names it. An account that was erased has none. Errors: Corrupt (it has no key here, and nobody knows what it names).
func (n *namer) find(ctx context.Context, account holdfast.ID, b holdfast.Blob, fn func(i int, key *seal.Identity)) error {
	if n.keys == nil || n.last != account {
		keys, err := n.v.namingKeys(ctx, account)
		if holdfast.IsKind(err, holdfast.NotFound) {
			var gone bool
			if gone, err = n.v.IsErased(ctx, account); err == nil && !gone {
				err = fail("Unnamed", holdfast.Corrupt, account.String(), "the account has files and no key in this vault: what it names is not known", nil)
			}
			keys = []*seal.Identity{}
		}
		if err != nil {
			return err
		}
		n.keys, n.last = keys, account
	}
	for _, key := range n.keys {
		for _, i := range n.by[key.MAC(blobNames, b.Hash[:])] {
			fn(i, key)
		}
	}
	return nil
}

// JudgeUnnamed reads the whole history of the vault, of whichever term, and what has the place of damaged objects, and returns those of a list that may go: which no change names that lies anywhere here, and in whose place something sound is. held says why none may, where something here cannot be read: it
// might name them. It removes nothing, and the vault's writer goes on meanwhile. spool is a directory for what is sorted on the way; in the clear. Errors: those of the place, of this machine and of the store.
func (v *Vault) JudgeUnnamed(ctx context.Context, spool string, list []UnnamedBlob, store Naming) (may []UnnamedBlob, held string, err error) {
	n := newNamer(v, list)
	named := make([]bool, len(list))
	r, err := NewReader(ctx, []*Vault{v}, ReadOptions{Spool: spool})
	if err != nil {
		return nil, "", err
	}
	defer r.Close()
	any := func(uint64, holdfast.Hash) (bool, error) { return true, nil }
	err = r.Accounts(ctx, func(h *History) error {
		return h.Held(ctx, false, any, func(lines []Loaded) error {
			for i := range lines {
				if b := lines[i].Blob; b != nil {
					if err := n.find(ctx, h.Account, *b, func(i int, _ *seal.Identity) { named[i] = list[i].By == "" }); err != nil {
						return err
					}
				}
			}
			return nil
		})
	})
	if err != nil {
		return nil, "", err
	}
	if d := r.Damage(); len(d) > 0 {
		return nil, fmt.Sprintf("the vault holds something that cannot be read, and it might name them: %s: %s", d[0].Object, d[0].What), nil
	}
	if u := r.Unsure(); len(u) > 0 {
		return nil, "it is not known what the vault held: " + u[0], nil
	}
	replaced, err := v.replaced(ctx, list, store)
	if err != nil {
		return nil, "", err
	}
	for i, u := range list {
		if u.By == "" && !named[i] || u.By != "" && replaced[i] {
			may = append(may, u)
		}
	}
	return may, "", nil
}

// replaced tells which objects of a list have a later one in their place that is sound, read whole.
func (v *Vault) replaced(ctx context.Context, list []UnnamedBlob, store Naming) (out []bool, err error) {
	out = make([]bool, len(list))
	n := newNamer(v, slices.DeleteFunc(slices.Clone(list), func(u UnnamedBlob) bool { return u.By == "" }))
	if len(n.by) == 0 {
		return out, nil
	}
	n = newNamer(v, list)
	sound := map[string]bool{}
	return out, store(ctx, func(account holdfast.ID, b holdfast.Blob) error {
		with := map[int]*seal.Identity{}
		if err := n.find(ctx, account, b, func(i int, key *seal.Identity) { with[i] = key }); err != nil {
			return err
		}
		for i, key := range with {
			u := list[i]
			if u.By == "" {
				continue
			}
			if _, judged := sound[u.By]; !judged {
				err := v.readObject(ctx, key, u.By, b, func(r io.Reader) error { _, err := io.Copy(io.Discard, r); return err })
				if err != nil && !damaging(err) && !holdfast.IsKind(err, holdfast.Unauthorized) {
					return err
				}
				sound[u.By] = err == nil
			}
			out[i] = sound[u.By]
		}
		return nil
	})
}

// UnnamedGone is what came of removing objects that no change names.
type UnnamedGone struct {
	Gone    []string // for good
	Octets  int64    // of those
	Listed  []string // that its lists name from now on, and that are there yet
	Kept    []string // that the place does not let go of, or not yet
	Spared  []string // that are named, or were asked for, or are others than were found
	Unknown []string // of which it is not known
}

// Removal says how objects go that no change names.
type Removal struct {
	Named  Naming
	ByList bool   // the place removes nothing by our word: what is on no list of it yet is put on one
	Forget func() // has everybody forget what the vault is known to have
}

// RemoveUnnamed removes objects which were found unnamed long ago, and which JudgeUnnamed let go. Whoever wants one of their blobs waits meanwhile. All is forgotten before the store is asked for the last time what it names, so that who names one of
// them later puts it anew. The order, which holds it together: they are marked, all is forgotten, the store is asked, each is looked at once more, then it goes, or is listed.
// Errors: Fenced (the writer's term is not the newest), those of the place (rep is what was done before), of store, and of an account's key.
func (v *Vault) RemoveUnnamed(ctx context.Context, w *Writer, list []UnnamedBlob, o Removal) (rep UnnamedGone, err error) {
	if v.o.Watch == nil {
		return rep, fail("RemoveUnnamed", holdfast.Invalid, v.p.String(), "nobody watches who asks for what", nil)
	}
	var marked []UnnamedBlob
	done := map[holdfast.Hash]bool{}
	for _, u := range list {
		mac, _ := macOf(u.Name)
		switch {
		case done[mac]: // another version of what is marked
			marked = append(marked, u)
		case v.o.Watch.begin(u.Name):
			defer v.o.Watch.end(u.Name)
			done[mac], marked = true, append(marked, u)
		default:
			rep.Spared = append(rep.Spared, u.Name)
		}
	}
	o.Forget()
	newest, err := v.lastTerm(ctx)
	if err == nil && (newest.Number != w.term.Number || newest.Nonce != w.term.Nonce) {
		err = fenced("RemoveUnnamed", v.p.String())
	}
	if err != nil {
		return rep, err
	}
	n, named := newNamer(v, marked), make([]bool, len(marked))
	if err := o.Named(ctx, func(account holdfast.ID, b holdfast.Blob) error {
		return n.find(ctx, account, b, func(i int, _ *seal.Identity) { named[i] = marked[i].By == "" })
	}); err != nil {
		return rep, err
	}
	var unlisted []string
	for i, u := range marked {
		same := false
		if !named[i] {
			if same, err = v.still(ctx, w, u); err != nil {
				return rep, err
			}
		}
		if !same {
			rep.Spared = append(rep.Spared, u.Name)
			continue
		}
		is, err := v.IsListed(ctx, u.Name)
		switch {
		case err != nil:
			return rep, err
		case o.ByList && !is:
			unlisted = append(unlisted, u.Name)
		default:
			err = v.removeUnnamed(ctx, u, &rep)
		}
		if err != nil {
			return rep, err
		}
	}
	return rep, v.listUnnamed(ctx, w, unlisted, &rep)
}

// still tells whether an object is what was found, and what has its place is there. Errors: Fenced, those of the place.
func (v *Vault) still(ctx context.Context, w *Writer, u UnnamedBlob) (bool, error) {
	i, err := v.p.Stat(ctx, u.Name)
	if err == nil && u.By != "" {
		_, err = v.p.Stat(ctx, u.By)
	}
	if holdfast.IsKind(err, holdfast.NotFound) || err == nil && !u.same(i) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	newer, err := v.newer(ctx, w.term.Number)
	if err == nil && newer {
		err = fenced("RemoveUnnamed", v.p.String())
	}
	return err == nil, err
}

// removeUnnamed removes one.
func (v *Vault) removeUnnamed(ctx context.Context, u UnnamedBlob, rep *UnnamedGone) error {
	v.o.Watch.Doubt(u.Name) // until it is known what came of it
	gone, err := v.lets(ctx, u.Name)
	switch {
	case err != nil:
		rep.Unknown = append(rep.Unknown, u.Name)
		return err
	case gone:
		rep.Gone, rep.Octets = append(rep.Gone, u.Name), rep.Octets+u.Size
	default:
		rep.Kept = append(rep.Kept, u.Name)
	}
	return nil
}

// listUnnamed puts some on lists.
func (v *Vault) listUnnamed(ctx context.Context, w *Writer, names []string, rep *UnnamedGone) (err error) {
	for _, name := range names {
		v.o.Watch.Doubt(name) // likewise
	}
	slices.Sort(names)
	rep.Listed, err = v.putLists(ctx, w.term.Number, names)
	switch holdfast.KindOf(err) {
	case holdfast.Invalid, holdfast.Forbidden, holdfast.Fenced: // it was refused
	default:
		if err != nil {
			rep.Unknown = append(rep.Unknown, names[len(rep.Listed):]...)
		}
	}
	return err
}
