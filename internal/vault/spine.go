package vault

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"holdfast"
	"holdfast/internal/journal"
	"holdfast/internal/place"
	"holdfast/internal/seal"
)

// spineOf returns the heads and terms that cannot be read, to be released. A head that does not follow the one before stays: what it names is read.
func spineOf(s *survey) (out []string) {
	for _, name := range slices.Sorted(maps.Keys(s.wrong)) {
		if strings.HasPrefix(name, dirHeads) && !s.loose[name] || strings.HasPrefix(name, dirTerms) {
			out = append(out, name)
		}
	}
	return out
}

// OpenDamaged opens a vault of which vault.json may be damaged or missing, to repair it; m is what it should say. Where nothing else of a vault is there, it is the error of [Open].
func OpenDamaged(ctx context.Context, o Options, m Meta) (*Vault, error) {
	v, err := Open(ctx, o)
	if err == nil || !holdfast.IsKind(err, holdfast.NotFound) && !holdfast.IsKind(err, holdfast.Corrupt) {
		return v, err
	}
	v = &Vault{o: o.withDefaults(), p: o.Place, keys: map[holdfast.ID]*seal.Identity{}}
	terms, terr := v.termsByNumber(ctx)
	if terr != nil || len(terms) == 0 {
		return nil, err
	}
	m.Format, m.Created = Format, m.Created.UTC().Truncate(time.Second)
	if first, ok := terms[1]; ok {
		m.Store = first.Store
	}
	v.meta = m
	return v, nil
}

// mendMeta writes HOLDFAST.txt and vault.json again. What they say is known, so that they are removed first: they have one name for ever. Who may remove nothing may still put the octets that were there; a remote vault's server knows their hash.
func (v *Vault) mendMeta(ctx context.Context, s *survey, m Meta) error {
	if !s.id.IsZero() {
		m.Vault = s.id
	}
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	for name, text := range map[string][]byte{nameReadMe: []byte(readMe), nameMeta: append(b, '\n')} {
		if _, bad := s.wrong[name]; !bad {
			continue
		}
		err := v.p.Remove(ctx, name)
		kept := holdfast.IsKind(err, holdfast.Forbidden)
		if err != nil && !kept && !holdfast.IsKind(err, holdfast.NotFound) {
			return err
		}
		if err := v.p.Put(ctx, name, bytes.NewReader(text)); err != nil && !(kept && holdfast.IsKind(err, holdfast.Exists)) {
			return err
		}
	}
	return nil
}

// SpineOrigin is what [Vault.MendSpine] asks the store.
type SpineOrigin struct {
	Store holdfast.ID
	// Holds tells whether a position is in the store's stream.
	Holds func(context.Context, holdfast.Position) (bool, error)
	// Changed returns how far the accounts have come that changed above one batch, up to another.
	Changed func(ctx context.Context, after, upto uint64) ([]AccountHead, error)
}

// SpineReport tells what [Vault.MendSpine] did.
type SpineReport struct {
	Damaged []string // objects that were found damaged, or missing
	Anew    bool     // a new term was made, that goes on from nothing
}

