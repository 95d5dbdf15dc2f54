package asof

import (
	"cmp"
	"slices"
	"strings"

	"holdfast"
	"holdfast/internal/store"
)

// there returns an account that was there. Errors: NotFound.
func (v *View) there(op string, id holdfast.ID) (*account, error) {
	a, err := v.account(id)
	if err == nil && a.hides && a.head.Seq == 0 {
		err = missing(op, id.String(), "account")
	}
	return a, err
}

// AccountByLogin implements [store.Directory].
func (v *View) AccountByLogin(login string) (holdfast.ID, error) {
	id, err := v.base.AccountByLogin(login)
	if err != nil {
		return id, err
	}
	a, err := v.there("AccountByLogin", id)
	if err != nil || !a.record {
		return id, err
	}
	shown, _, err := v.logins(a)
	if err == nil && !slices.Contains(shown, login) {
		err = missing("AccountByLogin", login, "account")
	}
	if err != nil {
		return holdfast.ID{}, err
	}
	return id, nil
}

// logins returns the logins that an account had, and all that it has or had since.
func (v *View) logins(a *account) (shown, all []string, err error) {
	err = v.base.Versions(a.id, holdfast.RecordAccount, store.WithBody, func(ch *holdfast.Change) error {
		if ch.Op != holdfast.OpPut {
			return nil
		}
		rec, err := holdfast.DecodeAccount(ch.Body)
		if err != nil {
			return &holdfast.Error{Op: "store.Account", Kind: holdfast.Corrupt, Ref: a.id.String(), Err: err}
		}
		if !slices.Contains(all, rec.Email) {
			all = append(all, rec.Email)
		}
		if ch.Seq <= a.head.Seq && !slices.Contains(shown, rec.Email) {
			shown = append(shown, rec.Email)
		}
		return nil
	})
	return shown, all, err
}

// AccountsByLocalPart implements [store.Directory]. What the snapshot beneath finds may be of logins that are passed over: then it is asked for more.
func (v *View) AccountsByLocalPart(local string, limit int) ([]holdfast.ID, error) {
	for ask := limit; ; ask *= 2 {
		ids, err := v.base.AccountsByLocalPart(local, ask)
		if err != nil {
			return nil, err
		}
		shown, err := v.shownOf(local, ids)
		if err != nil || len(shown) >= limit || len(ids) < ask {
			return shown[:min(limit, len(shown))], err
		}
	}
}

// shownOf leaves out, of the accounts that have a local part by ascending login, those whose login is passed over. Each login is known only by whose it is: they are told apart by what their accounts are
// called.
func (v *View) shownOf(local string, ids []holdfast.ID) ([]holdfast.ID, error) {
	type name struct {
		login string
		id    holdfast.ID
		shown bool
	}
	var names []name
	distinct := slices.Compact(slices.SortedFunc(slices.Values(ids), holdfast.ID.Compare))
	hides := false
	for _, id := range distinct {
		a, err := v.account(id)
		if err != nil {
			return nil, err
		}
		hides = hides || a.record
	}
	if !hides {
		return ids, nil
	}
	for _, id := range distinct {
		a := v.accounts[id]
		shown, all, err := v.logins(a)
		if err != nil {
			return nil, err
		}
		for _, login := range all {
			if strings.HasPrefix(login, local+"@") {
				names = append(names, name{login, id, !a.hides || slices.Contains(shown, login)})
			}
		}
	}
	slices.SortFunc(names, func(a, b name) int { return cmp.Compare(a.login, b.login) })
	var out []holdfast.ID
	for _, n := range names[:min(len(names), len(ids))] { // the others come after what was asked for
		if n.shown {
			out = append(out, n.id)
		}
	}
	return out, nil
}

// Account implements [store.Directory].
func (v *View) Account(id holdfast.ID) (x holdfast.Account, err error) {
	a, err := v.there("Account", id)
	if err != nil {
		return x, err
	}
	if !a.hides {
		return v.base.Account(id)
	}
	r, err := v.base.ResourceAt(id, holdfast.RecordAccount, a.head.Seq, store.WithBody)
	if err != nil {
		return x, err
	}
	x.ID, x.Epoch, x.Seq = id, a.head.Epoch, a.head.Seq
	if x.AccountRecord, err = holdfast.DecodeAccount(r.Body); err != nil {
		err = &holdfast.Error{Op: "store.Account", Kind: holdfast.Corrupt, Ref: id.String(), Err: err}
	}
	return x, err
}

// Accounts implements [store.Directory].
func (v *View) Accounts(after holdfast.ID, limit int) (out []holdfast.Account, err error) {
	for {
		list, err := v.base.Accounts(after, limit)
		if err != nil {
			return nil, err
		}
		for _, x := range list {
			after = x.ID
			was, err := v.Account(x.ID)
			if holdfast.IsKind(err, holdfast.NotFound) {
				continue
			}
			if err != nil {
				return nil, err
			}
			if out = append(out, was); len(out) == limit {
				return out, nil
			}
		}
		if limit <= 0 || len(list) < limit {
			return out, nil
		}
	}
}

// Erased implements [store.Directory]. It is no change, and never passed over.
func (v *View) Erased(id holdfast.ID) (bool, error) { return v.base.Erased(id) }

// Sightings implements [store.Directory]. They are no changes, and always the newest.
func (v *View) Sightings(id holdfast.ID) ([]holdfast.Sighting, error) { return v.base.Sightings(id) }

// Ghosts implements [store.Directory]: of the newest state, as what is told of the whole is about now.
func (v *View) Ghosts(id holdfast.ID) (int64, error) { return v.base.Ghosts(id) }
