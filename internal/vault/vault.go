package vault

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"holdfast"
	"holdfast/internal/clock"
	"holdfast/internal/place"
	"holdfast/internal/seal"
)

// Options say over which place a vault is, and with which keys. Zero values mean the defaults.
type Options struct {
	Place  place.Place
	Ring   *seal.Ring       // the server's keys; nil: the vault is only read
	With   []*seal.Identity // other keys that open, such as a recovery key
	Hybrid bool             // keys that are made withstand quantum computers; follows the ring's
	Clock  clock.Clock
	Log    *slog.Logger
	Random io.Reader
	Watch  *Watch // shared by all that the process opens over this vault; nil: nothing that no change names is removed

	SegmentOctets int64         // a segment is closed when it is that long; default 8 MiB
	SegmentAge    time.Duration // or that old; default 1 h
	KeepTail      time.Duration // how long a sealed segment stays, for stores that were put back from an older copy; default 13 days
	Keep          time.Duration // how long a replaced pack stays; default 7 days
	KeepPruned    time.Duration // how long one stays that was replaced by a pack without its old versions; default 30 days
	KeyCache      int           // account keys kept in memory; default 20,000
}

func (o Options) withDefaults() Options {
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	def(&o.SegmentOctets, 8<<20)
	def(&o.SegmentAge, time.Hour)
	def(&o.KeepTail, 13*24*time.Hour)
	def(&o.Keep, 7*24*time.Hour)
	def(&o.KeepPruned, 30*24*time.Hour)
	def(&o.KeyCache, 20_000)
	if o.Ring != nil {
		o.Hybrid = o.Ring.Server.Hybrid()
	}
	return o
}

func def[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

// Meta is what a vault is: the object vault.json, made once.
type Meta struct {
	Format  int         `json:"format"`
	Vault   holdfast.ID `json:"vault"`
	Store   holdfast.ID `json:"store"` // for which it was made; later ones are in the terms
	Name    string      `json:"name"`
	Kind    string      `json:"kind,omitempty"` // empty: everything; KindLedger: no octets of items
	Created time.Time   `json:"created"`
}

// KindLedger is the kind of a vault that has every change and no octets of items: it says what there was, and gives none of it back.
const KindLedger = "ledger"

// Ledger tells whether the vault is one.
func (m Meta) Ledger() bool { return m.Kind == KindLedger }

// Vault is an open vault. All methods may be called from many goroutines.
type Vault struct {
	o    Options
	p    place.Place
	meta Meta

	mu      sync.Mutex
	keys    map[holdfast.ID]*seal.Identity
	erased  map[holdfast.ID]bool // by us: what of them is on its way goes again
	making  sync.Mutex           // held while an account's key is made
	reading sync.Mutex           // held while lists are read, and over what they name
	heads   headCache
	lists   listed    // of what no change names; nil: not read yet
	relist  time.Time // when they are read again, as some could not be; zero: never
	ledger  ledger
	own     uint64 // the first term that our own heads name; 0: not looked for yet
}

func fail(op string, kind holdfast.ErrorKind, ref, text string, err error) error {
	return &holdfast.Error{Op: "vault." + op, Kind: kind, Ref: ref, Text: text, Err: err}
}

// Limits of what small objects may have, in octets.
const (
	maxSmall = 64 << 10
	maxHead  = 64 << 20
)

// Create makes an empty place a vault. What an earlier, interrupted Create of the same vault began is finished. Errors: Exists (there is another vault, or something else), those of the place.
func Create(ctx context.Context, o Options, m Meta) (*Vault, error) {
	o = o.withDefaults()
	m.Format, m.Created = Format, m.Created.UTC().Truncate(time.Second)
	err := o.Place.List(ctx, "", "", func(i place.Info) error {
		if i.Name != nameMeta && i.Name != nameReadMe {
			return fail("Create", holdfast.Exists, i.Name, "the place is not empty: a vault is made only where nothing is", nil)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("vault.Create: %w", err)
	}
	if err := o.Place.Put(ctx, nameReadMe, bytes.NewReader([]byte(readMe))); err != nil {
		return nil, err
	}
	if err := o.Place.Put(ctx, nameMeta, bytes.NewReader(append(b, '\n'))); err != nil {
		return nil, err
	}
	return Open(ctx, o)
}

// Open opens a vault. Errors: NotFound (the place is no vault), Invalid (a later version wrote it), Corrupt, Unavailable.
func Open(ctx context.Context, o Options) (*Vault, error) {
	o = o.withDefaults()
	v := &Vault{o: o, p: o.Place, keys: map[holdfast.ID]*seal.Identity{}}
	b, err := place.ReadAll(ctx, v.p, nameMeta, maxSmall)
	if v.o.Ring == nil && (err == nil && !json.Valid(b) || holdfast.IsKind(err, holdfast.NotFound)) && v.rescued(ctx) {
		return v, nil
	}
	if holdfast.IsKind(err, holdfast.NotFound) {
		return nil, fail("Open", holdfast.NotFound, v.p.String(), "there is no vault here; is it the right place, and is its disk mounted?", err)
	}
	if err != nil {
		return nil, err
	}
	if v.meta, err = parseMeta(b); err != nil {
		if v.o.Ring == nil && v.rescued(ctx) {
			return v, nil
		}
		return nil, err
	}
	if v.meta.Format > Format {
		return nil, fail("Open", holdfast.Invalid, nameMeta, fmt.Sprintf("a later version of Holdfast wrote this vault (format %d, this one knows %d); use that one", v.meta.Format, Format), nil)
	}
	return v, nil
}

// parseMeta reads vault.json. Errors: Corrupt.
func parseMeta(b []byte) (m Meta, err error) {
	if err := json.Unmarshal(b, &m); err != nil || m.Vault.IsZero() || m.Store.IsZero() {
		return m, fail("Open", holdfast.Corrupt, nameMeta, "it does not say which vault this is", nil)
	}
	return m, nil
}

// rescued tells whether a place whose vault.json is damaged is a vault all the same: whoever only reads needs no more than its terms.
func (v *Vault) rescued(ctx context.Context) bool {
	terms, err := v.termsByNumber(ctx)
	if err != nil || len(terms) == 0 {
		return false
	}
	v.meta = Meta{Name: v.p.String()}
	return true
}

// Meta returns what the vault is.
func (v *Vault) Meta() Meta { return v.meta }

// Place returns where it lies.
func (v *Vault) Place() place.Place { return v.p }

// Close lets go of the place.
func (v *Vault) Close() error { return v.p.Close() }

// with returns the keys that open.
func (v *Vault) with() []*seal.Identity {
	if v.o.Ring == nil {
		return v.o.With
	}
	return append([]*seal.Identity{v.o.Ring.Server}, v.o.With...)
}

// ring returns the server's keys, or says that they are needed.
func (v *Vault) ring(op string) (*seal.Ring, error) {
	if v.o.Ring == nil {
		return nil, fail(op, holdfast.Forbidden, v.p.String(), "the vault was opened to be read only", nil)
	}
	return v.o.Ring, nil
}
