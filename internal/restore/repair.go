package restore

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"slices"
	"strings"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/store"
	"holdfast/internal/vault"
)

// RepairOptions say what is repaired, out of which vaults.
type RepairOptions struct {
	Core       *core.Service
	Engine     store.Engine
	Vaults     []*vault.Vault
	Derive     store.Derive
	Spool      string
	Account    holdfast.ID // zero: all
	Collection string      // path, of that account; empty: all
	DryRun     bool
	Newest     bool // nothing of histories that were given up: what a restore would bring
	Log        *slog.Logger
	Found      func(Mended) // called with each thing that was wrong; nil: nobody
	Blobs      Blobs        // the store's own octets of large files; nil: they are not looked at

	foreign func(seq uint64, chain holdfast.Hash) // called with each change that is not of the engine's own history
}

// Mended is something that was missing or damaged.
type Mended struct {
	Account    string        `json:"account"`
	Collection string        `json:"collection,omitempty"`
	Name       string        `json:"name,omitempty"`
	Kind       string        `json:"kind,omitempty"`
	ETag       holdfast.Hash `json:"etag"`
	What       string        `json:"what"` // missing, damaged
	Done       bool          `json:"done"`
	Why        string        `json:"why,omitempty"`   // it was not
	Ghost      bool          `json:"ghost,omitempty"` // nobody has its octets: it is listed to the devices that may have it
}

// RepairReport tells what a repair did.
type RepairReport struct {
	Vaults   []string       `json:"vaults"`
	Accounts int            `json:"accounts"`
	Items    int64          `json:"items"` // that were compared
	Missing  int64          `json:"missing"`
	Damaged  int64          `json:"damaged"`
	Mended   int64          `json:"mended"`
	Left     int64          `json:"left"` // that could not be mended
	Damage   []vault.Damage `json:"damage"`
}

// Repair brings into a living store what it lacks: items that it never had, as after a restore with losses, and those whose octets in it are damaged. What somebody has changed or deleted stays as it is: the store's journal knows the item. Histories that were given up count too, see docs/design/0026. All of it are
// ordinary changes, and no epoch begins. An account that is missing as a whole is applied as it was. It can be run again.
//
// Memory grows with the number of items of the largest account, not with their octets. Errors: NotFound (no such account, or collection), Unavailable, Full.
func Repair(ctx context.Context, o RepairOptions) (*RepairReport, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Found == nil {
		o.Found = func(Mended) {}
	}
	rep := &RepairReport{Damage: []vault.Damage{}}
	for _, v := range o.Vaults {
		rep.Vaults = append(rep.Vaults, v.Place().String())
	}
	r, err := vault.NewReader(ctx, o.Vaults, vault.ReadOptions{Spool: o.Spool, Account: o.Account})
	if err != nil {
		return rep, err
	}
	defer r.Close()
	err = r.Accounts(ctx, func(h *vault.History) error {
		rep.Accounts++
		m := &mending{o: &o, rep: rep, h: h, id: h.Account}
		return m.run(ctx)
	})
	rep.Damage = append(rep.Damage, r.Damage()...)
	if err == nil && rep.Accounts > 0 {
		err = repairFiles(ctx, &o, rep)
	}
	if err == nil && rep.Accounts == 0 {
		err = fail("Repair", holdfast.NotFound, "", "the vault has no such account", nil)
	}
	return rep, err
}

// mending is an account under repair.
type mending struct {
	o     *RepairOptions
	rep   *RepairReport
	h     *vault.History
	id    holdfast.ID
	email string

	erased  bool               // on purpose: nothing of it comes back
	newest  map[itemKey]newest // as the vaults have it
	tree    map[holdfast.ID]*holdfast.Collection
	damaged map[itemKey]damaged    // in the engine
	want    map[holdfast.ID]wanted // by the entry that is to be put
	told    map[itemKey]bool       // what was found missing already
	ghosts  map[itemKey]bool       // what is to become a ghost
	left    []span                 // what was left out on purpose
	queue   []waiting              // for the next group
	queued  int                    // octets of it
}

type newest struct {
	id   holdfast.ID // of the entry
	etag holdfast.Hash
	live bool

	pruned bool // its octets were let go of
}

// damaged is an item whose octets in the engine are not those that its change says.
type damaged struct {
	seq   uint64
	etag  holdfast.Hash
	kind  holdfast.Kind
	found bool // a vault has it
}

