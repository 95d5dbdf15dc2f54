package salvage

import (
	"context"
	"slices"
	"time"

	"holdfast"
	"holdfast/internal/core"
)

// index is what an account has and had: for each item what each of its versions says. It holds some hundred octets for a version and none of its text.
type index struct {
	items  map[place]*item
	byUID  map[label][]*item
	byName map[label][]*item
	bySum  map[holdfast.Hash][]*item // of which a version's octets are not known any more
	gone   map[holdfast.ID]deletion  // collections, by their deletion
}

type place struct {
	collection holdfast.ID
	name       string
}

// label is a UID or a name, of contacts or of calendar objects.
type label struct {
	card bool
	text string
}

// item is a member of a collection, live or not.
type item struct {
	place
	path     string
	kind     string
	uid      string
	live     bool
	there    bool // its collection is
	keys     []uint64
	versions []version // each that says something else than the one before, the newest last
	deleted  deletion
}

// version is what one change put.
type version struct {
	seq   uint64
	set   []uint64
	photo bool
	sum   holdfast.Hash
	lost  bool // its octets are not there any more
}

// deletion is when something was deleted, and by whom; a zero seq: it was not.
type deletion struct {
	seq   uint64
	actor holdfast.Actor
	at    time.Time
}

// covers tells whether a version says all that something says: there is nothing in it that the version lacks. Where the octets are not known any more their hash decides.
func (v *version) covers(f *facts) bool {
	if v.sum == f.sum {
		return true
	}
	if len(f.set) == 0 || f.photo && !v.photo {
		return false
	}
	for _, n := range f.set {
		if _, ok := slices.BinarySearch(v.set, n); !ok {
			return false
		}
	}
	return true
}

// present tells whether people see the item.
func (i *item) present() bool { return i.live && i.there }

// newest returns what the item says now, or said last.
func (i *item) newest() *version { return &i.versions[len(i.versions)-1] }

// earlier returns the newest of the versions before that covers something; nil: none does.
func (i *item) earlier(f *facts) *version {
	for n := len(i.versions) - 2; n >= 0; n-- {
		if i.versions[n].covers(f) {
			return &i.versions[n]
		}
	}
	return nil
}

// readIndex reads the account's history.
func readIndex(ctx context.Context, past *core.Past) (*index, error) {
	x := &index{items: map[place]*item{}, byUID: map[label][]*item{}, byName: map[label][]*item{}, bySum: map[holdfast.Hash][]*item{}, gone: map[holdfast.ID]deletion{}}
	err := past.Traces(ctx, func(t core.Trace) error {
		x.trace(t)
		return nil
	})
	return x, err
}

func (x *index) trace(t core.Trace) {
	at := place{t.Collection, t.Name}
	was := x.items[at]
	switch {
	case t.Name == "":
		x.gone[t.Collection] = deletionBy(t)
	case t.Op == holdfast.OpDelete:
		if was != nil {
			was.live, was.deleted, was.there = false, deletionBy(t), t.There
		}
	case t.Op == holdfast.OpPut:
		card := t.In.Type == holdfast.TypeAddressbook
		f, ok := factsOf(t.Body, card)
		if t.Pruned || !ok {
			f = facts{sum: t.ETag}
		}
		i := x.put(at, &f, card, t.Seq)
		i.newest().lost = t.Pruned
		if i.path, i.there = t.Path, t.There; f.kind == "" {
			x.bySum[f.sum] = append(x.bySum[f.sum], i)
		}
	}
}

func deletionBy(t core.Trace) deletion { return deletion{t.Seq, t.Actor, t.At} }

