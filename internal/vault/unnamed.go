package vault

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"holdfast"
	"holdfast/internal/place"
	"holdfast/internal/seal"
)

// Objects of blobs that no change names: an upload broke off behind its octets, a repair wrote a damaged one anew, an account got another key. They are looked for by name alone, and go long after. See docs/design/0054.

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
	if x.lists, err = v.readLists(ctx); err != nil {
		return rep, err
	}
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
	lists listed
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
	stays := func(i place.Info, n *namedBlob) bool { return i.Size == n.size && !x.v.isOn(x.lists, i.Name) }
	for ; at < len(x.named) && x.named[at].mac == mac; at++ {
		n := &x.named[at]
		n.has = n.has || slices.ContainsFunc(row, func(i place.Info) bool { return stays(i, n) })
		ours = ours || stays(last, n)
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
	lists, err := v.readLists(ctx)
	if err != nil {
		return n, err
	}
	for _, b := range rep.missed {
		has := false
		first := dirBlobs + hex.EncodeToString(b.mac[:1]) + "/" + b.mac.String()
		if err := v.p.List(ctx, first, "", func(i place.Info) error { has = has || i.Size == b.size && !v.isOn(lists, i.Name); return nil }); err != nil {
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
