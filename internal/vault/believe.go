package vault

import (
	"context"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"time"

	"holdfast"
	"holdfast/internal/place"
	"holdfast/internal/seal"
)

// A head says of its term what the term itself says, and who signs. So a term that is damaged takes nothing with it: the heads of it are judged by themselves, and stand in for it.

// OfTerm is what a head repeats of its term, and what the recovery keys say of the signer by then: a term may have been made before there was a recovery key.
type OfTerm struct {
	Signer       seal.PublicKey     `json:"signer,omitempty"`
	Certificates []seal.Certificate `json:"certificates,omitempty"`
	Base         *Position          `json:"base,omitempty"`
	Continues    Continuation       `json:"continues,omitempty"`
	Began        time.Time          `json:"began,omitzero"` // the term's time
}

// ofTerm is what the heads of a term repeat.
func ofTerm(t Term, ring *seal.Ring) OfTerm {
	return OfTerm{Signer: ring.Signer.Public(), Certificates: ring.Certificates(), Base: &t.Base, Continues: t.Continues, Began: t.At}
}

// unsigned reads what a head says, before anybody has judged its signature.
func unsigned(b []byte) (h Head, ok bool) {
	line, _, err := seal.SplitLine(b)
	return h, err == nil && json.Unmarshal(line, &h) == nil && h.Term > 0
}

// standIn returns the term that a head stands in for; ok is false where the head is from before heads said so.
func (h *Head) standIn() (t Term, ok bool) {
	if len(h.Signer) == 0 || h.Base == nil || h.Continues == "" {
		return t, false
	}
	return Term{Format: h.Format, Number: h.Term, Store: h.Store, Base: *h.Base, Continues: h.Continues, Signer: h.Signer, Certificates: h.Certificates, At: h.Began}, true
}

// knows tells whether a signer is one whose word is taken where the term cannot be read: the store's own, or that of another term.
func (v *Vault) knows(signer seal.PublicKey, terms map[uint64]Term) bool {
	if v.o.Ring != nil && signer.Equal(v.o.Ring.Signer.Public()) {
		return true
	}
	for _, t := range terms {
		if !t.foreign && t.Signer.Equal(signer) {
			return true
		}
	}
	return false
}

