package core

import (
	"context"
	"slices"
	"sync"
	"time"

	"holdfast"
)

// Doubt says that a device proved to have seen more of an account than this store has. While it stands, nobody reads or writes the account through a
// face: what the store would list is not what the account's owner has, and devices would drop the rest. Only an operator ends it, see [Service.Settle].
type Doubt struct {
	Account    holdfast.ID `json:"account"`
	Since      time.Time   `json:"since,omitzero"`    // zero: there is none now, there was one
	Released   time.Time   `json:"released,omitzero"` // when an operator ended the last one; zero: never
	Device     holdfast.ID `json:"device"`            // which presented the token; zero: none that has an app password
	Collection holdfast.ID `json:"collection"`        // of which
	Seq        uint64      `json:"seq,string"`        // what the device has seen
	Head       uint64      `json:"head,string"`       // what the store had
	Vault      string      `json:"vault,omitempty"`   // which has another history of the account, up to Seq; empty: a device brought the doubt
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

func inDoubt(op, ref string) error {
	return fail(op, holdfast.InDoubt, ref, "this server may lack changes that one of your devices has seen; nothing is listed or taken until its operator has settled that")
}

// begin puts an account in doubt. fresh tells that it was not.
func (d *doubts) begin(x Doubt) (fresh bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.requests++
	old := d.accounts[x.Account]
	if !old.Since.IsZero() {
		return false
	}
	x.Released = old.Released
	d.accounts[x.Account] = x
	d.changed++
	return true
}

func (d *doubts) of(account holdfast.ID) Doubt {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.accounts[account]
}

// list returns what is known, by account, and how many changes it includes.
func (d *doubts) list() ([]Doubt, uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make([]Doubt, 0, len(d.accounts))
	for _, x := range d.accounts {
		out = append(out, x)
	}
	slices.SortFunc(out, func(a, b Doubt) int { return a.Account.Compare(b.Account) })
	return out, d.changed
}

func (d *doubts) count() (requests, accounts int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, x := range d.accounts {
		if !x.Since.IsZero() {
			accounts++
		}
	}
	return d.requests, accounts
}

// Diverged puts an account in doubt whose history went on in this store and in a vault in different ways, up to seq there and to head here. It is written down before it returns.
func (s *Service) Diverged(ctx context.Context, account holdfast.ID, vault string, seq, head uint64) error {
	if !s.doubt.begin(Doubt{Account: account, Since: s.Now().Truncate(time.Second), Seq: seq, Head: head, Vault: vault}) {
		return nil // it waits already
	}
	s.log.Error("the store and a vault have different histories of an account: it waits until an operator has settled which counts", "account", account, "vault", vault, "vault_has", seq, "store_has", head)
	d := &s.doubt
	d.saving.Lock()
	defer d.saving.Unlock()
	all, changed := d.list()
	if err := s.write(ctx, all); err != nil {
		return &holdfast.Error{Op: "core.Diverged", Kind: holdfast.Unavailable, Ref: account.String(), Text: "that the account is in doubt could not be written down", Err: err}
	}
	d.saved = changed
	return nil
}

// Doubts returns the doubts that stand, by account.
func (s *Service) Doubts() []Doubt {
	all, _ := s.doubt.list()
	return slices.DeleteFunc(all, func(x Doubt) bool { return x.Since.IsZero() })
}

// Settle ends an account's doubt by an operator's decision: what this store has is what counts from now on. Devices whose tokens this store does not
// know list anew then, and drop what it does not have. It is written down before it holds. Errors: NotFound (there is no doubt), Unavailable.
func (s *Service) Settle(ctx context.Context, account holdfast.ID) error {
	d := &s.doubt
	d.saving.Lock()
	defer d.saving.Unlock()
	all, changed := d.list()
	i := slices.IndexFunc(all, func(x Doubt) bool { return x.Account == account && !x.Since.IsZero() })
	if i < 0 {
		return fail("Settle", holdfast.NotFound, account.String(), "this account is not in doubt")
	}
	was := all[i]
	if was.Vault != "" { // from here on the histories are told apart by more than their chains
		if err := s.beginEpoch(ctx, account, "settled against the history that the vault "+was.Vault+" has"); err != nil {
			return &holdfast.Error{Op: "core.Settle", Kind: holdfast.KindOf(err), Ref: account.String(), Text: "a new epoch could not be begun; the account stays in doubt", Err: err}
		}
	}
	all[i] = Doubt{Account: account, Released: s.Now().Truncate(time.Second)}
	if err := s.write(ctx, all); err != nil {
		return &holdfast.Error{Op: "core.Settle", Kind: holdfast.Unavailable, Ref: account.String(), Text: "the decision could not be written down; the account stays in doubt", Err: err}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.saved = changed
	d.accounts[account] = all[i]
	s.log.Warn("an operator released an account that was in doubt: its devices will list what this store has", "account", account, "since", was.Since,
		"device", was.Device, "collection", was.Collection, "seq", was.Seq, "head", was.Head)
	return nil
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

// lost judges an authentic token whose history the store does not have. It puts the account that handed it out in doubt, whoever presents it, save where an operator released the account
// and the device has not shown since to have come over: its token is then one of those that were given up.
func (r *Reader) lost(owner *Person, t syncToken) error {
	if released := r.s.doubt.of(owner.ID).Released; !released.IsZero() {
		came, err := r.cameOver(owner, t.collection, released)
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
	x := Doubt{Account: owner.ID, Since: r.s.Now().Truncate(time.Second), Device: r.p.Device, Collection: t.collection, Seq: t.seq, Head: head.Seq}
	if r.s.doubt.begin(x) {
		r.s.log.Error("a device presented an authentic sync token whose history this store does not have: the store may be older than what the device has seen. Nobody reads or writes the account until that is settled: holdfast incident list",
			"account", owner.Email, "collection", t.collection, "device", r.p.Device, "epoch", t.epoch, "seq", t.seq, "head", head.Seq)
	}
	if _, ok := r.owner.bindings[t.collection]; !ok && owner.ID != r.owner.ID {
		// The device was given it, so it was bound here: what the store lacks may be the binding, and a home without it would make phones drop the collection.
		x.Account = r.owner.ID
		r.s.doubt.begin(x)
	}
	r.doubted = inDoubt("Changes", owner.Email)
	return r.doubted
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
