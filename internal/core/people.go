package core

import (
	"context"
	"crypto/rand"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"holdfast"
)

// defaultCollection is one of those that an account owns from its first moment.
type defaultCollection struct {
	home, name, label string
	typ               holdfast.CollectionType
	components        []string
}

// defaultCollections is what an account owns from its first moment, beside its homes.
var defaultCollections = []defaultCollection{
	{holdfast.HomeAddressbooks, "default", "Contacts", holdfast.TypeAddressbook, nil},
	{holdfast.HomeCalendars, "default", "Calendar", holdfast.TypeCalendar, []string{"VEVENT"}},
	{holdfast.HomeCalendars, "tasks", "Tasks", holdfast.TypeCalendar, []string{"VTODO"}},
	{holdfast.HomeCalendars, "notes", "Notes", holdfast.TypeCalendar, []string{"VJOURNAL"}},
	{holdfast.HomeCalendars, holdfast.NameInbox, "Inbox", holdfast.TypeInbox, nil},
	{holdfast.HomeCalendars, holdfast.NameOutbox, "Outbox", holdfast.TypeOutbox, nil},
	{holdfast.HomeFiles, namePhotos, namePhotos, holdfast.TypeFolder, nil},
}

// CreateAccount makes an account with its homes and default collections, in one commit. email is checked and brought into canonical form;
// password is an argon2id hash in PHC format, or empty for an account that does not sign in to pages. Errors: Invalid, Exists.
func (s *Service) CreateAccount(ctx context.Context, actor holdfast.Actor, email, password string) (holdfast.Account, holdfast.Receipt, error) {
	login, err := holdfast.ParseLogin(email)
	if err != nil {
		return holdfast.Account{}, holdfast.Receipt{}, fail("CreateAccount", holdfast.Invalid, email, err.Error())
	}
	rec := holdfast.AccountRecord{Email: login, State: holdfast.Active, Created: s.Now().Truncate(time.Second), Password: password}
	id := holdfast.NewID(s.random)
	if actor == (holdfast.Actor{}) {
		actor.Account = id
	}
	g := &holdfast.Group{Account: id}
	add := func(kind holdfast.Kind, coll holdfast.ID, name string, body []byte, props holdfast.Properties) {
		g.Entries = append(g.Entries, s.entry(actor, holdfast.OpPut, kind, coll, name, body, props))
	}
	add(holdfast.KindCollection, id, "", holdfast.CollectionRecord{Type: holdfast.TypeRoot}.Encode(), nil)
	add(holdfast.KindAccount, id, holdfast.RecordAccount, rec.Encode(), nil)
	key := make([]byte, 32)
	if _, err := io.ReadFull(s.randomSource(), key); err != nil {
		return holdfast.Account{}, holdfast.Receipt{}, err
	}
	add(holdfast.KindTokenKey, id, holdfast.RecordTokenKey, key, nil)
	homes := map[string]holdfast.ID{}
	for _, h := range []string{holdfast.HomeAddressbooks, holdfast.HomeCalendars, holdfast.HomeFiles} {
		homes[h] = holdfast.NewID(s.random)
		add(holdfast.KindCollection, homes[h], "", holdfast.CollectionRecord{Parent: id, Name: h, Type: holdfast.TypeHome}.Encode(), nil)
	}
	for _, c := range defaultCollections {
		r := holdfast.CollectionRecord{Parent: homes[c.home], Name: c.name, Type: c.typ, Components: c.components}
		label := holdfast.Property{Space: "DAV:", Local: "displayname", XML: labelXML(c.label)}
		props := holdfast.Properties{label}
		if c.typ == holdfast.TypeFolder {
			props = marked(props, true)
		}
		add(holdfast.KindCollection, holdfast.NewID(s.random), "", r.Encode(), props)
	}
	receipt, err := s.commit(ctx, g)
	if err != nil {
		return holdfast.Account{}, receipt, err
	}
	return holdfast.Account{AccountRecord: rec, ID: id, Epoch: receipt.Epoch, Seq: receipt.Seq}, receipt, nil
}

// Account finds an account by its id, its login or a former login. Errors: NotFound.
func (s *Service) Account(ctx context.Context, ref string) (holdfast.Account, error) {
	p, err := s.person(ctx, ref)
	if err != nil {
		return holdfast.Account{}, err
	}
	return p.Account, nil
}

// Accounts returns up to limit accounts by ascending id, above after.
func (s *Service) Accounts(ctx context.Context, after holdfast.ID, limit int) ([]holdfast.Account, error) {
	snap, err := s.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer snap.Close()
	return snap.Accounts(after, limit)
}

// UpdateAccount changes an account's record by fn, which may be called again where another change came between. Errors: NotFound, Exists (a login that
// another account has or had), Invalid, and what fn returns.
func (s *Service) UpdateAccount(ctx context.Context, actor holdfast.Actor, id holdfast.ID, fn func(*holdfast.AccountRecord) error) (holdfast.Receipt, error) {
	return s.update(ctx, actor, id, holdfast.RecordAccount, func(body []byte) ([]byte, error) {
		rec, err := holdfast.DecodeAccount(body)
		if err != nil {
			return nil, err
		}
		if err := fn(&rec); err != nil {
			return nil, err
		}
		if rec.Email, err = holdfast.ParseLogin(rec.Email); err != nil {
			return nil, fail("UpdateAccount", holdfast.Invalid, rec.Email, err.Error())
		}
		return rec.Encode(), nil
	})
}

