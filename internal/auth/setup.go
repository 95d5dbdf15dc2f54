package auth

import (
	"context"
	"crypto/subtle"
	"io"
	"sync"
	"time"

	"holdfast"
	"holdfast/internal/clock"
)

// Setup is the right to create the first account: a token in a link that `holdfast serve` prints. It lives in memory only, for 30 minutes, and ends with the
// first account.
type Setup struct {
	clock  clock.Clock
	random io.Reader
	keep   time.Duration

	using   chan struct{} // holds one while an account is made: one link makes one account
	mu      sync.Mutex
	token   string
	expires time.Time
	closed  bool
	done    chan struct{}
}

// NewSetup returns the right to create the first account, whose tokens are good for keep; 0 means 30 minutes. Nil clock and random mean the system's.
func NewSetup(c clock.Clock, random io.Reader, keep time.Duration) *Setup {
	def(&keep, 30*time.Minute)
	if c == nil {
		c = clock.System
	}
	return &Setup{clock: c, random: orSystem(random), keep: keep, using: make(chan struct{}, 1), done: make(chan struct{})}
}

// Token returns the token that is good now and until when, a new one if there is none or the last one expired. It is empty after the first account was made.
func (s *Setup) Token() (token string, expires time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return "", time.Time{}, nil
	}
	if now := s.clock.Now(); s.token == "" || !now.Before(s.expires) {
		var b [16]byte
		if _, err := io.ReadFull(s.random, b[:]); err != nil {
			return "", time.Time{}, &holdfast.Error{Op: "auth.Setup", Kind: holdfast.Internal, Err: err}
		}
		s.token, s.expires = appText.EncodeToString(b[:]), now.Add(s.keep)
	}
	return s.token, s.expires, nil
}

// Run calls show with a token now and with a new one each time that the last expired, until ctx ends or the first account was made. It is how serve prints the set-up link.
func (s *Setup) Run(ctx context.Context, show func(token string, expires time.Time)) error {
	for {
		token, expires, err := s.Token()
		if err != nil || token == "" {
			return err
		}
		show(token, expires)
		t := s.clock.NewTimer(expires.Sub(s.clock.Now()))
		select {
		case <-ctx.Done():
			t.Stop()
			return nil
		case <-s.done:
			t.Stop()
			return nil
		case <-t.C():
		}
	}
}

// Valid tells whether a token is good now. It takes the same time for every wrong one.
func (s *Setup) Valid(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	same := subtle.ConstantTimeCompare([]byte(token), []byte(s.token)) == 1
	return same && s.token != "" && !s.closed && s.clock.Now().Before(s.expires)
}

// Use runs fn, which makes the first account, if the token is good; if fn succeeds the right ends. Of two uses at the same time one gets NotFound. Errors:
// NotFound (wrong, expired or used), and what fn returns.
func (s *Setup) Use(token string, fn func() error) error {
	s.using <- struct{}{}
	defer func() { <-s.using }()
	if !s.Valid(token) {
		return fail("Setup", holdfast.NotFound, "this set-up link is not good, or not any more")
	}
	if err := fn(); err != nil {
		return err
	}
	s.Close()
	return nil
}

// Close ends the right: an account exists.
func (s *Setup) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.closed, s.token = true, ""
		close(s.done)
	}
}
