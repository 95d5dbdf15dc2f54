package scrub

import (
	"context"
	"errors"
	"os"

	"holdfast"
	"holdfast/internal/vault"
)

// errAll ends the reading of a history once all that is wanted was met.
var errAll = errors.New("all was found")

// FromVaults returns a source that reads vaults: those that open gives, one after the other, so that damage in one does not hide what another has. They are closed after it. spool is a directory of its own, for what is sorted on the way.
func FromVaults(open func(ctx context.Context) ([]*vault.Vault, error), spool string) Source {
	return func(ctx context.Context, account holdfast.ID, want map[uint64]holdfast.Hash, fn func(uint64, []byte, string) error) (err error) {
		if err := os.RemoveAll(spool); err != nil { // of one that was cut
			return err
		}
		if err := os.MkdirAll(spool, 0o700); err != nil {
			return err
		}
		defer os.RemoveAll(spool)
		list, opened := open(ctx)
		defer func() {
			for _, v := range list {
				v.Close()
			}
		}()
		missing := map[uint64]bool{}
		for seq := range want {
			missing[seq] = true
		}
		errs := []error{opened}
		for _, v := range list {
			if len(missing) > 0 {
				errs = append(errs, fromVault(ctx, v, spool, account, want, missing, fn))
			}
		}
		return errors.Join(errs...)
	}
}

func fromVault(ctx context.Context, v *vault.Vault, spool string, account holdfast.ID, want map[uint64]holdfast.Hash, missing map[uint64]bool, fn func(uint64, []byte, string) error) error {
	r, err := vault.NewReader(ctx, []*vault.Vault{v}, vault.ReadOptions{Spool: spool, Account: account})
	if err != nil {
		return err
	}
	defer r.Close()
	where := "vault " + v.Meta().Name
	err = r.Accounts(ctx, func(h *vault.History) error {
		if h.Account != account {
			return nil
		}
		return h.Changes(ctx, func(list []vault.Loaded) error {
			for i := range list {
				c := &list[i]
				if !missing[c.Seq] || c.Op != holdfast.OpPut || c.Blob != nil || c.Pruned || holdfast.HashOf(c.Body) != want[c.Seq] {
					continue
				}
				if err := fn(c.Seq, c.Body, where); err != nil {
					return err
				}
				if delete(missing, c.Seq); len(missing) == 0 {
					return errAll
				}
			}
			return nil
		})
	})
	if errors.Is(err, errAll) {
		return nil
	}
	return err
}
