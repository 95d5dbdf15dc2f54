package davtest

import (
	"context"
	"net/http"
	"testing"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/core"
	"holdfast/internal/dav"
	"holdfast/internal/dav/onesnap"
	"holdfast/internal/davxml"
)

// Server is a real handler over a core, with two accounts. Who asks is said by the header Test-As; Ada where it is not there.
type Server struct {
	Client
	Core     *core.Service
	Engine   *Engine
	Vault    *Vault
	Clock    *clock.Fake
	Ada, Bob holdfast.Account
	Device   holdfast.ID // of Ada; zero: none
}

// Options say what a Server is made of.
type Options struct {
	Judges      map[holdfast.CollectionType]core.Judge
	Extensions  func(*clock.Fake) []dav.Extension
	Limits      davxml.Limits
	MaxResource int64 // octets
}

// NewServer makes a server whose clock begins in the morning of 1 February 2026. A request that asks for a second snapshot fails the test.
func NewServer(t testing.TB, o Options) *Server {
	t.Helper()
	s := &Server{Engine: NewEngine(), Clock: clock.NewFake(time.Date(2026, 2, 1, 8, 0, 0, 0, time.UTC))}
	single := &onesnap.Engine{Engine: s.Engine, Nested: func() { t.Error("a request that holds a snapshot asks for another one") }}
	s.Vault = &Vault{engine: s.Engine}
	s.Core = core.New(core.Options{Engine: single, Copies: s.Vault, Judges: o.Judges, Clock: s.Clock,
		Limits: core.Limits{Resource: o.MaxResource, DirectoryTTL: 1}}) // nothing is known by heart
	s.Client = Client{T: t, Handler: onesnap.Handler(dav.New(dav.Options{Clock: s.Clock, Core: s.Core, Extensions: o.Extensions(s.Clock), SpoolDir: t.TempDir(), Limits: o.Limits,
		Authenticate: func(r *http.Request) (holdfast.Principal, error) {
			if r.Header.Get("Test-As") == "bob" {
				return holdfast.Principal{Account: s.Bob.ID}, nil
			}
			return s.Principal(), nil
		}}))}
	s.Ada, s.Bob = s.Account("ada@example.org"), s.Account("bob@example.org")
	return s
}

// Account makes another account.
func (s *Server) Account(login string) holdfast.Account {
	s.T.Helper()
	a, _, err := s.Core.CreateAccount(context.Background(), holdfast.Actor{}, login, "")
	if err != nil {
		s.T.Fatal(err)
	}
	return a
}

// Principal is who asks where Test-As is not said.
func (s *Server) Principal() holdfast.Principal {
	return holdfast.Principal{Account: s.Ada.ID, Device: s.Device}
}
