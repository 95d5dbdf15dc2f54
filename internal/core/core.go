// Package core is the one door: every read and every write of every face and duty goes through [Service].
//
// It checks rights, judges octets before they are stored, cuts large work into groups, keeps what devices have seen, and speaks sync tokens. Faces import
// core, never store, journal or vault; the few types of the store that they need stand here under their own names.
package core

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"holdfast"
	"holdfast/internal/blob"
	"holdfast/internal/clock"
	"holdfast/internal/store"
)

// Fields says what a read needs beyond the index.
type Fields = store.Fields

// What can be asked for.
const (
	WithBody  = store.WithBody
	WithProps = store.WithProps
	WithType  = store.WithType
)

// LetGo says that the octets of an earlier version are not there any more.
func LetGo(op, ref string, size int64) error { return store.LetGo(op, ref, size) }

// Judge decides whether octets may be stored in a collection, and derives what queries need. It answers with an error of kind Invalid or
// TooLarge whose Rule is the RFC's precondition. It must not keep or change body.
type Judge func(c *holdfast.Collection, name, contentType string, body []byte) (holdfast.Kind, holdfast.Index, error)

// Limits bound what one principal can ask for. Zero values mean the defaults.
type Limits struct {
	Resource     int64         // octets of one resource; default 10 MiB
	File         int64         // octets of one file where there is a store of blobs; default 64 GiB
	Inline       int64         // octets up to which a file is the body of its change; default 64 KiB
	Quota        int64         // live octets of one account; default 0: none
	Devices      int           // devices of one account; default 200
	Collections  int           // live collections of one account, those that others share with it included; default 1000
	Looks        int           // octets of the properties of one account's collections, those that others share with it included; default 16 MiB
	Shares       int           // guests of one collection; an account may have ten times as many over all of its collections; default 200
	SeenInterval time.Duration // how long sightings are gathered; default 5 minutes
	DirectoryTTL time.Duration // how long a cached account may be old, where other nodes write; default 30 s
	Directory    int           // accounts cached; default 20,000
	Show         time.Duration // how long a read waits for what is not acknowledged yet; default 2 s
}

func (l Limits) withDefaults() Limits {
	def(&l.Resource, 10<<20)
	def(&l.File, 64<<30)
	def(&l.Inline, MaxInline)
	def(&l.Devices, 200)
	def(&l.Collections, 1000)
	def(&l.Looks, 16<<20)
	def(&l.Shares, 200)
	def(&l.SeenInterval, 5*time.Minute)
	def(&l.DirectoryTTL, 30*time.Second)
	def(&l.Directory, 20_000)
	def(&l.Show, defaultShow)
	return l
}

