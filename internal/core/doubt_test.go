package core_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/core"
	"holdfast/internal/store/memory"
)

// past is a store as it was before a change that a device has seen, and the device's tokens.
type past struct {
	shelf
	e        *memory.Engine
	o        core.Options
	clock    *clock.Fake
	written  []core.Doubt
	writeErr error

	before, after string
	lostToken     string
}

// newPast makes two stores that begin alike, and lets a device see what only one of them has.
func newPast(t *testing.T) *past {
	t.Helper()
	old := &past{}
	var now shelf
	for _, h := range []*shelf{&now, &old.shelf} {
		old.clock = clock.NewFake(time.Unix(1e9, 0))
		old.e = memory.New()
		t.Cleanup(func() { old.e.Close() })
		old.o = core.Options{Engine: old.e, Random: rand.NewChaCha8([32]byte{20, 9}), Clock: old.clock,
			Judges: map[holdfast.CollectionType]core.Judge{holdfast.TypeAddressbook: judgeLines},
			SaveDoubts: func(_ context.Context, all []core.Doubt) error {
				if old.writeErr == nil {
					old.written = all
				}
				return old.writeErr
			}}
		*h = shelfOf(t, core.New(old.o))
		h.p.Device = holdfast.ID{1}
	}
	if now.book != old.book {
		t.Fatal("the twins differ")
	}
	_, old.before, _, _ = now.sync(t, now.book, "", 0)
	home, err := now.s.Locate(t.Context(), now.p, now.p.Account, []string{"addressbooks"})
	if err != nil {
		t.Fatal(err)
	}
	id, _, err := now.s.MakeCollection(t.Context(), now.p, core.NewCollection{Owner: now.p.Account, Parent: home.Collection.ID, Name: "new", Type: holdfast.TypeAddressbook})
	if err != nil {
		t.Fatal(err)
	}
	if _, old.lostToken, _, err = now.sync(t, id, "", 0); err != nil {
		t.Fatal(err)
	}
	now.mustPut(t, "1.vcf", "u1 x")
	if _, old.after, _, err = now.sync(t, now.book, "", 0); err != nil {
		t.Fatal(err)
	}
	return old
}

// check returns what a reader says of a token.
func (h shelf) check(t *testing.T, token string) (inside, outside error) {
	t.Helper()
	outside = h.s.Read(t.Context(), h.p, h.p.Account, func(r *core.Reader) error {
		inside = r.CheckToken(token)
		return nil // a face that overlooks it
	})
	return inside, outside
}

// TestATokenFromALostFutureIsDoubt: an authentic token whose history the store does not have must never make a device list anew.
func TestATokenFromALostFutureIsDoubt(t *testing.T) {
	old := newPast(t)
	if _, _, _, err := old.sync(t, old.book, old.before, 0); err != nil {
		t.Errorf("a token of the common past is good: %v", err)
	}
	old.mustPut(t, "2.vcf", "u2 x") // the store goes on in another way: the seqs exist again, their chain does not
	old.mustPut(t, "3.vcf", "u3 x")
	_, _, _, err := old.sync(t, old.book, old.after, 0)
	wantKind(t, err, holdfast.InDoubt)
}

// TestATokenOfALostCollectionIsDoubt: what it proves does not hang on the collection that is asked.
func TestATokenOfALostCollectionIsDoubt(t *testing.T) {
	old := newPast(t)
	_, _, _, err := old.sync(t, old.book, old.lostToken, 0)
	wantKind(t, err, holdfast.InDoubt)
	old = newPast(t)
	inside, outside := old.check(t, old.lostToken)
	wantKind(t, inside, holdfast.InDoubt)
	wantKind(t, outside, holdfast.InDoubt)
	old = newPast(t)
	if inside, outside := old.check(t, old.before); inside != nil || outside != nil {
		t.Errorf("a good token: %v, %v", inside, outside)
	}
	inside, outside = old.check(t, "urn:holdfast:sync:x")
	wantKind(t, inside, holdfast.BadToken)
	if outside != nil {
		t.Error(outside)
	}
}

