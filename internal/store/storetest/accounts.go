package storetest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/store"
)

// accountTests are the rules for accounts, logins and what devices have seen.
var accountTests = []clause{
	{"S3_AnAccountIsFoundedWhole", testFounding},
	{"S3_TheAccountsRecord", testRecord},
	{"S3_LoginsAreGivenOnce", testLogins},
	{"LoginsByTheirLocalPart", testLocalParts},
	{"AccountsArePaged", testAccounts},
	{"DevicesAndKeysAreRecords", testRecords},
	{"SightingsAreTheNewest", testSightings},
}

func testFounding(k *kit) {
	m := k.m
	id := m.ID()
	root, record := m.Collection(id, holdfast.ID{}, "", holdfast.TypeRoot), m.Record(id, "bob@example.org")
	for what, g := range map[string]*holdfast.Group{
		"the root alone":    m.Group(id, root),
		"the record alone":  m.Group(id, record),
		"the record first":  m.Group(id, record, root),
		"another first":     m.Group(id, m.Collection(m.ID(), id, "x", holdfast.TypeHome), root, record),
		"a contact":         m.Group(id, m.Put(id, "x", "", []byte("x"))),
		"a contact of k's":  m.Group(id, m.Put(k.a.Book, "x", "", []byte("x"))),
		"the root deleting": m.Group(id, m.Delete(id, "x"), root, record),
	} {
		k.Logf("founded with %s", what)
		k.refuse(holdfast.NotFound, "", g)
	}
	for what, e := range map[string]holdfast.Entry{
		"with a name":           m.Collection(id, holdfast.ID{}, "x", holdfast.TypeRoot),
		"of another type":       m.Collection(id, holdfast.ID{}, "x", holdfast.TypeHome),
		"in another collection": m.Collection(id, k.a.ID, "", holdfast.TypeRoot),
	} {
		k.Logf("founded with a root %s", what)
		k.refuse(holdfast.Invalid, "", m.Group(id, e, record))
	}
	// The id of a collection is no account's.
	k.refuse(holdfast.Invalid, "", m.Group(k.a.Book, m.Collection(k.a.Book, holdfast.ID{}, "", holdfast.TypeRoot), m.Record(k.a.Book, "bob@example.org")))
	// A failed founding leaves nothing.
	k.refuse(holdfast.NotFound, "", m.Group(id, root, record, m.Put(m.ID(), "x", "", []byte("x"))))

	g := m.Group(id, root, m.Put(id, "before", "", []byte("x")), record)
	r := k.commit(g)
	if r.Account != id || r.Epoch != 1 || r.Seq != 3 || r.Replay {
		k.Errorf("receipt %+v, want epoch 1 and seq 3", r)
	}
	first := holdfast.ChainHash(id, 1, 1, holdfast.Hash{}, g.Entries[0].Hash)
	k.read(func(s store.Snapshot) {
		if h, err := s.Chain(id, 1); err != nil || h.Epoch != 1 || h.Seq != 1 || h.Chain != first || h.Batch != r.Batch {
			k.Errorf("the first point is %+v, %v; want the chain %v", h, err, first)
		}
		a, err := s.Account(id)
		if err != nil || a.ID != id || a.Epoch != 1 || a.Seq != 3 || a.Email != "bob@example.org" || a.State != holdfast.Active {
			k.Errorf("account %+v, %v", a, err)
		}
		c, err := s.Collection(id)
		if err != nil || c.Account != id || !c.Parent.IsZero() || c.Name != "" || c.Type != holdfast.TypeRoot || c.Gone || c.Items != 2 || c.Seq != 3 {
			k.Errorf("root %s, %v", textCollection(c), err)
		}
	})
	if n := k.h.Engine.Info().Accounts; n != 2 {
		k.Errorf("info: %d accounts, want 2", n)
	}
}

