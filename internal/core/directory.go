package core

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"slices"
	"strings"
	"sync"
	"time"

	"holdfast"
	"holdfast/internal/store"
	"holdfast/internal/store/asof"
)

// Person is what a request needs to know of an account before it touches the store: its record, its devices, its token key, and where its
// collections hang. It is shared and must not be changed.
type Person struct {
	holdfast.Account
	Devices  []holdfast.DeviceRecord // live ones
	logins   []string                // those it has or had
	tokenKey []byte
	tree     map[holdfast.ID]holdfast.Collection // live ones; only what their own entries say, not their counts
	paths    map[pathKey]holdfast.ID
	shares   map[string]share                       // that it gives, by holdfast.ShareName
	given    map[holdfast.ID]map[holdfast.ID]Access // what they let whom do where, by guest and collection
	newest   *Person                                // the account as it is now, where this is how it is shown; nil: they are one
	bindings map[holdfast.ID]binding                // of others' collections, by collection
	hangs    map[pathKey]holdfast.ID                // the collections that are bound, by home and name
	epochs   []begun                                // when each epoch but the first began
	written  map[holdfast.ID]uint64                 // the change that wrote each device's record last
}

type pathKey struct {
	parent holdfast.ID
	name   string
}

// DeviceBySecret returns the device whose app password has this SHA-256.
func (p *Person) DeviceBySecret(secret holdfast.Hash) (holdfast.DeviceRecord, bool) {
	return bySecret(p.Devices, secret)
}

func bySecret(devices []holdfast.DeviceRecord, secret holdfast.Hash) (holdfast.DeviceRecord, bool) {
	for _, d := range devices {
		if d.Secret == secret { // of random secrets: comparing hashes in variable time tells nothing that helps
			return d, true
		}
	}
	return holdfast.DeviceRecord{}, false
}

// names tells whether a path segment means this account: its immutable id, a login that it has or had, or the part of such a login before the "@", which is what
// other servers call a user. Nothing is looked up, so that the answer comes as fast for an account that exists as for one that does not.
func (p *Person) names(segment string) bool {
	if id, err := holdfast.ParseID(segment); err == nil {
		return id == p.ID
	}
	if local, err := holdfast.ParseLocalPart(segment); err == nil {
		return slices.ContainsFunc(p.logins, func(login string) bool { return strings.HasPrefix(login, local+"@") })
	}
	login, err := holdfast.ParseLogin(segment)
	return err == nil && slices.Contains(p.logins, login)
}

// Key derives a secret of 32 octets that belongs to this account and to one purpose, from the account's token key: it is the same after a restart and a restore,
// and tells nothing about the secrets of other purposes.
func (p *Person) Key(purpose string) []byte {
	m := hmac.New(sha256.New, p.tokenKey)
	m.Write([]byte("holdfast key for\n" + purpose))
	return m.Sum(nil)
}

// Person returns an account as signing in needs it, by id, login or former login. Errors: NotFound.
func (s *Service) Person(ctx context.Context, ref string) (*Person, error) { return s.person(ctx, ref) }

// directory caches persons, so that a request costs no query to know who asks. It is dropped entry by entry when a commit touches a credential; gen
// keeps a load that began before such a commit from being kept after it.
type directory struct {
	mu     sync.Mutex
	gen    uint64
	max    int
	people map[holdfast.ID]cached
	logins map[string]holdfast.ID
	locals map[string]namesakes

	devices map[holdfast.ID]cachedNamesake // of those that locals lead to
}

type cached struct {
	p      *Person
	loaded time.Time
}

func (d *directory) init(max int) {
	d.max, d.people, d.logins = max, map[holdfast.ID]cached{}, map[string]holdfast.ID{}
	d.locals, d.devices = map[string]namesakes{}, map[holdfast.ID]cachedNamesake{}
}

func (d *directory) get(ref string, now time.Time, ttl time.Duration) (*Person, uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	id, ok := d.logins[ref]
	if !ok {
		return nil, d.gen
	}
	c, ok := d.people[id]
	if age := now.Sub(c.loaded); !ok || age > ttl || age < 0 {
		return nil, d.gen
	}
	return c.p, d.gen
}

// generation counts what was dropped. What was read since may be kept by put.
func (d *directory) generation() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.gen
}

func (d *directory) put(ref string, p *Person, now time.Time, gen uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if gen != d.gen {
		return
	}
	if len(d.people) >= d.max || len(d.logins) >= 4*d.max { // rare: forget everything rather than keep an order
		clear(d.people)
		clear(d.logins)
	}
	d.people[p.ID] = cached{p, now}
	d.logins[ref] = p.ID
}

