package memory

import (
	"context"
	"maps"
	"slices"
	"strings"

	"holdfast"
	"holdfast/internal/store"
)

// snapshot is the moment after a batch: of each account, it sees the changes that were committed with that batch or before.
type snapshot struct {
	*Engine
	batch uint64
}

var _ store.Snapshot = (*snapshot)(nil)

// Snapshot implements [store.Engine].
func (e *Engine) Snapshot(ctx context.Context) (store.Snapshot, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.usable(ctx, "Snapshot"); err != nil {
		return nil, err
	}
	return &snapshot{e, e.position().Batch}, nil
}

// Close implements [store.Snapshot]. There is nothing to let go.
func (s *snapshot) Close() {}

func missing(op, ref string) error {
	return store.Err(op, holdfast.NotFound, ref, "There is no such thing here.")
}

// account returns the account as the snapshot sees it.
func (s *snapshot) account(op string, id holdfast.ID) (view, error) {
	if a := s.accounts[id]; a != nil {
		if v := s.see(a); v.at > 0 {
			return v, nil
		}
	}
	return view{}, missing(op, id.String())
}

// see cuts the account at the snapshot's batch.
func (s *snapshot) see(a *account) view {
	n, _ := slices.BinarySearchFunc(a.changes, s.batch, func(v *version, batch uint64) int {
		if v.batch <= batch {
			return -1
		}
		return 1
	})
	return view{a, uint64(n)}
}

// collection returns a collection, gone or not, and its account, both as the snapshot sees them.
func (s *snapshot) collection(op string, id holdfast.ID) (view, *collection, error) {
	if a := s.owners[id]; a != nil {
		v := s.see(a)
		if c := v.exists(id); c != nil {
			return v, c, nil
		}
	}
	return view{}, nil, missing(op, id.String())
}

// collectionAt is collection as of an earlier seq; 0: the snapshot's own moment.
func (s *snapshot) collectionAt(op string, id holdfast.ID, seq uint64) (view, *collection, error) {
	v, c, err := s.collection(op, id)
	if err != nil || seq == 0 {
		return v, c, err
	}
	if seq > v.at {
		return view{}, nil, missing(op, id.String())
	}
	v.at = seq
	if v.exists(id) == nil {
		return view{}, nil, missing(op, id.String())
	}
	return v, c, nil
}

// AccountByLogin implements [store.Directory].
func (s *snapshot) AccountByLogin(login string) (holdfast.ID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.logins[login]
	if !ok || c.batch > s.batch {
		return holdfast.ID{}, missing("AccountByLogin", login)
	}
	return c.account, nil
}

// AccountsByLocalPart implements [store.Directory].
func (s *snapshot) AccountsByLocalPart(local string, limit int) ([]holdfast.ID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []holdfast.ID
	for _, login := range slices.Sorted(maps.Keys(s.logins)) {
		if c := s.logins[login]; len(out) < limit && c.batch <= s.batch && strings.HasPrefix(login, local+"@") {
			out = append(out, c.account)
		}
	}
	return out, nil
}

// Account implements [store.Directory].
func (s *snapshot) Account(id holdfast.ID) (holdfast.Account, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, err := s.account("Account", id)
	if err != nil {
		return holdfast.Account{}, err
	}
	return v.person(), nil
}

// person returns the account as the world sees it.
func (v view) person() holdfast.Account {
	record, _ := holdfast.DecodeAccount(v.item(v.collections[v.id], holdfast.RecordAccount).Body) // judged in its commit
	return holdfast.Account{AccountRecord: record, ID: v.id, Epoch: v.head().Epoch, Seq: v.at}
}

// Accounts implements [store.Directory]; limit 0 means all.
func (s *snapshot) Accounts(after holdfast.ID, limit int) ([]holdfast.Account, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []holdfast.Account
	for _, id := range slices.SortedFunc(maps.Keys(s.accounts), holdfast.ID.Compare) {
		v := s.see(s.accounts[id])
		if v.at == 0 || id.Compare(after) <= 0 {
			continue
		}
		if out = append(out, v.person()); len(out) == limit {
			break
		}
	}
	return out, nil
}

// Sightings implements [store.Directory]. They lie beside the journal and are always the newest.
func (s *snapshot) Sightings(account holdfast.ID) ([]holdfast.Sighting, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []holdfast.Sighting
	for key, seen := range s.seen {
		if key.account == account {
			out = append(out, seen)
		}
	}
	slices.SortFunc(out, func(a, b holdfast.Sighting) int {
		if c := a.Collection.Compare(b.Collection); c != 0 {
			return c
		}
		return a.Device.Compare(b.Device)
	})
	return out, nil
}

// Ghosts implements [store.Directory].
func (s *snapshot) Ghosts(account holdfast.ID) (n int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !account.IsZero() {
		v, err := s.account("Ghosts", account)
		if err != nil {
			return 0, err
		}
		return v.ghosts(), nil
	}
	for id := range s.accounts {
		if v, err := s.account("Ghosts", id); err == nil {
			n += v.ghosts()
		}
	}
	return n, nil
}

