package auth

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"io"
	"net/http"
	"sync"
	"time"

	"holdfast"
	"holdfast/internal/core"
)

// Names of the cookie that holds a sign-in to the pages. On HTTPS the browser itself sees to it that a cookie whose name begins with __Host- was set by
// this host, for this host, encrypted.
const (
	cookieSecure = "__Host-holdfast-session"
	cookiePlain  = "holdfast-session"
)

// A session is a signed cookie; the server stores nothing:
//
//	BASE64URL( 1 | account 16 | session 16 | issued 8 | expires 8 | mac 32 )
//
// The MAC is keyed with a secret of the account and covers the password's hash: a new password ends all sessions.
const (
	sessionVersion = 1
	sessionBody    = 1 + 16 + 16 + 8 + 8
	sessionLen     = sessionBody + sha256.Size
)

// Session is a person who is signed in to the pages.
type Session struct {
	ID      holdfast.ID
	Person  *core.Person
	Issued  time.Time
	Expires time.Time
}

// Principal returns who asks: the account, without a device.
func (s Session) Principal() holdfast.Principal { return holdfast.Principal{Account: s.Person.ID} }

// signOuts guards the list of sessions that were ended before their time.
type signOuts struct {
	mu  sync.Mutex
	ids *lru[holdfast.ID, struct{}]
}

func (o *signOuts) add(id holdfast.ID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ids.put(id, struct{}{})
}

func (o *signOuts) has(id holdfast.ID) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, ok := o.ids.get(id)
	return ok
}

// SignIn checks the password of an account's pages. login may be a former login or the account's id.
//
// Attempts after some wrong ones wait before they are judged, see [Slowdown]. Errors: Unauthorized, in the same words and the same time whether the account exists or not;
// Unavailable if the account is suspended (said only to who knows the password) or if too many wait.
func (s *Service) SignIn(ctx context.Context, from ClientInfo, login, password string) (*core.Person, error) {
	person, err := s.core.Person(ctx, login)
	if err != nil && !holdfast.IsKind(err, holdfast.NotFound) {
		return nil, err
	}
	stored := ""
	if err != nil {
		person = nil
	} else {
		stored = person.Password
	}
	who := subject(person, login, from.Addr)
	if err := s.pages.wait(ctx, who, s.pages.charge(who)); err != nil {
		return nil, err
	}
	if len(password) > 4*MaxPassword {
		password = "" // fits nothing; not worth hashing
	}
	ok, renew, err := s.hasher.verify(ctx, stored, password)
	if err != nil {
		return nil, err
	}
	if !ok {
		s.log.Info("a sign-in was refused", "account", who.account, "known", who.exists, "addr", who.addr)
		return nil, fail("SignIn", holdfast.Unauthorized, "name and password do not fit")
	}
	s.pages.refund(who)
	s.pages.succeeded(person.ID, who.addr)
	if person.State != holdfast.Active {
		return nil, suspended("SignIn")
	}
	if renew {
		person = s.renew(ctx, person, password)
	}
	return person, nil
}

// renew stores a stronger hash of a password that was just found right. It may fail: the old hash is still good.
func (s *Service) renew(ctx context.Context, person *core.Person, password string) *core.Person {
	hash, err := s.hasher.hash(ctx, password)
	if err == nil {
		_, err = s.core.UpdateAccount(ctx, holdfast.Actor{Account: person.ID}, person.ID, func(r *holdfast.AccountRecord) error {
			if r.Password == person.Password { // else it was changed just now
				r.Password = hash
			}
			return nil
		})
	}
	if err == nil {
		var fresh *core.Person
		if fresh, err = s.core.Person(ctx, person.ID.String()); err == nil {
			return fresh
		}
	}
	s.log.Warn("a stronger password hash could not be stored; the old one stays", "account", person.ID, "err", err)
	return person
}