func testRecord(k *kit) {
	edit := func(fn func(*holdfast.Entry)) holdfast.Entry {
		e := k.m.Record(k.a.ID, login)
		fn(&e)
		return e
	}
	k.refuses(holdfast.Invalid, "", edit(func(e *holdfast.Entry) { e.Op, e.Body = holdfast.OpDelete, nil }))
	k.refuses(holdfast.Invalid, "", edit(func(e *holdfast.Entry) { e.Body = []byte("{") }))
	k.refuses(holdfast.Invalid, "", edit(func(e *holdfast.Entry) { e.Body = nil }))
	k.refuses(holdfast.Invalid, "", k.m.Record(k.a.ID, "nobody"))
	k.refuses(holdfast.Invalid, "", k.m.Record(k.a.ID, "Alice@example.org"))
	k.refuses(holdfast.Invalid, "", edit(func(e *holdfast.Entry) { e.Name = "other" }))
	k.refuses(holdfast.Invalid, "", edit(func(e *holdfast.Entry) { e.Collection = k.a.Book }))
	k.do(edit(func(e *holdfast.Entry) {
		e.Body = holdfast.AccountRecord{Email: login, State: holdfast.Suspended, Created: k.m.Now(), Password: "$argon2id$x"}.Encode()
	}))
	k.read(func(s store.Snapshot) {
		if a, err := s.Account(k.a.ID); err != nil || a.State != holdfast.Suspended || a.Password != "$argon2id$x" || a.Seq != 5 {
			k.Errorf("account %+v, %v; want it suspended, at seq 5", a, err)
		}
	})
}

func testLogins(k *kit) {
	whose := func(login string, want holdfast.ID) {
		k.Helper()
		k.read(func(s store.Snapshot) {
			if id, err := s.AccountByLogin(login); err != nil || id != want {
				k.Errorf("%s is %v, %v; want %v", login, id, err, want)
			}
		})
	}
	rename := func(a Account, login string) *holdfast.Group { return k.m.Group(a.ID, k.m.Record(a.ID, login)) }
	b := NewAccount(k, k.m, k.h.Engine, "bob@example.org")
	k.refuse(holdfast.Exists, login, second(k.m.Founding(login)))
	k.refuse(holdfast.Exists, login, rename(b, login))
	k.commit(rename(k.a, "carol@example.org"))
	whose(login, k.a.ID)
	whose("carol@example.org", k.a.ID)
	k.refuse(holdfast.Exists, login, second(k.m.Founding(login)))
	k.refuse(holdfast.Exists, login, rename(b, login))
	k.refuse(holdfast.Exists, "carol@example.org", rename(b, "carol@example.org"))
	k.commit(rename(k.a, "dave@example.org"))
	k.commit(rename(k.a, login)) // one of its own, back
	whose("carol@example.org", k.a.ID)
	whose("dave@example.org", k.a.ID)
	k.refuse(holdfast.Exists, "dave@example.org", rename(b, "dave@example.org"))
	// One that a group passes through is a former one, too.
	k.commit(k.m.Group(b.ID, k.m.Record(b.ID, "via@example.org"), k.m.Record(b.ID, "bob@example.org")))
	whose("via@example.org", b.ID)
	k.refuse(holdfast.Exists, "via@example.org", rename(k.a, "via@example.org"))
	// One that a refused group wanted is free.
	k.refuse(holdfast.NotFound, "", k.m.Group(b.ID, k.m.Record(b.ID, "free@example.org"), k.m.Delete(b.Book, "never")))
	k.commit(rename(k.a, "free@example.org"))
	whose("free@example.org", k.a.ID)
	k.read(func(s store.Snapshot) {
		for _, l := range []string{"nobody@example.org", "", "ALICE@example.org"} {
			_, err := s.AccountByLogin(l)
			k.kind("the login "+l, err, holdfast.NotFound)
		}
		if a, err := s.Account(k.a.ID); err != nil || a.Email != "free@example.org" {
			k.Errorf("the account's login is %q, %v", a.Email, err)
		}
	})
	if k.reopen() {
		whose("carol@example.org", k.a.ID)
		k.refuse(holdfast.Exists, "carol@example.org", rename(b, "carol@example.org"))
	}
}

