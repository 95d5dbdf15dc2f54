package memory

import (
	"fmt"

	"holdfast"
	"holdfast/internal/store"
)

// fail builds an error of Commit.
func fail(kind holdfast.ErrorKind, ref, format string, args ...any) error {
	return store.Err("Commit", kind, ref, fmt.Sprintf(format, args...))
}

// validate judges what can be judged of a group without knowing the store. It comes before every other rule.
func validate(g *holdfast.Group) error {
	switch n := len(g.Entries); {
	case n == 0:
		return fail(holdfast.Invalid, "", "A group has at least one entry.")
	case n > holdfast.MaxGroup:
		return fail(holdfast.TooLarge, "", "A group has at most %d entries, this one has %d.", holdfast.MaxGroup, n)
	}
	for i := range g.Entries {
		e := &g.Entries[i]
		if e.Hash.IsZero() || int(e.More) != len(g.Entries)-1-i {
			return fail(holdfast.Invalid, e.Name, "The group is not sealed.")
		}
		if err := validateEntry(g.Account, e); err != nil {
			return err
		}
	}
	return nil
}

func validateEntry(account holdfast.ID, e *holdfast.Entry) error {
	own, record := e.Name == "", e.Collection == account && e.Name == holdfast.RecordAccount
	switch {
	case e.Op != holdfast.OpPut && e.Op != holdfast.OpDelete:
		return fail(holdfast.Invalid, e.Name, "The operation %d is not known.", e.Op)
	case e.Kind == 0:
		return fail(holdfast.Invalid, e.Name, "An entry says what kind its item is of.")
	case e.Body != nil && e.Blob != nil:
		return fail(holdfast.Invalid, e.Name, "An entry has a body or a blob, not both.")
	case e.Op == holdfast.OpDelete && (len(e.Body) > 0 || e.Blob != nil || len(e.Properties) > 0):
		return fail(holdfast.Invalid, e.Name, "What is deleted has neither octets nor properties.")
	case own != (e.Kind == holdfast.KindCollection):
		return fail(holdfast.Invalid, e.Name, "The entry without a name is the collection's own, and no other is.")
	case record != (e.Kind == holdfast.KindAccount):
		return fail(holdfast.Invalid, e.Name, "The account's record is the entry %q of its root, and no other is.", holdfast.RecordAccount)
	}
	if !own {
		if err := holdfast.CheckName(e.Name); err != nil {
			return fail(holdfast.Invalid, e.Name, "%v.", err)
		}
	}
	if _, err := holdfast.DecodeProperties(e.PropsRaw); err != nil {
		return fail(holdfast.Invalid, e.Name, "%v.", err)
	}
	switch {
	case own:
		return validateCollection(account, e)
	case record:
		return validateAccount(e)
	}
	return nil
}

// validateCollection judges a collection's own entry.
func validateCollection(account holdfast.ID, e *holdfast.Entry) error {
	root := e.Collection == account
	if e.Op == holdfast.OpDelete {
		if root {
			return fail(holdfast.Invalid, "", "The root collection cannot be deleted.")
		}
		return nil
	}
	r, err := holdfast.DecodeCollection(e.Body)
	if err != nil {
		return fail(holdfast.Invalid, "", "%v.", err)
	}
	if root != (r.Type == holdfast.TypeRoot) || root && !r.Parent.IsZero() {
		return fail(holdfast.Invalid, r.Name, "The collection that has the account's id is its root: of type %q, and without a parent.", holdfast.TypeRoot)
	}
	if !root {
		if err := holdfast.CheckName(r.Name); err != nil {
			return fail(holdfast.Invalid, r.Name, "%v.", err)
		}
	}
	return nil
}

// validateAccount judges an account's record.
func validateAccount(e *holdfast.Entry) error {
	if e.Op == holdfast.OpDelete {
		return fail(holdfast.Invalid, e.Name, "An account's record cannot be deleted.")
	}
	r, err := holdfast.DecodeAccount(e.Body)
	if err != nil {
		return fail(holdfast.Invalid, e.Name, "%v.", err)
	}
	if login, err := holdfast.ParseLogin(r.Email); err != nil || login != r.Email {
		return fail(holdfast.Invalid, r.Email, "The login is not in its canonical form.")
	}
	return nil
}
