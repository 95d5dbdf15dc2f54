package restore

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/journal"
	"holdfast/internal/vault"
)

// loading is an account on its way from vaults into an engine.
type loading struct {
	r       *run
	id      holdfast.ID
	content *vault.History // as of the moment that is asked for
	newest  *vault.History

	// Where the new journal stands.
	epoch, seq uint64
	chain      holdfast.Hash
	loaded     uint64 // the last seq of what was restored, before the restore's own changes

	email  string
	count  int
	losses []Loss
	made   uint64          // entries of the restore's own
	came   uint64          // the last seq that was read
	broken bool            // something was missing: what comes now has new seqs
	ended  bool            // the seq that was asked for is reached
	hollow map[uint64]bool // versions that would be there without octets; nil: not known, as none without was met

	collections map[holdfast.ID]*holdfast.Collection
	live        map[itemKey]string         // the items that are there, and their UIDs; only once something is missing
	uids        map[itemKey]string         // by collection and UID: the names of those
	held        map[string]*holdfast.Entry // credentials, as of the moment
	want        map[string]*holdfast.Entry // credentials, the newest

	files *verifying // the large files that its changes name; nil: nobody asks
}

type itemKey struct {
	collection holdfast.ID
	name       string
}

// read reads the account, and sends what is to be applied.
func (a *loading) read(ctx context.Context) error {
	if a.r.o.Files != nil && a.r.o.Engine == nil {
		a.files = newVerifying()
	}
	a.collections, a.held, a.want = map[holdfast.ID]*holdfast.Collection{}, map[string]*holdfast.Entry{}, map[string]*holdfast.Entry{}
	take := func(list []vault.Loaded) error { return a.take(ctx, list) }
	err := a.content.Changes(ctx, take)
	for err == errGap || err == errPruned { // each once
		if err == errPruned {
			err = a.hollows(ctx)
		} else {
			err = a.before(ctx)
		}
		if err == nil {
			err = a.content.Changes(ctx, take)
		}
	}
	if err != nil {
		return err
	}
	for _, l := range a.content.Losses() {
		a.lose(l)
	}
	a.loaded = a.seq
	if err := a.verifyFiles(ctx); err != nil {
		return err
	}
	if a.seq == 0 || a.r.o.Bare { // nothing of it could be read, or nothing is to be added
		return a.send(ctx, nil, true)
	}
	if err := a.credentials(ctx); err != nil {
		return err
	}
	return a.finish(ctx)
}

// take passes whole groups on, those that were asked for, in pieces of a bounded size: what waits for the engine is in memory beside the list.
func (a *loading) take(ctx context.Context, list []vault.Loaded) error {
	for len(list) > 0 && list[0].Seq <= a.came { // it was taken before the gap was known
		list = list[1:]
	}
	out := make([]holdfast.Change, 0, min(len(list), maxPieceChanges))
	for i := 0; i < len(list) && !a.ended; {
		end := groupEnd(list, i)
		if why := a.stops(list[i : end+1]); why != nil {
			if err := a.send(ctx, out, false); err != nil {
				return err
			}
			return why
		}
		if len(out) >= maxPieceChanges {
			if err := a.send(ctx, out, false); err != nil {
				return err
			}
			out = make([]holdfast.Change, 0, min(len(list)-i, maxPieceChanges))
		}
		if a.r.o.Seq > 0 && list[end].Seq > a.r.o.Seq {
			a.ended = true
			break
		}
		out, i = a.group(out, list[i:end+1]), end+1
	}
	return a.send(ctx, out, false)
}

// stops tells what must be found out before a group is taken; nil if nothing.
func (a *loading) stops(group []vault.Loaded) error {
	if a.hollow == nil && slices.ContainsFunc(group, func(c vault.Loaded) bool { return c.Pruned }) {
		return errPruned
	}
	if a.live == nil && (group[0].Seq != a.came+1 || a.lacks(group)) {
		return errGap
	}
	return nil
}

