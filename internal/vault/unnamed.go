package vault

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"holdfast"
	"holdfast/internal/place"
	"holdfast/internal/seal"
)

// Objects of blobs that no change names: an upload broke off behind its octets, a repair wrote a damaged one anew, an account got another key. They are looked for by name alone, and go long after. See docs/design/0053.

// Naming calls fn with each blob that any change of the store names, of whatever age, and whose it is. What comes twice does no harm; what is left out is lost.
type Naming func(ctx context.Context, fn func(holdfast.ID, holdfast.Blob) error) error

// UnnamedBlob is an object of a blob that no change names; or a damaged one, and an object of a later version has its place.
type UnnamedBlob struct {
	Name string    `json:"name"`
	Size int64     `json:"octets"` // as it lies
	Made time.Time `json:"made"`   // by the place's own time
	By   string    `json:"by,omitempty"`
}

// same tells whether an object is still the one that was found.
func (u UnnamedBlob) same(i place.Info) bool { return i.Size == u.Size && i.Made.Equal(u.Made) }

// UnnamedLook says how it is looked for what no change names.
type UnnamedLook struct {
	Named  Naming
	Most   int // how many are returned; default 10,000
	AtOnce int // how many names are compared at once, at some 50 octets of memory each; default 500,000. Named is called once for each so many
}

// UnnamedReport is what a look found.
type UnnamedReport struct {
	Objects, Octets int64         // of blobs, in all
	Lacking         int64         // blobs that are named, and of which the vault has no object of the right length
	Unnamed         []UnnamedBlob // by name
	More            int64         // that were found, and are not among them

	missed []namedBlob // of Lacking, some
}

// UnnamedBlobs looks for objects of blobs that no change names. It reads names alone, of the store, of the vault's blobs, and of what its lists of erased accounts condemn, which is theirs. Errors: those of Named and of the place; those of an account's key.
func (v *Vault) UnnamedBlobs(ctx context.Context, o UnnamedLook) (rep UnnamedReport, err error) {
	def(&o.Most, 10_000)
	def(&o.AtOnce, 500_000)
	x := &unnamedLook{v: v, o: o, rep: &rep}
	for from := 0; from < 256 && err == nil; {
		to := 256
		if to, err = x.names(ctx, from); err == nil {
			err = x.list(ctx, from, to)
		}
		if err == nil {
			err = x.lacking(ctx)
		}
		from = to
	}
	return rep, err
}

// unnamedLook is one look.
type unnamedLook struct {
	v     *Vault
	o     UnnamedLook
	rep   *UnnamedReport
	named []namedBlob // those of a part of all MACs, sorted
	whose []holdfast.ID
}

// namedBlob is a blob that some change names.
type namedBlob struct {
	mac   holdfast.Hash
	size  int64 // sealed; -1: any
	whose int32
	has   bool
}

// names collects the MACs of what is named whose first octet is from or above, and returns below which it has all of them.
func (x *unnamedLook) names(ctx context.Context, from int) (to int, err error) {
	to, x.named, x.whose = 256, x.named[:0], x.whose[:0]
	add := func(n namedBlob) {
		if int(n.mac[0]) < from || int(n.mac[0]) >= to {
			return
		}
		for x.named = append(x.named, n); len(x.named) > x.o.AtOnce && to-from > 1; {
			to = from + (to-from)/2
			x.named = slices.DeleteFunc(x.named, func(n namedBlob) bool { return int(n.mac[0]) >= to })
		}
	}
	if err := x.v.eachCondemnedName(ctx, func(mac holdfast.Hash) { add(namedBlob{mac: mac, size: -1, has: true}) }); err != nil {
		return 0, err
	}
	err = x.o.Named(ctx, func(account holdfast.ID, b holdfast.Blob) error {
		if n := len(x.whose); n == 0 || x.whose[n-1] != account {
			x.whose = append(x.whose, account)
		}
		n := namedBlob{whose: int32(len(x.whose) - 1)}
		key, err := x.v.FindAccountKey(ctx, account)
		if holdfast.IsKind(err, holdfast.NotFound) {
			return x.keyless(ctx, from, account)
		}
		if err != nil {
			return err
		}
		n.mac = key.MAC(blobNames, b.Hash[:])
		if n.size, err = seal.SealedSize(b.Size, key.Recipient()); err == nil {
			add(n)
		}
		return err
	})
	slices.SortFunc(x.named, func(a, b namedBlob) int { return compareHashes(a.mac, b.mac) })
	x.named = slices.CompactFunc(x.named, func(a, b namedBlob) bool { return a.mac == b.mac && a.size == b.size })
	return to, err
}