// TestDoubtHoldsUntilItIsSettled: for every device and every request, also after a restart; then devices list anew.
func TestDoubtHoldsUntilItIsSettled(t *testing.T) {
	old := newPast(t)
	_, _, _, err := old.sync(t, old.book, old.after, 0)
	wantKind(t, err, holdfast.InDoubt)
	if len(old.written) != 1 || old.written[0].Account != old.p.Account || old.written[0].Since.IsZero() {
		t.Fatalf("written down: %+v", old.written)
	}
	refused := func(when string, s *core.Service) {
		t.Helper()
		h := shelf{s, old.p, old.book}
		_, _, _, read := h.sync(t, h.book, "", 0)
		_, locate := s.Locate(t.Context(), h.p, h.p.Account, []string{"addressbooks"})
		_, _, put := s.Put(t.Context(), h.p, core.PutRequest{Place: h.place("2.vcf"), Body: []byte("u2 x")})
		_, many := s.PutMany(t.Context(), h.p, core.PutManyRequest{Owner: h.p.Account, Collection: h.book})
		_, del := s.Delete(t.Context(), h.p, h.place("2.vcf"), holdfast.Precondition{}, nil)
		for what, err := range map[string]error{"read": read, "locate": locate, "put": put, "many": many, "delete": del} {
			if !holdfast.IsKind(err, holdfast.InDoubt) {
				t.Errorf("%s, %s: %v", when, what, err)
			}
		}
		if st := s.Stats(); len(s.Doubts()) != 1 || st.AccountsInDoubt != 1 || st.InDoubt == 0 {
			t.Errorf("%s: %+v, %+v", when, s.Doubts(), st)
		}
	}
	refused("at once", old.s)
	old.o.Doubted = old.written
	again := core.New(old.o)
	refused("after a restart", again)
	old.writeErr = errors.New("the disk is gone")
	wantKind(t, again.Settle(t.Context(), old.p.Account), holdfast.Unavailable)
	refused("after a release that was not written down", again)
	old.writeErr = nil
	if err := again.Settle(t.Context(), old.p.Account); err != nil {
		t.Fatal(err)
	}
	wantKind(t, again.Settle(t.Context(), old.p.Account), holdfast.NotFound)
	old.o.Doubted = old.written
	for when, s := range map[string]*core.Service{"released": again, "released, after a restart": core.New(old.o)} {
		h := shelf{s, old.p, old.book}
		if _, _, _, err := h.sync(t, h.book, old.after, 0); !holdfast.IsKind(err, holdfast.InDoubt) { // what it alone knows is not given up with that
			t.Errorf("%s: the device that proved it: %v", when, err)
		}
		if _, _, _, err := h.other().sync(t, h.book, "", 0); err != nil {
			t.Errorf("%s: another device: %v", when, err)
		}
		if d := s.Doubts(); len(d) != 1 || !d[0].Since.IsZero() {
			t.Errorf("%s: %+v", when, d)
		}
	}
	for _, s := range []*core.Service{again, core.New(old.o)} {
		if err := s.Dismiss(t.Context(), old.p.Account, old.p.Device, core.Dismissed); err != nil {
			t.Fatal(err)
		}
		wantKind(t, s.Dismiss(t.Context(), old.p.Account, old.p.Device, core.Dismissed), holdfast.NotFound)
		h := shelf{s, old.p, old.book}
		_, _, _, err := h.sync(t, h.book, old.after, 0) // the device is told to list anew
		if !holdfast.IsKind(err, holdfast.BadToken) || len(s.Doubts()) != 0 {
			t.Errorf("dismissed: %v, %+v", err, s.Doubts())
		}
	}
	old.o.Doubted = old.written
	h := shelf{core.New(old.o), old.p, old.book}
	if _, _, _, err := h.sync(t, h.book, old.after, 0); !holdfast.IsKind(err, holdfast.BadToken) {
		t.Errorf("dismissed, after a restart: %v", err)
	}
}

// other is another device of the same account.
func (h shelf) other() shelf {
	h.p.Device = holdfast.ID{2}
	return h
}

// TestADecisionIsForOneLoss: a device that came over after its loss was dismissed proves the next loss again, and the account is held again.
func TestADecisionIsForOneLoss(t *testing.T) {
	old := newPast(t)
	_, _, _, err := old.sync(t, old.book, old.after, 0)
	wantKind(t, err, holdfast.InDoubt)
	if err := old.s.Dismiss(t.Context(), old.p.Account, old.p.Device, core.Dismissed); err != nil {
		t.Fatal(err)
	}
	if d := old.s.Doubts(); len(d) != 0 {
		t.Errorf("the last device's loss was dismissed, and the account is held: %+v", d)
	}
	old.clock.Advance(time.Minute)
	if _, _, _, err := old.sync(t, old.book, "", 0); err != nil {
		t.Fatal(err)
	}
	_, _, _, err = old.sync(t, old.book, old.after, 0)
	wantKind(t, err, holdfast.InDoubt)
	if len(old.written) != 1 || old.written[0].Since.IsZero() || old.written[0].Released.IsZero() {
		t.Errorf("written down: %+v", old.written)
	}
	_, _, _, err = old.other().sync(t, old.book, "", 0)
	wantKind(t, err, holdfast.InDoubt)
}