// group appends what is applied of a group that was read: itself, or, once something is missing, itself with new seqs.
func (a *loading) group(out []holdfast.Change, list []vault.Loaded) []holdfast.Change {
	first := len(out)
	if !a.broken && (list[0].Seq != a.came+1 || a.lacks(list)) {
		a.broken = true
		out = append(out, a.begin("restored with a gap before change "+fmt.Sprint(list[0].Seq))...)
	}
	own := len(out)
	a.came = list[len(list)-1].Seq
	for i := range list {
		c := list[i].Change
		if a.isHollow(&list[i]) {
			if a.loseHollow(&list[i]); !a.haunted() {
				continue
			}
		}
		if a.broken {
			if _, there := a.live[itemKey{c.Collection, c.Name}]; c.Kind == holdfast.KindEpoch || c.Op == holdfast.OpDelete && !there {
				continue
			}
			out = append(out, a.standIn(&c)...)
			a.derive(&c)
			out = append(out, a.giveWay(&c)...)
			c = a.renumbered(c)
		} else {
			a.seq, a.epoch, a.chain = c.Seq, c.Epoch, c.Chain
		}
		a.note(&c)
		a.files.note(&c)
		out = append(out, c)
	}
	if a.broken { // each is whole in itself, and what its group lacks is said
		for i := range out[own:] {
			alone(&out[own+i], 0)
		}
		a.rechain(out[first:])
	}
	a.count += len(list)
	return out
}

// renumbered gives a change the next seq.
func (a *loading) renumbered(c holdfast.Change) holdfast.Change {
	a.seq++
	c.Seq, c.Epoch, c.Prev = a.seq, a.epoch, 1 // which version it follows is for the engine to find
	return c
}

// rechain computes the chains of changes that end at the account's present seq.
func (a *loading) rechain(list []holdfast.Change) {
	for i := range list {
		journal.Extend(&list[i], a.chain)
		a.chain = list[i].Chain
	}
}

// begin makes the change that begins an epoch. Where nothing could be read before, it makes the account too.
func (a *loading) begin(why string) (out []holdfast.Change) {
	if a.seq == 0 {
		a.epoch = 1
		return a.found()
	}
	rec := holdfast.EpochRecord{Epoch: a.epoch + 1, Parent: a.epoch, Fork: a.seq, Hash: a.chain, Nonce: a.own(), Why: why, AsOf: a.r.o.At.UTC()}
	a.epoch = rec.Epoch
	return []holdfast.Change{a.renumbered(a.change(a.entry(holdfast.KindEpoch, a.id, holdfast.EpochName(rec.Epoch), rec.Encode())))}
}

// found makes the root and the record of an account whose own are lost.
func (a *loading) found() []holdfast.Change {
	root := a.entry(holdfast.KindCollection, a.id, "", holdfast.CollectionRecord{Type: holdfast.TypeRoot}.Encode())
	rec := a.entry(holdfast.KindAccount, a.id, holdfast.RecordAccount, holdfast.AccountRecord{Email: standInLogin(a.id), State: holdfast.Active, Created: a.r.o.Clock.Now().UTC().Truncate(time.Second)}.Encode())
	var out []holdfast.Change
	for i, e := range []holdfast.Entry{root, rec} {
		c := a.renumbered(a.change(e))
		alone(&c, uint32(1-i)) // an account is founded by one group
		a.note(&c)
		out = append(out, c)
	}
	return out
}

// standInLogin is what an account is called whose own record is lost, and standInName a collection. A repair puts the real ones in their place.
func standInLogin(id holdfast.ID) string { return "lost-" + id.String() + "@restored.invalid" }
func standInName(id holdfast.ID) string  { return "restored-" + id.String()[:8] }

// alone says how many entries of its group follow a change.
func alone(c *holdfast.Change, more uint32) {
	c.More = more
	c.Hash = c.Entry.CanonicalHash(c.Collection)
}

// standIn makes the collection that a change lies in, where its own entry is lost.
func (a *loading) standIn(c *holdfast.Change) (out []holdfast.Change) {
	need, typ := c.Collection, typeOf(c.Kind)
	if c.Kind == holdfast.KindCollection {
		r, err := holdfast.DecodeCollection(c.Body)
		if err != nil || r.Parent.IsZero() {
			return nil
		}
		need, typ = r.Parent, holdfast.TypeHome
	}
	if a.collections[need] != nil {
		return nil
	}
	e := a.entry(holdfast.KindCollection, need, "", holdfast.CollectionRecord{Parent: a.id, Name: standInName(need), Type: typ}.Encode())
	n := a.renumbered(a.change(e))
	a.note(&n)
	return []holdfast.Change{n}
}

