package locks

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"holdfast"
)

// Account is the locks of one account. Its methods may be called from many goroutines.
type Account struct {
	t  *Table
	id holdfast.ID

	shown atomic.Pointer[[]Lock] // what readers see. They never wait: whoever holds a snapshot must not

	mu      sync.Mutex
	writes  map[uint64][]Touch
	next    uint64
	changed chan struct{} // closed when a write ends
}

// live returns the locks that are in force.
func (a *Account) live() []Lock {
	all := *a.shown.Load()
	now := a.t.clock.Now()
	if !slices.ContainsFunc(all, func(l Lock) bool { return !l.Until.After(now) }) {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(l Lock) bool { return !l.Until.After(now) })
}

// Any tells whether there are locks at all.
func (a *Account) Any() bool { return len(a.live()) > 0 }

// On returns the locks on a path, its own and those from above, and what is left of each.
func (a *Account) On(path []string) (out []Lock) {
	for _, l := range a.live() {
		if l.covers(path) {
			out = append(out, l)
		}
	}
	return out
}

// Left is how long a lock still holds.
func (a *Account) Left(l *Lock) time.Duration { return l.Until.Sub(a.t.clock.Now()) }

// Holds tells whether the lock of a token is on a path.
func (a *Account) Holds(path []string, token string) bool {
	return slices.ContainsFunc(a.live(), func(l Lock) bool { return l.Token == token && l.covers(path) })
}

// Check tells with a *Held why a write cannot be; nil if it can now.
func (a *Account) Check(touched []Touch, keys Keys) error {
	if in := opposed(a.live(), touched, &keys); len(in) > 0 {
		return &Held{a.id, in}
	}
	return nil
}

// Begin notes a write that is under way, as Check allows it. Until end is called nobody else is given a lock on what it touches.
func (a *Account) Begin(touched []Touch, keys Keys) (end func(), err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.Check(touched, keys); err != nil {
		return nil, err
	}
	n := a.next
	a.next++
	a.writes[n] = touched
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if _, ok := a.writes[n]; ok {
			delete(a.writes, n)
			close(a.changed)
			a.changed = make(chan struct{})
		}
	}, nil
}

// Lock gives a lock to who shows the keys, once the writes that are under way on its resources have ended. Its Token, By and Until are made here. adds is what it touches beside (the collection,
// where the resource is to be made), for which the tokens are shown. Errors: *Held (another lock stands in the way, or a token is missing), Full (there are too many), Unavailable.
func (a *Account) Lock(ctx context.Context, want Lock, adds []Touch, keys Keys) (Lock, error) {
	patience, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	a.mu.Lock()
	defer a.mu.Unlock()
	for a.busy(&want) {
		ended := a.changed
		a.mu.Unlock()
		select {
		case <-ended:
		case <-patience.Done():
		}
		a.mu.Lock()
		if patience.Err() != nil {
			return want, fail(holdfast.Unavailable, "", "something is being written there; try again when it is done")
		}
	}
	now := a.live()
	if in := append(conflicts(now, &want), opposed(now, adds, &keys)...); len(in) > 0 {
		return want, &Held{a.id, in}
	}
	if len(now) >= MaxLocks {
		return want, fail(holdfast.Full, "", "this account has as many locks as it may; give some back, or wait until they end")
	}
	if want.By = keys.Who; keys.Who != a.id && count(now, keys.Who) >= maxOfGuest {
		return want, fail(holdfast.Full, "", "you hold as many locks in what is shared with you as you may; give some back, or wait until they end")
	}
	want.Token = a.t.token()
	want.renew(a.t.clock.Now(), want.Timeout)
	return want, a.save(append(slices.Clip(now), want))
}

// count returns how many locks an account holds.
func count(all []Lock, who holdfast.ID) (n int) {
	for i := range all {
		if all[i].By == who {
			n++
		}
	}
	return n
}

func (l *Lock) renew(now time.Time, timeout time.Duration) {
	if timeout <= 0 || timeout > MaxTimeout {
		timeout = MaxTimeout
	}
	l.Timeout, l.Until = timeout, now.Add(timeout).UTC()
}

// busy tells whether a write is under way on what a lock would be on. The lock is held.
func (a *Account) busy(want *Lock) bool {
	for _, touched := range a.writes {
		for i := range touched {
			if touched[i].meets(want) {
				return true
			}
		}
	}
	return false
}

// Refresh lets the lock of a token on a path begin its time anew. Errors: NotFound (there is no such lock on it), Forbidden (it is another account's), Unavailable.
func (a *Account) Refresh(path []string, who holdfast.ID, token string, timeout time.Duration) (Lock, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := slices.Clone(a.live())
	for i := range all {
		if l := &all[i]; l.Token == token && l.covers(path) {
			if l.By != who {
				return Lock{}, notYours(token)
			}
			l.renew(a.t.clock.Now(), timeout)
			return *l, a.save(all)
		}
	}
	return Lock{}, noSuch(token)
}

// Unlock gives the lock of a token back, whose resources the path is one of. Who owns the tree may end every lock in it. Errors: as Refresh.
func (a *Account) Unlock(path []string, who holdfast.ID, token string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.live()
	i := slices.IndexFunc(now, func(l Lock) bool { return l.Token == token && l.covers(path) })
	switch {
	case i < 0:
		return noSuch(token)
	case now[i].By != who && a.id != who:
		return notYours(token)
	}
	return a.save(slices.DeleteFunc(slices.Clone(a.live()), func(l Lock) bool { return l.Token == token }))
}

func noSuch(token string) error {
	return fail(holdfast.NotFound, token, "there is no such lock on this; it ended, or was given back")
}

func notYours(token string) error {
	return fail(holdfast.Forbidden, token, "this lock is another's, who alone can use it; it ends with its time, or when the owner of what is shared ends it")
}

// Drop ends the locks whose root is a path or below it: what was there is gone (RFC 4918 sections 7.5, 9.6). An error says that they come back with a restart, until their time ends.
func (a *Account) Drop(path []string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.live()
	left := slices.DeleteFunc(slices.Clone(now), func(l Lock) bool { return within(l.Root, path) })
	if len(left) == len(now) {
		return nil
	}
	err := a.save(left)
	a.shown.Store(&left)
	return err
}

// save makes a state durable, and then shows it. The lock is held.
func (a *Account) save(all []Lock) error {
	if err := a.t.write(a.id, all); err != nil {
		return err
	}
	a.shown.Store(&all)
	return nil
}
