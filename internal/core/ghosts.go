package core

import (
	"context"
	"slices"
	"strings"
	"time"

	"holdfast"
)

// A ghost is an item whose octets a restore did not find anywhere. Devices that have it keep it as long as it is listed with the ETag that they know, and drop it when it is not. So it is listed to each device that may have it; a
// device that came later would only try to fetch it again and again, and to that one it is not there.

// begun is when an epoch of an account began: the seq of its record, and the time.
type begun struct {
	seq uint64
	at  time.Time
}

// lost returns the newest epoch that began after a ghost: it was found out by then that it is lost; or else when a repair made it. Which of several restores did not find it nobody knows any more, and a device that came between two has what the second one lost.
func (p *Person) lost(ghost *holdfast.Resource) (last begun) {
	for _, e := range p.epochs {
		if e.seq > ghost.Seq && e.seq > last.seq {
			last = e
		}
	}
	if last.seq == 0 { // a repair made it
		last = begun{ghost.Seq, ghost.Modified}
	}
	return last
}

// olderThan tells whether a device is as old as a loss: by its record, or, where a restore wrote that anew behind a gap, by the clock: that of the machine that was lost may have been ahead, so not by the clock alone. Of a guest's device the newest restore of the guest's own account says it.
func (p *Person) olderThan(device holdfast.ID, owner *Person, lost begun) bool {
	since := lost.seq
	if owner.ID != p.ID {
		since = 0
		for _, e := range p.epochs {
			since = max(since, e.seq)
		}
	}
	for _, d := range p.Devices {
		if d.ID == device {
			return p.written[d.ID] < since || d.Created.Before(lost.at)
		}
	}
	return false
}

// wasRestored tells whether an account was restored after one of the person's devices came.
func (p *Person) wasRestored(device holdfast.ID, owner *Person) bool {
	var last begun
	for _, e := range owner.epochs {
		if e.seq > last.seq {
			last = e
		}
	}
	return last.seq != 0 && p.olderThan(device, owner, last)
}

// shows tells whether an item is shown to the reader's device: a ghost only if the device is as old as the loss. The operator sees all.
func (r *Reader) shows(x *holdfast.Resource) (bool, error) {
	if x.State != holdfast.Ghost || r.all {
		return true, nil
	}
	owner, err := r.person(x.Account)
	if err != nil {
		return false, err
	}
	return r.owner.mayHave(r.p.Device, owner, x), nil
}

// mayHave tells whether one of the person's devices may have a ghost of owner's.
func (p *Person) mayHave(device holdfast.ID, owner *Person, ghost *holdfast.Resource) bool {
	return p.olderThan(device, owner, owner.lost(ghost))
}

// sees is NotFound for a device that is not shown a ghost: it is not to delete, with a name by chance, what others keep.
func (s *Service) sees(ctx context.Context, p holdfast.Principal, ghost *holdfast.Resource) error {
	person, err := s.person(ctx, p.Account.String())
	if err != nil {
		return err
	}
	owner, err := s.person(ctx, ghost.Account.String())
	if err == nil && !person.mayHave(p.Device, owner, ghost) {
		err = hidden(ghost.Name)
	}
	return err
}

// shown calls fn with an item that is shown.
func (r *Reader) shown(fn func(*holdfast.Resource) error) func(*holdfast.Resource) error {
	return func(x *holdfast.Resource) error {
		ok, err := r.shows(x)
		if err != nil || !ok {
			return err
		}
		return fn(x)
	}
}

// hidden is the answer for what is not shown.
func hidden(name string) error {
	return fail("Read", holdfast.NotFound, name, "there is no such resource")
}

// Resource returns a live resource. Errors: NotFound, also for a ghost that is not shown to the device; Unavailable (it is a ghost, and its octets were asked for).
func (r *Reader) Resource(c holdfast.ID, name string, f Fields) (holdfast.Resource, error) {
	if err := r.mine(c); err != nil {
		return holdfast.Resource{}, err
	}
	x, err := r.snap.Resource(c, name, f)
	if holdfast.IsKind(err, holdfast.Unavailable) && f&WithBody != 0 { // it may be a ghost, and one that this device is not shown
		if y, e := r.snap.Resource(c, name, 0); e == nil && y.State == holdfast.Ghost {
			x = y
		}
	}
	if err != nil && x.State != holdfast.Ghost {
		return x, err
	}
	ok, e := r.shows(&x)
	switch {
	case e != nil:
		return holdfast.Resource{}, e
	case !ok:
		return holdfast.Resource{}, hidden(name)
	}
	return x, err
}

// List calls fn with the live members of a collection by ascending name, above after; limit 0: all.
func (r *Reader) List(c holdfast.ID, after string, limit int, f Fields, fn func(*holdfast.Resource) error) error {
	if err := r.mine(c); err != nil {
		return err
	}
	for {
		seen, told := 0, 0
		tell := r.shown(func(x *holdfast.Resource) error { told++; return fn(x) })
		err := r.snap.List(c, after, limit, f, func(x *holdfast.Resource) error {
			if seen++; seen == limit {
				after = strings.Clone(x.Name)
			}
			return tell(x)
		})
		if err != nil || limit == 0 || seen < limit || told == limit {
			return err
		}
		limit -= told // some were left out
	}
}

// heal is what follows where the precondition of a PUT fails at a ghost: whoever has octets for it brings back what was lost, so that it is as if nothing were there. Only who says that he has another version than the lost one, and does not bring
// the very octets, is told that it is gone: he then sends it as a new one, where a failed precondition would have his edit overwritten. err is the failure, put puts with the properties and the seq that the ghost has.
func (s *Service) heal(ctx context.Context, q *PutRequest, err error, put func(holdfast.Properties, uint64) error) error {
	pre := &q.If
	if pre.Exists != holdfast.Absent && len(pre.Match) == 0 {
		return err
	}
	r, e := s.fetch(ctx, q.Place, WithProps)
	if e != nil || r.State != holdfast.Ghost {
		return err
	}
	switch back := q.etag() == r.ETag; {
	case len(pre.Match) > 0 && !back && !slices.Contains(pre.Match, r.ETag):
		return fail("Put", holdfast.NotFound, q.Name, "this version is not here any more: what came after it was lost. Send it as a new one")
	case !back && pre.Exists != holdfast.Absent:
		return err
	}
	*pre = holdfast.Precondition{}
	return put(r.Properties, r.Seq)
}

// Ghost tells whether an item is one.
func (r *Reader) Ghost(c holdfast.ID, name string) bool {
	x, err := r.snap.Resource(c, name, 0)
	return err == nil && x.State == holdfast.Ghost
}

// Ghosts counts the items of all accounts that are known to be lost.
func (s *Service) Ghosts(ctx context.Context) (int64, error) {
	snap, err := s.engine.Snapshot(ctx)
	if err != nil {
		return 0, err
	}
	defer snap.Close()
	return snap.Ghosts(holdfast.ID{})
}

// Ghosts counts the items of the reader's account that are known to be lost, whether its device is shown them or not.
func (r *Reader) Ghosts() (int64, error) { return r.snap.Ghosts(r.owner.ID) }