// Collections implements [store.Tree].
func (s *snapshot) Collections(account holdfast.ID) ([]holdfast.Collection, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, err := s.account("Collections", account)
	if err != nil {
		return nil, err
	}
	var out []holdfast.Collection
	for _, c := range v.all() {
		out = append(out, v.describe(c))
	}
	return out, nil
}

// Collection implements [store.Tree].
func (s *snapshot) Collection(id holdfast.ID) (holdfast.Collection, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, c, err := s.collection("Collection", id)
	if err != nil {
		return holdfast.Collection{}, err
	}
	return v.describe(c), nil
}

// Child implements [store.Tree].
func (s *snapshot) Child(parent holdfast.ID, name string) (holdfast.Collection, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, p, err := s.collection("Child", parent)
	if err != nil {
		return holdfast.Collection{}, err
	}
	if v.live(p, "") != nil {
		if c := v.child(parent, name); c != nil {
			return v.describe(c), nil
		}
	}
	return holdfast.Collection{}, missing("Child", name)
}

// Resource implements [store.Tree].
func (s *snapshot) Resource(id holdfast.ID, name string, f store.Fields) (holdfast.Resource, error) {
	r, err := s.resource("Resource", id, name, 0, f)
	if haunt(&r); err == nil && r.State == holdfast.Ghost && f&store.WithBody != 0 {
		return holdfast.Resource{}, store.Hollow("Resource", name)
	}
	return r, err
}

// ResourceAt implements [store.History]; seq 0 means now.
func (s *snapshot) ResourceAt(id holdfast.ID, name string, seq uint64, f store.Fields) (holdfast.Resource, error) {
	return s.resource("ResourceAt", id, name, seq, f)
}

func (s *snapshot) resource(op string, id holdfast.ID, name string, seq uint64, f store.Fields) (holdfast.Resource, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, c, err := s.collectionAt(op, id, seq)
	if err != nil {
		return holdfast.Resource{}, err
	}
	it := v.live(c, name)
	if it == nil {
		return holdfast.Resource{}, missing(op, name)
	}
	return *it.resource(f), nil
}

// ByUID implements [store.Tree].
func (s *snapshot) ByUID(id holdfast.ID, uid string) (holdfast.Resource, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, c, err := s.collection("ByUID", id)
	if err != nil {
		return holdfast.Resource{}, err
	}
	it := v.byUID(c, uid)
	if it == nil {
		return holdfast.Resource{}, missing("ByUID", uid)
	}
	return *it.resource(0), nil
}

// List implements [store.Tree].
func (s *snapshot) List(id holdfast.ID, after string, limit int, f store.Fields, fn func(*holdfast.Resource) error) error {
	items, err := s.gather("List", id, 0, func(v view, c *collection) []*version { return v.list(c, after) })
	if err != nil {
		return err
	}
	return handNow(cut(items, limit), f, fn)
}

// Between implements [store.Tree].
func (s *snapshot) Between(id holdfast.ID, from, to int64, f store.Fields, fn func(*holdfast.Resource) error) error {
	items, err := s.gather("Between", id, 0, func(v view, c *collection) []*version { return v.between(c, from, to) })
	if err != nil {
		return err
	}
	return handNow(items, f, fn)
}

// ListAt implements [store.History]; seq 0 means now.
func (s *snapshot) ListAt(id holdfast.ID, seq uint64, f store.Fields, fn func(*holdfast.Resource) error) error {
	items, err := s.gather("ListAt", id, seq, func(v view, c *collection) []*version { return v.list(c, "") })
	if err != nil {
		return err
	}
	return hand(items, f, fn)
}

// ChangesSince implements [store.Tree].
func (s *snapshot) ChangesSince(id holdfast.ID, seq uint64, limit int, f store.Fields, fn func(*holdfast.Resource) error) (bool, error) {
	items, err := s.gather("ChangesSince", id, 0, func(v view, c *collection) []*version { return v.since(c, seq) })
	if err != nil {
		return false, err
	}
	page := cut(items, limit)
	return len(page) < len(items), handNow(page, f, fn)
}

// gather collects versions under the lock, so that callbacks run without it.
func (s *snapshot) gather(op string, id holdfast.ID, seq uint64, pick func(view, *collection) []*version) ([]*version, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, c, err := s.collectionAt(op, id, seq)
	if err != nil {
		return nil, err
	}
	return pick(v, c), nil
}

func cut[T any](items []T, limit int) []T {
	if limit > 0 && len(items) > limit {
		return items[:limit]
	}
	return items
}

// haunt says of what is there now and has no octets that it is a ghost.
func haunt(r *holdfast.Resource) {
	if r.Pruned && r.State == holdfast.Live {
		r.State = holdfast.Ghost
	}
	r.Pruned = false // said of what was
}

// handNow is hand of what is there now.
func handNow(items []*version, f store.Fields, fn func(*holdfast.Resource) error) error {
	return hand(items, f, func(r *holdfast.Resource) error {
		haunt(r)
		return fn(r)
	})
}

func hand(items []*version, f store.Fields, fn func(*holdfast.Resource) error) error {
	for _, it := range items {
		if err := fn(it.resource(f)); err != nil {
			return err
		}
	}
	return nil
}
