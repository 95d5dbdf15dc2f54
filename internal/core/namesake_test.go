package core_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/core"
)

// TestALocalPartNamesTheAskerAlone: what stands before the "@" of a login that the asker has or had is a segment for his own account, and for nobody else's.
func TestALocalPartNamesTheAskerAlone(t *testing.T) {
	h := newShelf(t, core.Limits{})
	bob, _, err := h.s.CreateAccount(t.Context(), holdfast.Actor{}, "bob@example.org", "")
	if err != nil {
		t.Fatal(err)
	}
	twin, _, err := h.s.CreateAccount(t.Context(), holdfast.Actor{}, "alice@b.example.org", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err = h.s.UpdateAccount(t.Context(), holdfast.Actor{}, h.p.Account, func(r *holdfast.AccountRecord) error { r.Email = "alicia@example.org"; return nil }); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		who      holdfast.ID
		segments []string
		others   []string
	}{
		{h.p.Account, []string{"alice", "alicia", "Alice", "alice@example.org"}, []string{"bob", "alice@b.example.org", "ali", "alice@", ""}},
		{twin.ID, []string{"alice", "alice@b.example.org"}, []string{"alicia", "bob", "alice@example.org"}},
		{bob.ID, []string{"bob"}, []string{"alice", "alicia"}},
	} {
		p := holdfast.Principal{Account: c.who}
		for _, segment := range slices.Concat(c.segments, c.others) {
			own := slices.Contains(c.segments, segment)
			check := func(how string, id holdfast.ID, err error) {
				if own && (err != nil || id != c.who) || !own && !holdfast.IsKind(err, holdfast.Forbidden) {
					t.Errorf("%s %q: %v, %v", how, segment, id, err)
				}
			}
			id, err := h.s.Resolve(t.Context(), p, segment)
			check("home", id, err)
			id, err = h.s.ResolvePrincipal(t.Context(), p, segment)
			check("principal", id, err)
			if err := h.s.Read(t.Context(), p, c.who, func(r *core.Reader) error {
				id, err := r.Resolve(segment)
				check("home in a read", id, err)
				id, err = r.ResolvePrincipal(segment)
				check("principal in a read", id, err)
				return nil
			}); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestNamesakesCostTheSame: one snapshot for a name that one has, several, too many, or none; then none while it is cached, whatever else is asked.
func TestNamesakesCostTheSame(t *testing.T) {
	now := clock.NewFake(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	h, e := newCounting(t, core.Options{Clock: now})
	for i := range 20 {
		logins := []string{fmt.Sprintf("info@%d.example.org", i)}
		if i < 16 {
			logins = append(logins, fmt.Sprintf("team@%d.example.org", i))
		}
		for _, login := range logins {
			if _, _, err := h.s.CreateAccount(t.Context(), holdfast.Actor{}, login, ""); err != nil {
				t.Fatal(err)
			}
		}
	}
	e.countAccounts.Store(true)
	if _, err := h.s.Person(t.Context(), "alice@example.org"); err != nil { // one that is cached is read all the same
		t.Fatal(err)
	}
	e.accounts.Store(0)
	e.whole.Store(0)
	for round, want := range []int64{1, 0, 0, 1} {
		if round == 3 {
			now.Advance(time.Minute)
		}
		for name, many := range map[string]int{"alice": 1, "nobody": 0, "info": 0, "team": 16} {
			before := e.snapshots.Load()
			people, err := h.s.Namesakes(t.Context(), name)
			if err != nil || len(people) != many {
				t.Fatalf("%s: %d accounts, %v; want %d", name, len(people), err, many)
			}
			if n := e.snapshots.Load() - before; n != want {
				t.Errorf("round %d: %s took %d snapshots, want %d", round, name, n, want)
			}
			if n, reads := e.accounts.Swap(0), want*int64(max(many, 1)); n != reads {
				t.Errorf("round %d: %s read %d accounts, want %d", round, name, n, reads)
			}
			if n := e.whole.Load(); n != 0 {
				t.Errorf("round %d: %s read %d times more than devices: how much an account holds can be timed, and made use of", round, name, n)
			}
		}
	}
	// A store that cannot be read says nothing of a name.
	now.Advance(time.Minute)
	e.refuse = errors.New("no disk")
	for _, name := range []string{"alice", "nobody"} {
		if _, err := h.s.Namesakes(t.Context(), name); !errors.Is(err, e.refuse) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAnAccountOfTwoLoginsIsOneNamesake: also where it has had more of them than accounts may share a local part.
func TestAnAccountOfTwoLoginsIsOneNamesake(t *testing.T) {
	h := newShelf(t, core.Limits{})
	for i := range 3 {
		if _, err := h.s.UpdateAccount(t.Context(), holdfast.Actor{}, h.p.Account, func(r *holdfast.AccountRecord) error {
			r.Email = fmt.Sprintf("alice@%d.example.org", i)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if people, err := h.s.Namesakes(t.Context(), "alice"); err != nil || len(people) != 1 || people[0].ID != h.p.Account {
		t.Errorf("%d accounts, %v", len(people), err)
	}
}

// TestMadeUpNamesAreForgotten: a flood of names is bounded, and washes no account away.
func TestMadeUpNamesAreForgotten(t *testing.T) {
	h, e := newCounting(t, core.Options{Limits: core.Limits{Directory: 10}, Clock: clock.NewFake(time.Now())})
	if _, err := h.s.Person(t.Context(), "alice@example.org"); err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		if people, err := h.s.Namesakes(t.Context(), fmt.Sprintf("n%d", i)); err != nil || len(people) != 0 {
			t.Fatal(people, err)
		}
	}
	before := e.snapshots.Load()
	if _, err := h.s.Person(t.Context(), "alice@example.org"); err != nil || e.snapshots.Load() != before {
		t.Errorf("the account was forgotten: %v", err)
	}
}

// TestAnAppPasswordIsOneDevices: not of two devices that sign in by one name, nor again after it was revoked.
func TestAnAppPasswordIsOneDevices(t *testing.T) {
	h := newShelf(t, core.Limits{})
	secret := holdfast.HashOf([]byte("taken over"))
	add := func(account holdfast.ID) (holdfast.DeviceRecord, error) {
		d, _, err := h.s.AddDevice(t.Context(), holdfast.Actor{}, account, "phone", secret)
		return d, err
	}
	d, err := add(h.p.Account)
	if err != nil {
		t.Fatal(err)
	}
	_, err = add(h.p.Account)
	wantKind(t, err, holdfast.Exists)
	twin, _, err := h.s.CreateAccount(t.Context(), holdfast.Actor{}, "alice@b.example.org", "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = add(twin.ID)
	wantKind(t, err, holdfast.Exists)
	bob, _, err := h.s.CreateAccount(t.Context(), holdfast.Actor{}, "bob@example.org", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err = add(bob.ID); err != nil {
		t.Errorf("no name leads to both: %v", err)
	}
	if _, err := h.s.RevokeDevice(t.Context(), holdfast.Actor{}, h.p.Account, d.ID); err != nil {
		t.Fatal(err)
	}
	_, err = add(h.p.Account)
	wantKind(t, err, holdfast.Exists)
}

// TestAnAppPasswordIsOneDevicesAtOnce: nor where several are added in one moment, to one account or to two that share a name. Revoking one device would leave the other one signing in.
func TestAnAppPasswordIsOneDevicesAtOnce(t *testing.T) {
	h := newShelf(t, core.Limits{})
	twin, _, err := h.s.CreateAccount(t.Context(), holdfast.Actor{}, "alice@b.example.org", "")
	if err != nil {
		t.Fatal(err)
	}
	for round := range 10 {
		secret := holdfast.HashOf(fmt.Append(nil, "taken over", round))
		var added atomic.Int64
		var all sync.WaitGroup
		for i := range 8 {
			account := []holdfast.ID{h.p.Account, twin.ID}[i%2]
			all.Go(func() {
				switch _, _, err := h.s.AddDevice(t.Context(), holdfast.Actor{}, account, "phone", secret); {
				case err == nil:
					added.Add(1)
				case !holdfast.IsKind(err, holdfast.Exists):
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := added.Load(); n != 1 {
			t.Fatalf("one app password is that of %d devices", n)
		}
	}
}
