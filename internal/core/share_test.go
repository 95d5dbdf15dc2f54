package core_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/core"
	"holdfast/internal/store"
	"holdfast/internal/store/sqlite"
)

// family is a shelf whose book can be shared with bob, and a stranger.
type family struct {
	shelf
	e        *counting
	clock    *clock.Fake
	bob, eve holdfast.Principal
}

func newFamily(t *testing.T, limits core.Limits) *family { return newFamilyOn(t, limits, nil) }

// newFamilyOn makes a family in an engine; nil: the model.
func newFamilyOn(t *testing.T, limits core.Limits, e store.Engine) *family {
	t.Helper()
	f := &family{clock: clock.NewFake(time.Unix(1e9, 0))}
	f.shelf, f.e = newCounting(t, core.Options{Limits: limits, Clock: f.clock, Engine: e})
	f.p.Device = holdfast.ID{1}
	for i, p := range []*holdfast.Principal{&f.bob, &f.eve} {
		a, _, err := f.s.CreateAccount(t.Context(), holdfast.Actor{}, []string{"bob@example.org", "eve@example.org"}[i], "")
		if err != nil {
			t.Fatal(err)
		}
		d, _, err := f.s.AddDevice(t.Context(), holdfast.Actor{}, a.ID, "phone", holdfast.Hash{byte(i + 1)})
		if err != nil {
			t.Fatal(err)
		}
		*p = holdfast.Principal{Account: a.ID, Device: d.ID}
	}
	return f
}

// onBoth runs a test with a family in the model and one in the default engine.
func onBoth(t *testing.T, fn func(*testing.T, *family)) {
	t.Run("memory", func(t *testing.T) { fn(t, newFamily(t, core.Limits{})) })
	t.Run("sqlite", func(t *testing.T) {
		e, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir(), Create: true, Ballast: -1})
		if err != nil {
			t.Fatal(err)
		}
		fn(t, newFamilyOn(t, core.Limits{}, e))
	})
}

func (f *family) share(t *testing.T, rights holdfast.Right) {
	t.Helper()
	if err := f.s.Share(t.Context(), holdfast.Actor{}, f.p.Account, f.book, f.bob.Account, rights); err != nil {
		t.Fatal(err)
	}
}

// where follows a path in somebody's own tree: "owner access collection rest".
func (f *family) where(t *testing.T, p holdfast.Principal, names ...string) string {
	t.Helper()
	names = append([]string{"addressbooks"}, names...)
	say := func(at core.Location, err error) string {
		if err != nil {
			return holdfast.KindOf(err).String()
		}
		owner := map[holdfast.ID]string{f.p.Account: "alice", f.bob.Account: "bob", f.eve.Account: "eve"}[at.Owner]
		return fmt.Sprint(owner, " ", at.Access, " ", strings.ReplaceAll(at.Collection.Name, f.book.String(), "BOOK"), " ", len(at.Rest))
	}
	outside := say(f.s.Locate(t.Context(), p, p.Account, names))
	inside := ""
	if err := f.s.Read(t.Context(), p, p.Account, func(r *core.Reader) error { inside = say(r.Locate(names)); return nil }); err != nil {
		t.Fatal(err)
	}
	if inside != outside {
		t.Errorf("%s: %q inside of a read, %q outside", names, inside, outside)
	}
	return outside
}

func (f *family) put(t *testing.T, p holdfast.Principal, name, body string) error {
	t.Helper()
	_, _, err := f.s.Put(t.Context(), p, core.PutRequest{Place: f.place(name), Body: []byte(body)})
	return err
}