// keyless counts a blob of an account that has no key: the vault lacks it, unless the account was erased there.
func (x *unnamedLook) keyless(ctx context.Context, from int, account holdfast.ID) error {
	gone, err := x.v.IsErased(ctx, account)
	if err == nil && !gone && from == 0 {
		x.rep.Lacking++
	}
	return err
}

// errPart ends a listing behind its part.
var errPart = errors.New("the part is over")

// list lists the objects whose MACs begin with an octet from one on, below another, and sorts out which nobody names.
func (x *unnamedLook) list(ctx context.Context, from, to int) error {
	after, end := "", dirBlobs+"~"
	if from > 0 {
		after = dirBlobs + hex.EncodeToString([]byte{byte(from)})
	}
	if to < 256 {
		end = dirBlobs + hex.EncodeToString([]byte{byte(to)})
	}
	var row []place.Info // of one MAC
	err := x.v.p.List(ctx, dirBlobs, after, func(i place.Info) error {
		if i.Name >= end {
			return errPart
		}
		mac, ok := macOf(i.Name)
		if !ok {
			return nil
		}
		x.rep.Objects, x.rep.Octets = x.rep.Objects+1, x.rep.Octets+i.Size
		if len(row) > 0 {
			if last, _ := macOf(row[0].Name); last != mac {
				x.row(row)
				row = row[:0]
			}
		}
		row = append(row, i)
		return nil
	})
	if len(row) > 0 {
		x.row(row)
	}
	if errors.Is(err, errPart) {
		err = nil
	}
	return err
}

// row judges the objects of one MAC, oldest version first.
func (x *unnamedLook) row(row []place.Info) {
	mac, _ := macOf(row[0].Name)
	at, named := slices.BinarySearchFunc(x.named, mac, func(n namedBlob, mac holdfast.Hash) int { return compareHashes(n.mac, mac) })
	if !named {
		for _, i := range row {
			x.found(UnnamedBlob{Name: i.Name, Size: i.Size, Made: i.Made})
		}
		return
	}
	last := row[len(row)-1]
	ours := false // the newest fits what is named
	for ; at < len(x.named) && x.named[at].mac == mac; at++ {
		n := &x.named[at]
		n.has = n.has || slices.ContainsFunc(row, func(i place.Info) bool { return i.Size == n.size })
		ours = ours || last.Size == n.size
	}
	for _, i := range row[:len(row)-1] {
		if ours {
			x.found(UnnamedBlob{Name: i.Name, Size: i.Size, Made: i.Made, By: last.Name})
		}
	}
}

func (x *unnamedLook) found(u UnnamedBlob) {
	if len(x.rep.Unnamed) >= x.o.Most {
		x.rep.More++
		return
	}
	x.rep.Unnamed = append(x.rep.Unnamed, u)
}

// lacking counts what is named and is not there, but for accounts that were erased.
func (x *unnamedLook) lacking(ctx context.Context) error {
	for _, n := range x.named {
		if n.has {
			continue
		}
		if len(x.rep.missed) < maxLacking {
			if gone, err := x.v.IsErased(ctx, x.whose[n.whose]); err != nil {
				return err
			} else if gone {
				continue
			}
			x.rep.missed = append(x.rep.missed, n)
		}
		x.rep.Lacking++
	}
	return nil
}

// maxLacking is how many that are missing are looked for once more: more of them say enough.
const maxLacking = 1000