func testLocalParts(k *kit) {
	found := func(s store.Snapshot, local string, limit int, want ...holdfast.ID) {
		k.Helper()
		if ids, err := s.AccountsByLocalPart(local, limit); err != nil || !slices.Equal(ids, want) {
			k.Errorf("%d accounts of %q: %v, %v; want %v", limit, local, ids, err, want)
		}
	}
	before, err := k.h.Engine.Snapshot(k.Context())
	if err != nil {
		k.Fatal(err)
	}
	c := NewAccount(k, k.m, k.h.Engine, "carol@c.example.org")
	a := NewAccount(k, k.m, k.h.Engine, "carol@a.example.org")
	b := NewAccount(k, k.m, k.h.Engine, "bob@example.org")
	for _, near := range []string{"carola@a.example.org", "caro@example.org", "carol.b@example.org", "carol-@example.org", "carol~@example.org", "xcarol@example.org", "carolé@example.org", "jürgen@example.org"} {
		NewAccount(k, k.m, k.h.Engine, near)
	}
	k.commit(k.m.Group(b.ID, k.m.Record(b.ID, "carol@b.example.org")))
	k.commit(k.m.Group(a.ID, k.m.Record(a.ID, "carol@d.example.org")))
	k.refuse(holdfast.NotFound, "", k.m.Group(c.ID, k.m.Record(c.ID, "carol@e.example.org"), k.m.Delete(c.Book, "never")))
	all := func() {
		k.Helper()
		k.read(func(s store.Snapshot) {
			for limit, want := range map[int][]holdfast.ID{1: {a.ID}, 2: {a.ID, b.ID}, 4: {a.ID, b.ID, c.ID, a.ID}, 100: {a.ID, b.ID, c.ID, a.ID}} {
				found(s, "carol", limit, want...)
			}
			found(s, "bob", 5, b.ID) // a former one
			found(s, "alice", 5, k.a.ID)
			for _, local := range []string{"", "car", "carol@a.example.org", "carol%", "_arol", "Carol", "nobody", "carol\x00"} {
				found(s, local, 5)
			}
		})
	}
	all()
	found(before, "carol", 5)
	found(before, "bob", 5)
	found(before, "alice", 5, k.a.ID)
	before.Close()
	if k.reopen() {
		all()
	}
}

func testAccounts(k *kit) {
	ids := []holdfast.ID{k.a.ID}
	for i := range 6 {
		ids = append(ids, NewAccount(k, k.m, k.h.Engine, fmt.Sprintf("a%d@example.org", i)).ID)
	}
	slices.SortFunc(ids, holdfast.ID.Compare)
	k.read(func(s store.Snapshot) {
		for _, limit := range []int{0, 1, 3, 7, 100} {
			var got []holdfast.ID
			var after holdfast.ID
			for {
				page, err := s.Accounts(after, limit)
				if err != nil {
					k.Fatal(err)
				}
				if limit > 0 && len(page) > limit {
					k.Errorf("a page of %d accounts, want at most %d", len(page), limit)
				}
				for _, a := range page {
					one, err := s.Account(a.ID)
					if err != nil || textAccount(one) != textAccount(a) {
						k.Errorf("listed as %s, alone %s, %v", textAccount(a), textAccount(one), err)
					}
					got, after = append(got, a.ID), a.ID
				}
				if limit == 0 || len(page) == 0 {
					break
				}
			}
			if !slices.Equal(got, ids) {
				k.Errorf("pages of %d give %v, want %v", limit, got, ids)
			}
		}
		_, err := s.Account(k.m.ID())
		k.kind("an unknown account", err, holdfast.NotFound)
		_, err = s.Account(k.a.Book)
		k.kind("an account by the id of a collection", err, holdfast.NotFound)
	})
}