// firstOwn returns the first term that a head of our own signer names. It is looked for once, where a term cannot be read.
func (v *Vault) firstOwn(ctx context.Context) (uint64, error) {
	v.mu.Lock()
	own := v.own
	v.mu.Unlock()
	if own > 0 {
		return own, nil
	}
	own = math.MaxUint64
	signer := v.o.Ring.Signer.Public()
	if err := place.ReadEach(ctx, v.p, dirHeads, "", maxHead, func(name string, b []byte, err error) error {
		if err != nil && !damaging(err) {
			return err
		}
		if h, err := ParseHead(name, b, signer); err == nil {
			own = min(own, h.Term)
		}
		return nil
	}); err != nil {
		return 0, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.own = own
	return own, nil
}

// headJudge judges heads, one after the other.
type headJudge struct {
	v     *Vault
	terms map[uint64]Term // that are believed
	id    holdfast.ID     // of the vault
	asked bool
}

func (v *Vault) judge(terms map[uint64]Term) *headJudge {
	return &headJudge{v: v, terms: terms, id: v.meta.Vault}
}

// judge reads the octets of a head and judges them, see signed. One of another vault is not believed: what it names is not here.
func (j *headJudge) judge(ctx context.Context, name string, b []byte) (Head, holdfast.Hash, error) {
	sum := holdfast.HashOf(b)
	h, err := j.signed(name, b)
	if err == nil && h.Vault != j.id && !j.asked {
		if err := j.ask(ctx); err != nil {
			return Head{}, sum, err
		}
	}
	if err == nil && h.Vault != j.id {
		err = fail("ParseHead", holdfast.Corrupt, name, "the head is of another vault, "+h.Vault.String(), nil)
	}
	if err != nil {
		return Head{}, sum, err
	}
	return h, sum, nil
}

// signed judges a head by the signer of its term; where that one cannot be read, or is a stranger's, by the signer that it names itself, if that is one whom the vault knows.
func (j *headJudge) signed(name string, b []byte) (Head, error) {
	said, ok := unsigned(b)
	t := j.terms[said.Term]
	switch {
	case ok && t.Number > 0 && !t.foreign:
		return ParseHead(name, b, t.Signer)
	case ok && j.v.knows(said.Signer, j.terms):
		return ParseHead(name, b, said.Signer)
	case ok && t.Number > 0:
		return Head{}, fail("ParseHead", holdfast.Corrupt, name, "the head was signed by a stranger", nil)
	}
	return Head{}, fail("ParseHead", holdfast.Corrupt, name, "the head cannot be read, or its term is missing", nil)
}

// ask finds out which vault this is, where a head says another one than vault.json: that is signed by nobody, so that most heads decide.
func (j *headJudge) ask(ctx context.Context) error {
	j.asked = true
	count := map[holdfast.ID]int{}
	err := place.ReadEach(ctx, j.v.p, dirHeads, "", maxHead, func(name string, b []byte, err error) error {
		if err != nil && !damaging(err) {
			return err
		}
		if h, err := j.signed(name, b); err == nil {
			count[h.Vault]++
		}
		return nil
	})
	for id, n := range count {
		if n > count[j.id] {
			j.id = id
		}
	}
	return err
}

// meta says whether vault.json names the vault that the heads name, once heads were judged.
func (j *headJudge) meta() error {
	if j.id == j.v.meta.Vault || j.v.meta.Vault.IsZero() {
		return nil
	}
	return fail("Open", holdfast.Corrupt, nameMeta, "it says that this is another vault than its heads do: "+j.id.String(), nil)
}

// links looks whether heads follow one another. One that does not is believed all the same: its signature says what it is.
type links struct {
	number uint64
	sum    holdfast.Hash
}

// follows judges a head by the one before it, where that one could be read; err is why this one could not be.
func (l *links) follows(name string, h Head, sum holdfast.Hash, err error) error {
	if err != nil {
		*l = links{}
		return nil
	}
	before := *l
	*l = links{h.Number, sum}
	if before.number > 0 && before.number+1 == h.Number && before.sum != h.Previous {
		return fail("Heads", holdfast.Corrupt, name, "it does not follow the head before it: one of the two was written for another state of the vault", nil)
	}
	return nil
}

// belief is whom a reader of one vault believes.
type belief struct {
	r       *Reader
	v       *Vault
	read    map[uint64]Term // that can be read, whoever signed them
	signers []seal.PublicKey
	kept    []seal.Certificate // that the store keeps with what it is like
	named   map[uint64]bool    // terms that something names; whether their object is there
}

// believed returns the terms that the reader believes: those that can be read and whose signer is trusted, and for others what heads repeat of them; and the numbers of those of which nothing is known.
// Each that is damaged, missing or not believed is said.
func (r *Reader) believed(ctx context.Context, v *Vault) (terms map[uint64]Term, unknown []uint64, err error) {
	b := &belief{r: r, v: v, named: map[uint64]bool{}}
	if b.read, err = v.termsByNumber(ctx); err != nil {
		return nil, nil, err
	}
	if err := b.names(ctx); err != nil {
		return nil, nil, err
	}
	b.certify(ctx)
	terms = b.sound()
	if len(terms) < len(b.named) {
		// The heads are read for whom they certify, and again for what they repeat: only where something is not known otherwise.
		if err := b.heads(ctx, func(_ string, _ []byte, h *Head) { b.take(h.Signer, h.Certificates) }); err != nil {
			return nil, nil, err
		}
		terms = b.sound()
		if err := b.heads(ctx, func(name string, octets []byte, h *Head) { b.standIn(terms, name, octets, h) }); err != nil {
			return nil, nil, err
		}
	}
	for _, n := range slices.Sorted(maps.Keys(b.named)) {
		if _, ok := terms[n]; !ok {
			unknown = append(unknown, n)
		}
		b.say(n)
	}
	return terms, unknown, nil
}

// names finds the terms that something names: their objects, the tail, the newest head, and the numbers between.
func (b *belief) names(ctx context.Context) error {
	top := uint64(0)
	for n := range b.read {
		top = max(top, n)
	}
	for n := uint64(1); n < top && n < maxTerms; n++ {
		b.named[n] = false
	}
	if i, ok, err := place.Last(ctx, b.v.p, dirHeads); err != nil {
		return err
	} else if ok {
		octets, err := place.ReadAll(ctx, b.v.p, i.Name, maxHead)
		if err != nil && !damaging(err) {
			return err
		}
		if n, ok := TermOfHead(octets); ok {
			b.named[n] = false
		}
	}
	if err := b.v.eachSegment(ctx, func(s segmentRef) error { b.named[s.term] = false; return nil }); err != nil {
		return err
	}
	return b.v.p.List(ctx, dirTerms, "", func(i place.Info) error {
		if n, ok := numberOf(i.Name, dirTerms, ""); ok {
			b.named[n] = true
		}
		return nil
	})
}

// maxTerms bounds how many terms are looked for by their numbers alone: whoever signs a term himself can give it any.
const maxTerms = 10_000

// certify takes the signers for whom terms speak, and what the store kept of itself. Where nobody is asked, the word of those counts whom the vault knows.
func (b *belief) certify(ctx context.Context) {
	if b.r.o.Trust == nil && b.v.o.Ring != nil {
		b.signers = append(b.signers, b.v.o.Ring.Signer.Public())
	}
	b.kept = b.v.keptCertificates(ctx)
	for _, t := range b.read {
		if !t.foreign {
			b.take(t.Signer, t.Certificates)
		}
	}
}

// take takes a signer, if it is one to be trusted. Certificates are MACs: it does not matter who wrote them where.
func (b *belief) take(signer seal.PublicKey, list []seal.Certificate) {
	if b.trusts(signer) || len(signer) == 0 {
		return
	}
	if trust := b.r.o.Trust; trust != nil && (trust.Trusts(signer, list) || trust.Trusts(signer, b.kept)) || trust == nil && b.v.knows(signer, b.read) {
		b.signers = append(b.signers, signer)
	}
}

func (b *belief) trusts(signer seal.PublicKey) bool {
	return slices.ContainsFunc(b.signers, signer.Equal)
}

// sound returns the terms that can be read and are believed.
func (b *belief) sound() map[uint64]Term {
	out := map[uint64]Term{}
	for n, t := range b.read {
		if !t.foreign && b.trusts(t.Signer) {
			out[n] = t
		}
	}
	return out
}

// heads calls fn with the heads, before anybody has judged them.
func (b *belief) heads(ctx context.Context, fn func(name string, octets []byte, h *Head)) error {
	return place.ReadEach(ctx, b.v.p, dirHeads, "", maxHead, func(name string, octets []byte, err error) error {
		if err != nil && !damaging(err) {
			return err
		}
		if h, ok := unsigned(octets); ok {
			fn(name, octets, &h)
		}
		return ctx.Err()
	})
}

// standIn takes what a head repeats of its term, where the term itself is not believed.
func (b *belief) standIn(terms map[uint64]Term, name string, octets []byte, h *Head) {
	if _, ok := terms[h.Term]; ok || !b.trusts(h.Signer) {
		return
	}
	t, ok := h.standIn()
	if _, err := ParseHead(name, octets, h.Signer); !ok || err != nil {
		return
	}
	terms[t.Number] = t
	if _, ok := b.named[t.Number]; !ok {
		b.named[t.Number] = false
	}
}

// say says what is wrong with a term.
func (b *belief) say(n uint64) {
	t, ok := b.read[n]
	what := ""
	switch {
	case !ok && b.named[n]:
		what = "the term cannot be read"
	case !ok:
		what = "the term is missing"
	case t.foreign, !b.trusts(t.Signer):
		what = "its signer is not one that the recovery key knows"
	default:
		return
	}
	b.r.hurt(b.v, TermName(n), fail("Term", holdfast.Corrupt, TermName(n), what, nil))
}

// keptCertificates returns what recovery keys say of signers that were made after the terms were: the store keeps it with what it was like.
func (v *Vault) keptCertificates(ctx context.Context) []seal.Certificate {
	var kept struct {
		Certificates []seal.Certificate `json:"certificates"`
	}
	if err := v.Service(ctx, &kept); err != nil {
		return nil // then terms and heads speak for themselves
	}
	return kept.Certificates
}
