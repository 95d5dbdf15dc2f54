package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/bucket"
	"holdfast/internal/clock"
	"holdfast/internal/control"
	"holdfast/internal/drill"
	"holdfast/internal/registry"
	"holdfast/internal/relay"
	"holdfast/internal/vfs"
	"holdfast/internal/web"
)

// copyCards says on the pages where the data lie. Where that is exactly, how much lies there and how it failed in a program's words is not said: everybody who signs in sees these pages, and that tells of others.
func (s *server) copyCards() []web.Copy {
	out := []web.Copy{{Place: "This server's disk", Domain: thisDisk, Note: "Every change is on the disk before a device is told that it is stored.", Damaged: int(s.store.scrub.left())}}
	k := s.store.keeper
	for _, v := range k.relay.Status().Vaults {
		if v.Kind != kindLedger { // it is no copy
			out = append(out, k.card(v))
		}
	}
	return out
}

// card says how a vault fares.
func (k *keeper) card(v relay.VaultStatus) web.Copy {
	c := web.Copy{Place: "Vault " + v.Name, Domain: v.Domain, Vault: v.Name, State: string(v.State), Counts: v.Counts, Batch: v.Batch, Answered: v.LastRead, Late: k.c.Vault.Late,
		Behind: time.Duration(v.LagSeconds * float64(time.Second)), VerifyWithin: k.c.Vault.Scrub + k.c.Vault.Scrub/4}
	switch {
	case slices.Contains(v.SameDomain, "engine"):
		c.Domain, c.With = thisDisk, failsWith(v)
	case !v.Apart(): // it is joined to one that does
		c.Domain, c.With = thisDisk, "another vault, and with that this disk"
	default:
		c.Domain = k.domainOf(v)
	}
	if e := k.vaults().Find(v.Name); e != nil {
		c.Added = e.Added
	}
	if last, ok := k.scrubs.of(v.Name); ok {
		c.Verified, c.Damaged = last.At, max(len(last.Damaged), int(last.Findings)) // what is missing is in no object
	}
	switch {
	case v.State != relay.Whole:
		c.Note = "It is " + string(v.State) + ", and does not have everything now."
	case v.Mode == "sync":
		c.Note = "Every change is there before a device is told that it is stored."
	default:
		c.Note = "It follows behind the changes."
	}
	if e := k.vaults().Find(v.Name); e != nil && e.Kind == kindS3 {
		c.Note += k.lockNote(*e)
	}
	return c
}

// thisDisk is the failure domain of the data.
const thisDisk = "this disk"

// domainOf names the failure domain in which a vault counts: it may be that of another, under another label.
func (k *keeper) domainOf(v relay.VaultStatus) string {
	if !v.Apart() {
		return thisDisk
	}
	if e := k.vaults().Find(v.Group); e != nil {
		return e.Domain
	}
	return v.Domain
}

// lockNote says of a vault in a bucket who can remove it.
func (k *keeper) lockNote(e registry.Entry) string {
	var x control.VaultState
	switch k.buckets.describe(e, &x); {
	case x.Bucket.Locks == string(bucket.Unknown):
		return " Whether what lies there could be removed by somebody who breaks in here is not known."
	case x.Bucket.LockSeconds > 0:
		return " What lies there is locked: nobody can remove it, for days at least, not even with this server's own credential."
	}
	return ""
}

// failsWith says what takes a vault together with the data: their disk, the machine, or a disk of which nobody knows that it is another.
func failsWith(v relay.VaultStatus) string {
	switch {
	case !inDirectory(v.Kind):
		return "this machine"
	case strings.HasPrefix(v.WhySame, vfs.NotKnown):
		return "this disk, for all that is known: the system does not tell which disk it lies on"
	}
	return "this disk"
}

// proofs tells the pages what is proven of one account, and nothing of others: no counts of accounts, no reasons, no drills that others asked for.
type proofs struct{ d *drills }