// wanted is what is to be put.
type wanted struct {
	key      itemKey
	replaces uint64 // the change in the engine whose item it takes the place of; 0: there is none
	what     string // was wrong with it: missing, damaged

	nowhere *holdfast.Entry // what is known of it, where no vault was met so far that has its octets
	lost    bool            // none has them
}

// errEnough ends a listing early.
var errEnough = errors.New("enough")

func (m *mending) run(ctx context.Context) error {
	m.newest, m.tree, m.damaged, m.want = map[itemKey]newest{}, map[holdfast.ID]*holdfast.Collection{}, map[itemKey]damaged{}, map[holdfast.ID]wanted{}
	m.told, m.ghosts = map[itemKey]bool{}, map[itemKey]bool{}
	there, err := m.known(ctx)
	if err != nil || m.erased {
		return err
	}
	if there {
		if err := m.examine(ctx); err != nil {
			return err
		}
		if m.left, err = m.leftOut(ctx); err != nil {
			return err
		}
	}
	if err := m.h.Changes(ctx, m.learn); err != nil {
		return err
	}
	if there {
		err = m.newestOf(ctx)
	} else {
		there, err = m.whole(ctx)
	}
	if err != nil || !there {
		return err
	}
	return m.former(ctx)
}

// newestOf brings in what the newest history has.
func (m *mending) newestOf(ctx context.Context) error {
	if err := m.compare(ctx); err != nil {
		return err
	}
	for key, d := range m.damaged {
		if !d.found {
			m.tell(key, d.kind, d.etag, "damaged", errors.New("no vault that was given has this version"))
		}
	}
	return m.bring(ctx, m.h.Changes)
}

// bring puts what is wanted, out of what each hands over: collections first.
func (m *mending) bring(ctx context.Context, each func(context.Context, func([]vault.Loaded) error) error) error {
	if len(m.want) == 0 {
		return nil
	}
	if err := m.collections(ctx, each); err != nil {
		return err
	}
	if err := m.flush(ctx); err != nil {
		return err
	}
	if err := each(ctx, func(list []vault.Loaded) error { return m.put(ctx, list) }); err != nil {
		return err
	}
	if err := m.haunt(ctx); err != nil {
		return err
	}
	return m.flush(ctx)
}

// known tells whether the engine has the account; one that was erased, and that an old vault has still, it does not want back.
func (m *mending) known(ctx context.Context) (bool, error) {
	snap, err := m.o.Engine.Snapshot(ctx)
	if err != nil {
		return false, err
	}
	defer snap.Close()
	if m.erased, err = snap.Erased(m.id); err != nil || m.erased {
		return false, err
	}
	a, err := snap.Account(m.id)
	if holdfast.IsKind(err, holdfast.NotFound) {
		return false, nil
	}
	m.email = a.Email
	return err == nil, err
}

// pageOfItems bounds what is read in one snapshot.
const pageOfItems = 500

// examine finds the live items whose octets in the engine are damaged.
func (m *mending) examine(ctx context.Context) error {
	var all []holdfast.Collection
	err := m.look(ctx, func(snap store.Snapshot) (err error) { all, err = snap.Collections(m.id); return err })
	for i := range all {
		c := &all[i]
		if m.tree[c.ID] = c; c.Gone {
			continue
		}
		for after, more := "", true; more && err == nil; {
			n := 0
			err = m.look(ctx, func(snap store.Snapshot) error {
				return snap.List(c.ID, after, pageOfItems, 0, func(r *holdfast.Resource) error {
					n, after = n+1, strings.Clone(r.Name)
					if r.State == holdfast.Ghost {
						m.damaged[itemKey{c.ID, after}] = damaged{seq: r.Seq, etag: r.ETag, kind: r.Kind}
						return nil
					}
					whole, err := snap.Resource(c.ID, after, store.WithBody) // by itself: one that cannot be read hides no other
					if err != nil && !holdfast.IsKind(err, holdfast.Corrupt) {
						return err
					}
					if err != nil || whole.Blob == nil && holdfast.Hash(sha256.Sum256(whole.Body)) != r.ETag {
						m.damaged[itemKey{c.ID, after}] = damaged{seq: r.Seq, etag: r.ETag, kind: r.Kind}
					}
					return nil
				})
			})
			more = n == pageOfItems
		}
	}
	return err
}

