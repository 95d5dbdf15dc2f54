package main

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/control"
	"holdfast/internal/core"
	"holdfast/internal/vault"
)

// erasuresName is the file of a data directory that says which accounts wait to be erased, and how far that is.
const erasuresName = "erasures.json"

// erasures are the accounts that are to be erased. An account waits, and that can be undone; then its key is destroyed in each vault, and it is removed from the store; it is erased when nothing holds a line of it any more.
type erasures struct {
	dir    string
	wait   time.Duration
	core   *core.Service
	vaults func() []string         // the names of all
	forget func(holdfast.ID) error // what drills proved of an account, and its files
	named  func(*vault.Vault, holdfast.ID) vault.Named
	clock  clock.Clock
	log    *slog.Logger

	mu  sync.Mutex
	all []*erasure
}

// erasure is one of them, as the file has it.
type erasure struct {
	Account   holdfast.ID         `json:"account"`
	Email     string              `json:"email,omitempty"`
	Requested time.Time           `json:"requested"`
	Waited    clock.Waited        `json:"waited"`
	Due       bool                `json:"due"`
	Vaults    map[string][]string `json:"vaults,omitempty"` // what each still holds; a vault that is not in it was not asked yet
	Store     bool                `json:"store"`            // it is gone from the store
	Done      time.Time           `json:"done,omitzero"`
}

func readErasures(dir string, wait time.Duration, c *core.Service, vaults func() []string, clk clock.Clock, log *slog.Logger) (*erasures, error) {
	e := &erasures{dir: dir, wait: wait, forget: func(holdfast.ID) error { return nil }, named: func(*vault.Vault, holdfast.ID) vault.Named { return nil }, core: c, vaults: vaults, clock: clk, log: log}
	_, err := readState(dir, erasuresName, &e.all)
	for _, x := range e.all {
		if x.Vaults == nil { // the file leaves out what is empty
			x.Vaults = map[string][]string{}
		}
	}
	return e, err
}

// save writes the file. The lock is held.
func (e *erasures) save() error { return writeState(e.dir, erasuresName, e.all) }

// Request implements [control.Erasures].
func (e *erasures) Request(ctx context.Context, id holdfast.ID) (control.Erasure, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	a, err := e.core.Account(ctx, id.String())
	if err != nil {
		return control.Erasure{}, err
	}
	now := e.clock.Now().UTC().Truncate(time.Second)
	i := slices.IndexFunc(e.all, func(x *erasure) bool { return x.Account == id })
	if i < 0 {
		x := &erasure{Account: id, Email: a.Email, Requested: now}
		x.Waited.Count(now)
		e.all, i = append(e.all, x), len(e.all)
	} else if a.State != holdfast.Erasing { // it was undone once, and waits anew
		e.all[i].Requested, e.all[i].Waited, e.all[i].Email = now, clock.Waited{}, a.Email
		e.all[i].Waited.Count(now)
	}
	if err := e.save(); err != nil { // before the account says it: what waits must be known
		return control.Erasure{}, err
	}
	if _, err := e.core.BeginErase(ctx, holdfast.Actor{}, id); err != nil {
		return control.Erasure{}, err
	}
	e.log.Warn("an account waits to be erased", "account", a.Email, "id", id, "wait", e.wait)
	return e.show(e.all[i]), nil
}

// Undo implements [control.Erasures]. Whether an account is due is decided under the same lock: it is resumed before that, or not at all.
func (e *erasures) Undo(_ context.Context, id holdfast.ID, fn func() error) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if slices.ContainsFunc(e.all, func(x *erasure) bool { return x.Account == id && x.Due }) {
		return keyTrouble(holdfast.Forbidden, "it is too late: the wait is over, and the account's keys are being destroyed")
	}
	return fn()
}

// List implements [control.Erasures].
func (e *erasures) List(context.Context) ([]control.Erasure, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := []control.Erasure{}
	for _, x := range e.all {
		out = append(out, e.show(x))
	}
	return out, nil
}

func (e *erasures) show(x *erasure) control.Erasure {
	out := control.Erasure{ID: x.Account, Email: x.Email, State: control.EraseWaiting, Requested: x.Requested, Waited: x.Waited.Total.Seconds(), Wait: e.wait.Seconds(), Left: []string{}}
	switch {
	case !x.Done.IsZero():
		out.State = control.EraseDone
	case x.Due:
		out.State = control.EraseGoingOn
	}
	for _, name := range e.vaults() {
		left, asked := x.Vaults[name]
		if x.Due && !asked {
			out.Left = append(out.Left, "vault "+name)
		}
		for _, object := range left {
			out.Left = append(out.Left, "vault "+name+": "+object)
		}
	}
	if x.Due && !x.Store {
		out.Left = append(out.Left, "the store")
	}
	return out
}

