package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/relay"
)

// gate keeps what is read and written from everybody until the store was compared with its vaults: phones are told to come back, and keep what they have.
type gate struct {
	mu     sync.Mutex
	opened bool
	err    error // of the last try
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.opened, g.err = true, nil
}

func (g *gate) set(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.err = err
}

// shut shuts it again.
func (g *gate) shut(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.opened, g.err = false, err
}

// soon is what Retry-After says while the comparison goes on.
const soon = 5 * time.Second

// why returns why the gate is shut, with when to come back; nil: it is open.
func (g *gate) why() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.opened {
		return nil
	}
	e := &holdfast.Error{Op: "gate", Kind: holdfast.Unavailable, Text: "the store is being compared with its vaults, and nothing is shown before that; try again in a moment", Retry: soon}
	if g.err != nil {
		e.Text, e.Err, e.Retry = "the store cannot be compared with its vaults, and nothing is shown before that: "+sentence(g.err), g.err, lastPause
	}
	return e
}

// ServeHTTP answers while the gate is shut. What is wrong with which vault is told to the operator, not to whoever asks.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	retry := soon
	var e *holdfast.Error
	if errors.As(g.why(), &e) {
		retry = e.Retry
	}
	_ = http.NewResponseController(w).SetReadDeadline(clock.System.Now()) // nobody waits for a body; a writer that knows no deadlines is a test's
	w.Header().Set("Connection", "close")
	w.Header().Set("Retry-After", strconv.Itoa(int(retry/time.Second)))
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusServiceUnavailable)
	fmt.Fprintf(w, "This server is starting: it compares its data with their copies first. Nothing is lost; try again soon. Request %s.\n", idOf(r))
}

// older ends the service: a vault that could not be compared with the store at the start shows that the store is older than it was, and whoever lists what it has would drop what it lacks. The next start takes over what the vault has, or finds whose data went two ways.
func (s *server) older(vault string) {
	err := &holdfast.Error{Op: "older", Kind: holdfast.Unavailable, Ref: vault, Text: fmt.Sprintf("the vault %q, which could not be reached when the service started, has changes that this store lacks: the store is older than it was. "+
		"Nothing more is shown or taken, so that no phone drops what is missing here. Start the service again: it takes over what the vault has", vault)}
	s.gate.shut(err)
	s.log.Error("the service ends", "err", err)
	select {
	case s.failed <- err:
	default:
	}
}

// copies tells whether every promise is kept as the policy says, and how safe the data are.
func (s *server) copies() (safe, works bool, text string) {
	if err := s.gate.why(); err != nil {
		return false, false, sentence(err)
	}
	v, err := s.store.keeper.Status(context.Background())
	if err != nil {
		return false, false, sentence(err)
	}
	works, text = s.store.relay.Met(), v.Why
	if v.Verdict != relay.VerdictOK {
		text = v.Verdict + ": " + text
	}
	return works && v.Verdict == relay.VerdictOK, works, text
}