// put takes a version in.
func (x *index) put(at place, f *facts, card bool, seq uint64) *item {
	i := x.items[at]
	if i == nil || !i.live && i.uid != f.uid && f.kind != "" { // what was deleted is another thing than what has its name now
		i = &item{place: at, there: true}
		x.items[at] = i
	}
	i.live, i.deleted = true, deletion{}
	if f.kind != "" {
		i.kind, i.uid = f.kind, f.uid
		x.note(x.byUID, label{card, f.uid}, i)
		x.note(x.byName, label{card, f.name}, i)
	}
	for _, k := range f.keys {
		if !slices.Contains(i.keys, k) {
			i.keys = append(i.keys, k)
		}
	}
	v := version{seq: seq, set: f.set, photo: f.photo, sum: f.sum}
	if n := len(i.versions); n > 0 && slices.Equal(i.versions[n-1].set, v.set) {
		v.set = i.versions[n-1].set // one copy of what is the same
	}
	i.versions = append(i.versions, v)
	return i
}

func (x *index) note(in map[label][]*item, l label, i *item) {
	if l.text != "" && !slices.Contains(in[l], i) {
		in[l] = append(in[l], i)
	}
}

// maxNamesakes bounds how many items of one name something is compared with.
const maxNamesakes = 1000

// finding is what is known of something.
type finding struct {
	result Result
	item   *item    // which it is or was; nil: none. Of what is restored: one that was deleted
	of     *version // that says the same; nil: none
}

// ghost tells whether the item is there, and nothing has its octets: nobody can read it.
func (i *item) ghost() bool { return i.present() && i.newest().lost }

// find decides what something is. What history knows comes first, among what is there and then among what was deleted; then items that are there with its UID; then, of contacts, those of the same name with a
// phone number or an address in common. What history does not know is always stored, so the same again finds all of it.
func (x *index) find(f *facts, card bool) finding {
	if at := slices.IndexFunc(x.bySum[f.sum], (*item).ghost); at >= 0 { // the very octets that were lost
		return finding{Restored, x.bySum[f.sum][at], nil}
	}
	same := x.byUID[label{card, f.uid}]
	named := x.byName[label{card, f.name}]
	named = slices.Concat(named[max(0, len(named)-maxNamesakes):], x.bySum[f.sum])
	for _, list := range [][]*item{same, named} {
		if g, ok := known(list, f, true); ok {
			return g
		}
	}
	at := slices.IndexFunc(same, (*item).present)
	if g, ok := known(same, f, false); ok && at >= 0 { // it was moved, or made anew
		return finding{Older, same[at], g.of}
	} else if ok {
		return g
	}
	if g, ok := known(named, f, false); ok {
		again := x.byUID[label{card, g.item.uid}]
		if at := slices.IndexFunc(again, (*item).present); at >= 0 {
			return finding{Older, again[at], g.of}
		}
		return g
	}
	if at >= 0 {
		return beside(same[at])
	}
	if i := akin(named, f, true); i != nil {
		return beside(i)
	}
	if len(same) > 0 {
		return finding{Restored, same[len(same)-1], nil} // it was deleted, and says what no version said: both are somebody's work
	}
	return finding{Restored, akin(named, f, false), nil}
}

// beside says that something is another version of an item that is there: a copy of its own, or, where nothing has the octets of that any more, what was lost.
func beside(i *item) finding {
	if i.ghost() {
		return finding{Restored, i, nil}
	}
	return finding{Conflict, i, nil}
}

// known finds what says all that something says, among items that are there or among those that are not.
func known(list []*item, f *facts, present bool) (finding, bool) {
	for _, i := range list {
		if i.present() && i.newest().lost { // it is there by name alone: what says it is not there already
			continue
		}
		if i.present() == present && i.newest().covers(f) {
			if present {
				return finding{Already, i, i.newest()}, true
			}
			return finding{Offered, i, i.newest()}, true
		}
	}
	for _, i := range list {
		if i.present() != present {
			continue
		}
		if v := i.earlier(f); v != nil {
			if present {
				return finding{Older, i, v}, true
			}
			return finding{Offered, i, v}, true
		}
	}
	return finding{}, false
}

// akin finds a contact with a number or an address in common among those of the same name; nil: there is none.
func akin(named []*item, f *facts, present bool) *item {
	for _, i := range named {
		if i.present() == present && slices.ContainsFunc(f.keys, func(k uint64) bool { return slices.Contains(i.keys, k) }) {
			return i
		}
	}
	return nil
}
