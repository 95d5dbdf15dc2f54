package vault

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"

	"holdfast"
	"holdfast/internal/place"
	"holdfast/internal/seal"
)

// maxService bounds what a store keeps of itself in a vault.
const maxService = 4 << 20

// PutService keeps, encrypted for the recovery keys and the server, what a restored store needs to go on: its list of vaults, its policy. The newest one counts; where it
// says the same nothing is written.
func (v *Vault) PutService(ctx context.Context, what any) error {
	ring, err := v.ring("PutService")
	if err != nil {
		return err
	}
	b, err := json.Marshal(what)
	if err != nil {
		return fail("PutService", holdfast.Internal, "", "it does not encode", err)
	}
	for range maxServiceTries { // another part of the store may say it at the same moment
		if err = v.putService(ctx, ring, b); !holdfast.IsKind(err, holdfast.Exists) {
			break
		}
	}
	return err
}

// maxServiceTries bounds how often the next number is looked for.
const maxServiceTries = 5

func (v *Vault) putService(ctx context.Context, ring *seal.Ring, b []byte) error {
	var have json.RawMessage
	n, err := v.service(ctx, &have)
	if err != nil && !holdfast.IsKind(err, holdfast.NotFound) && !holdfast.IsKind(err, holdfast.Corrupt) && !holdfast.IsKind(err, holdfast.Unauthorized) {
		return err
	}
	if err == nil && bytes.Equal(have, b) {
		return nil
	}
	sealed, err := seal.Seal(b, ring.Recipients()...)
	if err != nil {
		return err
	}
	return v.p.Put(ctx, dirService+number(n+1), bytes.NewReader(sealed))
}

// Service reads into into what the store kept of itself. Errors: NotFound, Corrupt, Unauthorized.
func (v *Vault) Service(ctx context.Context, into any) error {
	_, err := v.service(ctx, into)
	return err
}

// maxServiceBack bounds how many objects are tried that cannot be opened: somebody may have put rubbish above the store's own.
const maxServiceBack = 20

// service reads the newest object that can be opened; n is the number of the newest one of all.
func (v *Vault) service(ctx context.Context, into any) (n uint64, err error) {
	var names []string
	if err := v.p.List(ctx, dirService, "", func(i place.Info) error {
		if k, ok := numberOf(i.Name, dirService, ""); ok {
			names, n = append(names, i.Name), k
		}
		return nil
	}); err != nil {
		return 0, err
	}
	if len(names) == 0 {
		return 0, fail("Service", holdfast.NotFound, v.p.String(), "the vault does not say what its store was like", nil)
	}
	var first error
	for _, name := range slices.Backward(names[max(0, len(names)-maxServiceBack):]) {
		err := v.serviceIn(ctx, name, into)
		if err == nil || !damaging(err) && !holdfast.IsKind(err, holdfast.Unauthorized) {
			return n, err
		}
		first = firstErr(first, err)
	}
	return n, first
}

func (v *Vault) serviceIn(ctx context.Context, name string, into any) error {
	sealed, err := place.ReadAll(ctx, v.p, name, maxService)
	if err != nil {
		return err
	}
	b, err := seal.OpenAll(sealed, maxService, v.with()...)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fail("Service", holdfast.Corrupt, name, "it cannot be read", err)
	}
	return nil
}
