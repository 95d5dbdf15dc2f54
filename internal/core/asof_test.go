package core_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/core"
	"holdfast/internal/store"
	"holdfast/internal/store/memory"
	"holdfast/internal/store/sqlite"
)

// stuck is a store whose vault can be out of reach.
type stuck struct {
	shelf
	g    *gate
	o    core.Options
	bob  holdfast.Principal
	home holdfast.ID // of alice's address books
}

// onStuck runs a test with such a store in the model and one in the default engine.
func onStuck(t *testing.T, fn func(*testing.T, *stuck)) {
	for name, open := range map[string]func(*testing.T) store.Engine{
		"memory": func(*testing.T) store.Engine { return memory.New() },
		"sqlite": func(t *testing.T) store.Engine {
			e, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir(), Create: true, Ballast: -1})
			if err != nil {
				t.Fatal(err)
			}
			return e
		}} {
		t.Run(name, func(t *testing.T) {
			e := open(t)
			t.Cleanup(func() { e.Close() })
			f := &stuck{g: newGate(e)}
			f.o = core.Options{Engine: e, Copies: f.g, Judges: map[holdfast.CollectionType]core.Judge{holdfast.TypeAddressbook: judgeLines},
				Limits: core.Limits{Show: 20 * time.Millisecond, Quota: 1 << 20}}
			f.shelf = shelfOf(t, core.New(f.o))
			a, _, err := f.s.CreateAccount(t.Context(), holdfast.Actor{}, "bob@example.org", "")
			if err != nil {
				t.Fatal(err)
			}
			f.bob = holdfast.Principal{Account: a.ID}
			f.p.Device = f.device(t, "phone", 1)
			at, err := f.s.Locate(t.Context(), f.p, f.p.Account, []string{"addressbooks"})
			if err != nil {
				t.Fatal(err)
			}
			f.home = at.Collection.ID
			fn(t, f)
		})
	}
}

func (f *stuck) device(t *testing.T, name string, secret byte) holdfast.ID {
	t.Helper()
	d, _, err := f.s.AddDevice(t.Context(), holdfast.Actor{}, f.p.Account, name, holdfast.Hash{secret})
	if err != nil {
		t.Fatal(err)
	}
	return d.ID
}

// seen is all that a reader is shown of an account, and of a collection that may be shared with it.
func (f *stuck) seen(t *testing.T, s *core.Service, p holdfast.Principal, book holdfast.ID) (lines []string) {
	t.Helper()
	say := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	item := func(r *holdfast.Resource) error {
		say("%s %s %d %d %s", r.Name, r.Body, r.State, r.Seq, r.UID)
		return nil
	}
	err := s.Read(t.Context(), p, p.Account, func(r *core.Reader) error {
		cs, err := r.Visible()
		if err != nil {
			return err
		}
		for _, c := range cs {
			say("%s %s %s %d %d", c.Parent, c.Name, r.Token(&c), c.Items, c.Octets)
		}
		used, err := usageOf(r)
		say("used %d, %v", used, err)
		d, err := r.Digest(0)
		say("%v, %v", d, err)
		for _, uid := range []string{"one", "two"} {
			x, err := r.ByUID(book, uid)
			say("%s: %s, %v", uid, x.Name, holdfast.KindOf(err))
		}
		x, err := r.Resource(book, "x", core.WithBody)
		say("%s, %v", x.Body, holdfast.KindOf(err))
		say("list: %v", r.List(book, "", 0, core.WithBody, item))
		if c, err := r.Collection(book); err == nil {
			next, more, err := r.Changes(&c, "", 0, 0, item)
			say("changes: %s %t %v", next, more, err)
		}
		at, err := r.Locate([]string{"addressbooks", "more", "x"})
		say("%s %s, %v", at.Collection.Name, at.Rest, err)
		say("logged in as %s", r.Owner().Email)
		return nil
	})
	if err != nil {
		say("error %v", holdfast.KindOf(err))
	}
	at, err := s.Locate(t.Context(), p, p.Account, []string{"addressbooks", "more", "x"})
	say("%s %s, %v", at.Collection.Name, at.Rest, err)
	return lines
}