func testRecords(k *kit) {
	dev := holdfast.DeviceRecord{ID: k.m.ID(), Name: "phone", Created: k.m.Now(), Secret: holdfast.HashOf([]byte("secret"))}
	d := k.m.Put(k.a.ID, holdfast.RecordDevicePrefix+dev.ID.String(), "", dev.Encode())
	d.Kind = holdfast.KindDevice
	key := k.m.Put(k.a.ID, holdfast.RecordTokenKey, "", make([]byte, 32))
	key.Kind = holdfast.KindTokenKey
	k.do(d, key)
	gone := k.m.Delete(k.a.ID, d.Name)
	gone.Kind = holdfast.KindDevice
	k.do(gone)
	k.read(func(s store.Snapshot) {
		if _, err := s.Resource(k.a.ID, d.Name, 0); !holdfast.IsKind(err, holdfast.NotFound) {
			k.Errorf("a revoked device: %v, want NotFound", err)
		}
		if r, err := s.Resource(k.a.ID, key.Name, all); err != nil || r.Kind != holdfast.KindTokenKey || len(r.Body) != 32 {
			k.Errorf("the key: %s, %v", textResource(&r, all, false), err)
		}
		if r, err := s.ResourceAt(k.a.ID, d.Name, 6, all); err != nil || r.Kind != holdfast.KindDevice || string(r.Body) != string(d.Body) {
			k.Errorf("the device as it was: %s, %v", textResource(&r, all, true), err)
		}
	})
}

// sightings returns those of the account, in lines.
func (k *kit) sightings() (lines []string) {
	k.Helper()
	k.read(func(s store.Snapshot) {
		all, err := s.Sightings(k.a.ID)
		if err != nil {
			k.Fatalf("sightings: %v", err)
		}
		for _, seen := range all {
			lines = append(lines, textSighting(seen))
		}
	})
	return lines
}

// saw waits until the sightings of the account are these: an engine may write them some time later.
func (k *kit) saw(want ...holdfast.Sighting) {
	k.Helper()
	slices.SortFunc(want, func(a, b holdfast.Sighting) int {
		return cmp.Or(a.Collection.Compare(b.Collection), a.Device.Compare(b.Device))
	})
	need, got := lines(want, textSighting), []string(nil)
	for range 200 {
		if got = k.sightings(); slices.Equal(got, need) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	k.Errorf("sightings:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(need, "\n"))
}

func testSightings(k *kit) {
	b := NewAccount(k, k.m, k.h.Engine, "bob@example.org")
	before, position := k.everything(), k.h.Engine.Info().Position
	t0 := time.Date(2024, 6, 1, 12, 0, 0, 0, time.UTC)
	phone, tablet := k.m.ID(), k.m.ID()
	see := func(seen ...holdfast.Sighting) {
		k.Helper()
		if err := k.h.Engine.Observe(k.Context(), seen); err != nil {
			k.Fatalf("observe: %v", err)
		}
	}
	one := holdfast.Sighting{Account: k.a.ID, Collection: k.a.Book, Device: phone, Epoch: 1, Seq: 5, Chain: holdfast.HashOf([]byte("5")), At: t0}
	two := holdfast.Sighting{Account: k.a.ID, Collection: k.a.Book, Device: tablet, Epoch: 1, Seq: 4, Full: true, At: t0}
	plain := holdfast.Sighting{Account: k.a.ID, Device: phone, At: t0}
	other := holdfast.Sighting{Account: b.ID, Collection: b.Book, Device: phone, Epoch: 1, Seq: 2, At: t0}
	see(one, two, plain, other)
	k.saw(one, two, plain)

	late := one
	late.At, late.Seq, late.Full = t0.Add(time.Minute), 3, true // a token of before: what was seen last counts, not what is highest
	see(late)
	k.saw(late, two, plain)
	see(one) // comes too late
	k.saw(late, two, plain)
	higher, lower := late, late
	higher.Seq, lower.Seq = 9, 8 // in one second, the higher seq is the newer
	see(higher, lower)
	k.saw(higher, two, plain)
	see(lower)
	k.saw(higher, two, plain)
	see()
	if now := k.everything(); !slices.Equal(now, before) || k.h.Engine.Info().Position != position {
		k.Errorf("an observation is a change:\n%s", difference(now, before))
	}
	if k.reopen() {
		k.saw(higher, two, plain)
	}
}
