package core

import (
	"context"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"holdfast"
)

// Evidence is what one device proved to have seen of an account and this store does not have.
type Evidence struct {
	Device     holdfast.ID `json:"device"`
	Collection holdfast.ID `json:"collection"`      // of which its token was
	Epoch      uint64      `json:"epoch,omitempty"` // in which that was handed out
	Seq        uint64      `json:"seq,string"`      // up to which it has seen the account
	Check      string      `json:"check,omitempty"` // the first octets of the chain there, in hexadecimal
	Head       uint64      `json:"head,string"`     // what the store had
	Since      time.Time   `json:"since"`
	Ended      time.Time   `json:"ended,omitzero"` // zero: the device is held
	How        string      `json:"how,omitempty"`  // it ended
	Missing    uint64      `json:"-"`              // how many changes the device may know that the store lacks, at most; 0: nobody can tell
}

// How the hold on a device ends.
const (
	Dismissed = "dismissed" // an operator gave up what only the device knew
	Salvaged  = "salvaged"  // what it had was brought in
	Regained  = "regained"  // the store has it after all
)

// Open tells whether the device is held.
func (e Evidence) Open() bool { return e.Ended.IsZero() }

// maxEvidence bounds the devices that one account remembers, its guests' included. Beyond it the account is held as a whole.
const maxEvidence = 1000

// of returns where a device's evidence is; -1: there is none. No device has none.
func (d *Doubt) of(device holdfast.ID) int {
	return slices.IndexFunc(d.Evidence, func(e Evidence) bool { return e.Device == device && !device.IsZero() })
}

// testify takes a device's evidence, and holds the account as a whole where whole says so. news tells what was not known before.
func (d *doubts) testify(x Doubt, e Evidence, whole bool) (news bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.requests++
	now := d.accounts[x.Account].clone()
	now.Account = x.Account
	switch i := now.of(e.Device); {
	case e.Device.IsZero():
		whole = true
	case i >= 0 && now.Evidence[i].Open():
		if e.Seq > now.Evidence[i].Seq {
			e.Since = now.Evidence[i].Since
			now.Evidence[i], news = e, true
		}
	case i >= 0:
		now.Evidence[i], news = e, true
	case len(now.Evidence) >= maxEvidence:
		whole = true
	default:
		now.Evidence, news = append(now.Evidence, e), true
	}
	if whole && now.Since.IsZero() {
		x.Released, x.Evidence = now.Released, now.Evidence
		now, news = x, true
	}
	if news {
		d.accounts[x.Account] = now
		d.changed++
	}
	return news
}

// lost judges an authentic token whose history the store does not have: it is evidence of loss. The device that presents it is held from now on, and the account that handed it out as a whole,
// save where that was released and the device has not shown since to have come over: then its token is one of those that were given up with that decision, and nothing new is lost.
//
// Where the device's own loss was dismissed or salvaged, and it has not come over since, it is told to list anew.
func (r *Reader) lost(owner *Person, t syncToken) error {
	known := r.s.doubt.of(owner.ID)
	ended, whole := known.Released, true
	if !known.Released.IsZero() {
		came, err := r.cameOver(owner, t.collection, known.Released)
		if err != nil {
			return err
		}
		whole = came
	}
	if i := known.of(r.p.Device); i >= 0 {
		if ended = known.Evidence[i].Ended; known.Evidence[i].How == Regained { // with what the store has after all nothing was given up
			ended = time.Time{}
		}
	} else if !r.p.Device.IsZero() {
		ended = time.Time{}
	}
	if !ended.IsZero() {
		came, err := r.cameOver(owner, t.collection, ended)
		if err != nil {
			return err
		}
		if !came {
			return badToken(t.collection.String())
		}
	}
	head, err := r.snap.Head(owner.ID)
	if err != nil {
		return err
	}
	r.testify(owner, t, head.Seq, whole)
	if _, ok := r.owner.bindings[t.collection]; !ok && owner.ID != r.owner.ID {
		// The device was given it, so it was bound here: what the store lacks may be the binding, and a home without it would make phones drop the collection.
		r.testify(r.owner, t, head.Seq, whole)
	}
	if r.doubted = r.s.doubt.stands(r.p, owner); r.doubted == nil {
		r.doubted = inDoubt("Changes", owner.Email)
	}
	return r.doubted
}

func (r *Reader) testify(p *Person, t syncToken, head uint64, whole bool) {
	now := r.s.Now().Truncate(time.Second)
	x := Doubt{Account: p.ID, Since: now, Device: r.p.Device, Collection: t.collection, Seq: t.seq, Head: head}
	e := Evidence{Device: r.p.Device, Collection: t.collection, Epoch: t.epoch, Seq: t.seq, Check: hex.EncodeToString(t.check[:]), Head: head, Since: now}
	if r.s.doubt.testify(x, e, whole) {
		r.s.log.Error("a device presented an authentic sync token whose history this store does not have: the store may be older than what the device has seen. The device waits until its loss is salvaged or dismissed: holdfast incident list",
			"account", p.Email, "collection", t.collection, "device", r.p.Device, "epoch", t.epoch, "seq", t.seq, "head", head, "account_waits", !r.s.doubt.of(p.ID).Since.IsZero())
	}
}

// cameOver tells whether the reader's device was seen in a collection, with a token that this store has or by a full listing, after a moment.
func (r *Reader) cameOver(owner *Person, c holdfast.ID, after time.Time) (bool, error) {
	written, err := r.snap.Sightings(owner.ID)
	if err != nil {
		return false, err
	}
	for _, x := range append(written, r.s.seen.of(seenKey{r.p.Device, c})) {
		if x.Device == r.p.Device && x.Collection == c && x.At.After(after) {
			return true, nil
		}
	}
	return false, nil
}