func typeOf(k holdfast.Kind) holdfast.CollectionType {
	switch k {
	case holdfast.KindAddress:
		return holdfast.TypeAddressbook
	case holdfast.KindEvent, holdfast.KindTodo, holdfast.KindJournal, holdfast.KindFreeBusy, holdfast.KindAvailable:
		return holdfast.TypeCalendar
	case holdfast.KindReference:
		return holdfast.TypeAlbum
	}
	return holdfast.TypeFolder
}

// note remembers what a change says of collections and credentials, and derives its index.
func (a *loading) note(c *holdfast.Change) {
	a.derive(c)
	a.remember(c)
	if c.Kind == holdfast.KindCollection {
		k := a.collections[c.Collection]
		if k == nil {
			k = &holdfast.Collection{ID: c.Collection, Account: a.id}
			a.collections[c.Collection] = k
		}
		if k.Gone = c.Op == holdfast.OpDelete; !k.Gone {
			if r, err := holdfast.DecodeCollection(c.Body); err == nil {
				k.CollectionRecord, k.Properties = r, c.Properties
			}
		}
		return
	}
	if c.Kind == holdfast.KindAccount {
		if r, err := holdfast.DecodeAccount(c.Body); err == nil {
			a.email = r.Email
		}
	}
	if credential(c.Kind) && c.Collection == a.id {
		e := c.Entry
		a.held[c.Name] = &e
	}
}

// derive derives the index of an item.
func (a *loading) derive(c *holdfast.Change) {
	if k := a.collections[c.Collection]; c.Kind != holdfast.KindCollection && k != nil && c.Op == holdfast.OpPut && c.Blob == nil && !c.Pruned && a.r.o.Derive != nil {
		if x, ok := a.r.o.Derive(k, &holdfast.Resource{Account: a.id, Collection: c.Collection, Name: c.Name, Kind: c.Kind, ContentType: c.ContentType, Body: c.Body}); ok {
			c.Index = x
		}
	}
}

// credential tells whether the newest state of an item is kept whatever the moment that is restored.
func credential(k holdfast.Kind) bool { return k.Credential() && k != holdfast.KindEpoch }

// credentials finds the newest state of credentials, where less than the newest was restored.
func (a *loading) credentials(ctx context.Context) error {
	if a.content == a.newest && !a.ended && !a.broken {
		return nil
	}
	return a.newest.Changes(ctx, func(list []vault.Loaded) error {
		for i := range list {
			if c := &list[i]; credential(c.Kind) && c.Collection == a.id {
				e := c.Entry
				a.want[c.Name] = &e
			}
		}
		return nil
	})
}

// finish begins the restore's epoch, puts credentials as they are newest, and takes away what was not asked for.
func (a *loading) finish(ctx context.Context) error {
	why := "restored from " + a.r.rep.Vaults[0]
	if !a.r.o.At.IsZero() {
		why += " as of " + a.r.o.At.UTC().Format(time.RFC3339)
	}
	before := a.chain
	out := a.begin(why)
	for _, name := range slices.Sorted(maps.Keys(a.want)) {
		w, h := a.want[name], a.held[name]
		switch {
		case w.Op == holdfast.OpPut && (h == nil || h.Op != holdfast.OpPut || h.ETag != w.ETag):
			e := a.entry(w.Kind, a.id, name, w.Body)
			e.Properties = w.Properties
			out = append(out, a.renumbered(a.change(e)))
			if r, err := holdfast.DecodeAccount(w.Body); err == nil && w.Kind == holdfast.KindAccount {
				a.email = r.Email
			}
		case w.Op == holdfast.OpDelete && h != nil && h.Op == holdfast.OpPut:
			out = append(out, a.renumbered(a.change(a.deletion(w.Kind, a.id, name))))
		}
	}
	if h := a.held[holdfast.RecordTokenKey]; (h == nil || h.Op != holdfast.OpPut) && a.want[holdfast.RecordTokenKey] == nil {
		key := a.secret("token key")
		out = append(out, a.renumbered(a.change(a.entry(holdfast.KindTokenKey, a.id, holdfast.RecordTokenKey, key))))
	}
	more, err := a.without()
	if err != nil {
		return err
	}
	out = append(out, more...)
	a.chain = before
	a.rechain(out)
	return a.send(ctx, out, true)
}