// Proven implements [web.Proofs].
func (p proofs) Proven(account holdfast.ID) (web.Proof, error) {
	x, err := p.newest(account)
	if err != nil || x.At.IsZero() {
		return web.Proof{}, err
	}
	out := web.Proof{At: x.At, Vault: x.Vault, Drill: x.Drill, Epoch: x.Epoch, Seq: x.Seq, Chain: x.Chain, State: x.State}
	r, err := p.d.book.Show(x.Drill)
	if holdfast.IsKind(err, holdfast.NotFound) { // the proof outlives it
		err = nil
	}
	if err != nil {
		return web.Proof{}, err
	}
	out.Key, out.Seconds = r.KeyUsed, r.Seconds
	out.Good, err = p.good(x.Vault)
	return out, err
}

// newest returns the newest proof of an account out of a vault that the store still has. One out of a vault that is gone says nothing of what there is.
func (p proofs) newest(account holdfast.ID) (out drill.Proven, err error) {
	for _, e := range p.d.k.vaults().Vaults {
		x, err := p.d.proven(e.Name, account)
		if err != nil {
			return out, err
		}
		if x.At.After(out.At) {
			out = x
		}
	}
	return out, nil
}

// good is how old a proof may be: two intervals, where each drill tries everything. Of a larger store each account has its turn within a longer time.
func (p proofs) good(vault string) (time.Duration, error) {
	c := &p.d.k.c.Drill
	x, err := p.d.standing(vault)
	if x.Last.ID != "" && !x.Last.Sample.Whole {
		return max(c.Within, 2*c.Interval), err
	}
	return 2 * c.Interval, err
}

// Checks implements [web.Proofs].
func (p proofs) Checks(account holdfast.ID, limit int) ([]web.Check, error) {
	list, err := p.d.book.About(account, limit)
	var out []web.Check
	for i := range list {
		r := &list[i]
		out = append(out, web.Check{Began: r.Started, Ended: r.Ended, Vault: r.Vault, Outcome: string(r.Result), Asked: r.Account != "", Sample: r.Account == "" && !r.Sample.Whole,
			Different: slices.Contains(r.Digests.Different, account.String())})
	}
	return out, err
}

// Check implements [web.Proofs]: a drill of one account, out of the vault whose proof of it is oldest. It does not wait for its turn, so that the vaults' own drills have theirs.
func (p proofs) Check(ctx context.Context, account holdfast.ID) error {
	d, now := p.d, clock.System.Now()
	busy := func(format string, args ...any) error {
		return &holdfast.Error{Op: "check", Kind: holdfast.Busy, Text: fmt.Sprintf(format, args...)}
	}
	select {
	case d.turn <- struct{}{}:
	default:
		return busy("a check runs already, and one runs at a time; try again in a few minutes")
	}
	begun, err := func() (*begun, error) {
		last, err := d.book.Asked(account, now)
		if err != nil {
			return nil, err
		}
		if since := now.Sub(last); since >= 0 && since < d.k.c.Drill.Ask {
			return nil, busy("a check of your data began at %s; the next can begin at %s", last.UTC().Format("15:04 UTC"), last.Add(d.k.c.Drill.Ask).UTC().Format("15:04 UTC"))
		}
		e, batch, err := d.chooseFor(account)
		if err != nil {
			return nil, err
		}
		return d.begin(ctx, *e, batch, how{only: account})
	}()
	if err != nil {
		<-d.turn
		return err
	}
	d.k.background(func(ctx context.Context) {
		defer func() { <-d.turn }()
		if _, err := begun.finish(ctx, func(control.DrillProgress) {}); err != nil {
			d.k.log.Error("a check that was asked for could not be written down", "drill", begun.res.ID, "err", err)
		}
	})
	return nil
}

// chooseFor returns the vault whose proof of an account is oldest, of those that take changes now, and how far it has confirmed the store's stream.
func (d *drills) chooseFor(account holdfast.ID) (e *registry.Entry, batch uint64, err error) {
	var oldest time.Time
	for _, v := range d.k.relay.Status().Vaults {
		x := d.k.vaults().Find(v.Name)
		if x == nil || !v.Counts || v.Batch == 0 {
			continue
		}
		p, err := d.proven(v.Name, account)
		if err != nil {
			return nil, 0, err
		}
		if e == nil || p.At.Before(oldest) {
			e, batch, oldest = x, v.Batch, p.At
		}
	}
	if e == nil {
		return nil, 0, &holdfast.Error{Op: "check", Kind: holdfast.Unavailable, Text: "there is no vault now from which your data could be restored"}
	}
	return e, batch, nil
}

var _ web.Proofs = proofs{}