// Dismiss ends the hold on a device: what it alone has seen is given up, or was salvaged, as how says. The device then lists anew, and drops what this store does not have. Where the
// account as a whole was held for what devices have seen alone, and this was the last of them, it is released too. It is written down before it holds. Errors: NotFound (the device is not held),
// Unavailable.
func (s *Service) Dismiss(ctx context.Context, account, device holdfast.ID, how string) error {
	at, err := s.decision(ctx, account)
	if err != nil {
		return err
	}
	return s.decide(ctx, "Dismiss", account, func(x *Doubt) error {
		i := x.of(device)
		if i < 0 || !x.Evidence[i].Open() {
			return fail("Dismiss", holdfast.NotFound, device.String(), "this device is not held")
		}
		e := &x.Evidence[i]
		s.log.Warn("the hold on a device was ended: it will list what this store has", "account", account, "device", device, "how", how, "since", e.Since, "collection", e.Collection, "seq", e.Seq, "head", e.Head)
		x.end(i, how, at)
		return nil
	})
}

// ProvenWhole ends the hold on an account that devices alone brought: all that they have seen was found in vaults or ledgers, as of what is given, and the store has, or lists as known to be lost, all that those know. The devices are held on, each by itself. It is written down before it holds. Nothing is
// done where the account is not held so, or where more has been seen since.
func (s *Service) ProvenWhole(ctx context.Context, as Doubt) error {
	at, err := s.decision(ctx, as.Account)
	if err != nil {
		return err
	}
	return s.decide(ctx, "ProvenWhole", as.Account, func(x *Doubt) error {
		if x.Since.IsZero() || x.Vault != "" || x.ByHand || x.Device.IsZero() || !slices.Equal(x.Evidence, as.Evidence) || !slices.ContainsFunc(x.Evidence, Evidence.Open) {
			return nil
		}
		if len(x.Evidence) >= maxEvidence { // others may have proved something that was not kept
			return nil
		}
		s.log.Info("all that devices have seen of an account is accounted for: the account goes on, and they wait on", "account", x.Account, "since", x.Since)
		*x = Doubt{Account: x.Account, Released: at, Evidence: x.Evidence}
		return nil
	})
}

// end ends a device's evidence, and with the last one the hold on the account that devices brought.
func (d *Doubt) end(i int, how string, now time.Time) {
	d.Evidence[i].Ended, d.Evidence[i].How = now, how
	if !d.Since.IsZero() && d.Vault == "" && !d.ByHand && !d.Device.IsZero() && !slices.ContainsFunc(d.Evidence, Evidence.Open) {
		released := now
		if how == Regained {
			released = d.Released // nobody has decided anything
		}
		*d = Doubt{Account: d.Account, Released: released, Evidence: d.Evidence}
	}
}

// Reconsider looks whether the store has by now what devices have seen: a newer copy was put in place, or a vault gave it back. Who was held for that alone is held no more: their tokens are
// good again. What was not recorded well enough to tell stays.
func (s *Service) Reconsider(ctx context.Context) error {
	for _, x := range s.Doubts() {
		have, err := s.regained(ctx, &x)
		if err != nil {
			return err
		}
		if len(have) == 0 {
			continue
		}
		at, err := s.decision(ctx, x.Account)
		if err != nil {
			return err
		}
		err = s.decide(ctx, "Reconsider", x.Account, func(now *Doubt) error {
			for _, e := range have {
				if i := now.of(e.Device); i >= 0 && now.Evidence[i].Open() && now.Evidence[i].Seq == e.Seq && now.Evidence[i].Check == e.Check {
					s.log.Info("the store has what a device has seen after all: the device goes on", "account", x.Account, "device", e.Device, "seq", e.Seq)
					now.end(i, Regained, at)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// regained returns the evidence that the store's history bears out now.
func (s *Service) regained(ctx context.Context, x *Doubt) (out []Evidence, err error) {
	snap, err := s.snapshot(ctx, x.Account)
	if err != nil {
		return nil, err
	}
	defer snap.Close()
	for _, e := range x.Evidence {
		if !e.Open() || e.Check == "" {
			continue
		}
		at, err := snap.Chain(x.Account, e.Seq)
		if holdfast.IsKind(err, holdfast.NotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(at.Chain.String(), e.Check) {
			out = append(out, e)
		}
	}
	return out, nil
}

// Missing fills in how many changes each device that is held may know and the store lacks, at most: what a stock client would drop when it lists anew are items of these. It is counted from where the
// histories parted, as far as a record of an epoch, or what the store remembers of the device, tells that.
func (s *Service) Missing(ctx context.Context, d *Doubt) error {
	snap, err := s.engine.Snapshot(ctx)
	if err != nil {
		return err
	}
	defer snap.Close()
	seen, err := snap.Sightings(d.Account)
	if err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
		return err
	}
	forks := map[uint64]uint64{} // by the epoch that was left
	err = snap.List(d.Account, holdfast.RecordEpochPrefix, 0, WithBody, func(r *holdfast.Resource) error {
		if r.Kind != holdfast.KindEpoch {
			return nil
		}
		rec, err := holdfast.DecodeEpoch(r.Body)
		if err == nil {
			forks[rec.Parent] = rec.Fork
		}
		return err
	})
	if err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
		return err
	}
	for i := range d.Evidence {
		e := &d.Evidence[i]
		base, known := forks[e.Epoch]
		for _, x := range seen {
			if x.Device == e.Device && x.Collection == e.Collection && x.Seq < e.Seq && x.Seq > base {
				base, known = x.Seq, true
			}
		}
		if !known && e.Seq > e.Head {
			base, known = e.Head, true
		}
		if e.Missing = 0; known && e.Seq > base {
			e.Missing = e.Seq - base
		}
	}
	return nil
}
