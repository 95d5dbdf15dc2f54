package core

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/store"
)

// maxNamesakes is how many logins may share the part before their "@" for that to be a name to sign in with. Each attempt compares with the devices of all.
const maxNamesakes = 16

// namesakes are the accounts that a part of a login leads to, as of a moment; none is worth remembering too.
type namesakes struct {
	ids    []holdfast.ID
	loaded time.Time
}

// Namesake is what signing in by a part of a login needs of an account that has it. It is shared and must not be changed.
type Namesake struct {
	ID      holdfast.ID
	Devices []holdfast.DeviceRecord // live ones
}

// DeviceBySecret is [Person.DeviceBySecret].
func (n *Namesake) DeviceBySecret(secret holdfast.Hash) (holdfast.DeviceRecord, bool) {
	return bySecret(n.Devices, secret)
}

// cachedNamesake is an account's devices as of a moment.
type cachedNamesake struct {
	n      *Namesake
	loaded time.Time
}

// Namesakes returns the accounts that have or had a login whose part before the "@" is local (holdfast.ParseLocalPart): each once, in no order. There are none
// where so many logins have it that it names nobody. It is for signing in by a secret that says which of them is meant; nothing else may be decided by it.
//
// Whether there is one or none, it costs a snapshot and reading the devices of an account at first, and nothing while that is cached; how much else an account holds costs nothing. With
// an error come the accounts that could be loaded all the same.
func (s *Service) Namesakes(ctx context.Context, local string) ([]*Namesake, error) {
	now := s.clock.Now()
	people, gen, ok := s.dir.namesakes(local, now, s.limits.DirectoryTTL)
	if ok {
		return people, nil
	}
	s.begin()
	snap, err := s.engine.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer snap.Close()
	newest, err := byLocalPart(snap, local)
	if err != nil {
		return nil, err
	}
	if err := s.awaitShown(ctx, snap, newest); err != nil {
		return nil, err
	}
	cut := s.cut(snap)
	ids, err := byLocalPart(cut, local)
	if err != nil {
		return nil, err
	}
	people = nil
	keep := slices.Equal(ids, newest)
	for _, id := range ids { // also those that are cached: who is there, and who is busy, is nobody's business
		n, current, e := loadNamesakeShown(cut, id)
		if e != nil {
			err = e
			continue
		}
		people, keep = append(people, n), keep && current
	}
	if len(ids) == 0 {
		pretend(snap)
	}
	if keep {
		s.dir.putNamesakes(local, namesakes{ids, now}, people, gen)
	}
	return people, err
}

// byLocalPart returns the accounts that have or had a login with a local part, each once; none where there are too many.
func byLocalPart(snap store.Snapshot, local string) ([]holdfast.ID, error) {
	ids, err := snap.AccountsByLocalPart(local, maxNamesakes+1)
	if err != nil || len(ids) > maxNamesakes {
		return nil, err
	}
	slices.SortFunc(ids, holdfast.ID.Compare)
	return slices.Compact(ids), nil
}

// loadNamesakeShown loads an account's devices as loadShown loads an account.
func loadNamesakeShown(snap store.Snapshot, id holdfast.ID) (n *Namesake, keep bool, err error) {
	newest, err := behind(snap, id)
	if err == nil {
		n, err = loadNamesake(snap, id)
	}
	if err != nil || newest == nil {
		return n, err == nil, err
	}
	now, err := loadNamesake(newest, id)
	if err != nil {
		return nil, false, err
	}
	n.Devices = stillThere(n.Devices, now.Devices)
	return n, false, nil
}

// loadNamesake reads an account's devices and nothing else: whoever asks has shown no secret yet, and an account may hold much.
func loadNamesake(snap store.Snapshot, id holdfast.ID) (*Namesake, error) {
	n := &Namesake{ID: id}
	err := snap.List(id, holdfast.RecordDevicePrefix, 0, WithBody, func(r *holdfast.Resource) error {
		if !strings.HasPrefix(r.Name, holdfast.RecordDevicePrefix) {
			return errPast
		}
		d, err := holdfast.DecodeDevice(r.Body)
		if err != nil {
			return &holdfast.Error{Op: "core.Namesakes", Kind: holdfast.Corrupt, Ref: r.Name, Err: err}
		}
		n.Devices = append(n.Devices, d)
		return nil
	})
	if err != nil && !errors.Is(err, errPast) {
		return nil, err
	}
	return n, nil
}

