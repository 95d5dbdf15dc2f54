package vault

import (
	"bytes"
	"context"
	"encoding/json"
	"sync"
	"time"

	"holdfast"
	"holdfast/internal/place"
	"holdfast/internal/seal"
)

// AccountHead is how far an account has come.
type AccountHead struct {
	Account holdfast.ID   `json:"account"`
	Epoch   uint64        `json:"epoch"`
	Seq     uint64        `json:"seq"`
	Chain   holdfast.Hash `json:"chain"`
}

// PackRef names a pack and its index, and what they are.
type PackRef struct {
	Name        string        `json:"name"` // pages/<n>
	Size        int64         `json:"size"`
	SHA256      holdfast.Hash `json:"sha256"`
	IndexSize   int64         `json:"index_size"`
	IndexSHA256 holdfast.Hash `json:"index_sha256"`
	Changes     uint64        `json:"changes"`
	Tier        int           `json:"tier,omitempty"`     // how often its changes were compacted
	Segments    []string      `json:"segments,omitempty"` // that it was sealed from
	Replaces    []string      `json:"replaces,omitempty"` // packs that it was compacted from
	Batches     []BatchRange  `json:"batches,omitempty"`  // whose changes it holds
	Pruned      *Pruning      `json:"pruned,omitempty"`   // it lacks octets of what it replaces; nil: it has all of them
}

// Pruning is what a pack was written without: octets of old versions that retention let go of.
type Pruning struct {
	Versions int64 `json:"versions"`
	Octets   int64 `json:"octets"` // of their bodies, before they were compressed
}

// BatchRange is a part of a term's stream, both ends included. Batches are numbered without gaps, so that what is missing is known from the numbers alone.
type BatchRange struct {
	Term uint64 `json:"term"`
	From uint64 `json:"from"`
	To   uint64 `json:"to"`
}

// Other is another vault of the same store, as a head names it.
type Other struct {
	Name     string `json:"name"`
	Kind     string `json:"kind"`
	Location string `json:"location"`
	Domain   string `json:"domain"`
}

// DrillRef names the result of a drill: what a restore out of a vault of the store was seen to give, and when.
type DrillRef struct {
	Drill  string        `json:"drill"`
	Vault  string        `json:"vault"` // that was restored from, as the store calls it
	Ended  time.Time     `json:"ended"`
	Result string        `json:"result"` // pass, fail, inconclusive
	SHA256 holdfast.Hash `json:"sha256"` // of the result as the store keeps it

	Of       holdfast.ID   `json:"of,omitzero"`        // the id of that vault
	Head     uint64        `json:"head,omitempty"`     // its newest head when the drill began
	Accounts []holdfast.ID `json:"accounts,omitempty"` // of one that passed: those that it restored. Only heads of that vault say it
}

// within returns what a head of a vault says of drills: which accounts one restored matters where it was, and nowhere else.
func within(vault holdfast.ID, drills []DrillRef) (out []DrillRef) {
	for _, d := range drills {
		if d.Of != vault {
			d.Accounts = nil
		}
		out = append(out, d)
	}
	return out
}

// Head is a signed checkpoint.
type Head struct {
	Format   int           `json:"format"`
	Number   uint64        `json:"head"`
	Vault    holdfast.ID   `json:"vault"`
	Store    holdfast.ID   `json:"store"`
	Term     uint64        `json:"term"`
	At       time.Time     `json:"at"`       // the writer's time
	PlaceAt  time.Time     `json:"place_at"` // the place's
	Position Position      `json:"position"`
	Previous holdfast.Hash `json:"previous"` // SHA-256 of the head before
	Accounts []AccountHead `json:"accounts"` // that changed since the head before
	Packs    []PackRef     `json:"packs,omitempty"`
	Covered  []BatchRange  `json:"covered,omitempty"`  // batches that no object names any more, and whose changes a repair has written again, by account
	Released []string      `json:"released,omitempty"` // objects that are read no more: damaged ones of which others took the place
	Vaults   []Other       `json:"vaults,omitempty"`
	Drills   []DrillRef    `json:"drills,omitempty"`
	Filling  bool          `json:"filling,omitempty"` // the vault is to be filled anew, and is not whole before a later head
	OfTerm
}

// ParseHead reads a head, whose signature must be signer's. Errors: Corrupt.
func ParseHead(name string, b []byte, signer seal.PublicKey) (Head, error) {
	var h Head
	if err := seal.OpenLine(b, signer, &h); err != nil {
		return h, fail("ParseHead", holdfast.Corrupt, name, "the head cannot be read", err)
	}
	if len(h.Signer) > 0 && !h.Signer.Equal(signer) {
		return h, fail("ParseHead", holdfast.Corrupt, name, "it names another signer than its own", nil)
	}
	return h, h.check(name)
}

// TermOfHead returns the term that a head says it is of, before anybody has judged its signature.
func TermOfHead(b []byte) (uint64, bool) {
	line, _, err := seal.SplitLine(b)
	var h struct {
		Term uint64 `json:"term"`
	}
	return h.Term, err == nil && json.Unmarshal(line, &h) == nil && h.Term > 0
}

func (h *Head) check(name string) error {
	if n, ok := numberOf(name, dirHeads, ""); !ok || n != h.Number || h.Number == 0 || h.Term == 0 {
		return fail("ParseHead", holdfast.Corrupt, name, "it says another number than its name", nil)
	}
	return nil
}

