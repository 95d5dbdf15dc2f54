package core

import (
	"context"
	"slices"
	"sync"
	"time"

	"holdfast"
)

// Doubt is what is known of an account of which more was seen than this store has: by devices, or by a vault that has another history.
//
// The account as a whole is held while Since is set: nobody reads or writes it through a face, because what the store would list is not what its owner has, and
// devices would drop the rest. That ends when an operator says that what the store has is what counts ([Service.Settle]), or when the store was proven to have all of it.
// Each device that brought evidence is held by itself beyond that, until its loss is dismissed or salvaged by name ([Service.Dismiss]): it alone would drop what it alone knows.
type Doubt struct {
	Account    holdfast.ID `json:"account"`
	Since      time.Time   `json:"since,omitzero"`    // zero: the account as a whole is not held
	Released   time.Time   `json:"released,omitzero"` // when that last ended; zero: never
	Device     holdfast.ID `json:"device"`            // which presented the token; zero: none that has an app password
	Collection holdfast.ID `json:"collection"`        // of which
	Seq        uint64      `json:"seq,string"`        // what the device has seen
	Head       uint64      `json:"head,string"`       // what the store had
	Vault      string      `json:"vault,omitempty"`   // which has another history of the account, up to Seq; empty: a device brought the doubt, or an operator
	ByHand     bool        `json:"by_hand,omitempty"` // an operator holds it, before anybody proved anything
	Evidence   []Evidence  `json:"evidence,omitempty"`
}

// held tells whether anybody is held for it.
func (d *Doubt) held() bool {
	return !d.Since.IsZero() || slices.ContainsFunc(d.Evidence, Evidence.Open)
}

// clone returns a copy that shares nothing.
func (d Doubt) clone() Doubt {
	d.Evidence = slices.Clone(d.Evidence)
	return d
}

// doubts are the accounts that are in doubt, or were.
type doubts struct {
	mu       sync.Mutex
	requests int64
	accounts map[holdfast.ID]Doubt
	changed  uint64 // counts changes of accounts

	saving sync.Mutex // held while what is known is written down; taken before mu
	saved  uint64     // changed, as of what was written down last
}

func (d *doubts) init(known []Doubt) {
	d.accounts = make(map[holdfast.ID]Doubt, len(known))
	for _, x := range known {
		x = x.clone()
		if len(x.Evidence) == 0 && !x.Since.IsZero() && !x.Device.IsZero() { // as earlier versions wrote it
			x.Evidence = []Evidence{{Device: x.Device, Collection: x.Collection, Seq: x.Seq, Head: x.Head, Since: x.Since}}
		}
		d.accounts[x.Account] = x
	}
}

// standing returns the error that every request for an account in doubt gets.
func (d *doubts) standing(p *Person) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.accounts[p.ID].Since.IsZero() {
		return nil
	}
	d.requests++
	return inDoubt("Access", p.Email)
}

// stands returns the error that a principal's requests for an account get: if that is in doubt as a whole, or what the principal's own device has seen of it is.
func (d *doubts) stands(p holdfast.Principal, of *Person) error {
	if err := d.standing(of); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	x := d.accounts[of.ID]
	if i := x.of(p.Device); i < 0 || !x.Evidence[i].Open() {
		return nil
	}
	d.requests++
	return deviceInDoubt("Access", of.Email)
}

func inDoubt(op, ref string) error {
	return fail(op, holdfast.InDoubt, ref, "this server may lack changes that one of your devices has seen; nothing is listed or taken until its operator has settled that")
}

func deviceInDoubt(op, ref string) error {
	return fail(op, holdfast.InDoubt, ref, "this device has seen changes that this server does not have; nothing is listed to it, and so it keeps them, until they were brought in or given up by name")
}

// begin puts an account in doubt as a whole, with what is known of why. fresh tells that it was not.
func (d *doubts) begin(x Doubt) (fresh bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.requests++
	old := d.accounts[x.Account]
	if !old.Since.IsZero() {
		if x.ByHand && !old.ByHand { // from here on it does not end with its last device
			old.ByHand = true
			d.accounts[x.Account] = old
			d.changed++
		}
		return false
	}
	x.Released, x.Evidence = old.Released, old.Evidence
	d.accounts[x.Account] = x
	d.changed++
	return true
}