// pretend does for a name that nobody has what is done for one that somebody has: it reads an account's devices. What comes of it is nobody's.
func pretend(snap store.Snapshot) {
	if first, err := snap.Accounts(holdfast.ID{}, 1); err == nil && len(first) > 0 {
		_, _ = loadNamesake(snap, first[0].ID)
	}
}

// namesakes returns what a local part leads to; ok is false where that, or one of the accounts, is not cached.
func (d *directory) namesakes(local string, now time.Time, ttl time.Duration) (people []*Namesake, gen uint64, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, ok := d.locals[local]
	if age := now.Sub(n.loaded); !ok || age > ttl || age < 0 {
		return nil, d.gen, false
	}
	for _, id := range n.ids {
		c, ok := d.devices[id]
		if age := now.Sub(c.loaded); !ok || age > ttl || age < 0 {
			return nil, d.gen, false
		}
		people = append(people, c.n)
	}
	return people, d.gen, true
}

// putNamesakes keeps what a local part leads to. Made-up names are kept as well; when there are too many, all are forgotten, and no account with them.
func (d *directory) putNamesakes(local string, n namesakes, people []*Namesake, gen uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if gen != d.gen {
		return
	}
	if len(d.locals) >= d.max {
		clear(d.locals)
	}
	d.locals[local] = n
	if len(d.devices)+len(people) > d.max {
		clear(d.devices)
	}
	for _, x := range people {
		d.devices[x.ID] = cachedNamesake{x, n.loaded}
	}
}

// renamed forgets what local parts lead to: an account has a login more.
func (d *directory) renamed() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.gen++
	clear(d.locals)
}

// secretFree refuses a secret that would not say which device it is: one of a device of the account, or of an account that shares a local part with it; and one of a
// device of its own that was revoked, because somebody else may know it. Two accounts can come to share a local part later: whoever signs in must bear that.
func (s *Service) secretFree(ctx context.Context, p *Person, secret holdfast.Hash) error {
	taken := fail("AddDevice", holdfast.Exists, "", "this app password is another device's; every device has one of its own")
	ids := []holdfast.ID{p.ID}
	for _, login := range p.logins {
		local, _, _ := strings.Cut(login, "@")
		people, err := s.Namesakes(ctx, local)
		if err != nil {
			return err
		}
		for _, other := range people {
			ids = append(ids, other.ID)
		}
	}
	slices.SortFunc(ids, holdfast.ID.Compare)
	ids = slices.Compact(ids)
	snap, err := s.newest(ctx, ids...) // what is decided here must hold when it is committed
	if err != nil {
		return err
	}
	defer snap.Close()
	for _, id := range ids {
		other, err := loadNamesake(snap, id)
		if err != nil {
			return err
		}
		if _, ok := other.DeviceBySecret(secret); ok {
			return taken
		}
	}
	revoked, err := wasRevoked(snap, p.ID, secret)
	if err == nil && revoked {
		err = fail("AddDevice", holdfast.Exists, "", "this app password was revoked, and stays so")
	}
	return err
}

// wasRevoked tells whether a secret was that of a device that is gone.
func wasRevoked(snap store.Snapshot, account holdfast.ID, secret holdfast.Hash) (found bool, err error) {
	var gone []string
	_, err = snap.ChangesSince(account, 0, 0, 0, func(r *holdfast.Resource) error {
		if r.State == holdfast.Tombstone && strings.HasPrefix(r.Name, holdfast.RecordDevicePrefix) {
			gone = append(gone, r.Name)
		}
		return nil
	})
	for _, name := range gone {
		if err != nil || found {
			break
		}
		err = snap.Versions(account, name, WithBody, func(c *holdfast.Change) error {
			if c.Op != holdfast.OpPut {
				return nil
			}
			d, err := holdfast.DecodeDevice(c.Body)
			found = found || err == nil && d.Secret == secret
			return err
		})
	}
	return found, err
}