// visible lists what hangs in somebody's tree beside what he had from the start: "name displayname".
func (f *family) visible(t *testing.T, p holdfast.Principal) (out []string) {
	t.Helper()
	if err := f.s.Read(t.Context(), p, p.Account, func(r *core.Reader) error {
		cs, err := r.Bound()
		for _, c := range cs {
			out = append(out, string(c.Properties.Get("DAV:", "displayname")))
			if c.Account != f.p.Account || c.Name != c.ID.String() || c.Parent == c.Account {
				t.Errorf("%+v", c)
			}
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

const named = `<D:displayname xmlns:D="DAV:">Contacts (alice@example.org)</D:displayname>`

func TestAShareGivesItsRightAndNoMore(t *testing.T) {
	f := newFamily(t, core.Limits{})
	f.mustPut(t, "1.vcf", "u1 x")
	book := f.book.String()
	if got := f.where(t, f.bob, book); got != "bob 3 addressbooks 1" {
		t.Errorf("before: %s", got)
	}
	wantKind(t, f.put(t, f.bob, "2.vcf", "u2 x"), holdfast.Forbidden)
	f.share(t, holdfast.RightRead)
	if got := f.where(t, f.bob, book, "1.vcf"); got != "alice 1 BOOK 1" {
		t.Errorf("shared: %s", got)
	}
	if got := f.visible(t, f.bob); len(got) != 1 || got[0] != named {
		t.Errorf("the home has %v", got)
	}
	if got := f.visible(t, f.eve); len(got) != 0 || f.where(t, f.eve, book) != "eve 3 addressbooks 1" {
		t.Errorf("a stranger has %v", got)
	}
	wantRule(t, f.put(t, f.bob, "2.vcf", "u2 x"), "need-privileges")
	_, err := f.s.Delete(t.Context(), f.bob, f.place("1.vcf"), holdfast.Precondition{}, nil)
	wantRule(t, err, "need-privileges")
	f.share(t, holdfast.RightWrite)
	if err := f.put(t, f.bob, "2.vcf", "u2 x"); err != nil {
		t.Fatal(err)
	}
	wantKind(t, f.put(t, f.eve, "3.vcf", "u3 x"), holdfast.Forbidden)
	if _, err := f.s.Delete(t.Context(), f.bob, f.place("1.vcf"), holdfast.Precondition{}, nil); err != nil {
		t.Fatal(err)
	}
	f.actors(t, "alice 1.vcf, bob 2.vcf, bob 1.vcf")

	// The collection itself, and all the rest of the account, stay the owner's.
	root := core.Place{Owner: f.p.Account, Collection: f.p.Account}
	for what, at := range map[string]core.Place{"the root": root, "the owner's key": {Owner: f.p.Account, Collection: f.p.Account, Name: holdfast.RecordTokenKey}} {
		_, _, err := f.s.Put(t.Context(), f.bob, core.PutRequest{Place: at, Body: []byte("u x")})
		wantKind(t, err, holdfast.Forbidden)
		_, err = f.s.Delete(t.Context(), f.bob, at, holdfast.Precondition{}, nil)
		wantKind(t, err, holdfast.Forbidden)
		if err := f.s.Read(t.Context(), f.bob, f.bob.Account, func(r *core.Reader) error {
			_, err := r.Resource(at.Collection, at.Name, core.WithBody)
			return err
		}); !holdfast.IsKind(err, holdfast.Forbidden) {
			t.Errorf("%s can be read: %v", what, err)
		}
	}
	wantKind(t, f.s.Read(t.Context(), f.bob, f.p.Account, func(*core.Reader) error { return nil }), holdfast.Forbidden)
	_, _, err = f.s.MakeCollection(t.Context(), f.bob, core.NewCollection{Owner: f.p.Account, Parent: f.book, Name: "x", Type: holdfast.TypeAddressbook})
	wantKind(t, err, holdfast.Forbidden)
	whole := core.Transfer{From: f.place(""), To: core.Place{Owner: f.bob.Account, Collection: f.homeOf(t, f.bob), Name: "mine"}}
	_, err = f.s.Copy(t.Context(), f.bob, whole)
	wantKind(t, err, holdfast.Forbidden)
	_, err = f.s.Move(t.Context(), f.bob, whole)
	wantKind(t, err, holdfast.Forbidden)
}

func wantRule(t *testing.T, err error, rule string) {
	t.Helper()
	var e *holdfast.Error
	if !errors.As(err, &e) || e.Rule != rule {
		t.Errorf("got %v, want the rule %s", err, rule)
	}
}

func (f *family) homeOf(t *testing.T, p holdfast.Principal) holdfast.ID {
	t.Helper()
	at, err := f.s.Locate(t.Context(), p, p.Account, []string{"addressbooks"})
	if err != nil {
		t.Fatal(err)
	}
	return at.Collection.ID
}

// actors says who made the changes of the book's members, as the owner's journal has them.
func (f *family) actors(t *testing.T, want string) {
	t.Helper()
	var got []string
	if err := f.s.Inspect(t.Context(), f.p.Account, func(r *core.Reader) error {
		return r.History().Changes(f.p.Account, 0, 0, 0, func(c *holdfast.Change) error {
			if c.Collection == f.book && c.Name != "" {
				who := map[holdfast.Actor]string{f.p.Actor(): "alice", f.bob.Actor(): "bob"}[c.Actor]
				got = append(got, who+" "+c.Name)
			}
			return nil
		})
	}); err != nil {
		t.Fatal(err)
	}
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("the journal has %s, want %s", s, want)
	}
}

func TestWhatEndsAShare(t *testing.T) {
	f := newFamily(t, core.Limits{})
	book := f.book.String()
	list := func(of holdfast.ID) string {
		t.Helper()
		all, err := f.s.Shares(t.Context(), of)
		if err != nil {
			t.Fatal(err)
		}
		out := ""
		for _, x := range all {
			out += fmt.Sprint(x.Owner.Email, " ", x.Path, " ", x.With.Email, " ", x.Rights, " ", x.Active, "\n")
		}
		return out
	}
	const shared = "alice@example.org addressbooks/default bob@example.org write "
	f.share(t, holdfast.RightWrite)
	f.share(t, holdfast.RightWrite) // again: nothing more
	for _, of := range []holdfast.ID{{}, f.p.Account, f.bob.Account} {
		if got := list(of); got != shared+"true\n" {
			t.Errorf("listed: %q", got)
		}
	}
	if got := list(f.eve.Account); got != "" {
		t.Errorf("a stranger's: %q", got)
	}

	// The guest does not want it. The owner's data stay, and sharing again brings it back.
	_, err := f.s.Delete(t.Context(), f.bob, f.place(""), holdfast.Precondition{}, nil) // the book itself, and not where it hangs
	wantKind(t, err, holdfast.Forbidden)
	hung := f.place("")
	hung.Binding = true
	if _, err := f.s.Delete(t.Context(), f.bob, hung, holdfast.Precondition{}, nil); err != nil {
		t.Fatal(err)
	}
	if f.where(t, f.bob, book) != "bob 3 addressbooks 1" || f.where(t, f.p, "default") != "alice 3 default 0" || list(f.bob.Account) != shared+"false\n" {
		t.Errorf("unbound: %s, %s, %q", f.where(t, f.bob, book), f.where(t, f.p, "default"), list(f.bob.Account))
	}
	wantKind(t, f.put(t, f.bob, "1.vcf", "u1 x"), holdfast.Forbidden)
	f.share(t, holdfast.RightWrite)
	if err := f.put(t, f.bob, "1.vcf", "u1 x"); err != nil {
		t.Error(err)
	}

	// It was revoked on the owner's side, and nothing else was done: the guest's binding gives nothing.
	name := holdfast.ShareName(f.book, f.bob.Account)
	f.drop(t, holdfast.KindShare, f.p.Account, name)
	if got := f.where(t, f.bob, book, "1.vcf"); got != "bob 3 addressbooks 2" || len(f.visible(t, f.bob)) != 0 {
		t.Errorf("a binding without a right: %s", got)
	}
	wantKind(t, f.put(t, f.bob, "1.vcf", "u1 y"), holdfast.Forbidden)
	if err := f.s.Unshare(t.Context(), holdfast.Actor{}, f.p.Account, f.book, f.bob.Account); err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
		t.Error(err)
	}
	wantKind(t, f.s.Unshare(t.Context(), holdfast.Actor{}, f.p.Account, f.book, f.bob.Account), holdfast.NotFound)

	// A deleted collection shows nothing; the share stays for when it comes back.
	f.share(t, holdfast.RightRead)
	if _, err := f.s.Delete(t.Context(), f.p, f.place(""), holdfast.Precondition{}, nil); err != nil {
		t.Fatal(err)
	}
	if got := f.where(t, f.bob, book); got != "bob 3 addressbooks 1" || len(f.visible(t, f.bob)) != 0 {
		t.Errorf("a deleted collection: %s", got)
	}
	if got := list(f.p.Account); got != "alice@example.org  bob@example.org read false\n" {
		t.Errorf("a deleted collection: %q", got)
	}
	if err := f.s.Unshare(t.Context(), holdfast.Actor{}, f.p.Account, f.book, f.bob.Account); err != nil || list(holdfast.ID{}) != "" {
		t.Errorf("%v, %q", err, list(holdfast.ID{}))
	}
}

func (f *family) drop(t *testing.T, kind holdfast.Kind, account holdfast.ID, name string) {
	t.Helper()
	g := &holdfast.Group{Account: account, Entries: []holdfast.Entry{{ID: holdfast.NewID(nil), Op: holdfast.OpDelete, Kind: kind, Collection: account, Name: name, At: f.s.Now()}}}
	g.Seal()
	if _, err := f.e.Engine.Commit(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	f.clock.Advance(time.Hour) // another node did it: what is cached grows old
}

// TestACrashBetweenShareAndBinding is mended by doing it again, in both directions.
func TestACrashBetweenShareAndBinding(t *testing.T) {
	f := newFamily(t, core.Limits{})
	crash := errors.New("crash")
	f.e.before = func(g *holdfast.Group) error {
		if g.Entries[0].Kind == holdfast.KindBinding {
			return crash
		}
		return nil
	}
	if err := f.s.Share(t.Context(), holdfast.Actor{}, f.p.Account, f.book, f.bob.Account, holdfast.RightWrite); !errors.Is(err, crash) {
		t.Fatal(err)
	}
	if got := f.where(t, f.bob, f.book.String()); got != "bob 3 addressbooks 1" {
		t.Errorf("a right without a binding: %s", got)
	}
	f.e.before = nil
	f.share(t, holdfast.RightWrite)
	if got := f.where(t, f.bob, f.book.String()); got != "alice 2 BOOK 0" {
		t.Errorf("mended: %s", got)
	}
	f.e.before = func(g *holdfast.Group) error {
		if g.Entries[0].Kind == holdfast.KindBinding {
			return crash
		}
		return nil
	}
	if err := f.s.Unshare(t.Context(), holdfast.Actor{}, f.p.Account, f.book, f.bob.Account); !errors.Is(err, crash) {
		t.Fatal(err)
	}
	wantKind(t, f.put(t, f.bob, "1.vcf", "u1 x"), holdfast.Forbidden)
	f.e.before = nil
	if err := f.s.Unshare(t.Context(), holdfast.Actor{}, f.p.Account, f.book, f.bob.Account); err != nil {
		t.Error(err)
	}
	wantKind(t, f.s.Unshare(t.Context(), holdfast.Actor{}, f.p.Account, f.book, f.bob.Account), holdfast.NotFound)
	f.share(t, holdfast.RightRead)
	if got := f.where(t, f.bob, f.book.String()); got != "alice 1 BOOK 0" {
		t.Errorf("shared anew: %s", got)
	}
}

// TestNothingIsAcknowledgedAfterARevocation: the right is judged in the commit, whatever was looked at before.
func TestNothingIsAcknowledgedAfterARevocation(t *testing.T) {
	ctx := t.Context()
	for what, try := range map[string]func(*family) error{
		"put": func(f *family) error { return f.put(t, f.bob, "2.vcf", "u2 x") },
		"put of a resource with properties": func(f *family) error {
			return f.put(t, f.bob, "1.vcf", "u1 y")
		},
		"a retry of what is there": func(f *family) error { return f.put(t, f.bob, "mine.vcf", "m x") },
		"delete": func(f *family) error {
			_, err := f.s.Delete(ctx, f.bob, f.place("1.vcf"), holdfast.Precondition{}, nil)
			return err
		},
		"properties": func(f *family) error {
			_, err := f.s.SetProperties(ctx, f.bob, f.place("1.vcf"), nil, func(ps holdfast.Properties) (holdfast.Properties, error) {
				return ps.With("urn:x", "b", []byte("<b/>")), nil
			})
			return err
		},
		"import": func(f *family) error {
			_, err := f.s.PutMany(ctx, f.bob, core.PutManyRequest{Owner: f.p.Account, Collection: f.book, Items: []core.Item{{Name: "9.vcf", Body: []byte("u9 x")}}})
			return err
		},
		"move within": func(f *family) error {
			_, err := f.s.Move(ctx, f.bob, core.Transfer{From: f.place("1.vcf"), To: f.place("7.vcf"), Overwrite: true})
			return err
		},
		"copy within": func(f *family) error {
			_, err := f.s.Copy(ctx, f.bob, core.Transfer{From: f.place("1.vcf"), To: f.place("mine.vcf"), Overwrite: true})
			return err
		},
		"with a condition of its own": func(f *family) error {
			_, _, err := f.s.Put(ctx, f.bob, core.PutRequest{Place: f.place("2.vcf"), Body: []byte("u2 x"), Conditions: core.Conditions{{{Const: true, Value: true}}, {{Const: true, Value: true}}}})
			return err
		},
	} {
		f := newFamily(t, core.Limits{})
		f.mustPut(t, "1.vcf", "u1 x")
		f.share(t, holdfast.RightWrite)
		if err := f.put(t, f.bob, "mine.vcf", "m x"); err != nil {
			t.Fatal(err)
		}
		if _, err := f.s.SetProperties(ctx, f.p, f.place("1.vcf"), nil, func(ps holdfast.Properties) (holdfast.Properties, error) {
			return ps.With("urn:x", "a", []byte("<a/>")), nil
		}); err != nil {
			t.Fatal(err)
		}
		if f.where(t, f.bob, f.book.String()) != "alice 2 BOOK 0" {
			t.Fatal("not shared")
		}
		var before, after holdfast.Account
		f.e.before = func(*holdfast.Group) error { // at the last moment, past all that looked before
			f.e.before = nil
			if err := f.s.Unshare(context.Background(), holdfast.Actor{}, f.p.Account, f.book, f.bob.Account); err != nil {
				return err
			}
			var err error
			before, err = f.s.Account(context.Background(), f.p.Account.String())
			return err
		}
		wantRule(t, try(f), "need-privileges")
		after, err := f.s.Account(ctx, f.p.Account.String())
		if err != nil || before.Seq == 0 || after.Seq != before.Seq {
			t.Errorf("%s: seq %d became %d, %v", what, before.Seq, after.Seq, err)
		}
	}
}

// TestAChangedRightIsLookedAtAgain: what failed only because the record is another one goes through.
func TestAChangedRightIsLookedAtAgain(t *testing.T) {
	f := newFamily(t, core.Limits{})
	f.share(t, holdfast.RightWrite)
	f.e.before = func(*holdfast.Group) error {
		f.e.before = nil
		if err := f.s.Unshare(context.Background(), holdfast.Actor{}, f.p.Account, f.book, f.bob.Account); err != nil {
			return err
		}
		f.clock.Advance(time.Minute)
		return f.s.Share(context.Background(), holdfast.Actor{}, f.p.Account, f.book, f.bob.Account, holdfast.RightWrite)
	}
	if err := f.put(t, f.bob, "1.vcf", "u1 x"); err != nil {
		t.Error(err)
	}
	_, _, err := f.s.Put(t.Context(), f.bob, core.PutRequest{Place: f.place("1.vcf"), Body: []byte("u1 y"), If: holdfast.Precondition{Exists: holdfast.Absent}})
	wantKind(t, err, holdfast.PreconditionFailed)
	_, _, err = f.s.Put(t.Context(), f.bob, core.PutRequest{Place: f.place("1.vcf"), Body: []byte("u1 y"), Conditions: core.Conditions{{{Const: true}}}})
	wantKind(t, err, holdfast.PreconditionFailed)
}

// TestRevocationsRaceWithWrites: each write that was acknowledged came before the revocation in the owner's journal.
func TestRevocationsRaceWithWrites(t *testing.T) { onBoth(t, raceRevocations) }

func raceRevocations(t *testing.T, f *family) {
	acknowledged := 0
	for round := range 10 {
		f.share(t, holdfast.RightWrite)
		var wg sync.WaitGroup
		var acked atomic.Int64
		receipts := make([][]holdfast.Receipt, 4)
		for i := range receipts {
			wg.Go(func() {
				for n := range 1000 {
					r, _, err := f.s.Put(context.Background(), f.bob, core.PutRequest{Place: f.place(fmt.Sprintf("%d-%d-%d", round, i, n)), Body: []byte(fmt.Sprintf("u%d-%d-%d x", round, i, n))})
					if err != nil {
						if !holdfast.IsKind(err, holdfast.Forbidden) {
							t.Error(err)
						}
						return
					}
					receipts[i] = append(receipts[i], r)
					acked.Add(1)
				}
			})
		}
		for until := time.Now().Add(10 * time.Second); acked.Load() < int64(round*3) && time.Now().Before(until); {
			time.Sleep(50 * time.Microsecond)
		}
		if err := f.s.Unshare(context.Background(), holdfast.Actor{}, f.p.Account, f.book, f.bob.Account); err != nil {
			t.Fatal(err)
		}
		a, err := f.s.Account(context.Background(), f.p.Account.String()) // its head lies at or behind the revocation
		if err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		if end, err := f.s.Account(context.Background(), f.p.Account.String()); err != nil || end.Seq != a.Seq {
			t.Errorf("round %d: the journal went on from %d to %d after the revocation: %v", round, a.Seq, end.Seq, err)
		}
		for _, r := range slices.Concat(receipts...) {
			acknowledged++
			if r.Seq >= a.Seq {
				t.Errorf("round %d: change %d was acknowledged, the revocation is %d", round, r.Seq, a.Seq)
			}
		}
	}
	if acknowledged == 0 {
		t.Error("no write came before any revocation")
	}
}

// TestAGuestWhoMovesMuchAwayIsABurst: from where it was it is gone.
func TestAGuestWhoMovesMuchAwayIsABurst(t *testing.T) {
	f := newFamily(t, core.Limits{})
	f.share(t, holdfast.RightWrite)
	home, err := f.s.Locate(t.Context(), f.bob, f.bob.Account, []string{"addressbooks", "default"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		name := fmt.Sprintf("%d.vcf", i)
		if err := f.put(t, f.p, name, fmt.Sprintf("u%d x", i)); err != nil {
			t.Fatal(err)
		}
		to := core.Place{Owner: f.bob.Account, Collection: home.Collection.ID, Name: name}
		if _, err := f.s.Move(t.Context(), f.bob, core.Transfer{From: f.place(name), To: to}); err != nil {
			t.Fatal(err)
		}
	}
	b := f.s.Bursts()
	if len(b) != 1 || b[0].Owner != f.p.Account || b[0].Device != f.bob.Device || b[0].Deleted != 20 {
		t.Errorf("%+v", b)
	}
}

func TestResourcesCrossBetweenAccounts(t *testing.T) {
	f := newFamily(t, core.Limits{})
	f.share(t, holdfast.RightWrite)
	own, err := f.s.Locate(t.Context(), f.bob, f.bob.Account, []string{"addressbooks", "default"})
	if err != nil {
		t.Fatal(err)
	}
	mine := func(name string) core.Place {
		return core.Place{Owner: f.bob.Account, Collection: own.Collection.ID, Name: name}
	}
	put := func(at core.Place, body string) {
		t.Helper()
		if _, _, err := f.s.Put(t.Context(), f.bob, core.PutRequest{Place: at, Body: []byte(body)}); err != nil {
			t.Fatal(err)
		}
	}
	has := func(at core.Place) string {
		t.Helper()
		body := "-"
		if err := f.s.Read(t.Context(), f.bob, f.bob.Account, func(r *core.Reader) error {
			x, err := r.Resource(at.Collection, at.Name, core.WithBody)
			if holdfast.IsKind(err, holdfast.NotFound) {
				return nil
			}
			body = string(x.Body)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return body
	}
	put(mine("1.vcf"), "u1 x")
	r, err := f.s.Copy(t.Context(), f.bob, core.Transfer{From: mine("1.vcf"), To: f.place("1.vcf")})
	if err != nil || !r.Created || r.Account != f.p.Account || has(mine("1.vcf")) != "u1 x" || has(f.place("1.vcf")) != "u1 x" {
		t.Errorf("copied there: %+v, %v", r, err)
	}
	put(f.place("2.vcf"), "u2 x")
	r, err = f.s.Move(t.Context(), f.bob, core.Transfer{From: f.place("2.vcf"), To: mine("2.vcf")})
	if err != nil || !r.Created || r.Account != f.bob.Account || has(f.place("2.vcf")) != "-" || has(mine("2.vcf")) != "u2 x" {
		t.Errorf("moved here: %+v, %v", r, err)
	}
	_, err = f.s.Move(t.Context(), f.bob, core.Transfer{From: mine("2.vcf"), To: f.place("1.vcf")})
	wantKind(t, err, holdfast.PreconditionFailed) // Overwrite: F
	r, err = f.s.Move(t.Context(), f.bob, core.Transfer{From: mine("2.vcf"), To: f.place("1.vcf"), Overwrite: true})
	if err != nil || r.Created || has(mine("2.vcf")) != "-" || has(f.place("1.vcf")) != "u2 x" {
		t.Errorf("moved over: %+v, %v", r, err)
	}

	// What changes between the copy and the deletion is moved too.
	put(mine("3.vcf"), "u3 x")
	n := 0
	f.e.before = func(g *holdfast.Group) error {
		if n++; n == 2 {
			f.e.before = nil
			put(mine("3.vcf"), "u3 y")
		}
		return nil
	}
	if _, err = f.s.Move(t.Context(), f.bob, core.Transfer{From: mine("3.vcf"), To: f.place("3.vcf")}); err != nil || has(mine("3.vcf")) != "-" || has(f.place("3.vcf")) != "u3 y" {
		t.Errorf("changed meanwhile: %v, %s, %s", err, has(mine("3.vcf")), has(f.place("3.vcf")))
	}

	// A crash leaves two.
	put(mine("4.vcf"), "u4 x")
	n = 0
	f.e.before = func(g *holdfast.Group) error {
		if n++; n == 2 {
			return errors.New("crash")
		}
		return nil
	}
	if _, err = f.s.Move(t.Context(), f.bob, core.Transfer{From: mine("4.vcf"), To: f.place("4.vcf")}); err == nil || has(mine("4.vcf")) != "u4 x" || has(f.place("4.vcf")) != "u4 x" {
		t.Errorf("a crash: %v, %s, %s", err, has(mine("4.vcf")), has(f.place("4.vcf")))
	}
	f.e.before = nil

	// With the right to read, out is a copy only.
	f.share(t, holdfast.RightRead)
	if _, err := f.s.Copy(t.Context(), f.bob, core.Transfer{From: f.place("3.vcf"), To: mine("out.vcf")}); err != nil || has(mine("out.vcf")) != "u3 y" {
		t.Errorf("copied out: %v", err)
	}
	_, err = f.s.Move(t.Context(), f.bob, core.Transfer{From: f.place("3.vcf"), To: mine("out2.vcf")})
	wantRule(t, err, "need-privileges")
	_, err = f.s.Copy(t.Context(), f.bob, core.Transfer{From: mine("out.vcf"), To: f.place("in.vcf")})
	wantRule(t, err, "need-privileges")
	_, err = f.s.Copy(t.Context(), f.eve, core.Transfer{From: f.place("3.vcf"), To: mine("out2.vcf")})
	wantKind(t, err, holdfast.Forbidden)
}

func TestWhatCannotBeShared(t *testing.T) {
	f := newFamily(t, core.Limits{Shares: 1})
	ctx := t.Context()
	try := func(owner holdfast.Principal, path string, with holdfast.ID, rights holdfast.Right) error {
		t.Helper()
		at, err := f.s.Locate(ctx, owner, owner.Account, strings.Fields(path))
		if err != nil {
			t.Fatal(err)
		}
		return f.s.Share(ctx, holdfast.Actor{}, owner.Account, at.Collection.ID, with, rights)
	}
	wantKind(t, try(f.p, "addressbooks", f.bob.Account, "read"), holdfast.Invalid)
	wantKind(t, try(f.p, "files", f.bob.Account, "read"), holdfast.Invalid)
	wantKind(t, try(f.p, "", f.bob.Account, "read"), holdfast.Invalid)
	wantKind(t, try(f.p, "calendars default", f.p.Account, "read"), holdfast.Invalid)
	wantKind(t, try(f.p, "calendars default", f.bob.Account, "own"), holdfast.Invalid)
	wantKind(t, try(f.p, "calendars default", holdfast.NewID(nil), "read"), holdfast.NotFound)
	wantKind(t, f.s.Share(ctx, holdfast.Actor{}, f.p.Account, holdfast.NewID(nil), f.bob.Account, "read"), holdfast.NotFound)
	if err := try(f.p, "calendars default", f.bob.Account, "read"); err != nil {
		t.Fatal(err)
	}
	wantKind(t, try(f.p, "calendars default", f.eve.Account, "read"), holdfast.TooLarge)
	if err := try(f.p, "calendars default", f.bob.Account, "write"); err != nil { // no more than before
		t.Error(err)
	}
	at, err := f.s.Locate(ctx, f.p, f.p.Account, []string{"calendars", "default"})
	if err != nil {
		t.Fatal(err)
	}
	wantKind(t, f.s.Share(ctx, holdfast.Actor{}, f.bob.Account, at.Collection.ID, f.eve.Account, "read"), holdfast.Invalid) // not his
	small := newFamily(t, core.Limits{Collections: 7})
	wantKind(t, small.s.Share(ctx, holdfast.Actor{}, small.p.Account, small.book, small.bob.Account, "read"), holdfast.TooLarge)
}
