// Package auth says who asks.
//
// There are two kinds of sign-in, and neither works in the place of the other.
//
// A device signs in to DAV with HTTP Basic: the account's login (or a former login, its part before the "@", or the account's id) and an app password. Each device has an app password of its
// own: 128 random bits that the server makes, or as many and more that another server made and the device already has ([TakeAppPassword]). That is why the device list is true (one password, one row), why a lost phone is locked out without touching the
// others, and why a sign-in costs a microsecond: nobody can guess 128 bits, so that a plain SHA-256 is enough and no attempt has to be slowed before
// it is judged. The account's own password is refused there: stored in ten phones it could not be changed, and each request would need a slow hash.
//
// A person signs in to the pages with the account's password, which is hashed with argon2id, and then has a signed cookie for 30 days.
//
// Failed attempts are slowed down, never locked out. A right app password passes at once, whatever others did from the same address. See [Service.Basic],
// [Service.SignIn] and the type throttle. Where a request really comes from is said by [Proxy].
package auth

import (
	"io"
	"log/slog"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/core"
)

// Options wires a [Service]. Zero values mean the defaults.
type Options struct {
	Core   *core.Service
	Proxy  *Proxy // nil: no proxy is trusted
	Clock  clock.Clock
	Random io.Reader // nil: the system's
	Log    *slog.Logger

	Params     Params        // of new password hashes
	SessionFor time.Duration // how long a sign-in to the pages lasts; default 30 days
	Slow       Slowdown      // of failed sign-ins to the pages and of failed app passwords
}

// Service checks who asks. All methods may be called from many goroutines.
type Service struct {
	core       *core.Service
	proxy      *Proxy
	clock      clock.Clock
	random     io.Reader
	log        *slog.Logger
	hasher     *hasher
	sessionFor time.Duration
	pages      *throttle // counts wrong passwords
	devices    *throttle // counts wrong app passwords: apart, because they tell nothing about a password
	signedOut  signOuts
}

// New wires a service.
func New(o Options) *Service {
	s := &Service{core: o.Core, proxy: o.Proxy, clock: o.Clock, random: orSystem(o.Random), log: o.Log, sessionFor: o.SessionFor}
	if s.proxy == nil {
		s.proxy = &Proxy{}
	}
	if s.clock == nil {
		s.clock = clock.System
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.sessionFor <= 0 {
		s.sessionFor = 30 * 24 * time.Hour
	}
	s.hasher = newHasher(o.Params, s.random)
	slow := o.Slow.withDefaults()
	s.pages, s.devices = newThrottle(slow, s.clock), newThrottle(slow, s.clock)
	s.devices.known = s.pages.known // where a device signs in, its owner is at home
	s.signedOut.ids = newLRU[holdfast.ID, struct{}](10_000)
	return s
}

func fail(op string, kind holdfast.ErrorKind, text string) error {
	return &holdfast.Error{Op: "auth." + op, Kind: kind, Text: text}
}
