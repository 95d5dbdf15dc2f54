package vault

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"time"

	"holdfast"
	"holdfast/internal/place"
	"holdfast/internal/seal"
)

// A place that removes nothing by the store's word, a remote vault's server, is told by signed lists which objects no change names. It lets them go by its own clock, long after; from the list on nobody relies on them. See docs/design/0054.

// UnnamedList is a list of blobs' objects that no change names. It is signed, and never goes: what it names is never put again.
type UnnamedList struct {
	Format int         `json:"format"`
	Vault  holdfast.ID `json:"vault"`
	Term   uint64      `json:"term"` // of who says so
	Number uint64      `json:"number"`
	Names  []string    `json:"names"` // ascending
}

// maxUnnamedList is how many objects one list names: it is a small object.
const maxUnnamedList = 700

// UnnamedListName is the name of a list.
func UnnamedListName(n uint64) string { return dirUnnamed + number(n) }

// ParseUnnamedList reads a list, which one of the signers must have signed. Errors: Corrupt.
func ParseUnnamedList(name string, b []byte, signers []seal.PublicKey) (UnnamedList, error) {
	var l UnnamedList
	line, sig, err := seal.SplitLine(b)
	if err == nil && slices.ContainsFunc(signers, func(s seal.PublicKey) bool { return seal.Verify(s, line, sig) }) &&
		json.Unmarshal(line, &l) == nil && UnnamedListName(l.Number) == name && !slices.ContainsFunc(l.Names, notBlob) && slices.IsSorted(l.Names) {
		return l, nil
	}
	return UnnamedList{}, fail("Unnamed", holdfast.Corrupt, name, "the list of files that no change names cannot be read, or is signed by nobody that the vault knows", err)
}

// listed is what lists name: the versions of each blob, by the MAC in their names.
type listed map[holdfast.Hash][]uint64

func (l listed) add(name string) {
	if mac, ok := macOf(name); ok && !l.has(name) {
		l[mac] = append(l[mac], ParseName(name).Version)
	}
}

func (l listed) has(name string) bool {
	mac, ok := macOf(name)
	return ok && slices.Contains(l[mac], ParseName(name).Version)
}

// newest returns the newest version of a blob that is named; 0: none is.
func (l listed) newest(mac holdfast.Hash) (version uint64) {
	for _, n := range l[mac] {
		version = max(version, n)
	}
	return version
}

// listsAgain is when lists are read again where the place could not read one of them: it may be well by then, and obeyed.
const listsAgain = time.Minute

// readLists reads the vault's lists, once; and what they name is known from then on to all that watch with it. Whoever signed a term that can be read is heeded, also who is a stranger to this store: the place obeys him, and it costs a put.
func (v *Vault) readLists(ctx context.Context) (listed, error) {
	v.reading.Lock()
	defer v.reading.Unlock()
	if v.lists != nil && (v.relist.IsZero() || v.o.Clock.Now().Before(v.relist)) {
		return v.lists, nil
	}
	terms, err := v.termsByNumber(ctx)
	if err != nil {
		return nil, err
	}
	signers := v.signersOf(terms)
	for _, t := range terms {
		signers = append(signers, t.Signer)
	}
	lists, relist := listed{}, time.Time{}
	err = place.ReadEach(ctx, v.p, dirUnnamed, "", maxSmall, func(name string, b []byte, err error) error {
		for tries := 0; err != nil && tries < 2; tries++ {
			b, err = place.ReadAll(ctx, v.p, name, maxSmall)
		}
		if err != nil && (!damaging(err) || holdfast.IsKind(err, holdfast.Unavailable)) {
			return err
		}
		if err != nil {
			relist = v.o.Clock.Now().Add(listsAgain)
		}
		var l UnnamedList
		if err == nil {
			l, err = ParseUnnamedList(name, b, signers)
		}
		if err != nil { // the place obeys none that cannot be read either
			v.o.Log.Warn("a list of files that no change names cannot be read; what it names stays", "vault", v.meta.Name, "object", name, "err", err)
			return nil
		}
		for _, x := range l.Names {
			lists.add(x)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	v.o.Watch.heed(lists)
	v.lists, v.relist = lists, relist
	return lists, nil
}

// forgetLists has the lists read anew.
func (v *Vault) forgetLists() {
	v.reading.Lock()
	defer v.reading.Unlock()
	v.lists = nil
}

// listedVersion returns the newest version of a blob that some list names, and that counts for nothing; 0: none.
func (v *Vault) listedVersion(ctx context.Context, mac holdfast.Hash) (uint64, error) {
	l, err := v.readLists(ctx)
	if err != nil {
		return 0, err
	}
	v.reading.Lock()
	defer v.reading.Unlock()
	return l.newest(mac), nil
}

// IsListed tells whether a list names an object: its place lets go of it when it sees fit.
func (v *Vault) IsListed(ctx context.Context, name string) (bool, error) {
	l, err := v.readLists(ctx)
	return err == nil && v.isOn(l, name), err
}

func (v *Vault) isOn(l listed, name string) bool {
	v.reading.Lock()
	defer v.reading.Unlock()
	return l.has(name)
}

// putLists makes lists of some objects, which ascend, and returns those that are on one. Before one is sent nobody relies any more on what it names. Where that ends in an error it may have come all the same, unless it was refused.
func (v *Vault) putLists(ctx context.Context, term uint64, names []string) (done []string, err error) {
	ring, err := v.ring("Unnamed")
	if err != nil || len(names) == 0 {
		return nil, err
	}
	last, err := v.lastList(ctx)
	if err != nil {
		return nil, err
	}
	lists, err := v.readLists(ctx)
	if err != nil {
		return nil, err
	}
	for part := range slices.Chunk(names, maxUnnamedList) {
		last++
		b, err := seal.SignLine(ring.Signer, UnnamedList{Format: Format, Vault: v.meta.Vault, Term: term, Number: last, Names: part})
		if err != nil {
			return done, err
		}
		now := listed{}
		for _, x := range part {
			now.add(x)
		}
		v.o.Watch.heed(now)
		if err := v.p.Put(ctx, UnnamedListName(last), bytes.NewReader(b)); err != nil {
			return done, err
		}
		v.reading.Lock()
		for _, x := range part {
			lists.add(x)
		}
		v.reading.Unlock()
		done = append(done, part...)
	}
	return done, nil
}

// lastList returns the number of the newest list; 0: there is none.
func (v *Vault) lastList(ctx context.Context) (uint64, error) {
	i, ok, err := place.Last(ctx, v.p, dirUnnamed)
	if err != nil || !ok {
		return 0, err
	}
	n := ParseName(i.Name)
	if n.Class != UnnamedObject {
		return 0, fail("Unnamed", holdfast.Corrupt, i.Name, "it is no list of files that no change names", nil)
	}
	return n.Number, nil
}