// headCache remembers the newest head.
type headCache struct {
	mu     sync.Mutex // held while a head is written
	number uint64
	hash   holdfast.Hash
	head   Head
}

// readHead reads a head and judges it.
func (v *Vault) readHead(ctx context.Context, name string, terms map[uint64]Term) (Head, holdfast.Hash, error) {
	b, err := place.ReadAll(ctx, v.p, name, maxHead)
	if err != nil {
		return Head{}, holdfast.Hash{}, err
	}
	return v.judge(terms).judge(ctx, name, b)
}

// LastHead returns the newest head; its number is 0 where there is none.
func (v *Vault) LastHead(ctx context.Context) (Head, error) {
	v.heads.mu.Lock()
	defer v.heads.mu.Unlock()
	return v.lastHead(ctx)
}

// lastHead is LastHead for who holds the lock. A newest head that cannot be read is an error: nobody may write one over a hole.
func (v *Vault) lastHead(ctx context.Context) (Head, error) {
	last, err := v.lastHeadName(ctx)
	if err != nil || last == "" {
		return v.heads.head, err
	}
	terms, err := v.termsByNumber(ctx)
	if err != nil {
		return Head{}, err
	}
	h, sum, err := v.readHead(ctx, last, terms)
	if err != nil {
		return Head{}, err
	}
	v.heads.number, v.heads.hash, v.heads.head = h.Number, sum, h
	return h, nil
}

// lastHeadName returns the name of the newest head; empty where there is none above the one that is known.
func (v *Vault) lastHeadName(ctx context.Context) (last string, err error) {
	after := ""
	if v.heads.number > 0 {
		after = HeadName(v.heads.number)
	} else { // there may be very many
		i, ok, err := place.Last(ctx, v.p, dirHeads)
		if _, isHead := numberOf(i.Name, dirHeads, ""); err != nil || !ok || isHead {
			return i.Name, err
		}
	}
	err = v.p.List(ctx, dirHeads, after, func(i place.Info) error {
		if _, ok := numberOf(i.Name, dirHeads, ""); ok {
			last = i.Name
		}
		return nil
	})
	return last, err
}

// Heads calls fn with the heads above a number, in order. A head that is missing or cannot be read is handed over as its error; fn decides.
func (v *Vault) Heads(ctx context.Context, after uint64, fn func(name string, h Head, sum holdfast.Hash, err error) error) error {
	terms, err := v.termsByNumber(ctx)
	if err != nil {
		return err
	}
	return v.headsOf(ctx, v.judge(terms), after, fn)
}

// headsOf is Heads as somebody judges them.
func (v *Vault) headsOf(ctx context.Context, j *headJudge, after uint64, fn func(name string, h Head, sum holdfast.Hash, err error) error) error {
	start := ""
	if after > 0 {
		start = HeadName(after)
	}
	want := after + 1
	return place.ReadEach(ctx, v.p, dirHeads, start, maxHead, func(name string, b []byte, err error) error {
		n, ok := numberOf(name, dirHeads, "")
		if !ok {
			return nil
		}
		for ; want < n; want++ {
			if err := fn(HeadName(want), Head{}, holdfast.Hash{}, fail("Heads", holdfast.NotFound, HeadName(want), "the head is missing", nil)); err != nil {
				return err
			}
		}
		want = n + 1
		if err != nil {
			return fn(name, Head{}, holdfast.Hash{}, err)
		}
		h, sum, err := j.judge(ctx, name, b)
		return fn(name, h, sum, err)
	})
}

// maxHeadAccounts bounds the accounts of one head.
const maxHeadAccounts = 50_000

// HeadInput is what a head says besides how far the accounts have come.
type HeadInput struct {
	Packs    []PackRef
	Covered  []BatchRange
	Released []string
	Vaults   []Other
	Drills   []DrillRef
	Filling  bool
	Whole    bool // write one even if nothing changed: the first head says that the vault was filled
}

// writeHead writes the next head.
func (v *Vault) writeHead(ctx context.Context, term Term, at holdfast.Position, accounts []AccountHead, in HeadInput) (Head, error) {
	ring, err := v.ring("WriteHead")
	if err != nil {
		return Head{}, err
	}
	v.heads.mu.Lock()
	defer v.heads.mu.Unlock()
	last, err := v.lastHead(ctx)
	if err != nil {
		return Head{}, err
	}
	now, err := v.p.Now(ctx)
	if err != nil {
		return Head{}, err
	}
	id := v.meta.Vault
	if !last.Vault.IsZero() {
		id = last.Vault // as it was: vault.json is signed by nobody
	}
	h := Head{Format: Format, Number: last.Number + 1, Vault: id, Store: term.Store, Term: term.Number, At: v.o.Clock.Now().UTC().Truncate(time.Millisecond), PlaceAt: now.UTC().Truncate(time.Millisecond),
		Position: Position(at), Previous: v.heads.hash, Accounts: accounts, Packs: in.Packs, Covered: in.Covered, Released: in.Released, Vaults: in.Vaults, Drills: within(id, in.Drills), Filling: in.Filling, OfTerm: ofTerm(term, ring)}
	b, err := seal.SignLine(ring.Signer, h)
	if err != nil {
		return Head{}, err
	}
	if err := v.p.Put(ctx, HeadName(h.Number), bytes.NewReader(b)); err != nil {
		return Head{}, err
	}
	v.heads.number, v.heads.hash, v.heads.head = h.Number, holdfast.HashOf(b), h
	return h, nil
}
