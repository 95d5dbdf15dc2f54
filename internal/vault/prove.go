package vault

import (
	"context"

	"holdfast"
	"holdfast/internal/seal"
)

// proofs is how many account keys Prove opens.
const proofs = 16

// Prove opens, with the keys that the vault was opened with, what the vault holds for them: what the store kept of itself, keys of accounts (a sample of the first thousand), and the newest segment's. It returns how
// much it opened; 0 where there is nothing yet. Errors: Unauthorized (the keys do not open it), Corrupt, Unavailable.
func (v *Vault) Prove(ctx context.Context) (opened int, err error) {
	note := func(err error) error {
		if err == nil {
			opened++
		} else if holdfast.IsKind(err, holdfast.NotFound) {
			return nil
		}
		return err
	}
	var any struct{}
	if err := note(v.Service(ctx, &any)); err != nil {
		return opened, err
	}
	w := &rewrapper{v: v}
	names, err := w.page(ctx, dirKeys, "")
	if err != nil {
		return opened, err
	}
	for i := 0; i < len(names); i += max(1, len(names)/proofs) {
		if k, ok := parseKeyName(names[i]); ok {
			_, err := v.FindAccountKey(ctx, k.account)
			if err := note(err); err != nil {
				return opened, err
			}
		}
	}
	_, err = v.newestSegmentKey(ctx)
	return opened, note(err)
}

// newestSegmentKey opens the key of the newest segment of the newest term.
func (v *Vault) newestSegmentKey(ctx context.Context) (*seal.Identity, error) {
	term, err := v.lastTerm(ctx)
	if err != nil {
		return nil, err
	}
	numbers, err := v.segments(ctx, term.Number)
	if err != nil {
		return nil, err
	}
	if len(numbers) == 0 {
		return nil, fail("Prove", holdfast.NotFound, v.p.String(), "there is no segment", nil)
	}
	return v.segmentKey(ctx, term.Number, numbers[len(numbers)-1])
}

// Opens counts what of a sample the keys open that the vault was opened with, and what they do not fit: what the store kept of itself, keys of accounts, the newest segment's. Damage and what cannot be read count for nothing. Where much does not fit
// and nothing opens, they are another store's keys, or such as were replaced.
func (v *Vault) Opens(ctx context.Context) (opened, unfit int) {
	note := func(err error) {
		switch {
		case err == nil:
			opened++
		case holdfast.IsKind(err, holdfast.Unauthorized):
			unfit++
		}
	}
	var any struct{}
	note(v.Service(ctx, &any))
	w := &rewrapper{v: v}
	names, err := w.page(ctx, dirKeys, "")
	if err != nil {
		return opened, unfit
	}
	for i := 0; i < len(names); i += max(1, len(names)/proofs) {
		if k, ok := parseKeyName(names[i]); ok {
			_, err := v.FindAccountKey(ctx, k.account)
			note(err)
		}
	}
	_, err = v.newestSegmentKey(ctx)
	note(err)
	return opened, unfit
}