// TestASecondDeviceOfOneLoss: one that comes with the same lost past after a release is held, alone.
func TestASecondDeviceOfOneLoss(t *testing.T) {
	old := newPast(t)
	_, _, _, err := old.sync(t, old.book, old.after, 0)
	wantKind(t, err, holdfast.InDoubt)
	if err := old.s.Settle(t.Context(), old.p.Account); err != nil {
		t.Fatal(err)
	}
	old.clock.Advance(time.Minute)
	two := old.other()
	for range 2 {
		_, _, _, err = two.sync(t, old.book, old.after, 0)
		wantKind(t, err, holdfast.InDoubt)
		_, _, _, err = two.sync(t, old.book, "", 0)
		wantKind(t, err, holdfast.InDoubt)
	}
	three := old.shelf
	three.p.Device = holdfast.ID{3}
	if _, _, _, err := three.sync(t, old.book, "", 0); err != nil {
		t.Errorf("a device that knows no better: %v", err)
	}
	if d := old.s.Doubts(); len(d) != 1 || len(d[0].Evidence) != 2 || !d[0].Since.IsZero() {
		t.Errorf("%+v", d)
	}
	if st := old.s.Stats(); st.AccountsInDoubt != 1 || st.DevicesInDoubt != 2 {
		t.Errorf("%+v", st)
	}
}

