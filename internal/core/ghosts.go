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

// lostAt returns when it was found out that a ghost of the account is lost: when the epoch began that a restore made after it. Zero: that is not known.
func (p *Person) lostAt(ghost *holdfast.Resource) (at time.Time) {
	first := uint64(0)
	for _, e := range p.epochs {
		if e.seq > ghost.Seq && (first == 0 || e.seq < first) {
			first, at = e.seq, e.at
		}
	}
	return at
}

// shows tells whether an item is shown to the reader's device: a ghost only if the device is as old as the loss, or nobody knows when that was. The operator sees all.
func (r *Reader) shows(x *holdfast.Resource) (bool, error) {
	if x.State != holdfast.Ghost || r.all {
		return true, nil
	}
	owner, err := r.person(x.Account)
	if err != nil {
		return false, err
	}
	lost := owner.lostAt(x)
	if lost.IsZero() {
		return true, nil
	}
	i := slices.IndexFunc(r.owner.Devices, func(d holdfast.DeviceRecord) bool { return d.ID == r.p.Device && !r.p.Device.IsZero() })
	return i >= 0 && r.owner.Devices[i].Created.Before(lost), nil
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

// heal is what follows where the precondition of a PUT fails at a ghost: whoever has octets for it brings back what was lost, so that it is as if nothing were there. Only who says that he has another version than the lost one is told that
// it is gone: he then sends it as a new one, where a failed precondition would have his edit overwritten. err is the failure, put puts with the properties and the seq that the ghost has.
func (s *Service) heal(ctx context.Context, at Place, pre *holdfast.Precondition, err error, put func(holdfast.Properties, uint64) error) error {
	if pre.Exists != holdfast.Absent && len(pre.Match) == 0 {
		return err
	}
	r, e := s.fetch(ctx, at, WithProps)
	switch {
	case e != nil || r.State != holdfast.Ghost:
		return err
	case len(pre.Match) > 0 && !slices.Contains(pre.Match, r.ETag):
		return fail("Put", holdfast.NotFound, at.Name, "this version is not here any more: what came after it was lost. Send it as a new one")
	case pre.Exists != holdfast.Absent:
		return err
	}
	pre.Exists = holdfast.Whatever
	return put(r.Properties, r.Seq)
}

// Ghost tells whether an item is one.
func (r *Reader) Ghost(c holdfast.ID, name string) bool {
	x, err := r.snap.Resource(c, name, 0)
	return err == nil && x.State == holdfast.Ghost
}