// StillLacking counts anew what a look found to be lacking: it may have come since.
func (v *Vault) StillLacking(ctx context.Context, rep *UnnamedReport) (n int64, err error) {
	n = rep.Lacking
	for _, b := range rep.missed {
		has := false
		first := dirBlobs + hex.EncodeToString(b.mac[:1]) + "/" + b.mac.String()
		if err := v.p.List(ctx, first, "", func(i place.Info) error { has = has || i.Size == b.size; return nil }); err != nil {
			return n, err
		}
		if has {
			n--
		}
	}
	return n, nil
}

// eachCondemnedName calls fn with the MACs that lists of erased accounts name.
func (v *Vault) eachCondemnedName(ctx context.Context, fn func(holdfast.Hash)) error {
	var accounts []holdfast.ID
	if err := v.p.List(ctx, dirCondemned, "", func(i place.Info) error {
		if n := ParseName(i.Name); n.Class == CondemnedObject && (len(accounts) == 0 || accounts[len(accounts)-1] != n.Account) {
			accounts = append(accounts, n.Account)
		}
		return nil
	}); err != nil {
		return err
	}
	for _, id := range accounts {
		if err := v.eachCondemned(ctx, id, func(_ string, c Condemned, _ error) error {
			for _, name := range c.Blobs {
				if mac, ok := macOf(name); ok {
					fn(mac)
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

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
	Kept    []string // that the place does not let go of, or not yet
	Spared  []string // that are named, or were asked for, or are others than were found
	Unknown string   // the one of which it is not known
}

// RemoveUnnamed removes objects which were found unnamed long ago, and which JudgeUnnamed let go. Whoever wants one of their blobs waits meanwhile. forget has everybody forget what the vault is known to have; it is called before the store is asked for the last time what it names, so that who names one of
// them later puts it anew. The order, which holds it together: they are marked, all is forgotten, the store is asked, each is looked at once more, then it goes.
// Errors: Fenced (the writer's term is not the newest), those of the place (rep is what was done before), of store, and of an account's key.
func (v *Vault) RemoveUnnamed(ctx context.Context, w *Writer, list []UnnamedBlob, store Naming, forget func()) (rep UnnamedGone, err error) {
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
	forget()
	newest, err := v.lastTerm(ctx)
	if err == nil && (newest.Number != w.term.Number || newest.Nonce != w.term.Nonce) {
		err = fenced("RemoveUnnamed", v.p.String())
	}
	if err != nil {
		return rep, err
	}
	n, named := newNamer(v, marked), make([]bool, len(marked))
	if err := store(ctx, func(account holdfast.ID, b holdfast.Blob) error {
		return n.find(ctx, account, b, func(i int, _ *seal.Identity) { named[i] = marked[i].By == "" })
	}); err != nil {
		return rep, err
	}
	for i, u := range marked {
		if named[i] {
			rep.Spared = append(rep.Spared, u.Name)
			continue
		}
		if err := v.removeUnnamed(ctx, w, u, &rep); err != nil {
			return rep, err
		}
	}
	return rep, nil
}

// removeUnnamed removes one, if it still is what was found and what has its place is there.
func (v *Vault) removeUnnamed(ctx context.Context, w *Writer, u UnnamedBlob, rep *UnnamedGone) error {
	i, err := v.p.Stat(ctx, u.Name)
	if err == nil && u.By != "" {
		_, err = v.p.Stat(ctx, u.By)
	}
	if holdfast.IsKind(err, holdfast.NotFound) || err == nil && !u.same(i) {
		rep.Spared = append(rep.Spared, u.Name)
		return nil
	}
	if err != nil {
		return err
	}
	newer, err := v.newer(ctx, w.term.Number)
	if err == nil && newer {
		err = fenced("RemoveUnnamed", v.p.String())
	}
	if err != nil {
		return err
	}
	v.o.Watch.Doubt(u.Name) // until it is known what came of it
	gone, err := v.lets(ctx, u.Name)
	switch {
	case err != nil:
		rep.Unknown = u.Name
		return err
	case gone:
		rep.Gone, rep.Octets = append(rep.Gone, u.Name), rep.Octets+u.Size
	default:
		rep.Kept = append(rep.Kept, u.Name)
	}
	return nil
}