func (d *directory) drop(id holdfast.ID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.gen++
	delete(d.people, id)
	delete(d.devices, id)
}

func (s *Service) person(ctx context.Context, ref string) (*Person, error) {
	now := s.clock.Now()
	p, gen := s.dir.get(ref, now, s.limits.DirectoryTTL)
	if p != nil {
		return p, nil
	}
	s.begin()
	snap, err := s.engine.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer snap.Close()
	p, keep, err := s.find(ctx, snap, ref)
	if err != nil {
		return nil, err
	}
	if keep {
		s.dir.put(ref, p, now, gen)
	}
	return p, nil
}

// find loads the account that an id, a login or a former login means, as far as it is acknowledged; keep is loadShown's. Errors: NotFound, Unavailable.
func (s *Service) find(ctx context.Context, snap store.Snapshot, ref string) (p *Person, keep bool, err error) {
	id, err := idOf(snap, ref)
	if err != nil {
		return nil, false, err
	}
	if err := s.awaitShown(ctx, snap, []holdfast.ID{id}); err != nil {
		return nil, false, err
	}
	cut := s.cut(snap)
	if _, err = idOf(cut, ref); err == nil {
		p, keep, err = loadShown(cut, id)
	}
	if v, ok := cut.(*asof.View); ok && holdfast.IsKind(err, holdfast.NotFound) {
		if hides, e := v.Hides(id); e != nil || hides { // it is there, and a 401 or 404 would say that it is not
			err = cmp.Or(e, fail("Account", holdfast.Unavailable, ref, "this account has not reached every copy that it must reach; try again"))
		}
	}
	return p, keep, err
}

// idOf finds the account that an id, a login or a former login means. Errors: NotFound.
func idOf(snap store.Snapshot, ref string) (holdfast.ID, error) {
	if id, err := holdfast.ParseID(ref); err == nil {
		return id, nil
	}
	login, err := holdfast.ParseLogin(ref)
	if err != nil {
		return holdfast.ID{}, fail("Account", holdfast.NotFound, ref, err.Error())
	}
	return snap.AccountByLogin(login)
}

// loadShown loads an account as a snapshot shows it. keep tells that it may be remembered: it is the newest, too. Otherwise nothing lets anybody in that was ended since.
func loadShown(snap store.Snapshot, id holdfast.ID) (p *Person, keep bool, err error) {
	newest, err := behind(snap, id)
	if err == nil {
		p, err = loadPerson(snap, id)
	}
	if err != nil || newest == nil {
		return p, err == nil, err
	}
	now, err := loadPerson(newest, id)
	if err != nil {
		return nil, false, err
	}
	p.restrict(now)
	return p, false, nil
}

// restrict takes from an account, as it was, the rights that it does not give any more. That a right was ended counts at once, acknowledged or not; that one was given counts when it
// is acknowledged. The password of the pages is the newest: an older one was given up, maybe because somebody else knows it.
func (p *Person) restrict(now *Person) {
	p.Devices = stillThere(p.Devices, now.Devices)
	if p.Password = now.Password; now.State != holdfast.Active {
		p.State = now.State
	}
	for name, x := range p.shares {
		if y, ok := now.shares[name]; !ok {
			delete(p.shares, name)
		} else if y.Rights != holdfast.RightWrite {
			x.Rights = y.Rights
			p.shares[name] = x
		}
	}
	p.newest = now // what was moved out of a shared folder is out of it
	p.give()
}

// stillThere returns those of the devices whose app password is a device's now.
func stillThere(were, now []holdfast.DeviceRecord) []holdfast.DeviceRecord {
	return slices.DeleteFunc(were, func(d holdfast.DeviceRecord) bool {
		return !slices.ContainsFunc(now, func(x holdfast.DeviceRecord) bool { return x.ID == d.ID && x.Secret == d.Secret })
	})
}