// TestAnAccountIsShownAsOfItsLastAcknowledgedChange: each kind of change, stuck, is seen by nobody; then the vault comes back, and it is.
func TestAnAccountIsShownAsOfItsLastAcknowledgedChange(t *testing.T) {
	onStuck(t, func(t *testing.T, f *stuck) {
		ctx := t.Context()
		f.mustPut(t, "x", "one 1")
		f.mustPut(t, "y", "other")
		if err := f.s.Share(ctx, holdfast.Actor{}, f.p.Account, f.book, f.bob.Account, holdfast.RightRead); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			what string
			do   func() error
		}{
			{"a new version", func() error {
				_, _, err := f.s.Put(ctx, f.p, core.PutRequest{Place: f.place("x"), Body: []byte("one 2, which is longer")})
				return err
			}},
			{"another resource", func() error {
				_, _, err := f.s.Put(ctx, f.p, core.PutRequest{Place: f.place("z"), Body: []byte("two")})
				return err
			}},
			{"a deletion", func() error {
				_, err := f.s.Delete(ctx, f.p, f.place("x"), holdfast.Precondition{}, nil)
				return err
			}},
			{"a collection", func() error {
				_, _, err := f.s.MakeCollection(ctx, f.p, core.NewCollection{Owner: f.p.Account, Parent: f.home, Name: "more", Type: holdfast.TypeAddressbook})
				return err
			}},
			{"a property of the collection", func() error {
				_, err := f.s.SetProperties(ctx, f.p, f.place(""), nil, func(ps holdfast.Properties) (holdfast.Properties, error) {
					return ps.With("DAV:", "displayname", []byte("<D:displayname xmlns:D='DAV:'>stuck</D:displayname>")), nil
				})
				return err
			}},
			{"a login", func() error {
				_, err := f.s.UpdateAccount(ctx, holdfast.Actor{}, f.p.Account, func(r *holdfast.AccountRecord) error { r.Email = "al@example.org"; return nil })
				return err
			}},
		} {
			alice, bob := f.seen(t, f.s, f.p, f.book), f.seen(t, f.s, f.bob, f.book)
			f.g.set(false)
			wantKind(t, c.do(), holdfast.Unavailable)
			for range 2 {
				if got := f.seen(t, f.s, f.p, f.book); !slices.Equal(got, alice) {
					t.Errorf("%s is stuck, and its owner sees\n%s\nwhat he saw before\n%s", c.what, strings.Join(got, "\n"), strings.Join(alice, "\n"))
				}
				if got := f.seen(t, f.s, f.bob, f.book); !slices.Equal(got, bob) {
					t.Errorf("%s is stuck, and a guest sees\n%s\nwhat he saw before\n%s", c.what, strings.Join(got, "\n"), strings.Join(bob, "\n"))
				}
			}
			// The writes go on from what is newest, and are not shown as done.
			_, err := f.s.Delete(ctx, f.p, f.place("y"), holdfast.Precondition{}, nil)
			wantKind(t, err, holdfast.Unavailable)
			f.g.set(true)
			if got := f.seen(t, f.s, f.p, f.book); slices.Equal(got, alice) {
				t.Errorf("%s has reached the vault, and nothing new is seen", c.what)
			}
			want := f.seen(t, core.New(f.o), f.p, f.book) // nothing is known by heart there
			if got := f.seen(t, f.s, f.p, f.book); !slices.Equal(got, want) {
				t.Errorf("%s has reached the vault, and what is remembered is older:\n%s\nthan\n%s", c.what, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
		if a, err := f.s.Account(ctx, "al@example.org"); err != nil || a.ID != f.p.Account {
			t.Error(a, err)
		}
	})
}

// TestARightThatWasEndedCountsAtOnce: what is shown is older, but nobody gets in who would not get in now.
func TestARightThatWasEndedCountsAtOnce(t *testing.T) {
	onStuck(t, func(t *testing.T, f *stuck) {
		ctx := t.Context()
		second := f.device(t, "tablet", 2)
		if err := f.s.Share(ctx, holdfast.Actor{}, f.p.Account, f.book, f.bob.Account, holdfast.RightWrite); err != nil {
			t.Fatal(err)
		}
		in := func(secret byte) string {
			t.Helper()
			p, err := f.s.Person(ctx, "alice@example.org")
			if err != nil {
				t.Fatal(err)
			}
			_, one := p.DeviceBySecret(holdfast.Hash{secret})
			people, err := f.s.Namesakes(ctx, "alice")
			if err != nil || len(people) != 1 {
				t.Fatal(people, err)
			}
			_, two := people[0].DeviceBySecret(holdfast.Hash{secret})
			return fmt.Sprint(one, two)
		}
		update := func(fn func(*holdfast.AccountRecord)) error {
			_, err := f.s.UpdateAccount(ctx, holdfast.Actor{}, f.p.Account, func(r *holdfast.AccountRecord) error { fn(r); return nil })
			return err
		}
		guest := func() holdfast.ErrorKind {
			return holdfast.KindOf(f.s.Read(ctx, f.bob, f.bob.Account, func(r *core.Reader) error { _, err := r.Collection(f.book); return err }))
		}
		if in(1) != "true true" || in(2) != "true true" {
			t.Fatal("the devices do not get in")
		}

		f.g.set(false)
		_, err := f.s.RevokeDevice(ctx, holdfast.Actor{}, f.p.Account, second)
		wantKind(t, err, holdfast.Unavailable)
		if in(1) != "true true" || in(2) != "false false" {
			t.Error("a device was revoked, which is not acknowledged:", in(1), in(2))
		}
		f.g.set(true)
		f.g.set(false)
		_, _, err = f.s.AddDevice(ctx, holdfast.Actor{}, f.p.Account, "new", holdfast.Hash{3})
		wantKind(t, err, holdfast.Unavailable)
		if in(1) != "true true" || in(3) != "false false" {
			t.Error("a device was added, which is not acknowledged:", in(1), in(3))
		}
		at := f.g.engine.Position()
		_, _, err = f.s.AddDevice(ctx, holdfast.Actor{}, f.p.Account, "other", holdfast.Hash{3})
		if wantKind(t, err, holdfast.Unavailable); f.g.engine.Position() != at {
			t.Error("a secret that is a device's, which is not acknowledged, was given to another one")
		}
		f.g.set(true)
		if in(3) != "true true" {
			t.Error("a device whose addition is acknowledged does not get in:", in(3))
		}
		f.g.set(false)
		wantKind(t, update(func(r *holdfast.AccountRecord) { r.Password = "another" }), holdfast.Unavailable)
		if p, err := f.s.Person(ctx, "alice@example.org"); err != nil || p.Password != "another" {
			t.Error("the password that was given up counts:", err)
		}
		f.g.set(true)
		f.g.set(false)
		wantKind(t, f.s.Unshare(ctx, holdfast.Actor{}, f.p.Account, f.book, f.bob.Account), holdfast.Unavailable)
		if kind := guest(); kind != holdfast.NotFound {
			t.Error("a share was ended, and its guest is answered", kind)
		}
		f.g.set(true)
		if err := f.s.Share(ctx, holdfast.Actor{}, f.p.Account, f.book, f.bob.Account, holdfast.RightRead); err != nil {
			t.Fatal(err)
		}
		if kind := guest(); kind != 0 {
			t.Error("a share is there, and its guest is answered", kind)
		}
		f.g.set(false)
		wantKind(t, update(func(r *holdfast.AccountRecord) { r.State = holdfast.Suspended }), holdfast.Unavailable)
		wantKind(t, f.s.Read(ctx, f.p, f.p.Account, func(*core.Reader) error { return nil }), holdfast.Unavailable)
		f.g.set(true)
		f.g.set(false)
		wantKind(t, update(func(r *holdfast.AccountRecord) { r.State = holdfast.Active }), holdfast.Unavailable)
		wantKind(t, f.s.Read(ctx, f.p, f.p.Account, func(*core.Reader) error { return nil }), holdfast.Unavailable)
		f.g.set(true)
		if err := f.s.Read(ctx, f.p, f.p.Account, func(*core.Reader) error { return nil }); err != nil {
			t.Error(err)
		}
	})
}

// TestTokensOfBefore: a token that is handed out while a change is stuck is valid afterwards, and tells of the change.
func TestTokensOfBefore(t *testing.T) {
	onStuck(t, func(t *testing.T, f *stuck) {
		f.mustPut(t, "x", "one 1")
		f.g.set(false)
		_, _, err := f.s.Put(t.Context(), f.p, core.PutRequest{Place: f.place("x"), Body: []byte("one 2")})
		wantKind(t, err, holdfast.Unavailable)
		learned, token, _, err := f.sync(t, f.book, "", 0)
		if err != nil || fmt.Sprint(learned) != "[+x]" {
			t.Fatal(learned, err)
		}
		learned, again, _, err := f.sync(t, f.book, token, 0)
		if err != nil || len(learned) != 0 || again != token {
			t.Fatal(learned, err)
		}
		f.g.set(true)
		learned, after, _, err := f.sync(t, f.book, token, 0)
		if err != nil || fmt.Sprint(learned) != "[+x]" || after == token {
			t.Fatal(learned, err)
		}
		if n := len(f.s.Doubts()); n != 0 {
			t.Errorf("%d accounts are in doubt", n)
		}
	})
}

// TestWhatWasShownIsNeverTakenBack: a store that was shown further than its vault has come, because the engine alone was enough, or before the start, is not shown older.
func TestWhatWasShownIsNeverTakenBack(t *testing.T) {
	onStuck(t, func(t *testing.T, f *stuck) {
		g := newGate(f.g.engine)
		o := f.o
		o.Copies = g
		other := core.New(o) // which is told later what is acknowledged
		f.mustPut(t, "x", "one 1")
		before := f.seen(t, f.s, f.p, f.book)
		f.seen(t, other, f.p, f.book)
		g.set(false)
		f.g.lenient = true
		f.g.set(false) // the engine alone is enough
		f.mustPut(t, "x", "one 2")
		now := f.seen(t, f.s, f.p, f.book)
		_, token, _, err := f.sync(t, f.book, "", 0)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(strings.Join(now, "\n"), "one 2") {
			t.Errorf("what was acknowledged is not shown:\n%s", strings.Join(now, "\n"))
		}
		f.g.mu.Lock()
		low := f.g.upto - 1
		f.g.mu.Unlock()
		f.g.set(true)
		f.seen(t, f.s, f.p, f.book)
		f.g.set(false)
		f.g.mu.Lock()
		f.g.upto = low
		f.g.mu.Unlock()
		if got := f.seen(t, f.s, f.p, f.book); !slices.Equal(got, now) {
			t.Errorf("what was shown is not any more:\n%s", strings.Join(got, "\n"))
		}
		if got := f.seen(t, other, f.p, f.book); !slices.Equal(got, before) {
			t.Errorf("the other one shows what it was not told of:\n%s", strings.Join(got, "\n"))
		}
		// A device that has seen more comes there: nothing is lost, so nobody is in doubt.
		h := f.shelf
		h.s = other
		_, _, _, err = h.sync(t, f.book, token, 0)
		wantKind(t, err, holdfast.Unavailable)
		if n := len(other.Doubts()); n != 0 {
			t.Errorf("%d accounts are in doubt", n)
		}
		// After a start nobody knows how far the store was shown.
		started := core.New(f.o)
		wantKind(t, started.Read(t.Context(), f.p, f.p.Account, func(*core.Reader) error { return nil }), holdfast.Unavailable)
		f.g.set(true)
		if got := f.seen(t, started, f.p, f.book); !slices.Equal(got, now) {
			t.Errorf("after a start:\n%s", strings.Join(got, "\n"))
		}
	})
}

// TestOneWaitIsEnough: while nothing moves, only the first read waits.
func TestOneWaitIsEnough(t *testing.T) {
	onStuck(t, func(t *testing.T, f *stuck) {
		f.mustPut(t, "x", "one 1")
		f.g.set(false)
		_, _, err := f.s.Put(t.Context(), f.p, core.PutRequest{Place: f.place("x"), Body: []byte("one 2")})
		wantKind(t, err, holdfast.Unavailable)
		for range 5 {
			f.seen(t, f.s, f.p, f.book)
		}
		if n := f.g.waits.Load(); n != 1 {
			t.Errorf("%d reads waited", n)
		}
		f.g.set(true)
		f.g.set(false)
		_, _, err = f.s.Put(t.Context(), f.p, core.PutRequest{Place: f.place("x"), Body: []byte("one 2, again")})
		wantKind(t, err, holdfast.Unavailable)
		if f.seen(t, f.s, f.p, f.book); f.g.waits.Load() != 2 {
			t.Errorf("after something was acknowledged again, %d reads have waited", f.g.waits.Load())
		}
		f.g.set(true)
		o := f.o
		o.Limits.Show = time.Minute
		patient := core.New(o)
		f.seen(t, patient, f.p, f.book)
		f.g.set(false)
		_, _, err = f.s.Put(t.Context(), f.p, core.PutRequest{Place: f.place("x"), Body: []byte("one 3")})
		wantKind(t, err, holdfast.Unavailable)
		done, before := make(chan struct{}), f.g.waits.Load()
		go func() {
			defer close(done)
			for f.g.waits.Load() == before {
				time.Sleep(time.Millisecond)
			}
			f.g.set(true)
		}()
		if got := strings.Join(f.seen(t, patient, f.p, f.book), "\n"); !strings.Contains(got, "one 3") {
			t.Errorf("after a wait that was not in vain:\n%s", got)
		}
		<-done
	})
}

// TestAnAccountThatIsNotAcknowledgedIsNotDenied: a 401 or 404 would say that it is not there.
func TestAnAccountThatIsNotAcknowledgedIsNotDenied(t *testing.T) {
	onStuck(t, func(t *testing.T, f *stuck) {
		f.g.set(false)
		_, _, err := f.s.CreateAccount(t.Context(), holdfast.Actor{}, "carol@example.org", "")
		wantKind(t, err, holdfast.Unavailable)
		_, err = f.s.Person(t.Context(), "carol@example.org")
		wantKind(t, err, holdfast.Unavailable)
		_, err = f.s.Person(t.Context(), "nobody@example.org")
		wantKind(t, err, holdfast.NotFound)
		_, err = f.s.Person(t.Context(), holdfast.NewID(nil).String())
		wantKind(t, err, holdfast.NotFound)
		if list, err := f.s.Accounts(t.Context(), holdfast.ID{}, 0); err != nil || len(list) != 2 {
			t.Errorf("%d accounts are listed, %v", len(list), err)
		}
		f.g.set(true)
		if _, err = f.s.Person(t.Context(), "carol@example.org"); err != nil {
			t.Error(err)
		}
	})
}
