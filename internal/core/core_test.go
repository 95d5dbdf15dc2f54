package core_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/core"
	"holdfast/internal/store/memory"
)

func (h shelf) place(name string) core.Place {
	return core.Place{Owner: h.p.Account, Collection: h.book, Name: name}
}

func (h shelf) mustPut(t *testing.T, name, body string) holdfast.Receipt {
	t.Helper()
	r, _, err := h.s.Put(t.Context(), h.p, core.PutRequest{Place: h.place(name), Body: []byte(body)})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// sync returns what a device with the token would learn: "+name" or "-name", and the next token.
func (h shelf) sync(t *testing.T, book holdfast.ID, token string, limit int) (learned []string, next string, more bool, err error) {
	t.Helper()
	err = h.s.Read(t.Context(), h.p, h.p.Account, func(r *core.Reader) error {
		c, err := r.Collection(book)
		if err != nil {
			return err
		}
		next, more, err = r.Changes(&c, token, limit, 0, func(x *holdfast.Resource) error {
			sign := "+"
			if x.State == holdfast.Tombstone {
				sign = "-"
			}
			learned = append(learned, sign+x.Name)
			return nil
		})
		return err
	})
	return learned, next, more, err
}

func wantKind(t *testing.T, err error, kind holdfast.ErrorKind) {
	t.Helper()
	if !holdfast.IsKind(err, kind) {
		t.Errorf("got %v, want kind %v", err, kind)
	}
}

func TestAnAccountOwnsItsCollectionsFromTheStart(t *testing.T) {
	h := newShelf(t, core.Limits{})
	var got []string
	if err := h.s.Read(t.Context(), h.p, h.p.Account, func(r *core.Reader) error {
		cs, err := r.Collections()
		for _, c := range cs {
			got = append(got, string(c.Type)+" "+c.Name)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	want := "addressbook default, calendar default, calendar notes, calendar tasks, folder Photos, home addressbooks, home calendars, home files, inbox inbox, outbox outbox"
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("got %s", s)
	}
}

func TestSyncTokens(t *testing.T) {
	h := newShelf(t, core.Limits{})
	for i := range 5 {
		h.mustPut(t, fmt.Sprintf("%d.vcf", i), fmt.Sprintf("u%d x", i))
	}
	all, token, _, err := h.sync(t, h.book, "", 0)
	if err != nil || len(all) != 5 {
		t.Fatal(all, err)
	}
	if none, same, _, err := h.sync(t, h.book, token, 0); err != nil || len(none) != 0 || same != token {
		t.Errorf("nothing changed: %v %v, token moved: %v", none, err, same != token)
	}
	h.mustPut(t, "1.vcf", "u1 y")
	if _, err := h.s.Delete(t.Context(), h.p, h.place("2.vcf"), holdfast.Precondition{}, nil); err != nil {
		t.Fatal(err)
	}
	if changed, _, _, err := h.sync(t, h.book, token, 0); err != nil || strings.Join(changed, " ") != "+1.vcf -2.vcf" {
		t.Error(changed, err)
	}
	for name, bad := range map[string]string{"garbage": "x", "forged": token[:len(token)-2] + "AA", "of another form": "urn:holdfast:sync:", "stretched": token + "A"} {
		_, _, _, err := h.sync(t, h.book, bad, 0)
		if !holdfast.IsKind(err, holdfast.BadToken) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPagingMissesNothing follows pages of one while another device changes, deletes and adds between them.
func TestPagingMissesNothing(t *testing.T) {
	h := newShelf(t, core.Limits{})
	for i := range 6 {
		h.mustPut(t, fmt.Sprintf("%d.vcf", i), fmt.Sprintf("u%d x", i))
	}
	have, token := map[string]bool{}, ""
	for page := 0; page < 30; page++ {
		learned, next, more, err := h.sync(t, h.book, token, 1)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range learned {
			have[l[1:]] = l[0] == '+'
		}
		token = next
		switch page {
		case 0: // what the device has already goes; what it has not yet seen changes
			h.s.Delete(t.Context(), h.p, h.place("0.vcf"), holdfast.Precondition{}, nil)
			h.mustPut(t, "5.vcf", "u5 y")
		case 2:
			h.mustPut(t, "9.vcf", "u9 x")
			h.s.Delete(t.Context(), h.p, h.place("5.vcf"), holdfast.Precondition{}, nil)
		}
		if !more {
			break
		}
	}
	maps.DeleteFunc(have, func(_ string, there bool) bool { return !there })
	if got := slices.Sorted(maps.Keys(have)); strings.Join(got, " ") != "1.vcf 2.vcf 3.vcf 4.vcf 9.vcf" {
		t.Errorf("the device has %v", got)
	}
}

func TestStrangersSeeNothing(t *testing.T) {
	h := newShelf(t, core.Limits{})
	h.mustPut(t, "1.vcf", "u1 secret")
	b, _, err := h.s.CreateAccount(t.Context(), holdfast.Actor{}, "bob@example.org", "")
	if err != nil {
		t.Fatal(err)
	}
	bob := holdfast.Principal{Account: b.ID}
	for _, segment := range []string{h.p.Account.String(), "alice@example.org", "nobody@example.org", holdfast.NewID(nil).String(), "x"} {
		_, err := h.s.Resolve(t.Context(), bob, segment)
		wantKind(t, err, holdfast.Forbidden)
	}
	ctx := t.Context()
	at := h.place("1.vcf")
	checks := map[string]error{
		"read": h.s.Read(ctx, bob, h.p.Account, func(*core.Reader) error { return nil }),
		"spy": h.s.Read(ctx, bob, b.ID, func(r *core.Reader) error {
			_, err := r.Resource(h.book, "1.vcf", core.WithBody)
			return err
		}),
		"root": h.s.Read(ctx, bob, b.ID, func(r *core.Reader) error {
			_, err := r.Resource(b.ID, holdfast.RecordTokenKey, core.WithBody)
			return err
		}),
		"zero": h.s.Read(ctx, holdfast.Principal{}, holdfast.ID{}, func(*core.Reader) error { return nil }),
	}
	_, err = h.s.Locate(ctx, bob, h.p.Account, nil)
	checks["locate"] = err
	_, _, err = h.s.Put(ctx, bob, core.PutRequest{Place: at, Body: []byte("u1 x")})
	checks["put"] = err
	own := at
	own.Owner = b.ID
	_, err = h.s.Delete(ctx, bob, at, holdfast.Precondition{}, nil)
	checks["delete"] = err
	_, err = h.s.SetProperties(ctx, bob, at, nil, func(p holdfast.Properties) (holdfast.Properties, error) { return p, nil })
	checks["props"] = err
	_, err = h.s.Move(ctx, bob, core.Transfer{From: at, To: core.Place{Owner: b.ID, Collection: h.book, Name: "x"}, Overwrite: true})
	checks["move"] = err
	_, err = h.s.Copy(ctx, bob, core.Transfer{From: at, To: own})
	checks["copy"] = err
	for what, err := range checks {
		if !holdfast.IsKind(err, holdfast.Forbidden) && !holdfast.IsKind(err, holdfast.NotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, claim := range []core.Place{own, {Owner: b.ID, Collection: b.ID, Name: holdfast.RecordAccount}} {
		if _, _, err := h.s.Put(ctx, bob, core.PutRequest{Place: claim, Body: []byte("u1 x")}); err == nil {
			t.Errorf("bob wrote to %+v", claim)
		}
		if _, err := h.s.Delete(ctx, bob, claim, holdfast.Precondition{}, nil); err == nil {
			t.Errorf("bob deleted %+v", claim)
		}
	}
}

func TestRenamingKeepsEverything(t *testing.T) {
	h := newShelf(t, core.Limits{})
	rename := func(to string) error {
		_, err := h.s.UpdateAccount(t.Context(), holdfast.Actor{}, h.p.Account, func(r *holdfast.AccountRecord) error { r.Email = to; return nil })
		return err
	}
	if err := rename("Alice.New@example.org"); err != nil {
		t.Fatal(err)
	}
	for _, login := range []string{"alice@example.org", "alice.new@example.org"} {
		id, err := h.s.Resolve(t.Context(), h.p, login)
		if err != nil || id != h.p.Account {
			t.Errorf("%s: %v %v", login, id, err)
		}
	}
	_, _, err := h.s.CreateAccount(t.Context(), holdfast.Actor{}, "alice@example.org", "")
	wantKind(t, err, holdfast.Exists)
	if a, err := h.s.Account(t.Context(), h.p.Account.String()); err != nil || a.Email != "alice.new@example.org" {
		t.Error(a, err)
	}
}

func TestSuspensionStopsAtOnceAndDeletesNothing(t *testing.T) {
	h := newShelf(t, core.Limits{})
	h.mustPut(t, "1.vcf", "u1 x")
	set := func(s holdfast.AccountState) {
		if _, err := h.s.UpdateAccount(t.Context(), holdfast.Actor{}, h.p.Account, func(r *holdfast.AccountRecord) error { r.State = s; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	set(holdfast.Suspended)
	_, _, _, err := h.sync(t, h.book, "", 0)
	wantKind(t, err, holdfast.Unavailable) // 503: phones keep what they have
	_, _, err = h.s.Put(t.Context(), h.p, core.PutRequest{Place: h.place("2.vcf"), Body: []byte("u2 x")})
	wantKind(t, err, holdfast.Unavailable)
	set(holdfast.Active)
	if all, _, _, err := h.sync(t, h.book, "", 0); err != nil || len(all) != 1 {
		t.Error(all, err)
	}
}

func TestPutKeepsDeadProperties(t *testing.T) {
	h := newShelf(t, core.Limits{})
	h.mustPut(t, "1.vcf", "u1 x")
	set := func(value string) {
		if _, err := h.s.SetProperties(t.Context(), h.p, h.place("1.vcf"), nil, func(p holdfast.Properties) (holdfast.Properties, error) {
			return p.With("urn:x", "note", []byte(value)), nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	set("<n>1</n>")
	h.mustPut(t, "1.vcf", "u1 y")
	read := func() (body, note string) {
		h.s.Read(t.Context(), h.p, h.p.Account, func(r *core.Reader) error {
			x, err := r.Resource(h.book, "1.vcf", core.WithBody|core.WithProps)
			body, note = string(x.Body), string(x.Properties.Get("urn:x", "note"))
			return err
		})
		return body, note
	}
	if body, note := read(); body != "u1 y" || note != "<n>1</n>" {
		t.Error(body, note)
	}
	set("<n>2</n>")
	if body, note := read(); body != "u1 y" || note != "<n>2</n>" {
		t.Error(body, note)
	}
	_, _, err := h.s.Put(t.Context(), h.p, core.PutRequest{Place: h.place("1.vcf"), Body: []byte("u1 z"), If: holdfast.Precondition{Match: []holdfast.Hash{holdfast.HashOf([]byte("u1 x"))}}})
	wantKind(t, err, holdfast.PreconditionFailed)
	if _, _, err := h.s.Put(t.Context(), h.p, core.PutRequest{Place: h.place("1.vcf"), Body: []byte("u1 z"), If: holdfast.Precondition{Match: []holdfast.Hash{holdfast.HashOf([]byte("u1 y"))}}}); err != nil {
		t.Error(err)
	}
}

func TestMoveAndCopy(t *testing.T) {
	h := newShelf(t, core.Limits{})
	home, err := h.s.Locate(t.Context(), h.p, h.p.Account, []string{"addressbooks"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1200 { // more than one group takes
		if i%400 == 0 {
			h.put(t, core.PutManyRequest{}, bodies(i, i+400)...)
		}
	}
	homePlace := func(name string) core.Place {
		return core.Place{Owner: h.p.Account, Collection: home.Collection.ID, Name: name}
	}
	r, err := h.s.Copy(t.Context(), h.p, core.Transfer{From: h.place(""), To: homePlace("copy")})
	if err != nil || !r.Created {
		t.Fatal(r, err)
	}
	at, err := h.s.Locate(t.Context(), h.p, h.p.Account, []string{"addressbooks", "copy"})
	if err != nil || len(at.Rest) != 0 {
		t.Fatal(at, err)
	}
	if all, _, _, err := h.sync(t, at.Collection.ID, "", 0); err != nil || len(all) != 1200 {
		t.Errorf("the copy has %d: %v", len(all), err)
	}
	_, err = h.s.Copy(t.Context(), h.p, core.Transfer{From: h.place("u1.vcf"), To: h.place("other.vcf")})
	wantKind(t, err, holdfast.UIDConflict)
	_, err = h.s.Move(t.Context(), h.p, core.Transfer{From: h.place(""), To: homePlace("copy")})
	wantKind(t, err, holdfast.PreconditionFailed)
	r, err = h.s.Move(t.Context(), h.p, core.Transfer{From: h.place(""), To: homePlace("copy"), Overwrite: true})
	if err != nil || r.Created {
		t.Fatal(r, err)
	}
	at, _ = h.s.Locate(t.Context(), h.p, h.p.Account, []string{"addressbooks", "copy"})
	if at.Collection.ID != h.book {
		t.Error("a moved collection keeps its id, hence its tokens")
	}
	if _, err := h.s.Move(t.Context(), h.p, core.Transfer{From: h.place("u1.vcf"), To: h.place("renamed.vcf")}); err != nil {
		t.Fatal(err)
	}
	_, err = h.s.Move(t.Context(), h.p, core.Transfer{From: core.Place{Owner: h.p.Account, Collection: home.Collection.ID}, To: homePlace("x")})
	wantKind(t, err, holdfast.Forbidden)
	_, err = h.s.Delete(t.Context(), h.p, homePlace(""), holdfast.Precondition{}, nil)
	wantKind(t, err, holdfast.Forbidden)
}

func bodies(from, to int) (out []string) {
	for i := from; i < to; i++ {
		out = append(out, fmt.Sprintf("u%d x", i))
	}
	return out
}

func TestSightingsAreGatheredAndWrittenDown(t *testing.T) {
	h := newShelf(t, core.Limits{})
	d, _, err := h.s.AddDevice(t.Context(), holdfast.Actor{}, h.p.Account, "Pixel", holdfast.HashOf([]byte("secret")))
	if err != nil {
		t.Fatal(err)
	}
	before := h.s.Stats().Engine.Position
	phone := h
	phone.p.Device = d.ID
	phone.sync(t, h.book, "", 0)
	look := func() core.Device {
		t.Helper()
		ds, err := h.s.Devices(t.Context(), h.p.Account)
		if err != nil || len(ds) != 1 {
			t.Fatal(ds, err)
		}
		return ds[0]
	}
	if got := look(); len(got.Seen) != 1 || !got.Seen[0].Full || got.LastSeen.IsZero() {
		t.Errorf("not yet written down: %+v", got)
	}
	h.s.Close(t.Context())
	if got := look(); len(got.Seen) != 1 || !got.Seen[0].Full {
		t.Errorf("written down: %+v", got)
	}
	if h.s.Stats().Engine.Position != before {
		t.Error("a sighting is a change: it must not be")
	}
	if _, err := h.s.RevokeDevice(t.Context(), holdfast.Actor{}, h.p.Account, d.ID); err != nil {
		t.Fatal(err)
	}
	if p, err := h.s.Person(t.Context(), "alice@example.org"); err != nil || len(p.Devices) != 0 {
		t.Error("a revoked device is still known", err)
	}
}

// TestRunWritesSightingsEveryInterval drives the regular work by a clock of its own.
func TestRunWritesSightingsEveryInterval(t *testing.T) {
	fake := clock.NewFake(time.Unix(1e9, 0))
	e := memory.New()
	defer e.Close()
	s := core.New(core.Options{Engine: e, Clock: fake})
	a, _, err := s.CreateAccount(t.Context(), holdfast.Actor{}, "alice@example.org", "")
	if err != nil {
		t.Fatal(err)
	}
	device := holdfast.NewID(nil)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { s.Run(ctx); close(done) }()
	written := func() int {
		snap, err := e.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer snap.Close()
		x, err := snap.Sightings(a.ID)
		if err != nil {
			t.Fatal(err)
		}
		return len(x)
	}
	fake.BlockUntil(1)
	s.Saw(holdfast.Sighting{Account: a.ID, Device: device})
	fake.Advance(4 * time.Minute)
	if written() != 0 {
		t.Error("written before its time: that would be a commit a request")
	}
	fake.Advance(time.Minute)
	fake.BlockUntil(1)
	if written() != 1 {
		t.Error("not written after five minutes")
	}
	stop()
	<-done
}