func loadPerson(snap store.Snapshot, id holdfast.ID) (_ *Person, err error) {
	p := &Person{}
	if p.Account, err = snap.Account(id); err != nil {
		return nil, err
	}
	if err = p.loadLogins(snap); err != nil {
		return nil, err
	}
	key, err := snap.Resource(id, holdfast.RecordTokenKey, WithBody)
	if err != nil {
		return nil, err
	}
	p.tokenKey = append([]byte(nil), key.Body...)
	p.shares, p.bindings, p.written = map[string]share{}, map[holdfast.ID]binding{}, map[holdfast.ID]uint64{}
	err = snap.List(id, "", 0, WithBody|WithProps, func(r *holdfast.Resource) error {
		if err := p.loadRecord(r); err != nil {
			return &holdfast.Error{Op: "core.Person", Kind: holdfast.Corrupt, Ref: r.Name, Err: err}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	p.give()
	if err = p.loadTree(snap); err != nil {
		return nil, err
	}
	return p, p.hang(snap)
}

// loadRecord takes in one record of the account's root.
func (p *Person) loadRecord(r *holdfast.Resource) error {
	switch r.Kind {
	case holdfast.KindDevice:
		d, err := holdfast.DecodeDevice(r.Body)
		p.Devices, p.written[d.ID] = append(p.Devices, d), r.Seq
		return err
	case holdfast.KindEpoch:
		p.epochs = append(p.epochs, begun{r.Seq, r.Modified})
	case holdfast.KindShare:
		x, err := holdfast.DecodeShare(r.Body)
		p.shares[holdfast.ShareName(x.Collection, x.Guest)] = share{x, r.ETag}
		return err
	case holdfast.KindBinding:
		b, err := holdfast.DecodeBinding(r.Body)
		p.bindings[b.Collection] = binding{BindingRecord: b, properties: r.Properties, seq: r.Seq}
		return err
	}
	return nil
}

// loadLogins reads from the history of the account's record what it was ever called.
func (p *Person) loadLogins(snap store.Snapshot) error {
	p.logins = []string{p.Email}
	return snap.Versions(p.ID, holdfast.RecordAccount, WithBody, func(c *holdfast.Change) error {
		if c.Op != holdfast.OpPut {
			return nil
		}
		rec, err := holdfast.DecodeAccount(c.Body)
		if err != nil {
			return &holdfast.Error{Op: "core.Person", Kind: holdfast.Corrupt, Ref: p.ID.String(), Err: err}
		}
		if !slices.Contains(p.logins, rec.Email) {
			p.logins = append(p.logins, rec.Email)
		}
		return nil
	})
}

// loadTree reads what can be reached from the root: what lies below a deleted collection is as gone as that. A copy under way is left out.
func (p *Person) loadTree(snap store.Snapshot) error {
	all, err := snap.Collections(p.ID)
	if err != nil {
		return err
	}
	cs := reachable(p.ID, all, false)
	p.tree, p.paths = make(map[holdfast.ID]holdfast.Collection, len(cs)), make(map[pathKey]holdfast.ID, len(cs))
	for _, c := range cs {
		p.tree[c.ID] = c
		p.paths[pathKey{c.Parent, c.Name}] = c.ID
	}
	return nil
}

// reachable returns the live collections that hang from the root by live ones: the root, then parents before children. Copies under way hang directly
// below the root, where nothing but homes stands else; they are left out unless hidden is set.
func reachable(root holdfast.ID, all []holdfast.Collection, hidden bool) []holdfast.Collection {
	out := make([]holdfast.Collection, 0, len(all))
	byParent := make(map[holdfast.ID][]holdfast.Collection, len(all))
	for _, c := range all {
		switch {
		case c.Gone:
		case c.ID == root:
			out = append(out, c)
		case c.Parent != root || c.Type == holdfast.TypeHome || hidden:
			byParent[c.Parent] = append(byParent[c.Parent], c)
		}
	}
	for i := 0; i < len(out); i++ {
		out = append(out, byParent[out[i].ID]...)
	}
	return out
}

// below returns the live collections that hang from one by live ones, without that, parents before children.
func below(top holdfast.ID, all []holdfast.Collection) (out []holdfast.Collection) {
	byParent := make(map[holdfast.ID][]holdfast.Collection, len(all))
	for _, c := range all {
		if !c.Gone && c.ID != top {
			byParent[c.Parent] = append(byParent[c.Parent], c)
		}
	}
	out = append(out, byParent[top]...)
	for i := 0; i < len(out); i++ {
		out = append(out, byParent[out[i].ID]...)
	}
	return out
}

// walk follows names from the root as far as collections go.
func (p *Person) walk(names []string) (c holdfast.Collection, rest []string) {
	c = p.tree[p.ID]
	for i, n := range names {
		id, ok := p.paths[pathKey{c.ID, n}]
		if !ok {
			return c, names[i:]
		}
		c = p.tree[id]
	}
	return c, nil
}