// update is a read, a change and a conditional write of one root record, tried again while others come between.
func (s *Service) update(ctx context.Context, actor holdfast.Actor, id holdfast.ID, name string, fn func([]byte) ([]byte, error)) (holdfast.Receipt, error) {
	var receipt holdfast.Receipt
	err := s.retry(ctx, func() error {
		r, err := s.rootRecord(ctx, id, name)
		if err != nil {
			return err
		}
		body, err := fn(r.Body)
		if err != nil {
			return err
		}
		e := s.entry(actor, holdfast.OpPut, r.Kind, id, name, body, nil)
		e.If.Seq = r.Seq
		receipt, err = s.commit(ctx, &holdfast.Group{Account: id, Entries: []holdfast.Entry{e}})
		return err
	})
	return receipt, err
}

func (s *Service) rootRecord(ctx context.Context, id holdfast.ID, name string) (holdfast.Resource, error) {
	snap, err := s.newest(ctx, id)
	if err != nil {
		return holdfast.Resource{}, err
	}
	defer snap.Close()
	return snap.Resource(id, name, WithBody)
}

// Device is a row of the device list.
type Device struct {
	holdfast.DeviceRecord
	LastSeen time.Time           // zero: never
	Seen     []holdfast.Sighting // by collection
}

// AddDevice makes a device with the SHA-256 of its app password. The name is what its owner calls it. Errors: Invalid, TooLarge, Exists (the
// app password is, or was, another device's; see secretFree).
func (s *Service) AddDevice(ctx context.Context, actor holdfast.Actor, account holdfast.ID, name string, secret holdfast.Hash) (holdfast.DeviceRecord, holdfast.Receipt, error) {
	name = strings.TrimSpace(name)
	if name == "" || len(name) > 100 || !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return holdfast.DeviceRecord{}, holdfast.Receipt{}, fail("AddDevice", holdfast.Invalid, name, "a device's name has 1 to 100 octets of plain text")
	}
	s.adding.Lock()
	defer s.adding.Unlock()
	p, err := s.person(ctx, account.String())
	if err != nil {
		return holdfast.DeviceRecord{}, holdfast.Receipt{}, err
	}
	if len(p.Devices) >= s.limits.Devices {
		return holdfast.DeviceRecord{}, holdfast.Receipt{}, fail("AddDevice", holdfast.TooLarge, name, "this account has as many devices as it may; revoke one first")
	}
	if err := s.secretFree(ctx, p, secret); err != nil {
		return holdfast.DeviceRecord{}, holdfast.Receipt{}, err
	}
	d := holdfast.DeviceRecord{ID: holdfast.NewID(s.random), Name: name, Created: s.Now().Truncate(time.Second), Secret: secret}
	e := s.entry(actor, holdfast.OpPut, holdfast.KindDevice, account, holdfast.RecordDevicePrefix+d.ID.String(), d.Encode(), nil)
	e.If.Exists = holdfast.Absent
	r, err := s.commit(ctx, &holdfast.Group{Account: account, Entries: []holdfast.Entry{e}})
	return d, r, err
}

// RevokeDevice ends a device's right to sign in, at once. Its record stays in history. Errors: NotFound.
func (s *Service) RevokeDevice(ctx context.Context, actor holdfast.Actor, account, device holdfast.ID) (holdfast.Receipt, error) {
	e := s.entry(actor, holdfast.OpDelete, holdfast.KindDevice, account, holdfast.RecordDevicePrefix+device.String(), nil, nil)
	return s.commit(ctx, &holdfast.Group{Account: account, Entries: []holdfast.Entry{e}})
}

// Devices returns an account's devices with what each has seen, also what is not yet written down.
func (s *Service) Devices(ctx context.Context, account holdfast.ID) ([]Device, error) {
	p, err := s.person(ctx, account.String())
	if err != nil {
		return nil, err
	}
	snap, err := s.engine.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer snap.Close()
	written, err := snap.Sightings(account)
	if err != nil {
		return nil, err
	}
	elsewhere := map[holdfast.ID]bool{}
	for _, b := range p.bindings {
		elsewhere[b.Owner] = true
	}
	for owner := range elsewhere { // what is shared with the account is seen in its owner's
		list, err := snap.Sightings(owner)
		if err != nil {
			return nil, err
		}
		written = append(written, list...)
	}
	return s.seen.devices(p.Devices, written), nil
}

func (s *Service) entry(actor holdfast.Actor, op holdfast.Op, kind holdfast.Kind, coll holdfast.ID, name string, body []byte, props holdfast.Properties) holdfast.Entry {
	return holdfast.Entry{ID: holdfast.NewID(s.random), Op: op, Kind: kind, Collection: coll, Name: name, Body: body, Properties: props, Actor: actor, At: s.Now()}
}

func (s *Service) randomSource() io.Reader {
	if s.random != nil {
		return s.random
	}
	return rand.Reader
}