// spares tells whether nothing of an account's history is let go of meanwhile: it is to be erased, or in doubt.
func (e *erasures) spares(id holdfast.ID) bool {
	if slices.ContainsFunc(e.core.Doubts(), func(d core.Doubt) bool { return d.Account == id }) {
		return true
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.ContainsFunc(e.all, func(x *erasure) bool { return x.Account == id })
}

// tick counts the time, and removes from the store what every vault has destroyed the key of.
func (e *erasures) tick(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.all) == 0 {
		return nil
	}
	now := e.clock.Now()
	kept := e.all[:0:0]
	for _, x := range e.all {
		if !x.Due && !e.wanted(ctx, x) {
			e.log.Info("an account waits no more to be erased", "id", x.Account)
			continue
		}
		kept = append(kept, x)
		if !x.Due && x.Waited.Count(now) >= e.wait {
			x.Due, x.Vaults = true, map[string][]string{}
			e.log.Warn("an account is erased now", "id", x.Account)
		}
		if x.Due {
			e.advance(ctx, x, now)
		}
	}
	e.all = kept
	return e.save()
}

// wanted tells whether an account still waits to be erased.
func (e *erasures) wanted(ctx context.Context, x *erasure) bool {
	a, err := e.core.Account(ctx, x.Account.String())
	return err != nil || a.State == holdfast.Erasing
}

// advance does what can be done now for an account whose wait is over. The lock is held.
func (e *erasures) advance(ctx context.Context, x *erasure, now time.Time) {
	left := 0
	for _, name := range e.vaults() {
		objects, asked := x.Vaults[name]
		if !asked {
			return // its key is destroyed everywhere before the store forgets it: whoever must decide otherwise still can
		}
		left += len(objects)
	}
	if !x.Store {
		_, err := e.core.BeginErase(ctx, holdfast.Actor{}, x.Account) // where only a vault says that it was erased
		if err == nil || holdfast.IsKind(err, holdfast.NotFound) {
			err = e.core.Erase(ctx, x.Account)
		}
		if err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
			e.log.Error("an account could not be erased from the store; it is tried again", "id", x.Account, "err", err)
			return
		}
		if err := e.forget(x.Account); err != nil {
			e.log.Error("what lies beside the store of an erased account could not be removed; it is tried again", "id", x.Account, "err", err)
			return
		}
		x.Store, x.Email = true, ""
	}
	if left == 0 && x.Done.IsZero() {
		x.Done = now.UTC().Truncate(time.Second)
		e.log.Warn("an account is erased: every vault has confirmed, and nothing holds a line of it any more", "id", x.Account)
	}
}

// inVault destroys in one vault what is due there.
func (e *erasures) inVault(ctx context.Context, name string, v *vault.Vault, w *vault.Writer) error {
	told, err := v.Erased(ctx)
	if err != nil {
		return err
	}
	e.mu.Lock()
	for id := range told { // also of a store that was put back from a time before it
		if !slices.ContainsFunc(e.all, func(x *erasure) bool { return x.Account == id }) {
			e.all = append(e.all, &erasure{Account: id, Requested: e.clock.Now().UTC().Truncate(time.Second), Due: true, Vaults: map[string][]string{}})
		}
	}
	var due []*erasure
	for _, x := range e.all {
		if left, asked := x.Vaults[name]; x.Due && (!asked || len(left) > 0 || !told[x.Account]) { // its record may be damaged
			due = append(due, x)
		}
	}
	e.mu.Unlock()
	for _, x := range due {
		left, err := v.Erase(ctx, w, x.Account, e.named(v, x.Account))
		if err != nil {
			return err
		}
		e.mu.Lock()
		x.Vaults[name] = left
		err = e.save()
		e.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

// run ticks until ctx ends.
func (e *erasures) run(ctx context.Context, every time.Duration) {
	for {
		if err := e.tick(ctx); err != nil && ctx.Err() == nil {
			e.log.Error("how far the erasure of accounts is could not be written down", "err", err)
		}
		if clock.Sleep(ctx, e.clock, every) != nil {
			return
		}
	}
}