// decided returns when it was last decided of an account, or of a device of it; zero: never.
func (d *doubts) decided(account holdfast.ID) time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	x, ok := d.accounts[account]
	if !ok {
		return time.Time{}
	}
	at := x.Released
	for i := range x.Evidence {
		if x.Evidence[i].Ended.After(at) {
			at = x.Evidence[i].Ended
		}
	}
	return at
}

func (d *doubts) of(account holdfast.ID) Doubt {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.accounts[account].clone()
}

// list returns what is known, by account, and how many changes it includes.
func (d *doubts) list() ([]Doubt, uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make([]Doubt, 0, len(d.accounts))
	for _, x := range d.accounts {
		out = append(out, x.clone())
	}
	slices.SortFunc(out, func(a, b Doubt) int { return a.Account.Compare(b.Account) })
	return out, d.changed
}

// count returns the requests that were refused, the accounts of which somebody is held, and the devices that are held for what they have seen.
func (d *doubts) count() (requests, accounts, devices int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, x := range d.accounts {
		if x.held() {
			accounts++
		}
		for _, e := range x.Evidence {
			if e.Open() {
				devices++
			}
		}
	}
	return d.requests, accounts, devices
}

// Diverged puts an account in doubt whose history went on in this store and in a vault in different ways, up to seq there and to head here. It is written down before it returns.
func (s *Service) Diverged(ctx context.Context, account holdfast.ID, vault string, seq, head uint64) error {
	_, err := s.hold(ctx, "Diverged", Doubt{Account: account, Seq: seq, Head: head, Vault: vault},
		"the store and a vault have different histories of an account: it waits until an operator has settled which counts")
	return err
}

// Hold puts an account in doubt by an operator's decision, before any device has come: whoever knows that a store is older than what devices have seen does not wait for one that can prove it. What
// lists without a token proves nothing, and drops what is not listed. Only Settle ends it. It is written down before it returns; fresh tells that the account was not held.
// Errors: NotFound (no such account), Unavailable.
func (s *Service) Hold(ctx context.Context, account holdfast.ID) (fresh bool, err error) {
	snap, err := s.newest(ctx, account)
	if err != nil {
		return false, err
	}
	h, err := snap.Head(account)
	snap.Close()
	if err != nil {
		return false, err
	}
	return s.hold(ctx, "Hold", Doubt{Account: account, Head: h.Seq, ByHand: true}, "an operator holds an account: all its devices wait, and keep what they have, until it is released")
}

// hold puts an account in doubt as a whole, and writes it down.
func (s *Service) hold(ctx context.Context, op string, x Doubt, why string) (fresh bool, err error) {
	x.Since = s.Now().Truncate(time.Second)
	d := &s.doubt
	if fresh = d.begin(x); fresh {
		s.log.Error(why, "account", x.Account, "vault", x.Vault, "vault_has", x.Seq, "store_has", x.Head)
	} else if x.Vault != "" {
		return false, nil // it waits already, and the start writes nothing that nobody decided
	}
	d.saving.Lock()
	defer d.saving.Unlock()
	all, changed := d.list()
	if err := s.write(ctx, all); err != nil {
		return fresh, &holdfast.Error{Op: "core." + op, Kind: holdfast.Unavailable, Ref: x.Account.String(), Text: "that the account is in doubt could not be written down", Err: err}
	}
	d.saved = changed
	return fresh, nil
}

// Doubts returns the doubts for which somebody is held, by account.
func (s *Service) Doubts() []Doubt {
	all, _ := s.doubt.list()
	return slices.DeleteFunc(all, func(x Doubt) bool { return !x.held() })
}

