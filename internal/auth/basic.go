package auth

import (
	"context"
	"net/http"

	"holdfast"
	"holdfast/internal/core"
)

// Challenge is the value of the header WWW-Authenticate that belongs to every 401 of a DAV face (RFC 7617).
const Challenge = `Basic realm="Holdfast", charset="UTF-8"`

// Basic tells which account and device a DAV request comes from, by its Authorization header (RFC 7617). The name is the account's login, a former one, or its id; or the
// part of such a login before the "@", as other servers call a user: of the accounts that have it, the app password says which one is meant.
//
// Errors: Unauthorized (answer 401 with [Challenge]) if the header is missing or does not fit; this answer may come late, see [Slowdown]. Unavailable (503
// and Retry-After; never a 4xx, which some clients take as an order to forget the account) if the account is suspended, if too many wrong attempts wait already, or if the
// store cannot be read; Corrupt, if it lacks what must be there. A right app password is never delayed.
func (s *Service) Basic(r *http.Request) (holdfast.Principal, error) {
	login, password, ok := r.BasicAuth()
	if !ok {
		return holdfast.Principal{}, fail("Basic", holdfast.Unauthorized, "sign in with your user name and this device's app password")
	}
	person, device, err := s.device(r.Context(), login, password)
	if holdfast.IsKind(err, holdfast.NotFound) { // records that must be there are not: a fault, and phones take a 404 for a deletion
		err = &holdfast.Error{Op: "auth.Basic", Kind: holdfast.Corrupt, Err: err}
	}
	if err != nil {
		return holdfast.Principal{}, err
	}
	at := s.proxy.addr(r)
	if device.ID.IsZero() {
		return holdfast.Principal{}, s.refuse(r.Context(), subject(person, login, at))
	}
	if person.State != holdfast.Active {
		return holdfast.Principal{}, suspended("Basic")
	}
	s.devices.succeeded(person.ID, at)
	p := holdfast.Principal{Account: person.ID, Device: device.ID}
	s.core.Saw(holdfast.Sighting{Account: p.Account, Device: p.Device})
	return p, nil
}

// device finds the device that an app password belongs to. A zero device means that name and password do not fit; person is nil if there is no such account.
func (s *Service) device(ctx context.Context, login, password string) (*core.Person, holdfast.DeviceRecord, error) {
	if local, ok := localPart(login); ok {
		return s.namesake(ctx, local, password)
	}
	person, err := s.core.Person(ctx, login)
	if holdfast.IsKind(err, holdfast.NotFound) {
		return nil, holdfast.DeviceRecord{}, nil
	}
	if err != nil {
		return nil, holdfast.DeviceRecord{}, err // not a 401: nothing is known about the password
	}
	hash, ok := HashAppPassword(password)
	if !ok {
		return person, holdfast.DeviceRecord{}, nil
	}
	d, _ := person.DeviceBySecret(hash)
	return person, d, nil
}

// localPart returns the canonical form of a name that is only the part of a login before its "@". An id is none.
func localPart(name string) (string, bool) {
	if _, err := holdfast.ParseID(name); err == nil {
		return "", false
	}
	local, err := holdfast.ParseLocalPart(name)
	return local, err == nil
}

// namesake is device for the part of a login before the "@". Whether it is nobody's, several accounts', or that of one with other app passwords, person is nil: the failure counts against the
// name, and nothing tells them apart. An app password that two accounts have, which [core.Service.AddDevice] keeps from happening where it can, fits neither.
func (s *Service) namesake(ctx context.Context, local, password string) (*core.Person, holdfast.DeviceRecord, error) {
	people, err := s.core.Namesakes(ctx, local)
	hash, ok := HashAppPassword(password)
	if !ok {
		people = nil
	}
	var found *core.Namesake
	for _, p := range people {
		if _, ok := p.DeviceBySecret(hash); !ok {
			continue
		}
		if found != nil {
			return nil, holdfast.DeviceRecord{}, nil
		}
		found = p
	}
	if found == nil {
		return nil, holdfast.DeviceRecord{}, err // not a 401 with an error: nothing is known about the password
	}
	person, err := s.core.Person(ctx, found.ID.String())
	if err != nil {
		return nil, holdfast.DeviceRecord{}, err
	}
	d, ok := person.DeviceBySecret(hash)
	if !ok { // it was revoked just now
		return nil, holdfast.DeviceRecord{}, nil
	}
	return person, d, nil
}

// refuse answers a wrong app password, late if there were many.
func (s *Service) refuse(ctx context.Context, who who) error {
	s.log.Info("an app password was refused", "account", who.account, "known", who.exists, "addr", who.addr)
	if err := s.devices.wait(ctx, who, s.devices.charge(who)); err != nil {
		return err
	}
	return fail("Basic", holdfast.Unauthorized,
		"user name and app password do not fit; each device has an app password of its own, which the page Devices makes (the password of the pages does not work here)")
}

func suspended(op string) error {
	return fail(op, holdfast.Unavailable, "this account is suspended; nothing was deleted, and devices keep what they hold")
}