// look runs fn over a snapshot.
func (m *mending) look(ctx context.Context, fn func(store.Snapshot) error) error {
	snap, err := m.o.Engine.Snapshot(ctx)
	if err != nil {
		return err
	}
	defer snap.Close()
	return fn(snap)
}

// learn notes what the vaults have.
func (m *mending) learn(list []vault.Loaded) error {
	for i := range list {
		c := &list[i]
		key := itemKey{c.Collection, c.Name}
		if !m.leftOutOnPurpose(c) {
			m.newest[key] = newest{c.ID, c.ETag, c.Op == holdfast.OpPut && c.Kind != holdfast.KindEpoch, c.Pruned}
		}
		if d, ok := m.damaged[key]; ok && c.Op == holdfast.OpPut && c.ETag == d.etag && !c.Pruned {
			d.found = true
			m.damaged[key] = d
			m.want[c.ID] = wanted{key: key, replaces: d.seq, what: "damaged"}
			for id, w := range m.want { // one version is enough
				if w.key == key && id != c.ID {
					delete(m.want, id)
				}
			}
		}
		if r, err := holdfast.DecodeAccount(c.Body); err == nil && c.Kind == holdfast.KindAccount && m.email == "" {
			m.email = r.Email
		}
		m.learnCollection(c)
	}
	return nil
}

// learnCollection notes where a collection lies, and what it is, unless the engine knows it.
func (m *mending) learnCollection(c *vault.Loaded) {
	if old := m.tree[c.Collection]; c.Kind != holdfast.KindCollection || old != nil && old.Seq > 0 { // the engine knows better
		return
	}
	k := &holdfast.Collection{ID: c.Collection, Account: m.id, Gone: c.Op != holdfast.OpPut}
	if r, err := holdfast.DecodeCollection(c.Body); err == nil && !k.Gone {
		k.CollectionRecord, k.Properties = r, c.Properties
	}
	m.tree[c.Collection] = k
}