func def[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

// Options wires a Service.
type Options struct {
	Engine store.Engine
	Copies Copies                            // nil: the engine alone
	Blobs  *blob.Keeper                      // of large files; nil, or where Copies are no BlobCopies: files are no larger than other resources
	Room   func(octets int64) bool           // tells whether the disk has room for so many octets of large files more; nil: it is found out by writing
	Judges map[holdfast.CollectionType]Judge // a type without one takes no resources
	Clock  clock.Clock
	Random io.Reader // nil: the system's
	Log    *slog.Logger
	Limits Limits
	// Doubted is what SaveDoubts was given last, before this process.
	Doubted    []Doubt
	Guard      GuardLimits
	Bursts     []Burst // what SaveBursts was given last, before this process
	SaveBursts func(context.Context, []Burst) error
	// SaveDoubts makes durable all that is known of doubts, in place of what it was given before. nil: a restart forgets them.
	SaveDoubts func(context.Context, []Doubt) error
}

// Service is the core of one store. All methods may be called from many goroutines.
type Service struct {
	engine store.Engine
	copies Copies
	blobs  *blob.Keeper // may be nil
	roomy  func(int64) bool
	judges map[holdfast.CollectionType]Judge
	clock  clock.Clock
	random io.Reader
	log    *slog.Logger
	limits Limits

	dir   directory
	seen  sightings
	acked atomic.Int64
	doubt doubts
	shown shown
	guard guard

	derive store.Derive // by judges

	copying   attempts
	reversals busy // accounts of which one is under way

	adding sync.Mutex // held while a device is added: what is asked of its app password must still be so when it is committed

	saveDoubts func(context.Context, []Doubt) error
}

// New wires a service over an open engine. The caller closes the service before the engine.
func New(o Options) *Service {
	s := &Service{engine: o.Engine, blobs: o.Blobs, roomy: o.Room, judges: o.Judges, clock: o.Clock, random: o.Random, log: o.Log, limits: o.Limits.withDefaults(), saveDoubts: o.SaveDoubts}
	if s.clock == nil {
		s.clock = clock.System
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.copies = o.Copies; s.copies == nil {
		s.copies = alone{o.Engine}
	}
	s.derive = DeriveBy(o.Judges)
	s.dir.init(s.limits.Directory)
	s.seen.init()
	s.doubt.init(o.Doubted)
	s.guard.init(o.Guard, o.Bursts, o.SaveBursts)
	return s
}

// Limits returns the limits in force.
func (s *Service) Limits() Limits { return s.limits }

// Now returns the service's time, UTC.
func (s *Service) Now() time.Time { return s.clock.Now().UTC() }

// Run does the service's regular work until ctx ends: it writes down gathered sightings, and doubts that could not be written down before, and looks whether doubts are over,
// and deletes what copies left behind.
func (s *Service) Run(ctx context.Context) {
	s.reconsider(ctx)
	var swept holdfast.ID
	for {
		t := s.clock.NewTimer(s.limits.SeenInterval)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C():
			s.flushSeen(ctx)
			s.keepDoubts(ctx)
			s.reconsider(ctx)
			swept = s.sweep(ctx, swept)
		}
	}
}

func (s *Service) reconsider(ctx context.Context) {
	if err := s.Reconsider(ctx); err != nil && ctx.Err() == nil {
		s.log.Warn("it cannot be looked whether doubts are over; they stay", "err", err)
	}
}

// Close writes down what was gathered. Nothing acknowledged depends on it.
func (s *Service) Close(ctx context.Context) {
	s.flushSeen(ctx)
	s.keepDoubts(ctx)
}

// Stats are the service's counters.
type Stats struct {
	Acknowledged int64 // groups committed since the start
	InDoubt      int64 // requests refused because a device had seen more than the store has
	// AccountsInDoubt is of how many accounts somebody is held for that now, DevicesInDoubt how many devices are, each by what it has seen itself.
	AccountsInDoubt, DevicesInDoubt int64
	Accounts                        int64
	Engine                          store.Info
}

// Stats returns the counters as they are.
func (s *Service) Stats() Stats {
	i := s.engine.Info()
	requests, accounts, devices := s.doubt.count()
	return Stats{Acknowledged: s.acked.Load(), InDoubt: requests, AccountsInDoubt: accounts, DevicesInDoubt: devices, Accounts: i.Accounts, Engine: i}
}

// Newest returns when the newest change was made, by the clock of then; zero where there is none.
func (s *Service) Newest(ctx context.Context) (at time.Time, err error) {
	last := s.engine.Position().Batch
	if last == 0 {
		return at, nil
	}
	err = s.engine.After(ctx, last-1, 1, func(b *holdfast.Batch) error {
		for _, c := range b.Changes {
			if c.At.After(at) {
				at = c.At
			}
		}
		return nil
	})
	return at, err
}

// Check verifies the whole store, see [store.Engine]. If octets is set, every live resource is judged once more and compared with what the index says of it.
func (s *Service) Check(ctx context.Context, octets bool, report func(store.Finding)) error {
	return s.engine.Check(ctx, octets, s.derive, report)
}

// DeriveBy returns what derives an index by judges. What is in a collection whose type has none is the core's own, and is found by its name alone.
func DeriveBy(judges map[holdfast.CollectionType]Judge) store.Derive {
	return func(c *holdfast.Collection, r *holdfast.Resource) (holdfast.Index, bool) {
		judge := judges[c.Type]
		if judge == nil {
			return holdfast.Index{}, true
		}
		_, x, err := judge(c, r.Name, r.ContentType, r.Body)
		return x, err == nil
	}
}

func fail(op string, kind holdfast.ErrorKind, ref, text string) error {
	return &holdfast.Error{Op: "core." + op, Kind: kind, Ref: ref, Text: text}
}