// MendSpine brings a vault that no writer can open back to where one can: HOLDFAST.txt and vault.json are written again, heads that cannot be read are released by a new one, and where the newest term cannot be read a new one is made,
// which goes on from nothing: the store ships everything again. The lease of the place must be free. What the tail holds is not looked at but for where it ends. Errors: Fenced (another store has the right to write),
// PreconditionFailed (the vault has what the store lacks: that comes first), Busy.
func (v *Vault) MendSpine(ctx context.Context, o SpineOrigin) (rep SpineReport, err error) {
	lease, err := v.lease()
	if err != nil {
		return rep, err
	}
	s, err := v.spine(ctx)
	if err == nil {
		rep.Damaged = slices.Sorted(maps.Keys(s.wrong))
		err = v.mendMeta(ctx, s, v.meta)
	}
	lease.Close()
	if err != nil {
		return rep, err
	}
	terms, broken := v.Terms(ctx)
	if broken != nil && !damaging(broken) {
		return rep, broken
	}
	var term Term
	if len(terms) > 0 {
		term = terms[len(terms)-1]
	}
	if term.Number > 0 && term.Store != o.Store {
		return rep, fenced("Repair", v.p.String())
	}
	end, err := v.endOf(ctx, term, s.newest, s.topTerm)
	if err != nil {
		return rep, err
	}
	if broken != nil || term.Number < s.topTerm {
		ours, err := o.Holds(ctx, end)
		if err != nil {
			return rep, err
		}
		if !ours {
			return rep, fail("Repair", holdfast.PreconditionFailed, v.p.String(), "the newest term of the vault is damaged, and the vault holds what the store does not have; restore from the vault into a new place and compare", nil)
		}
		if term, err = v.adoptAbove(ctx, o.Store, s.topTerm); err != nil {
			return rep, err
		}
		rep.Anew, end = true, holdfast.Position{}
	}
	return rep, v.headOver(ctx, s, term, end, rep.Anew, o)
}

// endOf returns the newest position that a term's tail, or the newest head of it, names.
func (v *Vault) endOf(ctx context.Context, term Term, head Head, number uint64) (holdfast.Position, error) {
	end := holdfast.Position{}
	if term.Number == number {
		end = term.Base.Is()
	}
	if head.Term == number && head.Position.Batch > end.Batch {
		end = head.Position.Is()
	}
	numbers, err := v.segments(ctx, number)
	if err != nil {
		return end, err
	}
	for _, n := range numbers {
		last, _, _, err := v.lastIn(ctx, SegmentName(number, n))
		if err != nil {
			return end, err
		}
		if last.Batch > end.Batch {
			end = last
		}
	}
	return end, nil
}

// adoptAbove makes a term above all that the vault names.
func (v *Vault) adoptAbove(ctx context.Context, store holdfast.ID, top uint64) (Term, error) {
	ring, err := v.ring("Repair")
	if err != nil {
		return Term{}, err
	}
	return v.putTerm(ctx, Term{Format: Format, Number: top + 1, Nonce: holdfast.NewID(v.o.Random), Store: store, Continues: FromNothing, Signer: ring.Signer.Public(),
		Certificates: ring.Certificates(), At: v.o.Clock.Now().UTC().Truncate(time.Millisecond)})
}

// headOver writes a head above those that cannot be read, which releases them, and says how far all accounts have come since the newest that can be: a writer that begins then needs nothing of the tail.
func (v *Vault) headOver(ctx context.Context, s *survey, term Term, end holdfast.Position, anew bool, o SpineOrigin) error {
	after := term.Base.Batch
	if s.newest.Term == term.Number {
		after = s.newest.Position.Batch
	}
	gone := spineOf(s)
	if len(gone) == 0 && v.lines(ctx, after, func(journal.BatchLine, []holdfast.Change) error { return nil }) == nil {
		return nil
	}
	v.heads.mu.Lock()
	v.heads.number, v.heads.head, v.heads.hash = s.top, Head{Number: s.top, Vault: s.id}, holdfast.Hash{}
	if b, err := place.ReadAll(ctx, v.p, HeadName(s.top), maxHead); err == nil {
		v.heads.hash = holdfast.HashOf(b)
	}
	v.heads.mu.Unlock()
	var accounts []AccountHead
	if end.Batch > after {
		var err error
		if accounts, err = o.Changed(ctx, after, end.Batch); err != nil {
			return err
		}
	}
	in := HeadInput{Released: gone, Filling: anew}
	for first := true; first || len(accounts) > 0; first = false {
		n := min(len(accounts), maxHeadAccounts)
		if _, err := v.writeHead(ctx, term, end, accounts[:n], in); err != nil {
			return err
		}
		accounts, in = accounts[n:], HeadInput{}
	}
	return nil
}