// compare finds what the vaults have and the engine never had.
func (m *mending) compare(ctx context.Context) error {
	var keys []itemKey
	for key, n := range m.newest {
		if n.live && m.inside(key.collection) {
			keys = append(keys, key)
		}
	}
	m.rep.Items += int64(len(keys))
	if len(keys) == 0 && m.o.Collection != "" {
		return fail("Repair", holdfast.NotFound, m.o.Collection, "the account has nothing there; a path is like addressbooks/default", nil)
	}
	for part := range slices.Chunk(keys, pageOfItems) {
		if err := m.look(ctx, func(snap store.Snapshot) error {
			for _, key := range part {
				had, err := hadOnce(snap, key)
				if err != nil {
					return err
				}
				if !had {
					m.want[m.newest[key].id] = wanted{key: key, what: "missing"}
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return m.standIns(ctx)
}

// standIns finds what an earlier restore made in the place of records that it could not read, and the vaults can: those of the account, its key for tokens, and collections.
func (m *mending) standIns(ctx context.Context) error {
	keys := []itemKey{{m.id, holdfast.RecordAccount}, {m.id, holdfast.RecordTokenKey}}
	for id := range m.tree {
		keys = append(keys, itemKey{id, ""})
	}
	keys = slices.DeleteFunc(keys, func(key itemKey) bool { return !m.isStandIn(key) })
	return m.look(ctx, func(snap store.Snapshot) error {
		for _, key := range keys {
			n, ok := m.newest[key]
			if !ok || !n.live || !m.inside(key.collection) {
				continue
			}
			r, err := snap.Resource(key.collection, key.name, 0)
			if err != nil {
				return err
			}
			if r.ETag != n.etag {
				m.want[n.id] = wanted{key: key, replaces: r.Seq, what: "missing"}
			}
		}
		return nil
	})
}

// isStandIn tells whether a record is one that a restore made in the place of a lost one.
func (m *mending) isStandIn(key itemKey) bool {
	if key.name != "" {
		return m.email == standInLogin(m.id) && key.collection == m.id && (key.name == holdfast.RecordAccount || key.name == holdfast.RecordTokenKey)
	}
	c := m.tree[key.collection]
	return c != nil && !c.Gone && c.Seq > 0 && c.Name == standInName(key.collection)
}

// hadOnce tells whether the engine's journal knows an item.
func hadOnce(snap store.Snapshot, key itemKey) (bool, error) {
	err := snap.Versions(key.collection, key.name, 0, func(*holdfast.Change) error { return errEnough })
	if err == errEnough {
		return true, nil
	}
	if holdfast.IsKind(err, holdfast.NotFound) {
		err = nil
	}
	return false, err
}

// inside tells whether a collection is there, and among those that are to be repaired.
func (m *mending) inside(id holdfast.ID) bool {
	path := "/"
	for range len(m.tree) + 1 {
		c := m.tree[id]
		switch {
		case c == nil || c.Gone:
			return false
		case id == m.id:
			return m.o.Collection == "" || strings.HasPrefix(path, "/"+strings.Trim(m.o.Collection, "/")+"/")
		}
		path, id = "/"+c.Name+path, c.Parent
	}
	return false
}

// collections puts the records of collections that are missing, parents first.
func (m *mending) collections(ctx context.Context, each func(context.Context, func([]vault.Loaded) error) error) error {
	var list []*vault.Loaded
	found := map[holdfast.ID]bool{}
	if err := each(ctx, func(part []vault.Loaded) error {
		for i := range part {
			if c := &part[i]; c.Kind == holdfast.KindCollection && !found[c.ID] && m.want[c.ID].key == (itemKey{c.Collection, c.Name}) {
				list, found[c.ID] = append(list, c), true
			}
		}
		return nil
	}); err != nil {
		return err
	}
	depth := func(id holdfast.ID) (n int) {
		for c := m.tree[id]; c != nil && n <= len(m.tree) && c.ID != m.id; c = m.tree[c.Parent] {
			n++
		}
		return n
	}
	slices.SortStableFunc(list, func(a, b *vault.Loaded) int { return depth(a.Collection) - depth(b.Collection) })
	for _, c := range list {
		if err := m.mend(ctx, &c.Entry, m.want[c.ID]); err != nil {
			return err
		}
	}
	return nil
}

// put puts what is wanted of a part of the history.
func (m *mending) put(ctx context.Context, list []vault.Loaded) error {
	for i := range list {
		c := &list[i]
		w, ok := m.want[c.ID]
		if !ok || c.Kind == holdfast.KindCollection || w.key != (itemKey{c.Collection, c.Name}) {
			continue
		}
		if c.Pruned { // another vault may have it
			w.nowhere = strip(&c.Entry)
			m.want[c.ID] = w
			continue
		}
		if c.Blob != nil {
			if err := m.putFile(ctx, &c.Entry, w); err != nil {
				return err
			}
			continue
		}
		delete(m.want, c.ID)
		if k := m.tree[c.Collection]; k != nil && m.o.Derive != nil {
			if x, ok := m.o.Derive(k, &holdfast.Resource{Account: m.id, Collection: c.Collection, Name: c.Name, Kind: c.Kind, ContentType: c.ContentType, Body: c.Body}); ok {
				c.Index = x
			}
		}
		if err := m.mend(ctx, &c.Entry, w); err != nil {
			return err
		}
	}
	return nil
}

// tell reports one thing that was wrong; err is why it was not mended.
func (m *mending) tell(key itemKey, kind holdfast.Kind, etag holdfast.Hash, what string, err error) {
	m.told[key] = true
	if what == "damaged" {
		m.rep.Damaged++
	} else {
		m.rep.Missing++
	}
	x := Mended{Account: m.email, Collection: m.pathOf(key.collection), Name: key.name, Kind: kind.String(), ETag: etag, What: what, Done: err == nil && !m.o.DryRun, Ghost: m.ghosts[key] && err == nil}
	if x.Account == "" {
		x.Account = m.id.String()
	}
	var e *holdfast.Error
	switch {
	case errors.As(err, &e) && e.Text != "":
		x.Why = e.Text
	case err != nil:
		x.Why = err.Error()
	}
	if x.Done {
		m.rep.Mended++
	} else if err != nil {
		m.rep.Left++
	}
	m.o.Found(x)
}

func (m *mending) pathOf(id holdfast.ID) string {
	var names []string
	for c := m.tree[id]; c != nil && c.ID != m.id && len(names) <= len(m.tree); c = m.tree[c.Parent] {
		names = append(names, c.Name)
	}
	slices.Reverse(names)
	return strings.Join(names, "/")
}