// SetPassword changes the password of an account's pages; all its sessions end. Errors: as [Service.HashPassword], NotFound.
func (s *Service) SetPassword(ctx context.Context, actor holdfast.Actor, account holdfast.ID, password string) error {
	a, err := s.core.Account(ctx, account.String())
	if err != nil {
		return err
	}
	hash, err := s.HashPassword(ctx, a.Email, password)
	if err != nil {
		return err
	}
	_, err = s.core.UpdateAccount(ctx, actor, account, func(r *holdfast.AccountRecord) error {
		r.Password = hash
		return nil
	})
	return err
}

// Cookie returns the cookie of a new session for a person who has just signed in.
func (s *Service) Cookie(person *core.Person, https bool) (*http.Cookie, error) {
	now := s.clock.Now().UTC()
	sid := make([]byte, 16)
	if _, err := io.ReadFull(s.random, sid); err != nil {
		return nil, &holdfast.Error{Op: "auth.Cookie", Kind: holdfast.Internal, Err: err}
	}
	b := make([]byte, 0, sessionLen)
	b = append(b, sessionVersion)
	b = append(b, person.ID[:]...)
	b = append(b, sid...)
	b = binary.BigEndian.AppendUint64(b, uint64(now.Unix()))
	b = binary.BigEndian.AppendUint64(b, uint64(now.Add(s.sessionFor).Unix()))
	b = append(b, sessionMAC(person, b)...)
	return cookie(https, base64.RawURLEncoding.EncodeToString(b), int(s.sessionFor/time.Second)), nil
}

// Session returns who is signed in to the pages. Errors: Unauthorized if nobody is (the text says no more: show the sign-in page); Unavailable if the account is
// suspended.
func (s *Service) Session(r *http.Request) (Session, error) {
	none := fail("Session", holdfast.Unauthorized, "you are not signed in")
	c, err := r.Cookie(cookieName(s.proxy.Client(r).HTTPS))
	if err != nil || len(c.Value) != base64.RawURLEncoding.EncodedLen(sessionLen) {
		return Session{}, none
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(c.Value)
	if err != nil || len(b) != sessionLen || b[0] != sessionVersion {
		return Session{}, none
	}
	var account, sid holdfast.ID
	copy(account[:], b[1:])
	copy(sid[:], b[17:])
	person, err := s.core.Person(r.Context(), account.String())
	if err != nil {
		if holdfast.IsKind(err, holdfast.NotFound) {
			err = none
		}
		return Session{}, err
	}
	x := Session{ID: sid, Person: person, Issued: unix(b[33:]), Expires: unix(b[41:])}
	if !hmac.Equal(b[sessionBody:], sessionMAC(person, b[:sessionBody])) || person.Password == "" || !s.clock.Now().Before(x.Expires) || s.signedOut.has(sid) {
		return Session{}, none
	}
	if person.State != holdfast.Active {
		return Session{}, suspended("Session")
	}
	return x, nil
}

// SignOut ends a session, and returns the cookie that makes the browser forget it. A copy of the cookie is refused from now on too, until the server restarts;
// a new password ends all sessions for good.
func (s *Service) SignOut(r *http.Request) *http.Cookie {
	if x, err := s.Session(r); err == nil {
		s.signedOut.add(x.ID)
	}
	return cookie(s.proxy.Client(r).HTTPS, "", -1)
}

func cookie(https bool, value string, age int) *http.Cookie {
	return &http.Cookie{Name: cookieName(https), Value: value, Path: "/", MaxAge: age, HttpOnly: true, Secure: https, SameSite: http.SameSiteLaxMode}
}

func cookieName(https bool) string {
	if https {
		return cookieSecure
	}
	return cookiePlain
}

func sessionMAC(person *core.Person, body []byte) []byte {
	m := hmac.New(sha256.New, person.Key("page session"))
	m.Write(body)
	m.Write([]byte(person.Password))
	return m.Sum(nil)
}

func unix(b []byte) time.Time { return time.Unix(int64(binary.BigEndian.Uint64(b)), 0).UTC() }