// TestWhatIsRegainedHoldsNobody: where the store has after all what a device has seen, nobody needs to decide anything.
func TestWhatIsRegainedHoldsNobody(t *testing.T) {
	old := newPast(t)
	_, _, _, err := old.sync(t, old.book, old.after, 0)
	wantKind(t, err, holdfast.InDoubt)
	if err := old.s.Reconsider(t.Context()); err != nil || len(old.s.Doubts()) != 1 {
		t.Fatalf("it is as it was, and %v, %+v", err, old.s.Doubts())
	}
	d := old.s.Doubts()[0]
	if err := old.s.Missing(t.Context(), &d); err != nil || d.Evidence[0].Missing != d.Evidence[0].Seq-d.Evidence[0].Head {
		t.Errorf("%v, %+v", err, d)
	}
	home, err := old.s.Locate(t.Context(), holdfast.Principal{Account: old.p.Account}, old.p.Account, []string{"addressbooks"})
	wantKind(t, err, holdfast.InDoubt)
	old.o.Doubted = nil
	free := core.New(old.o) // which knows nothing of the doubt, and writes what the twin wrote
	if home, err = free.Locate(t.Context(), old.p, old.p.Account, []string{"addressbooks"}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := free.MakeCollection(t.Context(), old.p, core.NewCollection{Owner: old.p.Account, Parent: home.Collection.ID, Name: "new", Type: holdfast.TypeAddressbook}); err != nil {
		t.Fatal(err)
	}
	shelf{free, old.p, old.book}.mustPut(t, "1.vcf", "u1 x")
	if err := old.s.Reconsider(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := old.sync(t, old.book, old.after, 0); err != nil || len(old.s.Doubts()) != 0 {
		t.Errorf("%v, %+v", err, old.s.Doubts())
	}
}

// TestWhatIsRegainedInPartGivesNothingUp: a device has several tokens. Where the store has what the first one proved by now, another one that it does not have proves a loss as before: nobody has given it up.
func TestWhatIsRegainedInPartGivesNothingUp(t *testing.T) {
	old := newPast(t)
	_, _, _, err := old.sync(t, old.book, old.lostToken, 0)
	wantKind(t, err, holdfast.InDoubt)
	free := core.New(func() core.Options { o := old.o; o.Doubted, o.SaveDoubts = nil, nil; return o }()) // it writes the first half of what the twin wrote
	home, err := free.Locate(t.Context(), old.p, old.p.Account, []string{"addressbooks"})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := free.MakeCollection(t.Context(), old.p, core.NewCollection{Owner: old.p.Account, Parent: home.Collection.ID, Name: "new", Type: holdfast.TypeAddressbook}); err != nil {
		t.Fatal(err)
	}
	if err := old.s.Reconsider(t.Context()); err != nil || len(old.s.Doubts()) != 0 {
		t.Fatalf("%v, %+v", err, old.s.Doubts())
	}
	_, _, _, err = old.sync(t, old.book, old.after, 0)
	wantKind(t, err, holdfast.InDoubt)
	if d := old.s.Doubts(); len(d) != 1 || d[0].Since.IsZero() {
		t.Errorf("%+v", d)
	}
}

// TestADoubtThatCouldNotBeWrittenDownStands, and is written down later.
func TestADoubtThatCouldNotBeWrittenDownStands(t *testing.T) {
	old := newPast(t)
	old.writeErr = errors.New("the disk is gone")
	_, _, _, err := old.sync(t, old.book, old.after, 0)
	wantKind(t, err, holdfast.InDoubt)
	_, _, _, err = old.sync(t, old.book, "", 0)
	wantKind(t, err, holdfast.InDoubt)
	old.writeErr = nil
	old.s.Close(t.Context())
	if len(old.written) != 1 {
		t.Errorf("written down: %+v", old.written)
	}
}

// TestADivergedAccountIsDoubt holds that an account that went different ways here and in a vault waits, and that this is durable before it is said to be so.
func TestADivergedAccountIsDoubt(t *testing.T) {
	old := newPast(t)
	old.writeErr = errors.New("the disk is gone")
	wantKind(t, old.s.Diverged(t.Context(), old.p.Account, "local", 7, 5), holdfast.Unavailable)
	old.writeErr = nil
	old.s = core.New(old.o) // whose start was cut there
	if err := old.s.Diverged(t.Context(), old.p.Account, "local", 7, 5); err != nil {
		t.Fatal(err)
	}
	if len(old.written) != 1 || old.written[0].Vault != "local" || old.written[0].Seq != 7 || old.written[0].Head != 5 {
		t.Errorf("written down: %+v", old.written)
	}
	_, _, _, err := old.sync(t, old.book, "", 0)
	wantKind(t, err, holdfast.InDoubt)
	if err := old.s.Diverged(t.Context(), old.p.Account, "attic", 9, 5); err != nil || old.s.Doubts()[0].Vault != "local" {
		t.Errorf("a second vault changes the doubt: %v, %+v", err, old.s.Doubts())
	}
	if err := old.s.Settle(t.Context(), old.p.Account); err != nil || len(old.s.Doubts()) != 0 {
		t.Errorf("settle: %v", err)
	}
	if err := old.s.Inspect(t.Context(), old.p.Account, func(r *core.Reader) error {
		h, err := r.History().Head(old.p.Account)
		if err == nil && h.Epoch != 2 {
			t.Errorf("it goes on in epoch %d", h.Epoch)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}

// TestAnOperatorHoldsAnAccount: whoever lists without a token proves nothing, so an account can be held before anybody proved anything. Only a release ends that.
func TestAnOperatorHoldsAnAccount(t *testing.T) {
	old := newPast(t)
	if _, err := old.s.Hold(t.Context(), holdfast.ID{77}); !holdfast.IsKind(err, holdfast.NotFound) {
		t.Errorf("an account that is not there: %v", err)
	}
	fresh, err := old.s.Hold(t.Context(), old.p.Account)
	if err != nil || !fresh || len(old.written) != 1 || !old.written[0].ByHand || old.written[0].Head == 0 {
		t.Fatalf("%v, %v, %+v", fresh, err, old.written)
	}
	if fresh, err = old.s.Hold(t.Context(), old.p.Account); err != nil || fresh {
		t.Errorf("again: %v, %v", fresh, err)
	}
	_, _, _, err = old.sync(t, old.book, "", 0)
	wantKind(t, err, holdfast.InDoubt)
	old.o.Doubted = old.written
	again := shelf{core.New(old.o), old.p, old.book}
	_, _, _, err = again.sync(t, old.book, "", 0)
	wantKind(t, err, holdfast.InDoubt)
	if err := again.s.Reconsider(t.Context()); err != nil || len(again.s.Doubts()) != 1 {
		t.Errorf("nobody proved anything that could be borne out: %v", err)
	}
	if err := again.s.Settle(t.Context(), old.p.Account); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := again.sync(t, old.book, "", 0); err != nil {
		t.Error(err)
	}
}

// TestAHoldByHandOutlastsDevices: an account that devices brought into doubt, and that an operator holds too, does not end with the last device.
func TestAHoldByHandOutlastsDevices(t *testing.T) {
	old := newPast(t)
	_, _, _, err := old.sync(t, old.book, old.after, 0)
	wantKind(t, err, holdfast.InDoubt)
	if fresh, err := old.s.Hold(t.Context(), old.p.Account); err != nil || fresh || !old.written[0].ByHand {
		t.Fatalf("%v, %v, %+v", fresh, err, old.written)
	}
	if err := old.s.Dismiss(t.Context(), old.p.Account, old.p.Device, core.Dismissed); err != nil {
		t.Fatal(err)
	}
	if d := old.s.Doubts(); len(d) != 1 || d[0].Since.IsZero() {
		t.Errorf("%+v", d)
	}
}
