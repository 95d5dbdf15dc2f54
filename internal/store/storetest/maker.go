package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/store"
)

// Maker makes entries and groups. Its ids and times follow from its seed, so that the same calls make the same octets and hashes. It may be used
// from many goroutines (then only the set of its ids is the same each time).
type Maker struct {
	mu    sync.Mutex
	rng   *rand.PCG
	now   time.Time
	Actor holdfast.Actor // of the entries made from now on
}

// NewMaker returns a maker whose clock begins on 2024-05-01 and moves on a little with each entry.
func NewMaker(seed uint64) *Maker {
	return &Maker{rng: rand.NewPCG(seed, 0x5eed), now: time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)}
}

// ID returns the next id.
func (m *Maker) ID() holdfast.ID {
	m.mu.Lock()
	defer m.mu.Unlock()
	var id holdfast.ID
	for i := 0; i < len(id); i += 8 {
		for j, v := 0, m.rng.Uint64(); j < 8; j, v = j+1, v>>8 {
			id[i+j] = byte(v)
		}
	}
	return id
}

// Now returns the maker's next moment: 1.000001 s after the last one.
func (m *Maker) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = m.now.Add(time.Second + time.Microsecond)
	return m.now
}

func (m *Maker) entry(op holdfast.Op, kind holdfast.Kind, collection holdfast.ID, name string) holdfast.Entry {
	return holdfast.Entry{ID: m.ID(), Op: op, Kind: kind, Collection: collection, Name: name, Actor: m.Actor, At: m.Now()}
}

// Put returns an entry that puts a contact. uid is what the engine is told; "" means none.
func (m *Maker) Put(collection holdfast.ID, name, uid string, body []byte) holdfast.Entry {
	e := m.entry(holdfast.OpPut, holdfast.KindAddress, collection, name)
	e.ContentType, e.Body, e.Index.UID = "text/vcard; charset=utf-8", body, uid
	return e
}

// Delete returns an entry that deletes a contact.
func (m *Maker) Delete(collection holdfast.ID, name string) holdfast.Entry {
	return m.entry(holdfast.OpDelete, holdfast.KindAddress, collection, name)
}

// Collection returns an entry that makes or updates a collection.
func (m *Maker) Collection(id, parent holdfast.ID, name string, typ holdfast.CollectionType) holdfast.Entry {
	e := m.entry(holdfast.OpPut, holdfast.KindCollection, id, "")
	e.Body = holdfast.CollectionRecord{Parent: parent, Name: name, Type: typ}.Encode()
	return e
}

// DeleteCollection returns an entry after which the collection is gone.
func (m *Maker) DeleteCollection(id holdfast.ID) holdfast.Entry {
	return m.entry(holdfast.OpDelete, holdfast.KindCollection, id, "")
}

// Record returns an entry that puts an account's record.
func (m *Maker) Record(account holdfast.ID, login string) holdfast.Entry {
	e := m.entry(holdfast.OpPut, holdfast.KindAccount, account, holdfast.RecordAccount)
	e.Body = holdfast.AccountRecord{Email: login, State: holdfast.Active, Created: e.At}.Encode()
	return e
}

// Group returns the sealed group of these entries.
func (m *Maker) Group(account holdfast.ID, entries ...holdfast.Entry) *holdfast.Group {
	g := &holdfast.Group{Account: account, Entries: entries}
	g.Seal()
	return g
}

// Account is a founded account: where tests put things.
type Account struct {
	ID    holdfast.ID // its root collection's too
	Login string
	Home  holdfast.ID // "addressbooks", in the root
	Book  holdfast.ID // "contacts", in Home: an address book
}

// Founding returns the group that founds an account with a home and an address book: four changes.
func (m *Maker) Founding(login string) (Account, *holdfast.Group) {
	a := Account{ID: m.ID(), Login: login, Home: m.ID(), Book: m.ID()}
	return a, m.Group(a.ID,
		m.Collection(a.ID, holdfast.ID{}, "", holdfast.TypeRoot),
		m.Record(a.ID, login),
		m.Collection(a.Home, a.ID, holdfast.HomeAddressbooks, holdfast.TypeHome),
		m.Collection(a.Book, a.Home, "contacts", holdfast.TypeAddressbook))
}

// NewAccount founds an account in the engine; it fails the test where that does not work.
func NewAccount(t testing.TB, m *Maker, e store.Engine, login string) Account {
	t.Helper()
	a, g := m.Founding(login)
	if _, err := e.Commit(context.Background(), g); err != nil {
		t.Fatalf("found %s: %v", login, err)
	}
	return a
}

// Card returns the octets of a small vCard. Different notes make different octets.
func Card(uid, name, note string) []byte {
	return fmt.Appendf(nil, "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:%s\r\nFN:%s\r\nN:%s;;;;\r\nNOTE:%s\r\nEND:VCARD\r\n", uid, name, name, note)
}

// Sealed returns the entry as a group of its own.
func Sealed(account holdfast.ID, e holdfast.Entry) *holdfast.Group {
	g := &holdfast.Group{Account: account, Entries: []holdfast.Entry{e}}
	g.Seal()
	return g
}