// Settle ends an account's doubt by an operator's decision: what this store has is what counts from now on. Devices that brought evidence are held on, each until its
// loss is dismissed or salvaged; all others list what this store has, and drop what it does not have. It is written down before it holds. Errors: NotFound (the account is not held), Unavailable.
func (s *Service) Settle(ctx context.Context, account holdfast.ID) error {
	at, err := s.decision(ctx, account)
	if err != nil {
		return err
	}
	begun := false
	return s.decide(ctx, "Settle", account, func(x *Doubt) error {
		if x.Since.IsZero() {
			return fail("Settle", holdfast.NotFound, account.String(), "this account is not in doubt")
		}
		if x.Vault != "" && !begun { // from here on the histories are told apart by more than their chains
			if err := s.beginEpoch(ctx, account, "settled against the history that the vault "+x.Vault+" has"); err != nil {
				return &holdfast.Error{Op: "core.Settle", Kind: holdfast.KindOf(err), Ref: account.String(), Text: "a new epoch could not be begun; the account stays in doubt", Err: err}
			}
			begun = true
		}
		s.log.Warn("an operator released an account that was in doubt: its devices will list what this store has", "account", account, "since", x.Since,
			"device", x.Device, "collection", x.Collection, "seq", x.Seq, "head", x.Head)
		*x = Doubt{Account: account, Released: at, Evidence: x.Evidence}
		return nil
	})
}

// decision returns the time of what is decided of an account now: after whatever was seen of it before, also where the clock was ahead then. Whether a device has come over since is told by these times.
func (s *Service) decision(ctx context.Context, account holdfast.ID) (time.Time, error) {
	now := s.Now().Truncate(time.Second)
	seen, err := s.newestSeen(ctx, account)
	if err != nil {
		return now, &holdfast.Error{Op: "core.Decide", Kind: holdfast.Unavailable, Ref: account.String(), Text: "when devices were last seen cannot be read; nothing has changed", Err: err}
	}
	if before := s.doubt.decided(account); before.After(seen) {
		seen = before
	}
	if seen.After(now) {
		return seen, nil
	}
	return now, nil
}

// decide changes what is known of an account by fn, and makes that durable before it holds.
func (s *Service) decide(ctx context.Context, op string, account holdfast.ID, fn func(*Doubt) error) error {
	d := &s.doubt
	d.saving.Lock()
	defer d.saving.Unlock()
	for {
		all, changed := d.list()
		i := slices.IndexFunc(all, func(x Doubt) bool { return x.Account == account })
		if i < 0 {
			return fail(op, holdfast.NotFound, account.String(), "this account is not in doubt")
		}
		if err := fn(&all[i]); err != nil {
			return err
		}
		if err := s.write(ctx, all); err != nil {
			return &holdfast.Error{Op: "core." + op, Kind: holdfast.Unavailable, Ref: account.String(), Text: "the decision could not be written down; nothing has changed", Err: err}
		}
		if d.replace(all[i], changed) {
			return nil
		}
	}
}

// replace takes what was decided of an account, if nothing has changed since it was looked at. What it replaces was written down. d.saving is held.
func (d *doubts) replace(x Doubt, seen uint64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.changed != seen {
		return false
	}
	d.accounts[x.Account], d.saved = x, seen
	return true
}

// beginEpoch begins the next epoch of an account, where its history ends. One that the store does not have has none.
func (s *Service) beginEpoch(ctx context.Context, account holdfast.ID, why string) error {
	return s.retry(ctx, func() error {
		snap, err := s.newest(ctx, account)
		if err != nil {
			return err
		}
		h, err := snap.Head(account)
		snap.Close()
		if holdfast.IsKind(err, holdfast.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		rec := holdfast.EpochRecord{Epoch: h.Epoch + 1, Parent: h.Epoch, Fork: h.Seq, Hash: h.Chain, Nonce: holdfast.NewID(s.randomSource()), Why: why}
		return s.commitOne(ctx, account, s.entry(holdfast.Actor{}, holdfast.OpPut, holdfast.KindEpoch, account, holdfast.EpochName(rec.Epoch), rec.Encode(), nil))
	})
}

func (s *Service) write(ctx context.Context, all []Doubt) error {
	if s.saveDoubts == nil {
		return nil
	}
	return s.saveDoubts(ctx, all)
}

// keepDoubts writes down what changed. Those who wait for each other are served by one write. Where it fails the doubt stands in memory, and is
// written down with the next one or by Run.
func (s *Service) keepDoubts(ctx context.Context) {
	d := &s.doubt
	d.saving.Lock()
	defer d.saving.Unlock()
	all, changed := d.list()
	if changed == d.saved {
		return
	}
	if err := s.write(ctx, all); err != nil {
		s.log.Error("which accounts are in doubt could not be written down; a restart would forget it until a device comes again", "err", err)
		return
	}
	d.saved = changed
}
