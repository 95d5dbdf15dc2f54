package store

import (
	"fmt"
	"slices"
	"strings"

	"holdfast"
)

// refuse builds an error of Commit.
func refuse(kind holdfast.ErrorKind, ref, format string, args ...any) error {
	return Err("Commit", kind, ref, fmt.Sprintf(format, args...))
}

// CheckGroup judges what can be judged of a group without knowing the store: it is sealed, and each entry is well-formed. Every engine calls it before any
// other rule, so that all answer alike. Errors: Invalid, TooLarge.
func CheckGroup(g *holdfast.Group) error {
	switch n := len(g.Entries); {
	case n == 0:
		return refuse(holdfast.Invalid, "", "A group has at least one entry.")
	case n > holdfast.MaxGroup:
		return refuse(holdfast.TooLarge, "", "A group has at most %d entries, this one has %d.", holdfast.MaxGroup, n)
	}
	for i := range g.Entries {
		e := &g.Entries[i]
		if e.Hash.IsZero() || int(e.More) != len(g.Entries)-1-i {
			return refuse(holdfast.Invalid, e.Name, "The group is not sealed.")
		}
		if err := checkEntry(g.Account, e); err != nil {
			return err
		}
	}
	return nil
}

func checkEntry(account holdfast.ID, e *holdfast.Entry) error {
	own, record := e.Name == "", e.Collection == account && e.Name == holdfast.RecordAccount
	burst := e.Collection == account && strings.HasPrefix(e.Name, holdfast.RecordBurstPrefix)
	epoch := e.Collection == account && strings.HasPrefix(e.Name, holdfast.RecordEpochPrefix)
	reversal := e.Collection == account && strings.HasPrefix(e.Name, holdfast.RecordReversalPrefix)
	switch {
	case e.Op != holdfast.OpPut && e.Op != holdfast.OpDelete:
		return refuse(holdfast.Invalid, e.Name, "The operation %d is not known.", e.Op)
	case e.Kind == 0:
		return refuse(holdfast.Invalid, e.Name, "An entry says what kind its item is of.")
	case e.Body != nil && e.Blob != nil:
		return refuse(holdfast.Invalid, e.Name, "An entry has a body or a blob, not both.")
	case e.Op == holdfast.OpDelete && (len(e.Body) > 0 || e.Blob != nil || len(e.Properties) > 0):
		return refuse(holdfast.Invalid, e.Name, "What is deleted has neither octets nor properties.")
	case e.Lost && (e.Op != holdfast.OpPut || e.Body != nil || e.Blob != nil || e.ETag.IsZero() || e.Size <= 0 || own || e.Collection == account || e.Index.UID != ""):
		return refuse(holdfast.Invalid, e.Name, "What is lost is a member of a collection, and has a hash and a size, and no octets and no UID.")
	case own != (e.Kind == holdfast.KindCollection):
		return refuse(holdfast.Invalid, e.Name, "The entry without a name is the collection's own, and no other is.")
	case epoch != (e.Kind == holdfast.KindEpoch):
		return refuse(holdfast.Invalid, e.Name, "The records of epochs are the entries %q… of the account's root, and no others are.", holdfast.RecordEpochPrefix)
	case reversal != (e.Kind == holdfast.KindReversal):
		return refuse(holdfast.Invalid, e.Name, "The records of reversals are the entries %q… of the account's root, and no others are.", holdfast.RecordReversalPrefix)
	case burst != (e.Kind == holdfast.KindBurst):
		return refuse(holdfast.Invalid, e.Name, "The records of bursts are the entries %q… of the account's root, and no others are.", holdfast.RecordBurstPrefix)
	case record != (e.Kind == holdfast.KindAccount):
		return refuse(holdfast.Invalid, e.Name, "The account's record is the entry %q of its root, and no other is.", holdfast.RecordAccount)
	}
	if !own {
		if err := holdfast.CheckName(e.Name); err != nil {
			return refuse(holdfast.Invalid, e.Name, "%v.", err)
		}
	}
	if _, err := holdfast.DecodeProperties(e.PropsRaw); err != nil {
		return refuse(holdfast.Invalid, e.Name, "%v.", err)
	}
	switch {
	case own:
		return checkCollection(account, e)
	case record:
		return checkAccount(e)
	case epoch:
		return checkEpoch(e)
	}
	return nil
}

// checkCollection judges a collection's own entry.
func checkCollection(account holdfast.ID, e *holdfast.Entry) error {
	root := e.Collection == account
	if e.Op == holdfast.OpDelete {
		if root {
			return refuse(holdfast.Invalid, "", "The root collection cannot be deleted.")
		}
		return nil
	}
	r, err := holdfast.DecodeCollection(e.Body)
	if err != nil {
		return refuse(holdfast.Invalid, "", "%v.", err)
	}
	if root != (r.Type == holdfast.TypeRoot) || root && !r.Parent.IsZero() {
		return refuse(holdfast.Invalid, r.Name, "The collection that has the account's id is its root: of type %q, and without a parent.", holdfast.TypeRoot)
	}
	if !root {
		if err := holdfast.CheckName(r.Name); err != nil {
			return refuse(holdfast.Invalid, r.Name, "%v.", err)
		}
	}
	return nil
}

// checkAccount judges an account's record.
func checkAccount(e *holdfast.Entry) error {
	if e.Op == holdfast.OpDelete {
		return refuse(holdfast.Invalid, e.Name, "An account's record cannot be deleted.")
	}
	r, err := holdfast.DecodeAccount(e.Body)
	if err != nil {
		return refuse(holdfast.Invalid, e.Name, "%v.", err)
	}
	if login, err := holdfast.ParseLogin(r.Email); err != nil || login != r.Email {
		return refuse(holdfast.Invalid, r.Email, "The login is not in its canonical form.")
	}
	return nil
}

// checkEpoch judges the record of an epoch.
func checkEpoch(e *holdfast.Entry) error {
	if e.Op == holdfast.OpDelete {
		return refuse(holdfast.Invalid, e.Name, "The record of an epoch cannot be deleted.")
	}
	r, err := holdfast.DecodeEpoch(e.Body)
	if err == nil && e.Name != holdfast.EpochName(r.Epoch) {
		err = fmt.Errorf("epoch record: it is that of epoch %d", r.Epoch)
	}
	if err != nil {
		return refuse(holdfast.Invalid, e.Name, "%v.", err)
	}
	return nil
}

// Begins judges whether an epoch's record goes on from where the account is. Engines ask it inside the commit. Errors: PreconditionFailed.
func Begins(e *holdfast.Entry, epoch, seq uint64, chain holdfast.Hash) (uint64, error) {
	r, err := holdfast.DecodeEpoch(e.Body)
	if err != nil {
		return 0, refuse(holdfast.Invalid, e.Name, "%v.", err)
	}
	if r.Parent != epoch || r.Fork != seq || r.Hash != chain {
		return 0, refuse(holdfast.PreconditionFailed, e.Name, "The account's history has gone on since: an epoch begins where it ends.")
	}
	return r.Epoch, nil
}

// CreatesAccount tells whether a group may create its account: it begins with the root collection and holds the account's record.
func CreatesAccount(g *holdfast.Group) bool {
	first := &g.Entries[0]
	return first.Kind == holdfast.KindCollection && first.Op == holdfast.OpPut && first.Collection == g.Account &&
		slices.ContainsFunc(g.Entries, func(e holdfast.Entry) bool { return e.Kind == holdfast.KindAccount })
}
