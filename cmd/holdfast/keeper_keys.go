package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/control"
	"holdfast/internal/registry"
	"holdfast/internal/seal"
	"holdfast/internal/vfs"
	"holdfast/internal/web"
)

// rotationName is the file that says that a recovery key is on its way into the vaults.
const rotationName = "rotation.json"

// rotation is a recovery key on its way into the vaults. In the first round everything is wrapped for it too, in the second no more for those that leave: at each moment those keys, or the new
// one, open everything.
type rotation struct {
	To    string   `json:"to"`   // fingerprints
	Drop  []string `json:"drop"` // empty: there is no second round
	Round int      `json:"round"`
}

func (k *keeper) readRotation() (*rotation, error) {
	b, err := vfs.ReadFile(vfs.OS, filepath.Join(k.c.Data, rotationName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	r := &rotation{}
	if err == nil {
		err = json.Unmarshal(b, r)
	}
	if err != nil {
		return nil, refused("%s cannot be read; remove it, and run `holdfast key rotate --out FILE` again", filepath.Join(k.c.Data, rotationName))
	}
	if k.held(r.To) == nil { // it was cut before the key came into the ring: nothing was wrapped for it
		return nil, nil
	}
	return r, nil
}

func (k *keeper) writeRotation(r *rotation) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return vfs.WriteFileAtomic(vfs.OS, filepath.Join(k.c.Data, rotationName), append(b, '\n'), 0o600)
}

// endRotation removes the file, durably.
func (k *keeper) endRotation() error {
	if err := os.Remove(filepath.Join(k.c.Data, rotationName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return vfs.OS.SyncDir(k.c.Data)
}

// held returns a recovery key by its fingerprint; nil: there is none.
func (k *keeper) held(fingerprint string) *seal.Held {
	for _, h := range k.ring.Recovery() {
		if h.Recipient.Fingerprint() == fingerprint {
			return &h
		}
	}
	return nil
}

// Show implements [control.Keys].
func (k *keeper) Show(context.Context) (control.KeyState, error) {
	r, err := k.readRotation()
	if err != nil {
		return control.KeyState{}, err
	}
	file, err := filepath.Abs(filepath.Join(k.c.Data, registry.KeysName))
	if err != nil {
		return control.KeyState{}, err
	}
	s := control.KeyState{Store: k.store, Recovery: []control.RecoveryState{}, Server: k.ring.Server.Recipient().String(), Signer: k.ring.Signer.Public(), Hybrid: k.ring.Server.Hybrid(),
		File: file, Rotating: r != nil, Nag: k.nag()}
	for _, h := range k.ring.Recovery() {
		x := control.RecoveryState{Recipient: h.Recipient.String(), Fingerprint: h.Recipient.Fingerprint(), Made: h.Made}
		if !h.Checked.IsZero() {
			x.Checked = &h.Checked
		}
		if r != nil {
			for _, d := range r.Drop {
				x.Leaving = x.Leaving || d == x.Fingerprint
			}
		}
		s.Recovery = append(s.Recovery, x)
	}
	return s, nil
}

// nag says what should be done about the recovery key; empty: nothing.
func (k *keeper) nag() string {
	list := k.ring.Recovery()
	if len(list) == 0 {
		return "there is no recovery key: if this disk is lost, nobody can read the vaults. Make one: holdfast key init --out FILE"
	}
	h := list[len(list)-1]
	last, what := h.Checked, "was last checked on "+day(h.Checked)
	if last.IsZero() {
		last, what = h.Made, "was made on "+day(h.Made)+", and never checked"
	}
	if clock.System.Now().Sub(last) < k.c.Keyring.Nag {
		return ""
	}
	return "the recovery key " + what + ". Prove that you still have it: holdfast key check FILE"
}

// Checked implements [control.Keys].
func (k *keeper) Checked(ctx context.Context, fingerprint string) (control.KeyState, error) {
	k.mu.Lock()
	err := k.ring.Checked(fingerprint, clock.System.Now())
	if err == nil {
		err = registry.WriteKeys(vfs.OS, k.c.Data, k.ring)
	}
	k.mu.Unlock()
	if err != nil {
		return control.KeyState{}, err
	}
	return k.Show(ctx)
}

func keyTrouble(kind holdfast.ErrorKind, format string, args ...any) error {
	return &holdfast.Error{Op: "key", Kind: kind, Text: fmt.Sprintf(format, args...)}
}

// AddRecovery implements [control.Keys].
func (k *keeper) AddRecovery(ctx context.Context, n control.NewRecovery, rotate bool, fn func(control.KeyProgress)) (control.KeyState, error) {
	to, err := seal.ParseRecipient(n.Recipient)
	if err != nil {
		return control.KeyState{}, err
	}
	if !k.rotating.TryLock() {
		return control.KeyState{}, keyTrouble(holdfast.Busy, "keys are being wrapped anew at this moment; wait until that is done")
	}
	defer k.rotating.Unlock()
	h := seal.Held{Recipient: to, Made: n.Made.UTC(), Certificate: seal.Certificate{Recovery: to.Fingerprint(), MAC: n.MAC}}
	r, err := k.begin(h, rotate)
	if err != nil {
		return control.KeyState{}, err
	}
	if err := k.rotate(ctx, r, fn); err != nil {
		return control.KeyState{}, err
	}
	return k.Show(ctx)
}

// begin takes a recovery key into the ring, or finds that it is the one that is on its way already.
func (k *keeper) begin(h seal.Held, rotate bool) (*rotation, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	r, err := k.readRotation()
	if err != nil {
		return nil, err
	}
	to := h.Recipient.Fingerprint()
	switch {
	case r != nil && r.To == to:
		return r, nil
	case r != nil:
		return nil, keyTrouble(holdfast.Exists, "another recovery key (%s) is on its way into the vaults; finish that first: holdfast key rotate --out ITS-FILE", r.To)
	case !rotate && len(k.ring.Recovery()) > 0:
		return nil, keyTrouble(holdfast.Exists, "the store has a recovery key already; for another one: holdfast key rotate --out FILE")
	case k.held(to) != nil:
		return nil, keyTrouble(holdfast.Exists, "this is the store's recovery key already")
	}
	r = &rotation{To: to, Round: 1}
	for _, old := range k.ring.Recovery() {
		r.Drop = append(r.Drop, old.Recipient.Fingerprint())
	}
	if err := k.writeRotation(r); err != nil {
		return nil, err
	}
	if err := k.ring.AddHeld(h); err != nil {
		return nil, err
	}
	if err := registry.WriteKeys(vfs.OS, k.c.Data, k.ring); err != nil {
		_ = k.ring.Drop(to) // it was there a moment ago; whether the file has it is not known, and the next start sees
		return nil, err
	}
	k.log.Info("a recovery key was added", "key", to, "made", h.Made)
	return r, nil
}

// rotate brings a rotation to its end, from wherever it is.
func (k *keeper) rotate(ctx context.Context, r *rotation, fn func(control.KeyProgress)) error {
	if r.Round == 1 {
		if err := k.round(ctx, 1, fn); err != nil {
			return err
		}
		if len(r.Drop) == 0 {
			return k.endRotation()
		}
		r.Round = 2
		if err := k.writeRotation(r); err != nil {
			return err
		}
	}
	if err := k.drop(r.Drop); err != nil {
		return err
	}
	if err := k.round(ctx, 2, fn); err != nil {
		return err
	}
	k.log.Info("recovery keys were dropped", "keys", r.Drop)
	return k.endRotation()
}

func (k *keeper) drop(fingerprints []string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, f := range fingerprints {
		if err := k.ring.Drop(f); err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
			return err
		}
	}
	return registry.WriteKeys(vfs.OS, k.c.Data, k.ring)
}

// round wraps the keys of every vault anew. A vault that cannot be had now does not keep the others from it; the round is over when none is left out.
func (k *keeper) round(ctx context.Context, n int, fn func(control.KeyProgress)) error {
	var missed []string
	for _, e := range k.vaults().Vaults {
		err := again(ctx, func() error { return k.rewrap(ctx, e, n, fn) })
		if err != nil && ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			k.log.Warn("a vault's keys could not all be wrapped anew", "vault", e.Name, "err", err)
			missed = append(missed, e.Name+" ("+sentence(err)+")")
			fn(control.KeyProgress{Vault: e.Name, Round: n, Waiting: sentence(err)})
		}
	}
	if len(missed) > 0 {
		return keyTrouble(holdfast.Unavailable, "the keys of %s could not all be wrapped anew. Until then keep the old recovery key and the new one; it is tried again by itself while a server runs, and when this command is run again",
			strings.Join(missed, ", "))
	}
	return nil
}

// again calls fn up to three times while it fails with Unavailable: the relay, which opens the same vault at that moment, takes away half-written files that it takes for those of a
// writer that was killed. fn can be called again after any error.
func again(ctx context.Context, fn func() error) error {
	for tries := 1; ; tries++ {
		err := fn()
		if tries == 3 || !holdfast.IsKind(err, holdfast.Unavailable) || clock.Sleep(ctx, clock.System, 200*time.Millisecond) != nil {
			return err
		}
	}
}

// progressEvery bounds how often progress is told.
const progressEvery = 200 * time.Millisecond

func (k *keeper) rewrap(ctx context.Context, e registry.Entry, n int, fn func(control.KeyProgress)) error {
	v, err := k.open(ctx, e)
	if err != nil {
		return err
	}
	defer v.Close()
	if err := v.PutService(ctx, k.record()); err != nil {
		return err
	}
	var last time.Time
	left, err := v.Rewrap(ctx, func(done, of int64) {
		if now := clock.System.Now(); done == of || now.Sub(last) >= progressEvery || now.Before(last) {
			last = now
			fn(control.KeyProgress{Vault: e.Name, Round: n, Done: done, Of: of})
		}
	})
	if len(left) > 0 && n == 2 {
		fn(control.KeyProgress{Vault: e.Name, Round: n, Waiting: fmt.Sprintf("%s there can still be opened with the old recovery key, as the vault did not let us remove them; when its server lets them go, `holdfast vault prune %s --credential prune.txt` removes them",
			count(int64(len(left)), "object"), e.Location)})
	}
	return err
}

// resume goes on with a rotation that was cut, if there is one.
func (k *keeper) resume(ctx context.Context) error {
	k.rotating.Lock()
	defer k.rotating.Unlock()
	r, err := k.readRotation()
	if err != nil || r == nil {
		return err
	}
	return k.rotate(ctx, r, func(control.KeyProgress) {})
}

// firstRecovery makes the recovery key of a store that has none, to be shown to its owner; nil where there is one. The server takes its public half first and forgets the rest; what is wrapped already is
// wrapped for it too in the background, and again at the next start if that is cut.
func (k *keeper) firstRecovery(ctx context.Context) (*web.RecoveryKey, error) {
	if len(k.ring.Recovery()) > 0 {
		return nil, nil
	}
	key, err := seal.NewRecovery(k.store, clock.System.Now(), k.ring.Server.Hybrid())
	if err != nil {
		return nil, err
	}
	if _, err := k.begin(key.Hold(k.ring.Signer.Public()), false); err != nil {
		return nil, err
	}
	k.background(func(ctx context.Context) {
		if err := k.resume(ctx); err != nil {
			k.log.Warn("the vaults are not all wrapped for the new recovery key yet; the next start goes on", "err", err)
		}
	})
	return &web.RecoveryKey{Key: key.Secret(), CheckWord: key.CheckWord(), Store: k.store.String(), Made: key.Made}, nil
}