// without deletes, softly, the collections beside the one that was asked for.
func (a *loading) without() (out []holdfast.Change, err error) {
	if a.r.o.Collection == "" {
		return nil, nil
	}
	keep, err := a.path(a.r.o.Collection)
	if err != nil {
		return nil, err
	}
	var gone []holdfast.ID
	for id, c := range a.collections {
		if c.Gone || c.Type.Fixed() || a.within(id, keep) || a.within(keep, id) {
			continue
		}
		gone = append(gone, id)
	}
	slices.SortFunc(gone, holdfast.ID.Compare)
	for _, id := range gone {
		out = append(out, a.renumbered(a.change(a.deletion(holdfast.KindCollection, id, ""))))
	}
	return out, nil
}

// path finds a collection by its path; one that is deleted too.
func (a *loading) path(path string) (holdfast.ID, error) {
	at := a.id
	for name := range splitPath(path) {
		found := holdfast.ID{}
		for id, c := range a.collections {
			if c.Parent == at && c.Name == name && (found.IsZero() || !c.Gone) {
				found = id
			}
		}
		if found.IsZero() {
			return at, fail("Run", holdfast.NotFound, path, "the account has no such collection; a path is like addressbooks/default", nil)
		}
		at = found
	}
	return at, nil
}

// within tells whether a collection lies in another, or is it.
func (a *loading) within(id, outer holdfast.ID) bool {
	for range len(a.collections) + 1 {
		if id == outer {
			return true
		}
		c := a.collections[id]
		if c == nil || c.Parent.IsZero() {
			return false
		}
		id = c.Parent
	}
	return false
}

// send passes changes on.
func (a *loading) send(ctx context.Context, list []holdfast.Change, last bool) error {
	p := &piece{account: a, changes: list, last: last}
	for i := range list {
		p.octets += len(list[i].Body)
	}
	select {
	case a.r.out <- p:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (a *loading) lose(l vault.Loss) {
	x := Loss{Account: a.email, Name: l.Name, SeqFrom: l.From, SeqTo: l.To, Time: l.Time.UTC(), Reason: l.Reason}
	if x.Account == "" {
		x.Account = a.id.String()
	}
	if c := a.collections[l.Collection]; c != nil {
		x.Collection = a.pathOf(l.Collection)
	}
	if l.Kind != 0 {
		x.Kind = l.Kind.String()
	}
	a.losses = append(a.losses, x)
}

func (a *loading) pathOf(id holdfast.ID) string {
	out := ""
	for range len(a.collections) {
		c := a.collections[id]
		if c == nil || c.Type == holdfast.TypeRoot {
			break
		}
		if out = c.Name + "/" + out; c.Parent.IsZero() {
			break
		}
		id = c.Parent
	}
	if out != "" {
		out = out[:len(out)-1]
	}
	return out
}

// entry makes an entry of the restore's own.
func (a *loading) entry(kind holdfast.Kind, collection holdfast.ID, name string, body []byte) holdfast.Entry {
	return holdfast.Entry{ID: a.own(), Op: holdfast.OpPut, Kind: kind, Collection: collection, Name: name, Body: body, At: a.r.o.Clock.Now()}
}

func (a *loading) deletion(kind holdfast.Kind, collection holdfast.ID, name string) holdfast.Entry {
	return holdfast.Entry{ID: a.own(), Op: holdfast.OpDelete, Kind: kind, Collection: collection, Name: name, At: a.r.o.Clock.Now()}
}

// change makes it a change, of a group of its own.
func (a *loading) change(e holdfast.Entry) holdfast.Change {
	g := holdfast.Group{Account: a.id, Entries: []holdfast.Entry{e}}
	g.Seal()
	return holdfast.Change{Entry: g.Entries[0], Account: a.id}
}

// own returns the next id of the restore's own: the same when it is run again, so that what is there is known again.
func (a *loading) own() (id holdfast.ID) {
	a.made++
	copy(id[:], a.secret(fmt.Sprint("entry ", a.made)))
	return id
}

// secret derives octets from the restore's nonce.
func (a *loading) secret(what string) []byte {
	m := hmac.New(sha256.New, a.r.o.Nonce[:])
	m.Write(a.id[:])
	m.Write(binary.BigEndian.AppendUint64(nil, uint64(len(what))))
	m.Write([]byte(what))
	return m.Sum(nil)
}

// splitPath yields the names of a path.
func splitPath(path string) iter.Seq[string] { return strings.SplitSeq(strings.Trim(path, "/"), "/") }
